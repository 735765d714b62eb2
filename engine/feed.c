#include "engine/feed.h"

const struct uuid7 FEED_ALL = { 0 };

void feed_tick(struct feed *f, struct waiters *waiters, usec_t now_mono_us)
{
    if (f->due_us == 0 || now_mono_us < f->due_us)
        return;
    f->due_us = 0;
    f->told_us = now_mono_us;
    f->pause_us = FEED_PAUSE_US +
                  (usec_t)waiters_changed(waiters, FEED_ALL, JOB_QUEUED) * FEED_PER_WAITER;
    if (f->pause_us > FEED_PAUSE_MAX_US)
        f->pause_us = FEED_PAUSE_MAX_US;
}

void feed_commit(struct feed *f, struct waiters *waiters, int64_t seq, usec_t now_mono_us)
{
    if (seq == f->told_seq)
        return;
    f->told_seq = seq;
    if (f->due_us == 0)
        f->due_us = f->told_us + (f->pause_us > 0 ? f->pause_us : FEED_PAUSE_US);
    feed_tick(f, waiters, now_mono_us);
}
