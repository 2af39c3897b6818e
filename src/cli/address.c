/* address.c - statefun address. */
#include "cli/command.h"

#include "cli/answer.h"
#include "cli/place.h"
#include "runtime/parked.h"

#include <stdio.h>
#include <string.h>

const struct command_flag address_flags[] = {
    {"all", 0, NULL, "Resume every parked address."},
    {"json", 0, NULL, "List as JSON, one line each."},
    AT_FLAG,
    {0},
};
enum { FLAG_ALL, FLAG_JSON, FLAG_AT };

/* What was asked for. */
struct order {
    const struct command *command;
    const struct inputs *inputs;
    bool resumes;
    char **names; /* function types and addresses */
    size_t name_count;
    const char *token; /* empty: none */
    struct place place;
    size_t done;
};

/* --- list --- */

static void print_address(const struct order *order, const json_t *address)
{
    if (inputs_have_flag(order->inputs, FLAG_JSON)) {
        answer_print_json(address);
        return;
    }
    printf("%s ", answer_text(address, "since"));
    answer_print_text(answer_text(address, "address"));
    printf("  ");
    answer_print_text(answer_text(address, "cause"));
    putchar('\n');
}

static bool list_page(struct order *order, const char *name, struct buffer *cursor,
                      struct sf_status *status)
{
    struct buffer target = {0};
    json_t *answer, *address;
    size_t i;
    buffer_add_text(&target, "/addresses/parked");
    if (name)
        answer_add_parameter(&target, "name", name);
    if (cursor->size)
        answer_add_parameter(&target, "from", buffer_text(cursor));
    bool good =
        answer_ask(order->place.where, order->token, "GET", buffer_text(&target), &answer, status);
    buffer_destroy(&target);
    if (!good)
        return false;
    json_array_foreach(json_object_get(answer, "addresses"), i, address)
        print_address(order, address);
    buffer_clear(cursor);
    buffer_add_text(cursor, answer_text(answer, "next"));
    json_decref(answer);
    return true;
}

static bool list_running(struct order *order, const char *name, struct sf_status *status)
{
    struct buffer cursor = {0};
    bool good;
    do
        good = list_page(order, name, &cursor, status);
    while (good && cursor.size);
    buffer_destroy(&cursor);
    return good;
}

static void print_stopped(void *owner, struct bytes key, struct bytes address,
                          const struct stored_parked *parked)
{
    json_t *json = parked_json(address, parked);
    (void)key;
    print_address(owner, json);
    json_decref(json);
}

/* --- resume --- */

static bool resume_running(struct order *order, const char *name, struct sf_status *status)
{
    struct buffer target = {0};
    json_t *answer;
    buffer_add_text(&target, "/addresses/resume");
    answer_add_parameter(&target, name ? "name" : "all", name ? name : "true");
    bool good =
        answer_ask(order->place.where, order->token, "POST", buffer_text(&target), &answer, status);
    buffer_destroy(&target);
    if (!good)
        return false;
    order->done += (size_t)json_integer_value(json_object_get(answer, "done"));
    json_decref(answer);
    return true;
}

struct resuming {
    struct order *order;
    struct delta *delta;
};

static void resume_stopped(void *owner, struct bytes key, struct bytes address,
                           const struct stored_parked *parked)
{
    struct resuming *resuming = owner;
    (void)address, (void)parked;
    delta_remove(resuming->delta, key);
    resuming->order->done++;
}

/* --- a stopped one --- */

static bool go_through_store(struct order *order, const char *name, struct sf_status *status)
{
    struct store *store = order->place.store;
    struct buffer wanted = {0}, from = {0}, next = {0};
    bool good = !name || parked_parse(bytes_of(name), &wanted, status);
    while (good) {
        uint64_t epoch = store_epoch(store) + 1;
        struct resuming resuming = {order, delta_new(0, epoch, 0)};
        parked_page(store, buffer_bytes(&wanted), buffer_bytes(&from),
                    order->resumes ? resume_stopped : print_stopped,
                    order->resumes ? (void *)&resuming : order, &next);
        if (resuming.delta->entries.size)
            good = store_commit(store, epoch, &resuming.delta, 1, status);
        delta_unref(resuming.delta);
        buffer_clear(&from);
        buffer_add_bytes(&from, buffer_bytes(&next));
        if (!next.size)
            break;
    }
    buffer_destroy(&wanted);
    buffer_destroy(&from);
    buffer_destroy(&next);
    return good;
}

/* --- the command --- */

static bool go_through(struct order *order, const char *name, struct sf_status *status)
{
    if (order->place.store)
        return go_through_store(order, name, status);
    return order->resumes ? resume_running(order, name, status) : list_running(order, name, status);
}

static int carry_out(struct order *order)
{
    struct sf_status status;
    bool good = order->name_count || go_through(order, NULL, &status);
    for (size_t i = 0; good && i < order->name_count; i++)
        good = go_through(order, order->names[i], &status);
    if (order->resumes)
        printf("resumed: %zu\n", order->done);
    return good ? EXIT_GOOD : command_failed(order->command, &status);
}

static int open_and_carry_out(struct order *order)
{
    const struct settings *settings = order->inputs->settings;
    struct sf_status status;
    order->token = settings_text(settings, SETTING_ADMIN_TOKEN);
    int code =
        place_open(&(struct place_options){.where = order->inputs->values[FLAG_AT],
                                           .directory = settings_text(settings, SETTING_DATA)},
                   &order->place, &status)
            ? carry_out(order)
            : command_failed(order->command, &status);
    place_close(&order->place);
    return code;
}

static const char *fault(const struct order *order)
{
    bool has_all = inputs_have_flag(order->inputs, FLAG_ALL);
    if (has_all && order->name_count)
        return "expected either names or --all, found both";
    if (order->resumes && !order->name_count && !has_all)
        return "expected function types (namespace/name), addresses (namespace/name/id), or --all";
    return NULL;
}

static int obey(struct order *order)
{
    const struct inputs *inputs = order->inputs;
    const char *verb = inputs->argument_count ? inputs->arguments[0] : "";
    order->resumes = !strcmp(verb, "resume");
    if (!order->resumes && strcmp(verb, "list") != 0)
        return command_wrong(order->command, "expected list or resume, found '%s'", verb);
    order->names = inputs->arguments + 1;
    order->name_count = inputs->argument_count - 1;
    const char *wrong = fault(order);
    return wrong ? command_wrong(order->command, "%s", wrong) : open_and_carry_out(order);
}

int address_run(const struct command *command, int argc, char **argv)
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
