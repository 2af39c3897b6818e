/* endpoint.c - see endpoint.h. */
#include "function/endpoint.h"

#include "base/mem.h"

#include <time.h>

enum { REFRESH_S = 1 };

/* `file` was to be read for `property`. */
static bool blame(const struct file_spec *file, const char *property, struct spec_place *ret_place,
                  struct sf_status *status)
{
    if (ret_place)
        *ret_place = file->place;
    return sf_wrap(status, "'%s'", property);
}

static bool open_tls(const struct tls_spec *spec, struct tls_context *tls,
                     struct spec_place *ret_place, struct sf_status *status)
{
    if (!spec->verify_hostname)
        tls_context_ignore_host(tls);
    if (spec->trust_cacerts.path && !tls_context_trust(tls, spec->trust_cacerts.path, status))
        return blame(&spec->trust_cacerts, "trust_cacerts", ret_place, status);
    if (!spec->client_cert.path)
        return true;
    if (!tls_context_certify(tls, spec->client_cert.path, status))
        return blame(&spec->client_cert, "client_cert", ret_place, status);
    if (!tls_context_unlock(tls, spec->client_key.path, spec->client_key_password.path, status))
        return blame(&spec->client_key, "client_key", ret_place, status);
    return true;
}

enum http_protocol endpoint_protocol(const struct endpoint_spec *spec)
{
    static const enum http_protocol protocols[] = {
        [HTTP_VERSION_AUTO] = HTTP_2_OR_1, [HTTP_VERSION_1_1] = HTTP_1, [HTTP_VERSION_2] = HTTP_2};
    return protocols[spec->transport.http_version];
}

bool endpoint_open(const struct endpoint_spec *spec, struct endpoint *ret_endpoint,
                   struct spec_place *ret_place, struct sf_status *status)
{
    struct endpoint endpoint = {.spec = spec};
    if (spec->is_tls)
        endpoint.tls = tls_context_new();
    if (spec->in_flight_max || spec->per_second_max)
        endpoint.gate = gate_new(spec->in_flight_max, spec->per_second_max);
    if ((endpoint.tls && !open_tls(&spec->transport.tls, endpoint.tls, ret_place, status)) ||
        !headers_new(&spec->headers, &endpoint.headers, ret_place, status)) {
        endpoint_close(&endpoint);
        return false;
    }
    *ret_endpoint = endpoint;
    return true;
}

void endpoint_close(struct endpoint *endpoint)
{
    tls_context_free(endpoint->tls);
    headers_free(endpoint->headers);
    gate_free(endpoint->gate);
    *endpoint = (struct endpoint){0};
}

/* --- all of them --- */

static void *refresh(void *argument)
{
    struct endpoints *endpoints = argument;
    struct timespec when;
    clock_gettime(CLOCK_MONOTONIC, &when);
    pthread_mutex_lock(&endpoints->lock);
    while (!endpoints->is_ending) {
        when.tv_sec += REFRESH_S;
        while (!endpoints->is_ending &&
               pthread_cond_timedwait(&endpoints->ended, &endpoints->lock, &when) == 0)
            ;
        for (size_t i = 0; i < endpoints->count && !endpoints->is_ending; i++)
            headers_refresh(endpoints->items[i].headers);
    }
    pthread_mutex_unlock(&endpoints->lock);
    return NULL;
}

static void start_thread(struct endpoints *endpoints)
{
    for (size_t i = 0; i < endpoints->count; i++)
        endpoints->has_thread |= headers_may_change(endpoints->items[i].headers);
    if (!endpoints->has_thread)
        return;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&endpoints->ended, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&endpoints->lock, NULL);
    if (pthread_create(&endpoints->thread, NULL, refresh, endpoints))
        abort();
}

static void stop_thread(struct endpoints *endpoints)
{
    if (!endpoints->has_thread)
        return;
    pthread_mutex_lock(&endpoints->lock);
    endpoints->is_ending = true;
    pthread_cond_signal(&endpoints->ended);
    pthread_mutex_unlock(&endpoints->lock);
    pthread_join(endpoints->thread, NULL);
    pthread_cond_destroy(&endpoints->ended);
    pthread_mutex_destroy(&endpoints->lock);
}

bool endpoints_open(const struct application *application, struct endpoints *ret_endpoints,
                    struct sf_status *status)
{
    struct endpoints endpoints = {
        .application = application,
        .items = mem_new(application->endpoint_count * sizeof *endpoints.items)};
    struct spec_place place;
    for (; endpoints.count < application->endpoint_count; endpoints.count++) {
        const struct endpoint_spec *spec = &application->endpoints[endpoints.count];
        if (!endpoint_open(spec, &endpoints.items[endpoints.count], &place, status)) {
            endpoints_close(&endpoints);
            return sf_wrap(status, "%s:%u:%u", place.file, place.line, place.column);
        }
    }
    *ret_endpoints = endpoints;
    start_thread(ret_endpoints);
    return true;
}

void endpoints_close(struct endpoints *endpoints)
{
    stop_thread(endpoints);
    for (size_t i = 0; i < endpoints->count; i++)
        endpoint_close(&endpoints->items[i]);
    free(endpoints->items);
    *endpoints = (struct endpoints){0};
}

const struct endpoint *endpoints_find(const struct endpoints *endpoints, struct bytes ns,
                                      struct bytes name)
{
    const struct application *application = endpoints->application;
    const struct endpoint_spec *spec = application_find_endpoint(application, ns, name);
    return spec ? &endpoints->items[spec - application->endpoints] : NULL;
}

void endpoints_check(const struct application *application, struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < application->endpoint_count; i++) {
        struct endpoint endpoint;
        struct spec_place place;
        struct sf_status status;
        if (endpoint_open(&application->endpoints[i], &endpoint, &place, &status))
            endpoint_close(&endpoint);
        else
            diagnostics_add(diagnostics, SEVERITY_ERROR, place.file, place.line, place.column, "%s",
                            status.message);
    }
}
