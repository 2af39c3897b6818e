/* dev_child.h - a process that 'statefun dev' starts, with all that it starts in turn.
 *
 * Each has a process group of its own: signals go to the whole of it, and it has ended when nobody
 * of it is left. Standard input is empty; what is written to standard output and error comes out,
 * line by line, on the console. On the loop's thread. */
#ifndef CLI_DEV_CHILD_H
#define CLI_DEV_CHILD_H

#include "cli/dev_console.h"
#include "loop/loop.h"

#include <sys/types.h>

struct child {
    struct loop *loop;
    const struct console *console;
    const char *name;
    unsigned colour;
    void (*on_end)(struct child *child); /* nobody of it is left; it may be started again */
    void *owner;

    /* Its own. */
    pid_t group;     /* 0: it does not run */
    bool has_exited; /* its first process; others of the group may be there still */
    bool is_stopping;
    int status; /* as of waitpid; how it ended last */
    struct loop_watch output;
    struct buffer line;
    struct loop_timer patience;
};

/* Memory of the caller's; `name` must outlive it. */
void child_init(struct child *child, struct loop *loop, const struct console *console,
                const char *name, unsigned colour);
void child_destroy(struct child *child); /* one that does not run */

static inline bool child_runs(const struct child *child)
{
    return child->group != 0;
}

/* What runs in the process: a program, a line for the shell, or a function, whose result is the
 * exit code. Exactly one is set. */
struct child_work {
    char *const *program; /* path and arguments, ended by NULL */
    const char *shell;
    int (*call)(void *owner);
    void *owner;
};

/* Starts it; false if that cannot be done. It must not run. */
SF_CHECK bool child_start(struct child *child, const struct child_work *work,
                          struct sf_status *status);

/* Asks all of it to end (SIGTERM), and after some seconds makes it (SIGKILL). on_end follows. */
void child_stop(struct child *child);
void child_kill(struct child *child);

/* Whenever SIGCHLD came. Takes what has exited, of these and of nobody's, and tells whose end it
 * was. */
void children_reap(struct child *const *children, size_t count);

/* Ends what has left its group, but not its parents: from here on there is nobody. */
void children_sweep(void);

/* Before any child: what loses its parent becomes ours. */
void children_adopt(void);

/* "exit code 1", "signal 11 (Segmentation fault)" */
struct child_end {
    char text[64];
};
struct child_end child_end(const struct child *child);

#endif
