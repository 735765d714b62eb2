/* Requests with an Idempotency-Key, and their answers. */
#include <string.h>

#include "base/mem.h"
#include "store/sqlite/sq.h"
#include "store/sqlite/stmt.h"

/* One that has expired and was not removed yet gives way: the new row goes to the end. */
static const char INSERT[] =
    "INSERT OR REPLACE INTO idempotency"
    " (scope, fingerprint, created_at_us, status, location, etag, answer)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
static const char OLDEST[] =
    "SELECT id, created_at_us FROM idempotency WHERE id > 0 ORDER BY id LIMIT 1 OFFSET ?1";
static const char REMOVE[] = "DELETE FROM idempotency WHERE id <= ?1 AND created_at_us <= ?2";
static const char FIND[] =
    "SELECT fingerprint, created_at_us, status, location, etag, answer FROM idempotency"
    " WHERE scope = ?1";

int sq_idempotency_insert(struct store *st, const struct idempotency_record *record,
                          struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(sq_of(st)->db, INSERT, &s, e);
    if (r < 0)
        return r;
    stmt_blob(s, 1, record->scope, sizeof record->scope);
    stmt_blob(s, 2, record->fingerprint, sizeof record->fingerprint);
    stmt_i64(s, 3, record->created_at_us);
    stmt_i64(s, 4, record->status);
    stmt_text(s, 5, record->location);
    stmt_text(s, 6, record->etag);
    stmt_blob(s, 7, record->answer ? record->answer : "", record->answer_len);
    r = stmt_change(s, e);
    return r < 0 ? r : 0;
}

/* The row that has so many older ones: 1, and 0 when there are not so many. */
static int find_oldest(struct sq *sq, size_t older, int64_t *ret_id, usec_t *ret_created_at_us,
                       struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(sq->db, OLDEST, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, (int64_t)older);
    r = stmt_step(s, e);
    if (r <= 0)
        return r;
    *ret_id = stmt_col_i64(s, 0);
    *ret_created_at_us = stmt_col_i64(s, 1);
    return 1;
}

static int remove_until(struct sq *sq, int64_t last_id, usec_t until_us, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(sq->db, REMOVE, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, last_id);
    stmt_i64(s, 2, until_us);
    return stmt_change(s, e);
}

int sq_idempotency_expire(struct store *st, usec_t until_us, size_t max,
                          usec_t *ret_oldest_at_us, struct errinfo *e)
{
    struct sq *sq = sq_of(st);
    int64_t last_id = INT64_MAX;
    usec_t oldest_at_us = 0;
    int removed;
    int r;

    r = find_oldest(sq, max - 1, &last_id, &oldest_at_us, e);
    if (r < 0)
        return r;
    removed = remove_until(sq, last_id, until_us, e);
    if (removed < 0)
        return removed;
    oldest_at_us = 0;
    r = find_oldest(sq, 0, &last_id, &oldest_at_us, e);
    if (r < 0)
        return r;
    *ret_oldest_at_us = oldest_at_us;
    return removed;
}

static int copy_digest(struct stmt *s, int column, unsigned char digest[SHA256_BYTES],
                       struct errinfo *e)
{
    AUTO(mem) char *bytes = NULL;
    size_t len = 0;

    bytes = stmt_col_copy(s, column, &len);
    if (!bytes || len != SHA256_BYTES)
        return err_set(e, ERR_DATABASE, "a fingerprint is not one");
    (void)memcpy(digest, bytes, SHA256_BYTES);
    return 0;
}

int sq_read_idempotency(struct store_reader *rd, const unsigned char scope[SHA256_BYTES],
                        struct idempotency_record *ret_record, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    struct idempotency_record record = { 0 };
    int r;

    r = stmt_get(sq_reader_db(rd), FIND, &s, e);
    if (r < 0)
        return r;
    stmt_blob(s, 1, scope, SHA256_BYTES);
    r = stmt_step(s, e);
    if (r < 0)
        return r;
    if (r == 0)
        return ERR_NOT_FOUND; /* expected: no text */
    (void)memcpy(record.scope, scope, SHA256_BYTES);
    r = copy_digest(s, 0, record.fingerprint, e);
    if (r < 0)
        return r;
    record.created_at_us = stmt_col_i64(s, 1);
    record.status = stmt_col_int(s, 2);
    record.location = stmt_col_copy(s, 3, NULL);
    record.etag = stmt_col_copy(s, 4, NULL);
    record.answer = stmt_col_copy(s, 5, &record.answer_len);
    *ret_record = record;
    return 0;
}
