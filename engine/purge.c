/* ENGINE_PURGE: a job is stopped, if it has to be, and removed with all that it has left. */
#include <assert.h>

#include "engine/removal.h"
#include "engine/turn.h"

int purge_job(struct turn *t, const struct job *job)
{
    const struct cancel_way way = { .mode = CANCEL_GRACEFUL, .grace_us = -1 };
    int state = (int)job->state;
    int r;

    if (!job_state_is_final(job->state)) {
        state = cancel_job(t, job, &way);
        if (state < 0)
            return state;
        assert(state == job_next(job->state, JOB_EV_PURGE));
    }
    if (state == JOB_CANCELING) {
        r = store_job_doom(t->en->conf.store, job->id, t->now_us, &t->err);
        return r < 0 ? r : 1;
    }
    r = removal_apply(t, job->id, (enum job_state)state, job->attempt);
    return r < 0 ? r : 0;
}

int purge_apply(struct turn *t, struct engine_request *base)
{
    struct purge_request *rq = (struct purge_request *)base;
    AUTO_FINI(job) struct job job = { 0 };
    int r;

    r = request_find_job(t, base, rq->id, &job);
    if (r == 0 && base->result == ERR_JOB_EXPIRED)
        base->result = 0; /* it was removed before: to ask twice is fine */
    if (r <= 0)
        return r;
    r = purge_job(t, &job);
    if (r < 0)
        return r;
    rq->in_progress = r == 1;
    return 0;
}
