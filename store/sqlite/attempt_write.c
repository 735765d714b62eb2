/* The end of an attempt: what becomes of the job, and the attempt's record. */
#include <assert.h>

#include "domain/outcome_record.h"
#include "store/sqlite/event_write.h"
#include "store/sqlite/job_row.h"
#include "store/sqlite/row_queue.h"
#include "store/sqlite/sq.h"

#define FINISH_SET                                                                             \
    " " CHANGE                                                                                 \
    ", outcome = ?6, finished_at_us = ?4, updated_at_us = ?5,"                                 \
    " expires_at_us = " EXPIRES_AT("?4") " WHERE id = ?1 AND id_rand = ?2 AND attempt = ?3"

/* By the state to go to, with the states from which job_next() goes there. */
static const char FINISH_SUCCEEDED[] =
    "UPDATE job SET state = 'succeeded'," FINISH_SET " AND state IN ('running', 'canceling')";
static const char FINISH_FAILED[] =
    "UPDATE job SET state = 'failed', fingerprint = ?7," FINISH_SET " AND state = 'running'";
static const char FINISH_CANCELED[] =
    "UPDATE job SET state = 'canceled'," FINISH_SET " AND state = 'canceling'";

static const char RETRY[] =
    "UPDATE job SET state = 'scheduled', " CHANGE
    ","
    " scheduled_at_us = ?4, updated_at_us = ?5, reason = 'retry_backoff'"
    " WHERE id = ?1 AND id_rand = ?2 AND attempt = ?3 AND state = 'running'";

/* All columns of the table, in its order: row_queue.h. */
#define COLUMNS                                                                                \
    "job_id, number, cause, exit_code, signal, pid, started_at_us, finished_at_us,"            \
    " user_cpu_us, system_cpu_us, max_rss_bytes, leftovers_killed, stdout_total_bytes,"        \
    " stdout_kept_bytes, stdout_spilled, stderr_total_bytes, stderr_kept_bytes,"               \
    " stderr_spilled, result_kind, result_bytes, message, result, worker_id, worker_pid,"      \
    " voluntary_switches, involuntary_switches, containment, limits_enforced,"                 \
    " limits_by_cgroup, limits_exceeded, stdout_head_bytes, stderr_head_bytes, spawn_errno,"   \
    " spawn_stage"
static const char INSERT_ATTEMPTS[] =
    "INSERT INTO attempt (" COLUMNS ") SELECT " COLUMNS " FROM jobd_new_attempts";
static const struct row_queue_conf NEW_ATTEMPTS = {
    .name = "jobd_new_attempts",
    .table = "attempt",
    .columns = COLUMNS,
    .insert = INSERT_ATTEMPTS,
};
static const char INSERT_OUTPUT[] =
    "INSERT INTO attempt_output (job_id, number, kind, bytes) VALUES (?1, ?2, ?3, ?4)";

static const char *finish_sql(enum job_state to)
{
    switch (to) {
    case JOB_SUCCEEDED:
        return FINISH_SUCCEEDED;
    case JOB_FAILED:
        return FINISH_FAILED;
    default:
        assert(to == JOB_CANCELED);
        return FINISH_CANCELED;
    }
}

static enum event_kind finish_event(enum job_state to)
{
    switch (to) {
    case JOB_SUCCEEDED:
        return EVENT_JOB_SUCCEEDED;
    case JOB_FAILED:
        return EVENT_JOB_FAILED;
    default:
        return EVENT_JOB_CANCELED;
    }
}

/* Run one of the statements above; at_us is its ?4, record (NULL: none) its ?6. ERR_NOT_FOUND:
 * a stale outcome. */
static int end_attempt(struct sq *sq, const char *sql, const struct outcome *o, usec_t at_us,
                       const struct buf *record, const struct sq_change *change,
                       struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(sq->db, sql, &s, e);
    if (r < 0)
        return r;
    stmt_id(s, 1, o->job_id);
    stmt_i64(s, 3, o->attempt);
    stmt_i64(s, 4, at_us);
    stmt_i64(s, 5, change->at_us);
    if (record)
        stmt_blob(s, 6, record->data, record->len);
    else if (sql != RETRY)
        stmt_null(s, 6);
    if (sql == FINISH_FAILED && o->fingerprint == 0)
        stmt_null(s, 7);
    else if (sql == FINISH_FAILED)
        stmt_i64(s, 7, o->fingerprint);
    return sq_change(sq, s, change, e);
}

int sq_attempt_queue_init(struct sq *sq, struct errinfo *e)
{
    return row_queue_new(sq->db, &NEW_ATTEMPTS, &sq->new_attempts, e);
}

static void queue_capture(struct row_queue *q, const struct capture *c)
{
    row_i64(q, c->total_bytes);
    row_i64(q, c->kept_bytes);
    row_i64(q, c->spilled);
}

static bool result_is_inline(const struct outcome *o)
{
    return o->result_kind == RESULT_JSON && o->result_len <= ATTEMPT_RESULT_INLINE_MAX;
}

static void queue_details(struct row_queue *q, const struct outcome *o)
{
    row_i64(q, o->voluntary_switches);
    row_i64(q, o->involuntary_switches);
    row_i64(q, o->containment);
    row_i64(q, o->limits_enforced);
    row_i64(q, o->limits_by_cgroup);
    row_i64(q, o->limits_exceeded);
    row_i64(q, o->captures[STREAM_STDOUT].head_bytes);
    row_i64(q, o->captures[STREAM_STDERR].head_bytes);
    row_i64(q, o->spawn_errno);
    row_text(q, o->spawn_stage);
}

static int queue_attempt(struct row_queue *q, const struct outcome *o, struct sq_owner owner,
                         struct errinfo *e)
{
    row_i64(q, uuid7_key(o->job_id));
    row_i64(q, o->attempt);
    row_text(q, cause_meta(o->cause)->slug);
    row_i64(q, o->exit_code);
    row_i64(q, o->signal);
    row_i64(q, o->pid);
    row_i64(q, o->started_at_us);
    row_i64(q, o->finished_at_us);
    row_i64(q, o->user_cpu_us);
    row_i64(q, o->system_cpu_us);
    row_i64(q, o->max_rss_bytes);
    row_i64(q, o->leftovers_killed);
    queue_capture(q, &o->captures[STREAM_STDOUT]);
    queue_capture(q, &o->captures[STREAM_STDERR]);
    row_i64(q, o->result_kind);
    row_i64(q, o->result_kind == RESULT_JSON ? (int64_t)o->result_len : 0);
    row_text(q, o->message);
    if (result_is_inline(o))
        row_text_len(q, o->result, o->result_len);
    else
        row_null(q);
    row_i64(q, owner.worker_id);
    row_i64(q, owner.worker_pid);
    queue_details(q, o);
    return row_end(q, e);
}

static int insert_output(struct sq *sq, const struct outcome *o, const char *kind,
                         const char *block, size_t len, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(sq->db, INSERT_OUTPUT, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, uuid7_key(o->job_id));
    stmt_i64(s, 2, o->attempt);
    stmt_text(s, 3, kind);
    stmt_blob(s, 4, block, len);
    return stmt_change(s, e);
}

static int insert_captures(struct sq *sq, const struct outcome *o, struct errinfo *e)
{
    int r;

    for (int i = 0; i < STREAM_MAX_; i++) {
        const struct capture *c = &o->captures[i];

        if (c->spilled || c->kept_bytes == 0)
            continue;
        r = insert_output(sq, o, stream_name((enum stream)i), c->data, (size_t)c->kept_bytes,
                          e);
        if (r < 0)
            return r;
    }
    return 0;
}

int sq_attempt_put(struct sq *sq, const struct outcome *o, struct sq_owner owner,
                   struct errinfo *e)
{
    return queue_attempt(sq->new_attempts, o, owner, e);
}

/* The row and what goes beside it, after the change of the job's own row. */
static int record_attempt(struct sq *sq, const struct outcome *o, struct errinfo *e)
{
    int r;

    r = queue_attempt(sq->new_attempts, o, sq_changed_owner(sq), e);
    if (r < 0)
        return r;
    r = insert_captures(sq, o, e);
    if (r < 0)
        return r;
    if (o->result_kind != RESULT_JSON || result_is_inline(o))
        return 0;
    r = insert_output(sq, o, "result", o->result, o->result_len, e);
    return r < 0 ? r : 0;
}

/* Why, for the event: a canceled job has its own reason. */
static const char *reason_of(const struct outcome *o, enum job_state to)
{
    if (to == JOB_CANCELED)
        return SQ_REASON_OF_THE_JOB;
    return o->cause == CAUSE_NONE ? NULL : cause_meta(o->cause)->slug;
}

/* Whether the job's own row can tell all of it (job.outcome): no output, and a small result. */
static bool fits_the_job(const struct outcome *o)
{
    return outcome_record_suits(o) &&
           (o->result_kind != RESULT_JSON || o->result_len <= ATTEMPT_RESULT_INLINE_MAX);
}

int sq_job_finish(struct store *st, const struct outcome *o, enum job_state to, usec_t now_us,
                  struct errinfo *e)
{
    struct sq *sq = sq_of(st);
    /* The job ended when its attempt did, even if the ledger hears of it later. */
    usec_t finished_at_us = o->finished_at_us ? o->finished_at_us : now_us;
    const struct sq_change change = { finish_event(to), to, now_us,
                                      .reason = reason_of(o, to) };
    int r;

    if (!fits_the_job(o)) {
        r = end_attempt(sq, finish_sql(to), o, finished_at_us, NULL, &change, e);
        return r < 0 ? r : record_attempt(sq, o, e);
    }
    buf_clear(&sq->record);
    outcome_record_add(&sq->record, o);
    return end_attempt(sq, finish_sql(to), o, finished_at_us, &sq->record, &change, e);
}

int sq_job_retry(struct store *st, const struct outcome *o, usec_t due_at_us, usec_t now_us,
                 struct errinfo *e)
{
    struct sq *sq = sq_of(st);
    const struct sq_change change = { EVENT_JOB_RETRY_SCHEDULED, JOB_SCHEDULED, now_us,
                                      .reason = cause_meta(o->cause)->slug };
    int r;

    r = end_attempt(sq, RETRY, o, due_at_us, NULL, &change, e);
    if (r < 0)
        return r;
    return record_attempt(sq, o, e);
}
