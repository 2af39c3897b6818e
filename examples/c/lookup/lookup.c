/* lookup.c - asks a service outside, without holding anybody up: names of hosts and their
 * addresses.
 *
 * A function must not block, and a question to a service does. So the function begins an
 * asynchronous operation, gives it to a pool of threads, and returns; when a thread has the answer,
 * the function is called again, with the result.
 *
 * If the process ends meanwhile, nobody knows what became of the operation: its result is UNKNOWN.
 * A question can be asked again. What changes something outside (a payment, say) must be made so
 * that this does no harm: the operation's metadata is the place for a key by which the service
 * knows it again. (As a remote function it never sees UNKNOWN: there the whole call is repeated.)
 */
#include "lookup.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* --- the service --- */

static bool resolve(const char *host, char ret_answer[ANSWER_SIZE])
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    int error = getaddrinfo(host, NULL, &hints, &found);
    if (!error) {
        error = getnameinfo(found->ai_addr, found->ai_addrlen, ret_answer, ANSWER_SIZE, NULL, 0,
                            NI_NUMERICHOST);
        freeaddrinfo(found);
    }
    if (error)
        (void)snprintf(ret_answer, ANSWER_SIZE, "%s", gai_strerror(error));
    return !error;
}

bool (*lookup_service)(const char *host, char ret_answer[ANSWER_SIZE]) = resolve;

/* --- threads that ask it --- */

enum { THREADS = 8, QUESTIONS_MAX = 10 * 1000 };

struct question {
    struct question *next;
    struct sf_async *async;
    char host[]; /* NUL-terminated */
};

/* Made with the first question; lasts as long as the process, as the module does. */
static struct pool {
    pthread_once_t once;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct question *first, **last; /* not asked yet */
    size_t count, thread_count;
} pool = {.once = PTHREAD_ONCE_INIT,
          .lock = PTHREAD_MUTEX_INITIALIZER,
          .more = PTHREAD_COND_INITIALIZER,
          .last = &pool.first};

static struct question *take_question(void)
{
    pthread_mutex_lock(&pool.lock);
    while (!pool.first)
        pthread_cond_wait(&pool.more, &pool.lock);
    struct question *question = pool.first;
    pool.first = question->next;
    if (!pool.first)
        pool.last = &pool.first;
    pool.count--;
    pthread_mutex_unlock(&pool.lock);
    return question;
}

static void *ask_for_ever(void *nothing)
{
    for (;;) {
        struct question *question = take_question();
        char answer[ANSWER_SIZE];
        if (lookup_service(question->host, answer))
            sf_async_complete(question->async, sf_string(answer));
        else
            sf_async_fail(question->async, answer);
        free(question);
    }
    return nothing;
}

static void start_threads(void)
{
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, ask_for_ever, NULL) != 0)
            continue; /* fewer do it, too */
        pthread_detach(thread);
        pool.thread_count++;
    }
}

static bool put_question(struct question *question)
{
    pthread_once(&pool.once, start_threads);
    pthread_mutex_lock(&pool.lock);
    bool is_taken = pool.thread_count && pool.count < QUESTIONS_MAX;
    if (is_taken) {
        *pool.last = question;
        pool.last = &question->next;
        pool.count++;
        pthread_cond_signal(&pool.more);
    }
    pthread_mutex_unlock(&pool.lock);
    return is_taken;
}

/* Ends the operation in any case, now or later. */
static void ask_service(const char *host, struct sf_async *async)
{
    size_t size = strlen(host) + 1;
    struct question *question = calloc(1, sizeof *question + size);
    if (question) {
        question->async = async;
        memcpy(question->host, host, size);
    }
    if (!question || !put_question(question)) {
        free(question);
        sf_async_fail(async, "too many questions");
    }
}

/* --- the function --- */

const struct sf_type ask_type = SF_BYTES_TYPE("names/ask");

/* What is known is not asked again for a minute. */
static const struct sf_state ADDRESS =
    SF_VALUE("address", &sf_string_type, SF_EXPIRES(SF_EXPIRE_AFTER_WRITE, 60 * 1000));
static const struct sf_state IS_ASKED = SF_VALUE("is_asked", &sf_bool_type);

static bool tell(struct sf_context *context, struct sf_value text)
{
    return sf_send_kafka(context, "names/answers",
                         &(struct sf_kafka_record){.topic = "answers",
                                                   .key = sf_string(sf_self(context).id),
                                                   .value = text});
}

/* What is asked goes with the operation, and comes back with its result, whatever that is. */
static bool begin(struct sf_context *context, const char *host)
{
    struct sf_async *async = sf_async_begin(context, sf_string(host));
    if (!async)
        return false;
    sf_set(context, &IS_ASKED, sf_bool(true));
    ask_service(host, async);
    return true;
}

static bool answer(struct sf_context *context, const char *address)
{
    return tell(context, sf_format(context, "%s is %s", sf_self(context).id, address));
}

static bool ask(struct sf_context *context)
{
    const char *address;
    bool is_asked;
    if (sf_get(context, &ADDRESS, &address))
        return answer(context, address);
    return sf_get(context, &IS_ASKED, &is_asked) || /* one answer is for all */
           begin(context, sf_self(context).id);
}

static bool hear_success(struct sf_context *context, const struct sf_async_result *result)
{
    const char *address;
    if (!sf_decode(context, result->value, &sf_string_type, &address))
        return false;
    sf_clear(context, &IS_ASKED);
    sf_set(context, &ADDRESS, sf_string(address));
    return answer(context, address);
}

static bool hear_failure(struct sf_context *context, const char *cause)
{
    sf_clear(context, &IS_ASKED);
    return tell(context, sf_format(context, "%s: %s", sf_self(context).id, cause));
}

static bool hear_nothing(struct sf_context *context, const struct sf_async_result *result)
{
    const char *asked;
    return sf_decode(context, result->metadata, &sf_string_type, &asked) && begin(context, asked);
}

static bool host(struct sf_context *context, const struct sf_message *message)
{
    struct sf_async_result result;
    switch (sf_async_result(context, message, &result)) {
    case SF_ASYNC_SUCCESS:
        return hear_success(context, &result);
    case SF_ASYNC_FAILURE:
        return hear_failure(context, result.cause);
    case SF_ASYNC_UNKNOWN:
        return hear_nothing(context, &result);
    case SF_ASYNC_NONE:
        break;
    }
    return ask(context); /* whatever the message says */
}

static const struct sf_function HOST = {
    .type = "names/host", .call = host, .states = SF_STATES(&ADDRESS, &IS_ASKED)};

bool lookup_configure(struct sf_module *module, struct sf_status *status)
{
    return sf_bind(module, &HOST, status);
}

SF_MODULE(lookup_configure)
