#include "pool/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define EVENTS_PER_TURN 16

struct loop {
    int epoll_fd;
    struct timer *timers; /* unsorted: there are a handful */
    struct task *tasks;   /* that are due */
    uint64_t turns;
    struct epoll_event
        events[EVENTS_PER_TURN]; /* of this turn; data.ptr NULL: not wanted any more */
    int event_count;
};

int loop_new(struct loop **ret_loop, struct errinfo *e)
{
    AUTO(loop) struct loop *l = mem_new0(sizeof *l);

    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll_fd < 0)
        return err_sys(e, "epoll_create1");
    *ret_loop = TAKE(l);
    return 0;
}

struct loop *loop_free(struct loop *l)
{
    if (!l)
        return NULL;
    fd_fini(&l->epoll_fd);
    free(l);
    return NULL;
}

int loop_watch(struct loop *l, struct watch *w, int fd, uint32_t events, struct errinfo *e)
{
    struct epoll_event ev = { .events = events, .data.ptr = w };

    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
        return err_sys(e, "epoll_ctl");
    w->fd = fd;
    w->events = events;
    return 0;
}

void loop_rewatch(struct loop *l, struct watch *w, uint32_t events)
{
    struct epoll_event ev = { .events = events, .data.ptr = w };
    int r;

    if (w->events == events)
        return;
    r = epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev);
    assert(r == 0); /* it is in the set, and changing it allocates nothing */
    w->events = events;
}

void loop_unwatch(struct loop *l, struct watch *w)
{
    if (w->fd < 0)
        return;
    (void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL); /* it is in there */
    w->fd = -1;
    for (int i = 0; i < l->event_count; i++)
        if (l->events[i].data.ptr == w)
            l->events[i].data.ptr = NULL;
}

void loop_set_timer(struct loop *l, struct timer *t, usec_t at_us)
{
    if (t->at_us == 0) {
        t->next = l->timers;
        l->timers = t;
    }
    t->at_us = at_us > 0 ? at_us : 1;
}

void loop_clear_timer(struct loop *l, struct timer *t)
{
    if (t->at_us == 0)
        return;
    for (struct timer **at = &l->timers; *at; at = &(*at)->next)
        if (*at == t) {
            *at = t->next;
            break;
        }
    t->at_us = 0;
    t->next = NULL;
}

void loop_defer(struct loop *l, struct task *t)
{
    if (t->due)
        return;
    t->due = true;
    t->next = l->tasks;
    l->tasks = t;
}

void loop_cancel_task(struct loop *l, struct task *t)
{
    if (!t->due)
        return;
    for (struct task **at = &l->tasks; *at; at = &(*at)->next)
        if (*at == t) {
            *at = t->next;
            break;
        }
    t->due = false;
    t->next = NULL;
}

static void run_tasks(struct loop *l)
{
    while (l->tasks) {
        struct task *t = l->tasks;

        loop_cancel_task(l, t);
        t->run(t->ctx);
    }
}

uint64_t loop_turns(const struct loop *l)
{
    return l->turns;
}

/* Milliseconds to the next timer, rounded up so that it is due when we wake; -1: no timer. */
static int wait_ms(const struct loop *l)
{
    usec_t first_us = INT64_MAX;
    usec_t left_us;

    for (const struct timer *t = l->timers; t; t = t->next)
        if (t->at_us < first_us)
            first_us = t->at_us;
    if (first_us == INT64_MAX)
        return -1;
    left_us = first_us - clock_mono_us();
    if (left_us <= 0)
        return 0;
    if (left_us >= (usec_t)INT_MAX * USEC_PER_MS)
        return INT_MAX;
    return (int)((left_us + USEC_PER_MS - 1) / USEC_PER_MS);
}

static struct timer *due_timer(const struct loop *l, usec_t now_us)
{
    for (struct timer *t = l->timers; t; t = t->next)
        if (t->at_us <= now_us)
            return t;
    return NULL;
}

static void call_timers(struct loop *l)
{
    usec_t now_us;
    struct timer *t;

    if (!l->timers)
        return;
    /* Times that callbacks set anew are later than now_us, so this ends. */
    now_us = clock_mono_us();
    while ((t = due_timer(l, now_us)) != NULL) {
        loop_clear_timer(l, t);
        t->on_due(t->ctx);
    }
}

int loop_turn(struct loop *l, struct errinfo *e)
{
    int n;

    run_tasks(l);
    l->turns++;
    n = epoll_wait(l->epoll_fd, l->events, EVENTS_PER_TURN, wait_ms(l));
    if (n < 0 && errno != EINTR)
        return err_sys(e, "epoll_wait");
    l->event_count = n > 0 ? n : 0;
    for (int i = 0; i < l->event_count; i++) {
        struct watch *w = l->events[i].data.ptr;

        if (w)
            w->on_ready(w->ctx, l->events[i].events);
    }
    l->event_count = 0;
    call_timers(l);
    return 0;
}
