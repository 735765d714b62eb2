/* domain/job_patch.h - change a job that does not run, and make a new one from an old one, by
 * JSON merge patches (RFC 7396) of what was asked for. Pure but for the time given; any thread.
 */
#ifndef JOBD_DOMAIN_JOB_PATCH_H
#define JOBD_DOMAIN_JOB_PATCH_H

#include <jansson.h>

#include "domain/job.h"
#include "domain/job_spec.h"

/* Apply patch to a job that waits or is to wait again: name, queue, priority, labels, run_at,
 * delay_seconds, timeout_seconds, grace_period_seconds, retry and ttl_seconds_after_finished
 * may change, by the rules of a submit; null stands for what holds when nothing is said. The
 * job is then scheduled or queued as of now_us. job is changed only when there is no fault.
 * Returns 0 or ERR_VALIDATION (faults were added, places are in the patch). */
int job_patch_apply(const json_t *patch, const struct job_spec_rules *rules, usec_t now_us,
                    struct job *job, struct faults *f, struct errinfo *e);

/* The request that would submit such a job once more, at once: a new object, for merge_patch()
 * and job_spec_decode(). fn is its function as it is now; NULL: a command job, or there is no
 * such function any more. ceiling: function_ceiling(). ERR_DATABASE: it cannot be read. */
int job_patch_request(const struct job *job, const struct function *fn,
                      const struct limits *ceiling, json_t **ret_request, struct errinfo *e);

/* A job that has failed or was canceled waits again, to be run at once by fn (NULL: a command
 * job). */
void job_patch_wait_again(struct job *job, const struct function *fn, usec_t now_us);

#endif
