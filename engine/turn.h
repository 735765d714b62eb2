/* engine/turn.h - one turn, as the files of this folder see it that apply a part of it.
 *
 * Belongs to the engine thread. See turn.c for how a turn goes.
 */
#ifndef JOBD_ENGINE_TURN_H
#define JOBD_ENGINE_TURN_H

#include "engine/effects.h"
#include "engine/requests.h"
#include "engine/state.h"

/* What one worker may get in this turn. */
struct bid {
    const struct link *link;
    struct pool *pool;
    size_t now;   /* attempts that it can begin at once */
    size_t ahead; /* and more, for its backlog */
};

struct turn {
    struct engine *en;
    struct engine_request *requests;
    usec_t now_us;
    struct effects effects;
    int64_t waiting_delta;
    usec_t next_due_us;            /* what en->next_due_us becomes */
    struct housekeeping keeping;   /* what en->keeping becomes */
    struct batch_work *batches;    /* of batches.c: those that are touched */
    struct failure_note *failures; /* of failures.c */
    struct errinfo err;            /* of the first call that failed */
    struct bid *bids;              /* of claims.c; NULL: not collected yet */
    size_t bid_count;
};

/* The job is now in this state: wake those who wait for it. */
void turn_job_changed(struct turn *t, struct uuid7 id, enum job_state state);
/* A job has been scheduled for at_us. */
void turn_note_due(struct turn *t, usec_t at_us);
/* Jobs of this pool may be queued. */
void turn_wake_pool(struct turn *t, const char *name);
/* This one is queued now: it may be claimed in this very turn. */
void turn_job_queued(struct turn *t, const struct job *job);

/* Give queued jobs to workers. Whether there is anything to give and somebody to take it. */
int claims_apply(struct turn *t);
bool claims_are_due(struct engine *en);
/* Insert a new job as one that a worker has got already, where it would be the next of its pool
 * and a worker has room: the queue costs as much as the rest. Returns 1, or 0: insert it as it
 * is. */
int claims_insert(struct turn *t, const struct job *job);

/* -- requests: one function for each engine_op, in a file of its own -------------------------
 *
 * Applies the request inside the open transaction. What is wrong with the request goes to
 * rq->result and rq->err, has changed nothing, and is a return of 0. With rq->again set the
 * request is not answered when the turn is on disk: it is applied once more in the next one, so
 * that a long change does not hold up the others. < 0: the store's error, with t->err set: the
 * whole turn is given up.
 */
int request_apply(struct turn *t, struct engine_request *rq);

int submit_apply(struct turn *t, struct engine_request *rq);
int submit_many_apply(struct turn *t, struct engine_request *rq);
int cancel_apply(struct turn *t, struct engine_request *base);
int key_apply(struct turn *t, struct engine_request *rq);
int purge_apply(struct turn *t, struct engine_request *base);
int rewrite_apply(struct turn *t, struct engine_request *base);
int bulk_apply(struct turn *t, struct engine_request *base);
int batch_create_apply(struct turn *t, struct engine_request *base);
int batch_add_apply(struct turn *t, struct engine_request *base);
int batch_change_apply(struct turn *t, struct engine_request *base);

/* submit.c: whether that many more jobs may wait; else rq->result says why not. Insert one,
 * with its id and times set: the store's error. */
bool submit_has_room(const struct turn *t, struct engine_request *rq, size_t count);
int submit_insert(struct turn *t, struct job *job);

/* idempotency.c: remember the answer to rq, which has been applied; and the sweeper of old
 * ones: see engine/housekeeping.c. */
int idempotency_remember(struct turn *t, struct engine_request *rq);
int idempotency_sweep(struct turn *t, size_t portion, usec_t *ret_next_us);

/* cancel.c: stop a job that is not final. Returns the state that it goes to, or < 0. */
int cancel_job(struct turn *t, const struct job *job, const struct cancel_way *way);
/* rewrite.c: the job that waits (requeue: that has failed or was canceled) at this version
 * becomes as job says. < 0: the store's error. */
int rewrite_job(struct turn *t, const struct job *job, int64_t version, bool requeue);
/* purge.c: stop it and remove it. Returns 1: it is removed once it has ended; 0: it is gone; or
 * < 0. */
int purge_job(struct turn *t, const struct job *job);

/* Look up a job for rq, as far as its tenant lets it see. Returns 1 when it is there, 0 when
 * not (rq->result says so), < 0 as above. */
int request_find_job(struct turn *t, struct engine_request *rq, struct uuid7 id,
                     struct job *ret_job);

#endif
