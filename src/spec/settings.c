/* settings.c - the table, and where values come from. settings_file.c reads the file. */
#include "spec/settings.h"

#include "base/mem.h"
#include "spec/settings_inside.h"
#include "spec/suggest.h"
#include "spec/value.h"

#include <assert.h>
#include <ctype.h>
#include <sched.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#define MB         (1ull << 20)
#define MEMORY_MAX (1ull << 40)
#define DISK_MAX   (1ull << 50)

enum { WORKERS_MAX = 1024, SECOND = 1000, HOUR = 3600 * SECOND };

const struct setting_info setting_infos[SETTINGS_COUNT] = {
    [SETTING_DATA] = {"statefun.data", SETTING_TEXT, "statefun-data", NULL, 0, 0,
                      "The data directory: state, pending messages, positions, outbox. A relative "
                      "path starts at the working directory."},
    [SETTING_APPLICATION] = {"statefun.application", SETTING_TEXT, "statefun", NULL, 0, 0,
                             "The application's name. It names the consumer groups and "
                             "transactions by which exactly-once egresses know what they have "
                             "delivered: never change it for existing data."},
    [SETTING_WORKERS] = {"statefun.workers", SETTING_COUNT, "auto", NULL, 1, WORKERS_MAX,
                         "Threads that run functions. auto: one for each processor."},
    [SETTING_PARTITIONS] = {"statefun.partitions", SETTING_COUNT, "128", NULL, 1, 32768,
                            "Shares into which all addresses are divided. Fixed when the data "
                            "directory is made."},
    [SETTING_ADMIN] =
        {"statefun.admin", SETTING_TEXT, "127.0.0.1:8081", NULL, 0, 0,
         "Where metrics, health and readiness are served, and what the application keeps: "
         "host:port, or unix:/path."},
    [SETTING_ADMIN_TOKEN] =
        {"statefun.admin.token", SETTING_SECRET, "", NULL, 0, 0,
         "What the admin listener wants to be told, as 'Authorization: Bearer "
         "TOKEN', before it shows or changes state. Without one it does so only "
         "where it is reached from this machine alone. At least 16 visible "
         "characters."},
    [SETTING_HTTP_BIND] = {"statefun.http.bind", SETTING_TEXT, "0.0.0.0", NULL, 0, 0,
                           "The address on which HTTP ingresses and egresses listen; their ports "
                           "stand in module.yaml."},
    [SETTING_COMMIT_INTERVAL] = {"statefun.commit.interval", SETTING_DURATION, "10ms", NULL, 1,
                                 HOUR,
                                 "The longest time that a change waits for its commit while nobody "
                                 "asks for it. What is waited for is committed at once."},
    [SETTING_CACHE_BYTES] = {"statefun.state.cache", SETTING_BYTES, "8MB", NULL, 0, MEMORY_MAX,
                             "Memory for the state of live instances, over all workers."},
    [SETTING_BACKLOG_MEMORY_BYTES] = {"statefun.backlog.memory", SETTING_BYTES, "16MB", NULL, 1,
                                      MEMORY_MAX,
                                      "Memory for messages that wait for their function; beyond "
                                      "it they wait in the store."},
    [SETTING_BACKLOG_BYTES] = {"statefun.backlog.limit", SETTING_BYTES, "1MB", NULL, 1, DISK_MAX,
                               "How much may wait for the functions of one type, in memory and in "
                               "the store. Beyond it the ingresses that feed them pause."},
    [SETTING_OUTBOX_MEMORY_BYTES] = {"statefun.outbox.memory", SETTING_BYTES, "8MB", NULL, 1,
                                     MEMORY_MAX,
                                     "Memory for records of one egress that are not delivered yet; "
                                     "beyond it they wait in the store."},
    [SETTING_OUTBOX_BYTES] = {"statefun.outbox.limit", SETTING_BYTES, "256MB", NULL, 1, DISK_MAX,
                              "How much may wait for delivery to one egress. Beyond it ingresses "
                              "pause."},
    [SETTING_KAFKA_FETCH_MEMORY_BYTES] = {"statefun.kafka.fetch.memory", SETTING_BYTES, "4MB", NULL,
                                          64 << 10, MEMORY_MAX,
                                          "Memory for records that a Kafka ingress has fetched "
                                          "ahead, for each ingress."},
    [SETTING_ASYNC_MAX_PER_TASK] = {"statefun.async.max-per-task", SETTING_COUNT, "32768", NULL, 0,
                                    INT32_MAX,
                                    "Requests to remote functions that one worker may have under "
                                    "way. 0 or less: no limit."},
    [SETTING_REMOTE_PIPELINE] = {"statefun.remote.pipeline", SETTING_COUNT, "16", NULL, 1, 256,
                                 "Requests that may be under way on one connection to a remote "
                                 "function that answers quickly. 1: each waits for the last "
                                 "one's answer, for servers that cannot take more."},
    [SETTING_REMOTE_BUNDLES] = {"statefun.remote.bundles", SETTING_SWITCH, "true", NULL, 0, 0,
                                "Send many invocations in one request to remote functions whose "
                                "server offers it, as those in C do. All others are spoken with as "
                                "ever."},
    [SETTING_RETRY_BACKOFF_MAX] = {"statefun.retry.backoff.max", SETTING_DURATION, "10 s", NULL, 1,
                                   HOUR,
                                   "The longest pause before a request that has failed is sent "
                                   "again."},
    [SETTING_BODY_BYTES_MAX] =
        {"statefun.http.body.max", SETTING_BYTES, "32MB", NULL, 1, 1024 * MB,
         "The longest body that an HTTP ingress or the admin listener takes."},
    [SETTING_IDEMPOTENCY_WINDOW] = {"statefun.http.idempotency.window", SETTING_DURATION, "10 min",
                                    NULL, 0, 30ull * 24 * HOUR,
                                    "How long an HTTP ingress remembers an Idempotency-Key."},
    [SETTING_STATE_SPECS_REMEMBER] = {"statefun.state.specs.remember", SETTING_SWITCH, "true", NULL,
                                      0, 0,
                                      "Keep the states that functions have registered, so that the "
                                      "first request after a restart holds them."},
    [SETTING_PLACEHOLDERS] = {"statefun.placeholders", SETTING_SWITCH, "false", NULL, 0, 0,
                              "Replace ${NAME} in the values of module.yaml by what NAME is set to "
                              "in the environment or the configuration file."},
    [SETTING_STOP_TIMEOUT] = {"statefun.stop.timeout", SETTING_DURATION, "5 s", NULL, 0, HOUR,
                              "How long stopping waits for what is under way. What is not finished "
                              "by then is done after the next start."},
    [SETTING_LOG_LEVEL] = {"statefun.log.level", SETTING_CHOICE, "info",
                           "debug|info|warn|error|off", 0, 0, "The least level that is logged."},
    [SETTING_LOG_FORMAT] = {"statefun.log.format", SETTING_CHOICE, "text", "text|json", 0, 0,
                            "The form of log lines."},
};

enum { NAME_PREFIX_SIZE = sizeof "statefun." - 1 };
static const char variable_prefix[] = "STATEFUN_";

bool setting_has_flag(enum setting setting)
{
    return setting_infos[setting].type != SETTING_SECRET;
}

void setting_flag(enum setting setting, char text[64])
{
    int size = snprintf(text, 64, "%s", setting_infos[setting].name + NAME_PREFIX_SIZE);
    assert(size < 64);
    (void)size;
    for (; *text; text++)
        if (*text == '.')
            *text = '-';
}

/* The environment variable without its prefix. */
static void bare_variable(enum setting setting, char text[64])
{
    setting_flag(setting, text);
    for (; *text; text++)
        *text = *text == '-' ? '_' : (char)toupper((unsigned char)*text);
}

void setting_variable(enum setting setting, char text[64])
{
    char bare[64];
    bare_variable(setting, bare);
    int size = snprintf(text, 64, "%s%s", variable_prefix, bare);
    assert(size < 64);
    (void)size;
}

int setting_of_flag(const char *flag)
{
    for (int i = 0; i < SETTINGS_COUNT; i++) {
        char known[64];
        setting_flag((enum setting)i, known);
        if (setting_has_flag((enum setting)i) && !strcmp(known, flag))
            return i;
    }
    return -1;
}

int setting_of_name(const char *name)
{
    for (int i = 0; i < SETTINGS_COUNT; i++)
        if (!strcmp(setting_infos[i].name, name))
            return i;
    return -1;
}

/* The setting that is nearest to `word` when settings are written as `spell` does; -1 if none is
 * near. */
static int nearest(const char *word, void (*spell)(enum setting, char[64]))
{
    char known[SETTINGS_COUNT][64];
    struct suggestion suggestion = suggestion_for(word);
    int setting = -1;
    for (int i = 0; i < SETTINGS_COUNT; i++) {
        spell((enum setting)i, known[i]);
        suggestion_offer(&suggestion, known[i]);
        if (suggestion.best == known[i])
            setting = i;
    }
    return setting;
}

int setting_suggest_flag(const char *flag)
{
    int setting = nearest(flag, setting_flag);
    return setting >= 0 && setting_has_flag((enum setting)setting) ? setting : -1;
}

/* How many processors this process may use: fewer than the machine has, in a container. */
static uint64_t processor_count(void)
{
    cpu_set_t processors;
    if (sched_getaffinity(0, sizeof processors, &processors) != 0)
        return 1;
    int count = CPU_COUNT(&processors);
    return count > WORKERS_MAX ? WORKERS_MAX : (uint64_t)count;
}

/* The place of `text` among "a|b|c", whatever its case; -1 if it is none of them. */
static int choice_of(const char *choices, const char *text)
{
    size_t wanted = strlen(text);
    for (int i = 0; *choices; i++) {
        size_t size = strcspn(choices, "|");
        if (size == wanted && !strncasecmp(choices, text, size))
            return i;
        choices += size + (choices[size] == '|');
    }
    return -1;
}

static bool count_parse(enum setting setting, const char *text, uint64_t *ret_number,
                        struct sf_status *status)
{
    int64_t number;
    if (setting == SETTING_WORKERS && !strcasecmp(text, "auto")) {
        *ret_number = processor_count();
        return true;
    }
    if (!integer_parse(text, &number))
        return sf_fail(status, SF_INVALID, "an integer%s",
                       setting == SETTING_WORKERS ? " or auto" : "");
    if (number < 0 && setting == SETTING_ASYNC_MAX_PER_TASK) /* as upstream has it */
        number = 0;
    *ret_number = (uint64_t)number; /* a negative one is far above every maximum */
    return true;
}

static bool choice_parse(const char *choices, const char *text, uint64_t *ret_number,
                         struct sf_status *status)
{
    int choice = choice_of(choices, text);
    *ret_number = (uint64_t)choice;
    return choice >= 0 || sf_fail(status, SF_INVALID, "one of %s", choices);
}

static bool range_check(const struct setting_info *info, uint64_t number, struct sf_status *status)
{
    const char *unit = info->type == SETTING_BYTES      ? " bytes"
                       : info->type == SETTING_DURATION ? " ms"
                                                        : "";
    return (number >= info->min && number <= info->max) ||
           sf_fail(status, SF_INVALID, "%llu to %llu%s", (unsigned long long)info->min,
                   (unsigned long long)info->max, unit);
}

enum { TOKEN_BYTES_MIN = 16 };

static bool is_token(const char *text)
{
    size_t size = 0;
    while (text[size] > ' ' && text[size] < 0x7f)
        size++;
    return size >= TOKEN_BYTES_MIN && !text[size];
}

static bool value_parse(enum setting setting, const char *text, uint64_t *ret_number,
                        struct sf_status *status)
{
    const struct setting_info *info = &setting_infos[setting];
    *ret_number = 0;
    switch (info->type) {
    case SETTING_TEXT:
        return *text || sf_fail(status, SF_INVALID, "text that is not empty");
    case SETTING_SWITCH:
        return choice_parse("false|true", text, ret_number, status);
    case SETTING_CHOICE:
        return choice_parse(info->choices, text, ret_number, status);
    case SETTING_BYTES:
        return size_parse(text, ret_number, status) && range_check(info, *ret_number, status);
    case SETTING_DURATION:
        return duration_parse(text, ret_number, status) && range_check(info, *ret_number, status);
    case SETTING_SECRET:
        return is_token(text) ||
               sf_fail(status, SF_INVALID, "at least %d visible characters of ASCII, no blanks",
                       TOKEN_BYTES_MIN);
    case SETTING_COUNT:
        return count_parse(setting, text, ret_number, status) &&
               range_check(info, *ret_number, status);
    }
    return false;
}

bool settings_set(struct settings *settings, enum setting setting, const char *text,
                  const char *origin, struct sf_status *status)
{
    struct setting_value *value = &settings->values[setting];
    uint64_t number;
    if (!value_parse(setting, text, &number, status))
        return false;
    free(value->text);
    free(value->origin);
    value->number = number;
    value->text = setting == SETTING_WORKERS ? mem_format("%llu", (unsigned long long)number)
                                             : mem_string(text);
    value->origin = mem_string(origin);
    return true;
}

struct settings *settings_new(void)
{
    struct settings *settings = mem_new(sizeof *settings);
    name_map_init(&settings->others);
    for (int i = 0; i < SETTINGS_COUNT; i++) {
        struct sf_status status;
        if (setting_infos[i].type == SETTING_SECRET) { /* no text of it would do */
            settings->values[i].text = mem_string("");
            settings->values[i].origin = mem_string("default");
            continue;
        }
        bool good = settings_set(settings, (enum setting)i, setting_infos[i].default_text,
                                 "default", &status);
        assert(good);
        (void)good;
    }
    return settings;
}

void settings_free(struct settings *settings)
{
    if (!settings)
        return;
    for (int i = 0; i < SETTINGS_COUNT; i++) {
        free(settings->values[i].text);
        free(settings->values[i].origin);
    }
    name_map_destroy(&settings->others);
    free(settings);
}

void settings_set_flag(struct settings *settings, enum setting setting, const char *text,
                       struct diagnostics *diagnostics)
{
    struct sf_status status;
    char flag[64];
    setting_flag(setting, flag);
    if (!settings_set(settings, setting, text, "flag", &status))
        diagnostics_add(diagnostics, SEVERITY_ERROR, NULL, 0, 0, "--%s: expected %s, found %s",
                        flag, status.message, text_quoted(text).text);
}

/* A variable that is nearly one of ours is more likely misspelt than somebody else's. */
static void check_variable(const char *name, struct diagnostics *diagnostics)
{
    char known[64];
    int setting = nearest(name + sizeof variable_prefix - 1, bare_variable);
    if (setting < 0)
        return;
    setting_variable((enum setting)setting, known);
    if (strcmp(known, name) != 0)
        diagnostics_add(diagnostics, SEVERITY_WARNING, NULL, 0, 0,
                        "environment variable %s has no effect: did you mean %s?",
                        text_quoted(name).text, known);
}

static struct quoted_text shown(enum setting_type type, const char *text)
{
    return type == SETTING_SECRET ? (struct quoted_text){"something else"} : text_quoted(text);
}

void settings_read_environment(struct settings *settings, struct diagnostics *diagnostics)
{
    for (int i = 0; i < SETTINGS_COUNT; i++) {
        struct sf_status status;
        char variable[64];
        setting_variable((enum setting)i, variable);
        const char *text = getenv(variable);
        if (text && !settings_set(settings, (enum setting)i, text, "environment", &status))
            diagnostics_add(diagnostics, SEVERITY_ERROR, NULL, 0, 0,
                            "environment variable %s: expected %s, found %s", variable,
                            status.message, shown(setting_infos[i].type, text).text);
    }
    for (char **entry = environ; *entry; entry++) {
        if (strncmp(*entry, variable_prefix, sizeof variable_prefix - 1) != 0)
            continue;
        char *name = bytes_string(bytes_make(*entry, strcspn(*entry, "=")));
        check_variable(name, diagnostics);
        free(name);
    }
}

const char *settings_text(const struct settings *settings, enum setting setting)
{
    return settings->values[setting].text;
}

uint64_t settings_number(const struct settings *settings, enum setting setting)
{
    assert(setting_infos[setting].type != SETTING_TEXT &&
           setting_infos[setting].type != SETTING_SECRET);
    return settings->values[setting].number;
}

bool settings_switch(const struct settings *settings, enum setting setting)
{
    assert(setting_infos[setting].type == SETTING_SWITCH);
    return settings->values[setting].number != 0;
}

const char *settings_look_up(const struct settings *settings, const char *name)
{
    int setting = setting_of_name(name);
    if (setting >= 0)
        return setting_infos[setting].type == SETTING_SECRET ? NULL
                                                             : settings->values[setting].text;
    const char *other = name_map_get(&settings->others, name);
    if (other)
        return other;
    char *global = mem_format(GLOBAL_CONFIG_PREFIX "%s", name);
    other = name_map_get(&settings->others, global);
    free(global);
    return other;
}

const char *settings_origin(const struct settings *settings, enum setting setting)
{
    return settings->values[setting].origin;
}
