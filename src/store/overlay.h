/* overlay.h - reads that see what the tail knows over what the view holds.
 *
 * What has been merged into the tail and is not in the view yet can so be read like the rest: who
 * waits for a change to be readable need not wait for the view to be written.
 *
 * A key is looked for in the tail first, then in the view. It leaves the tail only when the view
 * has it, so that it is found in one of them whatever the view's thread does meanwhile.
 *
 * Any thread. */
#ifndef STORE_OVERLAY_H
#define STORE_OVERLAY_H

#include "store/tail.h"
#include "store/view.h"

/* As store_get_all. */
void overlay_get_all(struct tail *tail, struct view *view, const struct bytes *keys, size_t count,
                     void (*visit)(void *owner, size_t nth, const struct bytes *value),
                     void *owner);

/* As store_try. A value is appended. */
enum store_read overlay_try(struct tail *tail, struct view *view, struct bytes key,
                            struct buffer *value);

/* As store_scan_kept. */
bool overlay_scan(struct tail *tail, struct view *view, struct bytes from, struct bytes to,
                  bool (*visit)(void *owner, struct bytes key, struct bytes value), void *owner);

#endif
