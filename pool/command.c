#include "pool/command.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/crash.h"
#include "base/log.h"
#include "base/mem.h"
#include "domain/channel.h"
#include "pool/exit_text.h"
#include "pool/pipes.h"
#include "pool/spawn.h"

/* How long somebody who outlived the main process may go on writing. */
#define DRAIN_US (100 * USEC_PER_MS)

struct command {
    struct attempt attempt;
    struct reaper *reaper;
    struct pipes pipes;
    pid_t pid; /* of the main process; means nothing once it has ended */

    struct cage cage;
    struct workdir dir;

    bool ended;
    bool waiting;         /* it has ended, and is not over before those that it left have */
    bool left_some;       /* somebody was still there after its end */
    bool stopped_waiting; /* they were told to stop */
    int wait_status;
    int64_t max_rss_bytes; /* of those that were reaped */
    struct cage_cost cost; /* at the end */
    bool detached;         /* somebody lives on */
    struct timer drain;    /* since it has ended, as long as somebody holds the pipes */
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

static bool exited_well(const struct command *c)
{
    return WIFEXITED(c->wait_status) && WEXITSTATUS(c->wait_status) == 0;
}

/* By this signal, or by a shell whose last command was. */
static bool died_of(const struct command *c, int signal_number)
{
    if (WIFSIGNALED(c->wait_status))
        return WTERMSIG(c->wait_status) == signal_number;
    return WEXITSTATUS(c->wait_status) == 128 + signal_number;
}

static bool has_limit(const struct command *c, enum limit limit)
{
    return c->attempt.order.limits.values[limit] > 0;
}

static bool used_up_cpu(const struct command *c)
{
    usec_t used_us = c->cost.user_us + c->cost.system_us;

    return has_limit(c, LIMIT_CPU) &&
           (died_of(c, SIGXCPU) || used_us >= c->attempt.order.limits.values[LIMIT_CPU]);
}

/* What it ran into, as far as the kernel says so. */
static enum cause limit_cause(struct command *c)
{
    unsigned *exceeded = &c->attempt.exceeded;

    if (c->cost.forks_refused > 0)
        *exceeded |= 1u << LIMIT_PROCESSES; /* a fact, but not what ended it */
    if (exited_well(c))
        return CAUSE_NONE;
    if (c->cost.oom_kills > 0) {
        *exceeded |= 1u << LIMIT_MEMORY;
        return CAUSE_OOM_KILLED;
    }
    if (used_up_cpu(c)) {
        *exceeded |= 1u << LIMIT_CPU;
        return CAUSE_RESOURCE_LIMIT_EXCEEDED;
    }
    if (has_limit(c, LIMIT_FILE_SIZE) && died_of(c, SIGXFSZ)) {
        *exceeded |= 1u << LIMIT_FILE_SIZE;
        return CAUSE_RESOURCE_LIMIT_EXCEEDED;
    }
    return CAUSE_NONE;
}

/* One that ended well before its cancellation reached it has succeeded; past its deadline or
 * beyond a limit it has not. */
static enum cause cause_of(struct command *c)
{
    enum cause stop = c->attempt.stop_cause;
    enum cause limit = limit_cause(c);

    if (pipes_overlong(&c->pipes))
        return CAUSE_OUTPUT_LIMIT_EXCEEDED;
    if (stop == CAUSE_NONE && limit != CAUSE_NONE)
        return limit;
    if (exited_well(c) && !c->stopped_waiting &&
        (stop == CAUSE_CANCELED || stop == CAUSE_SHUTDOWN))
        return CAUSE_NONE;
    if (stop != CAUSE_NONE || exited_well(c))
        return stop;
    return WIFEXITED(c->wait_status) ? CAUSE_EXIT_CODE : CAUSE_SIGNAL;
}

/* "cpu_seconds is 5" of the limit that ended it. */
static char *limit_text(const struct command *c)
{
    static const enum limit order[] = { LIMIT_OUTPUT, LIMIT_MEMORY, LIMIT_CPU,
                                        LIMIT_FILE_SIZE };

    for (size_t i = 0; i < COUNT_OF(order); i++) {
        const struct limit_meta *meta = limit_meta(order[i]);

        if (c->attempt.exceeded & 1u << order[i])
            return mem_printf("its limit of %s is %.15g", meta->name,
                              (double)c->attempt.order.limits.values[order[i]] /
                                  (double)meta->unit);
    }
    return mem_str("a limit of the host"); /* the kernel's own out-of-memory killer */
}

static char *message_of(const struct command *c, enum cause cause)
{
    AUTO(mem) char *how = exit_text(c->wait_status);
    AUTO(mem) char *limit = NULL;

    if (cause == CAUSE_OUTPUT_LIMIT_EXCEEDED && pipes_overlong(&c->pipes))
        return mem_printf("a line of the job channel is longer than %zu bytes",
                          LINES_LENGTH_MAX);
    switch (cause) {
    case CAUSE_NONE:
        return NULL;
    case CAUSE_DEADLINE_EXCEEDED:
        return mem_printf("it ran longer than %g s and %s",
                          (double)c->attempt.order.timeout_us / USEC_PER_SEC, how);
    case CAUSE_OUTPUT_LIMIT_EXCEEDED:
    case CAUSE_OOM_KILLED:
    case CAUSE_RESOURCE_LIMIT_EXCEEDED:
        limit = limit_text(c);
        return mem_printf("it %s: %s", how, limit);
    default:
        return mem_printf("it %s", how);
    }
}

static void fill(const struct command *c, int killed, struct outcome *o)
{
    if (WIFEXITED(c->wait_status))
        o->exit_code = WEXITSTATUS(c->wait_status);
    else
        o->signal = WTERMSIG(c->wait_status);
    o->max_rss_bytes = c->max_rss_bytes;
    o->pid = c->pid;
    o->leftovers_killed = killed;
    cage_report(&c->cage, &c->cost, o);
}

static void release(struct command *c)
{
    c->reaper->on_exit = NULL;
    c->reaper->on_settled = NULL;
    loop_clear_timer(c->attempt.host->loop, &c->drain);
    pipes_close(&c->pipes);
    cage_close(&c->cage);
    free(c);
}

/* none_left: the kernel has just said ECHILD. */
static void finish(struct command *c, bool none_left)
{
    const struct attempt_host *host = c->attempt.host;
    struct outcome o;
    enum cause cause;
    int killed = cage_sweep(&c->cage, none_left);

    if (c->detached)
        pipes_drain(&c->pipes); /* they may still be writing */
    else
        pipes_finish(&c->pipes);
    cage_cost(&c->cage, &c->cost);
    cause = cause_of(c);
    workdir_finish(&c->dir, cause != CAUSE_SHUTDOWN, c->detached);
    attempt_finish(&c->attempt, cause, message_of(c, cause), &o);
    fill(c, killed, &o);
    release(c);
    host->on_done(host->ctx, &o);
}

static void on_drain_over(void *ctx)
{
    finish(ctx, false);
}

/* Its end is that of the attempt, or the beginning of waiting for those that it left. */
static void main_ended(struct command *c)
{
    struct attempt *a = &c->attempt;

    c->ended = true;
    c->waiting = a->order.leftover == LEFTOVER_WAIT;
    if (c->waiting)
        return;
    /* Too late to stop it. What is left of its tree is swept. */
    loop_clear_timer(a->host->loop, &a->deadline);
    loop_clear_timer(a->host->loop, &a->kill);
}

static void on_exit_of(void *ctx, pid_t pid, int wait_status, const struct rusage *usage)
{
    struct command *c = ctx;
    int64_t rss_bytes = (int64_t)usage->ru_maxrss * 1024;

    if (rss_bytes > c->max_rss_bytes)
        c->max_rss_bytes = rss_bytes;
    if (pid != c->pid || c->ended)
        return; /* an orphan of the tree, adopted by us */
    c->wait_status = wait_status;
    main_ended(c);
}

/* Whether somebody is left who is to be let go. Those who are not found in time are killed. */
static bool let_go(struct command *c)
{
    char id[UUID7_TEXT_SIZE];
    int count;

    if (c->attempt.order.leftover != LEFTOVER_DETACH || c->attempt.stop_cause != CAUSE_NONE)
        return false;
    count = cage_detach(&c->cage);
    c->detached = true;
    log_info("command.detached", LSTR("job_id", uuid7_format(c->attempt.order.job_id, id)),
             LI64("attempt", c->attempt.order.attempt), LI64("processes", count));
    return true;
}

static void on_settled(void *ctx, bool none_left)
{
    struct command *c = ctx;

    if (!c->ended)
        return;
    if (c->waiting) {
        /* It may have ended well before the order to stop was known of: not so those it left.
         */
        c->stopped_waiting = c->left_some && c->attempt.stop_cause != CAUSE_NONE;
        /* Once SIGKILL was sent a sweep is due: it also gets those who fork as fast as they
         * die. */
        if (none_left || c->attempt.killed || cage_is_empty(&c->cage))
            finish(c, none_left);
        else
            c->left_some = true;
        return;
    }
    if (!none_left) {
        pipes_let_go(&c->pipes); /* so that we see whether they hold them */
        pipes_drain(&c->pipes);
    }
    if (none_left || let_go(c) || pipes_at_end(&c->pipes))
        finish(c, none_left);
    else if (c->drain.at_us == 0)
        loop_set_timer(c->attempt.host->loop, &c->drain, clock_mono_us() + DRAIN_US);
}

static void on_read(void *ctx)
{
    struct command *c = ctx;

    if (c->ended && !c->waiting && pipes_at_end(&c->pipes))
        finish(c, false);
    else if ((!c->ended || c->waiting) && pipes_overlong(&c->pipes) && !c->attempt.killed)
        attempt_stop(&c->attempt, CAUSE_OUTPUT_LIMIT_EXCEEDED, 0);
}

/* ---- its start ----------------------------------------------------------------------------
 */

/* The environment of the order, and where its directories are. */
static char **environment(const struct command *c, const char *artifacts, const char *pwd)
{
    char *const *env = c->attempt.order.env;
    AUTO(mem) char **extra = NULL;
    size_t count = 0;

    while (env[count])
        count++;
    extra = mem_array0(count + 3, sizeof *extra);
    memcpy(extra, env, count * sizeof *extra);
    if (c->dir.dirs) {
        extra[count++] = (char *)(uintptr_t)artifacts;
        extra[count++] = (char *)(uintptr_t)pwd;
    }
    return spawn_environment(extra);
}

static int make_dir(struct command *c, const char **ret_stage, struct errinfo *e)
{
    const struct order *o = &c->attempt.order;
    struct workdirs *dirs = c->attempt.host->workdirs;

    if (!dirs)
        return 0;
    return workdir_make(dirs, o->job_id, o->attempt, &o->inputs, &c->dir, ret_stage, e);
}

static int start_process(struct command *c, const char **ret_stage, struct errinfo *e)
{
    const struct order *o = &c->attempt.order;
    const struct pipes_conf conf = { on_output, on_line, on_read, c };
    struct spawn_conf sc = { .argv = o->argv };
    AUTO(mem) char *artifacts = NULL;
    AUTO(mem) char *pwd = NULL;
    AUTO(mem) char **env = NULL;
    int r;

    r = make_dir(c, ret_stage, e);
    if (r < 0)
        return r;
    artifacts = mem_printf("JOBD_ARTIFACTS=%s", c->dir.artifacts);
    pwd = mem_printf("PWD=%s", c->dir.cwd);
    sc.dir = c->dir.dirs ? c->dir.cwd : NULL;
    *ret_stage = "pipes";
    r = pipes_open(&c->pipes, c->attempt.host->loop, &conf, sc.fds, e);
    if (r < 0)
        return r;
    env = environment(c, artifacts, pwd);
    sc.env = env;
    crash_point("worker.before_spawn");
    r = cage_spawn(&c->cage, &sc, &c->pid, ret_stage, e);
    crash_point("worker.after_spawn");
    if (r == 0)
        pipes_hold(&c->pipes, sc.fds);
    else
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
    cage_open(&c->cage, host->cage, &c->attempt.order.limits);
    attempt_begin(&c->attempt, &c->cage);
    if (start_process(c, &stage, &e) < 0) {
        workdir_finish(&c->dir, false, false);
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
    if (!c->ended || c->waiting) /* else it is over, and what is left is being swept */
        attempt_cancel(&c->attempt, mode, grace_us);
}
