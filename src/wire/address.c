/* address.c - canonical addresses. */
#include "wire/address.h"

#include <assert.h>

/* The common form: all three parts, none of them long. */
static bool parse_short(struct bytes wire, struct address *ret_address)
{
    struct pb_reader reader = pb_read(wire);
    struct address address = {.wire = wire};
    if (!pb_take_short(&reader, ADDRESS_NAMESPACE, &address.ns) ||
        !pb_take_short(&reader, ADDRESS_NAME, &address.name))
        return false;
    address.type = bytes_make(wire.data, (size_t)(reader.at - wire.data));
    if (!pb_take_short(&reader, ADDRESS_ID, &address.id) || reader.at != reader.end ||
        !address.ns.size || !address.name.size || !address.id.size)
        return false;
    *ret_address = address;
    return true;
}

bool address_parse(struct bytes wire, struct address *ret_address)
{
    if (parse_short(wire, ret_address))
        return true;
    struct address address = {.wire = wire};
    struct pb_reader reader = pb_read(wire);
    struct pb_field field;
    uint32_t last = 0;
    size_t type_size = 0, expected = 0;

    while (pb_next(&reader, &field)) {
        if (field.type != PB_BYTES || field.number <= last || field.number > ADDRESS_ID ||
            field.bytes.size == 0)
            return false;
        last = field.number;
        expected += pb_bytes_size(field.number, field.bytes.size);
        if (field.number == ADDRESS_NAMESPACE)
            address.ns = field.bytes;
        else if (field.number == ADDRESS_NAME)
            address.name = field.bytes;
        else
            address.id = field.bytes;
        if (field.number < ADDRESS_ID)
            type_size = expected;
    }
    /* `expected` differs when a tag or a length was written longer than it needs to be. */
    if (reader.failed || expected != wire.size)
        return false;
    address.type = bytes_make(wire.data, type_size);
    *ret_address = address;
    return true;
}

struct address address_known(struct bytes wire)
{
    struct address address;
    bool good = address_parse(wire, &address);
    assert(good && "it is canonical");
    (void)good;
    return address;
}

static bool is_text(struct bytes ns, struct bytes name, struct bytes id)
{
    return bytes_are_utf8(ns) && bytes_are_utf8(name) && bytes_are_utf8(id);
}

/* Writes a part, and lets it be the one that was written. */
static uint8_t *put_part(uint8_t *to, uint32_t number, struct bytes *part)
{
    if (!part->size)
        return to;
    to = pb_put_bytes(to, number, *part);
    part->data = to - part->size;
    return to;
}

static bool check_size(size_t size, struct sf_status *status)
{
    return size <= ADDRESS_BYTES_MAX ||
           sf_fail(status, SF_INVALID, "an address may have %d bytes, this one has %zu",
                   ADDRESS_BYTES_MAX, size);
}

static bool check_text(bool is_good, struct sf_status *status)
{
    return is_good || sf_fail(status, SF_INVALID, "an address must be UTF-8 text");
}

bool address_make(struct bytes ns, struct bytes name, struct bytes id, struct arena *arena,
                  struct address *ret_address, struct sf_status *status)
{
    size_t size = pb_set_bytes_size(ADDRESS_NAMESPACE, ns.size) +
                  pb_set_bytes_size(ADDRESS_NAME, name.size) +
                  pb_set_bytes_size(ADDRESS_ID, id.size);
    if (!check_size(size, status) || !check_text(is_text(ns, name, id), status))
        return false;

    uint8_t *wire = arena_take(arena, size);
    uint8_t *id_at = put_part(put_part(wire, ADDRESS_NAMESPACE, &ns), ADDRESS_NAME, &name);
    (void)put_part(id_at, ADDRESS_ID, &id);
    *ret_address = (struct address){
        .wire = bytes_make(wire, size),
        .ns = ns,
        .name = name,
        .id = id,
        .type = bytes_make(wire, (size_t)(id_at - wire)),
    };
    return true;
}

bool address_check_id(struct bytes type, struct bytes id, struct sf_status *status)
{
    return check_size(address_size(type, id), status) && check_text(bytes_are_utf8(id), status);
}

bool address_read(struct bytes message, struct arena *arena, struct address *ret_address,
                  struct sf_status *status)
{
    if (message.size <= ADDRESS_BYTES_MAX && address_parse(message, ret_address))
        return check_text(is_text(ret_address->ns, ret_address->name, ret_address->id), status);

    struct bytes parts[ADDRESS_ID + 1] = {0};
    struct pb_reader reader = pb_read(message);
    struct pb_field field;
    while (pb_next(&reader, &field))
        if (field.type == PB_BYTES && field.number <= ADDRESS_ID)
            parts[field.number] = field.bytes;
    if (reader.failed)
        return sf_fail(status, SF_INVALID, "an address is not valid protobuf");
    return address_make(parts[ADDRESS_NAMESPACE], parts[ADDRESS_NAME], parts[ADDRESS_ID], arena,
                        ret_address, status);
}

void address_add_text(struct buffer *text, struct bytes wire)
{
    struct address address;
    if (!address_parse(wire, &address)) {
        buffer_add_text(text, "(not an address)");
        return;
    }
    buffer_add_bytes(text, address.ns);
    buffer_add_u8(text, '/');
    buffer_add_bytes(text, address.name);
    buffer_add_u8(text, '/');
    buffer_add_bytes(text, address.id);
}
