/* pool/supervisor.h - the process that forks, and therefore knows: it owns the front and the
 * workers.
 *
 * One thread; a correct init (reaps everything, forwards signals), a subreaper; after start-up
 * it allocates nothing. Signals: SIGTERM or SIGINT drains and stops, a second one stops now;
 * SIGHUP and SIGUSR2 execute the program anew, with its jobs running (pool/successor.h).
 * When a worker dies, what its job left behind is reparented here, killed and reaped; only then
 * is the front told, so "exited" means that nothing of its tree is alive.
 * When the supervisor is killed, its workers finish what they hold and end. The next supervisor
 * adopts those that still live (pool/elders.h): its front knows them like all others.
 */
#ifndef JOBD_POOL_SUPERVISOR_H
#define JOBD_POOL_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "domain/function.h"
#include "pool/artifacts.h"

#define SUPERVISOR_WORKERS_MAX 512
#define SUPERVISOR_POOL_MAX    65

/* A worker as the supervisor knows it. worker_id is never used again in this data directory. */
struct worker_info {
    int64_t worker_id;
    int pid;
    char pool[SUPERVISOR_POOL_MAX]; /* "" for a command worker */
};

/* What the front finds when it is started: made before the fork, read after it. */
struct front_start {
    int control_fd;       /* SOCK_SEQPACKET to the supervisor: struct control_msg, both ways */
    int worker_listen_fd; /* run/front.sock, listening, non-blocking */
    const struct worker_info *workers; /* alive at the time of the fork */
    size_t worker_count;
    const int64_t *done_workers; /* some that have ended and left nothing undone */
    size_t done_worker_count;
    bool stopping; /* jobd is being stopped already */
};

enum control_type {
    CONTROL_READY = 1, /* front -> supervisor: serving; written to run/listen by the front */
    CONTROL_WORKER_EXITED, /* supervisor -> front: worker is gone, and so is its whole tree */
    CONTROL_STOP,          /* supervisor -> front: drain, then exit 0 */
    CONTROL_STOP_NOW,      /* supervisor -> front: kill what runs, requeue it, exit 0 */
    CONTROL_LEAVE,         /* supervisor -> front: answer whom you have, exit 0; jobs go on */
};

struct control_msg {
    int32_t type;
    int32_t pid;         /* CONTROL_WORKER_EXITED */
    int64_t worker_id;   /* CONTROL_WORKER_EXITED */
    int32_t wait_status; /* CONTROL_WORKER_EXITED: as from waitpid(2), or the constant below */
    int32_t reserved;
};

/* The wait_status of a worker that was not our child: not one that waitpid(2) gives. */
#define CONTROL_STATUS_UNKNOWN (-1)

struct handover;
struct successor_conf;

struct supervisor_conf {
    const char *data_dir;
    int lock_fd; /* from supervisor_lock(), for supervisor and front; -1 in tests: none */
    const struct function_table *functions;
    unsigned command_workers; /* may be 0 when there are only program functions */
    int64_t output_max_bytes; /* kept of each stream of an attempt */
    struct artifacts_bounds artifacts;
    bool use_cgroups;       /* where the host allows it; false: the subreaper alone */
    bool no_new_privs;      /* for all that jobs start */
    usec_t stop_timeout_us; /* from a signal to the end: past it the front is killed */
    const int *front_fds;   /* for the front alone (the HTTP server's): workers close them */
    size_t front_fd_count;
    /* Runs in the front's process; its result is the exit code. Must not return before it is
     * done. */
    int (*front_main)(void *ctx, const struct front_start *start);
    void *ctx;
    /* Who takes over on SIGHUP and SIGUSR2; NULL: these signals are ignored. */
    const struct successor_conf *successor;
    /* What the image that executed us has left; NULL: we were started. */
    const struct handover *handover;
};

/* Take the lock of the data directory: ERR_LOCKED with the other's pid in the text when a jobd
 * (or the front of one) still lives in it. *ret_lock_fd stays open for the life of the process
 * and is inherited by the front. */
int supervisor_lock(const char *data_dir, int *ret_lock_fd, struct errinfo *e);

/* Run until stopped. Returns the process's exit code: 0 stopped as asked; 1 the front could not
 * be kept up (it failed several times in a row before it was ready, or while jobd was being
 * stopped); the front's own exit code when it gave up by itself before any front was ready (it
 * has said why). data_dir is prepared (pool/paths.h) and locked by the caller. Listening
 * sockets of the HTTP server are opened by the caller before this call and inherited by the
 * front. */
int supervisor_run(const struct supervisor_conf *conf);

#endif
