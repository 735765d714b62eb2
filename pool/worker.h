/* pool/worker.h - a prefork worker: one attempt of a command at a time, or the host of one warm
 * program.
 *
 * Runs in a child of the supervisor. A subreaper: nothing that an attempt starts gets out of
 * its sight. It enforces timeouts, output caps and cancellation by itself, so they hold while
 * the front is away. Single-threaded: one epoll loop over the front's connection, the attempt's
 * pipes, pidfd and timers.
 *
 * When the supervisor's end of life_fd closes, the worker retires: it takes no new attempt,
 * finishes those that it has, delivers their outcomes or leaves them in the spool, lets its
 * program end, and ends itself. So it does when the supervisor has been killed. On the
 * supervisor's SIGTERM it stops: what runs is killed and goes back to its queue. Anybody else's
 * SIGTERM (a terminal's, an init's for the whole service) is the supervisor's business, as long
 * as there is one.
 *
 * The exit code 0 says: whatever this worker had started has been delivered or is in the spool.
 */
#ifndef JOBD_POOL_WORKER_H
#define JOBD_POOL_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "domain/function.h"
#include "pool/artifacts.h"

struct cgroup;

struct worker_conf {
    int64_t worker_id;
    int supervisor_pid; /* our parent, when it forked us */
    const char *data_dir;
    const struct function *program; /* the warm program to host; NULL: a command worker */
    int64_t output_max_bytes;
    struct artifacts_bounds artifacts;
    const struct cgroup *cgroup; /* to make groups in; NULL or one that is not there: none */
    bool no_new_privs;           /* for all that it starts */
    usec_t backlog_wait_us;      /* an order that could not be begun by then is given back */
    int life_fd; /* reads end of file when the supervisor is gone or retires this worker */
};

int worker_main(const struct worker_conf *conf);

#endif
