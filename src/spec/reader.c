/* reader.c - see reader.h. */
#include "spec/reader.h"

#include "base/mem.h"
#include "spec/suggest.h"
#include "spec/value.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

static void report(struct reader *reader, enum severity severity, const struct spec_place *place,
                   const char *format, va_list arguments)
{
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        abort(); /* out of memory, as mem.c has it */
    diagnostics_add(reader->diagnostics, severity, place->file, place->line, place->column, "%s",
                    text);
    free(text);
}

bool reader_error(struct reader *reader, const struct spec_place *place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report(reader, SEVERITY_ERROR, place, format, arguments);
    va_end(arguments);
    return false;
}

void reader_warning(struct reader *reader, const struct spec_place *place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report(reader, SEVERITY_WARNING, place, format, arguments);
    va_end(arguments);
}

void *reader_take(struct reader *reader, size_t size)
{
    return memset(arena_take(&reader->application->arena, size), 0, size);
}

char *reader_copy(struct reader *reader, struct bytes text)
{
    char *copy = reader_take(reader, text.size + 1);
    if (text.size)
        memcpy(copy, text.data, text.size);
    return copy;
}

void *reader_room(struct reader *reader, void *items, size_t count, size_t item_size)
{
    bool is_full = (count & (count - 1)) == 0; /* 0, 1, 2, 4, ...: capacities double */
    if (!is_full)
        return items;
    void *room = reader_take(reader, (count ? count * 2 : 1) * item_size);
    if (count)
        memcpy(room, items, count * item_size);
    return room;
}

bool reader_mismatch(struct reader *reader, const char *key, const struct yaml_node *node,
                     const char *expected, ...)
{
    if (node->kind == YAML_BROKEN)
        return false;

    char text[240];
    va_list arguments;
    va_start(arguments, expected);
    vsnprintf(text, sizeof text, expected, arguments);
    va_end(arguments);
    return reader_error(reader, &node->place, "'%s': expected %s, found %s", key, text,
                        yaml_describe(node).text);
}

bool reader_expect_kind(struct reader *reader, const char *key, const struct yaml_node *node,
                        enum yaml_kind kind, const char *expected)
{
    if (node->kind == kind)
        return true;
    if (node->kind != YAML_BROKEN)
        reader_error(reader, &node->place, "'%s': expected %s, found %s", key, expected,
                     yaml_kind_name(node));
    return false;
}

static char *binding_key(enum binding binding, const char *ns, const char *name)
{
    static const char *const nouns[] = {"functions", "ingress", "egress"};
    return mem_format("%s %s/%s", nouns[binding], ns, name);
}

bool binding_put(struct reader *reader, enum binding binding, const char *ns, const char *name,
                 const struct spec_place *place)
{
    char *key = binding_key(binding, ns, name);
    const void **slot = name_map_slot(&reader->bindings, key);
    const struct spec_place *first = *slot;
    if (first) {
        char *where = first->line
                          ? mem_format("at %s:%u:%u", first->file, first->line, first->column)
                          : mem_format("in %s", first->file); /* a library */
        reader_error(reader, place,
                     "A binding for the key %s was previously defined. Expected it once, found it "
                     "%s too",
                     text_quoted(key).text, where);
        free(where);
    } else {
        struct spec_place *kept = reader_take(reader, sizeof *kept);
        *kept = *place;
        *slot = kept;
    }
    free(key);
    return !first;
}

bool binding_id_read(struct reader *reader, const struct property *property,
                     const struct yaml_node *node, enum binding binding, struct spec_name *ret_id,
                     struct spec_place *ret_place)
{
    if (!name_read(reader, property, node, ret_id))
        return false;
    *ret_place = node->place;
    return binding_put(reader, binding, ret_id->ns, ret_id->name, &node->place);
}

bool binding_exists(const struct reader *reader, enum binding binding, const char *ns,
                    const char *name)
{
    char *key = binding_key(binding, ns, name);
    bool exists = name_map_get(&reader->bindings, key);
    free(key);
    return exists;
}

/* Which property a key is: its index, or `count`. */
static size_t property_index(const struct property *properties, size_t count, const char *key)
{
    size_t i = 0;
    while (i < count && strcmp(properties[i].key, key) != 0)
        i++;
    return i;
}

/* Reports a key that is in no table. A misspelt required key is one fault and not two, an unknown
 * key and a missing one: its index is returned when it is not among those `present`, otherwise
 * `count`. */
static size_t report_unknown(struct reader *reader, const struct yaml_entry *entry,
                             const char *what, const struct property *properties, size_t count,
                             uint32_t present)
{
    struct suggestion suggestion = suggestion_for(entry->key);
    struct buffer known = {0};
    for (size_t i = 0; i < count; i++) {
        if (properties[i].read == misplaced_read)
            continue;
        suggestion_offer(&suggestion, properties[i].key);
        buffer_add_format(&known, "%s%s", i ? ", " : ": expected one of ", properties[i].key);
    }

    size_t meant = suggestion.best ? property_index(properties, count, suggestion.best) : count;
    bool is_lost = meant < count && properties[meant].required && !(present & 1u << meant);
    bool is_error = is_lost || reader->options->unknown_keys_are_errors;
    diagnostics_add(reader->diagnostics, is_error ? SEVERITY_ERROR : SEVERITY_WARNING,
                    entry->key_place.file, entry->key_place.line, entry->key_place.column,
                    "unknown key %s in %s%s%s", text_quoted(entry->key).text, what,
                    is_lost                         ? ", which lacks a required one"
                    : suggestion.best               ? ""
                    : strcmp(entry->key, "<<") == 0 ? ": merge keys are not applied, as upstream "
                                                      "does not"
                                                    : buffer_text(&known),
                    suggestion_hint(&suggestion).text);
    buffer_destroy(&known);
    return is_lost ? meant : count;
}

bool object_read(struct reader *reader, const struct yaml_node *node, const char *what,
                 const struct property *properties, size_t count, void *to)
{
    uint32_t present = 0;
    bool good = true;
    assert(count < 32);
    for (size_t i = 0; i < node->count; i++)
        present |= 1u << property_index(properties, count, node->entries[i].key);

    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_entry *entry = &node->entries[i];
        size_t index = property_index(properties, count, entry->key);
        if (entry->is_duplicate)
            continue;
        if (index < count) {
            const struct property *property = &properties[index];
            if (property->read)
                good &=
                    property->read(reader, property, entry->value, (char *)to + property->offset);
            continue;
        }
        size_t meant = report_unknown(reader, entry, what, properties, count, present);
        good &= meant == count && !reader->options->unknown_keys_are_errors;
        present |= 1u << meant;
    }
    for (size_t i = 0; i < count; i++)
        if (properties[i].required && !(present & 1u << i))
            good = reader_error(reader, &node->place, "missing key '%s' in %s%s%s",
                                properties[i].key, what, properties[i].missing ? ": " : "",
                                properties[i].missing ? properties[i].missing : "");
    return good;
}

bool variant_read(struct reader *reader, const struct yaml_node *node, const char *what,
                  const struct variant *variant, void *to)
{
    static const struct property only_type[] = {PROPERTY("type", NULL, 0)};
    char *name = mem_format("%s of type %s", what, variant->type);
    bool good = variant->properties
                    ? object_read(reader, node, name, variant->properties, variant->count, to)
                    : object_read(reader, node, name, only_type, 1, to);
    free(name);
    return good;
}

const struct variant *variant_find(struct reader *reader, const struct yaml_node *node,
                                   const char *what, const char *unknown,
                                   const struct variant *variants, size_t count,
                                   const struct variant *fallback)
{
    static const char object[] = "an object with a 'type'";
    const struct yaml_entry *entry = yaml_find(node, "type");
    if (!reader_expect_kind(reader, what, node, YAML_OBJECT, object))
        return NULL;
    if (!entry && !fallback)
        reader_error(reader, &node->place, "missing key 'type' in %s: expected one such as '%s'",
                     what, variants[0].type);
    if (!entry)
        return fallback;

    const struct yaml_node *type = entry->value;
    if (!type->text || type->kind == YAML_NULL) {
        reader_mismatch(reader, "type", type, "text such as '%s'", variants[0].type);
        return NULL;
    }
    struct suggestion suggestion = suggestion_for(type->text);
    struct buffer known = {0};
    const struct variant *found = NULL;
    for (size_t i = 0; i < count && !found; i++) {
        suggestion_offer(&suggestion, variants[i].type);
        buffer_add_format(&known, "%s%s", i ? ", " : "", variants[i].type);
        found = strcmp(variants[i].type, type->text) == 0 ? &variants[i] : NULL;
    }
    if (!found)
        reader_error(reader, &type->place, "%s: %s: expected 'type' to be one of %s, found %s%s",
                     what, unknown, buffer_text(&known), yaml_describe(type).text,
                     suggestion_hint(&suggestion).text);
    buffer_destroy(&known);
    return found;
}

const struct yaml_entry *single_entry_find(struct reader *reader, const char *key,
                                           const struct yaml_node *node, const char *expected)
{
    if (!reader_expect_kind(reader, key, node, YAML_OBJECT, expected))
        return NULL;
    if (node->count == 0) {
        reader_error(reader, &node->place, "'%s': expected %s, found an empty object", key,
                     expected);
        return NULL;
    }
    for (size_t i = 1; i < node->count; i++)
        reader_warning(reader, &node->entries[i].key_place,
                       "%s has no effect: only the first key of each element counts, expected "
                       "'- ' before it",
                       text_quoted(node->entries[i].key).text);
    return &node->entries[0];
}

bool named_list_read(struct reader *reader, const char *key, const struct yaml_node *node,
                     const struct named_list *list, void *ret_items, size_t *ret_count)
{
    if (!reader_expect_kind(reader, key, node, YAML_LIST, list->expected))
        return false;

    char *items = reader_take(reader, node->count * list->item_size);
    const struct yaml_node **nodes = mem_new(node->count * sizeof *nodes); /* of what is kept */
    size_t count = 0;
    bool good = true;
    struct name_map seen; /* name -> its place in `nodes` */
    name_map_init(&seen);
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *value = node->entries[i].value;
        char *item = items + count * list->item_size;
        memset(item, 0, list->item_size);
        const char *name = list->read(reader, key, value, item);
        if (!name) {
            good = false;
            continue;
        }
        const void **slot = name_map_slot(&seen, name);
        const struct yaml_node **kept =
            *slot ? &nodes[(const struct yaml_node **)*slot - nodes] : &nodes[count++];
        if (*slot) {
            reader_warning(reader, &(*kept)->place,
                           "%s has no effect: it stands at line %u again, and the last one wins",
                           text_quoted(name).text, value->place.line);
            memcpy(items + (size_t)(kept - nodes) * list->item_size, item, list->item_size);
        }
        *kept = value;
        *slot = kept;
    }
    name_map_destroy(&seen);
    free(nodes);
    memcpy(ret_items, &items, sizeof items); /* whatever type of pointer it is */
    *ret_count = count;
    return good;
}

/* The text of a scalar; NULL, with a report, for anything else. */
static const char *scalar_text(struct reader *reader, const char *key, const struct yaml_node *node,
                               const char *expected)
{
    if (node->kind != YAML_BROKEN && node->kind != YAML_NULL && node->text && *node->text)
        return node->text;
    reader_mismatch(reader, key, node, "%s", expected);
    return NULL;
}

bool text_read(struct reader *reader, const struct property *property, const struct yaml_node *node,
               void *to)
{
    const char *text = scalar_text(reader, property->key, node, "text");
    if (text)
        *(char **)to = reader_copy(reader, bytes_of(text));
    return text != NULL;
}

bool object_node_read(struct reader *reader, const struct property *property,
                      const struct yaml_node *node, void *to)
{
    if (!reader_expect_kind(reader, property->key, node, YAML_OBJECT, "an object"))
        return false;
    *(const struct yaml_node **)to = node;
    return true;
}

bool name_read(struct reader *reader, const struct property *property, const struct yaml_node *node,
               void *to)
{
    static const char expected[] = "a typename of the form <namespace>/<name>";
    const char *text = scalar_text(reader, property->key, node, expected);
    struct bytes ns, name;
    struct sf_status status;
    if (!text)
        return false;
    if (!typename_parse(text, &ns, &name, &status))
        return reader_mismatch(reader, property->key, node, "%s", status.message);
    *(struct spec_name *)to =
        (struct spec_name){reader_copy(reader, ns), reader_copy(reader, name)};
    return true;
}

bool targets_read(struct reader *reader, const struct property *property,
                  const struct yaml_node *node, struct spec_name **ret_targets, size_t *ret_count)
{
    if (!reader_expect_kind(reader, property->key, node, YAML_LIST, "a list of function types"))
        return false;

    bool good = true;
    *ret_targets = reader_take(reader, node->count * sizeof **ret_targets);
    *ret_count = node->count;
    for (size_t i = 0; i < node->count; i++)
        good &= name_read(reader, property, node->entries[i].value, &(*ret_targets)[i]);
    return good;
}

bool targets_check(struct reader *reader, const struct spec_name *ingress,
                   const struct spec_name *targets, const struct spec_place *place,
                   const char *what)
{
    return targets || router_exists(reader, ingress) ||
           reader_error(reader, place, "missing key 'targets' in %s", what);
}

bool targets_are_required(const struct reader *reader)
{
    for (size_t i = 0; i < reader->libraries.count; i++)
        if (reader->libraries.items[i].what == LIBRARY_ROUTER)
            return false;
    return true;
}

bool router_exists(const struct reader *reader, const struct spec_name *ingress)
{
    char *id = mem_format("%s/%s", ingress->ns, ingress->name);
    bool exists = false;
    for (size_t i = 0; i < reader->libraries.count && !exists; i++)
        exists = reader->libraries.items[i].what == LIBRARY_ROUTER &&
                 !strcmp(reader->libraries.items[i].name, id);
    free(id);
    return exists;
}

bool date_read(struct reader *reader, const struct property *property, const struct yaml_node *node,
               void *to)
{
    struct sf_status status;
    char *text;
    if (!text_read(reader, property, node, &text))
        return false;
    if (!date_parse(text, to, &status))
        return reader_error(reader, &node->place,
                            "Unable to parse date string for startup position: '%s': expected %s, "
                            "found %s",
                            property->key, status.message, yaml_describe(node).text);
    return true;
}

bool duration_read(struct reader *reader, const struct property *property,
                   const struct yaml_node *node, void *to)
{
    static const struct range any = {0, INT32_MAX}; /* what upstream's timers take */
    const struct range *range = property->detail ? property->detail : &any;
    const char *text = scalar_text(reader, property->key, node, "a duration such as 10ms or 5 s");
    uint64_t ms;
    struct sf_status status;
    if (!text)
        return false;
    if (!duration_parse(text, &ms, &status))
        return reader_mismatch(reader, property->key, node, "%s", status.message);
    if ((int64_t)ms < range->min || (int64_t)ms > range->max)
        return reader_mismatch(reader, property->key, node, "a duration from %lld ms to %lld ms",
                               (long long)range->min, (long long)range->max);
    *(uint64_t *)to = ms;
    return true;
}

bool integer_read(const struct yaml_node *node, int64_t *ret_value)
{
    return (node->kind == YAML_INTEGER || node->kind == YAML_TEXT) &&
           integer_parse(node->text, ret_value);
}

bool count_read(struct reader *reader, const struct property *property,
                const struct yaml_node *node, void *to)
{
    const struct range *range = property->detail;
    int64_t value;
    if (!integer_read(node, &value) || value < range->min || value > range->max)
        return reader_mismatch(reader, property->key, node, "an integer from %lld to %lld",
                               (long long)range->min, (long long)range->max);
    *(size_t *)to = (size_t)value;
    return true;
}

bool port_read(struct reader *reader, const struct property *property, const struct yaml_node *node,
               void *to)
{
    int64_t value;
    if (!integer_read(node, &value) || value < 0 || value > UINT16_MAX)
        return reader_mismatch(reader, property->key, node, "a port: an integer from 0 to 65535");
    *(uint16_t *)to = (uint16_t)value;
    return true;
}

bool choice_read(struct reader *reader, const struct property *property,
                 const struct yaml_node *node, void *to)
{
    const struct choices *choices = property->detail;
    for (int i = 0; node->kind == YAML_TEXT && choices->names[i]; i++)
        if (!strcasecmp(node->text, choices->names[i])) {
            *(int *)to = i;
            return true;
        }
    return reader_mismatch(reader, property->key, node, "%s", choices->expected);
}

bool switch_read(struct reader *reader, const struct property *property,
                 const struct yaml_node *node, void *to)
{
    bool is_scalar = node->kind == YAML_SWITCH || node->kind == YAML_TEXT;
    bool is_on = is_scalar && !strcmp(node->text, "true");
    if (!is_on && !(is_scalar && !strcmp(node->text, "false")))
        return reader_mismatch(reader, property->key, node, "true or false");
    *(bool *)to = is_on;
    return true;
}

bool misplaced_read(struct reader *reader, const struct property *property,
                    const struct yaml_node *node, void *to)
{
    (void)to;
    bool is_error = reader->options->unknown_keys_are_errors;
    diagnostics_add(reader->diagnostics, is_error ? SEVERITY_ERROR : SEVERITY_WARNING,
                    node->place.file, node->place.line, node->place.column,
                    "'%s' has no effect in %s: %s", property->key, reader->kind,
                    (const char *)property->detail);
    return !is_error;
}
