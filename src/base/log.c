/* log.c - a line is built in memory and written by one write(2), which is what keeps lines whole.
 */
#include "base/log.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* A thread that a stopped server has left behind may still read them. */
static _Atomic enum log_level least_level = LOG_INFO;
static _Atomic enum log_format line_format = LOG_AS_TEXT;
static int line_fd = STDERR_FILENO;

static const char *const level_names[] = {"DEBUG", "INFO", "WARN", "ERROR"};

void log_configure(enum log_level least, enum log_format format)
{
    least_level = least;
    line_format = format;
}

void log_redirect(int fd)
{
    line_fd = fd < 0 ? STDERR_FILENO : fd;
}

bool log_wants(enum log_level level)
{
    return level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

static void add_time(struct buffer *line)
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);

    char text[32];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    buffer_add_format(line, "%s.%03ldZ", text, now.tv_nsec / 1000000);
}

static bool is_plain(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] == '"' || text.data[i] == '\\' ||
            text.data[i] == '=' || text.data[i] >= 0x7f)
            return false;
    return text.size > 0;
}

/* Control characters would let a field forge a line of its own: quoted, they are escaped. */
static void add_as_text(struct buffer *line, enum log_level level, const char *message,
                        const struct log_field *fields)
{
    add_time(line);
    buffer_add_format(line, " %-5s %s", level_names[level], message);
    for (const struct log_field *field = fields; field->key; field++) {
        buffer_add_format(line, " %s=", field->key);
        if (field->is_number)
            buffer_add_format(line, "%lld", (long long)field->number);
        else if (is_plain(field->text))
            buffer_add_bytes(line, field->text);
        else
            buffer_add_quoted(line, field->text);
    }
}

static void add_as_json(struct buffer *line, enum log_level level, const char *message,
                        const struct log_field *fields)
{
    buffer_add_text(line, "{\"time\":\"");
    add_time(line);
    buffer_add_format(line, "\",\"level\":\"%s\",\"message\":", level_names[level]);
    buffer_add_quoted(line, bytes_of(message));
    for (const struct log_field *field = fields; field->key; field++) {
        buffer_add_format(line, ",\"%s\":", field->key);
        if (field->is_number)
            buffer_add_format(line, "%lld", (long long)field->number);
        else
            buffer_add_quoted(line, field->text);
    }
    buffer_add_u8(line, '}');
}

void log_write(enum log_level level, const char *message, const struct log_field *fields)
{
    struct buffer line = {0};
    if (line_format == LOG_AS_JSON)
        add_as_json(&line, level, message, fields);
    else
        add_as_text(&line, level, message, fields);
    buffer_add_u8(&line, '\n');

    /* A log that cannot be written must not stop the program, and there is nobody left to tell. */
    ssize_t written = write(line_fd, line.data, line.size);
    (void)written;
    buffer_destroy(&line);
}
