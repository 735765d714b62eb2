#include "handlers/waiting.h"

#include "handlers/common.h"

int waiting_parse(struct waiting *w, const struct http_req *rq, struct http_resp *rs)
{
    int64_t max_seconds = common_service(rq)->long_poll_max_us / USEC_PER_SEC;
    int r;

    r = http_wait_seconds(rq, max_seconds, &w->granted_seconds, &w->from_header, &rs->err);
    if (r < 0)
        return common_bad_parameter(rs, "wait", "wrong-type", "must be a whole number from 0");
    return 0;
}

/* On the engine thread. */
static void wake(struct waiter *waiter)
{
    http_resume(waiter->ctx);
}

int waiting_arm(struct waiting *w, struct http_req *rq, struct uuid7 id, bool any_change,
                struct errinfo *e)
{
    usec_t now_us = clock_mono_us();
    bool first = w->deadline_us == 0;
    int r;

    w->armed = false;
    if (w->granted_seconds <= 0)
        return 0;
    if (first)
        w->deadline_us = now_us + w->granted_seconds * USEC_PER_SEC;
    if (now_us >= w->deadline_us)
        return 0;
    w->table = engine_waiters(common_service(rq)->engine);
    w->waiter = (struct waiter){ .job_id = id,
                                 .any_change = any_change,
                                 .deadline_us = w->deadline_us,
                                 .wake = wake,
                                 .ended = w->ended,
                                 .ctx = rq };
    w->armed = true; /* before the call: once registered, w belongs to whoever wakes it */
    r = waiters_add(w->table, &w->waiter, e);
    if (r == 0)
        return 0;
    w->armed = false;
    if (r == ERR_DRAINING || (r == ERR_LONG_POLLS && !first))
        return 0;
    return r;
}

bool waiting_goes_on(struct waiting *w, bool has_answer)
{
    if (!w->armed)
        return false;
    if (!has_answer)
        return true;
    /* Woken meanwhile: rq->next has been called for, and has to find the request waiting. */
    return !waiters_remove(w->table, &w->waiter);
}

void waiting_set_applied(const struct waiting *w, struct http_resp *rs)
{
    if (w->from_header && w->granted_seconds > 0)
        http_set_header(rs, "Preference-Applied", "wait=%lld", (long long)w->granted_seconds);
}
