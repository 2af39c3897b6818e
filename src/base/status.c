/* status.c - filling and prefixing a status. */
#include "statefun/status.h"

#include <stdio.h>
#include <string.h>

bool sf_fail(struct sf_status *status, enum sf_code code, const char *format, ...)
{
    if (!status)
        return false;

    va_list arguments;
    va_start(arguments, format);
    status->code = code;
    vsnprintf(status->message, sizeof status->message, format, arguments);
    va_end(arguments);
    return false;
}

bool sf_wrap(struct sf_status *status, const char *format, ...)
{
    if (!status)
        return false;

    char cause[sizeof status->message];
    memcpy(cause, status->message, sizeof cause);

    va_list arguments;
    va_start(arguments, format);
    int used = vsnprintf(status->message, sizeof status->message, format, arguments);
    va_end(arguments);

    if (used >= 0 && (size_t)used < sizeof status->message)
        snprintf(status->message + used, sizeof status->message - (size_t)used, ": %s", cause);
    return false;
}

const char *sf_code_name(enum sf_code code)
{
    switch (code) {
    case SF_OK:
        return "ok";
    case SF_INVALID:
        return "invalid";
    case SF_NOT_FOUND:
        return "not_found";
    case SF_CONFLICT:
        return "conflict";
    case SF_FULL:
        return "full";
    case SF_IO:
        return "io";
    case SF_TIMEOUT:
        return "timeout";
    case SF_UNSUPPORTED:
        return "unsupported";
    case SF_CORRUPT:
        return "corrupt";
    case SF_FENCED:
        return "fenced";
    case SF_FAILED:
        return "failed";
    case SF_NO_MEMORY:
        return "no_memory";
    }
    return "unknown";
}
