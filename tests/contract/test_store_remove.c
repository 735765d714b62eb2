/* Changing what does not run, removing what has ended, and what is told of it afterwards. */
#include "tests/support/test.h"

#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/support/store_fixture.h"

/* clang-format off */
#define TEST(f) cmocka_unit_test_setup_teardown(f, store_fixture_setup, store_fixture_teardown)
/* clang-format on */

#define TTL_US (60 * USEC_PER_SEC)

static const char POOL[] = "p";

static struct uuid7 make_with_ttl(struct store_fixture *f, enum job_state state, usec_t ttl_us)
{
    struct job job = store_fixture_job(f);

    store_fixture_set(&job.pool, POOL);
    job.ttl_us = ttl_us;
    return store_fixture_make(f, &job, state);
}

static struct uuid7 make(struct store_fixture *f, enum job_state state)
{
    return make_with_ttl(f, state, 0);
}

static int try_remove(struct store_fixture *f, struct uuid7 id, bool has_files,
                      int *ret_attempts)
{
    int r;

    store_fixture_begin(f);
    r = store_job_remove(f->st, id, has_files, f->now_us, ret_attempts, &f->e);
    store_fixture_commit(f);
    return r;
}

/* Remove it; returns the attempts whose files are to go. */
static int remove_job(struct store_fixture *f, struct uuid7 id, bool has_files)
{
    int attempts = -1;
    int r = try_remove(f, id, has_files, &attempts);

    if (r < 0)
        fail_msg("store_job_remove: %d %s", r, f->e.text);
    return attempts;
}

/* What each read of this job says. */
static void assert_reads(struct store_fixture *f, struct uuid7 id, int expected)
{
    struct store_reader *rd = NULL;
    struct attempts attempts = { 0 };
    struct capture capture = { 0 };
    struct job job = { 0 };
    enum job_state state;
    enum result_kind kind;
    int64_t version;
    char *bytes = NULL;
    size_t len;

    assert_int_equal(store_reader_get(f->st, &rd, &f->e), 0);
    assert_int_equal(store_read_job(rd, id, 0, &job, &f->e), expected);
    assert_int_equal(store_read_version(rd, id, &version, &state, &f->e), expected);
    assert_int_equal(store_read_result(rd, id, &kind, &bytes, &len, &f->e), expected);
    assert_int_equal(store_read_attempts(rd, id, 0, &attempts, &f->e), expected);
    assert_int_equal(store_read_capture(rd, id, 1, STREAM_STDOUT, &capture, &f->e), expected);
    store_reader_put(f->st, rd);
}

/* -- removing -------------------------------------------------------------------------------
 */

static void a_job_that_has_ended_is_removed_and_remembered(void **state)
{
    static const enum job_state ends[] = { JOB_SUCCEEDED, JOB_FAILED, JOB_CANCELED };
    struct store_fixture *f = *state;
    struct uuid7 other = make(f, JOB_SUCCEEDED);

    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        struct uuid7 id = make(f, ends[i]);

        assert_int_equal(remove_job(f, id, false), 0);
        assert_reads(f, id, ERR_JOB_EXPIRED);
        assert_string_equal(f->e.fact_name, "expired_at");
        assert_int_equal(strncmp(f->e.fact, "2025-11-24T", 11), 0); /* FIXTURE_NOW */
        store_fixture_reopen(f);
        assert_reads(f, id, ERR_JOB_EXPIRED);
    }
    assert_int_equal(store_fixture_state(f, other), JOB_SUCCEEDED);
}

static void a_job_that_has_not_ended_is_not_removed(void **state)
{
    struct store_fixture *f = *state;

    for (int s = 0; s < JOB_STATE_MAX_; s++) {
        struct uuid7 id;
        int attempts;

        if (job_state_is_final((enum job_state)s))
            continue;
        (void)store_fixture_teardown(state);
        (void)store_fixture_setup(state);
        f = *state;
        id = make(f, (enum job_state)s);
        assert_int_equal(try_remove(f, id, true, &attempts), ERR_NOT_FOUND);
        assert_int_equal(store_fixture_state(f, id), s);
    }
}

static void what_was_removed_is_not_found_under_a_similar_id(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_FAILED);
    struct uuid7 similar = { .hi = id.hi, .lo = id.lo ^ 1 };
    int attempts;

    assert_int_equal(try_remove(f, similar, false, &attempts), ERR_NOT_FOUND);
    (void)remove_job(f, id, false);
    f->e = (struct errinfo){ 0 };
    assert_reads(f, similar, ERR_JOB_NOT_FOUND);
    assert_null(f->e.fact_name);
    assert_int_equal(try_remove(f, id, false, &attempts), ERR_NOT_FOUND);
}

/* Large payload, output, a large result, several attempts: nothing is left in any table that a
 * job of the same key would find. The backend's own tests look into the tables. */
static void everything_of_a_job_goes_with_it(void **state)
{
    struct store_fixture *f = *state;
    struct job job = store_fixture_job(f);
    struct outcome o;
    struct job claimed = { 0 };
    struct uuid7 id;
    int attempts;

    free(job.payload);
    job.payload = mem_new0(5001);
    memset(job.payload, 'x', 5000);
    job.payload_len = 5000;
    store_fixture_set(&job.pool, POOL);
    id = store_fixture_make(f, &job, JOB_RUNNING);
    store_fixture_begin(f);
    o = store_fixture_outcome(id, 1);
    o.cause = CAUSE_EXIT_CODE;
    assert_int_equal(store_job_retry(f->st, &o, f->now_us, f->now_us, &f->e), 0);
    assert_int_equal(store_jobs_due(f->st, f->now_us, (struct uuid7[1]){ 0 }, 1, &f->e), 1);
    assert_int_equal(store_job_claim(f->st, POOL, 1, 1, f->now_us, &claimed, &f->e), 0);
    job_fini(&claimed);
    o = store_fixture_outcome(id, 2);
    o.captures[STREAM_STDOUT] =
        (struct capture){ .total_bytes = 3, .kept_bytes = 3, .data = mem_str("abc") };
    o.result_kind = RESULT_JSON;
    o.result = mem_new0(3001);
    memset(o.result, '1', 3000);
    o.result_len = 3000;
    assert_int_equal(store_job_finish(f->st, &o, JOB_SUCCEEDED, f->now_us, &f->e), 0);
    outcome_fini(&o);
    store_fixture_commit(f);

    attempts = remove_job(f, id, false);
    assert_int_equal(attempts, 0);
    job = store_fixture_job(f);
    job.id = id; /* no other key would show what is left */
    store_fixture_set(&job.pool, POOL);
    (void)store_fixture_make(f, &job, JOB_RUNNING);
    job = store_fixture_read(f, id);
    assert_string_equal(job.payload, "{\"command\":[\"true\"]}");
    assert_false(job.has_outcome);
    job_fini(&job);
}

/* -- files ----------------------------------------------------------------------------------
 */

static void files_are_remembered_until_they_are_gone(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_FAILED);
    struct uuid7 plain = make(f, JOB_FAILED);
    struct store_tombstone items[4];

    assert_int_equal(remove_job(f, plain, false), 0);
    assert_int_equal(remove_job(f, id, true), 1);
    store_fixture_reopen(f);
    store_fixture_begin(f);
    assert_int_equal(store_tombstones_with_files(f->st, items, 4, &f->e), 1);
    assert_true(uuid7_equal(items[0].id, id));
    assert_int_equal(items[0].attempts, 1);
    /* It is not forgotten as long as there are files. */
    assert_int_equal(store_tombstones_forget(f->st, f->now_us + 1, 9, &f->e), 1);
    assert_int_equal(store_tombstone_cleared(f->st, id, &f->e), 0);
    assert_int_equal(store_tombstone_cleared(f->st, id, &f->e), 0);
    assert_int_equal(store_tombstones_with_files(f->st, items, 4, &f->e), 0);
    store_fixture_commit(f);
    assert_reads(f, id, ERR_JOB_EXPIRED);
    assert_reads(f, plain, ERR_JOB_NOT_FOUND);
}

static void spilled_output_counts_as_files(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_RUNNING);
    struct outcome o = store_fixture_outcome(id, 1);

    o.captures[STREAM_STDERR] =
        (struct capture){ .total_bytes = 9, .kept_bytes = 9, .spilled = true };
    store_fixture_begin(f);
    assert_int_equal(store_job_finish(f->st, &o, JOB_SUCCEEDED, f->now_us, &f->e), 0);
    store_fixture_commit(f);
    assert_int_equal(remove_job(f, id, false), 1);
}

/* -- tombstones -----------------------------------------------------------------------------
 */

static void tombstones_are_forgotten_the_oldest_first(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 ids[3];
    usec_t times[3];
    usec_t oldest;

    for (int i = 0; i < 3; i++) {
        ids[2 - i] = make(f, JOB_SUCCEEDED); /* not in the order of their ids */
    }
    for (int i = 0; i < 3; i++) {
        (void)remove_job(f, ids[i], false);
    }
    store_fixture_begin(f);
    for (int i = 0; i < 3; i++) {
        struct store_tombstone t;

        assert_int_equal(store_tombstone_get(f->st, ids[i], NULL, &t, &f->e), 0);
        times[i] = t.expired_at_us;
    }
    assert_int_equal(store_oldest_tombstone(f->st, &oldest, &f->e), 0);
    assert_int_equal(oldest, times[0]);
    assert_int_equal(store_tombstones_forget(f->st, times[0], 9, &f->e), 0);
    assert_int_equal(store_tombstones_forget(f->st, times[2], 1, &f->e), 1);
    assert_int_equal(store_oldest_tombstone(f->st, &oldest, &f->e), 0);
    assert_int_equal(oldest, times[1]);
    assert_int_equal(store_tombstones_forget(f->st, times[2], 9, &f->e), 1);
    store_fixture_commit(f);
    assert_reads(f, ids[1], ERR_JOB_NOT_FOUND);
    assert_reads(f, ids[2], ERR_JOB_EXPIRED);
}

static void a_tombstone_is_found_by_its_tenant_only(void **state)
{
    struct store_fixture *f = *state;
    struct job job = store_fixture_job(f);
    struct store_tombstone t;
    struct uuid7 id;

    store_fixture_set(&job.tenant, "blue");
    store_fixture_set(&job.pool, POOL);
    id = store_fixture_make(f, &job, JOB_CANCELED);
    (void)remove_job(f, id, false);
    store_fixture_begin(f);
    assert_int_equal(store_tombstone_get(f->st, id, "blue", &t, &f->e), 0);
    assert_int_equal(store_tombstone_get(f->st, id, NULL, &t, &f->e), 0);
    assert_true(t.expired_at_us > FIXTURE_NOW);
    assert_int_equal(store_tombstone_get(f->st, id, "", &t, &f->e), ERR_NOT_FOUND);
    id.lo ^= 1;
    assert_int_equal(store_tombstone_get(f->st, id, NULL, &t, &f->e), ERR_NOT_FOUND);
    store_fixture_commit(f);
}

/* -- time to live ---------------------------------------------------------------------------
 */

static void a_job_of_its_own_time_expires_when_that_is_over(void **state)
{
    static const enum job_state ends[] = { JOB_SUCCEEDED, JOB_FAILED, JOB_CANCELED };
    struct store_fixture *f = *state;
    struct store_ended items[9];
    struct uuid7 ids[3];
    usec_t next;

    (void)make(f, JOB_SUCCEEDED); /* has none */
    for (size_t i = 0; i < COUNT_OF(ends); i++)
        ids[i] = make_with_ttl(f, ends[i], TTL_US + (usec_t)i * USEC_PER_SEC);
    store_fixture_begin(f);
    assert_int_equal(store_next_expiry(f->st, &next, &f->e), 0);
    assert_int_equal(next, FIXTURE_NOW + 2 + TTL_US); /* the outcome's end */
    assert_int_equal(store_jobs_expired(f->st, next - 1, items, 9, &f->e), 0);
    assert_int_equal(store_jobs_expired(f->st, next, items, 9, &f->e), 1);
    assert_true(uuid7_equal(items[0].id, ids[0]));
    assert_int_equal(items[0].state, JOB_SUCCEEDED);
    assert_int_equal(items[0].attempt, 1);
    assert_int_equal(items[0].finished_at_us, FIXTURE_NOW + 2);
    assert_int_equal(items[0].ttl_us, TTL_US);
    assert_int_equal(store_jobs_expired(f->st, next + TTL_US, items, 2, &f->e), 2);
    assert_int_equal(store_jobs_expired(f->st, next + TTL_US, items, 9, &f->e), 3);
    assert_true(uuid7_equal(items[2].id, ids[2]));
    store_fixture_commit(f);
}

static void a_waiting_job_that_is_canceled_expires_too(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make_with_ttl(f, JOB_SCHEDULED, TTL_US);
    AUTO_FINI(job) struct job job = { 0 };
    usec_t next;

    store_fixture_begin(f);
    assert_int_equal(store_next_expiry(f->st, &next, &f->e), 0);
    assert_int_equal(next, 0);
    assert_int_equal(store_job_cancel_waiting(f->st, id, NULL, f->now_us, &f->e), 0);
    assert_int_equal(store_next_expiry(f->st, &next, &f->e), 0);
    assert_int_equal(next, f->now_us + TTL_US);
    store_fixture_commit(f);
    job = store_fixture_read(f, id);
    assert_int_equal(job.expires_at_us, next);
    assert_int_equal(job.ttl_us, TTL_US);
}

static void a_job_in_hand_that_is_to_be_removed_expires_with_its_end(void **state)
{
    static const enum job_state owned[] = { JOB_RUNNING, JOB_CANCELING };
    struct store_fixture *f;
    usec_t next;

    for (size_t i = 0; i < COUNT_OF(owned); i++) {
        AUTO_FINI(job) struct job before = { 0 };
        AUTO_FINI(job) struct job after = { 0 };
        struct outcome o;
        struct uuid7 id;

        (void)store_fixture_teardown(state);
        (void)store_fixture_setup(state);
        f = *state;
        id = make_with_ttl(f, owned[i], TTL_US);
        before = store_fixture_read(f, id);
        store_fixture_begin(f);
        assert_int_equal(store_job_doom(f->st, id, f->now_us, &f->e), 0);
        assert_int_equal(store_job_doom(f->st, id, f->now_us, &f->e), 0); /* changes nothing */
        store_fixture_commit(f);
        after = store_fixture_read(f, id);
        assert_int_equal(after.version, before.version + 1);
        assert_int_equal(after.ttl_us, -1);
        store_fixture_begin(f);
        assert_int_equal(store_next_expiry(f->st, &next, &f->e), 0);
        assert_int_equal(next, 0);
        o = store_fixture_outcome(id, 1);
        assert_int_equal(store_job_finish(f->st, &o, JOB_SUCCEEDED, f->now_us, &f->e), 0);
        assert_int_equal(store_next_expiry(f->st, &next, &f->e), 0);
        assert_int_equal(next, o.finished_at_us);
        store_fixture_commit(f);
    }
}

static void only_a_job_in_hand_is_doomed(void **state)
{
    struct store_fixture *f;

    for (int s = 0; s < JOB_STATE_MAX_; s++) {
        struct uuid7 id;

        (void)store_fixture_teardown(state);
        (void)store_fixture_setup(state);
        f = *state;
        id = make(f, (enum job_state)s);
        store_fixture_begin(f);
        assert_int_equal(store_job_doom(f->st, id, f->now_us, &f->e),
                         job_state_is_owned((enum job_state)s) ? 0 : ERR_NOT_FOUND);
        store_fixture_commit(f);
    }
}

static void all_jobs_are_walked_in_the_order_of_their_ids(void **state)
{
    struct store_fixture *f = *state;
    struct store_ended items[3];
    struct uuid7 ids[5];
    int64_t key = 0;
    size_t seen = 0;
    int n;

    ids[0] = make(f, JOB_SUCCEEDED);
    ids[1] = make(f, JOB_FAILED);
    ids[2] = make(f, JOB_RUNNING);
    ids[3] = make(f, JOB_SCHEDULED);
    ids[4] = make(f, JOB_QUEUED);
    store_fixture_begin(f);
    while ((n = store_jobs_from(f->st, key, items, 3, &f->e)) > 0)
        for (int i = 0; i < n; i++) {
            assert_true(uuid7_equal(items[i].id, ids[seen++]));
            key = uuid7_key(items[i].id);
            assert_true(items[i].created_at_us >= FIXTURE_NOW);
        }
    assert_int_equal(n, 0);
    assert_int_equal(seen, 5);
    store_fixture_commit(f);
}

/* -- changing -------------------------------------------------------------------------------
 */

static struct job read_changed(struct store_fixture *f, struct uuid7 id, size_t payload_len)
{
    struct job job = store_fixture_read(f, id);

    store_fixture_set(&job.queue, "other");
    store_fixture_set(&job.name, "new");
    store_fixture_set(&job.reason, "why");
    store_fixture_set(&job.pool, "q");
    free(job.payload);
    job.payload = mem_new0(payload_len + 1);
    memset(job.payload, 'y', payload_len);
    job.payload_len = payload_len;
    job.priority = 77;
    job.timeout_us = 5;
    job.grace_us = 6;
    job.ttl_us = 7;
    return job;
}

static void assert_changed(struct store_fixture *f, const struct job *want)
{
    AUTO_FINI(job) struct job seen = store_fixture_read(f, want->id);

    assert_string_equal(seen.queue, "other");
    assert_string_equal(seen.name, "new");
    assert_string_equal(seen.reason, "why");
    assert_string_equal(seen.pool, "q");
    assert_int_equal(seen.payload_len, want->payload_len);
    assert_memory_equal(seen.payload, want->payload, want->payload_len);
    assert_int_equal(seen.priority, 77);
    assert_int_equal(seen.timeout_us, 5);
    assert_int_equal(seen.grace_us, 6);
    assert_int_equal(seen.ttl_us, 7);
    assert_int_equal(seen.version, want->version + 1);
    assert_int_equal(seen.attempt, want->attempt);
    assert_int_equal(seen.created_at_us, want->created_at_us);
}

static void a_waiting_job_is_rewritten_whatever_its_size(void **state)
{
    static const size_t sizes[] = { 10, 70000, 20, 2048, 2049, 90000 };
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_QUEUED);

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        AUTO_FINI(job) struct job job = read_changed(f, id, sizes[i]);

        store_fixture_begin(f);
        assert_int_equal(store_job_rewrite(f->st, &job, job.version, f->now_us, &f->e), 0);
        store_fixture_commit(f);
        assert_changed(f, &job);
    }
}

static void another_version_is_not_rewritten(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_QUEUED);
    AUTO_FINI(job) struct job job = read_changed(f, id, 9);
    AUTO_FINI(job) struct job seen = { 0 };

    store_fixture_begin(f);
    assert_int_equal(store_job_rewrite(f->st, &job, job.version + 1, f->now_us, &f->e),
                     ERR_NOT_FOUND);
    store_fixture_commit(f);
    seen = store_fixture_read(f, id);
    assert_int_equal(seen.version, job.version);
    assert_string_equal(seen.queue, "default");
}

static void a_failed_job_waits_again_with_its_history(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make_with_ttl(f, JOB_FAILED, TTL_US);
    AUTO_FINI(job) struct job job = read_changed(f, id, 3000);
    AUTO_FINI(job) struct job seen = { 0 };
    AUTO_FINI(job) struct job claimed = { 0 };
    usec_t next;

    job.state = JOB_QUEUED;
    job.queued_at_us = f->now_us;
    store_fixture_begin(f);
    assert_int_equal(store_job_requeue(f->st, &job, job.version, f->now_us, &f->e), 0);
    assert_int_equal(store_next_expiry(f->st, &next, &f->e), 0);
    assert_int_equal(next, 0);
    store_fixture_commit(f);
    assert_changed(f, &job);
    seen = store_fixture_read(f, id);
    assert_int_equal(seen.state, JOB_QUEUED);
    assert_int_equal(seen.finished_at_us, 0);
    assert_int_equal(seen.started_at_us, 0);
    assert_int_equal(seen.expires_at_us, 0);
    assert_true(seen.has_outcome);
    store_fixture_begin(f);
    assert_int_equal(store_job_claim(f->st, "q", 4, 5, f->now_us, &claimed, &f->e), 0);
    store_fixture_commit(f);
    assert_true(uuid7_equal(claimed.id, id));
    assert_int_equal(claimed.attempt, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_that_has_ended_is_removed_and_remembered),
        TEST(a_job_that_has_not_ended_is_not_removed),
        TEST(what_was_removed_is_not_found_under_a_similar_id),
        TEST(everything_of_a_job_goes_with_it),
        TEST(files_are_remembered_until_they_are_gone),
        TEST(spilled_output_counts_as_files),
        TEST(tombstones_are_forgotten_the_oldest_first),
        TEST(a_tombstone_is_found_by_its_tenant_only),
        TEST(a_job_of_its_own_time_expires_when_that_is_over),
        TEST(a_waiting_job_that_is_canceled_expires_too),
        TEST(a_job_in_hand_that_is_to_be_removed_expires_with_its_end),
        TEST(only_a_job_in_hand_is_doomed),
        TEST(all_jobs_are_walked_in_the_order_of_their_ids),
        TEST(a_waiting_job_is_rewritten_whatever_its_size),
        TEST(another_version_is_not_rewritten),
        TEST(a_failed_job_waits_again_with_its_history),
    };
    int failed = 0;

    for (size_t i = 0; i < store_fixture_backend_count; i++) {
        store_fixture_use(store_fixture_backends[i]);
        failed += cmocka_run_group_tests_name(store_fixture_backends[i], tests, NULL, NULL);
    }
    return failed;
}
