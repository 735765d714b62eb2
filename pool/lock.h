/* pool/lock.h - one jobd in a data directory.
 *
 * <data>/jobd.lock is locked with flock(2). The lock belongs to the open file, which the front
 * and the workers inherit: it is free once the last process of a jobd has gone, not when its
 * supervisor has. The file's content is the supervisor's pid, for the text of a refusal.
 */
#ifndef JOBD_POOL_LOCK_H
#define JOBD_POOL_LOCK_H

#include "base/clock.h"
#include "base/err.h"

/* Take the lock; *ret_fd (CLOEXEC) holds it. ERR_LOCKED: at once while the jobd that took it
 * lives; after wait_us when only processes that it left behind hold it, which end by
 * themselves. */
int lock_take(const char *data_dir, usec_t wait_us, int *ret_fd, struct errinfo *e);

#endif
