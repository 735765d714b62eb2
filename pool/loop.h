/* pool/loop.h - the worker's event loop: descriptors and timers, nothing else.
 *
 * Level-triggered epoll. Watches and timers live in their owner's storage: the owner keeps them
 * in place while they are active. A callback may start and stop any watch or timer, also
 * those whose events are still to be delivered in the same turn: a stopped one is not called.
 * One thread. Times are monotonic.
 */
#ifndef JOBD_POOL_LOOP_H
#define JOBD_POOL_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/clean.h"
#include "base/clock.h"
#include "base/err.h"

struct loop;

/* Set on_ready and ctx once; fd is -1 while nothing is watched. */
struct watch {
    int fd;
    uint32_t events;
    void (*on_ready)(void *ctx, uint32_t events);
    void *ctx;
};

/* Set on_due and ctx once; zero is a timer that is off. */
struct timer {
    void (*on_due)(void *ctx);
    void *ctx;
    usec_t at_us; /* 0: off */
    struct timer *next;
};

/* Set run and ctx once; zero is a task that is not due. */
struct task {
    void (*run)(void *ctx);
    void *ctx;
    bool due;
    struct task *next;
};

int loop_new(struct loop **ret_loop, struct errinfo *e);
struct loop *loop_free(struct loop *l);
DEFINE_AUTO(loop, struct loop)

/* Watch fd for EPOLLIN or EPOLLOUT (errors and hang-ups always come). */
int loop_watch(struct loop *l, struct watch *w, int fd, uint32_t events, struct errinfo *e);
/* Watch the same descriptor for something else. */
void loop_rewatch(struct loop *l, struct watch *w, uint32_t events);
/* Stop; w->fd becomes -1, the descriptor stays open. Not watched is fine. */
void loop_unwatch(struct loop *l, struct watch *w);

/* Call t once, at at_us or soon after; replaces an earlier time. */
void loop_set_timer(struct loop *l, struct timer *t, usec_t at_us);
void loop_clear_timer(struct loop *l, struct timer *t);

/* Call it once before the loop waits again, so that what happens together is written together:
 * the one that was asked for last is called first. It may ask for others. */
void loop_defer(struct loop *l, struct task *t);
void loop_cancel_task(struct loop *l, struct task *t);
/* How often the loop has waited. */
uint64_t loop_turns(const struct loop *l);

/* Wait for something to happen and call whom it concerns. Errors: ERR_SYS. */
int loop_turn(struct loop *l, struct errinfo *e);

#endif
