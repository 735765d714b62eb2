/* ENGINE_SUBMIT and ENGINE_SUBMIT_MANY: new jobs. */
#include <assert.h>

#include "domain/unique.h"
#include "engine/turn.h"
#include "engine/unique.h"

bool submit_has_room(const struct turn *t, struct engine_request *rq, size_t count)
{
    const struct engine *en = t->en;
    int64_t waiting = en->waiting_jobs + t->waiting_delta;

    if (en->draining) {
        rq->result =
            err_set(&rq->err, ERR_DRAINING, "the server is shutting down: try another one");
        return false;
    }
    if ((int64_t)count > en->conf.max_waiting_jobs - waiting) {
        rq->result = err_set(&rq->err, ERR_QUEUE_FULL,
                             "%lld jobs are waiting; max_waiting_jobs allows %lld",
                             (long long)waiting, (long long)en->conf.max_waiting_jobs);
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
    r = job->unique || uuid7_is_set(job->batch) ? 0 : claims_insert(t, job);
    if (r != 0)
        return r < 0 ? r : 0;
    r = store_job_insert(t->en->conf.store, job, &t->err);
    if (r < 0)
        return r;
    t->waiting_delta += 1;
    if (job->state == JOB_SCHEDULED)
        turn_note_due(t, job->scheduled_at_us);
    else
        turn_job_queued(t, job);
    return 0;
}

static void note_existing(struct submit_result *result, const struct store_alike *other)
{
    result->existing = true;
    result->existing_id = other->id;
    result->existing_state = other->state;
}

/* Insert a job of which there is to be one, unless there is: result says so. `anyway`: though
 * its rule would refuse it. */
static int insert_unique(struct turn *t, struct job *job, bool anyway,
                         struct submit_result *result)
{
    const struct store_alike *other;
    struct alike alike;
    int r;

    r = unique_find(t, job, &alike);
    if (r < 0)
        return r;
    other = unique_conflict_of(&alike, job, t->now_us);
    if (other && job->unique->on_conflict == UNIQUE_REPLACE) {
        r = unique_replace(t, &alike, job);
    } else if (other && !(anyway && job->unique->on_conflict == UNIQUE_REJECT)) {
        note_existing(result, other);
        if (job->unique->on_conflict == UNIQUE_REJECT)
            result->code = ERR_DUPLICATE_JOB;
        return 0;
    }
    if (r == 0)
        r = submit_insert(t, job);
    return r < 0 ? r : unique_note(t, &alike, job);
}

/* The answer is the other job. */
static int take_existing(struct turn *t, struct submit_request *submit)
{
    job_fini(&submit->job);
    return store_job_get(t->en->conf.store, submit->result.existing_id, &submit->job, &t->err);
}

int submit_apply(struct turn *t, struct engine_request *rq)
{
    struct submit_request *submit = (struct submit_request *)rq;
    int r;

    submit->result = (struct submit_result){ 0 };
    if (!submit_has_room(t, rq, 1))
        return 0;
    r = depths_admit(t, rq, &submit->job, 1);
    if (r <= 0)
        return r;
    if (!submit->job.unique)
        return submit_insert(t, &submit->job);
    r = insert_unique(t, &submit->job, false, &submit->result);
    if (r < 0)
        return r;
    if (submit->result.code < 0)
        return unique_refuse(rq, submit->result.existing_id, submit->result.existing_state);
    return submit->result.existing ? take_existing(t, submit) : 0;
}

/* Of a batch that is taken as a whole nothing may be in the way of any job. */
static int look_for_duplicates(struct turn *t, struct submit_many_request *many)
{
    int r;

    for (size_t i = 0; i < many->count; i++) {
        const struct job *job = &many->jobs[i];
        const struct store_alike *other;
        struct alike alike;

        if (!job->unique || job->unique->on_conflict != UNIQUE_REJECT)
            continue;
        r = unique_find(t, job, &alike);
        if (r < 0)
            return r;
        other = unique_conflict_of(&alike, job, t->now_us);
        if (!other)
            continue;
        note_existing(&many->results[i], other);
        many->results[i].code = ERR_DUPLICATE_JOB;
        if (many->rq.result == 0)
            (void)unique_refuse(&many->rq, other->id, other->state);
    }
    return 0;
}

static int insert_one_of_many(struct turn *t, struct submit_many_request *many, size_t i)
{
    struct job *job = &many->jobs[i];

    if (!job->unique)
        return submit_insert(t, job);
    assert(many->results);
    return insert_unique(t, job, many->atomic, &many->results[i]);
}

int submit_many_apply(struct turn *t, struct engine_request *rq)
{
    struct submit_many_request *many = (struct submit_many_request *)rq;
    int r = 0;

    if (!submit_has_room(t, rq, many->count))
        return 0;
    r = depths_admit(t, rq, many->jobs, many->count);
    if (r <= 0)
        return r;
    r = 0;
    if (many->results && many->atomic)
        r = look_for_duplicates(t, many);
    if (rq->result < 0)
        return r;
    for (size_t i = 0; r == 0 && i < many->count; i++)
        r = insert_one_of_many(t, many, i);
    return r;
}
