/* message_test.c - one message, one block of memory; and to which partition an id belongs. */
#include "test.h"

#include "engine/message.h"
#include "engine/partition.h"
#include "wire/invocation.h"

#include <stdio.h>

static void a_message_holds_target_caller_and_argument(void **state)
{
    (void)state;
    struct message *message =
        message_new(bytes_of("target"), bytes_of("caller"), bytes_of("argument"));
    struct bytes caller, argument;
    assert_bytes(message_target(message), "target");
    assert_true(message_body_parse(message_body(message), &caller, &argument));
    assert_bytes(caller, "caller");
    assert_bytes(argument, "argument");
    assert_null(message->receipt);
    assert_int_equal(message->persisted, 0);
    assert_int_equal(message_bytes(message), sizeof *message + 6 + message_body(message).size);
    message_free(message);
    message_free(NULL);
}

static void a_message_is_made_again_from_its_stored_body(void **state)
{
    (void)state;
    struct message *first = message_new(bytes_of("target"), (struct bytes){0}, bytes_of("x"));
    struct message *second = message_from_body(message_target(first), message_body(first));
    assert_true(bytes_equal(message_target(first), message_target(second)));
    assert_true(bytes_equal(message_body(first), message_body(second)));
    message_free(first);
    assert_bytes(message_target(second), "target");
    message_free(second);
}

static void a_message_that_is_freed_leaves_its_lists(void **state)
{
    (void)state;
    struct list mailbox, fresh;
    list_init(&mailbox);
    list_init(&fresh);
    struct message *message = message_new(bytes_of("t"), (struct bytes){0}, bytes_of(""));
    list_put_last(&mailbox, &message->place);
    list_put_last(&fresh, &message->fresh);
    message_free(message);
    assert_true(list_is_empty(&mailbox));
    assert_true(list_is_empty(&fresh));
}

static struct hash128 key_of(const char *target, const char *key)
{
    struct message *message = message_new(bytes_of(target), (struct bytes){0}, bytes_of(""));
    message_add_receipt(message, 7, bytes_of(key));
    assert_int_equal(message->receipt->number, 7);
    assert_int_equal(message->receipt->has_key, key[0] != '\0');
    struct hash128 hash = message->receipt->key;
    message_free(message);
    return hash;
}

static bool same(struct hash128 a, struct hash128 b)
{
    return a.low == b.low && a.high == b.high;
}

static void an_idempotency_key_is_one_with_its_address(void **state)
{
    (void)state;
    (void)key_of("target", "");
    assert_true(same(key_of("target", "key"), key_of("target", "key")));
    assert_false(same(key_of("target", "key"), key_of("target", "other")));
    assert_false(same(key_of("target", "key"), key_of("other", "key")));
    assert_false(same(key_of("ab", "c"), key_of("a", "bc"))); /* where one ends counts */
}

/* --- partitions --- */

static void an_id_belongs_to_one_partition_for_ever(void **state)
{
    (void)state;
    assert_int_equal(partition_of(bytes_of(""), 128), 66);
    assert_int_equal(partition_of(bytes_of("ann"), 128), 72);
    assert_int_equal(partition_of(bytes_of("bob"), 128), 101);
    assert_int_equal(partition_of(bytes_of("ann"), 1), 0);
}

static void partitions_are_shared_out_evenly_and_in_runs(void **state)
{
    (void)state;
    for (uint32_t workers = 1; workers <= 20; workers++) {
        uint32_t counts[20] = {0}, last = 0;
        for (uint32_t partition = 0; partition < 128; partition++) {
            uint32_t worker = partition_worker(partition, 128, workers);
            assert_in_range(worker, last, last + (partition > 0));
            assert_true(worker < workers);
            last = worker;
            counts[worker]++;
        }
        for (uint32_t i = 0; i < workers; i++)
            assert_in_range(counts[i], 128 / workers, 128 / workers + 1);
    }
}

static void ids_spread_over_all_partitions(void **state)
{
    (void)state;
    uint32_t counts[16] = {0};
    for (int i = 0; i < 16000; i++) {
        char id[16];
        snprintf(id, sizeof id, "user-%d", i);
        counts[partition_of(bytes_of(id), 16)]++;
    }
    for (int i = 0; i < 16; i++)
        assert_in_range(counts[i], 850, 1150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_holds_target_caller_and_argument),
        cmocka_unit_test(a_message_is_made_again_from_its_stored_body),
        cmocka_unit_test(a_message_that_is_freed_leaves_its_lists),
        cmocka_unit_test(an_idempotency_key_is_one_with_its_address),
        cmocka_unit_test(an_id_belongs_to_one_partition_for_ever),
        cmocka_unit_test(partitions_are_shared_out_evenly_and_in_runs),
        cmocka_unit_test(ids_spread_over_all_partitions),
    };
    return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
