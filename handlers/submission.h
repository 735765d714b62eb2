/* handlers/submission.h - a job as a request asks for it: what all operations share that submit
 * jobs. HTTP threads.
 */
#ifndef JOBD_HANDLERS_SUBMISSION_H
#define JOBD_HANDLERS_SUBMISSION_H

#include <jansson.h>
#include <stdbool.h>

#include "domain/faults.h"
#include "domain/job.h"
#include "domain/job_spec.h"
#include "domain/trace.h"
#include "server/http/http.h"

/* What holds for every job of one request. */
struct submission {
    const struct http_req *rq;
    struct job_spec_rules rules;
    struct trace trace;
    usec_t now_us;
};

/* s must stay where it is: its parts point to each other. */
void submission_init(struct submission *s, const struct http_req *rq);
/* The job that body asks for, as the engine takes it. Returns 0, ERR_VALIDATION (faults were
 * added to f), or what else job_spec_decode() and common_set_creator() give. */
int submission_decode(const struct submission *s, const json_t *body, struct job *ret_job,
                      struct faults *f, struct errinfo *e);

#endif
