/* ENGINE_BATCH_CREATE, ENGINE_BATCH_ADD and ENGINE_BATCH_CHANGE: batches as clients want them.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/batches.h"

/* Returns 1 when it is there, 0 when rq->result says that it is not, or < 0. */
static int find(struct turn *t, struct engine_request *rq, struct uuid7 id,
                struct batch_work **ret_work)
{
    int r;

    r = batches_touch(t, id, rq->tenant, ret_work);
    if (r == 0)
        rq->result = err_set(&rq->err, ERR_BATCH_NOT_FOUND, "there is no batch with this id");
    return r;
}

static int insert_jobs(struct turn *t, struct batch_jobs *jobs, struct uuid7 batch)
{
    int r = 0;

    for (size_t i = 0; i < jobs->count && r == 0; i++) {
        jobs->items[i].batch = batch;
        r = submit_insert(t, &jobs->items[i]);
    }
    return r;
}

static int insert_specs(struct turn *t, struct batch_create_request *rq)
{
    int r = 0;

    for (int kind = 0; kind < BATCH_SPEC_MAX_ && r == 0; kind++)
        if (rq->batch.specs & 1U << kind)
            r = store_batch_spec_put(t->en->conf.store, rq->batch.id, (enum batch_spec)kind,
                                     &rq->specs[kind], &t->err);
    return r;
}

/* Its members are counted, and its version raised, when the turn settles it. */
int batch_create_apply(struct turn *t, struct engine_request *base)
{
    struct batch_create_request *rq = (struct batch_create_request *)base;
    struct batch *b = &rq->batch;
    struct batch_work *work;
    int r;

    if (!submit_has_room(t, base, rq->jobs.count + (size_t)b->array_size))
        return 0;
    r = depths_admit(t, base, rq->jobs.items, rq->jobs.count);
    if (r <= 0)
        return r;
    b->id = uuid7_new(&t->en->ids, t->now_us);
    b->state = b->closed ? BATCH_RUNNING : BATCH_OPEN;
    b->created_at_us = t->now_us;
    r = store_batch_insert(t->en->conf.store, b, &t->err);
    if (r == 0)
        r = insert_specs(t, rq);
    if (r == 0)
        r = insert_jobs(t, &rq->jobs, b->id);
    if (r < 0)
        return r;
    t->waiting_delta += b->array_size;
    r = batches_touch(t, b->id, NULL, &work);
    return r < 0 ? r : 0;
}

int batch_add_apply(struct turn *t, struct engine_request *base)
{
    struct batch_add_request *rq = (struct batch_add_request *)base;
    struct batch_work *work;
    int r;

    r = find(t, base, rq->id, &work);
    if (r <= 0)
        return r;
    if (work->batch.closed) {
        base->result = err_set(&base->err, ERR_BATCH_CLOSED,
                               "the batch is %s and closed: it takes no further jobs",
                               batch_state_name(work->batch.state));
        return err_fact(&base->err, 0, "state", batch_state_name(work->batch.state));
    }
    if (!submit_has_room(t, base, rq->jobs.count))
        return 0;
    r = depths_admit(t, base, rq->jobs.items, rq->jobs.count);
    if (r <= 0)
        return r;
    return insert_jobs(t, &rq->jobs, rq->id);
}

static void cancel(struct turn *t, struct batch_change_request *rq, struct batch *b)
{
    if (batch_state_is_final(b->state)) {
        if (b->state == BATCH_CANCELED)
            return; /* asking twice is fine */
        rq->rq.result = err_set(&rq->rq.err, ERR_BATCH_FINISHED, "the batch has already %s",
                                batch_state_name(b->state));
        (void)err_fact(&rq->rq.err, 0, "state", batch_state_name(b->state));
        return;
    }
    if (b->stop == BATCH_STOP_CANCEL)
        return;
    b->cancel_requested_at_us = t->now_us;
    free(b->reason);
    b->reason = mem_str_or_null(rq->reason);
    batches_stop(t, b, BATCH_STOP_CANCEL);
}

/* Its members stay. Those who wait for it learn of it, the turn's own end does not mind. */
static int remove_ended(struct turn *t, struct batch_change_request *rq, const struct batch *b)
{
    rq->removed = true;
    turn_job_changed(t, b->id, JOB_SUCCEEDED);
    return store_batch_remove(t->en->conf.store, b->id, &t->err);
}

int batch_change_apply(struct turn *t, struct engine_request *base)
{
    struct batch_change_request *rq = (struct batch_change_request *)base;
    struct batch_work *work;
    int r;

    r = find(t, base, rq->id, &work);
    if (r <= 0)
        return r;
    if (rq->change == BATCH_REMOVE && batch_state_is_final(work->batch.state))
        return remove_ended(t, rq, &work->batch);
    if (rq->change == BATCH_CLOSE)
        work->batch.closed = true;
    else
        cancel(t, rq, &work->batch);
    return 0;
}
