/* suggest.c - Damerau-Levenshtein distance (optimal string alignment), three rows at a time. */
#include "spec/suggest.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 63, DISTANCE_MAX = 6 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* How many letters must be added, dropped, replaced or swapped with their neighbour. */
static size_t distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_size; j++)
        above[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            row[j] =
                least(above[j - 1] + !same(a[i - 1], b[j - 1]), least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[b_size];
}

struct suggestion suggestion_for(const char *word)
{
    /* A third of the letters may be wrong, and one in any case. */
    size_t allowed = least(1 + strlen(word) / 3, DISTANCE_MAX);
    return (struct suggestion){.word = word, .distance = allowed + 1};
}

void suggestion_offer(struct suggestion *suggestion, const char *candidate)
{
    size_t word_size = strlen(suggestion->word), candidate_size = strlen(candidate);
    if (word_size > WORD_MAX || candidate_size > WORD_MAX || word_size == 0)
        return;
    size_t found = distance(suggestion->word, word_size, candidate, candidate_size);
    if (found < suggestion->distance && found < candidate_size) {
        suggestion->best = candidate;
        suggestion->distance = found;
    }
}

struct suggestion_hint suggestion_hint(const struct suggestion *suggestion)
{
    struct suggestion_hint hint = {""};
    if (suggestion->best)
        snprintf(hint.text, sizeof hint.text, ": did you mean '%.*s'?", WORD_MAX, suggestion->best);
    return hint;
}
