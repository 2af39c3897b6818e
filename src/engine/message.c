/* message.c - making messages. */
#include "engine/message.h"

#include "wire/invocation.h"

struct message *message_new_blank(size_t target_size, size_t body_size)
{
    struct message *message = mem_new_raw(sizeof *message + target_size + body_size);
    message_begin(message, target_size, body_size);
    return message;
}

static struct message *message_to(struct bytes target, size_t body_size)
{
    struct message *message = message_new_blank(target.size, body_size);
    memcpy(message->bytes, target.data, target.size);
    return message;
}

struct message *message_new(struct bytes target, struct bytes caller, struct bytes argument)
{
    struct message *message = message_to(target, message_body_size(caller.size, argument.size));
    message_body_put(message->bytes + target.size, caller, argument);
    return message;
}

struct message *message_from_body(struct bytes target, struct bytes body)
{
    struct message *message = message_to(target, body.size);
    memcpy(message->bytes + target.size, body.data, body.size);
    return message;
}

void message_add_receipt(struct message *message, uint64_t number, struct bytes idempotency_key)
{
    struct receipt *receipt = mem_new(sizeof *receipt);
    receipt->number = number;
    if (idempotency_key.size) {
        struct buffer text = {0};
        buffer_add_u16(&text, (uint16_t)message->target_size);
        buffer_add_bytes(&text, message_target(message));
        buffer_add_bytes(&text, idempotency_key);
        receipt->has_key = true;
        receipt->key = hash_wide(buffer_bytes(&text));
        buffer_destroy(&text);
    }
    message->receipt = receipt;
}

void message_free(struct message *message)
{
    if (!message)
        return;
    list_take(&message->place);
    list_take(&message->fresh);
    if (message->receipt)
        free(message->receipt);
    free(message);
}
