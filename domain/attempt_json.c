#include "domain/attempt_json.h"

#include "base/mem.h"
#include "domain/job_state.h"
#include "domain/outcome_json.h"

/* An attempt has the words of a job for what it has come to. */
static enum job_state state_of(const struct attempt *a)
{
    if (!a->has_ended)
        return JOB_RUNNING;
    if (a->outcome.cause == CAUSE_NONE)
        return JOB_SUCCEEDED;
    return a->outcome.cause == CAUSE_CANCELED ? JOB_CANCELED : JOB_FAILED;
}

static void put_worker(struct json_put *w, const struct attempt *a)
{
    json_put_begin(w, "worker");
    json_put_integer(w, "id", a->worker_id);
    if (a->worker_pid > 0)
        json_put_integer(w, "pid", a->worker_pid);
    json_put_end(w);
}

static void put_log_path(struct json_put *w, const char *stream, const char *job, int number)
{
    AUTO(mem) char *path = mem_printf("%s/logs/%s?attempt=%d", job, stream, number);

    json_put_text(w, stream, path);
}

static void put_links(struct json_put *w, const struct attempt *a)
{
    char id[UUID7_TEXT_SIZE];
    AUTO(mem) char *job = mem_printf("/v1/jobs/%s", uuid7_format(a->outcome.job_id, id));
    AUTO(mem) char *self = mem_printf("%s/attempts/%d", job, a->number);

    json_put_begin(w, "links");
    json_put_text(w, "self", self);
    json_put_text(w, "job", job);
    json_put_begin(w, "logs");
    put_log_path(w, "stdout", job, a->number);
    put_log_path(w, "stderr", job, a->number);
    json_put_end(w);
    json_put_end(w);
}

/* What is known of an attempt only when it is over. */
static void put_outcome(struct json_put *w, const struct attempt *a)
{
    const struct outcome *o = &a->outcome;

    json_put_time(w, "finished_at", o->finished_at_us);
    outcome_put_exit(w, o);
    if (state_of(a) == JOB_FAILED)
        outcome_put_failure(w, o);
    outcome_put_logs(w, o);
    if (o->started_at_us > 0)
        outcome_put_usage(w, o);
    if (o->containment != CONTAINMENT_NONE)
        json_put_text(w, "containment", containment_name(o->containment));
    outcome_put_limits(w, "limits_enforced", o->limits_enforced);
    outcome_put_limits(w, "limits_by_cgroup", o->limits_by_cgroup);
    if (o->pid > 0)
        json_put_integer(w, "pid", o->pid);
}

void attempt_put(struct json_put *w, const struct attempt *a)
{
    json_put_begin(w, NULL);
    json_put_integer(w, "number", a->number);
    json_put_text(w, "state", job_state_name(state_of(a)));
    json_put_time(w, "started_at", a->outcome.started_at_us);
    if (a->has_ended)
        put_outcome(w, a);
    if (a->worker_id > 0)
        put_worker(w, a);
    put_links(w, a);
    json_put_end(w);
}

json_t *attempt_encode(const struct attempt *a)
{
    AUTO_FINI(buf) struct buf out = { 0 };
    struct json_put w = { .out = &out };

    attempt_put(&w, a);
    return json_put_parse(&w);
}
