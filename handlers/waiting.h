/* handlers/waiting.h - a request that is held back until a job changes (long-poll).
 *
 * For use in a function that is called again after each wake (rq->next):
 *
 *     r = waiting_arm(w, rq, id, any_change, e);      before the job is read, so that no
 *     if (r < 0)                                      change in between is missed
 *         return r;
 *     r = what the job says: < 0 an error, 0 nothing to tell yet, > 0 something to tell
 *     if (waiting_goes_on(w, r != 0))
 *         return HTTP_PENDING;
 *     answer
 *
 * Plain data, ended by nothing; part of the state that lives as long as the request. HTTP
 * threads, one at a time.
 */
#ifndef JOBD_HANDLERS_WAITING_H
#define JOBD_HANDLERS_WAITING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/uuid7.h"
#include "engine/waiters.h"
#include "server/http/http.h"

/* Zeroed: does not wait. */
struct waiting {
    int64_t granted_seconds; /* 0: does not wait */
    bool from_header;        /* asked for by Prefer */
    usec_t deadline_us;      /* monotonic; 0: never armed */
    bool armed;
    /* See struct waiter; only of one that is armed on the engine thread, while nobody else
     * looks at the request. NULL: none. */
    void (*ended)(struct waiter *w, const struct job_end *end);
    struct waiters *table;
    struct waiter waiter;
};

/* How long the client wants to wait, at most as long as the service allows.
 * ERR_INVALID_PARAMETER. */
int waiting_parse(struct waiting *w, const struct http_req *rq, struct http_resp *rs);

/* Register for changes of the job, if there is time left. rq->next must be set: it may be
 * called at any moment from now on. ERR_LONG_POLLS: too many wait, at the first call only;
 * later it means that the wait is over. While jobd drains the wait is over, too. */
int waiting_arm(struct waiting *w, struct http_req *rq, struct uuid7 id, bool any_change,
                struct errinfo *e);
/* True: return HTTP_PENDING; rq->next will be called. False: answer now; nobody will call. */
bool waiting_goes_on(struct waiting *w, bool has_answer);

/* Preference-Applied, where a preference was. */
void waiting_set_applied(const struct waiting *w, struct http_resp *rs);

#endif
