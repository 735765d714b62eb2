/* POST /v1/batches/{id}:close (closeBatch) and :cancel (cancelBatch). */
#include <stdlib.h>

#include "base/mem.h"
#include "domain/json_text.h"
#include "handlers/batch_body.h"
#include "handlers/batches.h"
#include "handlers/handlers.h"

static void request_free(void *state)
{
    struct batch_change_request *request = state;

    free(request->reason);
    free(request);
}

/* What the batch is now decides, which may be an end that came after the engine's answer. */
static int committed(struct http_req *rq, struct http_resp *rs)
{
    const struct batch_change_request *request = rq->state;
    AUTO_FINI(batch) struct batch b = { 0 };
    bool ended;
    int r;

    r = common_outcome(rs, &request->rq);
    if (r < 0)
        return r;
    r = batches_read(rq, request->id, &b, &rs->err);
    if (r < 0)
        return r;
    ended = request->change == BATCH_CLOSE || batch_state_is_final(b.state);
    return batches_reply(rs, ended ? 200 : 202, &b, !ended);
}

static int change(struct http_req *rq, struct http_resp *rs, enum batch_change what)
{
    struct batch_change_request *request = mem_new0(sizeof *request);
    AUTO(json) json_t *body = NULL;
    int r;

    rq->state = request;
    rq->state_free = request_free;
    request->change = what;
    r = common_no_query(rq, rs);
    if (r == 0)
        r = batches_id(rq, &request->id, &rs->err);
    if (r == 0 && what == BATCH_CANCEL)
        r = http_body_json(rq, &body, &rs->err);
    if (r == 0)
        r = batch_body_decode_reason(rq, rs, body, &request->reason);
    return r < 0 ? r : common_ask(rq, ENGINE_BATCH_CHANGE, &request->rq, committed);
}

int h_close_batch(struct http_req *rq, struct http_resp *rs)
{
    return change(rq, rs, BATCH_CLOSE);
}

int h_cancel_batch(struct http_req *rq, struct http_resp *rs)
{
    return change(rq, rs, BATCH_CANCEL);
}
