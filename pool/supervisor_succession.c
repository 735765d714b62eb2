/* Reload and upgrade: the supervisor executes itself, its process stays.
 *
 *   IDLE --signal--> CHECKING --it would start--> LEAVING --the front has ended--> exec
 *    ^------it would not, and has said why-----'             (back to IDLE when that fails)
 *
 * Nothing is touched before the check has succeeded. Then the front is asked to leave: it
 * answers whom it has and ends; who connects meanwhile waits in the sockets, which stay open.
 * The exec closes the life pipes, so that the workers retire while new ones take their places:
 * their attempts go on, and the new front knows them (pool/elders.h).
 */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/log.h"
#include "pool/proto.h"
#include "pool/supervisor_state.h"

#define CHECK_US (30 * USEC_PER_SEC)
#define LEAVE_US (10 * USEC_PER_SEC) /* then the front is killed: it is crash-only */

static const char *kind(const struct succession *c)
{
    return c->signal_number == SIGHUP ? "reload" : "upgrade";
}

static void describe(const struct supervisor *s, struct handover *h)
{
    const struct successor_conf *conf = s->conf->successor;
    struct stat st = { 0 };

    (void)stat(s->conf->data_dir, &st); /* it is there: we hold its lock */
    *h = (struct handover){
        .pid = getpid(),
        .protocol = PROTO_VERSION,
        .data_device = (int64_t)st.st_dev,
        .data_inode = (int64_t)st.st_ino,
        .lock_fd = s->conf->lock_fd,
        .front_socket_fd = s->listen_fd,
        .listener_count = conf->listener_count,
    };
    for (size_t i = 0; i < conf->listener_count; i++)
        h->listeners[i] = conf->listeners[i];
}

static void start_check(struct supervisor *s)
{
    struct succession *c = &s->succession;
    struct handover h;
    struct errinfo e;

    describe(s, &h); /* its texts are borrowed */
    if (successor_check_start(s->conf->successor, &h, &c->check, &e) < 0) {
        log_error("supervisor.not_succeeded", LSTR("kind", kind(c)), LSTR("reason", e.text));
        return;
    }
    c->state = SUCCESSION_CHECKING;
    c->deadline_us = clock_mono_us() + CHECK_US;
}

void succession_ask(struct supervisor *s, int signal_number)
{
    struct succession *c = &s->succession;

    if (!s->conf->successor || s->phase != PHASE_SERVE) {
        log_info("supervisor.signal_ignored", LSTR("signal", sigabbrev_np(signal_number)));
        return;
    }
    if (c->state != SUCCESSION_IDLE) {
        c->again = true; /* what is being checked may be older than what the signal is about */
        return;
    }
    c->signal_number = signal_number;
    log_info("supervisor.succession_asked", LSTR("kind", kind(c)),
             LSTR("program", s->conf->successor->path));
    start_check(s);
}

void succession_give_up(struct supervisor *s)
{
    struct succession *c = &s->succession;

    if (c->check.pid != 0)
        (void)kill(c->check.pid, SIGKILL); /* not reaped yet */
    c->state = SUCCESSION_IDLE;
    c->again = false;
    c->deadline_us = INT64_MAX;
}

static void ask_once_more(struct supervisor *s)
{
    if (!s->succession.again)
        return;
    s->succession.again = false;
    start_check(s);
}

bool succession_reaped(struct supervisor *s, pid_t pid, int wait_status)
{
    struct succession *c = &s->succession;

    if (c->check.pid == 0 || pid != c->check.pid)
        return false;
    successor_check_ended(&c->check);
    if (c->state != SUCCESSION_CHECKING)
        return true;
    c->state = SUCCESSION_IDLE;
    c->deadline_us = INT64_MAX;
    if (c->again) {
        ask_once_more(s);
    } else if (wait_status != 0) {
        log_error("supervisor.not_succeeded", LSTR("kind", kind(c)),
                  LSTR("reason", c->check.reason),
                  LI64("exit_code", WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1));
    } else {
        c->state = SUCCESSION_LEAVING;
        c->deadline_us = clock_mono_us() + LEAVE_US;
    }
    return true;
}

/* Nobody serves any more, and everybody is on disk or in the hands of workers. */
static void take_over(struct supervisor *s)
{
    struct succession *c = &s->succession;
    struct handover h;
    struct errinfo e;

    describe(s, &h);
    log_info("supervisor.succeeded", LSTR("kind", kind(c)),
             LSTR("program", s->conf->successor->path));
    (void)successor_exec(s->conf->successor, &h, &e);
    log_error("supervisor.not_succeeded", LSTR("kind", kind(c)), LSTR("reason", e.text));
    c->state = SUCCESSION_IDLE; /* and a front is started again */
    c->deadline_us = INT64_MAX;
    ask_once_more(s);
}

void succession_turn(struct supervisor *s, usec_t now_us)
{
    struct succession *c = &s->succession;
    bool late = now_us >= c->deadline_us;

    successor_check_read(&c->check);
    if (c->state == SUCCESSION_CHECKING && late) {
        log_error("supervisor.check_timeout", LI64("timeout_us", CHECK_US));
        (void)kill(c->check.pid, SIGKILL);
        c->deadline_us = INT64_MAX;
    }
    if (c->state != SUCCESSION_LEAVING)
        return;
    if (s->front.process.pid == 0) {
        take_over(s);
    } else if (late) {
        log_error("front.leave_timeout", LI64("front_pid", s->front.process.pid));
        (void)kill(s->front.process.pid, SIGKILL);
        c->deadline_us = INT64_MAX;
    }
}
