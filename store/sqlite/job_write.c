/* Changes of a job's state that need nothing but its own row. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/sqlite/batch_moves.h"
#include "store/sqlite/event_write.h"
#include "store/sqlite/job_labels.h"
#include "store/sqlite/job_row.h"
#include "store/sqlite/row_queue.h"
#include "store/sqlite/sq.h"

#define CANCEL_REASON "user" /* when none is given */

/* All columns of the table up to the last that a new row sets, in its order: row_queue.h. */
static const char INSERT[] =
    "INSERT INTO job (id, id_rand, state, version, change_seq, priority, attempt, releases,"
    " worker_id, worker_pid, queued_at_us, started_at_us, progress_ppm, progress_at_us,"
    " finished_at_us, updated_at_us, cancel_requested_at_us, scheduled_at_us, created_at_us,"
    " timeout_us, grace_us, pool, queue, function, name, reason, progress_message, payload,"
    " tenant, created_by, ttl_us, expires_at_us, batch_key, batch_rand, array_index)"
    " SELECT id, id_rand, state, version, change_seq, priority, attempt, 0, worker_id,"
    " worker_pid, queued_at_us, started_at_us, -1, 0, 0, updated_at_us, 0, scheduled_at_us,"
    " created_at_us, timeout_us, grace_us, pool, queue, function, name, reason, NULL, payload,"
    " tenant, created_by, ttl_us, 0, batch_key, batch_rand, array_index FROM jobd_new_jobs";
static const struct row_queue_conf NEW_JOBS = {
    .name = "jobd_new_jobs",
    .table = "job",
    .columns =
        "id, id_rand, state, version, change_seq, priority, attempt, worker_id,"
        " worker_pid, queued_at_us, started_at_us, updated_at_us, scheduled_at_us,"
        " created_at_us, timeout_us, grace_us, pool, queue, function, name, reason,"
        " payload, tenant, created_by, ttl_us, batch_key, batch_rand, array_index",
    .insert = INSERT,
};
static const char INSERT_PAYLOAD[] =
    "INSERT INTO job_payload (job_id, payload) VALUES (?1, ?2)";

static const char NEXT[] = "SELECT " JOB_COLUMNS
                           " FROM job INDEXED BY job_ready"
                           " WHERE state = 'queued' AND pool = ?1"
                           " ORDER BY priority DESC, id LIMIT 1";
static const char CLAIM[] =
    "UPDATE job SET state = 'running', " CHANGE
    ","
    " attempt = attempt + 1, worker_id = ?2, worker_pid = ?3, started_at_us = ?4,"
    " progress_ppm = -1, progress_at_us = 0, progress_message = NULL, updated_at_us = ?4,"
    " reason = NULL"
    " WHERE id = ?1 AND state = 'queued'";

static const char DUE[] =
    "SELECT id, id_rand FROM job INDEXED BY job_due"
    " WHERE state = 'scheduled' AND scheduled_at_us <= ?1"
    " ORDER BY scheduled_at_us LIMIT ?2";
static const char MAKE_DUE[] = "UPDATE job SET state = 'queued', " CHANGE
                               ","
                               " queued_at_us = ?2, updated_at_us = ?2, reason = NULL"
                               " WHERE id = ?1 AND state = 'scheduled'";

static const char CANCEL_WAITING[] =
    "UPDATE job SET state = 'canceled', " CHANGE
    ","
    " reason = ?4, cancel_requested_at_us = ?3, finished_at_us = ?3,"
    " updated_at_us = ?3, expires_at_us = " EXPIRES_AT(
        "?3") " WHERE id = ?1 AND id_rand = ?2 AND state IN ('scheduled', 'queued')";
static const char CANCEL_RUNNING[] =
    "UPDATE job SET state = 'canceling', " CHANGE
    ","
    " reason = ?4, cancel_requested_at_us = ?3, updated_at_us = ?3"
    " WHERE id = ?1 AND id_rand = ?2 AND state = 'running'";

static const char RELEASE[] =
    "UPDATE job SET state = 'queued', " CHANGE
    ","
    " releases = releases + 1, worker_id = 0, worker_pid = 0, started_at_us = 0, reason = ?4,"
    " updated_at_us = ?3"
    " WHERE id = ?1 AND id_rand = ?2 AND state = 'running' AND attempt = ?5";

static const char PROGRESS[] =
    "UPDATE job SET " CHANGE
    ", progress_ppm = ?4,"
    " progress_message = ?5, progress_at_us = ?3, updated_at_us = ?3"
    " WHERE id = ?1 AND id_rand = ?2 AND state IN ('running', 'canceling') AND attempt = ?6";

static const char POOL_OF[] =
    "SELECT pool = ?2 FROM function_pool WHERE function = coalesce(?1, '')";
static const char SET_POOL_OF[] =
    "INSERT INTO function_pool (function, pool) VALUES (coalesce(?1, ''), ?2)"
    " ON CONFLICT (function) DO UPDATE SET pool = excluded.pool";
static const char REPOOL_QUEUED[] =
    "UPDATE job INDEXED BY job_ready SET pool = ?2"
    " WHERE state = 'queued' AND function IS ?1 AND pool <> ?2";
static const char REPOOL_SCHEDULED[] =
    "UPDATE job INDEXED BY job_due SET pool = ?2"
    " WHERE state = 'scheduled' AND function IS ?1 AND pool <> ?2";

int change_get(struct sq *sq, const char *sql, struct uuid7 id, usec_t now_us,
               struct stmt **ret_stmt, struct errinfo *e)
{
    int r;

    r = stmt_get(sq->db, sql, ret_stmt, e);
    if (r < 0)
        return r;
    stmt_id(*ret_stmt, 1, id);
    stmt_i64(*ret_stmt, 3, now_us);
    return 0;
}

static int insert_payload(struct sq *sq, const struct job *job, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(sq->db, INSERT_PAYLOAD, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, uuid7_key(job->id));
    stmt_text_len(s, 2, job->payload, job->payload_len);
    return stmt_change(s, e);
}

static void queue_batch(struct row_queue *q, const struct job *job)
{
    bool member = uuid7_is_set(job->batch);

    if (member) {
        row_i64(q, uuid7_key(job->batch));
        row_i64(q, uuid7_rand(job->batch));
    } else {
        row_null(q);
        row_null(q);
    }
    if (member && job->array_place > 0)
        row_i64(q, job->array_place - 1);
    else
        row_null(q);
}

static int queue_job(struct row_queue *q, const struct job *job, bool inline_payload,
                     struct errinfo *e)
{
    row_i64(q, uuid7_key(job->id));
    row_i64(q, uuid7_rand(job->id));
    row_text(q, job_state_name(job->state));
    row_i64(q, job->version);
    row_i64(q, job->change_seq);
    row_i64(q, job->priority);
    row_i64(q, job->attempt);
    row_i64(q, job->worker_id);
    row_i64(q, job->worker_pid);
    row_i64(q, job->queued_at_us);
    row_i64(q, job->started_at_us);
    row_i64(q, job->updated_at_us);
    row_i64(q, job->scheduled_at_us);
    row_i64(q, job->created_at_us);
    row_i64(q, job->timeout_us);
    row_i64(q, job->grace_us);
    row_text(q, job->pool);
    row_text(q, job->queue);
    row_text(q, job->function);
    row_text(q, job->name);
    row_text(q, job->reason);
    if (inline_payload)
        row_text_len(q, job->payload, job->payload_len);
    else
        row_null(q);
    row_text(q, *job_tenant(job) ? job->tenant : NULL);
    row_text(q, job->created_by);
    row_i64(q, job->ttl_us);
    queue_batch(q, job);
    return row_end(q, e);
}

static int event_of_insert(struct sq *sq, const struct job *job, struct errinfo *e)
{
    const struct event ev = { .kind = EVENT_JOB_CREATED,
                              .subject = job->id,
                              .at_us = job->created_at_us,
                              .state = job->state,
                              .version = job->version,
                              .attempt = job->attempt,
                              .progress_ppm = -1,
                              .reason = job->reason,
                              .queue = job->queue,
                              .function = job->function,
                              .tenant = job_tenant(job) };

    return sq_event_add(sq, &ev, e);
}

int sq_job_queue_init(struct sq *sq, struct errinfo *e)
{
    return row_queue_new(sq->db, &NEW_JOBS, &sq->new_jobs, e);
}

/* All but its events. */
static int insert_row(struct sq *sq, const struct job *job, struct errinfo *e)
{
    bool inline_payload = job->payload_len <= JOB_PAYLOAD_INLINE_MAX;
    int r;

    r = queue_job(sq->new_jobs, job, inline_payload, e);
    if (r >= 0 && !inline_payload)
        r = insert_payload(sq, job, e);
    if (r >= 0)
        r = job_labels_add(sq->db, uuid7_key(job->id), job->payload, job->payload_len, e);
    if (r < 0)
        return r;
    if (uuid7_key(job->id) > sq->ledger.last_key)
        sq->ledger.last_key = uuid7_key(job->id);
    return 0;
}

int sq_job_insert(struct store *st, struct job *job, struct errinfo *e)
{
    struct sq *sq = sq_of(st);
    int r;

    assert(job->state == JOB_SCHEDULED || job->state == JOB_QUEUED);
    job->change_seq = sq_next_seq(sq);
    r = insert_row(sq, job, e);
    if (r == 0)
        r = event_of_insert(sq, job, e);
    if (r == 0)
        sq_batch_moved(sq, job->batch, -1, job->state);
    return r;
}

static int event_of_start(struct sq *sq, const struct job *job, int64_t prev_seq,
                          struct errinfo *e)
{
    const struct event ev = { .kind = EVENT_JOB_STARTED,
                              .subject = job->id,
                              .prev_seq = prev_seq,
                              .at_us = job->started_at_us,
                              .state = job->state,
                              .version = job->version,
                              .attempt = job->attempt,
                              .progress_ppm = -1,
                              .queue = job->queue,
                              .function = job->function,
                              .tenant = job_tenant(job) };

    return sq_event_add(sq, &ev, e);
}

int sq_job_insert_claimed(struct store *st, const struct job *job, int64_t worker_id,
                          int worker_pid, struct errinfo *e)
{
    struct job running = *job; /* borrows all that job owns */
    struct sq *sq = sq_of(st);
    int64_t created_seq = sq_next_seq(sq);
    int r;

    assert(job->state == JOB_QUEUED && !uuid7_is_set(job->batch));
    running.state = JOB_RUNNING;
    running.version++;
    running.attempt++;
    running.worker_id = worker_id;
    running.worker_pid = worker_pid;
    running.started_at_us = job->created_at_us;
    running.change_seq = created_seq + 1;
    r = insert_row(sq, &running, e);
    if (r == 0)
        r = event_of_insert(sq, job, e);
    if (r == 0)
        r = event_of_start(sq, &running, created_seq, e);
    return r;
}

static int find_next(struct sq *sq, const char *pool, struct job *job, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(sq->db, NEXT, &s, e);
    if (r < 0)
        return r;
    stmt_text(s, 1, pool);
    r = stmt_step(s, e);
    if (r < 0)
        return r;
    if (r == 0)
        return ERR_NOT_FOUND; /* expected: none is queued */
    r = job_row_read(s, job, e);
    if (r < 0)
        return r;
    return job_row_payload(sq->db, job, e);
}

/* Two statements, and the row completed here: RETURNING would copy it through a temporary
 * table. */
int sq_job_claim(struct store *st, const char *pool, int64_t worker_id, int worker_pid,
                 usec_t now_us, struct job *ret_job, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    AUTO_FINI(job) struct job job = { 0 };
    struct sq *sq = sq_of(st);
    int r;

    r = find_next(sq, pool, &job, e);
    if (r < 0)
        return r;
    r = stmt_get(sq->db, CLAIM, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, uuid7_key(job.id));
    stmt_i64(s, 2, worker_id);
    stmt_i64(s, 3, worker_pid);
    stmt_i64(s, 4, now_us);
    r = sq_change(
        sq, s, &(struct sq_change){ EVENT_JOB_STARTED, JOB_RUNNING, now_us, .attempts = 1 }, e);
    if (r < 0)
        return r;
    job.state = JOB_RUNNING;
    job.version++;
    job.change_seq = sq->ledger.change_seq;
    job.attempt++;
    job.worker_id = worker_id;
    job.worker_pid = worker_pid;
    job.started_at_us = now_us;
    job.updated_at_us = now_us;
    job.progress_ppm = -1;
    job.progress_at_us = 0;
    free(job.progress_message);
    job.progress_message = NULL;
    free(job.reason);
    job.reason = NULL;
    *ret_job = job;
    job = (struct job){ 0 };
    return 0;
}

/* All ids first: an UPDATE would move rows about in the index that is being read. */
static int find_due(struct sq *sq, usec_t now_us, struct uuid7 *ids, size_t max,
                    struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int count = 0;
    int r;

    r = stmt_get(sq->db, DUE, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, now_us);
    stmt_i64(s, 2, (int64_t)max);
    while ((r = stmt_step(s, e)) > 0)
        ids[count++] = row_id(s, 0);
    return r < 0 ? r : count;
}

static int make_due(struct sq *sq, struct uuid7 id, usec_t now_us, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(sq->db, MAKE_DUE, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, uuid7_key(id));
    stmt_i64(s, 2, now_us);
    return sq_change(
        sq, s, &(struct sq_change){ EVENT_JOB_QUEUED, JOB_QUEUED, now_us, .reason = NULL }, e);
}

int sq_jobs_due(struct store *st, usec_t now_us, struct uuid7 *ids, size_t max,
                struct errinfo *e)
{
    struct sq *sq = sq_of(st);
    int count;
    int r;

    count = find_due(sq, now_us, ids, max, e);
    for (int i = 0; i < count; i++) {
        r = make_due(sq, ids[i], now_us, e);
        if (r < 0)
            return r;
    }
    return count;
}

static int cancel(struct sq *sq, const char *sql, struct uuid7 id,
                  const struct sq_change *change, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = change_get(sq, sql, id, change->at_us, &s, e);
    if (r < 0)
        return r;
    stmt_text(s, 4, change->reason);
    return sq_change(sq, s, change, e);
}

int sq_job_cancel_waiting(struct store *st, struct uuid7 id, const char *reason, usec_t now_us,
                          struct errinfo *e)
{
    const struct sq_change change = { EVENT_JOB_CANCELED, JOB_CANCELED, now_us,
                                      .reason = reason ? reason : CANCEL_REASON };

    return cancel(sq_of(st), CANCEL_WAITING, id, &change, e);
}

int sq_job_cancel_running(struct store *st, struct uuid7 id, const char *reason, usec_t now_us,
                          struct errinfo *e)
{
    const struct sq_change change = { EVENT_JOB_CANCEL_REQUESTED, JOB_CANCELING, now_us,
                                      .reason = reason ? reason : CANCEL_REASON };

    return cancel(sq_of(st), CANCEL_RUNNING, id, &change, e);
}

int sq_job_release(struct store *st, struct uuid7 id, int attempt, const char *reason,
                   usec_t now_us, struct errinfo *e)
{
    const struct sq_change change = { EVENT_JOB_QUEUED, JOB_QUEUED, now_us, .reason = reason };
    AUTO(stmt) struct stmt *s = NULL;
    struct sq *sq = sq_of(st);
    int r;

    r = change_get(sq, RELEASE, id, now_us, &s, e);
    if (r < 0)
        return r;
    stmt_text(s, 4, reason);
    stmt_i64(s, 5, attempt);
    return sq_change(sq, s, &change, e);
}

int sq_job_progress(struct store *st, struct uuid7 id, int attempt, int ppm,
                    const char *message, usec_t now_us, struct errinfo *e)
{
    const struct sq_change change = { EVENT_JOB_PROGRESS, SQ_STATE_AS_IT_IS, now_us,
                                      .reason = message, .progress_ppm = ppm };
    AUTO(stmt) struct stmt *s = NULL;
    struct sq *sq = sq_of(st);
    int r;

    r = change_get(sq, PROGRESS, id, now_us, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 4, ppm);
    stmt_text(s, 5, message);
    stmt_i64(s, 6, attempt);
    return sq_change(sq, s, &change, e);
}

/* Run one of the statements above, all of which take a function and a pool. Returns how many
 * rows it changed, or whether it gave a row that is true. */
static int run_repool(struct sq *sq, const char *sql, const char *function, const char *pool,
                      struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(sq->db, sql, &s, e);
    if (r < 0)
        return r;
    stmt_text(s, 1, function);
    stmt_text(s, 2, pool);
    if (sql != POOL_OF)
        return stmt_change(s, e);
    r = stmt_step(s, e);
    return r <= 0 ? r : stmt_col_int(s, 0);
}

int sq_jobs_repool(struct store *st, const char *function, const char *pool, struct errinfo *e)
{
    struct sq *sq = sq_of(st);
    int queued;
    int scheduled;
    int r;

    r = run_repool(sq, POOL_OF, function, pool, e);
    if (r != 0)
        return r < 0 ? r : 0; /* they are there already */
    queued = run_repool(sq, REPOOL_QUEUED, function, pool, e);
    if (queued < 0)
        return queued;
    scheduled = run_repool(sq, REPOOL_SCHEDULED, function, pool, e);
    if (scheduled < 0)
        return scheduled;
    r = run_repool(sq, SET_POOL_OF, function, pool, e);
    return r < 0 ? r : queued + scheduled;
}
