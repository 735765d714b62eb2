/* store/sqlite/sq.h - the SQLite backend from within: its store, its reader, its functions.
 *
 * Internal to store/sqlite/. The functions have the contracts of their namesakes in
 * store/store.h; each is in the file that its group is named after.
 */
#ifndef JOBD_STORE_SQLITE_SQ_H
#define JOBD_STORE_SQLITE_SQ_H

#include "domain/event_block.h"
#include "store/backend.h"
#include "store/sqlite/db.h"
#include "store/sqlite/reader.h"

struct row_queue;
struct stmt;

/* The counters of the ledger, kept in memory and written once in a commit. */
struct sq_ledger {
    int64_t change_seq;
    int64_t last_key;
    int64_t events_gone_seq; /* events up to it are not kept any more */
};

struct sq {
    struct store store; /* first: a struct store * of this backend points here */
    struct db *db;      /* the one writer */
    struct sq_ledger committed;
    struct sq_ledger ledger;           /* with what the open transaction has changed */
    struct sq_changed *changed;        /* event_write.c */
    struct event_block events;         /* of the open transaction, as far as not in a row yet */
    struct sq_batch_move *batch_moves; /* batch_moves.c: of the open transaction */
    struct row_queue *new_jobs;        /* job_write.c */
    struct row_queue *new_attempts;    /* attempt_write.c: as new_jobs */
    struct buf record;                 /* attempt_write.c: room for one */
    struct reader_pool readers;
};

/* Who has or had an attempt. */
struct sq_owner {
    int64_t worker_id;
    int worker_pid;
};

struct sq_reader {
    struct store_reader reader; /* first, as above */
    struct db *db;
    struct sq_reader *next; /* in the pool's list of idle ones */
    unsigned times;         /* that it was lent */
    size_t cache;           /* reader.c: how large its cache is */
};

static inline struct sq *sq_of(struct store *st)
{
    return (struct sq *)st;
}

static inline struct db *sq_reader_db(struct store_reader *rd)
{
    return ((struct sq_reader *)rd)->db;
}

/* What a job's expires_at_us becomes when it ends at the SQL expression at. */
#define EXPIRES_AT(at)                                                                         \
    "CASE WHEN ttl_us = 0 THEN 0 WHEN ttl_us < 0 THEN " at " ELSE " at " + ttl_us END"

/* job_write.c */
/* Once, before the first job. */
int sq_job_queue_init(struct sq *sq, struct errinfo *e);
/* A statement that changes one job: ?1 and ?2 are its id, ?3 the time. */
int change_get(struct sq *sq, const char *sql, struct uuid7 id, usec_t now_us,
               struct stmt **ret_stmt, struct errinfo *e);
int sq_job_insert(struct store *st, struct job *job, struct errinfo *e);
int sq_job_insert_claimed(struct store *st, const struct job *job, int64_t worker_id,
                          int worker_pid, struct errinfo *e);
int sq_job_claim(struct store *st, const char *pool, int64_t worker_id, int worker_pid,
                 usec_t now_us, struct job *ret_job, struct errinfo *e);
int sq_jobs_due(struct store *st, usec_t now_us, struct uuid7 *ids, size_t max,
                struct errinfo *e);
int sq_job_cancel_waiting(struct store *st, struct uuid7 id, const char *reason, usec_t now_us,
                          struct errinfo *e);
int sq_job_cancel_running(struct store *st, struct uuid7 id, const char *reason, usec_t now_us,
                          struct errinfo *e);
int sq_job_release(struct store *st, struct uuid7 id, int attempt, const char *reason,
                   usec_t now_us, struct errinfo *e);
int sq_job_progress(struct store *st, struct uuid7 id, int attempt, int ppm,
                    const char *message, usec_t now_us, struct errinfo *e);
int sq_jobs_repool(struct store *st, const char *function, const char *pool, struct errinfo *e);

/* batch_write.c */
int sq_batch_insert(struct store *st, const struct batch *b, struct errinfo *e);
int sq_batch_update(struct store *st, struct batch *b, struct errinfo *e);
int sq_batch_get(struct store *st, struct uuid7 id, struct batch *ret_batch, struct errinfo *e);
int sq_batch_spec_put(struct store *st, struct uuid7 id, enum batch_spec kind,
                      const struct batch_job *bj, struct errinfo *e);
int sq_batch_spec_get(struct store *st, struct uuid7 id, enum batch_spec kind,
                      struct batch_job *ret_bj, struct errinfo *e);
int sq_batch_members(struct store *st, struct uuid7 id, int64_t after_key,
                     struct store_member *items, size_t max, struct errinfo *e);
int sq_batches_busy(struct store *st, struct uuid7 **ret_ids, int64_t *ret_pending,
                    struct errinfo *e);

/* batch_forget.c */
int sq_batch_remove(struct store *st, struct uuid7 id, struct errinfo *e);
int sq_batches_forget(struct store *st, usec_t before_us, size_t max, usec_t *ret_oldest_us,
                      struct errinfo *e);

/* batch_read.c */
int sq_read_batch(struct store_reader *rd, struct uuid7 id, struct batch *ret_batch,
                  struct errinfo *e);
int sq_read_batches(struct store_reader *rd, const struct store_batch_filter *filter,
                    struct store_batches *ret_batches, struct errinfo *e);

/* failure.c */
int sq_failure_add(struct store *st, const struct failure_group *g, struct errinfo *e);
int sq_failure_insert(struct store *st, const struct failure_group *g, struct errinfo *e);
int sq_failure_count(struct store *st, const char *tenant, int64_t *ret_count,
                     struct errinfo *e);
int sq_failure_forget_oldest(struct store *st, const char *tenant, struct errinfo *e);
int sq_read_failures(struct store_reader *rd, const struct store_failure_filter *filter,
                     struct store_failures *ret_failures, struct errinfo *e);

/* batch_moves.c */
int sq_take_batch_moves(struct store *st, struct store_batch_move **ret_moves);

/* event_write.c */
int64_t sq_finished_version(const struct store *st);
int sq_events_expire(struct store *st, usec_t before_us, int64_t max_events, size_t max_blocks,
                     usec_t *ret_oldest_us, struct errinfo *e);

/* event_read.c */
int sq_read_events(struct store_reader *rd, const struct store_event_query *query,
                   struct store_events *ret_events, struct errinfo *e);
int sq_read_batch_events(struct store_reader *rd, struct uuid7 id, int64_t after_seq,
                         size_t limit, struct store_events *ret_events, struct errinfo *e);
int sq_read_job_events(struct store_reader *rd, struct uuid7 id, int64_t after_seq,
                       size_t limit, struct store_events *ret_events, struct errinfo *e);

/* job_rewrite.c */
int sq_job_rewrite(struct store *st, const struct job *job, int64_t version, usec_t now_us,
                   struct errinfo *e);
int sq_job_requeue(struct store *st, const struct job *job, int64_t version, usec_t now_us,
                   struct errinfo *e);
int sq_job_doom(struct store *st, struct uuid7 id, usec_t now_us, struct errinfo *e);

/* job_remove.c */
int sq_job_remove(struct store *st, struct uuid7 id, bool has_files, usec_t now_us,
                  int *ret_attempts, struct errinfo *e);
int sq_jobs_expired(struct store *st, usec_t now_us, struct store_ended *items, size_t max,
                    struct errinfo *e);
int sq_next_expiry(struct store *st, usec_t *ret_at_us, struct errinfo *e);
int sq_jobs_from(struct store *st, int64_t after_key, struct store_ended *items, size_t max,
                 struct errinfo *e);

/* tombstone.c */
int sq_tombstone_get(struct store *st, struct uuid7 id, const char *tenant,
                     struct store_tombstone *ret_tombstone, struct errinfo *e);
int sq_tombstones_with_files(struct store *st, struct store_tombstone *items, size_t max,
                             struct errinfo *e);
int sq_tombstone_cleared(struct store *st, struct uuid7 id, struct errinfo *e);
int sq_tombstones_forget(struct store *st, usec_t before_us, size_t max, struct errinfo *e);
int sq_oldest_tombstone(struct store *st, usec_t *ret_at_us, struct errinfo *e);

/* attempt_write.c */
/* Once, before the first attempt. */
int sq_attempt_queue_init(struct sq *sq, struct errinfo *e);
/* Write the row of an attempt that has left no output and no large result. */
int sq_attempt_put(struct sq *sq, const struct outcome *o, struct sq_owner owner,
                   struct errinfo *e);
int sq_job_finish(struct store *st, const struct outcome *o, enum job_state to, usec_t now_us,
                  struct errinfo *e);
int sq_job_retry(struct store *st, const struct outcome *o, usec_t due_at_us, usec_t now_us,
                 struct errinfo *e);

/* attempt_read.c */
/* The outcome of a job's last attempt, into a zeroed struct that the caller ends, and whose it
 * was, if it is kept in the job's row. Returns 1, or 0 when it is not. */
int sq_last_outcome(struct db *db, int64_t key, struct outcome *o, struct sq_owner *ret_owner,
                    struct errinfo *e);
int sq_count_attempts(struct store *st, struct uuid7 id, enum cause cause, int64_t *ret_count,
                      struct errinfo *e);
int sq_read_attempts(struct store_reader *rd, struct uuid7 id, int number,
                     struct attempts *ret_attempts, struct errinfo *e);

/* job_read.c */
int sq_job_get(struct store *st, struct uuid7 id, struct job *ret_job, struct errinfo *e);
int sq_read_job(struct store_reader *rd, struct uuid7 id, size_t result_max_bytes,
                struct job *ret_job, struct errinfo *e);
int sq_read_version(struct store_reader *rd, struct uuid7 id, int64_t *ret_version,
                    enum job_state *ret_state, struct errinfo *e);

/* job_list.c */
int sq_read_jobs(struct store_reader *rd, const struct store_query *query,
                 struct store_page *ret_page, struct errinfo *e);
int sq_read_job_count(struct store_reader *rd, const struct store_filter *filter,
                      int64_t *ret_count, bool *ret_exact, struct errinfo *e);

/* job_unique.c */
int sq_unique_find(struct store *st, const unsigned char digest[SHA256_BYTES],
                   struct store_alike *items, size_t max, struct errinfo *e);
int sq_unique_of(struct store *st, struct uuid7 id, unsigned char ret_digest[SHA256_BYTES],
                 struct errinfo *e);
int sq_unique_insert(struct store *st, struct uuid7 id,
                     const unsigned char digest[SHA256_BYTES], struct uuid7 oldest,
                     struct errinfo *e);

/* idempotency.c */
int sq_idempotency_insert(struct store *st, const struct idempotency_record *record,
                          struct errinfo *e);
int sq_idempotency_expire(struct store *st, usec_t until_us, size_t max,
                          usec_t *ret_oldest_at_us, struct errinfo *e);
int sq_read_idempotency(struct store_reader *rd, const unsigned char scope[SHA256_BYTES],
                        struct idempotency_record *ret_record, struct errinfo *e);

/* output_read.c */
int sq_read_result(struct store_reader *rd, struct uuid7 id, enum result_kind *ret_kind,
                   char **ret_bytes, size_t *ret_len, struct errinfo *e);
int sq_read_capture(struct store_reader *rd, struct uuid7 id, int attempt, enum stream stream,
                    struct capture *ret_capture, struct errinfo *e);

/* api_key.c */
int sq_api_key_insert(struct store *st, const struct api_key *key, struct errinfo *e);
int sq_api_key_revoke(struct store *st, const char *tenant, const char *id, usec_t now_us,
                      struct errinfo *e);
int sq_api_key_rotate(struct store *st, const char *tenant, const struct api_key *key,
                      struct errinfo *e);
int sq_api_key_used(struct store *st, const char *id, usec_t at_us, struct errinfo *e);
int sq_api_keys(struct store *st, struct api_keys *ret_keys, int64_t *ret_version,
                struct errinfo *e);
int sq_read_api_key_version(struct store_reader *rd, int64_t *ret_version, struct errinfo *e);
int sq_read_api_keys(struct store_reader *rd, struct api_keys *ret_keys, int64_t *ret_version,
                     struct errinfo *e);

/* overview.c */
int sq_next_due(struct store *st, usec_t *ret_at_us, struct errinfo *e);
int sq_jobs_owned(struct store *st, struct store_owned **ret_items, struct errinfo *e);
int sq_count_waiting(struct store *st, int64_t *ret_count, struct errinfo *e);
int sq_count_waiting_in(struct store *st, const char *queue, int64_t *ret_count,
                        struct errinfo *e);
int sq_last_key(struct store *st, int64_t *ret_key, struct errinfo *e);
int sq_read_ping(struct store_reader *rd, struct errinfo *e);

#endif
