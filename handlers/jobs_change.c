/* PATCH /v1/jobs/{id} (changeJob) and POST /v1/jobs/{id}:retry (retryJob): a job that does not
 * run is changed, or waits again.
 *
 * What it becomes is worked out here, from the job as it is and a merge patch; the engine
 * writes it if the job is still at the version that was read. If it is not, all begins again,
 * unless the client has said which version it means. */
#include "handlers/handlers.h"

#include <stdlib.h>

#include "base/mem.h"
#include "domain/job_patch.h"
#include "domain/json_text.h"
#include "engine/requests.h"
#include "handlers/common.h"
#include "handlers/idempotency.h"

#define TRIES_MAX 100

struct change {
    struct rewrite_request rewrite;
    struct idempotency idempotency; /* of a retry */
    struct uuid7 id;
    json_t *patch;
    int tries;
};

static void change_free(void *state)
{
    struct change *c = state;

    idempotency_end(&c->idempotency);
    json_decref(c->patch);
    job_fini(&c->rewrite.job);
    free(c);
}

/* -- what it becomes ------------------------------------------------------------------------
 */

static int wrong_state(const struct job *job, int code, const char *what, struct errinfo *e)
{
    const char *state = job_state_name(job->state);

    return err_fact(e, err_set(e, code, "the job is %s: %s", state, what), "state", state);
}

static int check_version(const struct http_req *rq, struct http_resp *rs, const struct job *job)
{
    const struct service *sv = common_service(rq);
    char etag[ETAG_SIZE];

    (void)common_etag(job->version, etag);
    if (!http_header(rq, "If-Match")) {
        if (!sv->require_if_match)
            return 0;
        return err_set(&rs->err, ERR_PRECONDITION_REQUIRED,
                       "say with If-Match which version of the job you mean");
    }
    if (http_match(rq, etag))
        return 0;
    http_problem_number(rs, "version", job->version);
    return err_set(&rs->err, ERR_PRECONDITION_FAILED, "the job is at version %lld",
                   (long long)job->version);
}

/* As if it were submitted again, but for its attempts. */
static int wait_again(const struct service *sv, usec_t now_us, struct job *job,
                      struct errinfo *e)
{
    const struct function *fn = NULL;

    if (job_next(job->state, JOB_EV_REQUEUE) < 0)
        return wrong_state(job, ERR_JOB_NOT_RETRYABLE,
                           "only one that has failed or was canceled can be tried again", e);
    if (job->function) {
        fn = function_find(sv->functions, job->function);
        if (!fn)
            return wrong_state(job, ERR_JOB_NOT_RETRYABLE, "there is no such function any more",
                               e);
    } else if (!sv->allow_commands) {
        return err_set(e, ERR_COMMANDS_DISABLED,
                       "jobs with a command need allow_commands: true in the server's "
                       "configuration");
    }
    job_patch_wait_again(job, fn, now_us);
    return 0;
}

static int work_out(const struct http_req *rq, struct http_resp *rs, struct change *c,
                    struct job *job)
{
    const struct service *sv = common_service(rq);
    const struct job_spec_rules rules = { .functions = sv->functions,
                                          .allow_commands = sv->allow_commands,
                                          .lenient = rq->lenient };
    usec_t now_us = clock_wall_us();
    int r;

    r = check_version(rq, rs, job);
    if (r == 0 && c->rewrite.requeue)
        r = wait_again(sv, now_us, job, &rs->err);
    else if (r == 0 && job_next(job->state, JOB_EV_DELAY) < 0)
        r = wrong_state(job, ERR_INVALID_STATE, "only one that waits can be changed", &rs->err);
    if (r < 0)
        return r;
    r = job_patch_apply(c->patch, &rules, now_us, job, &rs->faults, &rs->err);
    if (r < 0)
        return r;
    return common_may_submit(rq, job, &rs->err);
}

/* -- the request ----------------------------------------------------------------------------
 */

static int begin(struct http_req *rq, struct http_resp *rs);

/* On the engine thread: the job as it waits again. */
static void remember(const struct engine_request *request, struct idempotency_record *record)
{
    const struct rewrite_request *w = (const struct rewrite_request *)request;
    struct job job = w->job; /* borrows all that it owns */

    job.version = w->version + 1;
    job.updated_at_us = record->created_at_us;
    idempotency_remember_job(record, 202, &job);
}

/* What is remembered is the answer, so that it is the same when the request comes again. */
static int answer(const struct http_req *rq, struct http_resp *rs, struct change *c)
{
    AUTO_FINI(job) struct job job = { 0 };
    int r;

    if (c->rewrite.rq.idempotency)
        return idempotency_reply(&c->idempotency, rs);
    r = common_read_job(rq, c->id, &job, &rs->err);
    if (r < 0)
        return r;
    if (!c->rewrite.requeue)
        return common_reply_job(rs, 200, &job);
    common_set_job_path(rs, "Location", job.id);
    return common_reply_job(rs, 202, &job);
}

static int committed(struct http_req *rq, struct http_resp *rs)
{
    struct change *c = rq->state;
    int r = c->rewrite.rq.result;

    if (r == 0)
        idempotency_land(&c->idempotency);
    if (r == 0)
        return answer(rq, rs, c);
    if (r == ERR_PRECONDITION_FAILED && ++c->tries < TRIES_MAX)
        return begin(rq, rs);         /* with If-Match this finds that it is not met */
    if (r == ERR_PRECONDITION_FAILED) /* the client has asked for none */
        return err_set(&rs->err, ERR_AGAIN, "others change the job all the time");
    return common_outcome(rs, &c->rewrite.rq);
}

static int begin(struct http_req *rq, struct http_resp *rs)
{
    struct change *c = rq->state;
    struct rewrite_request *w = &c->rewrite;
    int r;

    job_fini(&w->job);
    w->job = (struct job){ 0 };
    r = common_read_job(rq, c->id, &w->job, &rs->err);
    if (r < 0)
        return r;
    w->version = w->job.version;
    r = work_out(rq, rs, c, &w->job);
    return r < 0 ? r : common_ask(rq, ENGINE_REWRITE, &w->rq, committed);
}

static int change(struct http_req *rq, struct http_resp *rs, bool requeue)
{
    struct change *c = mem_new0(sizeof *c);
    int r;

    rq->state = c;
    rq->state_free = change_free;
    c->rewrite.requeue = requeue;
    r = common_no_query(rq, rs);
    if (r == 0)
        r = common_job_id(rq, &c->id, &rs->err);
    if (r == 0)
        r = http_body_json(rq, &c->patch, &rs->err);
    if (r < 0)
        return r;
    if (!c->patch)
        c->patch = json_object();
    r = requeue ? idempotency_begin(&c->idempotency, rq, rs, c->patch, &c->rewrite.rq, remember)
                : 0;
    if (r == IDEMPOTENCY_REPLAYED)
        return idempotency_reply(&c->idempotency, rs);
    return r < 0 ? r : begin(rq, rs);
}

int h_change_job(struct http_req *rq, struct http_resp *rs)
{
    return change(rq, rs, false);
}

int h_retry_job(struct http_req *rq, struct http_resp *rs)
{
    return change(rq, rs, true);
}
