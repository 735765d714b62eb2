#include "tests/support/test.h"

#include "store/sqlite/reader.h"

#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/sqlite/sq.h"
#include "tests/support/store_fixture.h"

/* clang-format off */
#define TEST(f) cmocka_unit_test_setup_teardown(f, store_fixture_setup, store_fixture_teardown)
/* clang-format on */

static struct uuid7 insert(struct store_fixture *f)
{
    struct job job = store_fixture_job(f);

    return store_fixture_insert(f, &job);
}

static struct store_reader *get_reader(struct store_fixture *f)
{
    struct store_reader *rd = NULL;

    if (store_reader_get(f->st, &rd, &f->e) < 0)
        fail_msg("store_reader_get: %s", f->e.text);
    return rd;
}

static void assert_sees(struct store_fixture *f, struct store_reader *rd, struct uuid7 id)
{
    enum job_state state;
    int64_t version;

    if (store_read_version(rd, id, &version, &state, &f->e) < 0)
        fail_msg("%s", f->e.text);
}

static void a_reader_cannot_write(void **state)
{
    struct store_fixture *f = *state;
    struct store_reader *rd = get_reader(f);
    struct db *db = sq_reader_db(rd);

    assert_int_equal(sqlite3_db_readonly(db->handle, "main"), 1);
    assert_int_equal(db_exec(db, "DELETE FROM ledger", &f->e), ERR_DATABASE);
    assert_non_null(strstr(f->e.text, "readonly"));
    store_reader_put(f->st, rd);
}

/* Returns 1 when a reader or writer was in the way, else 0. */
static int64_t checkpoint(struct store_fixture *f)
{
    int64_t busy = -1;

    assert_int_equal(
        db_query_i64(sq_of(f->st)->db, "PRAGMA wal_checkpoint(TRUNCATE)", &busy, &f->e), 0);
    return busy;
}

static void a_reader_reads_on_through_checkpoints(void **state)
{
    struct store_fixture *f = *state;
    struct store_reader *rd = get_reader(f);

    for (int i = 0; i < 10; i++) {
        struct uuid7 id = insert(f);

        assert_sees(f, rd, id);
        assert_int_equal(checkpoint(f), 0); /* not busy: no read was left open */
        assert_sees(f, rd, id);
        id = insert(f);
        assert_sees(f, rd, id);
    }
    store_reader_put(f->st, rd);
}

static void a_snapshot_stays_what_it_was_while_the_writer_goes_on(void **state)
{
    struct store_fixture *f = *state;
    struct store_reader *rd = get_reader(f);
    int64_t before;
    int64_t after;

    (void)insert(f);
    {
        static const char count[] = "SELECT count(*) FROM job";
        AUTO(snapshot) struct db *snap = NULL;

        assert_int_equal(snapshot_begin(sq_reader_db(rd), &snap, &f->e), 0);
        assert_int_equal(db_query_i64(snap, count, &before, &f->e), 0);
        (void)insert(f);
        assert_int_equal(db_query_i64(snap, count, &after, &f->e), 0);
        assert_int_equal(before, after);
    }
    assert_true(sqlite3_get_autocommit(sq_reader_db(rd)->handle));
    store_reader_put(f->st, rd);
}

static void a_reader_opened_before_a_job_and_lent_again_sees_it(void **state)
{
    struct store_fixture *f = *state;
    struct store_reader *rd = get_reader(f);

    assert_int_equal(store_read_ping(rd, &f->e), 0);
    store_reader_put(f->st, rd);
    {
        struct uuid7 id = insert(f);

        assert_ptr_equal(get_reader(f), rd);
        assert_sees(f, rd, id);
    }
    store_reader_put(f->st, rd);
}

static int64_t cache_kib(struct store_reader *rd)
{
    int64_t size = 0;

    assert_int_equal(db_query_i64(sq_reader_db(rd), "PRAGMA cache_size", &size, NULL), 0);
    return -size;
}

static void a_cache_grows_with_the_file(void **state)
{
    struct store_fixture *f = *state;
    AUTO(mem) char *path = db_path(f->dir);
    struct store_reader *rd = get_reader(f);
    struct uuid7 id = insert(f);

    assert_int_equal(cache_kib(rd), 512);
    assert_int_equal(checkpoint(f), 0);
    assert_int_equal(truncate(path, (off_t)400 << 20), 0); /* nothing behind its last page */
    for (int i = 0; cache_kib(rd) == 512 && i < 10000; i++) {
        store_reader_put(f->st, rd);
        assert_ptr_equal(get_reader(f), rd);
    }
    assert_int_equal(cache_kib(rd), 8192);
    assert_sees(f, rd, id);
    store_reader_put(f->st, rd);
    store_fixture_reopen(f);
    rd = get_reader(f);
    assert_int_equal(cache_kib(rd), 8192);
    assert_sees(f, rd, id);
    store_reader_put(f->st, rd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reader_cannot_write),
        TEST(a_reader_reads_on_through_checkpoints),
        TEST(a_snapshot_stays_what_it_was_while_the_writer_goes_on),
        TEST(a_reader_opened_before_a_job_and_lent_again_sees_it),
        TEST(a_cache_grows_with_the_file),
    };

    return cmocka_run_group_tests_name("store/sqlite/reader", tests, NULL, NULL);
}
