/* suggest.h - the known word that is nearest to a misspelt one, for "did you mean ...?". */
#ifndef SPEC_SUGGEST_H
#define SPEC_SUGGEST_H

#include <stddef.h>

struct suggestion {
    const char *word; /* as it was written */
    const char *best; /* the nearest candidate so far; NULL while none is near enough */
    size_t distance;  /* what a candidate must be below */
};

struct suggestion suggestion_for(const char *word);

/* Considers one known word, which must live as long as the suggestion is used. Letters' case does
 * not count; of equally near candidates the first is kept. */
void suggestion_offer(struct suggestion *suggestion, const char *candidate);

/* ": did you mean 'best'?", or nothing if there is no best. Used as suggestion_hint(&s).text, which
 * is valid in the expression that it stands in. */
struct suggestion_hint {
    char text[96];
};
struct suggestion_hint suggestion_hint(const struct suggestion *suggestion);

#endif
