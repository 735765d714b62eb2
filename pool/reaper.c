#include "pool/reaper.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

/* Reap all that has ended; true when there is no child left at all. */
static bool reap_all(struct reaper *r)
{
    for (;;) {
        struct rusage usage;
        int status;
        pid_t pid = wait4(-1, &status, WNOHANG, &usage);

        if (pid > 0 && r->on_exit)
            r->on_exit(r->ctx, pid, status, &usage);
        if (pid == 0)
            return false;
        if (pid < 0 && errno != EINTR)
            return true; /* ECHILD: there is no other error */
    }
}

static void on_signal(void *ctx, uint32_t events)
{
    struct reaper *r = ctx;
    struct signalfd_siginfo info;
    ssize_t n = read(r->watch.fd, &info, sizeof info);
    bool none_left;

    (void)events;
    (void)n; /* several deaths are one signal: who died is asked of wait4() */
    none_left = reap_all(r);
    if (r->on_settled)
        r->on_settled(r->ctx, none_left);
}

int reaper_open(struct reaper *r, struct loop *l, struct errinfo *e)
{
    sigset_t chld, blocked;
    AUTO_FINI(fd) int fd = -1;
    int err;

    *r = (struct reaper){ .loop = l, .watch = { .fd = -1, .on_ready = on_signal, .ctx = r } };
    (void)sigemptyset(&chld);
    (void)sigaddset(&chld, SIGCHLD);
    blocked = chld;
    (void)sigaddset(&blocked,
                    SIGPIPE); /* a program that closed its stdin is EPIPE, not our end */
    err = pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    if (err != 0) {
        errno = err;
        return err_sys(e, "pthread_sigmask");
    }
    fd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return err_sys(e, "signalfd");
    if (loop_watch(l, &r->watch, fd, EPOLLIN, e) < 0)
        return ERR_SYS;
    (void)fd_take(&fd);
    return 0;
}

void reaper_close(struct reaper *r)
{
    int fd = r->watch.fd;

    if (fd < 0)
        return;
    loop_unwatch(r->loop, &r->watch);
    (void)close(fd);
}
