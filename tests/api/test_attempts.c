/* listJobAttempts, getJobAttempt, and what leads to more than one attempt: retries by cause,
 * limits and policies of functions and jobs. */
#include "tests/support/api.h"
#include "tests/support/proc.h"

#include <signal.h>
#include <string.h>

#include "base/mem.h"

static const char config[] =
    "allow_commands: true\n"
    "workers: 2\n"
    "command_limits: {open_files: 200}\n"
    "functions:\n"
    "  - name: flaky\n"
    "    command: [sh, -c, 'echo out $JOBD_ATTEMPT; echo err $JOBD_ATTEMPT >&2;"
    " test $JOBD_ATTEMPT -ge 3']\n"
    "    limits: {cpu_seconds: 10, open_files: 64}\n"
    "    retry: {max_attempts: 5, initial_delay_seconds: 20ms, jitter: 0}\n"
    "  - name: patient\n"
    "    command: [sh, -c, 'exit 3']\n"
    "    retry: {max_attempts: 2, initial_delay_seconds: 1h}\n"
    "  - name: plain\n"
    "    command: [cat]\n";

#define QUICK "\"retry\":{\"max_attempts\":%d,\"initial_delay_seconds\":0.01%s}"

/* The finished job of sh -c script, with QUICK. */
static void run_script(const struct api *a, const char *script, int max_attempts,
                       const char *more, char id[API_ID_SIZE], struct api_reply *ret_reply)
{
    AUTO(mem)
    char *body = mem_printf("{\"command\":[\"sh\",\"-c\",\"%s\"]," QUICK "}", script,
                            max_attempts, more);

    api_await(a, api_submit(a, body, id), ret_reply);
}

static void assert_body(const struct api *a, const char *path, const char *want)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_get(a, path, &r);
    assert_status(&r, 200);
    assert_string_equal(r.body, want);
}

/* -- attempts --------------------------------------------------------------------- */

static void a_job_that_fails_is_tried_until_it_succeeds(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    api_await(a, api_submit(a, "{\"function\":\"flaky\"}", id), &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_int_equal(api_number(&r, "attempt"), 3);
    assert_int_equal(api_number(&r, "max_attempts"), 5);
    assert_null(api_at(r.json, "failure"));
    assert_null(api_at(r.json, "reason"));
    assert_int_equal(api_number(&r, "limits.cpu_seconds"), 10);
    assert_string_equal(api_text(&r, "links.attempts"), api_job_path(id, "/attempts"));

    api_get(a, api_job_path(id, "/attempts"), &r);
    assert_status(&r, 200);
    assert_header(&r, "Content-Type", "application/json");
    assert_int_equal(json_array_size(api_at(r.json, "items")), 3);
    assert_int_equal(api_number(&r, "items.0.number"), 1);
    assert_string_equal(api_text(&r, "items.0.state"), "failed");
    assert_string_equal(api_text(&r, "items.0.failure.reason"), "exit_code");
    assert_int_equal(api_number(&r, "items.0.failure.attempt"), 1);
    assert_int_equal(api_number(&r, "items.1.exit_code"), 1);
    assert_int_equal(api_number(&r, "items.1.logs.stdout_bytes"), 6);
    assert_int_equal(api_number(&r, "items.2.number"), 3);
    assert_string_equal(api_text(&r, "items.2.state"), "succeeded");
    assert_true(api_number(&r, "items.2.worker.pid") > 0);
    assert_true(api_number(&r, "items.2.usage.max_rss_bytes") > 0);
    assert_true(
        strcmp(api_text(&r, "items.0.finished_at"), api_text(&r, "items.1.started_at")) <= 0);
}

static void the_logs_of_every_attempt_are_kept(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply job = { 0 };
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    api_await(a, api_submit(a, "{\"function\":\"flaky\"}", id), &job);
    assert_body(a, api_job_path(id, "/logs/stdout?attempt=1"), "out 1\n");
    assert_body(a, api_job_path(id, "/logs/stderr?attempt=2"), "err 2\n");
    assert_body(a, api_job_path(id, "/logs/stdout?attempt=3"), "out 3\n");
    assert_body(a, api_job_path(id, "/logs/stdout"), "out 3\n");
    api_get(a, api_job_path(id, "/attempts/2"), &r);
    assert_body(a, api_text(&r, "links.logs.stdout"), "out 2\n");
    api_get(a, api_text(&r, "links.logs.stdout"), &r);
    assert_header(&r, "ETag", "\"o2-6\"");
}

static void one_attempt_is_found_by_its_number(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    run_script(a, "exit 9", 2, "", id, &r);
    api_get(a, api_job_path(id, "/attempts/2"), &r);
    assert_status(&r, 200);
    assert_int_equal(api_number(&r, "number"), 2);
    assert_int_equal(api_number(&r, "exit_code"), 9);
    assert_string_equal(api_text(&r, "links.self"), api_job_path(id, "/attempts/2"));
    assert_string_equal(api_text(&r, "links.job"), api_job_path(id, ""));
}

static void an_attempt_that_is_not_there_is_not_found(void **state)
{
    static const char *const numbers[] = { "2", "0", "-1", "x", "1.0", "99999999999" };
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    run_script(a, "true", 1, "", id, &r);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        AUTO(mem) char *rest = mem_printf("/attempts/%s", numbers[i]);

        api_get(a, api_job_path(id, rest), &r);
        assert_problem(&r, 404, "attempt-not-found");
    }
    api_get(a, "/v1/jobs/01937f6c-2b9a-7c31-8e5d-3f1a9b7c2d4e/attempts", &r);
    assert_problem(&r, 404, "job-not-found");
    api_get(a, "/v1/jobs/01937f6c-2b9a-7c31-8e5d-3f1a9b7c2d4e/attempts/1", &r);
    assert_problem(&r, 404, "job-not-found");
    api_get(a, api_job_path(id, "/attempts?limt=1"), &r);
    assert_problem(&r, 400, "invalid-parameter");
}

static void logs_of_attempts_that_are_not_there_are_refused(void **state)
{
    static const struct {
        const char *query;
        int status;
        const char *code;
    } cases[] = {
        { "?attempt=2", 404, "log-not-found" },
        { "?attempt=0", 400, "invalid-parameter" },
        { "?attempt=x", 400, "invalid-parameter" },
        { "?attempt=", 400, "invalid-parameter" },
        { "?attempt=1&attempt=1", 400, "invalid-parameter" },
        { "?atempt=1", 400, "invalid-parameter" },
    };
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    run_script(a, "true", 1, "", id, &r);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(mem) char *rest = mem_printf("/logs/stdout%s", cases[i].query);

        api_get(a, api_job_path(id, rest), &r);
        assert_problem(&r, cases[i].status, cases[i].code);
    }
}

static void the_attempt_that_runs_is_listed_as_such(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    api_await_state(a, api_submit(a, "{\"command\":[\"sleep\",\"60\"]}", id), "running", &r);
    api_get(a, api_job_path(id, "/attempts"), &r);
    assert_int_equal(json_array_size(api_at(r.json, "items")), 1);
    assert_string_equal(api_text(&r, "items.0.state"), "running");
    assert_true(api_number(&r, "items.0.worker.id") > 0);
    assert_null(api_at(r.json, "items.0.finished_at"));
    assert_null(api_at(r.json, "items.0.usage"));
    api_post(a, api_job_path(id, ":cancel"), "{\"mode\":\"force\"}", &r);
    api_await(a, id, &r);
    api_get(a, api_job_path(id, "/attempts/1"), &r);
    assert_string_equal(api_text(&r, "state"), "canceled");
    assert_true(*api_text(&r, "finished_at") != '\0');
}

static void a_job_that_has_not_started_has_no_attempts(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"function\":\"plain\",\"delay_seconds\":3600}", id);
    api_get(a, api_job_path(id, "/attempts"), &r);
    assert_status(&r, 200);
    assert_int_equal(json_array_size(api_at(r.json, "items")), 0);
    assert_null(api_at(r.json, "next"));
    api_post(a, api_job_path(id, ":cancel"), "{}", &r);
    assert_status(&r, 200);
}

/* -- retries ---------------------------------------------------------------------- */

static void between_two_attempts_a_job_says_why_it_waits_and_until_when(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    api_await_state(a, api_submit(a, "{\"function\":\"patient\"}", id), "scheduled", &r);
    assert_string_equal(api_text(&r, "reason"), "retry_backoff");
    assert_true(strcmp(api_text(&r, "scheduled_at"), api_text(&r, "updated_at")) > 0);
    assert_string_equal(api_text(&r, "failure.reason"), "exit_code");
    assert_int_equal(api_number(&r, "exit_code"), 3);
    assert_null(api_at(r.json, "finished_at"));
    api_get(a, api_job_path(id, "/result"), &r);
    assert_problem(&r, 404, "result-not-ready");
    api_post(a, api_job_path(id, ":cancel"), "{}", &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "state"), "canceled");
}

static void attempts_run_out(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    run_script(a, "kill -9 $$", 3, "", id, &r);
    assert_string_equal(api_text(&r, "state"), "failed");
    assert_int_equal(api_number(&r, "attempt"), 3);
    assert_string_equal(api_text(&r, "failure.reason"), "signal");
    assert_int_equal(api_number(&r, "failure.attempt"), 3);
}

static void a_cause_or_exit_code_that_is_not_to_be_tried_again_ends_the_job(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply fatal = { 0 };
    AUTO_FINI(api_reply) struct api_reply other = { 0 };
    char id[API_ID_SIZE];

    run_script(a, "exit $((5 + $JOBD_ATTEMPT))", 9, ",\"fatal_exit_codes\":[7]", id, &fatal);
    assert_string_equal(api_text(&fatal, "state"), "failed");
    assert_int_equal(api_number(&fatal, "attempt"), 2);
    assert_int_equal(api_number(&fatal, "exit_code"), 7);
    run_script(a, "exit 1", 9, ",\"on\":[\"signal\"]", id, &other);
    assert_int_equal(api_number(&other, "attempt"), 1);
}

static void a_program_that_does_not_exist_is_tried_once(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    api_await(a,
              api_submit(a,
                         "{\"command\":[\"/nonexistent/program\"],\"retry\":"
                         "{\"max_attempts\":9,\"initial_delay_seconds\":0.01}}",
                         id),
              &r);
    assert_string_equal(api_text(&r, "state"), "failed");
    assert_string_equal(api_text(&r, "failure.reason"), "spawn_failed");
    assert_int_equal(api_number(&r, "attempt"), 1);
}

/* Kill the worker that runs this attempt of the job. */
static void kill_worker(const struct api *a, const char *id, int attempt)
{
    for (;;) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        api_await_state(a, id, "running", &r);
        if (api_number(&r, "attempt") != attempt)
            continue;
        /* One that it has not begun would be queued again. */
        (void)proc_await_child((pid_t)api_number(&r, "worker.pid"), "sleep");
        assert_int_equal(kill((pid_t)api_number(&r, "worker.pid"), SIGKILL), 0);
        return;
    }
}

static void a_job_that_lost_its_worker_is_tried_again(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(
        a,
        "{\"command\":[\"sh\",\"-c\",\"test $JOBD_ATTEMPT -ge 2 || exec sleep 60\"],"
        "\"retry\":{\"max_attempts\":2,\"initial_delay_seconds\":0.01}}",
        id);
    kill_worker(a, id, 1);
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_int_equal(api_number(&r, "attempt"), 2);
    api_get(a, api_job_path(id, "/attempts/1"), &r);
    assert_string_equal(api_text(&r, "failure.reason"), "worker_lost");
    assert_string_equal(api_text(&r, "failure.kind"), "system");
}

static void a_job_that_ends_one_worker_after_another_is_quarantined(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(a,
                     "{\"command\":[\"sleep\",\"60\"],\"retry\":"
                     "{\"max_attempts\":9,\"initial_delay_seconds\":0.01}}",
                     id);
    for (int attempt = 1; attempt <= 3; attempt++) /* quarantine_after is 3 by default */
        kill_worker(a, id, attempt);
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "failed");
    assert_int_equal(api_number(&r, "attempt"), 3);
    assert_string_equal(api_text(&r, "failure.reason"), "quarantined");
    assert_string_equal(api_text(&r, "failure.kind"), "system");
    assert_non_null(strstr(api_text(&r, "failure.message"), "3 attempts"));
}

/* -- limits and policies in the contract -------------------------------------------- */

static void a_job_may_lower_limits_and_not_raise_them(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    api_await(a, api_submit(a, "{\"function\":\"flaky\",\"limits\":{\"open_files\":32}}", id),
              &r);
    assert_int_equal(api_number(&r, "limits.open_files"), 32);
    assert_int_equal(api_number(&r, "limits.cpu_seconds"), 10);
    api_post(a, "/v1/jobs", "{\"function\":\"flaky\",\"limits\":{\"open_files\":65}}", &r);
    assert_problem(&r, 422, "validation-failed");
    assert_string_equal(api_text(&r, "errors.0.pointer"), "#/limits/open_files");
    assert_string_equal(api_text(&r, "errors.0.code"), "above-function-limit");
    api_post(a, "/v1/jobs", "{\"command\":[\"true\"],\"limits\":{\"open_files\":201}}", &r);
    assert_problem(&r, 422, "validation-failed");
    assert_string_equal(api_text(&r, "errors.0.code"), "above-function-limit");
}

static void a_job_shows_the_policy_that_holds(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_post(a, "/v1/jobs",
             "{\"function\":\"flaky\",\"delay_seconds\":3600,\"leftover\":\"wait\","
             "\"inputs\":[{\"path\":\"a/b\",\"base64\":\"AP8=\"}],"
             "\"retry\":{\"max_attempts\":7,\"backoff\":\"linear\"}}",
             &r);
    assert_status(&r, 202);
    assert_int_equal(api_number(&r, "max_attempts"), 7);
    assert_int_equal(api_number(&r, "retry.max_attempts"), 7);
    assert_string_equal(api_text(&r, "retry.backoff"), "linear");
    assert_int_equal(api_number(&r, "retry.multiplier"), 2);
    assert_true(json_real_value(api_at(r.json, "retry.initial_delay_seconds")) == 0.02);
    assert_true(json_array_size(api_at(r.json, "retry.on")) > 5);
    assert_string_equal(api_text(&r, "leftover"), "wait");
    assert_string_equal(api_text(&r, "inputs.0.path"), "a/b");
    assert_int_equal(api_number(&r, "inputs.0.bytes"), 2);
    api_post(a, api_job_path(api_text(&r, "id"), ":cancel"), "{}", &r);
    assert_status(&r, 200);
}

static void a_function_shows_its_limits_and_its_retries(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_get(a, "/v1/functions/flaky", &r);
    assert_int_equal(api_number(&r, "limits.open_files"), 64);
    assert_int_equal(api_number(&r, "retry.max_attempts"), 5);
    api_get(a, "/v1/functions/plain", &r);
    assert_null(api_at(r.json, "limits"));
    assert_null(api_at(r.json, "retry"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_that_fails_is_tried_until_it_succeeds),
        cmocka_unit_test(the_logs_of_every_attempt_are_kept),
        cmocka_unit_test(one_attempt_is_found_by_its_number),
        cmocka_unit_test(an_attempt_that_is_not_there_is_not_found),
        cmocka_unit_test(logs_of_attempts_that_are_not_there_are_refused),
        cmocka_unit_test(the_attempt_that_runs_is_listed_as_such),
        cmocka_unit_test(a_job_that_has_not_started_has_no_attempts),
        cmocka_unit_test(between_two_attempts_a_job_says_why_it_waits_and_until_when),
        cmocka_unit_test(attempts_run_out),
        cmocka_unit_test(a_cause_or_exit_code_that_is_not_to_be_tried_again_ends_the_job),
        cmocka_unit_test(a_program_that_does_not_exist_is_tried_once),
        cmocka_unit_test(a_job_that_lost_its_worker_is_tried_again),
        cmocka_unit_test(a_job_that_ends_one_worker_after_another_is_quarantined),
        cmocka_unit_test(a_job_may_lower_limits_and_not_raise_them),
        cmocka_unit_test(a_job_shows_the_policy_that_holds),
        cmocka_unit_test(a_function_shows_its_limits_and_its_retries),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/attempts", tests, api_setup, api_teardown));
}
