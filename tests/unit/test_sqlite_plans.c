/* Every statement that the backend runs is asked for its plan, after a walk through all
 * operations has made it prepare them. */
#include "tests/support/test.h"

#include "store/sqlite/sq.h"
#include "store/store_batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tests/support/store_fixture.h"

/* clang-format off */
#define TEST(f) cmocka_unit_test_setup_teardown(f, store_fixture_setup, store_fixture_teardown)
/* clang-format on */

/* A job of each state; one with a large payload, one with output and a large result. */
static struct uuid7 make_jobs(struct store_fixture *f)
{
    struct job large = store_fixture_job(f);
    struct outcome o = store_fixture_outcome(large.id, 1);
    AUTO(mem) char *text = mem_new0(5001);
    struct uuid7 id = large.id;

    memset(text, '1', 5000);
    store_fixture_set(&large.payload, text);
    large.payload_len = 5000;
    (void)store_fixture_make(f, &large, JOB_RUNNING);
    o.captures[STREAM_STDERR] = (struct capture){ .kept_bytes = 9, .data = text };
    o.result_kind = RESULT_JSON;
    o.result = text;
    o.result_len = 5000;
    store_fixture_begin(f);
    assert_int_equal(store_job_progress(f->st, id, 1, 1, NULL, f->now_us, &f->e), 0);
    assert_int_equal(store_job_finish(f->st, &o, JOB_SUCCEEDED, f->now_us, &f->e), 0);
    store_fixture_commit(f);
    for (int s = JOB_STATE_MAX_ - 1; s >= 0; s--) { /* those that stay queued come last */
        struct job job = store_fixture_job(f);

        (void)store_fixture_make(f, &job, (enum job_state)s);
    }
    return id;
}

static void use_writer(struct store_fixture *f, struct uuid7 id)
{
    struct store_owned *owned = NULL;
    struct uuid7 due[2];
    struct job job = { 0 };
    const struct idempotency_record answer = { .status = 202 };
    unsigned char digest[SHA256_BYTES] = { 0 };
    struct store_alike alike;
    struct outcome o;
    int64_t number;

    store_fixture_begin(f);
    assert_int_equal(store_job_get(f->st, id, &job, &f->e), 0);
    job_fini(&job);
    assert_int_equal(store_jobs_due(f->st, INT64_MAX, due, 2, &f->e), 1);
    assert_int_equal(store_job_cancel_waiting(f->st, due[0], NULL, f->now_us, &f->e), 0);
    assert_int_equal(store_job_claim(f->st, "", 1, 2, f->now_us, &job, &f->e), 0);
    assert_int_equal(store_job_release(f->st, job.id, 1, NULL, f->now_us, &f->e), 0);
    job_fini(&job);
    assert_int_equal(store_job_claim(f->st, "", 1, 2, f->now_us, &job, &f->e), 0);
    o = store_fixture_outcome(job.id, job.attempt);
    assert_int_equal(store_job_retry(f->st, &o, f->now_us, f->now_us, &f->e), 0);
    assert_int_equal(store_count_attempts(f->st, job.id, CAUSE_NONE, &number, &f->e), 0);
    assert_int_equal(store_jobs_due(f->st, INT64_MAX, due, 2, &f->e), 1);
    job_fini(&job);
    assert_int_equal(store_next_due(f->st, &number, &f->e), 0);
    assert_int_equal(store_count_waiting(f->st, &number, &f->e), 0);
    assert_int_equal(store_count_waiting_in(f->st, "default", &number, &f->e), 0);
    assert_int_equal(store_last_key(f->st, &number, &f->e), 0);
    assert_true(store_jobs_owned(f->st, &owned, &f->e) > 0);
    free(owned);
    assert_int_equal(store_unique_find(f->st, digest, &alike, 1, &f->e), 0);
    assert_int_equal(store_unique_of(f->st, id, digest, &f->e), ERR_NOT_FOUND);
    assert_int_equal(store_unique_insert(f->st, id, digest, id, &f->e), 0);
    assert_int_equal(store_idempotency_insert(f->st, &answer, &f->e), 0);
    assert_int_equal(store_idempotency_expire(f->st, 1, 1, &number, &f->e), 1);
    assert_int_equal(store_jobs_repool(f->st, NULL, "x", &f->e), 1);
    store_rollback(f->st);
    store_fixture_begin(f);
    store_fixture_commit(f);
}

static void use_removal(struct store_fixture *f, struct uuid7 id)
{
    struct store_ended ended[2];
    struct store_tombstone tombstones[2];
    struct job job = { 0 };
    int attempts;
    int64_t number;

    store_fixture_begin(f);
    assert_true(store_jobs_from(f->st, 0, ended, 2, &f->e) > 0);
    assert_int_equal(store_jobs_expired(f->st, INT64_MAX, ended, 2, &f->e), 0);
    assert_int_equal(store_next_expiry(f->st, &number, &f->e), 0);
    assert_int_equal(store_job_remove(f->st, id, true, f->now_us, &attempts, &f->e), 0);
    assert_int_equal(store_job_get(f->st, id, &job, &f->e), ERR_JOB_EXPIRED);
    assert_int_equal(store_tombstone_get(f->st, id, NULL, tombstones, &f->e), 0);
    assert_int_equal(store_tombstones_with_files(f->st, tombstones, 2, &f->e), 1);
    assert_int_equal(store_tombstone_cleared(f->st, id, &f->e), 0);
    assert_int_equal(store_oldest_tombstone(f->st, &number, &f->e), 0);
    assert_int_equal(store_tombstones_forget(f->st, INT64_MAX, 2, &f->e), 1);
    assert_int_equal(store_job_claim(f->st, "", 1, 2, f->now_us, &job, &f->e), 0);
    assert_int_equal(store_job_doom(f->st, job.id, f->now_us, &f->e), 0);
    assert_int_equal(store_job_rewrite(f->st, &job, 1, f->now_us, &f->e), ERR_NOT_FOUND);
    assert_int_equal(store_job_requeue(f->st, &job, 1, f->now_us, &f->e), ERR_NOT_FOUND);
    job_fini(&job);
    store_rollback(f->st);
}

static void use_reader(struct store_fixture *f, struct store_reader *rd, struct uuid7 id)
{
    const struct store_label label = { .name = "a", .value = "b" };
    struct store_query query = { .limit = 10 };
    struct store_page page = { 0 };
    int64_t count;
    bool exact;
    struct capture c = { 0 };
    enum result_kind kind;
    enum job_state state;
    struct job job = { 0 };
    struct idempotency_record answer = { 0 };
    const unsigned char scope[SHA256_BYTES] = { 0 };
    int64_t version;
    char *bytes = NULL;
    size_t len;

    assert_int_equal(store_read_job(rd, id, SIZE_MAX, &job, &f->e), 0);
    job_fini(&job);
    assert_int_equal(store_read_version(rd, id, &version, &state, &f->e), 0);
    assert_int_equal(store_read_result(rd, id, &kind, &bytes, &len, &f->e), 0);
    free(bytes);
    assert_int_equal(store_read_capture(rd, id, 1, STREAM_STDERR, &c, &f->e), 0);
    free(c.data);
    for (int number = 0; number < 2; number++) {
        AUTO_FINI(attempts) struct attempts list = { 0 };

        assert_int_equal(store_read_attempts(rd, id, number, &list, &f->e), 0);
    }
    assert_int_equal(store_read_idempotency(rd, scope, &answer, &f->e), ERR_NOT_FOUND);
    assert_int_equal(store_read_ping(rd, &f->e), 0);
    for (unsigned states = 0; states < 1u << JOB_STATE_MAX_; states++) {
        query.filter.states = states;
        query.ascending = !query.ascending || states < 1u << JOB_STATE_MAX_ / 2;
        assert_int_equal(store_read_jobs(rd, &query, &page, &f->e), 0);
        store_page_fini(&page);
    }
    for (int i = 0; i < 4; i++) {
        query.filter = (struct store_filter){ .name = i & 1 ? "x" : NULL,
                                              .labels = &label,
                                              .label_count = i & 1 ? 0 : 1,
                                              .cause = CAUSE_SIGNAL };
        query.ascending = i & 2;
        assert_int_equal(store_read_jobs(rd, &query, &page, &f->e), 0);
        store_page_fini(&page);
    }
    query.filter = (struct store_filter){ .cause = CAUSE_SIGNAL };
    assert_int_equal(store_read_job_count(rd, &query.filter, &count, &exact, &f->e), 0);
}

/* The lines of EXPLAIN QUERY PLAN. */
static void plan_of(struct db *db, const char *sql, struct buf *plan)
{
    AUTO(mem) char *explain = mem_printf("EXPLAIN QUERY PLAN %s", sql);
    sqlite3_stmt *s = NULL;

    assert_int_equal(sqlite3_prepare_v2(db->handle, explain, -1, &s, NULL), SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
        buf_add_str(plan, (const char *)sqlite3_column_text(s, 3));
        buf_add_char(plan, '\n');
    }
    buf_add_str(plan, "");
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
}

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

static bool is_bounded_sort(const char *sql)
{
    return has(sql, "INDEXED BY job_ready") &&
           has(sql, "id < ?2"); /* job_list.c: few are queued */
}

static void check_plan(struct db *db, const char *sql)
{
    AUTO_FINI(buf) struct buf plan = { 0 };

    plan_of(db, sql, &plan);
    if (!plan.data)
        return; /* BEGIN and its like, INSERT */
    for (const char *line = plan.data; *line; line = strchr(line, '\n') + 1) {
        bool is_scan = strncmp(line, "SCAN ", 5) == 0;
        bool is_partial = strncmp(line, "SCAN job USING", 14) == 0 ||
                          has(line, "SCAN batch USING INDEX batch_busy");
        bool is_queue = strncmp(line, "SCAN jobd_new_", 14) == 0; /* row_queue.h */

        if ((is_scan && !is_partial && !is_queue && !has(line, "(subquery")) ||
            has(line, "AUTOMATIC"))
            fail_msg("a full scan: %s\n%s", sql, plan.data);
    }
    if (has(plan.data, "TEMP B-TREE") && !is_bounded_sort(sql))
        fail_msg("a sort: %s\n%s", sql, plan.data);
}

static int check_statements(struct db *db)
{
    int count = 0;

    for (sqlite3_stmt *s = NULL; (s = sqlite3_next_stmt(db->handle, s)) != NULL; count++) {
        const char *sql = sqlite3_sql(s);

        if (strncmp(sql, "BEGIN", 5) == 0 || strcmp(sql, "COMMIT") == 0)
            continue;
        if (strcmp(sql, "ROLLBACK") != 0)
            check_plan(db, sql);
    }
    return count;
}

/* A batch that has ended as soon as it is there, with one kind of failure. */
static void use_batches(struct store_fixture *f)
{
    struct batch b = { .id = uuid7_new(&f->gen, f->now_us), .version = 1 };
    struct batch_job bj = { .job = store_fixture_job(f) };
    struct failure_group g = { .batch = b.id, .last_job = b.id, .sample_count = 1 };
    struct store_member members[2];
    struct uuid7 *busy = NULL;
    int64_t number;
    char none[] = "";

    g.tenant = g.queue = g.message = none;
    g.samples[0] = b.id;
    store_fixture_begin(f);
    assert_int_equal(store_batch_insert(f->st, &b, &f->e), 0);
    assert_int_equal(store_batch_spec_put(f->st, b.id, BATCH_SPEC_MEMBER, &bj, &f->e), 0);
    batch_job_fini(&bj);
    assert_int_equal(store_batch_spec_get(f->st, b.id, BATCH_SPEC_MEMBER, &bj, &f->e), 0);
    batch_job_fini(&bj);
    b.version++;
    assert_int_equal(store_batch_update(f->st, &b, &f->e), 0);
    assert_int_equal(store_batch_get(f->st, b.id, &b, &f->e), 0);
    assert_int_equal(store_batch_members(f->st, b.id, 0, members, 2, &f->e), 0);
    assert_int_equal(store_batches_busy(f->st, &busy, &number, &f->e), 0);
    assert_int_equal(store_failure_add(f->st, &g, &f->e), ERR_NOT_FOUND);
    assert_int_equal(store_failure_insert(f->st, &g, &f->e), 0);
    assert_int_equal(store_failure_count(f->st, "", &number, &f->e), 0);
    assert_int_equal(store_failure_forget_oldest(f->st, "", &f->e), 0);
    g.batch = (struct uuid7){ 0 };
    assert_int_equal(store_failure_insert(f->st, &g, &f->e), 0);
    assert_int_equal(store_failure_forget_oldest(f->st, "", &f->e), 0);
    assert_int_equal(store_batches_forget(f->st, 1, 1, &number, &f->e), 0);
    store_fixture_commit(f);
}

static void read_batches(struct store_fixture *f, struct store_reader *rd)
{
    const struct store_batch_filter all = { .limit = 10 };
    const struct store_failure_filter failures = { .tenant = "", .limit = 10 };
    struct store_batches batches = { 0 };
    struct store_failures groups = { 0 };
    struct batch b = { 0 };

    assert_int_equal(store_read_batches(rd, &all, &batches, &f->e), 0);
    assert_int_equal(store_read_batch(rd, batches.items[0].id, &b, &f->e), 0);
    batch_fini(&b);
    store_batches_fini(&batches);
    assert_int_equal(store_read_failures(rd, &failures, &groups, &f->e), 0);
    store_failures_fini(&groups);
}

static void no_statement_scans_a_table_or_sorts(void **state)
{
    struct store_fixture *f = *state;
    struct store_reader *rd = NULL;
    struct uuid7 id = make_jobs(f);

    use_writer(f, id);
    use_batches(f);
    use_removal(f, id);
    assert_int_equal(store_reader_get(f->st, &rd, &f->e), 0);
    use_reader(f, rd, id);
    read_batches(f, rd);
    assert_in_range(check_statements(sq_of(f->st)->db), 28, 128);
    assert_in_range(check_statements(sq_reader_db(rd)), 14, 128);
    store_reader_put(f->st, rd);
}

/* The one statement that every job waits for. */
static void the_next_job_is_the_head_of_its_index(void **state)
{
    struct store_fixture *f = *state;
    struct db *db = sq_of(f->st)->db;
    bool seen = false;

    (void)make_jobs(f);
    for (sqlite3_stmt *s = NULL; (s = sqlite3_next_stmt(db->handle, s)) != NULL;) {
        AUTO_FINI(buf) struct buf plan = { 0 };

        if (!has(sqlite3_sql(s), "ORDER BY priority DESC"))
            continue;
        plan_of(db, sqlite3_sql(s), &plan);
        assert_string_equal(plan.data, "SEARCH job USING INDEX job_ready (pool=?)\n");
        seen = true;
    }
    assert_true(seen);
}

static int64_t ask(struct db *db, const char *sql)
{
    int64_t number = -1;

    assert_int_equal(db_query_i64(db, sql, &number, NULL), 0);
    return number;
}

/* A change of state rewrites the job's row: what is large is kept out of it. */
static void large_payloads_and_results_live_apart_from_their_rows(void **state)
{
    struct store_fixture *f = *state;
    struct db *db = sq_of(f->st)->db;

    (void)make_jobs(f);
    assert_int_equal(ask(db, "SELECT count(*) FROM job_payload"), 1);
    assert_int_equal(ask(db, "SELECT count(*) FROM job WHERE payload IS NULL"), 1);
    assert_int_equal(ask(db, "SELECT max(length(payload)) < 100 FROM job"), 1);
    assert_int_equal(ask(db, "SELECT count(*) FROM attempt_output WHERE kind = 'result'"), 1);
    assert_int_equal(ask(db, "SELECT count(*) FROM attempt WHERE result IS NOT NULL"), 0);
    assert_true(ask(db, "SELECT count(*) FROM job WHERE outcome IS NOT NULL") > 0);
    assert_int_equal(ask(db, "SELECT max(length(outcome)) < 100 FROM job"), 1);
}

static int runs_of(struct db *db, const char *part)
{
    for (sqlite3_stmt *s = NULL; (s = sqlite3_next_stmt(db->handle, s)) != NULL;)
        if (has(sqlite3_sql(s), part))
            return sqlite3_stmt_status(s, SQLITE_STMTSTATUS_RUN, 0);
    return 0;
}

static void jobs_that_are_in_their_pool_are_not_looked_at_again(void **state)
{
    struct store_fixture *f = *state;

    for (int i = 0; i < 3; i++) {
        store_fixture_begin(f);
        assert_int_equal(store_jobs_repool(f->st, "score", "score", &f->e), 0);
        store_fixture_commit(f);
        store_fixture_reopen(f);
    }
    store_fixture_begin(f);
    assert_int_equal(store_jobs_repool(f->st, "score", "score", &f->e), 0);
    assert_int_equal(runs_of(sq_of(f->st)->db, "INDEXED BY job_ready SET pool"), 0);
    assert_int_equal(store_jobs_repool(f->st, "score", "", &f->e), 0);
    assert_int_equal(runs_of(sq_of(f->st)->db, "INDEXED BY job_ready SET pool"), 1);
    store_fixture_commit(f);
}

/* They are not enforced at run time: store/sqlite/db.c says why. */
static void all_references_hold_after_all_operations(void **state)
{
    struct store_fixture *f = *state;
    struct db *db = sq_of(f->st)->db;

    use_writer(f, make_jobs(f));
    use_batches(f);
    assert_int_equal(ask(db, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    assert_int_equal(ask(db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
    assert_true(ask(db, "SELECT count(*) FROM pragma_foreign_key_list('attempt')") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_statement_scans_a_table_or_sorts),
        TEST(the_next_job_is_the_head_of_its_index),
        TEST(large_payloads_and_results_live_apart_from_their_rows),
        TEST(jobs_that_are_in_their_pool_are_not_looked_at_again),
        TEST(all_references_hold_after_all_operations),
    };

    return cmocka_run_group_tests_name("store/sqlite plans", tests, NULL, NULL);
}
