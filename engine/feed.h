/* engine/feed.h - telling those who follow all events that there are new ones.
 *
 * They wait in the table of waiters for a job that is none, FEED_ALL. The first event after a
 * pause is told at once, those of a burst together: a thousand streams need not be woken for
 * each of ten thousand commits a second. The pause is the longer the more there are, so that
 * telling them takes a small part of the engine's time only. Belongs to the engine thread.
 */
#ifndef JOBD_ENGINE_FEED_H
#define JOBD_ENGINE_FEED_H

#include "base/clock.h"
#include "engine/waiters.h"

#define FEED_PAUSE_US     (20 * USEC_PER_MS)
#define FEED_PER_WAITER   ((usec_t)40) /* microseconds more for each of them */
#define FEED_PAUSE_MAX_US (500 * USEC_PER_MS)

/* For waiter.job_id: any event. */
extern const struct uuid7 FEED_ALL;

/* Zeroed: nothing was told yet. */
struct feed {
    int64_t told_seq;
    usec_t told_us;  /* monotonic */
    usec_t pause_us; /* after told_us */
    usec_t due_us;   /* monotonic: when what is new is to be told; 0: there is nothing new */
};

/* The last change that is committed is number seq. */
void feed_commit(struct feed *f, struct waiters *waiters, int64_t seq, usec_t now_mono_us);
/* Tell what is due. */
void feed_tick(struct feed *f, struct waiters *waiters, usec_t now_mono_us);

#endif
