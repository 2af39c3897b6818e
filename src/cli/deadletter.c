/* deadletter.c - statefun deadletter. */
#include "cli/command.h"

#include "base/mem.h"
#include "cli/answer.h"
#include "cli/dead_source.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { BUSY_MS = 200, BUSY_MAX = 300, CHOICES_MAX = 16 };

#define FILTER(name, argument, help)                                                               \
    {                                                                                              \
        name, 0, argument, help                                                                    \
    }

/* The filters come first. */
const struct command_flag deadletter_flags[] = {
    FILTER("kind", "KIND",
           "Only those of a kind: invalid-record, unserved, unknown-egress, refused, "
           "undeliverable, failed."),
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
    AT_FLAG,
    {0},
};
enum { FLAG_ALL = 8, FLAG_LIMIT, FLAG_JSON, FLAG_AT };

enum verb { VERB_LIST, VERB_SHOW, VERB_REPLAY, VERB_DISCARD, VERB_EXPORT, VERBS };
static const char *const verb_names[VERBS] = {"list", "show", "replay", "discard", "export"};

/* What was asked for. */
struct order {
    const struct command *command;
    const struct inputs *inputs;
    enum verb verb;
    size_t limit; /* 0: none */
    char **ids;
    size_t id_count;
    struct dead_source source;
    unsigned busy; /* how often in a row there was no room for anything */
};

/* --- output --- */

static void print_line(const json_t *letter)
{
    bool has_target = json_object_get(letter, "target");
    printf("%-14s %s %-14s ", answer_text(letter, "id"), answer_text(letter, "time"),
           answer_text(letter, "kind"));
    answer_print_text(answer_text(letter, has_target ? "target" : "egress"));
    printf("  ");
    answer_print_text(answer_text(letter, "cause"));
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
            text = answer_text(value, is_binary ? "base64" : "text");
        printf("%-8s ", name);
        answer_print_text(text);
        printf(is_binary ? " (base64)\n" : "\n");
    }
}

/* --- doing it --- */

/* Asks for one page, from `*cursor` on (owned; NULL: the first), and moves it on. */
static bool take_page(struct order *order, struct dead_question *question, char **cursor,
                      json_t **ret_answer, struct sf_status *status)
{
    bool writes = order->verb == VERB_REPLAY || order->verb == VERB_DISCARD;
    question->from = *cursor;
    bool good = writes ? dead_source_take(&order->source,
                                          order->verb == VERB_REPLAY ? DEAD_REPLAY : DEAD_DISCARD,
                                          question, ret_answer, status)
                       : dead_source_list(&order->source, question, ret_answer, status);
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
        if (order->verb == VERB_EXPORT || inputs_have_flag(order->inputs, FLAG_JSON))
            answer_print_json(letter);
        else if (order->verb == VERB_SHOW)
            print_whole(letter);
        else
            print_line(letter);
    }
    return i;
}

/* Says what stays and why; returns how many were done. */
static size_t report_page(struct order *order, const json_t *answer, size_t *left)
{
    size_t done = (size_t)json_integer_value(json_object_get(answer, "done"));
    bool is_busy = json_is_true(json_object_get(answer, "busy"));
    size_t i;
    json_t *stuck;
    json_array_foreach(json_object_get(answer, "left"), i, stuck)
    {
        fprintf(stderr, "%s stays: %s\n", answer_text(stuck, "id"), answer_text(stuck, "reason"));
        ++*left;
    }
    if (is_busy)
        nanosleep(&(struct timespec){.tv_nsec = BUSY_MS * 1000000}, NULL);
    order->busy = is_busy && !done ? order->busy + 1 : 0;
    return done;
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
                                                    : report_page(order, answer, left);
        json_decref(answer);
        if (order->busy == BUSY_MAX)
            good = sf_fail(status, SF_FULL,
                           "there has been no room for a minute: mailboxes or outboxes are full");
    } while (good && cursor && (!order->limit || *done < order->limit));
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
    for (unsigned i = 0; i <= FLAG_ALL; i++)
        if (inputs_have_flag(order->inputs, i))
            choices[choice_count++] = (struct dead_choice){
                deadletter_flags[i].name, i < FLAG_ALL ? order->inputs->values[i] : "true"};
    bool good = order->id_count ? go_through_ids(order, &done, &left, &status)
                                : go_through(order, choices, choice_count, &done, &left, &status);
    if (order->verb == VERB_REPLAY || order->verb == VERB_DISCARD)
        printf("%s: %zu\n", order->verb == VERB_REPLAY ? "replayed" : "discarded", done);
    if (!good)
        return command_failed(order->command, &status);
    return left ? EXIT_FAILED : EXIT_GOOD;
}

static int open_and_carry_out(struct order *order)
{
    const struct settings *settings = order->inputs->settings;
    struct sf_status status;
    order->source.token = settings_text(settings, SETTING_ADMIN_TOKEN);
    int code =
        place_open(&(struct place_options){.where = order->inputs->values[FLAG_AT],
                                           .directory = settings_text(settings, SETTING_DATA)},
                   &order->source.place, &status)
            ? carry_out(order)
            : command_failed(order->command, &status);
    place_close(&order->source.place);
    return code;
}

/* --- the command line --- */

static bool read_verb(struct order *order)
{
    const struct inputs *inputs = order->inputs;
    int i = 0;
    while (inputs->argument_count && i < VERBS && strcmp(inputs->arguments[0], verb_names[i]) != 0)
        i++;
    if (!inputs->argument_count || i == VERBS)
        return false;
    order->verb = (enum verb)i;
    order->ids = inputs->arguments + 1;
    order->id_count = inputs->argument_count - 1;
    return true;
}

/* What is wrong with the order, or NULL. */
static const char *fault(struct order *order)
{
    bool has_filter = false;
    for (unsigned i = 0; i <= FLAG_ALL; i++)
        has_filter |= inputs_have_flag(order->inputs, i);
    bool writes = order->verb == VERB_REPLAY || order->verb == VERB_DISCARD;
    bool takes_ids = writes || order->verb == VERB_SHOW;
    const char *limit = order->inputs->values[FLAG_LIMIT];
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

static int obey(struct order *order)
{
    bool is_empty = !order->inputs->argument_count;
    if (!read_verb(order))
        return command_wrong(order->command,
                             is_empty
                                 ? "expected list, show, replay, discard or export%s"
                                 : "expected list, show, replay, discard or export, found '%s'",
                             is_empty ? "" : order->inputs->arguments[0]);
    const char *wrong = fault(order);
    return wrong ? command_wrong(order->command, "%s", wrong) : open_and_carry_out(order);
}

int deadletter_run(const struct command *command, int argc, char **argv)
{
    int code;
    struct inputs inputs;
    if (!inputs_read(&inputs, command, argc, argv, &code))
        return code;
    struct order order = {.command = command, .inputs = &inputs};
    code = diagnostics_report(&inputs.diagnostics) ? EXIT_WRONG : obey(&order);
    inputs_destroy(&inputs);
    return code;
}
