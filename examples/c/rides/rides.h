/* rides.h - drivers, passengers, and who rides with whom. */
#ifndef RIDES_H
#define RIDES_H

#include <statefun/statefun.h>

/* For rides/driver, from outside: "CELL", and nothing. */
extern const struct sf_type join_type, leave_type, start_type, end_type;

/* For rides/passenger, from outside: "FROM TO". */
extern const struct sf_type ask_type;

/* Of a driver. */
extern const struct sf_state cell_state; /* where it waits; missing: it does not */
extern const struct sf_state ride_state; /* missing: it has no passenger */

bool rides_configure(struct sf_module *module, struct sf_status *status);

#endif
