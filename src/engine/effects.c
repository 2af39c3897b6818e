/* effects.c - what an invocation produced: judged first as a whole, then applied as a whole.
 *
 * The order is that of protocol.md 5: messages, delayed messages and cancellations, egress records,
 * state mutations. What upstream answers with a failure of the whole job is here either a failure
 * of this address (the reply contradicts itself or what is known: nothing of it is applied and the
 * function is asked again) or, when only one message or record is concerned and no other try could
 * help, a dead letter (an unknown function or egress, a record that its egress cannot take). */
#include "engine/inside.h"

/* --- judging --- */

static bool judge_mutation(struct function_type *type, const struct state_mutation *mutation,
                           struct sf_status *status)
{
    struct spec *spec = function_find_spec(type, mutation->name);
    if (!spec)
        return sf_fail(status, SF_INVALID,
                       "the reply changes state '%.*s', which was never declared",
                       BYTES_ARG(mutation->name));
    if (mutation->kind == MUTATION_DELETE)
        return true;
    if (mutation->kind != MUTATION_MODIFY)
        return sf_fail(status, SF_INVALID,
                       "the reply changes state '%.*s' by mutation type %llu, expected DELETE (0) "
                       "or MODIFY (1)",
                       BYTES_ARG(mutation->name), (unsigned long long)mutation->kind);
    if (bytes_equal(mutation->value.type, spec->is.type))
        return true;

    bool was_remembered = spec->remembered;
    struct bytes known = spec->is.type;
    if (was_remembered)
        function_forget(spec);
    return sf_fail(status, SF_INVALID,
                   "state '%.*s' has type '%.*s', the reply writes type '%.*s'%s",
                   BYTES_ARG(mutation->name), BYTES_ARG(known), BYTES_ARG(mutation->value.type),
                   was_remembered ? "; that type is from an earlier run, so the function is asked "
                                    "to declare it again"
                                  : "");
}

/* A token that this reply uses, while it is judged. */
struct judged_token {
    struct map_node by_text;
    struct bytes text;
    bool live;
};

static struct judged_token *judged_token(struct engine *engine, const struct address *sender,
                                         struct bytes text, struct map *seen)
{
    uint64_t hash = hash_seeded(text, engine->options.hash_seed);
    for (struct map_node *node = map_find(seen, hash); node; node = map_same(node)) {
        struct judged_token *token = container_of(node, struct judged_token, by_text);
        if (bytes_equal(token->text, text))
            return token;
    }
    struct judged_token *token = arena_take(&engine->arena, sizeof *token);
    token->text = text;
    token->live = delayed_is_live(engine, sender->id, text);
    map_put(seen, &token->by_text, hash);
    return token;
}

/* `seen` lets sends and cancellations be replayed in order: a token that was cancelled is free
 * again. */
static bool judge_delayed(struct engine *engine, const struct address *sender,
                          const struct delayed_message *delayed, struct map *seen,
                          struct sf_status *status)
{
    if (delayed->is_cancellation && !delayed->token.size)
        return sf_fail(status, SF_INVALID, "the reply cancels with an empty token");
    if (!delayed->is_cancellation && delayed->delay_ms < 0)
        return sf_fail(status, SF_INVALID,
                       "the reply delays a message by %lld ms, expected 0 or more",
                       (long long)delayed->delay_ms);
    if (!delayed->token.size)
        return true;

    struct judged_token *token = judged_token(engine, sender, delayed->token, seen);
    if (!delayed->is_cancellation && token->live)
        return sf_fail(status, SF_INVALID,
                       "the cancellation token '%.*s' is in use by another delayed message",
                       BYTES_ARG(delayed->token));
    token->live = !delayed->is_cancellation;
    return true;
}

static bool judge_all_delayed(struct engine *engine, const struct address *sender,
                              const struct from_function *reply, struct sf_status *status)
{
    struct map seen;
    map_init(&seen);
    bool good = true;
    for (size_t i = 0; good && i < reply->delayed_count; i++)
        good = judge_delayed(engine, sender, &reply->delayed[i], &seen, status);
    map_destroy(&seen);
    return good;
}

/* --- applying --- */

static inline void apply_message(struct engine *engine, const struct instance *instance,
                                 struct outgoing_message *outgoing)
{
    struct function_type *target_type = function_find_of(engine, outgoing->target);
    if (!target_type) {
        letter_put_message(engine, DEAD_UNSERVED, outgoing->target, instance_address(instance),
                           outgoing->argument, bytes_of(CAUSE_UNSERVED));
        return;
    }
    struct message *message = outgoing->ready;
    outgoing->ready = NULL;
    if (!message)
        message = message_new(outgoing->target, instance_address(instance), outgoing->argument);
    if (delivery_send(engine, message, target_type))
        instance->type->figures.out_local++;
    else
        instance->type->figures.out_remote++;
}

static void apply_delayed(struct engine *engine, const struct address *sender,
                          const struct delayed_message *delayed)
{
    if (delayed->is_cancellation)
        delayed_cancel(engine, sender->id, delayed->token);
    else
        delayed_add(engine, sender, delayed->target, delayed->argument, delayed->token,
                    (uint64_t)delayed->delay_ms);
}

static void put_egress_letter(struct engine *engine, struct bytes sender,
                              const struct egress_message *message, enum dead_kind kind,
                              const char *cause)
{
    struct buffer egress = {0}, origin = {0};
    buffer_add_format(&egress, "%.*s/%.*s", BYTES_ARG(message->ns), BYTES_ARG(message->name));
    address_add_text(&origin, sender);
    letter_put(engine, &(struct dead_letter){.kind = kind,
                                             .cause = bytes_of(cause),
                                             .origin = buffer_bytes(&origin),
                                             .egress = buffer_bytes(&egress),
                                             .value = message->argument});
    buffer_destroy(&egress);
    buffer_destroy(&origin);
}

HINT_APART static void apply_egress(struct engine *engine, const struct instance *instance,
                                    const struct egress_message *message)
{
    struct bytes sender = instance_address(instance);
    const struct bindings *bindings = engine->options.bindings;
    uint32_t i = 0;
    while (i < bindings->egress_count && !(bytes_equal(bindings->egresses[i].ns, message->ns) &&
                                           bytes_equal(bindings->egresses[i].name, message->name)))
        i++;
    if (i == bindings->egress_count) {
        put_egress_letter(engine, sender, message, DEAD_UNKNOWN_EGRESS,
                          "Unknown egress: no module defines it");
        return;
    }

    struct bytes record;
    struct sf_status status;
    if (!bindings->egresses[i].accept(message->argument, &record, &status)) {
        put_egress_letter(engine, sender, message, DEAD_REFUSED, status.message);
        return;
    }
    record_put(engine, i, record);
    instance->type->figures.out_egress++;
}

HINT_APART static void apply_mutation(struct engine *engine, struct instance *instance,
                                      const struct state_mutation *mutation)
{
    struct spec *spec = function_find_spec(instance->type, mutation->name);
    size_t index = (size_t)(spec - instance->type->specs);
    if (mutation->kind == MUTATION_DELETE) {
        instance_clear(engine, instance, index);
        return;
    }

    /* What is stored is a present value, whatever the reply's has_value says: protocol.md 5. */
    spec->remembered = false;
    instance_set(engine, instance, index, mutation->value.value,
                 spec_deadline(spec, engine->now_ms));
}

HINT_APART static bool judge(struct engine *engine, const struct instance *instance,
                             const struct from_function *reply, struct sf_status *status)
{
    for (size_t i = 0; i < reply->mutation_count; i++)
        if (!judge_mutation(instance->type, &reply->mutations[i], status))
            return false;
    if (!reply->delayed_count)
        return true;
    struct address sender = address_known(instance_address(instance));
    return judge_all_delayed(engine, &sender, reply, status);
}

HINT_APART static void apply_all_delayed(struct engine *engine, const struct instance *instance,
                                         const struct from_function *reply)
{
    struct address sender = address_known(instance_address(instance));
    for (size_t i = 0; i < reply->delayed_count; i++)
        apply_delayed(engine, &sender, &reply->delayed[i]);
}

bool effects_apply(struct engine *engine, struct instance *instance,
                   const struct from_function *reply, struct sf_status *status)
{
    bool may_be_wrong = reply->mutation_count || reply->delayed_count;
    if (may_be_wrong && !judge(engine, instance, reply, status))
        return false;

    for (size_t i = 0; i < reply->message_count; i++)
        apply_message(engine, instance, &reply->messages[i]);
    if (reply->delayed_count)
        apply_all_delayed(engine, instance, reply);
    for (size_t i = 0; i < reply->egress_count; i++)
        apply_egress(engine, instance, &reply->egresses[i]);
    for (size_t i = 0; i < reply->mutation_count; i++)
        apply_mutation(engine, instance, &reply->mutations[i]);
    return true;
}
