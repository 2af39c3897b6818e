/* log.h - one line on standard error for each thing worth knowing.
 *
 *   log_info("ingress is listening", LOG_TEXT("ingress", id), LOG_NUMBER("port", port));
 *
 * gives, as text, `2026-11-23T08:13:00.123Z INFO  ingress is listening ingress=a/b port=8090`, and
 * as JSON an object with time, level, message and the fields. Any thread may log; lines never mix.
 *
 * A call that returns a status does not log: whoever handles the status does, once. What happens by
 * itself (an outage, a retry) is logged where it is noticed, once per episode and not per try.
 * Values of messages, states and secrets are never logged. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/bytes.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };
enum log_format { LOG_AS_TEXT, LOG_AS_JSON };

struct log_field {
    const char *key; /* NULL ends a list of fields */
    struct bytes text;
    int64_t number;
    bool is_number;
};

#define LOG_TEXT(k, v)   ((struct log_field){.key = (k), .text = bytes_of(v)})
#define LOG_BYTES(k, v)  ((struct log_field){.key = (k), .text = (v)})
#define LOG_NUMBER(k, v) ((struct log_field){.key = (k), .number = (int64_t)(v), .is_number = true})

/* For all threads, from now on. The default is text, from LOG_INFO on. */
void log_configure(enum log_level least, enum log_format format);

/* Where lines go instead of standard error; -1 restores it. For tests. */
void log_redirect(int fd);

bool log_wants(enum log_level level);

void log_write(enum log_level level, const char *message, const struct log_field *fields);

#define LOG_AT(level, message, ...)                                                                \
    do {                                                                                           \
        if (log_wants(level))                                                                      \
            log_write((level), (message), (struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}});    \
    } while (0)

#define log_debug(message, ...) LOG_AT(LOG_DEBUG, message __VA_OPT__(, ) __VA_ARGS__)
#define log_info(message, ...)  LOG_AT(LOG_INFO, message __VA_OPT__(, ) __VA_ARGS__)
#define log_warn(message, ...)  LOG_AT(LOG_WARN, message __VA_OPT__(, ) __VA_ARGS__)
#define log_error(message, ...) LOG_AT(LOG_ERROR, message __VA_OPT__(, ) __VA_ARGS__)

#endif
