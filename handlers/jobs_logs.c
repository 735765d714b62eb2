/* GET /v1/jobs/{id}/logs/{stream} (getJobLog): what the last attempt wrote, as far as it is. */
#include "handlers/handlers.h"

#include <inttypes.h>
#include <stdio.h>

#include "handlers/common.h"
#include "handlers/output.h"

/* Where the log is complete, this names its bytes; while it grows nothing does. */
static const char *etag_of(const struct job *job, const struct kept_output *o,
                           char room[ETAG_SIZE])
{
    if (!o->complete)
        return NULL;
    (void)snprintf(room, ETAG_SIZE, "\"o%d-%" PRIu64 "\"", job->attempt, o->bytes);
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

static int answer(const struct http_req *rq, struct http_resp *rs, const struct job *job,
                  struct kept_output *o)
{
    char room[ETAG_SIZE];
    const char *etag = etag_of(job, o, room);
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

int h_get_job_log(struct http_req *rq, struct http_resp *rs)
{
    AUTO_FINI(borrow) struct borrow b = { 0 };
    AUTO_FINI(job) struct job job = { 0 };
    AUTO_FINI(kept_output) struct kept_output o = { .file = { .fd = -1 } };
    struct uuid7 id;
    int stream;
    int r;

    r = common_no_query(rq, rs);
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
    r = kept_output_read(common_service(rq), b.reader, &job, job.attempt, (enum stream)stream,
                         &o, &rs->err);
    if (r == ERR_NOT_FOUND)
        return err_set(&rs->err, ERR_LOG_NOT_FOUND, "the file that held it is gone");
    if (r < 0)
        return r;
    return answer(rq, rs, &job, &o);
}
