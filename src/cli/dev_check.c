/* dev_check.c - see dev_check.h. */
#include "cli/dev_check.h"

#include "base/hash.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- brokers --- */

static bool connects(const struct addrinfo *address)
{
    enum { CONNECT_MS = 1000 };
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = 0;
    if (fd < 0)
        return false;
    bool good = connect(fd, address->ai_addr, address->ai_addrlen) == 0;
    if (!good && errno == EINPROGRESS) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        socklen_t size = sizeof error;
        good = poll(&ready, 1, CONNECT_MS) == 1 &&
               getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
    }
    close(fd);
    return good;
}

/* One "host:port". */
static bool answers(const char *address)
{
    const char *colon = strrchr(address, ':');
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    char *host = mem_format("%.*s", (int)(colon ? colon - address : (int)strlen(address)), address);
    bool good = false;
    if (getaddrinfo(host, colon ? colon + 1 : "9092", &hints, &found) == 0) {
        for (struct addrinfo *next = found; next && !good; next = next->ai_next)
            good = connects(next);
        freeaddrinfo(found);
    }
    free(host);
    return good;
}

/* Any broker of a list will do. */
static void check_brokers(const char *addresses)
{
    char *copy = mem_string(addresses), *rest = copy;
    bool good = false;
    for (char *address; !good && (address = strsep(&rest, ", "));)
        good = *address && answers(address);
    free(copy);
    if (!good)
        fprintf(stderr, "no Kafka broker answers at %s, it is waited for: %s\n", addresses,
                access("compose.yaml", F_OK) == 0
                    ? "'docker compose up -d kafka topics' in this directory starts one"
                    : "start one there, or name another address in module.yaml");
}

/* Each address once: an ingress and an egress usually share theirs. */
static void check_kafka(const struct application *application)
{
    size_t ingresses = application->kafka_ingress_count;
    size_t count = ingresses + application->kafka_egress_count;
    const char **addresses = mem_new((count + 1) * sizeof *addresses);
    for (size_t i = 0; i < count; i++) {
        addresses[i] = i < ingresses ? application->kafka_ingresses[i].address
                                     : application->kafka_egresses[i - ingresses].address;
        size_t before = 0;
        while (strcmp(addresses[before], addresses[i]) != 0)
            before++;
        if (before == i)
            check_brokers(addresses[i]);
    }
    free(addresses);
}

int dev_check(struct inputs *inputs)
{
    struct application *application = inputs_load(inputs, false);
    size_t errors = diagnostics_report(&inputs->diagnostics);
    if (errors || !application)
        return EXIT_WRONG;
    check_kafka(application);
    application_free(application);
    return EXIT_GOOD;
}

/* --- what the runtime reads --- */

static bool is_read(const char *name)
{
    const char *dot = strrchr(name, '.');
    return strcmp(name, "module.yaml") == 0 || (dot && strcmp(dot, ".so") == 0);
}

static void add_file(struct hash_stream *hash, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return;
    const int64_t facts[] = {(int64_t)info.st_ino, info.st_size, info.st_mtim.tv_sec,
                             info.st_mtim.tv_nsec};
    hash_stream_add(hash, bytes_make(facts, sizeof facts));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Its files, and those of its directories, as far as modules may lie. */
static void add_directory(struct hash_stream *hash, const char *path, unsigned depth)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, by_name);
    for (int i = 0; i < count; i++) {
        char *inner = mem_format("%s/%s", path, entries[i]->d_name);
        if (is_read(entries[i]->d_name))
            add_file(hash, inner);
        else if (depth && entries[i]->d_name[0] != '.')
            add_directory(hash, inner, depth - 1);
        free(inner);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

uint64_t module_fingerprint(const char *module)
{
    struct hash_stream *hash = hash_stream_new();
    char *own = mem_format("%s/module.yaml", module);
    add_file(hash, module);
    add_directory(hash, module, access(own, F_OK) == 0 ? 0 : 1);
    uint64_t fingerprint = hash_stream_value(hash);
    hash_stream_free(hash);
    free(own);
    return fingerprint;
}
