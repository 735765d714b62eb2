#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "pool/exit_text.h"
#include "pool/program_state.h"

/* ---- which ones ---------------------------------------------------------------------------
 */

struct slot *slots_next(struct program *p, const struct warm *w, struct slot *after)
{
    for (struct slot *s = after ? after + 1 : p->slots; s < p->slots + p->slots_end; s++)
        if (s->warm && (!w || s->warm == w))
            return s;
    return NULL;
}

unsigned slots_used(const struct program *p)
{
    return p->used;
}

static void set_used(struct slot *s, struct warm *w)
{
    struct program *p = s->program;
    unsigned end = (unsigned)(s - p->slots) + 1;

    s->warm = w;
    p->used++;
    if (end > p->slots_end)
        p->slots_end = end;
}

static void set_free(struct slot *s)
{
    struct program *p = s->program;

    s->warm = NULL;
    p->used--;
    while (p->slots_end > 0 && !p->slots[p->slots_end - 1].warm)
        p->slots_end--;
}

static struct slot *slot_by_id(struct program *p, const struct warm *w, const char *id)
{
    struct uuid7 job_id;

    if (!uuid7_parse(id, &job_id))
        return NULL;
    for (struct slot *s = slots_next(p, w, NULL); s; s = slots_next(p, w, s))
        if (uuid7_equal(s->attempt.order.job_id, job_id))
            return s;
    return NULL;
}

/* ---- the beginning ------------------------------------------------------------------------
 */

/* One that takes several jobs is asked to drop this one; any other has to go. */
static void ask_to_stop(void *ctx)
{
    struct slot *s = ctx;
    struct warm *w = s->warm;
    char id[UUID7_TEXT_SIZE];

    if (w->limit > 1) {
        AUTO(mem)
        char *line =
            mem_printf("{\"cancel\":\"%s\"}\n", uuid7_format(s->attempt.order.job_id, id));

        warm_write(w, line, strlen(line));
        return;
    }
    cage_signal(&w->cage, SIGTERM);
    w->dismissed = true;
    warm_retire(w);
    program_tend(s->program);
}

void slots_feed(struct program *p, struct warm *w, struct order *take_order)
{
    struct slot *s = p->slots;

    while (s->warm)
        s++; /* there is one: w has room */
    assert(s < p->slots + PROGRAM_CAPACITY);
    *s = (struct slot){ .program = p, .offset_bytes = w->written_bytes };
    set_used(s, w);
    attempt_init(&s->attempt, p->host, take_order);
    s->attempt.ask_to_stop = ask_to_stop;
    s->attempt.ask_ctx = s;
    if (w->limit > 1) /* what it uses cannot be told from what the others use */
        s->attempt.order.limits.values[LIMIT_CPU] = 0;
    if (w->held++ == 0)
        cage_mark(&w->cage);
    w->wear.jobs++;
    attempt_begin(&s->attempt, &w->cage);
    attempt_set_deadline(&s->attempt);
    warm_write(w, s->attempt.order.input, s->attempt.order.input_len);
}

/* ---- the end ------------------------------------------------------------------------------
 */

/* The program has the function's limits, so a job that lowered one does not have its own. What
 * is counted here holds for each job. */
static void fix_limits(const struct slot *s, const struct limits *job, struct outcome *o)
{
    const struct limits *program = &s->program->fn->limits;

    for (int i = 0; i < LIMIT_MAX_; i++)
        if (job->values[i] != program->values[i])
            o->limits_enforced &= ~(1u << i);
    if (job->values[LIMIT_OUTPUT] > 0)
        o->limits_enforced |= 1u << LIMIT_OUTPUT;
    if (job->values[LIMIT_CPU] > 0 && cage_cpu_us(&s->warm->cage) >= 0) {
        o->limits_enforced |= 1u << LIMIT_CPU;
        o->limits_by_cgroup |= 1u << LIMIT_CPU;
    }
    o->limits_by_cgroup &= o->limits_enforced;
}

static void slot_finish(struct slot *s, enum cause cause, char *take_message,
                        const int *wait_status, int leftovers)
{
    const struct attempt_host *host = s->program->host;
    struct warm *w = s->warm;
    struct limits limits = s->attempt.order.limits;
    struct outcome o;

    if (take_message != s->message)
        free(s->message);
    s->message = NULL;
    attempt_finish(&s->attempt, cause, take_message, &o);
    o.pid = w->pid;
    if (w->limit > 1)
        s->cost = (struct cage_cost){ 0 }; /* of all that it held, and not of this one */
    cage_report(&w->cage, &s->cost, &o);
    fix_limits(s, &limits, &o);
    if (wait_status && WIFEXITED(*wait_status))
        o.exit_code = WEXITSTATUS(*wait_status);
    if (wait_status && WIFSIGNALED(*wait_status))
        o.signal = WTERMSIG(*wait_status);
    o.leftovers_killed = leftovers;
    set_free(s);
    warm_let_go(w);
    host->on_done(host->ctx, &o);
}

void slots_refuse(struct program *p, struct order *take_order)
{
    struct attempt a;
    struct outcome o;

    attempt_init(&a, p->host, take_order);
    attempt_finish(&a, CAUSE_NEVER_STARTED, NULL, &o);
    o.started_at_us = o.finished_at_us;
    o.containment = CONTAINMENT_NONE;
    p->host->on_done(p->host->ctx, &o);
}

static bool is_answer(enum cause cause)
{
    return cause == CAUSE_NONE || cause == CAUSE_ERROR;
}

/* was_read: the process has read at least the start of its line. */
static enum cause cause_of(const struct slot *s, bool was_read)
{
    enum cause stop = s->attempt.stop_cause;

    if (stop == CAUSE_DEADLINE_EXCEEDED || stop == CAUSE_OUTPUT_LIMIT_EXCEEDED ||
        stop == CAUSE_RESOURCE_LIMIT_EXCEEDED)
        return stop;
    if (s->answered && (stop == CAUSE_NONE || s->cause == CAUSE_NONE))
        return s->cause;
    if (stop != CAUSE_NONE)
        return stop;
    if (!was_read)
        return CAUSE_NEVER_STARTED;
    return s->cost.oom_kills > 0 ? CAUSE_OOM_KILLED : CAUSE_WORKER_LOST;
}

static char *message_of_death(const struct slot *s, bool for_another)
{
    AUTO(mem) char *how = exit_text(s->warm->wait_status);

    if (s->warm->overlong)
        return mem_printf("a line of the job channel is longer than %zu bytes",
                          LINES_LENGTH_MAX);
    if (for_another)
        return mem_str("the program was killed to stop another job that it held");
    return mem_printf("the program %s before it answered", how);
}

/* for_another: the process was killed because of one of its attempts. */
static char *message_of(const struct slot *s, enum cause cause, bool for_another)
{
    if (is_answer(cause))
        return s->message;
    if (cause == CAUSE_DEADLINE_EXCEEDED)
        return mem_printf("it ran longer than %g s",
                          (double)s->attempt.order.timeout_us / USEC_PER_SEC);
    if (cause == CAUSE_OUTPUT_LIMIT_EXCEEDED && !s->warm->overlong)
        return NULL;
    if (cause == CAUSE_WORKER_LOST || cause == CAUSE_OUTPUT_LIMIT_EXCEEDED)
        return message_of_death(s, for_another);
    return NULL;
}

/* One that takes a single job and is being stopped ends anyway. */
static bool is_settled(const struct slot *s)
{
    return s->answered && (s->attempt.stop_cause == CAUSE_NONE || s->warm->limit > 1);
}

static bool any_settled(struct program *p, const struct warm *w)
{
    for (struct slot *s = slots_next(p, w, NULL); s; s = slots_next(p, w, s))
        if (is_settled(s))
            return true;
    return false;
}

unsigned slots_settle(struct program *p, struct warm *w)
{
    unsigned count = 0;

    if (!any_settled(p, w))
        return 0;
    pipes_drain(&w->pipes); /* what it printed before it answered; perhaps more answers */
    for (struct slot *s = slots_next(p, w, NULL); s; s = slots_next(p, w, s)) {
        enum cause cause;

        if (!is_settled(s))
            continue;
        count++;
        w->answers++;
        if (w->limit == 1)
            cage_cost(&w->cage, &s->cost);
        cause = cause_of(s, true);
        slot_finish(s, cause, message_of(s, cause, false), NULL, 0);
    }
    return count;
}

static bool killed_for_one(struct program *p, const struct warm *w)
{
    for (struct slot *s = slots_next(p, w, NULL); s; s = slots_next(p, w, s))
        if (s->attempt.killed)
            return true;
    return false;
}

bool slots_bury(struct program *p, struct warm *w, int leftovers)
{
    bool for_another = killed_for_one(p, w);
    bool stopped = false;

    for (struct slot *s = slots_next(p, w, NULL); s; s = slots_next(p, w, s)) {
        enum cause cause;

        stopped = stopped || s->attempt.stop_cause != CAUSE_NONE;
        if (s->answered)
            w->answers++;
        cage_cost(&w->cage, &s->cost);
        cause = cause_of(s, w->read_bytes > s->offset_bytes);
        slot_finish(s, cause, message_of(s, cause, for_another), &w->wait_status, leftovers);
    }
    return stopped;
}

void slots_drop(struct program *p)
{
    for (struct slot *s = slots_next(p, NULL, NULL); s; s = slots_next(p, NULL, s)) {
        struct outcome o;

        attempt_finish(&s->attempt, CAUSE_SHUTDOWN, TAKE(s->message), &o);
        outcome_fini(&o);
        set_free(s);
    }
}

/* ---- what the program says ----------------------------------------------------------------
 */

void slots_output(struct program *p, const struct warm *w, enum stream stream,
                  const char *block, size_t len)
{
    for (struct slot *s = slots_next(p, w, NULL); s; s = slots_next(p, w, s))
        attempt_output(&s->attempt, stream, block, len);
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

void slots_line(struct program *p, struct warm *w, struct channel_line *line)
{
    struct slot *s = slot_by_id(p, w, line->id);

    if (!s)
        warm_count_invalid(w, "its id is not that of a job it was given");
    else if (line->kind == CHANNEL_PROGRESS)
        attempt_progress(&s->attempt, line->fraction, line->message);
    else
        take_answer(s, line);
}
