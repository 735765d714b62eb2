#include "store/sqlite/job_row.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "domain/outcome_record.h"
#include "store/sqlite/attempt_row.h"
#include "store/sqlite/tombstone.h"

enum {
    COL_ID,
    COL_ID_RAND,
    COL_STATE,
    COL_VERSION,
    COL_CHANGE_SEQ,
    COL_PRIORITY,
    COL_ATTEMPT,
    COL_RELEASES,
    COL_WORKER_ID,
    COL_WORKER_PID,
    COL_QUEUED_AT,
    COL_STARTED_AT,
    COL_PROGRESS,
    COL_PROGRESS_AT,
    COL_FINISHED_AT,
    COL_UPDATED_AT,
    COL_CANCEL_REQUESTED_AT,
    COL_SCHEDULED_AT,
    COL_CREATED_AT,
    COL_TIMEOUT,
    COL_GRACE,
    COL_POOL,
    COL_QUEUE,
    COL_FUNCTION,
    COL_NAME,
    COL_REASON,
    COL_PROGRESS_MESSAGE,
    COL_PAYLOAD,
    COL_TENANT,
    COL_CREATED_BY,
    COL_TTL,
    COL_EXPIRES_AT,
    COL_BATCH,
    COL_BATCH_RAND,
    COL_ARRAY_INDEX,
    COL_FINGERPRINT,
    COL_OUTCOME,
};

static const char FIND[] = "SELECT " JOB_COLUMNS " FROM job WHERE id = ?1 AND id_rand = ?2";
static const char FIND_KEY[] = "SELECT " JOB_COLUMNS " FROM job WHERE id = ?1";
static const char PAYLOAD[] = "SELECT payload FROM job_payload WHERE job_id = ?1";
static const char ATTEMPT[] =
    "SELECT " ATTEMPT_COLUMNS " FROM attempt WHERE job_id = ?1 AND number = ?2";
static const char OUTPUT[] =
    "SELECT bytes FROM attempt_output WHERE job_id = ?1 AND number = ?2 AND kind = ?3";

struct uuid7 row_id(struct stmt *s, int column)
{
    return uuid7_from_parts(stmt_col_i64(s, column), stmt_col_i64(s, column + 1));
}

struct uuid7 row_id_or_none(struct stmt *s, int column)
{
    return stmt_col_is_null(s, column) ? (struct uuid7){ 0 } : row_id(s, column);
}

int row_state(struct stmt *s, int column, enum job_state *ret_state, struct errinfo *e)
{
    const char *name = stmt_col_text(s, column);
    int state = name ? job_state_parse(name) : -1;

    if (state < 0)
        return err_set(e, ERR_DATABASE, "a job has the state '%s'", name ? name : "NULL");
    *ret_state = (enum job_state)state;
    return 0;
}

static int read_outcome(struct stmt *s, struct job *job, struct errinfo *e)
{
    size_t len;
    const void *record = stmt_col_blob(s, COL_OUTCOME, &len);

    if (!record)
        return 0;
    if (!outcome_record_read(record, len, &job->outcome))
        return err_set(e, ERR_DATABASE, "a job has an outcome that is none");
    job->outcome.job_id = job->id;
    job->outcome.attempt = job->attempt;
    job->has_outcome = true;
    return 0;
}

int job_row_read(struct stmt *s, struct job *job, struct errinfo *e)
{
    int r;

    r = row_state(s, COL_STATE, &job->state, e);
    if (r < 0)
        return r;
    job->id = row_id(s, COL_ID);
    job->version = stmt_col_i64(s, COL_VERSION);
    job->change_seq = stmt_col_i64(s, COL_CHANGE_SEQ);
    job->priority = stmt_col_int(s, COL_PRIORITY);
    job->attempt = stmt_col_int(s, COL_ATTEMPT);
    job->releases = stmt_col_int(s, COL_RELEASES);
    job->worker_id = stmt_col_i64(s, COL_WORKER_ID);
    job->worker_pid = stmt_col_int(s, COL_WORKER_PID);
    job->queued_at_us = stmt_col_i64(s, COL_QUEUED_AT);
    job->started_at_us = stmt_col_i64(s, COL_STARTED_AT);
    job->progress_ppm = stmt_col_int(s, COL_PROGRESS);
    job->progress_at_us = stmt_col_i64(s, COL_PROGRESS_AT);
    job->finished_at_us = stmt_col_i64(s, COL_FINISHED_AT);
    job->updated_at_us = stmt_col_i64(s, COL_UPDATED_AT);
    job->cancel_requested_at_us = stmt_col_i64(s, COL_CANCEL_REQUESTED_AT);
    job->scheduled_at_us = stmt_col_i64(s, COL_SCHEDULED_AT);
    job->created_at_us = stmt_col_i64(s, COL_CREATED_AT);
    job->timeout_us = stmt_col_i64(s, COL_TIMEOUT);
    job->grace_us = stmt_col_i64(s, COL_GRACE);
    job->pool = stmt_col_copy(s, COL_POOL, NULL);
    job->queue = stmt_col_copy(s, COL_QUEUE, NULL);
    job->function = stmt_col_copy(s, COL_FUNCTION, NULL);
    job->name = stmt_col_copy(s, COL_NAME, NULL);
    job->reason = stmt_col_copy(s, COL_REASON, NULL);
    job->progress_message = stmt_col_copy(s, COL_PROGRESS_MESSAGE, NULL);
    job->payload = stmt_col_copy(s, COL_PAYLOAD, &job->payload_len);
    job->tenant = stmt_col_copy(s, COL_TENANT, NULL);
    job->created_by = stmt_col_copy(s, COL_CREATED_BY, NULL);
    job->ttl_us = stmt_col_i64(s, COL_TTL);
    job->expires_at_us = stmt_col_i64(s, COL_EXPIRES_AT);
    job->batch = row_id_or_none(s, COL_BATCH);
    if (!stmt_col_is_null(s, COL_ARRAY_INDEX))
        job->array_place = stmt_col_i64(s, COL_ARRAY_INDEX) + 1;
    job->fingerprint = stmt_col_i64(s, COL_FINGERPRINT);
    return read_outcome(s, job, e);
}

int job_row_payload(struct db *db, struct job *job, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    if (job->payload)
        return 0;
    r = stmt_get(db, PAYLOAD, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, uuid7_key(job->id));
    r = stmt_step(s, e);
    if (r < 0)
        return r;
    if (r == 0)
        return err_set(e, ERR_DATABASE, "a job has no payload");
    job->payload = stmt_col_copy(s, 0, &job->payload_len);
    return 0;
}

int job_row_find(struct db *db, struct uuid7 id, struct job *job, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_find(db, FIND, id, &s, e);
    if (r < 0)
        return r;
    if (r == 0)
        return tombstone_missing(db, id, e);
    r = job_row_read(s, job, e);
    if (r < 0)
        return r;
    if (db->tenant && !text_equal(db->tenant, job_tenant(job)))
        return tombstone_never(id, e);
    return job_row_payload(db, job, e);
}

int job_row_find_key(struct db *db, int64_t key, struct job *job, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(db, FIND_KEY, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, key);
    r = stmt_step(s, e);
    if (r < 0)
        return r;
    if (r == 0)
        return err_set(e, ERR_DATABASE, "an index names a job that is not there");
    r = job_row_read(s, job, e);
    if (r < 0)
        return r;
    return job_row_payload(db, job, e);
}

static int load_result(struct db *db, struct stmt *s, struct outcome *o, struct errinfo *e)
{
    o->result = stmt_col_copy(s, ATT_RESULT, NULL);
    if (o->result)
        return 0;
    return output_row_find(db, uuid7_key(o->job_id), o->attempt, "result", &o->result,
                           &o->result_len, e);
}

int job_row_outcome(struct db *db, size_t result_max_bytes, struct job *job, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    struct outcome *o = &job->outcome;
    int r;

    if (job->has_outcome && o->result_len > result_max_bytes) {
        free(o->result);
        o->result = NULL;
    }
    if (job->has_outcome || job->attempt == 0)
        return 0;
    r = stmt_get(db, ATTEMPT, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, uuid7_key(job->id));
    stmt_i64(s, 2, job->attempt);
    r = stmt_step(s, e);
    if (r <= 0)
        return r;
    o->job_id = job->id;
    r = attempt_row_read(s, o, e);
    if (r < 0)
        return r;
    job->has_outcome = true;
    if (o->result_kind == RESULT_JSON && o->result_len <= result_max_bytes)
        return load_result(db, s, o, e);
    return 0;
}

int output_row_find(struct db *db, int64_t key, int attempt, const char *kind, char **ret_bytes,
                    size_t *ret_len, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(db, OUTPUT, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, key);
    stmt_i64(s, 2, attempt);
    stmt_text(s, 3, kind);
    r = stmt_step(s, e);
    if (r < 0)
        return r;
    if (r == 0)
        return err_set(e, ERR_DATABASE, "the %s of an attempt is missing", kind);
    *ret_bytes = stmt_col_copy(s, 0, ret_len);
    return 0;
}
