/* Connections, and how they are set up.
 *
 * foreign_keys stays off: an attempt is written in the transaction, and after the UPDATE, that
 * proved its job to be there; enforcement would look the parent up again for every row. The
 * unit tests run PRAGMA foreign_key_check instead.
 *
 * secure_delete is off (Debian's default is on): index entries and pages are freed by every
 * job, and wiping them doubles the pages that a commit writes. The file is readable by its
 * owner only.
 */
#include "store/sqlite/db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/sys.h"
#include "store/sqlite/row_queue.h"
#include "store/sqlite/stmt.h"

#define BUSY_TIMEOUT_MS 5000

/* Every commit of the writer empties the caches of readers, so they are small unless the file
 * is large (reader.c). Nor do they map the file: after each commit SQLite would unmap it, which
 * stops all threads of the process; to read the few pages of a look-up costs less. */
static const char READER_PRAGMAS[] =
    "PRAGMA query_only = ON;"
    "PRAGMA mmap_size = 0;"
    "PRAGMA temp_store = MEMORY;";

/* The cache is a limit (32 MiB), taken only as it is needed. The log is written back every
 * 4,000 pages: hot pages are then written once for many commits, and the pause is rare enough
 * not to show in the 99th percentile. After a burst its file is cut to 64 MiB. */
static const char WRITER_PRAGMAS[] =
    "PRAGMA foreign_keys = OFF;"
    "PRAGMA secure_delete = OFF;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA cache_size = -32768;"
    "PRAGMA wal_autocheckpoint = 4000;"
    "PRAGMA journal_size_limit = 67108864;";

static const char SYNC_FULL[] = "PRAGMA synchronous = FULL;";
static const char SYNC_NORMAL[] = "PRAGMA synchronous = NORMAL;";

static pthread_once_t configured = PTHREAD_ONCE_INIT;

/* No memory statistics: they cost a global mutex at each allocation. Both calls fail harmlessly
 * when somebody has initialised SQLite before us. */
static void configure_library(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/* Debian's SQLite reads a name that starts with "file:" as a URI: a relative path gets "./". */
char *db_path(const char *data_dir)
{
    const char *prefix = data_dir[0] == '/' || data_dir[0] == '.' ? "" : "./";

    return mem_printf("%s%s/jobd.db", prefix, data_dir);
}

static bool is_out_of_room(int sys_errno)
{
    return sys_errno == ENOSPC || sys_errno == EDQUOT || sys_errno == EFBIG;
}

/* SQLite knows ENOSPC as SQLITE_FULL, but not quotas and limits. What it keeps for
 * sqlite3_system_errno() is not set by a COMMIT that fails: then errno still is. */
static bool is_full(const struct db *db, int rc, int sys_errno)
{
    int primary = rc & 0xff;

    if (primary == SQLITE_FULL)
        return true;
    if (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN)
        return false;
    return is_out_of_room(sys_errno) || is_out_of_room(sqlite3_system_errno(db->handle));
}

int db_fail(struct db *db, int rc, const char *what, struct errinfo *e)
{
    int code = is_full(db, rc, errno) ? ERR_STORAGE_FULL : ERR_DATABASE;
    /* A call that succeeded after the one that failed has replaced its text. */
    const char *text = sqlite3_extended_errcode(db->handle) == rc ? sqlite3_errmsg(db->handle)
                                                                  : sqlite3_errstr(rc);

    db->broken = true;
    (void)err_set(e, code, "%s: %s (sqlite %d)", what, text, rc);
    if (e)
        e->sys_errno = sqlite3_system_errno(db->handle);
    return code;
}

static int connect_to(const char *path, int flags, struct db **ret_db, struct errinfo *e)
{
    AUTO(db) struct db *db = NULL;
    int rc;

    (void)pthread_once(&configured, configure_library);
    db = mem_new0(sizeof *db);
    errno = 0; /* for db_fail() */
    rc = sqlite3_open_v2(path, &db->handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                         NULL);
    if (!db->handle)
        return err_set(e, ERR_DATABASE, "open %s: %s", path, sqlite3_errstr(rc));
    if (rc != SQLITE_OK)
        return db_fail(db, rc, path, e);
    (void)sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    *ret_db = TAKE(db);
    return 0;
}

/* SQLite would make the file with the mode of the umask; its companions take the mode of the
 * file. An existing file is not opened here: closing it would drop the locks of this process on
 * it. */
static int create_file(const char *path, struct errinfo *e)
{
    AUTO_FINI(fd) int fd = -1;

    fd = sys.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0 || errno == EEXIST)
        return 0;
    return err_set(e, is_out_of_room(errno) ? ERR_STORAGE_FULL : ERR_DATABASE, "create %s: %s",
                   path, strerrordesc_np(errno));
}

int db_open_writer(const char *path, struct db **ret_db, struct errinfo *e)
{
    int r;

    r = create_file(path, e);
    if (r < 0)
        return r;
    return connect_to(path, SQLITE_OPEN_READWRITE, ret_db, e);
}

int db_tune_writer(struct db *db, enum store_durability durability, struct errinfo *e)
{
    int64_t is_wal = 0;
    int r;

    r = db_exec(db, "PRAGMA journal_mode = WAL", e);
    if (r < 0)
        return r;
    r = db_query_i64(db, "SELECT journal_mode = 'wal' FROM pragma_journal_mode", &is_wal, e);
    if (r < 0)
        return r;
    if (!is_wal)
        return err_set(e, ERR_DATABASE, "the file system does not support SQLite's WAL mode");
    r = db_exec(db, durability == STORE_FULL ? SYNC_FULL : SYNC_NORMAL, e);
    if (r < 0)
        return r;
    return db_exec(db, WRITER_PRAGMAS, e);
}

int db_open_reader(const char *path, struct db **ret_db, struct errinfo *e)
{
    AUTO(db) struct db *db = NULL;
    int r;

    r = connect_to(path, SQLITE_OPEN_READONLY, &db, e);
    if (r < 0)
        return r;
    assert(db);
    r = db_exec(db, READER_PRAGMAS, e);
    if (r < 0)
        return r;
    *ret_db = TAKE(db);
    return 0;
}

struct db *db_free(struct db *db)
{
    if (!db)
        return NULL;
    stmt_cache_clear(db);
    (void)sqlite3_close(db->handle); /* fails only while a statement lives */
    row_queues_free(db);
    free(db);
    return NULL;
}

int db_exec(struct db *db, const char *sql, struct errinfo *e)
{
    int rc;

    errno = 0; /* for db_fail() */
    rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return db_fail(db, rc, "run SQL", e);
    return 0;
}

int db_query_i64(struct db *db, const char *sql, int64_t *ret_number, struct errinfo *e)
{
    sqlite3_stmt *handle = NULL;
    int r = 0;
    int rc;

    errno = 0; /* for db_fail() */
    rc = sqlite3_prepare_v2(db->handle, sql, -1, &handle, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(handle);
    if (rc == SQLITE_ROW)
        *ret_number = sqlite3_column_int64(handle, 0);
    else
        r = db_fail(db, rc, sql, e);
    (void)sqlite3_finalize(handle); /* repeats the error of the step */
    return r;
}

static const char SNAPSHOT_BEGIN[] = "BEGIN";
static const char SNAPSHOT_END[] = "COMMIT";

int snapshot_begin(struct db *db, struct db **ret_snapshot, struct errinfo *e)
{
    int r;

    r = stmt_run(db, SNAPSHOT_BEGIN, e);
    if (r < 0)
        return r;
    *ret_snapshot = db;
    return 0;
}

struct db *snapshot_free(struct db *db)
{
    if (db)
        (void)stmt_run(db, SNAPSHOT_END, NULL); /* ends a read: there is nothing to lose */
    return NULL;
}
