/* http_ask_test.c - one question to a server that says what the test wants it to say. */
#include "test.h"

#include "net/address.h"
#include "net/http_ask.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MAX = 1000, TIMEOUT_MS = 20 * 1000 };

struct server {
    int listen_fd;
    char *where;
    const char *answer;
    char question[1000];
    pthread_t thread;
};

/* Reads the head of one question, answers and hangs up. */
static void *serve(void *argument)
{
    struct server *server = argument;
    struct timeval patience = {.tv_sec = TIMEOUT_MS / 1000};
    int fd;
    while ((fd = accept(server->listen_fd, NULL, NULL)) < 0)
        usleep(1000);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (size_t size = 0; !strstr(server->question, "\r\n\r\n");) {
        ssize_t more = recv(fd, server->question + size, sizeof server->question - 1 - size, 0);
        if (more <= 0)
            break;
        size += (size_t)more;
    }
    assert_true(send(fd, server->answer, strlen(server->answer), MSG_NOSIGNAL) >= 0);
    close(fd);
    return NULL;
}

static void start(struct server *server, const char *where, const char *answer)
{
    struct sf_status status;
    *server = (struct server){.answer = answer};
    assert_good(net_listen(where, &server->listen_fd, &server->where, &status), &status);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void stop(struct server *server)
{
    pthread_join(server->thread, NULL);
    close(server->listen_fd);
    free(server->where);
}

static bool ask(const char *where, int *ret_http, struct buffer *body, struct sf_status *status)
{
    return http_ask(&(struct http_question){.where = where,
                                            .method = "POST",
                                            .target = "/a?b=c",
                                            .headers = "X-Y: z\r\n",
                                            .body = bytes_of("hello"),
                                            .answer_bytes_max = ANSWER_MAX,
                                            .timeout_ms = TIMEOUT_MS},
                    ret_http, body, status);
}

static void expect_answer(const char *where, const char *answer, int http, const char *text)
{
    struct server server;
    struct buffer body = {0};
    struct sf_status status;
    int found;
    start(&server, where, answer);
    assert_good(ask(server.where, &found, &body, &status), &status);
    assert_int_equal(found, http);
    assert_bytes(buffer_bytes(&body), text);
    assert_non_null(strstr(server.question, "POST /a?b=c HTTP/1.1\r\n"));
    assert_non_null(strstr(server.question, "Content-Length: 5\r\nX-Y: z\r\n\r\nhello"));
    buffer_destroy(&body);
    stop(&server);
}

static void an_answer_is_read_whatever_its_framing(void **state)
{
    (void)state;
    const char *where = "127.0.0.1:0";
    expect_answer(where, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi");
    expect_answer(where,
                  "HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 404,
                  "hi");
    expect_answer(where, "HTTP/1.1 200 OK\r\n\r\nup to the end", 200, "up to the end");
}

static void a_unix_socket_is_asked_too(void **state)
{
    (void)state;
    char directory[] = "/tmp/ask-XXXXXX", where[100];
    assert_non_null(mkdtemp(directory));
    (void)snprintf(where, sizeof where, "unix:%s/socket", directory);
    expect_answer(where, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi");
    unlink(where + 5);
    rmdir(directory);
}

static void a_header_of_the_answer_can_be_had(void **state)
{
    (void)state;
    static const char *const names[] = {"Next-Page", "Last-Page"}, *const values[] = {"12", ""};
    for (size_t i = 0; i < 2; i++) {
        struct server server;
        struct buffer body = {0}, value = {0};
        struct sf_status status;
        int found;
        start(&server, "127.0.0.1:0",
              "HTTP/1.1 200 OK\r\nnext-page: 12\r\nContent-Length: 2\r\n\r\nhi");
        buffer_add_text(&value, "of before");
        assert_good(http_ask(&(struct http_question){.where = server.where,
                                                     .method = "GET",
                                                     .target = "/",
                                                     .wanted = names[i],
                                                     .ret_wanted = &value,
                                                     .answer_bytes_max = ANSWER_MAX,
                                                     .timeout_ms = TIMEOUT_MS},
                             &found, &body, &status),
                    &status);
        assert_bytes(buffer_bytes(&value), values[i]);
        assert_bytes(buffer_bytes(&body), "hi");
        buffer_destroy(&body);
        buffer_destroy(&value);
        stop(&server);
    }
}

static void expect_failure(const char *answer, enum sf_code code, const char *says)
{
    struct server server;
    struct buffer body = {0};
    struct sf_status status;
    int found;
    start(&server, "127.0.0.1:0", answer);
    assert_false(ask(server.where, &found, &body, &status));
    assert_int_equal(status.code, code);
    assert_mentions(status.message, says);
    assert_mentions(status.message, server.where);
    buffer_destroy(&body);
    stop(&server);
}

static void an_answer_that_is_none_is_said(void **state)
{
    (void)state;
    expect_failure("", SF_IO, "the answer ends early");
    expect_failure("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi", SF_IO,
                   "the answer ends early");
    expect_failure("SSH-2.0-OpenSSH\r\n\r\n", SF_INVALID, "");
    expect_failure("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", SF_FULL, "");
}

static void nobody_there_is_said(void **state)
{
    (void)state;
    struct buffer body = {0};
    struct sf_status status;
    int found;
    assert_false(ask("127.0.0.1:1", &found, &body, &status));
    assert_mentions(status.message, "connect to 127.0.0.1:1: Connection refused");
    assert_false(ask("unix:/nowhere/at/all", &found, &body, &status));
    assert_mentions(status.message, "/nowhere/at/all: No such file");
    assert_false(ask("nonsense", &found, &body, &status));
    assert_mentions(status.message, "'nonsense': expected host:port");
    buffer_destroy(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_read_whatever_its_framing),
        cmocka_unit_test(a_unix_socket_is_asked_too),
        cmocka_unit_test(a_header_of_the_answer_can_be_had),
        cmocka_unit_test(an_answer_that_is_none_is_said),
        cmocka_unit_test(nobody_there_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
