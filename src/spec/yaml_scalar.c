/* yaml_scalar.c - see yaml_scalar.h. */
#include "spec/yaml_scalar.h"

#include <ctype.h>
#include <strings.h>

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (!strcmp(text, *words))
            return true;
    return false;
}

/* Skips digits, and underscores between and behind them. NULL if there is no digit first. */
static const char *skip_digits(const char *text)
{
    if (!isdigit((unsigned char)*text))
        return NULL;
    return text + strspn(text, "0123456789_");
}

static bool is_integer(const char *text)
{
    const char *end = skip_digits(text + (*text == '-' || *text == '+'));
    return end && !*end;
}

static bool is_float(const char *text)
{
    const char *begin = text + (*text == '-' || *text == '+');
    if (!strcasecmp(begin, ".inf") || !strcasecmp(text, ".nan"))
        return true;

    const char *whole = skip_digits(begin);
    const char *end = whole ? whole : begin;
    if (*end == '.')
        end += 1 + strspn(end + 1, "0123456789_");
    if (end == begin || (!whole && end == begin + 1)) /* nothing, or a point alone */
        return false;
    if (*end == 'e' || *end == 'E') {
        end++;
        end = skip_digits(end + (*end == '-' || *end == '+'));
    }
    return end && !*end;
}

/* Leaves digits, without leading zeros, and a minus. */
static void clean_integer(char *text)
{
    const char *from = text;
    char *to = text;
    if (*from == '-' || *from == '+')
        if (*from++ == '-')
            *to++ = '-';

    char *first = to;
    for (; *from; from++) {
        if (*from == '_')
            continue;
        if (to == first + 1 && *first == '0')
            to = first;
        *to++ = *from;
    }
    *to = '\0';
}

enum yaml_kind yaml_scalar_resolve(char *text)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const truths[] = {"true", "True", "TRUE", NULL};
    static const char *const lies[] = {"false", "False", "FALSE", NULL};

    if (is_one_of(text, nulls))
        return YAML_NULL;
    if (is_one_of(text, truths) || is_one_of(text, lies)) {
        for (char *c = text; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        return YAML_SWITCH;
    }
    if (is_integer(text)) {
        clean_integer(text);
        return YAML_INTEGER;
    }
    return is_float(text) ? YAML_FLOAT : YAML_TEXT;
}
