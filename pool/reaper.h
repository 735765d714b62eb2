/* pool/reaper.h - the one place of a worker that waits for its children.
 *
 * SIGCHLD through a signalfd on the loop. As the worker is a subreaper, children are also the
 * orphans of what it started: they are reaped at once and told to on_exit too. One thread.
 */
#ifndef JOBD_POOL_REAPER_H
#define JOBD_POOL_REAPER_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/clean.h"
#include "base/err.h"
#include "pool/loop.h"

struct reaper {
    struct loop *loop;
    struct watch watch;
    /* One child has ended and is reaped: from here on its pid means nothing. */
    void (*on_exit)(void *ctx, pid_t pid, int wait_status, const struct rusage *usage);
    /* After all of them. none_left: the kernel said ECHILD, so no descendant is alive. */
    void (*on_settled)(void *ctx, bool none_left);
    void *ctx;
};

/* Block SIGCHLD and SIGPIPE in this thread and listen. The callbacks are set by whoever runs
 * something; NULL while nobody does. */
int reaper_open(struct reaper *r, struct loop *l, struct errinfo *e);
void reaper_close(struct reaper *r);

#endif
