/* Readers that see the jobs of one tenant only. */
#include "tests/support/test.h"

#include "store/store.h"

#include <stdlib.h>

#include "tests/support/store_fixture.h"

/* clang-format off */
#define TEST(f) cmocka_unit_test_setup_teardown(f, store_fixture_setup, store_fixture_teardown)
/* clang-format on */

static const char POOL[] = "resize"; /* of jobs that a test wants to itself */

static struct uuid7 make_of(struct store_fixture *f, const char *tenant, enum job_state state)
{
    struct job job = store_fixture_job(f);

    store_fixture_set(&job.pool, POOL);
    store_fixture_set(&job.function, POOL);
    store_fixture_set(&job.tenant, tenant);
    return store_fixture_make(f, &job, state);
}

/* Every read that finds a job by its id. */
static void assert_seen(struct store_fixture *f, const char *tenant, struct uuid7 id,
                        int expected)
{
    AUTO_FINI(store_events) struct store_events events = { 0 };
    AUTO_FINI(attempts) struct attempts attempts = { 0 };
    AUTO_FINI(job) struct job job = { 0 };
    struct store_reader *rd = NULL;
    struct capture capture = { 0 };
    enum result_kind kind;
    enum job_state state;
    char *bytes = NULL;
    int64_t version;
    size_t len;

    assert_int_equal(store_reader_get(f->st, &rd, &f->e), 0);
    store_reader_see(rd, tenant);
    assert_int_equal(store_read_job(rd, id, 0, &job, &f->e), expected);
    assert_int_equal(store_read_version(rd, id, &version, &state, &f->e), expected);
    assert_int_equal(store_read_result(rd, id, &kind, &bytes, &len, &f->e), expected);
    assert_int_equal(store_read_attempts(rd, id, 0, &attempts, &f->e), expected);
    assert_int_equal(store_read_job_events(rd, id, 0, 10, &events, &f->e), expected);
    assert_int_equal(store_read_capture(rd, id, 1, STREAM_STDOUT, &capture, &f->e), expected);
    free(capture.data);
    store_reader_put(f->st, rd);
}

static void a_reader_finds_the_jobs_of_its_tenant_only(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 acme = make_of(f, "acme", JOB_SUCCEEDED);
    struct uuid7 nobodys = make_of(f, "", JOB_SUCCEEDED);

    assert_seen(f, "acme", acme, 0);
    assert_seen(f, "", nobodys, 0);
    assert_seen(f, NULL, acme, 0);
    assert_seen(f, NULL, nobodys, 0);
    assert_seen(f, "other", acme, ERR_JOB_NOT_FOUND);
    assert_seen(f, "", acme, ERR_JOB_NOT_FOUND);
    assert_seen(f, "acme", nobodys, ERR_JOB_NOT_FOUND);
}

static void a_borrowed_reader_has_forgotten_its_last_tenant(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 acme = make_of(f, "acme", JOB_QUEUED);
    AUTO_FINI(job) struct job job = { 0 };
    struct store_reader *rd = NULL;

    assert_int_equal(store_reader_get(f->st, &rd, &f->e), 0);
    store_reader_see(rd, "other");
    store_reader_put(f->st, rd);
    assert_int_equal(store_reader_get(f->st, &rd, &f->e), 0);
    assert_int_equal(store_read_job(rd, acme, 0, &job, &f->e), 0);
    store_reader_put(f->st, rd);
}

static void a_removed_job_has_never_been_there_for_others(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 acme = make_of(f, "acme", JOB_SUCCEEDED);
    int attempts;

    store_fixture_begin(f);
    assert_int_equal(store_job_remove(f->st, acme, false, f->now_us, &attempts, &f->e), 0);
    store_fixture_commit(f);
    assert_seen(f, "acme", acme, ERR_JOB_EXPIRED);
    assert_seen(f, "", acme, ERR_JOB_NOT_FOUND);
    assert_seen(f, "other", acme, ERR_JOB_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reader_finds_the_jobs_of_its_tenant_only),
        TEST(a_borrowed_reader_has_forgotten_its_last_tenant),
        TEST(a_removed_job_has_never_been_there_for_others),
    };
    int failed = 0;

    for (size_t i = 0; i < store_fixture_backend_count; i++) {
        store_fixture_use(store_fixture_backends[i]);
        failed += cmocka_run_group_tests_name(store_fixture_backends[i], tests, NULL, NULL);
    }
    return failed;
}
