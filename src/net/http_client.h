/* http_client.h - HTTP calls to one server over kept-alive connections, on a loop.
 *
 * With HTTP/1.1 this is the hot path of remote functions: a call is written straight into the
 * connection's send buffer and its response is read in place. Nothing is allocated per call once
 * the pool is warm.
 *
 * A pool belongs to one loop and one target. Every call ends in exactly one callback: a response,
 * whatever its status, or a failure. Callbacks come from the loop and from http_pool_free, never
 * from within another function of the pool, and may begin, send and cancel calls. A call that fails
 * or times out takes its connection with it. Names are looked up on a thread of the room's own,
 * again after connecting has failed.
 *
 * A server may close a kept connection at any time, and a call may break it for those behind. So
 * calls that are not to blame are sent once more, each on a new connection: those on a connection
 * that had served others and ended before anything of their response came, and those behind the one
 * that failed. With HTTP/2, where calls share a connection and fail one by one, so are those that
 * the server says it has not begun with. This is safe because the effects of a call count once
 * however often it is made. */
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include "loop/loop.h"
#include "net/address.h"
#include "net/tls.h"
#include "wire/http.h"

struct http_pool;

/* What is spoken: HTTP_2 means at once, over TLS or not; HTTP_2_OR_1 what the server chooses, which
 * it can with TLS only: else it is HTTP/1.1. */
enum http_protocol { HTTP_1, HTTP_2_OR_1, HTTP_2 };

struct http_pool_options {
    enum http_protocol protocol;
    size_t connections_max;    /* >= 1 */
    size_t connections_first;  /* so many are used before calls share one */
    size_t pipeline_max;       /* calls under way on one connection, >= 1; 1: no pipelining */
    size_t response_bytes_max; /* of a body, also after decompression */
    uint64_t connect_ms_max;
    uint64_t write_ms_max;      /* the server takes nothing of a request for so long; 0: no limit */
    uint64_t read_ms_max;       /* ... or sends nothing while one waits; 0: no limit */
    uint64_t connection_ms_max; /* lifetime of a connection; 0: no limit. Jittered by up to 3 s */
    const struct tls_context *tls; /* must outlive the pool; NULL: plain */
    const char *content_type;      /* of requests and responses; NULL: application/octet-stream.
                                    * Must outlive the pool */
};

/* Why a call has no response. UNREACHABLE concerns the endpoint as a whole: no address, refused, no
 * connection in time, no TLS with it. A connection that breaks before anything is answered is only
 * BROKEN: it may be the call that breaks the server, and others must not be held up by it. */
enum http_failure { HTTP_UNREACHABLE, HTTP_BROKEN, HTTP_TIMED_OUT, HTTP_GARBAGE, HTTP_TOO_LARGE };

struct http_response {
    int status;
    const struct http_head *head;
    struct bytes content_type; /* empty if there is none */
    struct bytes body;         /* decompressed */
    uint64_t retry_after_ms;   /* of a Retry-After header; 0: none */
};

/* Memory of the caller's that must live until the callback: put it into what is waiting. */
struct http_client_call {
    /* Views are valid until it returns. The call is over. */
    void (*on_response)(struct http_client_call *call, const struct http_response *response);
    void (*on_failure)(struct http_client_call *call, enum http_failure failure,
                       const char *message);
    void *transport; /* the pool's own */
};

/* Keeps no reference to `target`; where that is_tls there must be options->tls. */
struct http_pool *http_pool_new(struct loop *loop, const struct net_target *target,
                                const struct http_pool_options *options);

/* What every request from now on carries besides: views valid during the call, names in lower case,
 * and nothing in them that no header may hold. */
void http_pool_set_headers(struct http_pool *pool, const struct http_header *headers, size_t count);

/* Fails what is under way (on_failure with HTTP_BROKEN, which must not begin another call) and
 * closes. Not from a callback of the pool. NULL is fine. */
void http_pool_free(struct http_pool *pool);

/* Begins a POST of `body_size` bytes to `target` (a path with query; the pool's target gives the
 * server): writes the head and returns where the caller must write the body before it calls
 * http_pool_send. `timeout_ms` covers everything from there until the response is complete. Beyond
 * connections_max x pipeline_max calls wait in line. With HTTP/2 as many share a connection as the
 * server allows; what follows is about HTTP/1.1.
 *
 * A call is put behind others only on a connection that has answered before, when as many as
 * connections_first are at work, and while the server answers quickly; else another connection is
 * preferred. What is sent within one turn on one such connection leaves in one write at the turn's
 * end. Calls behind one that turns out to be slow are sent again on other connections, and the late
 * answers to them are not read. */
uint8_t *http_pool_begin(struct http_pool *pool, struct http_client_call *call, const char *target,
                         size_t body_size, uint64_t timeout_ms);
void http_pool_send(struct http_pool *pool, struct http_client_call *call);

/* Gives up a call that was begun; no callback follows. */
void http_pool_cancel(struct http_pool *pool, struct http_client_call *call);

struct http_pool_figures {
    size_t connections;
    size_t calls;    /* under way or waiting in line */
    uint64_t opened; /* connections, ever */
};
void http_pool_figures(const struct http_pool *pool, struct http_pool_figures *ret_figures);

#endif
