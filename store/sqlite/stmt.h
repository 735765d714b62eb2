/* store/sqlite/stmt.h - prepared statements, kept by their connection.
 *
 *     AUTO(stmt) struct stmt *s = NULL;
 *     r = stmt_get(db, SQL, &s, e);       SQL: a constant; its address is the key of the cache
 *     stmt_i64(s, 1, id);                 a failed bind is kept for stmt_step()
 *     r = stmt_step(s, e);                1: a row, 0: done, < 0: error
 *
 * Every parameter must be bound before the first step. Bound texts and blobs are not copied:
 * they must live until the statement is let go. A column's text lives until the next step.
 */
#ifndef JOBD_STORE_SQLITE_STMT_H
#define JOBD_STORE_SQLITE_STMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/uuid7.h"

struct db;
struct stmt;

/* Borrow the statement of this text, which must not be in use. ERR_DATABASE. */
int stmt_get(struct db *db, const char *sql, struct stmt **ret_stmt, struct errinfo *e);
/* Give it back to its connection. NULL is a no-op. Returns NULL. */
struct stmt *stmt_free(struct stmt *s);
DEFINE_AUTO(stmt, struct stmt)

void stmt_i64(struct stmt *s, int parameter, int64_t number);
/* The id of a job or a batch, as two parameters: its key, and behind it its random bits. */
void stmt_id(struct stmt *s, int parameter, struct uuid7 id);
void stmt_null(struct stmt *s, int parameter);
/* NULL binds NULL. */
void stmt_text(struct stmt *s, int parameter, const char *text);
void stmt_text_len(struct stmt *s, int parameter, const char *text, size_t len);
void stmt_blob(struct stmt *s, int parameter, const void *block, size_t len);

int stmt_step(struct stmt *s, struct errinfo *e);
/* Step a statement that gives no rows. Returns how many rows it changed. */
int stmt_change(struct stmt *s, struct errinfo *e);
/* Borrow a statement that looks for this id, its only parameters, and step it: as stmt_step().
 */
int stmt_find(struct db *db, const char *sql, struct uuid7 id, struct stmt **ret_stmt,
              struct errinfo *e);
/* The same where the tenant whose rows the connection finds is the third parameter. */
int stmt_find_own(struct db *db, const char *sql, struct uuid7 id, struct stmt **ret_stmt,
                  struct errinfo *e);
/* The first column of the first row of a statement without parameters; 0 when there is none. */
int stmt_number(struct db *db, const char *sql, int64_t *ret_number, struct errinfo *e);
/* Run a statement without parameters and rows. */
int stmt_run(struct db *db, const char *sql, struct errinfo *e);

bool stmt_col_is_null(struct stmt *s, int column);
/* 0 for NULL, as the next. */
int64_t stmt_col_i64(struct stmt *s, int column);
int stmt_col_int(struct stmt *s, int column);
/* Borrowed; NULL for NULL. */
const char *stmt_col_text(struct stmt *s, int column);
/* Borrowed until the next step, like a text. */
const void *stmt_col_blob(struct stmt *s, int column, size_t *ret_len);
/* A heap copy; NULL for NULL. *ret_len (may be NULL) is set in both cases. */
char *stmt_col_copy(struct stmt *s, int column, size_t *ret_len);

/* Finalize all of a connection; none may be in use. */
void stmt_cache_clear(struct db *db);

#endif
