/* GET /v1/jobs (listJobs) and GET /v1/batches/{id}/jobs (listBatchJobs): jobs that match, a
 * page at a time. */
#include "handlers/handlers.h"

#include <endian.h>

#include "base/mem.h"
#include "base/text.h"
#include "handlers/batches.h"
#include "handlers/common.h"
#include "handlers/job_filter.h"
#include "handlers/job_view.h"
#include "handlers/listing.h"

struct asked {
    struct job_filter jf;
    struct listing listing;
    struct store_query query;
    enum job_view view;
};

static void asked_fini(struct asked *a)
{
    job_filter_fini(&a->jf);
    listing_fini(&a->listing);
}
DEFINE_AUTO_FINI(asked, struct asked)

/* -- what is asked for ----------------------------------------------------------------------
 */

static const char *const sort_names[STORE_SORT_MAX_] = {
    [STORE_BY_CREATED] = "created_at",   [STORE_BY_PRIORITY] = "priority",
    [STORE_BY_QUEUED] = "queued_at",     [STORE_BY_STARTED] = "started_at",
    [STORE_BY_FINISHED] = "finished_at", [STORE_BY_UPDATED] = "updated_at",
};

/* A field's name, with "-" before it: the latest or highest first. */
static int decode_sort(const struct http_req *rq, struct http_resp *rs, struct store_query *q)
{
    const char *name;
    const char *text;
    int r = common_single(rq, rs, "sort", &text);

    if (r < 0 || !text)
        return r;
    name = *text == '-' ? text + 1 : text;
    for (int i = 0; i < STORE_SORT_MAX_; i++)
        if (text_equal(name, sort_names[i])) {
            q->sort = (enum store_sort)i;
            q->ascending = *text != '-';
            return 0;
        }
    return common_bad_parameter(rs, "sort", "unknown-value",
                                "\"%.40s\" is not one of created_at, priority, queued_at, "
                                "started_at, finished_at and updated_at, with or without -",
                                text);
}

/* Everything that is given, in one spelling. */
static void describe(struct asked *a, const struct http_req *rq)
{
    const char *sort = http_query(rq, "sort", 0);

    job_filter_add(&a->jf, rq, &a->listing);
    if (sort && !text_equal(sort, "-created_at"))
        listing_add(&a->listing, "sort", sort);
    if (http_query(rq, "view", 0))
        listing_shape(&a->listing, "view", job_view_name(a->view));
}

static int decode_position(struct asked *a, const struct http_req *rq, struct http_resp *rs)
{
    uint64_t position[2];
    int r;

    r = listing_cursor(&a->listing, rq, rs, position, sizeof position);
    if (r <= 0)
        return r;
    a->query.from = (struct store_position){ .value = (int64_t)be64toh(position[0]),
                                             .key = (int64_t)be64toh(position[1]) };
    return 0;
}

/* Every fault at once, but for the cursor's; the code of the first is returned. */
static int decode(struct asked *a, const struct http_req *rq, struct http_resp *rs)
{
    static const char *const known[] = { JOB_FILTER_PARAMETERS, "sort", "view",
                                         LISTING_PARAMETERS, NULL };
    int results[4];
    int r;

    r = common_allow(rq, rs, known);
    if (r < 0)
        return r;
    /* Picked members are of the whole job, unless a view says otherwise. */
    a->view = http_query(rq, "fields", 0) ? JOB_VIEW_FULL : JOB_VIEW_BASIC;
    results[0] = job_filter_decode(&a->jf, rq, rs);
    results[1] = decode_sort(rq, rs, &a->query);
    results[2] = job_view_decode(rq, rs, &a->view);
    results[3] = listing_decode(&a->listing, rq, rs);
    for (size_t i = 0; i < COUNT_OF(results); i++)
        if (results[i] < 0)
            return results[i];
    a->query.filter = a->jf.filter;
    a->query.limit = a->listing.limit;
    describe(a, rq);
    return decode_position(a, rq, rs);
}

/* -- the answer -----------------------------------------------------------------------------
 */

static int read(struct asked *a, const struct http_req *rq, struct http_resp *rs,
                struct store_page *ret_page)
{
    AUTO_FINI(borrow) struct borrow b = { 0 };
    int64_t count;
    bool exact;
    int r;

    r = borrow_get(&b, common_service(rq), rq->principal->tenant, &rs->err);
    if (r < 0)
        return r;
    r = store_read_jobs(b.reader, &a->query, ret_page, &rs->err);
    if (r == ERR_SORT_TOO_LARGE)
        faults_add(&rs->faults, "?sort", "too-many",
                   "%s; narrow them down by created_after, created_before, label, name or a "
                   "state other than succeeded",
                   rs->err.text);
    for (size_t i = 0; r == 0 && i < ret_page->count; i++)
        job_set_expiry(&ret_page->items[i], common_service(rq)->retention_us);
    if (r < 0 || !rq->total_count)
        return r;
    r = store_read_job_count(b.reader, &a->query.filter, &count, &exact, &rs->err);
    if (r == 0)
        listing_total(&a->listing, count, exact);
    return r;
}

/* As a text where nothing has to be picked. */
static int reply(struct asked *a, const struct http_req *rq, struct http_resp *rs,
                 const struct store_page *page, const void *last, size_t len)
{
    AUTO_FINI(buf) struct buf out = { 0 };
    struct json_put w = { .out = &out };
    json_t *items;

    if (a->listing.fields.count == 0) {
        json_put_begin_array(&w, NULL);
        for (size_t i = 0; i < page->count; i++)
            job_view_put(&w, &page->items[i], a->view);
        json_put_end_array(&w);
        return listing_reply_text(&a->listing, rq, rs, &out, last, len);
    }
    items = json_array();
    for (size_t i = 0; i < page->count; i++)
        (void)json_array_append_new(items, job_view_encode(&page->items[i], a->view));
    return listing_reply(&a->listing, rq, rs, items, last, len);
}

/* batch: whose members only; NULL: the client says which jobs. */
static int list(struct http_req *rq, struct http_resp *rs, const char *path,
                const struct uuid7 *batch)
{
    AUTO_FINI(store_page) struct store_page page = { 0 };
    AUTO_FINI(asked) struct asked a = { .listing = { .path = path, .of = FIELDS_JOB } };
    uint64_t last[2];
    int r;

    r = decode(&a, rq, rs);
    if (r < 0)
        return r;
    if (batch)
        a.query.filter.batch = *batch;
    r = read(&a, rq, rs, &page);
    if (r < 0)
        return r;
    last[0] = htobe64((uint64_t)page.next.value);
    last[1] = htobe64((uint64_t)page.next.key);
    return reply(&a, rq, rs, &page, page.next.key > 0 ? last : NULL, sizeof last);
}

int h_list_jobs(struct http_req *rq, struct http_resp *rs)
{
    return list(rq, rs, "/v1/jobs", NULL);
}

int h_list_batch_jobs(struct http_req *rq, struct http_resp *rs)
{
    AUTO(mem) char *path = NULL;
    AUTO_FINI(batch) struct batch b = { 0 };
    char text[UUID7_TEXT_SIZE];
    struct uuid7 id;
    int r;

    r = batches_id(rq, &id, &rs->err);
    if (r == 0)
        r = batches_read(rq, id, &b, &rs->err);
    if (r < 0)
        return r;
    path = mem_printf("/v1/batches/%s/jobs", uuid7_format(id, text));
    return list(rq, rs, path, &id);
}
