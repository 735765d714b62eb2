/* GET /livez (getLivez) and /readyz (getReadyz): for probes. */
#include "handlers/handlers.h"

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

    r = borrow_get(&b, sv, e);
    if (r < 0)
        return r;
    return store_read_ping(b.reader, e);
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
    return r < 0 ? r : reply_ok(rs);
}
