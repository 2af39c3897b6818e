/* functions.c - the application of README.md with the SDK for C: a program that serves it
 *
 *     functions --port PORT --topic TOPIC
 *
 * and, built as a shared library, an embedded module, whose topic stands in the configuration. */
#include <statefun/serve.h>
#include <statefun/statefun.h>

#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SOON = 50, SECOND = 1000, HOUR = 3600 * 1000, DAY = 24 * HOUR };

static const struct sf_type TEXT = SF_TEXT_TYPE("both/text");
static const char *topic; /* from configure on */

static void emit(struct sf_context *context, struct sf_value text)
{
    sf_send_kafka(context, "both/out",
                  &(struct sf_kafka_record){
                      .topic = topic, .key = sf_string(sf_self(context).id), .value = text});
}

/* The address of the same id. */
static struct sf_address here(struct sf_context *context, const char *type)
{
    return sf_address(type, sf_self(context).id);
}

/* --- both/desk --- */

static const struct sf_state CALLS =
    SF_VALUE("calls", &sf_int_type, SF_EXPIRES(SF_EXPIRE_AFTER_CALL, DAY));
static const struct sf_state DESK_SUM =
    SF_VALUE("sum", &sf_long_type, SF_EXPIRES(SF_EXPIRE_AFTER_WRITE, HOUR));
static const struct sf_state ANSWERS = SF_VALUE("answers", &sf_int_type);
static const struct sf_state WRITTEN =
    SF_VALUE("written", &sf_string_type, SF_EXPIRES(SF_EXPIRE_AFTER_WRITE, SECOND));
static const struct sf_state CALLED =
    SF_VALUE("called", &sf_string_type, SF_EXPIRES(SF_EXPIRE_AFTER_CALL, SECOND));

/* The parts behind an order's first word; "" where there are none. */
struct order {
    char *first;
    char *rest;
};

/* Cuts a text at its first blank; what stands behind that, or "". */
static char *cut(char *text)
{
    char *blank = strchr(text, ' ');
    if (!blank)
        return text + strlen(text);
    *blank = 0;
    return blank + 1;
}

static char *copy(struct sf_context *context, const char *text)
{
    return memcpy(sf_alloc(context, strlen(text) + 1), text, strlen(text) + 1);
}

static void add(struct sf_context *context, const struct order *order)
{
    int64_t sum = 0;
    sf_get(context, &DESK_SUM, &sum);
    sf_set(context, &DESK_SUM, sf_long(sum + strtoll(order->first, NULL, 10)));
}

static void drop(struct sf_context *context, const struct order *order)
{
    (void)order;
    sf_clear(context, &DESK_SUM);
}

static void ask(struct sf_context *context, const struct order *order)
{
    sf_send(context, here(context, "both/teller"), sf_long(strtoll(order->first, NULL, 10)));
}

static void move(struct sf_context *context, const struct order *order)
{
    sf_send(context, sf_address("both/total", order->rest),
            sf_long(strtoll(order->first, NULL, 10)));
}

static void remind_with(struct sf_context *context, const struct order *order, const char *token)
{
    sf_send_after(context, SOON, token, here(context, "both/reminder"),
                  sf_as(&TEXT, sf_string(order->first)));
}

static void remind(struct sf_context *context, const struct order *order)
{
    remind_with(context, order, NULL);
}

static void revoke(struct sf_context *context, const struct order *order)
{
    remind_with(context, order, order->first);
    sf_cancel(context, order->first);
}

static void plan(struct sf_context *context, const struct order *order)
{
    sf_send_after(context, HOUR, order->first, here(context, "both/reminder"),
                  sf_as(&TEXT, sf_format(context, "too late: %s", order->first)));
}

static void advance(struct sf_context *context, const struct order *order)
{
    sf_cancel(context, order->first);
    remind_with(context, order, order->first);
}

static void hand(struct sf_context *context, const struct order *order)
{
    plan(context, order);
    sf_send(context, here(context, "both/teller"),
            sf_as(&TEXT, sf_format(context, "take %s", order->first)));
}

static void brief(struct sf_context *context, const struct order *order)
{
    (void)order;
    sf_set(context, &WRITTEN, sf_string("x"));
    sf_set(context, &CALLED, sf_string("x"));
}

/* The names over which this process has stumbled, to its end. */
struct name {
    struct name *next;
    char text[];
};

static bool is_known(const char *text)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static struct name *names;
    pthread_mutex_lock(&mutex);
    struct name *name = names;
    while (name && strcmp(name->text, text) != 0)
        name = name->next;
    bool known = name;
    if (!known && (name = malloc(sizeof *name + strlen(text) + 1))) {
        memcpy(name->text, text, strlen(text) + 1);
        name->next = names;
        names = name;
    }
    pthread_mutex_unlock(&mutex);
    return known;
}

static void stumble(struct sf_context *context, const struct order *order)
{
    if (!is_known(order->first))
        sf_fail_call(context, "stumbled over %s", order->first);
}

static void report(struct sf_context *context, const struct order *order)
{
    const char *text;
    bool written = sf_get(context, &WRITTEN, &text), called = sf_get(context, &CALLED, &text);
    (void)order;
    emit(context, sf_format(context, "present %s%s%s", written ? "written" : "",
                            written && called ? "," : "",
                            called    ? "called"
                            : written ? ""
                                      : "-"));
    sf_send(context, here(context, "both/total"), sf_as(&TEXT, sf_string("report")));
}

static bool on_order(struct sf_context *context, const struct sf_message *message)
{
    static const struct {
        const char *word;
        void (*call)(struct sf_context *context, const struct order *order);
    } words[] = {{"add", add},       {"drop", drop},     {"ask", ask},         {"move", move},
                 {"remind", remind}, {"revoke", revoke}, {"plan", plan},       {"advance", advance},
                 {"hand", hand},     {"brief", brief},   {"stumble", stumble}, {"report", report}};
    const char *text;
    struct sf_address caller;
    int32_t calls = 0;
    int64_t sum;
    if (!sf_read(context, message, &TEXT, &text))
        return false;
    char *word = copy(context, text);
    struct order order = {.first = cut(word)};
    order.rest = cut(order.first);

    sf_get(context, &CALLS, &calls);
    sf_set(context, &CALLS, sf_int(calls + 1));
    size_t i = 0;
    while (i < sizeof words / sizeof *words && strcmp(words[i].word, word) != 0)
        i++;
    if (i == sizeof words / sizeof *words)
        return sf_fail_call(context, "there is no order %s", word);
    words[i].call(context, &order);

    const char *who = sf_caller(context, &caller) ? "caller" : "-";
    if (sf_get(context, &DESK_SUM, &sum))
        emit(context, sf_format(context, "done %d %s %" PRId64 " %s", calls + 1, word, sum, who));
    else
        emit(context, sf_format(context, "done %d %s - %s", calls + 1, word, who));
    return true;
}

static bool on_answer(struct sf_context *context, const struct sf_message *message)
{
    struct sf_address caller;
    int32_t answers = 0;
    int64_t number;
    if (!sf_read(context, message, &sf_long_type, &number) || !sf_caller(context, &caller))
        return false;
    sf_get(context, &ANSWERS, &answers);
    sf_set(context, &ANSWERS, sf_int(answers + 1));
    emit(context, sf_format(context, "answer %d %" PRId64 " %s", answers + 1, number, caller.type));
    return true;
}

static bool desk(struct sf_context *context, const struct sf_message *message)
{
    static const struct sf_case cases[] = {
        {&sf_long_type, NULL, on_answer}, {&TEXT, NULL, on_order}, {0}};
    return sf_match(context, message, cases);
}

/* --- both/teller --- */

static const struct sf_state BALANCE = SF_VALUE("balance", &sf_long_type);

static bool on_number(struct sf_context *context, const struct sf_message *message)
{
    int64_t balance = 0, number;
    if (!sf_read(context, message, &sf_long_type, &number))
        return false;
    sf_get(context, &BALANCE, &balance);
    sf_set(context, &BALANCE, sf_long(balance + number));
    return sf_reply(context, sf_long(balance + number));
}

static bool on_handed(struct sf_context *context, const struct sf_message *message)
{
    const char *text;
    if (!sf_read(context, message, &TEXT, &text))
        return false;
    char *word = copy(context, text), *name = cut(word);
    if (strcmp(word, "take") == 0) {
        sf_cancel(context, name);
        sf_send_after(context, SOON, name, sf_self(context),
                      sf_as(&TEXT, sf_format(context, "back %s", name)));
    } else {
        emit(context, sf_format(context, "taken %s", name));
    }
    return true;
}

static bool teller(struct sf_context *context, const struct sf_message *message)
{
    static const struct sf_case cases[] = {
        {&sf_long_type, NULL, on_number}, {&TEXT, NULL, on_handed}, {0}};
    return sf_match(context, message, cases);
}

/* --- both/reminder --- */

static const struct sf_state COUNT =
    SF_VALUE("count", &sf_int_type, SF_EXPIRES(SF_EXPIRE_AFTER_WRITE, HOUR));

static bool reminder(struct sf_context *context, const struct sf_message *message)
{
    const char *text;
    struct sf_address caller;
    int32_t count = 0;
    if (!sf_read(context, message, &TEXT, &text) || !sf_caller(context, &caller))
        return false;
    sf_get(context, &COUNT, &count);
    sf_set(context, &COUNT, sf_int(count + 1));
    emit(context,
         sf_format(context, "reminder %d %s %s/%s", count + 1, text, caller.type, caller.id));
    return true;
}

/* --- both/total --- */

static const struct sf_state TOTAL_SUM =
    SF_VALUE("sum", &sf_long_type, SF_EXPIRES(SF_EXPIRE_AFTER_CALL, HOUR));

static bool total(struct sf_context *context, const struct sf_message *message)
{
    struct sf_address caller;
    int64_t number, sum = 0;
    sf_get(context, &TOTAL_SUM, &sum);
    if (!sf_try_read(context, message, &sf_long_type, &number)) {
        emit(context, sf_format(context, "total %" PRId64, sum));
        return true;
    }
    if (!sf_caller(context, &caller))
        return false;
    sf_set(context, &TOTAL_SUM, sf_long(sum + number));
    emit(context, sf_format(context, "moved %" PRId64 " %s", number, caller.id));
    return true;
}

/* --- the module --- */

static const struct sf_function DESK = {
    .type = "both/desk",
    .call = desk,
    .states = SF_STATES(&CALLS, &DESK_SUM, &ANSWERS, &WRITTEN, &CALLED)};
static const struct sf_function TELLER = {
    .type = "both/teller", .call = teller, .states = SF_STATES(&BALANCE)};
static const struct sf_function REMINDER = {
    .type = "both/reminder", .call = reminder, .states = SF_STATES(&COUNT)};
static const struct sf_function TOTAL = {
    .type = "both/total", .call = total, .states = SF_STATES(&TOTAL_SUM)};

static bool configure(struct sf_module *module, struct sf_status *status)
{
    const char *name = sf_config(module, "topic");
    if (!name)
        return sf_fail(status, SF_INVALID, "there is no topic");
    topic = strdup(name);
    if (!topic)
        return sf_fail(status, SF_NO_MEMORY, "the topic's name");
    return sf_bind(module, &DESK, status) && sf_bind(module, &TELLER, status) &&
           sf_bind(module, &REMINDER, status) && sf_bind(module, &TOTAL, status);
}
SF_MODULE(configure)

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'}, {"topic", required_argument, NULL, 't'}, {0}};
    char listen[64] = "", config[256] = "";
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'p')
            snprintf(listen, sizeof listen, "127.0.0.1:%s", optarg);
        else if (option == 't')
            snprintf(config, sizeof config, "topic=%s", optarg);
        else
            return 2;
    }
    char *arguments[] = {argv[0], (char[]){"--listen"}, listen, (char[]){"--config"}, config, NULL};
    return sf_serve_main(5, arguments, configure);
}
