/* greeter.h - the functions of this module. */
#ifndef GREETER_H
#define GREETER_H

#include <statefun/statefun.h>

/* Binds them; for whoever runs them: the runtime, a server, a test. */
bool greeter_configure(struct sf_module *module, struct sf_status *status);

#endif
