#include "tests/support/test.h"

#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/support/store_fixture.h"

/* clang-format off */
#define TEST(f) cmocka_unit_test_setup_teardown(f, store_fixture_setup, store_fixture_teardown)
/* clang-format on */

static const char POOL[] = "p";
#define DELAY_US (30 * USEC_PER_SEC)

static struct uuid7 make(struct store_fixture *f, enum job_state state)
{
    struct job job = store_fixture_job(f);

    store_fixture_set(&job.pool, POOL); /* apart from other jobs that a test inserts */
    return store_fixture_make(f, &job, state);
}

static int claim(struct store_fixture *f, int64_t worker_id)
{
    struct job job = { 0 };
    int attempt;
    int r =
        store_job_claim(f->st, POOL, worker_id, (int)worker_id * 10, f->now_us, &job, &f->e);

    if (r < 0)
        fail_msg("store_job_claim: %d %s", r, f->e.text);
    attempt = job.attempt;
    job_fini(&job);
    return attempt;
}

/* The attempt fails with this cause, and the job waits for the next one. */
static int retry(struct store_fixture *f, struct uuid7 id, int attempt, enum cause cause)
{
    struct outcome o = store_fixture_outcome(id, attempt);

    o.cause = cause;
    return store_job_retry(f->st, &o, f->now_us + DELAY_US, f->now_us, &f->e);
}

static void make_due(struct store_fixture *f, struct uuid7 id)
{
    struct uuid7 due[2];

    assert_int_equal(store_jobs_due(f->st, f->now_us + DELAY_US, due, 2, &f->e), 1);
    assert_true(uuid7_equal(due[0], id));
}

static void read_attempts(struct store_fixture *f, struct uuid7 id, int number,
                          struct attempts *ret_attempts)
{
    struct store_reader *rd = NULL;

    assert_int_equal(store_reader_get(f->st, &rd, &f->e), 0);
    assert_int_equal(store_read_attempts(rd, id, number, ret_attempts, &f->e), 0);
    store_reader_put(f->st, rd);
}

/* -- a retry ---------------------------------------------------------------------- */

static void a_job_that_is_tried_again_waits_for_its_time_and_says_why(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_RUNNING);
    AUTO_FINI(job) struct job before = store_fixture_read(f, id);
    AUTO_FINI(job) struct job job = { 0 };
    int64_t waiting;
    usec_t due_us;

    store_fixture_begin(f);
    assert_int_equal(retry(f, id, 1, CAUSE_EXIT_CODE), 0);
    assert_int_equal(store_count_waiting(f->st, &waiting, &f->e), 0);
    assert_int_equal(store_next_due(f->st, &due_us, &f->e), 0);
    store_fixture_commit(f);
    assert_int_equal(waiting, 1);
    assert_int_equal(due_us, f->now_us + DELAY_US);
    job = store_fixture_read(f, id);
    assert_int_equal(job.state, JOB_SCHEDULED);
    assert_string_equal(job.reason, "retry_backoff");
    assert_int_equal(job.scheduled_at_us, due_us);
    assert_int_equal(job.version, before.version + 1);
    assert_int_equal(job.change_seq, before.change_seq + 1);
    assert_int_equal(job.updated_at_us, f->now_us);
    assert_int_equal(job.finished_at_us, 0);
    assert_int_equal(job.attempt, 1);
    assert_int_equal(job.releases, 0);
    assert_true(job.has_outcome);
    assert_int_equal(job.outcome.cause, CAUSE_EXIT_CODE);
}

static void a_retried_job_is_claimed_with_the_next_number_and_no_outcome(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_RUNNING);
    AUTO_FINI(job) struct job job = { 0 };

    store_fixture_begin(f);
    assert_int_equal(retry(f, id, 1, CAUSE_EXIT_CODE), 0);
    make_due(f, id);
    assert_int_equal(claim(f, 7), 2);
    store_fixture_commit(f);
    job = store_fixture_read(f, id);
    assert_int_equal(job.state, JOB_RUNNING);
    assert_false(job.has_outcome);
    assert_null(job.reason);
}

static void only_a_running_job_is_tried_again(void **state)
{
    for (int s = 0; s < JOB_STATE_MAX_; s++) {
        struct store_fixture *f = *state;
        struct uuid7 id = make(f, (enum job_state)s);
        AUTO_FINI(job) struct job before = store_fixture_read(f, id);
        AUTO_FINI(job) struct job after = { 0 };
        int r;

        store_fixture_begin(f);
        r = retry(f, id, before.attempt, CAUSE_EXIT_CODE);
        store_fixture_commit(f);
        assert_int_equal(r, s == JOB_RUNNING ? 0 : ERR_NOT_FOUND);
        after = store_fixture_read(f, id);
        assert_int_equal(after.state, s == JOB_RUNNING ? JOB_SCHEDULED : (enum job_state)s);
        assert_int_equal(after.version, before.version + (s == JOB_RUNNING));
        (void)store_fixture_teardown(state);
        (void)store_fixture_setup(state);
    }
}

static void a_stale_outcome_is_no_reason_to_try_again(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_RUNNING);
    struct uuid7 forged = { id.hi, id.lo ^ 1 };

    store_fixture_begin(f);
    assert_int_equal(retry(f, id, 2, CAUSE_EXIT_CODE), ERR_NOT_FOUND);
    assert_int_equal(retry(f, id, 0, CAUSE_EXIT_CODE), ERR_NOT_FOUND);
    assert_int_equal(retry(f, forged, 1, CAUSE_EXIT_CODE), ERR_NOT_FOUND);
    store_fixture_commit(f);
    assert_int_equal(store_fixture_state(f, id), JOB_RUNNING);
}

static void a_job_may_be_canceled_between_two_attempts(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_RUNNING);
    AUTO_FINI(job) struct job job = { 0 };

    store_fixture_begin(f);
    assert_int_equal(retry(f, id, 1, CAUSE_SIGNAL), 0);
    assert_int_equal(store_job_cancel_waiting(f->st, id, NULL, f->now_us, &f->e), 0);
    store_fixture_commit(f);
    job = store_fixture_read(f, id);
    assert_int_equal(job.state, JOB_CANCELED);
    assert_string_equal(job.reason, "user");
}

static void attempts_are_counted_by_their_cause(void **state)
{
    static const enum cause causes[] = { CAUSE_WORKER_LOST, CAUSE_EXIT_CODE,
                                         CAUSE_WORKER_LOST };
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_RUNNING);
    int64_t lost;
    int64_t exited;
    int64_t none;

    store_fixture_begin(f);
    for (int i = 0; i < (int)COUNT_OF(causes); i++) {
        assert_int_equal(retry(f, id, i + 1, causes[i]), 0);
        make_due(f, id);
        assert_int_equal(claim(f, 7), i + 2);
    }
    assert_int_equal(store_count_attempts(f->st, id, CAUSE_WORKER_LOST, &lost, &f->e), 0);
    assert_int_equal(store_count_attempts(f->st, id, CAUSE_EXIT_CODE, &exited, &f->e), 0);
    assert_int_equal(store_count_attempts(f->st, id, CAUSE_SIGNAL, &none, &f->e), 0);
    store_fixture_commit(f);
    assert_int_equal(lost, 2);
    assert_int_equal(exited, 1);
    assert_int_equal(none, 0);
}

/* -- the record of every attempt -------------------------------------------------- */

static void full_outcome(struct outcome *o, struct uuid7 id, int attempt)
{
    *o = store_fixture_outcome(id, attempt);
    o->cause = CAUSE_SPAWN_FAILED;
    o->exit_code = -1;
    o->message = mem_str("m");
    o->spawn_stage = mem_str("execve");
    o->spawn_errno = 13;
    o->user_cpu_us = 1;
    o->system_cpu_us = 2;
    o->max_rss_bytes = 3;
    o->voluntary_switches = 4;
    o->involuntary_switches = 5;
    o->containment = CONTAINMENT_CGROUP;
    o->limits_enforced = 0x3f;
    o->limits_by_cgroup = 1u << LIMIT_MEMORY;
    o->limits_exceeded = 1u << LIMIT_CPU;
    o->leftovers_killed = 6;
    o->pid = 7;
    o->captures[STREAM_STDOUT] = (struct capture){
        .total_bytes = 9, .kept_bytes = 3, .head_bytes = 2, .data = mem_dup("abz", 3)
    };
    o->captures[STREAM_STDERR] = (struct capture){
        .total_bytes = 1 << 20, .kept_bytes = 1 << 19, .head_bytes = 1 << 18, .spilled = true
    };
}

static void assert_full(const struct outcome *o, const struct outcome *want)
{
    assert_true(uuid7_equal(o->job_id, want->job_id));
    assert_int_equal(o->attempt, want->attempt);
    assert_int_equal(o->cause, want->cause);
    assert_int_equal(o->exit_code, -1);
    assert_string_equal(o->message, "m");
    assert_string_equal(o->spawn_stage, "execve");
    assert_int_equal(o->spawn_errno, 13);
    assert_int_equal(o->started_at_us, want->started_at_us);
    assert_int_equal(o->finished_at_us, want->finished_at_us);
    assert_int_equal(o->user_cpu_us, 1);
    assert_int_equal(o->system_cpu_us, 2);
    assert_int_equal(o->max_rss_bytes, 3);
    assert_int_equal(o->voluntary_switches, 4);
    assert_int_equal(o->involuntary_switches, 5);
    assert_int_equal(o->containment, CONTAINMENT_CGROUP);
    assert_int_equal(o->limits_enforced, 0x3f);
    assert_int_equal(o->limits_by_cgroup, 1u << LIMIT_MEMORY);
    assert_int_equal(o->limits_exceeded, 1u << LIMIT_CPU);
    assert_int_equal(o->leftovers_killed, 6);
    assert_int_equal(o->pid, 7);
    for (int i = 0; i < STREAM_MAX_; i++) {
        assert_int_equal(o->captures[i].total_bytes, want->captures[i].total_bytes);
        assert_int_equal(o->captures[i].kept_bytes, want->captures[i].kept_bytes);
        assert_int_equal(o->captures[i].head_bytes, want->captures[i].head_bytes);
        assert_int_equal(o->captures[i].spilled, want->captures[i].spilled);
    }
}

static void every_attempt_is_kept_with_all_that_is_known_of_it(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_RUNNING);
    AUTO_FINI(outcome) struct outcome first = { 0 };
    AUTO_FINI(outcome) struct outcome second = { 0 };
    AUTO_FINI(attempts) struct attempts list = { 0 };
    AUTO_FINI(job) struct job job = { 0 };

    full_outcome(&first, id, 1);
    full_outcome(&second, id, 2);
    store_fixture_begin(f);
    assert_int_equal(store_job_retry(f->st, &first, f->now_us, f->now_us, &f->e), 0);
    make_due(f, id);
    assert_int_equal(claim(f, 42), 2);
    assert_int_equal(store_job_finish(f->st, &second, JOB_FAILED, f->now_us, &f->e), 0);
    store_fixture_commit(f);
    read_attempts(f, id, 0, &list);
    assert_int_equal(list.count, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(list.items[i].number, i + 1);
        assert_true(list.items[i].has_ended);
        assert_full(&list.items[i].outcome, i == 0 ? &first : &second);
    }
    assert_int_equal(list.items[0].worker_id, 1); /* the fixture's */
    assert_int_equal(list.items[1].worker_id, 42);
    assert_int_equal(list.items[1].worker_pid, 420);
    job = store_fixture_read(f, id);
    assert_full(&job.outcome, &second);
}

/* Its record may have been kept elsewhere than those of others. */
static void the_attempt_that_ended_a_job_is_kept_when_that_is_tried_anew(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_RUNNING);
    struct outcome last = store_fixture_outcome(id, 1);
    AUTO_FINI(job) struct job job = { 0 };
    char why[] = "why";
    int64_t failed;

    last.cause = CAUSE_EXIT_CODE;
    last.exit_code = 3;
    last.message = why;
    store_fixture_begin(f);
    assert_int_equal(store_job_finish(f->st, &last, JOB_FAILED, f->now_us, &f->e), 0);
    store_fixture_commit(f);
    job = store_fixture_read(f, id);
    job.state = JOB_QUEUED;
    store_fixture_begin(f);
    assert_int_equal(store_count_attempts(f->st, id, CAUSE_EXIT_CODE, &failed, &f->e), 0);
    assert_int_equal(failed, 1);
    assert_int_equal(store_job_requeue(f->st, &job, job.version + 1, f->now_us, &f->e),
                     ERR_NOT_FOUND);
    assert_int_equal(store_job_requeue(f->st, &job, job.version, f->now_us, &f->e), 0);
    assert_int_equal(store_count_attempts(f->st, id, CAUSE_EXIT_CODE, &failed, &f->e), 0);
    assert_int_equal(failed, 1);
    assert_int_equal(claim(f, 42), 2);
    last = store_fixture_outcome(id, 2);
    assert_int_equal(store_job_finish(f->st, &last, JOB_SUCCEEDED, f->now_us, &f->e), 0);
    store_fixture_commit(f);
    for (int number = 0; number <= 2; number++) {
        AUTO_FINI(attempts) struct attempts list = { 0 };

        read_attempts(f, id, number, &list);
        assert_int_equal(list.count, number == 0 ? 2 : 1);
        for (size_t i = 0; i < list.count; i++) {
            const struct attempt *a = &list.items[i];
            bool first = a->number == 1;

            assert_true(a->has_ended && uuid7_equal(a->outcome.job_id, id));
            assert_int_equal(a->outcome.attempt, a->number);
            assert_int_equal(a->outcome.exit_code, first ? 3 : 0);
            assert_int_equal(a->worker_id, first ? 1 : 42);
            assert_int_equal(a->worker_pid, first ? 100 : 420);
            if (first)
                assert_string_equal(a->outcome.message, why);
        }
    }
}

/* It is known to have none, and not unknown. */
static void an_attempt_without_output_has_empty_output(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_SUCCEEDED);
    struct store_reader *rd = NULL;
    struct capture c = { .total_bytes = 1 };

    assert_int_equal(store_reader_get(f->st, &rd, &f->e), 0);
    assert_int_equal(store_read_capture(rd, id, 1, STREAM_STDERR, &c, &f->e), 0);
    assert_int_equal(c.total_bytes, 0);
    assert_int_equal(c.kept_bytes, 0);
    assert_null(c.data);
    assert_int_equal(store_read_capture(rd, id, 2, STREAM_STDERR, &c, &f->e),
                     ERR_LOG_NOT_FOUND);
    store_reader_put(f->st, rd);
}

static void the_output_of_each_attempt_is_its_own(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_RUNNING);
    AUTO_FINI(outcome) struct outcome first = { 0 };
    struct outcome second = store_fixture_outcome(id, 2);
    struct store_reader *rd = NULL;
    struct capture c = { 0 };

    full_outcome(&first, id, 1);
    store_fixture_begin(f);
    assert_int_equal(store_job_retry(f->st, &first, f->now_us, f->now_us, &f->e), 0);
    make_due(f, id);
    assert_int_equal(claim(f, 42), 2);
    assert_int_equal(store_job_finish(f->st, &second, JOB_SUCCEEDED, f->now_us, &f->e), 0);
    store_fixture_commit(f);
    assert_int_equal(store_reader_get(f->st, &rd, &f->e), 0);
    assert_int_equal(store_read_capture(rd, id, 1, STREAM_STDOUT, &c, &f->e), 0);
    assert_int_equal(c.kept_bytes, 3);
    assert_int_equal(c.head_bytes, 2);
    assert_memory_equal(c.data, "abz", 3);
    free(c.data);
    assert_int_equal(store_read_capture(rd, id, 2, STREAM_STDOUT, &c, &f->e), 0);
    assert_int_equal(c.total_bytes, 0);
    store_reader_put(f->st, rd);
}

static void the_attempt_in_hand_is_among_them_and_has_not_ended(void **state)
{
    static const enum job_state owned[] = { JOB_RUNNING, JOB_CANCELING };
    struct store_fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(owned); i++) {
        struct uuid7 id = make(f, owned[i]);
        AUTO_FINI(job) struct job job = store_fixture_read(f, id);
        AUTO_FINI(attempts) struct attempts list = { 0 };

        read_attempts(f, id, 0, &list);
        assert_int_equal(list.count, 1);
        assert_int_equal(list.items[0].number, 1);
        assert_false(list.items[0].has_ended);
        assert_int_equal(list.items[0].worker_id, 1);
        assert_int_equal(list.items[0].worker_pid, 100);
        assert_int_equal(list.items[0].outcome.started_at_us, job.started_at_us);
    }
}

static void one_attempt_is_found_by_its_number(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_RUNNING);

    store_fixture_begin(f);
    assert_int_equal(retry(f, id, 1, CAUSE_SIGNAL), 0);
    make_due(f, id);
    assert_int_equal(claim(f, 42), 2);
    store_fixture_commit(f);
    for (int number = 1; number <= 3; number++) {
        AUTO_FINI(attempts) struct attempts list = { 0 };

        read_attempts(f, id, number, &list);
        assert_int_equal(list.count, number <= 2);
        if (number <= 2) {
            assert_int_equal(list.items[0].number, number);
            assert_int_equal(list.items[0].has_ended, number == 1);
        }
    }
}

static void an_attempt_that_was_given_back_has_left_nothing(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_RUNNING);
    AUTO_FINI(attempts) struct attempts list = { 0 };

    store_fixture_begin(f);
    assert_int_equal(store_job_release(f->st, id, 1, "shutdown", f->now_us, &f->e), 0);
    store_fixture_commit(f);
    read_attempts(f, id, 0, &list);
    assert_int_equal(list.count, 0);
}

static void attempts_of_a_missing_job_are_not_found(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 there = make(f, JOB_SUCCEEDED);
    struct uuid7 forged = { there.hi, there.lo ^ 1 };
    struct store_reader *rd = NULL;
    struct attempts list;

    assert_int_equal(store_reader_get(f->st, &rd, &f->e), 0);
    assert_int_equal(store_read_attempts(rd, forged, 0, &list, &f->e), ERR_JOB_NOT_FOUND);
    store_reader_put(f->st, rd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_that_is_tried_again_waits_for_its_time_and_says_why),
        TEST(a_retried_job_is_claimed_with_the_next_number_and_no_outcome),
        TEST(only_a_running_job_is_tried_again),
        TEST(a_stale_outcome_is_no_reason_to_try_again),
        TEST(a_job_may_be_canceled_between_two_attempts),
        TEST(attempts_are_counted_by_their_cause),
        TEST(every_attempt_is_kept_with_all_that_is_known_of_it),
        TEST(the_attempt_that_ended_a_job_is_kept_when_that_is_tried_anew),
        TEST(an_attempt_without_output_has_empty_output),
        TEST(the_output_of_each_attempt_is_its_own),
        TEST(the_attempt_in_hand_is_among_them_and_has_not_ended),
        TEST(one_attempt_is_found_by_its_number),
        TEST(an_attempt_that_was_given_back_has_left_nothing),
        TEST(attempts_of_a_missing_job_are_not_found),
    };
    int failed = 0;

    for (size_t i = 0; i < store_fixture_backend_count; i++) {
        store_fixture_use(store_fixture_backends[i]);
        failed += cmocka_run_group_tests_name(store_fixture_backends[i], tests, NULL, NULL);
    }
    return failed;
}
