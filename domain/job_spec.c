#include "domain/job_spec.h"
#include "domain/array_args.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "domain/job_spec_members.h"
#include "domain/json_text.h"
#include "domain/trace.h"

/* ---- what the members mean to each other ------------------------------------------- */

static void check_program(struct job_spec_draft *d)
{
    if (d->sent[SPEC_STDIN])
        faults_add(d->faults, "#/stdin", "not-applicable",
                   "the function is a warm program, which has one stdin for all its jobs: send "
                   "the input as args");
    if (d->sent[SPEC_ENV])
        faults_add(
            d->faults, "#/env", "not-applicable",
            "the function is a warm program, which has one environment for all its jobs: "
            "send the values as args");
    if (d->sent[SPEC_INPUTS])
        faults_add(d->faults, "#/inputs", "not-applicable",
                   "the function is a warm program, which has one working directory for all "
                   "its jobs: send the data as args");
    if (d->sent[SPEC_LIMITS])
        faults_add(d->faults, "#/limits", "not-applicable",
                   "the function is a warm program, whose limits are those of its "
                   "configuration");
    if (d->sent[SPEC_LEFTOVER])
        faults_add(d->faults, "#/leftover", "not-applicable",
                   "the function is a warm program, whose processes live on after a job");
}

/* A program may take code from its working directory, of its own accord. */
static void check_inputs(struct job_spec_draft *d)
{
    if (d->sent[SPEC_INPUTS] && !d->spec->fn->takes_inputs && !d->rules->allow_commands)
        faults_add(d->faults, "#/inputs", "not-applicable",
                   "the function takes no files: that needs inputs: true in its configuration");
}

static void check_args(struct job_spec_draft *d)
{
    const struct function *fn = d->spec->fn;
    AUTO(json) json_t *in_array = NULL;

    if (d->rules->in_array)
        in_array = array_args(fn, d->sent[SPEC_ARGS], 0);
    function_check_args(fn, in_array ? in_array : d->sent[SPEC_ARGS], d->faults);
}

static void check_members(struct job_spec_draft *d)
{
    const struct function *fn = d->spec->fn;

    if (d->sent[SPEC_FUNCTION] && d->sent[SPEC_COMMAND])
        faults_add(d->faults, "#/command", "conflict",
                   "exactly one of function and command must be given");
    if (!d->sent[SPEC_FUNCTION] && !d->sent[SPEC_COMMAND])
        faults_add(d->faults, "#", "missing",
                   "exactly one of function and command must be given");
    if (d->sent[SPEC_DELAY] && d->sent[SPEC_RUN_AT])
        faults_add(d->faults, "#/run_at", "conflict",
                   "at most one of delay_seconds and run_at may be given");
    if (fn && fn->kind == FUNCTION_PROGRAM)
        check_program(d);
    else
        job_spec_limits_check(d);
    if (fn)
        check_args(d);
    if (fn && fn->kind == FUNCTION_COMMAND) {
        job_spec_env_check_function(d);
        check_inputs(d);
    }
}

/* ---- decoding ---------------------------------------------------------------------- */

static void add_named(struct buf *b, const char *name, const json_t *value)
{
    buf_printf(b, "%s\"%s\":", b->len > 1 ? "," : "", name);
    json_text_add(b, value);
}

static void add_member(struct buf *b, enum job_spec_member member, const json_t *value)
{
    add_named(b, job_spec_member_name(member), value);
}

/* The same for a value that is made for it. */
static void add_new_member(struct buf *b, enum job_spec_member member, json_t *take_value)
{
    add_member(b, member, take_value);
    json_decref(take_value);
}

static void add_trace(struct buf *b, const struct trace *trace)
{
    AUTO(json) json_t *value = trace_encode(trace);

    add_named(b, TRACE_MEMBER, value);
}

static char *payload_of(const struct job_spec_draft *d, size_t *ret_len)
{
    static const enum job_spec_member parts[] = { SPEC_COMMAND, SPEC_ARGS,   SPEC_STDIN,
                                                  SPEC_ENV,     SPEC_LABELS, SPEC_INPUTS,
                                                  SPEC_UNIQUE };
    const struct job_spec *spec = d->spec;
    AUTO_FINI(buf) struct buf b = { 0 };

    buf_add_char(&b, '{');
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (d->sent[parts[i]])
            add_member(&b, parts[i], d->sent[parts[i]]);
    if (!d->sent[SPEC_ARGS] && spec->fn && spec->fn->args_schema) /* as it was checked */
        add_new_member(&b, SPEC_ARGS, json_object());
    if (!limits_empty(&spec->limits))
        add_new_member(&b, SPEC_LIMITS, limits_encode(&spec->limits));
    if (spec->leftover != LEFTOVER_KILL)
        add_new_member(&b, SPEC_LEFTOVER, json_string(leftover_name(spec->leftover)));
    if (d->sent[SPEC_RETRY] || spec->retry.max_attempts > 1)
        add_new_member(&b, SPEC_RETRY, retry_encode(&spec->retry));
    if (d->rules->trace)
        add_trace(&b, d->rules->trace);
    buf_add_char(&b, '}');
    *ret_len = b.len;
    return buf_steal(&b);
}

/* What the job leaves open its function says, and jobd what that leaves open. */
static void fill_gaps(struct job_spec_draft *d)
{
    struct job_spec *spec = d->spec;

    if (!d->sent[SPEC_TIMEOUT] && spec->fn)
        spec->timeout_us = spec->fn->timeout_us;
    if (!d->sent[SPEC_GRACE])
        spec->grace_us = spec->fn ? spec->fn->grace_us : JOB_GRACE_DEFAULT_US;
    if (!spec->queue)
        spec->queue = mem_str(JOB_QUEUE_DEFAULT);
    job_spec_limits_fill(d);
    job_spec_retry_fill(d);
    job_spec_unique_fill(d);
    spec->payload = payload_of(d, &spec->payload_len);
}

int job_spec_decode(const json_t *body, const struct job_spec_rules *rules,
                    struct job_spec *spec, struct faults *f, struct errinfo *e)
{
    struct job_spec_draft d = { .rules = rules, .spec = spec, .faults = f };
    size_t before = f->total;
    int r;

    /* It stands for all else that may be wrong: the client can do nothing about it. */
    if (!rules->allow_commands && json_object_get(body, "command"))
        return err_set(e, ERR_COMMANDS_DISABLED,
                       "jobs with a command need allow_commands: true in the server's "
                       "configuration; without it, name a configured function");
    if (job_spec_want(&d, json_is_object(body), body, "#", "an object")) {
        job_spec_members_decode(&d, body);
        check_members(&d);
    }
    r = faults_judge(f, before, e);
    if (r == 0)
        fill_gaps(&d);
    return r;
}

/* ---- the job ----------------------------------------------------------------------- */

void job_spec_to_job(struct job_spec *spec, usec_t now_us, struct job *ret_job)
{
    usec_t due_us = spec->delay_us > 0 ? now_us + spec->delay_us : spec->run_at_us;
    bool later = due_us > now_us;

    *ret_job = (struct job){
        .state = later ? JOB_SCHEDULED : JOB_QUEUED,
        .version = 1,
        .function = spec->fn ? mem_str(spec->fn->name) : NULL,
        .pool = mem_str(spec->fn ? function_pool(spec->fn) : ""),
        .queue = TAKE(spec->queue),
        .name = TAKE(spec->name),
        .priority = spec->priority,
        .timeout_us = spec->timeout_us,
        .grace_us = spec->grace_us,
        .ttl_us = spec->ttl_us,
        .payload = TAKE(spec->payload),
        .payload_len = spec->payload_len,
        .created_at_us = now_us,
        .scheduled_at_us = later ? due_us : 0,
        .queued_at_us = later ? 0 : now_us,
        .updated_at_us = now_us,
    };
    if (spec->has_unique) {
        ret_job->unique = mem_new0(sizeof *ret_job->unique);
        *ret_job->unique = spec->unique;
    }
}

void job_spec_fini(struct job_spec *spec)
{
    free(spec->queue);
    free(spec->name);
    free(spec->payload);
    *spec = (struct job_spec){ 0 };
}
