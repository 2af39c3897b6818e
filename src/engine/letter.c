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

void letter_put_message(struct engine *engine, struct bytes target, struct bytes origin,
                        struct bytes argument, const char *cause)
{
    struct buffer text = {0};
    address_add_text(&text, target);
    letter_put(engine, &(struct dead_letter){.cause = bytes_of(cause),
                                             .origin = origin,
                                             .target = buffer_bytes(&text),
                                             .value = argument});
    buffer_destroy(&text);
}

void letter_put_unserved(struct engine *engine, struct message *message)
{
    struct bytes caller = {0}, argument = {0};
    bool good = message_body_parse(message_body(message), &caller, &argument);
    assert(good);

    struct buffer origin = {0};
    if (caller.size)
        address_add_text(&origin, caller);
    letter_put_message(engine, message_target(message), buffer_bytes(&origin), argument,
                       CAUSE_UNSERVED);
    buffer_destroy(&origin);
    message_free(message);
}
