/* pool/lock.h - one jobd in a data directory.
 *
 * <data>/jobd.lock is locked with flock(2). The lock belongs to the open file, which the front
 * inherits: it is free once nobody is left who could write the ledger or fork a worker. Workers
 * do not hold it: they finish their attempts without their jobd, and the next one adopts them
 * (pool/worker_files.h). The file's content is the supervisor's pid, for the text of a refusal.
 */
#ifndef JOBD_POOL_LOCK_H
#define JOBD_POOL_LOCK_H

#include "base/clock.h"
#include "base/err.h"

/* Take the lock; *ret_fd (CLOEXEC) holds it. ERR_LOCKED: at once while the jobd that took it
 * lives; after wait_us when only its front holds it, which ends by itself. */
int lock_take(const char *data_dir, usec_t wait_us, int *ret_fd, struct errinfo *e);

#endif
