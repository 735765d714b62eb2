#include "pool/program.h"

#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/mem.h"
#include "domain/channel.h"
#include "pool/exit_text.h"
#include "pool/pipes.h"
#include "pool/spawn.h"

#define RESTART_MIN_US (100 * USEC_PER_MS)
#define RESTART_MAX_US (30 * USEC_PER_SEC)
#define PROVEN_US      (10 * USEC_PER_SEC) /* one that lived as long has not failed to start */
#define KILL_AGAIN_US  USEC_PER_SEC
#define END_WAIT_US                                                                            \
    (100 * USEC_PER_MS) /* from the end of the channel to that of the process                  \
                         */
#define LAST_WORDS_SIZE 1000

/* An attempt that the program has, or that waits for the program. */
struct slot {
    struct program *program;
    bool used;
    bool sent;     /* the program has it */
    bool resent;   /* for the second time: the first process died without having read it */
    bool answered; /* cause and message are the answer's */
    enum cause cause;
    char *message;
    struct timer wait; /* while it is not sent */
    struct cage_cost cost;
    struct attempt attempt;
};

struct program {
    const struct attempt_host *host;
    struct reaper *reaper;
    const struct function *fn;
    struct slot slots[PROGRAM_CAPACITY];

    pid_t pid; /* 0: there is none */
    struct pipes pipes;
    struct cage cage; /* of this process and its children */
    usec_t started_us;
    unsigned served; /* answers of this process */
    bool recycled;   /* it has done its part: its end is as it should be */
    bool retiring;   /* it is to end: it gets no more jobs */
    bool killed;
    struct timer kill; /* when it does not */
    bool ended;
    int wait_status;

    unsigned failures; /* starts in a row that led to nothing */
    bool cannot_start; /* the last one failed before exec */
    bool shut_down;
    struct timer restart;

    unsigned invalid_lines; /* of this process */
    char *invalid_reason;   /* of the first of them */
    struct buf last_words;  /* the end of its stderr while it had no job */
};

static void start(struct program *p);
static void slot_cancel(struct slot *s, enum proto_cancel_mode mode, usec_t grace_us);

/* ---- slots --------------------------------------------------------------------------------
 */

static struct slot *slot_next(struct program *p, struct slot *after)
{
    for (struct slot *s = after ? after + 1 : p->slots; s < p->slots + PROGRAM_CAPACITY; s++)
        if (s->used)
            return s;
    return NULL;
}

/* The one attempt that output and answers without an owner belong to. */
static struct slot *slot_sent(struct program *p)
{
    for (struct slot *s = slot_next(p, NULL); s; s = slot_next(p, s))
        if (s->sent)
            return s;
    return NULL;
}

static struct slot *slot_by_id(struct program *p, const char *id)
{
    struct uuid7 job_id;

    if (!id || !uuid7_parse(id, &job_id))
        return NULL;
    for (struct slot *s = slot_next(p, NULL); s; s = slot_next(p, s))
        if (s->sent && uuid7_equal(s->attempt.order.job_id, job_id))
            return s;
    return NULL;
}

/* The program has the function's limits, so a job that lowered one does not have its own. What
 * is counted here holds for each job. */
static void report_limits(const struct slot *s, struct outcome *o)
{
    const struct limits *ours = &s->attempt.order.limits;
    const struct limits *program = &s->program->fn->limits;

    for (int i = 0; i < LIMIT_MAX_; i++)
        if (ours->values[i] != program->values[i])
            o->limits_enforced &= ~(1u << i);
    if (ours->values[LIMIT_OUTPUT] > 0)
        o->limits_enforced |= 1u << LIMIT_OUTPUT;
    if (ours->values[LIMIT_CPU] > 0 && cage_cpu_us(&s->program->cage) >= 0) {
        o->limits_enforced |= 1u << LIMIT_CPU;
        o->limits_by_cgroup |= 1u << LIMIT_CPU;
    }
    o->limits_by_cgroup &= o->limits_enforced;
}

/* The end of an attempt. wait_status: of the program when it ended under it, else NULL. */
static void slot_finish(struct slot *s, enum cause cause, char *take_message,
                        const int *wait_status, int leftovers)
{
    const struct attempt_host *host = s->program->host;
    struct outcome held = { 0 };
    struct outcome o;

    loop_clear_timer(host->loop, &s->wait);
    if (s->sent) {
        cage_cost(&s->program->cage, &s->cost);
        cage_report(&s->program->cage, &s->cost, &held);
        report_limits(s, &held);
    }
    if (take_message != s->message)
        free(s->message);
    s->message = NULL;
    attempt_finish(&s->attempt, cause, take_message, &o);
    o.pid = s->sent ? s->program->pid : 0;
    o.containment = held.containment; /* none when it was never given to the program */
    o.limits_enforced = held.limits_enforced;
    o.limits_by_cgroup = held.limits_by_cgroup;
    o.user_cpu_us = held.user_cpu_us;
    o.system_cpu_us = held.system_cpu_us;
    o.max_rss_bytes = held.max_rss_bytes;
    o.voluntary_switches = held.voluntary_switches;
    o.involuntary_switches = held.involuntary_switches;
    if (wait_status && WIFEXITED(*wait_status))
        o.exit_code = WEXITSTATUS(*wait_status);
    if (wait_status && WIFSIGNALED(*wait_status))
        o.signal = WTERMSIG(*wait_status);
    o.leftovers_killed = leftovers;
    s->used = false;
    host->on_done(host->ctx, &o);
}

static void slot_fail_unstarted(struct slot *s, const char *stage, const struct errinfo *why)
{
    const struct attempt_host *host = s->program->host;
    struct outcome o;

    loop_clear_timer(host->loop, &s->wait);
    attempt_finish_unstarted(&s->attempt, stage, why, &o);
    s->used = false;
    host->on_done(host->ctx, &o);
}

static void arm_wait(struct slot *s)
{
    if (s->attempt.order.timeout_us > 0)
        loop_set_timer(s->program->host->loop, &s->wait,
                       clock_mono_us() + s->attempt.order.timeout_us);
}

static void on_wait_over(void *ctx)
{
    struct slot *s = ctx;

    slot_finish(s, CAUSE_DEADLINE_EXCEEDED,
                mem_printf("the program was not up within %g s",
                           (double)s->attempt.order.timeout_us / USEC_PER_SEC),
                NULL, 0);
}

/* ---- what the program says ----------------------------------------------------------------
 */

static void count_invalid(struct program *p, const char *reason)
{
    if (p->invalid_lines++ == 0)
        p->invalid_reason = mem_str(reason);
}

static void on_output(void *ctx, enum stream stream, const char *block, size_t len)
{
    struct program *p = ctx;
    struct slot *s = slot_sent(p);

    if (s) {
        attempt_output(&s->attempt, stream, block, len);
        return;
    }
    if (stream != STREAM_STDERR)
        return; /* nobody's */
    if (len > LAST_WORDS_SIZE) {
        block += len - LAST_WORDS_SIZE;
        len = LAST_WORDS_SIZE;
    }
    buf_add(&p->last_words, block, len);
    if (p->last_words.len > LAST_WORDS_SIZE)
        buf_consume(&p->last_words, p->last_words.len - LAST_WORDS_SIZE);
}

static void take_answer(struct slot *s, struct channel_line *l)
{
    if (s->answered)
        return; /* it has made up its mind already */
    s->answered = true;
    if (l->kind == CHANNEL_RESULT) {
        s->cause = CAUSE_NONE;
        attempt_result(&s->attempt, TAKE(l->result), l->result_len);
    } else {
        s->cause = CAUSE_ERROR;
        s->message = TAKE(l->message);
    }
}

static void on_line(void *ctx, const char *line, size_t len)
{
    struct program *p = ctx;
    AUTO_FINI(channel_line) struct channel_line l = { 0 };
    struct slot *s;

    channel_decode(line, len, &l);
    if (l.kind == CHANNEL_READY)
        return;
    if (l.kind == CHANNEL_INVALID) {
        count_invalid(p, l.message);
        return;
    }
    s = slot_by_id(p, l.id);
    if (!s)
        count_invalid(p, "its id is not that of the job it was given");
    else if (l.kind == CHANNEL_PROGRESS)
        attempt_progress(&s->attempt, l.fraction, l.message);
    else
        take_answer(s, &l);
}

/* ---- ending the process -------------------------------------------------------------------
 */

static void kill_now(struct program *p)
{
    p->killed = true;
    cage_kill(&p->cage);
    loop_set_timer(p->host->loop, &p->kill, clock_mono_us() + KILL_AGAIN_US);
}

static void on_kill(void *ctx)
{
    kill_now(ctx);
}

/* Ask it to end by closing its stdin, and see to it that it does. */
static void retire(struct program *p)
{
    p->retiring = true;
    pipes_end_input(&p->pipes);
    loop_set_timer(p->host->loop, &p->kill, clock_mono_us() + p->fn->grace_us);
}

/* Its channel is closed, so most likely it is ending. If it is not, it is of no use any more.
 */
static void expect_end(struct program *p)
{
    p->retiring = true;
    loop_set_timer(p->host->loop, &p->kill, clock_mono_us() + END_WAIT_US);
}

/* A line without end: the attempt is over, and so is the process, whose channel is lost. */
static void stop_overlong(struct program *p)
{
    struct slot *s = slot_sent(p);

    if (p->killed)
        return;
    p->killed = true;
    if (s)
        attempt_stop(&s->attempt, CAUSE_OUTPUT_LIMIT_EXCEEDED, 0);
    else
        kill_now(p);
}

static void after_answer(struct program *p)
{
    p->served++;
    p->failures = 0;
    if (p->retiring)
        return;
    if (p->shut_down || (p->fn->max_jobs > 0 && p->served >= p->fn->max_jobs)) {
        p->recycled = true;
        retire(p);
    }
}

static void on_read(void *ctx)
{
    struct program *p = ctx;
    struct slot *s = slot_sent(p);

    if (p->ended)
        return; /* on_settled() follows */
    if (pipes_overlong(&p->pipes)) {
        stop_overlong(p);
        return;
    }
    if (s && s->answered && s->attempt.stop_cause == CAUSE_NONE) {
        pipes_drain(&p->pipes); /* what it printed before it answered */
        after_answer(p);
        slot_finish(s, s->cause, s->message, NULL, 0);
    }
    if (p->pipes.ends[PIPE_CHANNEL].fd < 0 && !p->retiring)
        expect_end(p);
}

static enum cause cause_of_death(const struct slot *s)
{
    enum cause stop = s->attempt.stop_cause;

    if (stop == CAUSE_DEADLINE_EXCEEDED || stop == CAUSE_OUTPUT_LIMIT_EXCEEDED ||
        stop == CAUSE_RESOURCE_LIMIT_EXCEEDED)
        return stop;
    if (s->answered)
        return s->cause;
    if (stop == CAUSE_NONE && s->cost.oom_kills > 0)
        return CAUSE_OOM_KILLED;
    return stop != CAUSE_NONE ? stop : CAUSE_WORKER_LOST;
}

static char *message_of_death(const struct program *p, const struct slot *s, enum cause cause)
{
    AUTO(mem) char *how = exit_text(p->wait_status);

    if (cause == CAUSE_NONE || cause == CAUSE_ERROR)
        return s->message;
    if (cause == CAUSE_OUTPUT_LIMIT_EXCEEDED && s->attempt.exceeded != 0)
        return mem_printf("it wrote more than %" PRId64 " bytes",
                          s->attempt.order.limits.values[LIMIT_OUTPUT]);
    if (cause == CAUSE_OUTPUT_LIMIT_EXCEEDED)
        return mem_printf("a line of the job channel is longer than %zu bytes",
                          LINES_LENGTH_MAX);
    if (cause == CAUSE_DEADLINE_EXCEEDED)
        return mem_printf("it ran longer than %g s",
                          (double)s->attempt.order.timeout_us / USEC_PER_SEC);
    if (cause == CAUSE_WORKER_LOST)
        return mem_printf("the program %s before it answered", how);
    return NULL;
}

static usec_t restart_delay(struct program *p, bool intended)
{
    usec_t delay_us = RESTART_MIN_US;

    if (intended)
        return 0;
    if (p->served > 0 || clock_mono_us() - p->started_us >= PROVEN_US)
        p->failures = 0;
    else
        p->failures++;
    if (p->failures == 0)
        return 0;
    for (unsigned i = 1; i < p->failures && delay_us < RESTART_MAX_US; i++)
        delay_us *= 2;
    return delay_us < RESTART_MAX_US ? delay_us : RESTART_MAX_US;
}

static void start_after(struct program *p, usec_t delay_us)
{
    if (p->shut_down)
        return;
    if (delay_us == 0)
        start(p);
    else
        loop_set_timer(p->host->loop, &p->restart, clock_mono_us() + delay_us);
}

static void log_death(const struct program *p, bool intended, usec_t delay_us)
{
    AUTO(mem) char *how = exit_text(p->wait_status);

    if (p->invalid_lines > 0)
        log_warn("program.invalid_lines", LSTR("function", p->fn->name), LI64("pid", p->pid),
                 LI64("count", p->invalid_lines), LSTR("first_reason", p->invalid_reason));
    if (intended)
        log_debug("program.ended", LSTR("function", p->fn->name), LI64("pid", p->pid),
                  LSTR("how", how));
    else
        log_warn("program.died", LSTR("function", p->fn->name), LI64("pid", p->pid),
                 LSTR("how", how), LI64("served", p->served), LI64("restart_in_us", delay_us),
                 LSTR("stderr", p->last_words.data));
}

/* The process ended before it had read a byte of the job: as if it had ended just before the
 * job came. But only once, so that one which never gets to reading does not keep the job for
 * ever. */
static bool send_again(struct program *p, struct slot *s, size_t unread)
{
    if (s->resent || s->attempt.stop_cause != CAUSE_NONE || unread < s->attempt.order.input_len)
        return false;
    s->sent = false;
    s->resent = true;
    loop_clear_timer(p->host->loop, &s->attempt.deadline);
    arm_wait(s);
    return true;
}

/* The process has ended. Its channel is read to the end before anybody is told: an answer that
 * it had written counts. */
static void bury(struct program *p, bool none_left)
{
    bool intended = p->recycled;
    size_t unread = pipes_unread(&p->pipes);
    struct slot *s;
    usec_t delay_us;
    int killed = cage_sweep(&p->cage, none_left);

    pipes_drain(&p->pipes);
    pipes_close(&p->pipes);
    loop_clear_timer(p->host->loop, &p->kill);
    for (s = slot_next(p, NULL); s; s = slot_next(p, s)) {
        enum cause cause;

        if (!s->sent || send_again(p, s, unread)) {
            if (p->shut_down) /* there will be no other process for it */
                slot_cancel(s, PROTO_CANCEL_SHUTDOWN, 0);
            continue;
        }
        intended = intended || s->attempt.stop_cause != CAUSE_NONE;
        if (s->answered)
            p->served++;
        cage_cost(&p->cage, &s->cost);
        cause = cause_of_death(s);
        slot_finish(s, cause, message_of_death(p, s, cause), &p->wait_status, killed);
    }
    delay_us = restart_delay(p, intended);
    log_death(p, intended, delay_us);
    cage_close(&p->cage);
    p->pid = 0;
    start_after(p, delay_us);
}

static void on_exit_of(void *ctx, pid_t pid, int wait_status, const struct rusage *usage)
{
    struct program *p = ctx;

    (void)usage;
    if (pid != p->pid || p->ended)
        return; /* an orphan that the program left */
    p->ended = true;
    p->wait_status = wait_status;
}

static void on_settled(void *ctx, bool none_left)
{
    struct program *p = ctx;

    if (p->pid != 0 && p->ended)
        bury(p, none_left);
}

/* ---- starting the process -----------------------------------------------------------------
 */

static void feed(struct slot *s)
{
    struct program *p = s->program;

    pipes_drain(&p->pipes); /* what it said before is not this job's */
    loop_clear_timer(p->host->loop, &s->wait);
    s->sent = true;
    cage_mark(&p->cage);
    attempt_begin(&s->attempt, &p->cage);
    attempt_set_deadline(&s->attempt);
    pipes_write(&p->pipes, s->attempt.order.input, s->attempt.order.input_len);
}

static bool is_up(const struct program *p)
{
    return p->pid != 0 && !p->ended && !p->retiring && !p->killed;
}

static int start_process(struct program *p, const char **ret_stage, struct errinfo *e)
{
    const struct pipes_conf conf = { on_output, on_line, on_read, p };
    struct spawn_conf sc = { .argv = p->fn->argv };
    AUTO(mem) char *name = mem_printf("JOBD_FUNCTION=%s", p->fn->name);
    char fd[] = "JOBD_FD=3";
    char *extra[] = { name, fd, NULL };
    AUTO(mem) char **env = spawn_environment(extra);
    struct limits limits;
    int r;

    *ret_stage = "pipes";
    r = pipes_open(&p->pipes, p->host->loop, &conf, sc.fds, e);
    if (r < 0)
        return r;
    sc.env = env;
    limits = p->fn->limits;
    limits.values[LIMIT_CPU] = 0; /* of a job, not of the program's life */
    limits.values[LIMIT_OUTPUT] = 0;
    cage_open(&p->cage, p->host->cage, &limits);
    r = cage_spawn(&p->cage, &sc, &p->pid, ret_stage, e);
    pipes_close_child(sc.fds);
    if (r < 0) {
        cage_close(&p->cage);
        pipes_close(&p->pipes);
    }
    return r;
}

static void start_failed(struct program *p, const char *stage, const struct errinfo *e)
{
    usec_t delay_us = restart_delay(p, false);

    p->cannot_start = true;
    log_error("program.spawn_failed", LSTR("function", p->fn->name), LSTR("reason", e->text),
              LI64("retry_in_us", delay_us));
    loop_set_timer(p->host->loop, &p->restart, clock_mono_us() + delay_us);
    for (struct slot *s = slot_next(p, NULL); s; s = slot_next(p, s))
        slot_fail_unstarted(s, stage, e);
}

static void start(struct program *p)
{
    const char *stage;
    struct errinfo e;

    loop_clear_timer(p->host->loop, &p->restart);
    p->served = 0;
    p->recycled = p->retiring = p->killed = p->ended = false;
    p->invalid_lines = 0;
    free(p->invalid_reason);
    p->invalid_reason = NULL;
    buf_clear(&p->last_words);
    p->started_us = clock_mono_us();
    if (start_process(p, &stage, &e) < 0) {
        p->pid = 0;
        start_failed(p, stage, &e);
        return;
    }
    p->cannot_start = false;
    for (struct slot *s = slot_next(p, NULL); s; s = slot_next(p, s))
        feed(s);
}

static void on_restart(void *ctx)
{
    start(ctx);
}

/* ---- for the worker -----------------------------------------------------------------------
 */

struct program *program_new(const struct attempt_host *host, struct reaper *reaper,
                            const struct function *fn)
{
    struct program *p = mem_new0(sizeof *p);

    p->host = host;
    p->reaper = reaper;
    p->fn = fn;
    p->kill = (struct timer){ .on_due = on_kill, .ctx = p };
    p->restart = (struct timer){ .on_due = on_restart, .ctx = p };
    for (int i = 0; i < PROGRAM_CAPACITY; i++)
        p->slots[i].program = p;
    reaper->on_exit = on_exit_of;
    reaper->on_settled = on_settled;
    reaper->ctx = p;
    start(p);
    return p;
}

static void slot_drop(struct slot *s)
{
    struct outcome o;

    loop_clear_timer(s->program->host->loop, &s->wait);
    attempt_finish(&s->attempt, CAUSE_SHUTDOWN, TAKE(s->message), &o);
    outcome_fini(&o);
    s->used = false;
}

struct program *program_free(struct program *p)
{
    if (!p)
        return NULL;
    p->reaper->on_exit = NULL;
    p->reaper->on_settled = NULL;
    if (p->pid != 0) {
        (void)cage_sweep(&p->cage, false);
        cage_close(&p->cage);
    }
    for (struct slot *s = slot_next(p, NULL); s; s = slot_next(p, s))
        slot_drop(s);
    pipes_close(&p->pipes);
    loop_clear_timer(p->host->loop, &p->kill);
    loop_clear_timer(p->host->loop, &p->restart);
    buf_fini(&p->last_words);
    free(p->invalid_reason);
    free(p);
    return NULL;
}

static struct slot *slot_free(struct program *p)
{
    for (int i = 0; i < PROGRAM_CAPACITY; i++)
        if (!p->slots[i].used)
            return &p->slots[i];
    return NULL;
}

bool program_has_room(const struct program *p)
{
    for (int i = 0; i < PROGRAM_CAPACITY; i++)
        if (!p->slots[i].used)
            return true;
    return false;
}

void program_run(struct program *p, struct order *take_order)
{
    struct slot *s = slot_free(p);

    assert(s && !p->shut_down);
    *s = (struct slot){ .program = p, .used = true };
    s->wait = (struct timer){ .on_due = on_wait_over, .ctx = s };
    attempt_init(&s->attempt, p->host, take_order);
    if (s->attempt.order.timeout_us > 0)
        loop_set_timer(p->host->loop, &s->wait, clock_mono_us() + s->attempt.order.timeout_us);
    if (is_up(p))
        feed(s);
    else if (p->pid == 0 && p->cannot_start)
        start(p); /* whoever waits for a program that is not there learns why at once */
}

/* One that was never given to the program is over as soon as it is canceled. */
static void slot_cancel(struct slot *s, enum proto_cancel_mode mode, usec_t grace_us)
{
    enum cause cause = mode == PROTO_CANCEL_SHUTDOWN ? CAUSE_SHUTDOWN : CAUSE_CANCELED;

    if (s->sent)
        attempt_cancel(&s->attempt, mode, grace_us);
    else
        slot_finish(s, cause, NULL, NULL, 0);
}

void program_cancel(struct program *p, struct uuid7 job_id, int attempt,
                    enum proto_cancel_mode mode, usec_t grace_us)
{
    for (struct slot *s = slot_next(p, NULL); s; s = slot_next(p, s))
        if (attempt_is(&s->attempt, job_id, attempt)) {
            slot_cancel(s, mode, grace_us);
            return;
        }
}

void program_retire(struct program *p)
{
    p->shut_down = true;
    loop_clear_timer(p->host->loop, &p->restart);
    for (struct slot *s = slot_next(p, NULL); s; s = slot_next(p, s))
        if (!s->sent)
            slot_cancel(s, PROTO_CANCEL_SHUTDOWN, 0);
    if (is_up(p) && !slot_sent(p)) {
        p->recycled = true;
        retire(p);
    }
}

bool program_is_down(const struct program *p)
{
    return p->pid == 0;
}

void program_shut_down(struct program *p)
{
    p->shut_down = true;
    loop_clear_timer(p->host->loop, &p->restart);
    for (struct slot *s = slot_next(p, NULL); s; s = slot_next(p, s))
        slot_cancel(s, PROTO_CANCEL_SHUTDOWN, 0);
}

unsigned program_held(const struct program *p, struct proto_attempt ret_held[PROGRAM_CAPACITY])
{
    unsigned count = 0;

    for (int i = 0; i < PROGRAM_CAPACITY; i++)
        if (p->slots[i].used)
            ret_held[count++] = attempt_id(&p->slots[i].attempt);
    return count;
}
