/* remote_test.c - functions behind a URL: what is sent to them, and what becomes of their answers.
 */
#include "harness/functions.h"

#include "wire/invocation.h"
#include "wire/protobuf.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

/* A server that gives the same answer to every request. */
struct server {
    pthread_t thread;
    int fd, stop[2];
    uint16_t port;
    bool is_running;
    int code;
    struct buffer answer; /* a body */
    struct buffer last;   /* request */
    int requests;
};

static void serve(struct server *server, int fd)
{
    char text[4096];
    struct buffer *in = &server->last;
    size_t wanted = SIZE_MAX;
    buffer_clear(in);
    while (in->size < wanted) {
        ssize_t size = recv(fd, text, sizeof text, 0);
        if (size <= 0)
            return;
        buffer_add(in, text, (size_t)size);
        char *head_end = strstr(buffer_text(in), "\r\n\r\n");
        char *length = strcasestr(buffer_text(in), "content-length:");
        if (head_end && length)
            wanted = (size_t)(head_end + 4 - (char *)in->data) + strtoull(length + 15, NULL, 10);
    }
    server->requests++;
    struct buffer out = {0};
    buffer_add_format(&out,
                      "HTTP/1.1 %d Whatever\r\nContent-Length: %zu\r\n"
                      "Content-Type: application/octet-stream\r\n\r\n",
                      server->code, server->answer.size);
    buffer_add_bytes(&out, buffer_bytes(&server->answer));
    assert_int_equal(send(fd, out.data, out.size, MSG_NOSIGNAL), out.size);
    buffer_destroy(&out);
}

static void *run_server(void *owner)
{
    struct server *server = owner;
    struct pollfd fds[] = {{server->fd, POLLIN, 0}, {server->stop[0], POLLIN, 0}};
    while (poll(fds, 2, -1) > 0 && !fds[1].revents) {
        int fd = accept(server->fd, NULL, NULL);
        if (fd < 0)
            continue;
        serve(server, fd);
        close(fd);
    }
    return NULL;
}

struct fixture {
    struct sf_harness *harness;
    struct server server;
    char url[64];
    struct sf_status status;
};

#define GOOD(call) assert_good((call), &f->status)

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct server *server = &f->server;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->fd, 10), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    server->is_running = true;
    assert_int_equal(pipe(server->stop), 0);
    server->code = 200;
    pthread_create(&server->thread, NULL, run_server, server);
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u/functions", server->port);
    GOOD(sf_harness_new(NULL, &f->harness, &f->status));
    GOOD(sf_harness_add_remote(f->harness, "other/greet*", f->url, &f->status));
    *state = f;
    return 0;
}

static void stop(struct server *server)
{
    if (!server->is_running)
        return;
    server->is_running = false;
    assert_int_equal(write(server->stop[1], "", 1), 1);
    pthread_join(server->thread, NULL);
    close(server->fd);
    close(server->stop[0]);
    close(server->stop[1]);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    stop(&f->server);
    sf_harness_free(f->harness);
    buffer_destroy(&f->server.answer);
    buffer_destroy(&f->server.last);
    free(f);
    return 0;
}

static void send_one(struct fixture *f)
{
    GOOD(sf_harness_send(f->harness, sf_address("other/greeter", "Ann"), sf_string("hello"),
                         &f->status));
}

/* The answer of a function that sends this text to the egress other/out. */
static void answer_with_record(struct buffer *answer, const char *text)
{
    enum { INVOCATION_RESULT = 100, OUTGOING_EGRESSES = 4, NS = 1, TYPE = 2, ARGUMENT = 3 };
    struct buffer value = {0}, argument = {0}, egress = {0}, result = {0};
    string_value_add(&value, bytes_of(text));
    typed_value_add(&argument,
                    &(struct typed_value){bytes_of(TYPE_STRING), buffer_bytes(&value), true});
    pb_add_bytes(&egress, NS, bytes_of("other"));
    pb_add_bytes(&egress, TYPE, bytes_of("out"));
    pb_add_bytes(&egress, ARGUMENT, buffer_bytes(&argument));
    pb_add_bytes(&result, OUTGOING_EGRESSES, buffer_bytes(&egress));
    pb_add_bytes(answer, INVOCATION_RESULT, buffer_bytes(&result));
    buffer_destroy(&value);
    buffer_destroy(&argument);
    buffer_destroy(&egress);
    buffer_destroy(&result);
}

static void a_function_behind_a_url_is_called(void **state)
{
    struct fixture *f = *state;
    answer_with_record(&f->server.answer, "from afar");
    send_one(f);
    GOOD(sf_harness_run(f->harness, &f->status));
    GOOD(sf_harness_expect_count(f->harness, "other/out", 1, &f->status));
    GOOD(sf_expect_egress(sf_harness_egress(f->harness, "other/out", 0), "other/out",
                          sf_string("from afar"), &f->status));
    stop(&f->server);
    assert_int_equal(f->server.requests, 1);
    assert_true(
        bytes_starts_with(buffer_bytes(&f->server.last), bytes_of("POST /functions HTTP/1.1\r\n")));
}

static void an_answer_that_is_none_is_a_failure_of_the_function(void **state)
{
    struct fixture *f = *state;
    f->server.code = 500;
    send_one(f);
    assert_false(sf_harness_run(f->harness, &f->status));
    assert_mentions(f->status.message, "HTTP status 500");
    f->server.code = 200;
    buffer_add_text(&f->server.answer, "nonsense");
    send_one(f);
    assert_false(sf_harness_run(f->harness, &f->status));
    assert_mentions(f->status.message, "not a FromFunction");
    assert_int_equal(sf_harness_letter_count(f->harness), 2);
}

static void where_nobody_is_the_run_fails_and_the_message_stays(void **state)
{
    struct fixture *f = *state;
    stop(&f->server);
    send_one(f);
    assert_false(sf_harness_run(f->harness, &f->status));
    assert_int_equal(f->status.code, SF_IO);
    assert_mentions(f->status.message, f->url);
    assert_int_equal(sf_harness_letter_count(f->harness), 0);
    assert_false(sf_harness_run(f->harness, &f->status));
    assert_int_equal(f->status.code, SF_IO);
}

static void urls_and_types_are_checked(void **state)
{
    struct fixture *f = *state;
    assert_false(sf_harness_add_remote(f->harness, "other/greet*", f->url, &f->status));
    assert_int_equal(f->status.code, SF_CONFLICT);
    assert_false(sf_harness_add_remote(f->harness, "nonsense", f->url, &f->status));
    assert_mentions(f->status.message, "nonsense");
    assert_false(sf_harness_add_remote(f->harness, "other/f", "ftp://host/", &f->status));
    assert_mentions(f->status.message, "ftp://host/");
    assert_false(sf_harness_add_remote(f->harness, "other/f", "https://host/", &f->status));
    assert_int_equal(f->status.code, SF_UNSUPPORTED);
    GOOD(sf_harness_add(f->harness, configure_greeter, &f->status));
    GOOD(sf_harness_run(f->harness, &f->status));
    assert_false(sf_harness_add_remote(f->harness, "other/f", f->url, &f->status));
    assert_mentions(f->status.message, "after the first run");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_function_behind_a_url_is_called),
        TEST(an_answer_that_is_none_is_a_failure_of_the_function),
        TEST(where_nobody_is_the_run_fails_and_the_message_stays),
        TEST(urls_and_types_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
