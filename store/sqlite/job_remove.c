/* The end of a job's record, and which jobs have come to it. */
#include <stdlib.h>

#include "base/mem.h"
#include "store/sqlite/event_write.h"
#include "store/sqlite/job_labels.h"
#include "store/sqlite/job_row.h"
#include "store/sqlite/sq.h"

/* The row, when it may go, and what there is beside it. */
static const char LOOK[] =
    "SELECT payload IS NULL, attempt,"
    " CASE WHEN attempt > (outcome IS NOT NULL)"
    " THEN EXISTS (SELECT 1 FROM attempt WHERE job_id = job.id"
    "              AND (stdout_spilled <> 0 OR stderr_spilled <> 0)) END,"
    " state, version, change_seq, tenant, queue, function, reason,"
    " payload IS NULL OR instr(payload, '\"labels\"') > 0, attempt > (outcome IS NOT NULL)"
    " FROM job WHERE id = ?1 AND id_rand = ?2 AND state IN ('succeeded', 'failed', 'canceled')";
static const char REMOVE[] = "DELETE FROM job WHERE id = ?1";
static const char REMOVE_PAYLOAD[] = "DELETE FROM job_payload WHERE job_id = ?1";
static const char REMOVE_ATTEMPTS[] = "DELETE FROM attempt WHERE job_id = ?1";
static const char REMOVE_OUTPUT[] = "DELETE FROM attempt_output WHERE job_id = ?1";
static const char REMOVE_UNIQUE[] = "DELETE FROM job_unique WHERE job_id = ?1";
/* A job that was removed has a key that is never given out again. */
static const char BURY[] =
    "INSERT INTO tombstone (id, id_rand, expired_at_us, attempts, tenant)"
    " VALUES (?1, ?2, ?3, ?4, ?5)";

#define ENDED_COLUMNS "id, id_rand, state, attempt, created_at_us, finished_at_us, ttl_us"

static const char EXPIRED[] = "SELECT " ENDED_COLUMNS
                              " FROM job INDEXED BY job_expires"
                              " WHERE expires_at_us > 0 AND expires_at_us <= ?1"
                              " ORDER BY expires_at_us LIMIT ?2";
static const char NEXT_EXPIRY[] =
    "SELECT expires_at_us FROM job INDEXED BY job_expires"
    " WHERE expires_at_us > 0 ORDER BY expires_at_us LIMIT 1";
static const char FROM[] =
    "SELECT " ENDED_COLUMNS " FROM job WHERE id > ?1 ORDER BY id LIMIT ?2";

/* -- removing -------------------------------------------------------------------------------
 */

struct remains {
    bool payload_aside;
    bool has_files;
    bool may_have_labels;
    bool may_have_attempts; /* in their tables */
    struct event last;      /* its texts lie below */
    char *tenant, *queue, *function, *reason;
};

static void remains_fini(struct remains *had)
{
    free(had->tenant);
    free(had->queue);
    free(had->function);
    free(had->reason);
}
DEFINE_AUTO_FINI(remains, struct remains)

static int read_remains(struct stmt *s, struct remains *had, struct errinfo *e)
{
    had->payload_aside = stmt_col_int(s, 0);
    had->has_files = stmt_col_int(s, 2);
    had->may_have_labels = stmt_col_int(s, 10);
    had->may_have_attempts = stmt_col_int(s, 11);
    had->tenant = stmt_col_copy(s, 6, NULL);
    had->queue = stmt_col_copy(s, 7, NULL);
    had->function = stmt_col_copy(s, 8, NULL);
    had->reason = stmt_col_copy(s, 9, NULL);
    had->last = (struct event){ .kind = EVENT_JOB_EXPIRED,
                                .prev_seq = stmt_col_i64(s, 5),
                                .version = stmt_col_i64(s, 4) + 1,
                                .attempt = stmt_col_int(s, 1),
                                .progress_ppm = -1,
                                .tenant = had->tenant ? had->tenant : "",
                                .queue = had->queue,
                                .function = had->function,
                                .reason = had->reason };
    return row_state(s, 3, &had->last.state, e);
}

static int look(struct db *db, struct uuid7 id, struct remains *ret_had, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_find(db, LOOK, id, &s, e);
    if (r < 0)
        return r;
    if (r == 0)
        return ERR_NOT_FOUND; /* expected: no text */
    return read_remains(s, ret_had, e);
}

static int remove_rows(struct db *db, const char *sql, struct uuid7 id, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(db, sql, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, uuid7_key(id));
    return stmt_change(s, e);
}

static int remove_labels(struct db *db, struct uuid7 id, struct errinfo *e)
{
    AUTO(mem) char *payload = NULL;
    size_t len;
    int r;

    r = job_labels_source(db, uuid7_key(id), &payload, &len, e);
    return r < 0 ? r : job_labels_remove(db, uuid7_key(id), payload, len, e);
}

/* What is beside the job's row: other tables that know jobs are emptied of this one here. */
static int remove_related(struct db *db, struct uuid7 id, const struct remains *had,
                          struct errinfo *e)
{
    int r = 0;

    if (had->may_have_labels)
        r = remove_labels(db, id, e);
    if (r >= 0 && had->payload_aside)
        r = remove_rows(db, REMOVE_PAYLOAD, id, e);
    if (r >= 0 && had->may_have_attempts)
        r = remove_rows(db, REMOVE_ATTEMPTS, id, e);
    if (r >= 0 && had->may_have_attempts)
        r = remove_rows(db, REMOVE_OUTPUT, id, e);
    if (r >= 0)
        r = remove_rows(db, REMOVE_UNIQUE, id, e);
    return r;
}

static int bury(struct db *db, struct uuid7 id, int attempts, const char *tenant, usec_t now_us,
                struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(db, BURY, &s, e);
    if (r < 0)
        return r;
    stmt_id(s, 1, id);
    stmt_i64(s, 3, now_us);
    stmt_i64(s, 4, attempts);
    stmt_text(s, 5, tenant);
    return stmt_change(s, e);
}

int sq_job_remove(struct store *st, struct uuid7 id, bool has_files, usec_t now_us,
                  int *ret_attempts, struct errinfo *e)
{
    struct sq *sq = sq_of(st);
    AUTO_FINI(remains) struct remains had = { 0 };
    int attempts;
    int r;

    r = look(sq->db, id, &had, e);
    if (r < 0)
        return r;
    attempts = has_files || had.has_files ? had.last.attempt : 0;
    r = remove_related(sq->db, id, &had, e);
    if (r >= 0)
        r = remove_rows(sq->db, REMOVE, id, e);
    if (r >= 0)
        r = bury(sq->db, id, attempts, had.tenant, now_us, e);
    if (r < 0)
        return r;
    had.last.subject = id;
    had.last.at_us = now_us;
    r = sq_event_add(sq, &had.last, e);
    if (r < 0)
        return r;
    *ret_attempts = attempts;
    return 0;
}

/* -- which are to be removed ----------------------------------------------------------------
 */

/* Run one of the statements above, which take a number and how many rows to give. */
static int list(struct store *st, const char *sql, int64_t number, struct store_ended *items,
                size_t max, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int count = 0;
    int r;

    r = stmt_get(sq_of(st)->db, sql, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, number);
    stmt_i64(s, 2, (int64_t)max);
    while ((r = stmt_step(s, e)) > 0) {
        struct store_ended *item = &items[count++];

        item->id = row_id(s, 0);
        r = row_state(s, 2, &item->state, e);
        if (r < 0)
            return r;
        item->attempt = stmt_col_int(s, 3);
        item->created_at_us = stmt_col_i64(s, 4);
        item->finished_at_us = stmt_col_i64(s, 5);
        item->ttl_us = stmt_col_i64(s, 6);
    }
    return r < 0 ? r : count;
}

int sq_jobs_expired(struct store *st, usec_t now_us, struct store_ended *items, size_t max,
                    struct errinfo *e)
{
    return list(st, EXPIRED, now_us, items, max, e);
}

int sq_jobs_from(struct store *st, int64_t after_key, struct store_ended *items, size_t max,
                 struct errinfo *e)
{
    return list(st, FROM, after_key, items, max, e);
}

int sq_next_expiry(struct store *st, usec_t *ret_at_us, struct errinfo *e)
{
    return stmt_number(sq_of(st)->db, NEXT_EXPIRY, ret_at_us, e);
}
