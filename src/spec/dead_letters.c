/* dead_letters.c - one object of few properties. */
#include "spec/dead_letters.h"

const char dead_letters_misplaced[] =
    "dead letters of the whole application go by an egress: expected it in the spec of a Kafka or "
    "Kinesis egress";
const char handling_misplaced[] =
    "it is about records that come in: expected it in the spec of a Kafka ingress (what an egress "
    "cannot deliver becomes a dead letter)";

bool dead_letters_read(struct reader *reader, const char *key, const struct yaml_node *node,
                       const struct property *properties, size_t count, const char *expected,
                       struct dead_letters_spec *ret_letters)
{
    struct dead_letters_draft draft = {.keeps = true};
    if (!reader_expect_kind(reader, key, node, YAML_OBJECT, expected) ||
        !object_read(reader, node, key, properties, count, &draft))
        return false;
    *ret_letters = (struct dead_letters_spec){draft.to, !draft.keeps, draft.format, node->place};
    return true;
}

static bool is_free(struct reader *reader, const struct dead_letters_spec *letters,
                    const struct dead_letters_spec *others)
{
    return !others->to ||
           reader_error(reader, &letters->place,
                        "dead letters go to one egress: expected 'deadLetters' once, found them at "
                        "%s:%u too",
                        others->place.file, others->place.line);
}

bool dead_letters_check(struct reader *reader, const struct dead_letters_spec *letters)
{
    const struct application *application = reader->application;
    for (size_t i = 0; letters->to && i < application->kafka_egress_count; i++)
        if (!is_free(reader, letters, &application->kafka_egresses[i].dead_letters))
            return false;
    for (size_t i = 0; letters->to && i < application->kinesis_egress_count; i++)
        if (!is_free(reader, letters, &application->kinesis_egresses[i].dead_letters))
            return false;
    return true;
}
