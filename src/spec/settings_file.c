/* settings_file.c - the configuration file: a flat map in YAML, like flink-conf.yaml, which may
 * hold the keys of Flink that people had there. Nested maps are the same with dots. */
#include "spec/settings_inside.h"

#include "base/mem.h"
#include "spec/suggest.h"
#include "spec/yaml.h"

/* Keys that mean something to upstream, or to Flink under it, and what is so instead. A name stands
 * for itself and all that begins with it and '.' or '-'. */
static const struct {
    const char *name, *instead;
} foreign_keys[] = {
    {"statefun.flink-job-name", "the application's name is statefun.application"},
    {"statefun.feedback.memory.size", "messages that wait have statefun.backlog.memory"},
    {"statefun.message", "messages are kept as they come"},
    {"statefun.remote.module-name", "modules are named on the command line"},
    {"statefun.embedded", "there is no class path"},
    {"execution.checkpointing",
     "there are no checkpoints, every change is committed: see statefun.commit.interval"},
    {"execution.savepoint", "there are no savepoints"},
    {"execution", "there is no Flink job"},
    {"state", "state lives in the data directory, statefun.data"},
    {"taskmanager.state", "state lives in the data directory, statefun.data"},
    {"restart-strategy", "a crash is recovered from by starting again, exactly where it was"},
    {"parallelism.default", "the number of threads is statefun.workers"},
    {"taskmanager.numberOfTaskSlots", "the number of threads is statefun.workers"},
    {"taskmanager", "there are no task managers; memory has limits of its own, statefun.*.memory"},
    {"jobmanager", "there is no job manager"},
    {"rest", "the address for that is statefun.admin"},
    {"web", "the address for that is statefun.admin"},
    {"metrics", "metrics are served in Prometheus' format at statefun.admin"},
    {"io.tmp.dirs", "files are in the data directory, statefun.data"},
    {"high-availability", "there is no cluster"},
    {"zookeeper", "there is no cluster"},
    {"kubernetes", "there is no cluster"},
    {"yarn", "there is no cluster"},
    {"cluster", "there is no cluster"},
    {"heartbeat", "there is no cluster"},
    {"akka", "there is no cluster"},
    {"blob", "there is no cluster"},
    {"historyserver", "there is no cluster"},
    {"queryable-state", "the commands show state"},
    {"classloader", "there is no class path"},
    {"pipeline", "there is no Flink job"},
    {"table", "there is no Flink job"},
    {"python", "there is no Flink job"},
    {"env", "there is no Java process"},
    {"security", "what a client needs stands in the 'properties' of its ingress or egress"},
    {"fs", "files are read from the local file system"},
    {"s3", "files are read from the local file system"},
};

static const char *foreign_instead(const char *key)
{
    for (size_t i = 0; i < sizeof foreign_keys / sizeof *foreign_keys; i++) {
        size_t size = strlen(foreign_keys[i].name);
        if (!strncmp(key, foreign_keys[i].name, size) &&
            (!key[size] || key[size] == '.' || key[size] == '-'))
            return foreign_keys[i].instead;
    }
    return NULL;
}

struct file_reader {
    struct settings *settings;
    const char *file;
    struct name_map seen; /* key with dots -> where it stands */
    struct diagnostics *diagnostics;
};

#define REPORT(reader, severity, place, ...)                                                       \
    diagnostics_add((reader)->diagnostics, severity, (place)->file, (place)->line,                 \
                    (place)->column, __VA_ARGS__)

static void report_unknown(const struct file_reader *reader, const char *key,
                           const struct spec_place *place)
{
    struct suggestion suggestion = suggestion_for(key);
    for (int i = 0; i < SETTINGS_COUNT; i++)
        suggestion_offer(&suggestion, setting_infos[i].name);
    REPORT(reader, SEVERITY_ERROR, place, "unknown setting %s%s", text_quoted(key).text,
           suggestion_hint(&suggestion).text);
}

static void read_setting(const struct file_reader *reader, enum setting setting,
                         const struct yaml_node *node)
{
    struct sf_status status;
    const char *name = setting_infos[setting].name;
    if (node->kind == YAML_BROKEN)
        return;
    if (!node->text || node->kind == YAML_NULL)
        REPORT(reader, SEVERITY_ERROR, &node->place, "'%s': expected a value, found %s", name,
               yaml_kind_name(node));
    else if (!settings_set(reader->settings, setting, node->text, reader->file, &status))
        REPORT(reader, SEVERITY_ERROR, &node->place, "'%s': expected %s, found %s", name,
               status.message,
               setting_infos[setting].type == SETTING_SECRET ? "something else"
                                                             : yaml_describe(node).text);
}

/* A key that is no setting: kept, for whoever looks it up. */
static void keep_other(const struct file_reader *reader, const char *key,
                       const struct yaml_entry *entry)
{
    const char *instead = foreign_instead(key);
    bool is_ours = !strncmp(key, "statefun.", strlen("statefun."));
    if (instead)
        REPORT(reader, SEVERITY_WARNING, &entry->key_place, "%s has no meaning here: %s",
               text_quoted(key).text, instead);
    else if (is_ours && strncmp(key, GLOBAL_CONFIG_PREFIX, strlen(GLOBAL_CONFIG_PREFIX)) != 0)
        report_unknown(reader, key, &entry->key_place);

    if (entry->value->text) {
        struct name_map *others = &reader->settings->others;
        struct bytes with_nul = bytes_make(entry->value->text, strlen(entry->value->text) + 1);
        *name_map_slot(others, key) = arena_add_bytes(&others->arena, with_nul).data;
    }
}

static void read_object(struct file_reader *reader, const struct yaml_node *node,
                        const char *prefix);

static void read_entry(struct file_reader *reader, const char *key, const struct yaml_entry *entry)
{
    const struct yaml_node *node = entry->value;
    if (node->kind == YAML_OBJECT) {
        read_object(reader, node, key);
        return;
    }
    const void **slot = name_map_slot(&reader->seen, key);
    const struct spec_place *first = *slot;
    if (first) { /* once with dots, once nested */
        REPORT(reader, SEVERITY_ERROR, &entry->key_place,
               "the key %s stands here a second time: expected it once, found it at line %u too",
               text_quoted(key).text, first->line);
        return;
    }
    *slot = &entry->key_place;

    int setting = setting_of_name(key);
    if (setting >= 0)
        read_setting(reader, (enum setting)setting, node);
    else
        keep_other(reader, key, entry);
}

static void read_object(struct file_reader *reader, const struct yaml_node *node,
                        const char *prefix)
{
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_entry *entry = &node->entries[i];
        if (entry->is_duplicate)
            continue;
        char *key = prefix ? mem_format("%s.%s", prefix, entry->key) : mem_string(entry->key);
        read_entry(reader, key, entry);
        free(key);
    }
}

void settings_read_file(struct settings *settings, const char *file,
                        struct diagnostics *diagnostics)
{
    struct buffer text = {0};
    struct yaml_stream stream;
    struct file_reader reader = {.settings = settings, .file = file, .diagnostics = diagnostics};
    if (!yaml_file_read(file, &text, diagnostics)) {
        buffer_destroy(&text);
        return;
    }

    yaml_stream_init(&stream, file, buffer_bytes(&text), NULL, diagnostics);
    name_map_init(&reader.seen);
    for (size_t i = 0; i < stream.document_count; i++) {
        const struct yaml_node *document = stream.documents[i];
        if (i > 0 || document->kind != YAML_OBJECT)
            REPORT(&reader, SEVERITY_ERROR, &document->place,
                   "expected one document of 'key: value' lines, found %s",
                   i > 0 ? "another document" : yaml_kind_name(document));
        else
            read_object(&reader, document, NULL);
    }
    name_map_destroy(&reader.seen);
    yaml_stream_destroy(&stream);
    buffer_destroy(&text);
}
