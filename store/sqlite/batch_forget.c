/* Batches are removed: those that have ended long ago, or one. */
#include "base/mem.h"
#include "store/sqlite/sq.h"
#include "store/sqlite/stmt.h"

static const char OLD[] =
    "SELECT id FROM batch INDEXED BY batch_by_end"
    " WHERE finished_at_us > 0 AND finished_at_us < ?1"
    " ORDER BY finished_at_us LIMIT ?2";
static const char OLDEST[] =
    "SELECT finished_at_us FROM batch INDEXED BY batch_by_end"
    " WHERE finished_at_us > 0 ORDER BY finished_at_us LIMIT 1";
static const char FORGET_FAILURES[] = "DELETE FROM failure WHERE batch_key = ?1";
static const char FORGET_SPECS[] = "DELETE FROM batch_spec WHERE batch_key = ?1";
static const char FORGET[] = "DELETE FROM batch WHERE id = ?1";

static int find_old(struct db *db, usec_t before_us, int64_t *keys, size_t max,
                    struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int count = 0;
    int r;

    r = stmt_get(db, OLD, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, before_us);
    stmt_i64(s, 2, (int64_t)max);
    while ((r = stmt_step(s, e)) > 0)
        keys[count++] = stmt_col_i64(s, 0);
    return r < 0 ? r : count;
}

static int forget(struct db *db, const char *sql, int64_t key, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(db, sql, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, key);
    r = stmt_change(s, e);
    return r < 0 ? r : 0;
}

static int remove_batch(struct db *db, int64_t key, struct errinfo *e)
{
    int r;

    r = forget(db, FORGET_FAILURES, key, e);
    if (r == 0)
        r = forget(db, FORGET_SPECS, key, e);
    return r < 0 ? r : forget(db, FORGET, key, e);
}

int sq_batch_remove(struct store *st, struct uuid7 id, struct errinfo *e)
{
    return remove_batch(sq_of(st)->db, uuid7_key(id), e);
}

int sq_batches_forget(struct store *st, usec_t before_us, size_t max, usec_t *ret_oldest_us,
                      struct errinfo *e)
{
    AUTO(mem) int64_t *keys = mem_array0(max, sizeof *keys);
    struct db *db = sq_of(st)->db;
    int count = find_old(db, before_us, keys, max, e);
    int r = count;

    for (int i = 0; i < count && r >= 0; i++)
        r = remove_batch(db, keys[i], e);
    if (r >= 0)
        r = stmt_number(db, OLDEST, ret_oldest_us, e);
    return r < 0 ? r : count;
}
