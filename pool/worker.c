#include "pool/worker.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "pool/backlog.h"
#include "pool/begun.h"
#include "pool/command.h"
#include "pool/link.h"
#include "pool/program.h"
#include "pool/spool.h"
#include "pool/tree.h"

#define ACK_WAIT_US       (2 * USEC_PER_SEC)
#define SPOOL_RETRY_US    USEC_PER_SEC
#define PROGRESS_EVERY_US (100 * USEC_PER_MS)
#define PENDING_MAX       (PROTO_HELD_MAX - PROGRAM_CAPACITY - BACKLOG_MAX)

/* An outcome that the front has not acknowledged. */
struct pending {
    struct outcome outcome;
    bool spooled;
    bool unspooled; /* it could not be, which was logged */
};

/* The latest that a running attempt said of itself; older news are of no interest. */
struct news {
    bool used;
    bool unsent;
    struct proto_attempt which;
    double fraction;
    char *message;
};

/* Each state goes to a later one only. */
enum life {
    LIFE_SERVE,
    LIFE_RETIRE, /* finish what is there */
    LIFE_STOP,   /* stop what is there */
};

struct worker {
    const struct worker_conf *conf;
    struct loop *loop;
    struct reaper reaper;
    struct link *link;
    struct attempt_host host;
    struct workdirs workdirs;
    struct cage_host cage;
    struct cgroup cgroup; /* of this worker */
    struct detached *detached;
    struct watch life_end;
    struct watch sigterm;

    struct command *command; /* what runs, in a command worker */
    struct program *program; /* in the host of a program */

    struct backlog backlog;
    struct timer backlog_timer; /* its oldest has waited for long */
    usec_t last_end_us;         /* monotonic: of an attempt */
    struct begun begun;

    struct pending pending[PENDING_MAX];
    unsigned pending_count;
    struct task sending; /* of outcomes */
    struct timer spool_again;
    int64_t jobs_total; /* attempts that have ended */
    usec_t started_at_us;
    struct news news[PROGRAM_CAPACITY];
    struct timer news_timer;    /* set: something was sent lately */
    struct proto_status status; /* the last one sent over this connection */

    enum life life;
    bool ack_wait_over;
    struct timer ack_wait; /* from when nothing runs any more */
};

/* ---- progress -----------------------------------------------------------------------------
 */

static struct news *find_news(struct worker *w, const struct proto_attempt *which)
{
    for (size_t i = 0; i < COUNT_OF(w->news); i++) {
        struct news *n = &w->news[i];

        if (n->used && n->which.attempt == which->attempt &&
            uuid7_equal(n->which.job_id, which->job_id))
            return n;
    }
    return NULL;
}

static void drop_news(struct news *n)
{
    free(n->message);
    *n = (struct news){ 0 };
}

static struct news *add_news(struct worker *w, const struct proto_attempt *which)
{
    struct news *n = w->news;

    while (n->used)
        n++; /* there is one for each attempt that runs */
    assert(n < w->news + COUNT_OF(w->news));
    *n = (struct news){ .used = true, .which = *which };
    return n;
}

static void send_one(struct worker *w, struct news *n)
{
    const struct proto_progress p = {
        .job_id = n->which.job_id,
        .attempt = n->which.attempt,
        .fraction = n->fraction,
        .message = n->message,
    };

    n->unsent = false;
    proto_put_progress(link_out(w->link), &p);
}

static void send_news(struct worker *w)
{
    bool sent = false;

    if (!link_is_up(w->link))
        return;
    for (size_t i = 0; i < COUNT_OF(w->news); i++)
        if (w->news[i].unsent) {
            send_one(w, &w->news[i]);
            sent = true;
        }
    if (!sent)
        return;
    link_flush(w->link);
    loop_set_timer(w->loop, &w->news_timer, clock_mono_us() + PROGRESS_EVERY_US);
}

static void on_news_due(void *ctx)
{
    send_news(ctx);
}

static void on_progress(void *ctx, const struct proto_attempt *which, double fraction,
                        const char *message)
{
    struct worker *w = ctx;
    struct news *n = find_news(w, which);

    if (!n)
        n = add_news(w, which);
    n->unsent = true;
    n->fraction = fraction;
    free(n->message);
    n->message = mem_str_or_null(message);
    if (w->news_timer.at_us == 0)
        send_news(w);
}

/* ---- what a program can take --------------------------------------------------------------
 */

static bool is_same_status(const struct proto_status *a, const struct proto_status *b)
{
    return a->state == b->state && a->capacity == b->capacity &&
           a->program_pid == b->program_pid && a->rss_bytes == b->rss_bytes &&
           text_equal(a->reason, b->reason);
}

static void send_status(struct worker *w)
{
    struct proto_status now;

    if (!w->program || !link_is_up(w->link))
        return;
    program_status(w->program, &now);
    if (is_same_status(&now, &w->status))
        return;
    w->status = now;
    proto_put_status(link_out(w->link), &now);
    link_flush(w->link);
}

static void on_program_change(void *ctx)
{
    send_status(ctx);
}

/* ---- outcomes -----------------------------------------------------------------------------
 */

static void spool(struct worker *w, struct pending *p)
{
    char id[UUID7_TEXT_SIZE];
    struct errinfo e;

    if (p->spooled)
        return;
    p->spooled = spool_write(w->conf->data_dir, &p->outcome, &e) == 0;
    if (!p->spooled && !p->unspooled)
        log_error("outcome.not_spooled", LSTR("job_id", uuid7_format(p->outcome.job_id, id)),
                  LI64("attempt", p->outcome.attempt), LSTR("reason", e.text));
    p->unspooled = !p->spooled;
}

/* Whether all of them are there. */
static bool spool_pending(struct worker *w)
{
    bool all = true;

    for (unsigned i = 0; i < w->pending_count; i++) {
        spool(w, &w->pending[i]);
        all = all && w->pending[i].spooled;
    }
    return all;
}

/* While the front is away. A disk without room may have some before the front is back. */
static void spool_until_done(void *ctx)
{
    struct worker *w = ctx;

    if (!link_is_up(w->link) && !spool_pending(w))
        loop_set_timer(w->loop, &w->spool_again, clock_mono_us() + SPOOL_RETRY_US);
}

/* Keep it until the front has it: in memory while the front is there, else also on disk. */
static void deliver(struct worker *w, struct outcome *take_outcome)
{
    struct pending *p = &w->pending[w->pending_count++];

    assert(w->pending_count <= PENDING_MAX);
    *p = (struct pending){ .outcome = *take_outcome };
    if (!outcome_is_release(take_outcome)) {
        w->jobs_total++;
        w->last_end_us = clock_mono_us();
    }
    if (!link_is_up(w->link)) {
        spool_until_done(w);
        return;
    }
    send_news(w);
    proto_put_outcome(link_out(w->link), &p->outcome);
    loop_defer(w->loop, &w->sending);
}

/* At the end of the loop's turn: those that have ended in it share a message. */
static void send_outcomes(void *ctx)
{
    struct worker *w = ctx;

    if (!link_is_up(w->link))
        return;
    crash_point("worker.before_outcome");
    link_flush(w->link);
    crash_point("worker.after_outcome");
}

static void on_done(void *ctx, struct outcome *take_outcome)
{
    struct worker *w = ctx;
    const struct proto_attempt which = { take_outcome->job_id, take_outcome->attempt };
    struct news *n = find_news(w, &which);

    w->command = NULL;
    deliver(w, take_outcome);
    if (n)
        drop_news(n);
}

static void refuse(struct worker *w, const struct order *order)
{
    usec_t now_us = clock_wall_us();
    struct outcome o = {
        .job_id = order->job_id,
        .attempt = order->attempt,
        .cause = CAUSE_NEVER_STARTED,
        .exit_code = -1,
        .started_at_us = now_us,
        .finished_at_us = now_us,
    };

    deliver(w, &o);
}

static void forget(struct worker *w, const struct proto_attempt *ack)
{
    for (unsigned i = 0; i < w->pending_count; i++) {
        struct pending *p = &w->pending[i];

        if (p->outcome.attempt != ack->attempt || !uuid7_equal(p->outcome.job_id, ack->job_id))
            continue;
        if (p->spooled)
            spool_remove(w->conf->data_dir, ack->job_id, ack->attempt);
        begun_remove(&w->begun, ack->job_id, ack->attempt);
        outcome_fini(&p->outcome);
        *p = w->pending[--w->pending_count];
        return;
    }
}

/* ---- attempts -----------------------------------------------------------------------------
 */

static unsigned list_running(const struct worker *w, struct proto_attempt *ret_list)
{
    if (w->program)
        return program_held(w->program, ret_list);
    if (!w->command)
        return 0;
    ret_list[0] = command_id(w->command);
    return 1;
}

static unsigned list_held(const struct worker *w, struct proto_attempt ret_list[PROTO_HELD_MAX])
{
    unsigned count = list_running(w, ret_list);

    count += backlog_list(&w->backlog, ret_list + count);
    for (unsigned i = 0; i < w->pending_count; i++)
        ret_list[count++] = (struct proto_attempt){ w->pending[i].outcome.job_id,
                                                    w->pending[i].outcome.attempt };
    return count;
}

static bool is_running(const struct worker *w, struct uuid7 job_id, int attempt)
{
    struct proto_attempt id;

    if (w->program)
        return program_has(w->program, job_id, attempt);
    if (!w->command)
        return false;
    id = command_id(w->command);
    return id.attempt == attempt && uuid7_equal(id.job_id, job_id);
}

static bool holds(const struct worker *w, const struct order *order)
{
    for (unsigned i = 0; i < w->pending_count; i++) {
        const struct outcome *o = &w->pending[i].outcome;

        if (o->attempt == order->attempt && uuid7_equal(o->job_id, order->job_id))
            return true;
    }
    return is_running(w, order->job_id, order->attempt) ||
           backlog_has(&w->backlog, order->job_id, order->attempt);
}

static bool has_room(const struct worker *w)
{
    return w->program ? program_has_room(w->program) : !w->command;
}

static bool is_busy(const struct worker *w)
{
    return w->program ? program_is_busy(w->program) : w->command != NULL;
}

/* Whether what waits here will be begun: a program that is down may stay down. One that has
 * just become free gets what waits at the end of this turn of the loop. */
static bool is_at_work(const struct worker *w)
{
    return has_room(w) || is_busy(w);
}

/* To start a command takes a while, in which what has ended must not lie here. */
static void tell_what_has_ended(struct worker *w)
{
    if (!w->sending.due)
        return;
    loop_cancel_task(w->loop, &w->sending);
    send_outcomes(w);
}

static void begin(struct worker *w, struct order *take_order)
{
    if (!w->program)
        tell_what_has_ended(w);
    if (begun_add(&w->begun, take_order->job_id, take_order->attempt) < 0)
        refuse(w, take_order);
    else if (w->program)
        program_run(w->program, take_order);
    else
        w->command = command_start(&w->host, &w->reaper, take_order);
}

static void give_back_since(struct worker *w, usec_t since_us)
{
    for (;;) {
        AUTO_FINI(order) struct order order = { 0 };

        if (!backlog_take_old(&w->backlog, since_us, &order))
            return;
        refuse(w, &order);
    }
}

static void await_backlog(struct worker *w, usec_t until_us)
{
    if (w->backlog.count > 0 && w->backlog_timer.at_us == 0)
        loop_set_timer(w->loop, &w->backlog_timer, until_us);
}

/* Those that wait, as far as there is room. Not from within the end of another one: the runner
 * is then still busy with that. */
static void begin_waiting(struct worker *w)
{
    while (w->backlog.count > 0 && has_room(w)) {
        AUTO_FINI(order) struct order order = { 0 };

        (void)backlog_take(&w->backlog, &order);
        begin(w, &order);
    }
}

static void on_backlog_due(void *ctx)
{
    struct worker *w = ctx;
    usec_t now_us = clock_mono_us();
    usec_t ended_us = now_us - w->last_end_us;
    usec_t wait_us = w->conf->backlog_wait_us;

    begin_waiting(w); /* an attempt may have ended in this very turn */
    give_back_since(w, now_us - backlog_patience_us(wait_us, ended_us));
    await_backlog(w, backlog_next_look_us(&w->backlog, wait_us, now_us, ended_us));
}

/* The loop will not go on for a while: others may begin what waits here. */
static void on_slow(void *ctx)
{
    struct worker *w = ctx;

    give_back_since(w, INT64_MAX);
    tell_what_has_ended(w);
}

static void run(struct worker *w, struct order *take_order)
{
    if (holds(w, take_order))
        return; /* told twice: it is running, or its outcome is on its way */
    if (w->pending_count + PROGRAM_CAPACITY >= PENDING_MAX) {
        log_error("worker.too_many_outcomes", LI64("pending", w->pending_count));
        return; /* the front has not taken one for a long time: it will not miss this either */
    }
    if (w->life != LIFE_SERVE)
        refuse(w, take_order);
    else if (w->backlog.count == 0 && has_room(w))
        begin(w, take_order);
    else if (is_at_work(w) && backlog_put(&w->backlog, take_order, clock_mono_us()))
        await_backlog(w, backlog_since_us(&w->backlog) + w->conf->backlog_wait_us);
    else
        refuse(w, take_order);
}

static void cancel(struct worker *w, const struct proto_cancel *c)
{
    AUTO_FINI(order) struct order waiting = { 0 };

    if (backlog_take_out(&w->backlog, c->job_id, c->attempt, &waiting)) {
        refuse(w, &waiting);
        return;
    }
    if (w->program) {
        program_cancel(w->program, c->job_id, c->attempt, c->mode, c->grace_us);
        return;
    }
    if (!w->command)
        return;
    if (is_running(w, c->job_id, c->attempt))
        command_cancel(w->command, c->mode, c->grace_us);
}

/* ---- the front ----------------------------------------------------------------------------
 */

/* Said on each new connection, and once more when this worker retires. */
static void say_hello(struct worker *w)
{
    struct proto_hello hello = {
        .worker_id = w->conf->worker_id,
        .pid = getpid(),
        .capacity = 1,
        .started_at_us = w->started_at_us,
        .jobs_total = w->jobs_total,
    };

    if (w->program) {
        program_status(w->program, &w->status);
        hello.capacity = w->status.capacity;
        text_copy(hello.pool, sizeof hello.pool, w->conf->program->name);
    }
    if (w->life != LIFE_SERVE) {
        hello.capacity = w->status.capacity = 0;
        w->status.state = PROTO_STATE_DRAINING;
    }
    hello.held_count = list_held(w, hello.held);
    for (unsigned i = 0; i < w->pending_count; i++)
        if (!outcome_is_release(&w->pending[i].outcome))
            hello.jobs_total--; /* the front counts those when they come */
    proto_put_hello(link_out(w->link), &hello);
    if (w->program)
        proto_put_status(link_out(w->link), &w->status);
}

static void on_up(void *ctx)
{
    struct worker *w = ctx;

    say_hello(w);
    for (unsigned i = 0; i < w->pending_count; i++)
        proto_put_outcome(link_out(w->link), &w->pending[i].outcome);
    link_flush(w->link);
    send_news(w);
    workdirs_tidy(&w->workdirs); /* a front that was started again has removed files first */
}

static void on_down(void *ctx)
{
    spool_until_done(ctx);
}

static int on_run(struct worker *w, const char *body, size_t len, struct errinfo *e)
{
    AUTO_FINI(order) struct order order = { 0 };
    int r = proto_get_run(body, len, &order, e);

    if (r == 0)
        run(w, &order);
    return r;
}

static int on_frame(void *ctx, enum proto_type type, const char *body, size_t len,
                    struct errinfo *e)
{
    struct worker *w = ctx;
    struct proto_cancel c;
    struct proto_attempt ack;
    int r;

    switch (type) {
    case PROTO_RUN:
        return on_run(w, body, len, e);
    case PROTO_CANCEL:
        r = proto_get_cancel(body, len, &c, e);
        if (r == 0)
            cancel(w, &c);
        return r;
    case PROTO_ACK:
        r = proto_get_ack(body, len, &ack, e);
        if (r == 0)
            forget(w, &ack);
        return r;
    case PROTO_TIDY:
        r = proto_get_tidy(body, len, e);
        if (r == 0)
            workdirs_tidy(&w->workdirs);
        return r;
    default:
        return err_set(e, ERR_PROTOCOL, "the front sent a frame of type %d", (int)type);
    }
}

/* ---- the end ------------------------------------------------------------------------------
 */

/* The front has had its time. What cannot be written down now may be later. */
static void on_ack_wait_over(void *ctx)
{
    struct worker *w = ctx;

    w->ack_wait_over = true;
    if (!spool_pending(w) && w->life == LIFE_RETIRE)
        loop_set_timer(w->loop, &w->ack_wait, clock_mono_us() + SPOOL_RETRY_US);
}

static void await_acks(struct worker *w)
{
    if (w->ack_wait.at_us == 0 && !w->ack_wait_over)
        loop_set_timer(w->loop, &w->ack_wait, clock_mono_us() + ACK_WAIT_US);
}

static void retire(struct worker *w)
{
    if (w->life != LIFE_SERVE)
        return;
    w->life = LIFE_RETIRE;
    give_back_since(w, INT64_MAX);
    if (link_is_up(w->link)) {
        say_hello(w);
        link_flush(w->link);
    }
    if (w->program)
        program_retire(w->program);
}

static void stop(struct worker *w)
{
    retire(w);
    if (w->life == LIFE_STOP)
        return;
    w->life = LIFE_STOP;
    if (w->program)
        program_shut_down(w->program);
    else if (w->command)
        command_cancel(w->command, PROTO_CANCEL_SHUTDOWN, 0);
}

static void on_life_end(void *ctx, uint32_t events)
{
    struct worker *w = ctx;
    char ignored[64];

    (void)events;
    if (read(w->life_end.fd, ignored, sizeof ignored) > 0)
        return;
    loop_unwatch(w->loop, &w->life_end);
    retire(w);
}

/* Without the supervisor that forked us nobody else would tell us to stop. */
static void on_sigterm(void *ctx, uint32_t events)
{
    struct worker *w = ctx;
    struct signalfd_siginfo info;

    (void)events;
    if (read(w->sigterm.fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    if ((int)info.ssi_pid == w->conf->supervisor_pid || getppid() != w->conf->supervisor_pid)
        stop(w);
}

/* Nothing runs any more, and the front has every outcome, or cannot take it now. */
static bool is_over(struct worker *w)
{
    if (w->life == LIFE_SERVE || is_busy(w))
        return false;
    if (w->life == LIFE_RETIRE && w->program && !program_is_down(w->program))
        return false;
    if (w->pending_count == 0)
        return true;
    await_acks(w);
    if (link_is_up(w->link) && !w->ack_wait_over)
        return false;
    return spool_pending(w) || (w->life == LIFE_STOP && w->ack_wait_over);
}

/* What the front has sent before it knew is still to be refused. */
static bool has_ended(struct worker *w)
{
    if (!is_over(w))
        return false;
    link_read_rest(w->link);
    return is_over(w);
}

static int serve(struct worker *w)
{
    struct errinfo e;

    while (!has_ended(w)) {
        if (loop_turn(w->loop, &e) < 0) {
            log_error("worker.loop_failed", LSTR("reason", e.text));
            return 1;
        }
        begin_waiting(w);
    }
    return 0;
}

/* Whether nothing that it knows is lost. */
static bool tear_down(struct worker *w)
{
    bool all_spooled = spool_pending(w);

    w->program = program_free(w->program);
    (void)tree_sweep(detached_any(w->detached) ? detached_spares : NULL, w->detached);
    cage_host_close(&w->cage);
    if (cgroup_exists(&w->cgroup)) {
        cgroup_close(&w->cgroup); /* the lock with it */
        cgroup_worker_clear(w->conf->cgroup, w->conf->worker_id);
    }
    w->detached = detached_free(w->detached);
    w->link = link_free(w->link);
    if (w->host.workdirs)
        workdirs_close(&w->workdirs);
    loop_clear_timer(w->loop, &w->ack_wait);
    loop_clear_timer(w->loop, &w->spool_again);
    loop_clear_timer(w->loop, &w->news_timer);
    loop_clear_timer(w->loop, &w->backlog_timer);
    loop_cancel_task(w->loop, &w->sending);
    backlog_fini(&w->backlog);
    begun_close(&w->begun);
    reaper_close(&w->reaper);
    w->loop = loop_free(w->loop);
    for (unsigned i = 0; i < w->pending_count; i++)
        outcome_fini(&w->pending[i].outcome);
    for (size_t i = 0; i < COUNT_OF(w->news); i++)
        drop_news(&w->news[i]);
    return all_spooled;
}

/* ---- the beginning ------------------------------------------------------------------------
 */

/* What the supervisor had set up is its own. A signal from the terminal is the supervisor's to
 * answer. */
static void set_up_signals(void)
{
    static const int blocked[] = { SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
                                   SIGUSR1, SIGUSR2, SIGALRM, SIGXFSZ };
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < COUNT_OF(blocked); i++)
        (void)sigaddset(&set, blocked[i]);
    (void)pthread_sigmask(SIG_SETMASK, &set, NULL);
    spawn_reset_signals();
}

/* What is missing is done without: the outcomes say what held. */
static void set_up_cage(struct worker *w)
{
    const struct cgroup *base = w->conf->cgroup;
    struct errinfo e;

    if (detached_open(w->conf->data_dir, &w->detached, &e) < 0)
        log_warn("worker.no_detached", LSTR("reason", e.text));
    if (base && cgroup_exists(base) &&
        cgroup_worker_open(base, w->conf->worker_id, &w->cgroup, &e) < 0)
        log_warn("worker.no_cgroup", LSTR("reason", e.text));
    w->cage = (struct cage_host){
        .base = base,
        .worker = &w->cgroup,
        .detached = w->detached,
        .no_new_privs = w->conf->no_new_privs,
        .signals_are_default = true,
    };
}

/* A warm program has one working directory for all its jobs: ours. */
static int set_up_workdirs(struct worker *w, struct errinfo *e)
{
    const struct worker_conf *conf = w->conf;
    int r;

    if (conf->program)
        return 0;
    w->host.workdirs = &w->workdirs;
    r = workdirs_open(&w->workdirs, w->loop, conf->data_dir, &conf->artifacts, e);
    w->workdirs.on_slow = on_slow;
    w->workdirs.ctx = w;
    return r;
}

static int watch_sigterm(struct worker *w, struct errinfo *e)
{
    AUTO_FINI(fd) int fd = -1;
    sigset_t set;
    int r;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return err_sys(e, "signalfd");
    r = loop_watch(w->loop, &w->sigterm, fd, EPOLLIN, e);
    if (r == 0)
        (void)fd_take(&fd);
    return r;
}

static int set_up(struct worker *w, struct errinfo *e)
{
    const struct link_conf link_conf = {
        .loop = w->loop,
        .data_dir = w->conf->data_dir,
        .on_up = on_up,
        .on_frame = on_frame,
        .on_down = on_down,
        .ctx = w,
    };
    int r;

    r = tree_become_subreaper(e);
    if (r < 0)
        return r;
    r = reaper_open(&w->reaper, w->loop, e);
    if (r < 0)
        return r;
    r = watch_sigterm(w, e);
    if (r < 0)
        return r;
    r = loop_watch(w->loop, &w->life_end, w->conf->life_fd, EPOLLIN, e);
    if (r < 0)
        return r;
    set_up_cage(w);
    if (begun_open(w->conf->data_dir, w->conf->worker_id, &w->begun, e) < 0)
        log_warn("worker.no_begun", LSTR("reason", e->text)); /* its death is then the end of
                                                                 all that it holds */
    r = set_up_workdirs(w, e);
    if (r < 0)
        return r;
    w->link = link_new(&link_conf);
    if (w->conf->program)
        w->program = program_new(&w->host, &w->reaper, w->conf->program, on_program_change);
    return 0;
}

static void init(struct worker *w, const struct worker_conf *conf)
{
    w->conf = conf;
    w->life_end = (struct watch){ .fd = -1, .on_ready = on_life_end, .ctx = w };
    w->sigterm = (struct watch){ .fd = -1, .on_ready = on_sigterm, .ctx = w };
    w->reaper.watch.fd = -1;
    cgroup_none(&w->cgroup);
    w->ack_wait = (struct timer){ .on_due = on_ack_wait_over, .ctx = w };
    w->spool_again = (struct timer){ .on_due = spool_until_done, .ctx = w };
    w->started_at_us = clock_wall_us();
    w->backlog_timer = (struct timer){ .on_due = on_backlog_due, .ctx = w };
    w->sending = (struct task){ .run = send_outcomes, .ctx = w };
    w->news_timer = (struct timer){ .on_due = on_news_due, .ctx = w };
    w->host = (struct attempt_host){
        .loop = w->loop,
        .data_dir = conf->data_dir,
        .output_max_bytes = conf->output_max_bytes,
        .cage = &w->cage,
        .on_progress = on_progress,
        .on_done = on_done,
        .ctx = w,
    };
}

int worker_main(const struct worker_conf *conf)
{
    struct worker *w = mem_new0(sizeof *w);
    struct errinfo e;
    int code = 1;

    (void)prctl(PR_SET_NAME, "jobd-worker", 0, 0, 0); /* only a name */
    set_up_signals();
    if (loop_new(&w->loop, &e) < 0) {
        log_error("worker.not_started", LSTR("reason", e.text));
        free(w);
        return 1;
    }
    init(w, conf);
    if (set_up(w, &e) < 0)
        log_error("worker.not_started", LSTR("reason", e.text));
    else
        code = serve(w);
    if (!tear_down(w))
        code = 1;
    free(w);
    return code;
}
