/* engine/claims.c - who gets the next jobs.
 *
 * Every worker that can begin one gets it first. What is then left is sent ahead
 * (engine/pace.h), one to each in turn, so that nobody has a backlog while somebody else has
 * nothing to do.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/failures.h"
#include "engine/turn.h"

/* -- what each worker may get ---------------------------------------------------------------
 */

static bool bid_of(struct engine *en, const struct link *link, struct bid *ret_bid)
{
    struct pool *pool =
        link->worker_id != 0 && !link->broken ? engine_pool(en, link->pool) : NULL;
    size_t held;
    size_t room;

    if (!pool || link->capacity == 0)
        return false;
    held = owned_count_of(&en->owned, link->worker_id);
    room = link->capacity + pace_ahead(&link->pace);
    if (held >= room)
        return false;
    *ret_bid = (struct bid){ .link = link, .pool = pool };
    ret_bid->now = held < link->capacity ? link->capacity - held : 0;
    ret_bid->ahead = room - held - ret_bid->now;
    return true;
}

bool claims_are_due(struct engine *en)
{
    struct bid bid;

    if (en->draining)
        return false;
    for (const struct link *link = links_first(en->links); link; link = link->next)
        if (bid_of(en, link, &bid) && bid.pool->may_have_jobs &&
            !gather_holds_back(en, bid.pool))
            return true;
    return false;
}

/* Once in a turn. */
static void collect(struct turn *t)
{
    struct engine *en = t->en;

    if (t->bids)
        return;
    t->bids = mem_array0(links_count(en->links) + 1, sizeof *t->bids);
    for (const struct link *link = links_first(en->links); link; link = link->next)
        if (bid_of(en, link, &t->bids[t->bid_count]))
            t->bid_count++;
}

/* -- one job --------------------------------------------------------------------------------
 */

/* A claimed job that cannot be run as it is ends here: its function has changed since the
 * submit. */
static int reject(struct turn *t, const struct job *job, const struct errinfo *why)
{
    AUTO_FINI(outcome)
    struct outcome o = { .job_id = job->id,
                         .attempt = job->attempt,
                         .cause = CAUSE_REJECTED,
                         .exit_code = -1,
                         .started_at_us = t->now_us,
                         .finished_at_us = t->now_us };
    int r;

    o.message = mem_str(why->text);
    r = failures_finish(t, &o);
    if (r < 0)
        return r;
    turn_job_changed(t, job->id, JOB_FAILED);
    return 0;
}

/* All that the worker must know. *ret_order is the caller's, to free. < 0: why it cannot be. */
static int make_order(const struct turn *t, const struct job *job, struct order **ret_order,
                      struct errinfo *why)
{
    const struct function_table *functions = t->en->conf.functions;
    const struct function *fn = NULL;
    struct order *order;
    int r;

    if (job->function) {
        fn = function_find(functions, job->function);
        if (!fn)
            return err_set(why, ERR_VALIDATION, "the configuration has no function %s any more",
                           job->function);
    }
    order = mem_new0(sizeof *order);
    r = order_build(job, fn, function_ceiling(functions, fn), order, why);
    if (r < 0) {
        order_fini(order);
        free(order);
        return r;
    }
    *ret_order = order;
    return 0;
}

static void send_order(struct turn *t, const struct link *link, const struct job *job,
                       struct order *take_order)
{
    struct effect *f;

    turn_job_changed(t, job->id, JOB_RUNNING);
    f = effects_add(&t->effects, EFFECT_RUN, job->id);
    f->attempt = job->attempt;
    f->worker_id = link->worker_id;
    f->worker_pid = link->pid;
    f->started_at_us = t->now_us;
    f->order = take_order;
}

/* Returns 1 when an order goes out, 0 when the job was rejected. */
static int dispatch(struct turn *t, const struct link *link, const struct job *job)
{
    struct errinfo why = { 0 };
    struct order *order = NULL;

    if (make_order(t, job, &order, &why) < 0)
        return reject(t, job, &why);
    send_order(t, link, job, order);
    return 1;
}

/* Returns 1 when the worker has got one, 0 when there is none for it. */
static int claim(struct turn *t, const struct bid *bid)
{
    while (bid->pool->may_have_jobs) {
        AUTO_FINI(job) struct job job = { 0 };
        int r;

        r = store_job_claim(t->en->conf.store, bid->pool->name, bid->link->worker_id,
                            bid->link->pid, t->now_us, &job, &t->err);
        if (r == ERR_NOT_FOUND) {
            bid->pool->may_have_jobs = false;
            return 0;
        }
        if (r < 0)
            return r;
        t->waiting_delta -= 1;
        bid->pool->highest = job.priority; /* or lower: it was the first */
        r = dispatch(t, bid->link, &job);
        if (r != 0)
            return r;
    }
    return 0;
}

/* -- all of them ----------------------------------------------------------------------------
 */

/* One to each, as far as it may have one. Returns how many were given. */
static int claim_round(struct turn *t, bool ahead)
{
    int given = 0;

    for (struct bid *bid = t->bids; bid < t->bids + t->bid_count; bid++) {
        size_t *room = ahead ? &bid->ahead : &bid->now;
        int r;

        if (*room == 0)
            continue;
        r = claim(t, bid);
        if (r < 0)
            return r;
        *room -= (size_t)r;
        given += r;
    }
    return given;
}

int claims_apply(struct turn *t)
{
    int r = 0;

    if (t->en->draining)
        return 0;
    collect(t);
    for (int ahead = 0; ahead <= 1 && r >= 0; ahead++)
        while ((r = claim_round(t, ahead)) > 0)
            ;
    return r;
}

/* -- a job that is new ----------------------------------------------------------------------
 */

/* Whoever can begin it at once, else the one with the most room ahead. */
static struct bid *best_bid(struct turn *t, const struct pool *pool)
{
    struct bid *best = NULL;

    for (struct bid *bid = t->bids; bid < t->bids + t->bid_count; bid++) {
        if (bid->pool != pool)
            continue;
        if (bid->now > 0)
            return bid;
        if (bid->ahead > 0 && (!best || bid->ahead > best->ahead))
            best = bid;
    }
    return best;
}

int claims_insert(struct turn *t, const struct job *job)
{
    struct pool *pool = engine_pool(t->en, job->pool);
    struct job running = *job; /* borrows all that job owns */
    struct errinfo why = { 0 };
    struct order *order = NULL;
    struct bid *bid;
    int r;

    if (!pool || t->en->draining || job->state != JOB_QUEUED)
        return 0;
    if (pool->may_have_jobs && job->priority <= pool->highest)
        return 0; /* another one comes first, or is older */
    collect(t);
    bid = best_bid(t, pool);
    running.attempt++;
    if (!bid || make_order(t, &running, &order, &why) < 0)
        return 0; /* whoever claims it rejects it */
    r = store_job_insert_claimed(t->en->conf.store, job, bid->link->worker_id, bid->link->pid,
                                 &t->err);
    if (r < 0) {
        order_fini(order);
        free(order);
        return r;
    }
    *(bid->now > 0 ? &bid->now : &bid->ahead) -= 1;
    send_order(t, bid->link, &running, order);
    return 1;
}
