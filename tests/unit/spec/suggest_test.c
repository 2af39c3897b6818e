#include "test.h"

#include "spec/suggest.h"

static const char *best_of(const char *word, const char *const *candidates)
{
    struct suggestion suggestion = suggestion_for(word);
    for (; *candidates; candidates++)
        suggestion_offer(&suggestion, *candidates);
    return suggestion.best;
}

static void a_misspelt_word_finds_the_nearest(void **state)
{
    (void)state;
    static const char *const keys[] = {"functions",
                                       "urlPathTemplate",
                                       "maxNumBatchRequests",
                                       "transport",
                                       "timeouts",
                                       "id",
                                       "port",
                                       NULL};
    static const struct {
        const char *word, *best;
    } cases[] = {
        {"function", "functions"},
        {"funtcions", "functions"}, /* two letters swapped */
        {"urlPathTemplat", "urlPathTemplate"},
        {"urlTemplate", "urlPathTemplate"},
        {"URLPATHTEMPLATE", "urlPathTemplate"},
        {"url_path_template", "urlPathTemplate"},
        {"max_num_batch_requests", "maxNumBatchRequests"},
        {"transports", "transport"},
        {"timeout", "timeouts"},
        {"ip", "id"},
        {"prot", "port"},
        {"colour", NULL},
        {"xx", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *best = best_of(cases[i].word, keys);
        if (cases[i].best)
            assert_string_equal(best ? best : "(none)", cases[i].best);
        else
            assert_null(best);
    }
}

static void of_equally_near_words_the_first_is_taken(void **state)
{
    (void)state;
    static const char *const words[] = {"port", "sort", NULL};
    assert_string_equal(best_of("fort", words), "port");
}

/* They would need more room than there is for comparing. */
static void very_long_words_have_no_neighbours(void **state)
{
    (void)state;
    char word[66];
    memset(word, 'a', 65);
    word[65] = '\0';
    const char *const words[] = {word, NULL};
    assert_null(best_of(word, words));
    assert_null(best_of("aaaa", words));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_misspelt_word_finds_the_nearest),
        cmocka_unit_test(of_equally_near_words_the_first_is_taken),
        cmocka_unit_test(very_long_words_have_no_neighbours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
