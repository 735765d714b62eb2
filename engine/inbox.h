/* engine/inbox.h - what other threads ask of the engine, in the order of asking.
 *
 * Any thread puts; the engine thread takes, and says before it sleeps that it has to be woken.
 * A request that comes after inbox_close() is refused at once, on the caller's thread.
 */
#ifndef JOBD_ENGINE_INBOX_H
#define JOBD_ENGINE_INBOX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"
#include "engine/engine.h"

/* Whether a request may wait while the engine dozes. Called under the mutex, on any thread. */
typedef bool inbox_may_wait_fn(void *ctx, const struct engine_request *rq);

struct inbox {
    inbox_may_wait_fn *may_wait;
    void *ctx;             /* of it */
    int wake_fd;           /* eventfd: readable when the engine is to look */
    pthread_mutex_t mutex; /* guards all below; a leaf */
    struct engine_request *first;
    struct engine_request **last_next;
    atomic_uint depth; /* how many are in it */
    atomic_uint taken; /* how many inbox_take() gave out last */
    unsigned urgent;   /* how many of these may not wait (may_wait) */
    bool asleep;       /* the engine waits in epoll and wants a write to wake_fd */
    bool dozing;       /* the same, but not for a request that may wait */
    bool closed;
    bool stop; /* inbox_stop() was called */
    bool stop_now;
};

int inbox_init(struct inbox *in, inbox_may_wait_fn *may_wait, void *ctx, struct errinfo *e);
/* What is still in it is refused. */
void inbox_fini(struct inbox *in);

/* Any thread. */
void inbox_put(struct inbox *in, struct engine_request *rq);
void inbox_stop(struct inbox *in, bool now);
void inbox_wake(struct inbox *in);

/* The engine thread: all that has come, and whether a stop was asked for. */
struct engine_request *inbox_take(struct inbox *in, bool *ret_stop, bool *ret_stop_now);
/* Say that a write to wake_fd is needed from now on; false when something has come in already.
 */
bool inbox_sleep(struct inbox *in);
/* The same, but what may wait stays in it and needs no write. */
bool inbox_doze(struct inbox *in);
/* Whether all that has come may wait. */
bool inbox_can_wait(struct inbox *in);
/* wake_fd was readable. */
void inbox_awake(struct inbox *in);
/* Nobody would answer from now on: refuse what is there and what comes. */
void inbox_close(struct inbox *in);

#endif
