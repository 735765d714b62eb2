/* engine/engine.h - the ledger loop: the only writer of the store, and the owner of every
 * decision.
 *
 * One thread runs engine_run(). A turn: take the queued requests, the workers' messages and the
 * due timers; apply them all in one transaction; commit; only then answer the requests and send
 * the claims. While one commit waits for the disk the next turn fills up: group commit without
 * a timer.
 *
 * Requests come from any thread through engine_submit() and friends: they return at once, and
 * the request's `done` is called on the engine thread once its outcome is on disk.
 */
#ifndef JOBD_ENGINE_ENGINE_H
#define JOBD_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clean.h"
#include "base/err.h"
#include "domain/function.h"
#include "domain/idempotency.h"
#include "domain/job.h"
#include "engine/waiters.h"
#include "pool/proto.h"
#include "pool/supervisor.h"
#include "store/store.h"

struct engine;

/* How many jobs may be scheduled and queued in one queue. */
struct queue_depth {
    const char *queue; /* queue_len bytes */
    size_t queue_len;
    int64_t max;
};

struct engine_conf {
    const char *data_dir;
    const struct function_table *functions;
    struct store *store; /* borrowed; used by the engine thread alone from now on */
    const struct front_start
        *start;               /* borrowed for engine_new() only; its descriptors are taken */
    int64_t max_waiting_jobs; /* scheduled and queued together; more is ERR_QUEUE_FULL */
    const struct queue_depth *queue_depths; /* borrowed for engine_new() only */
    size_t queue_depth_count;
    size_t max_waiters; /* requests that wait for a job; 0: 20000. Beyond: ERR_LONG_POLLS */
    usec_t idempotency_ttl_us; /* how long answers are remembered for an Idempotency-Key */
    usec_t retention_us;       /* how long jobs are kept that have ended; 0: for ever */
    usec_t drain_timeout_us;   /* for running attempts when jobd stops */
    usec_t event_retention_us; /* how long events are kept; 0: for ever */
    int64_t max_events;        /* how many are kept; 0: any number */
    int quarantine_after; /* workers that a job may end before it fails for good; 0: any number
                           */
    /* Called once on the engine thread when recovery is done and workers are there; may be
     * NULL. */
    void (*on_ready)(void *ctx);
    /* Called once on the engine thread when this front is to leave while jobd goes on: let
     * nobody new in. May be NULL. */
    void (*on_leave)(void *ctx);
    /* Whether somebody is still being answered: the engine leaves when nobody is. NULL: nobody
     * ever is. */
    bool (*is_serving)(void *ctx);
    void *ctx;
};

/* Recover what an earlier front left (attempts of dead workers, moved functions, stray files),
 * and make ready to run. On success *ret_engine is the caller's. Errors: the store's. */
int engine_new(const struct engine_conf *conf, struct engine **ret_engine, struct errinfo *e);
struct engine *engine_free(struct engine *en);
DEFINE_AUTO(engine, struct engine)

/* The loop. Returns 0 when it has drained after CONTROL_STOP, or has left after CONTROL_LEAVE
 * (attempts go on in their workers), or < 0 when it cannot go on (the
 * supervisor is gone, or the database is lost): the process should then exit. */
int engine_run(struct engine *en, struct errinfo *e);

/* What /readyz says. Any thread. */
struct engine_status {
    bool ready; /* recovered, connected to workers, not draining, the store takes commits */
    bool draining;
    unsigned workers;     /* connected */
    unsigned busy;        /* of these, with an attempt */
    int64_t waiting_jobs; /* scheduled and queued */
    char why_not[128];    /* when !ready: the reason for people */
};
void engine_status(struct engine *en, struct engine_status *ret_status);

enum engine_worker_state {
    ENGINE_WORKER_IDLE,
    ENGINE_WORKER_BUSY,
    ENGINE_WORKER_STARTING,     /* its program is not up yet */
    ENGINE_WORKER_CIRCUIT_OPEN, /* its program has failed to start again and again */
    ENGINE_WORKER_DRAINING,
    ENGINE_WORKER_STATE_MAX_
};

/* "idle", "circuit_open" and so on. */
const char *engine_worker_state_name(enum engine_worker_state state);

/* A worker that is connected. */
struct engine_worker {
    int64_t worker_id;
    int pid;
    char pool[65]; /* "" for a command worker */
    enum engine_worker_state state;
    unsigned capacity;              /* attempts that it takes at once; 0: none now */
    unsigned held;                  /* attempts that it has */
    int64_t jobs_total;             /* attempts that it has ended */
    usec_t started_at_us;           /* wall clock */
    int program_pid;                /* of its warm program; 0: there is none */
    int64_t rss_bytes;              /* of that program; 0: not known */
    char reason[PROTO_REASON_SIZE]; /* why the program did not start; "" when it did */
};

/* How many requests have not been answered yet; how many jobs are scheduled and queued, as of
 * the last turn. Any thread; cheap. */
unsigned engine_pending(const struct engine *en);
int64_t engine_waiting_jobs(const struct engine *en);

/* All of them, by their id; the list is the caller's to free. Returns how many. Any thread. */
size_t engine_workers(struct engine *en, struct engine_worker **ret_list);

/* The number of the last change that those who follow all events were, or are being, told of.
 * Any thread. */
int64_t engine_change_seq(const struct engine *en);

/* The table of those who wait for a job to change. Borrowed; any thread. */
struct waiters *engine_waiters(struct engine *en);

/* -- requests: any thread -------------------------------------------------------------------
 */

enum engine_op {
    ENGINE_SUBMIT,
    ENGINE_SUBMIT_MANY,
    ENGINE_CANCEL,
    ENGINE_PURGE,
    ENGINE_REWRITE,
    ENGINE_BULK,
    ENGINE_BATCH_CREATE,
    ENGINE_BATCH_ADD,
    ENGINE_BATCH_CHANGE,
    ENGINE_KEY,
    ENGINE_OP_MAX_
};

struct engine_request;

/* Of a request with an Idempotency-Key: its answer is remembered in the transaction of what it
 * does, unless its result is an error. */
struct engine_idempotency {
    struct idempotency_record record; /* in: scope and fingerprint */
    /* On the engine thread, inside the transaction, once rq is applied: fill in the answer. */
    void (*encode)(const struct engine_request *rq, struct idempotency_record *record);
};

/* What every kind of request begins with (engine/requests.h has the kinds). The caller owns it
 * and keeps it alive until done() has been called. */
struct engine_request {
    enum engine_op op;
    const char *tenant; /* only its jobs are found; NULL: those of all tenants. Borrowed */
    struct engine_idempotency *idempotency; /* NULL: no key. Borrowed */

    int result; /* 0 or ERR_*: those of the kind, JOB_NOT_FOUND, DRAINING, the store's */
    struct errinfo err; /* the text for result */

    /* On the engine thread, or, when the engine has ended, inside engine_request(). Must not
     * block. */
    void (*done)(struct engine_request *rq);
    void *ctx;

    struct engine_request *next; /* the engine's */
    bool again;                  /* the engine's: it goes on in the next turn */
};

void engine_request(struct engine *en, struct engine_request *rq);

/* Begin the drain as if the supervisor had asked for it. Any thread. For tests. */
void engine_stop(struct engine *en, bool now);

#endif
