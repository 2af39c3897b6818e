/* jaas.c - words, quoted texts, '=' and ';'. */
#include "spec/jaas.h"

#include <strings.h>

struct jaas_reader {
    const char *at;
    struct arena *arena;
};

static void skip_blanks(struct jaas_reader *reader)
{
    reader->at += strspn(reader->at, " \t\r\n");
}

static bool take(struct jaas_reader *reader, char wanted)
{
    skip_blanks(reader);
    if (*reader->at != wanted)
        return false;
    reader->at++;
    return true;
}

static char *take_quoted(struct jaas_reader *reader)
{
    char quote = *reader->at++;
    struct buffer text = {0};
    for (; *reader->at && *reader->at != quote; reader->at++) {
        char c = *reader->at;
        if (c == '\\' && reader->at[1]) {
            c = *++reader->at;
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
        }
        buffer_add_u8(&text, (uint8_t)c);
    }

    char *copy = NULL;
    if (*reader->at == quote) {
        reader->at++;
        buffer_add_u8(&text, '\0');
        copy = (char *)arena_add_bytes(reader->arena, buffer_bytes(&text)).data;
    }
    buffer_destroy(&text);
    return copy;
}

/* A word, or a text in quotes; NULL if there is none. */
static char *take_text(struct jaas_reader *reader)
{
    skip_blanks(reader);
    if (*reader->at == '"' || *reader->at == '\'')
        return take_quoted(reader);

    size_t size = strcspn(reader->at, " \t\r\n=;\"'");
    if (!size)
        return NULL;
    char *word = arena_take(reader->arena, size + 1);
    memcpy(word, reader->at, size);
    word[size] = '\0';
    reader->at += size;
    return word;
}

static bool is_flag(const char *word)
{
    return word && (!strcasecmp(word, "required") || !strcasecmp(word, "requisite") ||
                    !strcasecmp(word, "sufficient") || !strcasecmp(word, "optional"));
}

bool jaas_parse(const char *text, struct jaas *ret_jaas)
{
    struct jaas jaas = {0};
    struct jaas_reader reader = {text, &jaas.arena};

    jaas.module = take_text(&reader);
    bool good = jaas.module && is_flag(take_text(&reader));
    while (good && !take(&reader, ';')) {
        struct jaas_option *option = arena_take(&jaas.arena, sizeof *option);
        option->name = take_text(&reader);
        good = option->name && take(&reader, '=');
        option->value = good ? take_text(&reader) : NULL;
        good = option->value;
        option->next = jaas.options;
        jaas.options = option;
    }
    skip_blanks(&reader);
    if (!good || *reader.at) {
        jaas_destroy(&jaas);
        return false;
    }
    *ret_jaas = jaas;
    return true;
}

void jaas_destroy(struct jaas *jaas)
{
    arena_destroy(&jaas->arena);
}

const char *jaas_option(const struct jaas *jaas, const char *name)
{
    for (const struct jaas_option *option = jaas->options; option; option = option->next)
        if (!strcmp(option->name, name))
            return option->value;
    return NULL;
}
