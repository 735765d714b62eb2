#include "engine/feed.h"

const struct uuid7 FEED_ALL = { 0 };

void feed_tick(struct feed *f, struct waiters *waiters, usec_t now_mono_us)
{
    if (f->due_us == 0 || now_mono_us < f->due_us)
        return;
    f->due_us = 0;
    f->told_us = now_mono_us;
    waiters_changed(waiters, FEED_ALL, JOB_QUEUED);
}

void feed_commit(struct feed *f, struct waiters *waiters, int64_t seq, usec_t now_mono_us)
{
    if (seq == f->told_seq)
        return;
    f->told_seq = seq;
    if (f->due_us == 0)
        f->due_us = f->told_us + FEED_PAUSE_US;
    feed_tick(f, waiters, now_mono_us);
}
