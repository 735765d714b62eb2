/* engine/owned.h - the attempts in hand: which worker owns which, as the ledger on disk says.
 *
 * The memory of what store_jobs_owned() would return, kept in step after each commit. Belongs
 * to the engine thread.
 */
#ifndef JOBD_ENGINE_OWNED_H
#define JOBD_ENGINE_OWNED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clean.h"
#include "base/clock.h"
#include "base/hash64.h"
#include "base/uuid7.h"

struct owned {
    int64_t key; /* uuid7_key(id) */
    struct uuid7 id;
    int attempt;
    int64_t worker_id;
    int worker_pid;       /* 0: not known */
    usec_t started_at_us; /* of the claim */
    bool canceling;       /* else running */
    bool settled;         /* its outcome has come and waits for the next transaction */
    bool progressed;      /* it has said something that is not on disk yet: */
    int progress_ppm;
    char *progress_message; /* owned; may be NULL */
    UT_hash_handle hh;
};

/* How many a worker has that are not settled. */
struct owned_load {
    int64_t worker_id;
    unsigned busy;
    UT_hash_handle hh;
};

struct owned_table {
    struct owned *by_key;
    struct owned_load *by_worker; /* those that have any */
};

/* The new entry, borrowed from the table. */
struct owned *owned_add(struct owned_table *t, struct uuid7 id, int attempt, int64_t worker_id,
                        usec_t started_at_us);
/* The entry of this job, whatever its attempt, or NULL. */
struct owned *owned_find(const struct owned_table *t, struct uuid7 id);
/* The entry of just this attempt, or NULL: the fence for whatever a worker says. */
struct owned *owned_find_attempt(const struct owned_table *t, struct uuid7 id, int attempt);
/* Note what it says, for the next transaction; message is taken. */
void owned_progress(struct owned *o, int ppm, char *take_message);
/* Its outcome has come. */
void owned_settle(struct owned_table *t, struct owned *o);
void owned_remove(struct owned_table *t, struct uuid7 id, int attempt);
size_t owned_count(const struct owned_table *t);
/* Those of one worker that are not settled: what it still has to do. */
size_t owned_count_of(const struct owned_table *t, int64_t worker_id);
void owned_table_fini(struct owned_table *t);

#endif
