/* reminders.c - each reminder is an instance, which sends itself a message that comes later.
 *
 * A delayed message can be taken back by the token that it was sent with, but only until it is
 * delivered: it may stand in the mailbox already, behind the very message that wants it cancelled.
 * So it carries the number of the setting that it belongs to, and one that comes too late is known
 * by it. Cancelling keeps those from lying around that nobody waits for. */
#include "reminders.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SECONDS_MAX = 366 * 24 * 3600 };

const struct sf_type remind_type = SF_TEXT_TYPE("reminders/remind");
const struct sf_type snooze_type = SF_TEXT_TYPE("reminders/snooze");
const struct sf_type cancel_type = SF_TEXT_TYPE("reminders/cancel");

static const struct sf_state WHAT = SF_VALUE("what", &sf_string_type); /* missing: nothing */
static const struct sf_state SETTING = SF_VALUE("setting", &sf_int_type);
static const struct sf_state IS_DUE = SF_VALUE("is_due", &sf_bool_type); /* missing: it was told */

static bool tell(struct sf_context *context, const char *text)
{
    const char *name = sf_self(context).id;
    return sf_send_kafka(
        context, "reminders/bell",
        &(struct sf_kafka_record){.topic = "bell",
                                  .key = sf_string(name),
                                  .value = sf_format(context, "%s: %s", name, text)});
}

/* "SECONDS" or "SECONDS WHAT"; false if it is neither. */
static bool parse(const char *text, int64_t *ret_seconds, const char **ret_what)
{
    char *end;
    *ret_seconds = strtoll(text, &end, 10);
    if (end == text || (*end && *end != ' ') || *ret_seconds < 0 || *ret_seconds > SECONDS_MAX)
        return false;
    *ret_what = *end ? end + 1 : "";
    return true;
}

static const char *token_of(struct sf_context *context, int32_t setting)
{
    char *token = sf_alloc(context, 32);
    (void)snprintf(token, 32, "reminder %" PRId32, setting);
    return token;
}

/* Takes back what is under way; returns the number of the next setting. */
static int32_t take_back(struct sf_context *context)
{
    int32_t setting = 0;
    bool is_due;
    sf_get(context, &SETTING, &setting);
    if (sf_get(context, &IS_DUE, &is_due)) {
        sf_cancel(context, token_of(context, setting));
        sf_clear(context, &IS_DUE);
    }
    return setting + 1;
}

static bool set(struct sf_context *context, int64_t seconds)
{
    int32_t setting = take_back(context);
    sf_set(context, &SETTING, sf_int(setting));
    sf_set(context, &IS_DUE, sf_bool(true));
    return sf_send_after(context, seconds * 1000, token_of(context, setting), sf_self(context),
                         sf_int(setting));
}

/* --- messages --- */

static bool remind(struct sf_context *context, const struct sf_message *message)
{
    int64_t seconds;
    const char *text, *what;
    if (!sf_try_read(context, message, &remind_type, &text) || !parse(text, &seconds, &what) ||
        !*what)
        return tell(context, "what is it? (SECONDS WHAT)");
    sf_set(context, &WHAT, sf_string(what));
    return set(context, seconds);
}

/* Also of what was told already, until it is cancelled. */
static bool snooze(struct sf_context *context, const struct sf_message *message)
{
    int64_t seconds;
    const char *text, *what, *rest;
    if (!sf_try_read(context, message, &snooze_type, &text) || !parse(text, &seconds, &rest) ||
        *rest)
        return tell(context, "for how long? (SECONDS)");
    if (!sf_get(context, &WHAT, &what))
        return tell(context, "there is nothing to be reminded of");
    return set(context, seconds);
}

static bool cancel(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    (void)take_back(context); /* the number stays, so that what comes too late is known */
    return sf_clear(context, &WHAT);
}

static bool ring(struct sf_context *context, const struct sf_message *message)
{
    int32_t of_setting, setting = 0;
    bool is_due;
    const char *what;
    if (!sf_read(context, message, &sf_int_type, &of_setting))
        return false;
    sf_get(context, &SETTING, &setting);
    if (of_setting != setting || !sf_get(context, &IS_DUE, &is_due) ||
        !sf_get(context, &WHAT, &what))
        return true; /* it was on its way when it was cancelled, or set anew */
    sf_clear(context, &IS_DUE);
    return tell(context, what);
}

/* For sf_case: what comes later is not taken from outside. */
static bool is_inside(struct sf_context *context, const struct sf_message *message)
{
    (void)message;
    struct sf_address caller;
    return sf_caller(context, &caller);
}

/* If such a message failed, it would be tried again and again, and hold the reminder up. */
static bool ignore(struct sf_context *context, const struct sf_message *message)
{
    sf_log(context, SF_WARNING, "ignores a message of type '%s'",
           sf_message_type(context, message));
    return true;
}

static bool reminder(struct sf_context *context, const struct sf_message *message)
{
    static const struct sf_case cases[] = {
        {&remind_type, NULL, remind},    {&snooze_type, NULL, snooze}, {&cancel_type, NULL, cancel},
        {&sf_int_type, is_inside, ring}, {NULL, NULL, ignore},         {0}};
    return sf_match(context, message, cases);
}

static const struct sf_function REMINDER = {
    .type = "reminders/reminder", .call = reminder, .states = SF_STATES(&WHAT, &SETTING, &IS_DUE)};

bool reminders_configure(struct sf_module *module, struct sf_status *status)
{
    return sf_bind(module, &REMINDER, status);
}

SF_MODULE(reminders_configure)
