#include "pool/program_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "pool/exit_text.h"

#define PROVEN_US (10 * USEC_PER_SEC) /* one that lived as long has not failed to start */

/* ---- the processes ------------------------------------------------------------------------
 */

static struct warm *in_state(const struct program *p, enum warm_state state)
{
    for (size_t i = 0; i < COUNT_OF(p->warms); i++)
        if (p->warms[i].state == state)
            return (struct warm *)(uintptr_t)&p->warms[i]; /* const is the caller's view */
    return NULL;
}

/* Whether one is about to end that should not: how long to wait depends on its end. */
static bool awaits_an_end(const struct program *p)
{
    for (size_t i = 0; i < COUNT_OF(p->warms); i++)
        if (p->warms[i].state == WARM_RETIRING && !p->warms[i].dismissed)
            return true;
    return false;
}

static bool wants_another(const struct program *p)
{
    const struct warm *up = in_state(p, WARM_UP);

    if (p->shut_down || in_state(p, WARM_STARTING) || !in_state(p, WARM_NONE))
        return false;
    return up ? wear_due(&up->wear) != NULL : !awaits_an_end(p);
}

static void set_reason(struct program *p, char *take_reason)
{
    free(p->reason);
    p->reason = take_reason;
}

static void start_failed(struct program *p, const struct errinfo *e)
{
    usec_t delay_us = circuit_ended(&p->circuit, CIRCUIT_FAILED_START);

    p->not_before_us = clock_mono_us() + delay_us;
    set_reason(p, mem_str(e->text));
    log_error("program.spawn_failed", LSTR("function", p->fn->name), LSTR("reason", e->text),
              LI64("retry_in_us", delay_us),
              LBOOL("circuit_open", circuit_is_open(&p->circuit)));
}

static void start(struct program *p)
{
    const char *stage;
    struct errinfo e;

    if (warm_start(in_state(p, WARM_NONE), circuit_is_open(&p->circuit), &stage, &e) < 0)
        start_failed(p, &e);
}

void program_tend(struct program *p)
{
    loop_clear_timer(p->host->loop, &p->restart);
    if (wants_another(p) && clock_mono_us() >= p->not_before_us)
        start(p);
    if (wants_another(p))
        loop_set_timer(p->host->loop, &p->restart, p->not_before_us);
    if (p->on_change)
        p->on_change(p->host->ctx);
}

static void on_restart(void *ctx)
{
    program_tend(ctx);
}

static void note_success(struct program *p)
{
    if (circuit_is_open(&p->circuit))
        log_info("program.circuit_closed", LSTR("function", p->fn->name));
    circuit_up(&p->circuit);
    set_reason(p, NULL);
}

/* It is up, or worn. The one that came up later takes over. */
static void on_warm_change(void *ctx, struct warm *w)
{
    struct program *p = ctx;
    struct warm *old = w->twin;

    if (w->proven)
        note_success(p);
    if (w->state == WARM_UP && old->state == WARM_UP) {
        const char *why = wear_due(&old->wear);

        log_info("program.replaced", LSTR("function", p->fn->name), LI64("pid", old->pid),
                 LI64("by_pid", w->pid), LSTR("why", why ? why : "stopped"),
                 LI64("jobs", old->wear.jobs), LI64("rss_bytes", old->wear.rss_bytes));
        old->dismissed = true;
        warm_retire(old);
    }
    program_tend(p);
}

/* ---- what they say ------------------------------------------------------------------------
 */

static void on_output(void *ctx, struct warm *w, enum stream stream, const char *block,
                      size_t len)
{
    slots_output(ctx, w, stream, block, len);
}

static void on_line(void *ctx, struct warm *w, struct channel_line *line)
{
    slots_line(ctx, w, line);
}

/* A line without end: the channel is lost, and with it the process. */
static void stop_overlong(struct program *p, struct warm *w)
{
    if (w->overlong)
        return;
    w->overlong = true;
    if (w->held == 1)
        attempt_stop(&slots_next(p, w, NULL)->attempt, CAUSE_OUTPUT_LIMIT_EXCEEDED, 0);
    else
        warm_kill(w);
}

static void on_read(void *ctx, struct warm *w)
{
    struct program *p = ctx;
    bool changed = false;

    if (pipes_overlong(&w->pipes)) {
        stop_overlong(p, w);
        return;
    }
    if (slots_settle(p, w) > 0) {
        w->proven = true;
        note_success(p);
        wear_look(&w->wear, w->pid, clock_mono_us());
        changed = true;
    }
    if (w->pipes.ends[PIPE_CHANNEL].fd < 0 && w->state != WARM_RETIRING) {
        warm_expect_end(w);
        changed = true;
    }
    if (changed)
        program_tend(p);
}

/* ---- their end ----------------------------------------------------------------------------
 */

static enum circuit_end use_of(const struct warm *w)
{
    if (w->answers > 0 || clock_mono_us() - w->started_us >= PROVEN_US)
        return CIRCUIT_USEFUL;
    return w->proven || w->read_bytes > 0 ? CIRCUIT_DIED : CIRCUIT_FAILED_START;
}

/* The last line of its stderr, printable and of bounded length; NULL: there is none. */
static char *last_line(const struct buf *words)
{
    enum { SHOWN = 160 };
    AUTO_FINI(buf) struct buf line = { 0 };
    size_t end = words->len;
    size_t start;

    while (end > 0 && (unsigned char)words->data[end - 1] <= ' ')
        end--;
    start = end;
    while (start > 0 && words->data[start - 1] != '\n' && end - start < SHOWN)
        start--;
    while (start < end) {
        const char *at = words->data + start;
        size_t n = text_utf8_len(at, end - start);
        bool plain = n > 0 && (unsigned char)*at >= ' ' && *at != 0x7f;

        buf_add(&line, plain ? at : "?", plain ? n : 1);
        start += n > 0 ? n : 1;
    }
    return line.len > 0 ? buf_steal(&line) : NULL;
}

static char *describe(const struct program *p, const struct warm *w)
{
    AUTO(mem) char *how = exit_text(w->wait_status);
    AUTO(mem) char *words = last_line(&w->last_words);
    const char *said = words ? words : "";

    if (w->overdue)
        return mem_printf("the program was not ready within %g s%s%s",
                          (double)p->fn->ready_timeout_us / USEC_PER_SEC, words ? ": " : "",
                          said);
    return mem_printf("the program %s%s%s%s", how, w->proven ? "" : " before it was ready",
                      words ? ": " : "", said);
}

static void log_death(const struct program *p, const struct warm *w, bool intended,
                      usec_t delay_us)
{
    AUTO(mem) char *how = exit_text(w->wait_status);

    if (w->invalid_lines > 0)
        log_warn("program.invalid_lines", LSTR("function", p->fn->name), LI64("pid", w->pid),
                 LI64("count", w->invalid_lines), LSTR("first_reason", w->invalid_reason));
    if (intended)
        log_debug("program.ended", LSTR("function", p->fn->name), LI64("pid", w->pid),
                  LSTR("how", how));
    else
        log_warn("program.died", LSTR("function", p->fn->name), LI64("pid", w->pid),
                 LSTR("how", how), LI64("answers", w->answers), LI64("restart_in_us", delay_us),
                 LBOOL("circuit_open", circuit_is_open(&p->circuit)),
                 LSTR("stderr", w->last_words.data));
}

/* Its end was not wanted: what follows from it. */
static usec_t note_death(struct program *p, const struct warm *w)
{
    enum circuit_end use = use_of(w);
    usec_t delay_us = circuit_ended(&p->circuit, use);

    p->not_before_us = clock_mono_us() + delay_us;
    if (use != CIRCUIT_USEFUL)
        set_reason(p, describe(p, w));
    return delay_us;
}

/* Its channel is read to the end before anybody is told: an answer that it had written counts.
 */
static void bury(struct program *p, struct warm *w, bool none_left)
{
    int killed = warm_bury(w, none_left);
    bool intended = slots_bury(p, w, killed) || w->dismissed;
    usec_t delay_us = intended ? 0 : note_death(p, w);

    log_death(p, w, intended, delay_us);
    warm_clear(w);
}

static void on_exit_of(void *ctx, pid_t pid, int wait_status, const struct rusage *usage)
{
    struct program *p = ctx;

    (void)usage;
    for (size_t i = 0; i < COUNT_OF(p->warms); i++) {
        struct warm *w = &p->warms[i];

        if (pid == w->kin.pid) /* else an orphan that it left */
            warm_ended(w, wait_status);
    }
}

static void on_settled(void *ctx, bool none_left)
{
    struct program *p = ctx;
    bool changed = false;

    for (size_t i = 0; i < COUNT_OF(p->warms); i++)
        if (p->warms[i].ended) {
            bury(p, &p->warms[i], none_left);
            changed = true;
        }
    if (changed)
        program_tend(p);
}

/* ---- for the worker -----------------------------------------------------------------------
 */

struct program *program_new(const struct attempt_host *host, struct reaper *reaper,
                            const struct function *fn, void (*on_change)(void *ctx))
{
    struct program *p = mem_new0(sizeof *p);

    p->host = host;
    p->reaper = reaper;
    p->fn = fn;
    p->on_change = on_change;
    p->restart = (struct timer){ .on_due = on_restart, .ctx = p };
    p->warm_conf = (struct warm_conf){
        .loop = host->loop,
        .fn = fn,
        .cage = host->cage,
        .on_output = on_output,
        .on_line = on_line,
        .on_read = on_read,
        .on_change = on_warm_change,
        .ctx = p,
    };
    warm_init(&p->warms[0], &p->warm_conf, &p->warms[1]);
    warm_init(&p->warms[1], &p->warm_conf, &p->warms[0]);
    reaper->on_exit = on_exit_of;
    reaper->on_settled = on_settled;
    reaper->ctx = p;
    program_tend(p);
    return p;
}

struct program *program_free(struct program *p)
{
    if (!p)
        return NULL;
    p->reaper->on_exit = NULL;
    p->reaper->on_settled = NULL;
    slots_drop(p);
    /* Each spares what the other has, so the first is gone when the second is swept. */
    warm_clear(&p->warms[0]);
    warm_clear(&p->warms[1]);
    loop_clear_timer(p->host->loop, &p->restart);
    free(p->reason);
    free(p);
    return NULL;
}

static unsigned capacity(const struct program *p)
{
    const struct warm *up = in_state(p, WARM_UP);

    return up && !up->killed && !up->overlong && !p->shut_down ? up->limit : 0;
}

bool program_has_room(const struct program *p)
{
    return slots_used(p) < capacity(p);
}

bool program_is_busy(const struct program *p)
{
    return p->used > 0;
}

static struct slot *find_slot(const struct program *p, struct uuid7 job_id, int attempt)
{
    for (unsigned i = 0; i < p->slots_end; i++)
        if (p->slots[i].warm && attempt_is(&p->slots[i].attempt, job_id, attempt))
            return (struct slot *)(uintptr_t)&p->slots[i]; /* const is the caller's view */
    return NULL;
}

bool program_has(const struct program *p, struct uuid7 job_id, int attempt)
{
    return find_slot(p, job_id, attempt) != NULL;
}

void program_run(struct program *p, struct order *take_order)
{
    struct warm *up = in_state(p, WARM_UP);

    /* What it said before is not this job's; perhaps it was its last word. */
    if (up && !pipes_looked(&up->pipes)) {
        pipes_drain(&up->pipes);
        on_read(p, up);
        up = in_state(p, WARM_UP);
    }
    if (program_has_room(p)) {
        slots_feed(p, up, take_order);
        program_tend(p);
    } else {
        program_tend(p); /* first: whoever is refused tries again where there is room */
        slots_refuse(p, take_order);
    }
}

void program_cancel(struct program *p, struct uuid7 job_id, int attempt,
                    enum proto_cancel_mode mode, usec_t grace_us)
{
    struct slot *s = find_slot(p, job_id, attempt);

    if (s)
        attempt_cancel(&s->attempt, mode, grace_us);
}

void program_retire(struct program *p)
{
    p->shut_down = true;
    for (size_t i = 0; i < COUNT_OF(p->warms); i++)
        if (warm_is_alive(&p->warms[i]) && p->warms[i].state != WARM_RETIRING) {
            p->warms[i].dismissed = true;
            warm_retire(&p->warms[i]);
        }
    program_tend(p);
}

bool program_is_down(const struct program *p)
{
    return p->warms[0].state == WARM_NONE && p->warms[1].state == WARM_NONE;
}

void program_shut_down(struct program *p)
{
    p->shut_down = true;
    for (struct slot *s = slots_next(p, NULL, NULL); s; s = slots_next(p, NULL, s))
        attempt_cancel(&s->attempt, PROTO_CANCEL_SHUTDOWN, 0);
    program_tend(p);
}

unsigned program_held(const struct program *p, struct proto_attempt ret_held[PROGRAM_CAPACITY])
{
    unsigned count = 0;

    for (int i = 0; i < PROGRAM_CAPACITY; i++)
        if (p->slots[i].warm)
            ret_held[count++] = attempt_id(&p->slots[i].attempt);
    return count;
}

static enum proto_state state_of(const struct program *p)
{
    if (p->shut_down)
        return PROTO_STATE_DRAINING;
    if (in_state(p, WARM_UP))
        return PROTO_STATE_UP;
    return circuit_is_open(&p->circuit) ? PROTO_STATE_CIRCUIT_OPEN : PROTO_STATE_STARTING;
}

void program_status(const struct program *p, struct proto_status *ret_status)
{
    const struct warm *w = in_state(p, WARM_UP);

    if (!w)
        w = in_state(p, WARM_STARTING);
    *ret_status = (struct proto_status){
        .state = state_of(p),
        .capacity = capacity(p),
        .program_pid = w ? (int)w->pid : 0,
        .rss_bytes = w ? w->wear.rss_bytes : 0,
    };
    if (p->reason)
        (void)text_copy(ret_status->reason, sizeof ret_status->reason, p->reason);
}
