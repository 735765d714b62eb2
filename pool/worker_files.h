/* pool/worker_files.h - run/workers/<worker_id>: by its lock, who lives, whatever has become of
 * who started it.
 *
 * The supervisor makes and locks the file before it forks the worker, which from then on is the
 * only one to hold the lock (flock(2)); the kernel drops it with the worker's last breath. The
 * content is the worker's "<pid> <pool>", and a line "ended" below it when the worker has left
 * nothing undone. A later supervisor finds the workers of a killed one by it. Each function
 * belongs to the process that its comment names. One thread.
 */
#ifndef JOBD_POOL_WORKER_FILES_H
#define JOBD_POOL_WORKER_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clean.h"
#include "base/err.h"
#include "pool/supervisor.h"

/* Supervisor, before the fork: *ret_fd (CLOEXEC) holds the lock. Close it after the fork. */
int worker_file_make(const char *data_dir, int64_t worker_id, int *ret_fd, struct errinfo *e);
/* Worker: say who holds fd, which stays open to the end of the process. */
int worker_file_sign(int fd, const char *pool, struct errinfo *e);
/* Worker: all that it had started is delivered or in the spool, and it takes no more. */
void worker_file_sign_off(int fd);
/* Supervisor: whether a worker that has ended had signed off. */
bool worker_file_is_signed_off(const char *data_dir, int64_t worker_id);
/* Supervisor: the worker has ended. */
void worker_file_remove(const char *data_dir, int64_t worker_id);

/* A worker of an earlier supervisor. */
struct worker_found {
    struct worker_info info;
    int pid_fd; /* of exactly that process; -1: it has ended, and had signed off */
};

struct worker_census {
    struct worker_found *items;
    size_t count;
    size_t dead_count;         /* without signing off: their files are removed */
    int64_t highest_worker_id; /* of all that were found; 0: none was */
};
/* Closes the pid_fds that are not -1. */
void worker_census_fini(struct worker_census *c);
DEFINE_AUTO_FINI(worker_census, struct worker_census)

/* Supervisor, at its start, holding the lock of the data directory. ERR_LOCKED: a worker lives
 * where this process cannot see it (another PID namespace). */
int worker_files_scan(const char *data_dir, struct worker_census *ret_census,
                      struct errinfo *e);

#endif
