#include "store/sqlite/migrate.h"

#include <assert.h>
#include <stdint.h>

#include "base/embed.h"
#include "store/sqlite/db.h"

#define APPLICATION_ID 0x6a6f6264 /* "jobd": in the header of the file, see file(1) */

EMBED(migration_0001, "store/migrations/0001-jobs.sqlite.sql");
EMBED(migration_0002, "store/migrations/0002-attempts.sqlite.sql");
EMBED(migration_0003, "store/migrations/0003-tenants.sqlite.sql");
EMBED(migration_0004, "store/migrations/0004-api-keys.sqlite.sql");
EMBED(migration_0005, "store/migrations/0005-events.sqlite.sql");
EMBED(migration_0006, "store/migrations/0006-idempotency.sqlite.sql");
EMBED(migration_0007, "store/migrations/0007-removal.sqlite.sql");
EMBED(migration_0008, "store/migrations/0008-batches.sqlite.sql");
EMBED(migration_0009, "store/migrations/0009-batch-log.sqlite.sql");
EMBED(migration_0010, "store/migrations/0010-labels.sqlite.sql");
EMBED(migration_0011, "store/migrations/0011-unique.sqlite.sql");
EMBED(migration_0012, "store/migrations/0012-batch-age.sqlite.sql");
EMBED(migration_0013, "store/migrations/0013-outcome.sqlite.sql");

static const struct migration known[] = {
    { 1, migration_0001 },  { 2, migration_0002 },  { 3, migration_0003 },
    { 4, migration_0004 },  { 5, migration_0005 },  { 6, migration_0006 },
    { 7, migration_0007 },  { 8, migration_0008 },  { 9, migration_0009 },
    { 10, migration_0010 }, { 11, migration_0011 }, { 12, migration_0012 },
    { 13, migration_0013 },
};

static const char USER_VERSION[] = "SELECT user_version FROM pragma_user_version";
static const char FILE_OWNER[] = "SELECT application_id FROM pragma_application_id";
static const char TABLES[] = "SELECT count(*) FROM sqlite_schema";

const struct migration *migrations_known(size_t *ret_count)
{
    *ret_count = COUNT_OF(known);
    return known;
}

int migrations_latest(void)
{
    return known[COUNT_OF(known) - 1].version;
}

/* A file that has just been made has no owner and no table. */
static int check_owner(struct db *db, const char *path, struct errinfo *e)
{
    int64_t owner;
    int64_t tables;
    int r;

    r = db_query_i64(db, FILE_OWNER, &owner, e);
    if (r < 0)
        return r;
    r = db_query_i64(db, TABLES, &tables, e);
    if (r < 0)
        return r;
    if (owner != APPLICATION_ID && (owner != 0 || tables > 0))
        return err_set(e, ERR_DATABASE, "%s is a database of another program", path);
    return 0;
}

int migrate_check(struct db *db, const char *path, struct errinfo *e)
{
    int64_t version;
    int r;

    r = check_owner(db, path, e);
    if (r < 0)
        return r;
    r = db_query_i64(db, USER_VERSION, &version, e);
    if (r < 0)
        return r;
    if (version > migrations_latest())
        return err_set(
            e, ERR_SCHEMA_NEWER,
            "%s has schema version %d, made by a newer jobd; this one knows versions up "
            "to %d",
            path, (int)version, migrations_latest());
    return 0;
}

int migrate_is_done(struct db *db, const char *path, struct errinfo *e)
{
    int64_t version;
    int r;

    r = db_query_i64(db, USER_VERSION, &version, e);
    if (r < 0)
        return r;
    if (version != migrations_latest())
        return err_set(e, ERR_AGAIN,
                       "%s has schema version %d, and the jobd that runs there is not of this"
                       " program's version, %d: restart it, or try again when it has started",
                       path, (int)version, migrations_latest());
    return 0;
}

static int run_inside(struct db *db, const struct migration *m, struct errinfo *e)
{
    int64_t version;
    int r;

    r = db_exec(db, m->sql, e);
    if (r < 0)
        return r;
    r = db_query_i64(db, USER_VERSION, &version, e);
    if (r < 0)
        return r;
    assert(version == m->version); /* the file must end as it says */
    return db_exec(db, "COMMIT", e);
}

static int run_one(struct db *db, const struct migration *m, struct errinfo *e)
{
    int r;

    r = db_exec(db, "BEGIN IMMEDIATE", e);
    if (r < 0)
        return r;
    r = run_inside(db, m, e);
    if (r < 0 && !sqlite3_get_autocommit(db->handle))
        (void)db_exec(db, "ROLLBACK", NULL); /* the first error is the one to tell */
    return r;
}

int migrate_run(struct db *db, const struct migration *list, size_t count, struct errinfo *e)
{
    int64_t version;
    int r;

    r = db_query_i64(db, USER_VERSION, &version, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++) {
        assert(list[i].version == (int)i + 1);
        if (list[i].version <= version)
            continue;
        r = run_one(db, &list[i], e);
        if (r < 0)
            return r;
    }
    return 0;
}
