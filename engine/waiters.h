/* engine/waiters.h - those who wait for a job to change or to finish (long-poll).
 *
 * A waiter is registered first and then reads the job: a change committed in between wakes it,
 * so none is missed. It is woken once: by a change it waits for, by its deadline, or because
 * jobd drains; waking means that its function is called, on the engine thread, without a lock
 * held. Threads: all functions from any thread; waiters_tick() and waiters_changed() from the
 * engine's only.
 */
#ifndef JOBD_ENGINE_WAITERS_H
#define JOBD_ENGINE_WAITERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clean.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/uuid7.h"
#include "domain/job_end.h"
#include "domain/job_state.h"

struct waiters;

/* Owned by the caller, alive and untouched until wake() or a waiters_remove() that returned
 * true. */
struct waiter {
    struct uuid7 job_id;
    bool any_change;    /* wake on every change; else only when the job's state is final */
    usec_t deadline_us; /* monotonic */
    void (*wake)(struct waiter *w);
    /* The same, instead, when it is woken by the end of the job; NULL: wake() does. */
    void (*ended)(struct waiter *w, const struct job_end *end);
    void *ctx;

    struct waiter *prev, *next; /* the table's, as all below */
    size_t heap_index;
    bool registered;
};

/* on_earlier(ctx) is called (any thread, no lock held) when a new waiter's deadline is earlier
 * than all others', so that the engine can shorten its sleep. */
int waiters_new(size_t max_waiters, void (*on_earlier)(void *ctx), void *ctx,
                struct waiters **ret_waiters, struct errinfo *e);
struct waiters *waiters_free(struct waiters *ws);
DEFINE_AUTO(waiters, struct waiters)

/* ERR_LONG_POLLS: there are max_waiters already. ERR_DRAINING: jobd stops; nobody may wait any
 * more. */
int waiters_add(struct waiters *ws, struct waiter *w, struct errinfo *e);
/* True: it is out, and wake() will not be called. False: wake() was or is being called. */
bool waiters_remove(struct waiters *ws, struct waiter *w);

/* A committed change of a job. Returns how many were woken. */
size_t waiters_changed(struct waiters *ws, struct uuid7 job_id, enum job_state state);
/* The same by its end. */
size_t waiters_ended(struct waiters *ws, struct uuid7 job_id, const struct job_end *end);
/* Wake those whose deadline has come; returns the next deadline, 0 when nobody waits. */
usec_t waiters_tick(struct waiters *ws, usec_t now_mono_us);
/* Wake everybody and let nobody wait any more. */
void waiters_drain(struct waiters *ws);
size_t waiters_count(struct waiters *ws);

#endif
