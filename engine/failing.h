/* engine/failing.h - a store that does not take what it is given, and when to try it again.
 *
 * From a commit that fails until one that succeeds the store is failing. One that fails by
 * turns (there is room for a little, but not for what comes) is tried, and logged, less and
 * less often. Engine thread. Times are monotonic.
 */
#ifndef JOBD_ENGINE_FAILING_H
#define JOBD_ENGINE_FAILING_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/err.h"

#define FAILING_WAIT_MIN_US  (200 * USEC_PER_MS)
#define FAILING_WAIT_MAX_US  (5 * USEC_PER_SEC)
#define FAILING_RECOVERED_US (30 * USEC_PER_SEC) /* what held as long was no turn of these */

/* Zero: it does not fail. */
struct failing {
    bool now;
    struct errinfo why;
    usec_t retry_us;     /* not before */
    usec_t wait_us;      /* between two tries */
    usec_t recovered_us; /* when it last did; 0: never */
};

/* True when it is the first failure in a row: to be logged. */
bool failing_note(struct failing *f, const struct errinfo *why, usec_t now_us);
void failing_end(struct failing *f, usec_t now_us);

#endif
