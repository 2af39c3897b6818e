/* app.c - the application: its functions' names, the trees that are sent, and what must be stored
 * in the end. */
#include "sim/app_inside.h"

#include "engine/partition.h"

#include <stdio.h>

enum { FUNCTIONS = 3 };

void app_ids_add(struct app_ids *ids, uint64_t id)
{
    if (ids->count == ids->capacity) {
        ids->capacity = ids->capacity ? ids->capacity * 2 : 64;
        ids->ids = mem_resize(ids->ids, ids->capacity * sizeof *ids->ids);
    }
    ids->ids[ids->count++] = id;
}

/* --- the application --- */

static bool accept_record(struct bytes argument, struct bytes *ret_record, struct sf_status *status)
{
    struct typed_value value;
    if (!typed_value_parse(argument, &value, status))
        return false;
    *ret_record = value.value;
    return true;
}

static const struct egress_binding egress_bindings[APP_EGRESSES] = {
    {.ns = {(const uint8_t *)"sim", 3},
     .name = {(const uint8_t *)"exact", 5},
     .id = {(const uint8_t *)"sim/exact", 9},
     .accept = accept_record},
    {.ns = {(const uint8_t *)"sim", 3},
     .name = {(const uint8_t *)"taken", 5},
     .id = {(const uint8_t *)"sim/taken", 9},
     .accept = accept_record},
};

/* Ids of letters are apart from those of all other records. */
static uint64_t letter_id(struct bytes bytes)
{
    struct key key = {0};
    bool good = key_parse(bytes, &key);
    SIM_CHECK(good, "the key of a dead letter is none");
    return UINT64_C(1) << 63 | key.epoch << 24 | (uint64_t)key.worker << 16 | key.nth;
}

static void write_letter(const struct letter_route *route, struct bytes key,
                         const struct dead_letter *letter, struct buffer *record)
{
    (void)route, (void)letter;
    buffer_add_u64(record, letter_id(key));
}

void app_expect_letter(struct app *app, struct bytes key)
{
    if (app->bindings->letters.write)
        app_ids_add(&app->expected_records[APP_EGRESS_EXACT], letter_id(key));
}

void app_init(struct app *app, uint64_t seed)
{
    *app = (struct app){.random = {seed}};
    app->types = (uint32_t)random_between(&app->random, 1, 5);
    app->ids = (uint32_t)random_between(&app->random, 1, 12);
    app->expected_counts = mem_new(app->types * app->ids * sizeof *app->expected_counts);
    app->next_id = 1;

    struct failure_policy policies[2];
    for (size_t i = 0; i < 2; i++)
        policies[i] = (struct failure_policy){
            .end = (enum failure_end)random_below(&app->random, 3),
            .attempts = random_between(&app->random, 1, 4),
            .within_ms = random_chance(&app->random, 500) ? 0 : random_below(&app->random, 500),
            .resumes = random_chance(&app->random, 500),
        };

    struct function_binding *functions = mem_new(FUNCTIONS * sizeof *functions);
    functions[0] = (struct function_binding){
        .ns = bytes_of("sim.many"),
        .is_prefix = true,
        .batch_max = random_chance(&app->random, 300) ? 0 : random_between(&app->random, 1, 20),
        .in_flight_max = random_between(&app->random, 1, 6),
        .failures = policies[0],
        .answers_at_once = random_chance(&app->random, 400),
    };
    functions[1] = (struct function_binding){
        .ns = bytes_of("sim"),
        .name = bytes_of("f0"),
        .batch_max = random_between(&app->random, 1, 3),
        .in_flight_max = random_between(&app->random, 1, 40),
        .failures = policies[1],
        .answers_at_once = random_chance(&app->random, 400),
    };
    functions[2] = (struct function_binding){
        .ns = bytes_of("sim.late"), .is_prefix = true, .batch_max = 2, .in_flight_max = 3};
    struct bindings *bindings = mem_new(sizeof *bindings);
    *bindings = (struct bindings){.functions = functions,
                                  .function_count = FUNCTIONS - 1,
                                  .egresses = egress_bindings,
                                  .egress_count = APP_EGRESSES,
                                  .letters = {.egress = APP_EGRESS_EXACT, .keeps = true}};
    if (random_chance(&app->random, 500))
        bindings->letters.write = write_letter;
    app->bindings = bindings;
}

void app_serve_late(struct app *app)
{
    ((struct bindings *)app->bindings)->function_count = FUNCTIONS;
    app->serves_late = true;
}

bool app_is_late(const struct dead_letter *letter)
{
    return bytes_starts_with(letter->target, bytes_of("sim.late/"));
}

bool app_is_poison(const struct dead_letter *letter)
{
    struct typed_value value;
    struct sf_status status;
    return letter->kind == DEAD_FAILED && typed_value_parse(letter->value, &value, &status) &&
           value.value.size && value.value.data[0] == FROM_POISON;
}

void app_destroy(struct app *app)
{
    free(app->expected_counts);
    free(app->bounds);
    for (size_t i = 0; i < APP_EGRESSES; i++)
        free(app->expected_records[i].ids);
    free((void *)app->bindings->functions);
    free((void *)app->bindings);
}

/* Type 0 is bound by its name, the others by their namespace. */
static struct bytes type_ns(uint32_t type)
{
    return type == 0 ? bytes_of("sim") : bytes_of("sim.many");
}

static struct bytes type_name(uint32_t type)
{
    static const char *const names[] = {"f0", "f1", "f2", "f3", "f4"};
    return bytes_of(names[type]);
}

struct address app_address(struct app *app, uint32_t number, struct arena *arena)
{
    char id[16];
    int size = snprintf(id, sizeof id, "id%u", number / app->types);
    struct address address;
    struct sf_status status;
    uint32_t type = number % app->types;
    bool good = address_make(type_ns(type), type_name(type), bytes_make(id, (size_t)size), arena,
                             &address, &status);
    SIM_CHECK(good, "%s", status.message);
    return address;
}

uint32_t app_number(struct app *app, const struct address *address)
{
    char *id = bytes_string(address->id);
    uint32_t type = (uint32_t)(address->name.data[1] - '0');
    uint32_t number = (uint32_t)strtoul(id + 2, NULL, 10) * app->types + type;
    free(id);
    return number;
}

enum expire_mode app_ttl_mode(uint32_t type)
{
    return (enum expire_mode)(type % 3);
}

/* --- making trees --- */

static uint32_t random_number(struct app *app)
{
    return (uint32_t)random_below(&app->random, app->types * app->ids);
}

static void make_commands(struct app *app, uint32_t self, unsigned depth, struct buffer *tree);

static void make_subtree(struct app *app, uint32_t target, unsigned depth, struct buffer *tree)
{
    struct buffer subtree = {0};
    make_commands(app, target, depth, &subtree);
    buffer_add_u32(tree, (uint32_t)subtree.size);
    buffer_add_bytes(tree, buffer_bytes(&subtree));
    buffer_destroy(&subtree);
}

static uint32_t random_delay(struct app *app)
{
    return (uint32_t)(random_chance(&app->random, 300) ? 0 : random_below(&app->random, 8000));
}

/* A delayed message with a token, and a later message to the same address that cancels it. */
static void make_cancellation(struct app *app, uint32_t self, struct buffer *tree)
{
    uint64_t token = app->next_id++;
    buffer_add_u8(tree, DO_TOKEN);
    buffer_add_u64(tree, token);
    buffer_add_u32(tree, random_delay(app));
    if (random_chance(&app->random, 300))
        return; /* nobody cancels it */

    bool later = random_chance(&app->random, 500);
    buffer_add_u8(tree, later ? DO_DELAY : DO_SEND);
    buffer_add_u32(tree, self);
    if (later)
        buffer_add_u32(tree, random_delay(app));
    buffer_add_u32(tree, 9);
    buffer_add_u8(tree, DO_CANCEL);
    buffer_add_u64(tree, token);
}

static void make_command(struct app *app, uint32_t self, unsigned depth, struct buffer *tree)
{
    uint64_t choice = random_below(&app->random, 100);
    if (choice < 30 || (depth == 0 && choice < 65)) {
        buffer_add_u8(tree, DO_COUNT);
        app->expected_counts[self]++;
    } else if (choice < 50) {
        uint32_t target = random_number(app);
        buffer_add_u8(tree, DO_SEND);
        buffer_add_u32(tree, target);
        make_subtree(app, target, depth - 1, tree);
    } else if (choice < 65) {
        uint32_t target = random_number(app);
        buffer_add_u8(tree, DO_DELAY);
        buffer_add_u32(tree, target);
        buffer_add_u32(tree, random_delay(app));
        make_subtree(app, target, depth - 1, tree);
    } else if (choice < 78) {
        uint8_t egress = (uint8_t)random_below(&app->random, APP_EGRESSES);
        buffer_add_u8(tree, DO_EGRESS);
        buffer_add_u8(tree, egress);
        buffer_add_u64(tree, app->next_id);
        app_ids_add(&app->expected_records[egress], app->next_id++);
    } else if (choice < 86) {
        make_cancellation(app, self, tree);
    } else if (choice < 92) {
        buffer_add_u8(tree, DO_WRITE);
    } else if (choice < 96) {
        buffer_add_u8(tree, DO_CLEAR);
    } else if (choice < 98) {
        buffer_add_u8(tree, choice < 97 ? DO_NOWHERE : DO_LOST);
        app->expected_letters++;
    } else {
        bool is_late = random_chance(&app->random, 500);
        buffer_add_u8(tree, is_late ? DO_LATE : DO_POISON);
        if (!is_late)
            buffer_add_u32(tree, random_number(app));
        buffer_add_u64(tree, app->next_id);
        app_ids_add(&app->expected_records[APP_EGRESS_EXACT], app->next_id++);
    }
}

static void make_commands(struct app *app, uint32_t self, unsigned depth, struct buffer *tree)
{
    uint64_t count = random_between(&app->random, 1, 3);
    for (uint64_t i = 0; i < count; i++)
        make_command(app, self, depth, tree);
}

void app_random_target(struct app *app, struct record_target *ret_target, struct buffer *id,
                       uint32_t *ret_number)
{
    uint32_t number = random_number(app);
    buffer_clear(id);
    buffer_add_format(id, "id%u", number / app->types);
    ret_target->ns = type_ns(number % app->types);
    ret_target->name = type_name(number % app->types);
    *ret_number = number;
}

void app_make_tree(struct app *app, uint32_t number, struct buffer *tree)
{
    make_commands(app, number, (unsigned)random_below(&app->random, 4), tree);
}

void app_value_add(struct buffer *value, const char *type, struct bytes bytes)
{
    typed_value_add(
        value, &(struct typed_value){.type = bytes_of(type), .value = bytes, .has_value = true});
}

void app_argument(struct buffer *argument, uint32_t source, uint64_t nth, struct bytes tree)
{
    struct buffer payload = {0};
    if (source == UINT32_MAX) {
        buffer_add_u8(&payload, FROM_ANYWHERE);
    } else {
        buffer_add_u8(&payload, FROM_SOURCE);
        buffer_add_u32(&payload, source);
        buffer_add_u64(&payload, nth);
    }
    buffer_add_bytes(&payload, tree);
    app_value_add(argument, "sim/tree", buffer_bytes(&payload));
    buffer_destroy(&payload);
}

/* --- what is stored --- */

/* Returns what was counted. */
static uint64_t check_book(const struct table_row *row, struct arena *arena)
{
    struct typed_value value;
    struct sf_status status;
    bool good = typed_value_parse(bytes_from(row->value, 8), &value, &status);
    SIM_CHECK(good, "%s", status.message);
    struct book book = book_read(value.value, arena);
    for (uint32_t i = 0; i < book.token_count; i++)
        SIM_CHECK(book.tokens[i].status != TOKEN_LIVE, "token %llu never fired",
                  (unsigned long long)book.tokens[i].id);
    return book.count;
}

bool app_find_register(struct app *app, uint32_t number, const struct table *truth,
                       uint32_t partitions, uint64_t *ret_change, uint64_t *ret_seen)
{
    struct arena arena = {0};
    struct buffer key = {0};
    struct typed_value value;
    struct sf_status status;
    struct address address = app_address(app, number, &arena);
    const struct table_row *row =
        table_find(truth, key_of_state(&key, partition_of(address.id, partitions), address.wire,
                                       bytes_of("register")));
    if (row) {
        bool good = typed_value_parse(bytes_from(row->value, 8), &value, &status);
        SIM_CHECK(good && value.value.size == 16, "a stored register is not what was put");
        *ret_change = u64_get(value.value.data);
        *ret_seen = u64_get(value.value.data + 8);
    }
    arena_destroy(&arena);
    buffer_destroy(&key);
    return row != NULL;
}

void app_check_states(struct app *app, const struct table *truth, uint32_t partitions)
{
    struct arena arena = {0};
    struct buffer key = {0};
    for (uint32_t number = 0; number < app->types * app->ids; number++) {
        struct address address = app_address(app, number, &arena);
        uint32_t partition = partition_of(address.id, partitions);
        const struct table_row *row =
            table_find(truth, key_of_state(&key, partition, address.wire, bytes_of("book")));
        uint64_t count = row ? check_book(row, &arena) : 0;
        SIM_CHECK(count == app->expected_counts[number], "address %u counted %llu, expected %llu",
                  number, (unsigned long long)count,
                  (unsigned long long)app->expected_counts[number]);
    }
    arena_destroy(&arena);
    buffer_destroy(&key);
}
