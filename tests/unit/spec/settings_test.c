#include "load.h"

#include "base/mem.h"
#include "spec/settings.h"

#include <unistd.h>

struct fixture {
    struct settings *settings;
    struct diagnostics diagnostics;
    char file[64];
};

static void clear_environment(void)
{
    for (int i = 0; i < SETTINGS_COUNT; i++) {
        char variable[64];
        setting_variable((enum setting)i, variable);
        unsetenv(variable);
    }
}

static int set_up(void **state)
{
    struct fixture *f = mem_new(sizeof *f);
    clear_environment();
    f->settings = settings_new();
    snprintf(f->file, sizeof f->file, "/tmp/statefun-settings-XXXXXX");
    int fd = mkstemp(f->file);
    assert_true(fd >= 0);
    close(fd);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    clear_environment();
    unlink(f->file);
    settings_free(f->settings);
    diagnostics_destroy(&f->diagnostics);
    free(f);
    return 0;
}

static void read_text(struct fixture *f, const char *text)
{
    FILE *file = fopen(f->file, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    settings_read_file(f->settings, f->file, &f->diagnostics);
}

static void assert_clean(struct fixture *f)
{
    print_diagnostics(&f->diagnostics);
    assert_int_equal(f->diagnostics.count, 0);
}

/* The diagnostics since the last call: "line:column: severity: part|part", or without a place. */
static void assert_said(struct fixture *f, const char *const expected[EXPECTED_MAX])
{
    for (size_t i = 0; i < f->diagnostics.count; i++) {
        free(f->diagnostics.items[i].file); /* the name is another in each run */
        f->diagnostics.items[i].file = f->diagnostics.items[i].line ? mem_string(FILE_NAME) : NULL;
    }
    assert_reported(&f->diagnostics, expected, "settings");
    diagnostics_destroy(&f->diagnostics);
}
#define SAID(...) ((const char *const[EXPECTED_MAX]){__VA_ARGS__})

static void the_defaults_are_these(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum setting setting;
        const char *name;
        const char *text; /* of settings that are text */
        uint64_t number;
    } cases[] = {
        {SETTING_DATA, "statefun.data", "statefun-data", 0},
        {SETTING_APPLICATION, "statefun.application", "statefun", 0},
        {SETTING_PARTITIONS, "statefun.partitions", NULL, 128},
        {SETTING_ADMIN, "statefun.admin", "127.0.0.1:8081", 0},
        {SETTING_ADMIN_TOKEN, "statefun.admin.token", "", 0},
        {SETTING_HTTP_BIND, "statefun.http.bind", "0.0.0.0", 0},
        {SETTING_COMMIT_INTERVAL, "statefun.commit.interval", NULL, 10},
        {SETTING_CACHE_BYTES, "statefun.state.cache", NULL, 8388608},
        {SETTING_BACKLOG_MEMORY_BYTES, "statefun.backlog.memory", NULL, 16777216},
        {SETTING_BACKLOG_BYTES, "statefun.backlog.limit", NULL, 1048576},
        {SETTING_OUTBOX_MEMORY_BYTES, "statefun.outbox.memory", NULL, 8388608},
        {SETTING_OUTBOX_BYTES, "statefun.outbox.limit", NULL, 268435456},
        {SETTING_KAFKA_FETCH_MEMORY_BYTES, "statefun.kafka.fetch.memory", NULL, 4194304},
        {SETTING_ASYNC_MAX_PER_TASK, "statefun.async.max-per-task", NULL, 32768},
        {SETTING_REMOTE_PIPELINE, "statefun.remote.pipeline", NULL, 16},
        {SETTING_REMOTE_BUNDLES, "statefun.remote.bundles", NULL, 1},
        {SETTING_RETRY_BACKOFF_MAX, "statefun.retry.backoff.max", NULL, 10000},
        {SETTING_BODY_BYTES_MAX, "statefun.http.body.max", NULL, 33554432},
        {SETTING_IDEMPOTENCY_WINDOW, "statefun.http.idempotency.window", NULL, 600000},
        {SETTING_STATE_SPECS_REMEMBER, "statefun.state.specs.remember", NULL, 1},
        {SETTING_PLACEHOLDERS, "statefun.placeholders", NULL, 0},
        {SETTING_STOP_TIMEOUT, "statefun.stop.timeout", NULL, 5000},
        {SETTING_LOG_LEVEL, "statefun.log.level", NULL, 1},
        {SETTING_LOG_FORMAT, "statefun.log.format", NULL, 0},
    };
    assert_int_equal(sizeof cases / sizeof *cases, SETTINGS_COUNT - 1); /* all but workers */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(setting_infos[cases[i].setting].name, cases[i].name);
        assert_string_equal(settings_origin(f->settings, cases[i].setting), "default");
        if (cases[i].text)
            assert_string_equal(settings_text(f->settings, cases[i].setting), cases[i].text);
        else
            assert_int_equal(settings_number(f->settings, cases[i].setting), cases[i].number);
    }
    assert_true(settings_switch(f->settings, SETTING_STATE_SPECS_REMEMBER));
    assert_false(settings_switch(f->settings, SETTING_PLACEHOLDERS));
}

static void auto_workers_are_as_many_as_processors(void **state)
{
    struct fixture *f = *state;
    uint64_t workers = settings_number(f->settings, SETTING_WORKERS);
    char text[32];
    assert_in_range(workers, 1, 1024);
    snprintf(text, sizeof text, "%llu", (unsigned long long)workers);
    assert_string_equal(settings_text(f->settings, SETTING_WORKERS), text);

    settings_set_flag(f->settings, SETTING_WORKERS, "7", &f->diagnostics);
    assert_int_equal(settings_number(f->settings, SETTING_WORKERS), 7);
    settings_set_flag(f->settings, SETTING_WORKERS, "AUTO", &f->diagnostics);
    assert_int_equal(settings_number(f->settings, SETTING_WORKERS), workers);
    assert_clean(f);
}

/* Flag, variable and file key follow from the name, and back. */
static void every_setting_has_one_name(void **state)
{
    (void)state;
    char text[64];
    setting_flag(SETTING_COMMIT_INTERVAL, text);
    assert_string_equal(text, "commit-interval");
    setting_variable(SETTING_COMMIT_INTERVAL, text);
    assert_string_equal(text, "STATEFUN_COMMIT_INTERVAL");
    setting_flag(SETTING_ASYNC_MAX_PER_TASK, text);
    assert_string_equal(text, "async-max-per-task");
    setting_variable(SETTING_ASYNC_MAX_PER_TASK, text);
    assert_string_equal(text, "STATEFUN_ASYNC_MAX_PER_TASK");

    for (int i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting_info *info = &setting_infos[i];
        assert_non_null(info->name);
        assert_true(!strncmp(info->name, "statefun.", 9));
        assert_non_null(info->default_text);
        assert_true(strlen(info->help) > 20 && info->help[strlen(info->help) - 1] == '.');
        assert_int_equal(info->choices != NULL, info->type == SETTING_CHOICE);
        setting_flag((enum setting)i, text);
        assert_int_equal(setting_of_flag(text), setting_has_flag((enum setting)i) ? i : -1);
        setting_variable((enum setting)i, text);
        for (int j = 0; j < i; j++) {
            char other[64];
            setting_variable((enum setting)j, other);
            assert_string_not_equal(text, other);
        }
    }
    assert_int_equal(setting_of_flag("comit-interval"), -1);
    assert_int_equal(setting_suggest_flag("comit-interval"), SETTING_COMMIT_INTERVAL);
    assert_int_equal(setting_suggest_flag("worker"), SETTING_WORKERS);
    assert_int_equal(setting_suggest_flag("zzzzzz"), -1);
}

static void a_flag_wins_over_the_environment_over_the_file(void **state)
{
    struct fixture *f = *state;
    read_text(f, "statefun.commit.interval: 1 s\n"
                 "statefun.workers: 3\n"
                 "statefun.log.level: WARN\n");
    assert_int_equal(settings_number(f->settings, SETTING_COMMIT_INTERVAL), 1000);
    assert_string_equal(settings_text(f->settings, SETTING_COMMIT_INTERVAL), "1 s");
    assert_string_equal(settings_origin(f->settings, SETTING_COMMIT_INTERVAL), f->file);
    assert_int_equal(settings_number(f->settings, SETTING_LOG_LEVEL), 2);

    setenv("STATEFUN_COMMIT_INTERVAL", "2 s", 1);
    setenv("STATEFUN_WORKERS", "4", 1);
    settings_read_environment(f->settings, &f->diagnostics);
    assert_int_equal(settings_number(f->settings, SETTING_COMMIT_INTERVAL), 2000);
    assert_string_equal(settings_origin(f->settings, SETTING_COMMIT_INTERVAL), "environment");
    assert_int_equal(settings_number(f->settings, SETTING_WORKERS), 4);

    settings_set_flag(f->settings, SETTING_COMMIT_INTERVAL, "3 s", &f->diagnostics);
    assert_int_equal(settings_number(f->settings, SETTING_COMMIT_INTERVAL), 3000);
    assert_string_equal(settings_origin(f->settings, SETTING_COMMIT_INTERVAL), "flag");
    assert_string_equal(settings_origin(f->settings, SETTING_LOG_LEVEL), f->file);
    assert_string_equal(settings_origin(f->settings, SETTING_DATA), "default");
    assert_clean(f);
}

static void nested_keys_are_the_same_with_dots(void **state)
{
    struct fixture *f = *state;
    read_text(f, "statefun:\n"
                 "  commit: {interval: 20}\n"
                 "  backlog:\n"
                 "    memory: 1g\n"
                 "    limit: 2_000_000_000\n"
                 "  placeholders: TRUE\n"
                 "a.b: {c: d}\n");
    assert_clean(f);
    assert_int_equal(settings_number(f->settings, SETTING_COMMIT_INTERVAL), 20);
    assert_int_equal(settings_number(f->settings, SETTING_BACKLOG_MEMORY_BYTES), 1073741824);
    assert_int_equal(settings_number(f->settings, SETTING_BACKLOG_BYTES), 2000000000);
    assert_true(settings_switch(f->settings, SETTING_PLACEHOLDERS));
    assert_string_equal(settings_look_up(f->settings, "a.b.c"), "d");
}

static void other_keys_are_kept_for_look_up(void **state)
{
    struct fixture *f = *state;
    read_text(f, "my.key: my value\n"
                 "number: 1_0\n"
                 "statefun.module.global-config.HOST: fns\n"
                 "statefun.module.global-config.a.b: c\n"
                 "nothing:\n"
                 "list: [1]\n");
    assert_clean(f);
    assert_string_equal(settings_look_up(f->settings, "my.key"), "my value");
    assert_string_equal(settings_look_up(f->settings, "number"), "10");
    assert_string_equal(settings_look_up(f->settings, "HOST"), "fns");
    assert_string_equal(settings_look_up(f->settings, "a.b"), "c");
    assert_string_equal(settings_look_up(f->settings, "statefun.module.global-config.HOST"), "fns");
    assert_string_equal(settings_look_up(f->settings, "statefun.data"), "statefun-data");
    assert_null(settings_look_up(f->settings, "none"));
    assert_null(settings_look_up(f->settings, "list"));

    read_text(f, "my.key: another\n");
    assert_string_equal(settings_look_up(f->settings, "my.key"), "another");
}

static void keys_of_flink_say_what_replaces_them(void **state)
{
    struct fixture *f = *state;
    read_text(f, "execution.checkpointing.interval: 10s\n"
                 "state.backend: rocksdb\n"
                 "restart-strategy: fixed-delay\n"
                 "restart-strategy.fixed-delay.attempts: 3\n"
                 "parallelism.default: 4\n"
                 "statefun.feedback.memory.size: 32mb\n"
                 "statefun.remote.module-name: file:/m.yaml\n"
                 "stateful: x\n");
    assert_said(f, SAID("1:1: warning: 'execution.checkpointing.interval' has no meaning "
                        "here|statefun.commit.interval",
                        "2:1: warning: 'state.backend' has no meaning here|statefun.data",
                        "3:1: warning: 'restart-strategy' has no meaning here",
                        "4:1: warning: 'restart-strategy.fixed-delay.attempts' has no meaning here",
                        "5:1: warning: 'parallelism.default'|statefun.workers",
                        "6:1: warning: 'statefun.feedback.memory.size'|statefun.backlog.memory",
                        "7:1: warning: 'statefun.remote.module-name'|command line"));
    assert_string_equal(settings_look_up(f->settings, "parallelism.default"), "4");
}

static void faults_of_a_file_name_their_place(void **state)
{
    struct fixture *f = *state;
    read_text(f, "statefun.comit.interval: 5ms\n"
                 "statefun.commit.interval: 5 parsecs\n"
                 "statefun.workers: 2000\n"
                 "statefun.partitions:\n"
                 "statefun.data: [a]\n"
                 "statefun:\n"
                 "  workers: 1\n"
                 "  nonsense.thing: 2\n");
    assert_said(f,
                SAID("1:1: error: unknown setting 'statefun.comit.interval': did you mean "
                     "'statefun.commit.interval'?",
                     "2:27: error: 'statefun.commit.interval': expected a duration|found text '5 "
                     "parsecs'",
                     "3:19: error: 'statefun.workers': expected 1 to 1024, found the number 2000",
                     "4:21: error: 'statefun.partitions': expected a value, found no value",
                     "5:16: error: 'statefun.data': expected a value, found a list",
                     "7:3: error: the key 'statefun.workers' stands here a second time|line 3",
                     "8:3: error: unknown setting 'statefun.nonsense.thing'"));
    assert_int_equal(settings_number(f->settings, SETTING_COMMIT_INTERVAL), 10); /* as it was */

    read_text(f, "a: 1\na: 2\n");
    assert_said(f, SAID("2:1: error: the key 'a' stands here a second time"));
    read_text(f, "- a\n");
    assert_said(f, SAID("1:1: error: expected one document of 'key: value' lines, found a list"));
    read_text(f, "a: 1\n---\nb: 1\n");
    assert_said(f, SAID("3:1: error: found another document"));
    read_text(f, "a: b: c\n");
    assert_said(f, SAID("1:5: error: not YAML"));
    read_text(f, "# nothing\n");
    assert_clean(f);
    unlink(f->file);
    settings_read_file(f->settings, f->file, &f->diagnostics);
    assert_said(f, SAID("error: the file cannot be read: No such file or directory"));
}

struct value_case {
    enum setting setting;
    const char *text;
    const char *expected; /* what a refusal says was expected; NULL: accepted */
    uint64_t number;
};

static void values_are_checked(void **state)
{
    struct fixture *f = *state;
    static const struct value_case cases[] = {
        {SETTING_WORKERS, "1", NULL, 1},
        {SETTING_WORKERS, "1024", NULL, 1024},
        {SETTING_WORKERS, "0", "1 to 1024", 0},
        {SETTING_WORKERS, "1025", "1 to 1024", 0},
        {SETTING_WORKERS, "-1", "1 to 1024", 0},
        {SETTING_WORKERS, "many", "an integer or auto", 0},
        {SETTING_PARTITIONS, "32768", NULL, 32768},
        {SETTING_PARTITIONS, "32769", "1 to 32768", 0},
        {SETTING_PARTITIONS, "0", "1 to 32768", 0},
        {SETTING_PARTITIONS, "auto", "an integer", 0},
        {SETTING_COMMIT_INTERVAL, "1ms", NULL, 1},
        {SETTING_COMMIT_INTERVAL, "0", "1 to 3600000 ms", 0},
        {SETTING_COMMIT_INTERVAL, "2h", "1 to 3600000 ms", 0},
        {SETTING_COMMIT_INTERVAL, "", "a duration", 0},
        {SETTING_CACHE_BYTES, "64 MB", NULL, 67108864},
        {SETTING_CACHE_BYTES, "64m", NULL, 67108864},
        {SETTING_CACHE_BYTES, "1GiB", NULL, 1073741824},
        {SETTING_CACHE_BYTES, "4096", NULL, 4096},
        {SETTING_CACHE_BYTES, "2tb", "0 to 1099511627776 bytes", 0},
        {SETTING_CACHE_BYTES, "1.5GB", "a size", 0},
        {SETTING_BACKLOG_BYTES, "0", "1 to", 0},
        {SETTING_ASYNC_MAX_PER_TASK, "0", NULL, 0},
        {SETTING_ASYNC_MAX_PER_TASK, "-5", NULL, 0},
        {SETTING_ASYNC_MAX_PER_TASK, "2147483648", "0 to 2147483647", 0},
        {SETTING_PLACEHOLDERS, "True", NULL, 1},
        {SETTING_PLACEHOLDERS, "yes", "one of false|true", 0},
        {SETTING_LOG_LEVEL, "debug", NULL, 0},
        {SETTING_LOG_LEVEL, "OFF", NULL, 4},
        {SETTING_LOG_LEVEL, "in", "one of debug|info|warn|error|off", 0},
        {SETTING_LOG_FORMAT, "json", NULL, 1},
        {SETTING_LOG_FORMAT, "", "one of text|json", 0},
        {SETTING_IDEMPOTENCY_WINDOW, "0", NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct value_case *c = &cases[i];
        uint64_t before = settings_number(f->settings, c->setting);
        settings_set_flag(f->settings, c->setting, c->text, &f->diagnostics);
        if (!c->expected) {
            assert_clean(f);
            assert_int_equal(settings_number(f->settings, c->setting), c->number);
            continue;
        }
        char flag[64];
        setting_flag(c->setting, flag);
        char *message = mem_format("--%s: expected %s", flag, c->expected);
        assert_int_equal(f->diagnostics.count, 1);
        assert_mentions(f->diagnostics.items[0].text, message);
        assert_mentions(f->diagnostics.items[0].text, text_quoted(c->text).text);
        assert_int_equal(settings_number(f->settings, c->setting), before);
        diagnostics_destroy(&f->diagnostics);
        free(message);
    }
    settings_set_flag(f->settings, SETTING_DATA, "", &f->diagnostics);
    assert_said(f, SAID("error: --data: expected text that is not empty, found ''"));
}

static void the_environment_names_its_variables(void **state)
{
    struct fixture *f = *state;
    setenv("STATEFUN_PARTITIONS", "x", 1);
    setenv("STATEFUN_COMIT_INTERVAL", "5ms", 1);
    setenv("STATEFUN_HOME", "/opt/statefun", 1); /* of upstream's image */
    setenv("STATEFUN_MODULES", "/opt/statefun/modules", 1);
    settings_read_environment(f->settings, &f->diagnostics);
    unsetenv("STATEFUN_COMIT_INTERVAL");
    unsetenv("STATEFUN_HOME");
    unsetenv("STATEFUN_MODULES");
    assert_said(f, SAID("error: environment variable STATEFUN_PARTITIONS: expected an integer, "
                        "found 'x'",
                        "warning: environment variable 'STATEFUN_COMIT_INTERVAL' has no effect: "
                        "did you mean STATEFUN_COMMIT_INTERVAL?"));
}

/* What it is must not be in what is printed, and a flag would show it to whoever lists processes.
 */
static void a_secret_is_set_by_file_and_environment_and_never_shown(void **state)
{
    struct fixture *f = *state;
    read_text(f, "statefun.admin.token: tell-nobody-1234\n");
    assert_clean(f);
    assert_string_equal(settings_text(f->settings, SETTING_ADMIN_TOKEN), "tell-nobody-1234");
    setenv("STATEFUN_ADMIN_TOKEN", "tell-nobody-5678", 1);
    settings_read_environment(f->settings, &f->diagnostics);
    assert_clean(f);
    assert_string_equal(settings_text(f->settings, SETTING_ADMIN_TOKEN), "tell-nobody-5678");
    assert_null(settings_look_up(f->settings, "statefun.admin.token"));
    assert_int_equal(setting_of_flag("admin-token"), -1);
    assert_int_equal(setting_suggest_flag("admin-tokn"), -1);

    read_text(f, "statefun.admin.token: tell nobody\n");
    setenv("STATEFUN_ADMIN_TOKEN", "short", 1);
    settings_read_environment(f->settings, &f->diagnostics);
    assert_said(f, SAID("1:23: error: 'statefun.admin.token': expected at least 16 visible "
                        "characters of ASCII, no blanks, found something else",
                        "error: environment variable STATEFUN_ADMIN_TOKEN: expected at least 16 "
                        "visible characters of ASCII, no blanks, found something else"));
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_defaults_are_these),
        TEST(auto_workers_are_as_many_as_processors),
        TEST(every_setting_has_one_name),
        TEST(a_flag_wins_over_the_environment_over_the_file),
        TEST(nested_keys_are_the_same_with_dots),
        TEST(other_keys_are_kept_for_look_up),
        TEST(keys_of_flink_say_what_replaces_them),
        TEST(faults_of_a_file_name_their_place),
        TEST(values_are_checked),
        TEST(the_environment_names_its_variables),
        TEST(a_secret_is_set_by_file_and_environment_and_never_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
