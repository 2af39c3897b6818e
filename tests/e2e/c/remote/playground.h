/* playground.h - records for the playground's egress, which functions in tests speak through. */
#ifndef E2E_PLAYGROUND_H
#define E2E_PLAYGROUND_H

#include <statefun/statefun.h>

/* `text` must need no escapes in JSON. */
static inline bool publish(struct sf_context *context, const char *topic, struct sf_value text)
{
    static const struct sf_type record = SF_BYTES_TYPE("io.statefun.playground/EgressRecord");
    struct sf_value json =
        sf_format(context, "{\"topic\":\"%s\",\"payload\":\"%s\"}", topic,
                  (const char *)text.as_bytes.data); /* of sf_format: it has a NUL */
    return sf_send_egress(context, "io.statefun.playground/egress",
                          sf_bytes(&record, json.as_bytes.data, json.as_bytes.size));
}

#endif
