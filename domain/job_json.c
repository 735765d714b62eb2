#include "domain/job_json.h"

#include <string.h>

#include "domain/fingerprint.h"
#include "domain/json_items.h"
#include "domain/json_text.h"
#include "domain/outcome_json.h"
#include "domain/retry.h"
#include "domain/trace.h"

/* ---- the payload: cut up, not parsed ---------------------------------------------------- */

enum payload_member {
    PAYLOAD_COMMAND,
    PAYLOAD_ARGS,
    PAYLOAD_ENV,
    PAYLOAD_INPUTS,
    PAYLOAD_LABELS,
    PAYLOAD_LIMITS,
    PAYLOAD_LEFTOVER,
    PAYLOAD_RETRY,
    PAYLOAD_UNIQUE,
    PAYLOAD_TRACE,
    PAYLOAD_CALLBACK,
    PAYLOAD_MEMBER_MAX_
};

static const char *const payload_names[PAYLOAD_MEMBER_MAX_] = {
    [PAYLOAD_COMMAND] = "command",   [PAYLOAD_ARGS] = "args",
    [PAYLOAD_ENV] = "env",           [PAYLOAD_INPUTS] = "inputs",
    [PAYLOAD_LABELS] = "labels",     [PAYLOAD_LIMITS] = "limits",
    [PAYLOAD_LEFTOVER] = "leftover", [PAYLOAD_RETRY] = "retry",
    [PAYLOAD_UNIQUE] = "unique",     [PAYLOAD_TRACE] = TRACE_MEMBER,
    [PAYLOAD_CALLBACK] = "callback",
};

/* The texts of its members; text NULL: it has none of that name. */
struct payload {
    struct json_part members[PAYLOAD_MEMBER_MAX_];
};

static bool is_named(struct json_part quoted, const char *name)
{
    size_t len = strlen(name);

    return quoted.len == len + 2 && memcmp(quoted.text + 1, name, len) == 0;
}

/* One that cannot be read is missed by order_build(), which has somebody to tell. */
static struct payload payload_of(const struct job *job)
{
    struct json_part text = { .text = job->payload, .len = job->payload_len };
    struct payload payload = { 0 };
    struct json_items items;
    struct json_part name;
    struct json_part value;

    if (!job->payload || json_items_object(text, &items, NULL) < 0)
        return payload;
    while (json_items_member(&items, &name, &value, NULL) > 0)
        for (int i = 0; i < PAYLOAD_MEMBER_MAX_; i++)
            if (is_named(name, payload_names[i]))
                payload.members[i] = value;
    return payload;
}

/* One member as it was sent. */
static void put_member(struct json_put *w, const struct payload *payload,
                       enum payload_member member)
{
    const struct json_part *part = &payload->members[member];

    if (part->text)
        json_put_raw(w, payload_names[member], part->text, part->len);
}

/* The caller's; NULL when it is not there. */
static json_t *parse_member(const struct payload *payload, enum payload_member member)
{
    const struct json_part *part = &payload->members[member];
    json_t *json = NULL;

    if (part->text)
        (void)json_text_parse(part->text, part->len, &json, NULL);
    return json;
}

/* ---- what was asked for ------------------------------------------------------------------ */

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
static void put_inputs(struct json_put *w, const struct payload *payload)
{
    AUTO(json) json_t *inputs = parse_member(payload, PAYLOAD_INPUTS);

    if (!inputs)
        return;
    json_put_begin_array(w, "inputs");
    for (size_t i = 0; i < json_array_size(inputs); i++) {
        const json_t *input = json_array_get(inputs, i);
        const json_t *base64 = json_object_get(input, "base64");

        json_put_begin(w, NULL);
        json_put_tree(w, "path", json_object_get(input, "path"));
        json_put_integer(w, "bytes",
                         base64
                             ? base64_bytes(base64)
                             : (int64_t)json_string_length(json_object_get(input, "content")));
        json_put_end(w);
    }
    json_put_end_array(w);
}

static void put_request(struct json_put *w, const struct job *job,
                        const struct payload *payload, bool whole)
{
    json_put_text(w, "function", job->function);
    put_member(w, payload, PAYLOAD_COMMAND);
    if (whole) {
        put_member(w, payload, PAYLOAD_ARGS);
        put_member(w, payload, PAYLOAD_ENV);
        put_inputs(w, payload);
    }
    json_put_text(w, "name", job->name);
    json_put_text(w, "queue", job->queue);
    json_put_integer(w, "priority", job->priority);
    put_member(w, payload, PAYLOAD_LABELS);
}

/* What it is in a batch, and of which kind its failure is. */
static void put_batch(struct json_put *w, const struct job *job, const struct payload *payload)
{
    char id[UUID7_TEXT_SIZE];
    char fingerprint[FINGERPRINT_TEXT_SIZE];

    if (uuid7_is_set(job->batch))
        json_put_text(w, "batch_id", uuid7_format(job->batch, id));
    if (job->array_place > 0)
        json_put_integer(w, "array_index", job->array_place - 1);
    put_member(w, payload, PAYLOAD_CALLBACK);
    if (job->fingerprint != 0)
        json_put_text(w, "fingerprint", fingerprint_format(job->fingerprint, fingerprint));
}

static int max_attempts(const struct payload *payload)
{
    AUTO(json) json_t *retry = parse_member(payload, PAYLOAD_RETRY);

    return retry_decode(retry).max_attempts;
}

/* What holds for its attempts. */
static void put_policy(struct json_put *w, const struct job *job, const struct payload *payload)
{
    if (job->timeout_us > 0)
        json_put_seconds(w, "timeout_seconds", job->timeout_us);
    json_put_seconds(w, "grace_period_seconds", job->grace_us);
    if (job->ttl_us > 0)
        json_put_seconds(w, "ttl_seconds_after_finished", job->ttl_us);
    put_member(w, payload, PAYLOAD_LIMITS);
    put_member(w, payload, PAYLOAD_LEFTOVER);
    put_member(w, payload, PAYLOAD_RETRY);
    put_member(w, payload, PAYLOAD_UNIQUE);
}

static void put_trace(struct json_put *w, const struct job *job, const struct payload *payload)
{
    AUTO(json) json_t *trace = parse_member(payload, PAYLOAD_TRACE);
    AUTO(json) json_t *holder = trace ? json_pack("{s:O}", TRACE_MEMBER, trace) : NULL;
    char parent[TRACE_PARENT_SIZE];
    const char *state;

    if (!holder)
        return;
    trace_of_job(holder, job->id, parent, &state);
    json_put_text(w, "traceparent", parent[0] ? parent : NULL);
    json_put_text(w, "tracestate", state);
}

static void put_times(struct json_put *w, const struct job *job)
{
    json_put_time(w, "created_at", job->created_at_us);
    json_put_time(w, "scheduled_at", job->scheduled_at_us);
    json_put_time(w, "queued_at", job->queued_at_us);
    json_put_time(w, "started_at", job->started_at_us);
    json_put_time(w, "finished_at", job->finished_at_us);
    json_put_time(w, "updated_at", job->updated_at_us);
    json_put_time(w, "cancel_requested_at", job->cancel_requested_at_us);
    json_put_time(w, "expires_at", job->expires_at_us);
}

/* ---- how it went ------------------------------------------------------------------------- */

static void put_result(struct json_put *w, const struct outcome *o, bool whole)
{
    if (o->result_kind == RESULT_STDOUT)
        json_put_integer(w, "result_bytes", o->captures[STREAM_STDOUT].kept_bytes);
    if (o->result_kind != RESULT_JSON)
        return;
    if (whole && o->result && o->result_len <= JOB_RESULT_INLINE_MAX_BYTES)
        json_put_raw(w, "result", o->result, o->result_len);
    json_put_integer(w, "result_bytes", (int64_t)o->result_len);
}

/* A job that waits for its next attempt says how the last one failed. */
static bool has_failed(const struct job *job)
{
    bool waits = job->state == JOB_SCHEDULED || job->state == JOB_QUEUED;

    return job->state == JOB_FAILED || (waits && job->outcome.cause != CAUSE_NONE);
}

static void put_outcome(struct json_put *w, const struct job *job, bool whole)
{
    const struct outcome *o = &job->outcome;

    if (job->has_outcome) {
        outcome_put_exit(w, o);
        if (has_failed(job))
            outcome_put_failure(w, o);
        if (job_state_is_final(job->state))
            put_result(w, o, whole);
    }
    outcome_put_logs(w, o); /* zeros while there is no outcome */
    if (job->has_outcome && o->started_at_us > 0)
        outcome_put_usage(w, o);
}

/* ---- the rest ------------------------------------------------------------------------------
 */

static void put_worker(struct json_put *w, const struct job *job)
{
    json_put_begin(w, "worker");
    json_put_integer(w, "id", job->worker_id);
    if (job->worker_pid > 0)
        json_put_integer(w, "pid", job->worker_pid);
    json_put_end(w);
}

/* What the current attempt said last of itself. */
static void put_progress(struct json_put *w, const struct job *job)
{
    json_put_begin(w, "progress");
    if (job->progress_ppm >= 0) {
        AUTO(json) json_t *percent = json_real((double)job->progress_ppm / 1e4);

        json_put_tree(w, "percent", percent);
    }
    json_put_text(w, "message", job->progress_message);
    json_put_time(w, "updated_at", job->progress_at_us);
    json_put_end(w);
}

static void put_links(struct json_put *w, const char *id)
{
    char self[sizeof "/v1/jobs/" + UUID7_TEXT_SIZE] = "/v1/jobs/";

    memcpy(self + strlen(self), id, UUID7_TEXT_SIZE);
    json_put_begin(w, "links");
    json_put_joined(w, "self", self, "");
    json_put_joined(w, "cancel", self, ":cancel");
    json_put_joined(w, "result", self, "/result");
    json_put_begin(w, "logs");
    json_put_joined(w, "stdout", self, "/logs/stdout");
    json_put_joined(w, "stderr", self, "/logs/stderr");
    json_put_end(w);
    json_put_joined(w, "attempts", self, "/attempts");
    json_put_joined(w, "artifacts", self, "/artifacts");
    json_put_joined(w, "events", self, "/events");
    json_put_end(w);
}

static void put_job(struct json_put *w, const struct job *job, bool whole)
{
    const struct payload payload = payload_of(job);
    char id[UUID7_TEXT_SIZE];

    json_put_begin(w, NULL);
    json_put_text(w, "id", uuid7_format(job->id, id));
    json_put_text(w, "state", job_state_name(job->state));
    json_put_text(w, "reason", job->reason);
    put_request(w, job, &payload, whole);
    put_batch(w, job, &payload);
    json_put_integer(w, "attempt", job->attempt);
    json_put_integer(w, "max_attempts", max_attempts(&payload));
    if (job->progress_at_us > 0)
        put_progress(w, job);
    put_times(w, job);
    json_put_integer(w, "version", job->version);
    put_outcome(w, job, whole);
    if (job->worker_id > 0)
        put_worker(w, job);
    put_policy(w, job, &payload);
    json_put_text(w, "created_by", job->created_by);
    put_trace(w, job, &payload);
    put_links(w, id);
    json_put_end(w);
}

void job_put(struct json_put *w, const struct job *job)
{
    put_job(w, job, true);
}

void job_put_small(struct json_put *w, const struct job *job)
{
    put_job(w, job, false);
}

json_t *job_encode(const struct job *job)
{
    AUTO_FINI(buf) struct buf out = { 0 };
    struct json_put w = { .out = &out };

    job_put(&w, job);
    return json_put_parse(&w);
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
