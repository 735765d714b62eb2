/* POST /v1/batches/{id}:close (closeBatch) and :cancel (cancelBatch), and DELETE
 * /v1/batches/{id} (deleteBatch), which is a cancel, too, or removes it. */
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
    if (request->removed)
        return http_reply_empty(rs, 204);
    r = batches_read(rq, request->id, &b, &rs->err);
    if (r < 0)
        return r;
    ended = request->change == BATCH_CLOSE || batch_state_is_final(b.state);
    return batches_reply(rs, ended ? 200 : 202, &b, !ended);
}

static int change(struct http_req *rq, struct http_resp *rs, enum batch_change what,
                  bool has_body)
{
    struct batch_change_request *request = mem_new0(sizeof *request);
    AUTO(json) json_t *body = NULL;
    int r;

    rq->state = request;
    rq->state_free = request_free;
    request->change = what;
    r = batches_id(rq, &request->id, &rs->err);
    if (r == 0 && has_body)
        r = http_body_json(rq, &body, &rs->err);
    if (r == 0)
        r = batch_body_decode_reason(rq, rs, body, &request->reason);
    return r < 0 ? r : common_ask(rq, ENGINE_BATCH_CHANGE, &request->rq, committed);
}

int h_close_batch(struct http_req *rq, struct http_resp *rs)
{
    int r = common_no_query(rq, rs);

    return r < 0 ? r : change(rq, rs, BATCH_CLOSE, false);
}

int h_cancel_batch(struct http_req *rq, struct http_resp *rs)
{
    int r = common_no_query(rq, rs);

    return r < 0 ? r : change(rq, rs, BATCH_CANCEL, true);
}

int h_delete_batch(struct http_req *rq, struct http_resp *rs)
{
    static const char *const known[] = { "purge", NULL };
    bool purges = false;
    int r;

    r = common_allow(rq, rs, known);
    if (r == 0)
        r = common_bool(rq, rs, "purge", &purges);
    return r < 0 ? r : change(rq, rs, purges ? BATCH_REMOVE : BATCH_CANCEL, false);
}
