#include "engine/gather.h"

#include "engine/requests.h"
#include "engine/turn.h"

/* Longer than most fsyncs take, and short for somebody whose job shares two processors with
 * many others. */
#define GATHER_US (5 * USEC_PER_MS)

/* Less is not worth it. */
#define DEAF_MIN_US ((usec_t)500)

/* A job that is to come before others does not wait. */
#define PRIORITY_USUAL 0

/* Enough of what it was sent ahead is still there until the next orders come. */
static bool has_plenty(const struct engine *en, const struct link *link)
{
    size_t held = owned_count_of(&en->owned, link->worker_id);

    return held > link->capacity + pace_reserve(&link->pace);
}

static bool is_full(struct engine *en, const struct pool *pool)
{
    bool full = false;

    for (const struct link *link = links_first(en->links); link; link = link->next) {
        if (link->broken || link->capacity == 0 || engine_pool(en, link->pool) != pool)
            continue;
        if (pace_ahead(&link->pace) == 0 || !has_plenty(en, link))
            return false;
        full = true;
    }
    return full;
}

/* Whether those that could wait for their workers until now still can. */
static bool pools_stay_full(struct engine *en)
{
    bool stay = true;

    for (size_t i = 0; i < en->pool_count; i++) {
        struct pool *pool = &en->pools[i];
        bool full = is_full(en, pool);

        if (atomic_load_explicit(&pool->full, memory_order_relaxed) && !full)
            stay = false;
        atomic_store_explicit(&pool->full, full, memory_order_relaxed);
    }
    return stay;
}

static bool pool_is_full(const struct pool *pool)
{
    return pool && atomic_load_explicit(&pool->full, memory_order_relaxed);
}

/* What was given back is to be given to somebody else. */
static bool endings_may_wait(struct engine *en)
{
    for (const struct ending *end = en->endings; end; end = end->next) {
        const struct link *link = links_find(en->links, end->worker_id);

        if (!link || !pool_is_full(engine_pool(en, link->pool)) ||
            outcome_is_release(&end->outcome))
            return false;
    }
    return true;
}

static bool something_waits(const struct engine *en)
{
    return en->endings || atomic_load_explicit(&en->inbox.depth, memory_order_relaxed) > 0;
}

bool gather_holds_back(const struct engine *en, const struct pool *pool)
{
    return pool_is_full(pool) && something_waits(en);
}

bool gather_goes_on(struct engine *en, bool due, usec_t now_us)
{
    bool calm = pools_stay_full(en);

    if (!calm || due || en->draining || en->leaving || en->failing.now || en->unfinished ||
        !inbox_can_wait(&en->inbox) || !endings_may_wait(en))
        return false;
    if (!something_waits(en))
        return false;
    if (en->gather.until_us == 0)
        en->gather.until_us = now_us + GATHER_US;
    return now_us < en->gather.until_us;
}

usec_t gather_deaf_us(const struct engine *en, usec_t now_us)
{
    usec_t deaf_us = en->gather.until_us - now_us;

    for (const struct link *link = links_first(en->links); link; link = link->next) {
        usec_t held = (usec_t)owned_count_of(&en->owned, link->worker_id);
        usec_t spare = held - (usec_t)link->capacity - (usec_t)pace_reserve(&link->pace);

        if (held == 0)
            continue;
        if (spare <= 0 || link->broken)
            return 0;
        if (spare * link->pace.mean_us < deaf_us)
            deaf_us = spare * link->pace.mean_us;
    }
    return deaf_us > DEAF_MIN_US ? deaf_us : 0;
}

void gather_end(struct engine *en)
{
    en->gather.until_us = 0;
}

bool gather_may_wait(void *ctx, const struct engine_request *rq)
{
    const struct submit_request *submit = (const struct submit_request *)rq;

    return rq->op == ENGINE_SUBMIT && submit->waits_for_end &&
           submit->job.priority <= PRIORITY_USUAL &&
           pool_is_full(engine_pool(ctx, submit->job.pool));
}
