/* The attempts of a job: those that have ended, and the one in hand. */
#include "base/mem.h"
#include "domain/outcome_record.h"
#include "store/sqlite/attempt_row.h"
#include "store/sqlite/job_row.h"
#include "store/sqlite/sq.h"

static const char ALL[] =
    "SELECT " ATTEMPT_COLUMNS " FROM attempt WHERE job_id = ?1 ORDER BY number";
static const char ONE[] =
    "SELECT " ATTEMPT_COLUMNS " FROM attempt WHERE job_id = ?1 AND number = ?2";
static const char COUNT_CAUSE[] =
    "SELECT count(*) FROM attempt WHERE job_id = ?1 AND cause = ?2";
static const char RECORD[] =
    "SELECT id, id_rand, attempt, worker_id, worker_pid, outcome FROM job"
    " WHERE id = ?1 AND outcome IS NOT NULL";

static struct attempt *add(struct attempts *list)
{
    struct attempt *a;

    list->items = mem_resize(list->items, list->count + 1, sizeof *list->items);
    a = &list->items[list->count++];
    *a = (struct attempt){ 0 };
    return a;
}

static int add_ended(struct db *db, struct uuid7 id, int number, struct attempts *list,
                     struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(db, number == 0 ? ALL : ONE, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, uuid7_key(id));
    if (number != 0)
        stmt_i64(s, 2, number);
    while ((r = stmt_step(s, e)) > 0) {
        struct attempt *a = add(list);

        r = attempt_row_read(s, &a->outcome, e);
        if (r < 0)
            return r;
        a->number = a->outcome.attempt;
        a->outcome.job_id = id;
        a->worker_id = stmt_col_i64(s, ATT_WORKER_ID);
        a->worker_pid = stmt_col_int(s, ATT_WORKER_PID);
        a->has_ended = true;
    }
    return r;
}

/* The last one, whose record is in the job's row. */
static void add_last(struct job *job, struct attempts *list)
{
    struct attempt *a = add(list);

    a->number = job->attempt;
    a->worker_id = job->worker_id;
    a->worker_pid = job->worker_pid;
    a->has_ended = true;
    a->outcome = job->outcome;
    job->outcome = (struct outcome){ 0 };
}

static void add_running(const struct job *job, struct attempts *list)
{
    struct attempt *a = add(list);

    a->number = job->attempt;
    a->worker_id = job->worker_id;
    a->worker_pid = job->worker_pid;
    a->outcome = (struct outcome){ .job_id = job->id,
                                   .attempt = job->attempt,
                                   .started_at_us = job->started_at_us };
}

int sq_read_attempts(struct store_reader *rd, struct uuid7 id, int number,
                     struct attempts *ret_attempts, struct errinfo *e)
{
    AUTO_FINI(attempts) struct attempts list = { 0 };
    AUTO_FINI(job) struct job job = { 0 };
    AUTO(snapshot) struct db *snap = NULL;
    int r;

    r = snapshot_begin(sq_reader_db(rd), &snap, e);
    if (r < 0)
        return r;
    r = job_row_find(snap, id, &job, e);
    if (r < 0)
        return r;
    r = add_ended(snap, id, number, &list, e);
    if (r < 0)
        return r;
    if (job.has_outcome && (number == 0 || number == job.attempt))
        add_last(&job, &list);
    if (job_state_is_owned(job.state) && (number == 0 || number == job.attempt))
        add_running(&job, &list);
    *ret_attempts = list;
    list = (struct attempts){ 0 };
    return 0;
}

int sq_last_outcome(struct db *db, int64_t key, struct outcome *o, struct sq_owner *ret_owner,
                    struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    const void *record;
    size_t len;
    int r;

    r = stmt_get(db, RECORD, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, key);
    r = stmt_step(s, e);
    if (r <= 0)
        return r;
    record = stmt_col_blob(s, 5, &len);
    if (!outcome_record_read(record, len, o))
        return err_set(e, ERR_DATABASE, "a job has an outcome that is none");
    o->job_id = row_id(s, 0);
    o->attempt = stmt_col_int(s, 2);
    *ret_owner = (struct sq_owner){ stmt_col_i64(s, 3), stmt_col_int(s, 4) };
    return 1;
}

static int count_cause(struct db *db, struct uuid7 id, enum cause cause, int64_t *ret_count,
                       struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(db, COUNT_CAUSE, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, uuid7_key(id));
    stmt_text(s, 2, cause_meta(cause)->slug);
    r = stmt_step(s, e);
    if (r < 0)
        return r;
    *ret_count = stmt_col_i64(s, 0);
    return 0;
}

int sq_count_attempts(struct store *st, struct uuid7 id, enum cause cause, int64_t *ret_count,
                      struct errinfo *e)
{
    AUTO_FINI(outcome) struct outcome last = { 0 };
    struct db *db = sq_of(st)->db;
    struct sq_owner owner;
    int64_t count;
    int r;

    r = count_cause(db, id, cause, &count, e);
    if (r < 0)
        return r;
    r = sq_last_outcome(db, uuid7_key(id), &last, &owner, e);
    if (r < 0)
        return r;
    *ret_count = count + (r > 0 && last.cause == cause);
    return 0;
}
