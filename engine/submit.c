/* ENGINE_SUBMIT and ENGINE_SUBMIT_MANY: new jobs. */
#include "engine/turn.h"

bool submit_has_room(const struct turn *t, struct engine_request *rq, size_t count)
{
    const struct engine *en = t->en;
    int64_t room = en->conf.max_waiting_jobs - en->waiting_jobs - t->waiting_delta;

    if (en->draining) {
        rq->result =
            err_set(&rq->err, ERR_DRAINING, "the server is shutting down: try another one");
        return false;
    }
    if ((int64_t)count > room) {
        rq->result = err_set(&rq->err, ERR_QUEUE_FULL,
                             "%lld jobs are waiting; max_waiting_jobs allows %lld",
                             (long long)(en->waiting_jobs + t->waiting_delta),
                             (long long)en->conf.max_waiting_jobs);
        return false;
    }
    return true;
}

int submit_insert(struct turn *t, struct job *job)
{
    int r;

    job->id = uuid7_new(&t->en->ids, t->now_us);
    job->created_at_us = t->now_us;
    job->updated_at_us = t->now_us;
    if (job->state == JOB_QUEUED)
        job->queued_at_us = t->now_us;
    r = store_job_insert(t->en->conf.store, job, &t->err);
    if (r < 0)
        return r;
    t->waiting_delta += 1;
    if (job->state == JOB_SCHEDULED)
        turn_note_due(t, job->scheduled_at_us);
    else
        turn_wake_pool(t, job->pool); /* it may be claimed in this very turn */
    return 0;
}

int submit_apply(struct turn *t, struct engine_request *rq)
{
    struct submit_request *submit = (struct submit_request *)rq;

    return submit_has_room(t, rq, 1) ? submit_insert(t, &submit->job) : 0;
}

int submit_many_apply(struct turn *t, struct engine_request *rq)
{
    struct submit_many_request *many = (struct submit_many_request *)rq;
    int r = 0;

    if (!submit_has_room(t, rq, many->count))
        return 0;
    for (size_t i = 0; r == 0 && i < many->count; i++)
        r = submit_insert(t, &many->jobs[i]);
    return r;
}
