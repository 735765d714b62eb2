/* pool/slots.h - the supervisor's table of workers: one slot for each that is to run.
 *
 * A slot keeps its pool for ever and gets a new worker, with a new worker_id, whenever the old
 * one has ended. The end of a worker stays in its slot until the front has been told: no new
 * worker is started there before. Fixed size, pure: no system calls. Times are monotonic.
 */
#ifndef JOBD_POOL_SLOTS_H
#define JOBD_POOL_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "domain/function.h"
#include "pool/child.h"
#include "pool/supervisor.h"

/* A worker that ends sooner than this is not replaced at once a second time. */
#define SLOT_EARLY_US USEC_PER_SEC

struct slot {
    const struct function *program; /* borrowed; NULL: a command worker */
    struct child process;
    int64_t worker_id; /* of process, or of the one that ended last */
    int life_fd;       /* the end whose closing ends the worker; -1: closed */

    bool exit_untold; /* the front is still to be told that worker_id has ended: */
    pid_t exit_pid;
    int exit_status; /* as from waitpid(2) */
};

struct slots {
    struct slot items[SUPERVISOR_WORKERS_MAX];
    size_t count;
};

/* A slot for each command worker and for each worker of each program function.
 * ERR_CONFIG: more than SUPERVISOR_WORKERS_MAX. */
int slots_init(struct slots *t, const struct function_table *functions,
               unsigned command_workers, struct errinfo *e);

/* The slot whose worker has this pid now; NULL when there is none. */
struct slot *slots_find(struct slots *t, pid_t pid);
/* How many workers there are now; list has room for SUPERVISOR_WORKERS_MAX, or is NULL. */
size_t slots_alive(const struct slots *t, struct worker_info *list);
/* A new front learns who is alive from its list: no end is left to tell. */
void slots_forget_exits(struct slots *t);

/* What to call the slot's pool: "" for command workers, else the function's name. Borrowed. */
const char *slot_pool(const struct slot *slot);
bool slot_is_due(const struct slot *slot, usec_t now_us);
/* Its worker has ended; life_fd is the caller's to close. */
void slot_ended(struct slot *slot, int wait_status, usec_t now_us);

#endif
