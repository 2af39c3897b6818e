/* header.c - see header.h. */
#include "spec/header.h"

#include "spec/location.h"
#include "wire/http.h"

#include <ctype.h>

static const char source_expected[] = "an object {file: PATH} or {env: NAME}";

/* Those that each request has anyway, and those that only connections have. */
static const char *const own_names[] = {"accept",
                                        "accept-encoding",
                                        "connection",
                                        "content-length",
                                        "content-type",
                                        "expect",
                                        "host",
                                        "keep-alive",
                                        "te",
                                        "trailer",
                                        "user-agent",
                                        "upgrade",
                                        "transfer-encoding"};

static bool is_own(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(own_names); i++)
        if (strcmp(own_names[i], name) == 0)
            return true;
    return false;
}

/* False, with a report, if there is one of that name. */
static bool add_header(struct reader *reader, struct header_list *list,
                       const struct header_spec *header)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, header->name) == 0)
            return reader_error(reader, &header->place,
                                "the header '%s' is given twice: found it at line %u too",
                                header->name, list->items[i].place.line);
    list->items = reader_room(reader, list->items, list->count, sizeof *list->items);
    list->items[list->count++] = *header;
    return true;
}

struct source {
    struct file_spec file;
    char *variable;
};

static const struct property source_properties[] = {
    PROPERTY("file", location_read, offsetof(struct source, file)),
    PROPERTY("env", text_read, offsetof(struct source, variable)),
};

/* {file: PATH} or {env: NAME} */
static bool read_source(struct reader *reader, const char *key, const struct yaml_node *node,
                        struct header_spec *header)
{
    struct source source = {0};
    if (!reader_expect_kind(reader, key, node, YAML_OBJECT, source_expected) ||
        !object_read(reader, node, key, source_properties, COUNT_OF(source_properties), &source))
        return false;
    if (!source.file.path == !source.variable)
        return reader_error(reader, &node->place, "'%s': expected %s, one of them", key,
                            source_expected);
    header->source = source.variable ? HEADER_ENVIRONMENT : HEADER_FILE;
    header->file = source.file;
    header->text = source.variable;
    return true;
}

static bool read_text(struct reader *reader, const char *key, const struct yaml_node *node,
                      struct header_spec *header)
{
    if (node->kind == YAML_LIST || node->kind == YAML_NULL || !node->text ||
        !http_is_value(bytes_of(node->text)))
        return node->kind != YAML_BROKEN &&
               reader_error(reader, &node->place,
                            "'%s': expected text without control characters, or %s, found %s", key,
                            source_expected, yaml_kind_name(node));
    header->source = HEADER_TEXT;
    header->text = reader_copy(reader, bytes_of(node->text));
    return true;
}

static bool read_header(struct reader *reader, const struct yaml_entry *entry,
                        struct header_list *list)
{
    const struct yaml_node *value = entry->value;
    struct header_spec header = {
        .name = reader_copy(reader, bytes_of(entry->key)), .prefix = "", .place = entry->key_place};
    for (char *c = header.name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    if (!http_is_token(bytes_of(header.name)))
        return reader_error(reader, &entry->key_place,
                            "%s: expected the name of an HTTP header, such as X-Api-Key",
                            text_quoted(entry->key).text);
    if (is_own(header.name))
        return reader_error(reader, &entry->key_place, "the header '%s' is the runtime's own",
                            entry->key);
    bool good = value->kind == YAML_OBJECT ? read_source(reader, entry->key, value, &header)
                                           : read_text(reader, entry->key, value, &header);
    return good && add_header(reader, list, &header);
}

bool headers_read(struct reader *reader, const struct property *property,
                  const struct yaml_node *node, void *to)
{
    if (!reader_expect_kind(reader, property->key, node, YAML_OBJECT,
                            "an object such as {X-Api-Key: {file: /run/secrets/key}}"))
        return false;
    bool good = true;
    for (size_t i = 0; i < node->count; i++)
        if (!node->entries[i].is_duplicate)
            good &= read_header(reader, &node->entries[i], to);
    return good;
}

bool bearer_token_read(struct reader *reader, const struct property *property,
                       const struct yaml_node *node, void *to)
{
    struct header_spec header = {
        .name = reader_copy(reader, bytes_of("authorization")),
        .prefix = "Bearer ",
        .place = node->place,
    };
    return read_source(reader, property->key, node, &header) && add_header(reader, to, &header);
}
