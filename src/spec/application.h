/* application.h - what an application consists of, checked: the outcome of reading module.yaml.
 *
 * The spec room turns text that users wrote (module.yaml, settings) into values that are right.
 * Past this room nothing is "maybe a string": names are split, durations are milliseconds, enums
 * are enums, and every fault has been reported with file, line and column. It may include wire and
 * base. */
#ifndef SPEC_APPLICATION_H
#define SPEC_APPLICATION_H

#include "base/arena.h"
#include "base/bytes.h"
#include "spec/diagnostics.h"
#include "statefun/status.h"

/* Where something was written, for messages and conflicts. That of a component is the place of its
 * id (of an endpoint: its functions), where it has one. */
struct spec_place {
    const char *file; /* lives as long as the application */
    unsigned line, column;
};

/* A typename: namespace/name. */
struct spec_name {
    char *ns;
    char *name; /* NULL in the target of an endpoint: all names of the namespace */
};

/* A file that a module names. */
struct file_spec {
    char *path; /* NULL: none */
    struct spec_place place;
};

/* For endpoints whose URL is https. */
struct tls_spec {
    struct file_spec trust_cacerts; /* none: the system's CAs */
    struct file_spec client_cert, client_key, client_key_password;
    bool verify_hostname; /* the certificate must be for the host of the URL */
};

enum transport_kind { TRANSPORT_OKHTTP, TRANSPORT_ASYNC };

/* AUTO: what the server chooses over TLS, else 1.1. */
enum http_version { HTTP_VERSION_AUTO, HTTP_VERSION_1_1, HTTP_VERSION_2 };

/* Zero means "no limit" for pool_ttl_ms only. Upstream's okhttp has no setting for pool_ttl,
 * pool_size and payload_max_bytes: here is what it does anyway, or a bound where it has none. */
struct transport_spec {
    enum transport_kind kind;
    enum http_version http_version;
    uint64_t call_ms, connect_ms;
    uint64_t read_ms, write_ms; /* okhttp only; 0: no limit */
    uint64_t pool_ttl_ms;
    size_t pool_size;
    size_t payload_max_bytes;
    struct tls_spec tls; /* async only */
};

/* A header that every request to an endpoint carries. Its value may be secret. */
enum header_source { HEADER_TEXT, HEADER_FILE, HEADER_ENVIRONMENT };

struct header_spec {
    char *name;         /* in lower case */
    const char *prefix; /* of the value; may be empty */
    enum header_source source;
    char *text;            /* of HEADER_TEXT: the value; of HEADER_ENVIRONMENT: the variable */
    struct file_spec file; /* of HEADER_FILE */
    struct spec_place place;
};

struct header_list {
    struct header_spec *items;
    size_t count;
};

/* What becomes of messages that a function fails on, when it has failed `attempts` times or for
 * `within_ms` (0: no such limit). */
enum failures_end { FAILURES_RETRY, FAILURES_PARK, FAILURES_DEAD_LETTER };

struct failures_spec {
    int end; /* enum failures_end */
    size_t attempts;
    uint64_t within_ms;
    int resumes; /* of PARK: when the endpoint recovers; else by command only */
};

/* io.statefun.endpoints.v1/http and v2/http */
struct endpoint_spec {
    struct spec_place place;
    struct spec_name functions;
    char *url_template; /* may hold {function.name} */
    bool is_tls;        /* https */
    size_t batch_max;   /* 0: no limit */
    struct transport_spec transport;
    struct failures_spec failures;
    struct header_list headers;
    size_t in_flight_max;  /* requests at once, from all workers; 0: no limit */
    size_t per_second_max; /* requests; 0: no limit */
};

/* io.statefun.embedded.v1/functions: what is said of functions of an embedded module. */
struct embedded_spec {
    struct spec_place place;
    struct spec_name functions; /* as the module binds them; the name may end with a * */
    struct failures_spec failures;
};

struct client_property {
    char *name;
    char *value;
    struct spec_place place;
};

struct property_list {
    struct client_property *items;
    size_t count;
};

struct kafka_topic_spec {
    char *topic;
    char *value_type;
    struct spec_name *targets;
    size_t target_count;
    struct spec_place place;
};

enum kafka_start {
    KAFKA_START_GROUP_OFFSETS,
    KAFKA_START_EARLIEST,
    KAFKA_START_LATEST,
    KAFKA_START_SPECIFIC_OFFSETS,
    KAFKA_START_DATE
};

/* What becomes of a record that cannot become a message. */
enum kafka_invalid {
    KAFKA_INVALID_DEAD_LETTER,
    KAFKA_INVALID_SKIP,
    KAFKA_INVALID_FAIL,
    KAFKA_INVALID_FORWARD
};

struct kafka_offset_spec {
    char *topic;
    int32_t partition;
    int64_t offset;
};

/* io.statefun.kafka.v1/ingress */
struct kafka_ingress_spec {
    struct spec_place place;
    struct spec_name id;
    char *address;
    char *group;
    bool reset_to_earliest; /* else latest */
    enum kafka_start start;
    struct kafka_offset_spec *offsets; /* of SPECIFIC_OFFSETS */
    size_t offset_count;
    int64_t start_date_ms; /* of DATE: ms since 1970 */
    struct kafka_topic_spec *topics;
    size_t topic_count;
    bool forwards_headers;           /* of records, as metadata of their messages */
    int invalid;                     /* enum kafka_invalid */
    struct spec_name invalid_target; /* of FORWARD: a function type */
    struct property_list properties; /* in librdkafka's names: spec/kafka_properties.h */
};

/* JSON: all there is to say; RAW: what was set aside, with all else in the record's headers. */
enum letters_format { LETTERS_JSON, LETTERS_RAW };

/* Dead letters of the whole application, as records of an egress. */
struct dead_letters_spec {
    char *to;   /* a topic or stream; NULL: this egress does not get them */
    bool drops; /* they are not stored, too */
    int format; /* enum letters_format */
    struct spec_place place;
};

enum kafka_delivery { KAFKA_AT_LEAST_ONCE, KAFKA_EXACTLY_ONCE, KAFKA_NONE };

/* io.statefun.kafka.v1/egress */
struct kafka_egress_spec {
    struct spec_place place;
    struct spec_name id;
    char *address;
    enum kafka_delivery delivery;
    uint64_t transaction_timeout_ms; /* of EXACTLY_ONCE */
    struct dead_letters_spec dead_letters;
    struct property_list properties;
};

/* Where Kinesis is. Both may be NULL: then the region is that of the AWS environment. */
struct aws_region_spec {
    char *id;
    char *endpoint; /* a URL; of custom-endpoint */
};

enum aws_credentials { AWS_DEFAULT, AWS_BASIC, AWS_PROFILE };

struct aws_credentials_spec {
    enum aws_credentials kind;
    char *access_key, *secret_key; /* of BASIC */
    char *profile, *profile_path;  /* of PROFILE; the path may be NULL: where profiles always are */
};

struct kinesis_stream_spec {
    char *stream;
    char *value_type;
    struct spec_name *targets;
    size_t target_count;
    struct spec_place place;
};

enum kinesis_start { KINESIS_START_EARLIEST, KINESIS_START_LATEST, KINESIS_START_DATE };

/* What can be set by client properties. */
struct kinesis_client_spec {
    uint64_t connect_ms, request_ms;
    uint64_t discovery_ms; /* between looks for new shards */
    uint64_t interval_ms;  /* between reads of a shard that has nothing new */
    size_t records_max;    /* of one read */
};

/* io.statefun.kinesis.v1/ingress */
struct kinesis_ingress_spec {
    struct spec_place place;
    struct spec_name id;
    struct aws_region_spec region;
    struct aws_credentials_spec credentials;
    enum kinesis_start start;
    int64_t start_date_ms; /* of DATE: ms since 1970 */
    struct kinesis_stream_spec *streams;
    size_t stream_count;
    struct kinesis_client_spec client;
};

/* io.statefun.kinesis.v1/egress */
struct kinesis_egress_spec {
    struct spec_place place;
    struct spec_name id;
    struct aws_region_spec region;
    struct aws_credentials_spec credentials;
    size_t outstanding_max; /* records of one request */
    struct dead_letters_spec dead_letters;
    struct kinesis_client_spec client;
};

/* io.statefun.playground.v1/ingress: its id is io.statefun.playground/ingress */
struct http_ingress_spec {
    struct spec_place place;
    uint16_t port; /* 0: the kernel picks */
};

/* io.statefun.playground.v1/egress */
struct http_egress_spec {
    struct spec_place place;
    struct spec_name id; /* io.statefun.playground/egress, unless it is told otherwise */
    uint16_t port;
    char **topics;
    size_t topic_count;
};

struct application {
    struct arena arena; /* of all below */
    struct endpoint_spec *endpoints;
    size_t endpoint_count;
    struct embedded_spec *embedded;
    size_t embedded_count;
    struct kafka_ingress_spec *kafka_ingresses;
    size_t kafka_ingress_count;
    struct kafka_egress_spec *kafka_egresses;
    size_t kafka_egress_count;
    struct kinesis_ingress_spec *kinesis_ingresses;
    size_t kinesis_ingress_count;
    struct kinesis_egress_spec *kinesis_egresses;
    size_t kinesis_egress_count;
    struct http_ingress_spec *http_ingresses; /* at most one: its id is fixed */
    size_t http_ingress_count;
    struct http_egress_spec *http_egresses; /* at most one */
    size_t http_egress_count;
    char **files; /* that were read, as the user named them */
    size_t file_count;

    /* Embedded modules, which options.open_libraries has opened, and what they bind. */
    size_t library_count;
    size_t library_function_count, library_ingress_count, library_egress_count;
};

/* What an embedded module binds: "namespace/name", of a function type also "namespace/prefix*", of
 * a router its ingress. */
enum library_binds { LIBRARY_FUNCTION, LIBRARY_INGRESS, LIBRARY_EGRESS, LIBRARY_ROUTER };

struct library_name {
    enum library_binds what;
    const char *name;
    const char *path; /* of the library */
};

/* All that libraries bind, in memory of whoever opened them. */
struct library_names {
    struct library_name *items;
    size_t count;
};

struct application_options {
    const char *const *modules; /* files, module directories, directories of module directories */
    size_t module_count;
    bool placeholders; /* replace ${NAME} in values */
    /* Looks a placeholder's name up; NULL if there is no such name. */
    const char *(*look_up)(void *owner, const char *name);
    void *owner;

    /* Opens the libraries of embedded modules and tells what they bind. NULL: there must be none.
     */
    bool (*open_libraries)(void *owner, const char *const *paths, size_t count,
                           struct library_names *ret_names, struct sf_status *status);
    bool unknown_keys_are_errors; /* in `check`; else warnings */
    /* True if librdkafka knows a property of that name. NULL: then it is taken to know what Java's
     * clients do not, and whoever sets it finds out. */
    bool (*kafka_knows)(const char *name);
};

/* Reads all modules and composes them into one application. Everything that is wrong goes to
 * `diagnostics`; returns NULL if any of it is an error. */
struct application *application_load(const struct application_options *options,
                                     struct diagnostics *diagnostics);

/* The same for one module file that is in memory; `name` is what messages call it, and
 * options->modules are not read. */
struct application *application_load_text(const char *name, struct bytes text,
                                          const struct application_options *options,
                                          struct diagnostics *diagnostics);

void application_free(struct application *application); /* NULL is fine */

/* The endpoint that serves a function type, an exact target before its namespace's; or NULL. */
const struct endpoint_spec *application_find_endpoint(const struct application *application,
                                                      struct bytes ns, struct bytes name);

#endif
