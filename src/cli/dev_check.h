/* dev_check.h - is a project's module good, and are those there whom it needs? */
#ifndef CLI_DEV_CHECK_H
#define CLI_DEV_CHECK_H

#include "cli/command.h"

/* Says on standard error what is wrong with the module, and in one line for each Kafka address
 * where no broker answers how to start one. Returns an exit code; brokers may come later. Takes up
 * to some seconds, and may load what the module brings: for a process of its own. */
int dev_check(struct inputs *inputs);

/* What the runtime reads of a module, as a number: another one if a module.yaml or a shared library
 * is not what it was. */
uint64_t module_fingerprint(const char *module);

#endif
