/* POST /v1/jobs:batchCancel, :batchRetry and :batchDelete: the same for many jobs, which are
 * named by their ids or by a filter. POST /v1/batches/{id}:retry is such a filter, too.
 *
 * Jobs that pass a filter are found page by page, from the latest on, and each page is given to
 * the engine before the next is read. Jobs that are submitted meanwhile come too late. */
#include "handlers/handlers.h"

#include <stdlib.h>

#include "base/mem.h"
#include "domain/json_text.h"
#include "handlers/batches.h"
#include "handlers/bulk_body.h"
#include "handlers/cancel_way.h"
#include "handlers/common.h"

#define PAGE_JOBS 500

struct bulk {
    struct bulk_request request;
    json_t *json; /* the body: texts in `body` are its */
    struct bulk_body body;
    struct store_position from; /* where the next page starts */
    size_t matched, changed;
    bool by_ids;
    bool of_batch; /* of body.filter.batch, as it is wanted back */
};

static void bulk_free(void *state)
{
    struct bulk *b = state;

    bulk_body_fini(&b->body);
    json_decref(b->json);
    free(b);
}

/* -- the answer -----------------------------------------------------------------------------
 */

static json_t *encode_item(const struct bulk_item *item)
{
    char id[UUID7_TEXT_SIZE];
    json_t *json = json_pack("{s:s, s:s}", "id", uuid7_format(item->id, id), "outcome",
                             item->changed ? "changed" : "unchanged");

    if (item->has_state)
        (void)json_object_set_new(json, "state", json_string(job_state_name(item->state)));
    if (item->code < 0)
        (void)json_object_set_new(json, "code", json_string(err_meta(item->code)->slug));
    return json;
}

static int answer(const struct bulk *b, struct http_resp *rs)
{
    json_t *json = json_pack("{s:I, s:I, s:I, s:b}", "matched", (json_int_t)b->matched,
                             "changed", (json_int_t)b->changed, "unchanged",
                             (json_int_t)(b->matched - b->changed), "dry_run", b->body.dry_run);
    json_t *items;

    if (b->by_ids) {
        items = json_array();
        for (size_t i = 0; i < b->body.count; i++)
            (void)json_array_append_new(items, encode_item(&b->body.items[i]));
        (void)json_object_set_new(json, "items", items);
    }
    return http_reply_json(rs, 200, json);
}

/* The batch, whose members that have failed wait again, as far as they could. */
static int answer_batch(const struct http_req *rq, struct http_resp *rs, const struct bulk *b)
{
    bool changed = b->changed > 0;

    return batches_reply_now(rq, rs, changed ? 202 : 200, b->body.filter.batch, changed);
}

/* -- the work -------------------------------------------------------------------------------
 */

static int go_on(struct http_req *rq, struct http_resp *rs);

static int committed(struct http_req *rq, struct http_resp *rs)
{
    struct bulk *b = rq->state;
    const struct bulk_request *request = &b->request;
    int r = common_outcome(rs, &request->rq);

    if (r < 0)
        return r;
    for (size_t i = 0; i < request->count; i++) {
        b->matched += request->items[i].found;
        b->changed += request->items[i].changed;
    }
    if (!b->by_ids && b->from.key != 0)
        return go_on(rq, rs);
    return b->of_batch ? answer_batch(rq, rs, b) : answer(b, rs);
}

static int start(struct http_req *rq, struct bulk *b)
{
    struct bulk_request *request = &b->request;

    request->dry_run = b->body.dry_run;
    request->way = b->body.way;
    request->allow_commands = common_service(rq)->allow_commands;
    request->principal = rq->principal;
    request->items = b->body.items;
    request->count = b->body.count;
    request->done = 0;
    return common_ask(rq, ENGINE_BULK, &request->rq, committed);
}

/* The next page of those that pass the filter. */
static int read_page(const struct http_req *rq, struct http_resp *rs, struct bulk *b)
{
    AUTO_FINI(borrow) struct borrow borrow = { 0 };
    AUTO_FINI(store_page) struct store_page page = { 0 };
    const struct store_query query = { .filter = b->body.filter,
                                       .limit = PAGE_JOBS,
                                       .from = b->from };
    int r;

    r = borrow_get(&borrow, common_service(rq), rq->principal->tenant, &rs->err);
    if (r == 0)
        r = store_read_jobs(borrow.reader, &query, &page, &rs->err);
    if (r < 0)
        return r;
    b->from = page.next;
    free(b->body.items);
    b->body.items = mem_array0(page.count + 1, sizeof *b->body.items);
    b->body.count = page.count;
    for (size_t i = 0; i < page.count; i++)
        b->body.items[i].id = page.items[i].id;
    return 0;
}

static int go_on(struct http_req *rq, struct http_resp *rs)
{
    struct bulk *b = rq->state;
    int r;

    r = read_page(rq, rs, b);
    return r < 0 ? r : start(rq, b);
}

static int run(struct http_req *rq, struct http_resp *rs, enum bulk_change change)
{
    struct bulk *b = mem_new0(sizeof *b);
    int r;

    rq->state = b;
    rq->state_free = bulk_free;
    b->request.change = change;
    r = common_no_query(rq, rs);
    if (r == 0)
        r = http_body_json(rq, &b->json, &rs->err);
    if (r == 0)
        r = bulk_body_decode(&b->body, b->json, change, rq, rs);
    if (r < 0)
        return r;
    b->by_ids = b->body.items != NULL;
    return b->by_ids ? start(rq, b) : go_on(rq, rs);
}

int h_batch_cancel_jobs(struct http_req *rq, struct http_resp *rs)
{
    return run(rq, rs, BULK_CANCEL);
}

int h_batch_retry_jobs(struct http_req *rq, struct http_resp *rs)
{
    return run(rq, rs, BULK_RETRY);
}

int h_batch_delete_jobs(struct http_req *rq, struct http_resp *rs)
{
    return run(rq, rs, BULK_DELETE);
}

int h_retry_batch(struct http_req *rq, struct http_resp *rs)
{
    struct bulk *b = mem_new0(sizeof *b);
    AUTO_FINI(batch) struct batch batch = { 0 };
    int r;

    rq->state = b;
    rq->state_free = bulk_free;
    cancel_way_init(&b->body.way);
    b->request.change = BULK_RETRY;
    b->of_batch = true;
    r = common_no_query(rq, rs);
    if (r == 0)
        r = batches_id(rq, &b->body.filter.batch, &rs->err);
    if (r == 0)
        r = batches_read(rq, b->body.filter.batch, &batch, &rs->err);
    b->body.filter.tenant = rq->principal->tenant;
    b->body.filter.states = 1U << JOB_FAILED;
    return r < 0 ? r : go_on(rq, rs);
}
