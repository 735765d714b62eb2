#include "store/sqlite/stmt.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/sqlite/db.h"
#include "store/sqlite/row_queue.h"

struct stmt {
    struct db *db;
    sqlite3_stmt *handle;
    const char *sql;
    uint64_t wanted; /* a bit for each parameter */
    uint64_t bound;
    unsigned names; /* a bit for each of db.queues whose table it names */
    int bind_rc;    /* of the first bind that failed */
    bool in_use;
    bool stepped;
};

/* Where the statement of this text is, or the free slot where it goes. */
static struct stmt **find_slot(struct db *db, const char *sql)
{
    size_t i = ((uintptr_t)sql >> 3) % DB_STATEMENTS_MAX;

    while (db->statements[i] && db->statements[i]->sql != sql)
        i = (i + 1) % DB_STATEMENTS_MAX;
    return &db->statements[i];
}

static int prepare(struct db *db, const char *sql, struct stmt **ret_stmt, struct errinfo *e)
{
    sqlite3_stmt *handle = NULL;
    struct stmt *s;
    int count;
    int rc;

    db->named = 0;
    errno = 0; /* for db_fail() */
    rc = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, NULL);
    if (rc != SQLITE_OK)
        return db_fail(db, rc, sql, e);
    count = sqlite3_bind_parameter_count(handle);
    assert(count < 64);
    s = mem_new0(sizeof *s);
    s->db = db;
    s->handle = handle;
    s->sql = sql;
    s->names = db->named;
    s->wanted = ((uint64_t)1 << count) - 1;
    *ret_stmt = s;
    return 0;
}

int stmt_get(struct db *db, const char *sql, struct stmt **ret_stmt, struct errinfo *e)
{
    struct stmt **slot = find_slot(db, sql);
    int r;

    if (!*slot) {
        assert(db->statement_count < DB_STATEMENTS_MAX - 1); /* a free slot ends each search */
        r = prepare(db, sql, slot, e);
        if (r < 0)
            return r;
        db->statement_count++;
    }
    assert(*slot && !(*slot)->in_use);
    if (db->waiting & (*slot)->names) {
        r = row_queues_insert(db, (*slot)->names, e);
        if (r < 0)
            return r;
    }
    (*slot)->in_use = true;
    (*slot)->stepped = false;
    (*slot)->bound = 0;
    (*slot)->bind_rc = SQLITE_OK;
    *ret_stmt = *slot;
    return 0;
}

struct stmt *stmt_free(struct stmt *s)
{
    if (!s)
        return NULL;
    (void)sqlite3_reset(s->handle); /* repeats the error of the step */
    s->in_use = false;
    return NULL;
}

static void note_bind(struct stmt *s, int parameter, int rc)
{
    assert(!s->stepped);
    s->bound |= (uint64_t)1 << (parameter - 1);
    if (rc != SQLITE_OK && s->bind_rc == SQLITE_OK)
        s->bind_rc = rc;
}

void stmt_i64(struct stmt *s, int parameter, int64_t number)
{
    note_bind(s, parameter, sqlite3_bind_int64(s->handle, parameter, number));
}

void stmt_id(struct stmt *s, int parameter, struct uuid7 id)
{
    stmt_i64(s, parameter, uuid7_key(id));
    stmt_i64(s, parameter + 1, uuid7_rand(id));
}

void stmt_null(struct stmt *s, int parameter)
{
    note_bind(s, parameter, sqlite3_bind_null(s->handle, parameter));
}

void stmt_text(struct stmt *s, int parameter, const char *text)
{
    note_bind(s, parameter,
              text ? sqlite3_bind_text(s->handle, parameter, text, -1, SQLITE_STATIC)
                   : sqlite3_bind_null(s->handle, parameter));
}

void stmt_text_len(struct stmt *s, int parameter, const char *text, size_t len)
{
    note_bind(s, parameter,
              sqlite3_bind_text64(s->handle, parameter, text, len, SQLITE_STATIC, SQLITE_UTF8));
}

void stmt_blob(struct stmt *s, int parameter, const void *block, size_t len)
{
    note_bind(s, parameter,
              sqlite3_bind_blob64(s->handle, parameter, block, len, SQLITE_STATIC));
}

/* A parameter that was forgotten would still have the value of the last time. */
static int check_binds(struct stmt *s, struct errinfo *e)
{
    if (s->bind_rc != SQLITE_OK)
        return db_fail(s->db, s->bind_rc, "bind a value", e);
    assert(s->bound == s->wanted);
    s->stepped = true;
    return 0;
}

int stmt_step(struct stmt *s, struct errinfo *e)
{
    int r;
    int rc;

    if (!s->stepped) {
        r = check_binds(s, e);
        if (r < 0)
            return r;
    }
    errno = 0; /* for db_fail() */
    rc = sqlite3_step(s->handle);
    if (rc == SQLITE_ROW)
        return 1;
    if (rc == SQLITE_DONE)
        return 0;
    return db_fail(s->db, rc, "run a statement", e);
}

int stmt_change(struct stmt *s, struct errinfo *e)
{
    int r;

    /* SQLite rolls back by itself after some errors; what came next would be committed alone.
     */
    if (s->db->broken)
        return err_set(e, ERR_DATABASE, "the transaction has failed before");
    r = stmt_step(s, e);
    if (r < 0)
        return r;
    assert(r == 0);
    return sqlite3_changes(s->db->handle);
}

int stmt_find(struct db *db, const char *sql, struct uuid7 id, struct stmt **ret_stmt,
              struct errinfo *e)
{
    int r;

    r = stmt_get(db, sql, ret_stmt, e);
    if (r < 0)
        return r;
    stmt_id(*ret_stmt, 1, id);
    return stmt_step(*ret_stmt, e);
}

int stmt_find_own(struct db *db, const char *sql, struct uuid7 id, struct stmt **ret_stmt,
                  struct errinfo *e)
{
    int r;

    r = stmt_get(db, sql, ret_stmt, e);
    if (r < 0)
        return r;
    stmt_id(*ret_stmt, 1, id);
    stmt_text(*ret_stmt, 3, db->tenant);
    return stmt_step(*ret_stmt, e);
}

int stmt_number(struct db *db, const char *sql, int64_t *ret_number, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(db, sql, &s, e);
    if (r < 0)
        return r;
    r = stmt_step(s, e);
    if (r < 0)
        return r;
    *ret_number = r > 0 ? stmt_col_i64(s, 0) : 0;
    return 0;
}

int stmt_run(struct db *db, const char *sql, struct errinfo *e)
{
    AUTO(stmt) struct stmt *s = NULL;
    int r;

    r = stmt_get(db, sql, &s, e);
    if (r < 0)
        return r;
    return stmt_step(s, e);
}

bool stmt_col_is_null(struct stmt *s, int column)
{
    return sqlite3_column_type(s->handle, column) == SQLITE_NULL;
}

int64_t stmt_col_i64(struct stmt *s, int column)
{
    return sqlite3_column_int64(s->handle, column);
}

int stmt_col_int(struct stmt *s, int column)
{
    return sqlite3_column_int(s->handle, column);
}

const char *stmt_col_text(struct stmt *s, int column)
{
    return (const char *)sqlite3_column_text(s->handle, column);
}

const void *stmt_col_blob(struct stmt *s, int column, size_t *ret_len)
{
    const void *block = sqlite3_column_blob(s->handle, column);

    *ret_len = (size_t)sqlite3_column_bytes(s->handle, column);
    return block;
}

char *stmt_col_copy(struct stmt *s, int column, size_t *ret_len)
{
    const void *block = sqlite3_column_blob(s->handle, column);
    size_t len = (size_t)sqlite3_column_bytes(s->handle, column);

    if (ret_len)
        *ret_len = len;
    if (sqlite3_column_type(s->handle, column) == SQLITE_NULL)
        return NULL;
    return mem_dup(block, len);
}

void stmt_cache_clear(struct db *db)
{
    for (size_t i = 0; i < DB_STATEMENTS_MAX; i++) {
        if (!db->statements[i])
            continue;
        assert(!db->statements[i]->in_use);
        (void)sqlite3_finalize(db->statements[i]->handle); /* repeats an old error */
        free(db->statements[i]);
        db->statements[i] = NULL;
    }
    db->statement_count = 0;
}
