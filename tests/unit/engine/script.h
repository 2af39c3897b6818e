/* script.h - one engine in a world where nothing happens by itself.
 *
 * A test plays everybody else: it offers records, answers the calls that were recorded, moves the
 * clock and commits. There is one worker; loads are answered at once from what was committed. What
 * several workers and unlucky timing do to each other is tests/sim's business. */
#ifndef UNIT_ENGINE_SCRIPT_H
#define UNIT_ENGINE_SCRIPT_H

#include "test.h"

#include "base/arena.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/partition.h"

#include <assert.h>
#include <stdio.h>

enum { START_MS = 1000 * 1000, SCRIPT_MAX = 64 };

/* A request as the engine sent it. */
struct call {
    struct invocation *invocation; /* NULL: answered */
    struct address target;
    struct request_state *states;
    size_t state_count;
    struct bytes *messages; /* bodies */
    size_t message_count;
    uint64_t version;
};

struct stored {
    struct bytes key, value; /* owned */
};

struct script {
    struct engine *engine;
    struct engine_options options;
    struct sf_status status;
    struct arena arena; /* of all that was recorded */
    uint64_t now_ms;

    struct call calls[SCRIPT_MAX];
    size_t call_count, answered;
    struct delta *sealed; /* the last one */
    struct stored *store; /* what was committed, in key order */
    size_t stored_count;
    struct {
        uint64_t receipt, epoch;
        enum settlement settlement;
    } settled[SCRIPT_MAX];
    size_t settled_count;
    struct found_state found[SCRIPT_MAX]; /* by the last read, or expected in a conflict */
    size_t found_count;
    struct report reports[SCRIPT_MAX];
    size_t report_count;
    int rooms, hurries;
};

/* --- what the engine finds --- */

static inline bool script_accept_record(struct bytes argument, struct bytes *ret_record,
                                        struct sf_status *status)
{
    struct typed_value value;
    if (!typed_value_parse(argument, &value, status))
        return false;
    if (!bytes_is(value.type, "record"))
        return sf_fail(status, SF_INVALID, "expected a record");
    *ret_record = value.value;
    return true;
}

/* a/f and a/g; a/pairs takes two messages at a time; all of b; an egress a/out. */
static inline const struct bindings *script_bindings(void)
{
    static struct function_binding functions[4];
    static struct egress_binding egresses[2];
    static const struct bindings bindings = {functions, 4, egresses, 2, {0}};
    static const char *const names[] = {"f", "g", "pairs", ""};
    for (size_t i = 0; i < 4; i++)
        functions[i] = (struct function_binding){.ns = bytes_of(i < 3 ? "a" : "b"),
                                                 .name = bytes_of(names[i]),
                                                 .is_prefix = i == 3,
                                                 .batch_max = i == 2 ? 2 : 0,
                                                 .in_flight_max = 100};
    egresses[0] = (struct egress_binding){bytes_of("a"), bytes_of("out"), bytes_of("a/out"),
                                          script_accept_record};
    egresses[1] = (struct egress_binding){bytes_of("a"), bytes_of("other"), bytes_of("a/other"),
                                          script_accept_record};
    return &bindings;
}

static inline void *script_attach(void *owner, const struct function_binding *binding,
                                  struct bytes ns, struct bytes name)
{
    (void)owner, (void)ns, (void)name;
    return (void *)binding;
}

static inline void script_invoke(void *owner, void *function, struct invocation *invocation,
                                 const struct to_function *request)
{
    struct script *s = owner;
    assert(s->call_count < SCRIPT_MAX);
    assert(function);
    struct call *call = &s->calls[s->call_count++];
    *call = (struct call){.invocation = invocation,
                          .state_count = request->state_count,
                          .message_count = request->message_count,
                          .version = request->version};
    call->target = address_known(arena_add_bytes(&s->arena, request->target));
    call->states = arena_take(&s->arena, call->state_count * sizeof *call->states);
    for (size_t i = 0; i < call->state_count; i++) {
        call->states[i] = request->states[i];
        call->states[i].name = arena_add_bytes(&s->arena, request->states[i].name);
        call->states[i].value = arena_add_bytes(&s->arena, request->states[i].value);
    }
    call->messages = arena_take(&s->arena, call->message_count * sizeof *call->messages);
    for (size_t i = 0; i < call->message_count; i++)
        call->messages[i] = arena_add_bytes(&s->arena, request->messages[i]);
}

static inline struct stored *script_find(struct script *s, struct bytes key)
{
    for (size_t i = 0; i < s->stored_count; i++)
        if (bytes_equal(s->store[i].key, key))
            return &s->store[i];
    return NULL;
}

static inline bool script_load(void *owner, struct load *load)
{
    struct script *s = owner;
    struct bytes keys = buffer_bytes(&load->keys), bounds[2];
    for (size_t i = 0; keys.size; i++) {
        struct bytes key = bytes_make(keys.data + 4, u32_get(keys.data));
        keys = bytes_from(keys, 4 + key.size);
        if (load->is_range) {
            bounds[i] = key;
            continue;
        }
        const struct stored *stored = script_find(s, key);
        buffer_add_u8(&load->results, stored != NULL);
        buffer_add_u32(&load->results, stored ? (uint32_t)stored->value.size : 0);
        if (stored)
            buffer_add_bytes(&load->results, stored->value);
    }
    for (size_t i = 0; load->is_range && i < s->stored_count; i++) {
        if (bytes_compare(s->store[i].key, bounds[0]) < 0 ||
            bytes_compare(s->store[i].key, bounds[1]) >= 0)
            continue;
        buffer_add_u32(&load->results, (uint32_t)s->store[i].key.size);
        buffer_add_bytes(&load->results, s->store[i].key);
        buffer_add_u32(&load->results, (uint32_t)s->store[i].value.size);
        buffer_add_bytes(&load->results, s->store[i].value);
    }
    return true;
}

static inline void script_post(void *owner, uint32_t worker, const struct post *post)
{
    (void)owner, (void)worker, (void)post;
    fail_msg("%s", "there is one worker only");
}

static inline void script_sealed(void *owner, struct delta *delta)
{
    struct script *s = owner;
    delta_unref(s->sealed);
    s->sealed = delta;
}

static inline void script_settle(void *owner, uint64_t receipt, enum settlement settlement,
                                 uint64_t epoch)
{
    struct script *s = owner;
    assert(s->settled_count < SCRIPT_MAX);
    s->settled[s->settled_count].receipt = receipt;
    s->settled[s->settled_count].settlement = settlement;
    s->settled[s->settled_count++].epoch = epoch;
}

/* The test keeps the request. */
static inline void script_dead_done(void *owner, struct dead_request *request)
{
    (void)owner, (void)request;
}

static inline void script_found(void *owner, uint64_t receipt, const struct found_state *states,
                                size_t count)
{
    struct script *s = owner;
    (void)receipt;
    assert(count <= SCRIPT_MAX);
    s->found_count = count;
    for (size_t i = 0; i < count; i++) {
        s->found[i] = states[i];
        s->found[i].name = arena_add_bytes(&s->arena, states[i].name);
        s->found[i].type = arena_add_bytes(&s->arena, states[i].type);
        s->found[i].value = arena_add_bytes(&s->arena, states[i].value);
    }
}

static inline void script_room(void *owner)
{
    ((struct script *)owner)->rooms++;
}

static inline void script_hurry(void *owner, enum view_part part)
{
    (void)part;
    ((struct script *)owner)->hurries++;
}

static inline void script_report(void *owner, const struct report *report)
{
    struct script *s = owner;
    assert(s->report_count < SCRIPT_MAX);
    s->reports[s->report_count] = *report;
    s->reports[s->report_count].address = arena_add_bytes(&s->arena, report->address);
    s->reports[s->report_count++].cause = arena_add_bytes(&s->arena, report->cause);
}

/* --- beginning, crashing, ending --- */

static inline void script_start(struct script *s)
{
    s->options.now_ms = s->now_ms;
    s->engine = engine_new(&s->options);
    for (size_t i = 0; i < s->stored_count; i++)
        assert_good(engine_restore(s->engine, s->store[i].key, s->store[i].value, &s->status),
                    &s->status);
    engine_restored(s->engine);
    engine_time(s->engine, s->now_ms);
    engine_run(s->engine);
}

static inline int script_set_up(void **state)
{
    struct script *s = mem_new(sizeof *s);
    s->now_ms = START_MS;
    s->options = (struct engine_options){
        .workers = 1,
        .partitions = 8,
        .hash_seed = 1,
        .epoch = 1,
        .remember_specs = true,
        .limits = engine_limits_default,
        .bindings = script_bindings(),
        .ports = {.owner = s,
                  .attach = script_attach,
                  .invoke = script_invoke,
                  .load = script_load,
                  .post = script_post,
                  .sealed = script_sealed,
                  .settle = script_settle,
                  .dead_done = script_dead_done,
                  .found = script_found,
                  .room = script_room,
                  .hurry = script_hurry,
                  .report = script_report},
    };
    script_start(s);
    *state = s;
    return 0;
}

static inline void script_stop(struct script *s)
{
    engine_free(s->engine);
    delta_unref(s->sealed);
    s->engine = NULL;
    s->sealed = NULL;
    s->call_count = s->answered = 0;
}

/* With other limits or bindings, which the test has put into `options`; nothing is committed yet.
 */
static inline void script_restart_empty(struct script *s)
{
    script_stop(s);
    script_start(s);
}

/* All that was not committed is lost; the next life goes on from what was. */
static inline void script_crash(struct script *s)
{
    s->options.epoch = engine_epoch(s->engine);
    script_stop(s);
    script_start(s);
}

static inline int script_tear_down(void **state)
{
    struct script *s = *state;
    script_stop(s);
    for (size_t i = 0; i < s->stored_count; i++) {
        free((void *)s->store[i].key.data);
        free((void *)s->store[i].value.data);
    }
    free(s->store);
    arena_destroy(&s->arena);
    free(s);
    return 0;
}

#define SCRIPT(name) cmocka_unit_test_setup_teardown(name, script_set_up, script_tear_down)

/* --- what others do --- */

static inline struct bytes script_typed(struct script *s, const char *type, const char *text)
{
    struct buffer body = {0};
    typed_value_add(&body, &(struct typed_value){
                               .type = bytes_of(type), .value = bytes_of(text), .has_value = true});
    struct bytes copy = arena_add_bytes(&s->arena, buffer_bytes(&body));
    buffer_destroy(&body);
    return copy;
}

static inline struct address script_address(struct script *s, const char *ns, const char *name,
                                            const char *id)
{
    struct address address;
    assert_good(
        address_make(bytes_of(ns), bytes_of(name), bytes_of(id), &s->arena, &address, &s->status),
        &s->status);
    return address;
}

/* A record from an ingress, for one function of namespace a. */
static inline struct record script_record(struct script *s, const char *name, const char *id,
                                          const char *text)
{
    struct record_target *target = arena_take(&s->arena, sizeof *target);
    *target = (struct record_target){bytes_of("a"), bytes_of(name)};
    return (struct record){.id = bytes_of(id),
                           .origin = bytes_of("the script"),
                           .targets = target,
                           .target_count = 1,
                           .argument = script_typed(s, "text", text)};
}

static inline enum acceptance script_offer(struct script *s, const struct record *record)
{
    enum acceptance acceptance = engine_accept(s->engine, record);
    engine_run(s->engine);
    return acceptance;
}

static inline void script_send(struct script *s, const char *name, const char *id, const char *text)
{
    struct record record = script_record(s, name, id, text);
    assert_int_equal(script_offer(s, &record), ACCEPTED);
}

/* The oldest call that nobody has looked at. */
static inline struct call *script_call(struct script *s)
{
    if (s->answered == s->call_count)
        fail_msg("expected an invocation after %zu", s->call_count);
    return &s->calls[s->answered++];
}

static inline void script_expect_no_call(struct script *s)
{
    if (s->answered < s->call_count)
        fail_msg("an invocation of %.*s was not expected",
                 BYTES_ARG(s->calls[s->answered].target.name));
}

static inline void script_answer(struct script *s, struct call *call,
                                 const struct from_function *reply)
{
    struct invocation *invocation = call->invocation;
    call->invocation = NULL;
    engine_reply(s->engine, invocation, reply);
    engine_run(s->engine);
}

static inline void script_answer_nothing(struct script *s, struct call *call)
{
    struct from_function nothing = {0};
    script_answer(s, call, &nothing);
}

static inline void script_fail(struct script *s, struct call *call, bool of_endpoint,
                               const char *cause)
{
    struct invocation *invocation = call->invocation;
    call->invocation = NULL;
    struct failure failure = {.of_endpoint = of_endpoint, .cause = bytes_of(cause)};
    engine_fail(s->engine, invocation, &failure);
    engine_run(s->engine);
}

static inline void script_advance(struct script *s, uint64_t ms)
{
    s->now_ms += ms;
    engine_time(s->engine, s->now_ms);
    engine_run(s->engine);
}

/* --- the store --- */

static inline void script_remove(struct script *s, struct bytes from, struct bytes to)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->stored_count; i++) {
        bool goes = to.size ? bytes_compare(s->store[i].key, from) >= 0 &&
                                  bytes_compare(s->store[i].key, to) < 0
                            : bytes_equal(s->store[i].key, from);
        if (goes) {
            free((void *)s->store[i].key.data);
            free((void *)s->store[i].value.data);
        } else {
            s->store[kept++] = s->store[i];
        }
    }
    s->stored_count = kept;
}

static inline void script_put(struct script *s, struct bytes key, struct bytes value)
{
    script_remove(s, key, (struct bytes){0});
    s->store = mem_resize(s->store, (s->stored_count + 1) * sizeof *s->store);
    size_t at = s->stored_count++;
    while (at > 0 && bytes_compare(s->store[at - 1].key, key) > 0) {
        s->store[at] = s->store[at - 1];
        at--;
    }
    s->store[at] = (struct stored){bytes_make(bytes_string(key), key.size),
                                   bytes_make(bytes_string(value), value.size)};
}

/* Ends the open epoch and makes it durable; its delta stays in `sealed`. */
static inline void script_commit(struct script *s)
{
    uint64_t epoch = engine_epoch(s->engine);
    engine_seal(s->engine, epoch);
    assert_non_null(s->sealed);
    assert_int_equal(s->sealed->epoch, epoch);
    struct bytes rest = buffer_bytes(&s->sealed->entries);
    struct delta_entry entry;
    while (delta_next(&rest, &entry)) {
        if (entry.change == DELTA_PUT)
            script_put(s, entry.key, entry.value);
        else
            script_remove(s, entry.key, entry.value);
    }
    assert_int_equal(rest.size, 0);
    engine_committed(s->engine, epoch);
    engine_viewed(s->engine, (struct view_progress){epoch, epoch});
    engine_run(s->engine);
}

/* How many entries of a kind are stored. */
static inline size_t script_count(const struct script *s, enum key_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < s->stored_count; i++)
        count += s->store[i].key.data[0] == kind;
    return count;
}

/* The nth stored entry of a kind. */
static inline const struct stored *script_nth(const struct script *s, enum key_kind kind, size_t n)
{
    for (size_t i = 0; i < s->stored_count; i++)
        if (s->store[i].key.data[0] == kind && n-- == 0)
            return &s->store[i];
    fail_msg("there is no such entry of kind %c", kind);
    return NULL;
}

/* --- looking --- */

static inline void expect_message(const struct call *call, size_t index, const char *text)
{
    struct bytes caller, argument;
    struct typed_value value;
    assert_true(index < call->message_count);
    assert_true(message_body_parse(call->messages[index], &caller, &argument));
    assert_true(typed_value_parse(argument, &value, NULL));
    assert_bytes(value.value, text);
}

static inline void expect_call(const struct call *call, const char *name, const char *id,
                               const char *text)
{
    assert_bytes(call->target.name, name);
    assert_bytes(call->target.id, id);
    assert_int_equal(call->message_count, 1);
    expect_message(call, 0, text);
}

/* The state's text, or NULL if it is absent; fails if it was not sent at all. */
static inline const char *call_state(struct script *s, const struct call *call, const char *name)
{
    for (size_t i = 0; i < call->state_count; i++) {
        struct typed_value value;
        if (!bytes_is(call->states[i].name, name))
            continue;
        if (!call->states[i].present)
            return NULL;
        assert_true(typed_value_parse(call->states[i].value, &value, NULL));
        char *text = arena_take(&s->arena, value.value.size + 1);
        if (value.value.size)
            memcpy(text, value.value.data, value.value.size);
        text[value.value.size] = '\0';
        return text;
    }
    fail_msg("state '%s' was not sent", name);
    return NULL;
}

/* The nth report since the start is of that kind and says `part`. */
static inline void expect_report(struct script *s, size_t n, enum report_kind kind,
                                 const char *part)
{
    assert_true(n < s->report_count);
    assert_int_equal(s->reports[n].kind, kind);
    char *cause = bytes_string(s->reports[n].cause);
    bool says = strstr(cause, part) != NULL;
    if (!says)
        print_error("expected '%s' in: %s\n", part, cause);
    free(cause);
    assert_true(says);
}

/* --- replies --- */

/* "I need states that I was not given." */
static inline void script_declare(struct script *s, struct call *call, const char *name,
                                  const char *type, enum expire_mode mode, int64_t expire_after_ms)
{
    struct state_spec spec = {.name = bytes_of(name),
                              .type = bytes_of(type),
                              .mode = mode,
                              .expire_after_ms = expire_after_ms};
    struct from_function reply = {.is_incomplete = true, .missing = &spec, .missing_count = 1};
    script_answer(s, call, &reply);
}

static inline struct state_mutation mutation_of(const char *name, const char *type,
                                                const char *text)
{
    return (struct state_mutation){.name = bytes_of(name),
                                   .kind = MUTATION_MODIFY,
                                   .value = {.type = bytes_of(type), .value = bytes_of(text)}};
}

static inline void script_write(struct script *s, struct call *call, const char *name,
                                const char *type, const char *text)
{
    struct state_mutation mutation = mutation_of(name, type, text);
    struct from_function reply = {.mutations = &mutation, .mutation_count = 1};
    script_answer(s, call, &reply);
}

#endif
