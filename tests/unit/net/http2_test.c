/* http2_test.c - calls over HTTP/2: a server of libnghttp2's on the same thread, step by step. */
#include "client_fixture.h"

#include <nghttp2/nghttp2.h>
#include <zlib.h>

enum { SEEN_MAX = 64, BIG = 3 * 1024 * 1024 };

struct seen {
    int32_t id;
    char *path, *method, *scheme, *authority, *key;
    bool has_connection_field;
    struct buffer body;
    bool is_whole, is_reset;
};

static struct server {
    struct fixture *http;
    nghttp2_session *session;
    int fd;
    struct seen seen[SEEN_MAX];
    size_t count;
    bool reads; /* false: what comes stays where it is */
    uint32_t streams_max, window;
} * s;

static struct seen *seen_of(int32_t id)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->seen[i].id == id)
            return &s->seen[i];
    return NULL;
}

/* --- the server's side --- */

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
    (void)session, (void)owner;
    if (frame->hd.type == NGHTTP2_HEADERS) {
        assert_true(s->count < SEEN_MAX);
        s->seen[s->count++] = (struct seen){.id = frame->hd.stream_id};
    }
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *owner)
{
    (void)session, (void)flags, (void)owner;
    struct seen *seen = seen_of(frame->hd.stream_id);
    const struct {
        const char *name;
        char **to;
    } fields[] = {{":path", &seen->path},
                  {":method", &seen->method},
                  {":scheme", &seen->scheme},
                  {":authority", &seen->authority},
                  {"x-key", &seen->key}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (bytes_is(bytes_make(name, name_size), fields[i].name))
            *fields[i].to = bytes_string(bytes_make(value, value_size));
    seen->has_connection_field |= bytes_is(bytes_make(name, name_size), "connection") ||
                                  bytes_is(bytes_make(name, name_size), "host");
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t size, void *owner)
{
    (void)session, (void)flags, (void)owner;
    buffer_add(&seen_of(id)->body, data, size);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
    (void)session, (void)owner;
    struct seen *seen = frame->hd.stream_id ? seen_of(frame->hd.stream_id) : NULL;
    if (seen && frame->hd.type != NGHTTP2_RST_STREAM && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        seen->is_whole = true;
    if (seen && frame->hd.type == NGHTTP2_RST_STREAM)
        seen->is_reset = true;
    return 0;
}

static nghttp2_session *serve(void)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    assert_int_equal(nghttp2_session_server_new(&session, callbacks, NULL), 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, s->streams_max},
                                         {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, s->window}};
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, 2);
    return session;
}

static void forget_seen(void)
{
    for (size_t i = 0; i < s->count; i++) {
        struct seen *seen = &s->seen[i];
        free(seen->path);
        free(seen->method);
        free(seen->scheme);
        free(seen->authority);
        free(seen->key);
        buffer_destroy(&seen->body);
    }
    s->count = 0;
}

/* Moves what there is to move, both ways; false once the client has closed. */
static bool serve_some(void)
{
    const uint8_t *data;
    for (ssize_t size; (size = nghttp2_session_mem_send(s->session, &data)) > 0;)
        for (ssize_t at = 0; at < size;) {
            ssize_t sent = send(s->fd, data + at, (size_t)(size - at), MSG_NOSIGNAL);
            if (sent < 0 && errno != EAGAIN)
                return false;
            at += sent > 0 ? sent : 0;
            if (sent < 0)
                loop_turn(s->http->loop, 1); /* the client makes room */
        }
    uint8_t in[65536];
    ssize_t got = s->reads ? recv(s->fd, in, sizeof in, MSG_DONTWAIT) : -1;
    if (got > 0)
        assert_int_equal(nghttp2_session_mem_recv(s->session, in, (size_t)got), got);
    return got != 0 && (got > 0 || !s->reads || errno == EAGAIN);
}

/* Another connection; what was seen on the last one is forgotten. */
static void go_on_with(int fd)
{
    nghttp2_session_del(s->session);
    if (s->fd >= 0)
        hang_up(s->http, s->fd);
    forget_seen();
    s->fd = fd;
    s->session = serve();
}

/* The next one; the last one is hung up first. */
static void accept_http2(void)
{
    if (s->fd >= 0)
        hang_up(s->http, s->fd);
    s->fd = -1;
    go_on_with(accept_peer(s->http));
}

static bool has_whole(const char *body)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->seen[i].is_whole && bytes_is(buffer_bytes(&s->seen[i].body), body))
            return true;
    return false;
}

static struct seen *await_stream(const char *body)
{
    until(s->http->loop, (serve_some(), has_whole(body)));
    for (size_t i = s->count; i-- > 0;)
        if (bytes_is(buffer_bytes(&s->seen[i].body), body))
            return &s->seen[i];
    return NULL;
}

struct answer {
    struct bytes body;
    size_t at;
};

static ssize_t on_answer(nghttp2_session *session, int32_t id, uint8_t *to, size_t room,
                         uint32_t *flags, nghttp2_data_source *source, void *owner)
{
    (void)session, (void)id, (void)owner;
    struct answer *answer = source->ptr;
    size_t left = answer->body.size - answer->at, part = left < room ? left : room;
    memcpy(to, answer->body.data + answer->at, part);
    answer->at += part;
    if (part == left)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)part;
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

/* `answer` must live until all of it is sent. */
static void submit_answer(int32_t id, struct answer *answer, const char *name, const char *value)
{
    nghttp2_nv fields[] = {field(":status", "200"), field("content-type", "a/b"),
                           field(name, value)};
    nghttp2_data_provider body = {.source.ptr = answer, .read_callback = on_answer};
    assert_int_equal(nghttp2_submit_response(s->session, id, fields, 3, &body), 0);
}

static bool is_over(struct call *call)
{
    serve_some();
    return call->outcome != PENDING;
}

static void answer_call(struct call *call, int32_t id, const char *text)
{
    struct answer answer = {.body = bytes_of(text)};
    submit_answer(id, &answer, "x-other", "1");
    until(s->http->loop, is_over(call));
    await_answer(call, 200, text);
    assert_string_equal(call->content_type, "a/b");
}

static void await_http2_failure(struct call *call, enum http_failure failure, const char *message)
{
    until(s->http->loop, is_over(call));
    await_failure(call, failure, message);
}

static int set_up(void **state)
{
    s = mem_new(sizeof *s);
    s->http = fixture_new(false);
    s->http->options.protocol = HTTP_2;
    s->http->options.connections_first = 4;
    s->fd = -1;
    s->reads = true;
    s->streams_max = 100;
    s->window = 65535;
    restart_pool(s->http);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    nghttp2_session_del(s->session);
    forget_seen();
    fixture_free(s->http); /* with the socket */
    free(s);
    return 0;
}

/* One call, answered. */
static void warm_up_http2(void)
{
    struct call *call = post(s->http, "warm");
    accept_http2();
    answer_call(call, await_stream("warm")->id, "up");
}

/* --- the tests --- */

static void a_request_is_the_same_as_ever(void **state)
{
    (void)state;
    struct http_header header = {bytes_of("x-key"), bytes_of("secret")};
    http_pool_set_headers(s->http->pool, &header, 1);
    struct call *call = post(s->http, "hello");
    accept_http2();
    struct seen *seen = await_stream("hello");
    assert_string_equal(seen->method, "POST");
    assert_string_equal(seen->scheme, "http");
    assert_string_equal(seen->path, "/fn");
    assert_string_equal(seen->authority, s->http->place.where);
    assert_string_equal(seen->key, "secret");
    assert_false(seen->has_connection_field);
    answer_call(call, seen->id, "answer");
}

static void calls_share_one_connection_and_end_in_any_order(void **state)
{
    (void)state;
    struct call *first = post(s->http, "first"), *second = post(s->http, "second");
    struct call *third = post(s->http, "third");
    accept_http2();
    int32_t first_id = await_stream("first")->id, second_id = await_stream("second")->id;
    answer_call(third, await_stream("third")->id, "3");
    answer_call(second, second_id, "2");
    answer_call(first, first_id, "1");
    assert_int_equal(figures(s->http).opened, 1);
}

static void no_more_streams_are_open_than_the_server_allows(void **state)
{
    (void)state;
    s->streams_max = 2;
    s->http->options.connections_max = 1;
    restart_pool(s->http);
    struct call *calls[4];
    static const char *const bodies[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < 4; i++)
        calls[i] = post(s->http, bodies[i]);
    accept_http2();
    int32_t first = await_stream("a")->id;
    await_stream("b");
    for (int i = 0; i < 20; i++)
        serve_some(), loop_turn(s->http->loop, 1);
    assert_int_equal(s->count, 2);
    answer_call(calls[0], first, "1");
    await_stream("c");
    assert_int_equal(s->count, 3);
    answer_call(calls[2], seen_of(s->seen[2].id)->id, "3");
    answer_call(calls[3], await_stream("d")->id, "4");
    answer_call(calls[1], s->seen[1].id, "2");
}

/* Both ways, through windows much smaller. */
static void large_bodies_flow_as_windows_allow(void **state)
{
    (void)state;
    char *big = mem_new_raw(BIG + 1);
    for (size_t i = 0; i < BIG; i++)
        big[i] = (char)('a' + i % 26);
    big[BIG] = 0;
    s->http->options.response_bytes_max = BIG;
    restart_pool(s->http);
    struct call *call = post(s->http, big);
    accept_http2();
    answer_call(call, await_stream(big)->id, big);
    free(big);
}

static void a_compressed_answer_is_decoded_and_its_headers_are_read(void **state)
{
    (void)state;
    uint8_t packed[100];
    uLongf size = sizeof packed;
    compress(packed, &size, (const uint8_t *)"hello hello hello", 17);
    struct answer answer = {.body = bytes_make(packed, size)};
    struct call *call = post(s->http, "x");
    accept_http2();
    submit_answer(await_stream("x")->id, &answer, "content-encoding", "deflate");
    until(s->http->loop, is_over(call));
    await_answer(call, 200, "hello hello hello");

    nghttp2_nv fields[] = {field(":status", "503"), field("retry-after", "7")};
    call = post(s->http, "y");
    nghttp2_submit_response(s->session, await_stream("y")->id, fields, 2, NULL);
    until(s->http->loop, is_over(call));
    await_answer(call, 503, "");
    assert_int_equal(call->retry_after_ms, 7000);
}

static void an_answer_over_the_limit_ends_its_stream_alone(void **state)
{
    (void)state;
    char *large = mem_new(100002);
    memset(large, 'x', 100001);
    struct answer answer = {.body = bytes_of(large)};
    warm_up_http2();
    struct call *call = post(s->http, "large"), *other = post(s->http, "other");
    submit_answer(await_stream("large")->id, &answer, "x-other", "1");
    await_http2_failure(call, HTTP_TOO_LARGE, "a body of more than 100000 bytes");
    answer_call(other, await_stream("other")->id, "good");
    assert_int_equal(figures(s->http).opened, 1);
    free(large);
}

static void a_reset_stream_fails_its_call_alone(void **state)
{
    (void)state;
    struct call *call = post(s->http, "reset"), *other = post(s->http, "other");
    accept_http2();
    nghttp2_submit_rst_stream(s->session, 0, await_stream("reset")->id, NGHTTP2_INTERNAL_ERROR);
    await_http2_failure(call, HTTP_BROKEN, "the server reset the stream: INTERNAL_ERROR");
    answer_call(other, await_stream("other")->id, "good");
    assert_int_equal(figures(s->http).opened, 1);
}

static void a_refused_stream_is_tried_again_some_times(void **state)
{
    (void)state;
    struct call *call = post(s->http, "x");
    accept_http2();
    for (size_t i = 0; i < 2; i++) {
        until(s->http->loop, (serve_some(), s->count == i + 1 && s->seen[i].is_whole));
        nghttp2_submit_rst_stream(s->session, 0, s->seen[i].id, NGHTTP2_REFUSED_STREAM);
    }
    until(s->http->loop, (serve_some(), s->count == 3 && s->seen[2].is_whole));
    answer_call(call, s->seen[2].id, "at last");

    call = post(s->http, "y");
    for (size_t i = 3; call->outcome == PENDING; i++) {
        until(s->http->loop, is_over(call) || (s->count == i + 1 && s->seen[i].is_whole));
        if (call->outcome == PENDING)
            nghttp2_submit_rst_stream(s->session, 0, s->seen[i].id, NGHTTP2_REFUSED_STREAM);
    }
    await_failure(call, HTTP_BROKEN, "the server reset the stream: REFUSED_STREAM");
    assert_int_equal(s->count, 7);
}

/* Those that the server has begun with end there; the others are made elsewhere. */
static void what_a_server_that_goes_away_has_not_begun_is_made_elsewhere(void **state)
{
    (void)state;
    struct call *begun = post(s->http, "begun"), *not_begun = post(s->http, "not begun");
    accept_http2();
    int32_t id = await_stream("begun")->id;
    await_stream("not begun");
    nghttp2_submit_goaway(s->session, 0, id, NGHTTP2_NO_ERROR, NULL, 0);
    serve_some();
    int next = accept_peer(s->http); /* at once, and not when the other has ended */
    answer_call(begun, id, "1");
    until(s->http->loop, !serve_some()); /* the client closes what is of no more use */
    go_on_with(next);
    answer_call(not_begun, await_stream("not begun")->id, "2");
    assert_int_equal(figures(s->http).opened, 2);
}

/* As in a rolling restart: many wait, and each connection takes a few of them. */
static void a_server_that_goes_away_often_but_serves_fails_nobody(void **state)
{
    (void)state;
    struct call *call = post(s->http, "x");
    for (int i = 0; i < 6; i++) {
        accept_http2();
        int32_t id = await_stream("x")->id;
        nghttp2_submit_goaway(s->session, 0, id, NGHTTP2_NO_ERROR, NULL, 0);
        nghttp2_submit_rst_stream(s->session, 0, id, NGHTTP2_REFUSED_STREAM);
        until(s->http->loop, !serve_some());
        assert_int_equal(call->outcome, PENDING);
    }
    accept_http2();
    answer_call(call, await_stream("x")->id, "at last");
}

static void a_server_that_always_goes_away_fails_the_call(void **state)
{
    (void)state;
    struct call *call = post(s->http, "x");
    while (call->outcome == PENDING) {
        accept_http2();
        until(s->http->loop, is_over(call) || (s->count && s->seen[0].is_whole));
        nghttp2_submit_goaway(s->session, 0, 0, NGHTTP2_NO_ERROR, NULL, 0);
        until(s->http->loop, is_over(call) || !serve_some());
    }
    await_failure(call, HTTP_BROKEN, "REFUSED_STREAM");
    assert_int_equal(figures(s->http).opened, 4);
}

static void calls_on_a_connection_that_breaks_are_made_once_more(void **state)
{
    (void)state;
    warm_up_http2();
    struct call *first = post(s->http, "first"), *second = post(s->http, "second");
    await_stream("first");
    await_stream("second");
    accept_http2(); /* hangs the old one up */
    int32_t id = await_stream("first")->id;
    answer_call(second, await_stream("second")->id, "2");
    answer_call(first, id, "1");
}

static void a_call_that_takes_too_long_is_cancelled_alone(void **state)
{
    (void)state;
    struct call *other = post(s->http, "other");
    accept_http2();
    int32_t other_id = await_stream("other")->id;
    s->http->timeout_ms = 30;
    struct call *late = post(s->http, "late");
    int32_t id = await_stream("late")->id;
    nghttp2_submit_ping(s->session, 0, NULL); /* it is there, only slow */
    await_http2_failure(late, HTTP_TIMED_OUT, "no complete response within 30 ms");
    until(s->http->loop, (serve_some(), seen_of(id)->is_reset));
    answer_call(other, other_id, "good");
}

/* Else every call would time out on it for as long as it seems to be there. */
static void a_connection_on_which_nothing_comes_is_given_up(void **state)
{
    (void)state;
    warm_up_http2();
    turn_for(s->http->loop, 5);
    s->http->timeout_ms = 30;
    struct call *call = post(s->http, "x");
    until(s->http->loop, call->outcome != PENDING);
    await_failure(call, HTTP_TIMED_OUT, "within 30 ms");
    until(s->http->loop, figures(s->http).connections == 0);
}

static void a_call_can_be_given_up(void **state)
{
    (void)state;
    struct call *call = post(s->http, "given up"), *other = post(s->http, "other");
    accept_http2();
    int32_t id = await_stream("given up")->id, other_id = await_stream("other")->id;
    call_cancel(call);
    until(s->http->loop, (serve_some(), seen_of(id)->is_reset));
    answer_call(other, other_id, "good");
    assert_int_equal(call->outcome, PENDING);
    assert_int_equal(figures(s->http).calls, 0);
}

/* A body that is given up half-way may not be read any more. */
static void a_large_call_can_be_given_up_half_way(void **state)
{
    (void)state;
    char *big = mem_new(BIG + 1);
    memset(big, 'x', BIG);
    struct call *call = post(s->http, big);
    free(big);
    accept_http2();
    until(s->http->loop, (serve_some(), s->count == 1 && s->seen[0].body.size > 0));
    call_cancel(call);
    until(s->http->loop, (serve_some(), s->seen[0].is_reset));
    call = post(s->http, "next");
    answer_call(call, await_stream("next")->id, "good");
}

static void an_answer_may_come_before_the_request_is_out(void **state)
{
    (void)state;
    char *big = mem_new(BIG + 1);
    memset(big, 'x', BIG);
    struct call *call = post(s->http, big);
    free(big);
    accept_http2();
    until(s->http->loop, (serve_some(), s->count == 1 && s->seen[0].body.size > 0));
    answer_call(call, s->seen[0].id, "enough");
    until(s->http->loop, (serve_some(), s->seen[0].is_reset));
}

static void make_next(struct call *call)
{
    call_begin(call->other, "/fn", "next");
    call_send(call->other);
}

static void a_call_made_in_a_callback_goes_out_on_the_same_connection(void **state)
{
    (void)state;
    struct call *first = post(s->http, "first");
    first->other = call_new(s->http);
    struct call *next = first->other;
    first->on_end = make_next;
    accept_http2();
    answer_call(first, await_stream("first")->id, "1");
    answer_call(next, await_stream("next")->id, "2");
    assert_int_equal(figures(s->http).opened, 1);
}

static void a_server_that_speaks_no_http2_is_named_as_such(void **state)
{
    (void)state;
    struct call *call = post(s->http, "x");
    int peer = accept_peer(s->http);
    raw_send(peer, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    await_failure(call, HTTP_UNREACHABLE, "the server does not speak HTTP/2 here");
    hang_up(s->http, peer);

    call = post(s->http, "y");
    hang_up(s->http, accept_peer(s->http));
    await_failure(call, HTTP_UNREACHABLE, "the server does not speak HTTP/2 here");

    s->http->options.connect_ms_max = 50; /* one that only listens */
    restart_pool(s->http);
    await_failure(post(s->http, "z"), HTTP_UNREACHABLE, "the server does not speak HTTP/2 here");
}

static void garbage_on_a_connection_in_use_fails_the_call(void **state)
{
    (void)state;
    warm_up_http2();
    struct call *call = post(s->http, "x");
    await_stream("x");
    raw_send(s->fd, "HTTP/1.1 200 OK\r\n\r\nthis is no frame of any kind");
    until(s->http->loop, call->outcome != PENDING);
    assert_int_equal(call->outcome, FAILED);
}

static void a_pool_that_is_freed_fails_what_it_has(void **state)
{
    (void)state;
    struct call *first = post(s->http, "first"), *second = post(s->http, "second");
    accept_http2();
    await_stream("first");
    await_stream("second");
    http_pool_free(s->http->pool);
    s->http->pool = NULL;
    await_failure(first, HTTP_BROKEN, "closed");
    await_failure(second, HTTP_BROKEN, "closed");
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_the_same_as_ever),
        TEST(calls_share_one_connection_and_end_in_any_order),
        TEST(no_more_streams_are_open_than_the_server_allows),
        TEST(large_bodies_flow_as_windows_allow),
        TEST(a_compressed_answer_is_decoded_and_its_headers_are_read),
        TEST(an_answer_over_the_limit_ends_its_stream_alone),
        TEST(a_reset_stream_fails_its_call_alone),
        TEST(a_refused_stream_is_tried_again_some_times),
        TEST(what_a_server_that_goes_away_has_not_begun_is_made_elsewhere),
        TEST(a_server_that_goes_away_often_but_serves_fails_nobody),
        TEST(a_server_that_always_goes_away_fails_the_call),
        TEST(calls_on_a_connection_that_breaks_are_made_once_more),
        TEST(a_call_that_takes_too_long_is_cancelled_alone),
        TEST(a_connection_on_which_nothing_comes_is_given_up),
        TEST(a_call_can_be_given_up),
        TEST(a_large_call_can_be_given_up_half_way),
        TEST(an_answer_may_come_before_the_request_is_out),
        TEST(a_call_made_in_a_callback_goes_out_on_the_same_connection),
        TEST(a_server_that_speaks_no_http2_is_named_as_such),
        TEST(garbage_on_a_connection_in_use_fails_the_call),
        TEST(a_pool_that_is_freed_fails_what_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
