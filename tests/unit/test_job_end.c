#include "tests/support/test.h"

#include <string.h>

#include "base/mem.h"
#include "domain/job_end.h"

#define AT_US ((usec_t)1700000000000000)

static struct job submitted(void)
{
    return (struct job){ .id = uuid7_from_parts(7, 8),
                         .state = JOB_QUEUED,
                         .version = 1,
                         .progress_ppm = -1,
                         .created_at_us = AT_US };
}

static struct outcome success(void)
{
    return (struct outcome){ .job_id = uuid7_from_parts(7, 8),
                             .attempt = 1,
                             .exit_code = -1,
                             .pid = 12,
                             .started_at_us = AT_US + 2,
                             .finished_at_us = AT_US + 3,
                             .captures = { { .total_bytes = 9, .kept_bytes = 9 } },
                             .result_kind = RESULT_JSON,
                             .result = mem_str("[1]"),
                             .result_len = 3 };
}

static struct job_end end_of(const struct outcome *o)
{
    return (struct job_end){ .state = JOB_SUCCEEDED,
                             .version = 3,
                             .worker_id = 5,
                             .worker_pid = 6,
                             .started_at_us = AT_US + 1,
                             .recorded_at_us = AT_US + 4,
                             .outcome = o };
}

static void what_was_submitted_and_its_end_are_the_job(void **state)
{
    AUTO_FINI(job) struct job job = submitted();
    AUTO_FINI(outcome) struct outcome o = success();
    const struct job_end end = end_of(&o);

    (void)state;
    assert_true(job_end_apply(&job, &end));
    assert_int_equal(job.state, JOB_SUCCEEDED);
    assert_int_equal(job.version, 3);
    assert_int_equal(job.attempt, 1);
    assert_int_equal(job.worker_id, 5);
    assert_int_equal(job.worker_pid, 6);
    assert_int_equal(job.started_at_us, AT_US + 1);
    assert_int_equal(job.finished_at_us, AT_US + 3);
    assert_int_equal(job.updated_at_us, AT_US + 4);
    assert_int_equal(job.expires_at_us, 0);
    assert_true(job.has_outcome);
    assert_int_equal(job.outcome.pid, 12);
    assert_int_equal(job.outcome.captures[STREAM_STDOUT].kept_bytes, 9);
    assert_memory_equal(job.outcome.result, "[1]", 3);
    assert_ptr_not_equal(job.outcome.result, o.result);
}

static void its_own_time_to_live_runs_from_its_end(void **state)
{
    AUTO_FINI(job) struct job job = submitted();
    AUTO_FINI(outcome) struct outcome o = success();
    const struct job_end end = end_of(&o);

    (void)state;
    job.ttl_us = 100;
    assert_true(job_end_apply(&job, &end));
    assert_int_equal(job.expires_at_us, AT_US + 103);
}

static void assert_unknown(struct job *job, const struct job_end *end)
{
    assert_false(job_end_apply(job, end));
    assert_int_equal(job->state, JOB_QUEUED);
    assert_false(job->has_outcome);
}

static void a_job_to_which_more_has_happened_is_to_be_read(void **state)
{
    AUTO_FINI(outcome) struct outcome o = success();
    struct job_end end = end_of(&o);
    struct job job = submitted();

    (void)state;
    end.version = 4; /* it has said something, or somebody has asked for its end */
    assert_unknown(&job, &end);
    end = end_of(&o);
    end.state = JOB_FAILED;
    assert_unknown(&job, &end);
    end = end_of(&o);
    end.worker_pid = 0;
    assert_unknown(&job, &end);
    end = end_of(&o);
    o.attempt = 2;
    assert_unknown(&job, &end);
    o.attempt = 1;
    o.result_len = JOB_END_RESULT_MAX_BYTES + 1;
    assert_unknown(&job, &end);
    o.result_len = 3;
    job.version = 2;
    assert_unknown(&job, &end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_submitted_and_its_end_are_the_job),
        cmocka_unit_test(its_own_time_to_live_runs_from_its_end),
        cmocka_unit_test(a_job_to_which_more_has_happened_is_to_be_read),
    };

    return cmocka_run_group_tests_name("domain/job_end", tests, NULL, NULL);
}
