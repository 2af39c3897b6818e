/* old_format.c - see old_format.h. */
#include "spec/old_format.h"

#include "spec/old_format_inside.h"
#include "spec/yaml_writer.h"

#include <strings.h>

const struct yaml_node *old_format_find(const struct yaml_stream *stream)
{
    bool is_old = stream->document_count == 1 && yaml_find(stream->documents[0], "version");
    return is_old ? stream->documents[0] : NULL;
}

/* --- making components --- */

struct yaml_node *object_new(struct reader *reader, const struct spec_place *place, size_t count)
{
    struct yaml_node *object = reader_take(reader, sizeof *object);
    object->kind = YAML_OBJECT;
    object->place = *place;
    object->entries = reader_take(reader, count * sizeof *object->entries);
    return object;
}

void object_put(struct yaml_node *object, const char *key, const struct yaml_node *value)
{
    object->entries[object->count++] =
        (struct yaml_entry){.key = key, .key_place = value->place, .value = value};
}

const struct yaml_node *text_new(struct reader *reader, const struct spec_place *place,
                                 const char *text)
{
    struct yaml_node *node = reader_take(reader, sizeof *node);
    node->kind = YAML_TEXT;
    node->place = *place;
    node->text = node->written = reader_copy(reader, bytes_of(text));
    return node;
}

struct yaml_node *spec_with_id(struct reader *reader, const struct element *element)
{
    const struct yaml_node *spec = element->spec;
    struct yaml_node *with_id = object_new(reader, &spec->place, spec->count + 1);
    object_put(with_id, "id", element->id);
    for (size_t i = 0; i < spec->count; i++) {
        if (strcmp(spec->entries[i].key, "id"))
            with_id->entries[with_id->count++] = spec->entries[i];
        else
            reader_warning(reader, &spec->entries[i].key_place,
                           "'id' has no effect: that of 'meta' overwrites it");
    }
    return with_id;
}

void translation_add(struct reader *reader, struct translation *translation,
                     const struct element *element, const struct yaml_node *kind,
                     const struct yaml_node *spec, struct buffer *remarks)
{
    struct translated item = {0};
    if (kind) {
        struct yaml_node *component = object_new(reader, &element->place, 2);
        object_put(component, "kind", kind);
        object_put(component, "spec", spec);
        item.component = component;
    }
    if (remarks && remarks->size)
        item.remarks = reader_copy(reader, buffer_bytes(remarks));
    if (remarks)
        buffer_destroy(remarks);
    translation->items =
        reader_room(reader, translation->items, translation->count, sizeof *translation->items);
    translation->items[translation->count++] = item;
}

bool translation_write(const struct translation *translation, bool hides_secrets, struct buffer *to)
{
    bool good = true;
    for (size_t i = 0; good && i < translation->count; i++) {
        const struct translated *item = &translation->items[i];
        if (i > 0)
            buffer_add_text(to, "---\n");
        if (item->remarks)
            buffer_add_text(to, item->remarks);
        good = !item->component || yaml_write(item->component, hides_secrets, to);
    }
    return good;
}

/* --- reading what there is --- */

static bool read_scalar_node(struct reader *reader, const struct property *property,
                             const struct yaml_node *node, void *to)
{
    char *unused;
    *(const struct yaml_node **)to = node;
    return text_read(reader, property, node, &unused);
}

static bool read_meta(struct reader *reader, const struct section *section, struct element *element)
{
    static const struct {
        unsigned bit;
        struct property property;
    } known[] = {
        {META_KIND,
         PROPERTY("kind", read_scalar_node, offsetof(struct element, kind), .required = true)},
        {META_TYPE,
         PROPERTY("type", read_scalar_node, offsetof(struct element, type), .required = true)},
        {META_ID, PROPERTY("id", read_scalar_node, offsetof(struct element, id), .required = true)},
    };
    struct property properties[COUNT_OF(known)];
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (section->meta & known[i].bit)
            properties[count++] = known[i].property;
    return object_read(reader, element->meta, "'meta'", properties, count, element);
}

static bool translate_element(struct reader *reader, const struct section *section,
                              const struct yaml_node *node, struct translation *translation)
{
    const struct property outside[] = {
        PROPERTY(section->item, object_node_read, 0, .required = true),
    };
    static const struct property inside[] = {
        PROPERTY("meta", object_node_read, offsetof(struct element, meta), .required = true),
        PROPERTY("spec", object_node_read, offsetof(struct element, spec), .required = true),
    };
    struct element element = {.place = node->place};
    const struct yaml_node *item;
    return reader_expect_kind(reader, section->list, node, YAML_OBJECT, section->noun) &&
           object_read(reader, node, section->noun, outside, COUNT_OF(outside), &item) &&
           object_read(reader, item, section->noun, inside, COUNT_OF(inside), &element) &&
           read_meta(reader, section, &element) &&
           section->translate(reader, section, &element, translation);
}

static bool read_section(struct reader *reader, const struct property *property,
                         const struct yaml_node *node, void *to)
{
    const struct section *section = property->detail;
    if (!reader_expect_kind(reader, section->list, node, YAML_LIST, "a list"))
        return false;
    bool good = true;
    for (size_t i = 0; i < node->count; i++)
        good &= translate_element(reader, section, node->entries[i].value, to);
    return good;
}

static bool read_sections(struct reader *reader, const struct section *sections,
                          const struct yaml_node *spec, struct translation *translation)
{
    enum { SECTIONS_MAX = 4 };
    struct property properties[SECTIONS_MAX];
    size_t count = 0;
    for (; sections[count].list; count++)
        properties[count] = (struct property)PROPERTY(sections[count].list, read_section, 0,
                                                      .detail = &sections[count]);
    return object_read(reader, spec, "the spec of a module", properties, count, translation);
}

static const struct property document_properties[] = {
    PROPERTY("version", NULL, 0),
    PROPERTY("module", object_node_read, 0, .required = true),
};

static const struct property module_properties[] = {
    PROPERTY("meta", NULL, 0),
    PROPERTY("spec", object_node_read, 0, .required = true,
             .missing = "A module without a spec at /module/spec"),
};

/* `module.meta.type`: remote, in any case. */
static bool check_type(struct reader *reader, const struct yaml_node *document)
{
    const struct yaml_entry *module = yaml_find(document, "module");
    const struct yaml_entry *meta = module ? yaml_find(module->value, "meta") : NULL;
    const struct yaml_entry *type = meta ? yaml_find(meta->value, "type") : NULL;
    if (!type)
        return reader_error(reader,
                            meta     ? &meta->value->place
                            : module ? &module->value->place
                                     : &document->place,
                            "Unable to find a module type: expected 'remote' at module.meta.type");
    if (type->value->kind == YAML_BROKEN)
        return false;
    return (type->value->kind == YAML_TEXT && !strcasecmp(type->value->text, "remote")) ||
           reader_error(reader, &type->value->place,
                        "Unknown module type, currently supported: REMOTE: expected 'remote', "
                        "found %s",
                        yaml_describe(type->value).text);
}

static const char expected_now[] =
    "one document with 'kind' and 'spec' for each endpoint, ingress and egress";

/* The sections of the version; NULL, with a report, when there is none like that. */
static const struct section *find_sections(struct reader *reader, const struct yaml_node *version)
{
    static const struct {
        const char *version;
        const struct section *sections;
    } known[] = {
        {"3.0", format_3_0_sections}, {"2.0", format_2_sections}, {"1.0", format_2_sections}};

    if (version->kind == YAML_BROKEN)
        return NULL;
    if (version->kind != YAML_TEXT) {
        reader_error(reader, &version->place,
                     "Wrong type for key /version not a string: expected \"3.0\" in quotes, or %s, "
                     "without 'version'; found %s",
                     expected_now, yaml_describe(version).text);
        return NULL;
    }
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (!strcmp(version->text, known[i].version))
            return known[i].sections;
    reader_error(reader, &version->place,
                 "Unrecognized format version: expected %s, without 'version'; found %s",
                 expected_now, yaml_describe(version).text);
    return NULL;
}

bool old_format_translate(struct reader *reader, const struct yaml_node *document,
                          struct translation *ret_translation)
{
    const struct yaml_node *version = yaml_find(document, "version")->value;
    const struct yaml_node *module = NULL, *spec = NULL;
    const struct section *sections = find_sections(reader, version);
    *ret_translation = (struct translation){.is_current = sections != format_2_sections};
    if (!sections || !check_type(reader, document))
        return false;

    bool good = object_read(reader, document, "a file of an old format", document_properties,
                            COUNT_OF(document_properties), &module);
    if (module)
        good &= object_read(reader, module, "'module'", module_properties,
                            COUNT_OF(module_properties), &spec);
    if (spec)
        good &= read_sections(reader, sections, spec, ret_translation);
    return good;
}
