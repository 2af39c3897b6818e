/* results.c - what has come of it: egress records, dead letters, states.
 *
 * To the engine there is one egress. What a function sends to any is wrapped on its way, so that
 * none needs to be declared:
 *
 *     1  id of the egress
 *     2  address of the sender
 *     3  argument (TypedValue) */
#include "harness/inside.h"

#include "engine/partition.h"
#include "wire/protobuf.h"

enum { WRAPPED_EGRESS = 1, WRAPPED_SENDER = 2, WRAPPED_ARGUMENT = 3 };

/* --- egress records --- */

bool results_accept(struct bytes argument, struct bytes *ret_record, struct sf_status *status)
{
    (void)status;
    *ret_record = argument;
    return true;
}

void results_wrap(struct arena *arena, const struct address *sender, struct from_function *reply)
{
    struct egress_message *wrapped = arena_take(arena, reply->egress_count * sizeof *wrapped);
    for (size_t i = 0; i < reply->egress_count; i++) {
        const struct egress_message *message = &reply->egresses[i];
        struct buffer id = {0}, bytes = {0};
        buffer_add_format(&id, "%.*s/%.*s", BYTES_ARG(message->ns), BYTES_ARG(message->name));
        pb_add_bytes(&bytes, WRAPPED_EGRESS, buffer_bytes(&id));
        pb_add_bytes(&bytes, WRAPPED_SENDER, sender->wire);
        pb_add_bytes(&bytes, WRAPPED_ARGUMENT, message->argument);
        wrapped[i] = (struct egress_message){
            .ns = bytes_of("statefun"),
            .name = bytes_of("harness"),
            .argument = arena_add_bytes(arena, buffer_bytes(&bytes)),
        };
        buffer_destroy(&id);
        buffer_destroy(&bytes);
    }
    reply->egresses = wrapped;
}

static struct egress *find_egress(const struct sf_harness *harness, struct bytes id)
{
    list_for_each (&harness->egresses, node) {
        struct egress *egress = container_of(node, struct egress, link);
        if (bytes_is(id, egress->id))
            return egress;
    }
    return NULL;
}

static struct egress *get_egress(struct sf_harness *harness, struct bytes id)
{
    struct egress *egress = find_egress(harness, id);
    if (!egress) {
        egress = mem_new(sizeof *egress);
        egress->id = bytes_string(id);
        list_put_last(&harness->egresses, &egress->link);
    }
    return egress;
}

static void add_record(struct sf_harness *harness, struct bytes record)
{
    struct bytes id = {0}, argument = {0};
    struct address sender = {0};
    struct pb_reader reader = pb_read(record);
    struct pb_field field;
    while (pb_next(&reader, &field)) {
        if (field.number == WRAPPED_EGRESS)
            id = field.bytes;
        else if (field.number == WRAPPED_SENDER)
            (void)address_parse(field.bytes, &sender);
        else if (field.number == WRAPPED_ARGUMENT)
            argument = field.bytes;
    }
    struct egress *egress = get_egress(harness, id);
    const struct sf_output *output =
        outputs_add(&egress->outputs,
                    &(struct made_output){.egress = id, .sender = &sender, .argument = argument});
    if (egress->consume)
        egress->consume(egress->user, output);
    const struct egress *any = find_egress(harness, (struct bytes){0});
    if (any && any->consume)
        any->consume(any->user, output);
}

/* An egress that delivers exactly once: the moment in which a record is durable is also that in
 * which it is delivered. */
void results_before_durable(void *owner, const struct commit *commit)
{
    struct sf_harness *harness = owner;
    for (uint32_t i = 0; i < commit->count; i++) {
        const struct delta *delta = commit->parts[i];
        const struct delta_outbox *outbox = &delta->outboxes[0];
        for (size_t n = 0; n < outbox->count; n++) {
            add_record(harness, delta_record_value(delta, &outbox->records[n]));
            harness->has_unconfirmed = true;
        }
    }
}

size_t sf_harness_egress_count(const struct sf_harness *harness, const char *id)
{
    const struct egress *egress = find_egress(harness, bytes_of(id));
    return egress ? egress->outputs.count : 0;
}

const struct sf_output *sf_harness_egress(const struct sf_harness *harness, const char *id,
                                          size_t index)
{
    const struct egress *egress = find_egress(harness, bytes_of(id));
    return egress ? outputs_get(&egress->outputs, index) : NULL;
}

bool sf_harness_expect_count(const struct sf_harness *harness, const char *id, size_t count,
                             struct sf_status *status)
{
    size_t found = sf_harness_egress_count(harness, id);
    if (found == count)
        return true;
    const char *last =
        found ? sf_output_text(sf_harness_egress(harness, id, found - 1)) : "nothing";
    return sf_fail(status, SF_INVALID, "expected %zu records for egress %s, found %zu, last %s",
                   count, id, found, last);
}

void sf_harness_clear(struct sf_harness *harness)
{
    list_for_each (&harness->egresses, node)
        outputs_clear(&container_of(node, struct egress, link)->outputs);
}

bool sf_harness_on_egress(struct sf_harness *harness, const char *id,
                          void (*consume)(void *user, const struct sf_output *output), void *user,
                          struct sf_status *status)
{
    struct egress *egress = get_egress(harness, bytes_of(id ? id : ""));
    if (egress->consume)
        return sf_fail(status, SF_CONFLICT, "egress %s has a callback already", id ? id : "NULL");
    egress->consume = consume;
    egress->user = user;
    return true;
}

/* --- dead letters --- */

static void add_letter(struct sf_harness *harness, struct bytes value)
{
    struct dead_letter letter;
    if (!dead_letter_parse(value, &letter))
        return;
    harness->letters =
        mem_resize(harness->letters, (harness->letter_count + 1) * sizeof *harness->letters);
    struct sf_letter *added = &harness->letters[harness->letter_count++];
    *added = (struct sf_letter){
        .kind = dead_kind_name(letter.kind),
        .cause = bytes_string(letter.cause),
        .target = bytes_string(letter.target),
        .ingress =
            bytes_string(letter.kind == DEAD_INVALID_RECORD ? letter.origin : (struct bytes){0}),
    };
}

/* Keys begin with the epoch: those that are new are behind those that are known. */
void results_read_letters(struct sf_harness *harness)
{
    static const uint8_t kind = KEY_DEAD_LETTER;
    const struct table *truth = &harness->machine.truth;
    struct bytes last = buffer_bytes(&harness->last_letter);
    size_t i = table_seek(truth, last.size ? last : bytes_make(&kind, 1));
    for (; i < truth->count && truth->rows[i].key.data[0] == kind; i++) {
        struct bytes key = truth->rows[i].key;
        if (bytes_equal(key, buffer_bytes(&harness->last_letter)))
            continue;
        add_letter(harness, truth->rows[i].value);
        buffer_clear(&harness->last_letter);
        buffer_add_bytes(&harness->last_letter, key);
    }
}

size_t sf_harness_letter_count(const struct sf_harness *harness)
{
    return harness->letter_count;
}

const struct sf_letter *sf_harness_letter(const struct sf_harness *harness, size_t index)
{
    return index < harness->letter_count ? &harness->letters[index] : NULL;
}

/* --- failures --- */

void sf_harness_expect_failure(struct sf_harness *harness, const char *part)
{
    struct expected_failure *expected = mem_new(sizeof *expected);
    expected->part = mem_string(part);
    list_put_last(&harness->expected, &expected->link);
}

static bool is_expected(struct sf_harness *harness, const struct sf_letter *letter)
{
    list_for_each (&harness->expected, node) {
        struct expected_failure *expected = container_of(node, struct expected_failure, link);
        if (!expected->has_come && strstr(letter->cause, expected->part)) {
            expected->has_come = true;
            return true;
        }
    }
    return false;
}

static void forget_expected(struct sf_harness *harness)
{
    list_for_each_safe (&harness->expected, node) {
        struct expected_failure *expected = container_of(node, struct expected_failure, link);
        list_take(node);
        free(expected->part);
        free(expected);
    }
}

static enum sf_code code_of(const struct sf_letter *letter)
{
    return strcmp(letter->kind, dead_kind_name(DEAD_FAILED)) ? SF_INVALID : SF_FAILED;
}

bool results_judge(struct sf_harness *harness, struct sf_status *status)
{
    bool good = true;
    for (; harness->judged_count < harness->letter_count; harness->judged_count++) {
        const struct sf_letter *letter = &harness->letters[harness->judged_count];
        if (!is_expected(harness, letter) && good) /* the first one is told */
            good = sf_fail(status, code_of(letter), "%s: %s",
                           *letter->target ? letter->target : letter->ingress, letter->cause);
    }
    list_for_each (&harness->expected, node) {
        struct expected_failure *expected = container_of(node, struct expected_failure, link);
        if (!expected->has_come && good)
            good = sf_fail(status, SF_INVALID,
                           "expected that a message fails with '%s', but none did", expected->part);
    }
    forget_expected(harness);
    return good;
}

/* --- states --- */

struct sf_context *sf_harness_look(struct sf_harness *harness, struct sf_address written)
{
    struct look *look = mem_new(sizeof *look);
    const struct table *truth = &harness->machine.truth;
    struct to_function request = {0};
    struct request_state *states = NULL;
    struct address address = {0};
    struct sf_status status;
    struct key key;
    batch_init(&look->batch, &harness->world);
    list_put_last(&harness->looks, &look->link);

    bool good = address_of(&look->arena, written, &address, &status);
    struct buffer from = {0};
    uint32_t partition = partition_of(address.id, harness->partitions);
    (void)key_of_state(&from, partition, address.wire, (struct bytes){0});
    size_t first = table_seek(truth, buffer_bytes(&from)), end = first;
    while (end < truth->count && key_parse(truth->rows[end].key, &key) && key.kind == KEY_STATE &&
           bytes_equal(key.subject, address.wire))
        end++;
    states = arena_take(&look->arena, (end - first + 1) * sizeof *states);
    for (size_t i = first; i < end; i++) {
        enum { DEADLINE_BYTES = 8 };
        const struct table_row *row = &truth->rows[i];
        (void)key_parse(row->key, &key);
        states[i - first] = (struct request_state){
            .name = arena_add_bytes(&look->arena, key.name),
            .value = arena_add_bytes(&look->arena, bytes_from(row->value, DEADLINE_BYTES)),
            .present = !stored_is_expired(row->key, row->value, (uint64_t)harness->now_ms),
        };
    }
    buffer_destroy(&from);
    request.target = address.wire;
    request.states = states;
    request.state_count = end - first;
    struct sf_context *context = batch_look(&look->batch, NULL, &request, harness->now_ms, true);
    if (!good)
        (void)batch_fail(&look->batch, status.message);
    return context;
}

void results_forget_looks(struct sf_harness *harness)
{
    list_for_each_safe (&harness->looks, node) {
        struct look *look = container_of(node, struct look, link);
        list_take(node);
        batch_destroy(&look->batch);
        arena_destroy(&look->arena);
        free(look);
    }
}

/* --- counts --- */

static size_t count_rows(const struct sf_harness *harness, enum key_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < harness->machine.truth.count; i++) {
        struct key key;
        struct address address;
        if (!key_parse(harness->machine.truth.rows[i].key, &key) || key.kind != kind)
            continue;
        bool is_companion = kind == KEY_MESSAGE && address_parse(key.subject, &address) &&
                            bytes_is(address.ns, ASYNC_FUNCTION_NS) &&
                            bytes_is(address.name, ASYNC_FUNCTION_NAME);
        count += !is_companion;
    }
    return count;
}

size_t sf_harness_waiting_count(const struct sf_harness *harness)
{
    return count_rows(harness, KEY_MESSAGE);
}

size_t sf_harness_delayed_count(const struct sf_harness *harness)
{
    return count_rows(harness, KEY_DELAYED);
}

int64_t sf_harness_counter(const struct sf_harness *harness, const char *type, const char *counter)
{
    struct arena arena = {0};
    struct address address;
    int64_t value = 0;
    if (address_of(&arena, (struct sf_address){.type = type, .id = ""}, &address, NULL))
        value = counters_get(&harness->counters, address.type, counter);
    arena_destroy(&arena);
    return value;
}

int64_t sf_harness_route_counter(const struct sf_harness *harness, const char *ingress,
                                 const char *counter)
{
    return counters_get(&harness->route_counters, bytes_of(ingress), counter);
}

void results_destroy(struct sf_harness *harness)
{
    results_forget_looks(harness);
    forget_expected(harness);
    list_for_each_safe (&harness->egresses, node) {
        struct egress *egress = container_of(node, struct egress, link);
        outputs_clear(&egress->outputs);
        free(egress->id);
        free(egress);
    }
    for (size_t i = 0; i < harness->letter_count; i++) {
        free((void *)harness->letters[i].cause);
        free((void *)harness->letters[i].target);
        free((void *)harness->letters[i].ingress);
    }
    free(harness->letters);
    buffer_destroy(&harness->last_letter);
    counters_destroy(&harness->counters);
    counters_destroy(&harness->route_counters);
}
