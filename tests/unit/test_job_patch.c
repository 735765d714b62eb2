#include "tests/support/test.h"

#include "domain/job_patch.h"

#include <string.h>

#include "base/mem.h"
#include "domain/json_text.h"

#define NOW_US ((usec_t)1700000000 * USEC_PER_SEC)

static char *argv[] = { (char[]){ "wc" }, NULL };
static struct function items[] = {
    { .name = (char[]){ "wc" },
      .kind = FUNCTION_COMMAND,
      .argv = argv,
      .argc = 1,
      .timeout_us = 30 * USEC_PER_SEC,
      .grace_us = 5 * USEC_PER_SEC,
      .retry = { .max_attempts = 3, .multiplier = 2 } },
};
static const struct function_table functions = { .items = items, .count = COUNT_OF(items) };
static const struct job_spec_rules rules = { .functions = &functions, .allow_commands = true };

static struct job waiting(const char *payload)
{
    return (struct job){ .state = JOB_SCHEDULED,
                         .version = 4,
                         .function = mem_str("wc"),
                         .pool = mem_str(""),
                         .queue = mem_str("q"),
                         .name = mem_str("n"),
                         .reason = mem_str("retry_backoff"),
                         .priority = 3,
                         .timeout_us = 9 * USEC_PER_SEC,
                         .grace_us = 8 * USEC_PER_SEC,
                         .scheduled_at_us = NOW_US + USEC_PER_SEC,
                         .payload = mem_str(payload),
                         .payload_len = strlen(payload) };
}

static int apply(struct job *job, const char *text, struct faults *f)
{
    AUTO(json) json_t *patch = json_loads(text, JSON_DECODE_ANY, NULL);

    assert_non_null(patch);
    return job_patch_apply(patch, &rules, NOW_US, job, f, NULL);
}

static void must_apply(struct job *job, const char *text)
{
    AUTO_FINI(faults) struct faults f = { 0 };

    if (apply(job, text, &f) != 0)
        fail_msg("%s: %s", text, f.count ? f.items[0].detail : "");
}

static void what_is_not_named_stays(void **state)
{
    AUTO_FINI(job) struct job job = waiting("{\"args\":[1.10],\"labels\":{\"a\":\"b\"}}");

    (void)state;
    must_apply(&job, "{}");
    must_apply(&job, "{\"priority\":-2}");
    assert_int_equal(job.priority, -2);
    assert_string_equal(job.name, "n");
    assert_string_equal(job.queue, "q");
    assert_int_equal(job.timeout_us, 9 * USEC_PER_SEC);
    assert_int_equal(job.grace_us, 8 * USEC_PER_SEC);
    assert_int_equal(job.scheduled_at_us, NOW_US + USEC_PER_SEC);
    assert_int_equal(job.state, JOB_SCHEDULED);
    assert_string_equal(job.reason, "retry_backoff");
    assert_string_equal(job.payload, "{\"args\":[1.10],\"labels\":{\"a\":\"b\"}}");
}

static void null_puts_back_what_the_function_says(void **state)
{
    AUTO_FINI(job)
    struct job job = waiting("{\"labels\":{\"a\":\"b\"},\"retry\":{\"max_attempts\":9}}");

    (void)state;
    must_apply(&job,
               "{\"timeout_seconds\":null,\"grace_period_seconds\":null,\"name\":null,"
               "\"queue\":null,\"labels\":null,\"retry\":null,\"priority\":null}");
    assert_int_equal(job.timeout_us, 30 * USEC_PER_SEC);
    assert_int_equal(job.grace_us, 5 * USEC_PER_SEC);
    assert_null(job.name);
    assert_string_equal(job.queue, "default");
    assert_int_equal(job.priority, 0);
    assert_null(strstr(job.payload, "labels"));
    assert_non_null(strstr(job.payload, "\"max_attempts\":3"));
    assert_int_equal(job.payload_len, strlen(job.payload));
}

static void a_time_decides_about_the_state(void **state)
{
    static const struct {
        const char *patch;
        enum job_state from, to;
        usec_t scheduled_at_us, queued_at_us;
    } cases[] = {
        { "{\"delay_seconds\":60}", JOB_SCHEDULED, JOB_SCHEDULED, NOW_US + 60 * USEC_PER_SEC,
          0 },
        { "{\"delay_seconds\":60}", JOB_QUEUED, JOB_SCHEDULED, NOW_US + 60 * USEC_PER_SEC, 0 },
        { "{\"run_at\":null}", JOB_SCHEDULED, JOB_QUEUED, 0, NOW_US },
        { "{\"delay_seconds\":0}", JOB_SCHEDULED, JOB_QUEUED, 0, NOW_US },
        { "{\"run_at\":\"2001-01-01T00:00:00Z\"}", JOB_SCHEDULED, JOB_QUEUED, 0, NOW_US },
        { "{\"run_at\":null}", JOB_QUEUED, JOB_QUEUED, 0, 77 }, /* it does not lose its turn */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(job) struct job job = waiting("{}");

        job.state = cases[i].from;
        if (job.state == JOB_QUEUED) {
            job.scheduled_at_us = 0;
            job.queued_at_us = 77;
        }
        must_apply(&job, cases[i].patch);
        assert_int_equal(job.state, cases[i].to);
        assert_int_equal(job.scheduled_at_us, cases[i].scheduled_at_us);
        assert_int_equal(job.queued_at_us, cases[i].queued_at_us);
        assert_null(job.reason);
    }
}

static void a_faulty_patch_changes_nothing(void **state)
{
    AUTO_FINI(job) struct job job = waiting("{}");
    AUTO_FINI(faults) struct faults f = { 0 };

    (void)state;
    assert_int_equal(apply(&job,
                           "{\"priority\":1,\"name\":\"\",\"function\":\"x\",\"args\":null,"
                           "\"retry\":{\"max_attempts\":0}}",
                           &f),
                     ERR_VALIDATION);
    assert_int_equal(f.count, 4);
    assert_int_equal(job.priority, 3);
    assert_string_equal(job.name, "n");
}

static void a_request_is_made_that_submits_the_same(void **state)
{
    static const struct limits ceiling = { .values = { [LIMIT_OPEN_FILES] = 100 } };
    AUTO_FINI(job)
    struct job job = waiting(
        "{\"args\":{\"n\":1},\"stdin\":\"s\",\"trace\":{\"x\":1},"
        "\"limits\":{\"open_files\":100,\"processes\":7}}");
    AUTO(json) json_t *request = NULL;
    AUTO(json)
    json_t *want = json_loads(
        "{\"function\":\"wc\",\"name\":\"n\",\"queue\":\"q\","
        "\"priority\":3,\"timeout_seconds\":9,"
        "\"grace_period_seconds\":8,"
        "\"args\":{\"n\":1},\"stdin\":\"s\",\"limits\":{\"processes\":7}}",
        0, NULL);

    (void)state;
    assert_int_equal(job_patch_request(&job, &items[0], &ceiling, &request, NULL), 0);
    if (!json_equal(request, want))
        fail_msg("%s", json_dumps(request, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_named_stays),
        cmocka_unit_test(null_puts_back_what_the_function_says),
        cmocka_unit_test(a_time_decides_about_the_state),
        cmocka_unit_test(a_faulty_patch_changes_nothing),
        cmocka_unit_test(a_request_is_made_that_submits_the_same),
    };

    return cmocka_run_group_tests_name("domain/job_patch", tests, NULL, NULL);
}
