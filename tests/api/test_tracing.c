/* W3C Trace Context: from the request to the job and from there to what it runs. */
#include "tests/support/api.h"

#include <string.h>

#define TRACE  "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN   "00f067aa0ba902b7"
#define PARENT "traceparent: 00-" TRACE "-" SPAN "-01"

static const char config[] =
    "functions:\n"
    "  - name: show\n"
    "    command: [sh, -c, 'echo \"$TRACEPARENT|$TRACESTATE\"']\n"
    "  - name: warm\n"
    "    program: [sh, -c, 'while IFS= read -r line; do id=${line#*\\\"id\\\":\\\"};"
    " printf \"{\\\"id\\\":\\\"%s\\\",\\\"result\\\":%s}\\\\n\" \"${id%%\\\"*}\" \"$line\""
    " >&3; done']\n"
    "    workers: 1\n";

/* Submit with these headers; the job, as the answer to the submit has it. */
static void submit(const struct api *a, const char *body, const char *first, const char *second,
                   struct api_reply *ret_reply)
{
    const struct api_request q = {
        .path = "/v1/jobs",
        .body = body,
        .headers = { first, first ? second : NULL },
    };

    api_send(a, &q, ret_reply);
    assert_status(ret_reply, 202);
}

static void assert_stdout(const struct api *a, const char *id, const char *want)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_await(a, id, &r);
    api_get(a, api_job_path(id, "/logs/stdout"), &r);
    assert_string_equal(r.body, want);
}

static void a_job_joins_the_trace_of_its_request(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 }, again = { 0 };
    char want[160];
    const char *parent;

    submit(a, "{\"function\":\"show\"}", PARENT, "tracestate: congo=t61, rojo=00f0", &r);
    parent = api_text(&r, "traceparent");
    assert_int_equal(strlen(parent), 55);
    assert_memory_equal(parent, "00-" TRACE "-", 36);
    assert_memory_not_equal(parent + 36, SPAN, 16);
    assert_string_equal(parent + 52, "-01");
    assert_string_equal(api_text(&r, "tracestate"), "congo=t61, rojo=00f0");
    (void)snprintf(want, sizeof want, "%s|congo=t61, rojo=00f0\n", parent);
    assert_stdout(a, api_text(&r, "id"), want);
    api_get(a, api_job_path(api_text(&r, "id"), ""), &again);
    assert_string_equal(api_text(&again, "traceparent"), parent);
}

static void a_warm_program_is_told_the_trace_of_each_job(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 }, done = { 0 };

    submit(a, "{\"function\":\"warm\",\"args\":7}", PARENT, "tracestate: a=\"1\"", &r);
    api_await(a, api_text(&r, "id"), &done);
    assert_string_equal(api_text(&done, "result.traceparent"), api_text(&r, "traceparent"));
    assert_string_equal(api_text(&done, "result.tracestate"), "a=\"1\"");
    assert_int_equal(api_number(&done, "result.args"), 7);
}

static void what_is_not_valid_is_ignored_and_nothing_is_invented(void **state)
{
    static const char *const headers[][2] = {
        { NULL, NULL },
        { "traceparent: 00-" TRACE "-0000000000000000-01", "tracestate: a=1" },
        { "tracestate: a=1", NULL },
        { PARENT, PARENT },
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        submit(a, "{\"function\":\"show\"}", headers[i][0], headers[i][1], &r);
        assert_null(api_at(r.json, "traceparent"));
        assert_null(api_at(r.json, "tracestate"));
        assert_stdout(a, api_text(&r, "id"), "|\n");
    }
}

static void a_bad_tracestate_costs_the_tracestate_alone(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    submit(a, "{\"function\":\"show\"}", PARENT, "tracestate: NOT VALID", &r);
    assert_int_equal(strlen(api_text(&r, "traceparent")), 55);
    assert_null(api_at(r.json, "tracestate"));
}

static void what_a_job_sets_itself_is_meant(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    submit(a, "{\"function\":\"show\",\"env\":{\"TRACEPARENT\":\"mine\"}}", PARENT, NULL, &r);
    assert_stdout(a, api_text(&r, "id"), "mine|\n");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_joins_the_trace_of_its_request),
        cmocka_unit_test(a_warm_program_is_told_the_trace_of_each_job),
        cmocka_unit_test(what_is_not_valid_is_ignored_and_nothing_is_invented),
        cmocka_unit_test(a_bad_tracestate_costs_the_tracestate_alone),
        cmocka_unit_test(what_a_job_sets_itself_is_meant),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/tracing", tests, api_setup, api_teardown));
}
