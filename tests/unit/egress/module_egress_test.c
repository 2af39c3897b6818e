/* module_egress_test.c - egresses in C: what they get, by which name, and again until they have it.
 *
 * `deliver` runs on a thread of its own: it writes down what it gets under a lock. */
#include "test.h"

#include "base/histogram.h"
#include "egress/module_egress.h"
#include "egress/stored.h"
#include "wire/typed_value.h"

#include <stdio.h>
#include <time.h>

enum { PATIENCE_US = 10 * 1000 * 1000 };

struct fixture {
    struct stored *stored;
    struct outbox *outbox;
    struct sf_egress spec;
    struct module_egress *egress;

    pthread_mutex_t lock;
    struct buffer told;   /* "open 3; 4.0 a/text=x; ...; epoch 4; close; " */
    struct buffer buried; /* causes */
    unsigned failures;    /* so many calls fail */
    uint64_t delivered;   /* what open says */
    uint64_t confirmed;
};

static void tell(struct fixture *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void tell(struct fixture *f, const char *format, ...)
{
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&f->lock);
    buffer_add_text(&f->told, text);
    pthread_mutex_unlock(&f->lock);
}

static bool fails(struct fixture *f)
{
    pthread_mutex_lock(&f->lock);
    bool failing = f->failures > 0;
    f->failures -= failing;
    pthread_mutex_unlock(&f->lock);
    return failing;
}

static void set_failures(struct fixture *f, unsigned failures)
{
    pthread_mutex_lock(&f->lock);
    f->failures = failures;
    pthread_mutex_unlock(&f->lock);
}

static bool open_it(void *user, uint64_t *ret_epoch, struct sf_status *status)
{
    struct fixture *f = user;
    tell(f, "open; ");
    if (fails(f))
        return sf_fail(status, SF_IO, "nobody there");
    if (f->delivered)
        *ret_epoch = f->delivered;
    return true;
}

static bool deliver(void *user, uint64_t epoch, const struct sf_egress_record *records,
                    size_t count, struct sf_status *status)
{
    struct fixture *f = user;
    for (size_t i = 0; i < count; i++)
        tell(f, "%llu.%u %.*s=%.*s; ", (unsigned long long)records[i].epoch, records[i].nth,
             (int)records[i].type.size, (const char *)records[i].type.data,
             (int)records[i].value.size, (const char *)records[i].value.data);
    if (fails(f))
        return sf_fail(status, SF_IO, "no paper");
    tell(f, "epoch %llu; ", (unsigned long long)epoch);
    return true;
}

static void close_it(void *user)
{
    tell(user, "close; ");
}

static void on_put(void *owner)
{
    struct fixture *f = owner;
    if (f->egress)
        module_egress_wake(f->egress);
}

static void on_confirmed(void *owner, uint32_t egress, uint64_t epoch)
{
    struct fixture *f = owner;
    assert_int_equal(egress, STORED_EGRESS);
    pthread_mutex_lock(&f->lock);
    f->confirmed = epoch;
    pthread_mutex_unlock(&f->lock);
}

static void on_dead(void *owner, uint32_t egress, struct bytes record_key,
                    const struct dead_letter *letter)
{
    struct fixture *f = owner;
    (void)egress, (void)record_key;
    pthread_mutex_lock(&f->lock);
    buffer_add_bytes(&f->buried, letter->value);
    pthread_mutex_unlock(&f->lock);
}

static void on_hungry(void *owner, uint32_t egress, bool hungry)
{
    (void)owner, (void)egress, (void)hungry;
}

static int set_up(void **state)
{
    struct fixture *f = mem_new(sizeof *f);
    pthread_mutex_init(&f->lock, NULL);
    f->stored = stored_new();
    f->spec = (struct sf_egress){
        .id = STORED_EGRESS_ID, .open = open_it, .deliver = deliver, .close = close_it, .user = f};
    struct outbox_reader reader = stored_reader(f->stored);
    f->outbox = outbox_new(STORED_EGRESS, STORED_EGRESS_ID, 1 << 20, &reader, on_put, f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    module_egress_close(f->egress);
    outbox_free(f->outbox);
    stored_free(f->stored);
    buffer_destroy(&f->told);
    buffer_destroy(&f->buried);
    pthread_mutex_destroy(&f->lock);
    free(f);
    return 0;
}

static void begin(struct fixture *f)
{
    struct sf_status status;
    assert_good(module_egress_open(
                    &(struct module_egress_options){
                        .egress = &f->spec,
                        .number = STORED_EGRESS,
                        .committed = f->stored->epoch,
                        .outbox = f->outbox,
                        .owner = f,
                        .on_confirmed = on_confirmed,
                        .on_dead = on_dead,
                        .on_hungry = on_hungry,
                    },
                    &f->egress, &status),
                &status);
}

/* An epoch with these texts, from two workers if there are more than two. */
static void commit(struct fixture *f, uint64_t epoch, const char *const *texts, bool put)
{
    struct bytes values[8];
    struct buffer buffers[8] = {0};
    struct delta *parts[2];
    size_t count = 0;
    for (; texts[count]; count++) {
        typed_value_add(&buffers[count], &(struct typed_value){.type = bytes_of("a/text"),
                                                               .value = bytes_of(texts[count]),
                                                               .has_value = true});
        values[count] = buffer_bytes(&buffers[count]);
    }
    size_t first = count < 2 ? count : 2;
    parts[0] = stored_part(f->stored, 0, epoch, values, first);
    parts[1] = stored_part(f->stored, 1, epoch, values + first, count - first);
    for (int i = 0; i < 2; i++)
        stored_commit(f->stored, parts[i], true);
    if (put)
        outbox_put(f->outbox, epoch, parts, 2);
    for (int i = 0; i < 2; i++)
        delta_unref(parts[i]);
    for (size_t i = 0; i < count; i++)
        buffer_destroy(&buffers[i]);
}

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void await_confirmed(struct fixture *f, uint64_t epoch)
{
    uint64_t until_us = clock_now_us() + PATIENCE_US;
    for (bool there = false; !there;) {
        pthread_mutex_lock(&f->lock);
        there = f->confirmed >= epoch;
        pthread_mutex_unlock(&f->lock);
        assert_true(there || clock_now_us() < until_us);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void expect_told(struct fixture *f, const char *told)
{
    module_egress_stop(f->egress, 1000);
    assert_string_equal(buffer_text(&f->told), told);
}

static void records_come_with_their_epoch_and_place(void **state)
{
    struct fixture *f = *state;
    begin(f);
    commit(f, 1, TEXTS("x", "y", "z"), true);
    await_confirmed(f, 1);
    commit(f, 3, TEXTS("u"), true);
    await_confirmed(f, 3);
    expect_told(f, "open; 1.0 a/text=x; 1.1 a/text=y; 1.2 a/text=z; epoch 1; 3.0 a/text=u; epoch "
                   "3; close; ");
    struct egress_figures figures;
    module_egress_figures(f->egress, &figures);
    assert_int_equal(figures.records, 4);
    assert_int_equal(figures.batches, 2);
}

/* The same names, whether from memory or from the store. */
static void what_was_stored_comes_as_it_would_have(void **state)
{
    struct fixture *f = *state;
    commit(f, 1, TEXTS("a"), false);
    commit(f, 2, TEXTS("x", "y", "z"), false);
    f->delivered = 1;
    begin(f);
    await_confirmed(f, 2);
    expect_told(f, "open; 2.0 a/text=x; 2.1 a/text=y; 2.2 a/text=z; epoch 2; close; ");
}

static void a_failed_batch_comes_again(void **state)
{
    struct fixture *f = *state;
    begin(f);
    set_failures(f, 2); /* of open, or of deliver */
    commit(f, 1, TEXTS("x"), true);
    await_confirmed(f, 1);
    module_egress_stop(f->egress, 1000);
    const char *last = strstr(buffer_text(&f->told), "1.0 a/text=x; epoch 1; close; ");
    assert_non_null(last);
    assert_int_equal(f->failures, 0);
    assert_null(strstr(last + strlen("1.0 a/text=x; epoch 1"), "epoch 1"));
}

/* A destination that knows of epochs which do not exist belongs to another data directory. */
static void a_destination_that_is_ahead_is_not_written_to(void **state)
{
    struct fixture *f = *state;
    commit(f, 1, TEXTS("a"), false);
    f->delivered = 7;
    begin(f);
    nanosleep(&(struct timespec){.tv_nsec = 100 * 1000000}, NULL);
    module_egress_stop(f->egress, 0);
    assert_true(bytes_starts_with(buffer_bytes(&f->told), bytes_of("open; close; ")));
    assert_null(strstr(buffer_text(&f->told), "a/text"));
    assert_int_equal(f->confirmed, 0);
}

static void what_is_no_typed_value_is_set_aside(void **state)
{
    struct fixture *f = *state;
    struct bytes bad = bytes_of("\xff\xff");
    struct delta *part = stored_part(f->stored, 0, 1, &bad, 1);
    begin(f);
    stored_commit(f->stored, part, true);
    outbox_put(f->outbox, 1, &part, 1);
    delta_unref(part);
    await_confirmed(f, 1);
    expect_told(f, "open; close; ");
    assert_bytes(buffer_bytes(&f->buried), "\xff\xff");
}

static void stopping_delivers_what_is_left_and_gives_up_what_fails(void **state)
{
    struct fixture *f = *state;
    begin(f);
    commit(f, 1, TEXTS("x"), true);
    module_egress_stop(f->egress, 5000);
    assert_int_equal(f->confirmed, 1);
    module_egress_close(f->egress);
    f->egress = NULL;
    begin(f);
    set_failures(f, 1000000);
    commit(f, 2, TEXTS("y"), true);
    module_egress_stop(f->egress, 100);
    assert_int_equal(f->confirmed, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(records_come_with_their_epoch_and_place),
        TEST(what_was_stored_comes_as_it_would_have),
        TEST(a_failed_batch_comes_again),
        TEST(a_destination_that_is_ahead_is_not_written_to),
        TEST(what_is_no_typed_value_is_set_aside),
        TEST(stopping_delivers_what_is_left_and_gives_up_what_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
