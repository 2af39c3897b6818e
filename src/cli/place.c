/* place.c - the lock is tried, and runtime.json read. */
#include "cli/place.h"

#include "base/mem.h"
#include "cli/command.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

const enum setting place_settings[] = {SETTING_DATA, SETTING_ADMIN_TOKEN, SETTINGS_COUNT};

/* The process that has the lock; 0 if it does not say. */
static long holder_of(const char *directory)
{
    char *lock = mem_format("%s/LOCK", directory);
    FILE *file = fopen(lock, "re");
    long pid = 0;
    if (file && fscanf(file, "%ld", &pid) != 1)
        pid = 0;
    if (file)
        (void)fclose(file);
    free(lock);
    return pid;
}

/* A runtime.json that a crash has left is of another process than the one that has the lock. */
static bool find_listener(const char *directory, char **ret_where, struct sf_status *status)
{
    char *file = mem_format("%s/runtime.json", directory);
    json_t *notice = json_load_file(file, 0, NULL);
    long holder = holder_of(directory);
    const char *where =
        json_string_value(json_object_get(json_object_get(notice, "listeners"), "admin"));
    if (where && json_integer_value(json_object_get(notice, "pid")) == holder)
        *ret_where = mem_string(where);
    else
        sf_fail(status, SF_CONFLICT,
                "the data directory is in use by process %ld, and %s does not say where that "
                "listens (yet)",
                holder, file);
    json_decref(notice);
    free(file);
    return *ret_where != NULL;
}

static bool exists(const char *directory, bool may_be_made, struct sf_status *status)
{
    char *format = mem_format("%s/FORMAT", directory);
    bool is_there = access(format, F_OK) == 0 || (may_be_made && errno == ENOENT);
    free(format);
    return is_there ||
           sf_fail(status, SF_NOT_FOUND, "there is no data directory %s (--data says which): %s",
                   directory, strerror(errno));
}

bool place_open(const struct place_options *options, struct place *ret_place,
                struct sf_status *status)
{
    *ret_place = (struct place){0};
    if (options->where) {
        ret_place->where = mem_string(options->where);
        return true;
    }
    if (!exists(options->directory, options->partitions != 0, status))
        return false;
    struct store_options store = store_defaults;
    store.directory = options->directory;
    store.partitions = options->partitions ? options->partitions : 1; /* it has its own */
    return store_open(&store, &ret_place->store, status) ||
           (status->code == SF_CONFLICT &&
            find_listener(options->directory, &ret_place->where, status));
}

void place_close(struct place *place)
{
    store_close(place->store);
    free(place->where);
    *place = (struct place){0};
}
