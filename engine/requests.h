/* engine/requests.h - what can be asked of the engine: one struct for each kind of request.
 *
 * Each begins with a struct engine_request whose op names the kind. Its fields are set before
 * engine_request(), and what is marked "out" is there when done() is called with result 0.
 * Texts and jobs in it stay the caller's.
 */
#ifndef JOBD_ENGINE_REQUESTS_H
#define JOBD_ENGINE_REQUESTS_H

#include "domain/api_key.h"
#include "engine/engine.h"
#include "store/store_batch.h"

struct principal; /* domain/principal.h */

/* What a submit found of a job that is like the new one (domain/unique.h). Zeroed: none. */
struct submit_result {
    int code;      /* ERR_DUPLICATE_JOB: the new one was not inserted; else 0 */
    bool existing; /* there is one: it is the answer (0), or in the way */
    struct uuid7 existing_id;
    enum job_state existing_state;
};

/* ENGINE_SUBMIT: insert a job. ERR_QUEUE_FULL, ERR_DRAINING, ERR_DUPLICATE_JOB. */
struct submit_request {
    struct engine_request rq;
    struct job job; /* in: from job_spec_to_job(), without id; out: as inserted, or the existing
                     * one, without its outcome */
    bool waits_for_end;          /* nobody is told before the job has ended (engine/gather.h) */
    struct submit_result result; /* out */
};

/* ENGINE_SUBMIT_MANY: insert jobs in one transaction, which holds up everybody else: ten
 * thousand take less than a tenth of a second. The errors are the same; ERR_DUPLICATE_JOB only
 * when atomic, with a result for each job that has another one in its way. */
struct submit_many_request {
    struct engine_request rq;
    struct job *jobs; /* each as in struct submit_request; one that is not inserted has no id */
    size_t count;
    bool atomic; /* all or none: that none of them is in the way of another one is the caller's
                  * to see */
    struct submit_result *results; /* out: one for each, zeroed by the caller; NULL: no job has
                                    * a rule */
};

enum cancel_mode { CANCEL_GRACEFUL, CANCEL_FORCE };

/* How to stop a job. */
struct cancel_way {
    enum cancel_mode mode;
    usec_t grace_us; /* < 0: the job's own */
    char *reason;    /* NULL: "user" */
};

/* ENGINE_CANCEL: stop a job. ERR_JOB_NOT_FOUND, ERR_JOB_FINISHED. */
struct cancel_request {
    struct engine_request rq;
    struct uuid7 id;
    struct cancel_way way;
    bool in_progress; /* out: the job is canceling; else it has ended */
};

enum key_change { KEY_INSERT, KEY_ROTATE, KEY_REVOKE, KEY_USED };

/* ENGINE_KEY: see the functions of store/store.h. ERR_KEY_NOT_FOUND. */
struct key_request {
    struct engine_request rq;
    enum key_change change;
    struct api_key key; /* INSERT: all of it; else its id and what changes */
};

/* ENGINE_REWRITE: a job becomes as `job` says: see store_job_rewrite() and, with requeue,
 * store_job_requeue(). ERR_JOB_NOT_FOUND, ERR_INVALID_STATE or ERR_JOB_NOT_RETRYABLE,
 * ERR_PRECONDITION_FAILED (it is at another version), ERR_QUEUE_FULL, ERR_DRAINING. */
struct rewrite_request {
    struct engine_request rq;
    struct job job;
    int64_t version;
    bool requeue;
};

enum bulk_change { BULK_CANCEL, BULK_RETRY, BULK_DELETE };

/* What has become of one job; zeroed but for its id. */
struct bulk_item {
    struct uuid7 id;
    bool found; /* there is such a job */
    bool changed;
    bool has_state; /* not when it is gone */
    enum job_state state;
    int code; /* why it was not changed: ERR_*; 0: it is as it should be */
};

/* ENGINE_BULK: the same change for many jobs, in several turns: what the first ones have done
 * stays when a later one fails. */
struct bulk_request {
    struct engine_request rq;
    enum bulk_change change;
    bool dry_run;                      /* only say what would be */
    struct cancel_way way;             /* CANCEL */
    bool allow_commands;               /* RETRY */
    const struct principal *principal; /* RETRY: who has them run again */
    struct bulk_item *items;
    size_t count;
    size_t done; /* the engine's; zeroed */
};

/* ENGINE_PURGE: stop a job and remove it with all that it has left. ERR_JOB_NOT_FOUND. */
struct purge_request {
    struct engine_request rq;
    struct uuid7 id;
    bool in_progress; /* out: it is canceling, and is removed when it has ended; else it is gone
                       */
};

struct batch_jobs {
    struct job *items; /* as in struct submit_request, without a unique rule; not of an array */
    size_t count;
};

/* ENGINE_BATCH_CREATE: a batch with its members, in one transaction. The members of an array
 * are made later, a piece in each turn. ERR_QUEUE_FULL, ERR_DRAINING. */
struct batch_create_request {
    struct engine_request rq;
    struct batch batch; /* what a client can ask for, and specs; out: its id */
    struct batch_jobs jobs;
    struct batch_job specs[BATCH_SPEC_MAX_]; /* those in batch.specs */
};

/* ENGINE_BATCH_ADD: further members of an open one. ERR_BATCH_NOT_FOUND, ERR_BATCH_CLOSED,
 * ERR_QUEUE_FULL, ERR_DRAINING. */
struct batch_add_request {
    struct engine_request rq;
    struct uuid7 id;
    struct batch_jobs jobs;
};

enum batch_change { BATCH_CLOSE, BATCH_CANCEL, BATCH_REMOVE };

/* ENGINE_BATCH_CHANGE: nobody may add to it; or it and its members are canceled, a piece in
 * each turn; or it goes, which is a cancel as long as it has not ended. ERR_BATCH_NOT_FOUND;
 * CANCEL: ERR_BATCH_FINISHED. */
struct batch_change_request {
    struct engine_request rq;
    struct uuid7 id;
    enum batch_change change;
    char *reason; /* CANCEL; NULL: "user" */
    bool removed; /* REMOVE: it is gone, and not on its way to its end */
};

#endif
