/* dev_console.h - what several processes say, on one terminal: each line behind the name of its
 * process, in a colour of its own where there are colours. */
#ifndef CLI_DEV_CONSOLE_H
#define CLI_DEV_CONSOLE_H

#include "base/bytes.h"

struct console {
    bool has_colours;
    int width; /* of the longest name */
};

/* Colours only on a terminal, and not if NO_COLOR is set: https://no-color.org. */
void console_init(struct console *console);

/* Names that lines will have, so that they stand in one column. */
void console_expect(struct console *console, const char *name);

/* A line, without its end. Colour 0 is for our own, the others are used in turn. When nobody reads
 * any more, the process gets a SIGHUP. */
void console_put(const struct console *console, const char *name, unsigned colour,
                 struct bytes line);

/* A line of our own. */
void console_say(const struct console *console, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
