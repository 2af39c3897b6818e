/* location.c - see location.h. */
#include "spec/location.h"

#include "base/mem.h"
#include "wire/http.h"

#include <strings.h>

/* What stands behind a scheme, or NULL if the text has another. */
static const char *behind(const char *text, const char *scheme)
{
    size_t size = strlen(scheme);
    return strncasecmp(text, scheme, size) == 0 ? text + size : NULL;
}

/* The path of a file URL, for free(); NULL if it is none. */
static char *url_path(const char *rest)
{
    struct buffer path = {0};
    if (strncmp(rest, "///", 3) == 0)
        rest += 2;
    if (rest[0] == '/' && rest[1] != '/' && http_percent_decode(bytes_of(rest), &path) &&
        !memchr(path.data, 0, path.size))
        return buffer_text(&path);
    buffer_destroy(&path);
    return NULL;
}

/* A file beside the module, for free(). */
static char *path_beside(const char *module, const char *name)
{
    const char *slash = strrchr(module, '/');
    name += strspn(name, "/");
    return slash ? mem_format("%.*s/%s", (int)(slash - module), module, name) : mem_string(name);
}

bool location_read(struct reader *reader, const struct property *property,
                   const struct yaml_node *node, void *to)
{
    struct file_spec *file = to;
    char *text, *path;
    if (!text_read(reader, property, node, &text))
        return false;

    const char *rest;
    if ((rest = behind(text, "classpath:")))
        path = path_beside(node->place.file, rest);
    else if ((rest = behind(text, "file:")))
        path = url_path(rest);
    else
        path = mem_string(text);
    if (!path)
        return reader_mismatch(reader, property->key, node,
                               "a path, 'file:/' and an absolute path, or 'classpath:' and the "
                               "name of a file in the module's directory");
    *file = (struct file_spec){reader_copy(reader, bytes_of(path)), node->place};
    free(path);
    return true;
}
