/* engine/housekeeping.h - what the ledger does of its own accord, a little at a time: remove
 * what is too old.
 *
 * A sweeper does a bounded portion of one kind of work inside a turn and says when it wants to
 * be called again. All of them together take a part of the engine's time that submits hardly
 * notice: after a portion they pause for a multiple of what it took. To add one: a line in
 * housekeeping.c.
 *
 * What they remember between turns is in struct housekeeping, of which a turn has its own copy:
 * a transaction that fails leaves it as it was. Engine thread.
 */
#ifndef JOBD_ENGINE_HOUSEKEEPING_H
#define JOBD_ENGINE_HOUSEKEEPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/uuid7.h"

struct engine;
struct turn;

/* How long it is told that there was a job. */
#define HOUSEKEEPING_TOMBSTONE_US (86400 * USEC_PER_SEC)

enum sweeper {
    SWEEP_RETENTION,  /* jobs whose time is over: retention.c */
    SWEEP_TOMBSTONES, /* what is told of removed jobs */
    SWEEP_CLEARED,    /* what is remembered of their files */
    SWEEP_EVENTS,     /* events that are too old, or too many */
    SWEEP_ANSWERS,    /* answers that are remembered: idempotency.c */
    SWEEP_BATCHES,    /* batches that have ended long ago: batches.c */
    SWEEPER_MAX_
};

/* How far the walks over old jobs have come: see retention.c. Times are of the wall clock. */
struct retention_walk {
    int64_t frontier_key; /* jobs up to it have been looked at */
    usec_t again_us;      /* when one of those that stayed can go; 0: none has stayed */
    usec_t rest_us;       /* no second look at them before */
    bool looking;         /* one is under way: */
    int64_t again_key;    /* how far it has come */
    usec_t next_again_us; /* what again_us becomes, as far as it knows */
};

/* Zeroed, with every due_us at 1: all are called once. */
struct housekeeping {
    usec_t due_us[SWEEPER_MAX_]; /* wall clock; 0: nothing to do until it is told */
    struct retention_walk walk;
    size_t cleared_count; /* of the engine's list: done by this turn */
};

/* Whether there is something to do now; and how long there is not (microseconds, < 0: for
 * ever). */
bool housekeeping_is_due(const struct engine *en, usec_t now_wall_us, usec_t now_mono_us);
usec_t housekeeping_wait_us(const struct engine *en, usec_t now_wall_us, usec_t now_mono_us);
/* A portion of it, last in a turn. < 0: the store's error. */
int housekeeping_apply(struct turn *t);
/* The turn is on disk. */
void housekeeping_publish(struct turn *t);
/* This sweeper has something to do at at_us (wall clock), if nothing earlier. */
void housekeeping_note(struct turn *t, enum sweeper sweeper, usec_t at_us);

/* At start, outside of a transaction: what an earlier front has left to be done. */
void housekeeping_recover(struct engine *en);

/* A job's files are gone: that may be forgotten, too. Not in a transaction. */
void housekeeping_files_gone(struct engine *en, struct uuid7 id);

#endif
