/* ENGINE_CANCEL: a job that waits is canceled at once, one that runs is told to stop. */
#include <assert.h>

#include "engine/turn.h"

/* A cancel for an attempt in hand: on disk first, then to the worker. */
static int cancel_owned(struct turn *t, const struct job *job, const struct cancel_way *way)
{
    struct effect *f;
    int r;

    if (job->state == JOB_RUNNING) {
        r = store_job_cancel_running(t->en->conf.store, job->id, way->reason, t->now_us,
                                     &t->err);
        if (r < 0)
            return r;
        turn_job_changed(t, job->id, JOB_CANCELING);
    } else if (way->mode != CANCEL_FORCE) {
        return JOB_CANCELING; /* it is stopping already */
    }
    f = effects_add(&t->effects, EFFECT_CANCEL, job->id);
    f->attempt = job->attempt;
    f->worker_id = job->worker_id;
    f->cancel_mode = way->mode == CANCEL_FORCE ? PROTO_CANCEL_FORCE : PROTO_CANCEL_GRACEFUL;
    f->grace_us = way->grace_us;
    return JOB_CANCELING;
}

int cancel_job(struct turn *t, const struct job *job, const struct cancel_way *way)
{
    int r;

    assert(!job_state_is_final(job->state));
    if (job_state_is_owned(job->state))
        return cancel_owned(t, job, way);
    r = store_job_cancel_waiting(t->en->conf.store, job->id, way->reason, t->now_us, &t->err);
    if (r < 0)
        return r;
    t->waiting_delta -= 1;
    turn_job_changed(t, job->id, JOB_CANCELED);
    return JOB_CANCELED;
}

int cancel_apply(struct turn *t, struct engine_request *base)
{
    struct cancel_request *rq = (struct cancel_request *)base;
    AUTO_FINI(job) struct job job = { 0 };
    int r;

    r = request_find_job(t, base, rq->id, &job);
    if (r <= 0)
        return r;
    if (job.state == JOB_CANCELED)
        return 0; /* asking twice is fine */
    if (job_state_is_final(job.state)) {
        base->result = err_set(&base->err, ERR_JOB_FINISHED, "the job has already %s",
                               job_state_name(job.state));
        (void)err_fact(&base->err, base->result, "state", job_state_name(job.state));
        return 0;
    }
    r = cancel_job(t, &job, &rq->way);
    if (r < 0)
        return r;
    rq->in_progress = r == JOB_CANCELING;
    return 0;
}
