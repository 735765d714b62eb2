/* engine/gather.h - outcomes that wait for company, so that many share a commit.
 *
 * A commit costs as much as a short command. While every worker of a pool still has some of the
 * orders that it was sent ahead (engine/pace.h), nobody has less to do when the outcomes of
 * that pool are written a few milliseconds later, together: only those learn of it later who
 * wait for just these jobs. The same goes for a new job whose submit is answered when the job
 * has ended. Everything else makes a turn at once, and takes along what has waited. Engine
 * thread, but gather_may_wait().
 */
#ifndef JOBD_ENGINE_GATHER_H
#define JOBD_ENGINE_GATHER_H

#include <stdbool.h>

#include "base/clock.h"

struct engine;
struct engine_request;
struct pool;

/* Zeroed. */
struct gather {
    usec_t until_us; /* monotonic: the end of the wait; 0: nothing waits */
};

/* Whether what has come may wait for more, and nothing else makes a turn due. `due`: outcomes
 * aside, one is. */
bool gather_goes_on(struct engine *en, bool due, usec_t now_us);
/* Whether jobs of this pool are claimed when the wait is over, and not before. */
bool gather_holds_back(const struct engine *en, const struct pool *pool);
/* While it gathers: how long no worker needs to be heard, because by their pace none can have
 * used up what it has before; 0: they do. */
usec_t gather_deaf_us(const struct engine *en, usec_t now_us);
/* A turn has taken all that waited. */
void gather_end(struct engine *en);

/* Whether a request that comes while the engine gathers may wait, too. Any thread, under the
 * mutex of the inbox; ctx is the engine. */
bool gather_may_wait(void *ctx, const struct engine_request *rq);

#endif
