/* store/store_batch.h - the part of store/store.h that is about batches and about kinds of
 * failures. The same rules hold.
 */
#ifndef JOBD_STORE_STORE_BATCH_H
#define JOBD_STORE_STORE_BATCH_H

#include "domain/batch.h"
#include "domain/fingerprint.h"
#include "store/store.h"

/* -- the writer --------------------------------------------------------------------------- */

/* Insert a batch as it is; its version is 1. The event batch.created is the caller's, with the
 * first store_batch_update(). */
int store_batch_insert(struct store *st, const struct batch *b, struct errinfo *e);
/* Write all of it that can change, with its version one higher than in the store, and add the
 * event if it is one: created (from version 1), closed, succeeded, failed, canceled.
 * ERR_NOT_FOUND: it is at another version. */
int store_batch_update(struct store *st, struct batch *b, struct errinfo *e);
/* ERR_BATCH_NOT_FOUND. */
int store_batch_get(struct store *st, struct uuid7 id, struct batch *ret_batch,
                    struct errinfo *e);

/* A job that a batch submits: without id, times and tenant. */
struct batch_job {
    struct job job;  /* scheduled_at_us: not before; 0: at once */
    usec_t delay_us; /* from when it is submitted on; 0: none */
};
void batch_job_fini(struct batch_job *bj);
DEFINE_AUTO_FINI(batch_job, struct batch_job)

int store_batch_spec_put(struct store *st, struct uuid7 id, enum batch_spec kind,
                         const struct batch_job *bj, struct errinfo *e);
/* The batch has one of this kind. */
int store_batch_spec_get(struct store *st, struct uuid7 id, enum batch_spec kind,
                         struct batch_job *ret_bj, struct errinfo *e);

struct store_member {
    struct uuid7 id;
    enum job_state state;
    int attempt;
    int64_t worker_id;
};
/* The next max members in the order of their keys, from after after_key on. Returns how many.
 */
int store_batch_members(struct store *st, struct uuid7 id, int64_t after_key,
                        struct store_member *items, size_t max, struct errinfo *e);

/* Batches for which batch_has_work() may hold, as a heap array that the caller frees, and how
 * many members are pending in all. Returns the count. */
int store_batches_busy(struct store *st, struct uuid7 **ret_ids, int64_t *ret_pending,
                       struct errinfo *e);

/* Remove a batch, with what it submits and its groups of failures; its members stay. */
int store_batch_remove(struct store *st, struct uuid7 id, struct errinfo *e);
/* Remove at most max batches that ended before before_us, in the same way. Returns how many;
 * *ret_oldest_us: when the one that has ended first of those that stay did, 0: none has. */
int store_batches_forget(struct store *st, usec_t before_us, size_t max, usec_t *ret_oldest_us,
                         struct errinfo *e);

#define FAILURE_SAMPLES_MAX 5

/* Jobs that have failed in the same way: as they are counted in a batch, or (batch zero) among
 * all jobs of a tenant. Texts are owned. */
struct failure_group {
    struct uuid7 batch;
    char *tenant; /* never NULL; "": the default one */
    int64_t fingerprint;
    enum cause cause;
    int exit_code;
    int signal;
    int64_t count;
    usec_t first_seen_at_us;
    usec_t last_seen_at_us;
    struct uuid7 last_job;
    struct uuid7 samples[FAILURE_SAMPLES_MAX]; /* the first ones */
    size_t sample_count;                       /* at least 1 */
    char *queue;
    char *function; /* NULL: command jobs, or several with FINGERPRINT_OTHER */
    char *message;
};
void failure_group_fini(struct failure_group *g);
DEFINE_AUTO_FINI(failure_group, struct failure_group)

/* Add what g has seen to the group in the store. Returns 0; ERR_NOT_FOUND: there is no such
 * group yet. */
int store_failure_add(struct store *st, const struct failure_group *g, struct errinfo *e);
/* Insert a group that is not there. */
int store_failure_insert(struct store *st, const struct failure_group *g, struct errinfo *e);
/* How many groups of all jobs of the tenant there are. */
int store_failure_count(struct store *st, const char *tenant, int64_t *ret_count,
                        struct errinfo *e);
/* Forget the group of all jobs of the tenant that was seen longest ago. */
int store_failure_forget_oldest(struct store *st, const char *tenant, struct errinfo *e);

/* -- readers ------------------------------------------------------------------------------ */

/* ERR_BATCH_NOT_FOUND. */
int store_read_batch(struct store_reader *rd, struct uuid7 id, struct batch *ret_batch,
                     struct errinfo *e);

struct store_batch_filter {
    unsigned states;    /* bit 1 << state; 0: all */
    const char *tenant; /* NULL: all */
    int64_t before_key; /* only ids with a smaller uuid7_key; 0: from the newest */
    size_t limit;       /* 1..STORE_LIST_MAX */
};
struct store_batches {
    struct batch *items; /* newest first */
    size_t count;
    int64_t
        next_before_key; /* as in store_page; after STORE_LIST_SCAN_MAX rows a page is short */
};
int store_read_batches(struct store_reader *rd, const struct store_batch_filter *filter,
                       struct store_batches *ret_batches, struct errinfo *e);
void store_batches_fini(struct store_batches *batches);
DEFINE_AUTO_FINI(store_batches, struct store_batches)

struct store_failure_filter {
    struct uuid7 batch; /* zero: all jobs */
    const char *tenant;
    const char *queue;    /* NULL: any */
    const char *function; /* NULL: any; "": command jobs */
    usec_t since_us;      /* seen last at this time or later */
    size_t limit;
};
struct store_failures {
    struct failure_group *items; /* the largest count first, then the one seen last */
    size_t count;
    int64_t total; /* groups that pass the filter */
};
/* There are BATCH_ERRORS_MAX + 1 groups at most to look at. */
int store_read_failures(struct store_reader *rd, const struct store_failure_filter *filter,
                        struct store_failures *ret_failures, struct errinfo *e);
void store_failures_fini(struct store_failures *failures);
DEFINE_AUTO_FINI(store_failures, struct store_failures)

#endif
