/* playground.c - io.statefun.playground.v1/ingress and egress (module-yaml.md 8). */
#include "spec/component.h"

static const char *read_topic(struct reader *reader, const char *key, const struct yaml_node *node,
                              void *item)
{
    const struct property property = PROPERTY(key, NULL, 0);
    return text_read(reader, &property, node, item) ? *(char **)item : NULL;
}

static bool read_topics(struct reader *reader, const struct property *property,
                        const struct yaml_node *node, void *to)
{
    static const struct named_list list = {"a list of topics", sizeof(char *), read_topic};
    struct http_egress_spec *egress = to;
    return named_list_read(reader, property->key, node, &list, &egress->topics,
                           &egress->topic_count);
}

static const struct property ingress_properties[] = {
    PROPERTY("port", port_read, offsetof(struct http_ingress_spec, port), .required = true),
};

static const struct property egress_properties[] = {
    PROPERTY("id", name_read, offsetof(struct http_egress_spec, id)),
    PROPERTY("port", port_read, offsetof(struct http_egress_spec, port), .required = true),
    PROPERTY("topics", read_topics, 0, .required = true),
};

void playground_ingress_read(struct reader *reader, const struct yaml_node *spec)
{
    struct application *application = reader->application;
    struct http_ingress_spec ingress = {.place = spec->place};

    bool good =
        binding_put(reader, BINDING_INGRESS, "io.statefun.playground", "ingress", &spec->place);
    good &= object_read(reader, spec, reader->kind, ingress_properties,
                        COUNT_OF(ingress_properties), &ingress);
    if (!good)
        return;
    application->http_ingresses = reader_room(reader, application->http_ingresses,
                                              application->http_ingress_count, sizeof ingress);
    application->http_ingresses[application->http_ingress_count++] = ingress;
}

void playground_egress_read(struct reader *reader, const struct yaml_node *spec)
{
    struct application *application = reader->application;
    struct http_egress_spec egress = {.place = spec->place,
                                      .id = {"io.statefun.playground", "egress"}};

    bool good = object_read(reader, spec, reader->kind, egress_properties,
                            COUNT_OF(egress_properties), &egress);
    good &= binding_put(reader, BINDING_EGRESS, egress.id.ns, egress.id.name, &spec->place);
    if (good && application->http_egress_count)
        good = reader_error(reader, &spec->place,
                            "an application has one playground egress at most, found one at %s:%u "
                            "too",
                            application->http_egresses[0].place.file,
                            application->http_egresses[0].place.line);
    if (!good)
        return;
    application->http_egresses = reader_room(reader, application->http_egresses,
                                             application->http_egress_count, sizeof egress);
    application->http_egresses[application->http_egress_count++] = egress;
}
