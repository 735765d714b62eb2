#include "domain/job_json.h"

#include <assert.h>

#include "base/mem.h"
#include "domain/json_text.h"

#define MAX_ATTEMPTS 1 /* retries come later */

/* ---- members: what is not set is absent ------------------------------------------------- */

/* Takes value; NULL adds nothing. The names here are constant and need no check. */
static void set(json_t *object, const char *name, json_t *value)
{
    if (value)
        (void)json_object_set_new_nocheck(object, name, value);
}

static void set_text(json_t *object, const char *name, const char *text)
{
    set(object, name, text ? json_string(text) : NULL);
}

static void set_integer(json_t *object, const char *name, int64_t number)
{
    set(object, name, json_integer(number));
}

static void set_time(json_t *object, const char *name, usec_t wall_us)
{
    char text[CLOCK_TEXT_SIZE];

    if (wall_us != 0)
        set(object, name, json_string_nocheck(clock_format(wall_us, text)));
}

static void set_seconds(json_t *object, const char *name, usec_t us)
{
    if (us % USEC_PER_SEC == 0)
        set(object, name, json_integer(us / USEC_PER_SEC));
    else
        set(object, name, json_real((double)us / (double)USEC_PER_SEC));
}

/* ---- what was asked for ------------------------------------------------------------------ */

static void copy_member(json_t *object, const json_t *payload, const char *name)
{
    set(object, name, json_incref(json_object_get(payload, name)));
}

static void set_request(json_t *object, const struct job *job)
{
    AUTO(json) json_t *payload = NULL;

    /* A payload that cannot be read is missed by order_build(), which has somebody to tell. */
    if (job->payload)
        (void)json_text_parse(job->payload, job->payload_len, &payload, NULL);
    set_text(object, "function", job->function);
    copy_member(object, payload, "command");
    copy_member(object, payload, "args");
    copy_member(object, payload, "env");
    set_text(object, "name", job->name);
    set_text(object, "queue", job->queue);
    set_integer(object, "priority", job->priority);
    copy_member(object, payload, "labels");
}

static void set_times(json_t *object, const struct job *job)
{
    const struct {
        const char *name;
        usec_t at_us;
    } times[] = {
        { "created_at", job->created_at_us },
        { "scheduled_at", job->scheduled_at_us },
        { "queued_at", job->queued_at_us },
        { "started_at", job->started_at_us },
        { "finished_at", job->finished_at_us },
        { "updated_at", job->updated_at_us },
        { "cancel_requested_at", job->cancel_requested_at_us },
    };

    for (size_t i = 0; i < COUNT_OF(times); i++)
        set_time(object, times[i].name, times[i].at_us);
}

/* ---- how it went ------------------------------------------------------------------------- */

static void set_exit(json_t *object, const struct outcome *o)
{
    if (o->exit_code >= 0)
        set_integer(object, "exit_code", o->exit_code);
    if (o->signal > 0)
        set_integer(object, "signal", o->signal);
}

/* The worker's own words, if they are text at all, else what the cause says. */
static json_t *failure_message(const struct outcome *o)
{
    json_t *message = o->message ? json_string(o->message) : NULL;

    if (message)
        return message;
    if (o->cause == CAUSE_EXIT_CODE && o->exit_code >= 0)
        return json_sprintf("the program exited with code %d", o->exit_code);
    if (o->cause == CAUSE_SIGNAL && o->signal > 0)
        return json_sprintf("the program was killed by signal %d", o->signal);
    return json_string(cause_meta(o->cause)->message);
}

static json_t *encode_failure(const struct outcome *o, int attempt)
{
    const struct cause_meta *meta = cause_meta(o->cause);
    json_t *failure = json_object();

    set_text(failure, "reason", meta->slug);
    set_text(failure, "kind", meta->kind);
    set(failure, "message", failure_message(o));
    set_exit(failure, o);
    set_integer(failure, "attempt", attempt);
    return failure;
}

static void set_result(json_t *object, const struct outcome *o)
{
    json_t *result = NULL;

    if (o->result_kind == RESULT_STDOUT)
        set_integer(object, "result_bytes", o->captures[STREAM_STDOUT].kept_bytes);
    if (o->result_kind != RESULT_JSON)
        return;
    if (o->result && o->result_len <= JOB_RESULT_INLINE_MAX_BYTES &&
        json_text_parse(o->result, o->result_len, &result, NULL) == 0)
        set(object, "result", result);
    set_integer(object, "result_bytes", (int64_t)o->result_len);
}

static json_t *encode_logs(const struct outcome *o)
{
    const struct capture *out = &o->captures[STREAM_STDOUT];
    const struct capture *err = &o->captures[STREAM_STDERR];
    json_t *logs = json_object();

    set_integer(logs, "stdout_bytes", out->kept_bytes);
    set_integer(logs, "stderr_bytes", err->kept_bytes);
    set_integer(logs, "stdout_total_bytes", out->total_bytes);
    set_integer(logs, "stderr_total_bytes", err->total_bytes);
    set(logs, "truncated",
        json_boolean(out->total_bytes > out->kept_bytes || err->total_bytes > err->kept_bytes));
    return logs;
}

static json_t *encode_usage(const struct outcome *o)
{
    json_t *usage = json_object();
    usec_t wall_us = o->finished_at_us - o->started_at_us;

    set_seconds(usage, "wall_seconds",
                wall_us > 0 ? wall_us : 0); /* the clock may be set back */
    set_seconds(usage, "user_cpu_seconds", o->user_cpu_us);
    set_seconds(usage, "system_cpu_seconds", o->system_cpu_us);
    set_integer(usage, "max_rss_bytes", o->max_rss_bytes);
    return usage;
}

static void set_outcome(json_t *object, const struct job *job)
{
    const struct outcome *o = &job->outcome;

    if (job->has_outcome) {
        set_exit(object, o);
        if (job->state == JOB_FAILED)
            set(object, "failure", encode_failure(o, job->attempt));
        set_result(object, o);
    }
    set(object, "logs", encode_logs(o)); /* zeros while there is no outcome */
    if (job->has_outcome && o->started_at_us > 0)
        set(object, "usage", encode_usage(o));
}

/* ---- the rest ------------------------------------------------------------------------------
 */

static json_t *encode_worker(const struct job *job)
{
    json_t *worker = json_object();

    set_integer(worker, "id", job->worker_id);
    if (job->worker_pid > 0)
        set_integer(worker, "pid", job->worker_pid);
    return worker;
}

/* What the current attempt said last of itself. */
static json_t *encode_progress(const struct job *job)
{
    json_t *progress = json_object();

    if (job->progress_ppm >= 0)
        set(progress, "percent", json_real((double)job->progress_ppm / 1e4));
    set_text(progress, "message", job->progress_message);
    set_time(progress, "updated_at", job->progress_at_us);
    return progress;
}

static json_t *path(const char *id, const char *what)
{
    return json_sprintf("/v1/jobs/%s%s", id, what);
}

static json_t *encode_links(const char *id)
{
    json_t *links = json_object();
    json_t *logs = json_object();

    set(links, "self", path(id, ""));
    set(links, "cancel", path(id, ":cancel"));
    set(links, "result", path(id, "/result"));
    set(logs, "stdout", path(id, "/logs/stdout"));
    set(logs, "stderr", path(id, "/logs/stderr"));
    set(links, "logs", logs);
    return links;
}

json_t *job_encode(const struct job *job)
{
    char id[UUID7_TEXT_SIZE];
    json_t *object = json_object();

    assert(object); /* memory was out, which base/mem.h would have ended in the same way */
    set_text(object, "id", uuid7_format(job->id, id));
    set_text(object, "state", job_state_name(job->state));
    set_text(object, "reason", job->reason);
    set_request(object, job);
    set_integer(object, "attempt", job->attempt);
    set_integer(object, "max_attempts", MAX_ATTEMPTS);
    if (job->progress_at_us > 0)
        set(object, "progress", encode_progress(job));
    set_times(object, job);
    set_integer(object, "version", job->version);
    set_outcome(object, job);
    if (job->worker_id > 0)
        set(object, "worker", encode_worker(job));
    if (job->timeout_us > 0)
        set_seconds(object, "timeout_seconds", job->timeout_us);
    set_seconds(object, "grace_period_seconds", job->grace_us);
    set(object, "links", encode_links(id));
    return object;
}
