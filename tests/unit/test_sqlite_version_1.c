/* A data directory of schema version 1, with all that is in it, under this jobd. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/sqlite/migrate.h"
#include "store/sqlite/sq.h"
#include "tests/support/store_fixture.h"

/* clang-format off */
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, store_fixture_teardown)
/* clang-format on */

/* A job that has failed, one that succeeded with output, one that waits. The ids are their keys
 * and random bits: uuid7_from_parts(). */
static const char ROWS[] =
    "UPDATE ledger SET change_seq = 9, last_key = 1003;"
    "INSERT INTO job VALUES"
    " (1001, 1, 'failed', 3, 3, 0, 1, 0, 5, 50, 10, 11, -1, 0, 12, 12, 0, 0, 10, 0, 0, '', 'q',"
    "  NULL, 'old', NULL, NULL, '{\"command\":[\"false\"]}'),"
    " (1002, 2, 'succeeded', 3, 6, 0, 2, 1, 6, 60, 20, 21, -1, 0, 22, 22, 0, 0, 20, 7, 8, '',"
    "  'q', 'f', NULL, NULL, NULL, '{}'),"
    " (1003, 3, 'queued', 1, 9, 5, 0, 0, 0, 0, 30, 0, -1, 0, 0, 30, 0, 0, 30, 0, 0, '', 'q',"
    "  NULL, NULL, NULL, NULL, '{\"command\":[\"true\"]}');"
    "INSERT INTO attempt VALUES"
    " (1001, 1, 'exit_code', 7, 0, 99, 11, 12, 1, 2, 3, 4, 5, 5, 0, 6, 6, 1, 0, 0, 'm', NULL),"
    " (1002, 2, 'none', 0, 0, 98, 21, 22, 1, 2, 3, 0, 3, 2, 0, 0, 0, 0, 1, 4, NULL, 'true');"
    "INSERT INTO attempt_output VALUES (1001, 1, 'stdout', x'68656c6c6f'),"
    " (1002, 2, 'stdout', x'00ff');";

static int setup(void **state)
{
    struct store_conf conf = { .durability = STORE_RELAXED };
    AUTO(mem) char *path = NULL;
    struct store_fixture *f;
    sqlite3 *db = NULL;
    size_t count;

    assert_int_equal(store_fixture_setup(state), 0);
    f = *state;
    path = db_path(f->dir);
    f->st = store_free(f->st);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, migrations_known(&count)[0].sql, NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, ROWS, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    conf.data_dir = f->dir;
    if (store_open("sqlite", &conf, &f->st, &f->e) < 0)
        fail_msg("store_open: %s", f->e.text);
    return 0;
}

static void the_schema_is_the_latest(void **state)
{
    struct store_fixture *f = *state;
    int64_t version;

    assert_int_equal(db_query_i64(sq_of(f->st)->db, "PRAGMA user_version", &version, &f->e), 0);
    assert_int_equal(version, migrations_latest());
    assert_true(version > 1);
}

static void a_failed_job_keeps_its_outcome_and_lacks_what_was_not_written_then(void **state)
{
    struct store_fixture *f = *state;
    AUTO_FINI(job) struct job job = store_fixture_read(f, uuid7_from_parts(1001, 1));
    const struct outcome *o = &job.outcome;

    assert_int_equal(job.state, JOB_FAILED);
    assert_int_equal(job.version, 3);
    assert_string_equal(job.name, "old");
    assert_true(job.has_outcome);
    assert_int_equal(o->cause, CAUSE_EXIT_CODE);
    assert_int_equal(o->exit_code, 7);
    assert_int_equal(o->pid, 99);
    assert_int_equal(o->leftovers_killed, 4);
    assert_string_equal(o->message, "m");
    assert_int_equal(o->captures[STREAM_STDOUT].kept_bytes, 5);
    assert_int_equal(o->captures[STREAM_STDOUT].head_bytes, 0);
    assert_true(o->captures[STREAM_STDERR].spilled);
    assert_int_equal(o->containment, CONTAINMENT_NONE);
    assert_int_equal(o->limits_enforced, 0);
    assert_null(o->spawn_stage);
}

static void a_succeeded_job_keeps_its_result_its_output_and_its_attempt(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = uuid7_from_parts(1002, 2);
    AUTO_FINI(job) struct job job = store_fixture_read(f, id);
    AUTO_FINI(attempts) struct attempts list = { 0 };
    struct store_reader *rd = NULL;
    struct capture c = { 0 };

    assert_int_equal(job.state, JOB_SUCCEEDED);
    assert_int_equal(job.releases, 1);
    assert_string_equal(job.outcome.result, "true");
    assert_int_equal(store_reader_get(f->st, &rd, &f->e), 0);
    assert_int_equal(store_read_capture(rd, id, 2, STREAM_STDOUT, &c, &f->e), 0);
    assert_int_equal(c.total_bytes, 3);
    assert_memory_equal(c.data, "\0\xff", 2);
    free(c.data);
    assert_int_equal(store_read_attempts(rd, id, 0, &list, &f->e), 0);
    store_reader_put(f->st, rd);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.items[0].number, 2);
    assert_int_equal(list.items[0].worker_id, 0); /* was not written then */
}

static void a_waiting_job_is_claimed_and_ends(void **state)
{
    struct store_fixture *f = *state;
    struct outcome o = store_fixture_outcome(uuid7_from_parts(1003, 3), 1);
    AUTO_FINI(job) struct job job = { 0 };

    store_fixture_begin(f);
    assert_int_equal(store_job_claim(f->st, "", 1, 2, f->now_us, &job, &f->e), 0);
    assert_int_equal(job.priority, 5);
    assert_int_equal(job.change_seq, 10);
    assert_int_equal(store_job_finish(f->st, &o, JOB_SUCCEEDED, f->now_us, &f->e), 0);
    store_fixture_commit(f);
    assert_int_equal(store_fixture_state(f, o.job_id), JOB_SUCCEEDED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_schema_is_the_latest),
        TEST(a_failed_job_keeps_its_outcome_and_lacks_what_was_not_written_then),
        TEST(a_succeeded_job_keeps_its_result_its_output_and_its_attempt),
        TEST(a_waiting_job_is_claimed_and_ends),
    };

    return cmocka_run_group_tests_name("store/sqlite from version 1", tests, NULL, NULL);
}
