/* server.h (net, internal) - what the two halves of the HTTP server share.
 *
 * http_server.c accepts; http_connection.c is one connection: reading requests, writing answers. */
#ifndef NET_SERVER_H
#define NET_SERVER_H

#include "base/list.h"
#include "net/body.h"
#include "net/http_server.h"

/*     READING --> HANDLING --> READING ...            a request at a time, its answer behind it
 *        |            |
 *        +------------+--> CLOSING --> LINGERING --> freed
 *
 * CLOSING: no more requests; what is still to be written is written. LINGERING: the last answer is
 * out, we have closed our half, and what the client still sends is read and dropped for a while:
 * closing with bytes unread would make the kernel reset the connection, and the client lose the
 * answer that says what it did wrong. */
enum connection_state {
    CONNECTION_READING,
    CONNECTION_HANDLING,
    CONNECTION_CLOSING,
    CONNECTION_LINGERING
};

struct http_exchange {
    struct list node; /* among the spare ones */
    struct connection *connection;
    struct http_head head;
    struct bytes body;
    void *context;

    struct buffer in; /* what was read; the request begins at `in_at` */
    size_t in_at;
    size_t head_size; /* 0: the head is not complete */
    bool is_head;     /* its method: the head's views are not to be trusted while a body comes */
    size_t size;      /* of the whole request, once it is complete */
    struct body reader;

    struct buffer out; /* what is to be written, from `out_at` on */
    size_t out_at;
};

struct connection {
    struct list node;
    struct http_server *server;
    enum connection_state state;
    bool is_running; /* further up the stack */
    bool is_refused; /* beyond the limit: counts as refused */
    bool is_at_end;  /* the client has said all that it will say */
    struct loop_watch watch;
    struct loop_timer timer;
    uint64_t read_by_ms; /* UINT64_MAX: no matter */
    uint64_t write_by_ms;
    struct http_exchange *exchange; /* NULL: idle, lingering */
};

struct http_server {
    struct loop *loop;
    struct http_server_options options;
    struct loop_watch listener;
    struct loop_timer accept_again;
    bool is_stopping;
    bool is_short; /* of descriptors: noted once per shortage */
    struct list connections;
    size_t connection_count; /* not those refused */
    size_t refused_count;
    struct list spare_exchanges;
    size_t spare_count;
    int calling; /* callbacks further up the stack */
    char date[48];
    uint64_t date_second;
};

/* A Date header's value, as of now. */
const char *server_date(struct http_server *server);

/* Takes `fd` over. */
struct connection *connection_new(struct http_server *server, int fd);

/* For a connection to which nothing has been said yet: says that there are too many, and lingers.
 */
void connection_turn_away(struct connection *connection);

/* At once; says on_gone if a request is being handled. */
void connection_close(struct connection *connection);

void exchange_free(struct http_exchange *exchange);

#endif
