/* credentials.c - see credentials.h.
 *
 * Names of variables, files and addresses are those of AWS's clients. What needs a call to another
 * service of AWS's first (roles to assume, single sign-on, web identities) is not followed. */
#include "kinesis/credentials.h"

#include "base/mem.h"
#include "kinesis/profile.h"

#include <jansson.h>
#include <stdio.h>
#include <time.h>

enum { ASK_CONNECT_MS = 1000, ASK_MS = 3000, FILE_BYTES_MAX = 1 << 20 };

/* The first that is set and not empty. */
static const char *variable(const char *const *names)
{
    for (; *names; names++) {
        const char *value = getenv(*names);
        if (value && *value)
            return value;
    }
    return NULL;
}

#define VARIABLE(...) variable((const char *const[]){__VA_ARGS__, NULL})

void aws_keys_clear(struct aws_keys *keys)
{
    free(keys->access);
    free(keys->secret);
    free(keys->token);
    *keys = (struct aws_keys){0};
}

/* --- files --- */

static bool read_file(const char *path, struct buffer *text)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    text->size += fread(buffer_reserve(text, FILE_BYTES_MAX), 1, FILE_BYTES_MAX, file);
    fclose(file);
    return true;
}

/* Of a profile in the file that a variable names, else in ~/.aws. NULL if it is not there. */
static char *value_in(const char *path, const char *path_variable, const char *name,
                      const char *profile, const char *key)
{
    const char *named = path ? path : getenv(path_variable), *home = getenv("HOME");
    char *where =
        named && *named ? mem_string(named) : mem_format("%s/.aws/%s", home ? home : "", name);
    struct buffer text = {0};
    char *value = NULL;
    if (read_file(where, &text))
        value = profile_value(buffer_bytes(&text), profile, key);
    buffer_destroy(&text);
    free(where);
    return value;
}

/* `path`: of a file that is looked into instead of the usual two; may be NULL. */
static char *profile_find(const char *path, const char *profile, const char *key)
{
    char *value = value_in(path, "AWS_SHARED_CREDENTIALS_FILE", "credentials", profile, key);
    return value || path ? value : value_in(NULL, "AWS_CONFIG_FILE", "config", profile, key);
}

static bool find_in_profile(const char *path, const char *profile, struct aws_keys *keys)
{
    keys->access = profile_find(path, profile, "aws_access_key_id");
    keys->secret = profile_find(path, profile, "aws_secret_access_key");
    keys->token = profile_find(path, profile, "aws_session_token");
    if (keys->access && keys->secret)
        return true;
    aws_keys_clear(keys);
    return false;
}

static const char *profile_name(void)
{
    const char *profile = VARIABLE("AWS_PROFILE", "AWS_DEFAULT_PROFILE");
    return profile ? profile : "default";
}

/* --- metadata --- */

static size_t on_answer(char *data, size_t size, size_t count, void *answer)
{
    struct buffer *buffer = answer;
    if (buffer->size + size * count > FILE_BYTES_MAX)
        return 0;
    buffer_add(buffer, data, size * count);
    return size * count;
}

/* Asks a service beside us; false if it does not say 200. */
static bool ask(const struct curl_library *curl, const char *method, const char *url,
                const char *header, struct buffer *answer)
{
    CURL *easy = curl->curl_easy_init();
    struct curl_slist *headers = header ? curl->curl_slist_append(NULL, header) : NULL;
    long code = 0;
    curl->curl_easy_setopt(easy, CURLOPT_URL, url);
    curl->curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    curl->curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl->curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl->curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl->curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)ASK_CONNECT_MS);
    curl->curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)ASK_MS);
    curl->curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
    curl->curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
    bool good = curl->curl_easy_perform(easy) == CURLE_OK &&
                curl->curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code) == CURLE_OK &&
                code == 200;
    curl->curl_slist_free_all(headers);
    curl->curl_easy_cleanup(easy);
    return good;
}

static char *text_in(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text && *text ? mem_string(text) : NULL;
}

/* 2026-11-23T12:00:00Z in ms since 1970; 0 if it is none. */
static uint64_t instant_of(const char *text)
{
    struct tm date = {0};
    const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &date) : NULL;
    return end ? (uint64_t)timegm(&date) * 1000 : 0;
}

static bool keys_from_json(const struct buffer *answer, struct aws_keys *keys)
{
    json_t *object = json_loadb((const char *)answer->data, answer->size, 0, NULL);
    keys->access = text_in(object, "AccessKeyId");
    keys->secret = text_in(object, "SecretAccessKey");
    keys->token = text_in(object, "Token");
    keys->expires_ms = instant_of(json_string_value(json_object_get(object, "Expiration")));
    json_decref(object);
    if (keys->access && keys->secret)
        return true;
    aws_keys_clear(keys);
    return false;
}

/* What a container is told: by ECS, or by an agent such as that of EKS. */
static bool find_in_container(const struct curl_library *curl, struct aws_keys *keys)
{
    const char *relative = VARIABLE("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = VARIABLE("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    const char *token = VARIABLE("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    const char *token_file = VARIABLE("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    if (!relative && !full)
        return false;

    struct buffer answer = {0}, from_file = {0};
    if (token_file && read_file(token_file, &from_file))
        token = buffer_text(&from_file);
    char *url = relative ? mem_format("http://169.254.170.2%s", relative) : mem_string(full);
    char *header = token ? mem_format("Authorization: %s", token) : NULL;
    bool good = ask(curl, "GET", url, header, &answer) && keys_from_json(&answer, keys);
    free(header);
    free(url);
    buffer_destroy(&from_file);
    buffer_destroy(&answer);
    return good;
}

/* One of an instance's metadata, into `answer`. */
static bool ask_instance(const struct curl_library *curl, const char *what, struct buffer *answer)
{
    const char *disabled = getenv("AWS_EC2_METADATA_DISABLED");
    const char *named = VARIABLE("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    if (disabled && !strcmp(disabled, "true"))
        return false;
    size_t size = named ? strlen(named) : 0;
    while (size && named[size - 1] == '/')
        size--;
    char *base =
        named ? bytes_string(bytes_make(named, size)) : mem_string("http://169.254.169.254");
    char *url = mem_format("%s/latest/api/token", base);
    struct buffer token = {0};
    bool good = ask(curl, "PUT", url, "X-aws-ec2-metadata-token-ttl-seconds: 300", &token);
    free(url);
    char *header = good ? mem_format("X-aws-ec2-metadata-token: %s", buffer_text(&token)) : NULL;
    url = mem_format("%s/latest/meta-data/%s", base, what);
    good = good && ask(curl, "GET", url, header, answer);
    free(url);
    free(header);
    free(base);
    buffer_destroy(&token);
    return good;
}

static bool find_in_instance(const struct curl_library *curl, struct aws_keys *keys)
{
    static const char where[] = "iam/security-credentials/";
    struct buffer role = {0}, answer = {0};
    bool good = ask_instance(curl, where, &role);
    if (good) {
        char *first = buffer_text(&role);
        first[strcspn(first, "\r\n")] = '\0';
        char *what = mem_format("%s%s", where, first);
        good = ask_instance(curl, what, &answer) && keys_from_json(&answer, keys);
        free(what);
    }
    buffer_destroy(&role);
    buffer_destroy(&answer);
    return good;
}

/* --- the chain --- */

static bool find_in_environment(struct aws_keys *keys)
{
    const char *access = VARIABLE("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY");
    const char *secret = VARIABLE("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY");
    const char *token = VARIABLE("AWS_SESSION_TOKEN");
    if (!access || !secret)
        return false;
    *keys = (struct aws_keys){mem_string(access), mem_string(secret),
                              token ? mem_string(token) : NULL, 0};
    return true;
}

bool aws_keys_find(const struct curl_library *curl, const struct aws_credentials_spec *spec,
                   struct aws_keys *ret_keys, struct sf_status *status)
{
    *ret_keys = (struct aws_keys){0};
    switch (spec->kind) {
    case AWS_BASIC:
        *ret_keys =
            (struct aws_keys){mem_string(spec->access_key), mem_string(spec->secret_key), NULL, 0};
        return true;
    case AWS_PROFILE:
        return find_in_profile(spec->profile_path, spec->profile, ret_keys) ||
               sf_fail(status, SF_NOT_FOUND,
                       "there are no AWS credentials: expected aws_access_key_id and "
                       "aws_secret_access_key in the profile '%.60s' of %.100s",
                       spec->profile,
                       spec->profile_path ? spec->profile_path : "~/.aws/credentials");
    case AWS_DEFAULT:
        break;
    }
    return find_in_environment(ret_keys) || find_in_profile(NULL, profile_name(), ret_keys) ||
           find_in_container(curl, ret_keys) || find_in_instance(curl, ret_keys) ||
           sf_fail(status, SF_NOT_FOUND,
                   "there are no AWS credentials: expected AWS_ACCESS_KEY_ID and "
                   "AWS_SECRET_ACCESS_KEY, a profile '%.60s' in ~/.aws/credentials, or a "
                   "container's or instance's role",
                   profile_name());
}

bool aws_region_find(const struct curl_library *curl, const struct aws_region_spec *spec,
                     char **ret_region, struct sf_status *status)
{
    const char *named = spec->id ? spec->id : VARIABLE("AWS_REGION", "AWS_DEFAULT_REGION");
    struct buffer answer = {0};
    *ret_region = named ? mem_string(named) : profile_find(NULL, profile_name(), "region");
    if (!*ret_region && ask_instance(curl, "placement/region", &answer))
        *ret_region = bytes_string(buffer_bytes(&answer));
    buffer_destroy(&answer);
    return *ret_region ||
           sf_fail(status, SF_NOT_FOUND,
                   "there is no AWS region: expected 'awsRegion' of type specific, AWS_REGION, or "
                   "'region' in the profile '%.60s' of ~/.aws/config",
                   profile_name());
}
