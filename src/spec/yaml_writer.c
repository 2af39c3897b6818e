/* yaml_writer.c - see yaml_writer.h. A scalar that could be anything but what it is, read plainly,
 * is put in double quotes. */
#include "spec/yaml_writer.h"

#include "base/mem.h"
#include "spec/yaml_scalar.h"

#include <ctype.h>

struct writer {
    struct buffer *to;
    size_t limit;
    bool hides_secrets;
};

static bool reads_as_text(const char *text)
{
    char *copy = mem_string(text);
    bool is_text = yaml_scalar_resolve(copy) == YAML_TEXT;
    free(copy);
    return is_text;
}

/* Fewer than YAML has: it must be clear at a glance, and to every reader. */
static bool is_plain(const char *text)
{
    size_t size = strlen(text);
    return size > 0 && (isalnum((unsigned char)*text) || strchr("_./$", *text)) &&
           size == strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_./$-+:*{}") &&
           text[size - 1] != ':' && !(isdigit((unsigned char)*text) && strchr(text, ':'));
}

/* Control characters, and what YAML takes for a line break or passes over. */
static size_t escape(const unsigned char *c, struct buffer *to)
{
    if (*c == '"' || *c == '\\') {
        buffer_add_format(to, "\\%c", *c);
        return 1;
    }
    if (*c < 0x20 || *c == 0x7f) {
        buffer_add_format(to, "\\x%02x", *c);
        return 1;
    }
    if (c[0] == 0xc2 && c[1] < 0xa0) {
        buffer_add_format(to, "\\x%02x", c[1]);
        return 2;
    }
    if ((c[0] == 0xe2 && c[1] == 0x80 && (c[2] == 0xa8 || c[2] == 0xa9)) ||
        (c[0] == 0xef && c[1] == 0xbb && c[2] == 0xbf)) {
        buffer_add_format(to, "\\u%04x",
                          (unsigned)((c[0] & 0xf) << 12 | (c[1] & 0x3f) << 6 | (c[2] & 0x3f)));
        return 3;
    }
    return 0;
}

static void write_text(const char *text, bool may_be_plain, struct buffer *to)
{
    if (may_be_plain && is_plain(text)) {
        buffer_add_text(to, text);
        return;
    }
    buffer_add_u8(to, '"');
    for (const unsigned char *c = (const unsigned char *)text; *c;) {
        size_t escaped = escape(c, to);
        if (!escaped)
            buffer_add_u8(to, *c);
        c += escaped ? escaped : 1;
    }
    buffer_add_u8(to, '"');
}

void yaml_write_scalar(const struct yaml_node *scalar, struct buffer *to)
{
    if (scalar->kind == YAML_NULL)
        buffer_add_text(to, "null");
    else if (scalar->kind == YAML_TEXT || scalar->kind == YAML_BROKEN)
        write_text(scalar->written, reads_as_text(scalar->written), to);
    else if (strstr(scalar->written, "${"))
        write_text(scalar->written, true, to);
    else
        buffer_add_text(to, scalar->written); /* digits, true or false */
}

/* A long key must be announced: readers look only so far ahead for its colon. */
static void write_key(const char *key, int indent, struct buffer *to)
{
    enum { SIMPLE_MAX = 500 };
    bool is_long = strlen(key) > SIMPLE_MAX;
    if (is_long)
        buffer_add_text(to, "? ");
    write_text(key, true, to);
    if (is_long)
        buffer_add_format(to, "\n%*s", indent, "");
    buffer_add_u8(to, ':');
}

/* What is passed on to a client library, or gives access. */
static bool is_secret(const struct yaml_entry *entry)
{
    static const char *const keys[] = {"properties", "clientConfigProperties", "awsCredentials"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (entry->key && !strcmp(entry->key, keys[i]))
            return true;
    return false;
}

static bool write_entries(struct writer *writer, const struct yaml_node *node, int indent,
                          bool is_first_placed, bool is_secret_inside);

/* What stands behind "key:" or "-". */
static bool write_value(struct writer *writer, const struct yaml_node *node, int indent,
                        bool in_list, bool is_hidden)
{
    struct buffer *to = writer->to;
    bool is_collection = node->kind == YAML_LIST || node->kind == YAML_OBJECT;
    if (is_collection && node->count > 0) {
        /* An object in a list begins behind its dash. */
        bool is_behind_dash = in_list && node->kind == YAML_OBJECT;
        buffer_add_text(to, is_behind_dash ? " " : "\n");
        return write_entries(writer, node, indent + 2, is_behind_dash, is_hidden);
    }
    buffer_add_u8(to, ' ');
    if (is_collection)
        buffer_add_text(to, node->kind == YAML_LIST ? "[]" : "{}");
    else if (is_hidden || (writer->hides_secrets && strchr(node->written, '@')))
        buffer_add_text(to, "(not shown)");
    else
        yaml_write_scalar(node, to);
    buffer_add_u8(to, '\n');
    return to->size <= writer->limit;
}

static bool write_entries(struct writer *writer, const struct yaml_node *node, int indent,
                          bool is_first_placed, bool is_secret_inside)
{
    struct buffer *to = writer->to;
    bool good = true;
    for (size_t i = 0; good && i < node->count; i++) {
        const struct yaml_entry *entry = &node->entries[i];
        if (entry->is_duplicate)
            continue;
        if (!is_first_placed || i > 0)
            buffer_add_format(to, "%*s", indent, "");
        if (node->kind == YAML_LIST)
            buffer_add_u8(to, '-');
        else
            write_key(entry->key, indent, to);
        good = write_value(writer, entry->value, indent, node->kind == YAML_LIST,
                           is_secret_inside || (writer->hides_secrets && is_secret(entry)));
    }
    return good;
}

bool yaml_write(const struct yaml_node *object, bool hides_secrets, struct buffer *to)
{
    struct writer writer = {to, YAML_BYTES_MAX, hides_secrets};
    return write_entries(&writer, object, 0, false, false);
}
