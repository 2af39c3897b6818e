/* transport.c - the two transports, their options and defaults. */
#include "spec/transport.h"

#include "base/mem.h"
#include "spec/location.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND };

static const struct range size_range = {1, INT32_MAX};

struct timeouts {
    uint64_t call_ms, connect_ms, read_ms, write_ms;
};

/* Also of the members that a `timeouts` object leaves out, in both transports. */
static const struct timeouts timeouts_default = {MINUTE, 10 * SECOND, 10 * SECOND, 10 * SECOND};

struct transport_spec transport_default(enum transport_kind kind)
{
    struct transport_spec transport = {
        .kind = kind,
        .call_ms = 2 * MINUTE,
        .connect_ms = 20 * SECOND,
        .pool_ttl_ms = 15 * SECOND,
        .pool_size = 1024,
        .payload_max_bytes = 32 * 1024 * 1024,
        .tls = {.verify_hostname = true},
    };
    if (kind == TRANSPORT_OKHTTP) {
        transport.call_ms = timeouts_default.call_ms;
        transport.connect_ms = timeouts_default.connect_ms;
        transport.read_ms = timeouts_default.read_ms;
        transport.write_ms = timeouts_default.write_ms;
        transport.pool_ttl_ms = MINUTE;
    }
    return transport;
}

static bool read_timeout(struct reader *reader, const struct property *property,
                         const struct yaml_node *node, void *to)
{
    uint64_t ms;
    if (!duration_read(reader, property, node, &ms))
        return false;
    if (ms == 0)
        return reader_error(reader, &node->place,
                            "Timeout durations must be larger than 0. Found %s for '%s'",
                            yaml_describe(node).text, property->key);
    *(uint64_t *)to = ms;
    return true;
}

/* okhttp: no single timeout may be longer than the whole call's. */
static bool check_okhttp(struct reader *reader, const struct yaml_node *node,
                         const struct timeouts *timeouts)
{
    const struct {
        const char *key, *phrase;
        uint64_t ms;
    } parts[] = {{"connect", "Connect", timeouts->connect_ms},
                 {"read", "Read", timeouts->read_ms},
                 {"write", "Write", timeouts->write_ms}};
    const struct yaml_entry *call = yaml_find(node, "call");
    bool good = true;

    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        const struct yaml_entry *given = yaml_find(node, parts[i].key);
        if (parts[i].ms <= timeouts->call_ms)
            continue;
        good = reader_error(
            reader, given ? &given->value->place : &call->value->place,
            "%s timeout cannot be larger than request timeout: expected '%s' of at most %llu ms, "
            "which is 'call'%s, found %llu ms%s (upstream finds this only at the first message)",
            parts[i].phrase, parts[i].key, (unsigned long long)timeouts->call_ms,
            call ? "" : " by default", (unsigned long long)parts[i].ms,
            given ? "" : ", its default");
    }
    return good;
}

static const struct property okhttp_timeouts[] = {
    PROPERTY("call", read_timeout, offsetof(struct timeouts, call_ms)),
    PROPERTY("connect", read_timeout, offsetof(struct timeouts, connect_ms)),
    PROPERTY("read", read_timeout, offsetof(struct timeouts, read_ms)),
    PROPERTY("write", read_timeout, offsetof(struct timeouts, write_ms)),
};

/* The async transport knows neither read nor write timeouts, but takes a `timeouts` object that was
 * written for okhttp. */
static const struct property async_timeouts[] = {
    PROPERTY("call", read_timeout, offsetof(struct timeouts, call_ms)),
    PROPERTY("connect", read_timeout, offsetof(struct timeouts, connect_ms)),
    PROPERTY("read", NULL, 0),
    PROPERTY("write", NULL, 0),
};

static const char timeouts_expected[] = "an object such as {call: 1min, connect: 10s}";

bool okhttp_timeouts_read(struct reader *reader, const struct property *property,
                          const struct yaml_node *node, void *to)
{
    struct transport_spec *transport = to;
    struct timeouts timeouts = timeouts_default;
    if (!reader_expect_kind(reader, property->key, node, YAML_OBJECT, timeouts_expected) ||
        !object_read(reader, node, "timeouts", okhttp_timeouts, COUNT_OF(okhttp_timeouts),
                     &timeouts) ||
        !check_okhttp(reader, node, &timeouts))
        return false;
    transport->call_ms = timeouts.call_ms;
    transport->connect_ms = timeouts.connect_ms;
    transport->read_ms = timeouts.read_ms;
    transport->write_ms = timeouts.write_ms;
    return true;
}

static bool read_async_timeouts(struct reader *reader, const struct property *property,
                                const struct yaml_node *node, void *to)
{
    struct timeouts *timeouts = to;
    *timeouts = timeouts_default;
    return reader_expect_kind(reader, property->key, node, YAML_OBJECT, timeouts_expected) &&
           object_read(reader, node, "timeouts", async_timeouts, COUNT_OF(async_timeouts),
                       timeouts);
}

/* A transport and what is read beside it. */
struct draft {
    struct transport_spec transport;
    struct timeouts timeouts; /* of async; all zeros: none given */
};

#define OPTION(member) offsetof(struct draft, transport) + offsetof(struct transport_spec, member)

static bool read_http_version(struct reader *reader, const struct property *property,
                              const struct yaml_node *node, void *to)
{
    static const char *const versions[] = {"auto", "1.1", "2"}; /* as in enum http_version */
    for (size_t i = 0; node->text && i < COUNT_OF(versions); i++) {
        if (strcmp(node->text, versions[i]) == 0) {
            *(enum http_version *)to = (enum http_version)i;
            return true;
        }
    }
    return reader_mismatch(reader, property->key, node, "auto, 1.1 or 2");
}

static const struct property okhttp_options[] = {
    PROPERTY("type", NULL, 0),
    PROPERTY("timeouts", okhttp_timeouts_read, offsetof(struct draft, transport)),
    PROPERTY("http_version", read_http_version, OPTION(http_version)),
};

static const struct property async_options[] = {
    PROPERTY("type", NULL, 0),
    PROPERTY("call", read_timeout, OPTION(call_ms)),
    PROPERTY("connect", read_timeout, OPTION(connect_ms)),
    PROPERTY("timeouts", read_async_timeouts, offsetof(struct draft, timeouts)),
    PROPERTY("pool_ttl", duration_read, OPTION(pool_ttl_ms)),
    PROPERTY("pool_size", count_read, OPTION(pool_size), .detail = &size_range),
    PROPERTY("payload_max_bytes", count_read, OPTION(payload_max_bytes), .detail = &size_range),
    PROPERTY("trust_cacerts", location_read, OPTION(tls.trust_cacerts)),
    PROPERTY("client_cert", location_read, OPTION(tls.client_cert)),
    PROPERTY("client_key", location_read, OPTION(tls.client_key)),
    PROPERTY("client_key_password", location_read, OPTION(tls.client_key_password)),
    PROPERTY("http_version", read_http_version, OPTION(http_version)),
    PROPERTY("verify_hostname", switch_read, OPTION(tls.verify_hostname)),
};

static const struct variant transports[] = {
    {"io.statefun.transports.v1/async", TRANSPORT_ASYNC, async_options, COUNT_OF(async_options)},
    {"io.statefun.transports.v1/okhttp", TRANSPORT_OKHTTP, okhttp_options,
     COUNT_OF(okhttp_options)},
};

static const struct variant *find_transport(struct reader *reader, const struct property *property,
                                            const struct yaml_node *node)
{
    const struct yaml_entry *type = yaml_find(node, "type");
    const char *written = type ? type->value->written : NULL;
    char *unknown = mem_format("An extension with type %s does not exist",
                               text_quoted(written ? written : "").text);
    /* Upstream takes an object without `type` for the async transport. */
    const struct variant *transport = variant_find(reader, node, property->key, unknown, transports,
                                                   COUNT_OF(transports), &transports[0]);
    free(unknown);
    return transport;
}

static bool check_client_key(struct reader *reader, const struct yaml_node *node)
{
    const struct yaml_entry *cert = yaml_find(node, "client_cert");
    const struct yaml_entry *key = yaml_find(node, "client_key");
    const struct yaml_entry *password = yaml_find(node, "client_key_password");
    if (password && !key)
        reader_warning(reader, &password->key_place, "'%s' has no effect without 'client_key'",
                       password->key);
    if (!cert == !key)
        return true;
    return reader_error(reader, cert ? &cert->key_place : &key->key_place,
                        "expected 'client_cert' and 'client_key' together, found '%s' alone",
                        cert ? "client_cert" : "client_key");
}

bool transport_read(struct reader *reader, const struct property *property,
                    const struct yaml_node *node, void *to)
{
    const struct variant *variant = find_transport(reader, property, node);
    if (!variant)
        return false;

    struct draft draft = {transport_default((enum transport_kind)variant->value), {0}};
    if (!variant_read(reader, node, "transport", variant, &draft) ||
        !check_client_key(reader, node))
        return false;
    if (draft.timeouts.call_ms) {
        static const char *const flat_keys[] = {"call", "connect"};
        for (size_t i = 0; i < COUNT_OF(flat_keys); i++) {
            const struct yaml_entry *flat = yaml_find(node, flat_keys[i]);
            if (flat)
                reader_warning(reader, &flat->key_place,
                               "'%s' has no effect: 'timeouts' beside it wins", flat_keys[i]);
        }
        draft.transport.call_ms = draft.timeouts.call_ms;
        draft.transport.connect_ms = draft.timeouts.connect_ms;
    }
    *(struct transport_spec *)to = draft.transport;
    return true;
}

void transport_check_plain(struct reader *reader, const struct yaml_node *transport)
{
    static const char *const tls_keys[] = {"trust_cacerts", "client_cert", "client_key",
                                           "client_key_password", "verify_hostname"};
    for (size_t i = 0; i < COUNT_OF(tls_keys); i++) {
        const struct yaml_entry *entry = yaml_find(transport, tls_keys[i]);
        if (entry)
            reader_warning(reader, &entry->key_place,
                           "'%s' has no effect: the scheme of 'urlPathTemplate' is not https",
                           tls_keys[i]);
    }
}
