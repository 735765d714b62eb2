/* engine/effects.h - what must happen once a transaction is on disk.
 *
 * A turn (engine/turn.c) collects effects while its transaction is open; they are published
 * after the commit, or thrown away with it. Belongs to the engine thread.
 */
#ifndef JOBD_ENGINE_EFFECTS_H
#define JOBD_ENGINE_EFFECTS_H

#include <stddef.h>

#include "base/clean.h"
#include "base/clock.h"
#include "base/uuid7.h"
#include "domain/job_end.h"
#include "domain/job_state.h"
#include "domain/order.h"
#include "domain/outcome.h"
#include "pool/proto.h"

struct engine;

enum effect_kind {
    EFFECT_CHANGED, /* id is now in state: wake those who wait */
    EFFECT_ENDED,   /* the same for one that an attempt has ended */
    EFFECT_RUN,     /* worker_id owns (id, attempt): send it the order */
    EFFECT_CANCEL,  /* tell worker_id to stop (id, attempt) */
    EFFECT_SETTLED, /* (id, attempt) is in nobody's hand any more */
    EFFECT_RETRIED, /* (id, attempt) has failed of this cause and is tried again: for the log */
    EFFECT_BATCH_IDLE,  /* nothing is to be done for this batch until a member ends */
    EFFECT_QUARANTINED, /* ... and is not, as it has ended too many workers */
    EFFECT_REMOVED,     /* the job is gone: the files of the attempts 1..attempt follow it */
};

struct effect {
    enum effect_kind kind;
    struct uuid7 id;
    int attempt;
    int64_t worker_id;
    enum job_state state;               /* CHANGED */
    struct job_end end;                 /* ENDED; the outcome is borrowed from the turn */
    int worker_pid;                     /* RUN */
    usec_t started_at_us;               /* RUN */
    struct order *order;                /* RUN; owned */
    enum proto_cancel_mode cancel_mode; /* CANCEL */
    usec_t grace_us;                    /* CANCEL */
    enum cause cause;                   /* RETRIED */
    usec_t delay_us;                    /* RETRIED */
};

struct effects {
    struct effect *items;
    size_t count;
    size_t capacity;
};

/* A new one at the end, to be filled in; borrowed until the next is added. */
struct effect *effects_add(struct effects *fs, enum effect_kind kind, struct uuid7 id);
/* Carry them out, but for those of which somebody is told. */
void effects_publish(const struct effects *fs, struct engine *en);
/* Wake those who wait for a job that has changed (CHANGED, ENDED). After the requests of the
 * turn are answered: whoever was answered that a job is there, and waits for its end from then
 * on, is told of what the same turn has done to it. */
void effects_tell(const struct effects *fs, struct engine *en);
void effects_fini(struct effects *fs);

#endif
