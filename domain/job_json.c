#include "domain/job_json.h"

#include <assert.h>

#include "base/mem.h"
#include "domain/json_text.h"
#include "domain/outcome_json.h"
#include "domain/retry.h"
#include "domain/trace.h"

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

static void set_seconds(json_t *object, const char *name, usec_t us)
{
    set(object, name, json_seconds(us));
}

/* ---- what was asked for ------------------------------------------------------------------ */

static void copy_member(json_t *object, const json_t *payload, const char *name)
{
    set(object, name, json_incref(json_object_get(payload, name)));
}

/* How many bytes base64 text stands for, without decoding it. */
static int64_t base64_bytes(const json_t *base64)
{
    size_t len = json_string_length(base64);
    const char *text = json_string_value(base64);
    size_t padding = 0;

    while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
        padding++;
    return (int64_t)(len / 4 * 3 - padding);
}

/* The inputs without what is in them. */
static json_t *encode_inputs(const json_t *inputs)
{
    json_t *array = json_array();

    for (size_t i = 0; i < json_array_size(inputs); i++) {
        const json_t *input = json_array_get(inputs, i);
        const json_t *base64 = json_object_get(input, "base64");
        json_t *item = json_object();

        copy_member(item, input, "path");
        set_integer(item, "bytes",
                    base64 ? base64_bytes(base64)
                           : (int64_t)json_string_length(json_object_get(input, "content")));
        (void)json_array_append_new(array, item);
    }
    return array;
}

static void set_request(json_t *object, const struct job *job, const json_t *payload)
{
    set_text(object, "function", job->function);
    copy_member(object, payload, "command");
    copy_member(object, payload, "args");
    copy_member(object, payload, "env");
    if (json_object_get(payload, "inputs"))
        set(object, "inputs", encode_inputs(json_object_get(payload, "inputs")));
    set_text(object, "name", job->name);
    set_text(object, "queue", job->queue);
    set_integer(object, "priority", job->priority);
    copy_member(object, payload, "labels");
}

/* What holds for its attempts. */
static void set_policy(json_t *object, const struct job *job, const json_t *payload)
{
    if (job->timeout_us > 0)
        set_seconds(object, "timeout_seconds", job->timeout_us);
    set_seconds(object, "grace_period_seconds", job->grace_us);
    copy_member(object, payload, "limits");
    copy_member(object, payload, "leftover");
    copy_member(object, payload, "retry");
}

static void set_trace(json_t *object, const struct job *job, const json_t *payload)
{
    char parent[TRACE_PARENT_SIZE];
    const char *state;

    trace_of_job(payload, job->id, parent, &state);
    set_text(object, "traceparent", parent[0] ? parent : NULL);
    set_text(object, "tracestate", state);
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
        json_set_time(object, times[i].name, times[i].at_us);
}

/* ---- how it went ------------------------------------------------------------------------- */

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

/* A job that waits for its next attempt says how the last one failed. */
static bool has_failed(const struct job *job)
{
    bool waits = job->state == JOB_SCHEDULED || job->state == JOB_QUEUED;

    return job->state == JOB_FAILED || (waits && job->outcome.cause != CAUSE_NONE);
}

static void set_outcome(json_t *object, const struct job *job)
{
    const struct outcome *o = &job->outcome;

    if (job->has_outcome) {
        outcome_set_exit(object, o);
        if (has_failed(job))
            set(object, "failure", outcome_encode_failure(o));
        if (job_state_is_final(job->state))
            set_result(object, o);
    }
    set(object, "logs", outcome_encode_logs(o)); /* zeros while there is no outcome */
    if (job->has_outcome && o->started_at_us > 0)
        set(object, "usage", outcome_encode_usage(o));
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
    json_set_time(progress, "updated_at", job->progress_at_us);
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
    set(links, "attempts", path(id, "/attempts"));
    set(links, "artifacts", path(id, "/artifacts"));
    return links;
}

json_t *job_encode(const struct job *job)
{
    char id[UUID7_TEXT_SIZE];
    AUTO(json) json_t *payload = NULL;
    json_t *object = json_object();

    assert(object); /* memory was out, which base/mem.h would have ended in the same way */
    /* A payload that cannot be read is missed by order_build(), which has somebody to tell. */
    if (job->payload)
        (void)json_text_parse(job->payload, job->payload_len, &payload, NULL);
    set_text(object, "id", uuid7_format(job->id, id));
    set_text(object, "state", job_state_name(job->state));
    set_text(object, "reason", job->reason);
    set_request(object, job, payload);
    set_integer(object, "attempt", job->attempt);
    set_integer(object, "max_attempts",
                retry_decode(json_object_get(payload, "retry")).max_attempts);
    if (job->progress_at_us > 0)
        set(object, "progress", encode_progress(job));
    set_times(object, job);
    set_integer(object, "version", job->version);
    set_outcome(object, job);
    if (job->worker_id > 0)
        set(object, "worker", encode_worker(job));
    set_policy(object, job, payload);
    set_trace(object, job, payload);
    set(object, "links", encode_links(id));
    return object;
}

json_t *job_encode_preview(const struct job *job)
{
    static const char *const given[] = { "id",         "version",   "attempt", "created_at",
                                         "updated_at", "queued_at", "logs",    "links" };
    json_t *object = job_encode(job);

    for (size_t i = 0; i < COUNT_OF(given); i++)
        (void)json_object_del(object, given[i]);
    return object;
}
