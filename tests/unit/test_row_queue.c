#include "tests/support/test.h"

#include "store/sqlite/row_queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/sqlite/db.h"
#include "store/sqlite/stmt.h"

/* clang-format off */
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
/* clang-format on */

static const char BEGIN[] = "BEGIN";
static const char COMMIT[] = "COMMIT";
static const char ROLLBACK[] = "ROLLBACK";
static const char COUNT[] = "SELECT count(*) FROM t";
static const char COUNT_OTHER[] = "SELECT count(*) FROM other";
static const char REMOVE[] = "DELETE FROM t";
static const char ONE[] = "SELECT b, c, d FROM t WHERE id = ?1";

static const struct row_queue_conf CONF = {
    .name = "new_t",
    .table = "t",
    .columns = "id, b, d",
    .insert = "INSERT INTO t (id, b, c, d) SELECT id, b, 7, d FROM new_t",
};

struct fixture {
    struct db *db;
    struct row_queue *q;
};

static int setup(void **state)
{
    struct fixture *f = mem_new0(sizeof *f);

    f->db = mem_new0(sizeof *f->db);
    assert_int_equal(sqlite3_open(":memory:", &f->db->handle), SQLITE_OK);
    assert_int_equal(db_exec(f->db,
                             "CREATE TABLE t (id INTEGER PRIMARY KEY, b, c, d NOT NULL);"
                             "CREATE TABLE other (a)",
                             NULL),
                     0);
    assert_int_equal(row_queue_new(f->db, &CONF, &f->q, NULL), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    f->db = db_free(f->db);
    free(f);
    return 0;
}

static int add(struct fixture *f, int64_t id, const char *b, int64_t d)
{
    row_i64(f->q, id);
    row_text(f->q, b);
    row_i64(f->q, d);
    return row_end(f->q, NULL);
}

static int64_t count(struct fixture *f, const char *sql)
{
    int64_t n = -1;

    assert_int_equal(stmt_number(f->db, sql, &n, NULL), 0);
    return n;
}

static void rows_wait_until_a_statement_names_their_table(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(count(f, COUNT), 0);
    assert_int_equal(count(f, COUNT_OTHER), 0);
    assert_int_equal(add(f, 1, "one", 1), 0);
    assert_int_equal(add(f, 2, "two", 2), 0);
    assert_int_equal(count(f, COUNT_OTHER), 0);
    assert_true(f->db->waiting);
    assert_int_equal(count(f, COUNT), 2); /* prepared before there was a row */
    assert_false(f->db->waiting);
    assert_int_equal(add(f, 3, "three", 3), 0);
    assert_int_equal(stmt_run(f->db, REMOVE, NULL), 0);
    assert_int_equal(count(f, COUNT), 0);
}

static void values_come_as_they_were_given(void **state)
{
    struct fixture *f = *state;
    AUTO(mem) char *large = mem_array0(100001, 1);
    AUTO(stmt) struct stmt *s = NULL;

    memset(large, 'x', 100000);
    assert_int_equal(add(f, 1, "", INT64_MIN), 0);
    assert_int_equal(add(f, 2, NULL, INT64_MAX), 0);
    row_i64(f->q, 3);
    row_text_len(f->q, large, 100000);
    row_text_len(f->q, "tail", 1);
    assert_int_equal(row_end(f->q, NULL), 0);
    for (int id = 1; id <= 3; id++) {
        assert_int_equal(stmt_get(f->db, ONE, &s, NULL), 0);
        stmt_i64(s, 1, id);
        assert_int_equal(stmt_step(s, NULL), 1);
        assert_int_equal(stmt_col_i64(s, 1), 7); /* not from the queue */
        if (id == 1) {
            assert_string_equal(stmt_col_text(s, 0), "");
            assert_true(stmt_col_i64(s, 2) == INT64_MIN);
        } else if (id == 2) {
            assert_true(stmt_col_is_null(s, 0));
            assert_true(stmt_col_i64(s, 2) == INT64_MAX);
        } else {
            assert_string_equal(stmt_col_text(s, 0), large);
            assert_string_equal(stmt_col_text(s, 2), "t");
        }
        s = stmt_free(s);
    }
}

static void a_queue_never_grows_beyond_its_room(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 1000; i++)
        assert_int_equal(add(f, 1000 - i, "x", i), 0);
    assert_int_equal(count(f, COUNT), 1000);
}

static void a_rollback_forgets_them(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(stmt_run(f->db, BEGIN, NULL), 0);
    assert_int_equal(add(f, 1, "one", 1), 0);
    assert_int_equal(count(f, COUNT), 1);
    assert_int_equal(add(f, 2, "two", 2), 0);
    row_queues_clear(f->db);
    assert_int_equal(stmt_run(f->db, ROLLBACK, NULL), 0);
    assert_int_equal(row_queues_insert(f->db, ~0u, NULL), 0);
    assert_int_equal(count(f, COUNT), 0);
}

/* The commit is refused, too (sq.c): what came before the row would be there without it. */
static void a_row_that_is_wrong_is_said_by_who_inserts_it(void **state)
{
    struct fixture *f = *state;
    struct stmt *s = NULL;

    assert_int_equal(stmt_run(f->db, BEGIN, NULL), 0);
    assert_int_equal(add(f, 1, "one", 1), 0);
    assert_int_equal(add(f, 1, "again", 1), 0);
    assert_int_equal(stmt_get(f->db, COUNT, &s, NULL), ERR_DATABASE);
    assert_true(f->db->broken);
    for (int i = 2; i < 200; i++)
        assert_int_equal(add(f, i, "later", 1), ERR_DATABASE);
    row_queues_clear(f->db);
    assert_int_equal(stmt_run(f->db, ROLLBACK, NULL), 0);
    f->db->broken = false;
    assert_int_equal(stmt_run(f->db, BEGIN, NULL), 0);
    row_i64(f->q, 1);
    row_null(f->q);
    row_null(f->q); /* NOT NULL */
    assert_int_equal(row_end(f->q, NULL), 0);
    assert_int_equal(row_queues_insert(f->db, ~0u, NULL), ERR_DATABASE);
    assert_int_equal(stmt_run(f->db, COMMIT, NULL), 0);
    assert_int_equal(count(f, COUNT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_wait_until_a_statement_names_their_table),
        TEST(values_come_as_they_were_given),
        TEST(a_queue_never_grows_beyond_its_room),
        TEST(a_rollback_forgets_them),
        TEST(a_row_that_is_wrong_is_said_by_who_inserts_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
