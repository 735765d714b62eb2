#include "store/sqlite/job_labels.h"

#include <stdbool.h>
#include <string.h>

#include "store/sqlite/stmt.h"

/* ?1 the job's key, ?2 its payload. */
static const char ADD[] =
    "INSERT INTO job_label (name, value, job_id)"
    " SELECT key, value, ?1 FROM json_each(?2, '$.labels')";
static const char REMOVE[] =
    "DELETE FROM job_label WHERE job_id = ?1 AND (name, value) IN"
    " (SELECT key, value FROM json_each(?2, '$.labels'))";
static const char SOURCE[] =
    "SELECT coalesce(j.payload, p.payload) AS text"
    " FROM job AS j LEFT JOIN job_payload AS p ON p.job_id = j.id"
    " WHERE j.id = ?1 AND instr(text, '\"labels\"') > 0";
static const char HAVE[] =
    "SELECT 1 FROM job_label WHERE name = ?1 AND value = ?2 AND job_id = ?3";

/* False for almost all jobs without labels, and they are most. */
static bool may_have(const char *payload, size_t len)
{
    static const char member[] = "\"labels\"";

    return memmem(payload, len, member, sizeof member - 1) != NULL;
}

static int run(struct db *db, const char *sql, int64_t key, const char *payload, size_t len,
               struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    if (!payload || !may_have(payload, len))
        return 0;
    r = stmt_get(db, sql, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, key);
    stmt_text_len(s, 2, payload, len);
    r = stmt_change(s, e);
    return r < 0 ? r : 0;
}

int job_labels_add(struct db *db, int64_t key, const char *payload, size_t len,
                   struct errinfo *e)
{
    return run(db, ADD, key, payload, len, e);
}

int job_labels_source(struct db *db, int64_t key, char **ret_payload, size_t *ret_len,
                      struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    *ret_payload = NULL;
    *ret_len = 0;
    r = stmt_get(db, SOURCE, &s, e);
    if (r < 0)
        return r;
    stmt_i64(s, 1, key);
    r = stmt_step(s, e);
    if (r > 0)
        *ret_payload = stmt_col_copy(s, 0, ret_len);
    return r < 0 ? r : 0;
}

int job_labels_remove(struct db *db, int64_t key, const char *payload, size_t len,
                      struct errinfo *e)
{
    return run(db, REMOVE, key, payload, len, e);
}

int job_labels_have(struct db *db, int64_t key, const char *name, const char *value,
                    struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(db, HAVE, &s, e);
    if (r < 0)
        return r;
    stmt_text(s, 1, name);
    stmt_text(s, 2, value);
    stmt_i64(s, 3, key);
    return stmt_step(s, e);
}
