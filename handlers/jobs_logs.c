/* GET /v1/jobs/{id}/logs/{stream} (getJobLog): what an attempt wrote, as far as it is. */
#include "handlers/handlers.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "handlers/common.h"
#include "handlers/output.h"

/* Where the log is complete, this names its bytes; while it grows nothing does. */
static const char *etag_of(int attempt, const struct kept_output *o, char room[ETAG_SIZE])
{
    if (!o->complete)
        return NULL;
    (void)snprintf(room, ETAG_SIZE, "\"o%d-%" PRIu64 "\"", attempt, o->bytes);
    return room;
}

static void set_content_range(struct http_resp *rs, const struct http_range *range,
                              const struct kept_output *o)
{
    uint64_t last = range->offset + range->len - 1;

    if (o->complete)
        http_set_header(rs, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                        range->offset, last, o->bytes);
    else
        http_set_header(rs, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/*", range->offset,
                        last);
}

static int answer(const struct http_req *rq, struct http_resp *rs, int attempt,
                  struct kept_output *o)
{
    char room[ETAG_SIZE];
    const char *etag = etag_of(attempt, o, room);
    struct http_range range;
    int r;

    if (etag)
        http_set_header(rs, "ETag", "%s", etag);
    if (etag && http_none_match(rq, etag))
        return http_reply_empty(rs, 304);
    http_set_header(rs, "Accept-Ranges", "bytes");
    if (kept_output_truncated(o))
        http_set_header(rs, "X-Log-Truncated", "true");
    r = http_range(rq, o->bytes, etag, &range, &rs->err);
    if (r == ERR_RANGE)
        http_set_header(rs, "Content-Range", "bytes */%" PRIu64, o->bytes);
    if (r < 0)
        return r;
    if (range.partial)
        set_content_range(rs, &range, o);
    return kept_output_reply(o, rs, range.partial ? 206 : 200, "text/plain; charset=utf-8",
                             range.offset, range.len);
}

/* The attempt that was asked for; 0: the last one. */
static int attempt_of(const struct http_req *rq, struct http_resp *rs, int *ret_attempt)
{
    const char *text;
    int64_t number = 0;
    int r;

    r = common_single(rq, rs, "attempt", &text);
    if (r < 0)
        return r;
    if (text && !text_to_i64(text, 1, INT32_MAX, &number))
        return common_bad_parameter(rs, "attempt", "out-of-range",
                                    "must be a whole number from 1 to 2147483647");
    *ret_attempt = (int)number;
    return 0;
}

int h_get_job_log(struct http_req *rq, struct http_resp *rs)
{
    static const char *const known[] = { "attempt", NULL };
    AUTO_FINI(borrow) struct borrow b = { 0 };
    AUTO_FINI(job) struct job job = { 0 };
    AUTO_FINI(kept_output) struct kept_output o = { .file = { .fd = -1 } };
    struct uuid7 id;
    int attempt = 0;
    int stream;
    int r;

    r = common_allow(rq, rs, known);
    if (r < 0)
        return r;
    r = attempt_of(rq, rs, &attempt);
    if (r < 0)
        return r;
    r = common_job_id(rq, &id, &rs->err);
    if (r < 0)
        return r;
    stream = stream_parse(http_param(rq, "stream"));
    if (stream < 0)
        return err_set(&rs->err, ERR_LOG_NOT_FOUND, "the streams are stdout and stderr");
    r = borrow_get(&b, common_service(rq), &rs->err);
    if (r < 0)
        return r;
    r = store_read_job(b.reader, id, 0, &job, &rs->err);
    if (r < 0)
        return r;
    if (attempt > job.attempt)
        return err_set(&rs->err, ERR_LOG_NOT_FOUND, "there is no attempt %d", attempt);
    if (attempt == 0)
        attempt = job.attempt;
    r = kept_output_read(common_service(rq), b.reader, &job, attempt, (enum stream)stream, &o,
                         &rs->err);
    if (r == ERR_NOT_FOUND)
        return err_set(&rs->err, ERR_LOG_NOT_FOUND, "the file that held it is gone");
    if (r < 0)
        return r;
    return answer(rq, rs, attempt, &o);
}
