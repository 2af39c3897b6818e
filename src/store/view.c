/* view.c - RocksDB, told to use little memory and to believe only what we hand it.
 *
 * Batches come in as whole files (SstFileWriter and ingestion) instead of through the write path:
 * sorted once, written once, never in a table in memory. Per put of 44 + 108 bytes, steady state, a
 * million keys, compaction included: 2.7 us and 32 MB resident, against 5.0 us and 66 MB for a
 * WriteBatch of the same sorted keys.
 *
 * The key of the epoch sorts before all others, so that each file begins with it. Its value is the
 * epoch (8 bytes) and the id of the data directory (32).
 *
 * A trim is a range delete. Trimmed keys are the front of a queue: one range that only grows, in
 * files that hold little else; iterators step over it as a whole, and compaction drops what lies
 * under it. */
#include "store/view.h"

#include "base/log.h"
#include "base/mem.h"
#include "engine/keys.h"

#include <assert.h>
#include <rocksdb/c.h>
#include <time.h>
#include <unistd.h>

enum {
    EPOCH_VALUE_BYTES = 8 + 32,
    READ_CACHE_ONLY = 1, /* kBlockCacheTier, which the C interface has no name for */

    /* A read copies a block out of the system's page cache, checks it and searches it, so a small
     * one is good; of larger ones there are fewer in the index, which is in memory. */
    BLOCK_BYTES = 4 * 1024,
    READAHEAD_BYTES = 64 * 1024, /* of each table that is merged; more saves no more */
    BLOOM_BITS = 12,
    TABLE_BYTES = 16 << 20,
    OPEN_FILES = 160, /* these cover 2.5 GB */

    /* Batches that are merged together, and how many may wait; a read asks the filter of each. */
    MERGED_BATCHES = 8,
    CROWDED_BATCHES = 16,
    /* Newer data may grow to twice the size of what it lies upon before all is merged into one. */
    NEWER_PERCENT_MAX = 200,
    /* A table in which so many of so many neighbours are removals is compacted before its time. */
    REMOVALS_WINDOW = 4096,
    REMOVALS_TRIGGER = 2048,

    MANIFEST_BYTES = 4 << 20
};

static const char epoch_key[] = {0, 'e', 'p', 'o', 'c', 'h'};

struct view {
    rocksdb_t *db;
    rocksdb_column_family_handle_t *family; /* the only one */
    char *batch_path;
    char id[33];
    uint64_t opened_epoch;

    rocksdb_options_t *options;
    rocksdb_options_t *batch_options;
    rocksdb_block_based_table_options_t *table_options;
    rocksdb_compactionfilter_t *filter;
    rocksdb_universal_compaction_options_t *universal;
    rocksdb_readoptions_t *reading;
    rocksdb_readoptions_t *trying; /* without any I/O */
    rocksdb_envoptions_t *env_options;
    rocksdb_ingestexternalfileoptions_t *ingest_options;

    rocksdb_sstfilewriter_t *writer; /* of the batch that is being written */
    char *error;                     /* the first one of that batch */
};

/* Turns RocksDB's text for an error into a status, and frees it. Its C interface has no codes. */
static bool fail(struct sf_status *status, const char *where, const char *what, char *error)
{
    enum sf_code code = SF_IO;
    if (strstr(error, "No space left on device") || strstr(error, "Disk quota exceeded"))
        code = SF_FULL;
    else if (!strncmp(error, "Corruption", strlen("Corruption")))
        code = SF_CORRUPT;
    sf_fail(status, code, "%s: cannot %s: %s", where, what, error);
    rocksdb_free(error);
    return false;
}

/* The view is the only readable form of what was committed: without it nobody may go on. */
static _Noreturn void die(const char *what, const char *error)
{
    log_error("the view cannot be read: committed state may be damaged", LOG_TEXT("call", what),
              LOG_TEXT("error", error));
    abort();
}

/* Called for each entry that a compaction keeps, on RocksDB's thread: true drops it. The coarse
 * clock is good for milliseconds and costs next to nothing. */
static unsigned char drops_expired(void *state, int level, const char *key, size_t key_size,
                                   const char *value, size_t value_size, char **new_value,
                                   size_t *new_size, unsigned char *changed)
{
    (void)state, (void)level, (void)new_value, (void)new_size, (void)changed;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return stored_is_expired(bytes_make(key, key_size), bytes_make(value, value_size),
                             (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

static const char *filter_name(void *state)
{
    (void)state;
    return "statefun.expired";
}

static void filter_destroy(void *state)
{
    (void)state;
}

/* Index and filter of a table stay in memory while it is open: 2.6 bytes a key where an entry takes
 * 80 (2.1 with blocks of 16 KB), so at most some 80 MB for OPEN_FILES tables. In the block cache,
 * in pieces, they took less, but a message for a new address, whose state every filter must deny,
 * cost 6 us more.
 *
 * There is no block cache: of a block one state is wanted, mostly, and the engine keeps that. It
 * cost a sixth of the time of a read, and took 9 MB. */
static void set_tables(struct view *view)
{
    rocksdb_block_based_table_options_t *tables = rocksdb_block_based_options_create();
    view->table_options = tables;
    rocksdb_block_based_options_set_no_block_cache(tables, 1);
    rocksdb_block_based_options_set_block_size(tables, BLOCK_BYTES);
    rocksdb_block_based_options_set_format_version(tables, 5);
    rocksdb_block_based_options_set_filter_policy(
        tables, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
    rocksdb_block_based_options_set_whole_key_filtering(tables, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(tables, 0);
    rocksdb_options_set_block_based_table_factory(view->options, tables);
    rocksdb_options_set_block_based_table_factory(view->batch_options, tables);
}

/* "Universal" compaction merges batches of like size, so that a change is rewritten about twice on
 * its way down, where levels of growing size would rewrite it five times: 3.4 us against 5.5 us a
 * change at 5 million keys. The price is disk: up to three times what is alive, and for the time of
 * a great merge that much again. Nothing is compressed: that alone would cost 0.4 us a change. */
static void set_compaction(struct view *view)
{
    rocksdb_options_t *options = view->options;
    view->universal = rocksdb_universal_compaction_options_create();
    rocksdb_universal_compaction_options_set_max_size_amplification_percent(view->universal,
                                                                            NEWER_PERCENT_MAX);
    rocksdb_options_set_compaction_style(options, rocksdb_universal_compaction);
    rocksdb_options_set_universal_compaction_options(options, view->universal);
    rocksdb_options_set_level0_file_num_compaction_trigger(options, MERGED_BATCHES);
    rocksdb_options_set_target_file_size_base(options, TABLE_BYTES);
    rocksdb_options_compaction_readahead_size(options, READAHEAD_BYTES);
    rocksdb_options_add_compact_on_deletion_collector_factory(options, REMOVALS_WINDOW,
                                                              REMOVALS_TRIGGER);
    view->filter =
        rocksdb_compactionfilter_create(NULL, filter_destroy, drops_expired, filter_name);
    rocksdb_options_set_compaction_filter(options, view->filter);
}

/* No statistics, no chatter, two threads. */
static void set_housekeeping(rocksdb_options_t *options)
{
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_max_background_jobs(options, 2);
    rocksdb_options_set_max_open_files(options, OPEN_FILES);
    rocksdb_options_set_write_buffer_size(options, 64 * 1024); /* never used */
    rocksdb_options_set_max_manifest_file_size(options, MANIFEST_BYTES);
    rocksdb_options_set_manifest_preallocation_size(options, 64 * 1024);
    rocksdb_options_set_info_log_level(options, 4); /* fatal: errors come back to us as texts */
    rocksdb_options_set_keep_log_file_num(options, 1);
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    rocksdb_options_set_stats_persist_period_sec(options, 0);
    rocksdb_options_set_skip_stats_update_on_db_open(options, 1);
}

static void set_options(struct view *view)
{
    view->options = rocksdb_options_create();
    view->batch_options = rocksdb_options_create();
    rocksdb_options_set_compression(view->options, rocksdb_no_compression);
    rocksdb_options_set_compression(view->batch_options, rocksdb_no_compression);
    set_housekeeping(view->options);
    set_compaction(view);
    set_tables(view);

    view->reading = rocksdb_readoptions_create();
    view->trying = rocksdb_readoptions_create();
    rocksdb_readoptions_set_read_tier(view->trying, READ_CACHE_ONLY);
    view->env_options = rocksdb_envoptions_create();
    view->ingest_options = rocksdb_ingestexternalfileoptions_create();
    rocksdb_ingestexternalfileoptions_set_move_files(view->ingest_options, 1);
}

/* Reads the view's epoch, and checks whose view it is. */
static bool read_epoch(struct view *view, const char *path, struct sf_status *status)
{
    char *error = NULL;
    size_t size;
    char *value = rocksdb_get(view->db, view->reading, epoch_key, sizeof epoch_key, &size, &error);
    if (error)
        return fail(status, path, "read the view's epoch", error);
    if (!value)
        return true;

    bool good = true;
    if (size != EPOCH_VALUE_BYTES)
        good = sf_fail(status, SF_CORRUPT, "%s: expected %d bytes for its epoch, found %zu", path,
                       EPOCH_VALUE_BYTES, size);
    else if (memcmp(value + 8, view->id, 32))
        good = sf_fail(status, SF_CORRUPT,
                       "%s: expected the view of data directory %s, found that of %.32s", path,
                       view->id, value + 8);
    else
        view->opened_epoch = u64_get((const uint8_t *)value);
    rocksdb_free(value);
    return good;
}

bool view_open(const struct view_options *options, struct view **ret_view, struct sf_status *status)
{
    struct view *view = mem_new(sizeof *view);
    view->batch_path = mem_string(options->batch_path);
    memcpy(view->id, options->id, sizeof view->id);
    set_options(view);

    char *error = NULL;
    const char *family = "default";
    const rocksdb_options_t *family_options = view->options;
    view->db = rocksdb_open_column_families(view->options, options->path, 1, &family,
                                            &family_options, &view->family, &error);
    if (error)
        fail(status, options->path, "open the view", error);
    if (error || !read_epoch(view, options->path, status)) {
        view_close(view);
        return false;
    }
    *ret_view = view;
    return true;
}

void view_close(struct view *view)
{
    if (!view)
        return;
    if (view->db) {
        rocksdb_column_family_handle_destroy(view->family);
        rocksdb_close(view->db);
    }
    rocksdb_ingestexternalfileoptions_destroy(view->ingest_options);
    rocksdb_envoptions_destroy(view->env_options);
    rocksdb_readoptions_destroy(view->trying);
    rocksdb_readoptions_destroy(view->reading);
    rocksdb_options_destroy(view->batch_options);
    rocksdb_options_destroy(view->options);
    rocksdb_compactionfilter_destroy(view->filter);
    rocksdb_universal_compaction_options_destroy(view->universal);
    rocksdb_block_based_options_destroy(view->table_options);
    free(view->batch_path);
    free(view);
}

uint64_t view_opened_epoch(const struct view *view)
{
    return view->opened_epoch;
}

void view_begin(struct view *view, uint64_t epoch)
{
    assert(!view->writer && !view->error);
    /* What a crash may have left under this name can be one file with a table of the view (it goes
     * in by a hard link): it must lose the name before anything is written to it. */
    (void)unlink(view->batch_path);
    view->writer = rocksdb_sstfilewriter_create(view->env_options, view->batch_options);
    rocksdb_sstfilewriter_open(view->writer, view->batch_path, &view->error);

    uint8_t value[EPOCH_VALUE_BYTES];
    u64_put(value, epoch);
    memcpy(value + 8, view->id, 32);
    view_put(view, bytes_make(epoch_key, sizeof epoch_key), bytes_make(value, sizeof value));
}

void view_put(struct view *view, struct bytes key, struct bytes value)
{
    if (!view->error)
        rocksdb_sstfilewriter_put(view->writer, (const char *)key.data, key.size,
                                  (const char *)value.data, value.size, &view->error);
}

void view_remove(struct view *view, struct bytes key)
{
    if (!view->error)
        rocksdb_sstfilewriter_delete(view->writer, (const char *)key.data, key.size, &view->error);
}

void view_trim(struct view *view, struct bytes from, struct bytes to)
{
    if (!view->error)
        rocksdb_sstfilewriter_delete_range(view->writer, (const char *)from.data, from.size,
                                           (const char *)to.data, to.size, &view->error);
}

bool view_commit(struct view *view, struct sf_status *status)
{
    if (!view->error)
        rocksdb_sstfilewriter_finish(view->writer, &view->error);
    rocksdb_sstfilewriter_destroy(view->writer);
    view->writer = NULL;
    if (!view->error) {
        const char *files[] = {view->batch_path};
        rocksdb_ingest_external_file(view->db, files, 1, view->ingest_options, &view->error);
    }
    (void)unlink(view->batch_path); /* mostly moved away by now */
    if (!view->error)
        return true;
    fail(status, view->batch_path, "bring the view forward", view->error);
    view->error = NULL;
    return false;
}

bool view_is_crowded(struct view *view)
{
    char *files = rocksdb_property_value(view->db, "rocksdb.num-files-at-level0");
    bool crowded = files && strtol(files, NULL, 10) >= CROWDED_BATCHES;
    rocksdb_free(files);
    return crowded;
}

enum { GOT_TOGETHER = 32 }; /* so many values are in memory beside what `visit` keeps */

static void get_some(struct view *view, const struct bytes *keys, size_t count,
                     rocksdb_pinnableslice_t **ret_values)
{
    const char *data[GOT_TOGETHER];
    size_t sizes[GOT_TOGETHER];
    char *errors[GOT_TOGETHER];
    for (size_t i = 0; i < count; i++) {
        data[i] = (const char *)keys[i].data;
        sizes[i] = keys[i].size;
    }
    rocksdb_batched_multi_get_cf(view->db, view->reading, view->family, count, data, sizes,
                                 ret_values, errors, false);
    for (size_t i = 0; i < count; i++)
        if (errors[i])
            die("get", errors[i]);
}

void view_get_all(struct view *view, const struct bytes *keys, size_t count,
                  void (*visit)(void *owner, size_t nth, const struct bytes *value), void *owner)
{
    rocksdb_pinnableslice_t *values[GOT_TOGETHER];
    for (size_t from = 0; from < count; from += GOT_TOGETHER) {
        size_t some = count - from < GOT_TOGETHER ? count - from : GOT_TOGETHER;
        get_some(view, keys + from, some, values);
        for (size_t i = 0; i < some; i++) {
            struct bytes value;
            value.data = (const uint8_t *)rocksdb_pinnableslice_value(values[i], &value.size);
            visit(owner, from + i, values[i] ? &value : NULL);
            rocksdb_pinnableslice_destroy(values[i]);
        }
    }
}

bool view_denies(struct view *view, struct bytes key)
{
    static const char would_read[] = "Result incomplete";
    char *error = NULL;
    rocksdb_pinnableslice_t *found =
        rocksdb_get_pinned(view->db, view->trying, (const char *)key.data, key.size, &error);
    if (error && strncmp(error, would_read, strlen(would_read)))
        die("try", error);
    bool denies = !found && !error;
    rocksdb_pinnableslice_destroy(found);
    rocksdb_free(error);
    return denies;
}

/* An iterator over [from, to), standing at its first key. `options` and the bytes of `to` must
 * outlive it. */
static rocksdb_iterator_t *seek(struct view *view, rocksdb_readoptions_t *options,
                                struct bytes from, struct bytes to)
{
    rocksdb_readoptions_set_iterate_upper_bound(options, (const char *)to.data, to.size);
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(view->db, options);
    rocksdb_iter_seek(iterator, (const char *)from.data, from.size);
    return iterator;
}

static struct bytes key_at(const rocksdb_iterator_t *iterator)
{
    size_t size;
    const char *data = rocksdb_iter_key(iterator, &size);
    return bytes_make(data, size);
}

static struct bytes value_at(const rocksdb_iterator_t *iterator)
{
    size_t size;
    const char *data = rocksdb_iter_value(iterator, &size);
    return bytes_make(data, size);
}

static void end_scan(rocksdb_iterator_t *iterator, rocksdb_readoptions_t *options)
{
    char *error = NULL;
    rocksdb_iter_get_error(iterator, &error);
    if (error)
        die("scan", error);
    rocksdb_iter_destroy(iterator);
    rocksdb_readoptions_destroy(options);
}

bool view_scan(struct view *view, struct bytes from, struct bytes to,
               bool (*visit)(void *owner, struct bytes key, struct bytes value), void *owner)
{
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    rocksdb_iterator_t *iterator = seek(view, options, from, to);
    bool wanted = true;
    while (wanted && rocksdb_iter_valid(iterator)) {
        wanted = visit(owner, key_at(iterator), value_at(iterator));
        if (wanted)
            rocksdb_iter_next(iterator);
    }
    end_scan(iterator, options);
    return wanted;
}

bool view_first(struct view *view, struct bytes from, struct bytes to, struct buffer *ret_key)
{
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    rocksdb_iterator_t *iterator = seek(view, options, from, to);
    bool found = rocksdb_iter_valid(iterator);
    if (found) {
        buffer_clear(ret_key);
        buffer_add_bytes(ret_key, key_at(iterator));
    }
    end_scan(iterator, options);
    return found;
}
