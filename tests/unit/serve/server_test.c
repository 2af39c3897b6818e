/* server_test.c - the HTTP server on its own threads, against clients over sockets. */
#include "serve/served.h"

#include "base/log.h"
#include "net/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

enum { PATIENCE_MS = 10000 }; /* so long only when a test fails */

struct fixture {
    struct sf_server *server;
    struct arena arena;
    struct sf_status status;
    struct buffer in; /* what the client has read, beyond the answers that were taken */
    int client;
    char folder[40];
};

static void start(struct fixture *f, const char *listen_on, unsigned threads)
{
    const struct sf_serve_options options = {
        .listen = listen_on, .threads = threads, .body_bytes_max = 100000};
    assert_good(sf_server_start(&options, configure, &f->server, &f->status), &f->status);
}

static void stop(struct fixture *f)
{
    sf_server_stop(f->server);
    f->server = NULL;
}

static int set_up(void **state)
{
    struct fixture *f = mem_new(sizeof *f);
    log_configure(LOG_OFF, LOG_AS_TEXT);
    operations_forget();
    f->client = -1;
    start(f, "127.0.0.1:0", 1); /* so that all clients are on one thread */
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    if (f->client >= 0)
        close(f->client);
    sf_server_stop(f->server);
    arena_destroy(&f->arena);
    buffer_destroy(&f->in);
    if (f->folder[0])
        rmdir(f->folder);
    free(f);
    return 0;
}

/* --- a client --- */

static int connect_to(const char *where)
{
    bool is_unix = !strncmp(where, "unix:", 5);
    int fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), result;
    if (is_unix) {
        struct sockaddr_un address;
        assert_true(socket_path_address(where + 5, &address));
        result = connect(fd, (struct sockaddr *)&address, sizeof address);
    } else {
        struct sockaddr_in address = {
            .sin_family = AF_INET,
            .sin_port = htons((uint16_t)strtoul(strrchr(where, ':') + 1, NULL, 10))};
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        result = connect(fd, (struct sockaddr *)&address, sizeof address);
    }
    assert_int_equal(result, 0);
    return fd;
}

static void open_client(struct fixture *f)
{
    if (f->client >= 0)
        close(f->client);
    f->client = connect_to(sf_server_address(f->server));
    buffer_clear(&f->in);
}

static void send_all(int fd, struct bytes bytes)
{
    assert_int_equal(send(fd, bytes.data, bytes.size, MSG_NOSIGNAL), (ssize_t)bytes.size);
}

static void post(int fd, struct bytes body)
{
    struct buffer request = {0};
    buffer_add_format(&request,
                      "POST /any/path HTTP/1.1\r\nHost: a\r\nContent-Type: "
                      "application/octet-stream\r\nContent-Length: %zu\r\n\r\n",
                      body.size);
    buffer_add_bytes(&request, body);
    send_all(fd, buffer_bytes(&request));
    buffer_destroy(&request);
}

/* Reads until an answer is complete; takes it. */
struct answer {
    int status;
    char *head;
    struct bytes body;
};

static bool take_answer(struct fixture *f, struct buffer *in, struct answer *ret_answer)
{
    const char *end = in->size ? memmem(in->data, in->size, "\r\n\r\n", 4) : NULL;
    if (!end)
        return false;
    size_t head_size = (size_t)(end + 4 - (const char *)in->data);
    struct bytes head = bytes_make(in->data, head_size);
    char *text = (char *)arena_add_bytes(&f->arena, head).data;
    text[head_size - 1] = '\0';
    const char *length = strstr(text, "Content-Length: ");
    assert_non_null(length);
    size_t size = strtoul(length + 16, NULL, 10);
    if (in->size < head_size + size)
        return false;
    *ret_answer = (struct answer){
        .status = (int)strtol(text + 9, NULL, 10),
        .head = text,
        .body = arena_add_bytes(&f->arena, bytes_make(in->data + head_size, size)),
    };
    buffer_drop(in, head_size + size);
    return true;
}

static struct answer await_on(struct fixture *f, int fd, struct buffer *in)
{
    struct answer answer;
    while (!take_answer(f, in, &answer)) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
        ssize_t got = recv(fd, buffer_reserve(in, 65536), 65536, 0);
        assert_true(got > 0);
        in->size += (size_t)got;
    }
    return answer;
}

static struct answer await(struct fixture *f)
{
    return await_on(f, f->client, &f->in);
}

static struct answer ask(struct fixture *f, const char *text)
{
    open_client(f);
    send_all(f->client, bytes_of(text));
    return await(f);
}

static struct from_function await_reply(struct fixture *f)
{
    struct answer answer = await(f);
    assert_int_equal(answer.status, 200);
    assert_mentions(answer.head, "\r\nContent-Type: application/octet-stream\r\n");
    return reply_of(&f->arena, answer.body);
}

#define until(condition)                                                                           \
    do {                                                                                           \
        for (int waited_ = 0; !(condition); waited_++) {                                           \
            if (waited_ > PATIENCE_MS)                                                             \
                fail_msg("never happened: %s", #condition);                                        \
            usleep(1000);                                                                          \
        }                                                                                          \
    } while (0)

/* --- requests --- */

static void a_connection_serves_one_request_after_another(void **state)
{
    struct fixture *f = *state;
    open_client(f);
    for (int i = 0; i < 5; i++) {
        post(f->client, REQUEST(&f->arena, "counter", i, "ann"));
        struct from_function reply = await_reply(f);
        assert_int_equal(reply.message_count, 1);
        assert_int_equal(reply.mutations[0].value.value.data[1], i + 1);
    }
}

static void a_reply_says_that_bundles_are_taken(void **state)
{
    struct fixture *f = *state;
    open_client(f);
    post(f->client, REQUEST(&f->arena, "counter", 0, "ann"));
    assert_mentions(await(f).head, "\r\nstatefun-bundles: 1\r\n");
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct fixture *f = *state;
    open_client(f);
    post(f->client, REQUEST(&f->arena, "worker", 0, "thread"));
    for (int i = 1; i < 20; i++)
        post(f->client, REQUEST(&f->arena, "counter", i, "ann"));
    struct from_function reply = await_reply(f);
    expect_result(&reply.messages[0], SF_ASYNC_SUCCESS, "thread", "from a thread", NULL);
    for (int i = 1; i < 20; i++)
        assert_int_equal(await_reply(f).mutations[0].value.value.data[1], i + 1);
}

static void what_is_no_invocation_is_told_so(void **state)
{
    struct fixture *f = *state;
    struct answer answer = ask(f, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    assert_int_equal(answer.status, 405);
    assert_mentions(answer.head, "\r\nAllow: POST\r\n");
    assert_int_equal(ask(f, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").status, 405);
    answer = ask(f, "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                    "Content-Length: 2\r\n\r\n{}");
    assert_int_equal(answer.status, 415);
    assert_mentions((const char *)answer.body.data, "must be application/octet-stream");
    assert_int_equal(ask(f, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").status, 400);
    assert_int_equal(ask(f, "POST / HTTP/1.1\r\nHost: a\r\n\r\n").status, 400);
    answer = ask(f, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    assert_int_equal(answer.status, 400);
    assert_mentions(answer.head, "\r\nContent-Type: text/plain");
    answer = ask(f, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n");
    assert_int_equal(answer.status, 413);
}

static void a_function_that_is_unknown_or_fails_is_told_with_the_reason(void **state)
{
    struct fixture *f = *state;
    open_client(f);
    post(f->client, REQUEST(&f->arena, "nobody", 0, "x"));
    struct answer answer = await(f);
    assert_int_equal(answer.status, 404);
    assert_bytes(answer.body, "function type test/nobody is not served here\n");
    post(f->client, REQUEST(&f->arena, "failing", 0, "x"));
    answer = await(f);
    assert_int_equal(answer.status, 500);
    assert_mentions(answer.head, "\r\nContent-Type: text/plain");
    assert_bytes(answer.body, "for no reason\n");
    post(f->client, REQUEST(&f->arena, "counter", 0, "x")); /* on the same connection */
    (void)await_reply(f);
}

static void a_content_type_may_be_absent_or_have_parameters(void **state)
{
    struct fixture *f = *state;
    static const char *const headers[] = {"", "Content-Type: APPLICATION/octet-stream; x=y\r\n"};
    struct bytes body = REQUEST(&f->arena, "counter", 0, "x");
    for (int i = 0; i < 2; i++) {
        struct buffer request = {0};
        buffer_add_format(&request,
                          "POST / HTTP/1.1\r\nHost: a\r\n%sTransfer-Encoding: chunked\r\n\r\n",
                          headers[i]);
        buffer_add_format(&request, "%zx\r\n", body.size);
        buffer_add_bytes(&request, body);
        buffer_add_text(&request, "\r\n0\r\n\r\n");
        open_client(f);
        send_all(f->client, buffer_bytes(&request));
        assert_int_equal(await_reply(f).message_count, 1);
        buffer_destroy(&request);
    }
}

static void health_and_figures_are_served(void **state)
{
    struct fixture *f = *state;
    assert_bytes(ask(f, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n").body, "ok\n");
    assert_int_equal(ask(f, "GET /health?x=y HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);
    open_client(f);
    post(f->client, REQUEST(&f->arena, "counter", 0, "x"));
    (void)await_reply(f);
    struct answer answer = ask(f, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_mentions(answer.head, "\r\nContent-Type: text/plain; version=0.0.4");
    buffer_clear(&f->in);
    buffer_add_bytes(&f->in, answer.body);
    assert_mentions(buffer_text(&f->in), "counter=\"greetings \\\"quoted\\\"\"} 1\n");
}

/* --- asynchronous operations --- */

static void a_reply_waits_for_its_operations_and_nobody_else_does(void **state)
{
    struct fixture *f = *state;
    struct buffer in = {0};
    open_client(f);
    post(f->client, REQUEST(&f->arena, "worker", 0, "one", "two"));
    until(operations_begun() == 2);

    int other = connect_to(sf_server_address(f->server)); /* on the same thread */
    for (int i = 0; i < 3; i++) {
        post(other, REQUEST(&f->arena, "counter", i, "ann"));
        assert_int_equal(await_on(f, other, &in).status, 200);
    }
    sf_async_complete(operation(1), sf_int(2));
    post(other, REQUEST(&f->arena, "counter", 3, "ann"));
    assert_int_equal(await_on(f, other, &in).status, 200);
    assert_int_equal(f->in.size, 0);
    sf_async_fail(operation(0), NULL);

    struct from_function reply = await_reply(f);
    assert_int_equal(reply.message_count, 2);
    expect_result(&reply.messages[1], SF_ASYNC_FAILURE, "one", NULL, "");
    close(other);
    buffer_destroy(&in);
}

static void reset(int fd)
{
    struct linger linger = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

static void a_client_that_goes_away_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;
    struct from_function reply;
    for (int i = 0; i < 3; i++) {
        open_client(f);
        post(f->client, REQUEST(&f->arena, "worker", 0, "one"));
        until(operations_begun() == (size_t)i + 1);
        reset(f->client);
        f->client = -1;
        if (i == 0) /* it may end before the server has noticed, and after */
            sf_async_complete(operation(0), sf_int(1));
    }
    open_client(f);
    post(f->client, REQUEST(&f->arena, "worker", 0, "thread"));
    reply = await_reply(f);
    assert_int_equal(reply.message_count, 1);
    sf_async_complete(operation(1), sf_int(1));
    stop(f);
    sf_async_complete(operation(2), sf_int(1)); /* nor need there be a server any more */
}

/* Ends race with their clients' going, and with each other. */
static void many_operations_end_on_many_threads(void **state)
{
    struct fixture *f = *state;
    enum { CLIENTS = 20, ROUNDS = 10 };
    stop(f);
    start(f, "127.0.0.1:0", 3);
    for (int round = 0; round < ROUNDS; round++) {
        int clients[CLIENTS];
        for (int i = 0; i < CLIENTS; i++) {
            clients[i] = connect_to(sf_server_address(f->server));
            post(clients[i], REQUEST(&f->arena, "worker", 0, "thread", "thread", "now"));
        }
        for (int i = 0; i < CLIENTS; i++) {
            struct buffer in = {0};
            if (i % 3) {
                struct answer answer = await_on(f, clients[i], &in);
                assert_int_equal(reply_of(&f->arena, answer.body).message_count, 3);
                close(clients[i]);
            } else {
                reset(clients[i]);
            }
            buffer_destroy(&in);
        }
        arena_clear(&f->arena);
    }
}

/* --- life --- */

static void *stop_server(void *server)
{
    sf_server_stop(server);
    return NULL;
}

static void stopping_waits_for_what_is_under_way(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    char where[64];
    snprintf(where, sizeof where, "%s", sf_server_address(f->server));
    int idle = connect_to(where);
    open_client(f);
    post(f->client, REQUEST(&f->arena, "worker", 0, "one"));
    until(operations_begun() == 1);
    assert_int_equal(pthread_create(&thread, NULL, stop_server, f->server), 0);

    struct pollfd closed = {.fd = idle, .events = POLLIN};
    assert_int_equal(poll(&closed, 1, PATIENCE_MS), 1); /* idle ones are closed at once */
    assert_int_equal(recv(idle, where, 1, 0), 0);
    sf_async_complete(operation(0), sf_string("late"));
    struct from_function reply = await_reply(f);
    expect_result(&reply.messages[0], SF_ASYNC_SUCCESS, "one", "late", NULL);
    pthread_join(thread, NULL);
    f->server = NULL;
    close(idle);
}

static void start_to_stop_soon(struct fixture *f)
{
    const struct sf_serve_options options = {
        .listen = "127.0.0.1:0", .threads = 2, .stop_ms_max = 1};
    stop(f);
    assert_good(sf_server_start(&options, configure, &f->server, &f->status), &f->status);
}

/* With an answer before, or without. */
static void expect_closed(struct fixture *f)
{
    struct pollfd closed = {.fd = f->client, .events = POLLIN};
    char bytes[1000];
    do
        assert_int_equal(poll(&closed, 1, PATIENCE_MS), 1);
    while (recv(f->client, bytes, sizeof bytes, 0) > 0);
}

static void stopping_does_not_wait_for_ever_for_an_operation(void **state)
{
    struct fixture *f = *state;
    start_to_stop_soon(f);
    open_client(f);
    post(f->client, REQUEST(&f->arena, "worker", 0, "one", "two"));
    until(operations_begun() == 2);
    sf_async_complete(operation(0), sf_string("in time"));
    stop(f);
    expect_closed(f); /* the runtime sends it again */
    sf_async_complete(operation(1), sf_string("to no effect"));
}

static void stopping_does_not_wait_for_ever_for_a_function(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(sem_init(&has_blocked, 0, 0) + sem_init(&may_go_on, 0, 0), 0);
    start_to_stop_soon(f);
    open_client(f);
    post(f->client, REQUEST(&f->arena, "worker", 0, "block"));
    until(sem_trywait(&has_blocked) == 0);
    stop(f);
    sem_post(&may_go_on);
    expect_closed(f); /* by the thread that was left behind, which frees what is left */
}

static void a_unix_socket_is_served_and_removed(void **state)
{
    struct fixture *f = *state;
    char where[80];
    stop(f);
    snprintf(f->folder, sizeof f->folder, "/tmp/statefun-serve-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(where, sizeof where, "unix:%s/f.sock", f->folder);
    start(f, where, 2);
    assert_string_equal(sf_server_address(f->server), where);
    open_client(f);
    post(f->client, REQUEST(&f->arena, "counter", 0, "ann"));
    assert_int_equal(await_reply(f).message_count, 1);
    stop(f);
    assert_int_equal(access(where + 5, F_OK), -1);
}

static bool bind_router(struct sf_module *module, struct sf_status *status)
{
    static const struct sf_router router = {.ingress = "a/b"};
    return sf_bind_router(module, &router, status);
}

static void a_server_that_cannot_start_says_why(void **state)
{
    struct fixture *f = *state;
    struct sf_server *other;
    struct sf_serve_options options = {.listen = sf_server_address(f->server)};
    assert_false(sf_server_start(&options, configure, &other, &f->status));
    assert_int_equal(f->status.code, SF_CONFLICT);
    options.listen = "nowhere";
    assert_false(sf_server_start(&options, configure, &other, &f->status));
    assert_mentions(f->status.message, "listen on 'nowhere': expected host:port");
    options.threads = 5000;
    assert_false(sf_server_start(&options, configure, &other, &f->status));
    assert_mentions(f->status.message, "5000 threads");
    options = (struct sf_serve_options){.listen = "127.0.0.1:0"};
    assert_false(sf_server_start(&options, bind_router, &other, &f->status));
    assert_int_equal(f->status.code, SF_UNSUPPORTED);
    sf_server_stop(NULL);
}

/* --- as a program --- */

struct program {
    pid_t pid;
    int out;
};

static struct program run_main(const char *const *arguments)
{
    int out[2];
    assert_int_equal(pipe(out), 0);
    int argc = 0;
    while (arguments[argc])
        argc++;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        dup2(out[1], STDERR_FILENO);
        int code = sf_serve_main(argc, (char **)arguments, configure);
        fflush(NULL);
        _exit(code);
    }
    close(out[1]);
    return (struct program){pid, out[0]};
}

/* What it says up to a newline, or all. */
static char *listen_to(struct fixture *f, struct program *program, bool all)
{
    struct buffer said = {0};
    char c;
    while (read(program->out, &c, 1) == 1 && (all || c != '\n'))
        buffer_add_u8(&said, (uint8_t)c);
    buffer_add_u8(&said, 0);
    char *text = (char *)arena_add_bytes(&f->arena, buffer_bytes(&said)).data;
    buffer_destroy(&said);
    return text;
}

static int code_of(struct program *program)
{
    int status;
    close(program->out);
    assert_int_equal(waitpid(program->pid, &status, 0), program->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void a_program_serves_until_it_is_told_to_end(void **state)
{
    struct fixture *f = *state;
    static const int signals[] = {SIGTERM, SIGINT};
    stop(f); /* a program that forks has one thread */
    for (int i = 0; i < 2; i++) {
        struct program program = run_main((const char *[]){"f", "--listen=127.0.0.1:0", "--threads",
                                                           "2", "--log-level", "error", NULL});
        char *line = listen_to(f, &program, false);
        assert_int_equal(strncmp(line, "listening on 127.0.0.1:", 23), 0);
        f->client = connect_to(line);
        post(f->client, REQUEST(&f->arena, "counter", 0, "ann"));
        assert_int_equal(await_reply(f).message_count, 1);
        assert_int_equal(kill(program.pid, signals[i]), 0);
        assert_int_equal(code_of(&program), 0);
        close(f->client);
        f->client = -1;
    }
}

static void the_second_signal_ends_a_program_at_once(void **state)
{
    struct fixture *f = *state;
    stop(f);
    struct program program =
        run_main((const char *[]){"f", "--listen", "127.0.0.1:0", "--log-level=info", NULL});
    f->client = connect_to(listen_to(f, &program, false));
    post(f->client, REQUEST(&f->arena, "worker", 0, "never ends"));
    usleep(50000); /* so that it is under way; if it is not, the program just ends with 0 */
    assert_int_equal(kill(program.pid, SIGTERM), 0);
    assert_mentions(listen_to(f, &program, false), "stopping");
    assert_int_equal(kill(program.pid, SIGTERM), 0);
    int code = code_of(&program);
    assert_true(code == -SIGTERM || code == 0);
}

static void a_program_says_what_is_wrong_with_its_arguments(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *arguments[5];
        int code;
        const char *says;
    } cases[] = {
        {{"f", "--help"}, 0, "Usage: f [OPTION]..."},
        {{"f", "--port", "1"}, 2, "there is no option --port"},
        {{"f", "--listen"}, 2, "--listen needs a value"},
        {{"f", "--threads", "0"}, 2, "--threads 0: expected a number from 1 to 1024"},
        {{"f", "--threads=two"}, 2, "--threads two: expected"},
        {{"f", "--stop-within", "0"}, 2, "--stop-within 0: expected a number from 1 to 86400"},
        {{"f", "--keep", "-1"}, 2, "--keep -1: expected a number from 0 to 1048576"},
        {{"f", "--keep", "lots"}, 2, "--keep lots: expected"},
        {{"f", "--log-level", "loud"}, 2, "--log-level loud: expected debug, info, warn or error"},
        {{"f", "--config", "x", "--listen=127.0.0.1:0"}, 1, "f: configuration 'x': expected KEY="},
        {{"f", "--listen", "nowhere"}, 1, "listen on 'nowhere'"},
    };
    stop(f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct program program = run_main(cases[i].arguments);
        assert_mentions(listen_to(f, &program, true), cases[i].says);
        assert_int_equal(code_of(&program), cases[i].code);
    }
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_connection_serves_one_request_after_another),
        TEST(a_reply_says_that_bundles_are_taken),
        TEST(pipelined_requests_are_answered_in_order),
        TEST(what_is_no_invocation_is_told_so),
        TEST(a_function_that_is_unknown_or_fails_is_told_with_the_reason),
        TEST(a_content_type_may_be_absent_or_have_parameters),
        TEST(health_and_figures_are_served),
        TEST(a_reply_waits_for_its_operations_and_nobody_else_does),
        TEST(a_client_that_goes_away_leaves_nothing_behind),
        TEST(many_operations_end_on_many_threads),
        TEST(stopping_waits_for_what_is_under_way),
        TEST(stopping_does_not_wait_for_ever_for_an_operation),
        TEST(stopping_does_not_wait_for_ever_for_a_function),
        TEST(a_unix_socket_is_served_and_removed),
        TEST(a_server_that_cannot_start_says_why),
        TEST(a_program_serves_until_it_is_told_to_end),
        TEST(the_second_signal_ends_a_program_at_once),
        TEST(a_program_says_what_is_wrong_with_its_arguments),
    };
    return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
