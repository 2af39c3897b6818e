/* notice.h - how others find a running runtime: runtime.json in its data directory.
 *
 *     {"application": "statefun", "version": "0.1.0", "pid": 4711,
 *      "listeners": {"admin": "127.0.0.1:8081", "io.statefun.playground/ingress": "0.0.0.0:8090"}}
 *
 * Addresses are numeric, with the ports that the kernel picked. The file is there while the runtime
 * takes messages; after a crash it stays, with the pid of a process that is no more. */
#ifndef RUNTIME_NOTICE_H
#define RUNTIME_NOTICE_H

#include "base/bytes.h"
#include "statefun/status.h"

struct notice;

struct notice *notice_new(const char *application);
void notice_free(struct notice *notice); /* NULL is fine */
void notice_add_listener(struct notice *notice, const char *name, const char *where);

/* For /status: the notice, with what changes. */
void notice_add_status(const struct notice *notice, bool is_ready, uint64_t epoch, uint32_t workers,
                       uint32_t partitions, struct buffer *text);

SF_CHECK bool notice_write(const struct notice *notice, const char *directory,
                           struct sf_status *status);
void notice_remove(const char *directory);

#endif
