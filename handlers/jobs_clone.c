/* POST /v1/jobs/{id}:clone (cloneJob): what a job was asked to be is submitted again, as a new
 * job, with what the body changes. */
#include "handlers/handlers.h"

#include "domain/job_patch.h"
#include "domain/json_text.h"
#include "domain/merge_patch.h"
#include "handlers/common.h"
#include "handlers/creation.h"

static int document(const struct http_req *rq, const json_t *body, json_t **ret_document,
                    struct errinfo *e)
{
    const struct function_table *functions = common_service(rq)->functions;
    const struct function *fn = NULL;
    AUTO_FINI(job) struct job job = { 0 };
    AUTO(json) json_t *request = NULL;
    struct uuid7 id;
    int r;

    r = common_job_id(rq, &id, e);
    if (r == 0)
        r = common_read_job(rq, id, &job, e);
    if (r < 0)
        return r;
    if (job.function)
        fn = function_find(functions, job.function);
    r = job_patch_request(&job, fn, function_ceiling(functions, fn), &request, e);
    if (r < 0)
        return r;
    *ret_document = body ? merge_patch(request, body) : json_incref(request);
    return 0;
}

int h_clone_job(struct http_req *rq, struct http_resp *rs)
{
    return creation_run(rq, rs, document);
}
