/* createJob and getJob: jobs of every kind are taken, run, and say what became of them. */
#include "tests/support/api.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/uuid7.h"

/* The warm program answers with its args, its pid, and an error when args has one. */
static const char config[] =
    "allow_commands: true\n"
    "workers: 3\n"
    "functions:\n"
    "  - name: words\n"
    "    command: [wc, -w]\n"
    "    result: stdout\n"
    "    timeout: 45s\n"
    "    grace_period: 3s\n"
    "  - name: greet\n"
    "    command: [printf, '%s %s %s', '{greeting}', '{count}', 'to {{all}}']\n"
    "    result: stdout\n"
    "  - name: value\n"
    "    command: [sh, -c, 'printf \"{{\\\"result\\\":%s}}\" \"$(cat)\" >&3']\n"
    "  - name: warm\n"
    "    program:\n"
    "      - sh\n"
    "      - -c\n"
    "      - |\n"
    "        while IFS= read -r line; do\n"
    "          id=${line#*\\\"id\\\":\\\"}; id=${id%%\\\"*}\n"
    "          case $line in\n"
    "          *fail*) echo \"{\\\"id\\\":\\\"$id\\\",\\\"error\\\":{\\\"message\\\":\\\"no "
    "luck\\\"}}\" >&3 ;;\n"
    "          *) echo \"{\\\"id\\\":\\\"$id\\\",\\\"result\\\":{\\\"pid\\\":$$}}\" >&3 ;;\n"
    "          esac\n"
    "        done\n"
    "    workers: 1\n";

static void run(const struct api *a, const char *body, struct api_reply *ret_reply)
{
    char id[API_ID_SIZE];

    api_await(a, api_submit(a, body, id), ret_reply);
}

/* -- the answer to a submit ------------------------------------------------------------------
 */

static void a_submitted_job_is_taken_and_says_where_it_is(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct uuid7 id;

    api_post(a, "/v1/jobs", "{\"function\":\"words\",\"stdin\":\"a b\"}", &r);
    assert_status(&r, 202);
    assert_true(uuid7_parse(api_text(&r, "id"), &id));
    assert_header(&r, "Location", api_job_path(api_text(&r, "id"), ""));
    assert_header(&r, "ETag", "\"v1\"");
    assert_header(&r, "Retry-After", "1");
    assert_header(&r, "Content-Type", "application/json");
    assert_header(&r, "Content-Location", NULL);
    assert_header(&r, "Preference-Applied", NULL);
    assert_header(&r, "Cache-Control", "private, no-cache");
    assert_header(&r, "X-Content-Type-Options", "nosniff");
    assert_string_equal(api_text(&r, "state"), "queued");
    assert_string_equal(api_text(&r, "function"), "words");
    assert_string_equal(api_text(&r, "queue"), "default");
    assert_int_equal(api_number(&r, "priority"), 0);
    assert_int_equal(api_number(&r, "attempt"), 0);
    assert_int_equal(api_number(&r, "version"), 1);
    assert_int_equal(api_number(&r, "timeout_seconds"), 45);
    assert_int_equal(api_number(&r, "grace_period_seconds"), 3);
    assert_string_equal(api_text(&r, "links.self"), api_job_path(api_text(&r, "id"), ""));
    assert_string_equal(api_text(&r, "links.logs.stderr"),
                        api_job_path(api_text(&r, "id"), "/logs/stderr"));
    assert_null(api_at(r.json, "stdin"));
    assert_null(api_at(r.json, "started_at"));
}

static void validate_only_shows_the_job_and_keeps_nothing(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    const struct api_request q = { .path = "/v1/jobs?validate_only=true",
                                   .body =
                                       "{\"function\":\"words\",\"name\":\"only shown\","
                                       "\"args\":{\"n\":1},\"retry\":{\"max_attempts\":3}}",
                                   .headers = { "Prefer: wait=30", "Idempotency-Key: shown" } };

    api_send(a, &q, &r);
    assert_status(&r, 200);
    assert_header(&r, "Location", NULL);
    assert_header(&r, "ETag", NULL);
    assert_header(&r, "Cache-Control", "no-store");
    assert_null(api_at(r.json, "id"));
    assert_null(api_at(r.json, "links"));
    assert_null(api_at(r.json, "created_at"));
    assert_string_equal(api_text(&r, "state"), "queued");
    assert_string_equal(api_text(&r, "function"), "words");
    assert_int_equal(api_number(&r, "args.n"), 1);
    assert_int_equal(api_number(&r, "max_attempts"), 3);
    assert_int_equal(api_number(&r, "timeout_seconds"), 45);
    api_get(a, "/v1/jobs?limit=1000", &r);
    assert_null(strstr(r.body, "only shown"));

    api_post(a, "/v1/jobs?validate_only=true", "{\"function\":\"words\",\"queue\":1}", &r);
    assert_problem(&r, 422, "validation-failed");
    assert_string_equal(api_text(&r, "errors.0.pointer"), "#/queue");
    api_post(a, "/v1/jobs?validate_only=yes", "{\"function\":\"words\"}", &r);
    assert_problem(&r, 400, "invalid-parameter");
    api_post(a, "/v1/jobs?validate_only=false", "{\"function\":\"words\"}", &r);
    assert_status(&r, 202);
}

static void with_wait_the_answer_is_the_finished_job(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    const struct api_request q = { .path = "/v1/jobs",
                                   .body =
                                       "{\"function\":\"words\",\"stdin\":\"to be or not\"}",
                                   .headers = { "Prefer: wait=30" } };

    api_send(a, &q, &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_header(&r, "Location", api_job_path(api_text(&r, "id"), ""));
    assert_header(&r, "Content-Location", api_job_path(api_text(&r, "id"), ""));
    assert_header(&r, "Preference-Applied", "wait=30");
    assert_header(&r, "ETag", "\"v3\"");
    assert_header(&r, "Retry-After", NULL);
}

/* The answer is made of what was submitted and how it has ended: nothing is read for it. */
static void assert_answer_is_the_job(const struct api *a, const char *body)
{
    AUTO_FINI(api_reply) struct api_reply waited = { 0 };
    AUTO_FINI(api_reply) struct api_reply read = { 0 };
    const struct api_request q = { .path = "/v1/jobs",
                                   .body = body,
                                   .headers = { "Prefer: wait=30" } };

    api_send(a, &q, &waited);
    assert_status(&waited, 200);
    api_get(a, api_job_path(api_text(&waited, "id"), ""), &read);
    assert_status(&read, 200);
    assert_string_equal(waited.body, read.body);
    assert_header(&waited, "ETag", api_header(&read, "ETag"));
}

static void the_answer_of_a_wait_is_what_is_read_afterwards(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(buf) struct buf large = { 0 };

    assert_answer_is_the_job(a, "{\"function\":\"words\",\"stdin\":\"to be or not\"}");
    assert_answer_is_the_job(a,
                             "{\"function\":\"value\",\"stdin\":\"[1,2]\","
                             "\"ttl_seconds_after_finished\":3600,\"name\":\"n\","
                             "\"labels\":{\"a\":\"b\"},\"priority\":3}");
    assert_answer_is_the_job(a, "{\"function\":\"warm\"}");
    assert_answer_is_the_job(a, "{\"function\":\"warm\",\"args\":{\"x\":\"fail\"}}");
    assert_answer_is_the_job(a, "{\"command\":[\"sh\",\"-c\",\"echo out; echo err >&2\"]}");
    assert_answer_is_the_job(
        a, "{\"command\":[\"sh\",\"-c\",\"echo '{\\\"progress\\\":0.5}' >&3; sleep 0.3\"]}");
    buf_add(&large, "{\"function\":\"value\",\"stdin\":\"[1", 31);
    for (int i = 0; i < 20000; i++)
        buf_add(&large, ",1", 2);
    buf_add(&large, "]\"}", 3);
    assert_answer_is_the_job(a, large.data);
}

static void a_wait_that_is_too_short_is_answered_with_202(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    const struct api_request q = { .path = "/v1/jobs",
                                   .body = "{\"command\":[\"sleep\",\"60\"]}",
                                   .headers = { "Prefer: wait=1" } };

    api_send(a, &q, &r);
    assert_status(&r, 202);
    assert_header(&r, "Preference-Applied", "wait=1");
    assert_header(&r, "Content-Location", NULL);
    assert_header(&r, "Retry-After", "1");
    api_post(a, api_job_path(api_text(&r, "id"), ":cancel"), "{\"mode\":\"force\"}", &r);
    assert_status(&r, 202);
}

static void a_wait_is_cut_to_what_the_server_grants(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    const struct api_request q = { .path = "/v1/jobs",
                                   .body = "{\"command\":[\"true\"]}",
                                   .headers = { "Prefer: respond-async, wait=86400" } };

    api_send(a, &q, &r);
    assert_status(&r, 200);
    assert_header(&r, "Preference-Applied", "wait=55");
}

static void lenient_handling_ignores_what_is_unknown(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    const struct api_request q = { .path = "/v1/jobs",
                                   .body = "{\"command\":[\"true\"],\"colour\":\"red\"}",
                                   .headers = { "Prefer: handling=lenient, wait=30" } };

    api_send(a, &q, &r);
    assert_status(&r, 200);
    assert_null(api_at(r.json, "colour"));
}

/* -- what runs --------------------------------------------------------------------------------
 */

static void a_function_reads_stdin_and_its_stdout_is_the_result(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    run(a, "{\"function\":\"words\",\"stdin\":\"to be or not to be\"}", &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_int_equal(api_number(&r, "attempt"), 1);
    assert_int_equal(api_number(&r, "version"), 3);
    assert_int_equal(api_number(&r, "exit_code"), 0);
    assert_int_equal(api_number(&r, "logs.stdout_bytes"), 2);
    assert_int_equal(api_number(&r, "result_bytes"), 2);
    assert_true(json_is_false(api_at(r.json, "logs.truncated")));
    assert_true(api_number(&r, "worker.id") > 0);
    assert_true(api_number(&r, "usage.max_rss_bytes") > 0);
    assert_null(api_at(r.json, "failure"));
    assert_true(strcmp(api_text(&r, "created_at"), api_text(&r, "started_at")) <= 0);
    assert_true(strcmp(api_text(&r, "started_at"), api_text(&r, "finished_at")) <= 0);
    assert_header(&r, "Retry-After", NULL);

    api_get(a, api_text(&r, "links.result"), &r);
    assert_status(&r, 200);
    assert_string_equal(r.body, "6\n");
}

static void placeholders_are_filled_and_never_split(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    run(a,
        "{\"function\":\"greet\",\"args\":{\"greeting\":\"good $(id) day; 'x'\",\"count\":3}}",
        &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    api_get(a, api_text(&r, "links.result"), &r);
    assert_string_equal(r.body, "good $(id) day; 'x' 3 to {all}");
}

static void json_on_descriptor_3_is_the_result(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    run(a, "{\"function\":\"value\",\"args\":{\"deep\":[1,2.5,null,\"\u00e9\"]}}", &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_int_equal(json_array_size(api_at(r.json, "result.deep")), 4);
    assert_string_equal(api_text(&r, "result.deep.3"), "\u00e9");
    assert_true(api_number(&r, "result_bytes") > 0);
}

static void a_command_gets_its_environment_and_bytes(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    run(a,
        "{\"command\":[\"sh\",\"-c\",\"printf '%s %s %s ' \\\"$JOBD_JOB_ID\\\" "
        "\\\"$JOBD_ATTEMPT\\\" \\\"$COLOUR\\\"; cat\"],"
        "\"env\":{\"COLOUR\":\"a b\"},\"stdin\":{\"base64\":\"AAEC/w==\"}}",
        &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_string_equal(api_text(&r, "env.COLOUR"), "a b");
    assert_string_equal(api_text(&r, "command.0"), "sh");
    assert_null(api_at(r.json, "function"));
    assert_null(api_at(r.json, "result_bytes"));
    {
        AUTO(mem) char *want = mem_printf("%s 1 a b ", api_text(&r, "id"));
        size_t len = strlen(want);

        api_get(a, api_text(&r, "links.logs.stdout"), &r);
        assert_int_equal(r.body_len, len + 4);
        assert_memory_equal(r.body, want, len);
        assert_memory_equal(r.body + len, "\0\1\2\xff", 4);
    }
}

static void what_the_client_notes_is_kept(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    run(a,
        "{\"command\":[\"true\"],\"name\":\"caf\\u00e9 \\ud83d\\ude00\",\"queue\":\"night.1\","
        "\"priority\":-1000,\"labels\":{\"team\":\"legal\",\"\\u00e9\":\"\"},"
        "\"timeout_seconds\":0.5,\"grace_period_seconds\":0}",
        &r);
    assert_string_equal(api_text(&r, "name"), "caf\u00e9 \U0001f600");
    assert_string_equal(api_text(&r, "queue"), "night.1");
    assert_int_equal(api_number(&r, "priority"), -1000);
    assert_string_equal(api_text(&r, "labels.team"), "legal");
    assert_int_equal(json_object_size(api_at(r.json, "labels")), 2);
    assert_true(json_number_value(api_at(r.json, "timeout_seconds")) == 0.5);
    assert_int_equal(api_number(&r, "grace_period_seconds"), 0);
}

static void a_warm_program_takes_one_job_after_another(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    long long pid;

    run(a, "{\"function\":\"warm\",\"args\":{}}", &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    pid = api_number(&r, "result.pid");
    assert_true(pid > 0);
    run(a, "{\"function\":\"warm\",\"args\":{\"please\":\"fail\"}}", &r);
    assert_string_equal(api_text(&r, "state"), "failed");
    assert_string_equal(api_text(&r, "failure.reason"), "error");
    assert_string_equal(api_text(&r, "failure.kind"), "job");
    assert_non_null(strstr(api_text(&r, "failure.message"), "no luck"));
    run(a, "{\"function\":\"warm\"}", &r);
    assert_int_equal(api_number(&r, "result.pid"), pid);
}

static void a_delayed_job_waits_for_its_time(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_post(a, "/v1/jobs", "{\"command\":[\"true\"],\"delay_seconds\":0.3}", &r);
    assert_status(&r, 202);
    assert_string_equal(api_text(&r, "state"), "scheduled");
    assert_true(*api_text(&r, "scheduled_at"));
    assert_null(api_at(r.json, "queued_at"));
    {
        char id[API_ID_SIZE];

        (void)snprintf(id, sizeof id, "%s", api_text(&r, "id"));
        api_await(a, id, &r);
    }
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_true(strcmp(api_text(&r, "started_at"), api_text(&r, "scheduled_at")) >= 0);

    api_post(a, "/v1/jobs", "{\"command\":[\"true\"],\"run_at\":\"2001-01-01T00:00:00+01:00\"}",
             &r);
    assert_status(&r, 202);
    assert_string_equal(api_text(&r, "state"), "queued");
    api_post(a, "/v1/jobs", "{\"command\":[\"true\"],\"run_at\":\"2099-01-01T00:00:00Z\"}", &r);
    assert_string_equal(api_text(&r, "state"), "scheduled");
    assert_string_equal(api_text(&r, "scheduled_at"), "2099-01-01T00:00:00.000Z");
}

/* -- how jobs fail ----------------------------------------------------------------------------
 */

static void a_failing_program_fails_its_job_with_the_cause(void **state)
{
    static const struct {
        const char *body;
        const char *reason;
        const char *kind;
        long long exit_code;
        long long signal;
    } cases[] = {
        { "{\"command\":[\"sh\",\"-c\",\"exit 7\"]}", "exit_code", "job", 7, -1 },
        { "{\"command\":[\"sh\",\"-c\",\"kill -9 $$\"]}", "signal", "job", -1, SIGKILL },
        { "{\"command\":[\"/nowhere/program\"]}", "spawn_failed", "system", -1, -1 },
        { "{\"command\":[\"sleep\",\"60\"],\"timeout_seconds\":0.2}", "deadline_exceeded",
          "job", -1, SIGTERM },
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        run(a, cases[i].body, &r);
        assert_string_equal(api_text(&r, "state"), "failed");
        assert_string_equal(api_text(&r, "failure.reason"), cases[i].reason);
        assert_string_equal(api_text(&r, "failure.kind"), cases[i].kind);
        assert_true(*api_text(&r, "failure.message"));
        assert_int_equal(api_number(&r, "failure.attempt"), 1);
        assert_int_equal(api_number(&r, "exit_code"), cases[i].exit_code);
        assert_int_equal(api_number(&r, "signal"), cases[i].signal);
    }
}

/* -- looking ----------------------------------------------------------------------------------
 */

static void a_job_that_is_known_already_is_not_sent_again(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];
    struct api_request q = { .path = NULL };

    api_await(a, api_submit(a, "{\"command\":[\"true\"]}", id), &r);
    q.path = api_job_path(id, "");
    q.headers[0] = "If-None-Match: \"v2\", W/\"v3\"";
    api_send(a, &q, &r);
    assert_status(&r, 304);
    assert_header(&r, "ETag", "\"v3\"");
    assert_int_equal(r.body_len, 0);

    q.headers[0] = "If-None-Match: \"v2\", \"v33\"";
    api_send(a, &q, &r);
    assert_status(&r, 200);
    assert_header(&r, "ETag", "\"v3\"");

    q.headers[0] = "If-None-Match: *";
    api_send(a, &q, &r);
    assert_status(&r, 304);
}

static void head_answers_as_get_without_the_body(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];
    char length[32];

    api_await(a, api_submit(a, "{\"command\":[\"true\"]}", id), &r);
    api_get(a, api_job_path(id, ""), &r);
    (void)snprintf(length, sizeof length, "%zu", r.body_len);
    api_send(a, &(struct api_request){ .method = "HEAD", .path = api_job_path(id, "") }, &r);
    assert_status(&r, 200);
    assert_int_equal(r.body_len, 0);
    assert_header(&r, "ETag", "\"v3\"");
    assert_header(&r, "Content-Length", length);
}

/* -- lasting ----------------------------------------------------------------------------------
 */

static void jobs_are_still_there_after_a_restart(void **state)
{
    struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char done[API_ID_SIZE];
    char later[API_ID_SIZE];

    api_await(a, api_submit(a, "{\"function\":\"words\",\"stdin\":\"one two\"}", done), &r);
    (void)api_submit(a, "{\"command\":[\"true\"],\"delay_seconds\":3600,\"name\":\"later\"}",
                     later);
    api_stop(a, SIGTERM);
    assert_int_equal(a->exit_code, 0);
    api_start(a);

    api_get(a, api_job_path(done, ""), &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    api_get(a, api_job_path(done, "/result"), &r);
    assert_string_equal(r.body, "2\n");
    api_get(a, api_job_path(later, ""), &r);
    assert_string_equal(api_text(&r, "state"), "scheduled");
    assert_string_equal(api_text(&r, "name"), "later");
    run(a, "{\"function\":\"warm\"}", &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_submitted_job_is_taken_and_says_where_it_is),
        cmocka_unit_test(validate_only_shows_the_job_and_keeps_nothing),
        cmocka_unit_test(with_wait_the_answer_is_the_finished_job),
        cmocka_unit_test(the_answer_of_a_wait_is_what_is_read_afterwards),
        cmocka_unit_test(a_wait_that_is_too_short_is_answered_with_202),
        cmocka_unit_test(a_wait_is_cut_to_what_the_server_grants),
        cmocka_unit_test(lenient_handling_ignores_what_is_unknown),
        cmocka_unit_test(a_function_reads_stdin_and_its_stdout_is_the_result),
        cmocka_unit_test(placeholders_are_filled_and_never_split),
        cmocka_unit_test(json_on_descriptor_3_is_the_result),
        cmocka_unit_test(a_command_gets_its_environment_and_bytes),
        cmocka_unit_test(what_the_client_notes_is_kept),
        cmocka_unit_test(a_warm_program_takes_one_job_after_another),
        cmocka_unit_test(a_delayed_job_waits_for_its_time),
        cmocka_unit_test(a_failing_program_fails_its_job_with_the_cause),
        cmocka_unit_test(a_job_that_is_known_already_is_not_sent_again),
        cmocka_unit_test(head_answers_as_get_without_the_body),
        cmocka_unit_test(jobs_are_still_there_after_a_restart),
    };

    api_configure(config);
    return api_finish(cmocka_run_group_tests_name("api/jobs", tests, api_setup, api_teardown));
}
