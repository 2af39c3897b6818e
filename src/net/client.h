/* client.h (net, internal) - what the parts of the HTTP client share.
 *
 * http_client.c is the pool: which call goes where, and how it ends. channel.c is one connection:
 * connecting, TLS, closing. http1.c and http2.c write requests to it and read responses. A request
 * is a call's bytes on their way; it moves between the pool's line and a channel, and can do so
 * again until its response has begun. */
#ifndef NET_CLIENT_H
#define NET_CLIENT_H

#include "base/list.h"
#include "net/body.h"
#include "net/decode.h"
#include "net/http_client.h"
#include "net/lookup.h"
#include "net/tls.h"

/*     BEGUN --> WAITING <--> UNDER_WAY --> over (answered)
 *                  |             |
 *                  +--> FAILING <+   --> over (failed)         cancelled: from any of them */
enum request_state { REQUEST_BEGUN, REQUEST_WAITING, REQUEST_UNDER_WAY, REQUEST_FAILING };

struct request {
    struct list node; /* in the list that its state says */
    struct http_pool *pool;
    struct channel *channel;       /* while UNDER_WAY */
    struct http_client_call *call; /* NULL: given up, but its response must still be read over */
    enum request_state state;
    bool
        needs_fresh; /* was sent on a connection that had been closed; only a new one will do now */
    struct loop_timer deadline; /* never late, but perhaps early: request_due_ms */
    uint64_t timeout_ms;
    uint64_t end_ms; /* when that is over */

    uint8_t *data; /* head (as HTTP/1.1 sends it) and body */
    size_t head_size, path_size;
    size_t size;
    size_t sent;
    size_t capacity;

    struct stream *stream; /* http2.c's, while UNDER_WAY there */
    unsigned refusals;     /* so often a server has not begun with it */
};

/*     CONNECTING --> GREETING --> SETTLING --> OPEN --> CLOSED
 *
 * GREETING: the TLS handshake. SETTLING: HTTP/2's first SETTINGS are on their way. Both only where
 * there is such a thing; when one of the three fails, another address is tried, CONNECTING again.
 * Any of them may become CLOSED; then its memory goes at the turn's end. */
enum channel_state {
    CHANNEL_CONNECTING,
    CHANNEL_GREETING,
    CHANNEL_SETTLING,
    CHANNEL_OPEN,
    CHANNEL_CLOSED
};

struct channel {
    struct list node; /* in the pool's list of its kind */
    struct http_pool *pool;
    enum channel_state state;
    struct loop_watch watch;
    struct tls *tls;         /* NULL: plain */
    struct http2 *http2;     /* NULL: HTTP/1.1 */
    struct loop_timer timer; /* an attempt to connect; then the end of its lifetime */

    size_t attempts; /* addresses that have failed */
    uint64_t connect_by_ms;

    struct list requests; /* under way, oldest first */
    size_t depth;         /* how many */
    uint64_t moved_ms;    /* when bytes were moved last, either way, or a request was given to it */
    uint64_t received_ms; /* HTTP/2: when any came */
    struct request *unsent; /* the first that is not wholly written; NULL: all are */
    uint64_t progress_us;   /* of the last answer, or since when it has had something to answer */
    bool has_answered;      /* at least once, and kept the connection */
    bool has_begun;         /* something of the oldest request's response has come */
    bool is_retiring;       /* takes no more requests */
    bool is_idle;           /* in by_depth[0] */

    /* HTTP/1.1: the oldest request's response, as far as it is here and not complete. */
    struct buffer in;
    size_t head_size; /* 0: not complete */
    struct body body;

    struct list dirty; /* in the pool's list of what to look after at the turn's end */
    int error;         /* errno of a write or of connecting, for then */
};

struct http_pool {
    struct loop *loop;
    struct http_pool_options options;
    bool is_closing;
    bool is_calling; /* a callback */

    /* The target. */
    char *host;
    char *authority;
    uint16_t port;
    bool is_name;     /* addresses come from a look-up */
    bool is_outdated; /* ... and should be looked up again */
    struct addresses addresses;
    size_t best_address;   /* the one that worked last */
    struct lookup *lookup; /* under way, or NULL */
    struct tls_ticket ticket;
    struct buffer head_rest;    /* of a request, from behind the target to the length */
    struct http_header *fields; /* of those lines, what HTTP/2 has too: views into it */
    size_t field_count;

    /* Requests. */
    struct list begun;
    struct list line, again; /* waiting; `again` for those that need a fresh channel */
    size_t line_count, again_count;
    struct list spare_requests;
    size_t spare_bytes;
    size_t call_count;

    /* Channels: each in exactly one of these, by what can be done with it. */
    struct list connecting;
    struct list
        *by_depth; /* [pipeline_max]: takes a request behind that many; 0: idle, hottest first */
    struct list roomy;   /* HTTP/2 that takes another stream */
    struct list resting; /* takes none now: full, slow, unproven or retiring */
    struct list closed;
    size_t connecting_count;
    size_t channel_count; /* connecting ones included, closed ones not */
    size_t idle_count;    /* of them */
    bool shares_new;      /* a connection to come will take many calls, as far as is known */
    uint64_t opened;
    uint64_t service_us; /* of the quickest answers lately, since the call's turn on its channel */

    struct list dirty;
    struct loop_task task;
    struct loop_timer reopen;   /* set: no new connection before then */
    struct loop_timer patience; /* with the look-up */
    struct loop_timer stall;    /* set while calls share channels: are they stuck? */
    uint64_t jitter;

    uint8_t *scratch; /* responses are read here and need not go further when they come whole */
    struct buffer spare_in;
    struct decoder decoder;
};

enum { SCRATCH_SIZE = 64 * 1024 };

/* The pool's side, for channels. */

/* Puts `channel` where its state and depth say; takes it out of wherever it is. */
void pool_place(struct channel *channel);
void pool_displace(struct channel *channel);

/* Sends what can be sent, opens what should be opened. */
void pool_dispatch(struct http_pool *pool);

/* Has pool or channel looked after at the end of this turn. */
void pool_settle_later(struct http_pool *pool);
void pool_mark_dirty(struct channel *channel);

void pool_channel_opened(struct channel *channel);
void pool_channel_failed(struct channel *channel, const char *message);

/* The channel's oldest call is answered: how long did it take? */
void pool_note_progress(struct channel *channel);

/* A call was put behind another. */
void pool_watch_stalls(struct http_pool *pool);

/* A response, judged, and its views. False: it makes no sense. */
struct outcome {
    bool is_good;
    struct http_response response;
    struct sf_status status;
};
bool pool_judge(struct request *request, const struct http_head *head, struct bytes body,
                struct outcome *ret_outcome);

/* The call is over; the request, which is off its channel, is gone. */
void pool_conclude(struct request *request, const struct outcome *outcome);
void pool_fail(struct request *request, enum http_failure failure, const char *message);

/* A request that is off its channel, and of which the server says that it has not begun with it,
 * waits again, `most` times. */
void pool_again(struct request *request, unsigned most, const char *message);

/* Closes the channel and says what becomes of its requests. `culprit` (may be NULL) fails with
 * `failure`, unless the channel was `stale`. The others, which are not to blame, wait again: those
 * that were begun to be sent for a fresh channel, and only once. */
void pool_break(struct channel *channel, bool stale, struct request *culprit,
                enum http_failure failure, const char *message);

/* The channel's side, for the pool. */

/* Begins to connect; when that ends at once it may be OPEN already. Never fails at once. */
struct channel *channel_open(struct http_pool *pool);

/* No request may be on it. */
void channel_close(struct channel *channel);
void channel_free(struct channel *channel);

/* What was put off to the turn's end. */
void channel_settle(struct channel *channel);

/* The channel's side, for what is said over it. As sendmsg and recv: */
ssize_t channel_send(struct channel *channel, const struct iovec *parts, size_t count);
ssize_t channel_receive(struct channel *channel, void *to, size_t room);
void channel_note_error(struct channel *channel, int error); /* for the turn's end */

/* The oldest request under way, or NULL. */
struct request *channel_first_request(const struct channel *channel);

/* The attempt to connect has failed, or HTTP/2 has its settings. */
void channel_attempt_failed(struct channel *channel, const char *cause);
void channel_settled(struct channel *channel);

/* The server closed (error 0), or the connection broke: closes it. */
void channel_lost(struct channel *channel, int error);

/* HTTP/1.1. */

/* Puts a request behind those under way. It leaves at once where nothing else could join it. */
void http1_give(struct channel *channel, struct request *request);

/* Takes a request that was not begun to be sent off the channel. */
void http1_take_back(struct channel *channel, struct request *request);

/* There is room to write, something to read, or something was put off to the turn's end. */
void http1_flush(struct channel *channel);
void http1_read(struct channel *channel);
void http1_settle(struct channel *channel);

/* HTTP/2. */

/* Says what it says first; SETTLING. */
void http2_open(struct channel *channel);
void http2_close(struct channel *channel); /* nothing is under way; without one, fine */

/* May another request be given to it? */
bool http2_has_room(const struct channel *channel);
void http2_give(struct channel *channel, struct request *request);

/* Takes a request off the channel, which goes on for the others; the server is told. */
void http2_take_back(struct channel *channel, struct request *request);

/* The same where the channel ends anyway. Nothing to do for a request of HTTP/1.1. */
void http2_forget(struct request *request);

void http2_flush(struct channel *channel);
void http2_read(struct channel *channel);
void http2_settle(struct channel *channel);

#endif
