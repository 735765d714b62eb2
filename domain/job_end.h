/* domain/job_end.h - how a job has ended, for whoever has waited for it and knows the rest.
 *
 * Pure; any thread.
 */
#ifndef JOBD_DOMAIN_JOB_END_H
#define JOBD_DOMAIN_JOB_END_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "domain/job.h"
#include "domain/job_state.h"
#include "domain/outcome.h"

/* A larger result is read from the ledger. */
#define JOB_END_RESULT_MAX_BYTES ((size_t)16 * 1024)

/* As it was recorded. */
struct job_end {
    enum job_state state;
    int64_t version; /* of the job, with this change */
    int64_t worker_id;
    int worker_pid;       /* 0: not known */
    usec_t started_at_us; /* of the claim */
    usec_t recorded_at_us;
    const struct outcome *outcome; /* borrowed */
};

/* Make of a job as it was submitted what the ledger has now, without asking it. False, and job
 * is as it was: more has happened to it than to be started once and to succeed, or not all is
 * known here. */
bool job_end_apply(struct job *job, const struct job_end *end);

#endif
