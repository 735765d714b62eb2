/* POST /v1/jobs (createJob): on disk, then 202; or 200 when a wait saw the job finish. */
#include "handlers/handlers.h"

#include <stdbool.h>

#include "domain/job_json.h"
#include "domain/json_text.h"
#include "engine/requests.h"
#include "handlers/common.h"
#include "handlers/creation.h"
#include "handlers/idempotency.h"
#include "handlers/submission.h"
#include "handlers/waiting.h"

struct creation {
    struct submit_request submit; /* first; submit.job: as inserted, then as last read */
    struct idempotency idempotency;
    struct waiting waiting;
    creation_document document; /* NULL: the body itself */
    bool told;                  /* submit.job is final, as the ledger has it */
};

static void creation_end(void *state)
{
    struct creation *c = state;

    idempotency_end(&c->idempotency);
    job_fini(&c->submit.job);
}

/* A request that was made before gets the answer of then, unless it waits for more. */
static int answer(struct creation *c, struct http_resp *rs)
{
    const struct job *job = &c->submit.job;
    bool final = job_state_is_final(job->state);
    bool is_there = final || c->submit.result.existing;

    waiting_set_applied(&c->waiting, rs);
    if (c->idempotency.replayed && !final)
        return idempotency_reply(&c->idempotency, rs);
    common_set_job_path(rs, "Location", job->id);
    if (is_there)
        common_set_job_path(rs, "Content-Location", job->id);
    idempotency_set_replayed(&c->idempotency, rs);
    return common_reply_job(rs, is_there ? 200 : 202, job);
}

/* Whether the job is final; when that cannot be read, waiting on is of no use either. */
static bool look(const struct http_req *rq, struct uuid7 id)
{
    AUTO_FINI(borrow) struct borrow b = { 0 };
    enum job_state state;
    int64_t version;

    if (borrow_get(&b, common_service(rq), rq->principal->tenant, NULL) < 0)
        return true;
    if (store_read_version(b.reader, id, &version, &state, NULL) < 0)
        return true;
    return job_state_is_final(state);
}

static void read_again(const struct http_req *rq, struct job *job)
{
    struct job now = { 0 };

    if (common_read_job(rq, job->id, &now, NULL) < 0)
        return;
    job_fini(job);
    *job = now;
}

/* After the commit, and after each wake. The job is accepted: whatever goes wrong with waiting
 * or reading from here on is no reason to answer with an error, which would invite the client
 * to submit it again. */
static int wait_for_end(struct http_req *rq, struct http_resp *rs)
{
    struct creation *c = rq->state;

    rq->next = wait_for_end;
    c->waiting.ended = NULL;
    if (waiting_arm(&c->waiting, rq, c->submit.job.id, false, NULL) < 0) {
        c->waiting.granted_seconds = 0; /* too many wait: the preference is not applied */
        return answer(c, rs);
    }
    if (waiting_goes_on(&c->waiting, look(rq, c->submit.job.id)))
        return HTTP_PENDING;
    read_again(rq, &c->submit.job);
    return answer(c, rs);
}

/* After the first wake: the job has ended most often, and is read once only, or not at all. */
static int woken(struct http_req *rq, struct http_resp *rs)
{
    struct creation *c = rq->state;

    if (c->told) {
        job_set_expiry(&c->submit.job, common_service(rq)->retention_us);
        return answer(c, rs);
    }
    read_again(rq, &c->submit.job);
    return job_state_is_final(c->submit.job.state) ? answer(c, rs) : wait_for_end(rq, rs);
}

static int committed(struct http_req *rq, struct http_resp *rs)
{
    struct creation *c = rq->state;

    if (c->submit.rq.result < 0) {
        if (c->submit.result.existing)
            http_problem_text(rs, "state", job_state_name(c->submit.result.existing_state));
        rs->err = c->submit.rq.err;
        return c->submit.rq.result;
    }
    if (c->waiting.armed)
        return woken(rq, rs);
    if (c->waiting.granted_seconds > 0)
        return wait_for_end(rq, rs);
    if (c->submit.result.existing)
        read_again(rq, &c->submit.job); /* with its outcome */
    return answer(c, rs);
}

/* On the engine thread, after the commit of its end. */
static void on_ended(struct waiter *waiter, const struct job_end *end)
{
    struct http_req *rq = waiter->ctx;
    struct creation *c = rq->state;

    c->told = job_end_apply(&c->submit.job, end);
    http_resume(rq);
}

/* On the engine thread, right after the commit, and before anybody is told what it did to jobs:
 * whoever waits for the end of a new job from now on need not look before, and is woken once
 * only. One that was there already may have ended long ago. */
static void on_done(struct engine_request *request)
{
    struct http_req *rq = request->ctx;
    struct creation *c = (struct creation *)request;

    idempotency_land(&c->idempotency);
    c->waiting.ended = on_ended;
    if (request->result == 0 && !c->submit.result.existing &&
        waiting_arm(&c->waiting, rq, c->submit.job.id, false, NULL) < 0)
        c->waiting.granted_seconds = 0; /* too many wait: the preference is not applied */
    if (!c->waiting.armed)
        http_resume(rq);
}

/* On the engine thread. */
static void remember(const struct engine_request *request, struct idempotency_record *record)
{
    const struct submit_request *submit = (const struct submit_request *)request;

    idempotency_remember_job(record, submit->result.existing ? 200 : 202, &submit->job);
}

/* The request has been made before: its job may have ended meanwhile. */
static int replay(struct http_req *rq, struct http_resp *rs)
{
    struct creation *c = rq->state;
    const char *location = c->idempotency.engine.record.location;

    if (c->waiting.granted_seconds > 0 && common_job_of_path(location, &c->submit.job.id))
        return wait_for_end(rq, rs);
    return answer(c, rs);
}

static int decode(const struct http_req *rq, struct http_resp *rs, const json_t *body,
                  struct job *ret_job)
{
    const struct creation *c = rq->state;
    AUTO(json) json_t *made = NULL;
    struct submission s;
    int r;

    if (c->document) {
        r = c->document(rq, body, &made, &rs->err);
        if (r < 0)
            return r;
    }
    submission_init(&s, rq);
    return submission_decode(&s, made ? made : body, ret_job, &rs->faults, &rs->err);
}

/* ?validate_only=true: the job that it would be, of which nothing is kept (AIP-163). */
static int preview(struct http_req *rq, struct http_resp *rs, const json_t *body)
{
    struct creation *c = rq->state;
    int r;

    r = decode(rq, rs, body, &c->submit.job);
    return r < 0 ? r : http_reply_json(rs, 200, job_encode_preview(&c->submit.job));
}

/* Submit what the body says, or find that it was submitted before. */
static int submit(struct http_req *rq, struct http_resp *rs, const json_t *body)
{
    struct creation *c = rq->state;
    int r;

    r = idempotency_begin(&c->idempotency, rq, rs, body ? body : json_null(), &c->submit.rq,
                          remember);
    if (r == IDEMPOTENCY_REPLAYED)
        return replay(rq, rs);
    if (r < 0)
        return r;
    r = decode(rq, rs, body, &c->submit.job);
    if (r < 0)
        return r;
    c->submit.rq.op = ENGINE_SUBMIT;
    c->submit.waits_for_end = c->waiting.granted_seconds > 0;
    c->submit.rq.done = on_done;
    c->submit.rq.ctx = rq;
    rq->next = committed;
    engine_request(common_service(rq)->engine, &c->submit.rq);
    return HTTP_PENDING;
}

int creation_run(struct http_req *rq, struct http_resp *rs, creation_document document)
{
    static const char *const parameters[] = { "validate_only", NULL };
    AUTO(json) json_t *body = NULL;
    bool validate_only = false;
    struct creation *c;
    int r;

    r = common_allow(rq, rs, parameters);
    if (r == 0)
        r = common_bool(rq, rs, "validate_only", &validate_only);
    if (r < 0)
        return r;
    c = http_state_new(rq, sizeof *c, creation_end);
    c->document = document;
    r = waiting_parse(&c->waiting, rq, rs);
    if (r < 0)
        return r;
    r = http_body_json(rq, &body, &rs->err);
    if (r < 0)
        return r;
    return validate_only ? preview(rq, rs, body) : submit(rq, rs, body);
}

int h_create_job(struct http_req *rq, struct http_resp *rs)
{
    return creation_run(rq, rs, NULL);
}
