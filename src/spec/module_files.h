/* module_files.h - from what a user names as a module to the files to be read. */
#ifndef SPEC_MODULE_FILES_H
#define SPEC_MODULE_FILES_H

#include "base/arena.h"
#include "spec/diagnostics.h"

struct module_files {
    struct arena arena;
    const char **paths; /* in the order in which they are to be read */
    size_t count;
    const char **libraries; /* in the order in which they are to be opened */
    size_t library_count;
    bool is_whole; /* false: something that was named is not there, and reported */
};

/* Finds the files of all `modules`: each a file, a module directory, which holds a module.yaml, or
 * shared libraries (*.so), or both, or a directory of module directories, which are taken in the
 * order of their names. A file that comes twice is reported. */
void module_files_init(struct module_files *files, const char *const *modules, size_t module_count,
                       struct diagnostics *diagnostics);
void module_files_destroy(struct module_files *files);

#endif
