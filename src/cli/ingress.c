/* ingress.c - statefun ingress. */
#include "cli/command.h"

#include "cli/answer.h"
#include "cli/place.h"

#include <stdio.h>
#include <string.h>

const struct command_flag ingress_flags[] = {
    {"skip", 0, NULL,
     "Of resume: pass the record over, at which an ingress has stopped, as a dead letter."},
    {"positions", 0, NULL, "List the partitions or shards of each as well, and where it is."},
    {"json", 0, NULL, "List as JSON, one line each."},
    AT_FLAG,
    {0},
};
enum { FLAG_SKIP, FLAG_POSITIONS, FLAG_JSON, FLAG_AT };

/* What was asked for. */
struct order {
    const struct command *command;
    const struct inputs *inputs;
    bool resumes;
    char **names;
    size_t name_count;
    const char *token; /* empty: none */
    struct place place;
};

/* --- list --- */

static void print_number(const json_t *part, const char *name, const char *text)
{
    const json_t *number = json_object_get(part, name);
    if (number)
        printf("  %s %lld", text, (long long)json_integer_value(number));
}

static void print_parts(const json_t *ingress)
{
    const json_t *part;
    size_t i;
    json_array_foreach(json_object_get(ingress, "partitions"), i, part)
    {
        printf("    %s/%lld", answer_text(part, "topic"),
               (long long)json_integer_value(json_object_get(part, "partition")));
        print_number(part, "position", "position");
        print_number(part, "end", "end");
        putchar('\n');
    }
    json_array_foreach(json_object_get(ingress, "shards"), i, part)
    {
        printf("    ");
        answer_print_text(answer_text(part, "stream"));
        putchar('/');
        answer_print_text(answer_text(part, "shard"));
        print_number(part, "behindMs", "behind ms");
        putchar('\n');
    }
}

static void print_ingress(const struct order *order, const json_t *ingress)
{
    if (inputs_have_flag(order->inputs, FLAG_JSON)) {
        answer_print_json(ingress);
        return;
    }
    printf("%s  %s  %s", answer_text(ingress, "id"), answer_text(ingress, "kind"),
           answer_text(ingress, "state"));
    if (*answer_text(ingress, "cause")) {
        printf("  %s  ", answer_text(ingress, "since"));
        answer_print_text(answer_text(ingress, "at"));
        printf(": ");
        answer_print_text(answer_text(ingress, "cause"));
    }
    putchar('\n');
    if (inputs_have_flag(order->inputs, FLAG_POSITIONS))
        print_parts(ingress);
}

/* --- resume --- */

static void print_resumed(const json_t *ingress)
{
    bool is_skipped = json_is_true(json_object_get(ingress, "skipped"));
    printf("resumed: %s, ", answer_text(ingress, "id"));
    answer_print_text(answer_text(ingress, "at"));
    printf(" is %s\n", is_skipped ? "passed over, as a dead letter" : "read again");
}

/* --- the command --- */

static bool go_through(const struct order *order, const char *name, struct sf_status *status)
{
    struct buffer target = {0};
    json_t *answer, *ingress;
    size_t i;
    buffer_add_text(&target, order->resumes ? "/ingresses/resume" : "/ingresses");
    if (name)
        answer_add_parameter(&target, "name", name);
    else if (order->resumes)
        answer_add_parameter(&target, "all", "true");
    if (inputs_have_flag(order->inputs, FLAG_SKIP))
        answer_add_parameter(&target, "skip", "true");
    bool good = answer_ask(order->place.where, order->token, order->resumes ? "POST" : "GET",
                           buffer_text(&target), &answer, status);
    buffer_destroy(&target);
    if (!good)
        return false;
    json_array_foreach(json_object_get(answer, "ingresses"), i, ingress)
        print_ingress(order, ingress);
    json_array_foreach(json_object_get(answer, "resumed"), i, ingress) print_resumed(ingress);
    if (order->resumes && !json_array_size(json_object_get(answer, "resumed")))
        printf("resumed: none, as none has stopped\n");
    json_decref(answer);
    return true;
}

static bool carry_out(const struct order *order, struct sf_status *status)
{
    if (order->place.store)
        return sf_fail(status, SF_NOT_FOUND,
                       "no runtime uses the data directory %s: ingresses are listed and resumed "
                       "while they run, and one that has stopped tries its record again at the "
                       "next start",
                       settings_text(order->inputs->settings, SETTING_DATA));
    bool good = order->name_count || go_through(order, NULL, status);
    for (size_t i = 0; good && i < order->name_count; i++)
        good = go_through(order, order->names[i], status);
    return good;
}

static int open_and_carry_out(struct order *order)
{
    const struct settings *settings = order->inputs->settings;
    struct sf_status status;
    order->token = settings_text(settings, SETTING_ADMIN_TOKEN);
    bool good =
        place_open(&(struct place_options){.where = order->inputs->values[FLAG_AT],
                                           .directory = settings_text(settings, SETTING_DATA)},
                   &order->place, &status) &&
        carry_out(order, &status);
    place_close(&order->place);
    return good ? EXIT_GOOD : command_failed(order->command, &status);
}

static int obey(struct order *order)
{
    const struct inputs *inputs = order->inputs;
    const char *verb = inputs->argument_count ? inputs->arguments[0] : "";
    order->resumes = !strcmp(verb, "resume");
    if (!order->resumes && strcmp(verb, "list") != 0)
        return command_wrong(order->command, "expected list or resume, found '%s'", verb);
    if (!order->resumes && inputs_have_flag(inputs, FLAG_SKIP))
        return command_wrong(order->command, "--skip is for resume, found list");
    order->names = inputs->arguments + 1;
    order->name_count = inputs->argument_count - 1;
    return open_and_carry_out(order);
}

int ingress_run(const struct command *command, int argc, char **argv)
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
