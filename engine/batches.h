/* engine/batches.h - what a turn does for batches.
 *
 * The store tells which members have changed their states; a turn adds that up and writes each
 * batch that is touched once, at its end, in the same transaction: so the counts are those of
 * the members at every commit. The callbacks that are due by then are submitted there, too:
 * once, whatever dies.
 *
 * What takes long is done a piece in each turn: making the members of an array, and stopping
 * those of a batch that is to end. The row of the batch says how far that has come.
 *
 * Private to engine/; the engine thread.
 */
#ifndef JOBD_ENGINE_BATCHES_H
#define JOBD_ENGINE_BATCHES_H

#include "base/hash64.h"
#include "domain/batch.h"
#include "engine/turn.h"
#include "store/store_batch.h"

/* A batch as this turn has it: with all changes that were collected. */
struct batch_work {
    int64_t key; /* uuid7_key(batch.id) */
    struct batch batch;
    UT_hash_handle hh;
};

/* A batch for which something is to be done in the next turn, as far as is known. */
struct busy_batch {
    int64_t key;
    struct uuid7 id;
    UT_hash_handle hh;
};

/* The batch, which will be written at the end of the turn. Returns 1 and what stays the turn's,
 * 0 when there is none of this id for this tenant (NULL: any), < 0 with t->err set. */
int batches_touch(struct turn *t, struct uuid7 id, const char *tenant,
                  struct batch_work **ret_work);
/* Stop it: see batch_stop(). */
void batches_stop(struct turn *t, struct batch *b, enum batch_stop why);

/* The steps of a turn: pieces of work; write what was touched; and, after the turn, whatever
 * became of it, forget it. */
int batches_work(struct turn *t);
int batches_settle(struct turn *t);
void batches_drop(struct turn *t);

/* The sweeper of those that have ended long ago. See engine/housekeeping.c. */
int batches_sweep(struct turn *t, size_t portion, usec_t *ret_next_us);

/* Whether a turn would do a piece of work. */
bool batches_are_busy(const struct engine *en);
/* At start: what an earlier front has left to be done; members that are to be made wait. */
int batches_recover(struct engine *en, struct errinfo *e);
/* Nothing is to be done for this one. */
void batches_note_idle(struct engine *en, struct uuid7 id);
void batches_fini(struct engine *en);

/* batch_jobs.c: as store_batch_spec_get() gives it, and made ready to be submitted by this
 * batch; and submit those callbacks that are due (bit 1 << enum batch_spec). */
int batch_jobs_load(struct turn *t, const struct batch *b, enum batch_spec kind,
                    struct batch_job *ret_bj);
int batch_jobs_call(struct turn *t, const struct batch *b, unsigned due);

#endif
