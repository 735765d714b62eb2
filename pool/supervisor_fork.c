#include "pool/supervisor_state.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/fd.h"
#include "base/sys.h"
#include "pool/worker.h"

/* A terminal sends ^C and its hang-up to the whole process group: only the supervisor acts. */
static void ignore_terminal(void)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
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
    for (size_t i = 0; i < s->slots.count; i++)
        fd_fini(&s->slots.items[i].life_fd);
}

__attribute__((noreturn)) static void be_front(struct supervisor *s, int control_fd,
                                               size_t alive)
{
    struct front_start start = {
        .control_fd = control_fd,
        .worker_listen_fd = s->listen_fd,
        .workers = s->alive,
        .worker_count = alive,
        .stopping = s->stop != STOP_NOT,
    };

    drop_supervisor_fds(s);
    (void)prctl(PR_SET_NAME, "jobd-front");
    ignore_terminal();
    _exit(s->conf->front_main(s->conf->ctx, &start));
}

__attribute__((noreturn)) static void be_worker(struct supervisor *s, const struct slot *slot,
                                                int life_fd)
{
    struct worker_conf conf = {
        .worker_id = slot->worker_id,
        .data_dir = s->conf->data_dir,
        .program = slot->program,
        .output_max_bytes = s->conf->output_max_bytes,
        .life_fd = life_fd,
    };

    drop_supervisor_fds(s);
    fd_fini(&s->listen_fd);
    for (size_t i = 0; i < s->conf->front_fd_count; i++)
        (void)close(s->conf->front_fds[i]);
    ignore_terminal();
    _exit(worker_main(&conf));
}

int supervisor_fork_front(struct supervisor *s, struct errinfo *e)
{
    AUTO_FINI(fd) int fronts_fd = -1;
    size_t alive = slots_alive(&s->slots, s->alive);
    int pair[2];
    pid_t pid;

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
    AUTO_FINI(fd) int workers_fd = -1;
    int life[2];
    pid_t pid;

    if (sys.pipe2(life, O_CLOEXEC) < 0)
        return err_sys(e, "pipe");
    workers_fd = life[0];
    slot->life_fd = life[1];
    slot->worker_id = ++s->last_worker_id;
    pid = sys.fork();
    if (pid == 0)
        be_worker(s, slot, fd_take(&workers_fd));
    if (pid < 0) {
        fd_fini(&slot->life_fd);
        return err_sys(e, "fork");
    }
    return (int)pid;
}
