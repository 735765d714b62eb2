#include "engine/requests.h"

#include "base/text.h"
#include "engine/turn.h"

int request_apply(struct turn *t, struct engine_request *rq)
{
    static int (*const apply[ENGINE_OP_MAX_])(struct turn *, struct engine_request *) = {
        [ENGINE_SUBMIT] = submit_apply,       [ENGINE_SUBMIT_MANY] = submit_many_apply,
        [ENGINE_CANCEL] = cancel_apply,       [ENGINE_KEY] = key_apply,
        [ENGINE_PURGE] = purge_apply,         [ENGINE_REWRITE] = rewrite_apply,
        [ENGINE_BULK] = bulk_apply,           [ENGINE_BATCH_CREATE] = batch_create_apply,
        [ENGINE_BATCH_ADD] = batch_add_apply, [ENGINE_BATCH_CHANGE] = batch_change_apply,
    };
    int r;

    r = apply[rq->op](t, rq);
    if (r == 0 && rq->idempotency && rq->result == 0 && !rq->again)
        r = idempotency_remember(t, rq);
    return r;
}

static int job_not_found(struct engine_request *rq)
{
    rq->result = err_set(&rq->err, ERR_JOB_NOT_FOUND, "there is no job with this id");
    return 0;
}

/* It has been removed: what its tenant may know. */
static int job_expired(struct turn *t, struct engine_request *rq, struct uuid7 id)
{
    struct errinfo e = t->err;
    struct store_tombstone tombstone;
    int r;

    r = store_tombstone_get(t->en->conf.store, id, rq->tenant, &tombstone, &t->err);
    if (r == ERR_NOT_FOUND)
        return job_not_found(rq);
    if (r < 0)
        return r;
    rq->err = e;
    rq->result = ERR_JOB_EXPIRED;
    return 0;
}

int request_find_job(struct turn *t, struct engine_request *rq, struct uuid7 id,
                     struct job *ret_job)
{
    AUTO_FINI(job) struct job job = { 0 };
    int r;

    r = store_job_get(t->en->conf.store, id, &job, &t->err);
    if (r == ERR_JOB_NOT_FOUND)
        return job_not_found(rq);
    if (r == ERR_JOB_EXPIRED)
        return job_expired(t, rq, id);
    if (r < 0)
        return r;
    if (rq->tenant && !text_equal(rq->tenant, job_tenant(&job)))
        return job_not_found(rq);
    *ret_job = job;
    job = (struct job){ 0 };
    return 1;
}
