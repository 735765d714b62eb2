/* Requests about jobs that are refused: each says what is wrong and where, and changes nothing.
 */
#include "tests/support/api.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

/* Nothing runs: a job that was taken by mistake would stay, and be seen. */
static const char config[] =
    "workers: 1\n"
    "max_body_bytes: 4KiB\n"
    "max_waiting_jobs: 2\n"
    "functions:\n"
    "  - name: convert\n"
    "    command: [echo, '{input}', '{width}x']\n"
    "  - name: echo\n"
    "    command: [echo]\n"
    "  - name: warm\n"
    "    program: [cat]\n";

static const char no_id[] = "01937f6c-2b9a-7c31-8e5d-3f1a9b7c2d4e";

static void assert_no_jobs(const struct api *a)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_get(a, "/v1/jobs", &r);
    assert_status(&r, 200);
    assert_int_equal(json_array_size(api_at(r.json, "items")), 0);
}

/* -- bodies that are not JSON
 * ------------------------------------------------------------------ */

static void a_body_that_is_not_json_is_refused(void **state)
{
    static const char *const bodies[] = {
        "{",
        "",
        "   ",
        "nothing",
        "{\"function\":\"echo\",}",
        "{\"function\":\"echo\"} {}",
        "{\"function\":\"echo\",\"function\":\"echo\"}",
        "{\"function\":\"echo\",\"args\":{\"a\":1,\"a\":2}}",
        "{\"function\":\"\xff\xfe\"}",
        "{\"function\":\"\xc0\x80\"}",
        "{\"function\":\"\\ud800\"}",
        "{\"function\":\"echo\",\"name\":\"a\\u0000b\"}",
        "{\"function\":\"echo\",\"priority\":NaN}",
        "{\"function\":\"echo\",\"priority\":01}",
        "{'function':'echo'}",
        "{\"function\":\"echo\",\"args\":1e999}",
        "{\"function\":\"echo\",\"args\":99999999999999999999}",
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        api_post(a, "/v1/jobs", bodies[i], &r);
        assert_problem(&r, 400, "malformed-json");
        assert_true(*api_text(&r, "detail"));
    }
    assert_no_jobs(a);
}

static void json_that_is_too_deep_is_refused(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(buf) struct buf b = { 0 };

    buf_add_str(&b, "{\"function\":\"echo\",\"args\":");
    for (int i = 0; i < 33; i++)
        buf_add_char(&b, '[');
    for (int i = 0; i < 33; i++)
        buf_add_char(&b, ']');
    buf_add_char(&b, '}');
    api_post(a, "/v1/jobs", b.data, &r);
    assert_problem(&r, 400, "malformed-json");
    assert_no_jobs(a);
}

/* -- bodies that are not a job
 * ----------------------------------------------------------------- */

static void a_body_that_is_not_a_job_is_refused_with_the_place(void **state)
{
    static const struct {
        const char *body;
        const char *pointer;
        const char *code;
    } cases[] = {
        { "[]", "#", "wrong-type" },
        { "null", "#", "wrong-type" },
        { "\"echo\"", "#", "wrong-type" },
        { "{}", "#", "missing" },
        { "{\"args\":{}}", "#", "missing" },
        { "{\"function\":\"nope\"}", "#/function", "unknown-function" },
        { "{\"function\":\"\"}", "#/function", "unknown-function" },
        { "{\"function\":7}", "#/function", "wrong-type" },
        { "{\"function\":null}", "#/function", "wrong-type" },
        { "{\"function\":\"convert\",\"args\":{\"input\":\"a\"}}", "#/args/width", "missing" },
        { "{\"function\":\"convert\",\"args\":{\"input\":\"a\",\"width\":null}}",
          "#/args/width", "wrong-type" },
        { "{\"function\":\"convert\",\"args\":{\"input\":{},\"width\":1}}", "#/args/input",
          "wrong-type" },
        { "{\"function\":\"convert\",\"args\":[1]}", "#/args", "wrong-type" },
        { "{\"function\":\"echo\",\"stdin\":1}", "#/stdin", "wrong-type" },
        { "{\"function\":\"echo\",\"stdin\":{}}", "#/stdin", "missing" },
        { "{\"function\":\"echo\",\"stdin\":{\"base64\":\"?\"}}", "#/stdin/base64",
          "invalid-base64" },
        { "{\"function\":\"echo\",\"stdin\":{\"base64\":\"\",\"x\":1}}", "#/stdin/x",
          "unknown-field" },
        { "{\"function\":\"warm\",\"stdin\":\"x\"}", "#/stdin", "not-applicable" },
        { "{\"function\":\"warm\",\"env\":{\"A\":\"1\"}}", "#/env", "not-applicable" },
        { "{\"function\":\"echo\",\"env\":[]}", "#/env", "wrong-type" },
        { "{\"function\":\"echo\",\"env\":{\"A\":1}}", "#/env/A", "wrong-type" },
        { "{\"function\":\"echo\",\"env\":{\"A=B\":\"\"}}", "#/env/A=B", "invalid-name" },
        { "{\"function\":\"echo\",\"env\":{\"\":\"\"}}", "#/env/", "invalid-name" },
        { "{\"function\":\"echo\",\"env\":{\"a/b~c d\":\"\"}}", "#/env/a~1b~0c%20d",
          "invalid-name" },
        { "{\"function\":\"echo\",\"env\":{\"JOBD_X\":\"\"}}", "#/env/JOBD_X",
          "reserved-name" },
        { "{\"function\":\"echo\",\"name\":\"\"}", "#/name", "too-short" },
        { "{\"function\":\"echo\",\"name\":1}", "#/name", "wrong-type" },
        { "{\"function\":\"echo\",\"queue\":\"\"}", "#/queue", "invalid-name" },
        { "{\"function\":\"echo\",\"queue\":\"a b\"}", "#/queue", "invalid-name" },
        { "{\"function\":\"echo\",\"priority\":\"1\"}", "#/priority", "wrong-type" },
        { "{\"function\":\"echo\",\"priority\":1.5}", "#/priority", "wrong-type" },
        { "{\"function\":\"echo\",\"priority\":1001}", "#/priority", "out-of-range" },
        { "{\"function\":\"echo\",\"priority\":-1001}", "#/priority", "out-of-range" },
        { "{\"function\":\"echo\",\"delay_seconds\":-1}", "#/delay_seconds", "out-of-range" },
        { "{\"function\":\"echo\",\"delay_seconds\":true}", "#/delay_seconds", "wrong-type" },
        { "{\"function\":\"echo\",\"run_at\":\"tomorrow\"}", "#/run_at", "invalid-time" },
        { "{\"function\":\"echo\",\"run_at\":\"2026-02-30T00:00:00Z\"}", "#/run_at",
          "invalid-time" },
        { "{\"function\":\"echo\",\"run_at\":1}", "#/run_at", "wrong-type" },
        { "{\"function\":\"echo\",\"run_at\":\"2099-01-01T00:00:00Z\",\"delay_seconds\":1}",
          "#/run_at", "conflict" },
        { "{\"function\":\"echo\",\"timeout_seconds\":0}", "#/timeout_seconds",
          "out-of-range" },
        { "{\"function\":\"echo\",\"timeout_seconds\":1e300}", "#/timeout_seconds",
          "out-of-range" },
        { "{\"function\":\"echo\",\"grace_period_seconds\":3601}", "#/grace_period_seconds",
          "out-of-range" },
        { "{\"function\":\"echo\",\"labels\":[]}", "#/labels", "wrong-type" },
        { "{\"function\":\"echo\",\"labels\":{\"a\":1}}", "#/labels/a", "wrong-type" },
        { "{\"function\":\"echo\",\"piority\":1}", "#/piority", "unknown-field" },
        { "{\"function\":\"echo\",\"\":1}", "#/", "unknown-field" },
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        api_post(a, "/v1/jobs", cases[i].body, &r);
        assert_problem(&r, 422, "validation-failed");
        if (strcmp(api_text(&r, "errors.0.pointer"), cases[i].pointer) != 0)
            print_message("%s\n", cases[i].body);
        assert_int_equal(json_array_size(api_at(r.json, "errors")), 1);
        assert_string_equal(api_text(&r, "errors.0.pointer"), cases[i].pointer);
        assert_string_equal(api_text(&r, "errors.0.code"), cases[i].code);
        assert_true(*api_text(&r, "errors.0.detail"));
    }
    assert_no_jobs(a);
}

static void all_faults_are_told_at_once(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(buf) struct buf b = { 0 };

    api_post(a, "/v1/jobs",
             "{\"function\":\"convert\",\"args\":{},\"priority\":\"x\",\"queue\":\"a b\","
             "\"labels\":{\"k\":1},\"nope\":0}",
             &r);
    assert_problem(&r, 422, "validation-failed");
    assert_int_equal(json_array_size(api_at(r.json, "errors")), 6);
    assert_string_equal(api_text(&r, "detail"), "there are 6 faults");

    buf_add_str(&b, "{\"function\":\"echo\"");
    for (int i = 0; i < 150; i++)
        buf_printf(&b, ",\"unknown%d\":0", i);
    buf_add_char(&b, '}');
    api_post(a, "/v1/jobs", b.data, &r);
    assert_problem(&r, 422, "validation-failed");
    assert_int_equal(json_array_size(api_at(r.json, "errors")), 100);
    assert_string_equal(api_text(&r, "detail"), "there are 150 faults");
    assert_no_jobs(a);
}

static void a_misspelt_name_is_answered_with_the_right_one(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_post(a, "/v1/jobs", "{\"function\":\"convrt\"}", &r);
    assert_non_null(strstr(api_text(&r, "errors.0.detail"), "convert"));
    api_post(a, "/v1/jobs", "{\"function\":\"echo\",\"piority\":1}", &r);
    assert_non_null(strstr(api_text(&r, "errors.0.detail"), "priority"));
}

static void commands_need_to_be_allowed(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_post(a, "/v1/jobs", "{\"command\":[\"true\"]}", &r);
    assert_problem(&r, 403, "commands-disabled");
    assert_no_jobs(a);
}

/* -- everything else about a submit
 * ------------------------------------------------------------ */

static void a_submit_with_bad_headers_or_parameters_is_refused(void **state)
{
    static const struct {
        const char *path;
        const char *header;
        long status;
        const char *code;
    } cases[] = {
        { "/v1/jobs?wait=1", NULL, 400, "invalid-parameter" },
        { "/v1/jobs?x", NULL, 400, "invalid-parameter" },
        { "/v1/jobs?%zz=1", NULL, 400, "invalid-parameter" },
        { "/v1/jobs", "Content-Type: text/plain", 415, "unsupported-media-type" },
        { "/v1/jobs", "Content-Type: application/jsonx", 415, "unsupported-media-type" },
        { "/v1/jobs", "Content-Type:", 415, "unsupported-media-type" },
        { "/v1/jobs", "Content-Encoding: br", 415, "unsupported-media-type" },
        { "/v1/jobs", "Content-Encoding: gzip", 400, "malformed-request" },
        { "/v1/jobs", "Accept: text/html", 406, "not-acceptable" },
        { "/v1/jobs", "Host: jobs.example", 403, "forbidden-host" },
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        const struct api_request q = { .path = cases[i].path,
                                       .body = "{\"function\":\"echo\",\"delay_seconds\":999}",
                                       .headers = { cases[i].header } };

        api_send(a, &q, &r);
        assert_problem(&r, cases[i].status, cases[i].code);
    }
    assert_no_jobs(a);
}

static void a_preference_that_makes_no_sense_is_ignored(void **state)
{
    static const char *const headers[] = { "Prefer: wait=soon", "Prefer: wait=-1",
                                           "Prefer: wait", "Prefer: handling=strict, x=\"" };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        const struct api_request q = { .path = "/v1/jobs",
                                       .body = "{\"function\":\"echo\",\"nope\":999}",
                                       .headers = { headers[i] } };

        api_send(a, &q, &r);
        assert_problem(&r, 422, "validation-failed");
    }
}

static void a_body_that_is_too_large_is_refused(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *body = mem_array0(1, 100000);
    struct api_request q = { .path = "/v1/jobs", .body = body, .body_len = 4096 };

    memset(body, ' ', 99999);
    memcpy(body, "{\"function\":\"nope\"}", 19);
    api_send(a, &q, &r);
    assert_problem(&r, 422, "validation-failed");
    q.body_len = 4097;
    api_send(a, &q, &r);
    assert_problem(&r, 413, "content-too-large");
    assert_int_equal(api_number(&r, "max_bytes"), 4096);
    q.body_len = 99999;
    api_send(a, &q, &r);
    assert_problem(&r, 413, "content-too-large");
    q.headers[0] = "Transfer-Encoding: chunked";
    api_send(a, &q, &r);
    assert_problem(&r, 413, "content-too-large");
    assert_no_jobs(a);
}

/* -- jobs that are not there
 * ------------------------------------------------------------------- */

static void a_job_that_is_not_there_is_not_found(void **state)
{
    static const char *const ids[] = {
        no_id,
        "nonsense",
        "01937f6c-2b9a-4c31-8e5d-3f1a9b7c2d4e", /* version 4 */
        "01937f6c-2b9a-7c31-8e5d-3f1a9b7c2d4e0",
        "%30",
    };
    static const struct {
        const char *method;
        const char *rest;
    } operations[] = {
        { "GET", "" },
        { "GET", "?wait=1" },
        { "DELETE", "" },
        { "POST", ":cancel" },
        { "POST", "%3Acancel" },
        { "GET", "/result" },
        { "GET", "/result?wait=1" },
        { "GET", "/logs/stdout" },
        { "GET", "/logs/stderr" },
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        for (size_t j = 0; j < COUNT_OF(operations); j++) {
            AUTO_FINI(api_reply) struct api_reply r = { 0 };
            const struct api_request q = { .method = operations[j].method,
                                           .path = api_job_path(ids[i], operations[j].rest) };

            api_send(a, &q, &r);
            assert_problem(&r, 404, "job-not-found");
        }
    }
}

/* Another id with the same time and counter, but other random bits. */
static void an_id_must_match_to_the_last_bit(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];
    char other[API_ID_SIZE];

    (void)api_submit(a, "{\"function\":\"echo\"}", id);
    memcpy(other, id, sizeof other);
    other[35] = other[35] == 'a' ? 'b' : 'a';
    api_get(a, api_job_path(other, ""), &r);
    assert_problem(&r, 404, "job-not-found");
    api_post(a, api_job_path(other, ":cancel"), NULL, &r);
    assert_problem(&r, 404, "job-not-found");
    api_get(a, api_job_path(other, "/logs/stdout"), &r);
    assert_problem(&r, 404, "job-not-found");
    api_get(a, api_job_path(other, "/result"), &r);
    assert_problem(&r, 404, "job-not-found");
    api_await(a, id, &r);
}

/* Every operation on one job, with what every operation may refuse. */
static void bad_requests_about_a_job_are_refused(void **state)
{
    static const struct {
        const char *method;
        const char *rest;
        const char *header;
        long status;
        const char *code;
    } cases[] = {
        { "GET", "?x=1", NULL, 400, "invalid-parameter" },
        { "GET", "?wait=x", NULL, 400, "invalid-parameter" },
        { "GET", "?wait=-1", NULL, 400, "invalid-parameter" },
        { "GET", "?wait=1.5", NULL, 400, "invalid-parameter" },
        { "GET", "?wait=", NULL, 400, "invalid-parameter" },
        { "GET", "", "Accept: text/html", 406, "not-acceptable" },
        { "GET", "", "Host: jobs.example", 403, "forbidden-host" },
        { "GET", ":stop", NULL, 404, "not-found" },
        { "GET", ":cancel", NULL, 405, "method-not-allowed" },
        { "PUT", "", NULL, 405, "method-not-allowed" },
        { "DELETE", "?purge=maybe", NULL, 400, "invalid-parameter" },
        { "DELETE", "", "Accept: text/html", 406, "not-acceptable" },
        { "DELETE", "", "Host: jobs.example", 403, "forbidden-host" },
        { "POST", ":cancel?x=1", NULL, 400, "invalid-parameter" },
        { "POST", ":cancel", "Accept: text/html", 406, "not-acceptable" },
        { "POST", ":cancel", "Host: jobs.example", 403, "forbidden-host" },
        { "GET", "/result?x=1", NULL, 400, "invalid-parameter" },
        { "GET", "/result?wait=x", NULL, 400, "invalid-parameter" },
        { "GET", "/result", "Host: jobs.example", 403, "forbidden-host" },
        { "GET", "/logs/stdout?x=1", NULL, 400, "invalid-parameter" },
        { "GET", "/logs/stdout", "Host: jobs.example", 403, "forbidden-host" },
        { "GET", "/logs/stdin", NULL, 404, "log-not-found" },
        { "GET", "/logs", NULL, 404, "not-found" },
    };
    const struct api *a = *state;
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"function\":\"echo\",\"delay_seconds\":999}", id);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        const struct api_request q = { .method = cases[i].method,
                                       .path = api_job_path(id, cases[i].rest),
                                       .headers = { cases[i].header } };

        api_send(a, &q, &r);
        assert_problem(&r, cases[i].status, cases[i].code);
        if (strncmp(cases[i].rest, "?wait", 5) == 0)
            assert_string_equal(api_text(&r, "errors.0.parameter"), "wait");
    }
    {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        api_get(a, api_job_path(id, ""), &r);
        assert_string_equal(api_text(&r, "state"), "scheduled");
        api_send(a, &(struct api_request){ .method = "DELETE", .path = api_job_path(id, "") },
                 &r);
        assert_status(&r, 200);
    }
}

/* -- too many jobs
 * ----------------------------------------------------------------------------- */

static void no_more_jobs_wait_than_may(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char ids[2][API_ID_SIZE];

    for (size_t i = 0; i < 2; i++)
        (void)api_submit(a, "{\"function\":\"echo\",\"delay_seconds\":999}", ids[i]);
    api_post(a, "/v1/jobs", "{\"function\":\"echo\",\"delay_seconds\":999}", &r);
    assert_problem(&r, 429, "queue-full");
    assert_header(&r, "Retry-After", "1");
    api_post(a, api_job_path(ids[0], ":cancel"), NULL, &r);
    assert_status(&r, 200);
    do /* until it has been counted again */
        api_post(a, "/v1/jobs", "{\"function\":\"echo\",\"delay_seconds\":999}", &r);
    while (r.status == 429);
    assert_status(&r, 202);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_that_is_not_json_is_refused),
        cmocka_unit_test(json_that_is_too_deep_is_refused),
        cmocka_unit_test(a_body_that_is_not_a_job_is_refused_with_the_place),
        cmocka_unit_test(all_faults_are_told_at_once),
        cmocka_unit_test(a_misspelt_name_is_answered_with_the_right_one),
        cmocka_unit_test(commands_need_to_be_allowed),
        cmocka_unit_test(a_submit_with_bad_headers_or_parameters_is_refused),
        cmocka_unit_test(a_preference_that_makes_no_sense_is_ignored),
        cmocka_unit_test(a_body_that_is_too_large_is_refused),
        cmocka_unit_test(a_job_that_is_not_there_is_not_found),
        cmocka_unit_test(an_id_must_match_to_the_last_bit),
        cmocka_unit_test(bad_requests_about_a_job_are_refused),
        cmocka_unit_test(no_more_jobs_wait_than_may),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/job_errors", tests, api_setup, api_teardown));
}
