/* yaml.h - a YAML stream as a tree in which everything knows where it was written.
 *
 * Scalars mean what they mean to upstream's reader (Jackson on snakeyaml, YAML 1.1): a plain 3.0 is
 * a number, "3.0" is text. Merge keys (<<) are ordinary keys, as there. A key that stands twice in
 * one mapping is an error here; upstream silently takes the last.
 *
 * Aliases make the tree a graph without cycles. What a walk over it can meet is bounded: depth and
 * the number of nodes, each alias counted as all that it stands for. */
#ifndef SPEC_YAML_H
#define SPEC_YAML_H

#include "base/arena.h"
#include "spec/application.h"
#include "spec/placeholders.h"

enum { YAML_BYTES_MAX = 16 * 1024 * 1024, YAML_NODES_MAX = 1000 * 1000, YAML_DEPTH_MAX = 64 };

enum yaml_kind {
    YAML_BROKEN, /* its fault has been reported: say nothing more */
    YAML_NULL,
    YAML_SWITCH,  /* text is "true" or "false" */
    YAML_INTEGER, /* text has digits and perhaps '-' only */
    YAML_FLOAT,
    YAML_TEXT,
    YAML_LIST,
    YAML_OBJECT
};

struct yaml_node {
    enum yaml_kind kind;
    struct spec_place place;
    const char *text;           /* of a scalar */
    const char *written;        /* of a scalar: before placeholders were replaced */
    struct yaml_entry *entries; /* of a list (without keys) or an object */
    size_t count;
    size_t size; /* nodes in it, itself included */
    unsigned depth;
};

struct yaml_entry {
    const char *key;
    struct spec_place key_place;
    bool is_duplicate; /* the key stands before it already: reported, to be passed over */
    const struct yaml_node *value;
};

struct yaml_stream {
    struct arena arena;
    const struct yaml_node **documents; /* null documents are left out */
    size_t document_count;
    bool is_whole; /* false: reading stopped at a fault, and documents may be missing */
};

/* Reads the bytes of `file`, a name that outlives the stream. `placeholders` may be NULL: then
 * ${NAME} is text like any other. What is wrong is reported; what could be read is there
 * nevertheless. */
void yaml_stream_init(struct yaml_stream *stream, const char *file, struct bytes bytes,
                      const struct placeholders *placeholders, struct diagnostics *diagnostics);
void yaml_stream_destroy(struct yaml_stream *stream);

/* The entry with that key, or NULL. `node` may be of any kind. */
const struct yaml_entry *yaml_find(const struct yaml_node *node, const char *key);

/* What a node is, for "found ...": `text 'abc'`, `the number 3.0`, `a list`, `no value`. Text that
 * came out of a placeholder is not shown. */
struct yaml_description {
    char text[128];
};
struct yaml_description yaml_describe(const struct yaml_node *node);

/* The same without any content, for values that may be secret. */
const char *yaml_kind_name(const struct yaml_node *node);

/* Appends a file's bytes, not many more of them than YAML_BYTES_MAX. What hinders it is reported,
 * and false returned. */
bool yaml_file_read(const char *file, struct buffer *to, struct diagnostics *diagnostics);

#endif
