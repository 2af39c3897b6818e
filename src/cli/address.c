/* address.c - statefun address. */
#include "cli/place.h"

#include "runtime/parked.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

const struct command_flag address_flags[] = {
    {"all", 0, NULL, "Resume every parked address."},
    {"json", 0, NULL, "List as JSON, one line each."},
    PLACE_FLAGS,
    {0},
};
enum { FLAG_ALL, FLAG_JSON, FLAG_PLACE, FLAGS = FLAG_PLACE + PLACE_FLAG_COUNT };

#define NAME "statefun address"

/* What was asked for. */
struct order {
    const struct command *command;
    const char *flags[FLAGS]; /* by their place in the table; "" for those without argument */
    bool resumes;
    char **names; /* function types and addresses */
    size_t name_count;
    struct place place;
    size_t done;
};

/* --- list --- */

static const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text ? text : "";
}

static void print_address(const struct order *order, const json_t *address)
{
    if (order->flags[FLAG_JSON]) {
        json_dumpf(address, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
        putchar('\n');
        return;
    }
    printf("%s ", text_of(address, "since"));
    place_print(text_of(address, "address"));
    printf("  ");
    place_print(text_of(address, "cause"));
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
        place_add_parameter(&target, "name", name);
    if (cursor->size)
        place_add_parameter(&target, "from", buffer_text(cursor));
    bool good = place_ask(&order->place, "GET", buffer_text(&target), &answer, status);
    buffer_destroy(&target);
    if (!good)
        return false;
    json_array_foreach(json_object_get(answer, "addresses"), i, address)
        print_address(order, address);
    buffer_clear(cursor);
    buffer_add_text(cursor, text_of(answer, "next"));
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
    place_add_parameter(&target, name ? "name" : "all", name ? name : "true");
    bool good = place_ask(&order->place, "POST", buffer_text(&target), &answer, status);
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
    return good ? EXIT_GOOD : place_fail(NAME, &status);
}

static int complain(const char *format, const char *what)
{
    fputs(NAME ": ", stderr);
    fprintf(stderr, format, what);
    fputs("\nTry '" NAME " --help'.\n", stderr);
    return EXIT_WRONG;
}

/* False: exit with `*ret_code`. */
static bool read_flags(struct order *order, int argc, char **argv, int *ret_code)
{
    struct option options[FLAGS + 2] = {0};
    command_options(order->command, options);
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
        order->flags[flag - COMMAND_FLAG_FIRST] = optarg ? optarg : "";
    }
    return true;
}

static const char *fault(const struct order *order)
{
    if (order->flags[FLAG_ALL] && order->name_count)
        return "expected either names or --all, found both";
    if (order->resumes && !order->name_count && !order->flags[FLAG_ALL])
        return "expected function types (namespace/name), addresses (namespace/name/id), or --all";
    return NULL;
}

int address_run(const struct command *command, int argc, char **argv)
{
    int code;
    struct order order = {.command = command};
    if (!read_flags(&order, argc, argv, &code))
        return code;
    const char *verb = optind < argc ? argv[optind] : "";
    order.resumes = !strcmp(verb, "resume");
    if (!order.resumes && strcmp(verb, "list") != 0)
        return complain("expected list or resume, found '%s'", verb);
    order.names = argv + optind + 1;
    order.name_count = (size_t)(argc - optind - 1);
    const char *wrong = fault(&order);
    if (wrong)
        return complain("%s", wrong);
    if (place_open(&order.flags[FLAG_PLACE], &order.place, &code))
        code = carry_out(&order);
    place_close(&order.place);
    return code;
}
