/* parked.c - names, pages and JSON. */
#include "runtime/parked.h"

#include "runtime/dead_letters.h"
#include "wire/address.h"

bool parked_parse(struct bytes text, struct buffer *wanted, struct sf_status *status)
{
    struct bytes parts[3] = {text};
    for (size_t i = 0; i < 2; i++) {
        const uint8_t *slash = parts[i].size ? memchr(parts[i].data, '/', parts[i].size) : NULL;
        if (!slash)
            break;
        size_t size = (size_t)(slash - parts[i].data);
        parts[i + 1] = bytes_from(parts[i], size + 1);
        parts[i].size = size;
    }
    if (!parts[0].size || !parts[1].size)
        return sf_fail(status, SF_INVALID,
                       "expected <namespace>/<name> or <namespace>/<name>/<id>, found '%.*s'",
                       (int)(text.size < 100 ? text.size : 100), (const char *)text.data);
    struct arena arena = {0};
    struct address address;
    bool good = address_make(parts[0], parts[1], parts[2], &arena, &address, status);
    buffer_clear(wanted);
    if (good)
        buffer_add_bytes(wanted, address.wire);
    arena_destroy(&arena);
    return good;
}

/* --- pages --- */

struct page {
    struct bytes wanted;
    size_t left;
    void (*visit)(void *owner, struct bytes key, struct bytes address,
                  const struct stored_parked *parked);
    void *owner;
    struct buffer *next;
};

static bool take_entry(void *owner, struct bytes bytes, struct bytes value)
{
    struct page *page = owner;
    struct key key;
    struct address address;
    struct stored_parked parked;
    if (!page->left) {
        buffer_add_bytes(page->next, bytes);
        return false;
    }
    if (!key_parse(bytes, &key) || !address_parse(key.subject, &address) ||
        !stored_parked_parse(value, &parked))
        return true; /* the next start will complain */
    if (page->wanted.size && !bytes_equal(address.wire, page->wanted) &&
        !bytes_equal(address.type, page->wanted))
        return true;
    page->left--;
    page->visit(page->owner, bytes, address.wire, &parked);
    return true;
}

void parked_page(struct store *store, struct bytes wanted, struct bytes from,
                 void (*visit)(void *owner, struct bytes key, struct bytes address,
                               const struct stored_parked *parked),
                 void *owner, struct buffer *ret_next)
{
    static const uint8_t kind = KEY_PARKED;
    struct page page = {wanted, PARKED_PAGE, visit, owner, ret_next};
    buffer_clear(ret_next);
    (void)store_scan(store, from.size ? from : bytes_make(&kind, 1), (struct bytes){0}, take_entry,
                     &page); /* `next` tells whether it stopped */
}

/* --- JSON --- */

json_t *parked_json(struct bytes address, const struct stored_parked *parked)
{
    struct buffer text = {0};
    address_add_text(&text, address);
    json_t *json = json_object();
    json_object_set_new(json, "address", json_stringn((const char *)text.data, text.size));
    dead_time_set(json, "since", parked->time_ms);
    json_object_set_new(json, "cause",
                        json_stringn((const char *)parked->cause.data, parked->cause.size));
    buffer_destroy(&text);
    return json;
}

void parked_cursor_add(struct buffer *text, struct bytes key)
{
    for (size_t i = 0; i < key.size; i++)
        buffer_add_format(text, "%02x", key.data[i]);
}

static int digit_of(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool parked_cursor_parse(struct bytes text, struct buffer *key, struct sf_status *status)
{
    bool good = text.size % 2 == 0 && text.size > 0;
    buffer_clear(key);
    for (size_t i = 0; good && i < text.size; i += 2) {
        int high = digit_of(text.data[i]), low = digit_of(text.data[i + 1]);
        good = high >= 0 && low >= 0;
        if (good)
            buffer_add_u8(key, (uint8_t)(high << 4 | low));
    }
    good = good && key->data[0] == KEY_PARKED;
    return good || sf_fail(status, SF_INVALID, "from: expected what was 'next' before");
}
