/* dev_file.h - statefun-dev.yaml: what 'statefun dev' builds, runs and watches. docs/projects.md
 * describes it. */
#ifndef CLI_DEV_FILE_H
#define CLI_DEV_FILE_H

#include "spec/application.h"

#include <stdbool.h>

#define DEV_FILE "statefun-dev.yaml"

enum { DEV_FUNCTIONS_MAX = 32 };

struct dev_function {
    char *name;
    char *run; /* for the shell */
};

struct text_list {
    const char **items;
    size_t count;
};

struct dev_file {
    char *build; /* for the shell; NULL: nothing is built */
    char *module, *data;
    struct text_list watch;
    struct dev_function *functions;
    size_t function_count;
    struct application *memory; /* of all that */
};

/* Reads it from the working directory; without such a file there are defaults. What is wrong is
 * reported, and false returned; then, too, it must be destroyed. */
bool dev_file_read(struct dev_file *file, struct diagnostics *diagnostics);
void dev_file_destroy(struct dev_file *file);

#endif
