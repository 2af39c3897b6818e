/* template.c - line by line: a section begins or ends, or its words are replaced. */
#include "cli/template.h"

#include <assert.h>

static bool is_chosen(const char *const *chosen, struct bytes name)
{
    while (*chosen && !bytes_is(name, *chosen))
        chosen++;
    return *chosen;
}

/* Is this a line {{Xname}}, X being '#', '^' or '/'? */
static bool read_mark(struct bytes line, char *ret_mark, struct bytes *ret_name)
{
    bool is_mark = line.size > 5 && bytes_starts_with(line, bytes_of("{{")) &&
                   memchr("#^/", line.data[2], 3) && line.data[line.size - 1] == '}' &&
                   line.data[line.size - 2] == '}';
    if (is_mark) {
        *ret_mark = (char)line.data[2];
        *ret_name = bytes_make(line.data + 3, line.size - 5);
    }
    return is_mark;
}

/* The word at the beginning of `text`, with its braces; NULL if there is none. */
static const struct template_word *word_at(struct bytes text, const struct template_word *words,
                                           size_t *ret_size)
{
    for (; words->name; words++) {
        size_t size = strlen(words->name);
        if (text.size >= size + 4 && !memcmp(text.data, "{{", 2) &&
            !memcmp(text.data + 2, words->name, size) && !memcmp(text.data + 2 + size, "}}", 2)) {
            *ret_size = size + 4;
            return words;
        }
    }
    return NULL;
}

static void fill_line(struct bytes line, const struct template_word *words, struct buffer *to)
{
    while (line.size) {
        size_t size = 1;
        const struct template_word *word = word_at(line, words, &size);
        if (word)
            buffer_add_text(to, word->value);
        else
            buffer_add(to, line.data, size);
        line = bytes_from(line, size);
    }
}

void template_fill(struct bytes text, const struct template_word *words, const char *const *chosen,
                   struct buffer *to)
{
    unsigned depth = 0, hidden = 0; /* sections that are open; those from the first left out on */
    while (text.size) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t size = end ? (size_t)(end - text.data) : text.size;
        struct bytes line = bytes_make(text.data, size), name;
        text = bytes_from(text, end ? size + 1 : size);

        char mark;
        if (!read_mark(line, &mark, &name)) {
            if (!hidden) {
                fill_line(line, words, to);
                buffer_add_u8(to, '\n');
            }
        } else if (mark == '/') {
            assert(depth);
            depth--;
            hidden -= hidden > 0;
        } else {
            depth++;
            hidden += hidden || is_chosen(chosen, name) != (mark == '#');
        }
    }
    assert(depth == 0);
}
