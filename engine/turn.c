/* engine/turn.c - one turn of the ledger.
 *
 * Theory of operation. A turn changes the store, and nothing else, until the commit. What must
 * happen once the change is on disk (send an order, acknowledge an outcome, answer a request,
 * wake a waiter, move the counters) is put on a list of effects. After the commit the list is
 * carried out; if the commit fails the list is thrown away, the requests are answered with the
 * error, and the ended attempts stay queued for the next try. So what the engine says is never
 * ahead of the disk.
 *
 * After a commit that failed the store is "failing" until another one succeeds. The tries hold
 * the ended attempts and nothing else: they come before new work, and a submit that is too
 * large for the room that is left must not keep them out.
 */
#include <assert.h>

#include "base/crash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/batches.h"
#include "engine/effects.h"
#include "engine/failures.h"
#include "engine/turn.h"
#include "engine/verdict.h"
#include "pool/spool.h"

#define DUE_BATCH 1000

void turn_job_changed(struct turn *t, struct uuid7 id, enum job_state state)
{
    effects_add(&t->effects, EFFECT_CHANGED, id)->state = state;
}

static void attempt_settled(struct turn *t, struct uuid7 id, int attempt, int64_t worker_id)
{
    struct effect *f = effects_add(&t->effects, EFFECT_SETTLED, id);

    f->attempt = attempt;
    f->worker_id = worker_id;
}

void turn_note_due(struct turn *t, usec_t at_us)
{
    if (t->next_due_us == 0 || at_us < t->next_due_us)
        t->next_due_us = at_us;
}

void turn_wake_pool(struct turn *t, const char *name)
{
    struct pool *pool = engine_pool(t->en, name);

    if (pool)
        pool_wake(pool);
}

void turn_job_queued(struct turn *t, const struct job *job)
{
    struct pool *pool = engine_pool(t->en, job->pool);

    if (!pool)
        return;
    if (!pool->may_have_jobs || job->priority > pool->highest)
        pool->highest = job->priority;
    pool->may_have_jobs = true;
}

/* -- what attempts say of themselves --------------------------------------------------------
 */

static int apply_progress(struct turn *t)
{
    int r;

    if (t->en->progress_due_us == 0)
        return 0;
    for (struct owned *o = t->en->owned.by_key; o; o = o->hh.next) {
        if (!o->progressed)
            continue;
        r = store_job_progress(t->en->conf.store, o->id, o->attempt, o->progress_ppm,
                               o->progress_message, t->now_us, &t->err);
        if (r < 0)
            return r;
        turn_job_changed(t, o->id, o->canceling ? JOB_CANCELING : JOB_RUNNING);
    }
    return 0;
}

static void publish_progress(struct engine *en)
{
    if (en->progress_due_us == 0)
        return;
    for (struct owned *o = en->owned.by_key; o; o = o->hh.next)
        o->progressed = false;
    en->progress_due_us = 0;
    en->progress_last_us = clock_mono_us();
}

/* -- attempts that have ended ---------------------------------------------------------------
 */

static int retry_job(struct turn *t, const struct outcome *o, usec_t delay_us)
{
    usec_t due_us = t->now_us + delay_us;
    struct effect *f;
    int r;

    r = store_job_retry(t->en->conf.store, o, due_us, t->now_us, &t->err);
    if (r < 0)
        return r;
    t->waiting_delta += 1;
    turn_note_due(t, due_us);
    f = effects_add(&t->effects, EFFECT_RETRIED, o->job_id);
    f->attempt = o->attempt;
    f->cause = o->cause;
    f->delay_us = delay_us;
    return 0;
}

/* The job fails for what it has done to its workers. */
static int quarantine_job(struct turn *t, const struct outcome *o, int64_t losses)
{
    AUTO(mem)
    char *message = mem_printf("%lld attempts have ended their worker; the last one: %s",
                               (long long)losses, o->message ? o->message : "worker lost");
    struct outcome last = *o; /* borrows all that o owns */

    last.cause = CAUSE_QUARANTINED;
    last.message = message;
    effects_add(&t->effects, EFFECT_QUARANTINED, o->job_id)->attempt = o->attempt;
    return failures_finish(t, &last);
}

static int release_job(struct turn *t, const struct outcome *o)
{
    t->waiting_delta += 1;
    return store_job_release(t->en->conf.store, o->job_id, o->attempt,
                             cause_meta(o->cause)->slug, t->now_us, &t->err);
}

static void job_ended(struct turn *t, const struct owned *owned, const struct outcome *o,
                      enum job_state to)
{
    effects_add(&t->effects, EFFECT_ENDED, o->job_id)->end = (struct job_end){
        .state = to,
        .version = store_finished_version(t->en->conf.store),
        .worker_id = owned->worker_id,
        .worker_pid = owned->worker_pid,
        .started_at_us = owned->started_at_us,
        .recorded_at_us = t->now_us,
        .outcome = o,
    };
}

static int apply_ending(struct turn *t, const struct ending *end)
{
    const struct outcome *o = &end->outcome;
    struct owned *owned = owned_find_attempt(&t->en->owned, o->job_id, o->attempt);
    struct store *st = t->en->conf.store;
    struct verdict verdict;
    int to;
    int r;

    assert(owned && owned->settled); /* engine_settle() lets no stale one in */
    r = verdict_find(st, o, t->en->conf.quarantine_after, &verdict, &t->err);
    if (r < 0)
        return r;
    to = job_next(owned->canceling ? JOB_CANCELING : JOB_RUNNING, verdict.event);
    assert(to >= 0);

    if (to == JOB_QUEUED)
        r = release_job(t, o);
    else if (to == JOB_SCHEDULED)
        r = retry_job(t, o, verdict.delay_us);
    else if (to == JOB_FAILED && verdict.losses > 0)
        r = quarantine_job(t, o, verdict.losses);
    else if (to == JOB_FAILED)
        r = failures_finish(t, o);
    else
        r = store_job_finish(st, o, (enum job_state)to, t->now_us, &t->err);
    if (r < 0)
        return r;
    attempt_settled(t, o->job_id, o->attempt, end->worker_id);
    if (to == JOB_SUCCEEDED)
        job_ended(t, owned, o, JOB_SUCCEEDED);
    else
        turn_job_changed(t, o->job_id, (enum job_state)to);
    return 0;
}

static int apply_endings(struct turn *t)
{
    int r;

    for (const struct ending *end = t->en->endings; end; end = end->next) {
        r = apply_ending(t, end);
        if (r < 0)
            return r;
    }
    return 0;
}

/* -- requests -------------------------------------------------------------------------------
 */

static int apply_requests(struct turn *t)
{
    int r;

    for (struct engine_request *rq = t->requests; rq; rq = rq->next) {
        rq->again = false;
        r = request_apply(t, rq);
        if (r < 0)
            return r;
    }
    return 0;
}

/* -- scheduled jobs whose time has come -----------------------------------------------------
 */

static int apply_due(struct turn *t)
{
    AUTO(mem) struct uuid7 *ids = NULL;
    struct store *st = t->en->conf.store;
    int n;

    if (t->next_due_us == 0 || t->next_due_us > t->now_us)
        return 0;
    ids = mem_array0(DUE_BATCH, sizeof *ids);
    n = store_jobs_due(st, t->now_us, ids, DUE_BATCH, &t->err);
    if (n < 0)
        return n;
    for (int i = 0; i < n; i++)
        turn_job_changed(t, ids[i], JOB_QUEUED);
    /* A pool is not named by the ids: let each be asked once. */
    for (size_t i = 0; n > 0 && i < t->en->pool_count; i++)
        pool_wake(&t->en->pools[i]);
    return store_next_due(st, &t->next_due_us, &t->err);
}

/* -- after the commit -----------------------------------------------------------------------
 */

static void drop_endings(struct engine *en)
{
    struct ending *end;

    while ((end = en->endings)) {
        en->endings = end->next;
        if (end->from_spool)
            spool_remove(en->conf.data_dir, end->outcome.job_id, end->outcome.attempt);
        outcome_fini(&end->outcome);
        free(end);
    }
    en->endings_last_next = &en->endings;
}

static void keep_for_next_turn(struct engine *en, struct engine_request *rq)
{
    rq->next = NULL;
    *en->unfinished_last_next = rq;
    en->unfinished_last_next = &rq->next;
}

static void answer_requests(struct turn *t)
{
    struct engine_request *next;

    for (struct engine_request *rq = t->requests; rq; rq = next) {
        next = rq->next; /* done() may free rq */
        if (rq->again)
            keep_for_next_turn(t->en, rq);
        else
            rq->done(rq);
    }
}

static void turn_publish(struct turn *t)
{
    struct engine *en = t->en;

    en->waiting_jobs += t->waiting_delta;
    en->next_due_us = t->next_due_us;
    housekeeping_publish(t);
    effects_publish(&t->effects, en);
    publish_progress(en);
    /* Before those who wait are woken: who looks after having registered sees it. */
    atomic_store_explicit(&en->change_seq, store_change_seq(en->conf.store),
                          memory_order_release);
    feed_commit(&en->feed, en->waiters, store_change_seq(en->conf.store), clock_mono_us());
    links_flush(en->links);
    crash_point("turn.before_answers");
    answer_requests(t);
    effects_tell(&t->effects, en);
    drop_endings(en);
}

static void refuse_requests(struct turn *t, const struct errinfo *why)
{
    for (struct engine_request *rq = t->requests; rq; rq = rq->next) {
        rq->result = why->code;
        rq->err = *why;
        rq->again = false;
    }
    answer_requests(t);
}

/* The transaction is lost: nothing of this turn has happened. */
static void turn_abandon(struct turn *t)
{
    struct engine *en = t->en;

    store_rollback(en->conf.store);
    if (failing_note(&en->failing, &t->err, clock_mono_us()))
        log_error("store.failed", LSTR("error", t->err.text));
    for (size_t i = 0; i < en->pool_count; i++)
        pool_wake(&en->pools[i]);
    refuse_requests(t, &t->err);
}

/* -- the turn -------------------------------------------------------------------------------
 */

static bool is_due(struct engine *en, usec_t now_wall_us, usec_t now_mono_us)
{
    if (en->unfinished)
        return true;
    if (en->next_due_us != 0 && en->next_due_us <= now_wall_us)
        return true;
    if (en->progress_due_us != 0 && en->progress_due_us <= now_mono_us)
        return true;
    if (housekeeping_is_due(en, now_wall_us, now_mono_us))
        return true;
    return batches_are_busy(en) || claims_are_due(en);
}

enum turn_need turn_need(struct engine *en, usec_t now_wall_us, usec_t now_mono_us)
{
    bool due;

    if (en->failing.now)
        return now_mono_us >= en->failing.retry_us ? TURN_NOW : TURN_NONE;
    due = is_due(en, now_wall_us, now_mono_us);
    if (gather_goes_on(en, due, now_mono_us))
        return TURN_LATER;
    return due || en->endings ? TURN_NOW : TURN_NONE;
}

static int turn_apply(struct turn *t)
{
    int r;

    r = store_begin(t->en->conf.store, &t->err);
    if (r == 0)
        r = apply_progress(t); /* before an ending, after which the attempt has no say */
    if (r == 0)
        r = apply_endings(t);
    if (r == 0)
        r = apply_requests(t);
    if (r == 0)
        r = apply_due(t);
    if (r == 0)
        r = batches_work(t); /* before the claims, which a batch that is stopped prevents */
    if (r == 0)
        r = claims_apply(t);
    if (r == 0)
        r = housekeeping_apply(t);
    if (r == 0)
        r = failures_store(t);
    if (r == 0)
        r = batches_settle(t); /* all changes are made */
    crash_point("turn.before_commit");
    if (r == 0)
        r = store_commit(t->en->conf.store, &t->err);
    crash_point("turn.after_commit");
    return r;
}

static int turn_apply_endings(struct turn *t)
{
    int r;

    r = store_begin(t->en->conf.store, &t->err);
    if (r < 0)
        return r;
    store_touch(t->en->conf.store);
    r = apply_progress(t);
    if (r == 0)
        r = apply_endings(t);
    if (r == 0)
        r = failures_store(t);
    if (r == 0)
        r = batches_settle(t);
    if (r == 0)
        r = store_commit(t->en->conf.store, &t->err);
    return r;
}

static int carry_out(struct turn *t, int (*apply)(struct turn *t))
{
    int r;

    /* What is given back may be claimed again. */
    for (const struct ending *end = t->en->endings; end; end = end->next)
        for (size_t i = 0; outcome_is_release(&end->outcome) && i < t->en->pool_count; i++)
            pool_wake(&t->en->pools[i]);
    r = apply(t);
    if (r == 0)
        turn_publish(t);
    else
        turn_abandon(t);
    effects_fini(&t->effects);
    batches_drop(t);
    failures_drop(t);
    free(t->bids);
    t->bids = NULL;
    t->bid_count = 0;
    return r;
}

/* Whether the store can be written again. */
static bool try_to_recover(struct engine *en)
{
    struct turn t = { .en = en,
                      .now_us = clock_wall_us(),
                      .next_due_us = en->next_due_us,
                      .keeping = en->keeping };

    if (clock_mono_us() < en->failing.retry_us)
        return false;
    if (carry_out(&t, turn_apply_endings) < 0)
        return false;
    failing_end(&en->failing, clock_mono_us());
    en->keeping.due_us[SWEEP_RETENTION] = 1; /* jobs may have ended meanwhile */
    log_info("store.recovered");
    return true;
}

/* Those that go on come before those that are new. */
static struct engine_request *take_unfinished(struct engine *en,
                                              struct engine_request *requests)
{
    struct engine_request *first = en->unfinished;

    if (!first)
        return requests;
    *en->unfinished_last_next = requests;
    en->unfinished = NULL;
    en->unfinished_last_next = &en->unfinished;
    return first;
}

void turn_refuse_unfinished(struct engine *en, const struct errinfo *why)
{
    struct turn t = { .en = en, .requests = take_unfinished(en, NULL) };

    refuse_requests(&t, why);
}

void turn_run(struct engine *en, struct engine_request *requests)
{
    struct turn t = { .en = en, .requests = take_unfinished(en, requests) };

    gather_end(en);
    if (en->failing.now && !try_to_recover(en)) {
        refuse_requests(&t, &en->failing.why);
        return;
    }
    t.now_us = clock_wall_us();
    t.next_due_us = en->next_due_us;
    t.keeping = en->keeping;
    (void)carry_out(&t, turn_apply); /* what failed is dealt with */
}
