/* GET /v1/batches/{id}/errors (listBatchErrors) and GET /v1/errors (listErrors): failures by
 * their kind, the most frequent first. There are few kinds, so that each list is one page. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "domain/function.h"
#include "domain/json_put.h"
#include "handlers/batches.h"
#include "handlers/handlers.h"
#include "handlers/listing.h"
#include "store/store_batch.h"

static void put_ids(struct json_put *w, const struct failure_group *g)
{
    char id[UUID7_TEXT_SIZE];

    json_put_text(w, "first_job_id", uuid7_format(g->samples[0], id));
    json_put_text(w, "last_job_id", uuid7_format(g->last_job, id));
    json_put_begin_array(w, "sample_job_ids");
    for (size_t i = 0; i < g->sample_count; i++)
        json_put_text(w, NULL, uuid7_format(g->samples[i], id));
    json_put_end_array(w);
}

static json_t *encode(const struct failure_group *g)
{
    AUTO_FINI(buf) struct buf out = { 0 };
    struct json_put w = { .out = &out };
    char fingerprint[FINGERPRINT_TEXT_SIZE];
    bool other = g->fingerprint == FINGERPRINT_OTHER;

    json_put_begin(&w, NULL);
    json_put_text(&w, "fingerprint", fingerprint_format(g->fingerprint, fingerprint));
    if (!other)
        json_put_text(&w, "reason", cause_meta(g->cause)->slug);
    if (!other && g->exit_code >= 0 && g->cause == CAUSE_EXIT_CODE)
        json_put_integer(&w, "exit_code", g->exit_code);
    if (g->signal > 0)
        json_put_integer(&w, "signal", g->signal);
    json_put_text(&w, "message", g->message);
    json_put_integer(&w, "count", g->count);
    json_put_time(&w, "first_seen_at", g->first_seen_at_us);
    json_put_time(&w, "last_seen_at", g->last_seen_at_us);
    put_ids(&w, g);
    json_put_text(&w, "function", g->function);
    if (!other)
        json_put_text(&w, "queue", g->queue);
    json_put_end(&w);
    return json_put_parse(&w);
}

/* Of all that pass, as many as the page takes. */
static int reply(struct listing *l, const struct http_req *rq, struct http_resp *rs,
                 struct store_failure_filter *filter)
{
    AUTO_FINI(store_failures) struct store_failures failures = { 0 };
    AUTO_FINI(borrow) struct borrow b = { 0 };
    json_t *items;
    int r;

    filter->tenant = rq->principal->tenant;
    filter->limit = BATCH_ERRORS_MAX + 1;
    r = borrow_get(&b, common_service(rq), filter->tenant, &rs->err);
    if (r == 0)
        r = store_read_failures(b.reader, filter, &failures, &rs->err);
    if (r < 0)
        return r;
    items = json_array();
    for (size_t i = 0; i < failures.count; i++)
        (void)json_array_append_new(items, encode(&failures.items[i]));
    return listing_reply_whole(l, rq, rs, items);
}

int h_list_batch_errors(struct http_req *rq, struct http_resp *rs)
{
    static const char *const known[] = { LISTING_PARAMETERS, NULL };
    AUTO(mem) char *path = NULL;
    AUTO_FINI(listing) struct listing l = { .of = FIELDS_ERROR_GROUP };
    AUTO_FINI(batch) struct batch b = { 0 };
    struct store_failure_filter filter = { 0 };
    char id[UUID7_TEXT_SIZE];
    int r;

    r = common_allow(rq, rs, known);
    if (r == 0)
        r = batches_id(rq, &filter.batch, &rs->err);
    if (r < 0)
        return r;
    path = mem_printf("/v1/batches/%s/errors", uuid7_format(filter.batch, id));
    l.path = path;
    r = batches_read(rq, filter.batch, &b, &rs->err);
    if (r == 0)
        r = listing_decode(&l, rq, rs);
    return r < 0 ? r : reply(&l, rq, rs, &filter);
}

static int decode_token(const struct http_req *rq, struct http_resp *rs, struct listing *l,
                        const char *name, size_t max, const char **ret_value)
{
    int r = common_single(rq, rs, name, ret_value);

    if (r < 0 || !*ret_value)
        return r;
    if (!text_is_token(*ret_value, max))
        return common_bad_parameter(rs, name, "invalid-name",
                                    "must have from 1 to %zu characters out of A-Z a-z 0-9 . _ "
                                    "-",
                                    max);
    listing_add(l, name, *ret_value);
    return 0;
}

static int decode_since(const struct http_req *rq, struct http_resp *rs, struct listing *l,
                        usec_t *ret_since_us)
{
    const char *text;
    int r = common_single(rq, rs, "since", &text);

    if (r < 0 || !text)
        return r;
    if (!clock_parse(text, ret_since_us))
        return common_bad_parameter(rs, "since", "invalid-time",
                                    "must be a time like 2026-11-23T09:12:33.120Z (RFC 3339)");
    listing_add(l, "since", text);
    return 0;
}

int h_list_errors(struct http_req *rq, struct http_resp *rs)
{
    static const char *const known[] = { "queue", "function", "since", LISTING_PARAMETERS,
                                         NULL };
    AUTO_FINI(listing)
    struct listing l = { .path = "/v1/errors", .of = FIELDS_ERROR_GROUP };
    struct store_failure_filter filter = { 0 };
    int r;

    r = common_allow(rq, rs, known);
    if (r == 0)
        r = decode_token(rq, rs, &l, "queue", JOB_QUEUE_MAX, &filter.queue);
    if (r == 0)
        r = decode_token(rq, rs, &l, "function", FUNCTION_NAME_MAX, &filter.function);
    if (r == 0)
        r = decode_since(rq, rs, &l, &filter.since_us);
    if (r == 0)
        r = listing_decode(&l, rq, rs);
    return r < 0 ? r : reply(&l, rq, rs, &filter);
}
