/* egress_rig.c - see egress_rig.h. */
#include "kafka/egress_rig.h"

#include "base/histogram.h"
#include "kafka/broker.h"
#include "test.h"
#include "wire/protobuf.h"
#include "wire/typed_value.h"

#include <stdio.h>
#include <unistd.h>

enum { WAIT_MS = 60 * 1000, TURN_US = 2000 };

uint64_t now_ms(void)
{
    return clock_now_us() / 1000;
}

/* --- what the egress tells --- */

static void on_put(void *owner)
{
    struct rig *rig = owner;
    if (rig->egress)
        kafka_egress_wake(rig->egress);
}

static void on_confirmed(void *owner, uint32_t egress, uint64_t epoch)
{
    struct rig *rig = owner;
    assert_int_equal(egress, STORED_EGRESS);
    pthread_mutex_lock(&rig->lock);
    if (!rig->first_confirmed)
        rig->first_confirmed = epoch;
    assert_true(epoch > rig->confirmed || epoch == rig->first_confirmed);
    rig->confirmed = epoch;
    pthread_mutex_unlock(&rig->lock);
}

static void on_dead(void *owner, uint32_t egress, struct bytes record_key,
                    const struct dead_letter *letter)
{
    struct rig *rig = owner;
    struct key key;
    assert_int_equal(egress, STORED_EGRESS);
    assert_true(key_parse(record_key, &key) && key.kind == KEY_OUTBOX);
    assert_true(bytes_is(letter->egress, STORED_EGRESS_ID));
    assert_true(letter->value.size > 0);
    pthread_mutex_lock(&rig->lock);
    assert_true(rig->dead < sizeof rig->causes / sizeof *rig->causes);
    rig->causes[rig->dead++] = bytes_string(letter->cause);
    pthread_mutex_unlock(&rig->lock);
    if (rig->dead_takes_ms)
        usleep((unsigned)rig->dead_takes_ms * 1000);
    rig->dead_takes_ms = 0;
}

static void on_hungry(void *owner, uint32_t egress, bool hungry)
{
    struct rig *rig = owner;
    (void)egress;
    pthread_mutex_lock(&rig->lock);
    assert_true(hungry != rig->is_hungry);
    rig->is_hungry = hungry;
    rig->hungry_changes++;
    pthread_mutex_unlock(&rig->lock);
}

static void on_fatal(void *owner, uint32_t egress, const struct sf_status *status)
{
    struct rig *rig = owner;
    (void)egress;
    pthread_mutex_lock(&rig->lock);
    assert_int_equal(rig->fatal.code, SF_OK); /* once only */
    rig->fatal = *status;
    pthread_mutex_unlock(&rig->lock);
}

/* --- life --- */

struct rig *rig_new(enum kafka_delivery delivery, const char *address)
{
    struct rig *rig = mem_new(sizeof *rig);
    rig->stored = stored_new();
    rig->application = mem_string(broker_new_name("app"));
    rig->store_id = "0123456789abcdef";
    rig->memory_bytes_max = 64 << 20;
    rig->properties[0] = (struct client_property){.name = "partitioner", .value = "murmur2_random"};
    rig->spec = (struct kafka_egress_spec){
        .id = {"test", "out"},
        .address = (char *)address,
        .delivery = delivery,
        .transaction_timeout_ms = 60000,
        .properties = {rig->properties, 1},
    };
    pthread_mutex_init(&rig->lock, NULL);
    return rig;
}

void rig_start(struct rig *rig)
{
    struct sf_status status;
    struct outbox_reader reader = stored_reader(rig->stored);
    rig->outbox =
        outbox_new(STORED_EGRESS, STORED_EGRESS_ID, rig->memory_bytes_max, &reader, on_put, rig);
    rig->confirmed = rig->first_confirmed = 0;
    rig->is_hungry = false;
    struct kafka_egress_options options = {
        .spec = &rig->spec,
        .egress = STORED_EGRESS,
        .application = rig->application,
        .store_id = rig->store_id,
        .committed = rig->committed,
        .outbox = rig->outbox,
        .owner = rig,
        .on_confirmed = on_confirmed,
        .on_dead = on_dead,
        .on_hungry = on_hungry,
        .on_fatal = on_fatal,
    };
    struct kafka_egress *egress;
    assert_good(kafka_egress_open(&options, &egress, &status), &status);
    rig->egress = egress;
}

void rig_stop(struct rig *rig)
{
    kafka_egress_stop(rig->egress, 0);
    kafka_egress_close(rig->egress);
    rig->egress = NULL;
    outbox_free(rig->outbox);
    rig->outbox = NULL;
}

void rig_free(struct rig *rig)
{
    if (rig->egress)
        rig_stop(rig);
    for (size_t i = 0; i < rig->dead; i++)
        free(rig->causes[i]);
    stored_free(rig->stored);
    free((char *)rig->application);
    pthread_mutex_destroy(&rig->lock);
    free(rig);
}

/* --- committing --- */

static void add_record(struct buffer *record, const char *topic, const char *key,
                       struct bytes value)
{
    if (*key)
        pb_add_bytes(record, 1, bytes_of(key));
    pb_add_bytes(record, 2, value);
    pb_add_bytes(record, 3, bytes_of(topic));
}

static void commit(struct rig *rig, const struct bytes *values, size_t count)
{
    struct delta *part = stored_part(rig->stored, 0, ++rig->committed, values, count);
    stored_commit(rig->stored, part, true);
    rig->records += count;
    if (rig->outbox)
        outbox_put(rig->outbox, rig->committed, &part, 1);
    delta_unref(part);
}

void rig_put(struct rig *rig, const char *topic, const char *key, struct bytes value)
{
    struct buffer record = {0};
    add_record(&record, topic, key, value);
    struct bytes bytes = buffer_bytes(&record);
    commit(rig, &bytes, 1);
    buffer_destroy(&record);
}

void rig_put_text(struct rig *rig, const char *topic, const char *key, const char *value)
{
    rig_put(rig, topic, key, bytes_of(value));
}

void rig_put_with_headers(struct rig *rig, const char *topic, const char *value,
                          const char *const *headers)
{
    struct buffer record = {0};
    add_record(&record, topic, "", bytes_of(value));
    for (; *headers; headers += 2)
        header_add(&record, &(struct header){bytes_of(headers[0]), bytes_of(headers[1])});
    struct bytes bytes = buffer_bytes(&record);
    commit(rig, &bytes, 1);
    buffer_destroy(&record);
}

void rig_put_numbers(struct rig *rig, const char *topic, size_t count, unsigned keys)
{
    struct buffer *records = mem_new(count * sizeof *records);
    struct bytes *values = mem_new(count * sizeof *values);
    for (size_t i = 0; i < count; i++) {
        char key[32], value[32];
        snprintf(key, sizeof key, "key%zu", (rig->records + i) % keys);
        snprintf(value, sizeof value, "%zu", rig->records + i);
        add_record(&records[i], topic, key, bytes_of(value));
        values[i] = buffer_bytes(&records[i]);
    }
    commit(rig, values, count);
    for (size_t i = 0; i < count; i++)
        buffer_destroy(&records[i]);
    free(records);
    free(values);
}

/* --- waiting --- */

static bool never_mind_fatal;

static void wait_for(struct rig *rig, bool (*is_there)(struct rig *rig, uint64_t number),
                     uint64_t number, const char *what)
{
    uint64_t until = now_ms() + WAIT_MS;
    for (;;) {
        pthread_mutex_lock(&rig->lock);
        bool done = is_there(rig, number);
        bool is_fatal = rig->fatal.code != SF_OK && !never_mind_fatal;
        uint64_t confirmed = rig->confirmed;
        pthread_mutex_unlock(&rig->lock);
        if (done)
            return;
        if (is_fatal)
            fail_msg("the egress ended: %s", rig->fatal.message);
        if (now_ms() > until)
            fail_msg("waited for %s %llu in vain; confirmed %llu, dead %zu", what,
                     (unsigned long long)number, (unsigned long long)confirmed, rig->dead);
        usleep(TURN_US);
    }
}

static bool is_confirmed(struct rig *rig, uint64_t epoch)
{
    return rig->confirmed >= epoch;
}

static bool is_dead(struct rig *rig, uint64_t count)
{
    return rig->dead >= count;
}

static bool is_fatal(struct rig *rig, uint64_t number)
{
    (void)number;
    return rig->fatal.code != SF_OK;
}

static bool is_hungry(struct rig *rig, uint64_t number)
{
    (void)number;
    return rig->is_hungry;
}

void rig_wait_confirmed(struct rig *rig, uint64_t epoch)
{
    wait_for(rig, is_confirmed, epoch, "epoch");
}

void rig_wait_all(struct rig *rig)
{
    rig_wait_confirmed(rig, rig->committed);
}

void rig_wait_dead(struct rig *rig, size_t count)
{
    wait_for(rig, is_dead, count, "dead letter");
}

void rig_wait_fatal(struct rig *rig)
{
    never_mind_fatal = true;
    wait_for(rig, is_fatal, 0, "a fatal error");
    never_mind_fatal = false;
}

void rig_wait_hungry(struct rig *rig)
{
    wait_for(rig, is_hungry, 0, "hunger");
}

/* --- topics --- */

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char message[256];
    if (rd_kafka_conf_set(conf, name, value, message, sizeof message) != RD_KAFKA_CONF_OK)
        fail_msg("%s", message);
}

static rd_kafka_t *client_new(rd_kafka_type_t type, const char *address, const char *isolation)
{
    char message[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", address);
    set(conf, "log_level", "0");
    if (type == RD_KAFKA_CONSUMER) {
        set(conf, "group.id", "reader");
        set(conf, "isolation.level", isolation);
        set(conf, "enable.partition.eof", "true");
        set(conf, "enable.auto.commit", "false");
    }
    rd_kafka_t *client = rd_kafka_new(type, conf, message, sizeof message);
    if (!client)
        fail_msg("%s", message);
    return client;
}

static rd_kafka_topic_partition_list_t *partitions_of(rd_kafka_t *client, const char *topic)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);
    if (rd_kafka_metadata(client, 0, handle, &metadata, 10000))
        fail_msg("no metadata of %s", topic);
    for (int i = 0; i < metadata->topics[0].partition_cnt; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    return list;
}

static int64_t end_of(rd_kafka_t *client, const char *topic, int32_t partition)
{
    int64_t low, high;
    if (rd_kafka_query_watermark_offsets(client, topic, partition, &low, &high, 10000))
        fail_msg("no offsets of %s", topic);
    return high;
}

/* A commit is answered before its markers are written; until then its records cannot be seen. */
static void wait_for_markers(rd_kafka_t *client, const char *address,
                             const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_t *all = client_new(RD_KAFKA_CONSUMER, address, "read_uncommitted");
    uint64_t until = now_ms() + WAIT_MS;
    for (int i = 0; i < list->cnt; i++)
        while (end_of(client, list->elems[i].topic, i) < end_of(all, list->elems[i].topic, i)) {
            if (now_ms() > until)
                fail_msg("a transaction stays open in %s", list->elems[i].topic);
            usleep(TURN_US);
        }
    rd_kafka_destroy(all);
}

static char *headers_of(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    struct buffer text = {0};
    const char *name;
    const void *value;
    size_t size;
    if (!rd_kafka_message_headers(message, &headers))
        for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &size); i++)
            buffer_add_format(&text, "%s%s=%.*s", i ? " " : "", name, (int)size,
                              value ? (const char *)value : "(null)");
    return buffer_text(&text);
}

void topic_read(const char *address, const char *topic, struct topic_view *ret_view)
{
    rd_kafka_t *client = client_new(RD_KAFKA_CONSUMER, address, "read_committed");
    rd_kafka_topic_partition_list_t *list = partitions_of(client, topic);
    wait_for_markers(client, address, list);
    size_t capacity = 1024;
    *ret_view = (struct topic_view){.records = mem_new(capacity * sizeof(struct seen))};
    assert_int_equal(rd_kafka_assign(client, list), 0);
    int ended = 0;
    uint64_t until = now_ms() + WAIT_MS;
    while (ended < list->cnt) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, 100);
        if (now_ms() > until)
            fail_msg("topic %s cannot be read to its end", topic);
        if (!message)
            continue;
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            ended++;
        } else if (!message->err) {
            if (ret_view->count == capacity)
                ret_view->records =
                    mem_resize(ret_view->records, (capacity *= 2) * sizeof(struct seen));
            ret_view->records[ret_view->count++] =
                (struct seen){bytes_string(bytes_make(message->payload, message->len)),
                              headers_of(message), message->partition};
        }
        rd_kafka_message_destroy(message);
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
}

void topic_view_free(struct topic_view *view)
{
    for (size_t i = 0; i < view->count; i++) {
        free(view->records[i].value);
        free(view->records[i].headers);
    }
    free(view->records);
}

void expect_numbers(const char *address, const char *topic, size_t count, unsigned keys)
{
    struct topic_view view;
    topic_read(address, topic, &view);
    bool *found = mem_new(count);
    long *last = mem_new(keys * sizeof *last);
    for (unsigned i = 0; i < keys; i++)
        last[i] = -1;
    for (size_t i = 0; i < view.count; i++) {
        long number = strtol(view.records[i].value, NULL, 10);
        assert_true(number >= 0 && (size_t)number < count);
        if (found[number])
            fail_msg("%ld arrived twice", number);
        found[number] = true;
        if (number <= last[number % keys])
            fail_msg("%ld arrived after %ld", number, last[number % keys]);
        last[number % keys] = number;
    }
    for (size_t i = 0; i < count; i++)
        if (!found[i])
            fail_msg("%zu is missing (%zu of %zu arrived)", i, view.count, count);
    free(found);
    free(last);
    topic_view_free(&view);
}

void expect_texts(const char *address, const char *topic, const char *texts)
{
    struct topic_view view;
    struct buffer found = {0};
    topic_read(address, topic, &view);
    for (size_t i = 0; i < view.count; i++)
        if (view.records[i].partition == 0)
            buffer_add_format(&found, "%s%s", i ? " " : "", view.records[i].value);
    assert_string_equal(buffer_text(&found), texts);
    buffer_destroy(&found);
    topic_view_free(&view);
}

void topic_create(const char *address, const char *topic, int partitions,
                  const char *const *settings)
{
    char message[256];
    rd_kafka_t *client = client_new(RD_KAFKA_PRODUCER, address, NULL);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_NewTopic_t *made =
        rd_kafka_NewTopic_new(topic, partitions, 1, message, sizeof message);
    for (; settings && *settings; settings++) {
        char *name = mem_string(*settings), *equals = strchr(name, '=');
        *equals = '\0';
        assert_int_equal(rd_kafka_NewTopic_set_config(made, name, equals + 1), 0);
        free(name);
    }
    rd_kafka_CreateTopics(client, &made, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 20000);
    assert_non_null(event);
    assert_int_equal(rd_kafka_event_error(event), 0);
    rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy(made);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(client);
}

/* --- a broker of one's own --- */

/* Of the broker that a failed test has left behind. */
static char running[64];

static void run(const char *format, const char *first, const char *second, const char *third)
{
    char *tool = mem_string(__FILE__), *command;
    *strstr(tool, "tests/kafka/egress_rig.c") = '\0';
    char *arguments = mem_format("%s --dir %s %s", first, second, third);
    command = mem_format(format, tool, arguments);
    if (system(command))
        fail_msg("%s", command);
    free(command);
    free(arguments);
    free(tool);
}

void own_broker_start(struct own_broker *broker, const char *settings)
{
    snprintf(broker->directory, sizeof broker->directory, "/tmp/statefun-kafka-XXXXXX");
    assert_non_null(mkdtemp(broker->directory));
    memcpy(running, broker->directory, sizeof running);
    run("%stools/kafka-broker %s --mortal >/dev/null", "start", broker->directory, settings);
    char *path = mem_format("%s/address", broker->directory);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(broker->address, sizeof broker->address, file));
    broker->address[strcspn(broker->address, "\n")] = '\0';
    fclose(file);
    free(path);
}

void own_broker_do(struct own_broker *broker, const char *command)
{
    run("%stools/kafka-broker %s >/dev/null", command, broker->directory, "");
}

void own_broker_clean(void)
{
    if (!*running)
        return;
    run("%stools/kafka-broker %s >/dev/null", "kill", running, "");
    char *command = mem_format("rm -rf %s", running);
    assert_int_equal(system(command), 0);
    free(command);
    *running = '\0';
}

void own_broker_end(struct own_broker *broker)
{
    assert_string_equal(broker->directory, running);
    own_broker_clean();
}
