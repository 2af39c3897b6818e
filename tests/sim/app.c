/* app.c - the application's functions, and what must come of their work. */
#include "sim/app.h"

#include "engine/partition.h"

#include <stdio.h>

/* Commands; numbers are big-endian. */
enum {
    DO_COUNT = 'i',   /* */
    DO_SEND = 's',    /* target 4, size 4, tree */
    DO_DELAY = 'd',   /* target 4, delay 4, size 4, tree */
    DO_EGRESS = 'e',  /* egress 1, record 8 */
    DO_NOWHERE = 'x', /* a record for an egress that does not exist */
    DO_LOST = 'l',    /* a message for a function that does not exist */
    DO_POISON = 'p',  /* target 4, record 8: a message that fails, and when it is cured writes it */
    DO_LATE = 'z',    /* record 8: a message for one that does not exist yet, which writes it */
    DO_TOKEN = 't',   /* token 8, delay 4: a delayed message to oneself, with a token */
    DO_CANCEL = 'c',  /* token 8 */
    DO_WRITE = 'w',   /* the expiring state */
    DO_CLEAR = 'k'
};

/* How a message begins, before its tree. */
enum {
    FROM_FUNCTION = 'P', /* sender 4, nth 8 */
    FROM_SOURCE = 'S',   /* source 4, nth 8 */
    FROM_ANYWHERE = 'N', /* no order */
    FROM_TOKEN = 'F',    /* token 8, due 8; no tree */
    FROM_POISON = 'X'    /* no order */
};

enum { TTL_MS = 300, FUNCTIONS = 3 };
#define BOOK_TYPE "sim/book"
#define TTL_TYPE  "sim/ttl"

enum token_status { TOKEN_LIVE = 1, TOKEN_CANCELLED, TOKEN_MAYBE_CANCELLED, TOKEN_FIRED };

struct pair {
    uint32_t who;
    uint64_t nth;
};

struct token_entry {
    uint64_t id, due_ms;
    uint64_t status;
};

/* What a function remembers, as the value of its state `book`. */
struct book {
    uint32_t owner;
    uint64_t count;
    uint64_t ttl_deadline_ms; /* before it the expiring state must be there; 0: it was cleared */
    uint64_t change, seen;    /* what the register was left with */
    bool has_register;
    uint32_t in_count, out_count, token_count;
    struct pair *in, *out;
    struct token_entry *tokens;
};

/* --- numbers in and out --- */

struct cursor {
    const uint8_t *at, *end;
};

static uint32_t take_u32(struct cursor *cursor)
{
    SIM_CHECK(cursor->end - cursor->at >= 4, "a message or book is cut short");
    cursor->at += 4;
    return u32_get(cursor->at - 4);
}

static uint64_t take_u64(struct cursor *cursor)
{
    SIM_CHECK(cursor->end - cursor->at >= 8, "a message or book is cut short");
    cursor->at += 8;
    return u64_get(cursor->at - 8);
}

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

static struct address address_of(struct app *app, uint32_t number, struct arena *arena)
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

static uint32_t number_of(struct app *app, const struct address *address)
{
    char *id = bytes_string(address->id);
    uint32_t type = (uint32_t)(address->name.data[1] - '0');
    uint32_t number = (uint32_t)strtoul(id + 2, NULL, 10) * app->types + type;
    free(id);
    return number;
}

static enum expire_mode ttl_mode(uint32_t type)
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

static void add_value(struct buffer *value, const char *type, struct bytes bytes)
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
    add_value(argument, "sim/tree", buffer_bytes(&payload));
    buffer_destroy(&payload);
}

/* --- books --- */

static struct book read_book(struct bytes bytes, struct arena *arena)
{
    struct cursor cursor = {bytes.data, bytes.data + bytes.size};
    struct book book = {.owner = take_u32(&cursor)};
    book.count = take_u64(&cursor);
    book.ttl_deadline_ms = take_u64(&cursor);
    book.change = take_u64(&cursor);
    book.seen = take_u64(&cursor);
    book.has_register = take_u32(&cursor) != 0;
    book.in_count = take_u32(&cursor);
    book.out_count = take_u32(&cursor);
    book.token_count = take_u32(&cursor);
    book.in = arena_take(arena, (book.in_count + 1) * sizeof *book.in);
    book.out = arena_take(arena, (book.out_count + 1) * sizeof *book.out);
    book.tokens = arena_take(arena, (book.token_count + 1) * sizeof *book.tokens);
    for (uint32_t i = 0; i < book.in_count; i++) {
        book.in[i].who = take_u32(&cursor);
        book.in[i].nth = take_u64(&cursor);
    }
    for (uint32_t i = 0; i < book.out_count; i++) {
        book.out[i].who = take_u32(&cursor);
        book.out[i].nth = take_u64(&cursor);
    }
    for (uint32_t i = 0; i < book.token_count; i++) {
        book.tokens[i].id = take_u64(&cursor);
        book.tokens[i].due_ms = take_u64(&cursor);
        book.tokens[i].status = take_u64(&cursor);
    }
    SIM_CHECK(cursor.at == cursor.end, "a book has bytes behind its end");
    return book;
}

static void write_book(const struct book *book, struct buffer *bytes)
{
    buffer_add_u32(bytes, book->owner);
    buffer_add_u64(bytes, book->count);
    buffer_add_u64(bytes, book->ttl_deadline_ms);
    buffer_add_u64(bytes, book->change);
    buffer_add_u64(bytes, book->seen);
    buffer_add_u32(bytes, book->has_register);
    buffer_add_u32(bytes, book->in_count);
    buffer_add_u32(bytes, book->out_count);
    buffer_add_u32(bytes, book->token_count);
    for (uint32_t i = 0; i < book->in_count; i++) {
        buffer_add_u32(bytes, book->in[i].who);
        buffer_add_u64(bytes, book->in[i].nth);
    }
    for (uint32_t i = 0; i < book->out_count; i++) {
        buffer_add_u32(bytes, book->out[i].who);
        buffer_add_u64(bytes, book->out[i].nth);
    }
    for (uint32_t i = 0; i < book->token_count; i++) {
        buffer_add_u64(bytes, book->tokens[i].id);
        buffer_add_u64(bytes, book->tokens[i].due_ms);
        buffer_add_u64(bytes, book->tokens[i].status);
    }
}

/* The entry of `who`, made with nth 0 if there is none. */
static struct pair *pair_of(struct arena *arena, struct pair **pairs, uint32_t *count, uint32_t who)
{
    for (uint32_t i = 0; i < *count; i++)
        if ((*pairs)[i].who == who)
            return &(*pairs)[i];
    struct pair *grown = arena_take(arena, (*count + 2) * sizeof *grown);
    if (*count)
        memcpy(grown, *pairs, *count * sizeof *grown);
    *pairs = grown;
    grown[*count] = (struct pair){.who = who};
    return &grown[(*count)++];
}

static struct token_entry *token_of(struct arena *arena, struct book *book, uint64_t id)
{
    for (uint32_t i = 0; i < book->token_count; i++)
        if (book->tokens[i].id == id)
            return &book->tokens[i];
    struct token_entry *grown = arena_take(arena, (book->token_count + 2) * sizeof *grown);
    if (book->token_count)
        memcpy(grown, book->tokens, book->token_count * sizeof *grown);
    book->tokens = grown;
    grown[book->token_count] = (struct token_entry){.id = id};
    return &grown[book->token_count++];
}

/* --- executing --- */

struct execution {
    struct app *app;
    struct arena *arena;
    struct from_function *reply;
    struct book book;
    uint64_t now_ms;
    uint32_t self;
    bool writes_ttl, clears_ttl;
};

static void *grow(struct arena *arena, const void *array, size_t count, size_t size)
{
    void *grown = arena_take(arena, (count + 1) * size);
    if (count)
        memcpy(grown, array, count * size);
    return grown;
}

static struct bytes argument_of(struct arena *arena, struct bytes payload)
{
    struct buffer argument = {0};
    add_value(&argument, "sim/tree", payload);
    struct bytes copy = arena_add_bytes(arena, buffer_bytes(&argument));
    buffer_destroy(&argument);
    return copy;
}

static void send(struct execution *run, struct address target, struct bytes payload)
{
    struct from_function *reply = run->reply;
    reply->messages =
        grow(run->arena, reply->messages, reply->message_count, sizeof *reply->messages);
    reply->messages[reply->message_count++] =
        (struct outgoing_message){.target = target, .argument = argument_of(run->arena, payload)};
}

static struct delayed_message *delay(struct execution *run)
{
    struct from_function *reply = run->reply;
    reply->delayed = grow(run->arena, reply->delayed, reply->delayed_count, sizeof *reply->delayed);
    struct delayed_message *delayed = &reply->delayed[reply->delayed_count++];
    *delayed = (struct delayed_message){0};
    return delayed;
}

static struct bytes token_text(struct execution *run, uint64_t id)
{
    char text[32];
    int size = snprintf(text, sizeof text, "token-%llu", (unsigned long long)id);
    return arena_add_bytes(run->arena, bytes_make(text, (size_t)size));
}

static void do_send(struct execution *run, struct cursor *tree)
{
    uint32_t target = take_u32(tree), size = take_u32(tree);
    struct pair *out = pair_of(run->arena, &run->book.out, &run->book.out_count, target);
    struct buffer payload = {0};
    buffer_add_u8(&payload, FROM_FUNCTION);
    buffer_add_u32(&payload, run->self);
    buffer_add_u64(&payload, ++out->nth);
    buffer_add(&payload, tree->at, size);
    tree->at += size;
    send(run, address_of(run->app, target, run->arena), buffer_bytes(&payload));
    buffer_destroy(&payload);
}

static void do_delay(struct execution *run, struct cursor *tree)
{
    uint32_t target = take_u32(tree), delay_ms = take_u32(tree), size = take_u32(tree);
    struct buffer payload = {0};
    buffer_add_u8(&payload, FROM_ANYWHERE);
    buffer_add(&payload, tree->at, size);
    tree->at += size;
    struct delayed_message *delayed = delay(run);
    delayed->delay_ms = delay_ms;
    delayed->target = address_of(run->app, target, run->arena);
    delayed->argument = argument_of(run->arena, buffer_bytes(&payload));
    buffer_destroy(&payload);
}

static void do_token(struct execution *run, struct cursor *tree)
{
    uint64_t id = take_u64(tree);
    uint32_t delay_ms = take_u32(tree);
    struct token_entry *entry = token_of(run->arena, &run->book, id);
    SIM_CHECK(entry->status == 0, "token %llu is sent twice", (unsigned long long)id);
    entry->status = TOKEN_LIVE;
    entry->due_ms = run->now_ms + delay_ms;

    struct buffer payload = {0};
    buffer_add_u8(&payload, FROM_TOKEN);
    buffer_add_u64(&payload, id);
    buffer_add_u64(&payload, entry->due_ms);
    struct delayed_message *delayed = delay(run);
    delayed->delay_ms = delay_ms;
    delayed->token = token_text(run, id);
    delayed->target = address_of(run->app, run->self, run->arena);
    delayed->argument = argument_of(run->arena, buffer_bytes(&payload));
    buffer_destroy(&payload);
}

/* Before its time it cannot have been sent: then the cancellation must work. */
static void do_cancel(struct execution *run, struct cursor *tree)
{
    uint64_t id = take_u64(tree);
    struct token_entry *entry = token_of(run->arena, &run->book, id);
    if (entry->status == TOKEN_LIVE)
        entry->status = entry->due_ms > run->now_ms ? TOKEN_CANCELLED : TOKEN_MAYBE_CANCELLED;
    struct delayed_message *delayed = delay(run);
    delayed->is_cancellation = true;
    delayed->token = token_text(run, id);
}

static void token_fired(struct execution *run, struct cursor *message)
{
    uint64_t id = take_u64(message), due_ms = take_u64(message);
    struct token_entry *entry = token_of(run->arena, &run->book, id);
    SIM_CHECK(run->now_ms >= due_ms, "a delayed message comes %llu ms early",
              (unsigned long long)(due_ms - run->now_ms));
    SIM_CHECK(entry->status != TOKEN_CANCELLED, "token %llu was cancelled and fires",
              (unsigned long long)id);
    SIM_CHECK(entry->status != TOKEN_FIRED, "token %llu fires twice", (unsigned long long)id);
    SIM_CHECK(entry->status != 0, "token %llu fires before it is known", (unsigned long long)id);
    entry->status = TOKEN_FIRED;
}

static void egress(struct execution *run, const char *name, uint64_t id)
{
    struct from_function *reply = run->reply;
    uint8_t record[8];
    u64_put(record, id);
    reply->egresses =
        grow(run->arena, reply->egresses, reply->egress_count, sizeof *reply->egresses);
    reply->egresses[reply->egress_count++] = (struct egress_message){
        .ns = bytes_of("sim"),
        .name = bytes_of(name),
        .argument = argument_of(run->arena, bytes_make(record, sizeof record))};
}

static void do_lost(struct execution *run)
{
    struct address nowhere;
    struct sf_status status;
    bool good = address_make(bytes_of("sim"), bytes_of("nobody"), bytes_of("x"), run->arena,
                             &nowhere, &status);
    SIM_CHECK(good, "%s", status.message);
    send(run, nowhere, bytes_of("never"));
}

static void do_late(struct execution *run, struct cursor *tree)
{
    struct address late;
    struct sf_status status;
    uint64_t record = take_u64(tree);
    char id[16];
    int size = snprintf(id, sizeof id, "id%u", (unsigned)(record % 10));
    bool good = address_make(bytes_of("sim.late"), bytes_of("late"), bytes_make(id, (size_t)size),
                             run->arena, &late, &status);
    SIM_CHECK(good, "%s", status.message);
    struct buffer payload = {0};
    buffer_add_u8(&payload, FROM_ANYWHERE);
    buffer_add_u8(&payload, DO_EGRESS);
    buffer_add_u8(&payload, APP_EGRESS_EXACT);
    buffer_add_u64(&payload, record);
    send(run, late, buffer_bytes(&payload));
    buffer_destroy(&payload);
}

static void do_poison(struct execution *run, struct cursor *tree)
{
    struct address target = address_of(run->app, take_u32(tree), run->arena);
    struct buffer payload = {0};
    buffer_add_u8(&payload, FROM_POISON);
    buffer_add_u8(&payload, DO_EGRESS);
    buffer_add_u8(&payload, APP_EGRESS_EXACT);
    buffer_add_u64(&payload, take_u64(tree));
    send(run, target, buffer_bytes(&payload));
    buffer_destroy(&payload);
}

void app_bound(struct app *app, uint64_t record, uint64_t change)
{
    if (record >= app->bound_count) {
        size_t count = record + 64;
        app->bounds = mem_resize(app->bounds, count * sizeof *app->bounds);
        memset(&app->bounds[app->bound_count], 0, (count - app->bound_count) * sizeof *app->bounds);
        app->bound_count = count;
    }
    app->bounds[record] = change;
}

static void check_bound(const struct execution *run, uint64_t record)
{
    const struct app *app = run->app;
    uint64_t bound = record < app->bound_count ? app->bounds[record] : 0;
    SIM_CHECK(!bound || !run->book.has_register || run->book.change < bound,
              "address %u: change %llu came before a message that was there first", run->self,
              (unsigned long long)run->book.change);
}

static void execute_tree(struct execution *run, struct cursor *tree)
{
    while (tree->at < tree->end) {
        switch (*tree->at++) {
        case DO_COUNT:
            run->book.count++;
            break;
        case DO_SEND:
            do_send(run, tree);
            break;
        case DO_DELAY:
            do_delay(run, tree);
            break;
        case DO_EGRESS: {
            uint8_t which = *tree->at++;
            uint64_t record = take_u64(tree);
            check_bound(run, record);
            egress(run, which == APP_EGRESS_EXACT ? "exact" : "taken", record);
            break;
        }
        case DO_NOWHERE:
            egress(run, "nowhere", 0);
            break;
        case DO_LOST:
            do_lost(run);
            break;
        case DO_LATE:
            do_late(run, tree);
            break;
        case DO_POISON:
            do_poison(run, tree);
            break;
        case DO_TOKEN:
            do_token(run, tree);
            break;
        case DO_CANCEL:
            do_cancel(run, tree);
            break;
        case DO_WRITE:
            run->writes_ttl = true;
            run->clears_ttl = false;
            break;
        case DO_CLEAR:
            run->clears_ttl = true;
            run->writes_ttl = false;
            break;
        default:
            SIM_CHECK(false, "a tree holds an unknown command");
        }
    }
}

static void check_order(struct execution *run, struct cursor *message, uint32_t who_bit)
{
    uint32_t who = take_u32(message) | who_bit;
    uint64_t nth = take_u64(message);
    struct pair *in = pair_of(run->arena, &run->book.in, &run->book.in_count, who);
    SIM_CHECK(nth == in->nth + 1, "address %u: message %llu of %x comes after %llu", run->self,
              (unsigned long long)nth, who, (unsigned long long)in->nth);
    in->nth = nth;
}

static void execute_message(struct execution *run, struct bytes body)
{
    struct bytes caller, argument;
    struct typed_value value;
    struct sf_status status;
    bool good = message_body_parse(body, &caller, &argument) &&
                typed_value_parse(argument, &value, &status);
    SIM_CHECK(good && value.has_value && bytes_is(value.type, "sim/tree"),
              "a message is not what was sent");

    struct cursor message = {value.value.data, value.value.data + value.value.size};
    switch (*message.at++) {
    case FROM_FUNCTION:
        SIM_CHECK(caller.size > 0, "a message from a function has no caller");
        check_order(run, &message, 0);
        break;
    case FROM_SOURCE:
        SIM_CHECK(caller.size == 0, "a message from an ingress has a caller");
        check_order(run, &message, UINT32_C(1) << 31);
        break;
    case FROM_TOKEN:
        token_fired(run, &message);
        break;
    case FROM_POISON:
        SIM_CHECK(run->app->is_cured, "a call that must fail is executed");
        break;
    default:
        break;
    }
    execute_tree(run, &message);
}

static const struct request_state *find_state(const struct to_function *request, const char *name)
{
    for (size_t i = 0; i < request->state_count; i++)
        if (bytes_is(request->states[i].name, name))
            return &request->states[i];
    return NULL;
}

static struct bytes value_of(const struct request_state *state, const char *type)
{
    struct typed_value value;
    struct sf_status status;
    bool good = typed_value_parse(state->value, &value, &status);
    SIM_CHECK(good && value.has_value && bytes_is(value.type, type),
              "a state is not of the type that was written");
    return value.value;
}

static void ask(struct execution *run, const char *name, const char *type, enum expire_mode mode)
{
    struct from_function *reply = run->reply;
    reply->is_incomplete = true;
    reply->missing = grow(run->arena, reply->missing, reply->missing_count, sizeof *reply->missing);
    reply->missing[reply->missing_count++] = (struct state_spec){
        .name = bytes_of(name),
        .type = bytes_of(type),
        .mode = mode,
        .expire_after_ms = mode == EXPIRE_NONE ? 0 : TTL_MS,
    };
}

/* The expiring state holds its owner's number, and its book says until when it must be there. A
 * request shows states as they were when it was sent. */
static void check_ttl(struct execution *run, const struct request_state *ttl, enum expire_mode mode,
                      uint64_t sent_ms)
{
    uint64_t deadline_ms = run->book.ttl_deadline_ms;
    if (ttl->present) {
        struct bytes value = value_of(ttl, TTL_TYPE);
        SIM_CHECK(value.size == 4 && u32_get(value.data) == run->self,
                  "address %u sees the state of another", run->self);
        SIM_CHECK(deadline_ms != 0, "a state that was cleared is back");
        SIM_CHECK(mode != EXPIRE_AFTER_WRITE || sent_ms < deadline_ms, "an expired state is shown");
    } else {
        SIM_CHECK(deadline_ms == 0 || mode != EXPIRE_NONE, "a state that does not expire is gone");
        SIM_CHECK(sent_ms >= deadline_ms, "a state is gone before it expires");
    }
}

static void mutate(struct execution *run, const char *name, uint64_t kind, const char *type,
                   struct bytes value);

/* The register is as it was left, or a later change has come. */
static void check_register(struct execution *run, const struct request_state *state)
{
    struct book *book = &run->book;
    if (!state->present) {
        book->has_register = false;
        return;
    }
    struct bytes value = value_of(state, APP_REGISTER_TYPE);
    SIM_CHECK(value.size == 16, "a register is not what was put");
    uint64_t change = u64_get(value.data), seen = u64_get(value.data + 8);
    bool is_same = book->has_register && change == book->change && seen == book->seen;
    SIM_CHECK(is_same || (change > book->change && seen == 0),
              "address %u: the register is %llu.%llu after %llu.%llu", run->self,
              (unsigned long long)change, (unsigned long long)seen,
              (unsigned long long)book->change, (unsigned long long)book->seen);

    uint8_t bytes[16];
    u64_put(bytes, change);
    u64_put(bytes + 8, seen + 1);
    mutate(run, "register", MUTATION_MODIFY, APP_REGISTER_TYPE, bytes_make(bytes, sizeof bytes));
    book->change = change;
    book->seen = seen + 1;
    book->has_register = true;
}

static void mutate(struct execution *run, const char *name, uint64_t kind, const char *type,
                   struct bytes value)
{
    struct from_function *reply = run->reply;
    reply->mutations =
        grow(run->arena, reply->mutations, reply->mutation_count, sizeof *reply->mutations);
    reply->mutations[reply->mutation_count++] = (struct state_mutation){
        .name = bytes_of(name),
        .kind = kind,
        .value = {.type = bytes_of(type), .value = arena_add_bytes(run->arena, value)}};
}

void app_execute(struct app *app, const struct app_call *call, uint64_t now_ms, struct arena *arena,
                 struct from_function *ret_reply)
{
    *ret_reply = (struct from_function){0};
    struct execution run = {.app = app, .arena = arena, .reply = ret_reply, .now_ms = now_ms};
    struct address self;
    bool good = address_parse(call->request.target, &self);
    SIM_CHECK(good, "the target of a request is not canonical");
    if (bytes_is(self.ns, "sim.late")) { /* it has no state */
        for (size_t i = 0; i < call->request.message_count; i++)
            execute_message(&run, call->request.messages[i]);
        return;
    }
    run.self = number_of(app, &self);
    enum expire_mode mode = ttl_mode(run.self % app->types);

    const struct request_state *book = find_state(&call->request, "book");
    const struct request_state *ttl = find_state(&call->request, "ttl");
    const struct request_state *reg = find_state(&call->request, "register");
    if (!book)
        ask(&run, "book", BOOK_TYPE, EXPIRE_NONE);
    if (!ttl)
        ask(&run, "ttl", TTL_TYPE, mode);
    if (!reg)
        ask(&run, "register", APP_REGISTER_TYPE, EXPIRE_NONE);
    if (ret_reply->is_incomplete)
        return;

    run.book = (struct book){.owner = run.self};
    if (book->present)
        run.book = read_book(value_of(book, BOOK_TYPE), arena);
    SIM_CHECK(run.book.owner == run.self, "address %u sees the book of %u", run.self,
              run.book.owner);
    check_ttl(&run, ttl, mode, call->sent_ms);
    check_register(&run, reg);

    SIM_CHECK(call->request.message_count > 0, "a request holds no message");
    for (size_t i = 0; i < call->request.message_count; i++)
        execute_message(&run, call->request.messages[i]);

    if (run.writes_ttl) {
        uint8_t value[4];
        u32_put(value, run.self);
        mutate(&run, "ttl", MUTATION_MODIFY, TTL_TYPE, bytes_make(value, sizeof value));
        run.book.ttl_deadline_ms = now_ms + TTL_MS;
    } else if (run.clears_ttl) {
        mutate(&run, "ttl", MUTATION_DELETE, "", (struct bytes){0});
        run.book.ttl_deadline_ms = 0;
    }
    struct buffer bytes = {0};
    write_book(&run.book, &bytes);
    mutate(&run, "book", MUTATION_MODIFY, BOOK_TYPE, buffer_bytes(&bytes));
    buffer_destroy(&bytes);
}

bool app_must_fail(const struct app *app, const struct app_call *call)
{
    for (size_t i = 0; i < call->request.message_count; i++) {
        struct bytes caller, argument;
        struct typed_value value;
        struct sf_status status;
        if (message_body_parse(call->request.messages[i], &caller, &argument) &&
            typed_value_parse(argument, &value, &status) && value.value.size &&
            value.value.data[0] == FROM_POISON)
            return !app->is_cured;
    }
    return false;
}

void app_misreply(struct app *app, struct arena *arena, struct from_function *ret_reply)
{
    *ret_reply = (struct from_function){0};
    struct execution run = {.app = app, .arena = arena, .reply = ret_reply};
    /* Something with effects first, which must not be applied. */
    egress(&run, "exact", 0);
    do_lost(&run);
    switch (random_below(&app->random, 6)) {
    case 0:
        mutate(&run, "never declared", MUTATION_MODIFY, BOOK_TYPE, bytes_of("x"));
        break;
    case 1:
        mutate(&run, "book", MUTATION_MODIFY, "sim/wrong", bytes_of("x"));
        break;
    case 2:
        mutate(&run, "book", 7, BOOK_TYPE, bytes_of("x"));
        break;
    case 3:
        delay(&run)->delay_ms = -1;
        break;
    case 4:
        delay(&run)->is_cancellation = true;
        break;
    default: {
        struct delayed_message *delayed = delay(&run);
        delayed->token = bytes_of("twice");
        delayed->target = address_of(app, 0, arena);
        struct delayed_message first = *delayed;
        *delay(&run) = first;
    }
    }
}

/* Returns what was counted. */
static uint64_t check_book(const struct table_row *row, struct arena *arena)
{
    struct typed_value value;
    struct sf_status status;
    bool good = typed_value_parse(bytes_from(row->value, 8), &value, &status);
    SIM_CHECK(good, "%s", status.message);
    struct book book = read_book(value.value, arena);
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
    struct address address = address_of(app, number, &arena);
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
        struct address address = address_of(app, number, &arena);
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
