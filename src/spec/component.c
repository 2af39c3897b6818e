/* component.c - from a document to the reader of its kind. */
#include "spec/component.h"

#include "base/mem.h"
#include "spec/old_format.h"
#include "spec/suggest.h"
#include "spec/value.h"

enum role { ROLE_ENDPOINT, ROLE_INGRESS, ROLE_EGRESS, ROLE_OTHER };

static const struct component_kind {
    const char *name;
    enum role role;
    void (*read)(struct reader *reader, const struct yaml_node *spec);
} kinds[] = {
    {"io.statefun.endpoints.v2/http", ROLE_ENDPOINT, endpoint_v2_read},
    {"io.statefun.endpoints.v1/http", ROLE_ENDPOINT, endpoint_v1_read},
    {"io.statefun.embedded.v1/functions", ROLE_OTHER, embedded_functions_read},
    {"io.statefun.kafka.v1/ingress", ROLE_INGRESS, kafka_ingress_read},
    {"io.statefun.kafka.v1/egress", ROLE_EGRESS, kafka_egress_read},
    {"io.statefun.playground.v1/ingress", ROLE_INGRESS, playground_ingress_read},
    {"io.statefun.playground.v1/egress", ROLE_EGRESS, playground_egress_read},
    {"io.statefun.kinesis.v1/ingress", ROLE_INGRESS, kinesis_ingress_read},
    {"io.statefun.kinesis.v1/egress", ROLE_EGRESS, kinesis_egress_read},
};

static const char fields_hint[] = "Invalid ComponentJsonObject; components should be a JSON object "
                                  "with the required fields [kind] and [spec].";

static void report_unknown_kind(struct reader *reader, const struct yaml_node *node)
{
    struct suggestion suggestion = suggestion_for(node->text);
    struct buffer known = {0};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        suggestion_offer(&suggestion, kinds[i].name);
        buffer_add_format(&known, "%s%s", i ? ", " : "", kinds[i].name);
    }
    bool is_transport =
        !strncmp(node->text, "io.statefun.transports.v1/", strlen("io.statefun.transports.v1/"));
    reader_error(reader, &node->place,
                 "An extension with type %s does not exist. Expected one of %s%s",
                 text_quoted(node->written).text, buffer_text(&known),
                 is_transport ? "; a transport is named in 'transport.type' of an endpoint"
                              : suggestion_hint(&suggestion).text);
    buffer_destroy(&known);
}

/* `kind`: stays NULL when it is none. */
static bool read_kind(struct reader *reader, const struct property *property,
                      const struct yaml_node *node, void *to)
{
    struct bytes ns, name;
    struct sf_status status;
    char *text = NULL;
    if (node->kind == YAML_BROKEN || !text_read(reader, property, node, &text))
        return false;
    if (!typename_parse(text, &ns, &name, &status))
        return reader_error(reader, &node->place,
                            "Invalid binder kind format. Expected <namespace>/<name>, found %s",
                            yaml_describe(node).text);

    text[ns.size + 1 + name.size] = '\0'; /* slashes at its end do not count */
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (!strcmp(kinds[i].name, text)) {
            *(const struct component_kind **)to = &kinds[i];
            return true;
        }
    }
    report_unknown_kind(reader, node);
    return false;
}

struct component {
    const struct component_kind *kind;
    const struct yaml_node *spec;
};

/* Beside other documents `version` means nothing. A lone one with it does not come here: it is of
 * an old format. */
static const struct property properties[] = {
    PROPERTY("kind", read_kind, offsetof(struct component, kind), .required = true,
             .missing = fields_hint),
    PROPERTY("spec", object_node_read, offsetof(struct component, spec), .required = true,
             .missing = fields_hint),
    PROPERTY("version", NULL, 0),
};

static void read_component(struct reader *reader, const struct yaml_node *document,
                           struct component_tally *tally)
{
    struct component component = {0};
    if (document->kind != YAML_OBJECT) {
        tally->is_unsure = true;
        if (document->kind != YAML_BROKEN)
            reader_error(reader, &document->place, "%s Found %s", fields_hint,
                         yaml_describe(document).text);
        return;
    }

    (void)object_read(reader, document, "a component", properties, COUNT_OF(properties),
                      &component);
    if (!component.kind) {
        tally->is_unsure = true;
        return;
    }
    tally->endpoints += component.kind->role == ROLE_ENDPOINT;
    tally->ingresses += component.kind->role == ROLE_INGRESS;
    if (component.spec) {
        reader->kind = component.kind->name;
        component.kind->read(reader, component.spec);
    }
}

/* A file for functions of the 2.x protocol, which are not called: its error shows what it would be
 * today. */
static void report_old(struct reader *reader, const struct yaml_node *version,
                       const struct translation *translation)
{
    struct buffer shown = {0};
    if (!translation_write(translation, true, &shown))
        buffer_clear(&shown); /* nobody wants to see that much */
    char *text = mem_format("Only format versions higher than or equal to 3.0 is supported. Was "
                            "version %s, that of StateFun 2.x: expected one document with 'kind' "
                            "and 'spec' for each endpoint, ingress and egress%s (and functions "
                            "of a 3.x SDK), as 'statefun migrate' prints it",
                            version->text, shown.size ? ", as below" : "");
    diagnostics_add_shown(reader->diagnostics, SEVERITY_ERROR, version->place.file,
                          version->place.line, version->place.column,
                          shown.size ? buffer_text(&shown) : NULL, text);
    free(text);
    buffer_destroy(&shown);
}

void components_read(struct reader *reader, const struct yaml_stream *stream,
                     struct component_tally *tally)
{
    const struct yaml_node *old = old_format_find(stream);
    tally->is_unsure |= !stream->is_whole;
    if (!old) {
        for (size_t i = 0; i < stream->document_count; i++)
            read_component(reader, stream->documents[i], tally);
        return;
    }

    struct translation translation;
    tally->is_unsure |= !old_format_translate(reader, old, &translation) || !translation.is_current;
    if (!translation.is_current)
        report_old(reader, yaml_find(old, "version")->value, &translation);
    for (size_t i = 0; translation.is_current && i < translation.count; i++)
        read_component(reader, translation.items[i].component, tally);
}
