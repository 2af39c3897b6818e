/* progress.h - how far something long has come, on standard error: a bar where that is a terminal,
 * else a line now and then. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what; /* "import", ... */
    uint64_t total;   /* bytes; 0: not known */
    bool is_terminal;
    uint64_t begun_ms, shown_ms;
};

void progress_begin(struct progress *progress, const char *what, uint64_t total);

/* `done` of the total, and how many lines that are. */
void progress_show(struct progress *progress, uint64_t done, uint64_t lines);

/* Wipes the bar, or says how it ended: "import: 12 lines in 0.1 s". */
void progress_end(struct progress *progress, bool good, uint64_t lines);

#endif
