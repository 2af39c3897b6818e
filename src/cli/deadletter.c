/* deadletter.c - statefun deadletter. */
#include "cli/command.h"

#include "base/mem.h"
#include "cli/dead_source.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { BUSY_MS = 200, CHOICES_MAX = 16 };

#define FILTER(name, argument, help)                                                               \
    {                                                                                              \
        name, 0, argument, help                                                                    \
    }

/* The filters come first. */
const struct command_flag deadletter_flags[] = {
    FILTER("kind", "KIND",
           "Only those of a kind: invalid-record, unserved, unknown-egress, refused, "
           "undeliverable."),
    FILTER("target", "NAME", "Only those for a function type (namespace/name) or an address."),
    FILTER("ingress", "NAME", "Only what came in by this ingress."),
    FILTER("egress", "NAME", "Only what was meant for this egress."),
    FILTER("since", "TIME", "Only those set aside at TIME (2026-01-31T12:00:00Z) or later."),
    FILTER("until", "TIME", "Only those set aside at TIME or earlier."),
    FILTER("from", "ID", "Only this one and those after it."),
    FILTER("to", "ID", "Only this one and those before it."),
    {"all", 0, NULL, "Replay or discard every dead letter."},
    {"limit", 0, "N", "At most so many."},
    {"json", 0, NULL, "List and show as JSON, one line each, with all there is."},
    {"at", 0, "ADDRESS",
     "The admin listener of a runtime (host:port or unix:/path), instead of --data."},
    {"data", 0, "DIR",
     "The data directory; else the setting statefun.data. Its lock tells whether a runtime has to "
     "be asked."},
    {"config", 0, "FILE", "A file with settings, as of run."},
    {0},
};
enum { FLAG_ALL = 8, FLAG_LIMIT, FLAG_JSON, FLAG_AT, FLAG_DATA, FLAG_CONFIG, FLAGS };

enum verb { VERB_LIST, VERB_SHOW, VERB_REPLAY, VERB_DISCARD, VERB_EXPORT, VERBS };
static const char *const verb_names[VERBS] = {"list", "show", "replay", "discard", "export"};

/* What was asked for. */
struct order {
    const struct command *command;
    enum verb verb;
    const char *flags[FLAGS]; /* by their place in the table; "" for those without argument */
    size_t limit;             /* 0: none */
    char **ids;
    size_t id_count;
    struct dead_source *source;
};

/* --- output --- */

/* Ids, causes and values come from strangers: nothing of them must reach the terminal as more than
 * text. */
static void print_plain(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            printf("\\x%02x", (unsigned char)*text);
        else
            putchar(*text);
    }
}

static const char *text_of(const json_t *letter, const char *name)
{
    const char *text = json_string_value(json_object_get(letter, name));
    return text ? text : "";
}

static void print_json(const json_t *json)
{
    json_dumpf(json, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
    putchar('\n');
}

static void print_line(const json_t *letter)
{
    bool has_target = json_object_get(letter, "target");
    printf("%-14s %s %-14s ", text_of(letter, "id"), text_of(letter, "time"),
           text_of(letter, "kind"));
    print_plain(text_of(letter, has_target ? "target" : "egress"));
    printf("  ");
    print_plain(text_of(letter, "cause"));
    putchar('\n');
}

static void print_whole(const json_t *letter)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)letter, name, value)
    {
        const char *text = json_string_value(value);
        bool is_binary = !text && !json_object_get(value, "text");
        if (!text)
            text = text_of(value, is_binary ? "base64" : "text");
        printf("%-8s ", name);
        print_plain(text);
        printf(is_binary ? " (base64)\n" : "\n");
    }
}

/* --- doing it --- */

static int fail(const struct sf_status *status)
{
    fprintf(stderr, "statefun deadletter: %s\n", status->message);
    return status->code == SF_INVALID ? EXIT_WRONG : EXIT_FAILED;
}

/* Asks for one page, from `*cursor` on (owned; NULL: the first), and moves it on. */
static bool take_page(struct order *order, struct dead_question *question, char **cursor,
                      json_t **ret_answer, struct sf_status *status)
{
    bool writes = order->verb == VERB_REPLAY || order->verb == VERB_DISCARD;
    question->from = *cursor;
    bool good = writes ? dead_source_take(order->source,
                                          order->verb == VERB_REPLAY ? DEAD_REPLAY : DEAD_DISCARD,
                                          question, ret_answer, status)
                       : dead_source_list(order->source, question, ret_answer, status);
    free(*cursor);
    const char *next = good ? json_string_value(json_object_get(*ret_answer, "next")) : NULL;
    *cursor = next ? mem_string(next) : NULL;
    return good;
}

static size_t print_page(const struct order *order, const json_t *answer)
{
    size_t i;
    json_t *letter, *letters = json_object_get(answer, "letters");
    json_array_foreach(letters, i, letter)
    {
        if (order->verb == VERB_EXPORT || order->flags[FLAG_JSON])
            print_json(letter);
        else if (order->verb == VERB_SHOW)
            print_whole(letter);
        else
            print_line(letter);
    }
    return i;
}

/* Says what stays and why; returns how many were done. */
static size_t report_page(const json_t *answer, size_t *left)
{
    size_t i;
    json_t *stuck;
    json_array_foreach(json_object_get(answer, "left"), i, stuck)
    {
        fprintf(stderr, "%s stays: %s\n", text_of(stuck, "id"), text_of(stuck, "reason"));
        ++*left;
    }
    if (json_is_true(json_object_get(answer, "busy")))
        nanosleep(&(struct timespec){.tv_nsec = BUSY_MS * 1000000}, NULL);
    return (size_t)json_integer_value(json_object_get(answer, "done"));
}

/* All pages of one question. */
static bool go_through(struct order *order, const struct dead_choice *choices, size_t choice_count,
                       size_t *done, size_t *left, struct sf_status *status)
{
    struct dead_question question = {choices, choice_count, NULL, 0};
    char *cursor = NULL;
    bool good = true;
    do {
        json_t *answer;
        size_t wanted = order->limit ? order->limit - *done : 0;
        question.limit = wanted < DEAD_PAGE_LETTERS ? wanted : DEAD_PAGE_LETTERS;
        good = take_page(order, &question, &cursor, &answer, status);
        if (!good)
            break;
        *done += json_object_get(answer, "letters") ? print_page(order, answer)
                                                    : report_page(answer, left);
        json_decref(answer);
    } while (cursor && (!order->limit || *done < order->limit));
    free(cursor);
    return good;
}

static bool go_through_ids(struct order *order, size_t *done, size_t *left,
                           struct sf_status *status)
{
    for (size_t i = 0; i < order->id_count; i++) {
        const struct dead_choice only[] = {{"from", order->ids[i]}, {"to", order->ids[i]}};
        size_t before = *done + *left;
        if (!go_through(order, only, 2, done, left, status))
            return false;
        if (*done + *left == before)
            return sf_fail(status, SF_NOT_FOUND, "there is no dead letter %s", order->ids[i]);
    }
    return true;
}

static int carry_out(struct order *order)
{
    struct dead_choice choices[CHOICES_MAX];
    size_t choice_count = 0, done = 0, left = 0;
    struct sf_status status;
    for (size_t i = 0; i <= FLAG_ALL; i++)
        if (order->flags[i])
            choices[choice_count++] = (struct dead_choice){deadletter_flags[i].name,
                                                           i < FLAG_ALL ? order->flags[i] : "true"};
    bool good = order->id_count ? go_through_ids(order, &done, &left, &status)
                                : go_through(order, choices, choice_count, &done, &left, &status);
    if (order->verb == VERB_REPLAY || order->verb == VERB_DISCARD)
        printf("%s: %zu\n", order->verb == VERB_REPLAY ? "replayed" : "discarded", done);
    if (!good)
        return fail(&status);
    return left ? EXIT_FAILED : EXIT_GOOD;
}

static void read_settings(struct order *order, struct inputs *inputs)
{
    const char *config =
        order->flags[FLAG_CONFIG] ? order->flags[FLAG_CONFIG] : getenv(CONFIG_VARIABLE);
    *inputs = (struct inputs){.settings = settings_new()};
    if (config && *config)
        settings_read_file(inputs->settings, config, &inputs->diagnostics);
    settings_read_environment(inputs->settings, &inputs->diagnostics);
    if (order->flags[FLAG_DATA])
        settings_set_flag(inputs->settings, SETTING_DATA, order->flags[FLAG_DATA],
                          &inputs->diagnostics);
}

static int open_and_carry_out(struct order *order)
{
    struct sf_status status;
    struct inputs inputs;
    int code = EXIT_WRONG;
    read_settings(order, &inputs);
    if (!diagnostics_report(&inputs.diagnostics))
        code = dead_source_open(order->flags[FLAG_AT], settings_text(inputs.settings, SETTING_DATA),
                                settings_text(inputs.settings, SETTING_ADMIN_TOKEN), &order->source,
                                &status)
                   ? carry_out(order)
                   : fail(&status);
    dead_source_close(order->source);
    inputs_destroy(&inputs);
    return code;
}

/* --- the command line --- */

static int complain(const char *format, const char *what)
{
    fputs("statefun deadletter: ", stderr);
    fprintf(stderr, format, what);
    fputs("\nTry 'statefun deadletter --help'.\n", stderr);
    return EXIT_WRONG;
}

/* False: exit with `*ret_code`. */
static bool read_flags(struct order *order, int argc, char **argv, int *ret_code)
{
    struct option options[FLAGS + 2] = {0};
    for (int i = 0; i < FLAGS; i++)
        options[i] = (struct option){deadletter_flags[i].name,
                                     deadletter_flags[i].argument ? required_argument : no_argument,
                                     NULL, i + 256};
    options[FLAGS] = (struct option){"help", no_argument, NULL, 'h'};
    opterr = 0;
    for (int flag; (flag = getopt_long(argc, argv, ":h", options, NULL)) != -1;) {
        if (flag == 'h') {
            help_show_command(order->command);
            *ret_code = EXIT_GOOD;
            return false;
        }
        if (flag == '?' || flag == ':') {
            *ret_code = complain(flag == ':' ? "%s needs a value" : "there is no flag '%s'",
                                 argv[optind - 1]);
            return false;
        }
        order->flags[flag - 256] = optarg ? optarg : "";
    }
    return true;
}

static bool read_verb(struct order *order, int argc, char **argv)
{
    int i = 0;
    while (optind < argc && i < VERBS && strcmp(argv[optind], verb_names[i]) != 0)
        i++;
    if (optind == argc || i == VERBS)
        return false;
    order->verb = (enum verb)i;
    order->ids = argv + optind + 1;
    order->id_count = (size_t)(argc - optind - 1);
    return true;
}

/* What is wrong with the order, or NULL. */
static const char *fault(struct order *order)
{
    bool has_filter = false;
    for (size_t i = 0; i <= FLAG_ALL; i++)
        has_filter |= order->flags[i] != NULL;
    bool writes = order->verb == VERB_REPLAY || order->verb == VERB_DISCARD;
    bool takes_ids = writes || order->verb == VERB_SHOW;
    const char *limit = order->flags[FLAG_LIMIT];
    if (limit) {
        char *end;
        order->limit = strtoul(limit, &end, 10);
        if (!order->limit || *end || *limit == '-')
            return "--limit: expected a number from 1";
    }
    if (order->id_count && !takes_ids)
        return "only show, replay and discard take ids";
    if (order->id_count && has_filter)
        return "expected either ids or filters, found both";
    if (order->verb == VERB_SHOW && !order->id_count)
        return "show: expected the id of a dead letter";
    if (writes && !order->id_count && !has_filter)
        return "expected ids, filters, or --all";
    return NULL;
}

int deadletter_run(const struct command *command, int argc, char **argv)
{
    int code;
    struct order order = {.command = command};
    if (!read_flags(&order, argc, argv, &code))
        return code;
    if (!read_verb(&order, argc, argv))
        return complain(optind < argc ? "expected list, show, replay, discard or export, found '%s'"
                                      : "expected list, show, replay, discard or export%s",
                        optind < argc ? argv[optind] : "");
    const char *wrong = fault(&order);
    return wrong ? complain("%s", wrong) : open_and_carry_out(&order);
}
