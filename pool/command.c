#include "pool/command.h"

#include <stdlib.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/mem.h"
#include "domain/channel.h"
#include "pool/exit_text.h"
#include "pool/pipes.h"
#include "pool/spawn.h"
#include "pool/tree.h"

/* How long somebody who outlived the main process may go on writing. */
#define DRAIN_US (100 * USEC_PER_MS)

struct command {
    struct attempt attempt;
    struct reaper *reaper;
    struct pipes pipes;
    pid_t pid; /* of the main process; means nothing once it has ended */

    bool ended;
    int wait_status;
    struct rusage usage;
    struct timer drain; /* since it has ended, as long as somebody holds the pipes */
};

/* ---- what it says -------------------------------------------------------------------------
 */

static void on_output(void *ctx, enum stream stream, const char *block, size_t len)
{
    struct command *c = ctx;

    attempt_output(&c->attempt, stream, block, len);
}

static void on_line(void *ctx, const char *line, size_t len)
{
    struct command *c = ctx;
    AUTO_FINI(channel_line) struct channel_line l = { 0 };

    channel_decode(line, len, &l);
    if (l.kind == CHANNEL_PROGRESS)
        attempt_progress(&c->attempt, l.fraction, l.message);
    else if (l.kind == CHANNEL_RESULT)
        attempt_result(&c->attempt, TAKE(l.result), l.result_len);
    else if (l.kind == CHANNEL_INVALID)
        log_debug("command.invalid_line", LI64("pid", c->pid), LSTR("reason", l.message));
}

/* ---- how it ended -------------------------------------------------------------------------
 */

static usec_t usec_of(struct timeval t)
{
    return (usec_t)t.tv_sec * USEC_PER_SEC + t.tv_usec;
}

static bool exited_well(const struct command *c)
{
    return WIFEXITED(c->wait_status) && WEXITSTATUS(c->wait_status) == 0;
}

/* One that ended well before its cancellation reached it has succeeded; past its deadline, or
 * with a result that is too long, it has not. */
static enum cause cause_of(const struct command *c)
{
    enum cause stop = c->attempt.stop_cause;

    if (pipes_overlong(&c->pipes))
        return CAUSE_OUTPUT_LIMIT_EXCEEDED;
    if (exited_well(c) && stop != CAUSE_DEADLINE_EXCEEDED)
        return CAUSE_NONE;
    if (stop != CAUSE_NONE)
        return stop;
    return WIFEXITED(c->wait_status) ? CAUSE_EXIT_CODE : CAUSE_SIGNAL;
}

static char *message_of(const struct command *c, enum cause cause)
{
    AUTO(mem) char *how = exit_text(c->wait_status);

    switch (cause) {
    case CAUSE_NONE:
        return NULL;
    case CAUSE_DEADLINE_EXCEEDED:
        return mem_printf("it ran longer than %g s and %s",
                          (double)c->attempt.order.timeout_us / USEC_PER_SEC, how);
    case CAUSE_OUTPUT_LIMIT_EXCEEDED:
        return mem_printf("a line of the job channel is longer than %zu bytes",
                          LINES_LENGTH_MAX);
    default:
        return mem_printf("it %s", how);
    }
}

static void fill_cost(const struct command *c, struct outcome *o)
{
    if (WIFEXITED(c->wait_status))
        o->exit_code = WEXITSTATUS(c->wait_status);
    else
        o->signal = WTERMSIG(c->wait_status);
    o->user_cpu_us = usec_of(c->usage.ru_utime);
    o->system_cpu_us = usec_of(c->usage.ru_stime);
    o->max_rss_bytes = (int64_t)c->usage.ru_maxrss * 1024;
    o->voluntary_switches = c->usage.ru_nvcsw;
    o->involuntary_switches = c->usage.ru_nivcsw;
    o->pid = c->pid;
}

static void release(struct command *c)
{
    c->reaper->on_exit = NULL;
    c->reaper->on_settled = NULL;
    loop_clear_timer(c->attempt.host->loop, &c->drain);
    pipes_close(&c->pipes);
    free(c);
}

/* none_left: the kernel has just said ECHILD. */
static void finish(struct command *c, bool none_left)
{
    const struct attempt_host *host = c->attempt.host;
    struct outcome o;
    enum cause cause;
    int killed = 0;

    if (!none_left)
        killed = tree_sweep(NULL, NULL);
    pipes_drain(&c->pipes); /* what the last of them wrote */
    cause = cause_of(c);
    attempt_finish(&c->attempt, cause, message_of(c, cause), &o);
    fill_cost(c, &o);
    o.leftovers_killed = killed;
    release(c);
    host->on_done(host->ctx, &o);
}

static void on_drain_over(void *ctx)
{
    finish(ctx, false);
}

static void on_exit_of(void *ctx, pid_t pid, int wait_status, const struct rusage *usage)
{
    struct command *c = ctx;

    if (pid != c->pid || c->ended)
        return; /* an orphan of the tree, adopted by us */
    c->ended = true;
    c->wait_status = wait_status;
    c->usage = *usage;
    /* Too late to stop it. What is left of its tree is swept. */
    loop_clear_timer(c->attempt.host->loop, &c->attempt.deadline);
    loop_clear_timer(c->attempt.host->loop, &c->attempt.kill);
}

static void on_settled(void *ctx, bool none_left)
{
    struct command *c = ctx;

    if (!c->ended)
        return;
    if (!none_left)
        pipes_drain(&c->pipes);
    if (none_left || pipes_at_end(&c->pipes))
        finish(c, none_left);
    else if (c->drain.at_us == 0)
        loop_set_timer(c->attempt.host->loop, &c->drain, clock_mono_us() + DRAIN_US);
}

static void on_read(void *ctx)
{
    struct command *c = ctx;

    if (c->ended && pipes_at_end(&c->pipes))
        finish(c, false);
    else if (!c->ended && pipes_overlong(&c->pipes) && !c->attempt.killed)
        attempt_stop(&c->attempt, CAUSE_OUTPUT_LIMIT_EXCEEDED, 0);
}

/* ---- its start ----------------------------------------------------------------------------
 */

static int start_process(struct command *c, const char **ret_stage, struct errinfo *e)
{
    const struct order *o = &c->attempt.order;
    const struct pipes_conf conf = { on_output, on_line, on_read, c };
    struct spawn_conf sc = { .argv = o->argv };
    AUTO(mem) char **env = NULL;
    int r;

    *ret_stage = "pipes";
    r = pipes_open(&c->pipes, c->attempt.host->loop, &conf, sc.fds, e);
    if (r < 0)
        return r;
    env = spawn_environment(o->env);
    sc.env = env;
    r = spawn(&sc, &c->pid, ret_stage, e);
    pipes_close_child(sc.fds);
    return r;
}

struct command *command_start(const struct attempt_host *host, struct reaper *reaper,
                              struct order *take_order)
{
    struct command *c = mem_new0(sizeof *c);
    const char *stage;
    struct errinfo e;
    struct outcome o;

    c->reaper = reaper;
    c->drain = (struct timer){ .on_due = on_drain_over, .ctx = c };
    attempt_init(&c->attempt, host, take_order);
    attempt_begin(&c->attempt);
    if (start_process(c, &stage, &e) < 0) {
        attempt_finish_unstarted(&c->attempt, stage, &e, &o);
        release(c);
        host->on_done(host->ctx, &o);
        return NULL;
    }
    reaper->on_exit = on_exit_of;
    reaper->on_settled = on_settled;
    reaper->ctx = c;
    attempt_set_deadline(&c->attempt);
    pipes_write(&c->pipes, c->attempt.order.input, c->attempt.order.input_len);
    pipes_end_input(&c->pipes);
    return c;
}

struct proto_attempt command_id(const struct command *c)
{
    return attempt_id(&c->attempt);
}

void command_cancel(struct command *c, enum proto_cancel_mode mode, usec_t grace_us)
{
    if (!c->ended) /* else it is over, and what is left is being swept */
        attempt_cancel(&c->attempt, mode, grace_us);
}
