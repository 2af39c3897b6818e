/* reporter.h - what engines report, in the log: once per episode, and never in floods.
 *
 * An engine reports an address that fails once, however often it is tried. When an endpoint answers
 * nonsense to ten thousand addresses, that would still be ten thousand lines; so within ten seconds
 * only the first few are written, and then how many more there were. One per worker, on its thread.
 */
#ifndef RUNTIME_REPORTER_H
#define RUNTIME_REPORTER_H

#include "engine/ports.h"

struct reporter {
    uint64_t window_ms; /* when the window began */
    uint64_t written, withheld;
};

/* All zeros: a new reporter. `now_ms` is any clock. */
void reporter_tell(struct reporter *reporter, const struct report *report, uint64_t now_ms);

#endif
