#include "tests/support/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "domain/job_json.h"
#include "domain/json_text.h"

#define ID_TEXT "018bcfe5-6800-7001-8000-000000000001"
#define LINKS                                                                                  \
    "\"links\":{\"self\":\"/v1/jobs/" ID_TEXT "\",\"cancel\":\"/v1/jobs/" ID_TEXT              \
    ":cancel\","                                                                               \
    "\"result\":\"/v1/jobs/" ID_TEXT                                                           \
    "/result\",\"logs\":{"                                                                     \
    "\"stdout\":\"/v1/jobs/" ID_TEXT                                                           \
    "/logs/stdout\","                                                                          \
    "\"stderr\":\"/v1/jobs/" ID_TEXT                                                           \
    "/logs/stderr\"},"                                                                         \
    "\"attempts\":\"/v1/jobs/" ID_TEXT                                                         \
    "/attempts\","                                                                             \
    "\"artifacts\":\"/v1/jobs/" ID_TEXT                                                        \
    "/artifacts\","                                                                            \
    "\"events\":\"/v1/jobs/" ID_TEXT "/events\"}"
#define NO_LOGS                                                                                \
    "\"logs\":{\"stdout_bytes\":0,\"stderr_bytes\":0,\"stdout_total_bytes\":0,"                \
    "\"stderr_total_bytes\":0,\"truncated\":false}"

/* Texts of a job under test are constants; none of them is released. */
static char *lit(const char *text)
{
    return (char *)(uintptr_t)text;
}

static struct job queued(void)
{
    struct job job = {
        .state = JOB_QUEUED,
        .version = 1,
        .pool = lit(""),
        .queue = lit("default"),
        .function = lit("wc"),
        .payload = lit("{}"),
        .payload_len = 2,
        .grace_us = 10 * USEC_PER_SEC,
        .created_at_us = 1700000000123456,
        .queued_at_us = 1700000000123456,
        .updated_at_us = 1700000000123456,
    };

    assert_true(uuid7_parse(ID_TEXT, &job.id));
    return job;
}

static struct job finished(enum job_state state, enum cause cause)
{
    struct job job = queued();

    job.state = state;
    job.version = 3;
    job.attempt = 1;
    job.worker_id = 4;
    job.worker_pid = 4711;
    job.has_outcome = true;
    job.outcome = (struct outcome){ .cause = cause, .exit_code = -1, .attempt = 1 };
    return job;
}

static void payload(struct job *job, const char *text)
{
    job->payload = lit(text);
    job->payload_len = strlen(text);
}

static void result(struct job *job, const char *text)
{
    job->outcome.result_kind = RESULT_JSON;
    job->outcome.result = lit(text);
    job->outcome.result_len = strlen(text);
}

static void assert_encodes(const struct job *job, const char *want)
{
    AUTO(json) json_t *json = job_encode(job);
    AUTO(mem) char *text = NULL;
    size_t len;

    text = json_text_dump(json, &len);
    assert_string_equal(text, want);
}

/* One member of the encoded job as text; "absent" when it has none. */
static void assert_member(const struct job *job, const char *name, const char *want)
{
    AUTO(json) json_t *json = job_encode(job);
    AUTO(mem) char *text = NULL;
    const json_t *member = json_object_get(json, name);
    size_t len;

    text = member ? json_text_dump(member, &len) : mem_str("absent");
    if (strcmp(text, want) != 0)
        fail_msg("%s is %s, want %s", name, text, want);
}

static void a_new_job_has_only_what_is_set(void **state)
{
    struct job job = queued();

    (void)state;
    assert_encodes(&job,
                   "{\"id\":\"" ID_TEXT
                   "\",\"state\":\"queued\",\"function\":\"wc\","
                   "\"queue\":\"default\",\"priority\":0,\"attempt\":0,\"max_attempts\":1,"
                   "\"created_at\":\"2023-11-14T22:13:20.123Z\","
                   "\"queued_at\":\"2023-11-14T22:13:20.123Z\","
                   "\"updated_at\":\"2023-11-14T22:13:20.123Z\",\"version\":1," NO_LOGS
                   ","
                   "\"grace_period_seconds\":10," LINKS "}");
}

static void a_job_says_who_submitted_it(void **state)
{
    struct job job = queued();

    (void)state;
    assert_member(&job, "created_by", "absent");
    job.created_by = lit("k7f3a9");
    assert_member(&job, "created_by", "\"k7f3a9\"");
}

static void a_finished_job_has_it_all(void **state)
{
    struct job job = finished(JOB_SUCCEEDED, CAUSE_NONE);

    (void)state;
    job.function = NULL;
    job.name = lit("n");
    job.queue = lit("q");
    job.priority = -5;
    job.reason = lit("user");
    job.timeout_us = 1500 * USEC_PER_MS;
    payload(&job,
            "{\"command\":[\"a\"],\"args\":null,\"stdin\":\"secret\",\"env\":{\"A\":\"b\"},"
            "\"labels\":{\"l\":\"m\"}}");
    job.scheduled_at_us = 1700000001 * USEC_PER_SEC;
    job.started_at_us = 1700000002 * USEC_PER_SEC;
    job.finished_at_us = 1700000003 * USEC_PER_SEC;
    job.cancel_requested_at_us = 1700000004 * USEC_PER_SEC;
    job.outcome.exit_code = 0;
    job.outcome.started_at_us = 1700000002 * USEC_PER_SEC;
    job.outcome.finished_at_us = 1700000002 * USEC_PER_SEC + 3100;
    job.outcome.user_cpu_us = 1001;
    job.outcome.system_cpu_us = 2 * USEC_PER_SEC;
    job.outcome.max_rss_bytes = 1900544;
    job.outcome.voluntary_switches = 5;
    job.outcome.involuntary_switches = 6;
    job.outcome.leftovers_killed = 7;
    job.outcome.captures[STREAM_STDOUT] =
        (struct capture){ .total_bytes = 100, .kept_bytes = 64 };
    job.outcome.captures[STREAM_STDERR] =
        (struct capture){ .total_bytes = 7, .kept_bytes = 7, .spilled = true };
    result(&job, "{\"words\": 6}");
    assert_encodes(
        &job,
        "{\"id\":\"" ID_TEXT
        "\",\"state\":\"succeeded\",\"reason\":\"user\",\"command\":[\"a\"],"
        "\"args\":null,\"env\":{\"A\":\"b\"},\"name\":\"n\",\"queue\":\"q\",\"priority\":-5,"
        "\"labels\":{\"l\":\"m\"},\"attempt\":1,\"max_attempts\":1,"
        "\"created_at\":\"2023-11-14T22:13:20.123Z\",\"scheduled_at\":\"2023-11-14T22:13:21."
        "000Z\","
        "\"queued_at\":\"2023-11-14T22:13:20.123Z\",\"started_at\":\"2023-11-14T22:13:22."
        "000Z\","
        "\"finished_at\":\"2023-11-14T22:13:23.000Z\",\"updated_at\":\"2023-11-14T22:13:20."
        "123Z\","
        "\"cancel_requested_at\":\"2023-11-14T22:13:24.000Z\",\"version\":3,\"exit_code\":0,"
        "\"result\":{\"words\":6},\"result_bytes\":12,"
        "\"logs\":{\"stdout_bytes\":64,\"stderr_bytes\":7,"
        "\"stdout_total_bytes\":100,\"stderr_total_bytes\":7,\"truncated\":true},"
        "\"usage\":{\"wall_seconds\":0.0031,\"user_cpu_seconds\":0.001001,"
        "\"system_cpu_seconds\":2,\"max_rss_bytes\":1900544,\"voluntary_switches\":5,"
        "\"involuntary_switches\":6,\"leftovers_killed\":7},"
        "\"worker\":{\"id\":4,\"pid\":4711},\"timeout_seconds\":1.5,"
        "\"grace_period_seconds\":10," LINKS "}");
}

static void stdin_is_never_shown(void **state)
{
    struct job job = queued();
    AUTO(json) json_t *json = NULL;
    AUTO(mem) char *text = NULL;
    size_t len;

    (void)state;
    payload(&job, "{\"stdin\":\"secret\"}");
    json = job_encode(&job);
    text = json_text_dump(json, &len);
    assert_null(strstr(text, "secret"));
    assert_null(strstr(text, "stdin\":\"s"));
}

static void a_failure_says_why(void **state)
{
    struct job job = finished(JOB_FAILED, CAUSE_EXIT_CODE);

    (void)state;
    job.outcome.exit_code = 3;
    assert_member(&job, "failure",
                  "{\"reason\":\"exit_code\",\"kind\":\"job\",\"message\":\"the program exited "
                  "with code 3\",\"exit_code\":3,\"attempt\":1}");
    assert_member(&job, "exit_code", "3");
    assert_member(&job, "signal", "absent");

    job = finished(JOB_FAILED, CAUSE_SIGNAL);
    job.outcome.signal = 9;
    assert_member(
        &job, "failure",
        "{\"reason\":\"signal\",\"kind\":\"job\",\"message\":\"the program was killed "
        "by signal 9\",\"signal\":9,\"attempt\":1}");
    assert_member(&job, "exit_code", "absent");
    assert_member(&job, "signal", "9");

    job = finished(JOB_FAILED, CAUSE_SPAWN_FAILED);
    job.outcome.message = lit("exec: No such file or directory");
    assert_member(
        &job, "failure",
        "{\"reason\":\"spawn_failed\",\"kind\":\"system\",\"message\":\"exec: No such "
        "file or directory\",\"attempt\":1}");
}

static void every_cause_has_a_complete_failure(void **state)
{
    (void)state;
    for (int i = CAUSE_NONE + 1; i < CAUSE_MAX_; i++) {
        struct job job = finished(JOB_FAILED, (enum cause)i);
        AUTO(json) json_t *json = job_encode(&job);
        const json_t *failure = json_object_get(json, "failure");

        assert_string_equal(json_string_value(json_object_get(failure, "reason")),
                            cause_meta((enum cause)i)->slug);
        assert_string_equal(json_string_value(json_object_get(failure, "message")),
                            cause_meta((enum cause)i)->message);
    }
}

static void a_message_that_is_no_text_gives_way_to_the_cause(void **state)
{
    struct job job = finished(JOB_FAILED, CAUSE_ERROR);

    (void)state;
    job.outcome.message = lit("\xFF\xFE");
    assert_member(
        &job, "failure",
        "{\"reason\":\"error\",\"kind\":\"job\",\"message\":\"the program answered with "
        "an error\",\"attempt\":1}");
}

static void jobs_that_run_or_ended_otherwise_have_no_failure(void **state)
{
    static const enum job_state states[] = { JOB_RUNNING, JOB_CANCELING, JOB_SUCCEEDED,
                                             JOB_CANCELED };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        struct job job = finished(states[i], CAUSE_CANCELED);

        assert_member(&job, "failure", "absent");
    }
}

static void results_are_inline_up_to_the_limit_and_not_beyond(void **state)
{
    struct job job = finished(JOB_SUCCEEDED, CAUSE_NONE);
    AUTO(mem) char *text = mem_new0(JOB_RESULT_INLINE_MAX_BYTES + 2);

    (void)state;
    memset(text, 'x', JOB_RESULT_INLINE_MAX_BYTES);
    text[0] = text[JOB_RESULT_INLINE_MAX_BYTES - 1] = '"';
    result(&job, text);
    assert_member(&job, "result", text);
    assert_member(&job, "result_bytes", "65536");

    text[JOB_RESULT_INLINE_MAX_BYTES - 1] = 'x';
    text[JOB_RESULT_INLINE_MAX_BYTES] = '"';
    result(&job, text);
    assert_member(&job, "result", "absent");
    assert_member(&job, "result_bytes", "65537");
}

static void results_that_were_not_asked_for_show_their_size(void **state)
{
    struct job job = finished(JOB_SUCCEEDED, CAUSE_NONE);

    (void)state;
    assert_member(&job, "result_bytes", "absent");
    job.outcome.result_kind = RESULT_JSON;
    job.outcome.result_len = 12;
    assert_member(&job, "result", "absent");
    assert_member(&job, "result_bytes", "12");
    job.outcome.result_kind = RESULT_STDOUT;
    job.outcome.captures[STREAM_STDOUT].kept_bytes = 5;
    assert_member(&job, "result", "absent");
    assert_member(&job, "result_bytes", "5");
}

static void a_result_of_null_is_there(void **state)
{
    struct job job = finished(JOB_SUCCEEDED, CAUSE_NONE);

    (void)state;
    result(&job, "null");
    assert_member(&job, "result", "null");
}

static void an_outcome_of_an_attempt_before_is_not_shown(void **state)
{
    struct job job = finished(JOB_RUNNING, CAUSE_EXIT_CODE);

    (void)state;
    job.has_outcome = false;
    job.outcome = (struct outcome){ 0 };
    assert_member(&job, "exit_code", "absent");
    assert_member(&job, "usage", "absent");
    assert_member(&job, "result_bytes", "absent");
}

static void a_clock_that_was_set_back_makes_no_negative_time(void **state)
{
    struct job job = finished(JOB_SUCCEEDED, CAUSE_NONE);

    (void)state;
    job.outcome.started_at_us = 2 * USEC_PER_SEC;
    job.outcome.finished_at_us = 1 * USEC_PER_SEC;
    assert_member(&job, "usage",
                  "{\"wall_seconds\":0,\"user_cpu_seconds\":0,\"system_cpu_seconds\":0,"
                  "\"max_rss_bytes\":0,\"voluntary_switches\":0,"
                  "\"involuntary_switches\":0,\"leftovers_killed\":0}");
}

static void limits_leftover_and_retry_are_shown_as_they_hold(void **state)
{
    struct job job = queued();

    (void)state;
    payload(&job,
            "{\"limits\":{\"cpu_seconds\":1.5},\"leftover\":\"wait\","
            "\"retry\":{\"max_attempts\":7,\"on\":[\"signal\"]}}");
    assert_member(&job, "limits", "{\"cpu_seconds\":1.5}");
    assert_member(&job, "leftover", "\"wait\"");
    assert_member(&job, "retry", "{\"max_attempts\":7,\"on\":[\"signal\"]}");
    assert_member(&job, "max_attempts", "7");
    payload(&job, "{}");
    assert_member(&job, "limits", "absent");
    assert_member(&job, "max_attempts", "1");
}

static void inputs_are_shown_without_what_is_in_them(void **state)
{
    struct job job = queued();

    (void)state;
    payload(&job,
            "{\"inputs\":[{\"path\":\"a\",\"content\":\"\xC3\xA4\"},"
            "{\"path\":\"b\",\"base64\":\"AP8=\"},{\"path\":\"c\",\"base64\":\"\"},"
            "{\"path\":\"d\",\"base64\":\"AP8AAA==\"}]}");
    assert_member(&job, "inputs",
                  "[{\"path\":\"a\",\"bytes\":2},{\"path\":\"b\",\"bytes\":2},"
                  "{\"path\":\"c\",\"bytes\":0},{\"path\":\"d\",\"bytes\":4}]");
}

static void a_job_that_waits_for_another_attempt_says_how_the_last_one_failed(void **state)
{
    static const enum job_state waiting[] = { JOB_SCHEDULED, JOB_QUEUED };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(waiting); i++) {
        struct job job = finished(waiting[i], CAUSE_SIGNAL);

        job.outcome.signal = 9;
        result(&job, "1");
        assert_member(&job, "failure",
                      "{\"reason\":\"signal\",\"kind\":\"job\","
                      "\"message\":\"the program was killed by signal 9\",\"signal\":9,"
                      "\"attempt\":1}");
        assert_member(&job, "result", "absent");
        assert_member(&job, "result_bytes", "absent");
    }
}

static void a_failure_says_where_the_start_failed_and_which_limits_were_met(void **state)
{
    struct job job = finished(JOB_FAILED, CAUSE_SPAWN_FAILED);

    (void)state;
    job.outcome.spawn_stage = lit("execve");
    job.outcome.spawn_errno = ENOENT;
    job.outcome.limits_exceeded = 1u << LIMIT_CPU | 1u << LIMIT_OUTPUT;
    assert_member(&job, "failure",
                  "{\"reason\":\"spawn_failed\",\"kind\":\"system\","
                  "\"message\":\"the program could not be started\","
                  "\"spawn\":{\"stage\":\"execve\",\"error\":\"ENOENT\"},"
                  "\"limits\":[\"cpu_seconds\",\"output_bytes\"],\"attempt\":1}");
}

static void a_damaged_payload_hides_nothing_else(void **state)
{
    struct job job = queued();

    (void)state;
    payload(&job, "{\"args\":");
    assert_member(&job, "args", "absent");
    assert_member(&job, "function", "\"wc\"");
    job.payload = NULL;
    assert_member(&job, "function", "\"wc\"");
}

static void progress_is_shown_once_it_was_said(void **state)
{
    struct job job = queued();
    json_t *json;
    json_t *progress;

    (void)state;
    job.progress_ppm = 405000;
    job.progress_message = lit("36 to go");
    json = job_encode(&job);
    assert_null(json_object_get(json, "progress")); /* nothing was said: the time is not set */
    json_decref(json);
    job.progress_at_us = 1700000000123456;
    json = job_encode(&job);
    progress = json_object_get(json, "progress");
    assert_true(json_number_value(json_object_get(progress, "percent")) == 40.5);
    assert_string_equal(json_string_value(json_object_get(progress, "message")), "36 to go");
    assert_non_null(json_object_get(progress, "updated_at"));
    json_decref(json);
    job.progress_ppm = -1;
    json = job_encode(&job);
    assert_null(json_object_get(json_object_get(json, "progress"), "percent"));
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_job_has_only_what_is_set),
        cmocka_unit_test(a_finished_job_has_it_all),
        cmocka_unit_test(a_job_says_who_submitted_it),
        cmocka_unit_test(stdin_is_never_shown),
        cmocka_unit_test(a_failure_says_why),
        cmocka_unit_test(every_cause_has_a_complete_failure),
        cmocka_unit_test(a_message_that_is_no_text_gives_way_to_the_cause),
        cmocka_unit_test(jobs_that_run_or_ended_otherwise_have_no_failure),
        cmocka_unit_test(results_are_inline_up_to_the_limit_and_not_beyond),
        cmocka_unit_test(results_that_were_not_asked_for_show_their_size),
        cmocka_unit_test(a_result_of_null_is_there),
        cmocka_unit_test(an_outcome_of_an_attempt_before_is_not_shown),
        cmocka_unit_test(a_clock_that_was_set_back_makes_no_negative_time),
        cmocka_unit_test(limits_leftover_and_retry_are_shown_as_they_hold),
        cmocka_unit_test(inputs_are_shown_without_what_is_in_them),
        cmocka_unit_test(a_job_that_waits_for_another_attempt_says_how_the_last_one_failed),
        cmocka_unit_test(a_failure_says_where_the_start_failed_and_which_limits_were_met),
        cmocka_unit_test(a_damaged_payload_hides_nothing_else),
        cmocka_unit_test(progress_is_shown_once_it_was_said),
    };

    return cmocka_run_group_tests_name("domain/job_json", tests, NULL, NULL);
}
