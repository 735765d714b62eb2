#include "domain/job_end.h"

#include "base/mem.h"

#define VERSION_SUBMITTED 1
#define VERSION_ENDED     3 /* started, and ended: nothing else has changed it */

static bool is_all_known(const struct job *job, const struct job_end *end)
{
    const struct outcome *o = end->outcome;

    return job->state == JOB_QUEUED && job->version == VERSION_SUBMITTED &&
           end->state == JOB_SUCCEEDED && end->version == VERSION_ENDED &&
           end->worker_pid > 0 && uuid7_equal(o->job_id, job->id) && o->attempt == 1 &&
           o->finished_at_us != 0 && o->result_len <= JOB_END_RESULT_MAX_BYTES;
}

/* As it is read back: without what is in the captures. */
static void copy_outcome(struct outcome *to, const struct outcome *from)
{
    *to = *from;
    to->message = mem_str_or_null(from->message);
    to->spawn_stage = mem_str_or_null(from->spawn_stage);
    to->result = from->result ? mem_dup(from->result, from->result_len) : NULL;
    for (int i = 0; i < STREAM_MAX_; i++)
        to->captures[i].data = NULL;
}

bool job_end_apply(struct job *job, const struct job_end *end)
{
    const struct outcome *o = end->outcome;

    if (!is_all_known(job, end))
        return false;
    job->state = end->state;
    job->version = end->version;
    job->attempt = o->attempt;
    job->worker_id = end->worker_id;
    job->worker_pid = end->worker_pid;
    job->started_at_us = end->started_at_us;
    job->finished_at_us = o->finished_at_us;
    job->updated_at_us = end->recorded_at_us;
    job->progress_ppm = -1;
    if (job->ttl_us != 0)
        job->expires_at_us = o->finished_at_us + (job->ttl_us > 0 ? job->ttl_us : 0);
    job->has_outcome = true;
    copy_outcome(&job->outcome, o);
    return true;
}
