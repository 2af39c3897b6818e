/* dev_console.c - see dev_console.h. */
#include "cli/dev_console.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const colours[] = {
    "\033[1m",  /* our own: bold */
    "\033[36m", /* cyan, yellow, green, magenta, blue */
    "\033[33m", "\033[32m", "\033[35m", "\033[34m",
};
enum { COLOURS = sizeof colours / sizeof *colours };

void console_init(struct console *console)
{
    const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");
    *console = (struct console){
        .has_colours =
            isatty(STDOUT_FILENO) && !(no && *no) && terminal && strcmp(terminal, "dumb") != 0,
        .width = (int)strlen("dev"),
    };
}

void console_expect(struct console *console, const char *name)
{
    int width = (int)strlen(name);
    if (width > console->width)
        console->width = width;
}

void console_put(const struct console *console, const char *name, unsigned colour,
                 struct bytes line)
{
    const char *begin = "", *end = "";
    if (console->has_colours) {
        begin = colours[colour ? 1 + (colour - 1) % (COLOURS - 1) : 0];
        end = "\033[0m";
    }
    printf("%s%-*s |%s %.*s\n", begin, console->width, name, end, BYTES_ARG(line));
    if (fflush(stdout) != 0)
        raise(SIGHUP); /* nobody reads any more: as if the terminal had been closed */
}

void console_say(const struct console *console, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (size < 0)
        abort(); /* out of memory, as mem.c has it */
    console_put(console, "dev", 0, bytes_of(text));
    free(text);
}
