/* failure.c - what becomes of an invocation that failed.
 *
 * An address that fails backs off alone; an endpoint that cannot be reached at all is probed by one
 * request at a time while its addresses keep their places. When an address has failed as often or
 * as long as its endpoint's policy allows, it is parked, or the message that fails is set aside.
 *
 * That message must be found first, as a whole batch fails. The search halves the oldest messages
 * among which it is (the suspects): those that succeed on the way are done, in order. What is left
 * of the batch when one was found is doubtful, as it failed with it: it is tried in batches of a
 * size that has worked, which doubles, and is searched again as soon as one fails. Only what has
 * used up the whole allowance alone is set aside, so a function that merely stumbles while the
 * search goes on costs nobody a message. Endpoints that cannot be reached count for nothing here.
 */
#include "engine/inside.h"

enum { BACKOFF_FIRST_MS = 10, OUTAGE_BACKOFF_MS_MAX = 1000, RETRY_AFTER_MS_MAX = 300 * 1000 };

/* Doubles with each failure up to `most`; less up to a quarter by a hash, so that what failed
 * together does not come back together. */
static uint64_t backoff_ms(uint64_t failures, uint64_t most, uint64_t hash)
{
    uint64_t doublings = failures > 20 ? 20 : failures - 1;
    uint64_t ms = (uint64_t)BACKOFF_FIRST_MS << doublings;
    if (ms > most)
        ms = most;
    return ms - ms * ((hash ^ failures * UINT64_C(0x9e3779b97f4a7c15)) >> 56) / 1024;
}

static void report(struct engine *engine, enum report_kind kind, struct bytes address,
                   struct bytes cause, uint64_t attempts)
{
    struct report report = {.kind = kind, .address = address, .cause = cause, .attempts = attempts};
    engine->options.ports.report(engine->options.ports.owner, &report);
}

/* --- parking --- */

static void park(struct engine *engine, struct instance *instance, struct bytes cause)
{
    struct bytes address = instance_address(instance);
    report(engine, REPORT_PARKED, address, cause, instance->invocation->failures);
    instance_end_invocation(engine, instance);
    instance_park(engine, instance);

    buffer_clear(&engine->value);
    stored_parked_add(&engine->value,
                      &(struct stored_parked){.cause = cause, .time_ms = engine->now_ms});
    delta_put(engine->open, key_of_parked(&engine->key, instance->partition, address),
              buffer_bytes(&engine->value));
}

void failure_restore_parked(struct engine *engine, struct bytes address, struct function_type *type)
{
    instance_park(engine, instance_get(engine, type, address));
}

size_t failure_resume_type(struct engine *engine, struct function_type *type, struct bytes address)
{
    size_t count = 0;
    list_for_each_safe (&type->parked, node) {
        struct instance *instance = container_of(node, struct instance, turn);
        if (address.size && !bytes_equal(instance_address(instance), address))
            continue;
        instance_resume(engine, instance);
        count++;
    }
    return count;
}

/* --- the message that fails --- */

/* The oldest are tried next, at most so many; one of `suspects` fails. */
static void try_next(struct invocation *invocation, size_t suspects, size_t batch_max)
{
    invocation->suspects = suspects;
    invocation->batch_max = batch_max;
    invocation->attempts = 0;
    invocation->is_alone = false;
}

static void search(struct invocation *invocation, size_t suspects)
{
    if (invocation->doubtful < suspects)
        invocation->doubtful = suspects;
    try_next(invocation, suspects, (suspects + 1) / 2);
}

/* So many of the oldest are through. True if the search goes on with what is left, in batches of
 * `size` if it is not known that one of them fails. */
static bool go_on_searching(struct invocation *invocation, size_t count, size_t size)
{
    size_t suspects = invocation->suspects > count ? invocation->suspects - count : 0;
    invocation->doubtful -= count < invocation->doubtful ? count : invocation->doubtful;
    if (suspects)
        search(invocation, suspects);
    else if (invocation->doubtful)
        try_next(invocation, 0, size ? size : 1);
    return invocation->doubtful > 0;
}

/* It was alone, and is the oldest. */
static void set_aside(struct engine *engine, struct instance *instance, struct bytes cause)
{
    struct message *message = list_first(&instance->front, struct message, place);
    struct bytes caller, argument;
    bool good = message_body_parse(message_body(message), &caller, &argument);
    assert(good && instance->invocation->batch == 1);
    struct buffer text = {0};
    buffer_add_format(&text, "its function has failed on it %llu times, last: %.*s",
                      (unsigned long long)instance->invocation->attempts, BYTES_ARG(cause));
    letter_put_message(engine, DEAD_FAILED, instance_address(instance), caller, argument,
                       buffer_bytes(&text));
    buffer_destroy(&text);

    instance_drop(engine, instance, 1);
    instance->invocation->suspects = 0; /* it was the one; whether there are others nobody knows */
    if (!go_on_searching(instance->invocation, 1, instance->invocation->worked))
        instance_end_invocation(engine, instance);
    instance_go_on(engine, instance);
}

void failure_end(struct engine *engine, struct instance *instance)
{
    struct invocation *invocation = instance->invocation;
    invocation->worked = invocation->batch;
    if (go_on_searching(invocation, invocation->batch, invocation->batch * 2))
        return;
    if (invocation->reported)
        report(engine, REPORT_RECOVERED, instance_address(instance), (struct bytes){0},
               invocation->failures);
    instance_end_invocation(engine, instance);
}

/* --- failures --- */

static void back_off(struct engine *engine, struct instance *instance, uint64_t retry_after_ms)
{
    struct invocation *invocation = instance->invocation;
    uint64_t failures = invocation->attempts ? invocation->attempts : 1;
    uint64_t wait_ms =
        backoff_ms(failures, engine->options.limits.retry_ms_max, instance->by_address.hash);
    if (retry_after_ms > RETRY_AFTER_MS_MAX)
        retry_after_ms = RETRY_AFTER_MS_MAX;
    instance->lifecycle = WAITING;
    invocation->retry.when = engine->now_ms + (wait_ms > retry_after_ms ? wait_ms : retry_after_ms);
    heap_put(&engine->waiting, &invocation->retry);
    engine->figures.retrying++;
}

static void count_failure(struct engine *engine, struct invocation *invocation,
                          const struct failure_policy *policy)
{
    bool is_alone = policy->end == FAILURE_DEAD_LETTER && invocation->batch == 1;
    if (is_alone && !invocation->is_alone)
        invocation->attempts = 0; /* what failed before may have been others */
    invocation->is_alone = is_alone;
    invocation->failures++;
    if (invocation->attempts++ == 0)
        invocation->failing_since_ms = engine->now_ms;
}

static bool is_enough(const struct engine *engine, const struct invocation *invocation,
                      const struct failure_policy *policy)
{
    uint64_t failing_ms = engine->now_ms - invocation->failing_since_ms;
    return (policy->attempts && invocation->attempts >= policy->attempts) ||
           (policy->within_ms && failing_ms >= policy->within_ms);
}

void failure_of_address(struct engine *engine, struct instance *instance, struct bytes cause,
                        uint64_t retry_after_ms, bool blames_batch)
{
    struct invocation *invocation = instance->invocation;
    const struct failure_policy *policy = &instance->type->binding->failures;
    count_failure(engine, invocation, policy);
    if (!invocation->reported) {
        invocation->reported = true;
        report(engine, REPORT_FAILING, instance_address(instance), cause, invocation->failures);
    }

    if (instance_let_ahead(instance)) { /* it may mend what fails: the next try comes at once */
        instance_make_ready(engine, instance, false);
        return;
    }
    bool enough = is_enough(engine, invocation, policy);
    if (policy->end == FAILURE_PARK && enough) {
        park(engine, instance, cause);
        return;
    }
    bool sets_aside = policy->end == FAILURE_DEAD_LETTER && blames_batch;
    if (sets_aside && invocation->batch > 1 && (enough || invocation->doubtful)) {
        search(invocation, invocation->batch);
    } else if (sets_aside && invocation->batch == 1 && enough) {
        set_aside(engine, instance, cause);
        return;
    }
    back_off(engine, instance, retry_after_ms);
}

void failure_of_endpoint(struct engine *engine, struct instance *instance, struct bytes cause)
{
    struct function_type *type = instance->type;
    (void)instance_let_ahead(instance);
    instance_make_ready(engine, instance, true);
    if (heap_holds(&type->retry))
        return; /* one of several that were under way when the endpoint went */

    type->outage_failures++;
    if (type->outage_failures == 1)
        report(engine, REPORT_FAILING, instance_address(instance), cause, 1);
    type->retry.when = engine->now_ms +
                       backoff_ms(type->outage_failures, OUTAGE_BACKOFF_MS_MAX, type->by_name.hash);
    heap_put(&engine->outages, &type->retry);
}

void failure_end_outage(struct engine *engine, struct instance *instance)
{
    struct function_type *type = instance->type;
    type->proven = true;
    if (!type->outage_failures)
        return;
    report(engine, REPORT_RECOVERED, instance_address(instance), (struct bytes){0},
           type->outage_failures);
    type->outage_failures = 0;
    heap_take(&engine->outages, &type->retry);
    if (type->binding->failures.resumes) {
        (void)failure_resume_type(engine, type, (struct bytes){0});
        delivery_tell_others(engine, POST_RECOVERED, type->wire);
    }
}

void failure_time(struct engine *engine)
{
    struct heap_node *node;
    while ((node = heap_first(&engine->waiting)) && node->when <= engine->now_ms) {
        struct invocation *invocation = container_of(node, struct invocation, retry);
        heap_take(&engine->waiting, node);
        engine->figures.retrying--;
        instance_make_ready(engine, invocation->instance, false);
    }
    while ((node = heap_first(&engine->outages)) && node->when <= engine->now_ms) {
        struct function_type *type = container_of(node, struct function_type, retry);
        heap_take(&engine->outages, node);
        function_update_turn(engine, type);
    }
}
