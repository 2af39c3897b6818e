/* harness_test.c - an application in order: input, time, operations, failures, and what is left. */
#include "harness/functions.h"

#include <pthread.h>
#include <unistd.h>

struct fixture {
    struct sf_harness *harness;
    struct sf_status status;
};

#define GOOD(call) assert_good((call), &f->status)

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    static const char *const config[] = {"greets=no", NULL};
    pending_operation = NULL;
    GOOD(sf_harness_new(&(struct sf_harness_options){.config = config}, &f->harness, &f->status));
    GOOD(sf_harness_add(f->harness, configure_greeter, &f->status));
    GOOD(sf_harness_add(f->harness, configure_accounts, &f->status));
    GOOD(sf_harness_add(f->harness, configure_others, &f->status));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    sf_harness_free(f->harness);
    free(f);
    return 0;
}

static void send(struct fixture *f, const char *type, const char *id, const char *text)
{
    GOOD(sf_harness_send(f->harness, sf_address(type, id), sf_string(text), &f->status));
}

static void run(struct fixture *f)
{
    GOOD(sf_harness_run(f->harness, &f->status));
}

static int64_t balance_of(struct fixture *f, const char *id)
{
    int64_t balance = 1000;
    struct sf_context *account = sf_harness_look(f->harness, sf_address("example/account", id));
    sf_get(account, &BALANCE, &balance);
    assert_null(sf_look_failure(account));
    return balance;
}

/* --- input and output --- */

static void messages_reach_functions_and_records_their_egress(void **state)
{
    struct fixture *f = *state;
    int32_t seen = 0;
    send(f, "example/greeter", "Ann", "");
    send(f, "example/greeter", "Bob", "");
    send(f, "example/greeter", "Ann", "");
    GOOD(sf_harness_expect_count(f->harness, "example/greets", 0, &f->status));
    run(f);
    GOOD(sf_harness_expect_count(f->harness, "example/greets", 3, &f->status));
    GOOD(sf_expect_kafka(sf_harness_egress(f->harness, "example/greets", 2), "greetings", "Ann",
                         "Hello Ann, 2 times", &f->status));
    assert_true(
        sf_get(sf_harness_look(f->harness, sf_address("example/greeter", "Ann")), &SEEN, &seen));
    assert_int_equal(seen, 2);
    assert_int_equal(sf_harness_counter(f->harness, "example/greeter", "greeted"), 3);
    assert_int_equal(sf_harness_counter(f->harness, "example/other", "greeted"), 0);

    sf_harness_clear(f->harness);
    assert_null(sf_harness_egress(f->harness, "example/greets", 0));
    assert_false(sf_harness_expect_count(f->harness, "example/greets", 1, &f->status));
    assert_string_equal(f->status.message,
                        "expected 1 records for egress example/greets, found 0, last nothing");
    send(f, "example/greeter", "Ann", "");
    run(f);
    assert_false(sf_harness_expect_count(f->harness, "example/greets", 2, &f->status));
    assert_mentions(f->status.message, "last example/greets: topic 'greetings', key "
                                       "'Ann', value 'Hello Ann, 3 times'");
}

static void functions_send_to_each_other(void **state)
{
    struct fixture *f = *state;
    send(f, "example/account", "ann", "bob 300");
    send(f, "example/account", "bob", "carl 1200");
    run(f);
    assert_int_equal(balance_of(f, "ann"), 700);
    assert_int_equal(balance_of(f, "bob"), 100);
    assert_int_equal(balance_of(f, "carl"), 2200);
}

static void *collected[4];
static size_t collected_count;

static void collect(void *user, const struct sf_output *output)
{
    assert_non_null(output->egress);
    collected[collected_count++] = user;
}

static void egress_records_can_be_given_to_callbacks(void **state)
{
    struct fixture *f = *state;
    int one, all;
    collected_count = 0;
    GOOD(sf_harness_on_egress(f->harness, "example/greets", collect, &one, &f->status));
    GOOD(sf_harness_on_egress(f->harness, NULL, collect, &all, &f->status));
    assert_false(sf_harness_on_egress(f->harness, NULL, collect, &all, &f->status));
    assert_int_equal(f->status.code, SF_CONFLICT);
    send(f, "example/greeter", "Ann", "");
    send(f, "example/reminder", "Ann", "ring");
    run(f);
    assert_int_equal(collected_count, 3);
    assert_ptr_equal(collected[0], &one);
    assert_ptr_equal(collected[1], &all);
    assert_ptr_equal(collected[2], &all);
}

static void records_are_shown_to_people(void **state)
{
    struct fixture *f = *state;
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    GOOD(sf_harness_on_egress(f->harness, NULL, sf_print_output, file, &f->status));
    send(f, "example/greeter", "Ann", "");
    send(f, "example/reminder", "Bob", "ring");
    run(f);
    (void)fclose(file);
    assert_string_equal(text,
                        "example/greets: topic 'greetings', key 'Ann', value 'Hello Ann, 1 times'\n"
                        "example/rings: io.statefun.types/string 'Bob'\n");
    free(text);
}

/* --- routers --- */

static struct sf_record record(const char *key, const char *value)
{
    return (struct sf_record){.key = {key, key ? strlen(key) : 0}, .value = {value, strlen(value)}};
}

static size_t lines_of(struct fixture *f, const char *id)
{
    return sf_buffer_size(sf_harness_look(f->harness, sf_address("example/notebook", id)), &LINES);
}

static void records_go_through_the_routers_of_their_ingress(void **state)
{
    struct fixture *f = *state;
    struct sf_record records[] = {record("ann", "one"), record("bob", "two"), record(NULL, "one")};
    int32_t count;
    GOOD(sf_harness_records(f->harness, "example/words", records, 3, &f->status));
    GOOD(sf_harness_record(f->harness, "example/words", records, &f->status));
    assert_int_equal(sf_harness_route_counter(f->harness, "example/words", "words"), 0);
    run(f);
    assert_int_equal(sf_harness_route_counter(f->harness, "example/words", "words"), 4);
    assert_int_equal(lines_of(f, "ann"), 2);
    assert_int_equal(lines_of(f, "bob"), 1);
    assert_int_equal(lines_of(f, "nobody"), 1);
    assert_int_equal(lines_of(f, "all"), 4);
    struct sf_context *all = sf_harness_look(f->harness, sf_address("example/notebook", "all"));
    assert_true(sf_table_get(all, &WORDS, sf_string("one"), &count));
    assert_int_equal(count, 3);
    assert_false(sf_harness_record(f->harness, "example/nothing", records, &f->status));
    assert_int_equal(f->status.code, SF_NOT_FOUND);
}

static void a_record_that_makes_no_sense_is_set_aside(void **state)
{
    struct fixture *f = *state;
    struct sf_record bad = record("ann", ""), good = record("ann", "word");
    GOOD(sf_harness_record(f->harness, "example/words", &bad, &f->status));
    GOOD(sf_harness_record(f->harness, "example/words", &good, &f->status));
    assert_false(sf_harness_run(f->harness, &f->status));
    assert_mentions(f->status.message, "example/words: a value of 0 bytes");
    assert_int_equal(lines_of(f, "ann"), 1);
    assert_int_equal(sf_harness_letter_count(f->harness), 1);
    assert_string_equal(sf_harness_letter(f->harness, 0)->kind, "invalid-record");
    assert_string_equal(sf_harness_letter(f->harness, 0)->ingress, "example/words");
    assert_null(sf_harness_letter(f->harness, 1));
    run(f); /* it was told once */
}

static void a_file_is_a_record_for_each_line(void **state)
{
    struct fixture *f = *state;
    char path[] = "/tmp/harness-test-XXXXXX";
    int file = mkstemp(path);
    assert_int_equal(write(file, "one\ntwo\r\nthree", 14), 14);
    close(file);
    bool good = sf_harness_file(f->harness, "example/words", path, &f->status);
    unlink(path);
    GOOD(good);
    run(f);
    assert_int_equal(lines_of(f, "all"), 3);
    assert_false(sf_harness_file(f->harness, "example/words", path, &f->status));
    assert_mentions(f->status.message, path);
    assert_false(sf_harness_file(f->harness, "example/nothing", path, &f->status));
    assert_int_equal(f->status.code, SF_NOT_FOUND);
}

static bool supply_three(void *user, struct sf_record *ret_record)
{
    int *count = user;
    *ret_record = record("ann", "word");
    return (*count)++ < 3;
}

static void records_can_be_supplied_by_a_callback(void **state)
{
    struct fixture *f = *state;
    int count = 0;
    GOOD(sf_harness_supply(f->harness, "example/words", supply_three, &count, 2, &f->status));
    run(f);
    assert_int_equal(lines_of(f, "ann"), 2);
    GOOD(sf_harness_supply(f->harness, "example/words", supply_three, &count, 100, &f->status));
    run(f);
    assert_int_equal(lines_of(f, "ann"), 3);
}

static uint32_t available = 2;

static bool read_words(struct sf_source *source, struct sf_status *status)
{
    struct sf_bytes position = sf_source_position(source);
    uint8_t next = position.size ? *(const uint8_t *)position.data : 0;
    assert_ptr_equal(sf_source_user(source), &available);
    if (available == 0)
        return sf_fail(status, SF_IO, "there is nothing");
    for (;; next++) {
        while (next >= available)
            if (!sf_source_pause(source, 100))
                return true;
        struct sf_record given = record(sf_source_partition(source) ? "bob" : "ann", "word");
        uint8_t behind = (uint8_t)(next + 1);
        if (!sf_emit(source, &given, (struct sf_bytes){&behind, 1}))
            return true;
    }
}

static const struct sf_ingress INGRESS = {"example/words", 2, read_words, &available};

static bool configure_ingress(struct sf_module *module, struct sf_status *status)
{
    return sf_bind_ingress(module, &INGRESS, status);
}

static void an_ingress_in_c_is_read_from_where_it_was_left(void **state)
{
    struct fixture *f = *state;
    GOOD(sf_harness_add(f->harness, configure_ingress, &f->status));
    GOOD(sf_harness_pull(f->harness, "example/words", &f->status));
    available = 3;
    GOOD(sf_harness_pull(f->harness, "example/words", &f->status));
    run(f);
    assert_int_equal(lines_of(f, "ann"), 3);
    assert_int_equal(lines_of(f, "bob"), 3);
    available = 0;
    assert_false(sf_harness_pull(f->harness, "example/words", &f->status));
    assert_string_equal(f->status.message, "ingress example/words, partition 0: there is nothing");
    assert_false(sf_harness_pull(f->harness, "example/others", &f->status));
    assert_int_equal(f->status.code, SF_NOT_FOUND);
    available = 2;
}

/* --- failures --- */

static void a_run_fails_with_the_function_that_fails(void **state)
{
    struct fixture *f = *state;
    send(f, "example/account", "ann", "nonsense");
    send(f, "example/account", "ann", "bob 1");
    assert_false(sf_harness_run(f->harness, &f->status));
    assert_int_equal(f->status.code, SF_FAILED);
    assert_mentions(f->status.message, "example/account/ann: ");
    assert_mentions(f->status.message, "not an order: nonsense");
    assert_int_equal(balance_of(f, "ann"), 999); /* what came behind it was done */
    assert_string_equal(sf_harness_letter(f->harness, 0)->kind, "failed");
    assert_string_equal(sf_harness_letter(f->harness, 0)->target, "example/account/ann");
    run(f);
}

static void a_failure_can_be_expected(void **state)
{
    struct fixture *f = *state;
    sf_harness_expect_failure(f->harness, "2000 of 1000");
    send(f, "example/account", "ann", "bob 2000");
    run(f);
    assert_int_equal(balance_of(f, "ann"), 1000);
    assert_int_equal(sf_harness_letter_count(f->harness), 1);

    sf_harness_expect_failure(f->harness, "2000 of 1000");
    send(f, "example/account", "ann", "bob 2000");
    send(f, "example/account", "ann", "bob 2000");
    assert_false(sf_harness_run(f->harness, &f->status)); /* one more than expected */
    assert_mentions(f->status.message, "2000 of 1000");

    sf_harness_expect_failure(f->harness, "2000 of 1000");
    assert_false(sf_harness_run(f->harness, &f->status));
    assert_mentions(f->status.message, "none did");
    run(f);
}

static void a_message_that_nobody_serves_fails_the_run(void **state)
{
    struct fixture *f = *state;
    send(f, "example/nobody", "ann", "");
    assert_false(sf_harness_run(f->harness, &f->status));
    assert_mentions(f->status.message, "example/nobody/ann");
    assert_string_equal(sf_harness_letter(f->harness, 0)->kind, "unserved");
}

static bool never_rest(struct sf_context *context, const struct sf_message *message)
{
    return sf_send(context, sf_self(context), sf_message_value(message));
}

static const struct sf_function RESTLESS = {.type = "example/restless", .call = never_rest};

static bool configure_restless(struct sf_module *module, struct sf_status *status)
{
    return sf_bind(module, &RESTLESS, status);
}

static void functions_that_never_come_to_an_end_are_stopped(void **state)
{
    struct fixture *f = *state;
#ifdef __SANITIZE_THREAD__
    skip(); /* a million calls, all on this thread: one and a half minutes */
#endif
    GOOD(sf_harness_add(f->harness, configure_restless, &f->status));
    send(f, "example/restless", "ann", "");
    assert_false(sf_harness_run(f->harness, &f->status));
    assert_mentions(f->status.message, "busy");
}

/* --- time --- */

static void delayed_messages_come_when_the_clock_is_moved(void **state)
{
    struct fixture *f = *state;
    int64_t begin_ms = sf_harness_now_ms(f->harness);
    send(f, "example/reminder", "Ann", "go");
    send(f, "example/reminder", "Bob", "elsewhere");
    run(f);
    assert_int_equal(sf_harness_delayed_count(f->harness), 2);
    GOOD(sf_harness_advance(f->harness, 99, &f->status));
    assert_int_equal(sf_harness_delayed_count(f->harness), 1);
    GOOD(sf_harness_expect_count(f->harness, "example/greets", 1, &f->status));
    GOOD(sf_harness_expect_count(f->harness, "example/rings", 0, &f->status));
    GOOD(sf_harness_advance(f->harness, 1, &f->status));
    GOOD(sf_harness_expect_count(f->harness, "example/rings", 1, &f->status));
    assert_int_equal(sf_harness_now_ms(f->harness), begin_ms + 100);
    assert_false(sf_harness_advance(f->harness, -1, &f->status));
    assert_int_equal(f->status.code, SF_INVALID);
}

static void a_cancelled_message_never_comes(void **state)
{
    struct fixture *f = *state;
    send(f, "example/reminder", "Ann", "go");
    GOOD(sf_harness_advance(f->harness, 50, &f->status));
    send(f, "example/reminder", "Ann", "stop");
    GOOD(sf_harness_advance(f->harness, 1000, &f->status));
    assert_int_equal(sf_harness_delayed_count(f->harness), 0);
    GOOD(sf_harness_expect_count(f->harness, "example/rings", 0, &f->status));
}

static void states_expire_with_the_clock(void **state)
{
    struct fixture *f = *state;
    struct sf_address ann = sf_address("example/notebook", "Ann");
    const char *text;
    send(f, "example/notebook", "Ann", "word");
    GOOD(sf_harness_advance(f->harness, 999, &f->status));
    assert_true(sf_get(sf_harness_look(f->harness, ann), &RECENT, &text));
    assert_string_equal(text, "word");
    GOOD(sf_harness_advance(f->harness, 1, &f->status));
    assert_false(sf_get(sf_harness_look(f->harness, ann), &RECENT, &text));
}

/* --- operations --- */

static void expect_ends(struct fixture *f, const char *expected)
{
    const char *ends = "";
    sf_get(sf_harness_look(f->harness, sf_address("example/operator", "Ann")), &ENDS, &ends);
    assert_string_equal(ends, expected);
}

static void operations_end_with_success_or_failure(void **state)
{
    struct fixture *f = *state;
    send(f, "example/operator", "Ann", "at once");
    send(f, "example/operator", "Ann", "in vain");
    run(f);
    expect_ends(f, "at once: done;in vain: no luck;");
    assert_int_equal(sf_harness_waiting_count(f->harness), 0);
}

static void *complete_later(void *operation)
{
    usleep(2000);
    sf_async_complete(operation, sf_string("later"));
    return NULL;
}

static void a_run_waits_for_operations_of_other_threads(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    send(f, "example/operator", "Ann", "somebody");
    GOOD(sf_harness_run_now(f->harness, &f->status));
    expect_ends(f, "");
    send(f, "example/operator", "Ann", "at once"); /* others are handled meanwhile */
    GOOD(sf_harness_run_now(f->harness, &f->status));
    expect_ends(f, "at once: done;");
    pthread_create(&thread, NULL, complete_later, pending_operation);
    run(f);
    pthread_join(thread, NULL);
    expect_ends(f, "at once: done;somebody: later;");
}

static void an_operation_that_takes_too_long_fails_the_run(void **state)
{
    struct fixture *f = *state;
    struct sf_harness *harness;
    GOOD(sf_harness_new(&(struct sf_harness_options){.async_ms_max = 1}, &harness, &f->status));
    GOOD(sf_harness_add(harness, configure_others, &f->status));
    GOOD(sf_harness_send(harness, sf_address("example/operator", "Ann"), sf_string("nobody"),
                         &f->status));
    assert_false(sf_harness_run(harness, &f->status));
    assert_int_equal(f->status.code, SF_TIMEOUT);
    assert_mentions(f->status.message, "of example/operator/Ann has not ended within 1 ms");
    sf_harness_free(harness);
    sf_async_fail(pending_operation, "too late");
}

static void after_a_restart_operations_are_unknown(void **state)
{
    struct fixture *f = *state;
    send(f, "example/operator", "Ann", "somebody");
    GOOD(sf_harness_run_now(f->harness, &f->status));
    GOOD(sf_harness_restart(f->harness, &f->status));
    sf_async_complete(pending_operation, sf_string("too late"));
    run(f);
    expect_ends(f, "somebody: unknown;");
}

/* --- restarts --- */

static void a_restart_keeps_what_was_done(void **state)
{
    struct fixture *f = *state;
    send(f, "example/account", "ann", "bob 300");
    send(f, "example/reminder", "Ann", "go");
    run(f);
    GOOD(sf_harness_restart(f->harness, &f->status));
    GOOD(sf_harness_restart(f->harness, &f->status));
    send(f, "example/account", "ann", "bob 300");
    GOOD(sf_harness_advance(f->harness, 100, &f->status));
    assert_int_equal(balance_of(f, "ann"), 400);
    assert_int_equal(balance_of(f, "bob"), 1600);
    GOOD(sf_harness_expect_count(f->harness, "example/rings", 1, &f->status));
}

static void a_restart_may_come_before_anything(void **state)
{
    struct fixture *f = *state;
    send(f, "example/account", "ann", "bob 300");
    GOOD(sf_harness_restart(f->harness, &f->status));
    run(f);
    assert_int_equal(balance_of(f, "ann"), 700);
}

/* --- looking --- */

static void looking_changes_nothing(void **state)
{
    struct fixture *f = *state;
    send(f, "example/greeter", "Ann", "");
    run(f);
    struct sf_context *ann = sf_harness_look(f->harness, sf_address("example/greeter", "Ann"));
    assert_string_equal(sf_self(ann).id, "Ann");
    assert_false(sf_set(ann, &SEEN, sf_int(7)));
    assert_mentions(sf_look_failure(ann), "looked at");
    struct sf_context *nobody = sf_harness_look(f->harness, sf_address("nonsense", "Ann"));
    int32_t seen;
    assert_mentions(sf_look_failure(nobody), "nonsense");
    assert_false(sf_get(nobody, &SEEN, &seen));
    send(f, "example/greeter", "Ann", "");
    run(f);
    assert_true(
        sf_get(sf_harness_look(f->harness, sf_address("example/greeter", "Ann")), &SEEN, &seen));
    assert_int_equal(seen, 2);
}

static bool table_set(struct sf_context *notes)
{
    return sf_table_set(notes, &WORDS, sf_string("a"), sf_int(7));
}

static bool table_remove(struct sf_context *notes)
{
    return sf_table_remove(notes, &WORDS, sf_string("a"));
}

static bool table_clear(struct sf_context *notes)
{
    return sf_clear(notes, &WORDS);
}

static bool buffer_append(struct sf_context *notes)
{
    return sf_buffer_append(notes, &LINES, sf_string("b"));
}

static bool buffer_clear_all(struct sf_context *notes)
{
    return sf_clear(notes, &LINES);
}

/* They are changed in a cache, which nobody would save. */
static void tables_and_buffers_cannot_be_changed_by_looking(void **state)
{
    struct fixture *f = *state;
    static bool (*const changes[])(struct sf_context * notes) = {
        table_set, table_remove, table_clear, buffer_append, buffer_clear_all};
    struct sf_address all = sf_address("example/notebook", "all");
    send(f, "example/notebook", "all", "a");
    run(f);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct sf_context *notes = sf_harness_look(f->harness, all);
        int32_t count = 0;
        assert_true(sf_table_get(notes, &WORDS, sf_string("a"), &count));
        assert_null(sf_look_failure(notes));
        assert_false(changes[i](notes));
        assert_mentions(sf_look_failure(notes), "states can only be looked at here");
        assert_true(sf_table_get(notes, &WORDS, sf_string("a"), &count));
        assert_int_equal(count, 1);
        assert_int_equal(sf_buffer_size(notes, &LINES), 1);
    }
}

static void a_state_of_another_type_is_told_when_it_is_looked_at(void **state)
{
    struct fixture *f = *state;
    static const struct sf_state seen_as_text = SF_VALUE("seen", &sf_string_type);
    const char *text;
    send(f, "example/greeter", "Ann", "");
    run(f);
    struct sf_context *ann = sf_harness_look(f->harness, sf_address("example/greeter", "Ann"));
    assert_false(sf_get(ann, &seen_as_text, &text));
    assert_mentions(sf_look_failure(ann), "io.statefun.types/int");
}

/* --- making one --- */

static void a_module_is_added_before_the_first_run(void **state)
{
    struct fixture *f = *state;
    assert_false(sf_harness_add(f->harness, configure_greeter, &f->status));
    assert_mentions(f->status.message, "example/greeter exists already");
    run(f);
    assert_false(sf_harness_add(f->harness, configure_restless, &f->status));
    assert_int_equal(f->status.code, SF_CONFLICT);
}

static void modules_are_configured_by_the_options(void **state)
{
    struct fixture *f = *state;
    static const char *const config[] = {"greets=too", NULL};
    struct sf_harness *harness;
    struct sf_harness_options options = {.config = config, .start_ms = 5, .workers = 4};
    GOOD(sf_harness_new(&options, &harness, &f->status));
    GOOD(sf_harness_add(harness, configure_others, &f->status));
    GOOD(sf_harness_send(harness, sf_address("example/greeter", "Ann"), sf_int(1), &f->status));
    GOOD(sf_harness_run(harness, &f->status));
    GOOD(sf_harness_expect_count(harness, "example/greets", 1, &f->status));
    assert_int_equal(sf_harness_now_ms(harness), 5);
    assert_false(sf_harness_is_simulated(harness));
    sf_harness_free(harness);
    sf_harness_free(NULL);
}

static void options_that_make_no_sense_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const config[] = {"greets", NULL};
    struct sf_harness *harness;
    assert_false(sf_harness_new(&(struct sf_harness_options){.workers = 5}, &harness, &f->status));
    assert_mentions(f->status.message, "5 workers");
    assert_false(
        sf_harness_new(&(struct sf_harness_options){.config = config}, &harness, &f->status));
    assert_mentions(f->status.message, "KEY=VALUE");
    assert_false(
        sf_harness_new(&(struct sf_harness_options){.start_ms = -1}, &harness, &f->status));
}

static void what_cannot_be_sent_is_refused(void **state)
{
    struct fixture *f = *state;
    struct sf_address nowhere = sf_address("nonsense", "Ann");
    assert_false(sf_harness_send(f->harness, nowhere, sf_int(1), &f->status));
    assert_mentions(f->status.message, "nonsense");
    assert_false(
        sf_harness_send(f->harness, sf_address("a/b", "c"), sf_string("\xff"), &f->status));
    assert_mentions(f->status.message, "UTF-8");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_reach_functions_and_records_their_egress),
        TEST(functions_send_to_each_other),
        TEST(egress_records_can_be_given_to_callbacks),
        TEST(records_are_shown_to_people),
        TEST(records_go_through_the_routers_of_their_ingress),
        TEST(a_record_that_makes_no_sense_is_set_aside),
        TEST(a_file_is_a_record_for_each_line),
        TEST(records_can_be_supplied_by_a_callback),
        TEST(an_ingress_in_c_is_read_from_where_it_was_left),
        TEST(a_run_fails_with_the_function_that_fails),
        TEST(a_failure_can_be_expected),
        TEST(a_message_that_nobody_serves_fails_the_run),
        TEST(functions_that_never_come_to_an_end_are_stopped),
        TEST(delayed_messages_come_when_the_clock_is_moved),
        TEST(a_cancelled_message_never_comes),
        TEST(states_expire_with_the_clock),
        TEST(operations_end_with_success_or_failure),
        TEST(a_run_waits_for_operations_of_other_threads),
        TEST(an_operation_that_takes_too_long_fails_the_run),
        TEST(after_a_restart_operations_are_unknown),
        TEST(a_restart_keeps_what_was_done),
        TEST(a_restart_may_come_before_anything),
        TEST(looking_changes_nothing),
        TEST(tables_and_buffers_cannot_be_changed_by_looking),
        TEST(a_state_of_another_type_is_told_when_it_is_looked_at),
        TEST(a_module_is_added_before_the_first_run),
        TEST(modules_are_configured_by_the_options),
        TEST(options_that_make_no_sense_are_refused),
        TEST(what_cannot_be_sent_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
