/* engine/state.h - the engine's inside, shared by the files of this folder and nobody else.
 *
 * All of it belongs to the engine thread but the inbox and the status, which have their mutex.
 * How data flows: engine.c collects (inbox, links, control socket, timers) into this state;
 * turn.c applies it in one transaction and publishes the effects; recovery.c fills it at start.
 */
#ifndef JOBD_ENGINE_STATE_H
#define JOBD_ENGINE_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/uuid7.h"
#include "engine/depths.h"
#include "engine/engine.h"
#include "engine/failing.h"
#include "engine/feed.h"
#include "engine/gather.h"
#include "engine/housekeeping.h"
#include "engine/inbox.h"
#include "engine/links.h"
#include "engine/owned.h"

/* An attempt that has ended, until the transaction that records it is committed. */
struct ending {
    struct outcome outcome;
    int64_t worker_id;
    bool from_spool; /* the file goes when the record is on disk */
    struct ending *next;
};

/* Workers that run the same kind of job. */
struct pool {
    const char *name; /* borrowed: "" or a function's name */
    bool expected; /* it had a worker when this front was started: ready once one has connected
                    */
    bool may_have_jobs; /* false: the last claim found none, and nothing was queued since */
    int highest;        /* no job that waits has a higher priority than this */
    atomic_bool full;   /* of gather.c: its workers have orders ahead. Read by any thread */
};

/* Jobs of it may be queued, of whatever priority. */
static inline void pool_wake(struct pool *pool)
{
    pool->may_have_jobs = true;
    pool->highest = JOB_PRIORITY_MAX;
}

struct engine {
    struct engine_conf conf; /* conf.start is NULL once engine_new() is over */
    struct waiters *waiters;
    struct links *links;
    struct inbox inbox;
    struct owned_table owned;
    struct ending *endings; /* oldest first */
    struct ending **endings_last_next;
    struct engine_request *unfinished; /* they go on in the next turn; oldest first */
    struct engine_request **unfinished_last_next;
    struct pool *pools; /* [0] is that of the command workers */
    size_t pool_count;
    struct depths depths;
    struct uuid7_gen ids;
    int64_t waiting_jobs;           /* scheduled and queued, on disk */
    _Atomic(int64_t) waiting_shown; /* the same, for other threads */
    usec_t next_due_us;             /* wall clock; 0: nothing is scheduled */

    struct housekeeping keeping;
    usec_t keeping_not_before_us; /* monotonic: the end of its pause */
    struct uuid7 *cleared; /* removed jobs whose files are gone; the ledger thinks they are
                            * not */
    size_t cleared_count;
    size_t cleared_room;

    usec_t progress_due_us; /* monotonic: when what attempts have said is written; 0: nothing */
    usec_t progress_last_us; /* monotonic: when it was last */

    struct busy_batch *busy_batches; /* of batches.c */

    struct feed feed;            /* to those who follow all events */
    _Atomic(int64_t) change_seq; /* of the last commit; read by any thread */

    int epoll_fd;
    int control_fd; /* to the supervisor */

    struct gather gather; /* outcomes that wait for company */

    bool draining;
    bool drain_forced;        /* what still ran has been told to stop */
    usec_t drain_deadline_us; /* monotonic */
    struct failing failing;   /* of the store */
    bool leaving;             /* CONTROL_LEAVE has come */
    usec_t leave_deadline_us; /* monotonic: then whoever is still being answered is left */
    usec_t leave_quiet_us;    /* monotonic: since when nobody is; 0: somebody is */
    bool was_ready;           /* on_ready has been called */
    bool lost;                /* the supervisor is gone */

    pthread_mutex_t status_mutex; /* guards what follows; a leaf */
    struct engine_status status;
    struct engine_worker *workers; /* worker_count of worker_room are used */
    size_t worker_count;
    size_t worker_room;
};

/* Queue an ended attempt for the next turn, unless it is stale (then it is only acknowledged).
 * outcome is taken. */
void engine_settle(struct engine *en, int64_t worker_id, bool from_spool,
                   struct outcome *take_outcome);

/* The owner of this attempt has ended and its tree is empty: settle it with what it left in the
 * spool, else as lost; why is for people. why NULL: it ended with the exit code 0, which says
 * that it left everything that it had started, so the attempt never reached it. */
void engine_settle_lost(struct engine *en, const struct owned *o, const char *why);
/* An attempt that the ledger gave to a worker but that never reached it. */
void engine_settle_never_started(struct engine *en, const struct owned *o);

/* reports.c: what the links call; ctx is the engine. */
extern const struct links_events reports_events;
/* A worker is gone, and so is its whole tree. */
void reports_worker_exited(struct engine *en, const struct control_msg *msg);

/* The pool of that name, or NULL. */
struct pool *engine_pool(struct engine *en, const char *name);

/* roster.c: note who works now. Holds status_mutex while it does. */
void roster_update(struct engine *en);

/* turn.c: one transaction with all that has been collected; requests is the list taken from the
 * inbox. */
void turn_run(struct engine *en, struct engine_request *requests);
/* Answer those that would go on in the next turn with why: there is none. */
void turn_refuse_unfinished(struct engine *en, const struct errinfo *why);
/* Whether a turn would do something even without requests: now, or once what has come has
 * waited for more (gather.h). */
enum turn_need { TURN_NONE, TURN_LATER, TURN_NOW };
enum turn_need turn_need(struct engine *en, usec_t now_wall_us, usec_t now_mono_us);

/* recovery.c: at start, before the first turn. */
int recovery_run(struct engine *en, struct errinfo *e);
/* The worker is dead: which attempts it had begun is of no interest once the ledger has them.
 */
void recovery_forget_worker(struct engine *en, int64_t worker_id);

#endif
