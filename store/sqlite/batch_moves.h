/* store/sqlite/batch_moves.h - how the open transaction has moved the members of batches from
 * state to state.
 *
 * Internal to store/sqlite/. Every change of a job passes sq_change() or sq_job_insert(), which
 * tell; the engine takes the sums, and writes each batch once.
 */
#ifndef JOBD_STORE_SQLITE_BATCH_MOVES_H
#define JOBD_STORE_SQLITE_BATCH_MOVES_H

#include "base/uuid7.h"
#include "domain/job_state.h"
#include "store/sqlite/sq.h"

/* A member of this batch (zero: of none) is now in state `to`; from < 0: it is new. */
void sq_batch_moved(struct sq *sq, struct uuid7 batch, int from, enum job_state to);
/* Forget them: the transaction is over. */
void sq_batch_moves_clear(struct sq *sq);

#endif
