/* The event log, as a reader sees it: all events after a number, or those of one job. */
#include <stdlib.h>

#include "base/mem.h"
#include "store/sqlite/job_row.h"
#include "store/sqlite/sq.h"
#include "store/sqlite/tombstone.h"

static const char BOUNDS[] = "SELECT events_gone_seq, change_seq FROM ledger WHERE one = 1";
static const char FROM[] =
    "SELECT bytes FROM event_block WHERE last_seq >= ?1 ORDER BY last_seq";
static const char LAST_OF_JOB[] =
    "SELECT change_seq, state FROM job WHERE id = ?1 AND id_rand = ?2"
    " AND (?3 IS NULL OR coalesce(tenant, '') = ?3)";

static const char LAST_OF_BATCH[] =
    "SELECT change_seq, state FROM batch WHERE id = ?1 AND id_rand = ?2"
    " AND (?3 IS NULL OR coalesce(tenant, '') = ?3)";

/* What is being put together. */
struct gathering {
    struct store_events events;
    size_t room;
    size_t seen;       /* events looked at */
    const char *block; /* the copy of the block under the walk; NULL: not copied yet */
};

static void keep_block(struct gathering *g, const void *block, size_t len)
{
    struct store_events *evs = &g->events;
    char *copy = mem_dup(block, len);

    evs->blocks = mem_resize(evs->blocks, evs->block_count + 1, sizeof *evs->blocks);
    evs->blocks[evs->block_count++] = copy;
    g->block = copy;
}

static const char *moved(const char *text, const char *from, const char *to)
{
    return text ? to + (text - from) : NULL;
}

/* Take an event of this block, whose bytes do not last. */
static void keep_event(struct gathering *g, const struct event *ev, const char *block,
                       size_t len)
{
    struct store_events *evs = &g->events;
    struct event *to;

    if (!g->block)
        keep_block(g, block, len);
    if (evs->count == g->room) {
        g->room = g->room ? 2 * g->room : 16;
        evs->items = mem_resize(evs->items, g->room, sizeof *evs->items);
    }
    to = &evs->items[evs->count++];
    *to = *ev;
    to->reason = moved(ev->reason, block, g->block);
    to->queue = moved(ev->queue, block, g->block);
    to->function = moved(ev->function, block, g->block);
    to->tenant = moved(ev->tenant, block, g->block);
}

static int read_bounds(struct db *db, struct store_events *evs, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(db, BOUNDS, &s, e);
    if (r < 0)
        return r;
    r = stmt_step(s, e);
    if (r <= 0)
        return r < 0 ? r : err_set(e, ERR_DATABASE, "the table ledger is empty");
    evs->gone_seq = stmt_col_i64(s, 0);
    evs->newest_seq = stmt_col_i64(s, 1);
    return 0;
}

static int broken(struct errinfo *e)
{
    return err_set(e, ERR_DATABASE, "a row of the event log cannot be read");
}

/* -- all events -----------------------------------------------------------------------------
 */

/* One block. Returns 1 to go on, 0 when there is enough. */
static int gather_block(struct gathering *g, const struct store_event_query *query,
                        struct stmt *s, struct errinfo *e)
{
    size_t len;
    const char *block = stmt_col_blob(s, 0, &len);
    struct event_walk walk;
    struct event ev;

    g->block = NULL;
    event_walk_init(&walk, block, len);
    while (event_walk_next(&walk, &ev)) {
        if (ev.seq <= query->after_seq)
            continue;
        if (g->events.count == query->limit || g->seen++ == STORE_EVENTS_SCAN_MAX) {
            g->events.more = true;
            return 0;
        }
        g->events.seen_seq = ev.seq;
        if (event_matches(&ev, &query->filter))
            keep_event(g, &ev, block, len);
    }
    return walk.in.broken ? broken(e) : 1;
}

static int gather(struct gathering *g, struct db *db, const struct store_event_query *query,
                  struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(db, FROM, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, query->after_seq + 1);
    while ((r = stmt_step(s, e)) > 0) {
        r = gather_block(g, query, s, e);
        if (r <= 0)
            return r;
    }
    if (r == 0 && g->events.newest_seq > g->events.seen_seq)
        g->events.seen_seq = g->events.newest_seq; /* numbers without an event */
    return r;
}

int sq_read_events(struct store_reader *rd, const struct store_event_query *query,
                   struct store_events *ret_events, struct errinfo *e)
{
    struct gathering g = { .events.seen_seq = query->after_seq };
    AUTO(snapshot) struct db *snap = NULL;
    int r;

    r = snapshot_begin(sq_reader_db(rd), &snap, e);
    if (r == 0)
        r = read_bounds(snap, &g.events, e);
    g.events.gap =
        query->after_seq < g.events.gone_seq || query->after_seq > g.events.newest_seq;
    if (r == 0)
        r = gather(&g, snap, query, e);
    if (r < 0) {
        store_events_fini(&g.events);
        return r;
    }
    *ret_events = g.events;
    return 0;
}

/* -- the events of one job or batch -----------------------------------------------------------
 *
 * Each has the number of the one before.
 */

typedef int (*find_last)(struct db *db, struct uuid7 id, struct store_events *evs,
                         struct errinfo *e);

static int last_of_job(struct db *db, struct uuid7 id, struct store_events *evs,
                       struct errinfo *e)
{
    enum job_state state = JOB_QUEUED;
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_find_own(db, LAST_OF_JOB, id, &s, e);
    if (r <= 0)
        return r < 0 ? r : tombstone_missing(db, id, e);
    evs->newest_seq = stmt_col_i64(s, 0);
    r = row_state(s, 1, &state, e);
    evs->final = job_state_is_final(state);
    return r;
}

static int last_of_batch(struct db *db, struct uuid7 id, struct store_events *evs,
                         struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    const char *state;
    int r;

    r = stmt_find_own(db, LAST_OF_BATCH, id, &s, e);
    if (r < 0)
        return r;
    if (r == 0)
        return err_set(e, ERR_BATCH_NOT_FOUND, "there is no batch with this id");
    evs->newest_seq = stmt_col_i64(s, 0);
    state = stmt_col_text(s, 1);
    r = state ? batch_state_parse(state) : -1;
    if (r < 0)
        return err_set(e, ERR_DATABASE, "a batch has no state");
    evs->final = batch_state_is_final((enum batch_state)r);
    return 0;
}

/* The event of this number. 1: found, and kept when g is not NULL; 0: there is none. */
static int find_event(struct db *db, int64_t seq, struct gathering *g, struct event *ret_event,
                      struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    struct event_walk walk;
    const char *block;
    size_t len;
    int r;

    r = stmt_get(db, FROM, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, seq);
    r = stmt_step(s, e);
    if (r <= 0)
        return r;
    block = stmt_col_blob(s, 0, &len);
    event_walk_init(&walk, block, len);
    while (event_walk_next(&walk, ret_event) && ret_event->seq < seq)
        ;
    if (walk.in.broken)
        return broken(e);
    if (ret_event->seq != seq)
        return 0;
    if (g) {
        g->block = NULL;
        keep_event(g, ret_event, block, len);
    }
    return 1;
}

/* Numbers of events, the newest first. */
struct chain {
    int64_t *seqs;
    size_t count;
    size_t room;
    int64_t rest_seq; /* where it goes on: not looked at, or not kept */
};

static void chain_fini(struct chain *c)
{
    free(c->seqs);
}
DEFINE_AUTO_FINI(chain, struct chain)

/* From the last event back to after_seq, or as far as they are kept. */
static int follow_chain(struct db *db, int64_t seq, int64_t after_seq, struct chain *c,
                        struct errinfo *e)
{
    struct event ev = { 0 };
    int r;

    for (c->rest_seq = seq; c->rest_seq > after_seq && c->count < STORE_EVENTS_SCAN_MAX;
         c->rest_seq = ev.prev_seq) {
        r = find_event(db, c->rest_seq, NULL, &ev, e);
        if (r <= 0)
            return r;
        if (c->count == c->room) {
            c->room = c->room ? 2 * c->room : 16;
            c->seqs = mem_resize(c->seqs, c->room, sizeof *c->seqs);
        }
        c->seqs[c->count++] = c->rest_seq;
    }
    return 0;
}

static int gather_chain(struct gathering *g, struct db *db, const struct chain *c, size_t limit,
                        struct errinfo *e)
{
    struct event ev = { 0 };
    int r;

    for (size_t i = 0; i < c->count && i < limit; i++) {
        r = find_event(db, c->seqs[c->count - 1 - i], g, &ev, e);
        if (r < 0)
            return r;
        g->events.seen_seq = ev.seq;
    }
    g->events.more = c->count > limit;
    return 0;
}

static int gather_own(struct gathering *g, struct db *db, struct uuid7 id, find_last last,
                      int64_t after_seq, size_t limit, struct errinfo *e)
{
    AUTO_FINI(chain) struct chain c = { 0 };
    struct store_events *evs = &g->events;
    int r;

    r = read_bounds(db, evs, e);
    if (r == 0)
        r = last(db, id, evs, e);
    if (r == 0)
        r = follow_chain(db, evs->newest_seq,
                         after_seq > evs->gone_seq ? after_seq : evs->gone_seq, &c, e);
    if (r < 0)
        return r;
    evs->gap = c.rest_seq > after_seq;
    return gather_chain(g, db, &c, limit, e);
}

static int read_own(struct store_reader *rd, struct uuid7 id, find_last last, int64_t after_seq,
                    size_t limit, struct store_events *ret_events, struct errinfo *e)
{
    struct gathering g = { .events.seen_seq = after_seq };
    AUTO(snapshot) struct db *snap = NULL;
    int r;

    r = snapshot_begin(sq_reader_db(rd), &snap, e);
    if (r == 0)
        r = gather_own(&g, snap, id, last, after_seq, limit, e);
    if (r < 0) {
        store_events_fini(&g.events);
        return r;
    }
    *ret_events = g.events;
    return 0;
}

int sq_read_job_events(struct store_reader *rd, struct uuid7 id, int64_t after_seq,
                       size_t limit, struct store_events *ret_events, struct errinfo *e)
{
    return read_own(rd, id, last_of_job, after_seq, limit, ret_events, e);
}

int sq_read_batch_events(struct store_reader *rd, struct uuid7 id, int64_t after_seq,
                         size_t limit, struct store_events *ret_events, struct errinfo *e)
{
    return read_own(rd, id, last_of_batch, after_seq, limit, ret_events, e);
}
