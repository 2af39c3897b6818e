/* dev.c - statefun dev: build, run, watch, and again.
 *
 *   change ──▶ settle ──▶ build ──▶ check ──▶ restart of what has changed
 *                           │ fails    │ finds errors
 *                           └──────────┴──▶ what ran before goes on
 *
 * One step at a time; changes that come meanwhile have their turn when it is over. A change of a
 * source has all of it done, and restarts the functions; one of module.yaml begins with the check.
 * The runtime starts again when what it reads (module.yaml, shared libraries) is not what it was.
 * Its state is on the disk: a restart takes milliseconds and loses nothing.
 *
 * A stop ends the runtime first, as it may wait for functions, then the functions. */
#include "cli/command.h"

#include "base/mem.h"
#include "cli/dev_check.h"
#include "cli/dev_child.h"
#include "cli/dev_console.h"
#include "cli/dev_file.h"
#include "cli/dev_watch.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SETTLE_MS = 100, LOOK_MS = 20 };

const enum setting dev_settings[] = {
    SETTING_WORKERS,         SETTING_ADMIN,       SETTING_ADMIN_TOKEN,  SETTING_HTTP_BIND,
    SETTING_COMMIT_INTERVAL, SETTING_APPLICATION, SETTING_PLACEHOLDERS, SETTING_STOP_TIMEOUT,
    SETTING_LOG_LEVEL,       SETTING_LOG_FORMAT,  SETTINGS_COUNT};

enum { BUILD, CHECK, RUNTIME, FUNCTION_FIRST, CHILDREN_MAX = FUNCTION_FIRST + DEV_FUNCTIONS_MAX };

struct dev {
    struct loop *loop;
    struct console console;
    struct inputs inputs;
    struct dev_file file;
    char **flags; /* of the command line, for the runtime */
    size_t flag_count;
    char *config; /* absolute; NULL: none */
    char *admin;  /* with an absolute path; NULL: it has none */
    char *program;

    struct watch *watch;
    struct watch_patterns patterns;
    size_t module_patterns; /* the first of them */
    struct loop_watch signals;
    struct loop_timer settle, look;

    struct child children[CHILDREN_MAX];
    struct child *all[CHILDREN_MAX];
    bool is_wanted[CHILDREN_MAX]; /* to be started again when it has ended */
    size_t child_count;

    bool sources_changed, module_changed; /* and nothing was done about it */
    bool functions_due;                   /* when the steps that are under way have succeeded */
    uint64_t fingerprint;                 /* of what the runtime has read, or did not take */
    uint64_t started_ms;                  /* the runtime */
    bool is_stopping;
};

#define SAY(dev, ...) console_say(&(dev)->console, __VA_ARGS__)

static bool is_under_way(const struct dev *dev)
{
    return child_runs(&dev->children[BUILD]) || child_runs(&dev->children[CHECK]);
}

/* --- starting --- */

static void start(struct dev *dev, size_t index, const struct child_work *work)
{
    struct sf_status status;
    if (!child_start(&dev->children[index], work, &status))
        SAY(dev, "cannot start %s", status.message);
}

static void start_function(struct dev *dev, size_t index)
{
    const char *run = dev->file.functions[index - FUNCTION_FIRST].run;
    start(dev, index, &(struct child_work){.shell = run});
}

static void make_data_parents(const char *path)
{
    char *copy = mem_string(path);
    for (char *slash = copy; (slash = strchr(slash + 1, '/'));) {
        *slash = 0;
        (void)mkdir(copy, 0777); /* the runtime tells what is wrong */
        *slash = '/';
    }
    free(copy);
}

/* Flags of the command line come last: they win. But files that are named there lie where we come
 * from. */
static void start_runtime(struct dev *dev)
{
    char *const ours[] = {dev->program,   "run",         "--module",  dev->file.module, "--data",
                          dev->file.data, "--http-bind", "127.0.0.1", "--stop-timeout", "2s"};
    enum { OURS = sizeof ours / sizeof *ours };
    char **program = mem_new((OURS + dev->flag_count + 4 + 1) * sizeof *program);
    memcpy(program, ours, sizeof ours);
    if (dev->flag_count)
        memcpy(program + OURS, dev->flags, dev->flag_count * sizeof *program);
    char **end = program + OURS + dev->flag_count;
    if (dev->config) {
        *end++ = "--config";
        *end++ = dev->config;
    }
    if (dev->admin) {
        *end++ = "--admin";
        *end++ = dev->admin;
    }
    make_data_parents(dev->file.data);
    dev->started_ms = loop_now_ms(dev->loop);
    start(dev, RUNTIME, &(struct child_work){.program = program});
    loop_timer_set(dev->loop, &dev->look, loop_now_ms(dev->loop) + LOOK_MS);
    free(program);
}

static void start_again(struct dev *dev, size_t index)
{
    if (child_runs(&dev->children[index])) {
        dev->is_wanted[index] = true;
        child_stop(&dev->children[index]);
    } else if (index == RUNTIME) {
        start_runtime(dev);
    } else {
        start_function(dev, index);
    }
}

/* --- the steps --- */

static void go_on(struct dev *dev);

static void restart(struct dev *dev, bool runtime)
{
    for (size_t i = FUNCTION_FIRST; dev->functions_due && i < dev->child_count; i++)
        start_again(dev, i);
    dev->functions_due = false;
    if (runtime)
        start_again(dev, RUNTIME);
    go_on(dev);
}

/* In a process of its own. */
static int run_check(void *owner)
{
    struct dev *dev = owner;
    return dev_check(&dev->inputs);
}

static void check(struct dev *dev)
{
    uint64_t fingerprint = module_fingerprint(dev->file.module);
    if (fingerprint == dev->fingerprint && child_runs(&dev->children[RUNTIME])) {
        restart(dev, false);
        return;
    }
    dev->fingerprint = fingerprint;
    start(dev, CHECK, &(struct child_work){.call = run_check, .owner = dev});
}

static void go_on(struct dev *dev)
{
    bool has_build = dev->sources_changed && dev->file.build;
    if (dev->is_stopping || is_under_way(dev) || !(dev->sources_changed || dev->module_changed))
        return;
    dev->functions_due |= dev->sources_changed;
    dev->sources_changed = dev->module_changed = false;
    if (has_build) {
        SAY(dev, "building");
        start(dev, BUILD, &(struct child_work){.shell = dev->file.build});
    } else {
        check(dev);
    }
}

static const char *what_then(const struct dev *dev)
{
    return child_runs(&dev->children[RUNTIME]) ? "what ran before goes on"
                                               : "nothing runs until a change mends it";
}

static void on_build_end(struct child *build)
{
    struct dev *dev = build->owner;
    if (dev->is_stopping)
        return;
    if (build->status == 0) {
        check(dev);
        return;
    }
    SAY(dev, "the build failed, %s: %s", child_end(build).text, what_then(dev));
    dev->functions_due = false;
    go_on(dev);
}

/* Functions do not depend on what is in module.yaml: if they were built, they may start. */
static void on_check_end(struct child *check)
{
    struct dev *dev = check->owner;
    if (dev->is_stopping)
        return;
    if (check->status != 0)
        SAY(dev, "the module has errors: %s", what_then(dev));
    restart(dev, check->status == 0);
}

/* --- what runs --- */

static void stop_next(struct dev *dev);

static void on_run_end(struct child *child)
{
    struct dev *dev = child->owner;
    size_t index = (size_t)(child - dev->children);
    bool is_wanted = dev->is_wanted[index];
    dev->is_wanted[index] = false;
    if (dev->is_stopping)
        return;
    if (is_wanted) {
        SAY(dev, "%s starts again", child->name);
        start_again(dev, index);
        return;
    }
    SAY(dev, "%s has ended: %s. It starts again after the next change", child->name,
        child_end(child).text);
}

static void tell_listeners(struct dev *dev, const json_t *listeners)
{
    struct buffer text = {0};
    const char *name;
    json_t *where;
    json_object_foreach((json_t *)listeners, name, where) buffer_add_format(
        &text, "%s%s at %s", text.size ? ", " : "", name, json_string_value(where));
    SAY(dev, "ready after %llu ms: %s",
        (unsigned long long)(loop_now_ms(dev->loop) - dev->started_ms), buffer_text(&text));
    buffer_destroy(&text);
}

/* Is it there yet? Then it has written a file about itself. */
static void on_look(struct loop_timer *timer)
{
    struct dev *dev = container_of(timer, struct dev, look);
    struct child *runtime = &dev->children[RUNTIME];
    if (!child_runs(runtime) || runtime->is_stopping)
        return;
    char *path = mem_format("%s/runtime.json", dev->file.data);
    json_t *notice = json_load_file(path, 0, NULL);
    free(path);
    if (json_integer_value(json_object_get(notice, "pid")) == runtime->group)
        tell_listeners(dev, json_object_get(notice, "listeners"));
    else
        loop_timer_set(dev->loop, timer, loop_now_ms(dev->loop) + LOOK_MS);
    json_decref(notice);
}

/* --- changes --- */

static void on_change(void *owner, const char *path)
{
    struct dev *dev = owner;
    bool is_module = false;
    if (path && strcmp(path, DEV_FILE) == 0) {
        SAY(dev, DEV_FILE " has changed: it counts when 'statefun dev' is started again");
        return;
    }
    for (size_t i = 0; path && i < dev->module_patterns; i++)
        is_module |= watch_pattern_matches(dev->patterns.items[i], path);
    if (!dev->sources_changed && !dev->module_changed)
        SAY(dev, "%s has changed", path ? path : "much");
    if (is_module)
        dev->module_changed = true;
    else
        dev->sources_changed = true;
    loop_timer_set(dev->loop, &dev->settle, loop_now_ms(dev->loop) + SETTLE_MS);
}

static void on_settled(struct loop_timer *timer)
{
    go_on(container_of(timer, struct dev, settle));
}

/* The module's own files, then those of 'watch'. */
static void make_patterns(struct dev *dev)
{
    const struct dev_file *file = &dev->file;
    const char **items = mem_new((file->watch.count + 3) * sizeof *items);
    size_t count = 0;
    bool is_here = strcmp(file->module, ".") == 0;
    if (is_here || access(file->module, F_OK) != 0)
        items[count++] = mem_string("module.yaml");
    else {
        char *own = mem_format("%s/module.yaml", file->module);
        bool has_own = access(own, F_OK) == 0;
        struct stat info;
        bool is_file = stat(file->module, &info) == 0 && S_ISREG(info.st_mode);
        items[count++] = is_file   ? mem_string(file->module)
                         : has_own ? mem_string(own)
                                   : mem_format("%s/*/module.yaml", file->module);
        free(own);
    }
    dev->module_patterns = count;
    items[count++] = mem_string(DEV_FILE);
    for (size_t i = 0; i < file->watch.count; i++)
        items[count++] = mem_string(file->watch.items[i]);
    dev->patterns = (struct watch_patterns){items, count};
}

static void free_patterns(struct dev *dev)
{
    for (size_t i = 0; i < dev->patterns.count; i++)
        free((char *)dev->patterns.items[i]);
    free((void *)dev->patterns.items);
}

/* --- the end --- */

/* Everything at once but the functions, which the runtime may still call; then those. */
static void stop_next(struct dev *dev)
{
    bool is_any = false;
    for (size_t i = 0; i < FUNCTION_FIRST; i++) {
        child_stop(&dev->children[i]);
        is_any |= child_runs(&dev->children[i]);
    }
    for (size_t i = FUNCTION_FIRST; !is_any && i < dev->child_count; i++)
        child_stop(&dev->children[i]);
    for (size_t i = FUNCTION_FIRST; i < dev->child_count; i++)
        is_any |= child_runs(&dev->children[i]);
    if (!is_any)
        loop_stop(dev->loop);
}

/* Only who says it twice is in a hurry; that nobody reads is found with each line. */
static void on_stop(struct dev *dev, bool is_said)
{
    if (dev->is_stopping && !is_said)
        return;
    if (dev->is_stopping) {
        for (size_t i = 0; i < dev->child_count; i++)
            child_kill(&dev->children[i]);
        return;
    }
    dev->is_stopping = true;
    SAY(dev, "stopping; once more, and it is killed");
    stop_next(dev);
}

static void on_signal(struct loop_watch *watch, uint32_t events)
{
    (void)events;
    struct dev *dev = container_of(watch, struct dev, signals);
    struct signalfd_siginfo info;
    if (read(watch->fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    if (info.ssi_signo != SIGCHLD)
        on_stop(dev, info.ssi_signo != SIGHUP);
    children_reap(dev->all, dev->child_count);
    if (dev->is_stopping)
        stop_next(dev);
}

/* --- the whole --- */

static void watch_signals(struct dev *dev)
{
    sigset_t signals;
    sigemptyset(&signals);
    const int those[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
    for (size_t i = 0; i < sizeof those / sizeof *those; i++)
        sigaddset(&signals, those[i]);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    dev->signals.on_ready = on_signal;
    loop_watch(dev->loop, &dev->signals, signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK),
               EPOLLIN);
}

static void add_child(struct dev *dev, const char *name, void (*on_end)(struct child *child))
{
    size_t index = dev->child_count++;
    struct child *child = dev->all[index] = &dev->children[index];
    /* Build and check speak for the project: in one colour. */
    child_init(child, dev->loop, &dev->console, name, index < RUNTIME ? 1 : (unsigned)index);
    child->on_end = on_end;
    child->owner = dev;
    console_expect(&dev->console, name);
}

/* What builds may want to know, and what makes output come at once. */
static void set_environment(struct dev *dev)
{
    char path[4096];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
    path[size > 0 ? size : 0] = 0;
    /* One that was built anew meanwhile is "... (deleted)": then what we are runs nevertheless. */
    dev->program = mem_string(access(path, X_OK) == 0 ? path : "/proc/self/exe");
    setenv("PYTHONUNBUFFERED", "1", 0);

    /* Where we are installed, there is our library. */
    char *slash = strrchr(path, '/');
    if (slash && slash - path > 4 && strncmp(slash - 4, "/bin", 4) == 0) {
        const char *before = getenv("CMAKE_PREFIX_PATH");
        char *prefix = mem_format("%.*s%s%s", (int)(slash - 4 - path), path,
                                  before && *before ? ":" : "", before ? before : "");
        setenv("CMAKE_PREFIX_PATH", prefix, 1);
        free(prefix);
    }
}

static bool run(struct dev *dev, struct sf_status *status)
{
    dev->loop = loop_new();
    dev->settle.on_timer = on_settled;
    dev->look.on_timer = on_look;
    console_init(&dev->console);
    add_child(dev, "build", on_build_end);
    add_child(dev, "check", on_check_end);
    add_child(dev, "runtime", on_run_end);
    for (size_t i = 0; i < dev->file.function_count; i++)
        add_child(dev, dev->file.functions[i].name, on_run_end);
    make_patterns(dev);
    watch_signals(dev);
    children_adopt();
    set_environment(dev);

    bool good = watch_new(dev->loop, &dev->patterns, on_change, dev, &dev->watch, status);
    if (good) {
        dev->sources_changed = dev->module_changed = true;
        go_on(dev);
        loop_run(dev->loop);
        children_sweep();
        SAY(dev, "stopped");
    }
    watch_free(dev->watch);
    int fd = dev->signals.fd;
    loop_unwatch(dev->loop, &dev->signals);
    close(fd);
    loop_timer_cancel(dev->loop, &dev->settle);
    loop_timer_cancel(dev->loop, &dev->look);
    for (size_t i = 0; i < dev->child_count; i++)
        child_destroy(&dev->children[i]);
    free_patterns(dev);
    free(dev->program);
    loop_free(dev->loop);
    return good;
}

/* Before going elsewhere. For free(). */
static char *absolute(const char *path)
{
    char *here = *path != '/' ? getcwd(NULL, 0) : NULL;
    char *whole = here ? mem_format("%s/%s", here, path) : mem_string(path);
    free(here);
    return whole;
}

static void note_paths(struct dev *dev)
{
    const char *config = dev->inputs.config;
    const char *admin = settings_text(dev->inputs.settings, SETTING_ADMIN);
    size_t prefix = strlen("unix:");
    if (config)
        dev->config = absolute(config);
    if (strncmp(admin, "unix:", prefix) == 0 && admin[prefix]) {
        char *path = absolute(admin + prefix);
        dev->admin = mem_format("unix:%s", path);
        free(path);
    }
}

/* Goes to the project, and reads what stands there. */
static bool prepare(struct dev *dev, const struct command *command, int *ret_code)
{
    struct inputs *inputs = &dev->inputs;
    *ret_code = EXIT_WRONG;
    if (diagnostics_report(&inputs->diagnostics))
        return false;
    if (inputs->argument_count > 1) {
        command_wrong(command, "expected one DIRECTORY, found %zu arguments",
                      inputs->argument_count);
        return false;
    }
    const char *directory = inputs->argument_count ? inputs->arguments[0] : ".";
    note_paths(dev);
    if (chdir(directory) != 0) {
        command_wrong(command, "cannot go to the project %s: %s", text_quoted(directory).text,
                      strerror(errno));
        return false;
    }
    if (!dev_file_read(&dev->file, &inputs->diagnostics)) {
        (void)diagnostics_report(&inputs->diagnostics);
        return false;
    }
    if (access(DEV_FILE, F_OK) != 0 && access("module.yaml", F_OK) != 0) {
        command_wrong(command,
                      "%s: expected a project, with " DEV_FILE " and module.yaml, found neither; "
                      "'statefun new NAME' makes one",
                      directory);
        return false;
    }
    const char *module = strcmp(dev->file.module, ".") ? dev->file.module : "module.yaml";
    if (access(module, F_OK) == 0)
        return true;
    command_wrong(command, "%s: expected a module there, found none", module);
    return false;
}

int dev_run(const struct command *command, int argc, char **argv)
{
    struct dev *dev = mem_new(sizeof *dev);
    int code;
    if (!inputs_read(&dev->inputs, command, argc, argv, &code)) {
        free(dev);
        return code;
    }
    dev->flags = argv + 1; /* getopt has put what is no flag behind them */
    dev->flag_count = (size_t)(dev->inputs.arguments - argv - 1);
    if (dev->flag_count && strcmp(dev->flags[dev->flag_count - 1], "--") == 0)
        dev->flag_count--; /* more flags follow, for the runtime */
    if (prepare(dev, command, &code)) {
        struct sf_status status;
        dev->inputs.modules = mem_new(sizeof *dev->inputs.modules);
        dev->inputs.modules[0] = mem_string(dev->file.module);
        dev->inputs.module_count = 1;
        code = run(dev, &status) ? EXIT_GOOD : command_failed(command, &status);
    }
    if (dev->file.memory)
        dev_file_destroy(&dev->file);
    inputs_destroy(&dev->inputs);
    free(dev->config);
    free(dev->admin);
    free(dev);
    return code;
}
