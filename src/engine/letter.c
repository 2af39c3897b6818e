/* letter.c - dead letters: what can never be delivered, set aside durably with its cause. */
#include "engine/inside.h"

void letter_put(struct engine *engine, const struct dead_letter *letter)
{
    struct bytes key = key_of_dead_letter(&engine->key, engine->epoch, engine->options.worker,
                                          engine->letter_nth++);
    struct dead_letter dated = *letter;
    dated.time_ms = engine->now_ms;
    buffer_clear(&engine->value);
    dead_letter_add(&engine->value, &dated);
    delta_put(engine->open, key, buffer_bytes(&engine->value));
    engine->figures.dead_letters++;

    struct report report = {
        .kind = REPORT_DEAD_LETTER,
        .cause = letter->cause,
        .letter = letter,
    };
    engine->options.ports.report(engine->options.ports.owner, &report);
}

void letter_put_message(struct engine *engine, enum dead_kind kind, struct bytes target,
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
