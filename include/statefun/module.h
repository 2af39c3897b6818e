/* module.h - what a module consists of: functions, routers, ingresses and egresses, bound by its
 * configure function.
 *
 * An embedded module is a shared library in the module directory (with or without a module.yaml
 * beside it). The runtime opens it, checks with what version of this interface it was built, and
 * calls its configure function once, on the main thread, before anything else. Several modules,
 * also of several teams, make one application; each name is bound once in all of them.
 *
 * All that is bound must live as long as the process. */
#ifndef STATEFUN_MODULE_H
#define STATEFUN_MODULE_H

#include "statefun/status.h"
#include "statefun/value.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct sf_module; /* while it is configured */
struct sf_function;
struct sf_address;

/* Fails, and with it the start, on a name that is not "namespace/name" or is bound already. An
 * exact type wins over a prefix, a longer prefix over a shorter one. */
SF_CHECK bool sf_bind(struct sf_module *module, const struct sf_function *function,
                      struct sf_status *status);

/* A value of the application's configuration (statefun.module.global-config.KEY; for a remote
 * module and in a harness: what it was started with); NULL if it has none. */
const char *sf_config(struct sf_module *module, const char *key);

/* --- routers: from a record to messages --- */

struct sf_routing; /* one record on its way */

/* Of an ingress in C: what it has emitted. Of others: a record of Kafka (a null value has no data,
 * either) or of Kinesis (key: the partition key); a request of the playground's ingress, with the
 * id as key, its body as value, and "namespace/type" as topic. */
struct sf_record {
    struct sf_bytes key; /* data NULL: none */
    struct sf_bytes value;
    const char *topic;    /* or stream; NULL: none */
    int64_t timestamp_ms; /* since 1970; Kafka: -1 if it has none */
};

/* A router has no state and no memory. It may be called again for the same record, and must then
 * route it in the same way. */
struct sf_router {
    const char *ingress; /* "namespace/name", of an ingress in C or of a module.yaml */

    /* Calls sf_forward any number of times. False (as `return sf_fail_route(...)`): the record
     * makes no sense, nothing of it is sent, and it becomes a dead letter (or what its ingress does
     * with such records). Called on any worker's thread, for several records at once on several:
     * it must not block. What a record of a module.yaml's ingress becomes anyway, it still does. */
    bool (*route)(struct sf_routing *routing, const struct sf_record *record, void *user);
    void *user;
};

/* Several routers may be bound to an ingress; each sees every record. */
SF_CHECK bool sf_bind_router(struct sf_module *module, const struct sf_router *router,
                             struct sf_status *status);

/* All messages of a record count together with its position. They carry no caller. */
bool sf_forward(struct sf_routing *routing, struct sf_address target, struct sf_value value);

bool sf_fail_route(struct sf_routing *routing, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* As sf_log, with the ingress. */
void sf_log_route(struct sf_routing *routing, enum sf_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds to a counter of the ingress, which metrics show under this name; `by` may be negative. It
 * counts at once: again, if the router is called again for the record, and also if it fails. */
void sf_count_route(struct sf_routing *routing, const char *counter, int64_t by);

/* --- ingresses in C --- */

struct sf_source; /* one partition of an ingress, while it runs */

struct sf_ingress {
    const char *id; /* "namespace/name" */
    uint32_t
        partitions; /* each has a thread and a position of its own; 0 means 1, 1024 is the most */

    /* Reads from where sf_source_position says until sf_emit or sf_source_pause returns false,
     * which is when the runtime stops; returning true before that means that there is nothing more
     * to read until the next start. On a thread of its own, which may block (for some seconds, when
     * the runtime wants to stop). A failure is logged, and `run` is called again after a while,
     * from behind what it has emitted. */
    bool (*run)(struct sf_source *source, struct sf_status *status);
    void *user;
};

SF_CHECK bool sf_bind_ingress(struct sf_module *module, const struct sf_ingress *ingress,
                              struct sf_status *status);

uint32_t sf_source_partition(const struct sf_source *source);
void *sf_source_user(const struct sf_source *source);

/* What stood in `position` of the last record that counts, at the beginning of this call of `run`;
 * it stays the same until that returns. At the first start it is empty. */
struct sf_bytes sf_source_position(const struct sf_source *source);

/* Hands over a record and the position behind it (at most 255 bytes): both count together. Waits
 * while there is no room. False: the runtime stops, return true from run. Everything is copied. On
 * the thread of `run`, like all that takes a source. */
bool sf_emit(struct sf_source *source, const struct sf_record *record, struct sf_bytes position);

/* Waits; false if the runtime stops. */
bool sf_source_pause(struct sf_source *source, uint32_t ms);

/* --- egresses in C --- */

struct sf_egress_record {
    uint64_t epoch;       /* that it was committed in: with `nth`, its name for ever */
    uint32_t nth;         /* its place among the epoch's records for this egress, from 0 */
    struct sf_bytes type; /* the type name of its value */
    struct sf_bytes value;
};

/* Delivers on a thread of its own, which may block. Records come in order, in batches of whole
 * epochs, and come again after a failure or a crash, until `deliver` has returned true for their
 * epoch and the runtime has taken note. So delivery is at least once; it is exactly once if the
 * destination keeps the number of the last epoch together with the records, and `open` reads it
 * back. */
struct sf_egress {
    const char *id; /* "namespace/name" */

    /* Before the first delivery; may be NULL. Tells the last epoch that was delivered for good, if
     * the destination knows it: leaves *ret_epoch alone otherwise. Epochs are those of one data
     * directory: a destination that is ahead of it is not written to. After a failure it is called
     * again, as `deliver` is, after a while; `close` is called once it has succeeded. */
    bool (*open)(void *user, uint64_t *ret_epoch, struct sf_status *status);

    /* All records up to and including `epoch`, or a failure: then they all come again. Stopping the
     * runtime waits until it returns. */
    bool (*deliver)(void *user, uint64_t epoch, const struct sf_egress_record *records,
                    size_t count, struct sf_status *status);
    void (*close)(void *user); /* may be NULL */
    void *user;
};

SF_CHECK bool sf_bind_egress(struct sf_module *module, const struct sf_egress *egress,
                             struct sf_status *status);

/* --- the entry point --- */

typedef bool (*sf_configure)(struct sf_module *module, struct sf_status *status);

enum { SF_ABI_VERSION = 1 };

struct sf_module_entry {
    uint32_t abi_version; /* stays first in all versions */
    uint32_t reserved;
    const char *sdk_version;
    sf_configure configure;
};

extern const char sf_sdk_version[];

/* Once in a shared library that is to be an embedded module. It is weak, so that a test can link
 * several modules together. */
#ifdef __cplusplus
#define SF_MODULE(configure_)                                                                      \
    extern "C" {                                                                                   \
    extern __attribute__((visibility("default"), weak))                                            \
    const struct sf_module_entry sf_module_entry;                                                  \
    const struct sf_module_entry sf_module_entry = {SF_ABI_VERSION, 0, sf_sdk_version,             \
                                                    configure_};                                   \
    }
#else
#define SF_MODULE(configure_)                                                                      \
    __attribute__((visibility("default"), weak)) const struct sf_module_entry sf_module_entry = {  \
        SF_ABI_VERSION, 0, sf_sdk_version, configure_};
#endif

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
