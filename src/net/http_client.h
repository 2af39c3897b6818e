/* http_client.h - HTTP/1.1 calls to one server over kept-alive connections, on a loop.
 *
 * This is the hot path of remote functions: a call is written straight into the connection's send
 * buffer and its response is read in place. Nothing is allocated per call once the pool is warm.
 *
 * A pool belongs to one loop and one target. Every call ends in exactly one callback: a response,
 * whatever its status, or a failure. A call that fails or times out takes its connection with it; calls
 * that were pipelined behind it fail too (the caller tries them again). Names are looked up on a thread
 * of the room's own, again after connecting has failed. */
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include "loop/loop.h"
#include "net/address.h"
#include "wire/http.h"

struct http_pool;

struct http_pool_options {
    size_t connections_max;
    size_t pipeline_max;         /* calls under way on one connection; 1: no pipelining */
    size_t response_bytes_max;   /* of a body, also after decompression */
    uint64_t connect_ms_max;
    uint64_t connection_ms_max;  /* lifetime of a connection; 0: no limit. Jittered by up to 3 s */
};

/* Why a call has no response. UNREACHABLE concerns the endpoint as a whole: no address, refused,
 * no connection in time, or connections that break before anything is answered. */
enum http_failure { HTTP_UNREACHABLE, HTTP_BROKEN, HTTP_TIMED_OUT, HTTP_GARBAGE, HTTP_TOO_LARGE };

struct http_response {
    int status;
    struct bytes content_type;   /* empty if there is none */
    struct bytes body;           /* decompressed */
    uint64_t retry_after_ms;     /* of a Retry-After header; 0: none */
};

/* Memory of the caller's that must live until the callback: put it into what is waiting. */
struct http_client_call {
    /* Views are valid until it returns. The call is over. */
    void (*on_response)(struct http_client_call *call, const struct http_response *response);
    void (*on_failure)(struct http_client_call *call, enum http_failure failure,
                       const char *message);
    void *transport; /* the pool's own */
};

struct http_pool *http_pool_new(struct loop *loop, const struct net_target *target,
                                const struct http_pool_options *options);

/* Fails what is under way (on_failure is called) and closes. NULL is fine. */
void http_pool_free(struct http_pool *pool);

/* Begins a POST of `body_size` bytes to `target` (a path with query; the pool's target gives the
 * server): writes the head and returns where the caller must write the body before it calls
 * http_pool_send. `timeout_ms` covers everything until the response is complete. Beyond
 * connections_max x pipeline_max calls wait in line. */
uint8_t *http_pool_begin(struct http_pool *pool, struct http_client_call *call, const char *target,
                         size_t body_size, uint64_t timeout_ms);
void http_pool_send(struct http_pool *pool, struct http_client_call *call);

/* Gives up a call that is under way; no callback follows. */
void http_pool_cancel(struct http_pool *pool, struct http_client_call *call);

struct http_pool_figures {
    size_t connections;
    size_t calls; /* under way or waiting in line */
    uint64_t opened; /* connections, ever */
};
void http_pool_figures(const struct http_pool *pool, struct http_pool_figures *ret_figures);

#endif
