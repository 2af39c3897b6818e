/* kinesis_ingress.c - a Kinesis ingress: its life and its positions. */
#include "ingress/kinesis_inside.h"

#include "wire/typed_value.h"

#include <assert.h>

bool kinesis_position_parse(struct bytes name, struct bytes value,
                            struct kinesis_position *ret_position, struct sf_status *status)
{
    const uint8_t *slash = name.size ? memchr(name.data, '/', name.size) : NULL;
    if (!slash || !value.size || !memchr("HLTAE", value.data[0], 5))
        return sf_fail(status, SF_CORRUPT, "the position of a shard is not one: '%.*s'",
                       BYTES_ARG(name));
    char *stream = bytes_string(name);
    stream[slash - name.data] = '\0';
    *ret_position = (struct kinesis_position){
        .stream = stream,
        .shard = stream + (slash - name.data) + 1,
        .text = bytes_string(value),
    };
    return true;
}

static struct kinesis_position *copy_positions(const struct kinesis_ingress_options *options)
{
    struct kinesis_position *positions = mem_new(options->position_count * sizeof *positions);
    for (size_t i = 0; i < options->position_count; i++) {
        const struct kinesis_position *from = &options->positions[i];
        size_t stream_size = strlen(from->stream) + 1, shard_size = strlen(from->shard) + 1;
        positions[i].stream = mem_new_raw(stream_size + shard_size);
        positions[i].shard = positions[i].stream + stream_size;
        memcpy(positions[i].stream, from->stream, stream_size);
        memcpy(positions[i].shard, from->shard, shard_size);
        positions[i].text = mem_string(from->text);
    }
    return positions;
}

void kinesis_batch_free(struct kinesis_batch *batch)
{
    if (!batch)
        return;
    buffer_destroy(&batch->bytes);
    free(batch->entries);
    free(batch);
}

/* --- life --- */

static void stream_init(struct kinesis_stream *stream, struct kinesis_ingress *ingress,
                        const struct kinesis_stream_spec *spec)
{
    *stream = (struct kinesis_stream){.ingress = ingress, .spec = spec};
    stream->trouble = (struct kinesis_trouble){.component = "ingress", .id = ingress->id};
    stream->targets = mem_new(spec->target_count * sizeof *stream->targets);
    for (size_t i = 0; i < spec->target_count; i++)
        stream->targets[i] = (struct record_target){.ns = bytes_of(spec->targets[i].ns),
                                                    .name = bytes_of(spec->targets[i].name)};
    typed_value_add(&stream->argument_head,
                    &(struct typed_value){.type = bytes_of(spec->value_type), .has_value = true});
}

static void stream_destroy(struct kinesis_stream *stream)
{
    for (size_t i = 0; i < stream->shard_count; i++)
        kinesis_shard_free(stream->shards[i]);
    free(stream->shards);
    free(stream->next_token);
    free(stream->targets);
    buffer_destroy(&stream->argument_head);
}

static struct kinesis_client_options client_options_of(const struct kinesis_ingress_spec *spec)
{
    return (struct kinesis_client_options){&spec->region, &spec->credentials, &spec->client};
}

bool kinesis_ingress_open(const struct kinesis_ingress_options *options,
                          struct kinesis_ingress **ret_ingress, struct sf_status *status)
{
    const struct kinesis_ingress_spec *spec = options->spec;
    struct kinesis_client_options client = client_options_of(spec);
    struct kinesis_ingress *ingress = mem_new(sizeof *ingress);
    ingress->spec = spec;
    ingress->options = *options;
    ingress->options.positions = copy_positions(options);
    ingress->id = mem_format("%s/%s", spec->id.ns, spec->id.name);
    list_init(&ingress->asked);
    pthread_mutex_init(&ingress->lock, NULL);
    ingress->streams = mem_new(spec->stream_count * sizeof *ingress->streams);
    for (size_t i = 0; i < spec->stream_count; i++)
        stream_init(&ingress->streams[i], ingress, &spec->streams[i]);

    if (!kinesis_client_new(&client, &ingress->client, status)) {
        kinesis_ingress_close(ingress);
        return false;
    }
    int error = pthread_create(&ingress->thread, NULL, kinesis_control_run, ingress);
    if (error) {
        kinesis_ingress_close(ingress);
        return sf_fail(status, SF_IO, "a thread: %s", strerror(error));
    }
    ingress->has_thread = true;
    *ret_ingress = ingress;
    return true;
}

void kinesis_ingress_stop(struct kinesis_ingress *ingress)
{
    if (!ingress->has_thread)
        return;
    pthread_mutex_lock(&ingress->lock);
    ingress->is_stopped = true;
    pthread_mutex_unlock(&ingress->lock);
    kinesis_client_wake(ingress->client);
    pthread_join(ingress->thread, NULL);
    ingress->has_thread = false;
}

void kinesis_ingress_close(struct kinesis_ingress *ingress)
{
    if (!ingress)
        return;
    kinesis_ingress_stop(ingress);
    for (size_t i = 0; i < ingress->spec->stream_count; i++)
        stream_destroy(&ingress->streams[i]);
    kinesis_client_free(ingress->client);
    for (size_t i = 0; i < ingress->options.position_count; i++) {
        free(ingress->options.positions[i].stream);
        free(ingress->options.positions[i].text);
    }
    free((void *)ingress->options.positions);
    pthread_mutex_destroy(&ingress->lock);
    free(ingress->streams);
    free(ingress->id);
    free(ingress);
}

bool kinesis_ingress_check(const struct kinesis_ingress_spec *spec, uint64_t timeout_ms,
                           struct sf_status *status)
{
    struct kinesis_client_options client = client_options_of(spec);
    for (size_t i = 0; i < spec->stream_count; i++)
        if (!kinesis_check(&client, spec->streams[i].stream, timeout_ms, status))
            return false;
    return true;
}
