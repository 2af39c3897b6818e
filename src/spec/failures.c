/* failures.c - when is it enough, and what then. */
#include "spec/failures.h"

#include "spec/value.h"

static const struct range attempts_range = {1, 1000 * 1000};
static const struct range within_range = {1, INT32_MAX};
static const struct choices end_choices = {
    {[FAILURES_RETRY] = "retry", [FAILURES_PARK] = "park", [FAILURES_DEAD_LETTER] = "deadLetter"},
    "retry, park or deadLetter",
};
static const struct choices resume_choices = {{"command", "recovery"}, "command or recovery"};

#define FAILURES(member) offsetof(struct failures_spec, member)

static const struct property failures_properties[] = {
    PROPERTY("attempts", count_read, FAILURES(attempts), .detail = &attempts_range),
    PROPERTY("within", duration_read, FAILURES(within_ms), .detail = &within_range),
    PROPERTY("then", choice_read, FAILURES(end), .detail = &end_choices, .required = true),
    PROPERTY("resume", choice_read, FAILURES(resumes), .detail = &resume_choices),
};

bool failures_read(struct reader *reader, const struct property *property,
                   const struct yaml_node *node, void *to)
{
    struct failures_spec *failures = to;
    if (!reader_expect_kind(reader, property->key, node, YAML_OBJECT,
                            "an object with attempts, within, then and resume") ||
        !object_read(reader, node, property->key, failures_properties,
                     COUNT_OF(failures_properties), failures))
        return false;
    bool has_limit = failures->attempts || failures->within_ms;
    if (failures->end != FAILURES_RETRY && !has_limit)
        return reader_error(reader, &node->place,
                            "'%s': expected 'attempts' or 'within' beside 'then', found neither: "
                            "when is it enough?",
                            property->key);
    if (failures->end == FAILURES_RETRY && has_limit)
        reader_warning(reader, &node->place,
                       "'attempts' and 'within' have no effect: 'then' is retry");
    const struct yaml_entry *resume = yaml_find(node, "resume");
    if (resume && failures->end != FAILURES_PARK)
        reader_warning(reader, &resume->key_place, "'resume' has no effect: 'then' is not park");
    return true;
}
