/* directory.c - making, recognising and locking a data directory.
 *
 * The FORMAT file is text, one "name: value" a line, in this order:
 *
 *     product: statefun
 *     format: 1
 *     partitions: 128
 *     id: 0123456789abcdef0123456789abcdef
 *
 * It is written last and appears at once (written aside, synced, renamed, the directory synced): a
 * directory that has it is whole. What a crash leaves behind before that (LOCK, FORMAT.new, an
 * empty log/ and view/) is recognised and does not make the directory a stranger's.
 *
 * The lock is a POSIX record lock: of all kinds of lock it alone is not inherited by a forked
 * child, which would keep the directory locked after our death. Its price is that it does not
 * exclude the process that has it, and goes when any descriptor of the file is closed. Hence the
 * list of the directories that this process holds: it is consulted before LOCK is opened a second
 * time. */
#include "store/directory.h"

#include "base/list.h"
#include "base/mem.h"
#include "engine/partition.h"
#include "store/files.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FORMAT_VERSION = 1, FORMAT_BYTES_MAX = 1024 };
#define PRODUCT "statefun"

struct directory_lock {
    struct list link;
    pid_t pid; /* a forked child has our list, and not our locks */
    dev_t device;
    ino_t inode;
    int fd;
};

static pthread_mutex_t held_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct list held = {&held, &held};

/* Makes the directory if it is not there, and its name durable. */
static bool make(const char *path, struct sf_status *status)
{
    if (files.mkdir(path, 0750)) {
        if (errno == EEXIST)
            return true;
        return files_fail(status, path, "make the directory");
    }
    char *parent = mem_format("%s/..", path);
    bool good = files_sync_directory(parent, status);
    free(parent);
    return good;
}

static bool is_empty_directory(const char *path)
{
    DIR *stream = opendir(path);
    if (!stream)
        return false;
    bool empty = true;
    for (struct dirent *entry; empty && (entry = readdir(stream));)
        empty = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
    closedir(stream);
    return empty;
}

/* What may lie in a directory that we began to make and did not finish; lost+found is what a file
 * system of its own has at its root. */
static bool is_beginning(const char *path, const char *name)
{
    static const char *const names[] = {".", "..", "LOCK", "FORMAT.new", "lost+found"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i]))
            return true;
    if (strcmp(name, "log") && strcmp(name, "view"))
        return false;
    char *child = mem_format("%s/%s", path, name);
    bool empty = is_empty_directory(child);
    free(child);
    return empty;
}

/* True if the directory is ours to write into: it has a FORMAT file, or nothing of anybody else. */
static bool check_owner(const char *path, struct sf_status *status)
{
    DIR *stream = opendir(path);
    if (!stream)
        return files_fail(status, path, "read the directory");
    char stranger[NAME_MAX + 1] = "";
    bool ours = false;
    for (struct dirent *entry; !ours && (entry = readdir(stream));) {
        ours = !strcmp(entry->d_name, "FORMAT");
        if (!*stranger && !is_beginning(path, entry->d_name))
            snprintf(stranger, sizeof stranger, "%s", entry->d_name);
    }
    closedir(stream);
    if (ours || !*stranger)
        return true;
    return sf_fail(status, SF_UNSUPPORTED,
                   "%s: expected a data directory of " PRODUCT
                   " or an empty one, found '%s' and no FORMAT file",
                   path, stranger);
}

static bool is_held(const struct stat *found)
{
    list_for_each (&held, node) {
        struct directory_lock *lock = container_of(node, struct directory_lock, link);
        if (lock->pid == getpid() && lock->device == found->st_dev && lock->inode == found->st_ino)
            return true;
    }
    return false;
}

/* The pid that the holder has written. F_GETLK would name it too, but not across pid namespaces. */
static bool fail_as_held(const char *path, int fd, struct sf_status *status)
{
    char pid[16] = "";
    ssize_t size = pread(fd, pid, sizeof pid - 1, 0);
    pid[size > 0 ? size : 0] = '\0';
    pid[strspn(pid, "0123456789")] = '\0';
    return sf_fail(status, SF_CONFLICT, "%s: is in use by process %s", path,
                   *pid ? pid : "(unknown)");
}

static bool take_lock(const char *path, const char *lock_path, int *ret_fd,
                      struct sf_status *status)
{
    int fd = -1;
    if (!files_open(lock_path, O_RDWR | O_CREAT, &fd, status))
        return false;

    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_SETLK, &whole)) {
        if (errno == EACCES || errno == EAGAIN)
            fail_as_held(path, fd, status);
        else
            files_fail(status, lock_path, "lock");
        close(fd);
        return false;
    }
    /* The pid is for people. That it cannot be written, on a full disk, is no reason to stay away.
     */
    if (!ftruncate(fd, 0))
        (void)(dprintf(fd, "%ld\n", (long)getpid()) < 0);
    *ret_fd = fd;
    return true;
}

static bool lock_directory(struct directory *directory, struct sf_status *status)
{
    struct stat found;
    if (stat(directory->path, &found))
        return files_fail(status, directory->path, "look at it");

    pthread_mutex_lock(&held_mutex);
    bool good = !is_held(&found) ||
                sf_fail(status, SF_CONFLICT, "%s: is in use by process %ld, which is this one",
                        directory->path, (long)getpid());
    if (good) {
        char *lock_path = mem_format("%s/LOCK", directory->path);
        int fd = -1;
        good = take_lock(directory->path, lock_path, &fd, status);
        free(lock_path);
        if (good) {
            directory->lock = mem_new(sizeof *directory->lock);
            directory->lock->pid = getpid();
            directory->lock->device = found.st_dev;
            directory->lock->inode = found.st_ino;
            directory->lock->fd = fd;
            list_put_last(&held, &directory->lock->link);
        }
    }
    pthread_mutex_unlock(&held_mutex);
    return good;
}

static void unlock_directory(struct directory *directory)
{
    if (!directory->lock)
        return;
    pthread_mutex_lock(&held_mutex);
    list_take(&directory->lock->link);
    close(directory->lock->fd);
    pthread_mutex_unlock(&held_mutex);
    free(directory->lock);
}

/* Reads the line "name: value" from `*text` and moves on; `value` is cut off at its end. */
static bool take_line(char **text, const char *name, char **ret_value)
{
    size_t size = strlen(name);
    char *end = strchr(*text, '\n');
    if (!end || strncmp(*text, name, size) || strncmp(*text + size, ": ", 2))
        return false;
    *end = '\0';
    *ret_value = *text + size + 2;
    *text = end + 1;
    return true;
}

/* A number without sign, leading blanks or anything behind it. */
static bool read_number(const char *text, uint64_t *ret_number)
{
    if (!*text || text[strspn(text, "0123456789")] || strlen(text) > 10)
        return false;
    *ret_number = strtoull(text, NULL, 10);
    return true;
}

static bool is_id(const char *text)
{
    return strlen(text) == 32 && !text[strspn(text, "0123456789abcdef")];
}

static bool parse_format(struct directory *directory, char *text, const char *path,
                         struct sf_status *status)
{
    char *value;
    uint64_t number;
    if (!take_line(&text, "product", &value))
        return sf_fail(status, SF_UNSUPPORTED,
                       "%s: expected 'product: " PRODUCT "' in its first line, found '%.40s'", path,
                       text);
    if (strcmp(value, PRODUCT))
        return sf_fail(status, SF_UNSUPPORTED, "%s: expected product " PRODUCT ", found '%.40s'",
                       path, value);
    if (!take_line(&text, "format", &value) || !read_number(value, &number))
        return sf_fail(status, SF_CORRUPT, "%s: expected 'format: ' and a number in its line 2",
                       path);
    if (number != FORMAT_VERSION)
        return sf_fail(status, SF_UNSUPPORTED,
                       "%s: expected format %d, which is what this build (%s) reads, found %llu",
                       path, FORMAT_VERSION, STATEFUN_VERSION, (unsigned long long)number);
    if (!take_line(&text, "partitions", &value) || !read_number(value, &number) || !number ||
        number > PARTITIONS_MAX)
        return sf_fail(status, SF_CORRUPT,
                       "%s: expected 'partitions: ' and a number from 1 to %d in its line 3", path,
                       PARTITIONS_MAX);
    directory->partitions = (uint32_t)number;
    if (!take_line(&text, "id", &value) || !is_id(value))
        return sf_fail(status, SF_CORRUPT,
                       "%s: expected 'id: ' and 32 hexadecimal digits in its line 4", path);
    memcpy(directory->id, value, sizeof directory->id);
    return true;
}

static bool read_format(struct directory *directory, int fd, const char *path,
                        struct sf_status *status)
{
    struct stat found;
    if (fstat(fd, &found))
        return files_fail(status, path, "look at it");
    char text[FORMAT_BYTES_MAX + 1] = "";
    size_t size = found.st_size < FORMAT_BYTES_MAX ? (size_t)found.st_size : FORMAT_BYTES_MAX;
    return files_read(fd, path, text, size, 0, status) &&
           parse_format(directory, text, path, status);
}

static bool draw_id(char id[33], struct sf_status *status)
{
    uint8_t random[16];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return sf_fail(status, SF_IO, "no random numbers for the id of a new directory: %s",
                       strerror(errno));
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(id + 2 * i, 3, "%02x", random[i]);
    return true;
}

static bool write_format(struct directory *directory, const char *path, struct sf_status *status)
{
    char *aside = mem_format("%s.new", path);
    char *text = mem_format("product: " PRODUCT "\nformat: %d\npartitions: %u\nid: %s\n",
                            FORMAT_VERSION, directory->partitions, directory->id);
    struct iovec run = {text, strlen(text)};
    int fd = -1;
    bool good = files_open(aside, O_WRONLY | O_CREAT | O_TRUNC, &fd, status) &&
                files_write(fd, aside, &run, 1, 0, status) &&
                (!files.fsync(fd) || files_fail_sync(status, aside));
    if (fd >= 0)
        close(fd);
    good = good && (!files.rename(aside, path) || files_fail(status, path, "rename to")) &&
           files_sync_directory(directory->path, status);
    free(text);
    free(aside);
    return good;
}

/* Under the lock: reads the FORMAT file, or writes it when there is none. */
static bool settle_format(struct directory *directory, uint32_t partitions,
                          struct sf_status *status)
{
    char *path = mem_format("%s/FORMAT", directory->path);
    int fd = files.open(path, O_RDONLY | O_CLOEXEC, 0);
    bool good;
    if (fd >= 0) {
        good = read_format(directory, fd, path, status);
        close(fd);
    } else if (errno == ENOENT) {
        directory->partitions = partitions;
        good = draw_id(directory->id, status) && make(directory->log_path, status) &&
               make(directory->view_path, status) && write_format(directory, path, status);
    } else {
        good = files_fail(status, path, "open");
    }
    free(path);
    return good;
}

bool directory_open(const char *path, uint32_t partitions, struct directory **ret_directory,
                    struct sf_status *status)
{
    assert(partitions > 0 && partitions <= PARTITIONS_MAX);
    struct directory *directory = mem_new(sizeof *directory);
    directory->path = mem_string(path);
    directory->log_path = mem_format("%s/log", path);
    directory->view_path = mem_format("%s/view", path);
    directory->batch_path = mem_format("%s/batch.sst", path);

    if (!make(path, status) || !check_owner(path, status) || !lock_directory(directory, status) ||
        !settle_format(directory, partitions, status)) {
        directory_close(directory);
        return false;
    }
    *ret_directory = directory;
    return true;
}

void directory_close(struct directory *directory)
{
    if (!directory)
        return;
    unlock_directory(directory);
    free(directory->path);
    free(directory->log_path);
    free(directory->view_path);
    free(directory->batch_path);
    free(directory);
}
