/* letter.c - dead letters: what can never be delivered, set aside durably with its cause. */
#include "engine/inside.h"

/* Writes a letter to the egress that gets them. False if none does. */
static bool route(struct engine *engine, struct bytes key, const struct dead_letter *letter)
{
    const struct bindings *bindings = engine->options.bindings;
    const struct letter_route *letters = &bindings->letters;
    if (!letters->write || bytes_equal(letter->egress, bindings->egresses[letters->egress].id))
        return false;
    struct buffer record = {0};
    letters->write(letters, key, letter, &record);
    record_put(engine, letters->egress, buffer_bytes(&record));
    buffer_destroy(&record);
    return true;
}

void letter_put(struct engine *engine, const struct dead_letter *letter)
{
    struct buffer key = {0};
    struct dead_letter dated = *letter;
    dated.time_ms = engine->now_ms;
    (void)key_of_dead_letter(&key, engine->epoch, engine->options.worker, engine->letter_nth++);
    if (!route(engine, buffer_bytes(&key), &dated) || engine->options.bindings->letters.keeps) {
        buffer_clear(&engine->value);
        dead_letter_add(&engine->value, &dated);
        delta_put(engine->open, buffer_bytes(&key), buffer_bytes(&engine->value));
        engine->figures.dead_letters++;
    }
    buffer_destroy(&key);

    struct report report = {
        .kind = REPORT_DEAD_LETTER,
        .cause = letter->cause,
        .letter = letter,
    };
    engine->options.ports.report(engine->options.ports.owner, &report);
}

HINT_SELDOM void letter_put_message(struct engine *engine, enum dead_kind kind, struct bytes target,
                                    struct bytes caller, struct bytes argument, struct bytes cause)
{
    struct buffer to = {0}, from = {0};
    address_add_text(&to, target);
    if (caller.size)
        address_add_text(&from, caller);
    letter_put(engine, &(struct dead_letter){.kind = kind,
                                             .cause = cause,
                                             .origin = buffer_bytes(&from),
                                             .target = buffer_bytes(&to),
                                             .address = target,
                                             .caller = caller,
                                             .value = argument});
    buffer_destroy(&to);
    buffer_destroy(&from);
}

void letter_put_unserved(struct engine *engine, struct message *message)
{
    struct bytes caller = {0}, argument = {0};
    bool good = message_body_parse(message_body(message), &caller, &argument);
    assert(good);
    letter_put_message(engine, DEAD_UNSERVED, message_target(message), caller, argument,
                       bytes_of(CAUSE_UNSERVED));
    message_free(message);
}
