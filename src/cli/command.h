/* command.h - the commands of the program, and what they share.
 *
 * The cli room is main: it reads the command line, calls the rooms, and turns what they say into
 * output and an exit code. It may include every room but sdk. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "spec/application.h"
#include "spec/settings.h"
#include "statefun/status.h"

/* What the shell gets. */
enum exit_code {
    EXIT_GOOD = 0,
    EXIT_FAILED = 1, /* the world did not play along: a disk, a port, a broker */
    EXIT_WRONG = 2   /* what the user wrote is wrong: command line, settings or modules */
};

struct command_flag {
    const char *name;     /* long, without dashes */
    char letter;          /* 0: none */
    const char *argument; /* what help calls it; NULL: takes none */
    const char *help;
};

struct command {
    const char *name;
    const char *arguments;            /* what is no flag, for the synopsis; NULL: nothing */
    const char *words;                /* "a|b|c", what the first of them may be, for completion */
    const char *summary;              /* one line */
    const char *text;                 /* some paragraphs, for --help and the man page */
    const struct command_flag *flags; /* of its own; a name of NULL ends them */
    bool takes_modules;               /* and all settings */
    bool takes_files;                 /* as its arguments */
    const enum setting *settings; /* that it takes otherwise, ended by SETTINGS_COUNT; or NULL */
    int (*run)(const struct command *command, int argc, char **argv);
};

/* In the order of help; a name of NULL ends them. */
extern const struct command commands[];

extern const struct command_flag module_flag, config_flag, help_flag;

/* A flag of commands that also work on a running application. */
#define AT_FLAG                                                                                    \
    {                                                                                              \
        "at", 0, "ADDRESS",                                                                        \
            "The admin listener of a running application (host:port or unix:/path), instead of "   \
            "--data."                                                                              \
    }

#define MODULES_DEFAULT  "/opt/statefun/modules"
#define MODULES_VARIABLE "STATEFUN_MODULES"
#define CONFIG_VARIABLE  "STATEFUN_CONFIG"

bool command_takes(const struct command *command, enum setting setting);

/* --- what commands share: modules, settings and arguments --- */

enum { OWN_FLAGS_MAX = 16 };

struct inputs {
    struct settings *settings;
    const char *config; /* the file that settings were read from; NULL: none */
    const char **modules;
    size_t module_count;
    struct diagnostics diagnostics;
    unsigned flags;                    /* bit i: the command's own flag i was given */
    const char *values[OWN_FLAGS_MAX]; /* of those that take one */
    char **arguments;                  /* what is no flag */
    size_t argument_count;
    struct modules *libraries;          /* the embedded modules, once loaded; NULL: none */
    struct library_names library_names; /* what they bind */
};

/* Reads the command line, the environment and the configuration file. False: go no further, and
 * exit with
 * `*ret_code` (help was shown, or something is wrong and was said). */
bool inputs_read(struct inputs *inputs, const struct command *command, int argc, char **argv,
                 int *ret_code);
void inputs_destroy(struct inputs *inputs);

static inline bool inputs_have_flag(const struct inputs *inputs, unsigned flag)
{
    return inputs->flags & 1u << flag;
}

/* Composes the application and looks into the files that it names; NULL if its modules have errors.
 * What diagnostics_report says counts. */
struct application *inputs_load(struct inputs *inputs, bool unknown_keys_are_errors);

/* Writes out all that was found, on standard error; returns how many errors there are. */
size_t diagnostics_report(const struct diagnostics *diagnostics);

/* Says on standard error what is wrong with the command line, or what went wrong, and returns what
 * to exit with. */
int command_wrong(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int command_failed(const struct command *command, const struct sf_status *status);

/* --- help and reference, made from the tables --- */

void help_show(void);
void help_show_command(const struct command *command);
int reference_run(const struct command *command, int argc, char **argv);

int new_run(const struct command *command, int argc, char **argv);
int dev_run(const struct command *command, int argc, char **argv);
int run_run(const struct command *command, int argc, char **argv);
int check_run(const struct command *command, int argc, char **argv);
int migrate_run(const struct command *command, int argc, char **argv);
int deadletter_run(const struct command *command, int argc, char **argv);
int address_run(const struct command *command, int argc, char **argv);
int ingress_run(const struct command *command, int argc, char **argv);
int state_run(const struct command *command, int argc, char **argv);

extern const struct command_flag new_flags[], check_flags[], deadletter_flags[], address_flags[],
    ingress_flags[], state_flags[];
extern const enum setting dev_settings[], place_settings[], state_settings[];

#endif
