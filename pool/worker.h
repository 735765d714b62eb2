/* pool/worker.h - a prefork worker: one attempt of a command at a time, or the host of one warm
 * program.
 *
 * Runs in a child of the supervisor. A subreaper: nothing that an attempt starts gets out of
 * its sight. It enforces timeouts, output caps and cancellation by itself, so they hold while
 * the front is away. Single-threaded: one epoll loop over the front's connection, the attempt's
 * pipes, pidfd and timers. Ends (0) when the supervisor's end of life_fd closes, after its tree
 * is empty.
 */
#ifndef JOBD_POOL_WORKER_H
#define JOBD_POOL_WORKER_H

#include <stdint.h>

#include "domain/function.h"

struct worker_conf {
    int64_t worker_id;
    const char *data_dir;
    const struct function *program; /* the warm program to host; NULL: a command worker */
    int64_t output_max_bytes;
    int life_fd; /* reads end of file when the supervisor is gone or wants this worker to end */
};

int worker_main(const struct worker_conf *conf);

#endif
