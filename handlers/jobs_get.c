/* GET /v1/jobs/{id} (getJob): the job as it is, as it is once it has changed, or 304. */
#include "handlers/handlers.h"

#include <stdlib.h>

#include "base/mem.h"
#include "handlers/common.h"
#include "handlers/waiting.h"

struct looking {
    struct uuid7 id;
    bool conditional; /* there is If-None-Match */
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

static int answer(const struct http_req *rq, struct http_resp *rs, const struct looking *l,
                  const struct glance *g)
{
    AUTO_FINI(job) struct job job = { 0 };
    char etag[ETAG_SIZE];
    int r;

    if (l->conditional && g->known) {
        http_set_header(rs, "ETag", "%s", common_etag(g->version, etag));
        waiting_set_applied(&l->waiting, rs);
        return http_reply_empty(rs, 304);
    }
    r = common_read_job(rq, l->id, &job, &rs->err);
    if (r < 0)
        return r;
    waiting_set_applied(&l->waiting, rs);
    return common_reply_job(rs, 200, &job);
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
    has_answer = r < 0 || (l->conditional ? !g.known : g.final);
    if (waiting_goes_on(&l->waiting, has_answer))
        return HTTP_PENDING;
    if (r < 0)
        return r;
    return answer(rq, rs, l, &g);
}

int h_get_job(struct http_req *rq, struct http_resp *rs)
{
    static const char *const known[] = { "wait", NULL };
    struct looking l = { .conditional = http_header(rq, "If-None-Match") != NULL };
    int r;

    r = common_allow(rq, rs, known);
    if (r < 0)
        return r;
    r = common_job_id(rq, &l.id, &rs->err);
    if (r < 0)
        return r;
    r = waiting_parse(&l.waiting, rq, rs);
    if (r < 0)
        return r;
    if (l.waiting.granted_seconds == 0 && !l.conditional)
        return answer(rq, rs, &l, &(struct glance){ 0 });
    rq->state = mem_dup(&l, sizeof l);
    rq->state_free = free;
    return look(rq, rs);
}
