/* settings.h - every setting of the program: one table from which flags, environment, file, help,
 * man page, reference and completion are made.
 *
 * A setting has one name, e.g. statefun.commit.interval. From it follow its flag
 * (--commit-interval), its environment variable (STATEFUN_COMMIT_INTERVAL) and its key in the
 * configuration file (the name itself). A flag wins over the environment, the environment over the
 * file, the file over the default. */
#ifndef SPEC_SETTINGS_H
#define SPEC_SETTINGS_H

#include "spec/diagnostics.h"

#include <stdint.h>

enum setting_type {
    SETTING_TEXT,     /* not empty */
    SETTING_BYTES,    /* 64MB, 1GiB, 4096: kept in bytes */
    SETTING_DURATION, /* 10ms, 5 s, 1 min (module-yaml.md 3): kept in ms */
    SETTING_COUNT,
    SETTING_SWITCH, /* true, false */
    SETTING_CHOICE, /* its number is the place among the choices, from 0 */
    SETTING_SECRET  /* never shown, and given by no flag, which others can see; empty if not set */
};

/* In the order of the table in settings.c. */
enum setting {
    SETTING_DATA,
    SETTING_APPLICATION,
    SETTING_WORKERS,
    SETTING_PARTITIONS,
    SETTING_ADMIN,
    SETTING_ADMIN_TOKEN,
    SETTING_HTTP_BIND,
    SETTING_COMMIT_INTERVAL,
    SETTING_CACHE_BYTES,
    SETTING_BACKLOG_MEMORY_BYTES,
    SETTING_BACKLOG_BYTES,
    SETTING_OUTBOX_MEMORY_BYTES,
    SETTING_OUTBOX_BYTES,
    SETTING_KAFKA_FETCH_MEMORY_BYTES,
    SETTING_ASYNC_MAX_PER_TASK,
    SETTING_REMOTE_PIPELINE,
    SETTING_REMOTE_BUNDLES,
    SETTING_RETRY_BACKOFF_MAX,
    SETTING_BODY_BYTES_MAX,
    SETTING_IDEMPOTENCY_WINDOW,
    SETTING_STATE_SPECS_REMEMBER,
    SETTING_PLACEHOLDERS,
    SETTING_STOP_TIMEOUT,
    SETTING_LOG_LEVEL,
    SETTING_LOG_FORMAT,
    SETTINGS_COUNT
};

struct setting_info {
    const char *name;
    enum setting_type type;
    const char *default_text;
    const char *choices; /* "a|b|c" of SETTING_CHOICE */
    uint64_t min, max;   /* of SETTING_BYTES, DURATION and COUNT */
    const char *help;    /* one or two sentences, for --help and the reference */
};

extern const struct setting_info setting_infos[SETTINGS_COUNT];

bool setting_has_flag(enum setting setting);

/* The flag without dashes ("commit-interval"), and the environment variable. */
void setting_flag(enum setting setting, char text[64]);
void setting_variable(enum setting setting, char text[64]);

/* The setting with that flag, or -1. */
int setting_of_flag(const char *flag);

/* The setting whose flag is nearest to a misspelt one, or -1. */
int setting_suggest_flag(const char *flag);

struct settings; /* all values, with where each came from */

struct settings *settings_new(void); /* defaults */
void settings_free(struct settings *settings);

/* Sets from one source; what is wrong goes to `diagnostics`, and the setting stays as it was. Call
 * in rising order of precedence: file, environment, flags. Unknown statefun.* keys of a file are
 * errors; other keys of a file are kept for placeholders, and those of Flink that mean nothing
 * here, or have another name, are reported as warnings. */
void settings_read_file(struct settings *settings, const char *file,
                        struct diagnostics *diagnostics);
void settings_read_environment(struct settings *settings, struct diagnostics *diagnostics);
void settings_set_flag(struct settings *settings, enum setting setting, const char *text,
                       struct diagnostics *diagnostics);

/* The value as it was given; but of workers always the number, also for auto. */
const char *settings_text(const struct settings *settings, enum setting setting);
uint64_t settings_number(const struct settings *settings, enum setting setting);
bool settings_switch(const struct settings *settings, enum setting setting);

/* The text of a setting, of any other key of the file, or of a NAME that the file sets as
 * statefun.module.global-config.NAME; NULL if there is none. */
const char *settings_look_up(const struct settings *settings, const char *name);

/* "default", "environment", "flag", or the file's name. */
const char *settings_origin(const struct settings *settings, enum setting setting);

#endif
