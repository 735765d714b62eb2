#include "pool/supervisor_state.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/crash.h"
#include "base/fd.h"
#include "base/log.h"

static bool tell(struct front *f, const struct control_msg *msg)
{
    ssize_t n = send(f->control_fd, msg, sizeof *msg, MSG_DONTWAIT | MSG_NOSIGNAL);

    f->full = n < 0 && (errno == EAGAIN || errno == ENOBUFS);
    return n >= 0; /* any other failure: it is dying, and the next front needs no telling */
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
    for (size_t i = 0; i < s->slots.count; i++) {
        struct slot *slot = &s->slots.items[i];
        struct control_msg msg = {
            .type = CONTROL_WORKER_EXITED,
            .pid = (int32_t)slot->exit_pid,
            .worker_id = slot->worker_id,
            .wait_status = slot->exit_status,
        };

        if (!slot->exit_untold)
            continue;
        crash_point("supervisor.before_report");
        if (!tell(f, &msg))
            return;
        slot->exit_untold = false;
    }
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
        log_info("front.ready", LI64("front_pid", f->process.pid),
                 LI64("start_us", clock_mono_us() - f->process.started_us));
    }
    if (n == 0 || errno != EAGAIN)
        fd_fini(&f->control_fd); /* it is about to end: SIGCHLD follows */
}
