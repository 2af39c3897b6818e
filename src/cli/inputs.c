/* inputs.c - command line, environment, configuration file, modules. */
#include "cli/command.h"

#include "base/mem.h"
#include "function/endpoint.h"
#include "function/modules.h"
#include "kafka/client.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct command_flag module_flag = {
    "module", 'm', "PATH",
    "A module.yaml, a shared library (*.so), a directory that holds such, or a directory of such "
    "directories; may be given again. Without it: the paths in $" MODULES_VARIABLE
    " (separated by colons), else " MODULES_DEFAULT "."};
const struct command_flag config_flag = {
    "config", 'c', "FILE",
    "A file of 'key: value' lines with settings; else the one named by $" CONFIG_VARIABLE "."};
const struct command_flag help_flag = {"help", 'h', NULL, "Show this."};

enum { FLAG_FIRST = 256 };

bool command_takes(const struct command *command, enum setting setting)
{
    const enum setting *taken = command->settings;
    while (taken && *taken != SETTINGS_COUNT && *taken != setting)
        taken++;
    return command->takes_modules || (taken && *taken == setting);
}

/* Numbers that getopt_long gives: settings from FLAG_FIRST on, then the command's own flags. */
static void make_options(const struct command *command, struct option *options, char names[][64])
{
    size_t count = 0;
    for (int i = 0; i < SETTINGS_COUNT; i++) {
        if (!setting_has_flag((enum setting)i) || !command_takes(command, (enum setting)i))
            continue;
        setting_flag((enum setting)i, names[i]);
        options[count++] = (struct option){names[i], required_argument, NULL, FLAG_FIRST + i};
    }
    if (command->takes_modules)
        options[count++] = (struct option){module_flag.name, required_argument, NULL, 'm'};
    options[count++] = (struct option){config_flag.name, required_argument, NULL, 'c'};
    options[count++] = (struct option){help_flag.name, no_argument, NULL, 'h'};
    for (int i = 0; command->flags[i].name; i++)
        options[count++] = (struct option){
            command->flags[i].name, command->flags[i].argument ? required_argument : no_argument,
            NULL, FLAG_FIRST + SETTINGS_COUNT + i};
}

static int wrong(const struct command *command)
{
    fprintf(stderr, "Try 'statefun %s --help'.\n", command->name);
    return EXIT_WRONG;
}

int command_wrong(const struct command *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "statefun %s: ", command->name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return wrong(command);
}

int command_failed(const struct command *command, const struct sf_status *status)
{
    fprintf(stderr, "statefun %s: %s\n", command->name, status->message);
    return status->code == SF_INVALID ? EXIT_WRONG : EXIT_FAILED;
}

static int complain(const struct command *command, char *argument, int reason)
{
    if (reason == ':')
        return command_wrong(command, "%s needs a value", argument);
    argument[strcspn(argument, "=")] = 0;
    fprintf(stderr, "statefun %s: there is no flag '%s'", command->name, argument);
    int near = !strncmp(argument, "--", 2) ? setting_suggest_flag(argument + 2) : -1;
    if (near >= 0 && command_takes(command, (enum setting)near)) {
        char flag[64];
        setting_flag((enum setting)near, flag);
        fprintf(stderr, "; did you mean '--%s'?", flag);
    }
    fputc('\n', stderr);
    return wrong(command);
}

static void add_module(struct inputs *inputs, const char *module)
{
    inputs->modules =
        mem_resize(inputs->modules, (inputs->module_count + 1) * sizeof *inputs->modules);
    inputs->modules[inputs->module_count++] = mem_string(module);
}

static void add_default_modules(struct inputs *inputs)
{
    const char *variable = getenv(MODULES_VARIABLE);
    char *paths = mem_string(variable && *variable ? variable : MODULES_DEFAULT);
    char *rest = paths;
    for (char *path; (path = strsep(&rest, ":"));)
        if (*path)
            add_module(inputs, path);
    free(paths);
}

struct given_flag {
    enum setting setting;
    const char *text;
};

/* A flag wins over what is read after the command line, so they are kept until then. */
struct command_line {
    struct given_flag *flags;
    size_t flag_count;
    const char *config;
};

static void take_flag(struct inputs *inputs, struct command_line *line, int flag)
{
    int own = flag - FLAG_FIRST - SETTINGS_COUNT;
    if (flag == 'm') {
        add_module(inputs, optarg);
    } else if (flag == 'c') {
        line->config = optarg;
    } else if (own >= 0) {
        inputs->flags |= 1u << own;
        inputs->values[own] = optarg;
    } else {
        line->flags = mem_resize(line->flags, (line->flag_count + 1) * sizeof *line->flags);
        line->flags[line->flag_count++] =
            (struct given_flag){(enum setting)(flag - FLAG_FIRST), optarg};
    }
}

static bool read_command_line(struct inputs *inputs, struct command_line *line,
                              const struct command *command, int argc, char **argv, int *ret_code)
{
    char names[SETTINGS_COUNT][64];
    struct option options[SETTINGS_COUNT + 3 + OWN_FLAGS_MAX + 1] = {0};
    make_options(command, options, names);
    opterr = 0;
    const char *letters = command->takes_modules ? ":m:c:h" : ":c:h";
    for (int flag; (flag = getopt_long(argc, argv, letters, options, NULL)) != -1;) {
        if (flag == 'h') {
            help_show_command(command);
            *ret_code = EXIT_GOOD;
            return false;
        }
        if (flag == '?' || flag == ':') {
            *ret_code = complain(command, argv[optind - 1], flag);
            return false;
        }
        take_flag(inputs, line, flag);
    }
    inputs->arguments = argv + optind;
    inputs->argument_count = (size_t)(argc - optind);
    if (optind < argc && !command->arguments) {
        *ret_code = command_wrong(
            command, "found '%s', expected only flags (modules are given with -m)", argv[optind]);
        return false;
    }
    return true;
}

bool inputs_read(struct inputs *inputs, const struct command *command, int argc, char **argv,
                 int *ret_code)
{
    struct command_line line = {0};
    *inputs = (struct inputs){.settings = settings_new()};
    bool good = read_command_line(inputs, &line, command, argc, argv, ret_code);
    if (good) {
        const char *config = line.config ? line.config : getenv(CONFIG_VARIABLE);
        if (config && *config) {
            inputs->config = config;
            settings_read_file(inputs->settings, config, &inputs->diagnostics);
        }
        settings_read_environment(inputs->settings, &inputs->diagnostics);
        for (size_t i = 0; i < line.flag_count; i++)
            settings_set_flag(inputs->settings, line.flags[i].setting, line.flags[i].text,
                              &inputs->diagnostics);
        if (command->takes_modules && !inputs->module_count)
            add_default_modules(inputs);
    }
    free(line.flags);
    if (!good)
        inputs_destroy(inputs);
    return good;
}

void inputs_destroy(struct inputs *inputs)
{
    modules_close(inputs->libraries);
    free(inputs->library_names.items);
    for (size_t i = 0; i < inputs->module_count; i++)
        free((char *)inputs->modules[i]);
    free(inputs->modules);
    settings_free(inputs->settings);
    diagnostics_destroy(&inputs->diagnostics);
}

/* What a placeholder stands for: the environment, then the settings. */
static const char *look_up(void *owner, const char *name)
{
    struct inputs *inputs = owner;
    const char *value = getenv(name);
    return value ? value : settings_look_up(inputs->settings, name);
}

/* A value of the global configuration, for embedded modules. */
static const char *configured(void *owner, const char *name)
{
    struct inputs *inputs = owner;
    return settings_look_up(inputs->settings, name);
}

static void add_name(struct inputs *inputs, enum library_binds what, const char *name,
                     uint32_t module)
{
    struct library_names *names = &inputs->library_names;
    names->items = mem_resize(names->items, (names->count + 1) * sizeof *names->items);
    names->items[names->count++] =
        (struct library_name){what, name, modules_path(inputs->libraries, module)};
}

static bool open_libraries(void *owner, const char *const *paths, size_t count,
                           struct library_names *ret_names, struct sf_status *status)
{
    struct inputs *inputs = owner;
    if (!modules_open(paths, count, configured, inputs, &inputs->libraries, status))
        return false;
    const struct registry *registry = modules_registry(inputs->libraries);
    for (size_t i = 0; i < registry->function_count; i++)
        add_name(inputs, LIBRARY_FUNCTION, registry->functions[i].function->type,
                 registry->functions[i].module);
    for (size_t i = 0; i < registry->ingress_count; i++)
        add_name(inputs, LIBRARY_INGRESS, registry->ingresses[i]->id,
                 registry_module_of(registry, registry->ingresses[i]));
    for (size_t i = 0; i < registry->egress_count; i++)
        add_name(inputs, LIBRARY_EGRESS, registry->egresses[i]->id,
                 registry_module_of(registry, registry->egresses[i]));
    for (size_t i = 0; i < registry->router_count; i++)
        add_name(inputs, LIBRARY_ROUTER, registry->routers[i]->ingress,
                 registry_module_of(registry, registry->routers[i]));
    *ret_names = inputs->library_names;
    return true;
}

struct application *inputs_load(struct inputs *inputs, bool unknown_keys_are_errors)
{
    struct application *application = application_load(
        &(struct application_options){
            .modules = inputs->modules,
            .module_count = inputs->module_count,
            .placeholders = settings_switch(inputs->settings, SETTING_PLACEHOLDERS),
            .look_up = look_up,
            .owner = inputs,
            .open_libraries = open_libraries,
            .unknown_keys_are_errors = unknown_keys_are_errors,
            .kafka_knows = kafka_knows_property,
        },
        &inputs->diagnostics);
    if (application)
        endpoints_check(application, &inputs->diagnostics);
    return application;
}

/* An example below its line, indented: it is part of that message. */
static void print_shown(const char *shown)
{
    for (const char *line = shown; *line;) {
        size_t size = strcspn(line, "\n");
        fprintf(stderr, "    %.*s\n", (int)size, line);
        line += size + (line[size] == '\n');
    }
}

size_t diagnostics_report(const struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        char *line = diagnostic_line(&diagnostics->items[i]);
        fprintf(stderr, "%s\n", line);
        free(line);
        if (diagnostics->items[i].shown)
            print_shown(diagnostics->items[i].shown);
    }
    return diagnostics->error_count;
}
