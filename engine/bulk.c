/* ENGINE_BULK: one change for many jobs, a portion of them in each turn. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "domain/job_patch.h"
#include "domain/principal.h"
#include "engine/turn.h"
#include "engine/unique.h"

#define PORTION 50 /* a turn holds up everybody else for about 2 ms */

static int unchanged(struct bulk_item *item, int code)
{
    item->code = code;
    return 0;
}

static int changed(struct bulk_item *item, int state)
{
    item->changed = true;
    item->has_state = state >= 0;
    if (state >= 0)
        item->state = (enum job_state)state;
    return 0;
}

/* What rq->rq.result says is of this job, not of the request. */
static int refused(struct bulk_request *rq, struct bulk_item *item)
{
    item->code = rq->rq.result;
    rq->rq.result = 0;
    return 0;
}

/* -- what is done to one --------------------------------------------------------------------
 */

static int cancel_one(struct turn *t, const struct bulk_request *rq, struct job *job,
                      struct bulk_item *item)
{
    bool stopping = job->state == JOB_CANCELING && rq->way.mode != CANCEL_FORCE;
    int r;

    if (job->state == JOB_CANCELED || stopping)
        return unchanged(item, 0);
    if (job_state_is_final(job->state))
        return unchanged(item, ERR_JOB_FINISHED);
    if (rq->dry_run)
        return changed(item, job_next(job->state, JOB_EV_CANCEL));
    r = cancel_job(t, job, &rq->way);
    return r < 0 ? r : changed(item, r);
}

/* Whether the caller may have it run once more. */
static bool may_run(const struct bulk_request *rq, const struct job *job)
{
    if (!name_set_has(&rq->principal->queues, job->queue))
        return false;
    if (job->function)
        return name_set_has(&rq->principal->functions, job->function);
    return rq->allow_commands && principal_may(rq->principal, SCOPE_JOBS_COMMAND);
}

static int retry_one(struct turn *t, struct bulk_request *rq, struct job *job,
                     struct bulk_item *item)
{
    const struct function *fn =
        job->function ? function_find(t->en->conf.functions, job->function) : NULL;
    int64_t version = job->version;
    int r;

    if (job_next(job->state, JOB_EV_REQUEUE) < 0 || (job->function && !fn))
        return unchanged(item, ERR_JOB_NOT_RETRYABLE);
    if (!may_run(rq, job))
        return unchanged(item, ERR_INSUFFICIENT_SCOPE);
    if (!submit_has_room(t, &rq->rq, 1))
        return refused(rq, item);
    r = unique_refuses_retry(t, &rq->rq, job->id);
    if (r != 0)
        return r < 0 ? r : refused(rq, item);
    job_patch_wait_again(job, fn, t->now_us);
    if (!rq->dry_run) {
        r = rewrite_job(t, job, version, true);
        if (r < 0)
            return r;
    }
    return changed(item, JOB_QUEUED);
}

static int delete_one(struct turn *t, const struct bulk_request *rq, struct job *job,
                      struct bulk_item *item)
{
    int r;

    if (rq->dry_run)
        return changed(item, job_state_is_owned(job->state) ? JOB_CANCELING : -1);
    r = purge_job(t, job);
    return r < 0 ? r : changed(item, r == 1 ? JOB_CANCELING : -1);
}

/* -- all of them ----------------------------------------------------------------------------
 */

static int apply_one(struct turn *t, struct bulk_request *rq, struct bulk_item *item)
{
    AUTO_FINI(job) struct job job = { 0 };
    int r;

    r = request_find_job(t, &rq->rq, item->id, &job);
    if (r == 0)
        return refused(rq, item);
    if (r < 0)
        return r;
    item->found = true;
    item->has_state = true;
    item->state = job.state;
    switch (rq->change) {
    case BULK_CANCEL:
        return cancel_one(t, rq, &job, item);
    case BULK_RETRY:
        return retry_one(t, rq, &job, item);
    case BULK_DELETE:
        break;
    }
    return delete_one(t, rq, &job, item);
}

int bulk_apply(struct turn *t, struct engine_request *base)
{
    struct bulk_request *rq = (struct bulk_request *)base;
    size_t end = rq->count - rq->done < PORTION ? rq->count : rq->done + PORTION;
    int r;

    for (; rq->done < end; rq->done++) {
        r = apply_one(t, rq, &rq->items[rq->done]);
        if (r < 0)
            return r;
    }
    base->again = rq->done < rq->count;
    return 0;
}
