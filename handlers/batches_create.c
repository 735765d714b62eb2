/* POST /v1/batches (createBatch) and POST /v1/batches/{id}/jobs (addBatchJobs). */
#include <stdlib.h>

#include "base/mem.h"
#include "domain/batch_json.h"
#include "domain/json_text.h"
#include "handlers/batch_body.h"
#include "handlers/batches.h"
#include "handlers/handlers.h"
#include "handlers/idempotency.h"

/* -- a new one ------------------------------------------------------------------------------
 */

struct creation {
    struct batch_create_request request;
    struct idempotency idempotency;
};

static void creation_free(void *state)
{
    struct creation *c = state;

    idempotency_end(&c->idempotency);
    batch_jobs_fini(&c->request.jobs);
    for (int i = 0; i < BATCH_SPEC_MAX_; i++)
        batch_job_fini(&c->request.specs[i]);
    batch_fini(&c->request.batch);
    free(c);
}

static int committed(struct http_req *rq, struct http_resp *rs)
{
    struct creation *c = rq->state;
    int r = common_outcome(rs, &c->request.rq);

    idempotency_land(&c->idempotency);
    return r < 0 ? r : batches_reply_now(rq, rs, 202, c->request.batch.id, true);
}

/* The batch as it is at the end of the turn that makes it. */
static struct batch as_created(const struct batch_create_request *request)
{
    struct batch b = request->batch; /* its texts are borrowed */

    b.version = 2; /* it is inserted, and settled in the same turn */
    for (size_t i = 0; i < request->jobs.count; i++)
        b.counts[request->jobs.items[i].state]++;
    (void)batch_settle(&b, b.created_at_us);
    return b;
}

/* On the engine thread: the answer, should the request come again. */
static void remember(const struct engine_request *request, struct idempotency_record *record)
{
    const struct batch b = as_created((const struct batch_create_request *)request);
    AUTO(json) json_t *json = batch_encode(&b);
    char id[UUID7_TEXT_SIZE];

    record->status = 202;
    record->location = mem_printf("/v1/batches/%s", uuid7_format(b.id, id));
    record->answer = json_text_dump(json, &record->answer_len);
}

int h_create_batch(struct http_req *rq, struct http_resp *rs)
{
    AUTO(json) json_t *body = NULL;
    struct creation *c;
    int r;

    r = common_no_query(rq, rs);
    if (r < 0)
        return r;
    c = mem_new0(sizeof *c);
    rq->state = c;
    rq->state_free = creation_free;
    r = http_body_json(rq, &body, &rs->err);
    if (r == 0)
        r = idempotency_begin(&c->idempotency, rq, rs, body ? body : json_null(),
                              &c->request.rq, remember);
    if (r == IDEMPOTENCY_REPLAYED)
        return idempotency_reply(&c->idempotency, rs);
    if (r == 0)
        r = batch_body_decode(rq, rs, body, &c->request);
    if (r < 0)
        return r;
    c->request.batch.tenant = mem_str(rq->principal->tenant);
    c->request.batch.created_by = mem_str_or_null(rq->principal->key_id);
    return common_ask(rq, ENGINE_BATCH_CREATE, &c->request.rq, committed);
}

/* -- further members ------------------------------------------------------------------------
 */

static void addition_free(void *state)
{
    struct batch_add_request *request = state;

    batch_jobs_fini(&request->jobs);
    free(request);
}

static int added(struct http_req *rq, struct http_resp *rs)
{
    const struct batch_add_request *request = rq->state;
    int r = common_outcome(rs, &request->rq);

    return r < 0 ? r : batches_reply_now(rq, rs, 202, request->id, true);
}

int h_add_batch_jobs(struct http_req *rq, struct http_resp *rs)
{
    struct batch_add_request *request = mem_new0(sizeof *request);
    AUTO(json) json_t *body = NULL;
    int r;

    rq->state = request;
    rq->state_free = addition_free;
    r = common_no_query(rq, rs);
    if (r == 0)
        r = batches_id(rq, &request->id, &rs->err);
    if (r == 0)
        r = http_body_json(rq, &body, &rs->err);
    if (r == 0)
        r = batch_body_decode_jobs(rq, rs, body, &request->jobs);
    return r < 0 ? r : common_ask(rq, ENGINE_BATCH_ADD, &request->rq, added);
}
