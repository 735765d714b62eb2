#include "pool/warm.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/random.h"
#include "pool/spawn.h"

#define KILL_AGAIN_US   USEC_PER_SEC
#define TRIAL_US        USEC_PER_SEC
#define END_WAIT_US     (100 * USEC_PER_MS) /* from the end of the channel to the process's */
#define LAST_WORDS_SIZE ((size_t)1000)

bool warm_is_alive(const struct warm *w)
{
    return w->kin.pid != 0;
}

/* ---- killing ------------------------------------------------------------------------------
 */

void warm_kill(struct warm *w)
{
    w->killed = true;
    cage_kill(&w->cage);
    loop_set_timer(w->conf->loop, &w->kill, clock_mono_us() + KILL_AGAIN_US);
}

static void on_kill(void *ctx)
{
    warm_kill(ctx);
}

/* ---- up, and worn -------------------------------------------------------------------------
 */

static unsigned limit_of(const struct function *fn, unsigned announced)
{
    unsigned limit = fn->concurrency > 0 ? fn->concurrency : 1;

    if (limit > WARM_CONCURRENCY_MAX)
        limit = WARM_CONCURRENCY_MAX;
    return announced < limit ? announced : limit;
}

static void come_up(struct warm *w)
{
    loop_clear_timer(w->conf->loop, &w->up);
    w->state = WARM_UP;
    w->conf->on_change(w->conf->ctx, w);
}

static void on_up_due(void *ctx)
{
    struct warm *w = ctx;

    if (w->conf->fn->ready_timeout_us > 0) {
        w->overdue = true;
        warm_kill(w);
    } else {
        w->proven = true;
        come_up(w);
    }
}

static void on_age(void *ctx)
{
    struct warm *w = ctx;

    w->wear.old = true;
    w->conf->on_change(w->conf->ctx, w);
}

/* Only its first word on this counts: the limit does not change under attempts. */
static void take_ready(struct warm *w, unsigned concurrency)
{
    if (w->has_said_ready || w->killed)
        return;
    w->has_said_ready = true;
    w->proven = true;
    w->limit = limit_of(w->conf->fn, concurrency);
    if (w->state == WARM_STARTING)
        come_up(w);
    else
        w->conf->on_change(w->conf->ctx, w);
}

/* ---- what it says -------------------------------------------------------------------------
 */

void warm_count_invalid(struct warm *w, const char *reason)
{
    if (w->invalid_lines++ == 0)
        w->invalid_reason = mem_str(reason);
}

static void on_line(void *ctx, const char *line, size_t len)
{
    struct warm *w = ctx;
    AUTO_FINI(channel_line) struct channel_line l = { 0 };

    channel_decode(line, len, &l);
    if (l.kind == CHANNEL_READY)
        take_ready(w, l.concurrency);
    else if (l.kind == CHANNEL_INVALID)
        warm_count_invalid(w, l.message);
    else if (!l.id)
        warm_count_invalid(w, "it has no id");
    else
        w->conf->on_line(w->conf->ctx, w, &l);
}

static void keep_last_words(struct warm *w, const char *block, size_t len)
{
    if (len > LAST_WORDS_SIZE) {
        block += len - LAST_WORDS_SIZE;
        len = LAST_WORDS_SIZE;
    }
    buf_add(&w->last_words, block, len);
    if (w->last_words.len > LAST_WORDS_SIZE)
        buf_consume(&w->last_words, w->last_words.len - LAST_WORDS_SIZE);
}

static void on_output(void *ctx, enum stream stream, const char *block, size_t len)
{
    struct warm *w = ctx;

    if (w->held > 0)
        w->conf->on_output(w->conf->ctx, w, stream, block, len);
    else if (stream == STREAM_STDERR)
        keep_last_words(w, block, len);
}

static void on_read(void *ctx)
{
    struct warm *w = ctx;

    if (!w->ended) /* else warm_bury() follows */
        w->conf->on_read(w->conf->ctx, w);
}

/* ---- starting -----------------------------------------------------------------------------
 */

void warm_init(struct warm *w, const struct warm_conf *conf, struct warm *twin)
{
    *w = (struct warm){
        .conf = conf,
        .twin = twin,
        .up = { .on_due = on_up_due, .ctx = w },
        .age = { .on_due = on_age, .ctx = w },
        .kill = { .on_due = on_kill, .ctx = w },
    };
}

static int start_process(struct warm *w, const char **ret_stage, struct errinfo *e)
{
    const struct function *fn = w->conf->fn;
    const struct pipes_conf conf = { on_output, on_line, on_read, w };
    struct spawn_conf sc = { .argv = fn->argv };
    AUTO(mem) char *name = mem_printf("JOBD_FUNCTION=%s", fn->name);
    char fd[] = "JOBD_FD=3";
    char *extra[] = { name, fd, w->kin.mark, NULL };
    AUTO(mem) char **env = spawn_environment(extra);
    struct limits limits = fn->limits;
    int r;

    limits.values[LIMIT_CPU] = 0; /* of a job, not of the program's life */
    limits.values[LIMIT_OUTPUT] = 0;
    *ret_stage = "pipes";
    r = pipes_open(&w->pipes, w->conf->loop, &conf, sc.fds, e);
    if (r < 0)
        return r;
    sc.env = env;
    cage_open(&w->cage, w->conf->cage, &limits);
    w->cage.other = &w->twin->kin;
    r = cage_spawn(&w->cage, &sc, &w->pid, ret_stage, e);
    if (r == 0)
        w->kin.pid = w->pid;
    pipes_close_child(sc.fds);
    return r;
}

int warm_start(struct warm *w, bool trial, const char **ret_stage, struct errinfo *e)
{
    const struct function *fn = w->conf->fn;
    usec_t wait_us = fn->ready_timeout_us > 0 ? fn->ready_timeout_us : TRIAL_US;

    kin_init(&w->kin);
    w->started_us = clock_mono_us();
    w->limit = 1;
    wear_init(&w->wear, fn, random_u64());
    if (start_process(w, ret_stage, e) < 0) {
        warm_clear(w);
        return ERR_SYS;
    }
    if (w->wear.max_age_us > 0)
        loop_set_timer(w->conf->loop, &w->age, w->started_us + w->wear.max_age_us);
    w->state = WARM_STARTING;
    if (fn->ready_timeout_us > 0 || trial)
        loop_set_timer(w->conf->loop, &w->up, w->started_us + wait_us);
    else
        come_up(w);
    return 0;
}

void warm_write(struct warm *w, const void *block, size_t len)
{
    w->written_bytes += len;
    pipes_put(&w->pipes, block, len);
}

/* ---- ending -------------------------------------------------------------------------------
 */

static void end_if_done(struct warm *w)
{
    if (w->state != WARM_RETIRING || w->held > 0 || w->killed || !warm_is_alive(w))
        return;
    pipes_end_input(&w->pipes);
    if (w->kill.at_us == 0)
        loop_set_timer(w->conf->loop, &w->kill, clock_mono_us() + w->conf->fn->grace_us);
}

void warm_let_go(struct warm *w)
{
    w->held--;
    end_if_done(w);
}

void warm_retire(struct warm *w)
{
    loop_clear_timer(w->conf->loop, &w->up);
    loop_clear_timer(w->conf->loop, &w->age);
    w->state = WARM_RETIRING;
    end_if_done(w);
}

void warm_expect_end(struct warm *w)
{
    warm_retire(w);
    if (!w->killed)
        loop_set_timer(w->conf->loop, &w->kill, clock_mono_us() + END_WAIT_US);
}

static void clear_timers(struct warm *w)
{
    loop_clear_timer(w->conf->loop, &w->up);
    loop_clear_timer(w->conf->loop, &w->age);
    loop_clear_timer(w->conf->loop, &w->kill);
}

void warm_ended(struct warm *w, int wait_status)
{
    w->ended = true;
    w->wait_status = wait_status;
    w->kin.pid = 0;
}

int warm_bury(struct warm *w, bool none_left)
{
    int killed = cage_sweep(&w->cage, none_left);
    /* Only now: a child that has the same stdin may have read on. */
    w->read_bytes = w->written_bytes - pipes_unread(&w->pipes);
    pipes_drain(&w->pipes);
    pipes_close(&w->pipes);
    clear_timers(w);
    return killed;
}

void warm_clear(struct warm *w)
{
    if (warm_is_alive(w))
        (void)cage_sweep(&w->cage, false);
    cage_close(&w->cage);
    clear_timers(w);
    pipes_close(&w->pipes);
    free(w->invalid_reason);
    buf_fini(&w->last_words);
    warm_init(w, w->conf, w->twin);
}
