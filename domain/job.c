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
    free(job->payload);
    free(job->reason);
    free(job->progress_message);
    outcome_fini(&job->outcome);
    *job = (struct job){ 0 };
}
