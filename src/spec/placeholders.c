/* placeholders.c - see placeholders.h. */
#include "spec/placeholders.h"

#include "base/mem.h"

/* Replaces the one whose name is the `size` bytes at `name`. */
static bool expand_one(const struct placeholders *placeholders, const char *name, size_t size,
                       const struct spec_place *place, struct buffer *to,
                       struct diagnostics *diagnostics)
{
    char *key = bytes_string(bytes_make(name, size));
    const char *value = size ? placeholders->look_up(placeholders->owner, key) : NULL;
    if (value)
        buffer_add_text(to, value);
    else if (!size)
        diagnostics_add(diagnostics, SEVERITY_ERROR, place->file, place->line, place->column,
                        "a placeholder without a name: expected ${NAME}, or $${ for the text ${");
    else
        diagnostics_add(diagnostics, SEVERITY_ERROR, place->file, place->line, place->column,
                        "nothing is set for the placeholder %s: expected an environment variable "
                        "or a configuration key of that name (write $${ for the text ${)",
                        text_quoted(key).text);
    free(key);
    return value != NULL;
}

bool placeholders_expand(const struct placeholders *placeholders, const char *text,
                         const struct spec_place *place, struct buffer *to,
                         struct diagnostics *diagnostics)
{
    bool good = true;
    for (;;) {
        const char *begin = strstr(text, "${");
        if (!begin) {
            buffer_add_text(to, text);
            return good;
        }
        if (begin > text && begin[-1] == '$') { /* $${ */
            buffer_add(to, text, (size_t)(begin - 1 - text));
            buffer_add_text(to, "${");
            text = begin + 2;
            continue;
        }
        buffer_add(to, text, (size_t)(begin - text));

        const char *name = begin + 2;
        const char *end = strchr(name, '}');
        if (!end) {
            diagnostics_add(diagnostics, SEVERITY_ERROR, place->file, place->line, place->column,
                            "a placeholder without an end: expected '}' behind %s (write $${ for "
                            "the text ${)",
                            text_quoted(begin).text);
            return false;
        }
        good &= expand_one(placeholders, name, (size_t)(end - name), place, to, diagnostics);
        text = end + 1;
    }
}
