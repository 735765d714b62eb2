/* One job, read by the writer or by a reader. */
#include "store/sqlite/job_row.h"
#include "store/sqlite/sq.h"
#include "store/sqlite/tombstone.h"

static const char VERSION[] =
    "SELECT version, state FROM job WHERE id = ?1 AND id_rand = ?2"
    " AND (?3 IS NULL OR coalesce(tenant, '') = ?3)";

int sq_job_get(struct store *st, struct uuid7 id, struct job *ret_job, struct errinfo *e)
{
    AUTO_FINI(job) struct job job = { 0 };
    int r;

    r = job_row_find(sq_of(st)->db, id, &job, e);
    if (r < 0)
        return r;
    outcome_fini(&job.outcome);
    job.outcome = (struct outcome){ 0 };
    job.has_outcome = false;
    *ret_job = job;
    job = (struct job){ 0 };
    return 0;
}

int sq_read_job(struct store_reader *rd, struct uuid7 id, size_t result_max_bytes,
                struct job *ret_job, struct errinfo *e)
{
    AUTO_FINI(job) struct job job = { 0 };
    AUTO(snapshot) struct db *snap = NULL;
    int r;

    r = snapshot_begin(sq_reader_db(rd), &snap, e);
    if (r < 0)
        return r;
    r = job_row_find(snap, id, &job, e);
    if (r < 0)
        return r;
    r = job_row_outcome(snap, result_max_bytes, &job, e);
    if (r < 0)
        return r;
    *ret_job = job;
    job = (struct job){ 0 };
    return 0;
}

int sq_read_version(struct store_reader *rd, struct uuid7 id, int64_t *ret_version,
                    enum job_state *ret_state, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_find_own(sq_reader_db(rd), VERSION, id, &s, e);
    if (r < 0)
        return r;
    if (r == 0)
        return tombstone_missing(sq_reader_db(rd), id, e);
    r = row_state(s, 1, ret_state, e);
    if (r < 0)
        return r;
    *ret_version = stmt_col_i64(s, 0);
    return 0;
}
