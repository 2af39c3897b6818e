/* kafka_common.c - see kafka_common.h. */
#include "spec/kafka_common.h"

#include "base/mem.h"
#include "spec/value.h"

enum { TOPIC_BYTES_MAX = 249 };

static bool is_broker(const char *text, size_t size)
{
    const char *colon = memrchr(text, ':', size);
    if (!colon || colon == text)
        return false;
    char *digits = bytes_string(bytes_make(colon + 1, size - (size_t)(colon + 1 - text)));
    int64_t port;
    bool good = integer_parse(digits, &port) && port > 0 && port <= UINT16_MAX;
    free(digits);
    return good;
}

const char *kafka_address_fault(const char *address)
{
    static const char expected[] = "brokers as host:port, separated by commas";
    for (;;) {
        address += strspn(address, " ");
        size_t size = strcspn(address, ",");
        size_t trimmed = size;
        while (trimmed > 0 && address[trimmed - 1] == ' ')
            trimmed--;
        if (!is_broker(address, trimmed))
            return expected;
        if (!address[size])
            return NULL;
        address += size + 1;
    }
}

bool kafka_address_read(struct reader *reader, const struct property *property,
                        const struct yaml_node *node, void *to)
{
    char *address;
    if (!text_read(reader, property, node, &address))
        return false;
    const char *fault = kafka_address_fault(address);
    if (fault)
        return reader_mismatch(reader, property->key, node, "%s", fault);
    *(char **)to = address;
    return true;
}

bool kafka_topic_read(struct reader *reader, const struct property *property,
                      const struct yaml_node *node, void *to)
{
    char *topic;
    if (!text_read(reader, property, node, &topic))
        return false;
    size_t size = strlen(topic);
    bool good = size <= TOPIC_BYTES_MAX && strcmp(topic, ".") && strcmp(topic, "..") &&
                size == strspn(topic, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789._-");
    if (!good)
        return reader_mismatch(reader, property->key, node,
                               "a topic: at most %d letters, digits, '.', '_' and '-'",
                               TOPIC_BYTES_MAX);
    *(char **)to = topic;
    return true;
}
