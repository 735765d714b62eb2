/* The jobs that a batch submits by itself: members of an array, and callbacks. */
#include <stdlib.h>

#include "base/mem.h"
#include "domain/batch_json.h"
#include "engine/batches.h"

/* The function may be run by other workers now than when the batch came. When it is gone, the
 * job is submitted all the same, and is rejected as any other would be. */
static void set_pool(struct turn *t, struct job *job)
{
    const struct function *fn =
        job->function ? function_find(t->en->conf.functions, job->function) : NULL;

    if (!fn)
        return;
    free(job->pool);
    job->pool = mem_str(function_pool(fn));
}

static void set_time(struct turn *t, struct batch_job *bj)
{
    struct job *job = &bj->job;

    if (bj->delay_us > 0)
        job->scheduled_at_us = t->now_us + bj->delay_us;
    if (job->scheduled_at_us <= t->now_us)
        job->scheduled_at_us = 0;
    job->state = job->scheduled_at_us > 0 ? JOB_SCHEDULED : JOB_QUEUED;
}

int batch_jobs_load(struct turn *t, const struct batch *b, enum batch_spec kind,
                    struct batch_job *ret_bj)
{
    struct job *job = &ret_bj->job;
    int r;

    r = store_batch_spec_get(t->en->conf.store, b->id, kind, ret_bj, &t->err);
    if (r < 0)
        return r;
    job->version = 1;
    job->progress_ppm = -1;
    job->tenant = mem_str_or_null(b->tenant);
    job->created_by = mem_str_or_null(b->created_by);
    set_pool(t, job);
    set_time(t, ret_bj);
    return 0;
}

/* A callback is no member: it is told in its payload what it is for. */
static int call(struct turn *t, const struct batch *b, enum batch_spec kind)
{
    AUTO_FINI(batch_job) struct batch_job bj = { 0 };
    struct job *job = &bj.job;
    char *payload;
    int r;

    r = batch_jobs_load(t, b, kind, &bj);
    if (r < 0)
        return r;
    payload =
        batch_callback_payload(b, kind, job->payload, job->payload_len, &job->payload_len);
    free(job->payload);
    job->payload = payload;
    return submit_insert(t, job);
}

int batch_jobs_call(struct turn *t, const struct batch *b, unsigned due)
{
    int r = 0;

    for (int kind = 0; kind < BATCH_SPEC_MAX_ && r == 0; kind++)
        if (due & 1U << kind)
            r = call(t, b, (enum batch_spec)kind);
    return r;
}
