#include "handlers/common.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "domain/job_json.h"
#include "domain/suggest.h"

int common_job_id(const struct http_req *rq, struct uuid7 *ret_id, struct errinfo *e)
{
    if (!uuid7_parse(http_param(rq, "id"), ret_id))
        return err_set(e, ERR_JOB_NOT_FOUND, "this is not the id of a job");
    return 0;
}

bool common_job_of_path(const char *path, struct uuid7 *ret_id)
{
    const char *id;

    return path && text_starts(path, "/v1/jobs/", &id) && uuid7_parse(id, ret_id);
}

int common_may_submit(const struct http_req *rq, const struct job *job, struct errinfo *e)
{
    const struct principal *p = rq->principal;

    if (!job->function && !principal_may(p, SCOPE_JOBS_COMMAND))
        return err_fact(e,
                        err_set(e, ERR_INSUFFICIENT_SCOPE, "a command needs the scope %s",
                                scope_name(SCOPE_JOBS_COMMAND)),
                        "scope", scope_name(SCOPE_JOBS_COMMAND));
    if (job->function && !name_set_has(&p->functions, job->function))
        return err_set(e, ERR_FUNCTION_FORBIDDEN,
                       "the function \"%.100s\" is not one of those that the credential allows",
                       job->function);
    if (!name_set_has(&p->queues, job->queue))
        return err_set(e, ERR_QUEUE_FORBIDDEN,
                       "the queue \"%.100s\" is not one of those that the credential allows",
                       job->queue);
    return 0;
}

int common_set_creator(const struct http_req *rq, struct job *job, struct errinfo *e)
{
    const struct principal *p = rq->principal;
    int r;

    r = common_may_submit(rq, job, e);
    if (r < 0)
        return r;
    job->tenant = mem_str(p->tenant);
    job->created_by = mem_str_or_null(p->key_id);
    return 0;
}

char *common_job_subpath(const struct http_req *rq, const char *what)
{
    char text[UUID7_TEXT_SIZE];
    struct uuid7 id;

    if (!uuid7_parse(http_param(rq, "id"), &id))
        return mem_str(what); /* nobody will see it: there is no such job */
    return mem_printf("/v1/jobs/%s%s", uuid7_format(id, text), what);
}

int common_bad_parameter(struct http_resp *rs, const char *name, const char *code,
                         const char *format, ...)
{
    AUTO(mem) char *place = mem_printf("?%s", name);
    char detail[ERR_TEXT_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    faults_add(&rs->faults, place, code, "%s", detail);
    return err_set(&rs->err, ERR_INVALID_PARAMETER, "%s: %s", name, detail);
}

int common_single(const struct http_req *rq, struct http_resp *rs, const char *name,
                  const char **ret_value)
{
    if (http_query(rq, name, 1))
        return common_bad_parameter(rs, name, "duplicate", "may be given once only");
    *ret_value = http_query(rq, name, 0);
    return 0;
}

int common_number(const struct http_req *rq, struct http_resp *rs, const char *name,
                  int64_t max, int64_t *ret_number)
{
    const char *text = NULL;
    int r;

    r = common_single(rq, rs, name, &text);
    if (r < 0 || !text)
        return r;
    if (!text_to_i64(text, 1, max, ret_number))
        return common_bad_parameter(rs, name, "out-of-range",
                                    "must be a whole number from 1 to %" PRId64, max);
    return 0;
}

int common_bool(const struct http_req *rq, struct http_resp *rs, const char *name,
                bool *ret_value)
{
    const char *text = NULL;
    int r;

    r = common_single(rq, rs, name, &text);
    if (r < 0 || !text)
        return r;
    if (!text_equal(text, "true") && !text_equal(text, "false"))
        return common_bad_parameter(rs, name, "invalid-value", "must be true or false");
    *ret_value = text_equal(text, "true");
    return 0;
}

static bool is_listed(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (text_equal(name, *names))
            return true;
    return false;
}

static const char *nearest(const char *name, const char *const *names)
{
    struct suggestion s = { .word = name };

    for (; *names; names++)
        suggest_consider(&s, *names);
    return s.nearest;
}

int common_allow(const struct http_req *rq, struct http_resp *rs, const char *const *names)
{
    const char *name;
    int r;

    r = http_query_allow(rq, names, &rs->err);
    if (r == 0)
        return 0;
    for (size_t i = 0; (name = http_query_name(rq, i)) != NULL; i++) {
        const char *near = nearest(name, names);

        if (is_listed(name, names))
            continue;
        if (near)
            (void)common_bad_parameter(rs, name, "unknown-parameter",
                                       "there is no such parameter; did you mean %s?", near);
        else
            (void)common_bad_parameter(rs, name, "unknown-parameter",
                                       "there is no such parameter");
    }
    return r;
}

int common_no_query(const struct http_req *rq, struct http_resp *rs)
{
    static const char *const none[] = { NULL };

    return common_allow(rq, rs, none);
}

/* On the engine thread. */
static void on_done(struct engine_request *request)
{
    http_resume(request->ctx);
}

int common_ask(struct http_req *rq, enum engine_op op, struct engine_request *request,
               http_handler next)
{
    *request = (struct engine_request){
        .op = op,
        .tenant = rq->principal->tenant,
        .idempotency = request->idempotency,
        .done = on_done,
        .ctx = rq,
    };
    rq->next = next;
    engine_request(common_service(rq)->engine, request);
    return HTTP_PENDING;
}

int common_outcome(struct http_resp *rs, const struct engine_request *request)
{
    if (request->result < 0)
        rs->err = request->err;
    return request->result;
}

int borrow_get(struct borrow *b, const struct service *sv, const char *tenant,
               struct errinfo *e)
{
    int r = store_reader_get(sv->store, &b->reader, e);

    if (r < 0)
        return r;
    b->store = sv->store;
    store_reader_see(b->reader, tenant);
    return 0;
}

void borrow_fini(struct borrow *b)
{
    if (b->store)
        store_reader_put(b->store, b->reader);
    b->store = NULL;
}

int common_read_job(const struct http_req *rq, struct uuid7 id, struct job *ret_job,
                    struct errinfo *e)
{
    AUTO_FINI(borrow) struct borrow b = { 0 };
    int r;

    r = borrow_get(&b, common_service(rq), rq->principal->tenant, e);
    if (r < 0)
        return r;
    r = store_read_job(b.reader, id, JOB_RESULT_INLINE_MAX_BYTES, ret_job, e);
    if (r == 0)
        job_set_expiry(ret_job, common_service(rq)->retention_us);
    return r;
}

char *common_etag(int64_t version, char room[ETAG_SIZE])
{
    char *at = room + ETAG_SIZE;

    *--at = '\0';
    *--at = '"';
    do
        *--at = (char)('0' + version % 10);
    while ((version /= 10) > 0);
    *--at = 'v';
    *--at = '"';
    return memmove(room, at, (size_t)(room + ETAG_SIZE - at));
}

#define JOB_TEXT_USUAL_BYTES 1500 /* without what was sent */

void common_describe_job(struct http_resp *rs, const struct job *job)
{
    char etag[ETAG_SIZE];

    http_set_header_text(rs, "ETag", "", common_etag(job->version, etag));
    if (!job_state_is_final(job->state))
        http_set_header_text(rs, "Retry-After", "", COMMON_RETRY_AFTER);
}

int common_reply_job(struct http_resp *rs, int status, const struct job *job)
{
    struct buf *out = http_reply_room(rs);
    struct json_put w = { .out = out };

    common_describe_job(rs, job);
    (void)buf_reserve(out, JOB_TEXT_USUAL_BYTES + job->payload_len);
    job_put(&w, job);
    return http_reply_written(rs, status, "application/json");
}

void common_set_job_path(struct http_resp *rs, const char *name, struct uuid7 id)
{
    char text[UUID7_TEXT_SIZE];

    http_set_header_text(rs, name, "/v1/jobs/", uuid7_format(id, text));
}

void common_set_page_headers(struct http_resp *rs)
{
    http_set_header(rs, "Content-Security-Policy", "%s",
                    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none';"
                    " form-action 'none'; frame-ancestors 'none'");
    http_set_header(rs, "Referrer-Policy", "%s", "no-referrer");
}
