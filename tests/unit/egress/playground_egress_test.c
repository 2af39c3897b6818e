/* playground_egress_test.c - records fetched over HTTP, each once. */
#include "net/raw_socket.h"

#include "egress/playground_egress.h"
#include "wire/typed_value.h"

enum { EGRESS = 0, DONE_MAX = 16 };

struct done {
    char *key, *cause; /* of a dead letter; NULL: given away */
};

struct fixture {
    struct loop *loop;
    struct place place;
    struct outbox *outbox;
    struct playground_egress *egress;
    struct done done[DONE_MAX];
    size_t done_count;
    uint64_t epoch;
    int client;
    struct buffer in;
};

static uint64_t no_view(void *owner)
{
    (void)owner;
    return 0;
}

static void no_scan(void *owner, struct bytes from, struct bytes to,
                    bool (*visit)(void *visitor, struct bytes key, struct bytes value),
                    void *visitor)
{
    (void)owner, (void)from, (void)to, (void)visit, (void)visitor;
}

static void nothing(void *owner)
{
    (void)owner;
}

static void on_done(void *owner, uint32_t egress, struct bytes record_key,
                    const struct dead_letter *letter)
{
    struct fixture *f = owner;
    assert_int_equal(egress, EGRESS);
    assert_true(f->done_count < DONE_MAX);
    f->done[f->done_count++] = (struct done){
        .key = bytes_string(record_key),
        .cause = letter ? bytes_string(letter->cause) : NULL,
    };
}

static int set_up(void **state)
{
    static char *topics[] = {"greetings", "two words"};
    static const struct http_egress_spec spec = {
        .id = {"example", "greets"}, .topics = topics, .topic_count = 2};
    struct fixture *f = mem_new(sizeof *f);
    f->loop = loop_new();
    f->place = place_open(false);
    f->outbox = outbox_new(
        EGRESS, "io.statefun.playground/egress", 1 << 20,
        &(struct outbox_reader){.view_epoch = no_view, .scan = no_scan, .hurry = nothing}, nothing,
        NULL);
    (void)outbox_begin(f->outbox, 0, 0);
    f->egress = playground_egress_new(&(struct playground_egress_options){.spec = &spec,
                                                                          .egress = EGRESS,
                                                                          .loop = f->loop,
                                                                          .listen_fd = f->place.fd,
                                                                          .outbox = f->outbox,
                                                                          .owner = f,
                                                                          .on_done = on_done});
    f->client = raw_connect(&f->place);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    playground_egress_free(f->egress);
    loop_turn(f->loop, 0);
    outbox_free(f->outbox);
    for (size_t i = 0; i < f->done_count; i++) {
        free(f->done[i].key);
        free(f->done[i].cause);
    }
    close(f->client);
    place_close(&f->place);
    loop_free(f->loop);
    buffer_destroy(&f->in);
    free(f);
    return 0;
}

static void put_bytes(struct fixture *f, const char *key, struct bytes record)
{
    struct delta *delta = delta_new(0, ++f->epoch, 1);
    delta_put_record(delta, EGRESS, bytes_of(key), record);
    outbox_put(f->outbox, f->epoch, &delta, 1);
    delta_unref(delta);
    playground_egress_take(f->egress);
}

static void put(struct fixture *f, const char *key, const char *json)
{
    put_bytes(f, key, bytes_of(json));
}

static void put_text(struct fixture *f, const char *key, const char *topic, const char *payload)
{
    char *json = mem_format("{\"topic\": \"%s\", \"payload\": \"%s\"}", topic, payload);
    put(f, key, json);
    free(json);
}

/* One request, and its answer: the status, also in its own header, and the whole body. */
static void expect(struct fixture *f, const char *line, int status, const char *body)
{
    char *text = mem_format("%s HTTP/1.1\r\nHost: x\r\n\r\n", line);
    raw_send(f->client, text);
    free(text);
    text = mem_format("\r\n\r\n%s", body);
    until(f->loop, (raw_receive(f->client, &f->in), buffer_mentions(&f->in, "\r\n\r\n")));
    char *start = mem_format("HTTP/1.1 %d ", status),
         *header = mem_format("Status: %d\r\n", status);
    assert_true(bytes_starts_with(buffer_bytes(&f->in), bytes_of(start)));
    assert_true(buffer_mentions(&f->in, header));
    size_t size = strlen(text);
    assert_true(f->in.size >= size);
    assert_bytes(bytes_from(buffer_bytes(&f->in), f->in.size - size), text);
    buffer_clear(&f->in);
    free(text);
    free(start);
    free(header);
}

static struct playground_egress_figures figures(struct fixture *f)
{
    struct playground_egress_figures figures;
    playground_egress_figures(f->egress, &figures);
    return figures;
}

static void records_are_fetched_in_order_and_once(void **state)
{
    struct fixture *f = *state;
    put_text(f, "key 1", "greetings", "hello ann");
    put_text(f, "key 2", "greetings", "hello bob");
    assert_int_equal(figures(f).waiting, 2);
    assert_int_equal(f->done_count, 0);

    expect(f, "GET /greetings", 200, "hello ann");
    assert_int_equal(f->done_count, 1);
    assert_string_equal(f->done[0].key, "key 1");
    assert_null(f->done[0].cause);
    expect(f, "GET /greetings", 200, "hello bob");
    assert_string_equal(f->done[1].key, "key 2");
    expect(f, "GET /greetings", 404, "");
    assert_int_equal(figures(f).waiting, 0);
    assert_int_equal(figures(f).fetched, 2);
    assert_int_equal(f->done_count, 2);
}

static void topics_have_queues_of_their_own(void **state)
{
    struct fixture *f = *state;
    put_text(f, "key 1", "greetings", "hello");
    put_text(f, "key 2", "two words", "over there");
    expect(f, "GET /two%20words?x=y", 200, "over there");
    expect(f, "GET /two%20words", 404, "");
    expect(f, "GET /greetings", 200, "hello");
}

static void a_payload_may_be_any_text(void **state)
{
    struct fixture *f = *state;
    put(f, "key", "{\"payload\":\"\\\"\\u00e4\\n\", \"topic\":\"greetings\", \"more\": [1]}");
    expect(f, "GET /greetings", 200, "\"\xc3\xa4\n");
    put_text(f, "key", "greetings", "");
    expect(f, "GET /greetings", 200, "");
}

/* Of any bytes; and its key does not matter. */
static void a_record_for_kafka_is_kept_too(void **state)
{
    struct fixture *f = *state;
    struct buffer record = {0};
    kafka_record_add(&record, &(struct kafka_record){.topic = bytes_of("greetings"),
                                                     .key = bytes_of("{\"topic\": \"two words\"}"),
                                                     .value = bytes_of("hello \xff")});
    put_bytes(f, "key 1", buffer_bytes(&record));
    expect(f, "GET /greetings", 200, "hello \xff");

    buffer_clear(&record);
    kafka_record_add(&record, &(struct kafka_record){.topic = bytes_of("unknown")});
    put_bytes(f, "key 2", buffer_bytes(&record));
    assert_string_equal(f->done[1].cause, "the playground egress has no topic 'unknown'");
    buffer_destroy(&record);
}

static void what_is_not_there_is_not_found(void **state)
{
    struct fixture *f = *state;
    expect(f, "GET /greetings", 404, "");
    expect(f, "GET /unknown", 404, "no such topic\n");
    expect(f, "GET /", 404, "no such topic\n");
    expect(f, "GET /greetings/more", 404, "no such topic\n");
    expect(f, "GET /%zz", 404, "no such topic\n");
}

static void only_get_takes_a_record(void **state)
{
    struct fixture *f = *state;
    put_text(f, "key", "greetings", "hello");
    expect(f, "DELETE /greetings", 405, "only GET is served here\n");
    expect(f, "POST /greetings", 405, "only GET is served here\n");
    assert_int_equal(figures(f).waiting, 1);
    assert_int_equal(f->done_count, 0);
}

static void a_record_for_a_topic_that_is_not_is_set_aside(void **state)
{
    struct fixture *f = *state;
    put_text(f, "key", "unknown", "hello");
    assert_int_equal(f->done_count, 1);
    assert_string_equal(f->done[0].key, "key");
    assert_string_equal(f->done[0].cause, "the playground egress has no topic 'unknown'");
    assert_int_equal(figures(f).waiting, 0);
}

/* Stored by an earlier version, perhaps: it must not stop the others. */
static void a_record_that_cannot_be_read_is_set_aside(void **state)
{
    struct fixture *f = *state;
    put(f, "key 1", "not JSON");
    put(f, "key 2", "[]");
    put_text(f, "key 3", "greetings", "hello");
    assert_int_equal(f->done_count, 2);
    assert_mentions(f->done[0].cause, "not JSON");
    assert_mentions(f->done[1].cause, "must be");
    expect(f, "GET /greetings", 200, "hello");
}

/* --- what is accepted from functions --- */

static bool accepts(const char *type, const char *value, struct sf_status *status)
{
    struct buffer argument = {0};
    typed_value_add(
        &argument,
        &(struct typed_value){.type = bytes_of(type), .value = bytes_of(value), .has_value = true});
    struct bytes record;
    bool good = playground_egress_accept(buffer_bytes(&argument), &record, status);
    if (good)
        assert_bytes(record, value);
    buffer_destroy(&argument);
    return good;
}

static void only_egress_records_are_accepted(void **state)
{
    (void)state;
    static const char type[] = "io.statefun.playground/EgressRecord";
    struct sf_status status = {0};
    assert_good(accepts(type, "{\"topic\": \"t\", \"payload\": \"p\"}", &status), &status);
    assert_good(accepts(type, "{\"topic\": \"t\", \"payload\": \"\", \"x\": null}", &status),
                &status);

    assert_false(accepts("io.statefun.types/string", "{}", &status));
    assert_mentions(status.message, "found 'io.statefun.types/string'");
    static const char *const bad[] = {"",
                                      "{",
                                      "null",
                                      "[]",
                                      "{}",
                                      "\"text\"",
                                      "{\"topic\": \"t\"}",
                                      "{\"topic\": 1, \"payload\": \"p\"}",
                                      "{\"topic\": \"t\", \"payload\": {}}",
                                      "{\"topic\": \"t\", \"topic\": \"u\", \"payload\": \"p\"}",
                                      "{\"topic\": \"t\", \"payload\": \"\xff\"}",
                                      "{\"topic\": \"t\", \"payload\": \"p\"} more"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (accepts(type, bad[i], &status))
            fail_msg("taken for good: %s", bad[i]);
    struct bytes record;
    assert_false(playground_egress_accept(bytes_of("\x0a\x7f"), &record, &status));

    assert_good(accepts(TYPE_KAFKA_RECORD, "\x1a\x01t", &status), &status);
    assert_false(accepts(TYPE_KAFKA_RECORD, "", &status));
    assert_mentions(status.message, "has no topic");
    assert_false(accepts(TYPE_KAFKA_RECORD, "{\"topic\": \"t\", \"payload\": \"p\"}", &status));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_are_fetched_in_order_and_once),
        TEST(topics_have_queues_of_their_own),
        TEST(a_payload_may_be_any_text),
        TEST(a_record_for_kafka_is_kept_too),
        TEST(what_is_not_there_is_not_found),
        TEST(only_get_takes_a_record),
        TEST(a_record_for_a_topic_that_is_not_is_set_aside),
        TEST(a_record_that_cannot_be_read_is_set_aside),
        cmocka_unit_test(only_egress_records_are_accepted),
    };
    return cmocka_run_group_tests_name("playground_egress", tests, NULL, NULL);
}
