/* reference.c - man page, reference of settings and completion, all from the tables. */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

/* --- man page --- */

/* Text as troff reads it. */
static void put_troff(const char *text)
{
    for (; *text; text++) {
        if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '\\')
            fputs("\\e", stdout);
        else
            putchar(*text);
    }
}

static void put_troff_line(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    put_troff(text);
    putchar('\n');
}

static void put_man_flag(const struct command_flag *flag)
{
    fputs(".TP\n.B ", stdout);
    if (flag->letter)
        printf("\\-%c, ", flag->letter);
    fputs("\\-\\-", stdout);
    put_troff(flag->name);
    if (flag->argument)
        printf(" \\fI%s\\fR", flag->argument);
    putchar('\n');
    put_troff_line(flag->help);
}

static void put_man_commands(void)
{
    printf(".SH COMMANDS\n");
    for (const struct command *command = commands; command->name; command++) {
        printf(".TP\n.B statefun %s\n", command->name);
        put_troff_line(command->text);
    }
    printf(".SH FLAGS\n");
    put_man_flag(&module_flag);
    for (const struct command *command = commands; command->name; command++)
        for (const struct command_flag *flag = command->flags; flag->name; flag++)
            put_man_flag(flag);
    put_man_flag(&config_flag);
    put_man_flag(&help_flag);
}

static void put_man_settings(void)
{
    printf(".SH SETTINGS\nEach is a flag, else an environment variable, else a key in the "
           "configuration file.\n");
    for (int i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting_info *info = &setting_infos[i];
        char flag[64], variable[64];
        setting_flag((enum setting)i, flag);
        setting_variable((enum setting)i, variable);
        if (setting_has_flag((enum setting)i)) {
            fputs(".TP\n.B \\-\\-", stdout);
            put_troff(flag);
            printf("\n%s, ", variable);
            put_troff(info->name);
            fputs("; default ", stdout);
            put_troff_line(info->default_text);
        } else {
            printf(".TP\n.B %s\n", variable);
            put_troff_line(info->name);
        }
        fputs(".br\n", stdout);
        put_troff_line(info->help);
    }
}

static void put_man(void)
{
    printf(".TH STATEFUN 1 \"\" \"statefun " STATEFUN_VERSION "\"\n"
           ".SH NAME\nstatefun \\- run Stateful Functions applications\n"
           ".SH SYNOPSIS\n"
           ".B statefun run\n[\\fB\\-m\\fR \\fIPATH\\fR]... [\\fIflag\\fR]...\n.br\n"
           ".B statefun new\n\\fINAME\\fR [\\fIflag\\fR]...\n.br\n"
           ".B statefun dev\n[\\fIDIRECTORY\\fR] [\\fIflag\\fR]...\n.br\n"
           ".B statefun check\n[\\fB\\-m\\fR \\fIPATH\\fR]... [\\fB\\-\\-connect\\fR]\n.br\n"
           ".B statefun state\n\\fIaction\\fR [\\fIargument\\fR]... [\\fIflag\\fR]...\n.br\n"
           ".B statefun migrate\n\\fIFILE\\fR...\n"
           ".SH DESCRIPTION\n"
           "Runs applications made for Stateful Functions 3.x: their module.yaml files, and their "
           "functions in any SDK, as remote functions over HTTP. Every message has its effect on "
           "state exactly once, also when the program is killed.\n");
    put_man_commands();
    put_man_settings();
    printf(".SH EXIT STATUS\n"
           ".TP\n.B 0\nIt did what it was told; of run: it was stopped.\n"
           ".TP\n.B 1\nIt could not: a disk, a port or a broker failed.\n"
           ".TP\n.B 2\nThe command line, the settings or the modules are wrong.\n"
           ".SH FILES\n"
           ".TP\n.I " MODULES_DEFAULT "\nWhere modules are looked for.\n"
           ".TP\n.I DATA/runtime.json\nWhere a running runtime listens, and its pid.\n");
}

/* --- markdown --- */

static void put_markdown(void)
{
    printf("# Settings\n\n"
           "Every setting is a flag of `statefun run`, else an environment variable, else a key in "
           "the configuration file (`--config FILE`), else its default.\n\n"
           "Sizes are `4096`, `64KB`, `16MB`, `1GiB`; times `10ms`, `5 s`, `1 min`. This page is "
           "made by `statefun reference markdown`.\n");
    for (int i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting_info *info = &setting_infos[i];
        char flag[64], variable[64];
        setting_flag((enum setting)i, flag);
        setting_variable((enum setting)i, variable);
        if (setting_has_flag((enum setting)i))
            printf("\n## `%s`\n\n`--%s`, `%s`; default `%s`", info->name, flag, variable,
                   info->default_text);
        else
            printf("\n## `%s`\n\n`%s`; no flag, as it is a secret; not set by default", info->name,
                   variable);
        if (info->choices)
            printf("; one of `%s`", info->choices);
        printf("\n\n%s\n", info->help);
    }
}

/* --- completion --- */

static void put_words(const char *words)
{
    for (; words && *words; words++)
        putchar(*words == '|' ? ' ' : *words);
}

static void put_flags(const struct command *command)
{
    if (command->takes_modules)
        printf(" --module");
    if (command->takes_modules || command->settings)
        printf(" --config");
    printf(" --help");
    for (const struct command_flag *flag = command->flags; flag->name; flag++)
        printf(" --%s", flag->name);
    for (int i = 0; i < SETTINGS_COUNT; i++) {
        char flag[64];
        setting_flag((enum setting)i, flag);
        if (setting_has_flag((enum setting)i) && command_takes(command, (enum setting)i))
            printf(" --%s", flag);
    }
}

/* Of flags whose argument is one of some words. */
static void put_flag_values(void)
{
    for (const struct command *command = commands; command->name; command++)
        for (const struct command_flag *flag = command->flags; flag->name; flag++)
            if (flag->argument && strchr(flag->argument, '|')) {
                printf("        '%s --%s') COMPREPLY=($(compgen -W '", command->name, flag->name);
                put_words(flag->argument);
                printf("' -- \"$word\")); return;;\n");
            }
}

static void put_completion(void)
{
    printf("# bash completion for statefun\n"
           "_statefun() {\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
           "    case $before in\n"
           "        -m|--module|-c|--config|--data) COMPREPLY=($(compgen -f -- \"$word\")); "
           "return;;\n");
    for (int i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting_info *info = &setting_infos[i];
        const char *choices = info->type == SETTING_SWITCH ? "true|false" : info->choices;
        if (!choices)
            continue;
        char flag[64];
        setting_flag((enum setting)i, flag);
        printf("        --%s) COMPREPLY=($(compgen -W '", flag);
        for (const char *c = choices; *c; c++)
            putchar(*c == '|' ? ' ' : *c);
        printf("' -- \"$word\")); return;;\n");
    }
    printf("    esac\n    case \"${COMP_WORDS[1]} $before\" in\n");
    put_flag_values();
    printf("    esac\n    if ((COMP_CWORD == 1)); then\n"
           "        COMPREPLY=($(compgen -W '--help --version");
    for (const struct command *command = commands; command->name; command++)
        printf(" %s", command->name);
    printf("' -- \"$word\"))\n        return\n    fi\n    case ${COMP_WORDS[1]} in\n");
    for (const struct command *command = commands; command->name; command++) {
        printf("        %s) COMPREPLY=($(compgen ", command->name);
        if (command->takes_files) {
            printf("-f -- \"$word\"));;\n");
            continue;
        }
        printf("-W '");
        put_words(command->words);
        if (command->takes_modules || command->settings || command->flags->name)
            put_flags(command);
        printf("' -- \"$word\"));;\n");
    }
    printf("    esac\n}\ncomplete -F _statefun statefun\n");
}

int reference_run(const struct command *command, int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*put)(void);
    } kinds[] = {{"man", put_man}, {"markdown", put_markdown}, {"completion", put_completion}};

    for (size_t i = 0; argc == 2 && i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(argv[1], kinds[i].name)) {
            kinds[i].put();
            return EXIT_GOOD;
        }
    bool help = argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"));
    if (help)
        help_show_command(command);
    else
        fprintf(stderr, "statefun reference: expected one of %s\n", command->arguments);
    return help ? EXIT_GOOD : EXIT_WRONG;
}
