/* ledger.c - counters that check themselves: each keeps its count, and a page that is large and
 * follows from the count. What comes to either but not to the other would be seen.
 *
 *     ledger/start     sends a token to each of 100 counters: a number of hops
 *     ledger/counter   counts a token and hands it on, one hop fewer; says its count when told to
 *                      "tell"; "poison" fails, unless the configuration says cured=yes */
#include "playground.h"

#include <statefun/serve.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNTERS = 100, PAGE = 2000 };

static const struct sf_state COUNT = SF_VALUE("count", &sf_int_type);
static const struct sf_state TEXT = SF_VALUE("page", &sf_string_type);
static bool cured;

static bool pass_on(struct sf_context *context, int counter, int32_t hops)
{
    struct sf_value id = sf_format(context, "%d", counter % COUNTERS);
    return sf_send(context, sf_address("ledger/counter", (const char *)id.as_bytes.data),
                   sf_int(hops));
}

static bool start(struct sf_context *context, const struct sf_message *message)
{
    const char *hops;
    if (!sf_read(context, message, &sf_string_type, &hops))
        return false;
    for (int i = 0; i < COUNTERS; i++)
        if (!pass_on(context, i, (int32_t)strtol(hops, NULL, 10)))
            return false;
    return true;
}

/* The page of a count: full of its last digit. */
static char *page_of(struct sf_context *context, int32_t count)
{
    char *page = sf_alloc(context, PAGE + 1);
    memset(page, '0' + count % 10, PAGE);
    page[PAGE] = '\0';
    return page;
}

static bool count_up(struct sf_context *context)
{
    int32_t count = 0;
    const char *page = NULL;
    sf_get(context, &COUNT, &count);
    sf_get(context, &TEXT, &page);
    if (count ? !page || strcmp(page, page_of(context, count)) != 0 : page != NULL) {
        fprintf(stderr, "WRONG: the page of %s is not that of %d\n", sf_self(context).id, count);
        return sf_fail_call(context, "the page is not that of the count");
    }
    return sf_set(context, &COUNT, sf_int(count + 1)) &&
           sf_set(context, &TEXT, sf_string(page_of(context, count + 1)));
}

static bool tell(struct sf_context *context)
{
    int32_t count = 0;
    sf_get(context, &COUNT, &count);
    return publish(context, "out", sf_format(context, "%s %d", sf_self(context).id, count));
}

static bool counter(struct sf_context *context, const struct sf_message *message)
{
    int32_t hops;
    const char *text = "";
    if (sf_is(message, &sf_string_type)) {
        if (!sf_read(context, message, &sf_string_type, &text))
            return false;
        if (!strcmp(text, "tell"))
            return tell(context);
        return cured ? count_up(context) : sf_fail_call(context, "poison");
    }
    if (!sf_read(context, message, &sf_int_type, &hops) || !count_up(context))
        return false;
    return hops <= 1 || pass_on(context, (int)strtol(sf_self(context).id, NULL, 10) + 1, hops - 1);
}

static const struct sf_function START = {.type = "ledger/start", .call = start};
static const struct sf_function COUNTER = {
    .type = "ledger/counter", .call = counter, .states = SF_STATES(&COUNT, &TEXT)};

static bool configure(struct sf_module *module, struct sf_status *status)
{
    cured = sf_config(module, "cured") != NULL;
    return sf_bind(module, &START, status) && sf_bind(module, &COUNTER, status);
}

int main(int argc, char **argv)
{
    return sf_serve_main(argc, argv, configure);
}
