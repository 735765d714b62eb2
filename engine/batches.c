#include "engine/batches.h"

#include <stdlib.h>

#include "base/crash.h"
#include "base/mem.h"
#include "base/text.h"

#define PIECE_JOBS 1000 /* made or stopped in one turn, for all batches together */
#define SWEEP_PART                                                                             \
    16 /* of a portion of rows: a batch is one, and a thousand kinds of failures */

/* -- which batches there is something to do for ---------------------------------------------
 *
 * An entry too many does no harm, and is taken out once it is found to be one. An entry is
 * missing only if it was taken out although its turn was lost: so that is an effect.
 */

static void note_busy(struct engine *en, struct uuid7 id)
{
    int64_t key = uuid7_key(id);
    struct busy_batch *busy;

    HASH_FIND(hh, en->busy_batches, &key, sizeof key, busy);
    if (busy)
        return;
    busy = mem_new0(sizeof *busy);
    busy->key = key;
    busy->id = id;
    HASH_ADD(hh, en->busy_batches, key, sizeof busy->key, busy);
}

void batches_note_idle(struct engine *en, struct uuid7 id)
{
    int64_t key = uuid7_key(id);
    struct busy_batch *busy;

    HASH_FIND(hh, en->busy_batches, &key, sizeof key, busy);
    if (!busy)
        return;
    HASH_DEL(en->busy_batches, busy);
    free(busy);
}

void batches_fini(struct engine *en)
{
    while (en->busy_batches)
        batches_note_idle(en, en->busy_batches->id);
}

bool batches_are_busy(const struct engine *en)
{
    return en->busy_batches && !en->draining;
}

int batches_recover(struct engine *en, struct errinfo *e)
{
    AUTO(mem) struct uuid7 *ids = NULL;
    int64_t pending = 0;
    int n;

    n = store_batches_busy(en->conf.store, &ids, &pending, e);
    for (int i = 0; i < n; i++)
        note_busy(en, ids[i]);
    en->waiting_jobs += pending;
    return n < 0 ? n : 0;
}

/* -- what this turn has to do with ----------------------------------------------------------
 */

static void forget(struct turn *t, struct batch_work *work)
{
    HASH_DEL(t->batches, work);
    batch_fini(&work->batch);
    free(work);
}

void batches_drop(struct turn *t)
{
    while (t->batches)
        forget(t, t->batches); /* NOLINT(clang-analyzer-unix.Malloc): it leaves the table */
}

static int find_or_load(struct turn *t, struct uuid7 id, struct batch_work **ret_work)
{
    int64_t key = uuid7_key(id);
    struct batch_work *work;
    int r;

    HASH_FIND(hh, t->batches, &key, sizeof key, work);
    if (!work) {
        work = mem_new0(sizeof *work);
        r = store_batch_get(t->en->conf.store, id, &work->batch, &t->err);
        if (r < 0) {
            free(work);
            return r;
        }
        work->key = key;
        HASH_ADD(hh, t->batches, key, sizeof work->key, work);
    }
    *ret_work = work;
    return 0;
}

int batches_touch(struct turn *t, struct uuid7 id, const char *tenant,
                  struct batch_work **ret_work)
{
    struct batch_work *work;
    int r;

    r = find_or_load(t, id, &work);
    if (r < 0)
        return r == ERR_BATCH_NOT_FOUND ? 0 : r;
    if (!uuid7_equal(work->batch.id, id) ||
        (tenant && !text_equal(tenant, batch_tenant(&work->batch))))
        return 0;
    *ret_work = work;
    return 1;
}

/* Take in what members have done since the last time. */
static int collect(struct turn *t)
{
    AUTO(mem) struct store_batch_move *moves = NULL;
    struct batch_work *work;
    int n = store_take_batch_moves(t->en->conf.store, &moves);
    int r;

    for (int i = 0; i < n; i++) {
        r = find_or_load(t, moves[i].batch, &work);
        if (r == ERR_BATCH_NOT_FOUND)
            continue; /* removed before the last of its members */
        if (r < 0)
            return r;
        for (int s = 0; s < JOB_STATE_MAX_; s++)
            work->batch.counts[s] += moves[i].delta[s];
    }
    return 0;
}

/* -- pieces of work -------------------------------------------------------------------------
 */

void batches_stop(struct turn *t, struct batch *b, enum batch_stop why)
{
    t->waiting_delta -= batch_pending(b);
    batch_stop(b, why);
    note_busy(t->en, b->id);
}

/* The first failure of a batch that ends with it. */
static void fail_fast(struct turn *t, struct batch *b)
{
    if (b->failure_policy == BATCH_CANCEL_REMAINING && b->counts[JOB_FAILED] > 0 &&
        b->stop == BATCH_GOES_ON)
        batches_stop(t, b, BATCH_STOP_FAIL_FAST);
}

static char *stop_reason(const struct batch *b)
{
    static char fail_fast_reason[] = "batch_fail_fast";

    return b->stop == BATCH_STOP_FAIL_FAST ? fail_fast_reason : b->reason;
}

/* Those that have ended, or are told to end already, are passed over. */
static int stop_member(struct turn *t, const struct batch *b, const struct store_member *m)
{
    const struct cancel_way way = { .grace_us = -1, .reason = stop_reason(b) };
    struct job job = {
        .id = m->id, .state = m->state, .attempt = m->attempt, .worker_id = m->worker_id
    };
    int r;

    if (job_state_is_final(m->state) || m->state == JOB_CANCELING)
        return 0;
    r = cancel_job(t, &job, &way);
    return r < 0 ? r : 0;
}

static int sweep(struct turn *t, struct batch *b, size_t max)
{
    AUTO(mem) struct store_member *items = mem_array0(max, sizeof *items);
    int n;
    int r = 0;

    n = store_batch_members(t->en->conf.store, b->id, b->sweep_key, items, max, &t->err);
    for (int i = 0; i < n && r == 0; i++) {
        r = stop_member(t, b, &items[i]);
        b->sweep_key = uuid7_key(items[i].id);
    }
    if (n < 0 || r < 0)
        return n < 0 ? n : r;
    b->sweeping = (size_t)n == max;
    return 0;
}

static int make_members(struct turn *t, struct batch *b, size_t max)
{
    AUTO_FINI(batch_job) struct batch_job bj = { 0 };
    int64_t count = batch_may_make(b);
    int r;

    if (count > (int64_t)max)
        count = (int64_t)max;
    r = batch_jobs_load(t, b, BATCH_SPEC_MEMBER, &bj);
    for (int64_t i = 0; i < count && r == 0; i++) {
        bj.job.batch = b->id;
        bj.job.array_place = ++b->array_made;
        r = submit_insert(t, &bj.job);
        t->waiting_delta -= 1; /* it was counted when the batch came */
    }
    return r;
}

static int work_on(struct turn *t, struct uuid7 id, size_t max)
{
    struct batch_work *work;
    int r;

    r = batches_touch(t, id, NULL, &work);
    if (r < 0)
        return r;
    if (r == 0) {
        effects_add(&t->effects, EFFECT_BATCH_IDLE, id);
        return 0;
    }
    crash_point("batch.piece");
    if (work->batch.sweeping)
        return sweep(t, &work->batch, max);
    return make_members(t, &work->batch, max);
}

int batches_work(struct turn *t)
{
    struct engine *en = t->en;
    size_t piece;
    int r;

    r = collect(t);
    if (r < 0)
        return r;
    for (struct batch_work *work = t->batches; work; work = work->hh.next)
        fail_fast(t, &work->batch);
    if (!batches_are_busy(en))
        return 0;
    piece = PIECE_JOBS / HASH_COUNT(en->busy_batches) + 1;
    for (const struct busy_batch *busy = en->busy_batches; busy && r == 0; busy = busy->hh.next)
        r = work_on(t, busy->id, piece);
    return r;
}

/* -- the end of the turn --------------------------------------------------------------------
 */

static int settle(struct turn *t, struct batch *b)
{
    unsigned due;
    bool ended;
    int r;

    fail_fast(t, b);
    due = batch_settle(b, t->now_us);
    ended = batch_state_is_final(b->state);
    b->version++;
    r = batch_jobs_call(t, b, due);
    if (r == 0)
        r = store_batch_update(t->en->conf.store, b, &t->err);
    if (r == ERR_NOT_FOUND)
        return 0; /* removed since this turn has read it */
    if (r < 0)
        return r;
    if (ended && t->en->conf.retention_us > 0)
        housekeeping_note(t, SWEEP_BATCHES, b->finished_at_us + t->en->conf.retention_us + 1);
    turn_job_changed(t, b->id,
                     ended ? JOB_SUCCEEDED : JOB_RUNNING); /* who waits, waits by id */
    if (batch_has_work(b))
        note_busy(t->en, b->id);
    else
        effects_add(&t->effects, EFFECT_BATCH_IDLE, b->id);
    return 0;
}

int batches_settle(struct turn *t)
{
    int r;

    r = collect(t);
    for (struct batch_work *work = t->batches; work && r == 0; work = work->hh.next)
        r = settle(t, &work->batch);
    return r;
}

int batches_sweep(struct turn *t, size_t portion, usec_t *ret_next_us)
{
    usec_t keep_us = t->en->conf.retention_us;
    size_t max = portion / SWEEP_PART + 1;
    usec_t oldest_us = 0;
    int n;

    if (keep_us == 0)
        return 0;
    n = store_batches_forget(t->en->conf.store, t->now_us - keep_us, max, &oldest_us, &t->err);
    if (n < 0)
        return n;
    if ((size_t)n == max)
        *ret_next_us = t->now_us;
    else if (oldest_us != 0)
        *ret_next_us = oldest_us + keep_us + 1;
    return 0;
}
