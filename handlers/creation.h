/* handlers/creation.h - operations that submit one job: what they have in common, which is all
 * but where the request for the job comes from. HTTP threads. */
#ifndef JOBD_HANDLERS_CREATION_H
#define JOBD_HANDLERS_CREATION_H

#include <jansson.h>

#include "server/http/http.h"

/* The request for a job, as of POST /v1/jobs, that this body (NULL: none) stands for. */
typedef int (*creation_document)(const struct http_req *rq, const json_t *body,
                                 json_t **ret_document, struct errinfo *e);

/* Run the operation: a handler's whole work. document NULL: the body is the request. */
int creation_run(struct http_req *rq, struct http_resp *rs, creation_document document);

#endif
