/* old_format.c - see old_format.h. */
#include "spec/old_format.h"

#include <strings.h>

/* One list in the spec of a module. Each of its elements is an object with one key, `item`, that
 * holds `meta` and `spec`. */
struct section {
    const char *list, *item;
    const char *kind_key; /* in meta */
    bool has_id;          /* in meta */
    const char *elements; /* what messages call what stands in it */
};

static const struct section sections[] = {
    {"endpoints", "endpoint", "kind", false, "an endpoint of format 3.0"},
    {"ingresses", "ingress", "type", true, "an ingress of format 3.0"},
    {"egresses", "egress", "type", true, "an egress of format 3.0"},
};

/* What a kind or type of a section is called now; others are the same. */
static const struct renaming {
    const char *item, *before, *now;
} renamings[] = {
    {"endpoint", "http", "io.statefun.endpoints.v1/http"},
    {"ingress", "io.statefun.kafka/ingress", "io.statefun.kafka.v1/ingress"},
    {"egress", "io.statefun.kafka/egress", "io.statefun.kafka.v1/egress"},
    {"ingress", "io.statefun.kinesis/ingress", "io.statefun.kinesis.v1/ingress"},
    {"egress", "io.statefun.kinesis/egress", "io.statefun.kinesis.v1/egress"},
};

const struct yaml_node *old_format_find(const struct yaml_stream *stream)
{
    bool is_old = stream->document_count == 1 && yaml_find(stream->documents[0], "version");
    return is_old ? stream->documents[0] : NULL;
}

/* An object with room for `count` entries, and none yet. */
static struct yaml_node *object_new(struct reader *reader, const struct spec_place *place,
                                    size_t count)
{
    struct yaml_node *object = reader_take(reader, sizeof *object);
    *object = (struct yaml_node){.kind = YAML_OBJECT,
                                 .place = *place,
                                 .entries = reader_take(reader, count * sizeof(struct yaml_entry))};
    return object;
}

static void object_put(struct yaml_node *object, const char *key, const struct yaml_node *value)
{
    object->entries[object->count++] =
        (struct yaml_entry){.key = key, .key_place = value->place, .value = value};
}

static const struct yaml_node *translate_kind(struct reader *reader, const struct section *section,
                                              const struct yaml_node *kind)
{
    for (size_t i = 0; i < COUNT_OF(renamings); i++) {
        if (strcmp(renamings[i].item, section->item) || strcmp(renamings[i].before, kind->text))
            continue;
        struct yaml_node *now = reader_take(reader, sizeof *now);
        *now = *kind;
        now->text = renamings[i].now;
        return now;
    }
    return kind;
}

/* The spec with the id that stands in `meta`, which overwrites one that stands there. */
static const struct yaml_node *put_id(struct reader *reader, const struct yaml_node *spec,
                                      const struct yaml_node *id)
{
    struct yaml_node *with_id = object_new(reader, &spec->place, spec->count + 1);
    object_put(with_id, "id", id);
    for (size_t i = 0; i < spec->count; i++) {
        if (strcmp(spec->entries[i].key, "id"))
            with_id->entries[with_id->count++] = spec->entries[i];
        else
            reader_warning(reader, &spec->entries[i].key_place,
                           "'id' has no effect: that of 'meta' overwrites it");
    }
    return with_id;
}

/* --- reading what there is --- */

struct element {
    const struct yaml_node *meta, *spec;
    const struct yaml_node *kind, *id;
};

static bool read_text_node(struct reader *reader, const struct property *property,
                           const struct yaml_node *node, void *to)
{
    char *unused;
    *(const struct yaml_node **)to = node;
    return text_read(reader, property, node, &unused);
}

static bool read_element(struct reader *reader, const struct section *section,
                         const struct yaml_node *node, struct element *element)
{
    const struct property outside[] = {
        PROPERTY(section->item, object_node_read, 0, .required = true),
    };
    static const struct property inside[] = {
        PROPERTY("meta", object_node_read, offsetof(struct element, meta), .required = true),
        PROPERTY("spec", object_node_read, offsetof(struct element, spec), .required = true),
    };
    const struct property of_meta[] = {
        PROPERTY(section->kind_key, read_text_node, offsetof(struct element, kind),
                 .required = true),
        PROPERTY("id", read_text_node, offsetof(struct element, id), .required = true),
    };
    const struct yaml_node *item;
    return reader_expect_kind(reader, section->list, node, YAML_OBJECT, section->elements) &&
           object_read(reader, node, section->elements, outside, COUNT_OF(outside), &item) &&
           object_read(reader, item, section->elements, inside, COUNT_OF(inside), element) &&
           object_read(reader, element->meta, "'meta'", of_meta, section->has_id ? 2 : 1, element);
}

static bool translate_element(struct reader *reader, const struct section *section,
                              const struct yaml_node *node, struct translation *translation)
{
    struct element element;
    if (!read_element(reader, section, node, &element))
        return false;
    struct yaml_node *component = object_new(reader, &node->place, 2);
    object_put(component, "kind", translate_kind(reader, section, element.kind));
    object_put(component, "spec",
               section->has_id ? put_id(reader, element.spec, element.id) : element.spec);
    translation->components =
        reader_room(reader, translation->components, translation->count, sizeof(void *));
    translation->components[translation->count++] = component;
    return true;
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

/* Release 3.0.0 had them still; from 3.1 on upstream passes over them. */
static bool read_routers(struct reader *reader, const struct property *property,
                         const struct yaml_node *node, void *to)
{
    (void)to;
    if (node->count > 0)
        reader_warning(reader, &node->place,
                       "'%s' has no effect: routers ended with StateFun 3.0, an ingress names its "
                       "'targets' itself",
                       property->key);
    return true;
}

static const struct property module_properties[] = {
    PROPERTY("meta", NULL, 0),
    PROPERTY("spec", object_node_read, 0, .required = true,
             .missing = "A module without a spec at /module/spec"),
};

static const struct property spec_properties[] = {
    PROPERTY("endpoints", read_section, 0, .detail = &sections[0]),
    PROPERTY("ingresses", read_section, 0, .detail = &sections[1]),
    PROPERTY("egresses", read_section, 0, .detail = &sections[2]),
    PROPERTY("routers", read_routers, 0),
};

static const struct property document_properties[] = {
    PROPERTY("version", NULL, 0),
    PROPERTY("module", object_node_read, 0, .required = true),
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
    "expected one document with 'kind' and 'spec' for each endpoint, ingress and egress";

static bool check_is_text(struct reader *reader, const struct yaml_node *version)
{
    if (version->kind == YAML_TEXT || version->kind == YAML_BROKEN)
        return version->kind == YAML_TEXT;
    return reader_error(reader, &version->place,
                        "Wrong type for key /version not a string: expected \"3.0\" in quotes, or "
                        "no 'version' and %s; found %s",
                        expected_now + strlen("expected "), yaml_describe(version).text);
}

static bool check_version(struct reader *reader, const struct yaml_node *version)
{
    static const struct {
        const char *version, *releases;
    } rejected[] = {{"2.0", "2.1 and 2.2"}, {"1.0", "2.0"}};

    if (!strcmp(version->text, "3.0"))
        return true;
    for (size_t i = 0; i < COUNT_OF(rejected); i++)
        if (!strcmp(version->text, rejected[i].version))
            return reader_error(reader, &version->place,
                                "Only format versions higher than or equal to 3.0 is supported. "
                                "Was version %s, that of StateFun %s: %s",
                                rejected[i].version, rejected[i].releases, expected_now);
    return reader_error(reader, &version->place,
                        "Unrecognized format version: %s, without 'version'; found %s",
                        expected_now, yaml_describe(version).text);
}

bool old_format_translate(struct reader *reader, const struct yaml_node *document,
                          struct translation *ret_translation)
{
    const struct yaml_node *version = yaml_find(document, "version")->value;
    const struct yaml_node *module = NULL, *spec = NULL;
    *ret_translation = (struct translation){0};
    if (!check_is_text(reader, version) || !check_version(reader, version) ||
        !check_type(reader, document))
        return false;
    bool good = object_read(reader, document, "a file of format 3.0", document_properties,
                            COUNT_OF(document_properties), &module);
    if (module)
        good &= object_read(reader, module, "'module'", module_properties,
                            COUNT_OF(module_properties), &spec);
    if (spec)
        good &= object_read(reader, spec, "the spec of a module", spec_properties,
                            COUNT_OF(spec_properties), ret_translation);
    return good;
}
