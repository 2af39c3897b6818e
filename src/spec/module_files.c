/* module_files.c - see module_files.h. As upstream, it looks into one level of directories. */
#include "spec/module_files.h"

#include "base/mem.h"
#include "spec/name_map.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

struct finder {
    struct module_files *files;
    struct name_map seen; /* device and inode -> path */
    struct buffer paths, libraries;
    struct diagnostics *diagnostics;
};

static void fail(struct finder *finder, const char *file, const char *text)
{
    finder->files->is_whole = false;
    diagnostics_add(finder->diagnostics, SEVERITY_ERROR, file, 0, 0, "%s", text);
}

static bool is_library(const char *path)
{
    size_t size = strlen(path);
    return size > 3 && !strcmp(path + size - 3, ".so");
}

/* The same file under two names would bind everything twice. */
static void add_file(struct finder *finder, const char *path, const struct stat *info)
{
    char *identity =
        mem_format("%llu %llu", (unsigned long long)info->st_dev, (unsigned long long)info->st_ino);
    const void **slot = name_map_slot(&finder->seen, identity);
    free(identity);
    if (*slot) {
        char *text = mem_format("the file is given twice: expected once, found it as %s too",
                                text_quoted(*slot).text);
        fail(finder, path, text);
        free(text);
        return;
    }
    struct bytes with_nul = bytes_make(path, strlen(path) + 1);
    const char *kept = (const char *)arena_add_bytes(&finder->files->arena, with_nul).data;
    *slot = kept;
    buffer_add(is_library(path) ? &finder->libraries : &finder->paths, &kept, sizeof kept);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* and not by the user's locale, as alphasort does */
}

/* Adds directory/NAME; false if there is no such file. */
static bool add_if_there(struct finder *finder, const char *directory, const char *name)
{
    struct stat info;
    char *path = mem_format("%s/%s", directory, name);
    bool is_there = stat(path, &info) == 0;
    if (is_there)
        add_file(finder, path, &info);
    free(path);
    return is_there;
}

static int is_library_entry(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && is_library(entry->d_name);
}

/* Adds what makes a directory a module; false if there is nothing of it. */
static bool add_module(struct finder *finder, const char *directory)
{
    struct dirent **entries;
    bool is_there = add_if_there(finder, directory, "module.yaml");
    int count = scandir(directory, &entries, is_library_entry, by_name);
    for (int i = 0; i < count; i++) {
        is_there |= add_if_there(finder, directory, entries[i]->d_name);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return is_there;
}

static void add_modules(struct finder *finder, const char *directory)
{
    struct dirent **entries;
    bool is_any = false;
    int count = scandir(directory, &entries, NULL, by_name);
    if (count < 0) {
        char *text = mem_format("the directory cannot be read: %s", strerror(errno));
        fail(finder, directory, text);
        free(text);
        return;
    }
    for (int i = 0; i < count; i++) {
        if (strcmp(entries[i]->d_name, ".") && strcmp(entries[i]->d_name, "..")) {
            char *path = mem_format("%s/%s", directory, entries[i]->d_name);
            is_any |= add_module(finder, path);
            free(path);
        }
        free(entries[i]);
    }
    free(entries);
    if (!is_any)
        fail(finder, directory,
             "expected module.yaml or shared libraries (*.so), or directories that hold some, "
             "found none");
}

static void add_named(struct finder *finder, const char *module)
{
    struct stat info;
    size_t size = strlen(module);
    while (size > 1 && module[size - 1] == '/')
        size--;
    char *path = bytes_string(bytes_make(module, size));

    if (stat(module, &info) != 0) {
        char *text = mem_format("there is no such module: %s (expected a file, a directory with "
                                "module.yaml, or a directory of such directories)",
                                strerror(errno));
        fail(finder, module, text);
        free(text);
    } else if (!S_ISDIR(info.st_mode)) {
        add_file(finder, path, &info);
    } else if (!add_module(finder, path)) {
        add_modules(finder, path);
    }
    free(path);
}

void module_files_init(struct module_files *files, const char *const *modules, size_t module_count,
                       struct diagnostics *diagnostics)
{
    *files = (struct module_files){.is_whole = true};
    struct finder finder = {.files = files, .diagnostics = diagnostics};
    name_map_init(&finder.seen);
    for (size_t i = 0; i < module_count; i++)
        add_named(&finder, modules[i]);

    files->count = finder.paths.size / sizeof *files->paths;
    files->paths = (const char **)arena_add_bytes(&files->arena, buffer_bytes(&finder.paths)).data;
    files->library_count = finder.libraries.size / sizeof *files->libraries;
    files->libraries =
        (const char **)arena_add_bytes(&files->arena, buffer_bytes(&finder.libraries)).data;
    buffer_destroy(&finder.paths);
    buffer_destroy(&finder.libraries);
    name_map_destroy(&finder.seen);
}

void module_files_destroy(struct module_files *files)
{
    arena_destroy(&files->arena);
}
