/* module_ingress_test.c - ingresses in C: what they emit, in which order it counts, and what
 * happens when they fail. */
#include "net/raw_socket.h"

#include "engine/script.h"
#include "ingress/module_ingress.h"

#include <stdatomic.h>

enum { QUEUE_BYTES = 1000 };

/* What `run` does in a test: set before it is called, and read afterwards or by way of atomics. */
struct play {
    atomic_int calls, emitted;
    atomic_bool ended; /* run has returned, by being told to */
    char began[8][16]; /* where each call of run began */
    int emits[8];      /* of each call; then it fails, unless 0 */
    bool long_position;
};

static struct fixture {
    struct script *script;
    struct loop *loop;
    struct registry registry;
    struct sf_ingress spec;
    struct module_ingress *ingress;
    struct module_lane *lane;
    struct play play;
    atomic_bool has_room;
} * fixture;

/* --- what is bound --- */

static bool emit_next(struct sf_source *source, int number)
{
    char value[16], position[16];
    snprintf(value, sizeof value, "v%d", number);
    snprintf(position, sizeof position, "%d", number + 1);
    struct sf_record record = {
        .key = {"ann", 3}, .value = {value, strlen(value)}, .topic = "t", .timestamp_ms = 5};
    if (!sf_emit(source, &record, (struct sf_bytes){position, strlen(position)}))
        return false;
    atomic_fetch_add(&fixture->play.emitted, 1);
    return true;
}

static bool run(struct sf_source *source, struct sf_status *status)
{
    struct play *play = sf_source_user(source);
    struct sf_bytes position = sf_source_position(source);
    int call = atomic_fetch_add(&play->calls, 1), number = 0;
    assert_int_equal(sf_source_partition(source), 0);
    if (position.size) {
        memcpy(play->began[call], position.data, position.size);
        number = (int)strtol(play->began[call], NULL, 10);
    }
    if (play->long_position && !call) {
        static const char zeros[300];
        assert_false(sf_emit(source, &(struct sf_record){0}, (struct sf_bytes){zeros, 300}));
        return true;
    }
    for (int end = number + play->emits[call]; !play->emits[call] || number < end; number++)
        if (!emit_next(source, number)) {
            atomic_store(&play->ended, true);
            return true;
        }
    return sf_fail(status, SF_IO, "the cable is out");
}

static bool route(struct sf_routing *routing, const struct sf_record *record, void *user)
{
    (void)user;
    assert_int_equal(record->timestamp_ms, 5);
    assert_string_equal(record->topic, "t");
    assert_int_equal(record->key.size, 3);
    if (record->value.size == 2 && !memcmp(record->value.data, "v2", 2))
        return sf_fail_route(routing, "two is none");
    return sf_forward(routing, sf_address("a/f", "ann"),
                      sf_raw("a/text", record->value.data, record->value.size));
}

static const struct sf_router ROUTER = {.ingress = "a/in", .route = route};

static bool configure(struct sf_module *module, struct sf_status *status)
{
    return sf_bind_ingress(module, &fixture->spec, status) &&
           sf_bind_router(module, &ROUTER, status);
}

static bool configure_mute(struct sf_module *module, struct sf_status *status)
{
    return sf_bind_ingress(module, &fixture->spec, status);
}

/* --- the fixture --- */

static void on_room(void *owner)
{
    (void)owner;
    atomic_store(&fixture->has_room, true);
}

static void on_turn_end(void *owner)
{
    struct fixture *f = owner;
    engine_run(f->script->engine);
    if (atomic_exchange(&f->has_room, false))
        module_lane_room(f->lane);
}

static int set_up(void **state)
{
    struct fixture *f = fixture = mem_new(sizeof *f);
    void *script;
    script_set_up(&script);
    f->script = script;
    f->script->options.ports.room = on_room;
    script_restart_empty(f->script);
    f->loop = loop_new();
    loop_on_turn_end(f->loop, on_turn_end, f);
    f->spec = (struct sf_ingress){.id = "a/in", .run = run, .user = &f->play};
    registry_init(&f->registry, &(struct registry_options){0});
    *state = f;
    return 0;
}

static void begin(struct fixture *f, sf_configure configure_it)
{
    struct sf_status status;
    assert_good(registry_add(&f->registry, configure_it, &status), &status);
    f->ingress = module_ingress_new(&(struct module_ingress_options){
        .ingress = &f->spec, .registry = &f->registry, .workers = 1, .queue_bytes = QUEUE_BYTES});
    f->lane = module_lane_new(f->ingress, 0, f->loop, f->script->engine);
    assert_good(module_ingress_start(f->ingress, &status), &status);
}

static void end(struct fixture *f)
{
    module_lane_free(f->lane);
    module_ingress_close(f->ingress);
    f->lane = NULL;
    f->ingress = NULL;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    if (f->ingress)
        end(f);
    registry_destroy(&f->registry);
    void *script = f->script;
    script_tear_down(&script);
    loop_free(f->loop);
    free(f);
    return 0;
}

static void set_figures(void *owner, const struct module_lane_figures *figures)
{
    *(struct module_lane_figures *)owner = *figures;
}

static struct module_lane_figures figures(struct fixture *f)
{
    struct module_lane_figures figures = {0};
    module_lane_each(f->lane, set_figures, &figures);
    return figures;
}

static void expect_position(struct fixture *f, const char *position)
{
    struct source *source = engine_source(f->script->engine, bytes_of("a/in"), bytes_of("0"));
    assert_bytes(source_position(source), position);
}

/* --- tests --- */

static void records_count_with_the_position_behind_them(void **state)
{
    struct fixture *f = *state;
    f->play.emits[0] = 2;
    begin(f, configure);
    until(f->loop, figures(f).records == 2);
    turn_for(f->loop, 5);
    struct call *call = script_call(f->script);
    expect_message(call, 0, "v0");
    if (call->message_count == 1) { /* it was quicker than the second record */
        script_answer_nothing(f->script, call);
        expect_call(script_call(f->script), "f", "ann", "v1");
    } else {
        expect_message(call, 1, "v1");
    }
    expect_position(f, "2");
    assert_int_equal(figures(f).bytes, 4);
    script_commit(f->script);
    assert_int_equal(script_count(f->script, KEY_POSITION), 1);
    assert_bytes(script_nth(f->script, KEY_POSITION, 0)->value, "2");
}

static void a_record_that_a_router_fails_on_is_set_aside(void **state)
{
    struct fixture *f = *state;
    f->play.emits[0] = 4;
    begin(f, configure);
    until(f->loop, figures(f).records + figures(f).rejected == 4);
    assert_int_equal(figures(f).rejected, 1);
    expect_position(f, "4");
    script_commit(f->script);
    struct dead_letter letter;
    assert_true(dead_letter_parse(script_nth(f->script, KEY_DEAD_LETTER, 0)->value, &letter));
    assert_int_equal(letter.kind, DEAD_INVALID_RECORD);
    assert_bytes(letter.cause, "two is none");
    assert_bytes(letter.ingress, "a/in");
    assert_bytes(letter.origin, "partition 0, before position 3");
    assert_bytes(letter.key, "ann");
    assert_bytes(letter.value, "v2");
}

static void without_a_router_only_the_position_moves(void **state)
{
    struct fixture *f = *state;
    f->play.emits[0] = 3;
    begin(f, configure_mute);
    until(f->loop, figures(f).records == 3);
    expect_position(f, "3");
    script_expect_no_call(f->script);
}

/* Blocked in the middle, so that nothing grows; and what was refused is offered again in order. */
static void emitting_waits_for_room(void **state)
{
    struct fixture *f = *state;
    engine_outbox_full(f->script->engine, true);
    begin(f, configure);
    until(f->loop, figures(f).waits_for_room);
    turn_for(f->loop, 50);
    int emitted = atomic_load(&f->play.emitted);
    assert_in_range(emitted, 2, QUEUE_BYTES / 20);
    assert_int_equal(figures(f).records, 0);
    turn_for(f->loop, 50);
    assert_int_equal(atomic_load(&f->play.emitted), emitted);

    engine_outbox_full(f->script->engine, false);
    until(f->loop, figures(f).records > (uint64_t)emitted + 100);
    turn_for(f->loop, 5);
    struct call *call = script_call(f->script);
    expect_message(call, 0, "v0");
}

/* Otherwise a record would be read again that is in the queue still. */
static void a_failed_run_begins_again_behind_all_that_it_has_emitted(void **state)
{
    struct fixture *f = *state;
    f->play.emits[0] = 2;
    f->play.emits[1] = 1;
    engine_outbox_full(f->script->engine, true);
    begin(f, configure);
    until(f->loop, figures(f).failures == 1);
    turn_for(f->loop, 300); /* longer than the first pause */
    assert_int_equal(atomic_load(&f->play.calls), 1);

    engine_outbox_full(f->script->engine, false);
    until(f->loop, atomic_load(&f->play.calls) == 3);
    assert_string_equal(f->play.began[0], "");
    assert_string_equal(f->play.began[1], "2");
    assert_string_equal(f->play.began[2], "3");
}

static void a_position_that_is_too_long_is_a_failure(void **state)
{
    struct fixture *f = *state;
    f->play.long_position = true;
    f->play.emits[1] = 1;
    begin(f, configure);
    until(f->loop, figures(f).failures == 1);
    until(f->loop, figures(f).records == 1);
    expect_position(f, "1");
}

static void a_recovered_position_is_where_run_begins(void **state)
{
    struct fixture *f = *state;
    struct source *source = engine_source(f->script->engine, bytes_of("a/in"), bytes_of("0"));
    engine_begin_source(f->script->engine, source, bytes_of("41"));
    script_commit(f->script);
    script_crash(f->script);
    f->play.emits[0] = 1;
    begin(f, configure);
    until(f->loop, figures(f).records == 1);
    assert_string_equal(f->play.began[0], "41");
    expect_position(f, "42");
}

/* What was not accepted is forgotten: it is read again after the next start. */
static void stopping_wakes_who_waits_for_room(void **state)
{
    struct fixture *f = *state;
    engine_outbox_full(f->script->engine, true);
    begin(f, configure);
    until(f->loop, figures(f).waits_for_room);
    module_lane_stop(f->lane);
    until(f->loop, atomic_load(&f->play.ended));
    engine_outbox_full(f->script->engine, false);
    turn_for(f->loop, 20);
    expect_position(f, "");
    end(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(records_count_with_the_position_behind_them),
        TEST(a_record_that_a_router_fails_on_is_set_aside),
        TEST(without_a_router_only_the_position_moves),
        TEST(emitting_waits_for_room),
        TEST(a_failed_run_begins_again_behind_all_that_it_has_emitted),
        TEST(a_position_that_is_too_long_is_a_failure),
        TEST(a_recovered_position_is_where_run_begins),
        TEST(stopping_wakes_who_waits_for_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
