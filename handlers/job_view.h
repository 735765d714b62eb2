/* handlers/job_view.h - `view`: how much of a job an answer has. One thread. */
#ifndef JOBD_HANDLERS_JOB_VIEW_H
#define JOBD_HANDLERS_JOB_VIEW_H

#include <jansson.h>

#include "domain/job.h"
#include "domain/json_put.h"
#include "handlers/fields.h"
#include "server/http/http.h"

enum job_view {
    JOB_VIEW_MINIMAL, /* id, state and version */
    JOB_VIEW_BASIC,   /* without what may be large: args, env, inputs, result */
    JOB_VIEW_FULL,
    JOB_VIEW_MAX_
};

const char *job_view_name(enum job_view view);
/* The parameter `view`; *ret_view stays when it is not given. ERR_INVALID_PARAMETER. */
int job_view_decode(const struct http_req *rq, struct http_resp *rs, enum job_view *ret_view);
void job_view_put(struct json_put *w, const struct job *job, enum job_view view);
/* The same as a new tree. */
json_t *job_view_encode(const struct job *job, enum job_view view);

#endif
