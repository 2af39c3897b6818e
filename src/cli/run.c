/* run.c - statefun run. */
#include "cli/command.h"

#include "base/log.h"
#include "runtime/runtime.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Before any thread is made, so that none of them is ever interrupted. */
static int open_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    return signalfd(-1, &signals, SFD_CLOEXEC);
}

/* From here on a further signal ends the process at once: stopping is under way. */
static void release_signals(void)
{
    sigset_t signals;
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_UNBLOCK, &signals, NULL);
}

/* Waits for a signal (true) or a failure of the runtime (false). */
static bool wait_for_signal(int signal_fd, struct runtime *runtime)
{
    struct pollfd fds[] = {{.fd = signal_fd, .events = POLLIN},
                           {.fd = runtime_failure_fd(runtime), .events = POLLIN}};
    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        ;
    if (fds[1].revents)
        return false;
    struct signalfd_siginfo info;
    if (read(signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        log_info("stopping", LOG_TEXT("signal", strsignal((int)info.ssi_signo)));
    return true;
}

static int run_application(struct inputs *inputs, const struct application *application,
                           int signal_fd)
{
    struct runtime *runtime;
    struct sf_status status;
    if (!runtime_open(application, inputs->settings, inputs->libraries, &runtime, &status)) {
        log_error("cannot start", LOG_TEXT("cause", status.message));
        return EXIT_FAILED;
    }
    if (!wait_for_signal(signal_fd, runtime)) {
        (void)runtime_failure(runtime, &status);
        log_error("cannot go on", LOG_TEXT("cause", status.message));
        runtime_close(runtime);
        return EXIT_FAILED;
    }
    release_signals();
    bool all = runtime_stop(runtime, settings_number(inputs->settings, SETTING_STOP_TIMEOUT));
    if (!all)
        log_warn("not all that was under way has ended; the rest is done after the next start");
    runtime_close(runtime);
    log_info("stopped");
    return EXIT_GOOD;
}

int run_run(const struct command *command, int argc, char **argv)
{
    /* glibc would give each thread an arena of its own, and what one allocates and another frees
     * (deltas, records) would lie about in all of them: 30 MB more under load, and no faster. */
    mallopt(M_ARENA_MAX, 2);
    int code, signal_fd = open_signals();
    struct inputs inputs;
    if (!inputs_read(&inputs, command, argc, argv, &code))
        return code;
    log_configure((enum log_level)settings_number(inputs.settings, SETTING_LOG_LEVEL),
                  (enum log_format)settings_number(inputs.settings, SETTING_LOG_FORMAT));

    struct application *application = inputs_load(&inputs, false);
    size_t errors = diagnostics_report(&inputs.diagnostics);
    code = errors || !application ? EXIT_WRONG : run_application(&inputs, application, signal_fd);
    application_free(application);
    inputs_destroy(&inputs);
    close(signal_fd);
    return code;
}
