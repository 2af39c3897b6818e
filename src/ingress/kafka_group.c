/* kafka_group.c - what the ingress has to do with its consumer group: it may begin where the group
 * is, and it tells the group how far it is, so that lag can be watched with everybody's tools.
 *
 * The ingress is no member. With librdkafka 2.0.2, a client cannot be closed while a commit waits
 * for the group's coordinator: it spins instead. So nothing is told before the coordinator has
 * answered once, nor during an outage, and what is under way is waited for. (An administrator's
 * request for the same aborts the process when it times out.) */
#include "ingress/kafka_inside.h"

#include "base/histogram.h"
#include "base/log.h"

enum {
    ASK_MS = 2000,
    TELL_MS = 1000, /* between two tellings */
    LEAVE_MS = 2500 /* KAFKA_GROUP_PATIENCE_MS and a bit */
};

static uint64_t now_ms(void)
{
    return clock_now_us() / 1000;
}

static bool has_group(const struct kafka_ingress *ingress)
{
    return ingress->spec->group && *ingress->spec->group;
}

rd_kafka_resp_err_t kafka_group_ask(struct kafka_ingress *ingress,
                                    rd_kafka_topic_partition_list_t *list)
{
    return has_group(ingress) ? rd_kafka_committed(ingress->client, list, ASK_MS)
                              : RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* --- telling --- */

/* The feeds' new offsets; NULL if there are none. */
static rd_kafka_topic_partition_list_t *news(struct kafka_ingress *ingress)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)ingress->all_count);
    for (size_t i = 0; i < ingress->all_count; i++) {
        struct kafka_feed *feed = ingress->all[i];
        int64_t durable = atomic_load_explicit(&feed->durable, memory_order_acquire);
        if (durable < 0 || durable == feed->told)
            continue;
        feed->told = durable;
        rd_kafka_topic_partition_list_add(list, feed->topic->spec->topic, feed->partition)->offset =
            durable;
    }
    if (list->cnt)
        return list;
    rd_kafka_topic_partition_list_destroy(list);
    return NULL;
}

/* For monitoring only: nothing depends on it. */
static void on_told(struct kafka_ingress *ingress, rd_kafka_resp_err_t error)
{
    struct kafka_group *group = &ingress->group;
    if (error && !group->has_failed)
        log_warn("the consumer group cannot be told how far the ingress is",
                 LOG_TEXT("ingress", ingress->id), LOG_TEXT("group", ingress->spec->group),
                 LOG_TEXT("reason", rd_kafka_err2str(error)));
    group->has_failed = error != 0;
    for (size_t i = 0; error && i < ingress->all_count; i++)
        ingress->all[i]->told = -1; /* all once more */
}

void kafka_group_on_told(rd_kafka_t *client, rd_kafka_resp_err_t error,
                         rd_kafka_topic_partition_list_t *offsets, void *outage)
{
    struct kafka_ingress *ingress = container_of(outage, struct kafka_ingress, outage);
    (void)client;
    ingress->group.is_told = false;
    for (int i = 0; !error && offsets && i < offsets->cnt; i++)
        error = offsets->elems[i].err;
    on_told(ingress, error);
}

/* Asks, and so finds the coordinator: only then is there somebody to tell. */
static rd_kafka_resp_err_t find_coordinator(struct kafka_ingress *ingress,
                                            const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_topic_partition_list_t *asked = rd_kafka_topic_partition_list_copy(list);
    rd_kafka_resp_err_t error = kafka_group_ask(ingress, asked);
    rd_kafka_topic_partition_list_destroy(asked);
    ingress->group.is_there = !error;
    return error;
}

void kafka_group_tell(struct kafka_ingress *ingress)
{
    struct kafka_group *group = &ingress->group;
    if (!has_group(ingress) || group->is_told || now_ms() < group->next_ms)
        return;
    if (atomic_load(&ingress->outage.is_out)) {
        group->is_there = false;
        return;
    }
    group->next_ms = now_ms() + TELL_MS;
    rd_kafka_topic_partition_list_t *list = news(ingress);
    if (!list)
        return;
    rd_kafka_resp_err_t error =
        group->is_there ? RD_KAFKA_RESP_ERR_NO_ERROR : find_coordinator(ingress, list);
    pthread_mutex_lock(&ingress->lock);
    if (!error && !ingress->is_stopped) {
        error = rd_kafka_commit(ingress->client, list, true);
        group->is_told = !error;
    }
    pthread_mutex_unlock(&ingress->lock);
    if (error)
        on_told(ingress, error);
    rd_kafka_topic_partition_list_destroy(list);
}

void kafka_group_leave(struct kafka_ingress *ingress)
{
    for (uint64_t end_ms = now_ms() + LEAVE_MS; ingress->group.is_told && now_ms() < end_ms;)
        (void)rd_kafka_poll(ingress->client, 50);
}
