#include "pool/successor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sys.h"

static int put_into_environment(const struct handover *h, struct errinfo *e)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    int r = handover_format(h, &b, e);

    if (r < 0)
        return r;
    if (setenv(HANDOVER_VARIABLE, b.data, 1) < 0) /* NOLINT(concurrency-mt-unsafe) */
        return err_sys(e, "setenv " HANDOVER_VARIABLE);
    return 0;
}

static void take_out_of_environment(void)
{
    (void)unsetenv(HANDOVER_VARIABLE); /* NOLINT(concurrency-mt-unsafe): there is one thread */
}

/* ---- the check --------------------------------------------------------------------------- */

__attribute__((noreturn)) static void be_check(const struct successor_conf *conf, int output_fd)
{
    struct sigaction usual = { .sa_handler = SIG_DFL };
    sigset_t none;

    (void)sigaction(SIGPIPE, &usual, NULL);
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
    (void)dup2(output_fd, 1);
    (void)dup2(output_fd, 2);
    (void)execv(conf->path, conf->check_argv);
    (void)dprintf(2, "execute %s: %s\n", conf->path, strerrordesc_np(errno));
    _exit(127);
}

int successor_check_start(const struct successor_conf *conf, const struct handover *h,
                          struct successor_check *c, struct errinfo *e)
{
    AUTO_FINI(fd) int childs_fd = -1;
    int pipe_fds[2];
    pid_t pid;
    int r;

    r = put_into_environment(h, e);
    if (r < 0)
        return r;
    if (sys.pipe2(pipe_fds, O_CLOEXEC) < 0) {
        take_out_of_environment();
        return err_sys(e, "pipe");
    }
    childs_fd = pipe_fds[1];
    pid = sys.fork();
    if (pid == 0)
        be_check(conf, fd_take(&childs_fd));
    take_out_of_environment();
    *c = (struct successor_check){ .fd = pipe_fds[0] };
    if (pid < 0) {
        r = err_sys(e, "fork");
        fd_fini(&c->fd);
        return r;
    }
    c->pid = pid;
    (void)fd_set_nonblocking(c->fd, true, NULL); /* cannot fail for a pipe */
    return 0;
}

void successor_check_read(struct successor_check *c)
{
    char block[512];
    ssize_t n;

    if (c->fd < 0)
        return;
    while ((n = read(c->fd, block, sizeof block)) > 0) {
        size_t room = sizeof c->reason - 1 - c->reason_len;
        size_t len = (size_t)n < room ? (size_t)n : room; /* the rest is dropped */

        memcpy(c->reason + c->reason_len, block, len);
        c->reason_len += len;
    }
    if (n == 0 || errno != EAGAIN)
        fd_fini(&c->fd);
}

void successor_check_ended(struct successor_check *c)
{
    successor_check_read(c);
    fd_fini(&c->fd);
    c->pid = 0;
    while (c->reason_len > 0 && c->reason[c->reason_len - 1] == '\n')
        c->reason_len--;
    c->reason[c->reason_len] = '\0';
    for (char *p = c->reason; (p = strchr(p, '\n')) != NULL;)
        *p = ' ';
}

/* ---- the change -------------------------------------------------------------------------- */

int successor_exec(const struct successor_conf *conf, const struct handover *h,
                   struct errinfo *e)
{
    int r = put_into_environment(h, e);

    if (r < 0)
        return r;
    handover_keep(h, true);
    (void)execv(conf->path, conf->argv);
    r = err_sys(e, "execute %s", conf->path);
    handover_keep(h, false);
    take_out_of_environment();
    return r;
}
