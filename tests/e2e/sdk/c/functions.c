/* functions.c - the application of ../README.md with the SDK for C: a program that serves it
 *
 *     functions --port PORT [--tolerant] [--deferring]
 *
 * and, built as a shared library, an embedded module, whose flags stand in the configuration.
 * With "deferring" an asynchronous operation does many a list of commands. */
#include "json.h"

#include <duration.pb-c.h>
#include <statefun/protobuf.h>
#include <statefun/serve.h>
#include <statefun/statefun.h>

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SECOND = 1000, DAY = 24 * 3600 * SECOND };

static bool is_tolerant, is_deferring; /* from configure on */

/* --- reports --- */

static const char *text_of(struct sf_value formatted)
{
    return formatted.as_bytes.data;
}

/* `fields` are members of a JSON object, made by sf_format. */
static bool report(struct sf_context *context, struct sf_value fields)
{
    static const struct sf_type record = SF_TEXT_TYPE("io.statefun.playground/EgressRecord");
    struct sf_value payload = sf_format(context, "{\"id\": %s, %s}",
                                        json_quoted(context, sf_self(context).id), text_of(fields));
    return sf_send_egress(context, "io.statefun.playground/egress",
                          sf_as(&record, sf_format(context, "{\"topic\": \"out\", \"payload\": %s}",
                                                   json_quoted(context, text_of(payload)))));
}

static const char *quoted_caller(struct sf_context *context)
{
    struct sf_address caller;
    if (!sf_caller(context, &caller))
        return "null";
    return json_quoted(context, text_of(sf_format(context, "%s/%s", caller.type, caller.id)));
}

/* --- sdk/types, sdk/mirror, sdk/forwarder --- */

/* A list of words, with blanks between them. */
struct words {
    size_t count;
    const char **words;
};

static bool encode_words(const struct sf_type *type, const void *object, struct sf_writer *writer,
                         struct sf_status *status)
{
    const struct words *words = object;
    (void)type;
    (void)status;
    for (size_t i = 0; i < words->count; i++)
        sf_write_format(writer, "%s%s", i ? " " : "", words->words[i]);
    return true;
}

static bool decode_words(const struct sf_type *type, struct sf_bytes bytes,
                         struct sf_context *context, void *ret_object, struct sf_status *status)
{
    struct words *words = ret_object;
    char *text = sf_alloc(context, bytes.size + 1), *word;
    (void)type;
    (void)status;
    if (bytes.size)
        memcpy(text, bytes.data, bytes.size);
    words->count = 0;
    words->words = sf_alloc(context, (bytes.size + 1) * sizeof *words->words);
    while ((word = strsep(&text, " ")))
        words->words[words->count++] = word;
    return true;
}

static const struct sf_type WORDS = {.name = "sdk.types/words",
                                     .repr = SF_REPR_OBJECT,
                                     .encode = encode_words,
                                     .decode = decode_words};
static const struct sf_type DURATION =
    SF_PROTOBUF_TYPE("google.protobuf.Duration", google__protobuf__duration);

static const struct sf_state AN_INT = SF_VALUE("an_int", &sf_int_type),
                             A_LONG = SF_VALUE("a_long", &sf_long_type),
                             A_FLOAT = SF_VALUE("a_float", &sf_float_type),
                             A_DOUBLE = SF_VALUE("a_double", &sf_double_type),
                             A_BOOL = SF_VALUE("a_bool", &sf_bool_type),
                             A_STRING = SF_VALUE("a_string", &sf_string_type),
                             SOME_WORDS = SF_VALUE("some_words", &WORDS),
                             A_DURATION = SF_VALUE("a_duration", &DURATION);
static const struct sf_state *const TYPES_STATES[] = {
    &AN_INT, &A_LONG, &A_FLOAT, &A_DOUBLE, &A_BOOL, &A_STRING, &SOME_WORDS, &A_DURATION, NULL};

/* What a value of any of the types is decoded into. */
union object {
    int32_t an_int;
    int64_t a_long;
    float a_float;
    double a_double;
    bool a_bool;
    const char *a_string;
    struct words some_words;
    Google__Protobuf__Duration *a_duration;
};

static struct sf_value value_of(const struct sf_type *type, const union object *object)
{
    switch (type->repr) {
    case SF_REPR_INT:
        return sf_int(object->an_int);
    case SF_REPR_LONG:
        return sf_long(object->a_long);
    case SF_REPR_FLOAT:
        return sf_float(object->a_float);
    case SF_REPR_DOUBLE:
        return sf_double(object->a_double);
    case SF_REPR_BOOL:
        return sf_bool(object->a_bool);
    case SF_REPR_STRING:
        return sf_string(object->a_string);
    default:
        return type == &WORDS ? sf_object(type, &object->some_words)
                              : sf_object(type, object->a_duration);
    }
}

static struct sf_address mirror_here(struct sf_context *context)
{
    return sf_address("sdk/mirror", sf_self(context).id);
}

static bool types(struct sf_context *context, const struct sf_message *message)
{
    for (size_t i = 0; TYPES_STATES[i]; i++) {
        const struct sf_state *state = TYPES_STATES[i];
        union object old, new;
        if (!sf_is(message, state->type))
            continue;
        if (!sf_read(context, message, state->type, &new))
            return false;
        if (sf_get(context, state, &old))
            sf_send(context, mirror_here(context), value_of(state->type, &old));
        sf_set(context, state, value_of(state->type, &new));
        return sf_send(context, mirror_here(context), value_of(state->type, &new));
    }
    const char *type = sf_message_type(context, message);
    if (!is_tolerant)
        return sf_fail_call(context, "nothing is known of %s", type);
    return report(context, sf_format(context, "\"unreadable\": %s", json_quoted(context, type)));
}

static bool mirror(struct sf_context *context, const struct sf_message *message)
{
    struct sf_bytes bytes = sf_message_value(message).as_bytes;
    char *hex = sf_alloc(context, 2 * bytes.size + 1);
    for (size_t i = 0; i < bytes.size; i++)
        snprintf(hex + 2 * i, 3, "%02x", ((const unsigned char *)bytes.data)[i]);
    return report(context, sf_format(context, "\"type\": %s, \"hex\": \"%s\", \"caller\": %s",
                                     json_quoted(context, sf_message_type(context, message)), hex,
                                     quoted_caller(context)));
}

static bool forwarder(struct sf_context *context, const struct sf_message *message)
{
    return sf_send(context, mirror_here(context), sf_message_value(message));
}

/* --- sdk/expiring --- */

static const struct sf_state ALWAYS = SF_VALUE("always", &sf_int_type),
                             DAY_WRITTEN = SF_VALUE("day_written", &sf_int_type,
                                                    SF_EXPIRES(SF_EXPIRE_AFTER_WRITE, DAY)),
                             DAY_CALLED = SF_VALUE("day_called", &sf_int_type,
                                                   SF_EXPIRES(SF_EXPIRE_AFTER_CALL, DAY)),
                             SECOND_WRITTEN = SF_VALUE("second_written", &sf_int_type,
                                                       SF_EXPIRES(SF_EXPIRE_AFTER_WRITE, SECOND)),
                             SECOND_CALLED = SF_VALUE("second_called", &sf_int_type,
                                                      SF_EXPIRES(SF_EXPIRE_AFTER_CALL, SECOND));
static const struct sf_state *const EXPIRING_STATES[] = {
    &ALWAYS, &DAY_WRITTEN, &DAY_CALLED, &SECOND_WRITTEN, &SECOND_CALLED, NULL};

static bool expiring(struct sf_context *context, const struct sf_message *message)
{
    const char *word, *present = "";
    int32_t number;
    if (!sf_read(context, message, &sf_string_type, &word))
        return false;
    for (size_t i = 0; EXPIRING_STATES[i] && strcmp(word, "set") == 0; i++)
        sf_set(context, EXPIRING_STATES[i], sf_int(1));
    if (strcmp(word, "delete") == 0)
        sf_clear(context, &ALWAYS);
    for (size_t i = 0; EXPIRING_STATES[i]; i++) {
        if (sf_get(context, EXPIRING_STATES[i], &number))
            present = text_of(sf_format(context, "%s%s\"%s\"", present, *present ? ", " : "",
                                        EXPIRING_STATES[i]->name));
    }
    return report(context, sf_format(context, "\"present\": [%s]", present));
}

/* --- sdk/commands --- */

static const struct sf_type COMMANDS = SF_TEXT_TYPE("sdk.types/commands");
static const struct sf_state SUM = SF_VALUE("sum", &sf_int_type),
                             CALLS = SF_VALUE("calls", &sf_int_type);

static int32_t stored(struct sf_context *context, const struct sf_state *state)
{
    int32_t number = 0;
    sf_get(context, state, &number);
    return number;
}

/* How often this process has met a name, for ever. */
static int64_t count_meeting(const char *text)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static struct name {
        struct name *next;
        int64_t count;
        char text[];
    } * names;
    pthread_mutex_lock(&mutex);
    struct name *name = names;
    while (name && strcmp(name->text, text) != 0)
        name = name->next;
    if (!name && (name = calloc(1, sizeof *name + strlen(text) + 1))) {
        memcpy(name->text, text, strlen(text));
        name->next = names;
        names = name;
    }
    int64_t count = name ? ++name->count : 0;
    pthread_mutex_unlock(&mutex);
    return count;
}

static void send_commands(struct sf_context *context, struct json command)
{
    struct sf_address to =
        sf_address("sdk/commands", json_string(context, json_member(command, "to")));
    struct json after = json_member(command, "after"), token = json_member(command, "token");
    const char *commands = json_text(context, json_member(command, "do"));
    struct sf_value value = sf_as(&COMMANDS, sf_format(context, "{\"do\": %s}", commands));
    if (after.at)
        sf_send_after(context, json_number(after), token.at ? json_string(context, token) : NULL,
                      to, value);
    else
        sf_send(context, to, value);
}

static bool run(struct sf_context *context, struct json command)
{
    const char *op = json_string(context, json_member(command, "op"));
    if (strcmp(op, "add") == 0) {
        int32_t n = (int32_t)json_number(json_member(command, "n"));
        return sf_set(context, &SUM, sf_int(stored(context, &SUM) + n));
    }
    if (strcmp(op, "send") == 0) {
        send_commands(context, command);
        return true;
    }
    if (strcmp(op, "cancel") == 0)
        return sf_cancel(context, json_string(context, json_member(command, "token")));
    if (strcmp(op, "fail") == 0) {
        const char *name = json_string(context, json_member(command, "name"));
        return count_meeting(name) > json_number(json_member(command, "times")) ||
               sf_fail_call(context, "%s", name);
    }
    if (strcmp(op, "emit") == 0)
        return report(context, sf_format(context, "\"emit\": %s",
                                         json_text(context, json_member(command, "text"))));
    if (strcmp(op, "report") == 0)
        return report(context, sf_format(context, "\"sum\": %d, \"calls\": %d, \"caller\": %s",
                                         stored(context, &SUM), stored(context, &CALLS),
                                         quoted_caller(context)));
    return sf_fail_call(context, "there is no command %s", op);
}

static bool run_all(struct sf_context *context, const char *text)
{
    struct json list = json_member(json_of(text), "do");
    sf_set(context, &CALLS, sf_int(stored(context, &CALLS) + 1));
    if (!list.at)
        return sf_fail_call(context, "the commands are no JSON");
    for (struct json command = json_first(list); command.at; command = json_next(list, command)) {
        if (!run(context, command))
            return false;
    }
    return true;
}

/* --- deferred commands: a thread ends all operations, the last begun first --- */

struct deferred {
    struct deferred *next;
    struct sf_async *async;
    char text[];
};

static pthread_mutex_t deferred_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t deferred_came = PTHREAD_COND_INITIALIZER;
static struct deferred *deferred_last;

/* Half of them fail, and what was to be done is done all the same. */
static void *end_deferred(void *unused)
{
    (void)unused;
    for (bool succeeds = true;; succeeds = !succeeds) {
        pthread_mutex_lock(&deferred_mutex);
        while (!deferred_last)
            pthread_cond_wait(&deferred_came, &deferred_mutex);
        struct deferred *deferred = deferred_last;
        deferred_last = deferred->next;
        pthread_mutex_unlock(&deferred_mutex);
        nanosleep(&(struct timespec){.tv_nsec = 500 * 1000}, NULL);
        if (succeeds)
            sf_async_complete(deferred->async, sf_as(&COMMANDS, sf_string(deferred->text)));
        else
            sf_async_fail(deferred->async, "it was not to be");
        free(deferred);
    }
    return NULL;
}

static void start_ending(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, end_deferred, NULL) != 0 || pthread_detach(thread) != 0)
        abort();
}

static bool defer(struct sf_context *context, const char *text)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct deferred *deferred = malloc(sizeof *deferred + strlen(text) + 1);
    if (!deferred)
        return sf_fail_call(context, "there is no memory");
    memcpy(deferred->text, text, strlen(text) + 1);
    deferred->async = sf_async_begin(context, sf_as(&COMMANDS, sf_string(text)));
    if (!deferred->async) {
        free(deferred);
        return false;
    }
    pthread_once(&once, start_ending);
    pthread_mutex_lock(&deferred_mutex);
    deferred->next = deferred_last;
    deferred_last = deferred;
    pthread_cond_signal(&deferred_came);
    pthread_mutex_unlock(&deferred_mutex);
    return true;
}

static bool commands(struct sf_context *context, const struct sf_message *message)
{
    struct sf_async_result result;
    const char *text;
    switch (sf_async_result(context, message, &result)) {
    case SF_ASYNC_NONE:
        if (!sf_read(context, message, &COMMANDS, &text))
            return false;
        return is_deferring && strlen(text) % 3 == 0 ? defer(context, text)
                                                     : run_all(context, text);
    case SF_ASYNC_SUCCESS:
        return sf_decode(context, result.value, &COMMANDS, &text) && run_all(context, text);
    case SF_ASYNC_FAILURE:
        return sf_decode(context, result.metadata, &COMMANDS, &text) && run_all(context, text);
    default: /* unknown: it is begun again */
        sf_log(context, SF_INFO, "nothing is known of an operation");
        return sf_decode(context, result.metadata, &COMMANDS, &text) && defer(context, text);
    }
}

/* --- sdk/meeting --- */

/* A thread for each that waits. */
static void *meet(void *async)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static pthread_cond_t all_here = PTHREAD_COND_INITIALIZER;
    static unsigned here, meetings;
    struct timespec patience;
    clock_gettime(CLOCK_REALTIME, &patience);
    patience.tv_sec += 30;

    pthread_mutex_lock(&mutex);
    unsigned meeting = meetings;
    if (++here == 3) {
        here = 0;
        meetings++;
        pthread_cond_broadcast(&all_here);
    }
    while (meeting == meetings && pthread_cond_timedwait(&all_here, &mutex, &patience) != ETIMEDOUT)
        ;
    bool met = meeting != meetings;
    if (!met)
        here--;
    pthread_mutex_unlock(&mutex);
    if (met)
        sf_async_complete(async, sf_int(3));
    else
        sf_async_fail(async, "nobody came");
    return NULL;
}

static bool go_to_meeting(struct sf_context *context)
{
    struct sf_async *async = sf_async_begin(context, sf_string("meeting"));
    pthread_t thread;
    if (!async)
        return false;
    if (pthread_create(&thread, NULL, meet, async) != 0) {
        sf_async_fail(async, "there is no thread");
        return true;
    }
    return pthread_detach(thread) == 0;
}

static bool meeting(struct sf_context *context, const struct sf_message *message)
{
    struct sf_async_result result;
    const char *word;
    int32_t met = 1;
    switch (sf_async_result(context, message, &result)) {
    case SF_ASYNC_NONE:
        if (!sf_read(context, message, &sf_string_type, &word))
            return false;
        if (strcmp(word, "alone") != 0)
            return go_to_meeting(context);
        break;
    case SF_ASYNC_SUCCESS:
        if (!sf_decode(context, result.value, &sf_int_type, &met))
            return false;
        break;
    case SF_ASYNC_FAILURE:
        return sf_fail_call(context, "%s", result.cause);
    default:
        return go_to_meeting(context);
    }
    return report(context, sf_format(context, "\"met\": %d", met));
}

/* --- sdk/egresses --- */

static bool egresses(struct sf_context *context, const struct sf_message *message)
{
    static const char *const no_key[] = {"no", "key"};
    const struct words words = {2, (const char **)no_key};
    const char *topic;
    if (!sf_read(context, message, &sf_string_type, &topic))
        return false;
    struct sf_value id = sf_string(sf_self(context).id);
    const struct sf_value values[] = {sf_string("text"), sf_raw("sdk.types/octets", "\0\377", 2),
                                      sf_int(258),       sf_double(1.5),
                                      sf_long(259),      sf_float(2.5)};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        sf_send_kafka(context, "sdk/kafka",
                      &(struct sf_kafka_record){.topic = topic, .key = id, .value = values[i]});
    sf_send_kafka(context, "sdk/kafka",
                  &(struct sf_kafka_record){.topic = topic, .value = sf_object(&WORDS, &words)});
    return sf_send_kinesis(context, "sdk/kinesis",
                           &(struct sf_kinesis_record){.stream = topic,
                                                       .partition_key = sf_self(context).id,
                                                       .explicit_hash_key = "123",
                                                       .value = sf_string("text")});
}

/* --- path/one and path/two --- */

static bool path(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    return report(context, sf_format(context, "\"function\": \"%s\"", sf_self(context).type));
}

/* --- the module --- */

static const struct sf_function FUNCTIONS[] = {
    {.type = "sdk/types", .call = types, .states = TYPES_STATES},
    {.type = "sdk/mirror", .call = mirror},
    {.type = "sdk/forwarder", .call = forwarder},
    {.type = "sdk/expiring", .call = expiring, .states = EXPIRING_STATES},
    {.type = "sdk/commands", .call = commands, .states = SF_STATES(&SUM, &CALLS)},
    {.type = "sdk/meeting", .call = meeting},
    {.type = "sdk/egresses", .call = egresses},
    {.type = "path/one", .call = path},
    {.type = "path/two", .call = path}};

static bool configure(struct sf_module *module, struct sf_status *status)
{
    is_tolerant = sf_config(module, "tolerant");
    is_deferring = sf_config(module, "deferring");
    for (size_t i = 0; i < sizeof FUNCTIONS / sizeof *FUNCTIONS; i++) {
        if (!sf_bind(module, &FUNCTIONS[i], status))
            return false;
    }
    return true;
}
SF_MODULE(configure)

int main(int argc, char **argv)
{
    static const struct option options[] = {{"port", required_argument, NULL, 'p'},
                                            {"tolerant", no_argument, NULL, 't'},
                                            {"deferring", no_argument, NULL, 'd'},
                                            {0}};
    static char listen_flag[] = "--listen", config_flag[] = "--config", tolerant[] = "tolerant=yes",
                deferring[] = "deferring=yes";
    char listen[64] = "";
    char *arguments[8] = {argv[0], listen_flag, listen};
    int option, count = 3;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == '?' || count + 2 > 7)
            return 2;
        if (option == 'p') {
            snprintf(listen, sizeof listen, "127.0.0.1:%s", optarg);
            continue;
        }
        arguments[count++] = config_flag;
        arguments[count++] = option == 't' ? tolerant : deferring;
    }
    return sf_serve_main(count, arguments, configure);
}
