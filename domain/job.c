#include "domain/job.h"

#include <stdlib.h>

void job_fini(struct job *job)
{
    free(job->tenant);
    free(job->created_by);
    free(job->function);
    free(job->pool);
    free(job->queue);
    free(job->name);
    free(job->unique);
    free(job->payload);
    free(job->reason);
    free(job->progress_message);
    outcome_fini(&job->outcome);
    *job = (struct job){ 0 };
}

void job_set_expiry(struct job *job, usec_t retention_us)
{
    if (job->ttl_us == 0 && retention_us > 0 && job_state_is_final(job->state))
        job->expires_at_us = job->finished_at_us + retention_us;
}
