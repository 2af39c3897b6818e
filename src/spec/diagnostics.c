/* diagnostics.c - a list that is kept sorted as it grows: reports mostly come in order anyway. */
#include "spec/diagnostics.h"

#include "base/bytes.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

void diagnostics_destroy(struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        free(diagnostics->items[i].file);
        free(diagnostics->items[i].text);
        free(diagnostics->items[i].shown);
    }
    free(diagnostics->items);
    *diagnostics = (struct diagnostics){0};
}

static void add_printable(struct buffer *line, const char *text)
{
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            buffer_add_format(line, "\\x%02x", (unsigned char)*c);
        else
            buffer_add_u8(line, (uint8_t)*c);
    }
}

static int diagnostic_compare(const struct diagnostic *a, const struct diagnostic *b)
{
    if (!a->file || !b->file)
        return (a->file == NULL) - (b->file == NULL);
    int order = strcmp(a->file, b->file);
    if (order)
        return order;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return (a->column > b->column) - (a->column < b->column);
}

/* Takes over what `item` owns. */
static void diagnostics_put(struct diagnostics *diagnostics, struct diagnostic item)
{
    size_t at = diagnostics->count;
    for (; at > 0; at--) {
        const struct diagnostic *before = &diagnostics->items[at - 1];
        int order = diagnostic_compare(before, &item);
        if (order < 0)
            break;
        if (order == 0) {
            if (strcmp(before->text, item.text))
                break;
            /* Seen twice through an alias: one place, one line. */
            free(item.file);
            free(item.text);
            free(item.shown);
            return;
        }
    }

    if (diagnostics->count == diagnostics->capacity) {
        diagnostics->capacity = diagnostics->capacity ? diagnostics->capacity * 2 : 8;
        diagnostics->items =
            mem_resize(diagnostics->items, diagnostics->capacity * sizeof *diagnostics->items);
    }
    memmove(&diagnostics->items[at + 1], &diagnostics->items[at],
            (diagnostics->count - at) * sizeof *diagnostics->items);
    diagnostics->items[at] = item;
    diagnostics->count++;
}

void diagnostics_add_shown(struct diagnostics *diagnostics, enum severity severity,
                           const char *file, unsigned line, unsigned column, const char *shown,
                           const char *text)
{
    if (severity == SEVERITY_ERROR)
        diagnostics->error_count++;
    if (diagnostics->count > DIAGNOSTICS_MAX)
        return;
    if (diagnostics->count == DIAGNOSTICS_MAX) {
        diagnostics_put(diagnostics,
                        (struct diagnostic){
                            .severity = severity,
                            .text = mem_format("there is more than these %d", DIAGNOSTICS_MAX)});
        return;
    }

    struct buffer printable = {0};
    add_printable(&printable, text);
    diagnostics_put(diagnostics, (struct diagnostic){.severity = severity,
                                                     .file = file ? mem_string(file) : NULL,
                                                     .line = line,
                                                     .column = column,
                                                     .text = buffer_text(&printable),
                                                     .shown = shown ? mem_string(shown) : NULL});
}

void diagnostics_add(struct diagnostics *diagnostics, enum severity severity, const char *file,
                     unsigned line, unsigned column, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        abort(); /* out of memory, as mem.c has it */
    va_end(arguments);
    diagnostics_add_shown(diagnostics, severity, file, line, column, NULL, text);
    free(text);
}

char *diagnostic_line(const struct diagnostic *diagnostic)
{
    struct buffer line = {0};
    if (diagnostic->file) {
        add_printable(&line, diagnostic->file);
        if (diagnostic->line)
            buffer_add_format(&line, ":%u:%u", diagnostic->line, diagnostic->column);
        buffer_add_text(&line, ": ");
    }
    buffer_add_format(&line, "%s: %s", diagnostic->severity == SEVERITY_ERROR ? "error" : "warning",
                      diagnostic->text);
    return buffer_text(&line);
}

struct quoted_text text_quoted(const char *text)
{
    struct quoted_text quoted;
    size_t room = sizeof quoted.text - sizeof "''...";
    size_t size = strlen(text);
    bool whole = size <= room;
    if (!whole) {
        size = room;
        while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80) /* never half a character */
            size--;
    }
    snprintf(quoted.text, sizeof quoted.text, "'%.*s%s'", (int)size, text, whole ? "" : "...");
    return quoted;
}
