/* runtime.h - an application, running: the store, the workers, the ingresses and egresses,
 * connected.
 *
 *     opening ──runtime_open──▶ running ──runtime_stop──▶ stopped ──runtime_close──▶
 *
 * Who waits for what, in threads: each worker on its loop; the committer on its own, and it alone
 * on the disk; Kafka's ingresses and egresses on theirs; admin and playground egress share one. All
 * functions here are called on one thread, which is none of these. */
#ifndef RUNTIME_RUNTIME_H
#define RUNTIME_RUNTIME_H

#include "spec/application.h"
#include "spec/settings.h"
#include "statefun/status.h"

struct runtime;
struct modules;

/* Opens the data directory, listens, recovers, and starts. When it returns, messages are taken.
 * What cannot be reached (brokers, functions) is waited for by itself. `application`, `settings`
 * and `modules` (the embedded ones; NULL: none) must outlive it. */
SF_CHECK bool runtime_open(const struct application *application, const struct settings *settings,
                           const struct modules *modules, struct runtime **ret_runtime,
                           struct sf_status *status);

/* Readable once the runtime cannot go on; runtime_failure says why. */
int runtime_failure_fd(const struct runtime *runtime);
bool runtime_failure(struct runtime *runtime, struct sf_status *ret_failure);

/* Takes no more input, lets what is under way end, commits and delivers: within `timeout_ms`,
 * about. False if not all of it was done by then; it will be, after the next start. */
bool runtime_stop(struct runtime *runtime, uint64_t timeout_ms);

/* Ends all threads and frees; without runtime_stop, what is not committed is done again after the
 * next start. NULL is fine. */
void runtime_close(struct runtime *runtime);

#endif
