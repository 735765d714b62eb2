#include "engine/inbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"

int inbox_init(struct inbox *in, inbox_may_wait_fn *may_wait, void *ctx, struct errinfo *e)
{
    *in = (struct inbox){ .may_wait = may_wait, .ctx = ctx, .wake_fd = -1 };
    in->last_next = &in->first;
    (void)pthread_mutex_init(&in->mutex, NULL); /* cannot fail for the default kind */
    in->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (in->wake_fd < 0)
        return err_sys(e, "eventfd");
    return 0;
}

static void refuse_all(struct engine_request *list)
{
    struct engine_request *next;

    for (struct engine_request *rq = list; rq; rq = next) {
        next = rq->next;
        rq->result =
            err_set(&rq->err, ERR_DRAINING, "the server is shutting down: try another one");
        rq->done(rq);
    }
}

void inbox_fini(struct inbox *in)
{
    refuse_all(in->first);
    fd_fini(&in->wake_fd);
    (void)pthread_mutex_destroy(&in->mutex);
}

void inbox_wake(struct inbox *in)
{
    static const uint64_t one = 1;

    (void)!write(in->wake_fd, &one, sizeof one); /* fails only when it is readable already */
}

void inbox_awake(struct inbox *in)
{
    uint64_t count;

    (void)!read(in->wake_fd, &count, sizeof count);
}

void inbox_put(struct inbox *in, struct engine_request *rq)
{
    bool wake;
    bool closed;

    rq->next = NULL;
    rq->result = 0;
    (void)pthread_mutex_lock(&in->mutex);
    closed = in->closed;
    if (!closed) {
        *in->last_next = rq;
        in->last_next = &rq->next;
        atomic_fetch_add_explicit(&in->depth, 1, memory_order_relaxed);
        in->urgent += !in->may_wait(in->ctx, rq);
    }
    wake = in->asleep || (in->dozing && in->urgent > 0);
    if (wake)
        in->asleep = in->dozing = false;
    (void)pthread_mutex_unlock(&in->mutex);
    if (closed)
        refuse_all(rq);
    else if (wake)
        inbox_wake(in);
}

void inbox_stop(struct inbox *in, bool now)
{
    (void)pthread_mutex_lock(&in->mutex);
    in->stop = true;
    in->stop_now = in->stop_now || now;
    (void)pthread_mutex_unlock(&in->mutex);
    inbox_wake(in);
}

struct engine_request *inbox_take(struct inbox *in, bool *ret_stop, bool *ret_stop_now)
{
    struct engine_request *list;

    (void)pthread_mutex_lock(&in->mutex);
    list = in->first;
    in->first = NULL;
    in->last_next = &in->first;
    atomic_store_explicit(&in->taken, atomic_exchange(&in->depth, 0), memory_order_relaxed);
    in->urgent = 0;
    in->asleep = in->dozing = false;
    *ret_stop = in->stop;
    *ret_stop_now = in->stop_now;
    (void)pthread_mutex_unlock(&in->mutex);
    return list;
}

bool inbox_sleep(struct inbox *in)
{
    bool empty;

    (void)pthread_mutex_lock(&in->mutex);
    empty = !in->first;
    in->asleep = empty;
    (void)pthread_mutex_unlock(&in->mutex);
    return empty;
}

bool inbox_doze(struct inbox *in)
{
    bool may;

    (void)pthread_mutex_lock(&in->mutex);
    may = in->urgent == 0 && !in->stop;
    in->dozing = may;
    (void)pthread_mutex_unlock(&in->mutex);
    return may;
}

bool inbox_can_wait(struct inbox *in)
{
    bool can;

    (void)pthread_mutex_lock(&in->mutex);
    can = in->urgent == 0 && !in->stop;
    (void)pthread_mutex_unlock(&in->mutex);
    return can;
}

void inbox_close(struct inbox *in)
{
    bool stop;
    bool stop_now;

    (void)pthread_mutex_lock(&in->mutex);
    in->closed = true;
    (void)pthread_mutex_unlock(&in->mutex);
    refuse_all(inbox_take(in, &stop, &stop_now));
}
