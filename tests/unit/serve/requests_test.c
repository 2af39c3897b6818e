/* requests_test.c - bundles of invocations, over sockets: docs/bundles.md. */
#include "serve/served.h"

#include "base/log.h"
#include "net/http_ask.h"
#include "wire/bundle.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { PATIENCE_MS = 10000, COUNT_MAX = 8 };

struct fixture {
    struct sf_server *server;
    struct arena arena;
    struct sf_status status;
    struct buffer bundle, answer;
    size_t count;
    int code;
    struct bundle_result results[COUNT_MAX];
};

static void start(struct fixture *f, size_t kept_bytes_max)
{
    const struct sf_serve_options options = {
        .listen = "127.0.0.1:0", .threads = 1, .kept_bytes_max = kept_bytes_max};
    sf_server_stop(f->server);
    assert_good(sf_server_start(&options, configure, &f->server, &f->status), &f->status);
}

static int set_up(void **state)
{
    struct fixture *f = mem_new(sizeof *f);
    log_configure(LOG_OFF, LOG_AS_TEXT);
    operations_forget();
    start(f, 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    sf_server_stop(f->server);
    arena_destroy(&f->arena);
    buffer_destroy(&f->bundle);
    buffer_destroy(&f->answer);
    free(f);
    return 0;
}

/* --- bundles --- */

static void add(struct fixture *f, const struct to_function *request)
{
    size_t size = bundle_item_size(request);
    (void)bundle_item_put(buffer_reserve(&f->bundle, size), request);
    f->bundle.size += size;
    f->count++;
}

/* An item for one of the functions in served.h. */
static void add_item(struct fixture *f, const char *name, const char *text)
{
    struct to_function request;
    struct bytes bytes = REQUEST(&f->arena, name, 0, text);
    assert_good(to_function_parse(bytes, &f->arena, &request, &f->status), &f->status);
    add(f, &request);
}

/* ... for `test/growing`, whose state is absent, or kept under a version. */
static void add_growing(struct fixture *f, const char *text, uint64_t version)
{
    struct to_function request;
    const struct request_state large = {.name = bytes_of("large"), .kept = version != 0};
    struct bytes bytes = REQUEST(&f->arena, "growing", -1, text);
    assert_good(to_function_parse(bytes, &f->arena, &request, &f->status), &f->status);
    request.states = &large;
    request.state_count = 1;
    request.version = version;
    add(f, &request);
}

static void post(struct fixture *f, struct bytes body)
{
    const struct http_question question = {
        .where = sf_server_address(f->server),
        .method = "POST",
        .target = "/",
        .headers = "Content-Type: " BUNDLE_TYPE "\r\n",
        .body = body,
        .answer_bytes_max = 1 << 20,
        .timeout_ms = PATIENCE_MS,
    };
    buffer_clear(&f->answer);
    assert_good(http_ask(&question, &f->code, &f->answer, &f->status), &f->status);
}

/* Sends what was added, and reads the results. */
static void exchange(struct fixture *f)
{
    uint64_t took_us;
    post(f, buffer_bytes(&f->bundle));
    assert_int_equal(f->code, 200);
    assert_good(
        bundle_answer_parse(buffer_bytes(&f->answer), f->count, f->results, &took_us, &f->status),
        &f->status);
    buffer_clear(&f->bundle);
    f->count = 0;
}

static struct from_function reply(struct fixture *f, size_t nth)
{
    assert_int_equal(f->results[nth].status, 200);
    return reply_of(&f->arena, f->results[nth].body);
}

/* How large the state was that a look has seen, or has become. */
static size_t large_size(struct fixture *f, size_t nth)
{
    struct from_function from = reply(f, nth);
    if (from.mutation_count)
        return from.mutations[0].value.value.size;
    struct typed_value value;
    assert_true(typed_value_parse(from.messages[0].argument, &value, NULL));
    return value.value.data[1] | (size_t)value.value.data[2] << 8;
}

/* --- invocations --- */

static void each_invocation_is_answered_as_it_would_be_alone(void **state)
{
    struct fixture *f = *state;
    add_item(f, "counter", "ann");
    add_item(f, "failing", "x");
    add_item(f, "nobody", "x");
    add_item(f, "counter", "bob");
    exchange(f);
    assert_bytes(parts_of(reply(f, 0).messages[0].target).id, "ann");
    assert_int_equal(f->results[1].status, 500);
    assert_bytes(f->results[1].body, "for no reason");
    assert_int_equal(f->results[2].status, 404);
    assert_bytes(f->results[2].body, "function type test/nobody is not served here");
    assert_bytes(parts_of(reply(f, 3).messages[0].target).id, "bob");
}

static void what_is_no_request_fails_alone(void **state)
{
    struct fixture *f = *state;
    buffer_add(&f->bundle, "\x0a\x04\x0a\x02hi\x0a\x00", 8);
    f->count = 2;
    add_item(f, "counter", "ann");
    exchange(f);
    assert_int_equal(f->results[0].status, 400);
    assert_int_equal(f->results[1].status, 400);
    assert_int_equal(reply(f, 2).message_count, 1);
}

static void what_is_no_bundle_is_told_so(void **state)
{
    struct fixture *f = *state;
    post(f, (struct bytes){0});
    assert_int_equal(f->code, 400);
    post(f, REQUEST(&f->arena, "counter", 0, "ann"));
    assert_int_equal(f->code, 400);
    assert_bytes(buffer_bytes(&f->answer), "the body is no bundle of invocations\n");
}

static void an_answer_waits_for_operations_that_were_begun(void **state)
{
    struct fixture *f = *state;
    add_item(f, "worker", "thread");
    add_item(f, "counter", "ann");
    add_item(f, "worker", "now");
    add_item(f, "worker", "thread");
    exchange(f);
    struct from_function from = reply(f, 0);
    expect_result(&from.messages[0], SF_ASYNC_SUCCESS, "thread", "from a thread", NULL);
    from = reply(f, 2);
    expect_result(&from.messages[0], SF_ASYNC_SUCCESS, "now", "at once", NULL);
    from = reply(f, 3);
    expect_result(&from.messages[0], SF_ASYNC_SUCCESS, "thread", "from a thread", NULL);
    assert_bytes(parts_of(reply(f, 1).messages[0].target).id, "ann");
}

static int send_and_reset(struct fixture *f)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const char *port = strrchr(sf_server_address(f->server), ':') + 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    struct buffer request = {0};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    buffer_add_format(&request,
                      "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: " BUNDLE_TYPE
                      "\r\nContent-Length: %zu\r\n\r\n",
                      f->bundle.size);
    buffer_add_bytes(&request, buffer_bytes(&f->bundle));
    assert_int_equal(send(fd, request.data, request.size, 0), request.size);
    buffer_destroy(&request);
    return fd;
}

/* An operation ends before its client has gone, one afterwards, and some by themselves. */
static void a_client_that_goes_away_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;
    struct linger linger = {.l_onoff = 1};
    for (int i = 0; i < 5; i++) {
        operations_forget();
        add_item(f, "worker", "one");
        add_item(f, "worker", "thread");
        add_item(f, "worker", "two");
        add_item(f, "counter", "ann");
        int fd = send_and_reset(f);
        for (int waited = 0; operations_begun() < 2; waited++) {
            assert_true(waited < PATIENCE_MS);
            usleep(1000);
        }
        sf_async_complete(operation(0), sf_int(1));
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        close(fd);
        sf_async_complete(operation(1), sf_int(1));
        buffer_clear(&f->bundle);
        f->count = 0;
    }
    add_item(f, "counter", "ann");
    exchange(f);
}

/* --- states that are kept --- */

static void a_state_that_was_left_need_not_be_sent(void **state)
{
    struct fixture *f = *state;
    add_growing(f, "grow", 0);
    exchange(f);
    assert_int_equal(large_size(f, 0), 1000);
    uint64_t version = f->results[0].version;
    assert_int_not_equal(version, 0);

    add_growing(f, "look", version);
    exchange(f);
    assert_int_equal(large_size(f, 0), 1000);
    assert_int_equal(f->results[0].version, version); /* nothing has changed */
    add_growing(f, "grow", version);
    exchange(f);
    assert_int_equal(large_size(f, 0), 1001);
    assert_int_not_equal(f->results[0].version, version);
    assert_int_not_equal(f->results[0].version, 0);
}

static void expect_unknown(struct fixture *f, uint64_t version)
{
    add_growing(f, "look", version);
    exchange(f);
    assert_int_equal(f->results[0].status, BUNDLE_STATUS_UNKNOWN);
}

/* A reply may have been lost; what is kept under its version would not be what the runtime has. */
static void a_version_is_over_when_another_reply_has_followed(void **state)
{
    struct fixture *f = *state;
    add_growing(f, "grow", 0);
    exchange(f);
    uint64_t version = f->results[0].version;
    add_growing(f, "grow", version);
    add_growing(f, "grow", version);
    exchange(f);
    assert_int_equal(f->results[0].status, 200);
    assert_int_equal(f->results[1].status, BUNDLE_STATUS_UNKNOWN);
    expect_unknown(f, version);
    expect_unknown(f, version + 12345);
}

static void a_failure_leaves_what_was_kept(void **state)
{
    struct fixture *f = *state;
    add_growing(f, "grow", 0);
    exchange(f);
    uint64_t version = f->results[0].version;
    add_growing(f, "fail", version);
    add_growing(f, "look", version);
    exchange(f);
    assert_int_equal(f->results[0].status, 500);
    assert_int_equal(large_size(f, 1), 1000);
}

static void nobody_else_can_refer_to_a_version(void **state)
{
    struct fixture *f = *state;
    add_growing(f, "grow", 0);
    exchange(f);
    const struct request_state large = {.name = bytes_of("large"), .kept = true};
    struct address other;
    assert_good(address_make(bytes_of("test"), bytes_of("growing"), bytes_of("another"), &f->arena,
                             &other, &f->status),
                &f->status);
    struct to_function request = {
        .target = other.wire, .states = &large, .state_count = 1, .version = f->results[0].version};
    add(f, &request);
    exchange(f);
    assert_int_equal(f->results[0].status, BUNDLE_STATUS_UNKNOWN);
}

static void a_small_state_is_not_kept(void **state)
{
    struct fixture *f = *state;
    add_item(f, "counter", "ann");
    exchange(f);
    assert_int_equal(f->results[0].version, 0);
}

/* And what the memory of a call held before is not taken for a version. */
static void what_asks_for_states_keeps_none(void **state)
{
    struct fixture *f = *state;
    add_growing(f, "grow", 0);
    exchange(f);
    assert_int_not_equal(f->results[0].version, 0);
    add_item(f, "growing", "look"); /* without its state */
    exchange(f);
    assert_true(reply(f, 0).is_incomplete);
    assert_int_equal(f->results[0].version, 0);
}

static void memory_for_states_is_bounded(void **state)
{
    struct fixture *f = *state;
    start(f, 2500); /* room for two */
    add_growing(f, "grow", 0);
    add_growing(f, "grow", 0);
    add_growing(f, "grow", 0);
    exchange(f);
    uint64_t second = f->results[1].version, third = f->results[2].version;
    expect_unknown(f, f->results[0].version);
    add_growing(f, "look", second);
    add_growing(f, "look", third);
    exchange(f);
    assert_int_equal(large_size(f, 0), 1000);
    assert_int_equal(large_size(f, 1), 1000);

    start(f, 1);
    expect_unknown(f, third); /* another server knows nothing of it */
    add_growing(f, "grow", 0);
    exchange(f);
    assert_int_equal(f->results[0].version, 0);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_invocation_is_answered_as_it_would_be_alone),
        TEST(what_is_no_request_fails_alone),
        TEST(what_is_no_bundle_is_told_so),
        TEST(an_answer_waits_for_operations_that_were_begun),
        TEST(a_client_that_goes_away_leaves_nothing_behind),
        TEST(a_state_that_was_left_need_not_be_sent),
        TEST(a_version_is_over_when_another_reply_has_followed),
        TEST(a_failure_leaves_what_was_kept),
        TEST(nobody_else_can_refer_to_a_version),
        TEST(a_small_state_is_not_kept),
        TEST(what_asks_for_states_keeps_none),
        TEST(memory_for_states_is_bounded),
    };
    return cmocka_run_group_tests_name("requests", tests, NULL, NULL);
}
