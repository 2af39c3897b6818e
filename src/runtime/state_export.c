/* state_export.c - a mark is the last key of a page, in hexadecimal digits. */
#include "runtime/state_export.h"

#include "engine/keys.h"
#include "runtime/state_line.h"

#include <assert.h>
#include <ctype.h>

enum { PAGE_BYTES = 1 << 20 };

struct page {
    struct buffer *lines, *next;
    uint64_t now_ms;
};

static void set_mark(struct buffer *mark, struct bytes key)
{
    buffer_clear(mark);
    for (size_t i = 0; i < key.size; i++)
        buffer_add_format(mark, "%02x", key.data[i]);
}

static int digit_of(uint8_t c)
{
    return isdigit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The key of a mark; false if it is none of ours. */
static bool read_mark(struct bytes mark, struct buffer *key)
{
    struct key parsed;
    for (size_t i = 0; i + 1 < mark.size; i += 2) {
        int high = digit_of(mark.data[i]), low = digit_of(mark.data[i + 1]);
        if (high < 0 || low < 0)
            return false;
        buffer_add_u8(key, (uint8_t)(high << 4 | low));
    }
    return mark.size % 2 == 0 && key_parse(buffer_bytes(key), &parsed) && parsed.kind == KEY_STATE;
}

bool state_export_is_mark(struct bytes text)
{
    struct buffer key = {0};
    bool good = read_mark(text, &key);
    buffer_destroy(&key);
    return good;
}

static bool add_entry(void *owner, struct bytes bytes, struct bytes stored)
{
    struct page *page = owner;
    struct key key;
    struct address address;
    struct sf_status status;
    struct state_line line;
    if (stored_is_expired(bytes, stored, page->now_ms))
        return true;
    bool good = key_parse(bytes, &key) && address_parse(key.subject, &address) &&
                stored.size >= 8 && typed_value_parse(bytes_from(stored, 8), &line.value, &status);
    assert(good && "a stored state makes no sense");
    line.ns = address.ns;
    line.name = address.name;
    line.id = address.id;
    line.state = key.name;
    line.deadline = u64_get(stored.data);
    state_line_add(page->lines, &line);
    if (page->lines->size < PAGE_BYTES)
        return true;
    set_mark(page->next, bytes);
    return false;
}

void state_export_page(struct store *store, struct bytes after, uint64_t now_ms,
                       struct buffer *lines, struct buffer *next)
{
    struct buffer from = {0};
    struct page page = {lines, next, now_ms};
    if (after.size) {
        bool good = read_mark(after, &from);
        assert(good);
        buffer_add_u8(&from, 0); /* the first key behind it */
    } else {
        buffer_add_u8(&from, KEY_STATE);
    }
    (void)store_scan(store, buffer_bytes(&from), (struct bytes){0}, add_entry, &page);
    buffer_destroy(&from);
}
