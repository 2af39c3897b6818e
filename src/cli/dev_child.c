/* dev_child.c - process groups, and the lines that they write.
 *
 *            start                 first one exits            nobody is left
 *   ended ───────────▶ running ─────────────────────▶ rest ─────────────────▶ ended (on_end)
 *
 * The rest is told to end. Whoever leaves its group (setsid) loses its parent sooner or later, and
 * is then ours, as we are its subreaper: children_sweep ends it. */
#include "cli/dev_child.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 5000, LINE_BYTES_MAX = 16 * 1024, READ_BYTES = 64 * 1024 };

void child_init(struct child *child, struct loop *loop, const struct console *console,
                const char *name, unsigned colour)
{
    *child = (struct child){
        .loop = loop, .console = console, .name = name, .colour = colour, .output.fd = -1};
}

void child_destroy(struct child *child)
{
    buffer_destroy(&child->line);
}

/* --- its output --- */

static void put_line(struct child *child, struct bytes line)
{
    if (line.size && line.data[line.size - 1] == '\r')
        line.size--;
    console_put(child->console, child->name, child->colour, line);
}

/* Puts out the lines that are whole, and one that is too long as if it were. */
static void put_lines(struct child *child)
{
    struct bytes rest = buffer_bytes(&child->line);
    for (const uint8_t *end; rest.size && (end = memchr(rest.data, '\n', rest.size));) {
        size_t size = (size_t)(end - rest.data);
        put_line(child, bytes_make(rest.data, size));
        rest = bytes_from(rest, size + 1);
    }
    if (rest.size > LINE_BYTES_MAX) {
        put_line(child, rest);
        rest.size = 0;
    }
    buffer_drop(&child->line, child->line.size - rest.size);
}

static void close_output(struct child *child)
{
    if (child->output.fd < 0)
        return;
    int fd = child->output.fd;
    loop_unwatch(child->loop, &child->output);
    close(fd);
    child->output.fd = -1;
    if (child->line.size)
        put_line(child, buffer_bytes(&child->line));
    buffer_clear(&child->line);
}

/* False when there is no more now, or ever. */
static bool read_output(struct child *child)
{
    ssize_t size = read(child->output.fd, buffer_reserve(&child->line, READ_BYTES), READ_BYTES);
    if (size < 0)
        return errno == EINTR;
    if (size == 0) {
        close_output(child);
        return false;
    }
    child->line.size += (size_t)size;
    put_lines(child);
    return true;
}

static void on_output(struct loop_watch *watch, uint32_t events)
{
    (void)events; /* an error, too, is found by reading */
    (void)read_output(container_of(watch, struct child, output));
}

/* --- its beginning --- */

/* In the new process. Nothing here may fail silently: what is said goes to the console. */
static _Noreturn void become(const struct child_work *work, int output)
{
    sigset_t none;
    sigemptyset(&none);
    int input = open("/dev/null", O_RDONLY);
    if (setpgid(0, 0) != 0 || dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(output, STDERR_FILENO) < 0)
        _exit(127);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* should we be killed */
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (work->call) {
        int code = work->call(work->owner);
        fflush(stdout);
        fflush(stderr);
        _exit(code);
    }
    if (work->shell)
        execl("/bin/sh", "sh", "-c", work->shell, (char *)NULL);
    else
        execv(work->program[0], work->program);
    dprintf(STDERR_FILENO, "%s cannot be run: %s\n", work->shell ? "/bin/sh" : work->program[0],
            strerror(errno));
    _exit(127);
}

static void on_impatient(struct loop_timer *timer)
{
    child_kill(container_of(timer, struct child, patience));
}

bool child_start(struct child *child, const struct child_work *work, struct sf_status *status)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return sf_fail(status, SF_IO, "%s: no pipe: %s", child->name, strerror(errno));
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        become(work, ends[1]);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return sf_fail(status, SF_IO, "%s: no process: %s", child->name, strerror(errno));
    }
    (void)setpgid(pid, pid); /* as the child does, whoever comes first; the other fails */
    child->group = pid;
    child->has_exited = false;
    child->is_stopping = false;
    child->patience = (struct loop_timer){.on_timer = on_impatient};
    child->output = (struct loop_watch){.on_ready = on_output};
    loop_watch(child->loop, &child->output, ends[0], EPOLLIN);
    return true;
}

/* --- its end --- */

void child_kill(struct child *child)
{
    if (child->group)
        (void)kill(-child->group, SIGKILL); /* nobody may be left */
}

void child_stop(struct child *child)
{
    if (!child->group || child->is_stopping)
        return;
    child->is_stopping = true;
    (void)kill(-child->group, SIGTERM);
    loop_timer_set(child->loop, &child->patience, loop_now_ms(child->loop) + PATIENCE_MS);
}

static void end(struct child *child)
{
    while (child->output.fd >= 0 && read_output(child))
        ;
    close_output(child);
    loop_timer_cancel(child->loop, &child->patience);
    child->group = 0;
    child->on_end(child);
}

void children_reap(struct child *const *children, size_t count)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        for (size_t i = 0; i < count; i++)
            if (children[i]->group == pid) {
                children[i]->has_exited = true;
                children[i]->status = status;
            }
    for (size_t i = 0; i < count; i++) {
        struct child *child = children[i];
        if (!child->group || !child->has_exited)
            continue;
        if (kill(-child->group, 0) != 0)
            end(child);
        else
            child_stop(child);
    }
}

void children_adopt(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* Kills the children that we have now; false if there are none. */
static bool kill_children(void)
{
    char *path = mem_format("/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "r");
    free(path);
    bool any = false;
    for (int pid; file && fscanf(file, "%d", &pid) == 1; any = true)
        (void)kill(pid, SIGKILL);
    if (file)
        fclose(file);
    return any;
}

void children_sweep(void)
{
    enum { TURNS_MAX = 200, TURN_MS = 10 };
    for (int turn = 0; turn < TURNS_MAX && kill_children(); turn++) {
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        nanosleep(&(struct timespec){.tv_nsec = TURN_MS * 1000 * 1000}, NULL);
    }
}

struct child_end child_end(const struct child *child)
{
    struct child_end end;
    if (WIFSIGNALED(child->status))
        snprintf(end.text, sizeof end.text, "signal %d (%s)", WTERMSIG(child->status),
                 strsignal(WTERMSIG(child->status)));
    else
        snprintf(end.text, sizeof end.text, "exit code %d", WEXITSTATUS(child->status));
    return end;
}
