/* log_level.h - a level of sf_log, or of sf_log_route, in the log of whatever runs it. */
#ifndef SDK_LOG_LEVEL_H
#define SDK_LOG_LEVEL_H

#include "base/log.h"
#include "statefun/statefun.h"

static inline enum log_level log_level_of(enum sf_level level)
{
    static const enum log_level levels[] = {LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR};
    return (unsigned)level <= SF_ERROR ? levels[level] : LOG_ERROR;
}

#endif
