/* headers.c - see headers.h.
 *
 * A file has changed when what stat says of it has: a new file under the same name is another
 * inode, as with the secrets that Kubernetes mounts. */
#include "function/headers.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VALUE_MAX = 8192 };

struct header {
    const struct header_spec *spec;
    char *value; /* with its prefix */
    struct stat seen;
    bool is_odd; /* its file was told to make no sense */
};

struct headers {
    struct header *items;
    size_t count;
    pthread_mutex_t lock; /* of the values */
    atomic_uint version;
};

static void forget(char *value)
{
    if (value)
        explicit_bzero(value, strlen(value));
    free(value);
}

static bool read_file(const char *path, char text[static VALUE_MAX + 1], size_t *ret_size,
                      struct sf_status *status)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = fd < 0 ? -1 : read(fd, text, VALUE_MAX + 1);
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (got < 0)
        return sf_fail(status, SF_NOT_FOUND, "%s: %s", path, strerrordesc_np(error));
    if (got > VALUE_MAX)
        return sf_fail(status, SF_INVALID, "%s: expected at most %d bytes", path, VALUE_MAX);
    *ret_size = (size_t)got;
    return true;
}

/* Without white space around it, and with the prefix before it. */
static bool make_value(const struct header_spec *spec, struct bytes text, const char *where,
                       char **ret_value, struct sf_status *status)
{
    while (text.size && strchr(" \t\r\n", text.data[text.size - 1]))
        text.size--;
    while (text.size && strchr(" \t\r\n", text.data[0]))
        text = bytes_from(text, 1);
    if (!text.size)
        return sf_fail(status, SF_INVALID, "%s: expected a header's value, found nothing", where);
    if (!http_is_value(text))
        return sf_fail(status, SF_INVALID,
                       "%s: expected a header's value, found more than one line or a control "
                       "character",
                       where);
    *ret_value = mem_format("%s%.*s", spec->prefix, (int)text.size, (const char *)text.data);
    return true;
}

static bool read_value(const struct header_spec *spec, char **ret_value, struct sf_status *status)
{
    if (spec->source == HEADER_TEXT) {
        *ret_value = mem_format("%s%s", spec->prefix, spec->text);
        return true;
    }
    if (spec->source == HEADER_ENVIRONMENT) {
        char where[100];
        const char *value = getenv(spec->text);
        if (!value)
            return sf_fail(status, SF_NOT_FOUND, "the environment variable %s is not set",
                           spec->text);
        snprintf(where, sizeof where, "the environment variable %s", spec->text);
        return make_value(spec, bytes_of(value), where, ret_value, status);
    }
    char text[VALUE_MAX + 1];
    size_t size = 0;
    bool good = read_file(spec->file.path, text, &size, status) &&
                make_value(spec, bytes_make(text, size), spec->file.path, ret_value, status);
    explicit_bzero(text, sizeof text);
    return good;
}

bool headers_new(const struct header_list *spec, struct headers **ret_headers,
                 struct spec_place *ret_place, struct sf_status *status)
{
    struct headers *headers = mem_new(sizeof *headers);
    headers->items = mem_new(spec->count * sizeof *headers->items);
    pthread_mutex_init(&headers->lock, NULL);
    atomic_init(&headers->version, 1);
    for (; headers->count < spec->count; headers->count++) {
        struct header *header = &headers->items[headers->count];
        header->spec = &spec->items[headers->count];
        if (header->spec->source == HEADER_FILE) /* before it is read: what comes later is news */
            (void)stat(header->spec->file.path, &header->seen);
        if (!read_value(header->spec, &header->value, status)) {
            if (ret_place)
                *ret_place = header->spec->place;
            sf_wrap(status, "the header '%s'", header->spec->name);
            headers_free(headers);
            return false;
        }
    }
    *ret_headers = headers;
    return true;
}

void headers_free(struct headers *headers)
{
    if (!headers)
        return;
    for (size_t i = 0; i < headers->count; i++)
        forget(headers->items[i].value);
    pthread_mutex_destroy(&headers->lock);
    free(headers->items);
    free(headers);
}

bool headers_may_change(const struct headers *headers)
{
    for (size_t i = 0; i < headers->count; i++)
        if (headers->items[i].spec->source == HEADER_FILE)
            return true;
    return false;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void take_value(struct headers *headers, struct header *header, char *value)
{
    pthread_mutex_lock(&headers->lock);
    char *old = header->value;
    header->value = value;
    if (strcmp(old, value) != 0)
        atomic_fetch_add(&headers->version, 1);
    pthread_mutex_unlock(&headers->lock);
    forget(old);
    if (header->is_odd)
        log_info("the file of a header can be read again", LOG_TEXT("header", header->spec->name),
                 LOG_TEXT("file", header->spec->file.path));
    header->is_odd = false;
}

static void refresh(struct headers *headers, struct header *header)
{
    struct stat now = {0};
    (void)stat(header->spec->file.path, &now); /* one that is gone is all zeros, and not the same */
    if (is_same_file(&now, &header->seen))
        return;
    header->seen = now;

    char *value;
    struct sf_status status;
    if (read_value(header->spec, &value, &status)) {
        take_value(headers, header, value);
        return;
    }
    if (!header->is_odd)
        log_warn("a header keeps its value, as its file cannot be read",
                 LOG_TEXT("header", header->spec->name), LOG_TEXT("cause", status.message));
    header->is_odd = true;
}

void headers_refresh(struct headers *headers)
{
    for (size_t i = 0; i < headers->count; i++)
        if (headers->items[i].spec->source == HEADER_FILE)
            refresh(headers, &headers->items[i]);
}

unsigned headers_version(const struct headers *headers)
{
    return atomic_load_explicit(&headers->version, memory_order_relaxed);
}

void headers_copy(struct headers *headers, struct header_values *ret_values)
{
    pthread_mutex_lock(&headers->lock);
    size_t size = 0, at = 0;
    for (size_t i = 0; i < headers->count; i++)
        size += strlen(headers->items[i].value);
    *ret_values = (struct header_values){
        .items = mem_new(headers->count * sizeof *ret_values->items),
        .count = headers->count,
        .text = mem_new(size + 1),
    };
    for (size_t i = 0; i < headers->count; i++) {
        const struct header *header = &headers->items[i];
        struct bytes value = bytes_of(header->value);
        memcpy(ret_values->text + at, value.data, value.size);
        ret_values->items[i] = (struct http_header){bytes_of(header->spec->name),
                                                    bytes_make(ret_values->text + at, value.size)};
        at += value.size;
    }
    pthread_mutex_unlock(&headers->lock);
}

void header_values_destroy(struct header_values *values)
{
    forget(values->text);
    free(values->items);
    *values = (struct header_values){0};
}
