/* listFunctions and getFunction: what the configuration offers. */
#include "tests/support/api.h"

#include <string.h>

static const char config[] =
    "functions:\n"
    "  - name: zip\n"
    "    description: Pack a file\n"
    "    command: [gzip, -c, '{path}', '{path}{level}', '{{x}}']\n"
    "    timeout: 90s\n"
    "  - name: plain\n"
    "    command: [true]\n"
    "    timeout: 1500ms\n"
    "  - name: warm\n"
    "    program: [cat]\n"
    "    concurrency: 8\n"
    "    workers: 2\n"
    "  - name: order\n"
    "    command: [sh, -c, 'cat; echo \"$0\"', '{size}']\n"
    "    result: stdout\n"
    "    args_schema:\n"
    "      type: object\n"
    "      required: [size]\n"
    "      additionalProperties: false\n"
    "      properties:\n"
    "        size: {type: integer, minimum: 1, maximum: 9}\n"
    "        colours: {type: array, items: {enum: [red, green]}, uniqueItems: true}\n"
    "        note: {type: string, pattern: '^[a-z ]*$', maxLength: 20}\n"
    "  - name: optional\n"
    "    command: [cat]\n"
    "    result: stdout\n"
    "    args_schema: {type: object, properties: {}}\n";

static void functions_are_listed_as_configured(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_get(a, "/v1/functions", &r);
    assert_status(&r, 200);
    assert_header(&r, "Content-Type", "application/json");
    assert_header(&r, "Cache-Control", "private, no-cache");
    assert_int_equal(json_array_size(api_at(r.json, "items")), 5);

    assert_string_equal(api_text(&r, "items.0.name"), "zip");
    assert_string_equal(api_text(&r, "items.0.kind"), "command");
    assert_string_equal(api_text(&r, "items.0.description"), "Pack a file");
    assert_int_equal(api_number(&r, "items.0.timeout_seconds"), 90);
    assert_int_equal(json_array_size(api_at(r.json, "items.0.parameters")), 2);
    assert_string_equal(api_text(&r, "items.0.parameters.0"), "path");
    assert_string_equal(api_text(&r, "items.0.parameters.1"), "level");
    assert_null(api_at(r.json, "items.0.workers"));
    assert_null(api_at(r.json, "items.0.concurrency"));

    assert_null(api_at(r.json, "items.1.description"));
    assert_non_null(strstr(r.body, "\"timeout_seconds\":1.5"));
    assert_int_equal(json_array_size(api_at(r.json, "items.1.parameters")), 0);

    assert_string_equal(api_text(&r, "items.2.kind"), "program");
    assert_int_equal(api_number(&r, "items.2.workers"), 2);
    assert_int_equal(api_number(&r, "items.2.concurrency"), 8);
    assert_null(api_at(r.json, "items.2.timeout_seconds"));
    assert_true(json_is_array(api_at(r.json, "items.2.parameters")));
}

static void one_function_is_found_by_its_name(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_get(a, "/v1/functions/warm", &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "name"), "warm");
    api_get(a, "/v1/functions/w%61rm", &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "name"), "warm");
}

static void a_function_that_is_not_there_is_not_found(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_get(a, "/v1/functions/Warm", &r);
    assert_problem(&r, 404, "not-found");
    api_get(a, "/v1/functions/warm%2F", &r);
    assert_problem(&r, 404, "not-found");
    api_get(a, "/v1/functions/warm/", &r);
    assert_problem(&r, 404, "not-found");
}

static void bad_requests_for_functions_are_refused(void **state)
{
    static const struct {
        const char *path;
        const char *header;
        long status;
        const char *code;
    } cases[] = {
        { "/v1/functions?kind=command", NULL, 400, "invalid-parameter" },
        { "/v1/functions/warm?x", NULL, 400, "invalid-parameter" },
        { "/v1/functions/%zz", NULL, 400, "malformed-request" },
        { "/v1/functions", "Accept: text/html", 406, "not-acceptable" },
        { "/v1/functions/warm", "Accept: text/html", 406, "not-acceptable" },
        { "/v1/functions", "Host: jobs.example", 403, "forbidden-host" },
        { "/v1/functions/warm", "Host: jobs.example", 403, "forbidden-host" },
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        const struct api_request q = { .path = cases[i].path, .headers = { cases[i].header } };

        api_send(a, &q, &r);
        assert_problem(&r, cases[i].status, cases[i].code);
    }
}

static void the_schema_of_args_is_shown(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_get(a, "/v1/functions/order", &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "args_schema.type"), "object");
    assert_int_equal(api_number(&r, "args_schema.properties.size.maximum"), 9);
    assert_string_equal(api_text(&r, "args_schema.required.0"), "size");
    api_get(a, "/v1/functions/plain", &r);
    assert_null(api_at(r.json, "args_schema"));
}

static void args_are_checked_against_the_schema_all_faults_at_once(void **state)
{
    static const struct {
        const char *pointer;
        const char *code;
    } want[] = {
        { "#/priority", "out-of-range" },      { "#/args/colours/1", "invalid-value" },
        { "#/args/note", "pattern-mismatch" }, { "#/args/x~1y", "unknown-field" },
        { "#/args/size", "missing" },
    };
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_post(
        a, "/v1/jobs",
        "{\"function\":\"order\",\"priority\":5000,\"args\":{\"colours\":[\"red\",\"blue\"],"
        "\"note\":\"NO\",\"x/y\":1}}",
        &r);
    assert_problem(&r, 422, "validation-failed");
    assert_int_equal(json_array_size(api_at(r.json, "errors")), COUNT_OF(want));
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        bool found = false;

        for (size_t k = 0; k < COUNT_OF(want); k++) {
            const json_t *fault = json_array_get(api_at(r.json, "errors"), k);
            const char *pointer = json_string_value(json_object_get(fault, "pointer"));
            const char *code = json_string_value(json_object_get(fault, "code"));

            found = found ||
                    (strcmp(pointer, want[i].pointer) == 0 && strcmp(code, want[i].code) == 0);
        }
        if (!found)
            fail_msg("%s %s is not in %s", want[i].pointer, want[i].code, r.body);
    }
}

static void args_that_fit_the_schema_are_taken(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    api_submit(a, "{\"function\":\"order\",\"args\":{\"size\":3.0,\"note\":\"so so\"}}", id);
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
}

static void args_that_are_left_out_are_an_empty_object(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    api_post(a, "/v1/jobs", "{\"function\":\"order\"}", &r);
    assert_problem(&r, 422, "validation-failed");
    assert_int_equal(json_array_size(api_at(r.json, "errors")), 1);
    assert_string_equal(api_text(&r, "errors.0.pointer"), "#/args/size");

    api_submit(a, "{\"function\":\"optional\"}", id);
    api_await(a, id, &r);
    assert_true(json_is_object(api_at(r.json, "args")));
    assert_int_equal(api_number(&r, "result_bytes"), 3); /* {} and a line feed */
}

static void functions_are_read_only(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_post(a, "/v1/functions", "{}", &r);
    assert_problem(&r, 405, "method-not-allowed");
    assert_header(&r, "Allow", "GET, HEAD, OPTIONS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_listed_as_configured),
        cmocka_unit_test(one_function_is_found_by_its_name),
        cmocka_unit_test(a_function_that_is_not_there_is_not_found),
        cmocka_unit_test(bad_requests_for_functions_are_refused),
        cmocka_unit_test(the_schema_of_args_is_shown),
        cmocka_unit_test(args_are_checked_against_the_schema_all_faults_at_once),
        cmocka_unit_test(args_that_fit_the_schema_are_taken),
        cmocka_unit_test(args_that_are_left_out_are_an_empty_object),
        cmocka_unit_test(functions_are_read_only),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/functions", tests, api_setup, api_teardown));
}
