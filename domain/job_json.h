/* domain/job_json.h - a job as its clients see it (openapi: Job). Pure, any thread. */
#ifndef JOBD_DOMAIN_JOB_JSON_H
#define JOBD_DOMAIN_JOB_JSON_H

#include <jansson.h>

#include "domain/job.h"
#include "domain/json_put.h"

#define JOB_RESULT_INLINE_MAX_BYTES ((size_t)64 * 1024)

/* Write it as an object. Stdin and the contents of inputs are left out; an unset field is
 * absent. */
void job_put(struct json_put *w, const struct job *job);
/* The same without what may be large: args, env, inputs and result. */
void job_put_small(struct json_put *w, const struct job *job);
/* The same as a new tree. */
json_t *job_encode(const struct job *job);
/* The same of a job that is not submitted: without what only a submit gives. */
json_t *job_encode_preview(const struct job *job);

#endif
