#include "pool/attempt.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

#define KILL_AGAIN_US USEC_PER_SEC
#define CPU_LOOK_US   (20 * USEC_PER_MS) /* the least between two looks at the CPU time */

static void on_spill(void *ctx)
{
    struct attempt *a = ctx;

    for (int i = 0; i < STREAM_MAX_; i++)
        recorder_spill(&a->recorders[i]);
}

static void on_deadline(void *ctx)
{
    struct attempt *a = ctx;

    attempt_stop(a, CAUSE_DEADLINE_EXCEEDED, a->order.grace_us);
}

/* Several may use CPU at once, so the limit may be near sooner than the clock says. */
static void look_at_cpu(struct attempt *a)
{
    usec_t left_us = a->order.limits.values[LIMIT_CPU] - cage_cpu_us(a->cage);
    usec_t wait_us = left_us / sysconf(_SC_NPROCESSORS_ONLN);

    if (left_us <= 0)
        attempt_exceed(a, LIMIT_CPU, CAUSE_RESOURCE_LIMIT_EXCEEDED);
    else
        loop_set_timer(a->host->loop, &a->cpu,
                       clock_mono_us() + (wait_us > CPU_LOOK_US ? wait_us : CPU_LOOK_US));
}

static void on_cpu(void *ctx)
{
    look_at_cpu(ctx);
}

/* Again and again until the attempt is finished: a look at /proc can fail for want of
 * descriptors. */
static void kill_now(struct attempt *a)
{
    a->killed = true;
    if (a->cage)
        cage_kill(a->cage);
    loop_set_timer(a->host->loop, &a->kill, clock_mono_us() + KILL_AGAIN_US);
}

static void on_kill(void *ctx)
{
    kill_now(ctx);
}

void attempt_init(struct attempt *a, const struct attempt_host *host, struct order *take_order)
{
    *a = (struct attempt){
        .host = host,
        .order = *take_order,
        .spill = { .on_due = on_spill, .ctx = a },
        .deadline = { .on_due = on_deadline, .ctx = a },
        .kill = { .on_due = on_kill, .ctx = a },
        .cpu = { .on_due = on_cpu, .ctx = a },
    };
    *take_order = (struct order){ 0 };
    for (int i = 0; i < STREAM_MAX_; i++)
        recorder_init(&a->recorders[i], host->data_dir, a->order.job_id, a->order.attempt,
                      (enum stream)i, host->output_max_bytes);
}

void attempt_set_deadline(struct attempt *a)
{
    if (a->order.timeout_us > 0)
        loop_set_timer(a->host->loop, &a->deadline, clock_mono_us() + a->order.timeout_us);
}

void attempt_begin(struct attempt *a, struct cage *cage)
{
    a->started_at_us = clock_wall_us();
    a->started_us = clock_mono_us();
    a->cage = cage;
    if (cage && a->order.limits.values[LIMIT_CPU] > 0 && cage_cpu_us(cage) >= 0)
        look_at_cpu(a);
    loop_set_timer(a->host->loop, &a->spill, clock_mono_us() + ATTEMPT_SPILL_US);
}

struct proto_attempt attempt_id(const struct attempt *a)
{
    return (struct proto_attempt){ a->order.job_id, a->order.attempt };
}

bool attempt_is(const struct attempt *a, struct uuid7 job_id, int number)
{
    return a->order.attempt == number && uuid7_equal(a->order.job_id, job_id);
}

void attempt_output(struct attempt *a, enum stream stream, const char *block, size_t len)
{
    int64_t limit = a->order.limits.values[LIMIT_OUTPUT];

    recorder_add(&a->recorders[stream], block, len);
    if (limit > 0 && a->recorders[stream].total_bytes > limit)
        attempt_exceed(a, LIMIT_OUTPUT, CAUSE_OUTPUT_LIMIT_EXCEEDED);
}

void attempt_progress(struct attempt *a, double fraction, const char *message)
{
    struct proto_attempt id = attempt_id(a);

    a->host->on_progress(a->host->ctx, &id, fraction, message);
}

void attempt_result(struct attempt *a, char *take_result, size_t len)
{
    free(a->result);
    a->result = take_result;
    a->result_len = len;
}

void attempt_stop(struct attempt *a, enum cause cause, usec_t grace_us)
{
    bool first = a->stop_cause == CAUSE_NONE;
    usec_t kill_at_us = clock_mono_us() + grace_us;

    if (first || a->stop_cause == CAUSE_SHUTDOWN)
        a->stop_cause = cause;
    loop_clear_timer(a->host->loop, &a->deadline);
    if (a->killed)
        return;
    if (grace_us <= 0) {
        kill_now(a);
        return;
    }
    if (a->kill.at_us == 0 || kill_at_us < a->kill.at_us)
        loop_set_timer(a->host->loop, &a->kill, kill_at_us);
    if (first && a->ask_to_stop)
        a->ask_to_stop(a->ask_ctx);
    else if (first && a->cage)
        cage_signal(a->cage, SIGTERM);
}

void attempt_exceed(struct attempt *a, enum limit limit, enum cause cause)
{
    if (a->exceeded & 1u << limit)
        return;
    a->exceeded |= 1u << limit;
    attempt_stop(a, cause, 0);
}

void attempt_cancel(struct attempt *a, enum proto_cancel_mode mode, usec_t grace_us)
{
    enum cause cause = mode == PROTO_CANCEL_SHUTDOWN ? CAUSE_SHUTDOWN : CAUSE_CANCELED;

    if (mode == PROTO_CANCEL_FORCE)
        grace_us = 0;
    else if (grace_us < 0)
        grace_us = a->order.grace_us;
    attempt_stop(a, cause, grace_us);
}

static void clear_timers(struct attempt *a)
{
    loop_clear_timer(a->host->loop, &a->spill);
    loop_clear_timer(a->host->loop, &a->deadline);
    loop_clear_timer(a->host->loop, &a->kill);
    loop_clear_timer(a->host->loop, &a->cpu);
}

/* A result is only of an attempt that succeeded; a program's own JSON is more than its stdout.
 */
static void move_result(struct attempt *a, struct outcome *o)
{
    if (o->cause != CAUSE_NONE)
        return;
    if (a->result) {
        o->result_kind = RESULT_JSON;
        o->result_len = a->result_len;
        o->result = TAKE(a->result);
    } else if (a->order.result_from_stdout) {
        o->result_kind = RESULT_STDOUT;
    }
}

/* After its start by the time that has really passed: the wall clock may have been set. */
static usec_t finish_time(const struct attempt *a)
{
    if (a->started_at_us == 0)
        return clock_wall_us();
    return a->started_at_us + clock_mono_us() - a->started_us;
}

void attempt_finish(struct attempt *a, enum cause cause, char *take_message,
                    struct outcome *ret_outcome)
{
    clear_timers(a);
    *ret_outcome = (struct outcome){
        .job_id = a->order.job_id,
        .attempt = a->order.attempt,
        .cause = cause,
        .exit_code = -1,
        .started_at_us = a->started_at_us,
        .finished_at_us = finish_time(a),
        .containment = CONTAINMENT_SUBREAPER,
        .limits_exceeded = a->exceeded,
    };
    ret_outcome->message = take_message;
    if (!outcome_is_release(ret_outcome))
        for (int i = 0; i < STREAM_MAX_; i++)
            recorder_finish(&a->recorders[i], &ret_outcome->captures[i]);
    move_result(a, ret_outcome);
    for (int i = 0; i < STREAM_MAX_; i++)
        recorder_fini(&a->recorders[i]);
    free(a->result);
    a->result = NULL;
    order_fini(&a->order);
}

void attempt_finish_unstarted(struct attempt *a, const char *stage, const struct errinfo *why,
                              struct outcome *ret_outcome)
{
    attempt_finish(a, CAUSE_SPAWN_FAILED, mem_str(why->text), ret_outcome);
    ret_outcome->spawn_stage = mem_str(stage);
    ret_outcome->spawn_errno = why->sys_errno;
    ret_outcome->containment = CONTAINMENT_NONE;
}
