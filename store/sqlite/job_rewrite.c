/* Changes to what a job is, while nobody runs it. */
#include "base/mem.h"
#include "store/sqlite/event_write.h"
#include "store/sqlite/job_labels.h"
#include "store/sqlite/job_row.h"
#include "store/sqlite/sq.h"

#define REWRITE_SET                                                                            \
    "UPDATE job SET state = ?5, " CHANGE                                                       \
    ", queue = ?6, name = ?7, priority = ?8, scheduled_at_us = ?9, queued_at_us = ?10,"        \
    " timeout_us = ?11, grace_us = ?12, ttl_us = ?13, reason = ?14, payload = ?15,"            \
    " updated_at_us = ?3, pool = ?16"
#define REWRITE_WHERE " WHERE id = ?1 AND id_rand = ?2 AND version = ?4"

static const char REWRITE[] = REWRITE_SET REWRITE_WHERE " AND state IN ('scheduled', 'queued')";
static const char REQUEUE[] = REWRITE_SET
    ", started_at_us = 0, finished_at_us = 0, cancel_requested_at_us = 0,"
    " expires_at_us = 0, fingerprint = NULL, outcome = NULL" REWRITE_WHERE
    " AND state IN ('failed', 'canceled')";

static const char PUT_PAYLOAD[] =
    "INSERT INTO job_payload (job_id, payload) VALUES (?1, ?2)"
    " ON CONFLICT (job_id) DO UPDATE SET payload = excluded.payload";
static const char DROP_PAYLOAD[] = "DELETE FROM job_payload WHERE job_id = ?1";

static const char DOOM[] =
    "UPDATE job SET " CHANGE
    ", ttl_us = -1, updated_at_us = ?3"
    " WHERE id = ?1 AND id_rand = ?2 AND state IN ('running', 'canceling') AND ttl_us >= 0";
static const char IS_OWNED[] =
    "SELECT 1 FROM job WHERE id = ?1 AND id_rand = ?2"
    " AND state IN ('running', 'canceling')";

static bool is_inline(const struct job *job)
{
    return job->payload_len <= JOB_PAYLOAD_INLINE_MAX;
}

/* The payload beside the row follows what the row says of it. */
static int keep_aside(struct db *db, const struct job *job, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(db, is_inline(job) ? DROP_PAYLOAD : PUT_PAYLOAD, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, uuid7_key(job->id));
    if (!is_inline(job))
        stmt_text_len(s, 2, job->payload, job->payload_len);
    r = stmt_change(s, e);
    return r < 0 ? r : 0;
}

static int rewrite(struct sq *sq, const char *sql, const struct job *job, int64_t version,
                   const struct sq_change *change, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    AUTO(mem) char *before = NULL; /* the payload, for its labels */
    int64_t key = uuid7_key(job->id);
    size_t before_len;
    int r;

    r = job_labels_source(sq->db, key, &before, &before_len, e);
    if (r < 0)
        return r;
    r = change_get(sq, sql, job->id, change->at_us, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 4, version);
    stmt_text(s, 5, job_state_name(job->state));
    stmt_text(s, 6, job->queue);
    stmt_text(s, 7, job->name);
    stmt_i64(s, 8, job->priority);
    stmt_i64(s, 9, job->scheduled_at_us);
    stmt_i64(s, 10, job->queued_at_us);
    stmt_i64(s, 11, job->timeout_us);
    stmt_i64(s, 12, job->grace_us);
    stmt_i64(s, 13, job->ttl_us);
    stmt_text(s, 14, job->reason);
    if (is_inline(job))
        stmt_text_len(s, 15, job->payload, job->payload_len);
    else
        stmt_text(s, 15, NULL);
    stmt_text(s, 16, job->pool);
    r = sq_change(sq, s, change, e);
    if (r == 0)
        r = job_labels_remove(sq->db, key, before, before_len, e);
    if (r == 0)
        r = job_labels_add(sq->db, key, job->payload, job->payload_len, e);
    if (r < 0)
        return r;
    return keep_aside(sq->db, job, e);
}

int sq_job_rewrite(struct store *st, const struct job *job, int64_t version, usec_t now_us,
                   struct errinfo *e)
{
    const struct sq_change change = { EVENT_JOB_UPDATED, job->state, now_us,
                                      .reason = job->reason };

    return rewrite(sq_of(st), REWRITE, job, version, &change, e);
}

int sq_job_requeue(struct store *st, const struct job *job, int64_t version, usec_t now_us,
                   struct errinfo *e)
{
    const struct sq_change change = { job->state == JOB_QUEUED ? EVENT_JOB_QUEUED
                                                               : EVENT_JOB_SCHEDULED,
                                      job->state, now_us, .reason = job->reason };
    AUTO_FINI(outcome) struct outcome last = { 0 };
    struct sq *sq = sq_of(st);
    struct sq_owner owner;
    int kept;
    int r;

    kept = sq_last_outcome(sq->db, uuid7_key(job->id), &last, &owner, e);
    if (kept < 0)
        return kept;
    r = rewrite(sq, REQUEUE, job, version, &change, e);
    return r == 0 && kept > 0 ? sq_attempt_put(sq, &last, owner, e) : r;
}

static int is_owned(struct sq *sq, struct uuid7 id, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_find(sq->db, IS_OWNED, id, &s, e);
    if (r < 0)
        return r;
    return r > 0 ? 0 : ERR_NOT_FOUND; /* expected: no text */
}

int sq_job_doom(struct store *st, struct uuid7 id, usec_t now_us, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    struct sq *sq = sq_of(st);
    int r;

    r = change_get(sq, DOOM, id, now_us, &s, e);
    if (r < 0)
        return r;
    r = sq_change(sq, s,
                  &(struct sq_change){ EVENT_JOB_UPDATED, SQ_STATE_AS_IT_IS, now_us,
                                       .reason = SQ_REASON_OF_THE_JOB },
                  e);
    return r == ERR_NOT_FOUND ? is_owned(sq, id, e) : r; /* it may have been asked before */
}
