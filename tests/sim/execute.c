/* execute.c - what the application's functions do: they carry out trees of commands, and check what
 * only they can see. */
#include "sim/app_inside.h"

#include <stdio.h>

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
    app_value_add(&argument, "sim/tree", payload);
    struct bytes copy = arena_add_bytes(arena, buffer_bytes(&argument));
    buffer_destroy(&argument);
    return copy;
}

static void send(struct execution *run, struct address target, struct bytes payload)
{
    struct from_function *reply = run->reply;
    reply->messages =
        grow(run->arena, reply->messages, reply->message_count, sizeof *reply->messages);
    reply->messages[reply->message_count++] = (struct outgoing_message){
        .target = target.wire, .argument = argument_of(run->arena, payload)};
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
    uint32_t target = cursor_u32(tree), size = cursor_u32(tree);
    struct pair *out = book_pair(run->arena, &run->book.out, &run->book.out_count, target);
    struct buffer payload = {0};
    buffer_add_u8(&payload, FROM_FUNCTION);
    buffer_add_u32(&payload, run->self);
    buffer_add_u64(&payload, ++out->nth);
    buffer_add(&payload, tree->at, size);
    tree->at += size;
    send(run, app_address(run->app, target, run->arena), buffer_bytes(&payload));
    buffer_destroy(&payload);
}

static void do_delay(struct execution *run, struct cursor *tree)
{
    uint32_t target = cursor_u32(tree), delay_ms = cursor_u32(tree), size = cursor_u32(tree);
    struct buffer payload = {0};
    buffer_add_u8(&payload, FROM_ANYWHERE);
    buffer_add(&payload, tree->at, size);
    tree->at += size;
    struct delayed_message *delayed = delay(run);
    delayed->delay_ms = delay_ms;
    delayed->target = app_address(run->app, target, run->arena).wire;
    delayed->argument = argument_of(run->arena, buffer_bytes(&payload));
    buffer_destroy(&payload);
}

static void do_token(struct execution *run, struct cursor *tree)
{
    uint64_t id = cursor_u64(tree);
    uint32_t delay_ms = cursor_u32(tree);
    struct token_entry *entry = book_token(run->arena, &run->book, id);
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
    delayed->target = app_address(run->app, run->self, run->arena).wire;
    delayed->argument = argument_of(run->arena, buffer_bytes(&payload));
    buffer_destroy(&payload);
}

/* Before its time it cannot have been sent: then the cancellation must work. */
static void do_cancel(struct execution *run, struct cursor *tree)
{
    uint64_t id = cursor_u64(tree);
    struct token_entry *entry = book_token(run->arena, &run->book, id);
    if (entry->status == TOKEN_LIVE)
        entry->status = entry->due_ms > run->now_ms ? TOKEN_CANCELLED : TOKEN_MAYBE_CANCELLED;
    struct delayed_message *delayed = delay(run);
    delayed->is_cancellation = true;
    delayed->token = token_text(run, id);
}

static void token_fired(struct execution *run, struct cursor *message)
{
    uint64_t id = cursor_u64(message), due_ms = cursor_u64(message);
    struct token_entry *entry = book_token(run->arena, &run->book, id);
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
    uint64_t record = cursor_u64(tree);
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
    struct address target = app_address(run->app, cursor_u32(tree), run->arena);
    struct buffer payload = {0};
    buffer_add_u8(&payload, FROM_POISON);
    buffer_add_u8(&payload, DO_EGRESS);
    buffer_add_u8(&payload, APP_EGRESS_EXACT);
    buffer_add_u64(&payload, cursor_u64(tree));
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
            uint64_t record = cursor_u64(tree);
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
    uint32_t who = cursor_u32(message) | who_bit;
    uint64_t nth = cursor_u64(message);
    struct pair *in = book_pair(run->arena, &run->book.in, &run->book.in_count, who);
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
    run.self = app_number(app, &self);
    enum expire_mode mode = app_ttl_mode(run.self % app->types);

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
        run.book = book_read(value_of(book, BOOK_TYPE), arena);
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
    book_write(&run.book, &bytes);
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
        delayed->target = app_address(app, 0, arena).wire;
        struct delayed_message first = *delayed;
        *delay(&run) = first;
    }
    }
}
