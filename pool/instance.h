/* pool/instance.h - the name of a data directory, and the marks that processes of its jobs
 * carry.
 *
 * The name is random, made once, kept in <data>/instance, and public: it only tells our jobs'
 * processes from all others. Everything that a job starts inherits the marks with its
 * environment, so that what outlives its worker and everybody above it can still be found
 * (pool/survivors.h).
 */
#ifndef JOBD_POOL_INSTANCE_H
#define JOBD_POOL_INSTANCE_H

#include <stdint.h>

#include "base/err.h"

#define INSTANCE_SIZE   33 /* 32 hexadecimal digits and a NUL */
#define INSTANCE_MARK   "JOBD_INSTANCE="
#define INSTANCE_WORKER "JOBD_WORKER="

/* Read it; made when it is not there. ERR_CONFIG: the file holds something else. */
int instance_load(const char *data_dir, char ret_id[INSTANCE_SIZE], struct errinfo *e);

/* Put the marks into this process's environment, from which pool/spawn.h takes them. For a
 * worker, before it starts anything. */
void instance_mark_environment(const char *id, int64_t worker_id);

#endif
