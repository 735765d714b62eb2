/* GET /livez (getLivez) and /readyz (getReadyz): for probes. */
#include "handlers/handlers.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "handlers/common.h"

static int reply_ok(struct http_resp *rs)
{
    static const char ok[] = "ok\n";

    return http_reply_static(rs, 200, "text/plain; charset=utf-8", ok, sizeof ok - 1);
}

int h_get_livez(struct http_req *rq, struct http_resp *rs)
{
    int r = common_no_query(rq, rs);

    return r < 0 ? r : reply_ok(rs);
}

static int read_ping(const struct service *sv, struct errinfo *e)
{
    AUTO_FINI(borrow) struct borrow b = { 0 };
    int r;

    r = borrow_get(&b, sv, NULL, e);
    if (r < 0)
        return r;
    return store_read_ping(b.reader, e);
}

/* One line for each pool of which a worker has an open circuit; workers are in order. */
static void add_degraded(const struct engine_worker *workers, size_t count,
                         const struct engine_worker *w, struct buf *out)
{
    unsigned open = 0, all = 0;

    for (size_t i = 0; i < count; i++) {
        bool is_open = workers[i].state == ENGINE_WORKER_CIRCUIT_OPEN;

        if (!text_equal(workers[i].pool, w->pool))
            continue;
        if (is_open && workers[i].worker_id < w->worker_id)
            return; /* said already */
        all++;
        open += is_open;
    }
    buf_printf(out, "degraded: %s: %u of %u workers: %s\n", w->pool, open, all, w->reason);
}

static int reply_ready(const struct service *sv, struct http_resp *rs)
{
    AUTO(mem) struct engine_worker *workers = NULL;
    AUTO_FINI(buf) struct buf out = { 0 };
    size_t count = engine_workers(sv->engine, &workers);
    size_t len;

    buf_printf(&out, "ok\n");
    for (size_t i = 0; i < count; i++)
        if (workers[i].state == ENGINE_WORKER_CIRCUIT_OPEN)
            add_degraded(workers, count, &workers[i], &out);
    len = out.len;
    return http_reply_bytes(rs, 200, "text/plain; charset=utf-8", buf_steal(&out), len);
}

int h_get_readyz(struct http_req *rq, struct http_resp *rs)
{
    const struct service *sv = common_service(rq);
    struct engine_status status;
    int r;

    r = common_no_query(rq, rs);
    if (r < 0)
        return r;
    engine_status(sv->engine, &status);
    if (status.draining)
        return err_set(&rs->err, ERR_DRAINING, "%s", status.why_not);
    if (!status.ready)
        return err_set(&rs->err, ERR_NOT_READY, "%s", status.why_not);
    r = read_ping(sv, &rs->err);
    return r < 0 ? r : reply_ready(sv, rs);
}
