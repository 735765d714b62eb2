#include "pool/supervisor_state.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/sys.h"
#include "pool/backlog.h"
#include "pool/worker.h"
#include "pool/worker_files.h"

/* A terminal sends ^C and its hang-up to the whole process group: only the supervisor acts. */
static void ignore_terminal(void)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR2 };
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    sigset_t none;

    for (size_t i = 0; i < COUNT_OF(signals); i++)
        (void)sigaction(signals[i], &ignore, NULL); /* cannot fail for these signals */
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL); /* nor this */
}

/* In a child: let go of what only the supervisor may hold. A life pipe or a control socket that
 * is held by anybody else would keep its reader from noticing the supervisor's death. */
static void drop_supervisor_fds(struct supervisor *s)
{
    fd_fini(&s->signal_fd);
    fd_fini(&s->front.control_fd);
    fd_fini(&s->succession.check.fd);
    for (size_t i = 0; i < s->slots.count; i++)
        fd_fini(&s->slots.items[i].life_fd);
    for (size_t i = 0; i < s->elders.count; i++)
        fd_fini(&s->elders.items[i].pid_fd);
}

__attribute__((noreturn)) static void be_front(struct supervisor *s, int control_fd,
                                               size_t alive)
{
    struct front_start start = {
        .control_fd = control_fd,
        .worker_listen_fd = s->listen_fd,
        .workers = s->alive,
        .worker_count = alive,
        .done_workers = s->done,
        .done_worker_count = s->front.done_told,
        .stopping = s->stop != STOP_NOT,
    };

    drop_supervisor_fds(s);
    (void)prctl(PR_SET_NAME, "jobd-front");
    ignore_terminal();
    _exit(s->conf->front_main(s->conf->ctx, &start));
}

__attribute__((noreturn)) static void be_worker(struct supervisor *s, const struct slot *slot,
                                                int life_fd, int file_fd, pid_t supervisor_pid)
{
    struct worker_conf conf = {
        .worker_id = slot->worker_id,
        .supervisor_pid = supervisor_pid,
        .data_dir = s->conf->data_dir,
        .program = slot->program,
        .output_max_bytes = s->conf->output_max_bytes,
        .artifacts = s->conf->artifacts,
        .cgroup = &s->cgroup.group,
        .no_new_privs = s->conf->no_new_privs,
        .backlog_wait_us = BACKLOG_WAIT_US,
        .life_fd = life_fd,
    };
    struct errinfo e;
    int code;

    drop_supervisor_fds(s);
    if (s->conf->lock_fd >= 0)
        (void)close(s->conf->lock_fd);
    fd_fini(&s->listen_fd);
    for (size_t i = 0; i < s->conf->front_fd_count; i++)
        (void)close(s->conf->front_fds[i]);
    ignore_terminal();
    if (worker_file_sign(file_fd, slot_pool(slot), &e) < 0) {
        log_error("worker.not_started", LSTR("reason", e.text));
        _exit(EXIT_FAILURE);
    }
    instance_mark_environment(s->instance, slot->worker_id);
    code = worker_main(&conf);
    if (code == 0)
        worker_file_sign_off(file_fd);
    _exit(code); /* file_fd is open until now: its lock says that this worker lives */
}

int supervisor_fork_front(struct supervisor *s, struct errinfo *e)
{
    AUTO_FINI(fd) int fronts_fd = -1;
    size_t alive = slots_alive(&s->slots, s->alive);
    int pair[2];
    pid_t pid;

    alive += elders_alive(&s->elders, s->alive + alive);
    s->front.done_told = elders_done(&s->elders, s->done);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "socketpair");
    s->front.control_fd = pair[0];
    fronts_fd = pair[1];
    pid = sys.fork();
    if (pid == 0)
        be_front(s, fd_take(&fronts_fd), alive);
    if (pid < 0) {
        fd_fini(&s->front.control_fd);
        return err_sys(e, "fork");
    }
    return (int)pid;
}

int supervisor_fork_worker(struct supervisor *s, struct slot *slot, struct errinfo *e)
{
    AUTO_FINI(fd) int workers_fd = -1, file_fd = -1;
    pid_t pid, self = getpid();
    int life[2];
    int r;

    if (sys.pipe2(life, O_CLOEXEC) < 0)
        return err_sys(e, "pipe");
    workers_fd = life[0];
    slot->life_fd = life[1];
    slot->worker_id = ++s->last_worker_id;
    r = worker_file_make(s->conf->data_dir, slot->worker_id, &file_fd, e);
    if (r == 0) {
        pid = sys.fork();
        if (pid == 0)
            be_worker(s, slot, fd_take(&workers_fd), fd_take(&file_fd), self);
        if (pid > 0)
            return (int)pid;
        r = err_sys(e, "fork");
        worker_file_remove(s->conf->data_dir, slot->worker_id);
    }
    fd_fini(&slot->life_fd);
    return r;
}
