/* dead_letters.c - filters, pages and JSON. */
#include "runtime/dead_letters.h"

#include "base/mem.h"
#include "wire/base64.h"

#include <stdio.h>
#include <time.h>

/* --- ids --- */

void dead_id_add(struct buffer *text, struct bytes key)
{
    struct key parsed = {0};
    (void)key_parse(key, &parsed); /* the store's own */
    buffer_add_format(text, "%llu-%u-%u", (unsigned long long)parsed.epoch, parsed.worker,
                      parsed.nth);
}

/* Takes a number of at most `most` and the '-' behind it, if there is one. */
static bool take_number(struct bytes *rest, uint64_t most, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t digits = 0;
    for (; rest->size && rest->data[0] >= '0' && rest->data[0] <= '9'; digits++) {
        unsigned digit = rest->data[0] - '0';
        if (number > (most - digit) / 10)
            return false;
        number = number * 10 + digit;
        *rest = bytes_from(*rest, 1);
    }
    *ret_number = number;
    bool goes_on = rest->size && rest->data[0] == '-';
    if (goes_on)
        *rest = bytes_from(*rest, 1);
    return digits > 0 && (goes_on || !rest->size);
}

bool dead_id_parse(struct bytes text, struct buffer *key, struct sf_status *status)
{
    uint64_t epoch, worker, nth;
    struct bytes rest = text;
    bool good = take_number(&rest, UINT64_MAX, &epoch) && rest.size &&
                take_number(&rest, UINT16_MAX, &worker) && rest.size &&
                take_number(&rest, UINT32_MAX, &nth) && !rest.size &&
                text.data[text.size - 1] != '-';
    if (!good)
        return sf_fail(status, SF_INVALID,
                       "expected the id of a dead letter, such as 12-0-3, found '%.*s'",
                       (int)(text.size < 100 ? text.size : 100), (const char *)text.data);
    (void)key_of_dead_letter(key, epoch, (uint32_t)worker, (uint32_t)nth);
    return true;
}

/* --- filters --- */

static bool set_kind(struct dead_filter *filter, struct bytes value, struct sf_status *status)
{
    struct buffer names = {0};
    filter->has_kind = dead_kind_parse(value, &filter->kind);
    for (size_t i = 0; i < DEAD_KINDS; i++)
        buffer_add_format(&names, "%s%s", i ? ", " : "", dead_kind_name((enum dead_kind)i));
    if (!filter->has_kind)
        sf_fail(status, SF_INVALID, "kind: expected one of %s, found '%.*s'", buffer_text(&names),
                (int)(value.size < 40 ? value.size : 40), (const char *)value.data);
    buffer_destroy(&names);
    return filter->has_kind;
}

/* "2026-01-31T12:00:00Z", seconds may have a fraction; or ms since 1970. */
static bool parse_time(const char *text, uint64_t *ret_ms)
{
    char *end;
    struct tm utc = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
    if (!rest) {
        *ret_ms = strtoull(text, &end, 10);
        return *text >= '0' && *text <= '9' && !*end;
    }
    double fraction = *rest == '.' ? strtod(rest, &end) : 0;
    rest = *rest == '.' ? end : rest;
    time_t seconds = timegm(&utc);
    *ret_ms = (uint64_t)seconds * 1000 + (uint64_t)(fraction * 1000);
    return !strcmp(rest, "Z") && seconds >= 0;
}

static bool set_time(uint64_t *to, const char *name, const char *text, struct sf_status *status)
{
    return parse_time(text, to) ||
           sf_fail(status, SF_INVALID,
                   "%s: expected a time such as 2026-01-31T12:00:00Z, or milliseconds since 1970, "
                   "found '%.60s'",
                   name, text);
}

static bool set_text(char **to, const char *text)
{
    free(*to);
    *to = mem_string(text);
    return true;
}

bool dead_filter_set(struct dead_filter *filter, struct bytes name, struct bytes value,
                     struct sf_status *status)
{
    char *text = bytes_string(value);
    bool good;
    if (bytes_is(name, "kind"))
        good = set_kind(filter, value, status);
    else if (bytes_is(name, "target"))
        good = set_text(&filter->target, text);
    else if (bytes_is(name, "ingress"))
        good = set_text(&filter->ingress, text);
    else if (bytes_is(name, "egress"))
        good = set_text(&filter->egress, text);
    else if (bytes_is(name, "since"))
        good = set_time(&filter->since_ms, "since", text, status);
    else if (bytes_is(name, "until"))
        good = set_time(&filter->until_ms, "until", text, status);
    else if (bytes_is(name, "from"))
        good = dead_id_parse(value, &filter->from, status) || sf_wrap(status, "from");
    else if (bytes_is(name, "to"))
        good = dead_id_parse(value, &filter->to, status) || sf_wrap(status, "to");
    else
        good = sf_fail(status, SF_INVALID, "expected one of " DEAD_FILTERS ", found '%.*s'",
                       (int)(name.size < 40 ? name.size : 40), (const char *)name.data);
    filter->is_set |= good && !bytes_is(name, "from");
    free(text);
    return good;
}

void dead_filter_destroy(struct dead_filter *filter)
{
    free(filter->target);
    free(filter->ingress);
    free(filter->egress);
    buffer_destroy(&filter->from);
    buffer_destroy(&filter->to);
}

/* `wanted` is the whole, or a function type of which this is an address. */
static bool is_target(struct bytes target, struct bytes wanted)
{
    return bytes_starts_with(target, wanted) &&
           (target.size == wanted.size || target.data[wanted.size] == '/');
}

/* An invalid record was meant for several function types: "a/b, a/c". */
static bool is_any_target(struct bytes targets, struct bytes wanted)
{
    while (targets.size) {
        const uint8_t *comma = memchr(targets.data, ',', targets.size);
        size_t size = comma ? (size_t)(comma - targets.data) : targets.size;
        if (is_target(bytes_make(targets.data, size), wanted))
            return true;
        targets = bytes_from(targets, size + 2 < targets.size ? size + 2 : targets.size);
    }
    return false;
}

bool dead_filter_fits(const struct dead_filter *filter, const struct dead_letter *letter)
{
    if (filter->has_kind && letter->kind != filter->kind)
        return false;
    if (filter->ingress && !bytes_is(letter->ingress, filter->ingress))
        return false;
    if (filter->egress && !bytes_is(letter->egress, filter->egress))
        return false;
    if (letter->time_ms < filter->since_ms ||
        (filter->until_ms && letter->time_ms > filter->until_ms))
        return false;
    return !filter->target || (letter->kind == DEAD_INVALID_RECORD
                                   ? is_any_target(letter->target, bytes_of(filter->target))
                                   : is_target(letter->target, bytes_of(filter->target)));
}

/* --- pages --- */

struct page {
    const struct dead_filter *filter;
    size_t letters_left, bytes_left; /* of the page */
    size_t scan_letters_left, scan_bytes_left;
    void (*visit)(void *owner, struct bytes key, const struct dead_letter *letter);
    void *owner;
    struct buffer *next;
};

static size_t less(size_t left, size_t size)
{
    return left > size ? left - size : 0;
}

static bool take_letter(void *owner, struct bytes key, struct bytes value)
{
    struct page *page = owner;
    const struct buffer *to = &page->filter->to;
    struct dead_letter letter;
    if (to->size && bytes_compare(key, buffer_bytes(to)) > 0)
        return false;
    if (!page->letters_left || !page->bytes_left || !page->scan_letters_left ||
        !page->scan_bytes_left) {
        buffer_add_bytes(page->next, key);
        return false;
    }
    page->scan_letters_left--;
    page->scan_bytes_left = less(page->scan_bytes_left, value.size);
    if (!dead_letter_parse(value, &letter) || !dead_filter_fits(page->filter, &letter))
        return true;
    page->letters_left--;
    page->bytes_left = less(page->bytes_left, value.size);
    page->visit(page->owner, key, &letter);
    return true;
}

void dead_letters_page(struct store *store, const struct dead_filter *filter, size_t letters_max,
                       void (*visit)(void *owner, struct bytes key,
                                     const struct dead_letter *letter),
                       void *owner, struct buffer *ret_next)
{
    static const uint8_t kind = KEY_DEAD_LETTER;
    bool is_open = !letters_max || letters_max > DEAD_PAGE_LETTERS;
    struct page page = {
        .filter = filter,
        .letters_left = is_open ? DEAD_PAGE_LETTERS : letters_max,
        .bytes_left = DEAD_PAGE_BYTES,
        .scan_letters_left = DEAD_SCAN_LETTERS,
        .scan_bytes_left = DEAD_SCAN_BYTES,
        .visit = visit,
        .owner = owner,
        .next = ret_next,
    };
    buffer_clear(ret_next);
    (void)store_scan(store, filter->from.size ? buffer_bytes(&filter->from) : bytes_make(&kind, 1),
                     (struct bytes){0}, take_letter, &page); /* `next` tells whether it stopped */
}

/* --- JSON --- */

const char *dead_time_text(uint64_t time_ms, char text[DEAD_TIME_SIZE])
{
    struct tm utc;
    time_t seconds = (time_t)(time_ms / 1000);
    gmtime_r(&seconds, &utc);
    size_t size = strftime(text, DEAD_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(text + size, DEAD_TIME_SIZE - size, ".%03uZ", (unsigned)(time_ms % 1000));
    return text;
}

void dead_time_set(json_t *json, const char *name, uint64_t time_ms)
{
    char text[DEAD_TIME_SIZE];
    json_object_set_new(json, name, json_string(dead_time_text(time_ms, text)));
}

/* What has come as text is text; what is none (a key that spoils its origin) is left out. */
static void set_text_of(json_t *json, const char *name, struct bytes text)
{
    if (text.size)
        json_object_set_new(json, name, json_stringn((const char *)text.data, text.size));
}

static void set_bytes_of(json_t *json, const char *name, struct bytes bytes)
{
    struct buffer base64 = {0};
    base64_add(&base64, bytes);
    json_t *both =
        json_pack("{s:s%}", "base64", base64.data ? (char *)base64.data : "", base64.size);
    json_t *text = json_stringn(bytes.size ? (const char *)bytes.data : "", bytes.size);
    if (text) /* it is UTF-8 */
        json_object_set_new(both, "text", text);
    json_object_set_new(json, name, both);
    buffer_destroy(&base64);
}

/* The value that a letter's argument holds, or what was set aside as it was read. */
static void set_value_of(json_t *json, const struct dead_letter *letter)
{
    struct typed_value value = {.type = letter->type, .value = letter->value};
    struct sf_status status;
    bool is_argument = letter->kind == DEAD_UNSERVED || letter->kind == DEAD_FAILED ||
                       letter->kind == DEAD_UNKNOWN_EGRESS || letter->kind == DEAD_REFUSED;
    if (is_argument && !typed_value_parse(letter->value, &value, &status))
        value = (struct typed_value){.value = letter->value};
    set_text_of(json, "type", value.type);
    set_bytes_of(json, "value", value.value);
}

static void set_headers_of(json_t *json, const struct dead_letter *letter)
{
    struct bytes rest = letter->headers;
    struct header header;
    json_t *headers = json_array();
    while (kafka_header_next(&rest, &header)) {
        json_t *one = json_object();
        json_object_set_new(one, "key",
                            json_stringn((const char *)header.key.data, header.key.size));
        set_bytes_of(one, "value", header.value);
        json_array_append_new(headers, one);
    }
    if (json_array_size(headers))
        json_object_set(json, "headers", headers);
    json_decref(headers);
}

json_t *dead_letter_json(struct bytes key, const struct dead_letter *letter)
{
    struct buffer id = {0};
    json_t *json = json_object();
    dead_id_add(&id, key);
    set_text_of(json, "id", buffer_bytes(&id));
    dead_time_set(json, "time", letter->time_ms);
    json_object_set_new(json, "kind", json_string(dead_kind_name(letter->kind)));
    set_text_of(json, "cause", letter->cause);
    set_text_of(json, "origin", letter->origin);
    set_text_of(json, "ingress", letter->ingress);
    set_text_of(json, "target", letter->target);
    set_text_of(json, "egress", letter->egress);
    if (letter->key.size)
        set_bytes_of(json, "key", letter->key);
    set_value_of(json, letter);
    set_headers_of(json, letter);
    buffer_destroy(&id);
    return json;
}
