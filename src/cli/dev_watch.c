/* dev_watch.c - inotify on every directory in which something may lie that a pattern names.
 *
 * Directories are watched, not files: editors replace files, and the new one would be missed. */
#include "cli/dev_watch.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIRECTORIES_MAX = 10000 };
static const uint32_t EVENTS = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
                               IN_MOVED_TO | IN_ONLYDIR | IN_DONT_FOLLOW;

struct directory {
    int number; /* inotify's */
    char *path; /* "" is the project's */
};

struct watch {
    struct loop *loop;
    struct loop_watch ready;
    const struct watch_patterns *patterns;
    watch_on_change *on_change;
    void *owner;
    struct directory *directories;
    size_t count;
};

/* --- patterns --- */

bool watch_pattern_matches(const char *pattern, const char *path)
{
    return fnmatch(pattern, path, FNM_PATHNAME | FNM_PERIOD | FNM_LEADING_DIR) == 0;
}

/* May something lie below `path` that the pattern names? So if its beginning names it. */
static bool leads_through(const char *pattern, const char *path)
{
    const char *end = pattern;
    for (const char *rest = path; rest; rest = strchr(rest, '/') ? strchr(rest, '/') + 1 : NULL) {
        end = strchr(end, '/');
        if (!end)
            return false;
        end++;
    }
    char *start = mem_format("%.*s", (int)(end - pattern - 1), pattern);
    bool leads = fnmatch(start, path, FNM_PATHNAME | FNM_PERIOD) == 0;
    free(start);
    return leads;
}

static bool matches(const struct watch *watch, const char *path)
{
    size_t i = 0;
    while (i < watch->patterns->count && !watch_pattern_matches(watch->patterns->items[i], path))
        i++;
    return i < watch->patterns->count;
}

static bool is_worth_watching(const struct watch *watch, const char *path)
{
    if (!*path || matches(watch, path))
        return true;
    size_t i = 0;
    while (i < watch->patterns->count && !leads_through(watch->patterns->items[i], path))
        i++;
    return i < watch->patterns->count;
}

static bool is_of_editors(const char *name)
{
    size_t size = strlen(name);
    return name[0] == '.' || name[size - 1] == '~';
}

/* --- directories --- */

static char *join(const char *directory, const char *name)
{
    return *directory ? mem_format("%s/%s", directory, name) : mem_string(name);
}

static void remember(struct watch *watch, int number, const char *path)
{
    for (size_t i = 0; i < watch->count; i++)
        if (watch->directories[i].number == number) { /* moved, or watched twice */
            free(watch->directories[i].path);
            watch->directories[i].path = mem_string(path);
            return;
        }
    watch->directories =
        mem_resize(watch->directories, (watch->count + 1) * sizeof *watch->directories);
    watch->directories[watch->count++] = (struct directory){number, mem_string(path)};
}

static void forget(struct watch *watch, int number)
{
    for (size_t i = 0; i < watch->count; i++)
        if (watch->directories[i].number == number) {
            free(watch->directories[i].path);
            watch->directories[i] = watch->directories[--watch->count];
            return;
        }
}

static bool is_directory(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Watches a directory and what is in it. One that is gone meanwhile is no failure. With `tell`,
 * files that are there count as changes. */
static bool add_directory(struct watch *watch, const char *path, bool tell,
                          struct sf_status *status)
{
    const char *real = *path ? path : ".";
    if (watch->count == DIRECTORIES_MAX)
        return sf_fail(status, SF_FULL,
                       "the patterns of 'watch' lead into more than %d directories",
                       DIRECTORIES_MAX);
    int number = inotify_add_watch(watch->ready.fd, real, EVENTS);
    if (number < 0)
        return errno == ENOENT || errno == ENOTDIR ||
               sf_fail(status, SF_IO, "cannot watch %s: %s%s", real, strerror(errno),
                       errno == ENOSPC ? " (fs.inotify.max_user_watches)" : "");
    remember(watch, number, path);

    DIR *directory = opendir(real);
    bool good = true;
    for (struct dirent *entry; directory && good && (entry = readdir(directory));) {
        if (is_of_editors(entry->d_name))
            continue;
        char *inner = join(path, entry->d_name);
        if (is_directory(inner))
            good = !is_worth_watching(watch, inner) || add_directory(watch, inner, tell, status);
        else if (tell && matches(watch, inner))
            watch->on_change(watch->owner, inner);
        free(inner);
    }
    if (directory)
        closedir(directory);
    return good;
}

/* --- events --- */

static void take_event(struct watch *watch, const struct inotify_event *event)
{
    struct sf_status status;
    const char *directory = NULL;
    for (size_t i = 0; !directory && i < watch->count; i++)
        if (watch->directories[i].number == event->wd)
            directory = watch->directories[i].path;
    if (event->mask & IN_Q_OVERFLOW)
        watch->on_change(watch->owner, NULL);
    if (event->mask & IN_IGNORED)
        forget(watch, event->wd);
    if (!directory || !event->len || is_of_editors(event->name))
        return;

    char *path = join(directory, event->name);
    bool is_there = event->mask & (IN_CREATE | IN_MOVED_TO);
    if (event->mask & IN_ISDIR && is_there) {
        if (is_worth_watching(watch, path))
            (void)add_directory(watch, path, true, &status); /* its files come too late to notice */
    } else if (!(event->mask & IN_CREATE) && matches(watch, path)) {
        watch->on_change(watch->owner, path); /* of a new file, when it has been written */
    }
    free(path);
}

static void on_ready(struct loop_watch *ready, uint32_t events)
{
    (void)events;
    struct watch *watch = container_of(ready, struct watch, ready);
    _Alignas(struct inotify_event) char bytes[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
    ssize_t size = read(ready->fd, bytes, sizeof bytes);
    for (ssize_t at = 0; at < size;) {
        const struct inotify_event *event = (const struct inotify_event *)(const void *)&bytes[at];
        at += (ssize_t)(sizeof *event + event->len);
        take_event(watch, event);
    }
}

bool watch_new(struct loop *loop, const struct watch_patterns *patterns, watch_on_change *on_change,
               void *owner, struct watch **ret_watch, struct sf_status *status)
{
    struct watch *watch = mem_new(sizeof *watch);
    *watch = (struct watch){.loop = loop,
                            .ready = {.fd = -1, .on_ready = on_ready},
                            .patterns = patterns,
                            .on_change = on_change,
                            .owner = owner};
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) {
        watch_free(watch);
        return sf_fail(status, SF_IO, "cannot watch files: %s", strerror(errno));
    }
    loop_watch(loop, &watch->ready, fd, EPOLLIN);
    if (!add_directory(watch, "", false, status)) {
        watch_free(watch);
        return false;
    }
    *ret_watch = watch;
    return true;
}

void watch_free(struct watch *watch)
{
    if (!watch)
        return;
    if (watch->ready.fd >= 0) {
        int fd = watch->ready.fd;
        loop_unwatch(watch->loop, &watch->ready);
        close(fd);
    }
    for (size_t i = 0; i < watch->count; i++)
        free(watch->directories[i].path);
    free(watch->directories);
    free(watch);
}
