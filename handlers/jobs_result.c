/* GET /v1/jobs/{id}/result (getJobResult): what the job handed back, once it has finished. */
#include "handlers/handlers.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "handlers/common.h"
#include "handlers/output.h"
#include "handlers/representation.h"
#include "handlers/waiting.h"

struct fetching {
    struct uuid7 id;
    struct waiting waiting;
};

/* -- the result is JSON ----------------------------------------------------------------------
 */

struct text {
    char *bytes;
    size_t len;
};

static int digest_text(void *ctx, char ret_field[SHA256_FIELD_SIZE], struct errinfo *e)
{
    const struct text *text = ctx;
    unsigned char digest[SHA256_BYTES];

    (void)e;
    sha256_block(text->bytes, text->len, digest);
    (void)sha256_format(digest, ret_field);
    return 0;
}

static int reply_json(const struct http_req *rq, struct http_resp *rs, struct store_reader *rd,
                      const struct job *job, const char *etag)
{
    AUTO(mem) char *bytes = NULL;
    struct representation_part part;
    enum result_kind kind;
    struct text text;
    int r;

    r = store_read_result(rd, job->id, &kind, &bytes, &text.len, &rs->err);
    if (r < 0)
        return r;
    text.bytes = bytes;
    r = representation_part(
        rq, rs, &(struct representation){ etag, text.len, digest_text, &text }, &part);
    if (r < 0)
        return r;
    if (part.offset > 0)
        return http_reply_bytes(rs, part.status, "application/json",
                                mem_dup(bytes + part.offset, (size_t)part.len),
                                (size_t)part.len);
    return http_reply_bytes(rs, part.status, "application/json", TAKE(bytes), (size_t)part.len);
}

/* -- the result is what it wrote -------------------------------------------------------------
 */

static int digest_output(void *ctx, char ret_field[SHA256_FIELD_SIZE], struct errinfo *e)
{
    return kept_output_digest(ctx, ret_field, e);
}

static int reply_stdout(const struct http_req *rq, struct http_resp *rs,
                        struct store_reader *rd, const struct job *job, const char *etag)
{
    AUTO_FINI(kept_output) struct kept_output o = { .file = { .fd = -1 } };
    struct representation_part part;
    bool is_text;
    int r;

    r = kept_output_read(common_service(rq), rd, job, job->attempt, STREAM_STDOUT, &o,
                         &rs->err);
    if (r == ERR_NOT_FOUND)
        return err_set(&rs->err, ERR_NO_RESULT, "the file that held it is gone");
    if (r < 0)
        return r;
    r = kept_output_is_utf8(&o, &is_text, &rs->err);
    if (r < 0)
        return r;
    if (kept_output_truncated(&o))
        http_set_header(rs, "X-Log-Truncated", "%s", "true");
    r = representation_part(
        rq, rs, &(struct representation){ etag, o.bytes, digest_output, &o }, &part);
    if (r < 0)
        return r;
    return kept_output_reply(&o, rs, part.status,
                             is_text ? "text/plain; charset=utf-8" : "application/octet-stream",
                             part.offset, part.len);
}

/* --------------------------------------------------------------------------------------------
 */

static int not_ready(struct http_resp *rs, enum job_state state)
{
    http_set_header(rs, "Retry-After", "%s", COMMON_RETRY_AFTER);
    return err_set(&rs->err, ERR_RESULT_NOT_READY, "the job is %s", job_state_name(state));
}

static int answer(const struct http_req *rq, struct http_resp *rs, struct store_reader *rd,
                  const struct job *job)
{
    enum result_kind kind = job->has_outcome ? job->outcome.result_kind : RESULT_NONE;
    char etag[ETAG_SIZE];

    if (!job_state_is_final(job->state))
        return not_ready(rs, job->state);
    if (kind == RESULT_NONE)
        return err_set(&rs->err, ERR_NO_RESULT, "the job is %s", job_state_name(job->state));
    (void)snprintf(etag, sizeof etag, "\"r%d\"", job->attempt);
    if (representation_known(rq, rs, etag))
        return http_reply_empty(rs, 304);
    if (kind == RESULT_JSON)
        return reply_json(rq, rs, rd, job, etag);
    return reply_stdout(rq, rs, rd, job, etag);
}

/* At first, and after each wake. */
static int fetch(struct http_req *rq, struct http_resp *rs)
{
    struct fetching *f = rq->state;
    AUTO_FINI(borrow) struct borrow b = { 0 };
    AUTO_FINI(job) struct job job = { 0 };
    enum job_state state = JOB_QUEUED;
    int64_t version;
    int r;

    rq->next = fetch;
    r = waiting_arm(&f->waiting, rq, f->id, false, &rs->err);
    if (r < 0)
        return r;
    r = borrow_get(&b, common_service(rq), rq->principal->tenant, &rs->err);
    if (r == 0)
        r = store_read_version(b.reader, f->id, &version, &state, &rs->err);
    if (waiting_goes_on(&f->waiting, r < 0 || job_state_is_final(state)))
        return HTTP_PENDING;
    if (r < 0)
        return r;
    r = store_read_job(b.reader, f->id, 0, &job, &rs->err);
    if (r < 0)
        return r;
    waiting_set_applied(&f->waiting, rs);
    return answer(rq, rs, b.reader, &job);
}

int h_get_job_result(struct http_req *rq, struct http_resp *rs)
{
    static const char *const known[] = { "wait", NULL };
    struct fetching *f;
    int r;

    r = common_allow(rq, rs, known);
    if (r < 0)
        return r;
    f = mem_new0(sizeof *f);
    rq->state = f;
    rq->state_free = free;
    r = common_job_id(rq, &f->id, &rs->err);
    if (r < 0)
        return r;
    r = waiting_parse(&f->waiting, rq, rs);
    if (r < 0)
        return r;
    return fetch(rq, rs);
}
