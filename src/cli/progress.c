/* progress.c - see progress.h. */
#include "cli/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { BAR_MS = 100, LINE_MS = 5000, BAR_WIDTH = 30 };

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void progress_begin(struct progress *progress, const char *what, uint64_t total)
{
    *progress = (struct progress){
        .what = what,
        .total = total,
        .is_terminal = isatty(STDERR_FILENO),
        .begun_ms = now_ms(),
    };
    progress->shown_ms = progress->begun_ms;
}

static void show_bar(unsigned percent)
{
    unsigned full = percent * BAR_WIDTH / 100;
    fputc('[', stderr);
    for (unsigned i = 0; i < BAR_WIDTH; i++)
        fputc(i < full ? '#' : ' ', stderr);
    fputs("] ", stderr);
}

void progress_show(struct progress *progress, uint64_t done, uint64_t lines)
{
    uint64_t now = now_ms(), ms = now - progress->begun_ms;
    if (now - progress->shown_ms < (progress->is_terminal ? BAR_MS : LINE_MS))
        return;
    progress->shown_ms = now;
    unsigned percent = progress->total ? (unsigned)(done * 100 / progress->total) : 0;
    if (percent > 100)
        percent = 100;
    fprintf(stderr, progress->is_terminal ? "\r%s " : "%s: ", progress->what);
    if (progress->total && progress->is_terminal)
        show_bar(percent);
    if (progress->total)
        fprintf(stderr, "%u %%, ", percent);
    fprintf(stderr, "%llu lines, %llu a second%s", (unsigned long long)lines,
            (unsigned long long)(lines * 1000 / ms), progress->is_terminal ? "\033[K" : "\n");
    fflush(stderr);
}

void progress_end(struct progress *progress, bool good, uint64_t lines)
{
    if (progress->is_terminal)
        fputs("\r\033[K", stderr);
    if (good)
        fprintf(stderr, "%s: %llu lines in %.1f s\n", progress->what, (unsigned long long)lines,
                (double)(now_ms() - progress->begun_ms) / 1000);
}
