#include "engine/verdict.h"

#include "base/random.h"
#include "domain/json_text.h"
#include "domain/retry.h"

/* A payload that cannot be read has no policy: the default. */
static struct retry_policy policy_of(const struct job *job)
{
    AUTO(json) json_t *payload = NULL;

    (void)json_text_parse(job->payload, job->payload_len, &payload, NULL);
    return retry_decode(json_object_get(payload, "retry"));
}

/* How many workers the job has ended, with that of this attempt. */
static int count_losses(struct store *st, const struct outcome *o, int64_t *ret_losses,
                        struct errinfo *e)
{
    int64_t before = 0;
    int r = 0;

    *ret_losses = 0;
    if (o->cause != CAUSE_WORKER_LOST)
        return 0;
    r = store_count_attempts(st, o->job_id, CAUSE_WORKER_LOST, &before, e);
    if (r == 0)
        *ret_losses = before + 1;
    return r;
}

static int judge_failure(struct store *st, const struct outcome *o, int quarantine_after,
                         struct verdict *v, struct errinfo *e)
{
    AUTO_FINI(job) struct job job = { 0 };
    struct retry_policy policy;
    int64_t losses;
    int r;

    r = count_losses(st, o, &losses, e);
    if (r < 0)
        return r;
    if (quarantine_after > 0 && losses >= quarantine_after) {
        v->losses = losses;
        return 0;
    }
    r = store_job_get(st, o->job_id, &job, e);
    if (r < 0)
        return r;
    policy = policy_of(&job);
    if (retry_decide(&policy, o, job.attempt - job.releases, random_u64(), &v->delay_us))
        v->event = JOB_EV_RETRY;
    return 0;
}

int verdict_find(struct store *st, const struct outcome *o, int quarantine_after,
                 struct verdict *ret_verdict, struct errinfo *e)
{
    struct verdict v = { .event = JOB_EV_FAIL };
    int r = 0;

    if (outcome_is_release(o))
        v.event = JOB_EV_RELEASE;
    else if (o->cause == CAUSE_NONE)
        v.event = JOB_EV_SUCCEED;
    else
        r = judge_failure(st, o, quarantine_after, &v, e);
    if (r == 0)
        *ret_verdict = v;
    return r;
}
