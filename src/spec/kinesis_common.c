/* kinesis_common.c - see kinesis_common.h. */
#include "spec/kinesis_common.h"

#include "spec/client_properties.h"
#include "spec/value.h"

#include <ctype.h>

/* --- region --- */

static bool read_region_id(struct reader *reader, const struct property *property,
                           const struct yaml_node *node, void *to)
{
    char *id;
    if (!text_read(reader, property, node, &id))
        return false;
    if (strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(id))
        return reader_mismatch(reader, property->key, node, "a region such as us-west-2");
    *(char **)to = id;
    return true;
}

/* Upstream takes https only, and so does AWS; an emulator on this machine speaks http as well. */
static bool read_endpoint(struct reader *reader, const struct property *property,
                          const struct yaml_node *node, void *to)
{
    char *url;
    if (!text_read(reader, property, node, &url))
        return false;
    bool is_plain = !strncmp(url, "http://", 7);
    size_t scheme = is_plain ? 7 : strlen("https://");
    if ((!is_plain && strncmp(url, "https://", scheme)) || !url[scheme] ||
        strpbrk(url + scheme, "/?#@ ") != NULL)
        return reader_mismatch(reader, property->key, node,
                               "https://, a host and perhaps ':' and a port");
    if (is_plain)
        reader_warning(reader, &node->place,
                       "'%s' is not https: records can be read on their way, and Apache StateFun "
                       "does not take it",
                       property->key);
    *(char **)to = url;
    return true;
}

static const struct property specific_properties[] = {
    PROPERTY("type", NULL, 0),
    PROPERTY("id", read_region_id, offsetof(struct aws_region_spec, id), .required = true),
};

static const struct property endpoint_properties[] = {
    PROPERTY("type", NULL, 0),
    PROPERTY("endpoint", read_endpoint, offsetof(struct aws_region_spec, endpoint),
             .required = true),
    PROPERTY("id", read_region_id, offsetof(struct aws_region_spec, id), .required = true),
};

static const struct variant regions[] = {
    {"default", 0, NULL, 0},
    {"specific", 0, specific_properties, COUNT_OF(specific_properties)},
    {"custom-endpoint", 0, endpoint_properties, COUNT_OF(endpoint_properties)},
};

bool aws_region_read(struct reader *reader, const struct property *property,
                     const struct yaml_node *node, void *to)
{
    const struct variant *region = variant_find(
        reader, node, property->key, "Invalid AWS region type", regions, COUNT_OF(regions), NULL);
    return region && variant_read(reader, node, property->key, region, to);
}

/* --- credentials: nothing that stands there is ever shown --- */

static bool read_secret(struct reader *reader, const struct property *property,
                        const struct yaml_node *node, void *to)
{
    if (node->kind == YAML_BROKEN)
        return false;
    if (node->kind == YAML_NULL || !node->text || !*node->text)
        return reader_error(reader, &node->place, "'%s': expected text, found %s", property->key,
                            yaml_kind_name(node));
    return text_read(reader, property, node, to);
}

#define CREDENTIALS(member) offsetof(struct aws_credentials_spec, member)

static const struct property basic_properties[] = {
    PROPERTY("type", NULL, 0),
    PROPERTY("accessKeyId", read_secret, CREDENTIALS(access_key), .required = true),
    PROPERTY("secretAccessKey", read_secret, CREDENTIALS(secret_key), .required = true),
};

static const struct property profile_properties[] = {
    PROPERTY("type", NULL, 0),
    PROPERTY("profileName", text_read, CREDENTIALS(profile), .required = true),
    PROPERTY("profilePath", text_read, CREDENTIALS(profile_path)),
};

static const struct variant credentials_kinds[] = {
    {"default", AWS_DEFAULT, NULL, 0},
    {"basic", AWS_BASIC, basic_properties, COUNT_OF(basic_properties)},
    {"profile", AWS_PROFILE, profile_properties, COUNT_OF(profile_properties)},
};

bool aws_credentials_read(struct reader *reader, const struct property *property,
                          const struct yaml_node *node, void *to)
{
    struct aws_credentials_spec *credentials = to;
    const struct variant *kind =
        variant_find(reader, node, property->key, "Invalid AWS credential type", credentials_kinds,
                     COUNT_OF(credentials_kinds), NULL);
    if (!kind)
        return false;
    credentials->kind = (enum aws_credentials)kind->value;
    return variant_read(reader, node, property->key, kind, credentials);
}

/* --- streams --- */

bool kinesis_stream_read(struct reader *reader, const struct property *property,
                         const struct yaml_node *node, void *to)
{
    enum { STREAM_BYTES_MAX = 128 };
    char *stream;
    if (!text_read(reader, property, node, &stream))
        return false;
    size_t size = strlen(stream);
    if (size > STREAM_BYTES_MAX || size != strspn(stream, "abcdefghijklmnopqrstuvwxyz"
                                                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                          "0123456789._-"))
        return reader_mismatch(reader, property->key, node,
                               "a stream: at most %d letters, digits, '.', '_' and '-'",
                               STREAM_BYTES_MAX);
    *(char **)to = stream;
    return true;
}

/* --- client properties --- */

struct kinesis_client_spec kinesis_client_default(void)
{
    return (struct kinesis_client_spec){
        .connect_ms = 10 * 1000,
        .request_ms = 50 * 1000,
        .discovery_ms = 10 * 1000,
        .interval_ms = 200,
        .records_max = 10000,
    };
}

/* Of the AWS client for Java and of Flink's consumer; the first letter's case does not count. */
static const struct known_property {
    const char *name;
    struct range range;
    size_t offset;
    bool is_size;
} known_properties[] = {
#define CLIENT(member) offsetof(struct kinesis_client_spec, member)
    {"connectionTimeout", {1, INT32_MAX}, CLIENT(connect_ms), false},
    {"socketTimeout", {1, INT32_MAX}, CLIENT(request_ms), false},
    {"requestTimeout", {1, INT32_MAX}, CLIENT(request_ms), false},
    {"flink.shard.discovery.intervalmillis", {1, INT32_MAX}, CLIENT(discovery_ms), false},
    {"flink.shard.getrecords.intervalmillis", {1, INT32_MAX}, CLIENT(interval_ms), false},
    {"flink.shard.getrecords.maxrecordcount", {1, 10000}, CLIENT(records_max), true},
#undef CLIENT
};

static const struct known_property *known_property_find(const char *name)
{
    static const char prefix[] = "aws.clientconfig.";
    if (!strncmp(name, prefix, strlen(prefix)))
        name += strlen(prefix);
    for (size_t i = 0; i < COUNT_OF(known_properties); i++) {
        const char *known = known_properties[i].name;
        if (tolower((unsigned char)*name) == *known && !strcmp(name + 1, known + 1))
            return &known_properties[i];
    }
    return NULL;
}

static bool set_property(struct reader *reader, const struct client_property *property, char *to)
{
    const struct known_property *known = known_property_find(property->name);
    int64_t value;
    if (!known) {
        reader_warning(reader, &property->place,
                       "%s has no effect: it is of a client library that this runtime does not use",
                       text_quoted(property->name).text);
        return true;
    }
    if (!integer_parse(property->value, &value) || value < known->range.min ||
        value > known->range.max)
        return reader_error(reader, &property->place, "%s: expected an integer from %lld to %lld",
                            text_quoted(property->name).text, (long long)known->range.min,
                            (long long)known->range.max);
    if (known->is_size)
        *(size_t *)(to + known->offset) = (size_t)value;
    else
        *(uint64_t *)(to + known->offset) = (uint64_t)value;
    return true;
}

bool kinesis_client_read(struct reader *reader, const struct property *property,
                         const struct yaml_node *node, void *to)
{
    struct property_list list = {0};
    bool good = client_properties_read(reader, property, node, &list);
    for (size_t i = 0; i < list.count; i++)
        good &= set_property(reader, &list.items[i], to);
    return good;
}
