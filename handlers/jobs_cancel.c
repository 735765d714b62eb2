/* POST /v1/jobs/{id}:cancel (cancelJob) and DELETE /v1/jobs/{id} (deleteJob): stop a job; with
 * ?purge=true also remove it. */
#include "handlers/handlers.h"

#include <stdlib.h>

#include "base/mem.h"
#include "domain/json_text.h"
#include "domain/principal.h"
#include "domain/suggest.h"
#include "engine/requests.h"
#include "handlers/cancel_way.h"
#include "handlers/common.h"

/* -- the body -------------------------------------------------------------------------------
 */

static void unknown_member(const char *name, struct faults *f)
{
    struct suggestion s = { .word = name };
    AUTO(mem) char *pointer = faults_pointer("#", name);

    for (size_t i = 0; cancel_way_member(i); i++)
        suggest_consider(&s, cancel_way_member(i));
    if (s.nearest)
        faults_add(f, pointer, "unknown-field", "there is no such field; did you mean %s?",
                   s.nearest);
    else
        faults_add(f, pointer, "unknown-field", "there is no such field");
}

static void decode_members(const struct http_req *rq, struct http_resp *rs, const json_t *body,
                           struct cancel_request *request)
{
    const char *name;
    json_t *value;

    json_object_foreach (json_iterable(body), name, value)
        if (!cancel_way_decode(&request->way, name, value, &rs->faults) && !rq->lenient)
            unknown_member(name, &rs->faults);
}

static int decode_body(const struct http_req *rq, struct http_resp *rs,
                       struct cancel_request *request)
{
    AUTO(json) json_t *body = NULL;
    int r;

    r = http_body_json(rq, &body, &rs->err);
    if (r < 0)
        return r;
    if (!body)
        return 0;
    if (json_is_object(body))
        decode_members(rq, rs, body, request);
    else
        faults_add(&rs->faults, "#", "wrong-type", "must be an object");
    return faults_judge(&rs->faults, 0, &rs->err);
}

/* -- the request ----------------------------------------------------------------------------
 */

static void request_free(void *state)
{
    struct cancel_request *request = state;

    cancel_way_fini(&request->way);
    free(request);
}

/* What the job is now decides, which may be an end that came after the engine's answer. */
static int committed(struct http_req *rq, struct http_resp *rs)
{
    const struct cancel_request *request = rq->state;
    AUTO_FINI(job) struct job job = { 0 };
    int r;

    r = common_outcome(rs, &request->rq);
    if (r < 0)
        return r;
    r = common_read_job(rq, request->id, &job, &rs->err);
    if (r < 0)
        return r;
    if (job_state_is_final(job.state))
        return common_reply_job(rs, 200, &job);
    common_set_job_path(rs, "Location", job.id);
    return common_reply_job(rs, 202, &job);
}

static int cancel(struct http_req *rq, struct http_resp *rs, bool has_body)
{
    struct cancel_request *request = mem_new0(sizeof *request);
    int r;

    rq->state = request;
    rq->state_free = request_free;
    cancel_way_init(&request->way);
    r = common_job_id(rq, &request->id, &rs->err);
    if (r == 0 && has_body)
        r = decode_body(rq, rs, request);
    return r < 0 ? r : common_ask(rq, ENGINE_CANCEL, &request->rq, committed);
}

int h_cancel_job(struct http_req *rq, struct http_resp *rs)
{
    int r = common_no_query(rq, rs);

    return r < 0 ? r : cancel(rq, rs, true);
}

/* -- purge ----------------------------------------------------------------------------------
 */

/* Gone, or still stopping. It may also have ended in between, and even be removed by now. */
static int purged(struct http_req *rq, struct http_resp *rs)
{
    const struct purge_request *request = rq->state;
    AUTO_FINI(job) struct job job = { 0 };
    int r = common_outcome(rs, &request->rq);

    if (r < 0)
        return r;
    if (!request->in_progress)
        return http_reply_empty(rs, 204);
    r = common_read_job(rq, request->id, &job, &rs->err);
    if (r == ERR_JOB_EXPIRED)
        return http_reply_empty(rs, 204);
    if (r < 0)
        return r;
    common_set_job_path(rs, "Location", job.id);
    return common_reply_job(rs, 202, &job);
}

static int purge(struct http_req *rq, struct http_resp *rs)
{
    struct purge_request *request = mem_new0(sizeof *request);
    int r;

    rq->state = request;
    rq->state_free = free;
    if (!principal_may(rq->principal, SCOPE_JOBS_WRITE)) /* the route asks for less */
        return err_fact(&rs->err,
                        err_set(&rs->err, ERR_INSUFFICIENT_SCOPE, "a purge needs the scope %s",
                                scope_name(SCOPE_JOBS_WRITE)),
                        "scope", scope_name(SCOPE_JOBS_WRITE));
    r = common_job_id(rq, &request->id, &rs->err);
    return r < 0 ? r : common_ask(rq, ENGINE_PURGE, &request->rq, purged);
}

int h_delete_job(struct http_req *rq, struct http_resp *rs)
{
    static const char *const known[] = { "purge", NULL };
    bool purges = false;
    int r;

    r = common_allow(rq, rs, known);
    if (r < 0)
        return r;
    r = common_bool(rq, rs, "purge", &purges);
    if (r < 0)
        return r;
    return purges ? purge(rq, rs) : cancel(rq, rs, false);
}
