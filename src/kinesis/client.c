/* client.c - see client.h. The JSON protocol of AWS, version 1.1; libcurl signs (SigV4). */
#include "kinesis/client.h"

#include "base/histogram.h"
#include "base/log.h"

#include <stdio.h>
#include <time.h>

enum {
    ANSWER_BYTES_MAX = 64 << 20, /* the service sends 10 MB of records at most, in base64 */
    REFRESH_MS = 5 * 60 * 1000   /* how long before keys expire others are looked for */
};

struct kinesis_client {
    struct kinesis_client_options options;
    const struct curl_library *curl;
    CURLM *multi;
    char *region, *url, *signature;
    struct aws_keys keys; /* without `access`: none */
    struct list calls;    /* under way */
    struct list failed;   /* before they began */
};

bool kinesis_client_new(const struct kinesis_client_options *options,
                        struct kinesis_client **ret_client, struct sf_status *status)
{
    const struct curl_library *curl;
    if (!curl_library_get(&curl, status))
        return false;
    struct kinesis_client *client = mem_new(sizeof *client);
    client->options = *options;
    client->curl = curl;
    client->multi = curl->curl_multi_init();
    list_init(&client->calls);
    list_init(&client->failed);
    *ret_client = client;
    return true;
}

void kinesis_client_free(struct kinesis_client *client)
{
    if (!client)
        return;
    (void)client->curl->curl_multi_cleanup(client->multi);
    aws_keys_clear(&client->keys);
    free(client->region);
    free(client->url);
    free(client->signature);
    free(client);
}

/* --- keys --- */

static uint64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool find_region(struct kinesis_client *client, struct sf_status *status)
{
    const struct aws_region_spec *spec = client->options.region;
    if (client->region)
        return true;
    if (!aws_region_find(client->curl, spec, &client->region, status))
        return false;
    bool is_china = !strncmp(client->region, "cn-", 3);
    client->url = spec->endpoint ? mem_format("%s/", spec->endpoint)
                                 : mem_format("https://kinesis.%s.amazonaws.com%s/", client->region,
                                              is_china ? ".cn" : "");
    client->signature = mem_format("aws:amz:%s:kinesis", client->region);
    return true;
}

static bool find_keys(struct kinesis_client *client, struct sf_status *status)
{
    bool is_old = client->keys.expires_ms && client->keys.expires_ms < wall_ms() + REFRESH_MS;
    if (client->keys.access && !is_old)
        return true;
    aws_keys_clear(&client->keys);
    return aws_keys_find(client->curl, client->options.credentials, &client->keys, status);
}

/* --- what an answer means --- */

static enum kinesis_result result_of_type(const char *type, long code)
{
    static const struct {
        const char *type;
        enum kinesis_result result;
    } known[] = {
        {"ProvisionedThroughputExceededException", KINESIS_THROTTLED},
        {"LimitExceededException", KINESIS_THROTTLED},
        {"ThrottlingException", KINESIS_THROTTLED},
        {"KMSThrottlingException", KINESIS_THROTTLED},
        {"ResourceNotFoundException", KINESIS_NO_STREAM},
        {"ResourceInUseException", KINESIS_NO_STREAM},
        {"ExpiredIteratorException", KINESIS_EXPIRED},
        {"ExpiredNextTokenException", KINESIS_EXPIRED},
        {"AccessDeniedException", KINESIS_DENIED},
        {"KMSAccessDeniedException", KINESIS_DENIED},
        {"UnrecognizedClientException", KINESIS_DENIED},
        {"InvalidSignatureException", KINESIS_DENIED},
        {"IncompleteSignatureException", KINESIS_DENIED},
        {"MissingAuthenticationTokenException", KINESIS_DENIED},
        {"ExpiredTokenException", KINESIS_DENIED},
        {"InvalidArgumentException", KINESIS_INVALID},
        {"ValidationException", KINESIS_INVALID},
        {"SerializationException", KINESIS_INVALID},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(type, known[i].type))
            return known[i].result;
    return code == 403 ? KINESIS_DENIED : code >= 500 ? KINESIS_UNREACHABLE : KINESIS_REFUSED;
}

/* Of "com.amazonaws...#NameException" the name. */
static const char *type_in(const json_t *answer)
{
    const char *type = json_string_value(json_object_get(answer, "__type"));
    const char *hash = type ? strrchr(type, '#') : NULL;
    return hash ? hash + 1 : type ? type : "";
}

static const char *words_in(const json_t *answer)
{
    const char *words = json_string_value(json_object_get(answer, "message"));
    if (!words)
        words = json_string_value(json_object_get(answer, "Message"));
    return words ? words : "";
}

static void judge_answer(struct kinesis_call *call, long code)
{
    /* A partition key may hold any character. */
    json_t *answer =
        json_loadb((const char *)call->answer.data, call->answer.size, JSON_ALLOW_NUL, NULL);
    if (code == 200 && (json_is_object(answer) || !call->answer.size)) {
        call->result = KINESIS_GOOD;
        call->reply = answer;
        return;
    }
    const char *type = type_in(answer);
    call->result = code == 200 ? KINESIS_UNREACHABLE : result_of_type(type, code);
    (void)snprintf(call->message, sizeof call->message, "HTTP %ld %s: %s", code, type,
                   words_in(answer));
    json_decref(answer);
}

static void finish(struct kinesis_client *client, struct kinesis_call *call, CURLcode code)
{
    long status = 0;
    if (code == CURLE_OK) {
        (void)client->curl->curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
        judge_answer(call, status);
    } else {
        call->result = KINESIS_UNREACHABLE;
        (void)snprintf(call->message, sizeof call->message, "%s",
                       *call->error ? call->error : client->curl->curl_easy_strerror(code));
    }
    if (call->result == KINESIS_DENIED)
        aws_keys_clear(&client->keys); /* there may be others by now */
}

/* --- calls --- */

static void release(struct kinesis_client *client, struct kinesis_call *call)
{
    list_take(&call->place);
    if (call->easy) {
        (void)client->curl->curl_multi_remove_handle(client->multi, call->easy);
        client->curl->curl_easy_cleanup(call->easy);
        client->curl->curl_slist_free_all(call->headers);
    }
    call->easy = NULL;
    call->headers = NULL;
    free(call->body);
    call->body = NULL;
    buffer_destroy(&call->answer);
}

static size_t on_data(char *data, size_t size, size_t count, void *opaque)
{
    struct kinesis_call *call = opaque;
    if (call->answer.size + size * count > ANSWER_BYTES_MAX)
        return 0;
    buffer_add(&call->answer, data, size * count);
    return size * count;
}

static void add_header(struct kinesis_client *client, struct kinesis_call *call, const char *name,
                       const char *value)
{
    char *line = mem_format("%s: %s", name, value);
    call->headers = client->curl->curl_slist_append(call->headers, line);
    free(line);
}

static void set_up(struct kinesis_client *client, struct kinesis_call *call, const char *action)
{
    const struct curl_library *curl = client->curl;
    const struct kinesis_client_spec *settings = client->options.settings;
    const char *bundle = getenv("AWS_CA_BUNDLE");
    char *target = mem_format("Kinesis_20131202.%s", action);
    add_header(client, call, "Content-Type", "application/x-amz-json-1.1");
    add_header(client, call, "X-Amz-Target", target);
    if (client->keys.token)
        add_header(client, call, "X-Amz-Security-Token", client->keys.token);
    free(target);

    CURL *easy = call->easy;
    curl->curl_easy_setopt(easy, CURLOPT_URL, client->url);
    curl->curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
    curl->curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(call->body));
    curl->curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body);
    curl->curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, client->signature);
    curl->curl_easy_setopt(easy, CURLOPT_USERNAME, client->keys.access);
    curl->curl_easy_setopt(easy, CURLOPT_PASSWORD, client->keys.secret);
    curl->curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl->curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)settings->connect_ms);
    curl->curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)settings->request_ms);
    curl->curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
    curl->curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl->curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
    curl->curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    if (bundle && *bundle)
        curl->curl_easy_setopt(easy, CURLOPT_CAINFO, bundle);
}

void kinesis_call_start(struct kinesis_client *client, struct kinesis_call *call,
                        const char *action, json_t *request)
{
    struct sf_status status;
    *call = (struct kinesis_call){.on_done = call->on_done};
    list_init(&call->place);
    call->body = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    if (!find_region(client, &status) || !find_keys(client, &status)) {
        call->result = KINESIS_DENIED;
        (void)snprintf(call->message, sizeof call->message, "%s", status.message);
        list_put_last(&client->failed, &call->place);
        return;
    }
    call->easy = client->curl->curl_easy_init();
    set_up(client, call, action);
    list_put_last(&client->calls, &call->place);
    if (client->curl->curl_multi_add_handle(client->multi, call->easy))
        abort(); /* out of memory, as mem.c has it */
}

void kinesis_call_cancel(struct kinesis_client *client, struct kinesis_call *call)
{
    release(client, call);
    kinesis_call_clear(call);
}

void kinesis_call_clear(struct kinesis_call *call)
{
    json_decref(call->reply);
    call->reply = NULL;
    call->is_done = false;
}

static void end(struct kinesis_client *client, struct kinesis_call *call)
{
    release(client, call);
    call->is_done = true;
    if (call->on_done)
        call->on_done(call);
}

/* True if any ended. */
static bool end_calls(struct kinesis_client *client)
{
    bool any = false;
    int left;
    for (CURLMsg *news; (news = client->curl->curl_multi_info_read(client->multi, &left));) {
        struct kinesis_call *call;
        if (news->msg != CURLMSG_DONE)
            continue;
        (void)client->curl->curl_easy_getinfo(news->easy_handle, CURLINFO_PRIVATE, &call);
        finish(client, call, news->data.result);
        end(client, call);
        any = true;
    }
    while (!list_is_empty(&client->failed)) {
        end(client, list_first(&client->failed, struct kinesis_call, place));
        any = true;
    }
    return any;
}

void kinesis_client_run(struct kinesis_client *client, int timeout_ms)
{
    int running;
    (void)client->curl->curl_multi_perform(client->multi, &running);
    if (end_calls(client))
        return;
    (void)client->curl->curl_multi_poll(client->multi, NULL, 0, timeout_ms, NULL);
    (void)client->curl->curl_multi_perform(client->multi, &running);
    (void)end_calls(client);
}

void kinesis_client_wake(struct kinesis_client *client)
{
    (void)client->curl->curl_multi_wakeup(client->multi);
}

bool kinesis_call_run(struct kinesis_client *client, struct kinesis_call *call, const char *action,
                      json_t *request, bool (*is_over)(void *owner), void *owner)
{
    enum { TURN_MS = 100 };
    call->on_done = NULL;
    kinesis_call_start(client, call, action, request);
    while (!call->is_done) {
        if (is_over(owner)) {
            kinesis_call_cancel(client, call);
            return false;
        }
        kinesis_client_run(client, TURN_MS);
    }
    return true;
}

/* --- check --- */

static bool is_late(void *deadline_us)
{
    return clock_now_us() >= *(uint64_t *)deadline_us;
}

bool kinesis_check(const struct kinesis_client_options *options, const char *stream,
                   uint64_t timeout_ms, struct sf_status *status)
{
    struct kinesis_client *client;
    struct kinesis_call call = {0};
    uint64_t deadline_us = clock_now_us() + timeout_ms * 1000;
    if (!kinesis_client_new(options, &client, status))
        return false;
    json_t *request =
        stream ? json_pack("{s:s}", "StreamName", stream) : json_pack("{s:i}", "Limit", 1);
    bool good = kinesis_call_run(client, &call, stream ? "DescribeStreamSummary" : "ListStreams",
                                 request, is_late, &deadline_us);
    if (!good)
        sf_fail(status, SF_TIMEOUT, "Kinesis does not answer within %llu ms",
                (unsigned long long)timeout_ms);
    else if (call.result != KINESIS_GOOD)
        good = stream ? sf_fail(status, SF_IO, "stream '%.60s': %s", stream, call.message)
                      : sf_fail(status, SF_IO, "%s", call.message);
    kinesis_call_clear(&call);
    kinesis_client_free(client);
    return good;
}

/* --- troubles --- */

void kinesis_trouble_note(struct kinesis_trouble *trouble, const struct kinesis_call *call,
                          const char *stream)
{
    static const char *const words[] = {
        [KINESIS_UNREACHABLE] = "Kinesis cannot be reached; it is waited for",
        [KINESIS_DENIED] = "Kinesis does not let us in; it is tried again",
        [KINESIS_NO_STREAM] = "a stream is not there or not ready; it is waited for",
        [KINESIS_EXPIRED] = "an iterator has expired; another one is asked for",
        [KINESIS_INVALID] = "Kinesis refuses a request; it is tried again",
        [KINESIS_REFUSED] = "Kinesis refuses a request; it is tried again",
    };
    if (call->result == trouble->now || call->result == KINESIS_THROTTLED)
        return;
    trouble->now = call->result;
    if (call->result == KINESIS_GOOD)
        log_info("Kinesis goes on", LOG_TEXT(trouble->component, trouble->id),
                 LOG_TEXT("stream", stream));
    else
        log_warn(words[call->result], LOG_TEXT(trouble->component, trouble->id),
                 LOG_TEXT("stream", stream), LOG_TEXT("reason", call->message));
}
