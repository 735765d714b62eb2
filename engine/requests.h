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

/* ENGINE_SUBMIT: insert a job. ERR_QUEUE_FULL, ERR_DRAINING. */
struct submit_request {
    struct engine_request rq;
    struct job job; /* in: from job_spec_to_job(), without id; out: as inserted */
};

/* ENGINE_SUBMIT_MANY: insert jobs, all or none, in one transaction that holds up everybody else:
 * ten thousand take about a tenth of a second. The errors are the same. */
struct submit_many_request {
    struct engine_request rq;
    struct job *jobs; /* each as in struct submit_request */
    size_t count;
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

/* ENGINE_PURGE: stop a job and remove it with all that it has left. ERR_JOB_NOT_FOUND. */
struct purge_request {
    struct engine_request rq;
    struct uuid7 id;
    bool in_progress; /* out: it is canceling, and is removed when it has ended; else it is gone
                       */
};

#endif
