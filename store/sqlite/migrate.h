/* store/sqlite/migrate.h - bring the schema of a database file up to date.
 *
 * Internal to store/sqlite/. Migrations are numbered from 1 without a gap and never changed
 * once released. Each runs in a transaction of its own and ends with PRAGMA user_version = its
 * number, so that a file is always at one of the versions.
 */
#ifndef JOBD_STORE_SQLITE_MIGRATE_H
#define JOBD_STORE_SQLITE_MIGRATE_H

#include <stddef.h>

#include "base/err.h"

struct db;

struct migration {
    int version;
    const char *sql;
};

/* All that this jobd knows. */
const struct migration *migrations_known(size_t *ret_count);
int migrations_latest(void);

/* Whether this jobd may write the file. Changes nothing.
 * ERR_SCHEMA_NEWER; ERR_DATABASE: the file belongs to another program. */
int migrate_check(struct db *db, const char *path, struct errinfo *e);

/* Whether nothing is left to be run. ERR_AGAIN. */
int migrate_is_done(struct db *db, const char *path, struct errinfo *e);

/* Run those of the list that the file has not seen. On failure the file is as the last one that
 * succeeded has left it. ERR_DATABASE, ERR_STORAGE_FULL. */
int migrate_run(struct db *db, const struct migration *list, size_t count, struct errinfo *e);

#endif
