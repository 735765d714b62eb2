/* engine/depths.h - how many jobs may wait in queues that have a bound of their own. Private to
 * engine/; the engine thread.
 *
 * The bound is on what is submitted. Jobs are counted in the store when a queue seems to be
 * full, but not more often than every 50 ms, and added up in between: what leaves the queue
 * meanwhile is noticed with that delay, and what comes back to it (retries) may exceed the
 * bound.
 */
#ifndef JOBD_ENGINE_DEPTHS_H
#define JOBD_ENGINE_DEPTHS_H

#include <stdint.h>

#include "base/clean.h"
#include "base/clock.h"
#include "domain/job.h"
#include "engine/engine.h"

struct depth {
    char *queue;
    int64_t max;
    int64_t waiting;      /* as counted, and what was let in since */
    usec_t counted_at_us; /* wall clock; 0: never */
};

struct depths {
    struct depth *items;
    size_t count;
};

void depths_init(struct depths *d, const struct queue_depth *list, size_t count);
void depths_fini(struct depths *d);

struct turn;
/* Whether these jobs may be submitted: 1; 0: rq->result says why not; < 0: the store's errors.
 */
int depths_admit(struct turn *t, struct engine_request *rq, const struct job *jobs,
                 size_t count);

#endif
