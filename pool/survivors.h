/* pool/survivors.h - what attempts of dead workers have left, found by its environment.
 *
 * When a worker dies its processes go to the supervisor, a subreaper, which sweeps them
 * (pool/tree.h). When that is dead too they go to init, and nobody is told. What is still known
 * then is their environment: JOBD_INSTANCE and JOBD_WORKER (pool/instance.h), as it was when
 * they executed their program (proc(5), environ).
 *
 * Not found: a process that executed a program with another environment (`env -i`, sshd, sudo),
 * or that overwrote its own; and what this process may not read. One thread.
 */
#ifndef JOBD_POOL_SURVIVORS_H
#define JOBD_POOL_SURVIVORS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"

struct survivors_conf {
    const char *instance;
    /* Whose processes are in good hands. */
    bool (*worker_lives)(void *ctx, int64_t worker_id);
    void *worker_ctx;
    /* Whom else to spare; NULL: nobody. */
    bool (*spare)(void *ctx, pid_t pid);
    void *spare_ctx;
    usec_t timeout_us;
};

/* Kill them, again and again until none is found. Blocks; returns how many were killed.
 * *ret_left: some were still there when the time was over. */
int survivors_kill(const struct survivors_conf *conf, bool *ret_left);

#endif
