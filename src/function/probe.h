/* probe.h - is a function's endpoint there, and does it speak the protocol? For `statefun check
 * --connect`. */
#ifndef FUNCTION_PROBE_H
#define FUNCTION_PROBE_H

#include "spec/application.h"
#include "statefun/status.h"

/* Sends a request without messages, which does nothing, to the endpoint's function. Where the
 * endpoint serves a whole namespace the name is made up, so any HTTP answer will do. False says
 * what came instead. Blocks for at most `timeout_ms`, about. */
SF_CHECK bool endpoint_probe(const struct endpoint_spec *spec, uint64_t timeout_ms,
                             struct sf_status *status);

#endif
