/* What is left of jobs that have been removed. */
#include "store/sqlite/tombstone.h"

#include "store/sqlite/job_row.h"
#include "store/sqlite/sq.h"

static const char EXPIRED_AT[] =
    "SELECT expired_at_us FROM tombstone WHERE id = ?1 AND id_rand = ?2"
    " AND (?3 IS NULL OR coalesce(tenant, '') = ?3)";
static const char GET[] =
    "SELECT expired_at_us, attempts FROM tombstone"
    " WHERE id = ?1 AND id_rand = ?2"
    " AND (?3 IS NULL OR coalesce(tenant, '') = ?3)";
static const char WITH_FILES[] =
    "SELECT id, id_rand, expired_at_us, attempts FROM tombstone INDEXED BY tombstone_with_files"
    " WHERE attempts > 0 LIMIT ?1";
static const char CLEAR[] =
    "UPDATE tombstone SET attempts = 0 WHERE id = ?1 AND id_rand = ?2 AND attempts > 0";
static const char OLDEST[] =
    "SELECT expired_at_us FROM tombstone INDEXED BY tombstone_by_age"
    " WHERE expired_at_us > 0 AND attempts = 0 ORDER BY expired_at_us LIMIT 1";
/* Of those that still have files there are few, and they lose them soon. */
static const char OLD[] =
    "SELECT id FROM tombstone INDEXED BY tombstone_by_age"
    " WHERE expired_at_us < ?1 AND attempts = 0"
    " ORDER BY expired_at_us LIMIT 1";
static const char FORGET[] = "DELETE FROM tombstone WHERE id = ?1";

int tombstone_never(struct uuid7 id, struct errinfo *e)
{
    char text[UUID7_TEXT_SIZE];

    return err_set(e, ERR_JOB_NOT_FOUND, "there is no job %s", uuid7_format(id, text));
}

int tombstone_missing(struct db *db, struct uuid7 id, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    char at[CLOCK_TEXT_SIZE];
    int r;

    r = stmt_find_own(db, EXPIRED_AT, id, &s, e);
    if (r < 0)
        return r;
    if (r == 0)
        return tombstone_never(id, e);
    (void)clock_format(stmt_col_i64(s, 0), at);
    return err_fact(e, err_set(e, ERR_JOB_EXPIRED, "the job was removed at %s", at),
                    "expired_at", at);
}

int sq_tombstone_get(struct store *st, struct uuid7 id, const char *tenant,
                     struct store_tombstone *ret_tombstone, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(sq_of(st)->db, GET, &s, e);
    if (r < 0)
        return r;
    stmt_id(s, 1, id);
    stmt_text(s, 3, tenant);
    r = stmt_step(s, e);
    if (r < 0)
        return r;
    if (r == 0)
        return ERR_NOT_FOUND; /* expected: no text */
    *ret_tombstone = (struct store_tombstone){ .id = id,
                                               .expired_at_us = stmt_col_i64(s, 0),
                                               .attempts = stmt_col_int(s, 1) };
    return 0;
}

int sq_tombstones_with_files(struct store *st, struct store_tombstone *items, size_t max,
                             struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int count = 0;
    int r;

    r = stmt_get(sq_of(st)->db, WITH_FILES, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, (int64_t)max);
    while ((r = stmt_step(s, e)) > 0)
        items[count++] = (struct store_tombstone){ .id = row_id(s, 0),
                                                   .expired_at_us = stmt_col_i64(s, 2),
                                                   .attempts = stmt_col_int(s, 3) };
    return r < 0 ? r : count;
}

int sq_tombstone_cleared(struct store *st, struct uuid7 id, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(sq_of(st)->db, CLEAR, &s, e);
    if (r < 0)
        return r;
    stmt_id(s, 1, id);
    r = stmt_change(s, e);
    return r < 0 ? r : 0;
}

/* The key of one that is old enough. Returns whether there is one. */
static int find_old(struct db *db, usec_t before_us, int64_t *ret_key, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(db, OLD, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, before_us);
    r = stmt_step(s, e);
    if (r > 0)
        *ret_key = stmt_col_i64(s, 0);
    return r;
}

static int forget(struct db *db, int64_t key, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(db, FORGET, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, key);
    return stmt_change(s, e);
}

int sq_tombstones_forget(struct store *st, usec_t before_us, size_t max, struct errinfo *e)
{
    struct db *db = sq_of(st)->db;
    int count = 0;
    int64_t key;
    int r = 0;

    while ((size_t)count < max && (r = find_old(db, before_us, &key, e)) > 0) {
        r = forget(db, key, e);
        if (r < 0)
            return r;
        count++;
    }
    return r < 0 ? r : count;
}

int sq_oldest_tombstone(struct store *st, usec_t *ret_at_us, struct errinfo *e)
{
    return stmt_number(sq_of(st)->db, OLDEST, ret_at_us, e);
}
