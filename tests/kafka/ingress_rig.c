/* ingress_rig.c - see ingress_rig.h. */
#include "kafka/ingress_rig.h"

#include "base/histogram.h"
#include "base/mem.h"
#include "kafka/broker.h"
#include "test.h"

enum { PATIENCE_MS = 20000 };

static uint64_t now_ms(void)
{
    return clock_now_us() / 1000;
}

/* --- the store --- */

static struct bytes copy(struct bytes bytes)
{
    return bytes_make(bytes_string(bytes), bytes.size);
}

static void remove_range(struct rig *rig, struct bytes from, struct bytes to)
{
    size_t kept = 0;
    for (size_t i = 0; i < rig->pair_count; i++) {
        struct rig_pair *pair = &rig->pairs[i];
        if (bytes_compare(pair->key, from) < 0 || bytes_compare(pair->key, to) >= 0) {
            rig->pairs[kept++] = *pair;
            continue;
        }
        free((void *)pair->key.data);
        free((void *)pair->value.data);
    }
    rig->pair_count = kept;
}

static void remove_key(struct rig *rig, struct bytes key)
{
    struct buffer next = {0};
    buffer_add_bytes(&next, key);
    buffer_add_u8(&next, 0);
    remove_range(rig, key, buffer_bytes(&next));
    buffer_destroy(&next);
}

static void apply(struct rig *rig, const struct delta *delta)
{
    struct bytes rest = buffer_bytes(&delta->entries);
    for (struct delta_entry entry; delta_next(&rest, &entry);) {
        if (entry.change == DELTA_TRIM) {
            remove_range(rig, entry.key, entry.value);
            continue;
        }
        remove_key(rig, entry.key);
        if (entry.change == DELTA_REMOVE)
            continue;
        rig->pairs = mem_resize(rig->pairs, (rig->pair_count + 1) * sizeof *rig->pairs);
        rig->pairs[rig->pair_count++] = (struct rig_pair){copy(entry.key), copy(entry.value)};
    }
    assert_int_equal(rest.size, 0);
}

static struct kafka_position *positions_of(const struct rig *rig, size_t *ret_count)
{
    struct kafka_position *positions = mem_new(rig->pair_count * sizeof *positions);
    size_t count = 0;
    for (size_t i = 0; i < rig->pair_count; i++) {
        struct key key;
        struct sf_status status;
        assert_true(key_parse(rig->pairs[i].key, &key));
        if (key.kind == KEY_POSITION)
            assert_good(
                kafka_position_parse(key.name, rig->pairs[i].value, &positions[count++], &status),
                &status);
    }
    *ret_count = count;
    return positions;
}

static void free_positions(struct kafka_position *positions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(positions[i].topic);
    free(positions);
}

int64_t rig_position(const struct rig *rig, const char *topic, int32_t partition)
{
    size_t count;
    struct kafka_position *positions = positions_of(rig, &count);
    int64_t offset = -1;
    for (size_t i = 0; i < count; i++)
        if (positions[i].partition == partition && !strcmp(positions[i].topic, topic))
            offset = positions[i].offset;
    free_positions(positions, count);
    return offset;
}

bool rig_letter(const struct rig *rig, size_t nth, struct dead_letter *ret_letter)
{
    for (size_t i = 0; i < rig->pair_count; i++)
        if (rig->pairs[i].key.data[0] == KEY_DEAD_LETTER && nth-- == 0)
            return dead_letter_parse(rig->pairs[i].value, ret_letter);
    return false;
}

/* --- ports --- */

static void *on_attach(void *owner, const struct function_binding *binding, struct bytes ns,
                       struct bytes name)
{
    (void)binding, (void)ns, (void)name;
    return owner;
}

static void note(struct rig *rig, struct bytes target, struct bytes body)
{
    struct bytes caller = {0}, argument = {0};
    struct typed_value value;
    struct sf_status status;
    struct buffer text = {0};
    assert_true(message_body_parse(body, &caller, &argument));
    assert_int_equal(caller.size, 0);
    assert_good(typed_value_parse(argument, &value, &status), &status);
    address_add_text(&text, target);
    buffer_add_format(&text, " %.*s", BYTES_ARG(value.type));
    if (value.has_value)
        buffer_add_format(&text, "=%.*s", BYTES_ARG(value.value));
    struct header header;
    while (kafka_header_next(&argument, &header))
        buffer_add_format(&text, " [%.*s=%.*s]", BYTES_ARG(header.key), BYTES_ARG(header.value));
    rig->messages = mem_resize(rig->messages, (rig->message_count + 1) * sizeof *rig->messages);
    rig->messages[rig->message_count].text = bytes_string(buffer_bytes(&text));
    buffer_destroy(&text);
}

static void on_invoke(void *owner, void *function, struct invocation *invocation,
                      const struct to_function *request)
{
    struct rig *rig = owner;
    (void)function;
    for (size_t i = 0; i < request->message_count; i++) {
        if (!rig->is_silent)
            note(rig, request->target, request->messages[i]);
        rig->message_count++;
    }
    if ((rig->call_count & (rig->call_count + 1)) == 0)
        rig->calls =
            mem_resize(rig->calls, (rig->call_count * 2 + 2) * sizeof(struct invocation *));
    rig->calls[rig->call_count++] = invocation;
}

static bool on_load(void *owner, struct load *load)
{
    (void)owner;
    assert_true(load->is_range || load->count == 0); /* there are no states; nothing spills */
    return true;
}

static void on_post(void *owner, uint32_t worker, const struct post *post)
{
    (void)owner, (void)worker, (void)post;
    fail_msg("there is one worker");
}

static void on_sealed(void *owner, struct delta *delta)
{
    struct rig *rig = owner;
    rig->sealed = delta;
}

static void on_settle(void *owner, uint64_t receipt, enum settlement settlement, uint64_t epoch)
{
    (void)owner, (void)receipt, (void)settlement, (void)epoch;
}

static void on_room(void *owner)
{
    struct rig *rig = owner;
    rig->has_room = true;
}

static void on_hurry(void *owner, enum view_part part)
{
    (void)owner, (void)part;
}

static void on_report(void *owner, const struct report *report)
{
    struct rig *rig = owner;
    (void)report;
    rig->reports++;
}

/* --- turns --- */

static void reply_all(struct rig *rig)
{
    while (rig->call_count && !rig->is_stuck) {
        struct invocation **calls = rig->calls;
        size_t count = rig->call_count;
        rig->calls = NULL;
        rig->call_count = 0;
        for (size_t i = 0; i < count; i++)
            engine_reply(rig->engine, calls[i], &(struct from_function){0});
        free(calls);
        engine_run(rig->engine);
    }
}

static void commit(struct rig *rig)
{
    uint64_t epoch = rig->sealed->epoch;
    apply(rig, rig->sealed);
    delta_unref(rig->sealed);
    rig->sealed = NULL;
    engine_committed(rig->engine, epoch);
    engine_viewed(rig->engine, (struct view_progress){epoch, epoch});
    kafka_lane_committed(rig->lane, epoch);
}

/* As the runtime's worker does it. */
static void on_turn_end(void *owner)
{
    struct rig *rig = owner;
    rig->turns++;
    engine_run(rig->engine);
    reply_all(rig);
    if (rig->has_room) {
        rig->has_room = false;
        kafka_lane_room(rig->lane);
        loop_wake(rig->loop);
    }
    if (!rig->holds_epoch && !rig->sealed && engine_want(rig->engine) != WANT_NOTHING)
        engine_seal(rig->engine, engine_epoch(rig->engine));
    if (!rig->holds_commit && rig->sealed)
        commit(rig);
}

struct parcel {
    struct letter letter;
    struct kafka_partition *partition;
};

/* The control's thread. */
static void on_partition(void *owner, uint32_t worker, struct kafka_partition *partition)
{
    struct rig *rig = owner;
    struct parcel *parcel = mem_new(sizeof *parcel);
    struct letters letters = {0};
    (void)worker;
    parcel->partition = partition;
    letters_add(&letters, &parcel->letter);
    inbox_put(rig->inbox, &letters);
}

static void take_partitions(struct rig *rig, bool keep)
{
    struct letters letters = inbox_take(rig->inbox);
    for (struct letter *letter; (letter = letters_take(&letters));) {
        struct parcel *parcel = container_of(letter, struct parcel, letter);
        rig->partition_count++;
        if (keep)
            kafka_lane_add(rig->lane, parcel->partition);
        else
            kafka_partition_free(parcel->partition);
        free(parcel);
    }
}

static void on_wake(void *owner)
{
    take_partitions(owner, true);
}

void rig_turn(struct rig *rig, int wait_ms)
{
    loop_turn(rig->loop, wait_ms);
}

void rig_run(struct rig *rig, uint64_t ms)
{
    for (uint64_t end_ms = now_ms() + ms; now_ms() < end_ms;)
        rig_turn(rig, 10);
}

void rig_expect(struct rig *rig, size_t messages)
{
    uint64_t end_ms = now_ms() + PATIENCE_MS;
    while (rig->message_count < messages && now_ms() < end_ms)
        rig_turn(rig, 10);
    if (rig->message_count != messages)
        fail_msg("expected %zu messages, found %zu", messages, rig->message_count);
}

/* --- life --- */

void rig_add_topic(struct rig *rig, const char *topic)
{
    size_t i = rig->spec.topic_count++;
    rig->targets[i] = (struct spec_name){mem_string("test"), mem_string("fn")};
    rig->topics[i] = (struct kafka_topic_spec){.topic = mem_string(topic),
                                               .value_type = mem_string("test/type"),
                                               .targets = &rig->targets[i],
                                               .target_count = 1};
}

void rig_init(struct rig *rig, const char *topic)
{
    *rig = (struct rig){.limits = engine_limits_default, .memory_bytes = 8 << 20};
    rig->spec = (struct kafka_ingress_spec){
        .id = {mem_string("test"), mem_string("in")},
        .address = mem_string(broker_address() ? broker_address() : "127.0.0.1:1"),
        .group = mem_string(broker_new_name("group")),
        .start = KAFKA_START_EARLIEST,
        .topics = rig->topics,
    };
    rig_add_topic(rig, topic);
}

void rig_start(struct rig *rig)
{
    static const struct function_binding function = {
        .ns = {(const uint8_t *)"test", 4}, .is_prefix = true, .in_flight_max = 1000000};
    static const struct bindings bindings = {.functions = &function, .function_count = 1};
    struct sf_status status;
    rig->loop = loop_new();
    rig->inbox = inbox_new(rig->loop);
    rig->engine = engine_new(&(struct engine_options){
        .workers = 1,
        .partitions = 16,
        .epoch = 7,
        .now_ms = 1700000000000,
        .limits = rig->limits,
        .bindings = &bindings,
        .ports = {.owner = rig,
                  .attach = on_attach,
                  .invoke = on_invoke,
                  .load = on_load,
                  .post = on_post,
                  .sealed = on_sealed,
                  .settle = on_settle,
                  .room = on_room,
                  .hurry = on_hurry,
                  .report = on_report},
    });
    for (size_t i = 0; i < rig->pair_count; i++)
        assert_good(engine_restore(rig->engine, rig->pairs[i].key, rig->pairs[i].value, &status),
                    &status);
    engine_restored(rig->engine);

    size_t count;
    struct kafka_position *positions = positions_of(rig, &count);
    assert_good(
        kafka_ingress_open(&(struct kafka_ingress_options){.spec = &rig->spec,
                                                           .workers = 1,
                                                           .memory_bytes = rig->memory_bytes,
                                                           .positions = positions,
                                                           .position_count = count,
                                                           .owner = rig,
                                                           .on_partition = on_partition},
                           &rig->ingress, &status),
        &status);
    free_positions(positions, count);
    rig->lane = kafka_lane_new(rig->ingress, rig->loop, rig->engine);
    loop_on_wake(rig->loop, on_wake, rig);
    loop_on_turn_end(rig->loop, on_turn_end, rig);
}

void rig_crash(struct rig *rig)
{
    kafka_lane_stop(rig->lane);
    kafka_ingress_stop(rig->ingress);
    kafka_lane_free(rig->lane);
    kafka_ingress_close(rig->ingress);
    rig->ingress = NULL;
    take_partitions(rig, false);
    inbox_free(rig->inbox);
    engine_free(rig->engine);
    loop_free(rig->loop);
    delta_unref(rig->sealed);
    rig->sealed = NULL;
    free(rig->calls);
    rig->calls = NULL;
    rig->call_count = 0;
    rig->has_room = false;
}

void rig_destroy(struct rig *rig)
{
    if (rig->ingress) /* a test has failed */
        rig_crash(rig);
    remove_range(rig, bytes_of(""), bytes_of("\xff"));
    for (size_t i = 0; i < rig->message_count && rig->messages; i++)
        free(rig->messages[i].text);
    free(rig->messages);
    free(rig->pairs);
    for (size_t i = 0; i < rig->spec.topic_count; i++) {
        free(rig->targets[i].ns);
        free(rig->targets[i].name);
        free(rig->topics[i].topic);
        free(rig->topics[i].value_type);
    }
    free(rig->spec.id.ns);
    free(rig->spec.id.name);
    free(rig->spec.address);
    free(rig->spec.group);
}
