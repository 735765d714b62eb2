/* engine/unique.h - jobs of which there is to be one at a time, when they are submitted.
 * Private to engine/; the engine thread, inside a transaction.
 */
#ifndef JOBD_ENGINE_UNIQUE_H
#define JOBD_ENGINE_UNIQUE_H

#include "engine/turn.h"

/* So many of those that are alike are looked at, the newest first; older ones are forgotten. */
#define ALIKE_MAX 100

struct alike {
    unsigned char digest[SHA256_BYTES]; /* of the job, within its tenant */
    struct store_alike items[ALIKE_MAX];
    int count;
};

/* Find what is like this job, which has a rule. The store's error. */
int unique_find(struct turn *t, const struct job *job, struct alike *ret_alike);
/* The newest of them that its rule counts, or NULL. */
const struct store_alike *unique_conflict_of(const struct alike *alike, const struct job *job,
                                             usec_t now_us);
/* Cancel all that its rule counts and that have not ended. */
int unique_replace(struct turn *t, const struct alike *alike, const struct job *job);
/* The job, which has been inserted, is one of them from now on. */
int unique_note(struct turn *t, const struct alike *alike, const struct job *job);

/* Whether a job that has ended and is to wait again has another one like it that has not ended.
 * Returns 1, and rq->result says so; 0 when not; or the store's error. */
int unique_refuses_retry(struct turn *t, struct engine_request *rq, struct uuid7 id);
/* rq->result: this one is in the way. Returns 0. */
int unique_refuse(struct engine_request *rq, struct uuid7 other, enum job_state state);

#endif
