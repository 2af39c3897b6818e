/* migrate.c - statefun migrate. */
#include "cli/command.h"

#include "spec/migrate.h"
#include "spec/module_files.h"
#include "spec/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int wrong_arguments(const struct command *command, const char *flag)
{
    if (flag)
        fprintf(stderr, "statefun migrate: there is no flag '%s'\n", flag);
    else
        fprintf(stderr, "statefun migrate: expected %s\n", command->arguments);
    fprintf(stderr, "Try 'statefun %s --help'.\n", command->name);
    return EXIT_WRONG;
}

/* All files as one stream of documents. */
static void migrate_files(const struct module_files *files, struct buffer *to,
                          struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < files->count; i++) {
        struct buffer text = {0};
        if (i > 0)
            buffer_add_text(to, "---\n");
        if (yaml_file_read(files->paths[i], &text, diagnostics))
            module_migrate(files->paths[i], buffer_bytes(&text), to, diagnostics);
        if (to->size && to->data[to->size - 1] != '\n')
            buffer_add_u8(to, '\n');
        buffer_destroy(&text);
    }
}

int migrate_run(const struct command *command, int argc, char **argv)
{
    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
        help_show_command(command);
        return EXIT_GOOD;
    }
    if (argc < 2 || argv[1][0] == '-')
        return wrong_arguments(command, argc < 2 ? NULL : argv[1]);

    struct module_files files;
    struct diagnostics diagnostics = {0};
    struct buffer text = {0};
    module_files_init(&files, (const char *const *)argv + 1, (size_t)argc - 1, &diagnostics);
    migrate_files(&files, &text, &diagnostics);
    bool is_written =
        (!text.size || fwrite(text.data, 1, text.size, stdout) == text.size) && !fflush(stdout);
    if (!is_written)
        fprintf(stderr, "statefun migrate: cannot write the result: %s\n", strerror(errno));
    size_t errors = diagnostics_report(&diagnostics);

    buffer_destroy(&text);
    diagnostics_destroy(&diagnostics);
    module_files_destroy(&files);
    return !is_written ? EXIT_FAILED : errors ? EXIT_WRONG : EXIT_GOOD;
}
