/* http2_fuzz.c - whatever a server may say over HTTP/2 to a client with calls under way.
 *
 * The bytes come over a socket, in two pieces, the second after calls were made in answer to the
 * first. libnghttp2 is fuzzed by its authors; this is about what we make of what it calls back. */
#include "base/mem.h"
#include "net/http_client.h"

#include <assert.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CALLS = 3, TURNS = 6 };

static struct call {
    struct http_client_call call;
    bool is_over;
} calls[CALLS];

static void on_response(struct http_client_call *base, const struct http_response *response)
{
    struct call *call = container_of(base, struct call, call);
    assert(!call->is_over);
    assert(response->status >= 200 && response->status <= 599);
    call->is_over = true;
    volatile uint8_t sum = 0; /* all that is handed out can be read */
    for (size_t i = 0; i < response->body.size; i++)
        sum = (uint8_t)(sum + response->body.data[i]);
}

static void on_failure(struct http_client_call *base, enum http_failure failure,
                       const char *message)
{
    struct call *call = container_of(base, struct call, call);
    (void)failure;
    assert(!call->is_over && message[0]);
    call->is_over = true;
}

static void post(struct http_pool *pool, struct call *call)
{
    *call = (struct call){.call = {.on_response = on_response, .on_failure = on_failure}};
    memset(http_pool_begin(pool, &call->call, "/fn", 10, 1000), 'x', 10);
    http_pool_send(pool, &call->call);
}

static char where[80];

static void remove_socket(void)
{
    unlink(where + strlen("unix:"));
}

static int listener(const char **ret_url)
{
    static int fd = -1;
    static char url[100];
    if (fd < 0) {
        char *ignored;
        struct sf_status status;
        snprintf(where, sizeof where, "unix:/tmp/statefun-fuzz-%d.sock", getpid());
        snprintf(url, sizeof url, "http+unix://%s", where + 5);
        bool good = net_listen(where, &fd, &ignored, &status);
        assert(good);
        (void)good;
        free(ignored);
        atexit(remove_socket);
    }
    *ret_url = url;
    return fd;
}

static void say(struct loop *loop, int peer, const uint8_t *data, size_t size)
{
    ssize_t sent = send(peer, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; /* the client may have closed */
    for (int i = 0; i < TURNS; i++)
        loop_turn(loop, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *url;
    int fd = listener(&url);
    struct net_target target;
    struct sf_status status;
    bool good = net_target_parse(url, &target, &status);
    assert(good);

    struct loop *loop = loop_new();
    struct http_pool *pool = http_pool_new(loop, &target,
                                           &(struct http_pool_options){.protocol = HTTP_2,
                                                                       .connections_max = 1,
                                                                       .connections_first = 1,
                                                                       .pipeline_max = 1,
                                                                       .response_bytes_max = 10000,
                                                                       .connect_ms_max = 1000});
    for (size_t i = 0; i < CALLS; i++)
        post(pool, &calls[i]);
    loop_turn(loop, 0);
    int peer = accept(fd, NULL, NULL);
    assert(peer >= 0);

    size_t first = size ? data[0] : 0; /* where the pieces part */
    if (first > size)
        first = size;
    if (size) {
        say(loop, peer, data + 1, first ? first - 1 : 0);
        if (!calls[0].is_over)
            http_pool_cancel(pool, &calls[0].call);
        calls[0].is_over = true;
        say(loop, peer, data + (first ? first : 1), size - (first ? first : 1));
    }
    close(peer);
    for (int i = 0; i < TURNS; i++)
        loop_turn(loop, 0);
    http_pool_free(pool);
    for (size_t i = 0; i < CALLS; i++)
        assert(calls[i].is_over || !size); /* each call ends once */
    while ((peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) >= 0)
        close(peer); /* what was made again */
    net_target_destroy(&target);
    loop_free(loop);
    return 0;
}
