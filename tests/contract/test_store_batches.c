/* Batches in the ledger: what their members' changes mean to them. */
#include "tests/support/test.h"

#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/support/store_fixture.h"

/* clang-format off */
#define TEST(f) cmocka_unit_test_setup_teardown(f, store_fixture_setup, store_fixture_teardown)
/* clang-format on */

static struct uuid7 insert_member(struct store_fixture *f, struct uuid7 batch, int64_t index)
{
    struct job job = store_fixture_job(f);
    struct uuid7 id = job.id;

    job.batch = batch;
    job.array_place = index + 1;
    assert_int_equal(store_job_insert(f->st, &job, &f->e), 0);
    job_fini(&job);
    return id;
}

/* The moves of one batch, and of no other: how many more are queued, running and so on. */
static void expect_move(struct store_fixture *f, struct uuid7 batch, enum job_state state,
                        int64_t delta)
{
    AUTO(mem) struct store_batch_move *moves = NULL;
    int n = store_take_batch_moves(f->st, &moves);

    assert_int_equal(n, 1);
    assert_true(uuid7_equal(moves[0].batch, batch));
    assert_int_equal(moves[0].delta[state], delta);
}

static void expect_no_move(struct store_fixture *f)
{
    AUTO(mem) struct store_batch_move *moves = NULL;

    assert_int_equal(store_take_batch_moves(f->st, &moves), 0);
}

/* -- members ------------------------------------------------------------------------------- */

static void a_member_knows_its_batch_and_its_place(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 batch = uuid7_new(&f->gen, f->now_us);
    struct uuid7 id;
    struct job job;

    store_fixture_begin(f);
    id = insert_member(f, batch, 0);
    store_fixture_commit(f);
    store_fixture_reopen(f);
    job = store_fixture_read(f, id);
    assert_true(uuid7_equal(job.batch, batch));
    assert_int_equal(job.array_place, 1);
    assert_int_equal(job.fingerprint, 0);
    job_fini(&job);
}

static void a_plain_job_has_no_batch_and_moves_none(void **state)
{
    struct store_fixture *f = *state;
    struct job job = store_fixture_job(f);
    struct uuid7 id = job.id;

    store_fixture_begin(f);
    assert_int_equal(store_job_insert(f->st, &job, &f->e), 0);
    job_fini(&job);
    expect_no_move(f);
    store_fixture_commit(f);
    job = store_fixture_read(f, id);
    assert_false(uuid7_is_set(job.batch));
    assert_int_equal(job.array_place, 0);
    job_fini(&job);
}

static void every_change_of_a_member_is_a_move(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 batch = uuid7_new(&f->gen, f->now_us);
    struct uuid7 id;
    struct outcome o;
    struct job job = { 0 };

    store_fixture_begin(f);
    id = insert_member(f, batch, 0);
    expect_move(f, batch, JOB_QUEUED, 1);
    expect_no_move(f); /* they were taken */
    assert_int_equal(store_job_claim(f->st, "", 1, 2, f->now_us, &job, &f->e), 0);
    expect_move(f, batch, JOB_RUNNING, 1);
    job_fini(&job);
    assert_int_equal(store_job_progress(f->st, id, 1, 5, NULL, f->now_us, &f->e), 0);
    expect_no_move(f); /* its state is the same */
    assert_int_equal(store_job_release(f->st, id, 1, NULL, f->now_us, &f->e), 0);
    expect_move(f, batch, JOB_RUNNING, -1);
    assert_int_equal(store_job_claim(f->st, "", 1, 2, f->now_us, &job, &f->e), 0);
    job_fini(&job);
    o = store_fixture_outcome(id, 2);
    o.cause = CAUSE_EXIT_CODE;
    assert_int_equal(store_job_retry(f->st, &o, f->now_us, f->now_us, &f->e), 0);
    expect_move(f, batch, JOB_SCHEDULED, 1);
    assert_int_equal(store_job_cancel_waiting(f->st, id, NULL, f->now_us, &f->e), 0);
    expect_move(f, batch, JOB_CANCELED, 1);
    store_fixture_commit(f);
}

static void moves_are_summed_up_for_each_batch(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 a = uuid7_new(&f->gen, f->now_us);
    struct uuid7 b = uuid7_new(&f->gen, f->now_us);
    AUTO(mem) struct store_batch_move *moves = NULL;
    int first;

    store_fixture_begin(f);
    for (int i = 0; i < 10; i++)
        (void)insert_member(f, i < 7 ? a : b, i);
    assert_int_equal(store_take_batch_moves(f->st, &moves), 2);
    first = uuid7_equal(moves[0].batch, a) ? 0 : 1;
    assert_int_equal(moves[first].delta[JOB_QUEUED], 7);
    assert_int_equal(moves[1 - first].delta[JOB_QUEUED], 3);
    store_fixture_commit(f);
}

static void moves_end_with_their_transaction(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 batch = uuid7_new(&f->gen, f->now_us);

    store_fixture_begin(f);
    (void)insert_member(f, batch, 0);
    store_rollback(f->st);
    store_fixture_begin(f);
    expect_no_move(f);
    (void)insert_member(f, batch, 1);
    store_fixture_commit(f);
    store_fixture_begin(f);
    expect_no_move(f);
    store_fixture_commit(f);
}

static void a_failed_job_carries_the_fingerprint_of_its_failure(void **state)
{
    struct store_fixture *f = *state;
    struct job job = store_fixture_job(f);
    struct uuid7 id = store_fixture_make(f, &job, JOB_RUNNING);
    struct outcome o = store_fixture_outcome(id, 1);

    o.cause = CAUSE_EXIT_CODE;
    o.fingerprint = 4711;
    store_fixture_begin(f);
    assert_int_equal(store_job_finish(f->st, &o, JOB_FAILED, f->now_us, &f->e), 0);
    store_fixture_commit(f);
    job = store_fixture_read(f, id);
    assert_int_equal(job.fingerprint, 4711);
    job_fini(&job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_member_knows_its_batch_and_its_place),
        TEST(a_plain_job_has_no_batch_and_moves_none),
        TEST(every_change_of_a_member_is_a_move),
        TEST(moves_are_summed_up_for_each_batch),
        TEST(moves_end_with_their_transaction),
        TEST(a_failed_job_carries_the_fingerprint_of_its_failure),
    };
    int failed = 0;

    for (size_t i = 0; i < store_fixture_backend_count; i++) {
        store_fixture_use(store_fixture_backends[i]);
        failed |= cmocka_run_group_tests_name(store_fixture_backends[i], tests, NULL, NULL);
    }
    return failed;
}
