/* engine/claims.c - who gets the next jobs.
 *
 * Every worker that can begin one gets it first. What is then left is sent ahead
 * (engine/pace.h), one to each in turn, so that nobody has a backlog while somebody else has
 * nothing to do.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/turn.h"

/* What one worker may get in this turn. */
struct bid {
    const struct link *link;
    struct pool *pool;
    size_t now;   /* attempts that it can begin at once */
    size_t ahead; /* and more, for its backlog */
};

static bool bid_of(struct engine *en, const struct link *link, struct bid *ret_bid)
{
    struct pool *pool =
        link->worker_id != 0 && !link->broken ? engine_pool(en, link->pool) : NULL;
    size_t held;
    size_t room;

    if (!pool || !pool->may_have_jobs || link->capacity == 0)
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
        if (bid_of(en, link, &bid))
            return true;
    return false;
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
    r = store_job_finish(t->en->conf.store, &o, JOB_FAILED, t->now_us, &t->err);
    if (r < 0)
        return r;
    turn_job_changed(t, job->id, JOB_FAILED);
    return 0;
}

/* Returns 1 when an order goes out, 0 when the job was rejected. */
static int dispatch(struct turn *t, const struct link *link, const struct job *job)
{
    const struct function *fn = NULL;
    struct errinfo why = { 0 };
    struct order *order;
    struct effect *f;
    int r;

    if (job->function) {
        fn = function_find(t->en->conf.functions, job->function);
        if (!fn) {
            (void)err_set(&why, ERR_VALIDATION, "the configuration has no function %s any more",
                          job->function);
            return reject(t, job, &why);
        }
    }
    order = mem_new0(sizeof *order);
    r = order_build(job, fn, function_ceiling(t->en->conf.functions, fn), order, &why);
    if (r < 0) {
        order_fini(order);
        free(order);
        return reject(t, job, &why);
    }
    turn_job_changed(t, job->id, JOB_RUNNING);
    f = effects_add(&t->effects, EFFECT_RUN, job->id);
    f->attempt = job->attempt;
    f->worker_id = link->worker_id;
    f->started_at_us = t->now_us;
    f->order = order;
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
        r = dispatch(t, bid->link, &job);
        if (r != 0)
            return r;
    }
    return 0;
}

/* -- all of them ----------------------------------------------------------------------------
 */

static size_t collect(struct engine *en, struct bid **ret_bids)
{
    size_t count = 0;
    struct bid *bids = NULL;

    for (const struct link *link = links_first(en->links); link; link = link->next) {
        struct bid bid;

        if (!bid_of(en, link, &bid))
            continue;
        if (!bids)
            bids = mem_array0(links_count(en->links), sizeof *bids);
        bids[count++] = bid;
    }
    *ret_bids = bids;
    return count;
}

/* One to each, as far as it may have one. Returns how many were given. */
static int claim_round(struct turn *t, struct bid *bids, size_t count, bool ahead)
{
    int given = 0;

    for (size_t i = 0; i < count; i++) {
        size_t *room = ahead ? &bids[i].ahead : &bids[i].now;
        int r;

        if (*room == 0)
            continue;
        r = claim(t, &bids[i]);
        if (r < 0)
            return r;
        *room -= (size_t)r;
        given += r;
    }
    return given;
}

int claims_apply(struct turn *t)
{
    AUTO(mem) struct bid *bids = NULL;
    size_t count;
    int r = 0;

    if (t->en->draining)
        return 0;
    count = collect(t->en, &bids);
    for (int ahead = 0; ahead <= 1 && r >= 0; ahead++)
        while ((r = claim_round(t, bids, count, ahead)) > 0)
            ;
    return r;
}
