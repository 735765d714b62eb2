/* Jobs of which there is to be one at a time, as every backend must find them. */
#include "tests/support/test.h"

#include "store/store.h"

#include <string.h>

#include "tests/support/store_fixture.h"

/* clang-format off */
#define TEST(f) cmocka_unit_test_setup_teardown(f, store_fixture_setup, store_fixture_teardown)
/* clang-format on */

static const struct uuid7 none;

static const unsigned char *digest_of(char c)
{
    static unsigned char digest[SHA256_BYTES];

    (void)memset(digest, c, sizeof digest);
    return digest;
}

/* A job in this state with this digest. */
static struct uuid7 make(struct store_fixture *f, char digest, enum job_state state)
{
    struct job job = store_fixture_job(f);
    struct uuid7 id = store_fixture_make(f, &job, state);

    store_fixture_begin(f);
    assert_int_equal(store_unique_insert(f->st, id, digest_of(digest), none, &f->e), 0);
    store_fixture_commit(f);
    return id;
}

static int find(struct store_fixture *f, char digest, struct store_alike *items, size_t max)
{
    int count;

    store_fixture_begin(f);
    count = store_unique_find(f->st, digest_of(digest), items, max, &f->e);
    store_fixture_commit(f);
    return count;
}

static void jobs_are_found_by_their_digest_the_newest_first(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 first = make(f, 'a', JOB_SUCCEEDED);
    struct store_alike items[3];

    (void)make(f, 'b', JOB_CANCELED);
    {
        struct uuid7 second = make(f, 'a', JOB_CANCELING);
        struct job job = store_fixture_read(f, second);

        assert_int_equal(find(f, 'a', items, 3), 2);
        assert_true(uuid7_equal(items[0].id, second));
        assert_int_equal(items[0].state, JOB_CANCELING);
        assert_int_equal(items[0].created_at_us, job.created_at_us);
        job_fini(&job);
    }
    assert_true(uuid7_equal(items[1].id, first));
    assert_int_equal(items[1].state, JOB_SUCCEEDED);
    assert_int_equal(find(f, 'a', items, 1), 1);
    assert_int_equal(find(f, 'c', items, 3), 0);
    store_fixture_reopen(f);
    assert_int_equal(find(f, 'a', items, 3), 2);
}

static void a_job_knows_its_digest(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, 'a', JOB_FAILED);
    struct job job = store_fixture_job(f);
    unsigned char digest[SHA256_BYTES];
    struct uuid7 plain = store_fixture_make(f, &job, JOB_QUEUED);

    store_fixture_begin(f);
    assert_int_equal(store_unique_of(f->st, id, digest, &f->e), 0);
    assert_memory_equal(digest, digest_of('a'), SHA256_BYTES);
    assert_int_equal(store_unique_of(f->st, plain, digest, &f->e), ERR_NOT_FOUND);
    store_fixture_commit(f);
}

static void jobs_without_a_digest_are_like_no_other(void **state)
{
    struct store_fixture *f = *state;
    struct job job = store_fixture_job(f);
    struct store_alike items[3];

    (void)store_fixture_make(f, &job, JOB_QUEUED);
    assert_int_equal(find(f, '\0', items, 3), 0);
}

static void those_before_a_job_are_forgotten(void **state)
{
    struct store_fixture *f = *state;
    struct store_alike items[8];
    struct uuid7 ids[4];
    struct uuid7 other = make(f, 'b', JOB_SUCCEEDED);

    for (size_t i = 0; i < 4; i++) {
        struct job job = store_fixture_job(f);

        ids[i] = store_fixture_make(f, &job, JOB_SUCCEEDED);
        store_fixture_begin(f);
        assert_int_equal(
            store_unique_insert(f->st, ids[i], digest_of('a'), i == 3 ? ids[1] : none, &f->e),
            0);
        store_fixture_commit(f);
    }
    assert_int_equal(find(f, 'a', items, 8), 3);
    assert_true(uuid7_equal(items[2].id, ids[1]));
    assert_int_equal(find(f, 'b', items, 8), 1);
    assert_true(uuid7_equal(items[0].id, other));
}

static void a_job_that_is_removed_is_like_no_other(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, 'a', JOB_SUCCEEDED);
    struct store_alike items[3];
    int attempts;

    store_fixture_begin(f);
    assert_int_equal(store_job_remove(f->st, id, false, f->now_us, &attempts, &f->e), 0);
    store_fixture_commit(f);
    assert_int_equal(find(f, 'a', items, 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(jobs_are_found_by_their_digest_the_newest_first),
        TEST(a_job_knows_its_digest),
        TEST(jobs_without_a_digest_are_like_no_other),
        TEST(those_before_a_job_are_forgotten),
        TEST(a_job_that_is_removed_is_like_no_other),
    };
    int failed = 0;

    for (size_t i = 0; i < store_fixture_backend_count; i++) {
        store_fixture_use(store_fixture_backends[i]);
        failed += cmocka_run_group_tests_name(store_fixture_backends[i], tests, NULL, NULL);
    }
    return failed;
}
