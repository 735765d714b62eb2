/* What an attempt has left: its result and its output. */
#include <string.h>

#include "store/sqlite/attempt_row.h"
#include "store/sqlite/job_row.h"
#include "store/sqlite/sq.h"
#include "store/sqlite/tombstone.h"

static const char CAPTURES[] =
    "SELECT stdout_total_bytes, stdout_kept_bytes, stdout_head_bytes, stdout_spilled,"
    " stderr_total_bytes, stderr_kept_bytes, stderr_head_bytes, stderr_spilled"
    " FROM attempt WHERE job_id = ?1 AND number = ?2"
    " UNION ALL SELECT 0, 0, 0, 0, 0, 0, 0, 0" /* a record in the job's row has no output */
    " FROM job WHERE id = ?1 AND attempt = ?2 AND outcome IS NOT NULL";
static const char EXISTS[] =
    "SELECT 1 FROM job WHERE id = ?1 AND id_rand = ?2"
    " AND (?3 IS NULL OR coalesce(tenant, '') = ?3)";

static int check_exists(struct db *db, struct uuid7 id, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_find_own(db, EXISTS, id, &s, e);
    if (r < 0)
        return r;
    return r > 0 ? 0 : tombstone_missing(db, id, e);
}

/* Returns 1, or 0 when the attempt has no record. The data is not loaded. */
static int find_capture(struct db *db, struct uuid7 id, int attempt, enum stream stream,
                        struct capture *ret_capture, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(db, CAPTURES, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, uuid7_key(id));
    stmt_i64(s, 2, attempt);
    r = stmt_step(s, e);
    if (r <= 0)
        return r;
    *ret_capture = (struct capture){ 0 };
    capture_row_read(s, 4 * (int)stream, ret_capture);
    return 1;
}

int sq_read_result(struct store_reader *rd, struct uuid7 id, enum result_kind *ret_kind,
                   char **ret_bytes, size_t *ret_len, struct errinfo *e)
{
    struct job job = { 0 };
    int r;

    r = sq_read_job(rd, id, SIZE_MAX, &job, e);
    if (r < 0)
        return r;
    *ret_kind = job.has_outcome ? job.outcome.result_kind : RESULT_NONE;
    *ret_bytes = TAKE(job.outcome.result);
    *ret_len = *ret_kind == RESULT_JSON ? job.outcome.result_len : 0;
    job_fini(&job);
    return 0;
}

int sq_read_capture(struct store_reader *rd, struct uuid7 id, int attempt, enum stream stream,
                    struct capture *ret_capture, struct errinfo *e)
{
    AUTO(snapshot) struct db *snap = NULL;
    struct capture c;
    size_t len;
    int r;

    r = snapshot_begin(sq_reader_db(rd), &snap, e);
    if (r < 0)
        return r;
    r = check_exists(snap, id, e);
    if (r < 0)
        return r;
    r = find_capture(snap, id, attempt, stream, &c, e);
    if (r < 0)
        return r;
    if (r == 0)
        return err_set(e, ERR_LOG_NOT_FOUND, "attempt %d has no record", attempt);
    if (!c.spilled && c.kept_bytes > 0) {
        r = output_row_find(snap, uuid7_key(id), attempt, stream_name(stream), &c.data, &len,
                            e);
        if (r < 0)
            return r;
    }
    *ret_capture = c;
    return 0;
}
