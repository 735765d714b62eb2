#include "tests/support/test.h"

#include "store/sqlite/stmt.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/sqlite/sq.h"
#include "tests/support/store_fixture.h"

/* clang-format off */
#define TEST(f) cmocka_unit_test_setup_teardown(f, store_fixture_setup, store_fixture_teardown)
/* clang-format on */

static const char ECHO[] = "SELECT ?1, ?2, ?3";
static const char TWO_ROWS[] = "SELECT 1 UNION ALL SELECT 2";
static const char NONSENSE[] = "SELECT FROM nowhere";
static const char NO_ROWS[] = "SELECT 1 WHERE 0";

static struct db *writer(void **state)
{
    struct store_fixture *f = *state;

    return sq_of(f->st)->db;
}

static void values_come_back_as_they_were_bound(void **state)
{
    AUTO(stmt) struct stmt *s = NULL;
    AUTO(mem) char *copy = NULL;
    size_t len = 99;

    assert_int_equal(stmt_get(writer(state), ECHO, &s, NULL), 0);
    stmt_i64(s, 1, INT64_MIN);
    stmt_text(s, 2, NULL);
    stmt_blob(s, 3, "a\0b", 3);
    assert_int_equal(stmt_step(s, NULL), 1);
    assert_true(stmt_col_i64(s, 0) == INT64_MIN);
    assert_null(stmt_col_text(s, 1));
    assert_null(stmt_col_copy(s, 1, &len));
    assert_int_equal(len, 0);
    copy = stmt_col_copy(s, 2, &len);
    assert_int_equal(len, 3);
    assert_memory_equal(copy, "a\0b", 4); /* and a NUL behind */
}

static void an_empty_text_is_not_null(void **state)
{
    AUTO(stmt) struct stmt *s = NULL;
    AUTO(mem) char *copy = NULL;

    assert_int_equal(stmt_get(writer(state), ECHO, &s, NULL), 0);
    stmt_text(s, 1, "");
    stmt_text_len(s, 2, "tail", 0);
    stmt_i64(s, 3, 0);
    assert_int_equal(stmt_step(s, NULL), 1);
    copy = stmt_col_copy(s, 0, NULL);
    assert_string_equal(copy, "");
    assert_string_equal(stmt_col_text(s, 1), "");
}

static void a_statement_is_prepared_once_and_starts_afresh(void **state)
{
    struct stmt *first = NULL;
    struct stmt *second = NULL;

    assert_int_equal(stmt_get(writer(state), TWO_ROWS, &first, NULL), 0);
    assert_int_equal(stmt_step(first, NULL), 1);
    assert_null(stmt_free(first));
    assert_int_equal(stmt_get(writer(state), TWO_ROWS, &second, NULL), 0);
    assert_ptr_equal(first, second);
    assert_int_equal(stmt_step(second, NULL), 1);
    assert_int_equal(stmt_col_int(second, 0), 1);
    assert_int_equal(stmt_step(second, NULL), 1);
    assert_int_equal(stmt_step(second, NULL), 0);
    (void)stmt_free(second);
    assert_null(stmt_free(NULL));
}

static void a_bind_that_failed_is_told_by_the_step(void **state)
{
    struct db *db = writer(state);
    int old = sqlite3_limit(db->handle, SQLITE_LIMIT_LENGTH, 30);
    AUTO(stmt) struct stmt *s = NULL;
    struct errinfo e;

    assert_int_equal(stmt_get(db, ECHO, &s, &e), 0);
    stmt_i64(s, 1, 1);
    stmt_text(s, 2, "a text that is far too long for the limit");
    stmt_i64(s, 3, 3);
    assert_int_equal(stmt_step(s, &e), ERR_DATABASE);
    assert_non_null(strstr(e.text, "too big"));
    (void)sqlite3_limit(db->handle, SQLITE_LIMIT_LENGTH, old);
}

static void wrong_sql_is_an_error_with_its_text(void **state)
{
    struct stmt *s = NULL;
    struct errinfo e;

    assert_int_equal(stmt_get(writer(state), NONSENSE, &s, &e), ERR_DATABASE);
    assert_null(s);
    assert_non_null(strstr(e.text, "syntax error"));
}

static void no_row_is_not_an_error(void **state)
{
    AUTO(stmt) struct stmt *s = NULL;

    assert_int_equal(stmt_get(writer(state), NO_ROWS, &s, NULL), 0);
    assert_int_equal(stmt_step(s, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_come_back_as_they_were_bound),
        TEST(an_empty_text_is_not_null),
        TEST(a_statement_is_prepared_once_and_starts_afresh),
        TEST(a_bind_that_failed_is_told_by_the_step),
        TEST(wrong_sql_is_an_error_with_its_text),
        TEST(no_row_is_not_an_error),
    };

    return cmocka_run_group_tests_name("store/sqlite/stmt", tests, NULL, NULL);
}
