/* GET /v1/batches (listBatches), GET /v1/batches/{id} (getBatch), and what the others share. */
#include "handlers/batches.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "domain/batch_json.h"
#include "handlers/fields.h"
#include "handlers/handlers.h"
#include "handlers/listing.h"
#include "handlers/waiting.h"
#include "store/store_batch.h"

int batches_id(const struct http_req *rq, struct uuid7 *ret_id, struct errinfo *e)
{
    const char *text = http_param(rq, "id");

    if (uuid7_parse(text, ret_id))
        return 0;
    return err_set(e, ERR_BATCH_NOT_FOUND, "this is not the id of a batch");
}

int batches_read(const struct http_req *rq, struct uuid7 id, struct batch *ret_batch,
                 struct errinfo *e)
{
    AUTO_FINI(borrow) struct borrow borrow = { 0 };
    AUTO_FINI(batch) struct batch b = { 0 };
    int r;

    r = borrow_get(&borrow, common_service(rq), rq->principal->tenant, e);
    if (r == 0)
        r = store_read_batch(borrow.reader, id, &b, e);
    if (r < 0)
        return r;
    if (!text_equal(rq->principal->tenant, batch_tenant(&b)))
        return err_set(e, ERR_BATCH_NOT_FOUND, "there is no batch with this id");
    *ret_batch = b;
    b = (struct batch){ 0 };
    return 0;
}

/* -- answers --------------------------------------------------------------------------------
 */

static void describe(struct http_resp *rs, const struct batch *b)
{
    char etag[ETAG_SIZE];

    http_set_header(rs, "ETag", "%s", common_etag(b->version, etag));
    if (!batch_state_is_final(b->state))
        http_set_header(rs, "Retry-After", "%s", COMMON_RETRY_AFTER);
}

int batches_reply(struct http_resp *rs, int status, const struct batch *b, bool located)
{
    char id[UUID7_TEXT_SIZE];

    describe(rs, b);
    if (located)
        http_set_header(rs, "Location", "/v1/batches/%s", uuid7_format(b->id, id));
    return http_reply_json(rs, status, batch_encode(b));
}

int batches_reply_now(const struct http_req *rq, struct http_resp *rs, int status,
                      struct uuid7 id, bool located)
{
    AUTO_FINI(batch) struct batch b = { 0 };
    int r;

    r = batches_read(rq, id, &b, &rs->err);
    return r < 0 ? r : batches_reply(rs, status, &b, located);
}

/* -- one ------------------------------------------------------------------------------------
 */

struct looking {
    struct uuid7 id;
    bool conditional; /* there is If-None-Match */
    struct waiting waiting;
};

static int answer(const struct http_req *rq, struct http_resp *rs, const struct looking *l,
                  const struct batch *b)
{
    AUTO_FINI(fields) struct fields fields = { 0 };
    struct http_resp unused = { 0 };
    char etag[ETAG_SIZE];

    waiting_set_applied(&l->waiting, rs);
    if (l->conditional && http_none_match(rq, common_etag(b->version, etag))) {
        http_set_header(rs, "ETag", "%s", etag);
        return http_reply_empty(rs, 304);
    }
    (void)fields_decode(&fields, FIELDS_BATCH, rq, &unused); /* was done before */
    describe(rs, b);
    return http_reply_json(rs, 200, fields_project(&fields, batch_encode(b)));
}

/* At first, and after each wake: by a change, by the end of the time, or by jobd's drain. */
static int look(struct http_req *rq, struct http_resp *rs)
{
    struct looking *l = rq->state;
    AUTO_FINI(batch) struct batch b = { 0 };
    char etag[ETAG_SIZE];
    bool has_answer;
    int r;

    rq->next = look;
    r = waiting_arm(&l->waiting, rq, l->id, l->conditional, &rs->err);
    if (r < 0)
        return r;
    r = batches_read(rq, l->id, &b, &rs->err);
    has_answer = r < 0 || (l->conditional ? !http_none_match(rq, common_etag(b.version, etag))
                                          : batch_state_is_final(b.state));
    if (waiting_goes_on(&l->waiting, has_answer))
        return HTTP_PENDING;
    return r < 0 ? r : answer(rq, rs, l, &b);
}

int h_get_batch(struct http_req *rq, struct http_resp *rs)
{
    static const char *const known[] = { "wait", "fields", NULL };
    AUTO_FINI(fields) struct fields fields = { 0 };
    struct looking l = { .conditional = http_header(rq, "If-None-Match") != NULL };
    int r;

    r = common_allow(rq, rs, known);
    if (r == 0)
        r = batches_id(rq, &l.id, &rs->err);
    if (r == 0)
        r = waiting_parse(&l.waiting, rq, rs);
    if (r == 0)
        r = fields_decode(&fields, FIELDS_BATCH, rq, rs);
    if (r < 0)
        return r;
    rq->state = mem_dup(&l, sizeof l);
    rq->state_free = free;
    return look(rq, rs);
}

/* -- the list -------------------------------------------------------------------------------
 */

static int decode_states(const struct http_req *rq, struct http_resp *rs, unsigned *states)
{
    const char *text;
    int state;
    int r = common_single(rq, rs, "state", &text);

    if (r < 0 || !text)
        return r;
    state = batch_state_parse(text);
    if (state < 0)
        return common_bad_parameter(rs, "state", "unknown-value",
                                    "must be open, running, succeeded, failed or canceled");
    *states = 1U << state;
    return 0;
}

static int read_page(const struct http_req *rq, struct http_resp *rs,
                     const struct store_batch_filter *filter, struct store_batches *ret_page)
{
    AUTO_FINI(borrow) struct borrow b = { 0 };
    int r;

    r = borrow_get(&b, common_service(rq), rq->principal->tenant, &rs->err);
    return r < 0 ? r : store_read_batches(b.reader, filter, ret_page, &rs->err);
}

static int reply_page(struct listing *l, const struct http_req *rq, struct http_resp *rs,
                      const struct store_batches *page)
{
    uint64_t last = htobe64((uint64_t)page->next_before_key);
    json_t *items = json_array();

    for (size_t i = 0; i < page->count; i++)
        (void)json_array_append_new(items, batch_encode(&page->items[i]));
    return listing_reply(l, rq, rs, items, page->next_before_key > 0 ? &last : NULL,
                         sizeof last);
}

int h_list_batches(struct http_req *rq, struct http_resp *rs)
{
    static const char *const known[] = { "state", LISTING_PARAMETERS, NULL };
    AUTO_FINI(store_batches) struct store_batches page = { 0 };
    AUTO_FINI(listing) struct listing l = { .path = "/v1/batches", .of = FIELDS_BATCH };
    struct store_batch_filter filter = { .tenant = rq->principal->tenant };
    uint64_t position;
    int r;

    r = common_allow(rq, rs, known);
    if (r == 0)
        r = decode_states(rq, rs, &filter.states);
    if (r == 0)
        r = listing_decode(&l, rq, rs);
    if (r < 0)
        return r;
    if (filter.states)
        listing_add(&l, "state", http_query(rq, "state", 0));
    r = listing_cursor(&l, rq, rs, &position, sizeof position);
    if (r < 0)
        return r;
    filter.before_key = r > 0 ? (int64_t)be64toh(position) : 0;
    filter.limit = l.limit;
    r = read_page(rq, rs, &filter, &page);
    return r < 0 ? r : reply_page(&l, rq, rs, &page);
}
