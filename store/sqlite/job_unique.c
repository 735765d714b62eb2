/* Jobs of which there is to be one at a time. */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "store/sqlite/job_row.h"
#include "store/sqlite/sq.h"
#include "store/sqlite/stmt.h"

static const char FIND[] =
    "SELECT job.id, job.id_rand, job.state, job.created_at_us"
    " FROM job_unique INDEXED BY job_alike JOIN job ON job.id = job_unique.job_id"
    " WHERE job_unique.digest = ?1 ORDER BY job_unique.job_id DESC LIMIT ?2";
static const char INSERT[] = "INSERT INTO job_unique (job_id, digest) VALUES (?1, ?2)";
static const char OF_JOB[] = "SELECT digest FROM job_unique WHERE job_id = ?1";
static const char TRIM[] =
    "DELETE FROM job_unique INDEXED BY job_alike WHERE digest = ?1 AND job_id < ?2";

int sq_unique_find(struct store *st, const unsigned char digest[SHA256_BYTES],
                   struct store_alike *items, size_t max, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    size_t count = 0;
    int r;

    r = stmt_get(sq_of(st)->db, FIND, &s, e);
    if (r < 0)
        return r;
    stmt_blob(s, 1, digest, SHA256_BYTES);
    stmt_i64(s, 2, (int64_t)max);
    while ((r = stmt_step(s, e)) > 0) {
        struct store_alike *item = &items[count];

        assert(count < max);
        item->id = row_id(s, 0);
        item->created_at_us = stmt_col_i64(s, 3);
        r = row_state(s, 2, &item->state, e);
        if (r < 0)
            return r;
        count++;
    }
    return r < 0 ? r : (int)count;
}

static int trim(struct sq *sq, const unsigned char digest[SHA256_BYTES], struct uuid7 oldest,
                struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(sq->db, TRIM, &s, e);
    if (r < 0)
        return r;
    stmt_blob(s, 1, digest, SHA256_BYTES);
    stmt_i64(s, 2, uuid7_key(oldest));
    r = stmt_change(s, e);
    return r < 0 ? r : 0;
}

int sq_unique_insert(struct store *st, struct uuid7 id,
                     const unsigned char digest[SHA256_BYTES], struct uuid7 oldest,
                     struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    struct sq *sq = sq_of(st);
    int r;

    r = stmt_get(sq->db, INSERT, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, uuid7_key(id));
    stmt_blob(s, 2, digest, SHA256_BYTES);
    r = stmt_change(s, e);
    if (r < 0)
        return r;
    return oldest.hi != 0 ? trim(sq, digest, oldest, e) : 0;
}

int sq_unique_of(struct store *st, struct uuid7 id, unsigned char ret_digest[SHA256_BYTES],
                 struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    AUTO(mem) char *digest = NULL;
    size_t len = 0;
    int r;

    r = stmt_get(sq_of(st)->db, OF_JOB, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, uuid7_key(id));
    r = stmt_step(s, e);
    if (r < 0)
        return r;
    if (r == 0)
        return ERR_NOT_FOUND; /* expected: no text */
    digest = stmt_col_copy(s, 0, &len);
    if (!digest || len != SHA256_BYTES)
        return err_set(e, ERR_DATABASE, "what a job has in common with others is no digest");
    (void)memcpy(ret_digest, digest, SHA256_BYTES);
    return 0;
}
