/* pool/child.h - a process that is kept up: its pid, or when to start it again.
 *
 * The first early end is followed by a start at once, further ones in a row by waits that
 * double from CHILD_WAIT_MIN_US to CHILD_WAIT_MAX_US. Pure: no system calls. Times are
 * monotonic.
 */
#ifndef JOBD_POOL_CHILD_H
#define JOBD_POOL_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/clock.h"

#define CHILD_WAIT_MIN_US (10 * USEC_PER_MS)
#define CHILD_WAIT_MAX_US (5 * USEC_PER_SEC)

/* Zero: there is none, and one is to be started at once. */
struct child {
    pid_t pid;           /* 0: there is none */
    usec_t started_us;   /* when pid was started */
    usec_t start_at_us;  /* when pid is 0: not before this time */
    unsigned early_ends; /* in a row */
};

void child_started(struct child *c, pid_t pid, usec_t now_us);
/* It has ended, or could not be started. early: before it was of any use. */
void child_ended(struct child *c, bool early, usec_t now_us);
/* Whether there is none and the time to start one has come. */
bool child_is_due(const struct child *c, usec_t now_us);

#endif
