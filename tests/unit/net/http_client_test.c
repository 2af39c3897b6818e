/* http_client_test.c - single calls: what is sent, what comes back, and what else can happen. */
#include "client_fixture.h"

#include <malloc.h>
#include <zlib.h>

static int set_up(void **state)
{
    *state = fixture_new(false);
    return 0;
}

static int set_up_unix(void **state)
{
    *state = fixture_new(true);
    return 0;
}

static int tear_down(void **state)
{
    fixture_free(*state);
    return 0;
}

/* Answers one call with `answer` in pieces of `step` bytes; the connection is closed behind it if
 * `closes`. */
static struct call *answer_in_pieces(struct fixture *f, const void *answer, size_t size,
                                     size_t step, bool closes)
{
    struct call *call = post(f, "x");
    int peer = accept_peer(f);
    await_request(f, peer, "x");
    for (size_t at = 0; at < size; at += step) {
        size_t part = size - at < step ? size - at : step;
        if (send(peer, (const char *)answer + at, part, MSG_NOSIGNAL) != (ssize_t)part)
            break; /* the client has seen enough */
        if (at + part < size)
            loop_turn(f->loop, 1);
    }
    if (closes)
        hang_up(f, peer);
    until(f->loop, call->outcome != PENDING);
    if (!closes)
        hang_up(f, peer);
    until(f->loop, figures(f).connections == 0);
    return call;
}

static struct call *answer_with(struct fixture *f, const char *answer)
{
    return answer_in_pieces(f, answer, strlen(answer), strlen(answer), false);
}

static struct call *answer_and_close(struct fixture *f, const char *answer)
{
    return answer_in_pieces(f, answer, strlen(answer), strlen(answer) + 1, true);
}

static struct call *answer_slowly(struct fixture *f, const char *answer)
{
    return answer_in_pieces(f, answer, strlen(answer), 1, false);
}

static void assert_answered(struct call *call, int status, const char *body)
{
    if (call->outcome != ANSWERED)
        fail_msg("failed: %s", call->message);
    assert_int_equal(call->status, status);
    assert_bytes(buffer_bytes(&call->body), body);
}

static void assert_failed(struct call *call, enum http_failure failure, const char *message)
{
    assert_int_equal(call->outcome, FAILED);
    assert_mentions(call->message, message);
    assert_int_equal(call->failure, failure);
}

/* --- what is sent --- */

/* Byte for byte what StateFun's own runtime sends (protocol.md 3.1). */
static void a_request_looks_as_functions_expect_it(void **state)
{
    struct fixture *f = *state;
    struct call *call = call_new(f);
    call_begin(call, "/fn?x=1", "hello");
    call_send(call);
    int peer = accept_peer(f);
    await_request(f, peer, "hello");

    char *expected = mem_format("POST /fn?x=1 HTTP/1.1\r\n"
                                "content-type: application/octet-stream\r\n"
                                "accept: application/octet-stream\r\n"
                                "accept-encoding: gzip,deflate\r\n"
                                "connection: keep-alive\r\n"
                                "user-agent: statefun\r\n"
                                "host: %s\r\n"
                                "content-length: 5\r\n"
                                "\r\n"
                                "hello",
                                f->place.where);
    assert_bytes(buffer_bytes(&f->in), expected);
    free(expected);
}

/* A function's name is anybody's text: it must not become a header. */
static void a_target_cannot_break_out_of_its_line(void **state)
{
    struct fixture *f = *state;
    struct call *call = call_new(f);
    call_begin(call, "/a b\r\nX: y\xc3\xa4\x7f%20", "body");
    call_send(call);
    await_request(f, accept_peer(f), "body");
    assert_true(buffer_mentions(&f->in, "POST /a%20b%0D%0AX:%20y%C3%A4%7F%20 HTTP/1.1\r\n"));
}

static void an_empty_body_is_a_body_too(void **state)
{
    struct fixture *f = *state;
    struct call *call = post(f, "");
    int peer = accept_peer(f);
    await_request(f, peer, "");
    assert_true(buffer_mentions(&f->in, "\r\ncontent-length: 0\r\n\r\n"));
    raw_send(peer, OK(0, ""));
    await_answer(call, 200, "");
}

static void a_large_request_goes_out_as_the_server_takes_it(void **state)
{
    struct fixture *f = *state;
    size_t size = 10000000;
    struct call *call = call_new(f);
    uint8_t *to = http_pool_begin(f->pool, &call->call, "/fn", size, f->timeout_ms);
    for (size_t i = 0; i < size; i++)
        to[i] = (uint8_t)('a' + i % 23);
    call_send(call);
    int peer = accept_peer(f);
    turn_for(f->loop, 20);
    until(f->loop, (raw_receive(peer, &f->in), f->in.size > size));
    turn_for(f->loop, 5);
    raw_receive(peer, &f->in);
    size_t head = f->in.size - size;
    assert_memory_equal(f->in.data + head - 4, "\r\n\r\n", 4);
    for (size_t i = 0; i < size; i++)
        if (f->in.data[head + i] != 'a' + i % 23)
            fail_msg("byte %zu", i);
    raw_send(peer, OK(2, "ok"));
    await_answer(call, 200, "ok");
    assert_int_equal(figures(f).connections, 1);
}

/* The rest of the request will never be sent, so that nothing else can be. */
static void an_answer_may_come_before_the_request_is_out(void **state)
{
    struct fixture *f = *state;
    size_t size = 20000000;
    struct call *call = call_new(f);
    memset(http_pool_begin(f->pool, &call->call, "/fn", size, f->timeout_ms), 'x', size);
    call_send(call);
    int peer = accept_peer(f);
    turn_for(f->loop, 20);
    raw_send(peer, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
    await_answer(call, 413, "");
    until(f->loop, figures(f).connections == 0);
}

/* --- what comes back --- */

static void an_answer_is_handed_over_whole(void **state)
{
    struct fixture *f = *state;
    const char *answer = "HTTP/1.1 202 Accepted\r\nContent-Type: text/plain\r\n"
                         "Content-Length: 5\r\n\r\nhello";
    struct call *call = answer_with(f, answer);
    assert_answered(call, 202, "hello");
    assert_string_equal(call->content_type, "text/plain");
    assert_int_equal(call->retry_after_ms, 0);

    call = answer_slowly(f, answer);
    assert_answered(call, 202, "hello");
    assert_string_equal(call->content_type, "text/plain");
}

static void an_answer_may_lack_a_content_type(void **state)
{
    struct call *call = answer_with(*state, OK(2, "ok"));
    assert_answered(call, 200, "ok");
    assert_string_equal(call->content_type, "");
}

static void any_status_is_an_answer(void **state)
{
    struct fixture *f = *state;
    assert_answered(answer_with(f, "HTTP/1.1 500 X\r\nContent-Length: 3\r\n\r\nbad"), 500, "bad");
    assert_answered(answer_with(f, "HTTP/1.1 302 X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"),
                    302, "");
    assert_answered(answer_with(f, "HTTP/1.1 204 X\r\n\r\n"), 204, "");
}

static void chunks_are_put_together(void **state)
{
    struct fixture *f = *state;
    const char *answer =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: a/b\r\n\r\n"
        "5;x\r\nhello\r\n7\r\n, world\r\n0\r\nTrailer: x\r\n\r\n";
    struct call *call = answer_with(f, answer);
    assert_answered(call, 200, "hello, world");
    call = answer_slowly(f, answer);
    assert_answered(call, 200, "hello, world");
    assert_string_equal(call->content_type, "a/b");
}

static void an_answer_without_length_lasts_until_the_server_closes(void **state)
{
    struct fixture *f = *state;
    assert_answered(answer_and_close(f, "HTTP/1.1 200 OK\r\n\r\nhello"), 200, "hello");
    assert_answered(answer_and_close(f, "HTTP/1.0 200 OK\r\n\r\n"), 200, "");
    struct call *call = answer_in_pieces(f, "HTTP/1.1 200 OK\r\n\r\nhello", 24, 1, true);
    assert_answered(call, 200, "hello");
}

static void a_reset_is_no_end_of_an_answer(void **state)
{
    struct fixture *f = *state;
    struct call *call = post(f, "x");
    int peer = accept_peer(f);
    await_request(f, peer, "x");
    raw_send(peer, "HTTP/1.1 200 OK\r\n\r\nhel");
    turn_for(f->loop, 20);
    f->peer = -1;
    raw_reset(peer);
    await_failure(call, HTTP_BROKEN, "in the middle of a response");
}

static void interim_answers_are_passed_over(void **state)
{
    struct fixture *f = *state;
    const char *answer = "HTTP/1.1 100 Continue\r\n\r\n"
                         "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK(2, "ok");
    assert_answered(answer_with(f, answer), 200, "ok");
    assert_answered(answer_slowly(f, answer), 200, "ok");
}

static void the_server_may_ask_to_wait(void **state)
{
    struct fixture *f = *state;
    struct call *call =
        answer_with(f, "HTTP/1.1 503 X\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n");
    assert_answered(call, 503, "");
    assert_int_equal(call->retry_after_ms, 7000);
}

/* --- compressed answers --- */

static struct buffer deflated(const void *data, size_t size, int window)
{
    struct buffer out = {0};
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)data;
    stream.avail_in = (uInt)size;
    size_t room = deflateBound(&stream, size) + 32;
    stream.next_out = buffer_reserve(&out, room);
    stream.avail_out = (uInt)room;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.size = room - stream.avail_out;
    deflateEnd(&stream);
    return out;
}

static struct call *answer_encoded(struct fixture *f, const char *encoding, struct bytes body,
                                   size_t step)
{
    struct buffer answer = {0};
    buffer_add_format(&answer,
                      "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
                      encoding, body.size);
    buffer_add_bytes(&answer, body);
    struct call *call = answer_in_pieces(f, answer.data, answer.size, step, false);
    buffer_destroy(&answer);
    return call;
}

static void compressed_answers_are_decoded(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *encoding;
        int window;
    } forms[] = {{"gzip", 31}, {"X-GZIP", 31}, {"deflate", 15}, {"deflate", -15}};
    for (size_t i = 0; i < 4; i++) {
        struct buffer body = deflated("hello, world", 12, forms[i].window);
        struct bytes bytes = buffer_bytes(&body);
        assert_answered(answer_encoded(f, forms[i].encoding, bytes, 1000), 200, "hello, world");
        assert_answered(answer_encoded(f, forms[i].encoding, bytes, 1), 200, "hello, world");
        buffer_destroy(&body);
    }
    assert_answered(answer_encoded(f, "identity", bytes_of("plain"), 1000), 200, "plain");
    assert_answered(answer_encoded(f, "gzip", bytes_of(""), 1000), 200, "");
}

static void a_gzip_body_may_have_several_members(void **state)
{
    struct fixture *f = *state;
    struct buffer first = deflated("hello, ", 7, 31), second = deflated("world", 5, 31);
    buffer_add_bytes(&first, buffer_bytes(&second));
    assert_answered(answer_encoded(f, "gzip", buffer_bytes(&first), 1000), 200, "hello, world");
    buffer_destroy(&first);
    buffer_destroy(&second);
}

static void a_compressed_answer_that_is_damaged_fails(void **state)
{
    struct fixture *f = *state;
    struct buffer body = deflated("hello, world", 12, 31);
    struct call *call = answer_encoded(f, "gzip", bytes_make(body.data, body.size - 1), 1000);
    assert_failed(call, HTTP_GARBAGE, "cut off");
    call = answer_encoded(f, "gzip", bytes_of("hello, world"), 1000);
    assert_failed(call, HTTP_GARBAGE, "incorrect header check");
    call = answer_encoded(f, "br", bytes_of("hello, world"), 1000);
    assert_failed(call, HTTP_GARBAGE, "Content-Encoding br");
    call = answer_encoded(f, "gzip, gzip", buffer_bytes(&body), 1000);
    assert_failed(call, HTTP_GARBAGE, "Content-Encoding gzip, gzip");
    buffer_add_text(&body, "junk");
    call = answer_encoded(f, "gzip", buffer_bytes(&body), 1000);
    assert_failed(call, HTTP_GARBAGE, "compressed response");
    buffer_destroy(&body);

    body = deflated("hello, world", 12, 15);
    buffer_add_text(&body, "junk");
    call = answer_encoded(f, "deflate", buffer_bytes(&body), 1000);
    assert_failed(call, HTTP_GARBAGE, "behind its end");
    buffer_destroy(&body);
}

static void a_bomb_does_not_go_off(void **state)
{
    struct fixture *f = *state;
    size_t size = 50000000;
    void *zeros = mem_new(size);
    struct buffer bomb = deflated(zeros, size, 31);
    assert_true(bomb.size < f->options.response_bytes_max);
    struct call *call = answer_encoded(f, "gzip", buffer_bytes(&bomb), bomb.size);
    assert_failed(call, HTTP_TOO_LARGE, "100000 bytes when decompressed");
    buffer_destroy(&bomb);

    struct buffer just = deflated(zeros, f->options.response_bytes_max, 31);
    call = answer_encoded(f, "gzip", buffer_bytes(&just), just.size);
    assert_int_equal(call->outcome, ANSWERED);
    assert_int_equal(call->body.size, f->options.response_bytes_max);
    buffer_destroy(&just);
    just = deflated(zeros, f->options.response_bytes_max + 1, 31);
    call = answer_encoded(f, "gzip", buffer_bytes(&just), just.size);
    assert_failed(call, HTTP_TOO_LARGE, "decompressed");
    buffer_destroy(&just);
    free(zeros);
}

/* --- answers that are none --- */

static void what_is_not_http_fails_the_call(void **state)
{
    struct fixture *f = *state;
    const char *bad[] = {
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxx",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_failed(answer_with(f, bad[i]), HTTP_GARBAGE, "");
}

static void an_answer_over_the_limit_fails(void **state)
{
    struct fixture *f = *state;
    assert_failed(answer_with(f, "HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n"),
                  HTTP_TOO_LARGE, "100001 bytes: the limit is 100000");
    assert_failed(answer_with(f, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n186a1\r\nx"),
                  HTTP_TOO_LARGE, "more than 100000");

    struct buffer endless = {0};
    buffer_add_text(&endless, "HTTP/1.1 200 OK\r\n\r\n");
    memset(buffer_reserve(&endless, 200000), 'x', 200000);
    endless.size += 200000;
    struct call *call = answer_in_pieces(f, endless.data, endless.size, 50000, false);
    assert_failed(call, HTTP_TOO_LARGE, "more than 100000");

    buffer_clear(&endless);
    buffer_add_text(&endless, "HTTP/1.1 200 OK\r\nX: ");
    memset(buffer_reserve(&endless, 40000), 'x', 40000);
    endless.size += 40000;
    call = answer_in_pieces(f, endless.data, endless.size, 10000, false);
    assert_failed(call, HTTP_TOO_LARGE, "head");
    buffer_destroy(&endless);
}

static void an_answer_just_within_the_limit_is_good(void **state)
{
    struct fixture *f = *state;
    struct buffer answer = {0};
    buffer_add_text(&answer, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    memset(buffer_reserve(&answer, 100000), 'x', 100000);
    answer.size += 100000;
    for (size_t step = 5000; step <= 100000; step *= 4) {
        struct call *call = answer_in_pieces(f, answer.data, answer.size, step, false);
        assert_int_equal(call->outcome, ANSWERED);
        assert_int_equal(call->body.size, 100000);
    }
    buffer_destroy(&answer);
}

static void an_answer_that_is_cut_off_fails(void **state)
{
    struct fixture *f = *state;
    const char *cut[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nConte",
        "HTTP/1.1 100 Continue\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++)
        assert_failed(answer_and_close(f, cut[i]), HTTP_BROKEN, "in the middle of a response");
}

static void silence_ends_when_the_time_is_up(void **state)
{
    struct fixture *f = *state;
    f->timeout_ms = 50;
    const char *beginnings[] = {"", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"};
    for (size_t i = 0; i < 3; i++) {
        struct call *call = post(f, "x");
        int peer = accept_peer(f);
        await_request(f, peer, "x");
        raw_send(peer, beginnings[i]);
        await_failure(call, HTTP_TIMED_OUT, "within 50 ms");
        await_closed(f, peer);
        hang_up(f, peer);
        assert_int_equal(figures(f).connections, 0);
    }
}

static void silence_may_have_a_limit_of_its_own(void **state)
{
    struct fixture *f = *state;
    f->options.read_ms_max = 50;
    restart_pool(f);
    struct call *call = post(f, "x");
    int peer = accept_peer(f);
    await_request(f, peer, "x");
    raw_send(peer, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx");
    await_failure(call, HTTP_TIMED_OUT, "the server has sent nothing for 50 ms");
    await_closed(f, peer);
}

/* It is a pause that is limited, and not the answer. */
static void an_answer_that_keeps_coming_may_take_longer_than_a_pause(void **state)
{
    struct fixture *f = *state;
    enum { PAUSE_MS = 600 };
    f->options.read_ms_max = PAUSE_MS;
    restart_pool(f);
    struct call *call = post(f, "x");
    int peer = accept_peer(f);
    await_request(f, peer, "x");
    raw_send(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (uint64_t end_ms = clock_ms() + PAUSE_MS + 100; clock_ms() < end_ms;) {
        raw_send(peer, "1\r\nx\r\n");
        loop_turn(f->loop, 5);
        turn_for(f->loop, 2);
    }
    raw_send(peer, "0\r\n\r\n");
    until(f->loop, call->outcome != PENDING);
    assert_int_equal(call->outcome, ANSWERED);
}

static void a_server_that_takes_no_more_of_a_request_has_its_limit_too(void **state)
{
    struct fixture *f = *state;
    f->options.write_ms_max = 50;
    restart_pool(f);
    size_t size = 20000000; /* no socket holds that */
    struct call *call = call_new(f);
    memset(http_pool_begin(f->pool, &call->call, "/fn", size, f->timeout_ms), 'x', size);
    call_send(call);
    accept_peer(f);
    await_failure(call, HTTP_TIMED_OUT, "the server has taken nothing of the request for 50 ms");
}

/* Who waits in line is under nobody's pause. */
static void a_pause_begins_with_the_calls_turn(void **state)
{
    struct fixture *f = *state;
    f->options.connections_max = 1;
    f->options.read_ms_max = 60;
    f->options.write_ms_max = 60;
    restart_pool(f);
    struct call *first = post(f, "first"), *second = post(f, "second");
    int peer = accept_peer(f);
    await_failure(first, HTTP_TIMED_OUT, "the server has sent nothing for 60 ms");
    assert_int_equal(second->outcome, PENDING);
    hang_up(f, peer);
    accept_peer(f);
    await_failure(second, HTTP_TIMED_OUT, "the server has sent nothing for 60 ms");
}

/* --- connections --- */

static void a_connection_is_used_again(void **state)
{
    struct fixture *f = *state;
    int peer = warm_up(f);
    for (int i = 0; i < 10; i++) {
        struct call *call = post(f, "again");
        await_request(f, peer, "again");
        raw_send(peer, OK(2, "ok"));
        await_answer(call, 200, "ok");
    }
    assert_int_equal(figures(f).opened, 1);
    assert_int_equal(figures(f).connections, 1);
    assert_int_equal(figures(f).calls, 0);
}

static void the_connection_used_last_is_used_first(void **state)
{
    struct fixture *f = *state;
    struct call *calls[3];
    int peers[3];
    for (int i = 0; i < 3; i++) {
        calls[i] = post(f, "warm");
        peers[i] = accept_peer(f);
        await_request(f, peers[i], "warm");
    }
    for (int i = 0; i < 3; i++) {
        int which = (i + 1) % 3; /* 1, 2, 0 */
        raw_send(peers[which], OK(2, "up"));
        await_answer(calls[which], 200, "up");
    }
    post(f, "a");
    await_request(f, peers[0], "a");
    post(f, "b");
    await_request(f, peers[2], "b");
    post(f, "c");
    await_request(f, peers[1], "c");
    assert_int_equal(figures(f).opened, 3);
    for (int i = 0; i < 3; i++)
        hang_up(f, peers[i]);
}

static void a_connection_that_the_server_closes_when_idle_is_forgotten(void **state)
{
    struct fixture *f = *state;
    hang_up(f, warm_up(f));
    until(f->loop, figures(f).connections == 0);
    warm_up(f);
    assert_int_equal(figures(f).opened, 2);
}

static void an_answer_that_closes_is_the_last_on_its_connection(void **state)
{
    struct fixture *f = *state;
    const char *answers[] = {
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    };
    for (size_t i = 0; i < 2; i++) {
        struct call *call = post(f, "x");
        int peer = accept_peer(f);
        await_request(f, peer, "x");
        raw_send(peer, answers[i]);
        await_answer(call, 200, "ok");
        await_closed(f, peer);
        hang_up(f, peer);
    }
    assert_int_equal(figures(f).opened, 2);
}

static void bytes_that_nobody_asked_for_close_the_connection(void **state)
{
    struct fixture *f = *state;
    int peer = warm_up(f);
    raw_send(peer, OK(2, "no"));
    await_closed(f, peer);
    hang_up(f, peer);
    assert_int_equal(figures(f).connections, 0);

    struct call *call = post(f, "x");
    peer = accept_peer(f);
    await_request(f, peer, "x");
    raw_send(peer, OK(2, "ok") OK(2, "no"));
    await_answer(call, 200, "ok");
    await_closed(f, peer);
    assert_int_equal(figures(f).connections, 0);
}

/* The server closed just as the call was made: nobody is to blame, and nobody need know. */
static void a_call_on_a_stale_connection_is_made_again_on_a_new_one(void **state)
{
    struct fixture *f = *state;
    int peer = warm_up(f);
    struct call *call = post(f, "x");
    hang_up(f, peer);
    peer = accept_peer(f);
    await_request(f, peer, "x");
    raw_send(peer, OK(2, "ok"));
    await_answer(call, 200, "ok");
    assert_int_equal(figures(f).opened, 2);

    /* Also when the server saw the request and then reset the connection. */
    call = post(f, "y");
    await_request(f, peer, "y");
    f->peer = -1;
    raw_reset(peer);
    peer = accept_peer(f);
    await_request(f, peer, "y");
    raw_send(peer, OK(2, "ok"));
    await_answer(call, 200, "ok");
}

static void it_is_made_again_only_once(void **state)
{
    struct fixture *f = *state;
    int peer = warm_up(f);
    struct call *call = post(f, "x");
    hang_up(f, peer);
    peer = accept_peer(f);
    await_request(f, peer, "x");
    hang_up(f, peer);
    await_failure(call, HTTP_BROKEN, "without a response");
    assert_true(nobody_connects(f));
}

/* Other idle connections are as old: the second try must not meet another stale one. */
static void it_is_made_again_on_a_new_connection_even_if_others_are_idle(void **state)
{
    struct fixture *f = *state;
    f->options.connections_max = 2;
    restart_pool(f);
    struct call *warm[2];
    int peers[2];
    for (int i = 0; i < 2; i++) {
        warm[i] = post(f, "warm");
        peers[i] = accept_peer(f);
        await_request(f, peers[i], "warm");
    }
    for (int i = 0; i < 2; i++) {
        raw_send(peers[i], OK(2, "up"));
        await_answer(warm[i], 200, "up");
    }
    struct call *call = post(f, "x");
    await_request(f, peers[1], "x");
    hang_up(f, peers[1]);
    int fresh = accept_peer(f);
    await_request(f, fresh, "x");
    raw_send(fresh, OK(2, "ok"));
    await_answer(call, 200, "ok");
    hang_up(f, peers[0]);
}

static void a_call_whose_answer_has_begun_is_not_made_again(void **state)
{
    struct fixture *f = *state;
    int peer = warm_up(f);
    struct call *call = post(f, "x");
    await_request(f, peer, "x");
    raw_send(peer, "H");
    turn_for(f->loop, 10);
    hang_up(f, peer);
    await_failure(call, HTTP_BROKEN, "in the middle of a response");
    assert_true(nobody_connects(f));
}

static void a_new_connection_that_closes_without_an_answer_means_unreachable(void **state)
{
    struct fixture *f = *state;
    struct call *call = post(f, "x");
    int peer = accept_peer(f);
    await_request(f, peer, "x");
    hang_up(f, peer);
    await_failure(call, HTTP_BROKEN, "closed the connection without a response");
    assert_true(nobody_connects(f));
}

static void a_refused_connection_means_unreachable(void **state)
{
    struct fixture *f = *state;
    close(f->place.fd);
    f->place.fd = -1;
    for (int i = 0; i < 3; i++) {
        struct call *call = post(f, "x");
        await_failure(call, HTTP_UNREACHABLE, "Connection refused");
        assert_mentions(call->message, f->place.where);
    }
    assert_int_equal(figures(f).connections, 0);
    assert_int_equal(figures(f).opened, 0);
}

static void everybody_who_waits_for_a_refused_connection_hears_of_it(void **state)
{
    struct fixture *f = *state;
    close(f->place.fd);
    f->place.fd = -1;
    f->options.connections_max = 2;
    restart_pool(f);
    struct call *calls[10];
    for (int i = 0; i < 10; i++)
        calls[i] = post(f, "x");
    for (int i = 0; i < 10; i++)
        await_failure(calls[i], HTTP_UNREACHABLE, "refused");
    assert_int_equal(figures(f).calls, 0);
}

/* Where nobody accepts, the kernel takes a few connections and then lets the others wait. */
static void fill_backlog(struct fixture *f, int *fds, size_t count)
{
    assert_int_equal(listen(f->place.fd, 0), 0);
    for (size_t i = 0; i < count; i++) {
        fds[i] = socket(f->place.folder[0] ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        struct sockaddr_storage address;
        socklen_t size = sizeof address;
        getsockname(f->place.fd, (struct sockaddr *)&address, &size);
        (void)!connect(fds[i], (struct sockaddr *)&address, size);
    }
}

static void a_connection_that_takes_too_long_means_unreachable(void **state)
{
    struct fixture *f = *state;
    int fds[8];
    fill_backlog(f, fds, 8);
    f->options.connect_ms_max = 100;
    restart_pool(f);
    struct call *call = post(f, "x");
    await_failure(call, HTTP_UNREACHABLE, "connect to");
    for (int i = 0; i < 8; i++)
        close(fds[i]);
}

/* A unix socket says that its backlog is full, and has to be asked again. */
static void a_full_backlog_of_a_unix_socket_is_waited_for(void **state)
{
    struct fixture *f = *state;
    int fds[8];
    fill_backlog(f, fds, 8);
    struct call *call = post(f, "x");
    turn_for(f->loop, 30);
    assert_int_equal(call->outcome, PENDING);
    for (int fd; (fd = accept(f->place.fd, NULL, NULL)) >= 0;)
        close(fd);
    int peer = accept_peer(f);
    await_request(f, peer, "x");
    raw_send(peer, OK(2, "ok"));
    await_answer(call, 200, "ok");
    for (int i = 0; i < 8; i++)
        close(fds[i]);
}

static void a_connection_has_a_lifetime(void **state)
{
    struct fixture *f = *state;
    f->options.connection_ms_max = 20;
    restart_pool(f);
    int peer = warm_up(f);
    struct call *call = post(f, "busy"); /* and stays so until the lifetime is over for certain */
    await_request(f, peer, "busy");
    turn_for(f->loop, 3100);
    assert_int_equal(figures(f).connections, 1);
    raw_send(peer, OK(2, "ok"));
    await_answer(call, 200, "ok");
    await_closed(f, peer);
    hang_up(f, peer);

    peer = warm_up(f);
    until(f->loop, figures(f).connections == 0);
    await_closed(f, peer);
}

static void calls_beyond_the_connections_wait_in_line(void **state)
{
    struct fixture *f = *state;
    f->options.connections_max = 1;
    restart_pool(f);
    struct call *first = post(f, "1"), *second = post(f, "2"), *third = post(f, "3");
    int peer = accept_peer(f);
    await_request(f, peer, "1");
    assert_true(nobody_connects(f));
    assert_int_equal(figures(f).calls, 3);
    raw_send(peer, OK(1, "1"));
    await_answer(first, 200, "1");
    await_request(f, peer, "2");
    raw_send(peer, OK(1, "2"));
    await_answer(second, 200, "2");
    await_request(f, peer, "3");
    raw_send(peer, OK(1, "3"));
    await_answer(third, 200, "3");
    assert_int_equal(figures(f).opened, 1);
}

static void a_call_may_wait_in_line_for_too_long(void **state)
{
    struct fixture *f = *state;
    f->options.connections_max = 1;
    restart_pool(f);
    struct call *first = post(f, "1");
    f->timeout_ms = 30;
    struct call *second = post(f, "2");
    await_failure(second, HTTP_TIMED_OUT, "no connection became free within 30 ms");
    int peer = accept_peer(f);
    await_request(f, peer, "1");
    raw_send(peer, OK(1, "1"));
    await_answer(first, 200, "1");
}

/* --- giving up --- */

static void a_call_can_be_given_up_at_any_time(void **state)
{
    struct fixture *f = *state;
    f->options.connections_max = 1;
    restart_pool(f);
    struct call *begun = call_new(f);
    call_begin(begun, "/fn", "x");
    struct call *sent = post(f, "1"), *waiting = post(f, "2"), *last = post(f, "3");
    int peer = accept_peer(f);
    await_request(f, peer, "1");
    assert_int_equal(figures(f).calls, 4);
    call_cancel(begun);
    call_cancel(waiting);
    call_cancel(sent);
    assert_int_equal(figures(f).calls, 1);
    await_closed(f, peer);
    hang_up(f, peer);

    peer = accept_peer(f);
    await_request(f, peer, "3");
    raw_send(peer, OK(1, "3"));
    await_answer(last, 200, "3");
    assert_int_equal(begun->outcome + sent->outcome + waiting->outcome, PENDING);
}

static void a_pool_that_is_freed_fails_what_it_has(void **state)
{
    struct fixture *f = *state;
    f->options.connections_max = 1;
    restart_pool(f);
    struct call *begun = call_new(f);
    call_begin(begun, "/fn", "x");
    struct call *sent = post(f, "1"), *waiting = post(f, "2");
    int peer = accept_peer(f);
    await_request(f, peer, "1");
    http_pool_free(f->pool);
    f->pool = NULL;
    assert_failed(begun, HTTP_BROKEN, "pool is closed");
    assert_failed(sent, HTTP_BROKEN, "pool is closed");
    assert_failed(waiting, HTTP_BROKEN, "pool is closed");
    await_closed(f, peer);
}

static void cancel_other(struct call *call)
{
    call_cancel(call->other);
}

static void a_pool_that_is_freed_lets_callbacks_give_up_others(void **state)
{
    struct fixture *f = *state;
    struct call *first = post(f, "1"), *second = post(f, "2");
    first->on_end = cancel_other;
    first->other = second;
    http_pool_free(f->pool);
    f->pool = NULL;
    assert_int_equal(first->outcome, FAILED);
    assert_int_equal(second->outcome, PENDING);
}

/* --- callbacks --- */

static void post_other(struct call *call)
{
    call_begin(call->other, "/fn", "next");
    call_send(call->other);
}

static void a_call_made_in_a_callback_goes_out_on_the_same_connection(void **state)
{
    struct fixture *f = *state;
    struct call *first = post(f, "first"), *second = call_new(f);
    first->on_end = post_other;
    first->other = second;
    int peer = accept_peer(f);
    await_request(f, peer, "first");
    raw_send(peer, OK(2, "ok"));
    await_answer(first, 200, "ok");
    await_request(f, peer, "next");
    raw_send(peer, OK(2, "ok"));
    await_answer(second, 200, "ok");
    assert_int_equal(figures(f).opened, 1);
}

/* The same memory, too: it is how a caller tries again. */
static void a_failed_call_can_be_made_again_in_its_callback(void **state)
{
    struct fixture *f = *state;
    struct call *first = post(f, "first"), *second = call_new(f);
    first->on_end = post_other;
    first->other = second;
    int peer = accept_peer(f);
    await_request(f, peer, "first");
    raw_send(peer, "garbage\r\n");
    await_failure(first, HTTP_GARBAGE, "");
    await_closed(f, peer);
    hang_up(f, peer);
    peer = accept_peer(f);
    await_request(f, peer, "next");
    raw_send(peer, OK(2, "ok"));
    await_answer(second, 200, "ok");
}

/* --- memory --- */

static size_t memory_in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void an_idle_connection_costs_little(void **state)
{
    struct fixture *f = *state;
    enum { MANY = 50 };
    f->options.connections_max = MANY;
    restart_pool(f);
    struct call *calls[MANY];
    int peers[MANY];
    for (int i = 0; i < MANY; i++)
        calls[i] = post(f, "x");
    for (int i = 0; i < MANY; i++)
        peers[i] = accept_peer(f);
    for (int i = 0; i < MANY; i++)
        raw_send(peers[i], OK(2, "ok"));
    size_t before = memory_in_use();
    for (int i = 0; i < MANY; i++)
        await_answer(calls[i], 200, "ok");
    assert_int_equal(figures(f).connections, MANY);
    for (int i = 0; i < MANY; i++)
        hang_up(f, peers[i]);
    until(f->loop, figures(f).connections == 0);
    size_t after = memory_in_use();
    if (before > after) /* not so under the address sanitizer, which counts otherwise */
        assert_true((before - after) / MANY < 1024);
}

static void a_huge_answer_leaves_no_huge_memory_behind(void **state)
{
    struct fixture *f = *state;
    f->options.response_bytes_max = 40000000;
    restart_pool(f);
    int peer = warm_up(f);
    size_t before = memory_in_use();

    size_t size = 30000000;
    struct call *call = call_new(f);
    memset(http_pool_begin(f->pool, &call->call, "/fn", size, f->timeout_ms), 'x', size);
    call_send(call);
    struct buffer answer = {0};
    buffer_add_format(&answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
    memset(buffer_reserve(&answer, size), 'y', size);
    answer.size += size;
    until(f->loop, (raw_receive(peer, &f->in), f->in.size > size));
    size_t sent = 0;
    until(f->loop, ({
              ssize_t part =
                  send(peer, answer.data + sent, answer.size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
              sent += part > 0 ? (size_t)part : 0;
              call->outcome != PENDING;
          }));
    assert_int_equal(call->outcome, ANSWERED);
    assert_int_equal(call->body.size, size);
    buffer_destroy(&call->body);
    buffer_destroy(&answer);
    buffer_destroy(&f->in);
    assert_true(memory_in_use() < before + 1000000);
    assert_int_equal(figures(f).connections, 1);
}

/* --- unix sockets --- */

static void a_unix_socket_is_called_by_its_path(void **state)
{
    struct fixture *f = *state;
    struct call *call = call_new(f);
    call_begin(call, "/api/fn", "hello");
    call_send(call);
    int peer = accept_peer(f);
    await_request(f, peer, "hello");
    assert_true(buffer_mentions(&f->in, "POST /api/fn HTTP/1.1\r\n"));
    assert_true(buffer_mentions(&f->in, "\r\nhost: unused\r\n"));
    raw_send(peer, OK(2, "ok"));
    await_answer(call, 200, "ok");

    call = post(f, "x"); /* stale */
    await_request(f, peer, "x");
    hang_up(f, peer);
    peer = accept_peer(f);
    await_request(f, peer, "x");
    raw_send(peer, OK(2, "ok"));
    await_answer(call, 200, "ok");
}

static void a_unix_socket_that_is_not_there_means_unreachable(void **state)
{
    struct fixture *f = *state;
    start_pool(f, "http+unix:///tmp/statefun-no-such-folder/x.sock/fn");
    await_failure(post(f, "x"), HTTP_UNREACHABLE, "No such file or directory");

    char url[300];
    snprintf(url, sizeof url, "http+unix:///tmp/%0200d.sock/fn", 1);
    start_pool(f, url);
    await_failure(post(f, "x"), HTTP_UNREACHABLE, "File name too long");
}

#define TEST(name)      cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define UNIX_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_unix, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_looks_as_functions_expect_it),
        TEST(a_target_cannot_break_out_of_its_line),
        TEST(an_empty_body_is_a_body_too),
        TEST(a_large_request_goes_out_as_the_server_takes_it),
        TEST(an_answer_may_come_before_the_request_is_out),
        TEST(an_answer_is_handed_over_whole),
        TEST(an_answer_may_lack_a_content_type),
        TEST(any_status_is_an_answer),
        TEST(chunks_are_put_together),
        TEST(an_answer_without_length_lasts_until_the_server_closes),
        TEST(a_reset_is_no_end_of_an_answer),
        TEST(interim_answers_are_passed_over),
        TEST(the_server_may_ask_to_wait),
        TEST(compressed_answers_are_decoded),
        TEST(a_gzip_body_may_have_several_members),
        TEST(a_compressed_answer_that_is_damaged_fails),
        TEST(a_bomb_does_not_go_off),
        TEST(what_is_not_http_fails_the_call),
        TEST(an_answer_over_the_limit_fails),
        TEST(an_answer_just_within_the_limit_is_good),
        TEST(an_answer_that_is_cut_off_fails),
        TEST(silence_ends_when_the_time_is_up),
        TEST(silence_may_have_a_limit_of_its_own),
        TEST(an_answer_that_keeps_coming_may_take_longer_than_a_pause),
        TEST(a_server_that_takes_no_more_of_a_request_has_its_limit_too),
        TEST(a_pause_begins_with_the_calls_turn),
        TEST(a_connection_is_used_again),
        TEST(the_connection_used_last_is_used_first),
        TEST(a_connection_that_the_server_closes_when_idle_is_forgotten),
        TEST(an_answer_that_closes_is_the_last_on_its_connection),
        TEST(bytes_that_nobody_asked_for_close_the_connection),
        TEST(a_call_on_a_stale_connection_is_made_again_on_a_new_one),
        TEST(it_is_made_again_only_once),
        TEST(it_is_made_again_on_a_new_connection_even_if_others_are_idle),
        TEST(a_call_whose_answer_has_begun_is_not_made_again),
        TEST(a_new_connection_that_closes_without_an_answer_means_unreachable),
        TEST(a_refused_connection_means_unreachable),
        TEST(everybody_who_waits_for_a_refused_connection_hears_of_it),
        TEST(a_connection_that_takes_too_long_means_unreachable),
        UNIX_TEST(a_full_backlog_of_a_unix_socket_is_waited_for),
        UNIX_TEST(a_connection_that_takes_too_long_means_unreachable),
        TEST(a_connection_has_a_lifetime),
        TEST(calls_beyond_the_connections_wait_in_line),
        TEST(a_call_may_wait_in_line_for_too_long),
        TEST(a_call_can_be_given_up_at_any_time),
        TEST(a_pool_that_is_freed_fails_what_it_has),
        TEST(a_pool_that_is_freed_lets_callbacks_give_up_others),
        TEST(a_call_made_in_a_callback_goes_out_on_the_same_connection),
        TEST(a_failed_call_can_be_made_again_in_its_callback),
        TEST(an_idle_connection_costs_little),
        TEST(a_huge_answer_leaves_no_huge_memory_behind),
        UNIX_TEST(a_unix_socket_is_called_by_its_path),
        UNIX_TEST(a_unix_socket_that_is_not_there_means_unreachable),
    };
    return cmocka_run_group_tests_name("http_client", tests, NULL, NULL);
}
