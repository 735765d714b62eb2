#include "engine/housekeeping.h"

#include "base/crash.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/batches.h"
#include "engine/discard.h"
#include "engine/removal.h"
#include "engine/turn.h"

#define PORTION       32  /* jobs, rows: what a sweeper does in one turn at most */
#define PORTION_IDLE  256 /* the same when nobody is there to be held up */
#define PAUSE_FACTOR  4   /* the pause after a portion, in times of what it took */
#define PAUSE_MIN_US  (1 * USEC_PER_MS)
#define CLEARED_US    USEC_PER_SEC         /* one sync for all the files that go in this time */
#define LOOK_US       (600 * USEC_PER_SEC) /* the wall clock may be set: nobody tells us */
#define EVENTS_US     USEC_PER_SEC         /* how long there may be more than max_events */
#define RECOVER_BATCH 256

/* -- tombstones -----------------------------------------------------------------------------
 */

static int sweep_tombstones(struct turn *t, size_t portion, usec_t *ret_next_us)
{
    struct store *st = t->en->conf.store;
    usec_t oldest_us = 0;
    int n;
    int r;

    n = store_tombstones_forget(st, t->now_us - HOUSEKEEPING_TOMBSTONE_US, portion, &t->err);
    if (n < 0)
        return n;
    r = store_oldest_tombstone(st, &oldest_us, &t->err);
    if (r < 0)
        return r;
    *ret_next_us = oldest_us == 0 ? 0 : oldest_us + HOUSEKEEPING_TOMBSTONE_US + 1;
    return 0;
}

/* -- files that are gone --------------------------------------------------------------------
 */

void housekeeping_files_gone(struct engine *en, struct uuid7 id)
{
    if (en->cleared_count == en->cleared_room) {
        en->cleared_room = en->cleared_room ? 2 * en->cleared_room : 64;
        en->cleared = mem_resize(en->cleared, en->cleared_room, sizeof *en->cleared);
    }
    en->cleared[en->cleared_count++] = id;
    if (en->keeping.due_us[SWEEP_CLEARED] == 0)
        en->keeping.due_us[SWEEP_CLEARED] = clock_wall_us() + CLEARED_US;
}

/* The directories are synced first: what the ledger forgets nobody would look for again. */
static int sweep_cleared(struct turn *t, size_t portion, usec_t *ret_next_us)
{
    struct engine *en = t->en;
    size_t count = en->cleared_count < portion ? en->cleared_count : portion;
    struct errinfo e = { 0 };
    int r;

    *ret_next_us = count < en->cleared_count ? t->now_us : 0;
    if (count == 0)
        return 0;
    if (discard_sync(en->conf.data_dir, &e) < 0) {
        log_warn("housekeeping.not_synced", LSTR("error", e.text));
        *ret_next_us = t->now_us + LOOK_US;
        return 0;
    }
    crash_point("files.before_cleared");
    for (size_t i = 0; i < count; i++) {
        r = store_tombstone_cleared(en->conf.store, en->cleared[i], &t->err);
        if (r < 0)
            return r;
    }
    t->keeping.cleared_count = count;
    return 0;
}

static void forget_cleared(struct engine *en, size_t count)
{
    en->cleared_count -= count;
    for (size_t i = 0; i < en->cleared_count; i++)
        en->cleared[i] = en->cleared[i + count];
}

/* -- events ---------------------------------------------------------------------------------
 */

/* Each portion is of rows, which hold several events. */
static int sweep_events(struct turn *t, size_t portion, usec_t *ret_next_us)
{
    const struct engine_conf *conf = &t->en->conf;
    usec_t keep_us = conf->event_retention_us;
    usec_t oldest_us = 0;
    int n;

    n = store_events_expire(conf->store, keep_us > 0 ? t->now_us - keep_us : 0,
                            conf->max_events, portion, &oldest_us, &t->err);
    if (n < 0)
        return n;
    if ((size_t)n == portion)
        *ret_next_us = t->now_us;
    else if (oldest_us != 0 && keep_us > 0)
        *ret_next_us = oldest_us + keep_us + 1;
    return 0;
}

/* Changes are events: before long they may be too many. */
static void note_events(struct turn *t)
{
    if (t->en->conf.max_events > 0 && (t->requests || t->en->endings))
        housekeeping_note(t, SWEEP_EVENTS, t->now_us + EVENTS_US);
}

/* -- all of them ----------------------------------------------------------------------------
 */

/* Do at most `portion` of it, inside the open transaction; *ret_next_us: when to be called
 * again (wall clock), 0: when somebody says so. < 0: the store's error. */
static const struct {
    const char *name;
    int (*sweep)(struct turn *t, size_t portion, usec_t *ret_next_us);
} sweepers[SWEEPER_MAX_] = {
    [SWEEP_RETENTION] = { "retention", retention_sweep },
    [SWEEP_TOMBSTONES] = { "tombstones", sweep_tombstones },
    [SWEEP_CLEARED] = { "cleared", sweep_cleared },
    [SWEEP_EVENTS] = { "events", sweep_events },
    [SWEEP_ANSWERS] = { "answers", idempotency_sweep },
    [SWEEP_BATCHES] = { "batches", batches_sweep },
};

static usec_t earliest(const struct housekeeping *h)
{
    usec_t at_us = 0;

    for (int i = 0; i < SWEEPER_MAX_; i++)
        if (h->due_us[i] != 0 && (at_us == 0 || h->due_us[i] < at_us))
            at_us = h->due_us[i];
    return at_us;
}

bool housekeeping_is_due(const struct engine *en, usec_t now_wall_us, usec_t now_mono_us)
{
    usec_t at_us = earliest(&en->keeping);

    return at_us != 0 && at_us <= now_wall_us && en->keeping_not_before_us <= now_mono_us;
}

usec_t housekeeping_wait_us(const struct engine *en, usec_t now_wall_us, usec_t now_mono_us)
{
    usec_t at_us = earliest(&en->keeping);
    usec_t due_us = at_us - now_wall_us;
    usec_t pause_us = en->keeping_not_before_us - now_mono_us;

    if (at_us == 0)
        return -1;
    if (due_us > LOOK_US)
        due_us = LOOK_US;
    if (due_us < pause_us)
        due_us = pause_us;
    return due_us > 0 ? due_us : 0;
}

void housekeeping_note(struct turn *t, enum sweeper sweeper, usec_t at_us)
{
    usec_t *due_us = &t->keeping.due_us[sweeper];

    if (*due_us == 0 || at_us < *due_us)
        *due_us = at_us;
}

/* A job of its own time may have ended in this turn. Nobody has looked at each: the question is
 * put to the index once. */
static int note_expiry(struct turn *t)
{
    usec_t at_us = 0;
    int r;

    if (!t->en->endings && !t->requests)
        return 0;
    r = store_next_expiry(t->en->conf.store, &at_us, &t->err);
    if (r == 0 && at_us != 0)
        housekeeping_note(t, SWEEP_RETENTION, at_us);
    return r;
}

int housekeeping_apply(struct turn *t)
{
    usec_t begun_us = clock_mono_us();
    bool is_idle = !t->requests && !t->en->endings;
    usec_t took_us;
    int r;

    note_events(t);
    r = note_expiry(t);
    if (r < 0 || t->en->keeping_not_before_us > begun_us)
        return r;
    for (int i = 0; i < SWEEPER_MAX_; i++) {
        usec_t next_us = 0;

        if (t->keeping.due_us[i] == 0 || t->keeping.due_us[i] > t->now_us)
            continue;
        t->keeping.due_us[i] = 0; /* notes that come while it sweeps are kept */
        r = sweepers[i].sweep(t, is_idle ? PORTION_IDLE : PORTION, &next_us);
        if (r < 0)
            return r;
        if (next_us != 0)
            housekeeping_note(t, (enum sweeper)i, next_us);
    }
    took_us = clock_mono_us() - begun_us;
    t->en->keeping_not_before_us = begun_us + took_us + PAUSE_MIN_US + took_us * PAUSE_FACTOR;
    return 0;
}

void housekeeping_publish(struct turn *t)
{
    if (t->keeping.cleared_count > 0)
        links_tidy(t->en->links);
    forget_cleared(t->en, t->keeping.cleared_count);
    t->keeping.cleared_count = 0;
    t->en->keeping = t->keeping;
}

/* -- at start -------------------------------------------------------------------------------
 */

static int find_files(struct engine *en, struct store_tombstone *items, struct errinfo *e)
{
    int n;
    int r;

    r = store_begin(en->conf.store, e);
    if (r < 0)
        return r;
    n = store_tombstones_with_files(en->conf.store, items, RECOVER_BATCH, e);
    store_rollback(en->conf.store);
    return n;
}

static int note_gone(struct engine *en, const struct store_tombstone *items, int count,
                     struct errinfo *e)
{
    int r;

    r = discard_sync(en->conf.data_dir, e);
    if (r == 0)
        r = store_begin(en->conf.store, e);
    for (int i = 0; r == 0 && i < count; i++)
        r = store_tombstone_cleared(en->conf.store, items[i].id, e);
    if (r == 0)
        return store_commit(en->conf.store, e);
    store_rollback(en->conf.store);
    return r;
}

/* The files of jobs that were removed just before the end of an earlier front. */
static int recover_files(struct engine *en, struct errinfo *e)
{
    AUTO(mem) struct store_tombstone *items = mem_array0(RECOVER_BATCH, sizeof *items);
    int n;
    int r;

    while ((n = find_files(en, items, e)) > 0) {
        for (int i = 0; i < n; i++) {
            r = discard_files(en->conf.data_dir, items[i].id, items[i].attempts, e);
            if (r < 0)
                return r;
        }
        r = note_gone(en, items, n, e);
        if (r < 0)
            return r;
    }
    return n;
}

void housekeeping_recover(struct engine *en)
{
    struct errinfo e = { 0 };

    for (int i = 0; i < SWEEPER_MAX_; i++)
        en->keeping.due_us[i] = 1;
    if (recover_files(en, &e) < 0) /* there is more room without them, but it can wait */
        log_warn("housekeeping.files_stay", LSTR("error", e.text));
}
