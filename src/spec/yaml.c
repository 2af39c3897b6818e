/* yaml.c - libyaml's events, built into a tree.
 *
 * One function per event, recursing for what is inside: the depth limit bounds the stack. libyaml
 * cannot go on after a fault, so reading ends there; faults of our own making (a key twice, a bad
 * placeholder) are reported and passed over. */
#include "spec/yaml.h"

#include "base/mem.h"
#include "spec/name_map.h"
#include "spec/yaml_fault.h"
#include "spec/yaml_scalar.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <yaml.h>

struct builder {
    yaml_parser_t parser;
    struct yaml_stream *stream;
    const char *file;
    struct bytes bytes;
    const struct placeholders *placeholders;
    struct diagnostics *diagnostics;
    struct name_map anchors; /* of this document: name -> node, or `unfinished` */
    size_t node_count;
    size_t expanded_bytes; /* by placeholders */
};

/* Stands for an anchor whose value is still being read: an alias to it would close a cycle. */
static const struct yaml_node unfinished;

static struct spec_place place_of(const struct builder *builder, yaml_mark_t mark)
{
    return (struct spec_place){builder->file, (unsigned)mark.line + 1, (unsigned)mark.column + 1};
}

#define REPORT(builder, place, ...)                                                                \
    diagnostics_add((builder)->diagnostics, SEVERITY_ERROR, (place).file, (place).line,            \
                    (place).column, __VA_ARGS__)

/* Fetches the next event; false, with a report, when the bytes are not YAML. */
static bool next_event(struct builder *builder, yaml_event_t *ret_event)
{
    if (yaml_parser_parse(&builder->parser, ret_event))
        return true;
    yaml_fault_report(&builder->parser, builder->file, builder->bytes, builder->diagnostics);
    return false;
}

static char *copy_text(struct builder *builder, const char *text)
{
    struct bytes with_nul = bytes_make(text, strlen(text) + 1);
    return (char *)arena_add_bytes(&builder->stream->arena, with_nul).data;
}

static bool count_nodes(struct builder *builder, size_t more, const struct spec_place *place)
{
    builder->node_count += more;
    if (builder->node_count <= YAML_NODES_MAX)
        return true;
    REPORT(builder, *place,
           "the file is too large here: expected at most %d values, those behind aliases counted "
           "each time",
           YAML_NODES_MAX);
    return false;
}

static struct yaml_node *node_new(struct builder *builder, enum yaml_kind kind, yaml_mark_t mark)
{
    struct yaml_node *node = arena_take(&builder->stream->arena, sizeof *node);
    *node =
        (struct yaml_node){.kind = kind, .place = place_of(builder, mark), .size = 1, .depth = 1};
    return node;
}

static void anchor_set(struct builder *builder, const yaml_char_t *anchor,
                       const struct yaml_node *node)
{
    if (anchor)
        *name_map_slot(&builder->anchors, (const char *)anchor) = node;
}

/* Replaces placeholders in a scalar. The result is what its text is from here on. */
static char *expand(struct builder *builder, struct yaml_node *node)
{
    struct buffer expanded = {0};
    char *text = NULL;
    if (placeholders_expand(builder->placeholders, node->written, &node->place, &expanded,
                            builder->diagnostics)) {
        builder->expanded_bytes += expanded.size;
        if (builder->expanded_bytes <= YAML_BYTES_MAX)
            text = copy_text(builder, buffer_text(&expanded));
        else
            REPORT(builder, node->place,
                   "placeholders make the file too large: expected at most %d bytes",
                   YAML_BYTES_MAX);
    }
    buffer_destroy(&expanded);
    return text;
}

enum tag { TAG_NONE, TAG_TEXT, TAG_RESOLVED, TAG_BINARY };

/* Tags that name a type of YAML's own count; any other makes a scalar text, as upstream has it. */
static enum tag tag_of(const yaml_char_t *tag)
{
    static const struct {
        const char *name;
        enum tag tag;
    } known[] = {
        {YAML_INT_TAG, TAG_RESOLVED},
        {YAML_FLOAT_TAG, TAG_RESOLVED},
        {YAML_BOOL_TAG, TAG_RESOLVED},
        {YAML_NULL_TAG, TAG_RESOLVED},
        {"tag:yaml.org,2002:binary", TAG_BINARY},
    };
    if (!tag)
        return TAG_NONE;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp((const char *)tag, known[i].name))
            return known[i].tag;
    return TAG_TEXT;
}

static const struct yaml_node *build_scalar(struct builder *builder, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    struct yaml_node *node = node_new(builder, YAML_TEXT, event->start_mark);
    enum tag tag = tag_of(event->data.scalar.tag);
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

    if (!count_nodes(builder, 1, &node->place))
        return NULL;
    node->written = copy_text(builder, value);
    char *text;
    if (builder->placeholders && strstr(value, "${"))
        text = expand(builder, node);
    else
        text = copy_text(builder, value);

    if (!text) {
        node->kind = YAML_BROKEN;
    } else if (strlen(value) != event->data.scalar.length) {
        REPORT(builder, node->place, "text that holds a NUL character: expected text without one");
        node->kind = YAML_BROKEN;
    } else if (tag == TAG_BINARY) {
        REPORT(builder, node->place, "the tag !!binary is not understood: expected text");
        node->kind = YAML_BROKEN;
    } else if (tag == TAG_RESOLVED || (tag == TAG_NONE && plain)) {
        node->kind = yaml_scalar_resolve(text);
    }
    node->text = text;
    anchor_set(builder, event->data.scalar.anchor, node);
    return node;
}

static const struct yaml_node *build_alias(struct builder *builder, const yaml_event_t *event)
{
    const char *anchor = (const char *)event->data.alias.anchor;
    const struct yaml_node *node = *name_map_slot(&builder->anchors, anchor);
    struct spec_place place = place_of(builder, event->start_mark);
    if (!node || node == &unfinished) {
        REPORT(builder, place,
               node ? "the alias %s stands inside the value that it names"
                    : "the alias %s has no anchor before it in this document",
               text_quoted(anchor).text);
        return NULL;
    }
    return count_nodes(builder, node->size, &place) ? node : NULL;
}

static const struct yaml_node *build_value(struct builder *builder, const yaml_event_t *event,
                                           unsigned depth);

/* Reads one item of a list, or the value of a key, into the list of entries. */
static bool build_entry(struct builder *builder, const yaml_event_t *event, struct yaml_node *node,
                        struct yaml_entry entry, struct buffer *entries, unsigned depth)
{
    entry.value = build_value(builder, event, depth + 1);
    if (!entry.value)
        return false;
    node->size += entry.value->size;
    if (entry.value->depth >= node->depth)
        node->depth = entry.value->depth + 1;
    buffer_add(entries, &entry, sizeof entry);
    return true;
}

/* Takes a key out of its event; false if it is not one. */
static bool build_key(struct builder *builder, const yaml_event_t *event, struct yaml_entry *entry)
{
    entry->key_place = place_of(builder, event->start_mark);
    if (event->type != YAML_SCALAR_EVENT) {
        REPORT(builder, entry->key_place, "expected a key that is text, found %s",
               event->type == YAML_SEQUENCE_START_EVENT  ? "a list"
               : event->type == YAML_MAPPING_START_EVENT ? "an object"
                                                         : "an alias");
        return false;
    }
    if (!count_nodes(builder, 1, &entry->key_place))
        return false;
    entry->key = copy_text(builder, (const char *)event->data.scalar.value);
    if (strlen(entry->key) != event->data.scalar.length)
        REPORT(builder, entry->key_place,
               "a key that holds a NUL character: expected text without one");
    return true;
}

static bool build_entries(struct builder *builder, struct yaml_node *node, struct buffer *entries,
                          unsigned depth)
{
    for (bool good = true; good;) {
        yaml_event_t event;
        struct yaml_entry entry = {0};
        if (!next_event(builder, &event))
            return false;
        if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return true;
        }
        if (node->kind == YAML_OBJECT) {
            good = build_key(builder, &event, &entry);
            yaml_event_delete(&event);
            if (!good || !next_event(builder, &event))
                return false;
        }
        good = build_entry(builder, &event, node, entry, entries, depth);
        yaml_event_delete(&event);
    }
    return false;
}

static void report_duplicates(struct builder *builder, const struct yaml_node *node)
{
    struct name_map keys;
    name_map_init(&keys);
    for (size_t i = 0; i < node->count; i++) {
        struct yaml_entry *entry = &node->entries[i];
        const void **slot = name_map_slot(&keys, entry->key);
        const struct yaml_entry *first = *slot;
        entry->is_duplicate = first;
        if (first)
            REPORT(builder, entry->key_place,
                   "the key %s stands here a second time: expected it once, found it at line %u "
                   "too (upstream silently took the last)",
                   text_quoted(entry->key).text, first->key_place.line);
        else
            *slot = entry;
    }
    name_map_destroy(&keys);
}

/* A list or an object. */
static const struct yaml_node *build_collection(struct builder *builder, const yaml_event_t *event,
                                                unsigned depth)
{
    bool is_object = event->type == YAML_MAPPING_START_EVENT;
    const yaml_char_t *anchor =
        is_object ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    struct yaml_node *node =
        node_new(builder, is_object ? YAML_OBJECT : YAML_LIST, event->start_mark);

    if (!count_nodes(builder, 1, &node->place))
        return NULL;
    anchor_set(builder, anchor, &unfinished);
    struct buffer entries = {0};
    bool good = build_entries(builder, node, &entries, depth);
    if (good) {
        node->count = entries.size / sizeof *node->entries;
        node->entries =
            (struct yaml_entry *)arena_add_bytes(&builder->stream->arena, buffer_bytes(&entries))
                .data;
        if (is_object && node->count > 1)
            report_duplicates(builder, node);
        anchor_set(builder, anchor, node);
    }
    buffer_destroy(&entries);
    return good ? node : NULL;
}

/* The value that begins with `event`; NULL when reading cannot go on. */
static const struct yaml_node *build_value(struct builder *builder, const yaml_event_t *event,
                                           unsigned depth)
{
    const struct yaml_node *node;
    if (event->type == YAML_SCALAR_EVENT)
        node = build_scalar(builder, event);
    else if (event->type == YAML_ALIAS_EVENT)
        node = build_alias(builder, event);
    else
        node = depth < YAML_DEPTH_MAX ? build_collection(builder, event, depth) : NULL;

    if (depth + (node ? node->depth : 1) > YAML_DEPTH_MAX) {
        REPORT(builder, place_of(builder, event->start_mark),
               "nested too deeply: expected at most %d levels", YAML_DEPTH_MAX);
        return NULL;
    }
    return node;
}

/* Documents until the stream ends; false when reading cannot go on. */
static bool build_documents(struct builder *builder, struct buffer *documents)
{
    for (;;) {
        yaml_event_t event;
        if (!next_event(builder, &event))
            return false;
        bool is_end = event.type == YAML_STREAM_END_EVENT;
        bool is_value = event.type == YAML_SCALAR_EVENT || event.type == YAML_ALIAS_EVENT ||
                        event.type == YAML_SEQUENCE_START_EVENT ||
                        event.type == YAML_MAPPING_START_EVENT;
        const struct yaml_node *node = is_value ? build_value(builder, &event, 0) : NULL;
        if (event.type == YAML_DOCUMENT_END_EVENT) {
            name_map_destroy(&builder->anchors);
            name_map_init(&builder->anchors);
        }
        yaml_event_delete(&event);

        if (is_end)
            return true;
        if (is_value && !node)
            return false;
        if (node && node->kind != YAML_NULL)
            buffer_add(documents, &node, sizeof node);
    }
}

void yaml_stream_init(struct yaml_stream *stream, const char *file, struct bytes bytes,
                      const struct placeholders *placeholders, struct diagnostics *diagnostics)
{
    *stream = (struct yaml_stream){0};
    struct builder builder = {.stream = stream,
                              .file = file,
                              .bytes = bytes,
                              .placeholders = placeholders,
                              .diagnostics = diagnostics};
    if (bytes.size > YAML_BYTES_MAX) {
        diagnostics_add(diagnostics, SEVERITY_ERROR, file, 0, 0,
                        "the file is too large: expected at most %d bytes", YAML_BYTES_MAX);
        return;
    }
    if (!yaml_parser_initialize(&builder.parser))
        abort(); /* out of memory, as mem.c has it */
    yaml_parser_set_input_string(&builder.parser, bytes.size ? bytes.data : (const uint8_t *)"",
                                 bytes.size);
    name_map_init(&builder.anchors);

    struct buffer documents = {0};
    stream->is_whole = build_documents(&builder, &documents);
    stream->document_count = documents.size / sizeof *stream->documents;
    stream->documents =
        (const struct yaml_node **)arena_add_bytes(&stream->arena, buffer_bytes(&documents)).data;

    buffer_destroy(&documents);
    name_map_destroy(&builder.anchors);
    yaml_parser_delete(&builder.parser);
}

void yaml_stream_destroy(struct yaml_stream *stream)
{
    arena_destroy(&stream->arena);
    *stream = (struct yaml_stream){0};
}

bool yaml_file_read(const char *file, struct buffer *to, struct diagnostics *diagnostics)
{
    enum { CHUNK = 64 * 1024 };
    ssize_t size = -1;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        do {
            size = read(fd, buffer_reserve(to, CHUNK), CHUNK);
            to->size += size > 0 ? (size_t)size : 0;
        } while ((size > 0 && to->size <= YAML_BYTES_MAX) || (size < 0 && errno == EINTR));
    }
    if (size < 0)
        diagnostics_add(diagnostics, SEVERITY_ERROR, file, 0, 0, "the file cannot be read: %s",
                        strerror(errno));
    if (fd >= 0)
        close(fd);
    return size >= 0;
}
