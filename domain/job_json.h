/* domain/job_json.h - a job as its clients see it (openapi: Job). Pure, any thread. */
#ifndef JOBD_DOMAIN_JOB_JSON_H
#define JOBD_DOMAIN_JOB_JSON_H

#include <jansson.h>

#include "domain/job.h"

#define JOB_RESULT_INLINE_MAX_BYTES ((size_t)64 * 1024)

/* A new object. Stdin and the contents of inputs are left out; an unset field is absent. */
json_t *job_encode(const struct job *job);
/* The same of a job that is not submitted: without what only a submit gives. */
json_t *job_encode_preview(const struct job *job);

#endif
