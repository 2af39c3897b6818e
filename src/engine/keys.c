/* keys.c - keys and values byte by byte. */
#include "engine/keys.h"

#include "wire/protobuf.h"

/* message StoredDelayed { bytes target = 1; bytes body = 2; bytes token = 3; } */
enum { DELAYED_TARGET = 1, DELAYED_BODY = 2, DELAYED_TOKEN = 3 };

/* message StoredSpec { string type = 1; uint64 mode = 2; uint64 expire_after_ms = 3; } */
enum { SPEC_TYPE = 1, SPEC_MODE = 2, SPEC_EXPIRE_AFTER = 3 };

/* message StoredDeadLetter { string cause = 1; string origin = 2; string target = 3;
 *                            string egress = 4; bytes key = 5; bytes value = 6; uint64 time_ms = 7;
 *                            uint64 kind = 8; string ingress = 9; bytes address = 10;
 *                            bytes caller = 11; string type = 12;
 *                            bytes headers = 13; } (as they stand in a KafkaProducerRecord) */
enum { LETTER_TIME = 7, LETTER_KIND = 8 };

/* The fields of a letter that are bytes. */
static const struct {
    uint32_t number;
    size_t offset;
} letter_parts[] = {
    {1, offsetof(struct dead_letter, cause)},    {2, offsetof(struct dead_letter, origin)},
    {3, offsetof(struct dead_letter, target)},   {4, offsetof(struct dead_letter, egress)},
    {5, offsetof(struct dead_letter, key)},      {6, offsetof(struct dead_letter, value)},
    {9, offsetof(struct dead_letter, ingress)},  {10, offsetof(struct dead_letter, address)},
    {11, offsetof(struct dead_letter, caller)},  {12, offsetof(struct dead_letter, type)},
    {13, offsetof(struct dead_letter, headers)},
};
enum { LETTER_PARTS = sizeof letter_parts / sizeof *letter_parts };

/* message StoredParked { string cause = 1; uint64 time_ms = 2; } */
enum { PARKED_CAUSE = 1, PARKED_TIME = 2 };

static void start(struct buffer *key, enum key_kind kind)
{
    buffer_clear(key);
    buffer_add_u8(key, (uint8_t)kind);
}

static void start_in_partition(struct buffer *key, enum key_kind kind, uint32_t partition)
{
    start(key, kind);
    buffer_add_u16(key, (uint16_t)partition);
}

static void add_sized(struct buffer *key, struct bytes part)
{
    buffer_add_u16(key, (uint16_t)part.size);
    buffer_add_bytes(key, part);
}

/* Keys of states and messages are written by the million: into room that was measured. */

static size_t at_address_size(struct bytes address)
{
    return 1 + 2 + 2 + address.size;
}

static uint8_t *put_at_address(uint8_t *to, enum key_kind kind, uint32_t partition,
                               struct bytes address)
{
    to[0] = (uint8_t)kind;
    u16_put(to + 1, (uint16_t)partition);
    u16_put(to + 3, (uint16_t)address.size);
    return bytes_put(to + 5, address);
}

size_t state_key_size(struct bytes address, struct bytes state)
{
    return at_address_size(address) + state.size;
}

uint8_t *state_key_put(uint8_t *to, uint32_t partition, struct bytes address, struct bytes state)
{
    return bytes_put(put_at_address(to, KEY_STATE, partition, address), state);
}

struct bytes key_of_state(struct buffer *key, uint32_t partition, struct bytes address,
                          struct bytes state)
{
    size_t size = state_key_size(address, state);
    buffer_clear(key);
    (void)state_key_put(buffer_reserve(key, size), partition, address, state);
    key->size = size;
    return buffer_bytes(key);
}

struct bytes key_of_message(struct buffer *key, uint32_t partition, struct bytes address,
                            uint64_t sequence)
{
    enum { SEQUENCE_BYTES = 8 };
    buffer_clear(key);
    uint8_t *to = buffer_reserve(key, at_address_size(address) + SEQUENCE_BYTES);
    u64_put(put_at_address(to, KEY_MESSAGE, partition, address), sequence);
    key->size = at_address_size(address) + SEQUENCE_BYTES;
    return buffer_bytes(key);
}

struct bytes key_of_delayed(struct buffer *key, uint32_t partition, uint64_t fire_ms,
                            uint64_t sequence)
{
    start_in_partition(key, KEY_DELAYED, partition);
    buffer_add_u64(key, fire_ms);
    buffer_add_u64(key, sequence);
    return buffer_bytes(key);
}

struct bytes key_of_idempotency(struct buffer *key, uint32_t partition, const uint8_t hash[16])
{
    start_in_partition(key, KEY_IDEMPOTENCY, partition);
    buffer_add(key, hash, 16);
    return buffer_bytes(key);
}

struct bytes key_of_position(struct buffer *key, struct bytes ingress, struct bytes partition)
{
    start(key, KEY_POSITION);
    add_sized(key, ingress);
    buffer_add_bytes(key, partition);
    return buffer_bytes(key);
}

struct bytes key_of_spec(struct buffer *key, struct bytes type, struct bytes state)
{
    start(key, KEY_SPEC);
    add_sized(key, type);
    buffer_add_bytes(key, state);
    return buffer_bytes(key);
}

struct bytes key_of_outbox(struct buffer *key, struct bytes egress, uint64_t epoch)
{
    start(key, KEY_OUTBOX);
    add_sized(key, egress);
    buffer_add_u64(key, epoch);
    return buffer_bytes(key);
}

struct bytes key_of_record(struct buffer *key, struct bytes egress, uint64_t epoch, uint32_t worker,
                           uint32_t nth)
{
    key_of_outbox(key, egress, epoch);
    buffer_add_u16(key, (uint16_t)worker);
    buffer_add_u32(key, nth);
    return buffer_bytes(key);
}

struct bytes key_of_dead_letter(struct buffer *key, uint64_t epoch, uint32_t worker, uint32_t nth)
{
    start(key, KEY_DEAD_LETTER);
    buffer_add_u64(key, epoch);
    buffer_add_u16(key, (uint16_t)worker);
    buffer_add_u32(key, nth);
    return buffer_bytes(key);
}

struct bytes key_of_parked(struct buffer *key, uint32_t partition, struct bytes address)
{
    start_in_partition(key, KEY_PARKED, partition);
    add_sized(key, address);
    return buffer_bytes(key);
}

/* Taking a key apart: each take_* shortens `rest`, or returns false when there is too little. */

static bool take_u16(struct bytes *rest, uint32_t *ret_value)
{
    if (rest->size < 2)
        return false;
    *ret_value = u16_get(rest->data);
    *rest = bytes_from(*rest, 2);
    return true;
}

static bool take_u32(struct bytes *rest, uint32_t *ret_value)
{
    if (rest->size < 4)
        return false;
    *ret_value = u32_get(rest->data);
    *rest = bytes_from(*rest, 4);
    return true;
}

static bool take_u64(struct bytes *rest, uint64_t *ret_value)
{
    if (rest->size < 8)
        return false;
    *ret_value = u64_get(rest->data);
    *rest = bytes_from(*rest, 8);
    return true;
}

static bool take_sized(struct bytes *rest, struct bytes *ret_part)
{
    uint32_t size;
    if (!take_u16(rest, &size) || size > rest->size)
        return false;
    *ret_part = bytes_make(rest->data, size);
    *rest = bytes_from(*rest, size);
    return true;
}

bool key_is_queued(struct bytes key)
{
    switch (key.size ? key.data[0] : 0) {
    case KEY_MESSAGE:
    case KEY_DELAYED:
    case KEY_OUTBOX:
    case KEY_DEAD_LETTER:
        return true;
    default:
        return false;
    }
}

bool key_parse(struct bytes bytes, struct key *ret_key)
{
    if (!bytes.size)
        return false;
    struct key key = {.kind = (enum key_kind)bytes.data[0]};
    struct bytes rest = bytes_from(bytes, 1);
    bool good = false;

    switch (key.kind) {
    case KEY_STATE:
        good = take_u16(&rest, &key.partition) && take_sized(&rest, &key.subject);
        key.name = rest;
        rest.size = 0;
        break;
    case KEY_MESSAGE:
        good = take_u16(&rest, &key.partition) && take_sized(&rest, &key.subject) &&
               take_u64(&rest, &key.sequence);
        break;
    case KEY_PARKED:
        good = take_u16(&rest, &key.partition) && take_sized(&rest, &key.subject);
        break;
    case KEY_DELAYED:
        good = take_u16(&rest, &key.partition) && take_u64(&rest, &key.fire_ms) &&
               take_u64(&rest, &key.sequence);
        break;
    case KEY_IDEMPOTENCY:
        good = take_u16(&rest, &key.partition) && rest.size == 16;
        key.hash = rest.data;
        rest.size = 0;
        break;
    case KEY_POSITION:
    case KEY_SPEC:
        good = take_sized(&rest, &key.subject);
        key.name = rest;
        rest.size = 0;
        break;
    case KEY_OUTBOX:
        good = take_sized(&rest, &key.subject) && take_u64(&rest, &key.epoch) &&
               take_u16(&rest, &key.worker) && take_u32(&rest, &key.nth);
        break;
    case KEY_DEAD_LETTER:
        good = take_u64(&rest, &key.epoch) && take_u16(&rest, &key.worker) &&
               take_u32(&rest, &key.nth);
        break;
    }
    if (!good || rest.size)
        return false;
    *ret_key = key;
    return true;
}

bool stored_is_expired(struct bytes key, struct bytes value, uint64_t now_ms)
{
    if (!key.size || (key.data[0] != KEY_STATE && key.data[0] != KEY_IDEMPOTENCY) || value.size < 8)
        return false;
    uint64_t deadline = u64_get(value.data);
    return deadline != 0 && deadline <= now_ms;
}

void stored_delayed_add(struct buffer *value, const struct stored_delayed *delayed)
{
    pb_add_bytes(value, DELAYED_TARGET, delayed->target);
    pb_add_bytes(value, DELAYED_BODY, delayed->body);
    if (delayed->token.size)
        pb_add_bytes(value, DELAYED_TOKEN, delayed->token);
}

bool stored_delayed_parse(struct bytes value, struct stored_delayed *ret_delayed)
{
    struct stored_delayed delayed = {0};
    struct pb_reader reader = pb_read(value);
    struct pb_field field;
    while (pb_next(&reader, &field)) {
        if (field.number == DELAYED_TARGET)
            delayed.target = field.bytes;
        else if (field.number == DELAYED_BODY)
            delayed.body = field.bytes;
        else if (field.number == DELAYED_TOKEN)
            delayed.token = field.bytes;
    }
    *ret_delayed = delayed;
    return !reader.failed;
}

void stored_spec_add(struct buffer *value, const struct state_spec *spec)
{
    pb_add_bytes(value, SPEC_TYPE, spec->type);
    pb_add_uint(value, SPEC_MODE, spec->mode);
    pb_add_uint(value, SPEC_EXPIRE_AFTER, (uint64_t)spec->expire_after_ms);
}

bool stored_spec_parse(struct bytes value, struct state_spec *ret_spec)
{
    struct state_spec spec = {0};
    struct pb_reader reader = pb_read(value);
    struct pb_field field;
    while (pb_next(&reader, &field)) {
        if (field.number == SPEC_TYPE)
            spec.type = field.bytes;
        else if (field.number == SPEC_MODE)
            spec.mode = (enum expire_mode)field.value;
        else if (field.number == SPEC_EXPIRE_AFTER)
            spec.expire_after_ms = (int64_t)field.value;
    }
    *ret_spec = spec;
    return !reader.failed && spec.mode <= EXPIRE_AFTER_INVOKE;
}

static const char *const kind_names[DEAD_KINDS] = {
    [DEAD_UNKNOWN] = "unknown",   [DEAD_INVALID_RECORD] = "invalid-record",
    [DEAD_UNSERVED] = "unserved", [DEAD_UNKNOWN_EGRESS] = "unknown-egress",
    [DEAD_REFUSED] = "refused",   [DEAD_UNDELIVERABLE] = "undeliverable",
    [DEAD_FAILED] = "failed",
};

const char *dead_kind_name(enum dead_kind kind)
{
    return kind_names[kind];
}

bool dead_kind_parse(struct bytes name, enum dead_kind *ret_kind)
{
    for (size_t i = 0; i < DEAD_KINDS; i++)
        if (bytes_is(name, kind_names[i])) {
            *ret_kind = (enum dead_kind)i;
            return true;
        }
    return false;
}

static struct bytes *letter_part(struct dead_letter *letter, size_t i)
{
    return (struct bytes *)((char *)letter + letter_parts[i].offset);
}

void dead_letter_add(struct buffer *value, const struct dead_letter *letter)
{
    for (size_t i = 0; i < LETTER_PARTS; i++)
        pb_add_bytes(value, letter_parts[i].number, *letter_part((struct dead_letter *)letter, i));
    pb_add_uint(value, LETTER_TIME, letter->time_ms);
    pb_add_uint(value, LETTER_KIND, letter->kind);
}

static void take_letter_field(struct dead_letter *letter, const struct pb_field *field)
{
    if (field->number == LETTER_TIME)
        letter->time_ms = field->value;
    else if (field->number == LETTER_KIND && field->value < DEAD_KINDS)
        letter->kind = (enum dead_kind)field->value;
    for (size_t i = 0; i < LETTER_PARTS; i++)
        if (field->type == PB_BYTES && field->number == letter_parts[i].number)
            *letter_part(letter, i) = field->bytes;
}

bool dead_letter_parse(struct bytes value, struct dead_letter *ret_letter)
{
    struct dead_letter letter = {0};
    struct pb_reader reader = pb_read(value);
    struct pb_field field;
    while (pb_next(&reader, &field))
        take_letter_field(&letter, &field);
    *ret_letter = letter;
    return !reader.failed;
}

void stored_parked_add(struct buffer *value, const struct stored_parked *parked)
{
    pb_add_bytes(value, PARKED_CAUSE, parked->cause);
    pb_add_uint(value, PARKED_TIME, parked->time_ms);
}

bool stored_parked_parse(struct bytes value, struct stored_parked *ret_parked)
{
    struct stored_parked parked = {0};
    struct pb_reader reader = pb_read(value);
    struct pb_field field;
    while (pb_next(&reader, &field)) {
        if (field.number == PARKED_CAUSE && field.type == PB_BYTES)
            parked.cause = field.bytes;
        else if (field.number == PARKED_TIME)
            parked.time_ms = field.value;
    }
    *ret_parked = parked;
    return !reader.failed;
}
