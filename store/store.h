/* store/store.h - the ledger on disk: what every backend must do, whatever database is behind
 * it.
 *
 * One `struct store` is the only writer. It is used by one thread (the engine's), which
 * brackets all changes in store_begin() .. store_commit(). Readers are separate: any thread
 * borrows one with store_reader_get(), and sees what was committed before its call.
 *
 * Every function that moves a job to another state names the old one in its SQL, bumps the
 * job's version and the global change sequence, writes the event of that number, and returns
 * ERR_NOT_FOUND when the job is not in a state (or not at an attempt) from which it may go
 * there: an expected result that changes nothing. Any other error inside a transaction means:
 * give the transaction up with store_rollback(). What is wrong with a row that is new may be
 * said by a later call of the transaction, by its commit at the latest. ERR_STORAGE_FULL  the
 * disk or quota is full ERR_DATABASE  anything else
 *
 * Contract suite: tests/contract/test_store.c, run against each backend.
 */
#ifndef JOBD_STORE_STORE_H
#define JOBD_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clean.h"
#include "base/err.h"
#include "domain/api_key.h"
#include "domain/attempt.h"
#include "domain/event.h"
#include "domain/idempotency.h"
#include "domain/job.h"

struct store;
struct store_reader;

enum store_durability {
    STORE_FULL,    /* a committed change survives power loss */
    STORE_RELAXED, /* ... survives the death of jobd only */
};

struct store_conf {
    const char *data_dir; /* exists; the backend keeps its files below it */
    enum store_durability durability;
    bool beside_another; /* another process has it open, and sees to its schema */
};

/* A backend by name ("sqlite"). Brings its schema up to date. On success *ret_store is the
 * caller's. Errors: ERR_SCHEMA_NEWER (made by a newer jobd; nothing was changed), ERR_DATABASE,
 * ERR_AGAIN (beside_another, whose schema is not this jobd's: an older one's, or not there
 * yet). Beside another, only what touches no job may be written. */
int store_open(const char *backend, const struct store_conf *conf, struct store **ret_store,
               struct errinfo *e);
/* Roll back what is open, close. All readers must be back. Returns NULL. */
struct store *store_free(struct store *st);
DEFINE_AUTO(store, struct store)

/* The version of the schema that this jobd writes. */
int store_schema_version(const struct store *st);

/* -- the writer: one thread, inside a transaction --------------------------------- */

int store_begin(struct store *st, struct errinfo *e);
/* On failure the transaction is rolled back; nothing of it is on disk. */
int store_commit(struct store *st, struct errinfo *e);
/* Make the commit write to the disk even if nothing else does: to see whether it can. Changes
 * nothing that a reader sees. */
void store_touch(struct store *st);
/* Harmless when nothing is open. */
void store_rollback(struct store *st);

/* Insert a new job (state scheduled or queued; all fields but change_seq are the caller's, who
 * has checked them). job->change_seq is set. */
int store_job_insert(struct store *st, struct job *job, struct errinfo *e);

/* By how much the counts of a batch's members in each state have changed. */
struct store_batch_move {
    struct uuid7 batch;
    int64_t delta[JOB_STATE_MAX_];
};
/* What the changes of the open transaction mean to batches, since it began or this was called
 * last: a heap array that the caller frees (NULL: none). Whoever changes jobs of batches takes
 * them before the commit, and writes the batches (store_batch_update). Returns the count. */
int store_take_batch_moves(struct store *st, struct store_batch_move **ret_moves);

/* The same as store_job_insert() followed by store_job_claim() of that very job, which is
 * queued, of no batch, and stays as it is here: at half the cost. */
int store_job_insert_claimed(struct store *st, const struct job *job, int64_t worker_id,
                             int worker_pid, struct errinfo *e);

/* The whole job, with its payload, without its outcome. ERR_JOB_NOT_FOUND, ERR_JOB_EXPIRED (see
 * the readers). */
int store_job_get(struct store *st, struct uuid7 id, struct job *ret_job, struct errinfo *e);

/* queued -> running: the first of this pool by priority (higher first), then age. The attempt
 * number goes up by one; ret_job is the job as it is now, with its payload. ERR_NOT_FOUND: none
 * is queued. */
int store_job_claim(struct store *st, const char *pool, int64_t worker_id, int worker_pid,
                    usec_t now_us, struct job *ret_job, struct errinfo *e);

/* scheduled -> queued for at most max jobs whose time has come by now_us; their ids go to ids.
 * Returns how many, or < 0. */
int store_jobs_due(struct store *st, usec_t now_us, struct uuid7 *ids, size_t max,
                   struct errinfo *e);
/* When the next scheduled job is due; 0 when none is scheduled. */
int store_next_due(struct store *st, usec_t *ret_at_us, struct errinfo *e);

/* scheduled or queued -> canceled. reason may be NULL ("user"). */
int store_job_cancel_waiting(struct store *st, struct uuid7 id, const char *reason,
                             usec_t now_us, struct errinfo *e);
/* running -> canceling. */
int store_job_cancel_running(struct store *st, struct uuid7 id, const char *reason,
                             usec_t now_us, struct errinfo *e);

/* running or canceling at attempt o->attempt -> to (final; failed only from running, canceled
 * only from canceling): writes the attempt's record, its kept output and its result. The job's
 * finished_at_us is the outcome's, or now_us when that is 0. ERR_NOT_FOUND: a stale outcome,
 * which must be dropped. */
int store_job_finish(struct store *st, const struct outcome *o, enum job_state to,
                     usec_t now_us, struct errinfo *e);

/* running at attempt o->attempt -> scheduled, for due_at_us: writes the attempt's record, as
 * store_job_finish() does. ERR_NOT_FOUND: a stale outcome, or the job is being canceled. */
int store_job_retry(struct store *st, const struct outcome *o, usec_t due_at_us, usec_t now_us,
                    struct errinfo *e);

/* How many attempts of the job have ended with this cause. */
int store_count_attempts(struct store *st, struct uuid7 id, enum cause cause,
                         int64_t *ret_count, struct errinfo *e);

/* running at this attempt -> queued, as if the claim had not been: the owner and the start are
 * cleared, and the attempt is counted in `releases`; its number stays used, since it is the
 * fence. reason says why the job waits (the next claim clears it). */
int store_job_release(struct store *st, struct uuid7 id, int attempt, const char *reason,
                      usec_t now_us, struct errinfo *e);

/* What a running or canceling attempt says of itself: ppm is its progress in parts per million
 * or -1, message may be NULL. Not a change of state, but one of the version. */
int store_job_progress(struct store *st, struct uuid7 id, int attempt, int ppm,
                       const char *message, usec_t now_us, struct errinfo *e);

/* Jobs of `function` (NULL: command jobs) that wait are from now on run by `pool`, and only
 * inserted with it. Returns how many changed. Not a change of state: no version is bumped.
 * Cheap when the pool is the one of the last call. */
int store_jobs_repool(struct store *st, const char *function, const char *pool,
                      struct errinfo *e);

/* An attempt in hand: for recovery. */
struct store_owned {
    struct uuid7 id;
    int attempt;
    int64_t worker_id;
    enum job_state state; /* running or canceling */
    usec_t started_at_us;
};
/* All of them, as a heap array that the caller frees. Returns the count. */
int store_jobs_owned(struct store *st, struct store_owned **ret_items, struct errinfo *e);

/* A job that is like another one. */
struct store_alike {
    struct uuid7 id;
    enum job_state state;
    usec_t created_at_us;
};
/* Jobs are alike that were given the same digest: at most max of them, the newest first.
 * Returns how many. */
int store_unique_find(struct store *st, const unsigned char digest[SHA256_BYTES],
                      struct store_alike *items, size_t max, struct errinfo *e);
/* The digest of a job. ERR_NOT_FOUND: it has none. */
int store_unique_of(struct store *st, struct uuid7 id, unsigned char ret_digest[SHA256_BYTES],
                    struct errinfo *e);
/* Give a job its digest. Those that are older than `oldest` lose theirs; zero: none does. */
int store_unique_insert(struct store *st, struct uuid7 id,
                        const unsigned char digest[SHA256_BYTES], struct uuid7 oldest,
                        struct errinfo *e);

/* Remember a request and its answer; an older one of the same scope is forgotten. */
int store_idempotency_insert(struct store *st, const struct idempotency_record *record,
                             struct errinfo *e);
/* Forget at most max (> 0) of the oldest that were made until then. Returns how many;
 * *ret_oldest_at_us is when the oldest that is left was made, 0 when none is. */
int store_idempotency_expire(struct store *st, usec_t until_us, size_t max,
                             usec_t *ret_oldest_at_us, struct errinfo *e);

/* How many jobs are queued or scheduled. */
int store_count_waiting(struct store *st, int64_t *ret_count, struct errinfo *e);
/* The same of one queue, of all tenants: looks at all that wait. */
int store_count_waiting_in(struct store *st, const char *queue, int64_t *ret_count,
                           struct errinfo *e);
/* The largest key (uuid7_key) ever given out; 0 in an empty store. */
int store_last_key(struct store *st, int64_t *ret_key, struct errinfo *e);

/* Bearer keys. Each of these but store_api_key_used() raises the version of their set. tenant:
 * whose key it must be; NULL: anybody's. */
int store_api_key_insert(struct store *st, const struct api_key *key, struct errinfo *e);
/* It is no good from now on; the first time of several counts. ERR_KEY_NOT_FOUND. */
int store_api_key_revoke(struct store *st, const char *tenant, const char *id, usec_t now_us,
                         struct errinfo *e);
/* Give it key->secret_hash in place of its old one. ERR_KEY_NOT_FOUND: also when it is revoked.
 */
int store_api_key_rotate(struct store *st, const char *tenant, const struct api_key *key,
                         struct errinfo *e);
/* It was used at that time, or later. One that is not there does not matter. */
int store_api_key_used(struct store *st, const char *id, usec_t at_us, struct errinfo *e);
/* As store_read_api_keys(). */
int store_api_keys(struct store *st, struct api_keys *ret_keys, int64_t *ret_version,
                   struct errinfo *e);

/* The number of the last change that is committed. */
int64_t store_change_seq(const struct store *st);
/* The version of the job that store_job_finish() has just ended. */
int64_t store_finished_version(const struct store *st);
/* Forget events from before before_us (0: of any age), and the oldest of more than max_events
 * (0: any number): at most max_blocks rows of several events each. Returns how many rows went;
 * fewer than max_blocks: there is no more to forget, and *ret_oldest_us is the time of the
 * oldest row that stays (0: there is none). */
int store_events_expire(struct store *st, usec_t before_us, int64_t max_events,
                        size_t max_blocks, usec_t *ret_oldest_us, struct errinfo *e);

/* -- changing a job that does not run ------------------------------------------------- */

/* A job that waits (scheduled or queued) at this version becomes as `job` says: state (one of
 * these two), queue, name, priority, scheduled_at_us, queued_at_us, timeout_us, grace_us,
 * ttl_us, reason, pool and payload. ERR_NOT_FOUND: it is at another version, or does not wait.
 */
int store_job_rewrite(struct store *st, const struct job *job, int64_t version, usec_t now_us,
                      struct errinfo *e);
/* The same from failed or canceled: the job waits again for another attempt. What its end left
 * in the job is cleared; its attempts stay. */
int store_job_requeue(struct store *st, const struct job *job, int64_t version, usec_t now_us,
                      struct errinfo *e);
/* A job that has a worker is to be removed once it has ended. Not a change of state, but one of
 * the version, unless that was asked before. ERR_NOT_FOUND: it has none. */
int store_job_doom(struct store *st, struct uuid7 id, usec_t now_us, struct errinfo *e);

/* -- removing jobs --------------------------------------------------------------------- */

/* Remove a job that is in a final state, with all that the ledger knows of it, and leave a
 * tombstone. has_files: attempts of it have left files that the ledger does not know of. The
 * caller removes the files of the attempts 1..*ret_attempts (0: there are none) once this is
 * committed, and then calls store_tombstone_cleared(). ERR_NOT_FOUND. */
int store_job_remove(struct store *st, struct uuid7 id, bool has_files, usec_t now_us,
                     int *ret_attempts, struct errinfo *e);

/* A job as far as its removal is concerned. */
struct store_ended {
    struct uuid7 id;
    enum job_state state; /* any, from store_jobs_from() */
    int attempt;
    usec_t created_at_us;
    usec_t finished_at_us;
    usec_t ttl_us;
};
/* At most max jobs whose own time (ttl_us) is over by now_us, the earliest first. Returns how
 * many. */
int store_jobs_expired(struct store *st, usec_t now_us, struct store_ended *items, size_t max,
                       struct errinfo *e);
/* When the next of these expires; 0: none does. */
int store_next_expiry(struct store *st, usec_t *ret_at_us, struct errinfo *e);
/* The next max jobs in the order of their keys, whatever their state, from after after_key on.
 * Returns how many. */
int store_jobs_from(struct store *st, int64_t after_key, struct store_ended *items, size_t max,
                    struct errinfo *e);

struct store_tombstone {
    struct uuid7 id;
    usec_t expired_at_us;
    int attempts; /* whose files are still to be removed: 1..attempts; 0: of none */
};
/* The tombstone of a job of this tenant (NULL: of any). ERR_NOT_FOUND. */
int store_tombstone_get(struct store *st, struct uuid7 id, const char *tenant,
                        struct store_tombstone *ret_tombstone, struct errinfo *e);
/* At most max of those whose files are still to be removed. Returns how many. */
int store_tombstones_with_files(struct store *st, struct store_tombstone *items, size_t max,
                                struct errinfo *e);
/* The files of this one are gone. */
int store_tombstone_cleared(struct store *st, struct uuid7 id, struct errinfo *e);
/* Forget at most max of those that are from before before_us and have no files. Returns how
 * many. */
int store_tombstones_forget(struct store *st, usec_t before_us, size_t max, struct errinfo *e);
/* From when the oldest without files is; 0: there is none. */
int store_oldest_tombstone(struct store *st, usec_t *ret_at_us, struct errinfo *e);

/* -- readers: any thread, one at a time each -------------------------------------- */

/* Borrow a reader; blocks only to open the first few. Give it back with store_reader_put(). */
int store_reader_get(struct store *st, struct store_reader **ret_reader, struct errinfo *e);
void store_reader_put(struct store *st, struct store_reader *rd);
/* From now on it finds the jobs and batches of this tenant only by their ids; those of others
 * are not there. NULL, as when it was borrowed: of all. tenant must outlive the borrowing. */
void store_reader_see(struct store_reader *rd, const char *tenant);

/* Wherever a reader says ERR_JOB_NOT_FOUND it may also say ERR_JOB_EXPIRED: there was such a
 * job, and its tombstone is still there. The fact expired_at of the error has the time. */

/* The whole job, with payload, outcome and (if result_max_bytes allows) its result.
 * ERR_JOB_NOT_FOUND. */
int store_read_job(struct store_reader *rd, struct uuid7 id, size_t result_max_bytes,
                   struct job *ret_job, struct errinfo *e);

/* Only what decides 304 and long-polls: cheap. ERR_JOB_NOT_FOUND. */
int store_read_version(struct store_reader *rd, struct uuid7 id, int64_t *ret_version,
                       enum job_state *ret_state, struct errinfo *e);

#define STORE_LIST_MAX       1000
#define STORE_LIST_SCAN_MAX  20000 /* rows looked at for one page */
#define STORE_COUNT_SCAN_MAX 50000 /* ... to count those that pass */
#define STORE_LIST_BYTES_MAX                                                                   \
    ((size_t)16 << 20) /* of payloads in one page, and one more job                            \
                        */

/* Times that have not happened come last, in both directions. */
enum store_sort {
    STORE_BY_CREATED, /* in the order of the ids */
    STORE_BY_PRIORITY,
    STORE_BY_QUEUED,
    STORE_BY_STARTED,
    STORE_BY_FINISHED,
    STORE_BY_UPDATED,
    STORE_SORT_MAX_
};

struct store_label {
    const char *name;
    const char *value;
};

/* Which jobs; what is zero or NULL is not asked for. All that is given must hold. */
struct store_filter {
    unsigned states;      /* bit 1 << state */
    const char *tenant;   /* NULL: of all of them; "": of the default one */
    const char *function; /* "" : command jobs */
    const char *queue;
    const char *name;
    const char *name_prefix;
    const char *created_by;
    const char *text;    /* is part of the name or the id, in whatever case of A to Z */
    enum cause cause;    /* failed, and the last attempt for this cause */
    struct uuid7 batch;  /* zero: of any and of none */
    int64_t fingerprint; /* failed, and this is the kind of the failure */
    const struct store_label *labels;
    size_t label_count;
    /* From `after` on, and earlier than `before`. When a job was created its id says, in whole
     * milliseconds; with a bound of finished_* only jobs that have finished pass. */
    usec_t created_after_us;
    usec_t created_before_us;
    usec_t finished_after_us;
    usec_t finished_before_us;
};

/* Where a page ends: the next one starts behind it. Key 0: nowhere, from the start. */
struct store_position {
    int64_t value; /* of what the list is sorted by */
    int64_t key;   /* uuid7_key */
};

struct store_query {
    struct store_filter filter;
    enum store_sort sort;
    bool ascending; /* else the latest, or the highest, first; equal ones in the same direction
                       by id */
    size_t limit;   /* 1..STORE_LIST_MAX */
    struct store_position from;
};

struct store_page {
    struct job *items;
    size_t count;
    struct store_position next; /* query.from of the next page; key 0: this was the last */
};

/* A page of jobs with payloads and outcomes. The work is bounded: after STORE_LIST_SCAN_MAX
 * rows a page by STORE_BY_CREATED may be short, even empty, while page.next is set; after
 * STORE_LIST_BYTES_MAX any page is short. ERR_SORT_TOO_LARGE: by anything else more rows would
 * have to be looked at; labels, a name, states but succeeded, and times of creation make them
 * fewer. */
int store_read_jobs(struct store_reader *rd, const struct store_query *query,
                    struct store_page *ret_page, struct errinfo *e);
/* How many jobs pass; not more than can be counted in STORE_COUNT_SCAN_MAX rows, and then
 * *ret_exact is false: there may be more. */
int store_read_job_count(struct store_reader *rd, const struct store_filter *filter,
                         int64_t *ret_count, bool *ret_exact, struct errinfo *e);
void store_page_fini(struct store_page *page);
DEFINE_AUTO_FINI(store_page, struct store_page)

/* The result of the current attempt as RESULT_JSON bytes (heap, caller's). *ret_kind says which
 * kind there is; with RESULT_NONE and RESULT_STDOUT no bytes are returned. ERR_JOB_NOT_FOUND.
 */
int store_read_result(struct store_reader *rd, struct uuid7 id, enum result_kind *ret_kind,
                      char **ret_bytes, size_t *ret_len, struct errinfo *e);

/* What is known of a stream of an attempt: total, kept, spilled, and the data when it is
 * inline. ERR_JOB_NOT_FOUND; ERR_LOG_NOT_FOUND: the attempt has no record (yet). */
int store_read_capture(struct store_reader *rd, struct uuid7 id, int attempt,
                       enum stream stream, struct capture *ret_capture, struct errinfo *e);

/* What is known of attempt `number`, or of all with 0: those that have ended, without output
 * and result, and the one in hand. An attempt that was given back has left nothing. Empty when
 * there is none. ERR_JOB_NOT_FOUND. */
int store_read_attempts(struct store_reader *rd, struct uuid7 id, int number,
                        struct attempts *ret_attempts, struct errinfo *e);

/* The version of the set of keys: cheap. */
int store_read_api_key_version(struct store_reader *rd, int64_t *ret_version,
                               struct errinfo *e);
/* All keys, the oldest first, those that are revoked or expired, too; and the version of this
 * set. */
int store_read_api_keys(struct store_reader *rd, struct api_keys *ret_keys,
                        int64_t *ret_version, struct errinfo *e);

#define STORE_EVENTS_SCAN_MAX 20000 /* events looked at for one answer */

struct store_event_query {
    int64_t after_seq; /* events with larger numbers */
    struct event_filter filter;
    size_t limit;
};

/* Events in the order of their numbers. */
struct store_events {
    struct event *items; /* their texts are in blocks */
    size_t count;
    char **blocks;
    size_t block_count;
    int64_t seen_seq;   /* there is nothing else up to this number; ask for more after it */
    bool more;          /* there may be, now */
    int64_t gone_seq;   /* events up to this number are not kept any more */
    int64_t newest_seq; /* of the last change that is committed; of this job or batch */
    bool gap;           /* events between after_seq and the first one here are not kept */
    bool final;         /* of one job or batch: it has come to its end */
};
void store_events_fini(struct store_events *events);
DEFINE_AUTO_FINI(store_events, struct store_events)

/* All jobs' events. The work is bounded, so that the list may be short, even empty, while
 * `more` is set. */
int store_read_events(struct store_reader *rd, const struct store_event_query *query,
                      struct store_events *ret_events, struct errinfo *e);
/* Those of one job; of more than STORE_EVENTS_SCAN_MAX the oldest are left out.
 * ERR_JOB_NOT_FOUND. */
int store_read_job_events(struct store_reader *rd, struct uuid7 id, int64_t after_seq,
                          size_t limit, struct store_events *ret_events, struct errinfo *e);
/* The same of a batch itself, not of its members. ERR_BATCH_NOT_FOUND. */
int store_read_batch_events(struct store_reader *rd, struct uuid7 id, int64_t after_seq,
                            size_t limit, struct store_events *ret_events, struct errinfo *e);
/* The request of that scope that is remembered. ERR_NOT_FOUND. */
int store_read_idempotency(struct store_reader *rd, const unsigned char scope[SHA256_BYTES],
                           struct idempotency_record *ret_record, struct errinfo *e);

/* ERR_DATABASE when the database does not answer: for /readyz. */
int store_read_ping(struct store_reader *rd, struct errinfo *e);

#endif
