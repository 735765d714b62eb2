#include "tests/support/test.h"

#include "store/sqlite/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "store/sqlite/sq.h"
#include "tests/support/store_fixture.h"

/* clang-format off */
#define TEST(f) cmocka_unit_test_setup_teardown(f, store_fixture_setup, store_fixture_teardown)
/* clang-format on */

static struct db *writer(struct store_fixture *f)
{
    return sq_of(f->st)->db;
}

static int64_t ask(struct db *db, const char *sql)
{
    struct errinfo e;
    int64_t number = -1;

    if (db_query_i64(db, sql, &number, &e) < 0)
        fail_msg("%s: %s", sql, e.text);
    return number;
}

static int64_t user_version(struct db *db)
{
    return ask(db, "SELECT user_version FROM pragma_user_version");
}

static unsigned mode_of(const char *dir, const char *name)
{
    char path[512];
    struct stat st;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static int open_again(struct store_fixture *f)
{
    struct store_conf conf = { .data_dir = f->dir };

    f->st = store_free(f->st);
    return store_open("sqlite", &conf, &f->st, &f->e);
}

/* Run SQL on the file while the store is closed. */
static void tamper(struct store_fixture *f, const char *sql)
{
    AUTO(mem) char *path = db_path(f->dir);
    sqlite3 *db = NULL;

    f->st = store_free(f->st);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void read_database(struct store_fixture *f, struct buf *b)
{
    AUTO(mem) char *path = db_path(f->dir);

    assert_int_equal(fd_read_file(path, 1 << 24, b, &f->e), 0);
}

static void a_new_file_has_the_latest_schema_and_says_whose_it_is(void **state)
{
    struct store_fixture *f = *state;

    assert_int_equal(user_version(writer(f)), migrations_latest());
    assert_int_equal(store_schema_version(f->st), migrations_latest());
    assert_int_equal(ask(writer(f), "SELECT application_id FROM pragma_application_id"),
                     0x6a6f6264);
    assert_int_equal(ask(writer(f),
                         "SELECT count(*) FROM pragma_table_list WHERE type = 'table'"
                         " AND name NOT LIKE 'sqlite_%' AND NOT strict"),
                     0);
}

static void files_are_for_their_owner_only_whatever_the_umask(void **state)
{
    mode_t old = umask(0);
    struct store_fixture *f;

    (void)store_fixture_teardown(state);
    (void)store_fixture_setup(state);
    (void)umask(old);
    f = *state;
    assert_int_equal(mode_of(f->dir, "jobd.db"), 0600);
    assert_int_equal(mode_of(f->dir, "jobd.db-wal"), 0600);
    assert_int_equal(mode_of(f->dir, "jobd.db-shm"), 0600);
}

static void durability_decides_what_is_synced(void **state)
{
    struct store_fixture *f = *state;

    assert_int_equal(ask(writer(f), "PRAGMA synchronous"), 1); /* the fixture: relaxed */
    assert_int_equal(ask(writer(f), "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
    f->st = store_free(f->st);
    assert_int_equal(
        store_open("sqlite",
                   &(struct store_conf){ .data_dir = f->dir, .durability = STORE_FULL }, &f->st,
                   &f->e),
        0);
    assert_int_equal(ask(writer(f), "PRAGMA synchronous"), 2);
}

static void opening_again_changes_no_schema(void **state)
{
    struct store_fixture *f = *state;
    int64_t cookie = ask(writer(f), "PRAGMA schema_version");

    assert_int_equal(open_again(f), 0);
    assert_int_equal(ask(writer(f), "PRAGMA schema_version"), cookie);
}

static void a_newer_file_is_refused_with_both_versions_and_left_alone(void **state)
{
    struct store_fixture *f = *state;
    AUTO_FINI(buf) struct buf before = { 0 };
    AUTO_FINI(buf) struct buf after = { 0 };
    char known[16];

    tamper(f, "CREATE TABLE later (x INTEGER); PRAGMA user_version = 4711");
    read_database(f, &before);
    assert_int_equal(open_again(f), ERR_SCHEMA_NEWER);
    assert_null(f->st);
    (void)snprintf(known, sizeof known, "to %d", migrations_latest());
    assert_non_null(strstr(f->e.text, "4711"));
    assert_non_null(strstr(f->e.text, known));
    read_database(f, &after);
    assert_int_equal(before.len, after.len);
    assert_memory_equal(before.data, after.data, before.len);
}

static void a_database_of_another_program_is_refused(void **state)
{
    struct store_fixture *f = *state;

    tamper(f, "PRAGMA application_id = 1234");
    assert_int_equal(open_again(f), ERR_DATABASE);
    assert_non_null(strstr(f->e.text, "another program"));
}

static void tables_without_an_owner_are_refused(void **state)
{
    struct store_fixture *f = *state;

    tamper(f, "PRAGMA application_id = 0; PRAGMA user_version = 0");
    assert_int_equal(open_again(f), ERR_DATABASE);
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    struct store_fixture *f = *state;
    AUTO(mem) char *path = db_path(f->dir);
    char text[8192];

    f->st = store_free(f->st);
    memset(text, 'x', sizeof text);
    assert_int_equal(fd_write_file_atomic(path, 0600, text, sizeof text, &f->e), 0);
    assert_int_equal(open_again(f), ERR_DATABASE);
    assert_non_null(strstr(f->e.text, "not a database"));
}

static void a_lost_ledger_is_refused(void **state)
{
    struct store_fixture *f = *state;

    tamper(f, "DELETE FROM ledger");
    assert_int_equal(open_again(f), ERR_DATABASE);
}

/* One migration more than there are, as it might come: it makes the table `extra`, and `more`.
 */
struct grown {
    struct migration list[64];
    size_t count;
    char sql[256];
};

static void grow(struct grown *g, const char *more)
{
    const struct migration *known = migrations_known(&g->count);

    assert_true(g->count < COUNT_OF(g->list));
    memcpy(g->list, known, g->count * sizeof *known);
    (void)snprintf(g->sql, sizeof g->sql,
                   "CREATE TABLE extra (x INTEGER) STRICT; PRAGMA user_version = %d; %s",
                   migrations_latest() + 1, more);
    g->list[g->count++] = (struct migration){ migrations_latest() + 1, g->sql };
}

static void the_missing_migrations_are_run_once(void **state)
{
    struct store_fixture *f = *state;
    struct grown g;

    grow(&g, "");
    for (int i = 0; i < 2; i++) {
        if (migrate_run(writer(f), g.list, g.count, &f->e) < 0)
            fail_msg("%s", f->e.text);
        assert_int_equal(user_version(writer(f)), migrations_latest() + 1);
    }
}

static void a_migration_that_fails_leaves_the_version_before_it(void **state)
{
    struct store_fixture *f = *state;
    struct grown g;

    grow(&g, "SELECT nonsense;");
    assert_int_equal(migrate_run(writer(f), g.list, g.count, &f->e), ERR_DATABASE);
    assert_non_null(strstr(f->e.text, "nonsense"));
    assert_int_equal(user_version(writer(f)), migrations_latest());
    assert_int_equal(ask(writer(f), "SELECT count(*) FROM sqlite_schema WHERE name = 'extra'"),
                     0);
    assert_int_equal(open_again(f), 0);
}

/* From each version that was ever written, to the latest. */
static void every_older_version_is_brought_up_to_date(void **state)
{
    size_t count;
    const struct migration *known = migrations_known(&count);

    (void)state;
    for (size_t first = 1; first <= count; first++) {
        AUTO(db) struct db *db = NULL;
        struct errinfo e;
        int r;

        db = mem_new0(sizeof *db);
        assert_int_equal(sqlite3_open(":memory:", &db->handle), SQLITE_OK);
        r = migrate_run(db, known, first, &e);
        if (r == 0)
            r = migrate_run(db, known, count, &e);
        if (r < 0)
            fail_msg("from %zu: %s", first, e.text);
        assert_int_equal(user_version(db), migrations_latest());
    }
}

static void a_directory_is_never_taken_for_a_uri(void **state)
{
    AUTO(mem) char *odd = db_path("file:data");
    AUTO(mem) char *relative = db_path("./data");
    AUTO(mem) char *absolute = db_path("/var/lib/jobd");

    (void)state;
    assert_string_equal(odd, "./file:data/jobd.db");
    assert_string_equal(relative, "./data/jobd.db");
    assert_string_equal(absolute, "/var/lib/jobd/jobd.db");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_file_has_the_latest_schema_and_says_whose_it_is),
        TEST(files_are_for_their_owner_only_whatever_the_umask),
        TEST(durability_decides_what_is_synced),
        TEST(opening_again_changes_no_schema),
        TEST(a_newer_file_is_refused_with_both_versions_and_left_alone),
        TEST(a_database_of_another_program_is_refused),
        TEST(tables_without_an_owner_are_refused),
        TEST(a_file_that_is_no_database_is_refused),
        TEST(a_lost_ledger_is_refused),
        TEST(the_missing_migrations_are_run_once),
        TEST(a_migration_that_fails_leaves_the_version_before_it),
        cmocka_unit_test(every_older_version_is_brought_up_to_date),
        cmocka_unit_test(a_directory_is_never_taken_for_a_uri),
    };

    return cmocka_run_group_tests_name("store/sqlite/migrate", tests, NULL, NULL);
}
