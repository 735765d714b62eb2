/* store/sqlite/db.h - one connection to the database file.
 *
 * Internal to store/sqlite/. A connection is used by one thread at a time: it is opened without
 * a mutex of its own. Statements are in stmt.h.
 */
#ifndef JOBD_STORE_SQLITE_DB_H
#define JOBD_STORE_SQLITE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clean.h"
#include "base/err.h"
#include "store/store.h"

#define DB_STATEMENTS_MAX 512 /* slots of the statement cache: a power of two */
#define DB_QUEUES_MAX     2

struct row_queue;
struct stmt;

struct db {
    sqlite3 *handle;
    struct stmt *statements[DB_STATEMENTS_MAX]; /* hashed by the address of their text */
    unsigned statement_count;
    const char *tenant; /* of a reader: whose jobs it finds by their ids; NULL: all. Borrowed */
    bool broken;        /* a write failed: nothing more is done until the rollback */
    struct row_queue *queues[DB_QUEUES_MAX]; /* row_queue.h; each has a bit in what follows */
    size_t queue_count;
    unsigned waiting; /* they have rows that are not inserted */
    unsigned named;   /* their tables are named by the statement that is prepared */
};

/* The file of a data directory: a heap string that the caller frees. */
char *db_path(const char *data_dir);

/* Open the file for reading and writing, and make it (mode 0600) if there is none. Touches
 * nothing in it; db_tune_writer() follows once its version is known to be right. ERR_DATABASE.
 */
int db_open_writer(const char *path, struct db **ret_db, struct errinfo *e);
/* Journal mode, durability and caches of the one writer. */
int db_tune_writer(struct db *db, enum store_durability durability, struct errinfo *e);
/* Open the file read-only, ready for use. */
int db_open_reader(const char *path, struct db **ret_db, struct errinfo *e);
/* End all statements and close. NULL is a no-op. Returns NULL. */
struct db *db_free(struct db *db);
DEFINE_AUTO(db, struct db)

/* Run SQL text (a constant of the program) that gives no rows. */
int db_exec(struct db *db, const char *sql, struct errinfo *e);
/* The first column of the first row; sql is not cached. */
int db_query_i64(struct db *db, const char *sql, int64_t *ret_number, struct errinfo *e);

/* Record what SQLite said: ERR_STORAGE_FULL when there is no room left, else ERR_DATABASE. The
 * caller has set errno to 0 before the call that failed. */
int db_fail(struct db *db, int rc, const char *what, struct errinfo *e);

/* Several reads that see the same commit: from snapshot_begin() to the end of the scope of
 *     AUTO(snapshot) struct db *snap = NULL; */
int snapshot_begin(struct db *db, struct db **ret_snapshot, struct errinfo *e);
struct db *snapshot_free(struct db *db);
DEFINE_AUTO(snapshot, struct db)

#endif
