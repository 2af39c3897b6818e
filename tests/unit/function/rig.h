/* rig.h - remote functions in a test: an engine on one side, an HTTP server on the other, on one
 * loop. */
#ifndef UNIT_FUNCTION_RIG_H
#define UNIT_FUNCTION_RIG_H

#include "net/raw_socket.h"

#include "engine/script.h"
#include "function/remote.h"
#include "net/http_server.h"

static struct rig {
    struct script *script;
    struct loop *loop;
    struct place place;
    struct http_server *server;
    struct application *application;
    struct endpoints endpoints;
    struct remote *remote;
} rig;

static inline void *rig_attach(void *owner, const struct function_binding *binding, struct bytes ns,
                               struct bytes name)
{
    (void)owner, (void)binding;
    return remote_attach(rig.remote, ns, name);
}

static inline void rig_invoke(void *owner, void *function, struct invocation *invocation,
                              const struct to_function *request)
{
    (void)owner;
    remote_invoke(rig.remote, function, invocation, request);
}

/* As a worker does it. */
static inline void rig_turn_end(void *owner)
{
    (void)owner;
    engine_run(rig.script->engine);
    if (rig.remote)
        remote_flush(rig.remote);
}

static inline void rig_gone(void *owner, struct http_exchange *exchange)
{
    (void)owner, (void)exchange;
}

static inline void rig_load(const char *text)
{
    struct diagnostics diagnostics = {0};
    struct application_options options = {0};
    rig.application = application_load_text("module.yaml", bytes_of(text), &options, &diagnostics);
    for (size_t i = 0; !rig.application && i < diagnostics.count; i++) {
        char *line = diagnostic_line(&diagnostics.items[i]);
        print_error("%s\n", line);
        free(line);
    }
    assert_non_null(rig.application);
    diagnostics_destroy(&diagnostics);
}

/* Also anew, with an engine that has nothing. */
static inline void rig_make_remote(bool uses_bundles)
{
    remote_free(rig.remote);
    rig.remote =
        remote_new(rig.loop, &rig.endpoints,
                   &(struct remote_options){.pipeline_max = 8, .uses_bundles = uses_bundles});
    script_restart_empty(rig.script);
    remote_set_engine(rig.remote, rig.script->engine);
}

/* `module` is a format for its text, given the server's port twice. */
static inline void rig_open(const char *module, void *owner,
                            void (*on_request)(void *owner, struct http_exchange *exchange))
{
    void *script;
    struct sf_status status;
    rig = (struct rig){0};
    script_set_up(&script);
    rig.script = script;
    rig.loop = loop_new();
    rig.place = place_open(false);
    unsigned port = place_port(&rig.place);
    char *text = mem_format(module, port, port);
    rig_load(text);
    free(text);
    assert_good(endpoints_open(rig.application, &rig.endpoints, &status), &status);
    rig.script->options.ports.attach = rig_attach;
    rig.script->options.ports.invoke = rig_invoke;
    rig_make_remote(true);
    loop_on_turn_end(rig.loop, rig_turn_end, NULL);
    rig.server = http_server_new(rig.loop, &(struct http_server_options){.listen_fd = rig.place.fd,
                                                                         .connections_max = 100,
                                                                         .body_bytes_max = 1 << 20,
                                                                         .request_ms_max = 60000,
                                                                         .idle_ms_max = 60000,
                                                                         .owner = owner,
                                                                         .on_request = on_request,
                                                                         .on_gone = rig_gone});
}

static inline void rig_close(void)
{
    remote_free(rig.remote);
    rig.remote = NULL;
    http_server_free(rig.server);
    loop_turn(rig.loop, 0);
    void *script = rig.script;
    script_tear_down(&script);
    endpoints_close(&rig.endpoints);
    application_free(rig.application);
    place_close(&rig.place);
    loop_free(rig.loop);
}

static inline struct engine_figures rig_figures(void)
{
    struct engine_figures figures;
    engine_figures(rig.script->engine, &figures);
    return figures;
}

#endif
