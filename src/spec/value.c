/* value.c - see value.h. Blanks are Java's String.trim(): every character up to the space. */
#include "spec/value.h"

#include <stdlib.h>
#include <strings.h>
#include <time.h>

/* A typename becomes part of every address, and those have a limit (wire/address.h). */
enum { TYPENAME_BYTES_MAX = 1024 };

static bool is_blank(char c)
{
    return (unsigned char)c <= ' ';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Splits "12 kB" into 12 and "kB". False if there is no number, or none that fits. */
static bool number_and_unit(const char *text, uint64_t *ret_number, struct bytes *ret_unit)
{
    while (*text && is_blank(*text))
        text++;
    if (!is_digit(*text))
        return false;

    uint64_t number = 0;
    for (; is_digit(*text); text++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number))
            return false;
    while (*text && is_blank(*text))
        text++;

    size_t size = strlen(text);
    while (size > 0 && is_blank(text[size - 1]))
        size--;
    *ret_number = number;
    *ret_unit = bytes_make(text, size);
    return number <= INT64_MAX;
}

struct unit {
    const char *names; /* each between blanks */
    uint64_t factor;
};

/* True if `unit` is one of the blank-separated `names`, whatever the case. */
static bool unit_is(struct bytes unit, const char *names)
{
    while (*names) {
        size_t size = strcspn(names, " ");
        if (size == unit.size && strncasecmp(names, (const char *)unit.data, size) == 0)
            return true;
        names += size;
        names += strspn(names, " ");
    }
    return false;
}

static const struct unit *unit_find(const struct unit *units, struct bytes name)
{
    for (; units->names; units++)
        if (unit_is(name, units->names))
            return units;
    return NULL;
}

bool duration_parse(const char *text, uint64_t *ret_ms, struct sf_status *status)
{
    static const char expected[] =
        "a duration: an integer and one of d, h, min, s, ms, \u00b5s, ns, "
        "as in 10ms, 5 s, 2min (no unit: milliseconds)";
    static const struct unit units[] = {
        {"d day days", 86400000},
        {"h hour hours", 3600000},
        {"min m minute minutes", 60000},
        {"s sec secs second seconds", 1000},
        {"ms milli millis millisecond milliseconds", 1},
        {0},
    };
    static const struct unit fractions[] = {
        {"\u00b5s micro micros microsecond microseconds", 1000},
        {"ns nano nanos nanosecond nanoseconds", 1000000},
        {0},
    };

    uint64_t number, ms;
    struct bytes unit;
    if (!number_and_unit(text, &number, &unit))
        return sf_fail(status, SF_INVALID, "%s", expected);

    const struct unit *fraction = unit_find(fractions, unit);
    if (fraction) {
        ms = number / fraction->factor;
        if (ms == 0 && number > 0)
            return sf_fail(status, SF_INVALID, "a duration of at least 1 ms");
    } else {
        const struct unit *whole = unit.size ? unit_find(units, unit) : NULL;
        if (!whole && unit.size)
            return sf_fail(status, SF_INVALID, "%s", expected);
        if (__builtin_mul_overflow(number, whole ? whole->factor : 1, &ms) || ms > INT64_MAX)
            return sf_fail(status, SF_INVALID, "a duration of at most 2^63 - 1 ms");
    }
    *ret_ms = ms;
    return true;
}

bool size_parse(const char *text, uint64_t *ret_bytes, struct sf_status *status)
{
    static const struct unit units[] = {
        {"b bytes", 1},
        {"k kb kib kibibytes", 1ull << 10},
        {"m mb mib mebibytes", 1ull << 20},
        {"g gb gib gibibytes", 1ull << 30},
        {"t tb tib tebibytes", 1ull << 40},
        {0},
    };

    uint64_t number, bytes;
    struct bytes name;
    bool good = number_and_unit(text, &number, &name);
    const struct unit *unit = good && name.size ? unit_find(units, name) : NULL;
    if (!good || (name.size && !unit) ||
        __builtin_mul_overflow(number, unit ? unit->factor : 1, &bytes) || bytes > INT64_MAX)
        return sf_fail(status, SF_INVALID,
                       "a size: an integer and one of b, kb, mb, gb, tb, as in 4096, 64MB, 1 GiB "
                       "(no unit: bytes; units are powers of 1024)");
    *ret_bytes = bytes;
    return true;
}

bool integer_parse(const char *text, int64_t *ret_value)
{
    const char *digits = text + (*text == '-' || *text == '+');
    if (!is_digit(*digits))
        return false;

    bool negative = *text == '-';
    int64_t value = 0;
    for (; is_digit(*digits); digits++) {
        int64_t digit = *digits - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value))
            return false;
    }
    if (*digits)
        return false;
    *ret_value = value;
    return true;
}

bool typename_parse(const char *text, struct bytes *ret_ns, struct bytes *ret_name,
                    struct sf_status *status)
{
    size_t size = strlen(text);
    if (size > TYPENAME_BYTES_MAX)
        return sf_fail(status, SF_INVALID, "a typename of at most %d bytes", TYPENAME_BYTES_MAX);
    while (size > 0 && text[size - 1] == '/')
        size--;

    const char *slash = memchr(text, '/', size);
    if (!slash || memchr(slash + 1, '/', size - (size_t)(slash + 1 - text)))
        return sf_fail(status, SF_INVALID, "a typename of the form <namespace>/<name>");
    *ret_ns = bytes_make(text, (size_t)(slash - text));
    *ret_name = bytes_make(slash + 1, size - (size_t)(slash + 1 - text));
    return true;
}

/* Reads text by a picture in which 0 stands for a digit, + for a sign and all else for itself; the
 * numbers go to `values`, one for each run of digits, the sign is taken as a number of its own. */
static bool digits_by_picture(const char *text, const char *picture, int *values)
{
    bool in_number = false;
    for (; *picture; picture++, text++) {
        if (*picture == '0') {
            if (!is_digit(*text))
                return false;
            *values = (in_number ? *values * 10 : 0) + (*text - '0');
            in_number = true;
            continue;
        }
        values += in_number;
        in_number = false;
        if (*picture == '+') {
            if (*text != '+' && *text != '-')
                return false;
            *values++ = *text == '-' ? -1 : 1;
        } else if (*text != *picture) {
            return false;
        }
    }
    return !*text;
}

bool date_parse(const char *text, int64_t *ret_ms, struct sf_status *status)
{
    enum { YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, MILLI, SIGN, ZONE, VALUES };
    int v[VALUES] = {0};
    if (!digits_by_picture(text, "0000-00-00 00:00:00.000 +0000", v))
        return sf_fail(status, SF_INVALID,
                       "a date that conforms to the pattern yyyy-MM-dd HH:mm:ss.SSS Z, as in "
                       "2020-02-01 04:15:00.000 +0000");

    struct tm date = {.tm_year = v[YEAR] - 1900,
                      .tm_mon = v[MONTH] - 1,
                      .tm_mday = v[DAY],
                      .tm_hour = v[HOUR],
                      .tm_min = v[MINUTE],
                      .tm_sec = v[SECOND]};
    struct tm asked = date;
    time_t seconds =
        timegm(&date); /* normalises what does not exist, which shows as a difference */
    int zone_hours = v[ZONE] / 100, zone_minutes = v[ZONE] % 100;
    if (date.tm_mon != asked.tm_mon || date.tm_mday != asked.tm_mday ||
        date.tm_hour != asked.tm_hour || date.tm_min != asked.tm_min ||
        date.tm_sec != asked.tm_sec || v[YEAR] == 0 || zone_minutes > 59 ||
        zone_hours * 60 + zone_minutes > 18 * 60)
        return sf_fail(status, SF_INVALID, "a day, time and zone that exist");

    int64_t zone_seconds = v[SIGN] * (zone_hours * 60 + zone_minutes) * 60;
    *ret_ms = ((int64_t)seconds - zone_seconds) * 1000 + v[MILLI];
    return true;
}

bool topic_partition_parse(const char *text, struct bytes *ret_topic, int32_t *ret_partition,
                           struct sf_status *status)
{
    const char *slash = strrchr(text, '/');
    int64_t partition;
    if (!slash || slash == text || !integer_parse(slash + 1, &partition) || partition < 0 ||
        partition > INT32_MAX)
        return sf_fail(status, SF_INVALID, "a topic, '/' and an integer between 0 and %d",
                       INT32_MAX);
    *ret_topic = bytes_make(text, (size_t)(slash - text));
    *ret_partition = (int32_t)partition;
    return true;
}
