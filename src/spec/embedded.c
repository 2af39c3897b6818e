/* embedded.c - io.statefun.embedded.v1/functions: what module.yaml says of functions that embedded
 * modules bind. An extension: upstream has no such kind. */
#include "spec/component.h"
#include "spec/failures.h"

static bool is_bound(const struct reader *reader, const struct spec_name *functions)
{
    for (size_t i = 0; i < reader->libraries.count; i++) {
        const struct library_name *name = &reader->libraries.items[i];
        size_t ns = strlen(functions->ns);
        if (name->what == LIBRARY_FUNCTION && !strncmp(name->name, functions->ns, ns) &&
            name->name[ns] == '/' && !strcmp(name->name + ns + 1, functions->name))
            return true;
    }
    return false;
}

/* `functions`: as a module binds them, so that "a/b*" is another binding than "a/b". */
static bool read_functions(struct reader *reader, const struct property *property,
                           const struct yaml_node *node, void *to)
{
    struct embedded_spec *embedded = to;
    embedded->place = node->place;
    if (!name_read(reader, property, node, &embedded->functions))
        return false;
    if (is_bound(reader, &embedded->functions))
        return true;
    struct buffer bound = {0};
    for (size_t i = 0; i < reader->libraries.count; i++)
        if (reader->libraries.items[i].what == LIBRARY_FUNCTION)
            buffer_add_format(&bound, "%s%s", bound.size ? ", " : "",
                              reader->libraries.items[i].name);
    reader_error(reader, &node->place,
                 "'%s': expected functions as an embedded module binds them (%s), found %s",
                 property->key, bound.size ? buffer_text(&bound) : "there is no such module",
                 yaml_describe(node).text);
    buffer_destroy(&bound);
    return false;
}

#define EMBEDDED(member) offsetof(struct embedded_spec, member)

static const struct property properties[] = {
    PROPERTY("functions", read_functions, 0, .required = true),
    PROPERTY("failures", failures_read, EMBEDDED(failures), .required = true),
};

void embedded_functions_read(struct reader *reader, const struct yaml_node *spec)
{
    struct application *application = reader->application;
    struct embedded_spec embedded = {0};
    if (!object_read(reader, spec, reader->kind, properties, COUNT_OF(properties), &embedded))
        return;
    for (size_t i = 0; i < application->embedded_count; i++) {
        const struct embedded_spec *other = &application->embedded[i];
        if (!strcmp(other->functions.ns, embedded.functions.ns) &&
            !strcmp(other->functions.name, embedded.functions.name)) {
            reader_error(reader, &embedded.place,
                         "the functions %s/%s are described twice: expected once, found them at "
                         "%s:%u:%u too",
                         other->functions.ns, other->functions.name, other->place.file,
                         other->place.line, other->place.column);
            return;
        }
    }
    application->embedded =
        reader_room(reader, application->embedded, application->embedded_count, sizeof embedded);
    application->embedded[application->embedded_count++] = embedded;
}
