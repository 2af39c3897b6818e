/* reporter.c - lines for reports. */
#include "runtime/reporter.h"

#include "base/log.h"
#include "engine/keys.h"

enum { WINDOW_MS = 10 * 1000, LINES_MAX = 10 };

static bool may_write(struct reporter *reporter, uint64_t now_ms)
{
    if (now_ms - reporter->window_ms >= WINDOW_MS) {
        if (reporter->withheld)
            log_warn("more of the same was not written", LOG_NUMBER("lines", reporter->withheld));
        *reporter = (struct reporter){.window_ms = now_ms};
    }
    if (reporter->written < LINES_MAX) {
        reporter->written++;
        return true;
    }
    reporter->withheld++;
    return false;
}

static struct bytes target_of(const struct dead_letter *letter)
{
    return letter->egress.size ? letter->egress : letter->target;
}

void reporter_tell(struct reporter *reporter, const struct report *report, uint64_t now_ms)
{
    if (!may_write(reporter, now_ms))
        return;
    struct buffer address = {0};
    if (report->address.size)
        address_add_text(&address, report->address);
    switch (report->kind) {
    case REPORT_FAILING:
        log_warn("a function fails and is tried again",
                 LOG_BYTES("address", buffer_bytes(&address)), LOG_BYTES("cause", report->cause));
        break;
    case REPORT_RECOVERED:
        log_info("a function that failed works again", LOG_BYTES("address", buffer_bytes(&address)),
                 LOG_NUMBER("failures", report->attempts));
        break;
    case REPORT_PARKED:
        log_warn("a function has failed too often: its address is parked, and keeps its messages",
                 LOG_BYTES("address", buffer_bytes(&address)), LOG_BYTES("cause", report->cause),
                 LOG_NUMBER("failures", report->attempts));
        break;
    case REPORT_RESUMED:
        log_info("a parked address is resumed", LOG_BYTES("address", buffer_bytes(&address)));
        break;
    case REPORT_DEAD_LETTER:
        log_warn("something that cannot be delivered was set aside as a dead letter",
                 LOG_BYTES("origin", report->letter->origin),
                 LOG_BYTES("target", target_of(report->letter)), LOG_BYTES("cause", report->cause));
        break;
    }
    buffer_destroy(&address);
}
