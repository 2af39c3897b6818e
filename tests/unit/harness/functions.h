/* functions.h - the functions that the tests of the harness test. */
#ifndef TEST_HARNESS_FUNCTIONS_H
#define TEST_HARNESS_FUNCTIONS_H

#include "test.h"

#include "statefun/harness.h"

#include <stdio.h>

/* --- a greeter --- */

static const struct sf_state SEEN = SF_VALUE("seen", &sf_int_type);

static inline bool greet(struct sf_context *context, const struct sf_message *message)
{
    const char *name = sf_self(context).id;
    int32_t seen = 0;
    (void)message;
    sf_get(context, &SEEN, &seen);
    sf_set(context, &SEEN, sf_int(seen + 1));
    sf_count(context, "greeted", 1);
    sf_send_kafka(context, "example/greets",
                  &(struct sf_kafka_record){
                      .topic = "greetings",
                      .key = sf_string(name),
                      .value = sf_format(context, "Hello %s, %d times", name, seen + 1)});
    return true;
}

static const struct sf_function GREETER = {
    .type = "example/greeter", .call = greet, .states = SF_STATES(&SEEN)};

static inline bool configure_greeter(struct sf_module *module, struct sf_status *status)
{
    return sf_bind(module, &GREETER, status);
}

/* --- accounts: what one loses another wins --- */

static const struct sf_state BALANCE = SF_VALUE("balance", &sf_long_type);

/* "to N": N goes to the account `to`; "N": N comes. */
static inline bool transfer(struct sf_context *context, const struct sf_message *message)
{
    const char *text;
    char to[32];
    long long amount;
    int64_t balance = 1000;
    if (!sf_read(context, message, &sf_string_type, &text))
        return false;
    sf_get(context, &BALANCE, &balance);
    if (sscanf(text, "%31[a-z] %lld", to, &amount) == 2) {
        if (amount > balance)
            return sf_fail_call(context, "%lld of %lld", amount, (long long)balance);
        sf_send(context, sf_address("example/account", to), sf_format(context, "%lld", amount));
        return sf_set(context, &BALANCE, sf_long(balance - amount));
    }
    if (sscanf(text, "%lld", &amount) != 1)
        return sf_fail_call(context, "not an order: %s", text);
    return sf_set(context, &BALANCE, sf_long(balance + amount));
}

static const struct sf_function ACCOUNT = {.type = "example/account", .call = transfer};

static inline bool configure_accounts(struct sf_module *module, struct sf_status *status)
{
    return sf_bind(module, &ACCOUNT, status);
}

/* --- a reminder: delayed, and cancelled --- */

static inline bool remind(struct sf_context *context, const struct sf_message *message)
{
    const char *text;
    struct sf_address self = sf_self(context);
    if (!sf_read(context, message, &sf_string_type, &text))
        return false;
    if (!strcmp(text, "stop"))
        return sf_cancel(context, "soon");
    if (!strcmp(text, "ring"))
        return sf_send_egress(context, "example/rings", sf_string(self.id));
    if (!strcmp(text, "elsewhere"))
        return sf_send_after(context, 50, NULL, sf_address("example/greeter", "Ann"), sf_int(1));
    return sf_send_after(context, 100, "soon", self, sf_string("ring"));
}

static const struct sf_function REMINDER = {.type = "example/reminder", .call = remind};

/* --- a function with everything that is kept in one state --- */

static const struct sf_state WORDS = SF_TABLE("words", &sf_string_type, &sf_int_type);
static const struct sf_state LINES = SF_BUFFER("lines", &sf_string_type);
static const struct sf_state RECENT = {.name = "recent",
                                       .kind = SF_STATE_VALUE,
                                       .type = &sf_string_type,
                                       .expiry = SF_EXPIRE_AFTER_WRITE,
                                       .expire_ms = 1000};

static inline bool note(struct sf_context *context, const struct sf_message *message)
{
    const char *text;
    int32_t count = 0;
    if (!sf_read(context, message, &sf_string_type, &text))
        return false;
    sf_table_get(context, &WORDS, sf_string(text), &count);
    sf_table_set(context, &WORDS, sf_string(text), sf_int(count + 1));
    sf_set(context, &RECENT, sf_string(text));
    return sf_buffer_append(context, &LINES, sf_string(text));
}

static const struct sf_function NOTEBOOK = {
    .type = "example/notebook", .call = note, .states = SF_STATES(&WORDS, &LINES)};

/* --- operations that others end --- */

static struct sf_async *pending_operation;

static const struct sf_state ENDS = SF_VALUE("ends", &sf_string_type);

static inline bool operate(struct sf_context *context, const struct sf_message *message)
{
    struct sf_async_result result;
    const char *metadata = "", *text = "", *ends = "";
    switch (sf_async_result(context, message, &result)) {
    case SF_ASYNC_NONE:
        if (!sf_read(context, message, &sf_string_type, &text))
            return false;
        struct sf_async *async = sf_async_begin(context, sf_string(text));
        if (!strcmp(text, "at once"))
            sf_async_complete(async, sf_string("done"));
        else if (!strcmp(text, "in vain"))
            sf_async_fail(async, "no luck");
        else
            pending_operation = async;
        return true;
    case SF_ASYNC_SUCCESS:
        sf_decode(context, result.value, &sf_string_type, &text);
        break;
    case SF_ASYNC_FAILURE:
        text = result.cause;
        break;
    case SF_ASYNC_UNKNOWN:
        text = "unknown";
        break;
    }
    struct sf_address self = sf_self(context), caller = {0};
    if (!sf_caller(context, &caller) || strcmp(caller.type, self.type) != 0 ||
        strcmp(caller.id, self.id) != 0)
        return sf_fail_call(context, "the result comes from %s", caller.type ? caller.type : "");
    sf_decode(context, result.metadata, &sf_string_type, &metadata);
    sf_get(context, &ENDS, &ends);
    return sf_set(context, &ENDS, sf_format(context, "%s%s: %s;", ends, metadata, text));
}

static const struct sf_function OPERATOR = {
    .type = "example/operator", .call = operate, .states = SF_STATES(&ENDS)};

/* All of them, and routers. */
static inline bool route_words(struct sf_routing *routing, const struct sf_record *record,
                               void *user)
{
    char text[32] = {0}, id[32] = "nobody";
    (void)user;
    if (!record->value.size || record->value.size >= sizeof text || record->key.size >= sizeof id)
        return sf_fail_route(routing, "a value of %zu bytes", record->value.size);
    memcpy(text, record->value.data, record->value.size);
    if (record->key.data) {
        memcpy(id, record->key.data, record->key.size);
        id[record->key.size] = '\0';
    }
    sf_count_route(routing, "words", 1);
    sf_log_route(routing, SF_INFO, "a word for %s", id);
    sf_forward(routing, sf_address("example/notebook", id), sf_string(text));
    sf_forward(routing, sf_address("example/notebook", "all"), sf_string(text));
    return true;
}

static const struct sf_router ROUTER = {.ingress = "example/words", .route = route_words};

static inline bool configure_others(struct sf_module *module, struct sf_status *status)
{
    const char *greets = sf_config(module, "greets");
    return sf_bind(module, &REMINDER, status) && sf_bind(module, &NOTEBOOK, status) &&
           sf_bind(module, &OPERATOR, status) && sf_bind_router(module, &ROUTER, status) &&
           (!greets || strcmp(greets, "too") != 0 || sf_bind(module, &GREETER, status));
}

#endif
