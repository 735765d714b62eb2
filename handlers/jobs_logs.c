/* GET /v1/jobs/{id}/logs/{stream} (getJobLog): what an attempt wrote, as far as it is; with
 * `follow` also what it is going to write, with `wait` once it has ended.
 *
 * Once the attempt has ended the log is a representation like any other: it has an ETag, and
 * ranges are of its bytes, the lines that tell of gaps included. While it runs, and for a
 * follower, ranges are of what the program has written: that does not change when the middle
 * is dropped later.
 */
#include "handlers/handlers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "handlers/common.h"
#include "handlers/follow.h"
#include "handlers/output.h"
#include "handlers/representation.h"
#include "handlers/waiting.h"

#define CONTENT_TYPE   "text/plain; charset=utf-8"
#define TAIL_LINES_MAX 1000000
/* "Very large" in the sense of RFC 8673: the last byte of a range that still grows. */
#define LAST_UNKNOWN UINT64_C(9007199254740991)

struct wish {
    struct uuid7 id;
    enum stream stream;
    int attempt;        /* 0: the last one */
    int64_t tail_lines; /* 0: all */
    bool follow;
    struct waiting waiting;
};

/* -- what is asked for -----------------------------------------------------------------------
 */

static int read_follow(const struct http_req *rq, struct http_resp *rs, bool *ret_follow)
{
    const char *text;
    int r;

    r = common_single(rq, rs, "follow", &text);
    if (r < 0 || !text)
        return r;
    *ret_follow = text_equal(text, "true");
    if (!*ret_follow && !text_equal(text, "false"))
        return common_bad_parameter(rs, "follow", "unknown-value", "must be true or false");
    return 0;
}

static int read_wish(const struct http_req *rq, struct http_resp *rs, struct wish *w)
{
    static const char *const known[] = { "attempt", "follow", "tail_lines", "wait", NULL };
    int64_t attempt = 0;
    int stream;
    int r;

    r = common_allow(rq, rs, known);
    if (r < 0)
        return r;
    r = common_job_id(rq, &w->id, &rs->err);
    if (r < 0)
        return r;
    stream = stream_parse(http_param(rq, "stream"));
    if (stream < 0)
        return err_set(&rs->err, ERR_LOG_NOT_FOUND, "the streams are stdout and stderr");
    w->stream = (enum stream)stream;
    r = common_number(rq, rs, "attempt", INT32_MAX, &attempt);
    if (r < 0)
        return r;
    w->attempt = (int)attempt;
    r = common_number(rq, rs, "tail_lines", TAIL_LINES_MAX, &w->tail_lines);
    if (r < 0)
        return r;
    r = read_follow(rq, rs, &w->follow);
    if (r < 0)
        return r;
    return waiting_parse(&w->waiting, rq, rs);
}

/* -- a log that has ended, or what is there of one that has not -------------------------------
 */

static int refuse_range(struct http_resp *rs, uint64_t bytes)
{
    http_set_header(rs, "Content-Range", "bytes */%" PRIu64, bytes);
    return err_set(&rs->err, ERR_RANGE, "there are %" PRIu64 " bytes", bytes);
}

static void describe(struct http_resp *rs, const struct kept_output *o)
{
    http_set_header(rs, "Accept-Ranges", "%s", "bytes");
    if (kept_output_truncated(o))
        http_set_header(rs, "X-Log-Truncated", "%s", "true");
}

/* Of what the program has written, the middle may be gone: what is there of the range is sent,
 * and Content-Range tells. */
static bool clip_range(const struct kept_output *o, struct http_range *range)
{
    uint64_t end = range->offset + range->len;

    if (range->offset >= o->head && range->offset < o->tail_at)
        range->offset = o->tail_at;
    else if (range->offset < o->head && end > o->head && o->tail_at > o->head)
        end = o->head;
    if (range->offset >= end)
        return false;
    range->len = end - range->offset;
    return true;
}

static int digest_output(void *ctx, char ret_field[SHA256_FIELD_SIZE], struct errinfo *e)
{
    return kept_output_digest(ctx, ret_field, e);
}

/* What has ended does not change any more. */
static int reply_ended(const struct http_req *rq, struct http_resp *rs, const struct wish *w,
                       struct kept_output *o)
{
    struct representation what = { .bytes = o->bytes, .digest = digest_output, .ctx = o };
    struct representation_part part;
    char etag[ETAG_SIZE];
    int r;

    (void)snprintf(etag, sizeof etag, "\"o%d-%" PRIu64 "\"", w->attempt, o->bytes);
    if (representation_known(rq, rs, etag))
        return http_reply_empty(rs, 304);
    describe(rs, o);
    what.etag = etag;
    r = representation_part(rq, rs, &what, &part);
    if (r < 0)
        return r;
    return kept_output_reply(o, rs, part.status, CONTENT_TYPE, part.offset, part.len);
}

/* While it grows nothing names its bytes. */
static int reply_growing(const struct http_req *rq, struct http_resp *rs, const struct wish *w,
                         const struct job *job, struct kept_output *o)
{
    const struct follow_start all = { job, w->attempt, w->stream, 0, UINT64_MAX, false };
    struct http_range range;
    int r;

    describe(rs, o);
    r = http_range(rq, o->written, NULL, &range, &rs->err);
    if (r < 0 || (range.partial && !clip_range(o, &range)))
        return refuse_range(rs, o->written);
    if (range.partial)
        http_set_header(rs, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/*", range.offset,
                        range.offset + range.len - 1);
    else if (kept_output_truncated(o))
        return follow_reply(common_service(rq), rs, 200, CONTENT_TYPE, o, &all);
    return kept_output_reply(o, rs, range.partial ? 206 : 200, CONTENT_TYPE, range.offset,
                             range.len);
}

/* -- from some position on, and perhaps on ----------------------------------------------------
 */

/* The part that a follower has not seen. *ret_partial: it asked for one. */
static int resume_at(const struct http_req *rq, struct http_resp *rs,
                     const struct kept_output *o, struct follow_start *s, bool *ret_partial)
{
    struct http_range range;
    int r;

    r = http_range(rq, LAST_UNKNOWN + 1, NULL, &range, &rs->err);
    if (r < 0)
        return refuse_range(rs, o->written);
    *ret_partial = range.partial && range.offset <= LAST_UNKNOWN / 2; /* else the last bytes */
    if (!*ret_partial)
        return 0;
    if (range.offset > o->total)
        return refuse_range(rs, o->total);
    s->from = range.offset;
    if (range.offset + range.len <= LAST_UNKNOWN)
        s->until = range.offset + range.len;
    http_set_header(rs, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/*", range.offset,
                    range.offset + range.len - 1);
    return 0;
}

static int reply_from(const struct http_req *rq, struct http_resp *rs, const struct wish *w,
                      const struct job *job, struct kept_output *o)
{
    struct follow_start s = { job, w->attempt, w->stream, 0, UINT64_MAX, w->follow };
    bool partial = false;
    int r;

    describe(rs, o);
    if (w->tail_lines > 0)
        r = kept_output_last_lines(o, (uint64_t)w->tail_lines, &s.from, &rs->err);
    else
        r = resume_at(rq, rs, o, &s, &partial);
    if (r < 0)
        return r;
    http_set_header(rs, "X-Log-Offset", "%" PRIu64, s.from);
    http_set_header(rs, "X-Accel-Buffering", "%s", "no"); /* asks nginx to pass it on at once */
    return follow_reply(common_service(rq), rs, partial ? 206 : 200, CONTENT_TYPE, o, &s);
}

/* --------------------------------------------------------------------------------------------
 */

static int read_output(const struct http_req *rq, struct http_resp *rs, struct wish *w,
                       struct job *job, struct kept_output *o)
{
    AUTO_FINI(borrow) struct borrow b = { 0 };
    int r;

    r = borrow_get(&b, common_service(rq), rq->principal->tenant, &rs->err);
    if (r < 0)
        return r;
    r = store_read_job(b.reader, w->id, 0, job, &rs->err);
    if (r < 0)
        return r;
    if (w->attempt > job->attempt)
        return err_set(&rs->err, ERR_LOG_NOT_FOUND, "there is no attempt %d yet", w->attempt);
    if (w->attempt == 0)
        w->attempt = job->attempt;
    r = kept_output_read(common_service(rq), b.reader, job, w->attempt, w->stream, o, &rs->err);
    if (r == ERR_NOT_FOUND)
        return err_set(&rs->err, ERR_LOG_NOT_FOUND, "the file that held it is gone");
    return r;
}

/* At first, and after each wake: with `wait` until the attempt has ended. Whoever follows needs
 * not wait for it. */
static int fetch(struct http_req *rq, struct http_resp *rs)
{
    struct wish *w = rq->state;
    struct wish now = *w; /* the last attempt may be another one at each call */
    AUTO_FINI(job) struct job job = { 0 };
    AUTO_FINI(kept_output) struct kept_output o = { .file = { .fd = -1 } };
    int r;

    rq->next = fetch;
    r = w->follow ? 0 : waiting_arm(&w->waiting, rq, w->id, true, &rs->err);
    if (r < 0)
        return r;
    r = read_output(rq, rs, &now, &job, &o);
    if (waiting_goes_on(&w->waiting, r < 0 || o.complete))
        return HTTP_PENDING;
    if (r < 0)
        return r;
    waiting_set_applied(&w->waiting, rs);
    if (w->follow || w->tail_lines > 0)
        return reply_from(rq, rs, &now, &job, &o);
    if (o.complete)
        return reply_ended(rq, rs, &now, &o);
    return reply_growing(rq, rs, &now, &job, &o);
}

int h_get_job_log(struct http_req *rq, struct http_resp *rs)
{
    struct wish w = { 0 };
    int r;

    r = read_wish(rq, rs, &w);
    if (r < 0)
        return r;
    rq->state = mem_dup(&w, sizeof w);
    rq->state_free = free;
    return fetch(rq, rs);
}
