/* reader.h - reads objects of a module file into structs, by tables of their properties.
 *
 * Whatever is wrong is reported and passed over. A reading function returns false when it has
 * reported an error; it then may have left its result as it was, and nothing that depends on it is
 * said. */
#ifndef SPEC_READER_H
#define SPEC_READER_H

#include "spec/application.h"
#include "spec/name_map.h"
#include "spec/yaml.h"

/* What a component's id or target stands for: no two components may claim the same. */
enum binding { BINDING_FUNCTIONS, BINDING_INGRESS, BINDING_EGRESS };

struct reader {
    struct application *application; /* what is read goes there, its texts into its arena */
    struct diagnostics *diagnostics;
    const struct application_options *options;
    const char *kind;         /* of the component that is being read */
    struct name_map bindings; /* binding and name -> struct spec_place */

    /* What embedded modules bind, known before the first module file is read. */
    struct library_names libraries;
};

struct property;
typedef bool property_read(struct reader *reader, const struct property *property,
                           const struct yaml_node *node, void *to);

struct property {
    const char *key;
    property_read *read; /* NULL: the key is accepted, and means nothing */
    size_t offset;       /* in the struct to be filled, of what `read` writes */
    bool required;
    const void *detail;  /* what `read` must know besides: see there */
    const char *missing; /* what upstream says when it is required and not there; may be NULL */
};

/* A line of a table of properties: PROPERTY("id", read_id, 0, .required = true). */
#define PROPERTY(key_, read_, offset_, ...)                                                        \
    {                                                                                              \
        .key = (key_), .read = (read_), .offset = (offset_), __VA_ARGS__                           \
    }

/* Reads an object's properties into `to`, which holds the defaults, and reports unknown and missing
 * keys. `what` names the object in messages. */
bool object_read(struct reader *reader, const struct yaml_node *node, const char *what,
                 const struct property *properties, size_t count, void *to);

/* One kind of an object whose `type` decides which properties it has. */
struct variant {
    const char *type;
    int value;
    const struct property *properties; /* with `type`; may be NULL: then that is all */
    size_t count;
};

/* The variant of an object, or NULL. When the object has no type, `fallback`; when that is NULL
 * too, or the type is unknown, it is reported: `unknown` is upstream's phrase for that. */
const struct variant *variant_find(struct reader *reader, const struct yaml_node *node,
                                   const char *what, const char *unknown,
                                   const struct variant *variants, size_t count,
                                   const struct variant *fallback);

bool variant_read(struct reader *reader, const struct yaml_node *node, const char *what,
                  const struct variant *variant, void *to);

/* The entry of a single-entry map, `expected` being what it is an element of; NULL, with a report,
 * if there is none. Only the first counts, as upstream, and others are reported. */
const struct yaml_entry *single_entry_find(struct reader *reader, const char *key,
                                           const struct yaml_node *node, const char *expected);

/* A list of things that have names: of two with one name the last counts, as it does upstream, and
 * the other is reported. */
struct named_list {
    const char *expected; /* what the list should be */
    size_t item_size;
    /* Reads one into `item`, all zeros; returns its name, or NULL when something is wrong. */
    const char *(*read)(struct reader *reader, const char *key, const struct yaml_node *node,
                        void *item);
};

/* `ret_items` points to the pointer to the items. */
bool named_list_read(struct reader *reader, const char *key, const struct yaml_node *node,
                     const struct named_list *list, void *ret_items, size_t *ret_count);

/* Types of property, with what they write and their detail. */
property_read text_read;     /* char *; any scalar, not empty */
property_read name_read;     /* struct spec_name */
property_read duration_read; /* uint64_t ms; const struct range * of ms, or NULL: an int's */
property_read count_read;    /* size_t; const struct range *; text that holds an integer will do */
property_read port_read;     /* uint16_t */
property_read switch_read;   /* bool; text that says true or false will do */
property_read choice_read;   /* int: the place among struct choices, in any case */
property_read object_node_read; /* const struct yaml_node *: an object, for others to read */
property_read date_read;        /* int64_t: ms since 1970 */
/* Nothing: other kinds have such a key, and why this one has not is its detail, a text. It counts
 * as one that is not known. */
property_read misplaced_read;

struct choices {
    const char *names[8]; /* NULL ends them */
    const char *expected; /* "a, b or c" */
};

struct range {
    int64_t min, max;
};

/* `targets`: a list of function types, which may be empty. */
bool targets_read(struct reader *reader, const struct property *property,
                  const struct yaml_node *node, struct spec_name **ret_targets, size_t *ret_count);

/* `targets` is required unless routers may make up for it. Then it is known only in the end whether
 * they do: where none were read, one must be bound to the ingress. `what` is what should hold them.
 */
bool targets_are_required(const struct reader *reader);
bool targets_check(struct reader *reader, const struct spec_name *ingress,
                   const struct spec_name *targets, const struct spec_place *place,
                   const char *what);

/* The integer that a node is, or holds as text; false without a report. */
bool integer_read(const struct yaml_node *node, int64_t *ret_value);

/* False, with a report, when a node is not of the kind YAML_LIST or YAML_OBJECT. `expected` says
 * what it should be; content is never shown. */
bool reader_expect_kind(struct reader *reader, const char *key, const struct yaml_node *node,
                        enum yaml_kind kind, const char *expected);

/* Reports "'key': expected ..., found ..."; returns false. Says nothing of a broken node. */
bool reader_mismatch(struct reader *reader, const char *key, const struct yaml_node *node,
                     const char *expected, ...) __attribute__((format(printf, 4, 5)));

/* Notes that a component is bound to ns/name; false, with a report, when another one is. */
bool binding_put(struct reader *reader, enum binding binding, const char *ns, const char *name,
                 const struct spec_place *place);

/* Reads `id`, which no other component of that sort may have; its place becomes the component's. */
bool binding_id_read(struct reader *reader, const struct property *property,
                     const struct yaml_node *node, enum binding binding, struct spec_name *ret_id,
                     struct spec_place *ret_place);
bool binding_exists(const struct reader *reader, enum binding binding, const char *ns,
                    const char *name);

/* Is a router of an embedded module bound to this ingress? */
bool router_exists(const struct reader *reader, const struct spec_name *ingress);

bool reader_error(struct reader *reader, const struct spec_place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4))); /* returns false */
void reader_warning(struct reader *reader, const struct spec_place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Memory that lives as long as the application, zeroed; copies of text. */
void *reader_take(struct reader *reader, size_t size);
char *reader_copy(struct reader *reader, struct bytes text);

/* An array with room for one more item behind its first `count`. */
void *reader_room(struct reader *reader, void *items, size_t count, size_t item_size);

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

#endif
