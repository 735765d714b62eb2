/* engine/failures.h - jobs that fail, counted by the kind of their failure.
 *
 * A turn adds up its failures in memory and writes each kind once: among all jobs of a tenant,
 * and in the batch of the job. Only jobs that fail pay for it. Private to engine/; the engine
 * thread.
 */
#ifndef JOBD_ENGINE_FAILURES_H
#define JOBD_ENGINE_FAILURES_H

#include "engine/turn.h"

/* Record that the job has failed by this outcome, as store_job_finish() does, and note of which
 * kind that is. */
int failures_finish(struct turn *t, const struct outcome *o);

/* Before the batches are settled: write what was noted. And after the turn, whatever became of
 * it: forget it. */
int failures_store(struct turn *t);
void failures_drop(struct turn *t);

#endif
