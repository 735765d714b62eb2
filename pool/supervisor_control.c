#include "pool/supervisor_state.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/crash.h"
#include "base/fd.h"
#include "base/log.h"
#include "pool/worker_files.h"

static bool tell(struct front *f, const struct control_msg *msg)
{
    ssize_t n = send(f->control_fd, msg, sizeof *msg, MSG_DONTWAIT | MSG_NOSIGNAL);

    f->full = n < 0 && (errno == EAGAIN || errno == ENOBUFS);
    return n >= 0; /* any other failure: it is dying, and the next front needs no telling */
}

/* False: there is no room for more now. */
static bool tell_exit(struct front *f, int64_t worker_id, pid_t pid, int wait_status)
{
    const struct control_msg msg = {
        .type = CONTROL_WORKER_EXITED,
        .pid = (int32_t)pid,
        .worker_id = worker_id,
        .wait_status = wait_status,
    };

    crash_point("supervisor.before_report");
    return tell(f, &msg);
}

static void tell_exits(struct supervisor *s)
{
    struct front *f = &s->front;

    for (size_t i = 0; i < s->slots.count; i++) {
        struct slot *slot = &s->slots.items[i];

        if (slot->exit_untold &&
            !tell_exit(f, slot->worker_id, slot->exit_pid, slot->exit_status))
            return;
        slot->exit_untold = false;
    }
    for (size_t i = 0; i < s->elders.count; i++) {
        struct elder *elder = &s->elders.items[i];

        if (elder->exit_untold &&
            !tell_exit(f, elder->info.worker_id, elder->info.pid, elder->exit_status))
            return;
        elder->exit_untold = false;
    }
}

void supervisor_tell_front(struct supervisor *s)
{
    struct front *f = &s->front;

    if (f->control_fd < 0)
        return;
    if (f->told < s->stop) {
        struct control_msg msg = {
            .type = s->stop == STOP_NOW ? CONTROL_STOP_NOW : CONTROL_STOP,
        };

        if (!tell(f, &msg))
            return;
        f->told = s->stop;
    }
    tell_exits(s);
    if (s->succession.state == SUCCESSION_LEAVING && !f->leaving) {
        const struct control_msg msg = { .type = CONTROL_LEAVE };

        f->leaving = tell(f, &msg);
    }
}

/* A front that is ready has recovered with what it was told at its start. Of those that end
 * later the next one is told. */
static void forget_done_elders(const struct supervisor *s)
{
    for (size_t i = 0; i < s->front.done_told; i++)
        worker_file_remove(s->conf->data_dir, s->done[i]);
}

void supervisor_hear_front(struct supervisor *s)
{
    struct front *f = &s->front;
    struct control_msg msg;
    ssize_t n;

    if (f->control_fd < 0)
        return;
    while ((n = recv(f->control_fd, &msg, sizeof msg, MSG_DONTWAIT)) > 0) {
        if (n != sizeof msg || msg.type != CONTROL_READY || f->ready)
            continue;
        f->ready = true;
        f->ever_ready = true;
        forget_done_elders(s);
        log_info("front.ready", LI64("front_pid", f->process.pid),
                 LI64("start_us", clock_mono_us() - f->process.started_us));
    }
    if (n == 0 || errno != EAGAIN)
        fd_fini(&f->control_fd); /* it is about to end: SIGCHLD follows */
}
