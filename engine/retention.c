/* The sweeper of jobs whose time is over.
 *
 * Theory of operation. Jobs with a time of their own are in an index by it: they are looked up.
 * All others have the server's retention, and no index, which every job would have to pay for:
 * they are found by walking through the table in the order of the ids, which is that of their
 * creation. The walk goes as far as jobs are old enough to have ended a retention ago; this is
 * its frontier. Most jobs end soon after they were made, so the frontier keeps a small distance
 * (the slack), and finds nearly all of them over. Those that it had to leave behind, because
 * they took long or have not ended, are looked at again now and then: from the start to the
 * frontier there is nobody else.
 */
#include "base/mem.h"
#include "engine/removal.h"
#include "engine/turn.h"

#define ROWS_FACTOR  4 /* rows looked at, for each that may be removed */
#define FILES_COST   4 /* of the removal of a job with files, in those of one without */
#define SLACK_PART   64
#define SLACK_MIN_US (100 * USEC_PER_MS)
#define SLACK_MAX_US (600 * USEC_PER_SEC)

struct sweep {
    struct turn *t;
    struct retention_walk *walk;
    size_t room; /* for removals */
    usec_t retention_us;
    usec_t slack_us;
};

static int remove_ended(struct sweep *s, const struct store_ended *job)
{
    size_t cost;
    int r;

    r = removal_apply(s->t, job->id, job->state, job->attempt);
    if (r < 0)
        return r;
    cost = r > 0 ? FILES_COST : 1;
    s->room -= cost < s->room ? cost : s->room;
    return 0;
}

/* -- jobs with a time of their own ----------------------------------------------------------
 */

static int sweep_own(struct sweep *s)
{
    AUTO(mem) struct store_ended *items = mem_array0(s->room, sizeof *items);
    int n;
    int r = 0;

    n = store_jobs_expired(s->t->en->conf.store, s->t->now_us, items, s->room, &s->t->err);
    for (int i = 0; i < n && r == 0 && s->room > 0; i++)
        r = remove_ended(s, &items[i]);
    return n < 0 ? n : r;
}

/* -- all others -----------------------------------------------------------------------------
 */

/* There is one that can go at at_us, but not now. */
static void note_stays(struct retention_walk *w, usec_t at_us)
{
    usec_t *earliest_us = w->looking ? &w->next_again_us : &w->again_us;

    if (*earliest_us == 0 || at_us < *earliest_us)
        *earliest_us = at_us;
}

/* Remove it, or note that it stays. */
static int consider(struct sweep *s, const struct store_ended *job)
{
    bool final = job_state_is_final(job->state);

    if (final && job->ttl_us != 0)
        return 0; /* it is in the index */
    if (!final)
        note_stays(s->walk, s->t->now_us + s->retention_us);
    else if (job->finished_at_us + s->retention_us > s->t->now_us)
        note_stays(s->walk, job->finished_at_us + s->retention_us);
    else
        return remove_ended(s, job);
    return 0;
}

/* Whether the frontier has to wait for this one to grow older; one that was made by a clock
 * that was ahead must not stop it. */
static bool is_young(const struct sweep *s, const struct store_ended *job)
{
    return job->created_at_us <= s->t->now_us &&
           job->created_at_us + s->retention_us + s->slack_us > s->t->now_us;
}

/* *ret_next_us: when the frontier can be moved on. */
static int move_frontier(struct sweep *s, usec_t *ret_next_us)
{
    size_t rows = s->room * ROWS_FACTOR;
    AUTO(mem) struct store_ended *items = mem_array0(rows, sizeof *items);
    int n;

    n = store_jobs_from(s->t->en->conf.store, s->walk->frontier_key, items, rows, &s->t->err);
    if (n < 0)
        return n;
    *ret_next_us = (size_t)n == rows ? s->t->now_us : s->t->now_us + s->retention_us;
    for (int i = 0; i < n; i++) {
        int r;

        if (is_young(s, &items[i])) {
            *ret_next_us = items[i].created_at_us + s->retention_us + s->slack_us;
            return 0;
        }
        if (s->room == 0) {
            *ret_next_us = s->t->now_us;
            return 0;
        }
        r = consider(s, &items[i]);
        if (r < 0)
            return r;
        s->walk->frontier_key = uuid7_key(items[i].id);
    }
    return 0;
}

static void begin_second_look(struct retention_walk *w)
{
    w->looking = true;
    w->again_key = 0;
    w->next_again_us = 0; /* it finds out anew who stays */
}

static void end_second_look(struct sweep *s)
{
    struct retention_walk *w = s->walk;

    w->looking = false;
    w->again_us = w->next_again_us;
    w->rest_us = s->t->now_us + s->slack_us;
}

/* A part of the way from the start to the frontier. */
static int look_again(struct sweep *s)
{
    size_t rows = s->room * ROWS_FACTOR;
    AUTO(mem) struct store_ended *items = mem_array0(rows + 1, sizeof *items);
    struct retention_walk *w = s->walk;
    int n;

    n = store_jobs_from(s->t->en->conf.store, w->again_key, items, rows, &s->t->err);
    if (n < 0)
        return n;
    for (int i = 0; i < n; i++) {
        int r;

        if (uuid7_key(items[i].id) > w->frontier_key) {
            end_second_look(s);
            return 0;
        }
        if (s->room == 0)
            return 0;
        r = consider(s, &items[i]);
        if (r < 0)
            return r;
        w->again_key = uuid7_key(items[i].id);
    }
    if ((size_t)n < rows)
        end_second_look(s);
    return 0;
}

/* When the next second look is due; 0: nobody was left behind. */
static usec_t second_look_us(const struct retention_walk *w)
{
    return w->again_us != 0 && w->again_us < w->rest_us ? w->rest_us : w->again_us;
}

static int sweep_others(struct sweep *s, usec_t *ret_next_us)
{
    struct retention_walk *w = s->walk;
    usec_t next_us = 0;
    usec_t again_us;
    int r;

    r = move_frontier(s, &next_us);
    if (r < 0)
        return r;
    again_us = second_look_us(w);
    if (!w->looking && again_us != 0 && again_us <= s->t->now_us)
        begin_second_look(w);
    if (w->looking && s->room > 0) {
        r = look_again(s);
        if (r < 0)
            return r;
    }
    again_us = w->looking ? s->t->now_us : second_look_us(w);
    *ret_next_us = again_us != 0 && again_us < next_us ? again_us : next_us;
    return 0;
}

int retention_sweep(struct turn *t, size_t portion, usec_t *ret_next_us)
{
    struct sweep s = { .t = t,
                       .walk = &t->keeping.walk,
                       .room = portion,
                       .retention_us = t->en->conf.retention_us };
    usec_t own_us = 0;
    int r;

    s.slack_us = s.retention_us / SLACK_PART;
    if (s.slack_us < SLACK_MIN_US)
        s.slack_us = SLACK_MIN_US;
    if (s.slack_us > SLACK_MAX_US)
        s.slack_us = SLACK_MAX_US;
    r = sweep_own(&s);
    if (r == 0 && s.room == 0)
        *ret_next_us = t->now_us;
    if (r < 0 || s.room == 0)
        return r;
    if (s.retention_us > 0)
        r = sweep_others(&s, ret_next_us);
    if (r == 0)
        r = store_next_expiry(t->en->conf.store, &own_us, &t->err);
    if (r < 0)
        return r;
    if (own_us != 0 && (*ret_next_us == 0 || own_us < *ret_next_us))
        *ret_next_us = own_us;
    return 0;
}
