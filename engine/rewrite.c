/* ENGINE_REWRITE: a job that does not run is changed, or waits again. */
#include "engine/turn.h"
#include "engine/unique.h"

static int wrong_state(struct engine_request *rq, int code, enum job_state state,
                       const char *what)
{
    rq->result = err_set(&rq->err, code, "the job is %s: %s", job_state_name(state), what);
    (void)err_fact(&rq->err, rq->result, "state", job_state_name(state));
    return 0;
}

/* Returns 1 when it may be done; 0 when rq->result says why not. */
static int may_rewrite(struct turn *t, struct rewrite_request *rq, const struct job *now)
{
    if (rq->requeue && job_next(now->state, JOB_EV_REQUEUE) < 0)
        return wrong_state(&rq->rq, ERR_JOB_NOT_RETRYABLE, now->state,
                           "only one that has failed or was canceled can be tried again");
    if (!rq->requeue && job_next(now->state, JOB_EV_DELAY) < 0)
        return wrong_state(&rq->rq, ERR_INVALID_STATE, now->state,
                           "only one that waits can be changed");
    if (rq->requeue && !submit_has_room(t, &rq->rq, 1))
        return 0;
    if (now->version == rq->version)
        return 1;
    rq->rq.result = err_set(&rq->rq.err, ERR_PRECONDITION_FAILED,
                            "the job has changed meanwhile: it is at version %lld",
                            (long long)now->version);
    return 0;
}

int rewrite_job(struct turn *t, const struct job *job, int64_t version, bool requeue)
{
    struct store *st = t->en->conf.store;
    int r;

    r = requeue ? store_job_requeue(st, job, version, t->now_us, &t->err)
                : store_job_rewrite(st, job, version, t->now_us, &t->err);
    if (r < 0)
        return r;
    t->waiting_delta += requeue;
    if (job->state == JOB_SCHEDULED)
        turn_note_due(t, job->scheduled_at_us);
    else
        turn_wake_pool(t, job->pool);
    turn_job_changed(t, job->id, job->state);
    return 0;
}

int rewrite_apply(struct turn *t, struct engine_request *base)
{
    struct rewrite_request *rq = (struct rewrite_request *)base;
    AUTO_FINI(job) struct job now = { 0 };
    int r;

    r = request_find_job(t, base, rq->job.id, &now);
    if (r <= 0)
        return r;
    if (!may_rewrite(t, rq, &now))
        return 0;
    r = rq->requeue ? unique_refuses_retry(t, base, now.id) : 0;
    if (r != 0)
        return r < 0 ? r : 0;
    return rewrite_job(t, &rq->job, rq->version, rq->requeue);
}
