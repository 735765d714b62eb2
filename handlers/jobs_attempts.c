/* GET /v1/jobs/{id}/attempts (listJobAttempts) and /v1/jobs/{id}/attempts/{number}
 * (getJobAttempt): every attempt that has ended, and the one that runs. */
#include "handlers/handlers.h"

#include "base/mem.h"
#include "base/text.h"
#include "domain/attempt_json.h"
#include "handlers/common.h"
#include "handlers/listing.h"

/* number: 0 for all. */
static int read_attempts(const struct http_req *rq, struct http_resp *rs, int number,
                         struct attempts *ret_attempts)
{
    AUTO_FINI(borrow) struct borrow b = { 0 };
    struct uuid7 id;
    int r;

    r = common_job_id(rq, &id, &rs->err);
    if (r < 0)
        return r;
    r = borrow_get(&b, common_service(rq), rq->principal->tenant, &rs->err);
    if (r < 0)
        return r;
    return store_read_attempts(b.reader, id, number, ret_attempts, &rs->err);
}

int h_list_job_attempts(struct http_req *rq, struct http_resp *rs)
{
    AUTO_FINI(attempts) struct attempts list = { 0 };
    AUTO(mem) char *path = common_job_subpath(rq, "/attempts");
    json_t *all;
    int r;

    r = read_attempts(rq, rs, 0, &list);
    if (r < 0)
        return r;
    all = json_array();
    for (size_t i = 0; i < list.count; i++)
        (void)json_array_append_new(all, attempt_encode(&list.items[i]));
    return listing_simple(path, FIELDS_ATTEMPT, rq, rs, all);
}

int h_get_job_attempt(struct http_req *rq, struct http_resp *rs)
{
    AUTO_FINI(attempts) struct attempts list = { 0 };
    int64_t number;
    int r;

    if (!text_to_i64(http_param(rq, "number"), 1, INT32_MAX, &number))
        return err_set(&rs->err, ERR_ATTEMPT_NOT_FOUND, "attempts are numbered from 1");
    r = common_no_query(rq, rs);
    if (r < 0)
        return r;
    r = read_attempts(rq, rs, (int)number, &list);
    if (r < 0)
        return r;
    if (list.count == 0)
        return err_set(&rs->err, ERR_ATTEMPT_NOT_FOUND,
                       "the job has no attempt %lld that has run", (long long)number);
    return http_reply_tagged(rq, rs, attempt_encode(&list.items[0]));
}
