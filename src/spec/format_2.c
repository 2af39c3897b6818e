/* format_2.c - the elements of formats "2.0" and "1.0" (module-yaml.md 12).
 *
 * Values are carried over as they stand; whether they are right is for the reader of the component
 * to say. What 3.x has no place for becomes a remark where it asks for work elsewhere (states), and
 * an error where something would be lost. */
#include "spec/old_format_inside.h"

#include "spec/value.h"
#include "spec/yaml_writer.h"

#include <ctype.h>

/* Keeps any value, for others to read. */
static bool read_node(struct reader *reader, const struct property *property,
                      const struct yaml_node *node, void *to)
{
    (void)reader;
    (void)property;
    *(const struct yaml_node **)to = node;
    return node->kind != YAML_BROKEN;
}

/* --- functions: an endpoint for each --- */

struct function {
    const struct yaml_node *endpoint, *states, *batch_max;
    const struct yaml_node *timeout, *connect, *read, *write;
};

static const struct property function_properties[] = {
    PROPERTY("endpoint", read_node, offsetof(struct function, endpoint), .required = true),
    PROPERTY("states", read_node, offsetof(struct function, states)),
    PROPERTY("maxNumBatchRequests", read_node, offsetof(struct function, batch_max)),
    PROPERTY("timeout", read_node, offsetof(struct function, timeout)),
    PROPERTY("connectTimeout", read_node, offsetof(struct function, connect)),
    PROPERTY("readTimeout", read_node, offsetof(struct function, read)),
    PROPERTY("writeTimeout", read_node, offsetof(struct function, write)),
};

/* A scalar in a remark, which must end and stay on its line. */
static void remark_scalar(const struct yaml_node *node, struct buffer *remarks)
{
    enum { SHOWN_MAX = 200 };
    if (node->written && strlen(node->written) <= SHOWN_MAX)
        yaml_write_scalar(node, remarks);
    else
        buffer_add_format(remarks, "(see line %u)", node->place.line);
}

/* One state: in format 1.0 a name, in 2.0 an object. */
static bool remark_state(struct reader *reader, const struct yaml_node *state,
                         struct buffer *remarks)
{
    const struct yaml_entry *name = yaml_find(state, "name");
    const struct yaml_entry *expiry = yaml_find(state, "expireAfter");
    const struct yaml_entry *mode = yaml_find(state, "expireMode");
    if (!state->text && !name)
        return reader_mismatch(reader, "states", state, "a name, or an object with 'name'");

    buffer_add_text(remarks, "#   ");
    remark_scalar(name ? name->value : state, remarks);
    if (expiry) {
        buffer_add_text(remarks, ", expires ");
        remark_scalar(expiry->value, remarks);
        buffer_add_text(remarks,
                        mode && mode->value->text && !strcmp(mode->value->text, "after-write")
                            ? " after it was written"
                            : " after the function was called");
    }
    buffer_add_u8(remarks, '\n');
    return true;
}

static bool remark_states(struct reader *reader, const struct yaml_node *states,
                          struct buffer *remarks)
{
    if (!reader_expect_kind(reader, "states", states, YAML_LIST, "a list of states"))
        return false;
    bool good = true;
    if (states->count > 0)
        buffer_add_text(remarks, "# In 3.x a function declares its states itself. Here were:\n");
    for (size_t i = 0; i < states->count; i++)
        good &= remark_state(reader, states->entries[i].value, remarks);
    return good;
}

/* A member that is left out is 10 s as it was, but now may not be longer than the whole call. */
static void put_timeout(struct yaml_node *timeouts, const char *key, const struct yaml_node *given,
                        const struct yaml_node *call)
{
    enum { DEFAULT_MS = 10 * 1000 };
    struct sf_status status;
    uint64_t ms;
    bool is_short =
        call && call->text && duration_parse(call->text, &ms, &status) && ms < DEFAULT_MS;
    if (given || is_short)
        object_put(timeouts, key, given ? given : call);
}

static const struct yaml_node *translate_transport(struct reader *reader,
                                                   const struct function *function,
                                                   const struct spec_place *place)
{
    struct yaml_node *transport = object_new(reader, place, 2);
    struct yaml_node *timeouts = object_new(reader, place, 4);
    if (function->timeout)
        object_put(timeouts, "call", function->timeout);
    put_timeout(timeouts, "connect", function->connect, function->timeout);
    put_timeout(timeouts, "read", function->read, function->timeout);
    put_timeout(timeouts, "write", function->write, function->timeout);
    object_put(transport, "type", text_new(reader, place, "io.statefun.transports.v1/okhttp"));
    if (timeouts->count > 0)
        object_put(transport, "timeouts", timeouts);
    return transport;
}

static bool translate_function(struct reader *reader, const struct section *section,
                               const struct element *element, struct translation *translation)
{
    struct function function = {0};
    struct buffer remarks = {0};
    if (strcmp(element->kind->text, "http"))
        return reader_mismatch(reader, "kind", element->kind,
                               "http, the only kind of function that could run");
    bool good = object_read(reader, element->spec, section->noun, function_properties,
                            COUNT_OF(function_properties), &function);
    if (function.states)
        good &= remark_states(reader, function.states, &remarks);
    if (!function.endpoint) {
        buffer_destroy(&remarks);
        return false;
    }

    const struct spec_place *place = &element->spec->place;
    struct yaml_node *spec = object_new(reader, place, 4);
    object_put(spec, "functions", element->type);
    object_put(spec, "urlPathTemplate", function.endpoint);
    if (function.batch_max)
        object_put(spec, "maxNumBatchRequests", function.batch_max);
    object_put(spec, "transport", translate_transport(reader, &function, place));
    translation_add(reader, translation, element,
                    text_new(reader, &element->kind->place, "io.statefun.endpoints.v2/http"), spec,
                    &remarks);
    return good;
}

/* --- routers, and ingresses that need one: lost --- */

/* Says what cannot be brought over, in an error and where its component would stand. */
static bool lose(struct reader *reader, const struct element *element,
                 struct translation *translation, const char *what, const char *why)
{
    struct buffer remarks = {0};
    buffer_add_format(&remarks, "# Missing here: %s (line %u). %s.\n", what,
                      element->type->place.line, why);
    translation_add(reader, translation, element, NULL, NULL, &remarks);
    return reader_error(reader, &element->type->place, "%s cannot be brought over: %s", what, why);
}

static bool translate_router(struct reader *reader, const struct section *section,
                             const struct element *element, struct translation *translation)
{
    (void)section;
    return lose(reader, element, translation, "a router",
                "In 3.x an ingress names its 'targets', and a record's key is the id of each: "
                "what writes the records must make the id their key");
}

/* --- ingresses and egresses --- */

/* Copies a list of topics or streams; what was `typeUrl` is `valueType`. */
static const struct yaml_node *translate_sources(struct reader *reader,
                                                 const struct yaml_node *list)
{
    struct yaml_node *copy = object_new(reader, &list->place, list->count);
    copy->kind = YAML_LIST;
    for (size_t i = 0; i < list->count; i++) {
        const struct yaml_node *source = list->entries[i].value;
        struct yaml_node *renamed = object_new(reader, &source->place, source->count);
        for (size_t j = 0; source->kind == YAML_OBJECT && j < source->count; j++) {
            renamed->entries[j] = source->entries[j];
            if (!strcmp(source->entries[j].key, "typeUrl"))
                renamed->entries[j].key = "valueType";
            renamed->count++;
        }
        copy->entries[copy->count++] =
            (struct yaml_entry){.value = source->kind == YAML_OBJECT ? renamed : source};
    }
    return copy;
}

/* Copies an object with a type, whose case did not count before. */
static const struct yaml_node *translate_type(struct reader *reader, const struct yaml_node *object)
{
    struct yaml_node *copy = object_new(reader, &object->place, object->count);
    for (size_t i = 0; i < object->count; i++) {
        copy->entries[copy->count++] = object->entries[i];
        const struct yaml_node *value = object->entries[i].value;
        if (strcmp(object->entries[i].key, "type") || value->kind != YAML_TEXT ||
            strstr(value->written, "${"))
            continue;
        char *lower = reader_copy(reader, bytes_of(value->written));
        for (char *c = lower; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        copy->entries[i].value = text_new(reader, &value->place, lower);
    }
    return copy;
}

static bool is_one_of(const char *key, const char *const *keys)
{
    for (; *keys; keys++)
        if (!strcmp(*keys, key))
            return true;
    return false;
}

static const struct yaml_node *translate_io_spec(struct reader *reader,
                                                 const struct element *element)
{
    static const char *const sources[] = {"topics", "streams", NULL};
    static const char *const typed[] = {"startupPosition", "deliverySemantic", "awsRegion",
                                        "awsCredentials", NULL};
    struct yaml_node *spec = spec_with_id(reader, element);
    for (size_t i = 0; i < spec->count; i++) {
        struct yaml_entry *entry = &spec->entries[i];
        if (entry->value->kind == YAML_LIST && is_one_of(entry->key, sources))
            entry->value = translate_sources(reader, entry->value);
        else if (entry->value->kind == YAML_OBJECT && is_one_of(entry->key, typed))
            entry->value = translate_type(reader, entry->value);
    }
    return spec;
}

static const struct io_type {
    const char *item, *before, *now;
} io_types[] = {
    {"ingress", "statefun.kafka.io/routable-protobuf-ingress", "io.statefun.kafka.v1/ingress"},
    {"ingress", "statefun.kinesis.io/routable-protobuf-ingress", "io.statefun.kinesis.v1/ingress"},
    {"egress", "statefun.kafka.io/generic-egress", "io.statefun.kafka.v1/egress"},
    {"egress", "statefun.kinesis.io/generic-egress", "io.statefun.kinesis.v1/egress"},
};

static bool translate_io(struct reader *reader, const struct section *section,
                         const struct element *element, struct translation *translation)
{
    if (!strcmp(element->type->text, "statefun.kafka.io/protobuf-ingress"))
        return lose(reader, element, translation, "an ingress for a router",
                    "In 3.x an ingress names its 'targets', and a record's key is the id of each");

    struct buffer expected = {0};
    for (size_t i = 0; i < COUNT_OF(io_types); i++) {
        if (strcmp(io_types[i].item, section->item))
            continue;
        if (!strcmp(io_types[i].before, element->type->text)) {
            buffer_destroy(&expected);
            translation_add(reader, translation, element,
                            text_new(reader, &element->type->place, io_types[i].now),
                            translate_io_spec(reader, element), NULL);
            return true;
        }
        buffer_add_format(&expected, "%s%s", expected.size ? " or " : "", io_types[i].before);
    }
    reader_mismatch(reader, "type", element->type, "%s", buffer_text(&expected));
    buffer_destroy(&expected);
    return false;
}

const struct section format_2_sections[] = {
    {"functions", "function", "a function of format 2.0", META_KIND | META_TYPE,
     translate_function},
    {"routers", "router", "a router of format 2.0", META_TYPE, translate_router},
    {"ingresses", "ingress", "an ingress of format 2.0", META_TYPE | META_ID, translate_io},
    {"egresses", "egress", "an egress of format 2.0", META_TYPE | META_ID, translate_io},
    {0},
};
