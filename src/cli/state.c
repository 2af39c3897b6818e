/* state.c - statefun state. */
#include "cli/command.h"

#include "base/mem.h"
#include "cli/state_source.h"
#include "runtime/builtin_json.h"
#include "runtime/json_text.h"
#include "spec/suggest.h"
#include "wire/builtin.h"
#include "wire/invocation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { FLAG_AT, FLAG_TYPE, FLAG_AHEAD, FLAG_RAW };

const struct command_flag state_flags[] = {
    AT_FLAG,
    {"type", 0, "TYPENAME",
     "Of put: the type of the value, io.statefun.types/string unless given. For the built-in types "
     "VALUE is what people write (text, 3, 1.5, true); for others it is taken as it is."},
    {"ahead", 0, NULL,
     "Of put and delete: not behind the messages that wait, only behind the invocation under way; "
     "for mending a state with which its function fails."},
    {"raw", 0, NULL, "Of get and put: the bytes of the value, also of the built-in types."},
    {0},
};

const enum setting state_settings[] = {SETTING_DATA, SETTING_ADMIN_TOKEN, SETTING_PARTITIONS,
                                       SETTINGS_COUNT};

struct action {
    const char *name;
    size_t least, most; /* arguments */
    const char *usage;
    bool may_make; /* the data directory */
    unsigned flags;
    bool (*run)(struct state_source *source, const struct inputs *inputs, struct sf_status *status);
};

/* --- arguments --- */

static const char *argument(const struct inputs *inputs, size_t index)
{
    return index < inputs->argument_count ? inputs->arguments[index] : NULL;
}

/* ADDRESS, and STATE if `has_state`; the id may hold slashes. */
static bool read_name(const struct inputs *inputs, bool has_state, struct arena *arena,
                      struct state_name *ret_name, struct sf_status *status)
{
    const char *text = argument(inputs, 1);
    const char *first = strchr(text, '/'), *second = first ? strchr(first + 1, '/') : NULL;
    if (!second || first == text || second == first + 1 || !second[1])
        return sf_fail(status, SF_INVALID, "expected an address, namespace/type/id, found '%s'",
                       text);
    *ret_name = (struct state_name){0};
    if (has_state)
        ret_name->state = bytes_of(argument(inputs, 2));
    if (has_state && (!ret_name->state.size || ret_name->state.size > STATE_NAME_BYTES_MAX ||
                      !bytes_are_utf8(ret_name->state)))
        return sf_fail(status, SF_INVALID,
                       "expected the name of a state, 1 to %d bytes of UTF-8, found %zu bytes",
                       STATE_NAME_BYTES_MAX, ret_name->state.size);
    return address_make(bytes_make(text, (size_t)(first - text)),
                        bytes_make(first + 1, (size_t)(second - first - 1)), bytes_of(second + 1),
                        arena, &ret_name->address, status);
}

/* --- values --- */

static bool read_input(struct buffer *value, struct sf_status *status)
{
    enum { READ_BYTES = 64 * 1024, VALUE_BYTES_MAX = 1 << 30 };
    size_t size;
    while ((size = fread(buffer_reserve(value, READ_BYTES), 1, READ_BYTES, stdin)) > 0) {
        value->size += size;
        if (value->size > VALUE_BYTES_MAX)
            return sf_fail(status, SF_FULL, "standard input has more than %d bytes",
                           VALUE_BYTES_MAX);
    }
    return !ferror(stdin) ||
           sf_fail(status, SF_IO, "standard input: cannot read: %s", strerror(errno));
}

/* Text stands for itself, other values are JSON. */
static bool read_json(struct bytes type, struct bytes text, json_t **ret_json,
                      struct sf_status *status)
{
    if (!bytes_is(type, TYPE_STRING))
        return json_text_parse(text, JSON_DECODE_ANY, ret_json, status) ||
               sf_wrap(status, "expected JSON for a value of type %.*s", BYTES_ARG(type));
    *ret_json = json_stringn(text.size ? (const char *)text.data : "", text.size);
    return *ret_json || sf_fail(status, SF_INVALID, "expected text in UTF-8");
}

/* Turns what people write into the value of a built-in type. */
static bool encode(struct bytes type, struct buffer *text, struct sf_status *status)
{
    json_t *json;
    if (!read_json(type, buffer_bytes(text), &json, status))
        return sf_wrap(status, "VALUE");
    buffer_clear(text);
    bool good = builtin_of_json(text, type, json, status) || sf_wrap(status, "VALUE");
    json_decref(json);
    return good;
}

static bool read_value(const struct inputs *inputs, struct bytes type, struct buffer *value,
                       struct sf_status *status)
{
    const char *given = argument(inputs, 3);
    bool is_builtin = bytes_starts_with(type, bytes_of("io.statefun.types/"));
    if (given)
        buffer_add_text(value, given);
    else if (!read_input(value, status))
        return false;
    return is_builtin && !inputs_have_flag(inputs, FLAG_RAW)
               ? encode(type, value, status)
               : builtin_check(type, buffer_bytes(value), status);
}

static void print_value(struct bytes type, struct bytes value, bool is_raw)
{
    struct buffer text = {0};
    struct bytes plain = {0};
    bool is_text = !is_raw && bytes_is(type, TYPE_STRING) && builtin_text(value, &plain);
    if (is_text)
        buffer_add_bytes(&text, plain);
    else if (is_raw || !builtin_add_json(&text, type, value))
        is_raw = true;
    if (is_raw) {
        (void)fwrite(value.data, 1, value.size, stdout);
    } else {
        buffer_add_u8(&text, '\n');
        (void)fwrite(text.data, 1, text.size, stdout);
    }
    buffer_destroy(&text);
}

/* --- actions --- */

static bool run_get(struct state_source *source, const struct inputs *inputs,
                    struct sf_status *status)
{
    struct arena arena = {0};
    struct buffer type = {0}, value = {0};
    struct state_name name;
    bool good = read_name(inputs, true, &arena, &name, status) &&
                source->kind->get(source, &name, &type, &value, status);
    if (good)
        print_value(buffer_bytes(&type), buffer_bytes(&value), inputs_have_flag(inputs, FLAG_RAW));
    buffer_destroy(&type);
    buffer_destroy(&value);
    arena_destroy(&arena);
    return good;
}

static bool run_put(struct state_source *source, const struct inputs *inputs,
                    struct sf_status *status)
{
    struct arena arena = {0};
    struct buffer value = {0};
    struct state_name name;
    const char *type = inputs->values[FLAG_TYPE] ? inputs->values[FLAG_TYPE] : TYPE_STRING;
    const char *slash = strchr(type, '/');
    bool good =
        ((slash && slash != type && slash[1] && !strchr(slash + 1, '/')) ||
         sf_fail(status, SF_INVALID, "--type: expected <namespace>/<name>, found '%s'", type)) &&
        read_name(inputs, true, &arena, &name, status) &&
        read_value(inputs, bytes_of(type), &value, status);
    if (good) {
        struct state_put put = {bytes_of(type), buffer_bytes(&value),
                                inputs_have_flag(inputs, FLAG_AHEAD)};
        good = source->kind->put(source, &name, &put, status);
    }
    buffer_destroy(&value);
    arena_destroy(&arena);
    return good;
}

static bool run_delete(struct state_source *source, const struct inputs *inputs,
                       struct sf_status *status)
{
    struct arena arena = {0};
    struct state_name name;
    bool good =
        read_name(inputs, true, &arena, &name, status) &&
        source->kind->delete_it(source, &name, inputs_have_flag(inputs, FLAG_AHEAD), status);
    arena_destroy(&arena);
    return good;
}

static bool run_list(struct state_source *source, const struct inputs *inputs,
                     struct sf_status *status)
{
    struct arena arena = {0};
    struct buffer json = {0};
    struct state_name name;
    bool good = read_name(inputs, false, &arena, &name, status) &&
                source->kind->list(source, &name, &json, status);
    if (good)
        (void)fwrite(json.data, 1, json.size, stdout);
    buffer_destroy(&json);
    arena_destroy(&arena);
    return good;
}

static const char *file_of(const struct inputs *inputs)
{
    const char *file = argument(inputs, 1);
    return file ? file : "-";
}

static bool run_export(struct state_source *source, const struct inputs *inputs,
                       struct sf_status *status)
{
    return state_export(source, file_of(inputs), status);
}

static bool run_import(struct state_source *source, const struct inputs *inputs,
                       struct sf_status *status)
{
    return state_import(source, file_of(inputs), status);
}

enum {
    TAKES_AT = 1u << FLAG_AT,
    TAKES_VALUE = 1u << FLAG_TYPE | 1u << FLAG_RAW,
    TAKES_AHEAD = 1u << FLAG_AHEAD
};

static const struct action actions[] = {
    {"get", 2, 2, "get ADDRESS STATE", false, TAKES_AT | 1u << FLAG_RAW, run_get},
    {"put", 2, 3, "put ADDRESS STATE [VALUE]", false, TAKES_AT | TAKES_VALUE | TAKES_AHEAD,
     run_put},
    {"delete", 2, 2, "delete ADDRESS STATE", false, TAKES_AT | TAKES_AHEAD, run_delete},
    {"list", 1, 1, "list ADDRESS", false, TAKES_AT, run_list},
    {"export", 0, 1, "export [FILE]", false, TAKES_AT, run_export},
    {"import", 0, 1, "import [FILE]", true, TAKES_AT, run_import},
};

/* --- the command --- */

static int wrong(const char *format, const char *what, const char *more)
{
    fprintf(stderr, "statefun state: ");
    fprintf(stderr, format, what, more);
    fprintf(stderr, "\nTry 'statefun state --help'.\n");
    return EXIT_WRONG;
}

static const struct action *find_action(const struct inputs *inputs, int *ret_code)
{
    const char *name = argument(inputs, 0);
    struct suggestion suggestion = suggestion_for(name ? name : "");
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        const struct action *action = &actions[i];
        suggestion_offer(&suggestion, action->name);
        if (!name || strcmp(name, action->name))
            continue;
        size_t count = inputs->argument_count - 1;
        if (count >= action->least && count <= action->most)
            return action;
        *ret_code = wrong("expected %s%s", action->usage, "");
        return NULL;
    }
    if (!name)
        *ret_code = wrong("expected one of %s%s", "get, put, delete, list, export, import", "");
    else if (suggestion.best)
        *ret_code = wrong("there is no '%s'; did you mean '%s'?", name, suggestion.best);
    else
        *ret_code = wrong("there is no '%s', expected one of %s", name,
                          "get, put, delete, list, export, import");
    return NULL;
}

static uint64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int run_action(const struct action *action, const struct inputs *inputs)
{
    const struct settings *settings = inputs->settings;
    struct place_options options = {
        .where = inputs->values[FLAG_AT],
        .directory = settings_text(settings, SETTING_DATA),
        .partitions =
            action->may_make ? (uint32_t)settings_number(settings, SETTING_PARTITIONS) : 0,
    };
    struct state_source source = {.token = settings_text(settings, SETTING_ADMIN_TOKEN),
                                  .now_ms = wall_ms()};
    struct sf_status status;
    bool good = place_open(&options, &source.place, &status);
    source.kind = source.place.store ? &state_source_stopped : &state_source_live;
    good = good && action->run(&source, inputs, &status);
    place_close(&source.place);
    spec_cache_free(source.specs);
    if (good && !fflush(stdout))
        return EXIT_GOOD;
    fprintf(stderr, "statefun state %s: %s\n", action->name,
            good ? "standard output cannot be written" : status.message);
    return !good && status.code == SF_INVALID ? EXIT_WRONG : EXIT_FAILED;
}

int state_run(const struct command *command, int argc, char **argv)
{
    int code;
    struct inputs inputs;
    if (!inputs_read(&inputs, command, argc, argv, &code))
        return code;
    code = diagnostics_report(&inputs.diagnostics) ? EXIT_WRONG : EXIT_GOOD;
    const struct action *action = code == EXIT_GOOD ? find_action(&inputs, &code) : NULL;
    for (unsigned flag = 0; action && state_flags[flag].name; flag++)
        if (inputs_have_flag(&inputs, flag) && !(action->flags & 1u << flag)) {
            code = wrong("'%s' takes no --%s", action->name, state_flags[flag].name);
            action = NULL;
        }
    if (action)
        code = run_action(action, &inputs);
    inputs_destroy(&inputs);
    return code;
}
