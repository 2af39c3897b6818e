/* http_server_test.c - the server, against clients that are slow, rude or gone. */
#include "raw_socket.h"

#include "net/http_server.h"

#include "base/log.h"

#include <sys/resource.h>
#include <sys/stat.h>

enum { HELD_MAX = 64 };

struct fixture {
    struct loop *loop;
    struct place place;
    struct http_server *server;
    struct http_server_options options;

    bool holds; /* requests are kept for answering later */
    struct http_exchange *held[HELD_MAX];
    size_t held_count;
    size_t gone_count;
    void *gone_context;
    size_t request_count;
    int status;               /* to answer with; 0: 200 */
    struct bytes answer_body; /* instead of an echo */
    bool stops;               /* the handler stops the server */

    int client;
    struct buffer in;
};

/* "METHOD target [body]" */
static void answer_echo(struct fixture *f, struct http_exchange *exchange)
{
    const struct http_head *head = http_exchange_head(exchange);
    struct bytes body = http_exchange_body(exchange);
    struct buffer text = {0};
    buffer_add_format(&text, "%.*s %.*s [%.*s]", BYTES_ARG(head->method), BYTES_ARG(head->target),
                      BYTES_ARG(body));
    struct http_answer answer = {.status = f->status ? f->status : 200,
                                 .content_type = "text/plain",
                                 .headers = "X-Extra: yes\r\n",
                                 .body = buffer_bytes(&text)};
    if (f->answer_body.data)
        answer.body = f->answer_body;
    http_respond(exchange, &answer);
    buffer_destroy(&text);
}

static void on_request(void *owner, struct http_exchange *exchange)
{
    struct fixture *f = owner;
    f->request_count++;
    if (f->stops)
        http_server_stop(f->server);
    if (!f->holds) {
        answer_echo(f, exchange);
        return;
    }
    assert_true(f->held_count < HELD_MAX);
    assert_null(http_exchange_context(exchange));
    http_exchange_set_context(exchange, &f->held[f->held_count]);
    f->held[f->held_count++] = exchange;
}

static void on_gone(void *owner, struct http_exchange *exchange)
{
    struct fixture *f = owner;
    f->gone_count++;
    f->gone_context = http_exchange_context(exchange);
}

static void answer_held(struct fixture *f, size_t index)
{
    struct http_exchange *exchange = f->held[index];
    assert_ptr_equal(http_exchange_context(exchange), &f->held[index]);
    answer_echo(f, exchange);
}

static void start(struct fixture *f)
{
    f->options.listen_fd = f->place.fd;
    f->options.owner = f;
    f->options.on_request = on_request;
    f->options.on_gone = on_gone;
    f->server = http_server_new(f->loop, &f->options);
}

static int set_up_at(void **state, bool is_unix)
{
    struct fixture *f = mem_new(sizeof *f);
    f->loop = loop_new();
    f->place = place_open(is_unix);
    f->options = (struct http_server_options){
        .connections_max = 100,
        .body_bytes_max = 1000,
        .request_ms_max = PATIENCE_MS,
        .idle_ms_max = PATIENCE_MS,
    };
    f->client = -1;
    start(f);
    *state = f;
    return 0;
}

static int set_up(void **state)
{
    return set_up_at(state, false);
}

static int set_up_unix(void **state)
{
    return set_up_at(state, true);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    http_server_free(f->server);
    place_close(&f->place);
    if (f->client >= 0)
        close(f->client);
    buffer_destroy(&f->in);
    loop_free(f->loop);
    free(f);
    return 0;
}

static void restart(struct fixture *f)
{
    http_server_free(f->server);
    start(f);
}

static void connect_client(struct fixture *f)
{
    if (f->client >= 0)
        close(f->client);
    f->client = raw_connect(&f->place);
    buffer_clear(&f->in);
}

static bool receive(struct fixture *f)
{
    return raw_receive(f->client, &f->in);
}

/* Until `part` has come. */
static void await(struct fixture *f, const char *part)
{
    until(f->loop, (receive(f), buffer_mentions(&f->in, part)));
}

/* Until the server has closed; what it said is in `in`. */
static void await_close(struct fixture *f)
{
    until(f->loop, !receive(f));
    close(f->client);
    f->client = -1;
}

/* What comes back for `text`, up to the server's closing. */
static const char *say_to_the_end(struct fixture *f, const char *text)
{
    connect_client(f);
    raw_send(f->client, text);
    await_close(f);
    return buffer_text(&f->in);
}

#define GET(path)         "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET_CLOSING(path) "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

/* --- what is answered --- */

static void a_request_is_answered_with_everything_a_client_needs(void **state)
{
    struct fixture *f = *state;
    connect_client(f);
    raw_send(f->client, "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    await(f, "POST /p [hello]");
    assert_true(strncmp(buffer_text(&f->in), "HTTP/1.1 200 OK\r\nDate: ", 23) == 0);
    assert_true(buffer_mentions(&f->in, " GMT\r\nContent-Type: text/plain\r\n"));
    assert_true(buffer_mentions(&f->in, "\r\nX-Extra: yes\r\n"));
    assert_true(buffer_mentions(&f->in, "\r\nContent-Length: 15\r\n"));
    assert_false(buffer_mentions(&f->in, "Connection"));
}

static void a_request_may_come_one_byte_at_a_time(void **state)
{
    struct fixture *f = *state;
    const char *text = "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" GET("/q");
    connect_client(f);
    for (const char *c = text; *c; c++) {
        raw_send_bytes(f->client, c, 1);
        turn_for(f->loop, 1);
    }
    await(f, "GET /q []");
    assert_true(buffer_mentions(&f->in, "POST /p [hello]"));
}

static void a_connection_is_kept_for_the_next_request(void **state)
{
    struct fixture *f = *state;
    connect_client(f);
    for (int i = 0; i < 100; i++) {
        buffer_clear(&f->in);
        raw_send(f->client, GET("/again"));
        await(f, "GET /again []");
    }
}

static void a_connection_is_closed_when_the_client_asks_for_it(void **state)
{
    struct fixture *f = *state;
    const char *said = say_to_the_end(f, GET_CLOSING("/last") GET("/never"));
    assert_mentions(said, "\r\nConnection: close\r\n");
    assert_mentions(said, "GET /last []");
    assert_int_equal(f->request_count, 1);
}

static void http_1_0_closes_unless_it_asks_to_be_kept(void **state)
{
    struct fixture *f = *state;
    const char *said = say_to_the_end(f, "GET /old HTTP/1.0\r\n\r\n");
    assert_mentions(said, "\r\nConnection: close\r\n");
    assert_mentions(said, "GET /old []");

    connect_client(f);
    for (int i = 0; i < 2; i++) {
        buffer_clear(&f->in);
        raw_send(f->client, "GET /kept HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        await(f, "GET /kept []");
        assert_true(buffer_mentions(&f->in, "\r\nConnection: keep-alive\r\n"));
    }
}

static void a_head_is_answered_without_the_body_it_counts(void **state)
{
    struct fixture *f = *state;
    connect_client(f);
    raw_send(f->client, "HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n" GET("/next"));
    await(f, "GET /next []");
    assert_true(buffer_mentions(&f->in, "\r\nContent-Length: 10\r\n\r\nHTTP/1.1 200 OK\r\n"));
    assert_false(buffer_mentions(&f->in, "HEAD /h []"));
}

static void an_answer_without_content_has_no_length(void **state)
{
    struct fixture *f = *state;
    f->status = 204;
    connect_client(f);
    raw_send(f->client, GET("/nothing"));
    await(f, "\r\n\r\n");
    assert_true(buffer_mentions(&f->in, "HTTP/1.1 204 No Content\r\n"));
    assert_false(buffer_mentions(&f->in, "Content-Length"));
    assert_false(buffer_mentions(&f->in, "GET"));
}

static void pipelined_requests_are_answered_in_order_one_at_a_time(void **state)
{
    struct fixture *f = *state;
    f->holds = true;
    connect_client(f);
    raw_send(f->client, GET("/1") GET("/2") "POST /3 HTTP/1.1\r\nHost: a\r\nContent-");
    until(f->loop, f->held_count == 1);
    raw_send(f->client, "Length: 1\r\n\r\nx" GET("/4"));
    turn_for(f->loop, 20);
    assert_int_equal(f->held_count, 1);

    const char *answers[] = {"GET /1 []", "GET /2 []", "POST /3 [x]", "GET /4 []"};
    for (size_t i = 0; i < 4; i++) {
        until(f->loop, f->held_count == i + 1);
        answer_held(f, i);
        await(f, answers[i]);
    }
    assert_int_equal(buffer_count(&f->in, "HTTP/1.1 200"), 4);
}

static void requests_of_many_clients_are_answered_in_any_order(void **state)
{
    struct fixture *f = *state;
    enum { CLIENTS = 20 };
    int clients[CLIENTS];
    f->holds = true;
    for (size_t i = 0; i < CLIENTS; i++) {
        char text[64];
        clients[i] = raw_connect(&f->place);
        snprintf(text, sizeof text, "GET /%zu HTTP/1.1\r\nHost: a\r\n\r\n", i);
        raw_send(clients[i], text);
        until(f->loop, f->held_count == i + 1);
    }
    for (size_t i = CLIENTS; i-- > 0;)
        answer_held(f, i);
    for (size_t i = 0; i < CLIENTS; i++) {
        char text[64];
        struct buffer in = {0};
        snprintf(text, sizeof text, "GET /%zu []", i);
        until(f->loop, (raw_receive(clients[i], &in), buffer_mentions(&in, text)));
        buffer_destroy(&in);
        close(clients[i]);
    }
}

static void a_chunked_body_is_put_together(void **state)
{
    struct fixture *f = *state;
    const char *text = "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "5;x=y\r\nhello\r\n7\r\n, world\r\n0\r\nTrailer: x\r\n\r\n" GET("/next");
    connect_client(f);
    raw_send(f->client, text);
    await(f, "GET /next []");
    assert_true(buffer_mentions(&f->in, "POST /c [hello, world]"));

    connect_client(f);
    for (const char *c = text; *c; c++) {
        raw_send_bytes(f->client, c, 1);
        loop_turn(f->loop, 1);
    }
    await(f, "GET /next []");
    assert_true(buffer_mentions(&f->in, "POST /c [hello, world]"));
}

static void a_client_that_waits_to_be_told_is_told_to_go_on(void **state)
{
    struct fixture *f = *state;
    const char *head = "POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                       "Content-Length: 5\r\n\r\n";
    connect_client(f);
    raw_send(f->client, head);
    await(f, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_int_equal(f->request_count, 0);
    raw_send(f->client, "hello");
    await(f, "POST /e [hello]");
    assert_int_equal(buffer_count(&f->in, "100 Continue"), 1);

    /* Not when it did not wait. */
    connect_client(f);
    char whole[200];
    snprintf(whole, sizeof whole, "%shello", head);
    raw_send(f->client, whole);
    await(f, "POST /e [hello]");
    assert_false(buffer_mentions(&f->in, "100 Continue"));

    const char *said = say_to_the_end(f, "POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                                         "Content-Length: 1001\r\n\r\n");
    assert_mentions(said, "HTTP/1.1 413 ");
    assert_null(strstr(said, "100 Continue"));
}

static void the_views_of_a_request_hold_until_it_is_answered(void **state)
{
    struct fixture *f = *state;
    f->holds = true;
    f->options.body_bytes_max = 1000000;
    restart(f);
    connect_client(f);
    raw_send(f->client, "POST /views HTTP/1.1\r\nHost: a\r\nX-Long: 0123456789\r\n"
                        "Content-Length: 200000\r\n\r\n");
    char part[1000];
    memset(part, 'x', sizeof part);
    for (int i = 0; i < 200; i++) {
        turn_for(f->loop, 0);
        loop_turn(f->loop, 0);
        raw_send_bytes(f->client, part, sizeof part);
    }
    until(f->loop, f->held_count == 1);
    raw_send(f->client, GET("/more"));
    turn_for(f->loop, 10);
    const struct http_head *head = http_exchange_head(f->held[0]);
    assert_bytes(head->target, "/views");
    assert_bytes(http_find(head, "x-long")->value, "0123456789");
    assert_int_equal(http_exchange_body(f->held[0]).size, 200000);
    answer_held(f, 0);
    until(f->loop, f->held_count == 2);
    answer_held(f, 1);
    await(f, "GET /more []");
}

/* --- what is refused --- */

static void what_is_not_http_gets_400(void **state)
{
    struct fixture *f = *state;
    const char *bad[] = {
        "\x16\x03\x01\x02\x01",
        "hello\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *said = say_to_the_end(f, bad[i]);
        assert_true(strncmp(said, "HTTP/1.1 400 Bad Request\r\n", 26) == 0);
        assert_mentions(said, "\r\nConnection: close\r\n");
    }
    assert_int_equal(f->request_count, 0);
}

static void what_was_asked_before_the_mistake_is_answered_first(void **state)
{
    struct fixture *f = *state;
    const char *said = say_to_the_end(f, GET("/good") "BAD\r\n\r\n");
    assert_true(strncmp(said, "HTTP/1.1 200 ", 13) == 0);
    assert_mentions(said, "GET /good []HTTP/1.1 400 ");
}

static void a_head_that_is_too_large_gets_431(void **state)
{
    struct fixture *f = *state;
    struct buffer text = {0};
    buffer_add_text(&text, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    while (text.size < 40000)
        buffer_add_u8(&text, 'x');
    assert_mentions(say_to_the_end(f, buffer_text(&text)), "HTTP/1.1 431 ");

    buffer_clear(&text);
    buffer_add_text(&text, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < HTTP_HEADERS_MAX; i++)
        buffer_add_text(&text, "X: x\r\n");
    buffer_add_text(&text, "\r\n");
    assert_mentions(say_to_the_end(f, buffer_text(&text)), "HTTP/1.1 431 ");
    buffer_destroy(&text);
}

static void a_body_that_is_too_large_gets_413(void **state)
{
    struct fixture *f = *state;
    assert_mentions(say_to_the_end(f, "POST / HTTP/1.1\r\nHost: a\r\n"
                                      "Content-Length: 1001\r\n\r\n"),
                    "HTTP/1.1 413 ");
    assert_mentions(say_to_the_end(f, "POST / HTTP/1.1\r\nHost: a\r\n"
                                      "Transfer-Encoding: chunked\r\n\r\n3e9\r\n"),
                    "HTTP/1.1 413 ");
    assert_int_equal(f->request_count, 0);
}

/* Closing at once would reset the connection, and the answer would be lost with it. */
static void a_client_that_goes_on_sending_can_still_read_why_it_was_refused(void **state)
{
    struct fixture *f = *state;
    char part[10000];
    memset(part, 'x', sizeof part);
    connect_client(f);
    raw_send(f->client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n");
    for (int i = 0; i < 50; i++) {
        (void)send(f->client, part, sizeof part, MSG_NOSIGNAL);
        loop_turn(f->loop, 1);
    }
    await_close(f);
    assert_true(buffer_mentions(&f->in, "HTTP/1.1 413 "));
}

/* --- slow clients --- */

static void a_request_that_takes_too_long_gets_408(void **state)
{
    struct fixture *f = *state;
    f->options.request_ms_max = 60;
    restart(f);
    const char *parts[] = {
        "GET / HT",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    };
    for (size_t i = 0; i < 3; i++)
        assert_mentions(say_to_the_end(f, parts[i]), "HTTP/1.1 408 Request Timeout\r\n");
}

/* A byte now and then does not buy more time. */
static void a_request_that_trickles_gets_408_too(void **state)
{
    struct fixture *f = *state;
    f->options.request_ms_max = 60;
    restart(f);
    connect_client(f);
    for (int i = 0; i < 100; i++) {
        if (send(f->client, "G", 1, MSG_NOSIGNAL) != 1 || !receive(f))
            break;
        turn_for(f->loop, 5);
    }
    await_close(f);
    assert_true(buffer_mentions(&f->in, "HTTP/1.1 408 "));
}

static void the_second_request_has_as_much_time_as_the_first(void **state)
{
    struct fixture *f = *state;
    f->options.request_ms_max = 1000;
    restart(f);
    connect_client(f);
    for (int i = 0; i < 2; i++) {
        buffer_clear(&f->in);
        raw_send(f->client, "GET / HTTP/1.1\r\nHo");
        turn_for(f->loop, 600);
        raw_send(f->client, "st: a\r\n\r\n");
        await(f, "GET / []");
    }
}

static void a_client_that_says_nothing_is_closed_without_a_word(void **state)
{
    struct fixture *f = *state;
    f->options.idle_ms_max = 50;
    restart(f);
    connect_client(f);
    await_close(f);
    assert_int_equal(f->in.size, 0);

    connect_client(f);
    raw_send(f->client, GET("/once"));
    await(f, "GET /once []");
    size_t size = f->in.size;
    await_close(f);
    assert_int_equal(f->in.size, size);
}

static void a_handler_may_take_longer_than_any_client(void **state)
{
    struct fixture *f = *state;
    f->options.request_ms_max = f->options.idle_ms_max = 30;
    f->holds = true;
    restart(f);
    connect_client(f);
    raw_send(f->client, GET("/slow"));
    until(f->loop, f->held_count == 1);
    turn_for(f->loop, 100);
    answer_held(f, 0);
    await(f, "GET /slow []");
    assert_int_equal(f->gone_count, 0);
}

static struct bytes large_body(size_t size)
{
    uint8_t *data = mem_new_raw(size);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)('a' + i % 23);
    return bytes_make(data, size);
}

static void an_answer_that_does_not_fit_goes_out_piece_by_piece(void **state)
{
    struct fixture *f = *state;
    f->answer_body = large_body(20000000);
    connect_client(f);
    raw_send(f->client, GET("/large") GET_CLOSING("/large"));
    turn_for(f->loop, 20);
    await_close(f);
    size_t head = (size_t)(strstr(buffer_text(&f->in), "\r\n\r\n") - (char *)f->in.data) + 4;
    assert_true(f->in.size > 2 * f->answer_body.size);
    assert_memory_equal(f->in.data + head, f->answer_body.data, f->answer_body.size);
    assert_memory_equal(f->in.data + f->in.size - f->answer_body.size, f->answer_body.data,
                        f->answer_body.size);
    free((void *)f->answer_body.data);
}

static void a_client_that_does_not_take_its_answer_is_cut_off(void **state)
{
    struct fixture *f = *state;
    f->options.request_ms_max = 60;
    f->answer_body = large_body(20000000);
    restart(f);
    connect_client(f);
    raw_send(f->client, GET("/large"));
    turn_for(f->loop, 150);
    await_close(f);
    assert_true(f->in.size < f->answer_body.size);
    free((void *)f->answer_body.data);
}

/* Sends as much of `text` as fits from `*at` on. */
static void send_some(int fd, struct bytes text, size_t *at)
{
    ssize_t sent = *at < text.size ? send(fd, text.data + *at, text.size - *at, MSG_NOSIGNAL) : 0;
    if (sent > 0)
        *at += (size_t)sent;
}

/* Without a bound the answers to a flood of requests would fill the memory. */
static void no_more_requests_are_taken_while_answers_are_not(void **state)
{
    struct fixture *f = *state;
    enum { FLOOD = 4000, BODY = 4000 };
    f->answer_body = large_body(BODY);
    connect_client(f);
    struct buffer flood = {0};
    for (int i = 0; i < FLOOD; i++)
        buffer_add_text(&flood, GET("/flood"));
    size_t sent = 0;
    for (uint64_t end_ms = clock_ms() + 300; clock_ms() < end_ms;) {
        send_some(f->client, buffer_bytes(&flood), &sent);
        loop_turn(f->loop, 1);
    }
    assert_true(f->request_count < FLOOD);

    until(f->loop, (send_some(f->client, buffer_bytes(&flood), &sent), receive(f),
                    f->request_count == FLOOD));
    until(f->loop, (receive(f), f->in.size > (size_t)FLOOD * BODY));
    turn_for(f->loop, 20);
    receive(f);
    assert_int_equal(buffer_count(&f->in, "HTTP/1.1 200"), FLOOD);
    buffer_destroy(&flood);
    free((void *)f->answer_body.data);
}

/* --- limits of the machine --- */

static void a_client_beyond_the_limit_gets_503_and_may_come_back(void **state)
{
    struct fixture *f = *state;
    f->options.connections_max = 2;
    restart(f);
    int others[2];
    for (int i = 0; i < 2; i++) {
        struct buffer in = {0};
        others[i] = raw_connect(&f->place);
        raw_send(others[i], GET("/in"));
        until(f->loop, (raw_receive(others[i], &in), buffer_mentions(&in, "GET /in []")));
        buffer_destroy(&in);
    }
    const char *said = say_to_the_end(f, GET("/out"));
    assert_true(strncmp(said, "HTTP/1.1 503 ", 13) == 0);
    assert_mentions(said, "\r\nRetry-After: 1\r\n");
    assert_mentions(said, "\r\nConnection: close\r\n");
    assert_int_equal(f->request_count, 2);

    close(others[0]);
    turn_for(f->loop, 10);
    connect_client(f);
    raw_send(f->client, GET("/in"));
    await(f, "GET /in []");
    close(others[1]);
}

static void a_crowd_beyond_the_limit_does_not_grow_without_end(void **state)
{
    struct fixture *f = *state;
    enum { CROWD = 200 };
    f->options.connections_max = 1;
    restart(f);
    connect_client(f);
    raw_send(f->client, GET("/in"));
    await(f, "GET /in []");

    int crowd[CROWD];
    size_t told = 0;
    for (int i = 0; i < CROWD; i++)
        crowd[i] = raw_connect(&f->place);
    turn_for(f->loop, 100);
    for (int i = 0; i < CROWD; i++) {
        struct buffer in = {0};
        (void)raw_receive(crowd[i], &in);
        told += buffer_mentions(&in, "HTTP/1.1 503 ");
        buffer_destroy(&in);
        close(crowd[i]);
    }
    assert_int_equal(told, 64);
    assert_mentions(say_to_the_end(f, GET_CLOSING("/later")), "GET /later []");
}

static rlim_t limit_descriptors(rlim_t limit)
{
    struct rlimit now;
    getrlimit(RLIMIT_NOFILE, &now);
    rlim_t before = now.rlim_cur;
    now.rlim_cur = limit;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    return before;
}

/* The listener stays ready all the while: a server that does not look away would spin. */
static void a_server_without_descriptors_waits_for_better_times(void **state)
{
    struct fixture *f = *state;
    int quiet = open("/dev/null", O_WRONLY);
    log_redirect(quiet);
    connect_client(f);
    int next = dup(0);
    close(next);
    rlim_t before = limit_descriptors((rlim_t)next);

    raw_send(f->client, GET("/patient"));
    int turns = 0;
    for (uint64_t end_ms = clock_ms() + 150; clock_ms() < end_ms; turns++)
        loop_turn(f->loop, 10);
    limit_descriptors(before);
    assert_true(turns < 40);
    assert_int_equal(f->request_count, 0);
    await(f, "GET /patient []");
    log_redirect(-1);
    close(quiet);
}

static void two_servers_may_share_one_listener(void **state)
{
    struct fixture *f = *state;
    struct fixture second = {.loop = loop_new(), .place = f->place, .options = f->options};
    start(&second);
    enum { CLIENTS = 40 };
    int clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = raw_connect(&f->place);
        raw_send(clients[i], GET_CLOSING("/shared"));
    }
    for (uint64_t end_ms = clock_ms() + PATIENCE_MS;
         f->request_count + second.request_count < CLIENTS && clock_ms() < end_ms;) {
        loop_turn(second.loop, 1);
        loop_turn(f->loop, 1);
    }
    assert_int_equal(f->request_count + second.request_count, CLIENTS);
    assert_true(f->request_count > 0);
    assert_true(second.request_count > 0);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    http_server_free(second.server);
    loop_free(second.loop);
}

/* --- clients that go --- */

static void a_client_that_has_said_all_is_still_answered(void **state)
{
    struct fixture *f = *state;
    f->holds = true;
    connect_client(f);
    raw_send(f->client, GET("/1") GET("/2"));
    shutdown(f->client, SHUT_WR);
    until(f->loop, f->held_count == 1);
    turn_for(f->loop, 20);
    answer_held(f, 0);
    until(f->loop, f->held_count == 2);
    answer_held(f, 1);
    await_close(f);
    assert_true(buffer_mentions(&f->in, "GET /1 []"));
    assert_true(buffer_mentions(&f->in, "GET /2 []"));
    assert_int_equal(f->gone_count, 0);
}

static void a_request_that_is_cut_off_gets_400(void **state)
{
    struct fixture *f = *state;
    const char *parts[] = {"GET / HT",
                           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel"};
    for (size_t i = 0; i < 2; i++) {
        connect_client(f);
        raw_send(f->client, parts[i]);
        shutdown(f->client, SHUT_WR);
        await_close(f);
        assert_true(buffer_mentions(&f->in, "HTTP/1.1 400 "));
        assert_true(buffer_mentions(&f->in, "cut off"));
    }
    assert_int_equal(f->request_count, 0);
}

static void a_client_that_breaks_off_before_its_answer_is_noted(void **state)
{
    struct fixture *f = *state;
    f->holds = true;
    connect_client(f);
    raw_send(f->client, GET("/1") GET("/2"));
    until(f->loop, f->held_count == 1);
    raw_reset(f->client);
    f->client = -1;
    until(f->loop, f->gone_count == 1);
    assert_ptr_equal(f->gone_context, &f->held[0]);
    turn_for(f->loop, 10);
    assert_int_equal(f->held_count, 1);
}

static void a_client_that_breaks_off_while_it_is_answered_does_no_harm(void **state)
{
    struct fixture *f = *state;
    f->answer_body = large_body(20000000);
    connect_client(f);
    raw_send(f->client, GET("/large"));
    until(f->loop, f->request_count == 1);
    turn_for(f->loop, 5);
    raw_reset(f->client);
    f->client = -1;
    turn_for(f->loop, 20);
    assert_int_equal(f->gone_count, 0);
    http_server_stop(f->server);
    assert_true(http_server_is_drained(f->server));
    free((void *)f->answer_body.data);
}

static void an_answer_to_a_client_that_has_just_gone_does_no_harm(void **state)
{
    struct fixture *f = *state;
    f->holds = true;
    connect_client(f);
    raw_send(f->client, GET("/1"));
    until(f->loop, f->held_count == 1);
    raw_reset(f->client);
    f->client = -1;
    answer_held(f, 0); /* before the loop has seen it */
    turn_for(f->loop, 10);
    assert_int_equal(f->gone_count, 0);
}

/* --- stopping --- */

static void a_stopped_server_answers_what_is_due_and_closes_the_rest(void **state)
{
    struct fixture *f = *state;
    f->holds = true;
    int idle = raw_connect(&f->place);
    connect_client(f);
    raw_send(f->client, GET("/due") GET("/too-late"));
    until(f->loop, f->held_count == 1);
    http_server_stop(f->server);
    struct buffer nothing = {0};
    until(f->loop, !raw_receive(idle, &nothing));
    assert_int_equal(nothing.size, 0);
    buffer_destroy(&nothing);
    close(idle);
    assert_false(http_server_is_drained(f->server));

    answer_held(f, 0);
    await_close(f);
    assert_true(buffer_mentions(&f->in, "\r\nConnection: close\r\n"));
    assert_true(buffer_mentions(&f->in, "GET /due []"));
    assert_int_equal(f->held_count, 1);
    until(f->loop, http_server_is_drained(f->server));
}

static void a_handler_may_stop_its_server(void **state)
{
    struct fixture *f = *state;
    f->stops = true;
    const char *said = say_to_the_end(f, GET("/stop"));
    assert_mentions(said, "\r\nConnection: close\r\n");
    until(f->loop, http_server_is_drained(f->server));
}

static void a_server_that_is_freed_gives_up_what_is_not_answered(void **state)
{
    struct fixture *f = *state;
    f->holds = true;
    connect_client(f);
    raw_send(f->client, GET("/1"));
    until(f->loop, f->held_count == 1);
    http_server_free(f->server);
    f->server = NULL;
    assert_int_equal(f->gone_count, 1);
    await_close(f);
    assert_int_equal(f->in.size, 0);
}

/* --- unix sockets --- */

static void a_unix_socket_serves_as_well(void **state)
{
    struct fixture *f = *state;
    connect_client(f);
    raw_send(f->client, GET("/unix") GET("/again"));
    await(f, "GET /again []");
    assert_true(buffer_mentions(&f->in, "GET /unix []"));
}

/* Here the kernel tells a close from a half-close. */
static void a_unix_client_that_closes_before_its_answer_is_noted(void **state)
{
    struct fixture *f = *state;
    f->holds = true;
    connect_client(f);
    raw_send(f->client, GET("/1"));
    until(f->loop, f->held_count == 1);
    close(f->client);
    f->client = -1;
    until(f->loop, f->gone_count == 1);

    connect_client(f);
    raw_send(f->client, GET("/2"));
    shutdown(f->client, SHUT_WR);
    until(f->loop, f->held_count == 2);
    turn_for(f->loop, 20);
    answer_held(f, 1);
    await_close(f);
    assert_true(buffer_mentions(&f->in, "GET /2 []"));
    assert_int_equal(f->gone_count, 1);
}

#define TEST(name)      cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define UNIX_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_unix, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_answered_with_everything_a_client_needs),
        TEST(a_request_may_come_one_byte_at_a_time),
        TEST(a_connection_is_kept_for_the_next_request),
        TEST(a_connection_is_closed_when_the_client_asks_for_it),
        TEST(http_1_0_closes_unless_it_asks_to_be_kept),
        TEST(a_head_is_answered_without_the_body_it_counts),
        TEST(an_answer_without_content_has_no_length),
        TEST(pipelined_requests_are_answered_in_order_one_at_a_time),
        TEST(requests_of_many_clients_are_answered_in_any_order),
        TEST(a_chunked_body_is_put_together),
        TEST(a_client_that_waits_to_be_told_is_told_to_go_on),
        TEST(the_views_of_a_request_hold_until_it_is_answered),
        TEST(what_is_not_http_gets_400),
        TEST(what_was_asked_before_the_mistake_is_answered_first),
        TEST(a_head_that_is_too_large_gets_431),
        TEST(a_body_that_is_too_large_gets_413),
        TEST(a_client_that_goes_on_sending_can_still_read_why_it_was_refused),
        TEST(a_request_that_takes_too_long_gets_408),
        TEST(a_request_that_trickles_gets_408_too),
        TEST(the_second_request_has_as_much_time_as_the_first),
        TEST(a_client_that_says_nothing_is_closed_without_a_word),
        TEST(a_handler_may_take_longer_than_any_client),
        TEST(an_answer_that_does_not_fit_goes_out_piece_by_piece),
        TEST(a_client_that_does_not_take_its_answer_is_cut_off),
        TEST(no_more_requests_are_taken_while_answers_are_not),
        TEST(a_client_beyond_the_limit_gets_503_and_may_come_back),
        TEST(a_crowd_beyond_the_limit_does_not_grow_without_end),
        TEST(a_server_without_descriptors_waits_for_better_times),
        TEST(two_servers_may_share_one_listener),
        TEST(a_client_that_has_said_all_is_still_answered),
        TEST(a_request_that_is_cut_off_gets_400),
        TEST(a_client_that_breaks_off_before_its_answer_is_noted),
        TEST(a_client_that_breaks_off_while_it_is_answered_does_no_harm),
        TEST(an_answer_to_a_client_that_has_just_gone_does_no_harm),
        TEST(a_stopped_server_answers_what_is_due_and_closes_the_rest),
        TEST(a_handler_may_stop_its_server),
        TEST(a_server_that_is_freed_gives_up_what_is_not_answered),
        UNIX_TEST(a_unix_socket_serves_as_well),
        UNIX_TEST(a_unix_client_that_closes_before_its_answer_is_noted),
    };
    return cmocka_run_group_tests_name("http_server", tests, NULL, NULL);
}
