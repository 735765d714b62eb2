/* store/sqlite/job_row.h - from rows to struct job and struct outcome.
 *
 * Internal to store/sqlite/. Works on any connection; several calls that must agree are made in
 * one transaction or snapshot.
 */
#ifndef JOBD_STORE_SQLITE_JOB_ROW_H
#define JOBD_STORE_SQLITE_JOB_ROW_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "domain/job.h"
#include "store/sqlite/db.h"
#include "store/sqlite/stmt.h"

#define JOB_PAYLOAD_INLINE_MAX ((size_t)2048) /* longer ones are in job_payload */
/* A clustered row beyond about 1 KB goes to overflow pages (SQLite file format, 1.6). */
#define ATTEMPT_RESULT_INLINE_MAX ((size_t)512) /* longer ones are in attempt_output */

/* The columns that job_row_read() wants, from 0 on. */
#define JOB_COLUMNS                                                                            \
    "id, id_rand, state, version, change_seq, priority, attempt, releases, worker_id,"         \
    " worker_pid, queued_at_us, started_at_us, progress_ppm, progress_at_us,"                  \
    " finished_at_us, updated_at_us, cancel_requested_at_us, scheduled_at_us, created_at_us,"  \
    " timeout_us, grace_us, pool, queue, function, name, reason, progress_message, payload,"   \
    " tenant, created_by, ttl_us, expires_at_us, batch_key, batch_rand, array_index,"          \
    " fingerprint, outcome"

/* The id in two columns. */
struct uuid7 row_id(struct stmt *s, int column);
/* The same where there may be none: zero for NULL. */
struct uuid7 row_id_or_none(struct stmt *s, int column);
/* The state in a column; a state that no jobd has written reads as ERR_DATABASE. */
int row_state(struct stmt *s, int column, enum job_state *ret_state, struct errinfo *e);

/* Fill a zeroed job from the row under s, with its outcome when that is kept there. A payload
 * kept aside is left NULL. On failure the job is only to be ended. */
int job_row_read(struct stmt *s, struct job *job, struct errinfo *e);
/* Load the payload that job_row_read() has left. */
int job_row_payload(struct db *db, struct job *job, struct errinfo *e);

/* Find a job by both parts of its id, with its payload, and with its outcome when that is kept
 * in its row, into a zeroed struct. ERR_JOB_NOT_FOUND. */
int job_row_find(struct db *db, struct uuid7 id, struct job *job, struct errinfo *e);
/* The same by its key, which is known to exist. */
int job_row_find_key(struct db *db, int64_t key, struct job *job, struct errinfo *e);

/* Fill in the outcome of the job's current attempt, if there is one and it is not there yet,
 * and its result when it has at most result_max_bytes. */
int job_row_outcome(struct db *db, size_t result_max_bytes, struct job *job, struct errinfo *e);

/* A part of an attempt's output: a heap copy. ERR_DATABASE when it is missing. kind: "stdout",
 * "stderr" or "result". */
int output_row_find(struct db *db, int64_t key, int attempt, const char *kind, char **ret_bytes,
                    size_t *ret_len, struct errinfo *e);

#endif
