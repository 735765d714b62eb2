/* handlers/batch_body.h - the bodies of requests about batches. HTTP threads. */
#ifndef JOBD_HANDLERS_BATCH_BODY_H
#define JOBD_HANDLERS_BATCH_BODY_H

#include <jansson.h>

#include "engine/requests.h"
#include "server/http/http.h"

/* What a batch is to be: fills batch, jobs and specs. Every fault is told. ERR_VALIDATION, or
 * what submission_decode() gives. */
int batch_body_decode(const struct http_req *rq, struct http_resp *rs, const json_t *body,
                      struct batch_create_request *request);
/* {"jobs": [...]}: further members. */
int batch_body_decode_jobs(const struct http_req *rq, struct http_resp *rs, const json_t *body,
                           struct batch_jobs *jobs);
/* {"reason": "..."}, or nothing. The reason is the caller's to free. */
int batch_body_decode_reason(const struct http_req *rq, struct http_resp *rs,
                             const json_t *body, char **ret_reason);

void batch_jobs_fini(struct batch_jobs *jobs);

#endif
