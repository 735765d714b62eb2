#include "domain/attempt_json.h"

#include "domain/job_state.h"
#include "domain/outcome_json.h"

static void set(json_t *object, const char *name, json_t *value)
{
    if (value)
        (void)json_object_set_new_nocheck(object, name, value);
}

/* An attempt has the words of a job for what it has come to. */
static enum job_state state_of(const struct attempt *a)
{
    if (!a->has_ended)
        return JOB_RUNNING;
    if (a->outcome.cause == CAUSE_NONE)
        return JOB_SUCCEEDED;
    return a->outcome.cause == CAUSE_CANCELED ? JOB_CANCELED : JOB_FAILED;
}

static json_t *encode_worker(const struct attempt *a)
{
    json_t *worker = json_object();

    set(worker, "id", json_integer(a->worker_id));
    if (a->worker_pid > 0)
        set(worker, "pid", json_integer(a->worker_pid));
    return worker;
}

static json_t *log_path(const char *id, const char *stream, int number)
{
    return json_sprintf("/v1/jobs/%s/logs/%s?attempt=%d", id, stream, number);
}

static json_t *encode_links(const struct attempt *a)
{
    char id[UUID7_TEXT_SIZE];
    json_t *links = json_object();
    json_t *logs = json_object();

    (void)uuid7_format(a->outcome.job_id, id);
    set(links, "self", json_sprintf("/v1/jobs/%s/attempts/%d", id, a->number));
    set(links, "job", json_sprintf("/v1/jobs/%s", id));
    set(logs, "stdout", log_path(id, "stdout", a->number));
    set(logs, "stderr", log_path(id, "stderr", a->number));
    set(links, "logs", logs);
    return links;
}

/* What is known of an attempt only when it is over. */
static void set_outcome(json_t *object, const struct attempt *a)
{
    const struct outcome *o = &a->outcome;

    json_set_time(object, "finished_at", o->finished_at_us);
    outcome_set_exit(object, o);
    if (state_of(a) == JOB_FAILED)
        set(object, "failure", outcome_encode_failure(o));
    set(object, "logs", outcome_encode_logs(o));
    if (o->started_at_us > 0)
        set(object, "usage", outcome_encode_usage(o));
    if (o->containment != CONTAINMENT_NONE)
        set(object, "containment", json_string(containment_name(o->containment)));
    set(object, "limits_enforced", outcome_encode_limits(o->limits_enforced));
    set(object, "limits_by_cgroup", outcome_encode_limits(o->limits_by_cgroup));
    if (o->pid > 0)
        set(object, "pid", json_integer(o->pid));
}

json_t *attempt_encode(const struct attempt *a)
{
    json_t *object = json_object();

    set(object, "number", json_integer(a->number));
    set(object, "state", json_string(job_state_name(state_of(a))));
    json_set_time(object, "started_at", a->outcome.started_at_us);
    if (a->has_ended)
        set_outcome(object, a);
    if (a->worker_id > 0)
        set(object, "worker", encode_worker(a));
    set(object, "links", encode_links(a));
    return object;
}
