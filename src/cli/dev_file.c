/* dev_file.c - read with the reader of module files, which has its memory in an application. */
#include "cli/dev_file.h"

#include "base/mem.h"
#include "spec/reader.h"

#include <string.h>
#include <unistd.h>

/* A path or pattern of files within the project, which is all that is watched. */
static bool is_inside(const char *path)
{
    for (const char *part = path; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
        if (!strncmp(part, "..", 2) && (!part[2] || part[2] == '/'))
            return false;
    return path[0] != '/';
}

/* "./src/" is "src", as changes are told. */
static struct bytes tidy_path(const char *path)
{
    while (!strncmp(path, "./", 2))
        path += 2 + strspn(path + 2, "/");
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    return bytes_make(path, size);
}

static bool watch_read(struct reader *reader, const struct property *property,
                       const struct yaml_node *node, void *to)
{
    struct text_list *list = to;
    bool good = reader_expect_kind(reader, property->key, node, YAML_LIST,
                                   "a list of files, directories and patterns such as '*.c'");
    list->items = reader_take(reader, (node->count + 1) * sizeof *list->items);
    for (size_t i = 0; good && i < node->count; i++) {
        char *path;
        const struct yaml_node *item = node->entries[i].value;
        if (!text_read(reader, property, item, &path))
            return false;
        if (!is_inside(path))
            return reader_mismatch(reader, property->key, item,
                                   "a path or pattern within the project");
        list->items[list->count++] = reader_copy(reader, tidy_path(path));
    }
    return good;
}

static const struct property function_properties[] = {
    PROPERTY("name", text_read, offsetof(struct dev_function, name), .required = true,
             .missing = "what its lines are marked with"),
    PROPERTY("run", text_read, offsetof(struct dev_function, run), .required = true,
             .missing = "the command that serves it"),
};

static bool functions_read(struct reader *reader, const struct property *property,
                           const struct yaml_node *node, void *to)
{
    struct dev_file *file = to;
    if (!reader_expect_kind(reader, property->key, node, YAML_LIST,
                            "a list of objects with 'name' and 'run'"))
        return false;
    if (node->count > DEV_FUNCTIONS_MAX)
        return reader_error(reader, &node->place, "'%s': expected at most %d, found %zu",
                            property->key, DEV_FUNCTIONS_MAX, node->count);
    file->functions = reader_take(reader, (node->count + 1) * sizeof *file->functions);
    bool good = true;
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *item = node->entries[i].value;
        good &= reader_expect_kind(reader, property->key, item, YAML_OBJECT,
                                   "an object with 'name' and 'run'") &&
                object_read(reader, item, "function", function_properties,
                            COUNT_OF(function_properties), &file->functions[i]);
    }
    file->function_count = node->count;
    return good;
}

static const struct property properties[] = {
    PROPERTY("build", text_read, offsetof(struct dev_file, build)),
    PROPERTY("watch", watch_read, offsetof(struct dev_file, watch)),
    PROPERTY("functions", functions_read, 0),
    PROPERTY("module", text_read, offsetof(struct dev_file, module)),
    PROPERTY("data", text_read, offsetof(struct dev_file, data)),
};

static bool read_documents(struct reader *reader, const struct yaml_stream *stream,
                           struct dev_file *file)
{
    bool good = stream->is_whole;
    for (size_t i = 0; i < stream->document_count; i++) {
        const struct yaml_node *document = stream->documents[i];
        if (i > 0 || document->kind != YAML_OBJECT)
            good = reader_error(reader, &document->place,
                                "expected one object with 'build', 'watch' and 'functions', found "
                                "%s",
                                i > 0 ? "another document" : yaml_kind_name(document));
        else
            good &= object_read(reader, document, DEV_FILE, properties, COUNT_OF(properties), file);
    }
    return good;
}

bool dev_file_read(struct dev_file *file, struct diagnostics *diagnostics)
{
    static const struct application_options strict = {.unknown_keys_are_errors = true};
    static char here[] = ".", data[] = ".statefun/data";
    *file = (struct dev_file){
        .module = here, .data = data, .memory = mem_new(sizeof(struct application))};
    if (access(DEV_FILE, F_OK) != 0)
        return true;

    struct reader reader = {
        .application = file->memory, .diagnostics = diagnostics, .options = &strict};
    struct buffer text = {0};
    bool good = yaml_file_read(DEV_FILE, &text, diagnostics);
    if (good) {
        struct yaml_stream stream;
        yaml_stream_init(&stream, DEV_FILE, buffer_bytes(&text), NULL, diagnostics);
        good = read_documents(&reader, &stream, file);
        yaml_stream_destroy(&stream);
    }
    buffer_destroy(&text);
    return good;
}

void dev_file_destroy(struct dev_file *file)
{
    application_free(file->memory);
}
