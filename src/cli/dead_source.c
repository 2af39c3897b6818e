/* dead_source.c - the admin listener asked, or the store opened. */
#include "cli/dead_source.h"

#include "base/mem.h"
#include "cli/answer.h"

/* --- a running runtime --- */

static void make_target(struct buffer *target, const char *path,
                        const struct dead_question *question)
{
    buffer_add_text(target, path);
    for (size_t i = 0; i < question->choice_count; i++)
        answer_add_parameter(target, question->choices[i].name, question->choices[i].value);
    if (question->from)
        answer_add_parameter(target, "from", question->from);
    if (question->limit) {
        char *limit = mem_format("%zu", question->limit);
        answer_add_parameter(target, "limit", limit);
        free(limit);
    }
}

static bool ask(const struct dead_source *source, const char *method, const char *path,
                const struct dead_question *question, json_t **ret_answer, struct sf_status *status)
{
    struct buffer target = {0};
    make_target(&target, path, question);
    bool good = answer_ask(source->place.where, source->token, method, buffer_text(&target),
                           ret_answer, status);
    buffer_destroy(&target);
    return good;
}

/* --- a stopped one --- */

static bool make_filter(const struct dead_question *question, struct dead_filter *filter,
                        struct sf_status *status)
{
    bool good = true;
    *filter = (struct dead_filter){0};
    for (size_t i = 0; good && i < question->choice_count; i++)
        good = !strcmp(question->choices[i].name, "all") ||
               dead_filter_set(filter, bytes_of(question->choices[i].name),
                               bytes_of(question->choices[i].value), status);
    if (good && question->from)
        good = dead_filter_set(filter, bytes_of("from"), bytes_of(question->from), status);
    if (!good)
        dead_filter_destroy(filter);
    return good;
}

static void add_letter(void *owner, struct bytes key, const struct dead_letter *letter)
{
    json_array_append_new(owner, dead_letter_json(key, letter));
}

static bool list_stopped(const struct dead_source *source, const struct dead_question *question,
                         json_t **ret_answer, struct sf_status *status)
{
    struct dead_filter filter;
    struct buffer next = {0}, id = {0};
    if (!make_filter(question, &filter, status))
        return false;
    json_t *letters = json_array();
    dead_letters_page(source->place.store, &filter, question->limit, add_letter, letters, &next);
    if (next.size)
        dead_id_add(&id, buffer_bytes(&next));
    *ret_answer =
        json_pack("{s:o, s:s?}", "letters", letters, "next", next.size ? buffer_text(&id) : NULL);
    dead_filter_destroy(&filter);
    buffer_destroy(&next);
    buffer_destroy(&id);
    return true;
}

/* --- both --- */

bool dead_source_list(const struct dead_source *source, const struct dead_question *question,
                      json_t **ret_answer, struct sf_status *status)
{
    return source->place.store ? list_stopped(source, question, ret_answer, status)
                               : ask(source, "GET", "/deadletters", question, ret_answer, status);
}

bool dead_source_take(const struct dead_source *source, enum dead_action action,
                      const struct dead_question *question, json_t **ret_answer,
                      struct sf_status *status)
{
    struct dead_filter filter;
    if (!source->place.store)
        return ask(source, "POST",
                   action == DEAD_REPLAY ? "/deadletters/replay" : "/deadletters/discard", question,
                   ret_answer, status);
    if (!make_filter(question, &filter, status))
        return false;
    bool good = dead_stopped_take(source->place.store, action, &filter, question->limit, ret_answer,
                                  status);
    dead_filter_destroy(&filter);
    return good;
}
