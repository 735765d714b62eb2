/* ENGINE_SUBMIT: a new job. */
#include "engine/turn.h"

int submit_apply(struct turn *t, struct engine_request *rq)
{
    struct job *job = &((struct submit_request *)rq)->job;
    struct engine *en = t->en;
    int r;

    if (en->draining) {
        rq->result =
            err_set(&rq->err, ERR_DRAINING, "the server is shutting down: try another one");
        return 0;
    }
    if (en->waiting_jobs + t->waiting_delta >= en->conf.max_waiting_jobs) {
        rq->result = err_set(&rq->err, ERR_QUEUE_FULL,
                             "%lld jobs are waiting, the most that max_waiting_jobs allows",
                             (long long)en->conf.max_waiting_jobs);
        return 0;
    }
    job->id = uuid7_new(&en->ids, t->now_us);
    job->created_at_us = t->now_us;
    job->updated_at_us = t->now_us;
    if (job->state == JOB_QUEUED)
        job->queued_at_us = t->now_us;
    r = store_job_insert(en->conf.store, job, &t->err);
    if (r < 0)
        return r;
    t->waiting_delta += 1;
    if (job->state == JOB_SCHEDULED)
        turn_note_due(t, job->scheduled_at_us);
    else
        turn_wake_pool(t, job->pool); /* it may be claimed in this very turn */
    return 0;
}
