/* application.c - composes an application out of module files, and checks that it can start.
 *
 * Modules are independent of each other: each file is read by itself, and all that they bind lands
 * in one universe, where nothing may be bound twice (reader.c). */
#include "spec/application.h"

#include "base/mem.h"
#include "spec/component.h"
#include "spec/module_files.h"

struct loading {
    struct reader reader;
    struct component_tally tally;
    size_t errors_before;
};

static void loading_init(struct loading *loading, const struct application_options *options,
                         struct diagnostics *diagnostics)
{
    *loading = (struct loading){
        .reader = {.application = mem_new(sizeof *loading->reader.application),
                   .diagnostics = diagnostics,
                   .options = options},
        .errors_before = diagnostics->error_count,
    };
    name_map_init(&loading->reader.bindings);
}

static void loading_add(struct loading *loading, const char *file, struct bytes text)
{
    struct reader *reader = &loading->reader;
    struct application *application = reader->application;
    struct placeholders placeholders = {reader->options->look_up, reader->options->owner};
    struct yaml_stream stream;

    char *name = reader_copy(reader, bytes_of(file));
    application->files = reader_room(reader, application->files, application->file_count,
                                     sizeof *application->files);
    application->files[application->file_count++] = name;

    yaml_stream_init(&stream, name, text, reader->options->placeholders ? &placeholders : NULL,
                     reader->diagnostics);
    components_read(reader, &stream, &loading->tally);
    yaml_stream_destroy(&stream);
}

/* --- embedded modules --- */

static struct spec_place place_of(struct reader *reader, const struct library_name *name)
{
    return (struct spec_place){.file = reader_copy(reader, bytes_of(name->path))};
}

static void bind_library_name(struct reader *reader, const struct library_name *name)
{
    static const enum binding bindings[] = {[LIBRARY_FUNCTION] = BINDING_FUNCTIONS,
                                            [LIBRARY_INGRESS] = BINDING_INGRESS,
                                            [LIBRARY_EGRESS] = BINDING_EGRESS};
    size_t slash = strcspn(name->name, "/");
    char *ns = bytes_string(bytes_make(name->name, slash));
    struct spec_place place = place_of(reader, name);
    (void)binding_put(reader, bindings[name->what], ns, name->name + slash + 1, &place);
    free(ns);
}

/* What libraries bind is known before module files are read, which then may have less to say. */
static void open_libraries(struct loading *loading, const struct module_files *files)
{
    struct reader *reader = &loading->reader;
    struct application *application = reader->application;
    const struct application_options *options = reader->options;
    struct sf_status status;
    if (!files->library_count || !options->open_libraries)
        return;
    if (!options->open_libraries(options->owner, files->libraries, files->library_count,
                                 &reader->libraries, &status)) {
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, NULL, 0, 0, "%s", status.message);
        loading->tally.is_unsure = true;
        return;
    }
    application->library_count = files->library_count;
    for (size_t i = 0; i < reader->libraries.count; i++) {
        const struct library_name *name = &reader->libraries.items[i];
        if (name->what != LIBRARY_ROUTER)
            bind_library_name(reader, name);
        application->library_function_count += name->what == LIBRARY_FUNCTION;
        application->library_ingress_count += name->what == LIBRARY_INGRESS;
        application->library_egress_count += name->what == LIBRARY_EGRESS;
    }
    loading->tally.ingresses += application->library_ingress_count;
}

static struct spec_name split(struct reader *reader, const char *text)
{
    size_t slash = strcspn(text, "/");
    return (struct spec_name){.ns = reader_copy(reader, bytes_make(text, slash)),
                              .name = reader_copy(reader, bytes_of(text + slash + 1))};
}

/* Upstream fails on the one while it builds the job, with a null pointer, and takes the other as it
 * is. */
static void check_routers(struct loading *loading)
{
    struct reader *reader = &loading->reader;
    if (loading->tally.is_unsure)
        return;
    for (size_t i = 0; i < reader->libraries.count; i++) {
        const struct library_name *name = &reader->libraries.items[i];
        struct spec_place place = place_of(reader, name);
        struct spec_name id = split(reader, name->name);
        if (name->what == LIBRARY_ROUTER &&
            !binding_exists(reader, BINDING_INGRESS, id.ns, id.name))
            reader_error(reader, &place,
                         "a router is bound to ingress %s, which no module defines: expected the "
                         "id of an ingress of a module.yaml or a library",
                         text_quoted(name->name).text);
        if (name->what == LIBRARY_INGRESS && !router_exists(reader, &id))
            reader_warning(reader, &place,
                           "ingress %s has no router: its records go nowhere. Expected one "
                           "(sf_bind_router)",
                           text_quoted(name->name).text);
    }
}

/* Upstream's start-up validation, with the names of the files that were read. */
static void check_bound(struct loading *loading)
{
    const struct application *application = loading->reader.application;
    struct diagnostics *diagnostics = loading->reader.diagnostics;
    if (loading->tally.is_unsure)
        return;

    struct buffer files = {0};
    for (size_t i = 0; i < application->file_count; i++)
        buffer_add_format(&files, "%s%s", i ? ", " : "", text_quoted(application->files[i]).text);
    if (!files.size)
        buffer_add_text(&files, "the libraries");
    if (!loading->tally.endpoints && !application->library_function_count)
        diagnostics_add(diagnostics, SEVERITY_ERROR, NULL, 0, 0,
                        "There are no function providers defined. Expected an endpoint (kind "
                        "io.statefun.endpoints.v2/http) or an embedded module (*.so beside the "
                        "module.yaml), found none in %s",
                        buffer_text(&files));
    if (!loading->tally.ingresses)
        diagnostics_add(diagnostics, SEVERITY_ERROR, NULL, 0, 0,
                        "There are no ingress defined. Expected one (kind "
                        "io.statefun.kafka.v1/ingress or io.statefun.playground.v1/ingress, or one "
                        "that an embedded module binds), found none in %s",
                        buffer_text(&files));
    buffer_destroy(&files);
}

/* Upstream does not look: there the job fails when the first message arrives. */
static bool is_served(const struct reader *reader, const struct spec_name *target)
{
    bool good = binding_exists(reader, BINDING_FUNCTIONS, target->ns, target->name);
    char *pattern = mem_format("%s*", target->name);
    for (size_t size = strlen(target->name) + 1; !good && size--;) {
        pattern[size] = '*';
        pattern[size + 1] = '\0';
        good = binding_exists(reader, BINDING_FUNCTIONS, target->ns, pattern);
    }
    free(pattern);
    return good;
}

static void check_targets_of(struct reader *reader, const struct spec_place *place,
                             const char *noun, const char *source, const struct spec_name *targets,
                             size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!is_served(reader, &targets[i]))
            reader_warning(reader, place, "no endpoint serves the target %s/%s of %s %s",
                           targets[i].ns, targets[i].name, noun, text_quoted(source).text);
}

static void check_targets(struct loading *loading)
{
    const struct application *application = loading->reader.application;
    struct reader *reader = &loading->reader;
    if (loading->tally.is_unsure || loading->tally.endpoints != application->endpoint_count)
        return;

    for (size_t i = 0; i < application->kafka_ingress_count; i++) {
        const struct kafka_ingress_spec *ingress = &application->kafka_ingresses[i];
        for (size_t j = 0; j < ingress->topic_count; j++) {
            const struct kafka_topic_spec *topic = &ingress->topics[j];
            check_targets_of(reader, &topic->place, "topic", topic->topic, topic->targets,
                             topic->target_count);
        }
        const struct spec_name *invalid = &ingress->invalid_target;
        if (ingress->invalid == KAFKA_INVALID_FORWARD && !is_served(reader, invalid))
            reader_warning(reader, &ingress->place,
                           "no endpoint serves %s/%s, to which ingress %s/%s forwards invalid "
                           "records",
                           invalid->ns, invalid->name, ingress->id.ns, ingress->id.name);
    }
    for (size_t i = 0; i < application->kinesis_ingress_count; i++) {
        const struct kinesis_ingress_spec *ingress = &application->kinesis_ingresses[i];
        for (size_t j = 0; j < ingress->stream_count; j++) {
            const struct kinesis_stream_spec *stream = &ingress->streams[j];
            check_targets_of(reader, &stream->place, "stream", stream->stream, stream->targets,
                             stream->target_count);
        }
    }
}

static struct application *loading_finish(struct loading *loading)
{
    struct application *application = loading->reader.application;
    check_bound(loading);
    check_routers(loading);
    check_targets(loading);
    name_map_destroy(&loading->reader.bindings);
    if (loading->reader.diagnostics->error_count == loading->errors_before)
        return application;
    application_free(application);
    return NULL;
}

struct application *application_load(const struct application_options *options,
                                     struct diagnostics *diagnostics)
{
    struct loading loading;
    struct module_files files;
    loading_init(&loading, options, diagnostics);
    if (!options->module_count) {
        diagnostics_add(diagnostics, SEVERITY_ERROR, NULL, 0, 0,
                        "expected at least one module: a module.yaml, or its directory");
        loading.tally.is_unsure = true;
    }

    module_files_init(&files, options->modules, options->module_count, diagnostics);
    loading.tally.is_unsure |= !files.is_whole;
    open_libraries(&loading, &files);
    for (size_t i = 0; i < files.count; i++) {
        struct buffer text = {0};
        if (yaml_file_read(files.paths[i], &text, diagnostics))
            loading_add(&loading, files.paths[i], buffer_bytes(&text));
        else
            loading.tally.is_unsure = true;
        buffer_destroy(&text);
    }
    module_files_destroy(&files);
    return loading_finish(&loading);
}

struct application *application_load_text(const char *name, struct bytes text,
                                          const struct application_options *options,
                                          struct diagnostics *diagnostics)
{
    struct loading loading;
    loading_init(&loading, options, diagnostics);
    loading_add(&loading, name, text);
    return loading_finish(&loading);
}

void application_free(struct application *application)
{
    if (!application)
        return;
    arena_destroy(&application->arena);
    free(application);
}

const struct endpoint_spec *application_find_endpoint(const struct application *application,
                                                      struct bytes ns, struct bytes name)
{
    const struct endpoint_spec *of_namespace = NULL;
    for (size_t i = 0; i < application->endpoint_count; i++) {
        const struct endpoint_spec *endpoint = &application->endpoints[i];
        if (!bytes_is(ns, endpoint->functions.ns))
            continue;
        if (!endpoint->functions.name)
            of_namespace = endpoint;
        else if (bytes_is(name, endpoint->functions.name))
            return endpoint;
    }
    return of_namespace;
}
