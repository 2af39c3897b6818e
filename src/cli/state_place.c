/* state_place.c - finding out who has the states. */
#include "cli/state_place.h"

#include "base/mem.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* What the process that has the lock says of itself; NULL if nothing, or another did. */
static char *admin_of(const char *data)
{
    char *lock = mem_format("%s/LOCK", data), *notice = mem_format("%s/runtime.json", data);
    FILE *file = fopen(lock, "re");
    long pid = 0;
    if (file && fscanf(file, "%ld", &pid) != 1)
        pid = 0;
    if (file)
        (void)fclose(file);
    json_t *root = json_load_file(notice, 0, NULL);
    const char *admin = NULL;
    json_int_t noticed = 0;
    if (root)
        (void)json_unpack(root, "{s:I, s:{s:s}}", "pid", &noticed, "listeners", "admin", &admin);
    char *copy = admin && noticed == pid ? mem_string(admin) : NULL;
    json_decref(root);
    free(lock);
    free(notice);
    return copy;
}

static bool open_stopped(struct state_place *place, const struct settings *settings, bool may_make,
                         struct sf_status *status)
{
    char *format = mem_format("%s/FORMAT", place->data);
    bool is_there = access(format, F_OK) == 0;
    int error = errno;
    free(format);
    if (!is_there && (!may_make || error != ENOENT))
        return sf_fail(status, SF_NOT_FOUND,
                       "%s: expected a data directory, found none (--data says which): %s",
                       place->data, strerror(error));

    struct store_options options = store_defaults;
    options.directory = place->data;
    options.partitions = (uint32_t)settings_number(settings, SETTING_PARTITIONS);
    place->kind = &state_place_stopped;
    return store_open(&options, &place->store, status);
}

static bool open_live(struct state_place *place, const struct settings *settings, const char *where,
                      struct sf_status *status)
{
    place->kind = &state_place_live;
    return http_caller_new(where, settings_text(settings, SETTING_ADMIN_TOKEN), &place->caller,
                           status);
}

bool state_place_open(struct state_place *place, const struct settings *settings, const char *url,
                      bool may_make, struct sf_status *status)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *place = (struct state_place){
        .data = settings_text(settings, SETTING_DATA),
        .now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000,
    };
    if (url)
        return open_live(place, settings, url, status) || sf_wrap(status, "--url");
    if (open_stopped(place, settings, may_make, status))
        return true;
    if (status->code != SF_CONFLICT)
        return false;
    char *admin = admin_of(place->data);
    if (!admin)
        return sf_wrap(status, "neither stopped nor to be asked, as its runtime.json says no admin "
                               "listener (it starts, stops, or is another command)");
    bool good = open_live(place, settings, admin, status);
    free(admin);
    return good;
}

void state_place_close(struct state_place *place)
{
    http_caller_free(place->caller);
    store_close(place->store);
    spec_cache_free(place->specs);
}
