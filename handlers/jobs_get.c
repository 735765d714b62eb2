/* GET /v1/jobs/{id} (getJob): the job as it is, as it is once it has changed, 304, or 303 to
 * its result. */
#include "handlers/handlers.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "handlers/common.h"
#include "handlers/fields.h"
#include "handlers/job_view.h"
#include "handlers/waiting.h"

struct looking {
    struct uuid7 id;
    bool conditional; /* there is If-None-Match */
    bool redirect;    /* to the result, once there can be one */
    enum job_view view;
    struct waiting waiting;
};

/* What decides between 200, 304 and waiting on: cheap. */
struct glance {
    int64_t version;
    bool final;
    bool known; /* If-None-Match lists this version */
};

static int glance_at(const struct http_req *rq, struct uuid7 id, struct glance *ret_glance,
                     struct errinfo *e)
{
    AUTO_FINI(borrow) struct borrow b = { 0 };
    char etag[ETAG_SIZE];
    enum job_state state;
    int r;

    r = borrow_get(&b, common_service(rq), rq->principal->tenant, e);
    if (r < 0)
        return r;
    r = store_read_version(b.reader, id, &ret_glance->version, &state, e);
    if (r < 0)
        return r;
    ret_glance->final = job_state_is_final(state);
    ret_glance->known = http_none_match(rq, common_etag(ret_glance->version, etag));
    return 0;
}

/* The job as the view and `fields` want it. */
static json_t *encode(const struct http_req *rq, const struct looking *l, const struct job *job)
{
    AUTO_FINI(fields) struct fields fields = { 0 };
    struct http_resp unused = { 0 };

    (void)fields_decode(&fields, FIELDS_JOB, rq,
                        &unused); /* was done before, without a fault */
    return fields_project(&fields, job_view_encode(job, l->view));
}

static int answer(const struct http_req *rq, struct http_resp *rs, const struct looking *l,
                  const struct glance *g)
{
    AUTO_FINI(job) struct job job = { 0 };
    char etag[ETAG_SIZE];
    int r;

    waiting_set_applied(&l->waiting, rs);
    if (l->redirect && g->final) {
        AUTO(mem) char *path = common_job_subpath(rq, "/result");

        http_set_header(rs, "Location", "%s", path);
        return http_reply_empty(rs, 303);
    }
    if (l->conditional && g->known) {
        http_set_header(rs, "ETag", "%s", common_etag(g->version, etag));
        return http_reply_empty(rs, 304);
    }
    r = common_read_job(rq, l->id, &job, &rs->err);
    if (r < 0)
        return r;
    if (l->view == JOB_VIEW_FULL && !http_query(rq, "fields", 0))
        return common_reply_job(rs, 200, &job);
    common_describe_job(rs, &job);
    return http_reply_json(rs, 200, encode(rq, l, &job));
}

/* At first, and after each wake: by a change, by the end of the time, or by jobd's drain. */
static int look(struct http_req *rq, struct http_resp *rs)
{
    struct looking *l = rq->state;
    struct glance g = { 0 };
    bool has_answer;
    int r;

    rq->next = look;
    r = waiting_arm(&l->waiting, rq, l->id, l->conditional, &rs->err);
    if (r < 0)
        return r;
    r = glance_at(rq, l->id, &g, &rs->err);
    has_answer = r < 0 || (l->redirect && g.final) || (l->conditional ? !g.known : g.final);
    if (waiting_goes_on(&l->waiting, has_answer))
        return HTTP_PENDING;
    if (r < 0)
        return r;
    return answer(rq, rs, l, &g);
}

static int decode_redirect(const struct http_req *rq, struct http_resp *rs, bool *ret_redirect)
{
    const char *text;
    int r = common_single(rq, rs, "on_complete", &text);

    if (r < 0 || !text)
        return r;
    *ret_redirect = true;
    if (text_equal(text, "redirect"))
        return 0;
    return common_bad_parameter(rs, "on_complete", "unknown-value", "must be redirect");
}

static int decode(const struct http_req *rq, struct http_resp *rs, struct looking *l)
{
    static const char *const known[] = { "wait", "on_complete", "view", "fields", NULL };
    AUTO_FINI(fields) struct fields fields = { 0 };
    int r;

    r = common_allow(rq, rs, known);
    if (r < 0)
        return r;
    r = common_job_id(rq, &l->id, &rs->err);
    if (r < 0)
        return r;
    r = waiting_parse(&l->waiting, rq, rs);
    if (r < 0)
        return r;
    r = decode_redirect(rq, rs, &l->redirect);
    if (r < 0)
        return r;
    r = job_view_decode(rq, rs, &l->view);
    if (r < 0)
        return r;
    return fields_decode(&fields, FIELDS_JOB, rq, rs);
}

int h_get_job(struct http_req *rq, struct http_resp *rs)
{
    struct looking l = { .conditional = http_header(rq, "If-None-Match") != NULL,
                         .view = JOB_VIEW_FULL };
    int r;

    r = decode(rq, rs, &l);
    if (r < 0)
        return r;
    if (l.waiting.granted_seconds == 0 && !l.conditional && !l.redirect)
        return answer(rq, rs, &l, &(struct glance){ 0 });
    rq->state = mem_dup(&l, sizeof l);
    rq->state_free = free;
    return look(rq, rs);
}
