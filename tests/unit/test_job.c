#include "tests/support/test.h"

#include "base/mem.h"
#include "domain/job.h"

static void fini_releases_all_and_may_be_called_twice(void **state)
{
    struct job job = {
        .function = mem_str("wordcount"),
        .pool = mem_str(""),
        .queue = mem_str("default"),
        .name = mem_str("n"),
        .payload = mem_str("{}"),
        .payload_len = 2,
        .reason = mem_str("user"),
        .attempt = 1,
        .has_outcome = true,
        .outcome = { .message = mem_str("exit 1") },
    };

    (void)state;
    job_fini(&job); /* what is left behind is reported by the address sanitizer */
    assert_null(job.function);
    assert_null(job.payload);
    assert_null(job.outcome.message);
    assert_int_equal(job.payload_len, 0);
    assert_false(job.has_outcome);
    job_fini(&job);
}

static void fini_accepts_a_job_that_was_never_filled(void **state)
{
    AUTO_FINI(job) struct job job = { 0 };

    (void)state;
    assert_int_equal(job.state, JOB_SCHEDULED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fini_releases_all_and_may_be_called_twice),
        cmocka_unit_test(fini_accepts_a_job_that_was_never_filled),
    };

    return cmocka_run_group_tests_name("domain/job", tests, NULL, NULL);
}
