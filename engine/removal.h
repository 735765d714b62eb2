/* engine/removal.h - jobs leave the ledger, and their files follow.
 *
 * The order is what makes it safe: the record goes, and a tombstone that says which files are
 * left comes, in one transaction; then the files go; then the tombstone is told. Whoever finds
 * a tombstone with files after a crash goes on from there. Engine thread.
 */
#ifndef JOBD_ENGINE_REMOVAL_H
#define JOBD_ENGINE_REMOVAL_H

#include <stddef.h>

#include "base/clock.h"
#include "base/uuid7.h"
#include "domain/job_state.h"

struct engine;
struct turn;

/* Remove a job that is in this final state, of which there were so many attempts. Returns 1
 * when there are files to follow it, else 0, or < 0: the store's error. */
int removal_apply(struct turn *t, struct uuid7 id, enum job_state state, int attempts);
/* It is on disk: its files go. attempts: 0: there are none. */
void removal_publish(struct engine *en, struct uuid7 id, int attempts);

/* retention.c: the sweeper of jobs whose time is over. See engine/housekeeping.c. */
int retention_sweep(struct turn *t, size_t portion, usec_t *ret_next_us);

#endif
