/* format_3_0.c - the elements of format "3.0" (module-yaml.md 11): they are components already, but
 * for the names of their kinds and the place of their id. */
#include "spec/old_format_inside.h"

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

static const struct yaml_node *translate_kind(struct reader *reader, const struct section *section,
                                              const struct yaml_node *kind)
{
    for (size_t i = 0; i < COUNT_OF(renamings); i++)
        if (!strcmp(renamings[i].item, section->item) && !strcmp(renamings[i].before, kind->text))
            return text_new(reader, &kind->place, renamings[i].now);
    return kind;
}

static bool translate_endpoint(struct reader *reader, const struct section *section,
                               const struct element *element, struct translation *translation)
{
    translation_add(reader, translation, element, translate_kind(reader, section, element->kind),
                    element->spec, NULL);
    return true;
}

static bool translate_io(struct reader *reader, const struct section *section,
                         const struct element *element, struct translation *translation)
{
    translation_add(reader, translation, element, translate_kind(reader, section, element->type),
                    spec_with_id(reader, element), NULL);
    return true;
}

/* Release 3.0.0 had them still; from 3.1 on upstream passes over them. */
static bool pass_over_router(struct reader *reader, const struct section *section,
                             const struct element *element, struct translation *translation)
{
    (void)section;
    (void)translation;
    reader_warning(reader, &element->place,
                   "a router has no effect: they ended with StateFun 3.0, an ingress names its "
                   "'targets' itself");
    return true;
}

const struct section format_3_0_sections[] = {
    {"endpoints", "endpoint", "an endpoint of format 3.0", META_KIND, translate_endpoint},
    {"ingresses", "ingress", "an ingress of format 3.0", META_TYPE | META_ID, translate_io},
    {"egresses", "egress", "an egress of format 3.0", META_TYPE | META_ID, translate_io},
    {"routers", "router", "a router of format 3.0", META_TYPE, pass_over_router},
    {0},
};
