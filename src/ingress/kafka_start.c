/* kafka_start.c - where a partition without a stored position begins.
 *
 * The start that module.yaml asks for is for partitions that were there when the ingress first read
 * their topic. What comes later begins at its earliest record, as upstream has it, for its first
 * records were written for us too. A run before this one may have ended before every partition had
 * its position stored. Kafka adds partitions at the end only, and they are handed out from the
 * highest down: one below a stored one was there from the first, too. */
#include "ingress/kafka_inside.h"

enum { ASK_MS = 2000 };

static struct kafka_start_point at(int64_t offset)
{
    return (struct kafka_start_point){KAFKA_BEGIN_AT, offset};
}

static struct kafka_start_point point(enum kafka_begin begin)
{
    return (struct kafka_start_point){begin, 0};
}

/* As module.yaml says. */
static struct kafka_start_point asked_for(const struct kafka_ingress_spec *spec, const char *topic,
                                          int32_t partition)
{
    switch (spec->start) {
    case KAFKA_START_EARLIEST:
        return point(KAFKA_BEGIN_EARLIEST);
    case KAFKA_START_LATEST:
        return point(KAFKA_BEGIN_LATEST);
    case KAFKA_START_DATE: /* before 1970 it would mean something else to Kafka */
        return point(spec->start_date_ms < 0 ? KAFKA_BEGIN_EARLIEST : KAFKA_BEGIN_DATE);
    case KAFKA_START_SPECIFIC_OFFSETS:
        for (size_t i = 0; i < spec->offset_count; i++)
            if (spec->offsets[i].partition == partition && !strcmp(spec->offsets[i].topic, topic))
                return at(spec->offsets[i].offset);
        break;
    case KAFKA_START_GROUP_OFFSETS:
        break;
    }
    return point(KAFKA_BEGIN_GROUP);
}

struct kafka_start_point kafka_start_point_of(const struct kafka_ingress_options *options,
                                              const char *topic, int32_t partition, bool is_late)
{
    bool was_first = options->position_count == 0;
    for (size_t i = 0; i < options->position_count; i++) {
        const struct kafka_position *position = &options->positions[i];
        if (strcmp(position->topic, topic))
            continue;
        if (position->partition == partition)
            return at(position->offset);
        was_first |= position->partition > partition;
    }
    return is_late || !was_first ? point(KAFKA_BEGIN_EARLIEST)
                                 : asked_for(options->spec, topic, partition);
}

/* --- asking the brokers --- */

/* ListOffsets has two instants of its own, for the ends of a partition. */
static int64_t question(enum kafka_begin begin, int64_t date_ms)
{
    switch (begin) {
    case KAFKA_BEGIN_EARLIEST:
        return RD_KAFKA_OFFSET_BEGINNING;
    case KAFKA_BEGIN_LATEST:
        return RD_KAFKA_OFFSET_END;
    case KAFKA_BEGIN_DATE:
        return date_ms;
    case KAFKA_BEGIN_GROUP:
    case KAFKA_BEGIN_AT:
        break;
    }
    return RD_KAFKA_OFFSET_INVALID;
}

#define BEGINS(name) (1u << KAFKA_BEGIN_##name)

/* The candidates of some kinds, with a question for each; the answers come in its place. */
static rd_kafka_topic_partition_list_t *list_of(const struct kafka_candidate *candidates,
                                                size_t count, unsigned begins, int64_t date_ms)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        enum kafka_begin begin = candidates[i].point.begin;
        if (begins & 1u << begin)
            rd_kafka_topic_partition_list_add(list, candidates[i].topic->spec->topic,
                                              candidates[i].partition)
                ->offset = question(begin, date_ms);
    }
    return list;
}

static const rd_kafka_topic_partition_t *find(rd_kafka_topic_partition_list_t *list,
                                              const struct kafka_candidate *candidate)
{
    const rd_kafka_topic_partition_t *found = rd_kafka_topic_partition_list_find(
        list, candidate->topic->spec->topic, candidate->partition);
    return found && !found->err ? found : NULL;
}

static rd_kafka_resp_err_t error_in(const rd_kafka_topic_partition_list_t *list,
                                    rd_kafka_resp_err_t error)
{
    for (int i = 0; !error && i < list->cnt; i++)
        error = list->elems[i].err;
    return error;
}

/* What the group has committed; where it has nothing, its reset policy decides. */
static rd_kafka_resp_err_t ask_group(struct kafka_ingress *ingress,
                                     struct kafka_candidate *candidates, size_t count)
{
    rd_kafka_topic_partition_list_t *list = list_of(candidates, count, BEGINS(GROUP), 0);
    rd_kafka_resp_err_t error = 0;
    if (list->cnt)
        error = kafka_group_ask(ingress, list);
    for (size_t i = 0; !error && i < count; i++) {
        struct kafka_start_point *asked = &candidates[i].point;
        if (asked->begin != KAFKA_BEGIN_GROUP)
            continue;
        const rd_kafka_topic_partition_t *found = find(list, &candidates[i]);
        if (found)
            *asked = found->offset >= 0                 ? at(found->offset)
                     : ingress->spec->reset_to_earliest ? point(KAFKA_BEGIN_EARLIEST)
                                                        : point(KAFKA_BEGIN_LATEST);
    }
    error = error_in(list, error);
    rd_kafka_topic_partition_list_destroy(list);
    return error;
}

/* The ends, and after them the dates: a record that is written between the two questions, and that
 * a date finds no more, lies behind the end that is known. */
static rd_kafka_resp_err_t ask_offsets(struct kafka_ingress *ingress,
                                       struct kafka_candidate *candidates, size_t count)
{
    rd_kafka_topic_partition_list_t *ends = list_of(
        candidates, count, BEGINS(EARLIEST) | BEGINS(LATEST) | BEGINS(DATE), RD_KAFKA_OFFSET_END);
    rd_kafka_topic_partition_list_t *dates =
        list_of(candidates, count, BEGINS(DATE), ingress->spec->start_date_ms);
    rd_kafka_resp_err_t error = 0;
    if (ends->cnt)
        error = rd_kafka_offsets_for_times(ingress->client, ends, ASK_MS);
    if (dates->cnt && !error && !kafka_ingress_is_stopped(ingress))
        error = rd_kafka_offsets_for_times(ingress->client, dates, ASK_MS);
    for (size_t i = 0; !error && i < count; i++) {
        struct kafka_start_point *asked = &candidates[i].point;
        bool has_date = asked->begin == KAFKA_BEGIN_DATE;
        const rd_kafka_topic_partition_t *end = find(ends, &candidates[i]);
        const rd_kafka_topic_partition_t *date = has_date ? find(dates, &candidates[i]) : NULL;
        if (date && date->offset >= 0)
            *asked = at(date->offset);
        else if (end && end->offset >= 0 && (date || !has_date))
            *asked = at(end->offset);
    }
    error = error_in(dates, error_in(ends, error));
    rd_kafka_topic_partition_list_destroy(ends);
    rd_kafka_topic_partition_list_destroy(dates);
    return error;
}

rd_kafka_resp_err_t kafka_start_resolve(struct kafka_ingress *ingress,
                                        struct kafka_candidate *candidates, size_t count)
{
    rd_kafka_resp_err_t error = ask_group(ingress, candidates, count);
    if (kafka_ingress_is_stopped(ingress))
        return error;
    rd_kafka_resp_err_t next = ask_offsets(ingress, candidates, count);
    return error ? error : next;
}
