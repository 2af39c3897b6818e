/* help.c - what --help prints. */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 96, INDENT = 6 };

/* Prints `text` in lines of at most WIDTH, each indented. */
static void print_wrapped(const char *text, int indent)
{
    while (*text) {
        size_t most = (size_t)(WIDTH - indent), size = strlen(text);
        if (size > most) {
            size = most;
            while (size > 1 && text[size] != ' ')
                size--;
        }
        printf("%*s%.*s\n", indent, "", (int)size, text);
        text += size;
        text += strspn(text, " ");
    }
}

static void print_flag(const struct command_flag *flag)
{
    if (flag->letter)
        printf("  -%c, --%s", flag->letter, flag->name);
    else
        printf("  --%s", flag->name);
    printf(flag->argument ? " %s\n" : "\n", flag->argument);
    print_wrapped(flag->help, INDENT);
}

static const char *value_name(const struct setting_info *info)
{
    switch (info->type) {
    case SETTING_TEXT:
    case SETTING_SECRET:
        return "TEXT";
    case SETTING_BYTES:
        return "SIZE";
    case SETTING_DURATION:
        return "TIME";
    case SETTING_COUNT:
        return "N";
    case SETTING_SWITCH:
        return "true|false";
    case SETTING_CHOICE:
        return info->choices;
    }
    return "";
}

static void print_setting(enum setting setting)
{
    const struct setting_info *info = &setting_infos[setting];
    char flag[64], variable[64];
    setting_flag(setting, flag);
    setting_variable(setting, variable);
    if (setting_has_flag(setting))
        printf("  --%s %s   [default: %s]\n      %s, %s\n", flag, value_name(info),
               info->default_text, variable, info->name);
    else
        printf("  (no flag: a secret)\n      %s, %s\n", variable, info->name);
    print_wrapped(info->help, INDENT);
}

void help_show_command(const struct command *command)
{
    bool takes_settings = command->takes_modules || command->settings;
    bool has_flags = takes_settings || command->flags->name;
    printf("Usage: statefun %s", command->name);
    if (command->arguments)
        printf(" %s", command->arguments);
    if (command->takes_modules)
        printf(" [-m PATH]...");
    printf(has_flags ? " [flag]...\n\n" : "\n\n");
    print_wrapped(command->text, 0);
    if (!has_flags)
        return;

    printf("\nFlags:\n");
    if (command->takes_modules)
        print_flag(&module_flag);
    for (const struct command_flag *flag = command->flags; flag->name; flag++)
        print_flag(flag);
    if (takes_settings)
        print_flag(&config_flag);
    print_flag(&help_flag);
    if (!takes_settings)
        return;

    printf("\nSettings; each is a flag, else an environment variable, else a key in the "
           "configuration file:\n");
    for (int i = 0; i < SETTINGS_COUNT; i++)
        if (command_takes(command, (enum setting)i))
            print_setting((enum setting)i);
}

void help_show(void)
{
    printf("statefun " STATEFUN_VERSION ": runs Stateful Functions applications\n\n"
           "Usage: statefun COMMAND [flag]...\n\nCommands:\n");
    for (const struct command *command = commands; command->name; command++)
        printf("  %-10s %s\n", command->name, command->summary);
    printf("\n'statefun COMMAND --help' tells all about one; 'statefun --version' which version "
           "this is.\n");
}
