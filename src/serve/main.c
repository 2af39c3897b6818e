/* main.c - a remote function as a program: arguments and signals around a server. */
#include "base/log.h"
#include "base/mem.h"
#include "serve/handler.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

enum { EXIT_USAGE = 2, THREADS_MAX = 1024, STOP_S_MAX = 24 * 60 * 60 };

struct arguments {
    struct sf_serve_options options;
    const char **config;
    size_t config_count;
    bool wants_help;
};

static const char usage[] =
    "Usage: %s [OPTION]...\n"
    "\n"
    "Serves stateful functions over HTTP, for a runtime to call.\n"
    "\n"
    "  --listen HOST:PORT   where to listen (default 127.0.0.1:8000); :PORT is all interfaces,\n"
    "                       port 0 one that the kernel picks\n"
    "  --listen unix:PATH   the same, on a unix socket\n"
    "  --threads N          how many requests are handled at once (default: one for each\n"
    "                       processor)\n"
    "  --config KEY=VALUE   a value of the module's configuration; may be repeated\n"
    "  --keep MB            memory for states that need not be sent with each request, where\n"
    "                       the runtime can do without (default 64; 0: none)\n"
    "  --log-level LEVEL    debug, info (default), warn or error\n"
    "  --stop-within SECONDS\n"
    "                       how long requests under way may take when it is told to end\n"
    "                       (default 10)\n"
    "  --help               this text\n"
    "\n"
    "GET /health and GET /metrics are served, too.\n";

static bool set_listen(struct arguments *arguments, const char *value, struct sf_status *status)
{
    (void)status;
    arguments->options.listen = value;
    return true;
}

static bool parse_number(const char *flag, const char *value, unsigned most, unsigned *ret_number,
                         struct sf_status *status)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || errno || number < 1 || number > most)
        return sf_fail(status, SF_INVALID, "%s %s: expected a number from 1 to %u", flag, value,
                       most);
    *ret_number = (unsigned)number;
    return true;
}

static bool set_threads(struct arguments *arguments, const char *value, struct sf_status *status)
{
    return parse_number("--threads", value, THREADS_MAX, &arguments->options.threads, status);
}

static bool set_stop(struct arguments *arguments, const char *value, struct sf_status *status)
{
    unsigned seconds;
    if (!parse_number("--stop-within", value, STOP_S_MAX, &seconds, status))
        return false;
    arguments->options.stop_ms_max = seconds * 1000;
    return true;
}

static bool add_config(struct arguments *arguments, const char *value, struct sf_status *status)
{
    (void)status;
    arguments->config =
        mem_resize(arguments->config, (arguments->config_count + 2) * sizeof *arguments->config);
    arguments->config[arguments->config_count++] = value;
    arguments->config[arguments->config_count] = NULL;
    arguments->options.config = arguments->config;
    return true;
}

static bool set_keep(struct arguments *arguments, const char *value, struct sf_status *status)
{
    enum { MB_MAX = 1024 * 1024 };
    char *end;
    unsigned long number = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || number > MB_MAX)
        return sf_fail(status, SF_INVALID, "--keep %s: expected a number from 0 to %d", value,
                       MB_MAX);
    arguments->options.kept_bytes_max = number ? number * 1024 * 1024 : 1;
    return true;
}

static bool set_log_level(struct arguments *arguments, const char *value, struct sf_status *status)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    (void)arguments;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(value, names[i])) {
            log_configure((enum log_level)i, LOG_AS_TEXT);
            return true;
        }
    return sf_fail(status, SF_INVALID, "--log-level %s: expected debug, info, warn or error",
                   value);
}

static const struct {
    const char *name;
    bool (*take)(struct arguments *arguments, const char *value, struct sf_status *status);
} flags[] = {
    {"--listen", set_listen},       {"--threads", set_threads},  {"--config", add_config},
    {"--log-level", set_log_level}, {"--stop-within", set_stop}, {"--keep", set_keep},
};

/* "--flag VALUE" or "--flag=VALUE", at `*at`. */
static bool parse_flag(struct arguments *arguments, int argc, char **argv, int *at,
                       struct sf_status *status)
{
    const char *argument = argv[*at];
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        size_t size = strlen(flags[i].name);
        if (strncmp(argument, flags[i].name, size) != 0)
            continue;
        if (argument[size] == '=')
            return flags[i].take(arguments, argument + size + 1, status);
        if (argument[size])
            continue;
        if (*at + 1 == argc)
            return sf_fail(status, SF_INVALID, "%s needs a value", argument);
        return flags[i].take(arguments, argv[++*at], status);
    }
    return sf_fail(status, SF_INVALID, "there is no option %s; --help lists them", argument);
}

static bool parse(struct arguments *arguments, int argc, char **argv, struct sf_status *status)
{
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help"))
            arguments->wants_help = true;
        else if (!parse_flag(arguments, argc, argv, &i, status))
            return false;
    }
    return true;
}

/* Until one of them comes; the next one then ends the program at once. */
static void wait_for_end(const sigset_t *signals, const sigset_t *before)
{
    int number;
    while (sigwait(signals, &number))
        continue;
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

static int serve(const struct arguments *arguments, sf_configure configure, const char *program)
{
    sigset_t signals, before;
    struct sf_server *server;
    struct sf_status status;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, &before);
    if (!sf_server_start(&arguments->options, configure, &server, &status)) {
        fprintf(stderr, "%s: %s\n", program, status.message);
        return EXIT_FAILURE;
    }
    printf("listening on %s\n", sf_server_address(server));
    fflush(stdout);
    wait_for_end(&signals, &before);
    log_info("stopping");
    sf_server_stop(server);
    return EXIT_SUCCESS;
}

int sf_serve_main(int argc, char **argv, sf_configure configure)
{
    struct arguments arguments = {0};
    struct sf_status status;
    const char *program = argc > 0 ? argv[0] : "function";
    int code = EXIT_USAGE;
    if (!parse(&arguments, argc, argv, &status)) {
        fprintf(stderr, "%s: %s\n", program, status.message);
    } else if (arguments.wants_help) {
        printf(usage, program);
        code = EXIT_SUCCESS;
    } else {
        code = serve(&arguments, configure, program);
    }
    free(arguments.config);
    return code;
}
