/* The answer to a submit that waits is made of what was submitted and of its end, and read for
 * it is nothing (domain/job_end.h). It must be, byte for byte, what getJob says afterwards. */
#include "tests/support/api.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

static const char config[] =
    "allow_commands: true\n"
    "workers: 2\n"
    "retention: 1h\n"
    "functions:\n"
    "  - name: words\n"
    "    command: [wc, -w]\n"
    "    result: stdout\n"
    "    timeout: 45s\n"
    "    grace_period: 3s\n"
    "    limits: {open_files: 64, output_bytes: 1048576}\n"
    "  - name: given\n"
    "    command: [sh, -c, 'printf \"{{\\\"result\\\":%s}}\" \"$(cat)\" >&3']\n"
    "  - name: forever\n"
    "    command: [sh, -c, 'sleep 300']\n"
    "    timeout: 100ms\n"
    "  - name: flaky\n"
    "    command: [sh, -c, 'exit 3']\n"
    "    retry: {max_attempts: 2, initial_delay_seconds: 0.001}\n"
    "  - name: warm\n"
    "    program:\n"
    "      - sh\n"
    "      - -c\n"
    "      - |\n"
    "        while IFS= read -r line; do\n"
    "          id=${line#*\\\"id\\\":\\\"}; id=${id%%\\\"*}\n"
    "          case $line in\n"
    "          *fail*) echo "
    "\"{\\\"id\\\":\\\"$id\\\",\\\"error\\\":{\\\"message\\\":\\\"no\\\"}}\" >&3 ;;\n"
    "          *said*) echo \"{\\\"id\\\":\\\"$id\\\",\\\"progress\\\":0.5}\" >&3\n"
    "                  echo \"{\\\"id\\\":\\\"$id\\\",\\\"result\\\":null}\" >&3 ;;\n"
    "          *loud*) echo out; echo err >&2\n"
    "                  echo "
    "\"{\\\"id\\\":\\\"$id\\\",\\\"result\\\":[1,1.50,{\\\"b\\\":1,\\\"a\\\":2}]}\" >&3 ;;\n"
    "          *) echo \"{\\\"id\\\":\\\"$id\\\",\\\"result\\\":\\\"ok\\\"}\" >&3 ;;\n"
    "          esac\n"
    "        done\n"
    "    workers: 1\n";

/* -- the comparison ---------------------------------------------------------------------------
 */

/* Of the answer to this one request, or said only of what was submitted. */
static bool is_of_the_request(const char *line)
{
    static const char *const names[] = { "HTTP/",
                                         "X-Request-Id:",
                                         "Date:",
                                         "Location:",
                                         "Content-Location:",
                                         "Preference-Applied:",
                                         "Idempotent-Replayed:" };

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strncasecmp(line, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* Each line of one is in the other, but for those. */
static void assert_headers_in(const struct api_reply *these, const struct api_reply *those)
{
    AUTO(mem) char *lines = mem_str(these->headers);
    char *rest = lines, *line;

    while ((line = strsep(&rest, "\n"))) {
        line[strcspn(line, "\r")] = 0;
        if (line[0] && !is_of_the_request(line) && !strstr(those->headers, line))
            fail_msg("%s, and not in:\n%s", line, those->headers);
    }
}

static void assert_is_the_job(const struct api *a, const struct api_reply *waited)
{
    AUTO_FINI(api_reply) struct api_reply read = { 0 };

    api_get(a, api_job_path(api_text(waited, "id"), ""), &read);
    assert_status(&read, 200);
    assert_int_equal(waited->body_len, read.body_len);
    assert_string_equal(waited->body, read.body);
    assert_headers_in(waited, &read);
    assert_headers_in(&read, waited);
    assert_header(waited, "Location", api_job_path(api_text(waited, "id"), ""));
    assert_header(waited, "Content-Location", api_job_path(api_text(waited, "id"), ""));
    assert_header(waited, "Preference-Applied", "wait=50");
}

static void send_waiting(const struct api *a, const char *body, const char *header,
                         struct api_reply *ret_reply)
{
    const struct api_request q = { .path = "/v1/jobs",
                                   .body = body,
                                   .headers = { "Prefer: wait=50", header } };

    api_send(a, &q, ret_reply);
    assert_status(ret_reply, 200);
}

/* The state that it ends in. */
static void assert_ends(const struct api *a, const char *state, const char *body)
{
    AUTO_FINI(api_reply) struct api_reply waited = { 0 };

    send_waiting(a, body, NULL, &waited);
    assert_string_equal(api_text(&waited, "state"), state);
    assert_is_the_job(a, &waited);
}

/* -- tests ------------------------------------------------------------------------------------
 */

static void of_commands_and_functions_of_each_kind(void **state)
{
    const struct api *a = *state;

    assert_ends(a, "succeeded", "{\"command\":[\"true\"]}");
    assert_ends(a, "failed", "{\"command\":[\"false\"]}");
    assert_ends(a, "failed", "{\"command\":[\"/no/such/program\"]}");
    assert_ends(a, "failed", "{\"command\":[\"sh\",\"-c\",\"kill -9 $$\"]}");
    assert_ends(a, "succeeded", "{\"command\":[\"sh\",\"-c\",\"echo out; echo err >&2\"]}");
    assert_ends(a, "succeeded", "{\"command\":[\"sh\",\"-c\",\"sleep 300 & exit 0\"]}");
    assert_ends(a, "succeeded", "{\"function\":\"words\",\"stdin\":\"to be or not to be\"}");
    assert_ends(a, "failed", "{\"function\":\"forever\"}");
    assert_ends(a, "failed", "{\"function\":\"flaky\"}");
    assert_ends(a, "succeeded", "{\"function\":\"warm\"}");
    assert_ends(a, "succeeded", "{\"function\":\"warm\",\"args\":{\"x\":\"loud\"}}");
    assert_ends(a, "succeeded", "{\"function\":\"warm\",\"args\":{\"x\":\"said\"}}");
    assert_ends(a, "failed", "{\"function\":\"warm\",\"args\":{\"x\":\"fail\"}}");
}

static void of_jobs_with_all_that_a_submit_can_say(void **state)
{
    const struct api *a = *state;

    assert_ends(a, "succeeded",
                "{\"function\":\"words\",\"stdin\":\"a\",\"name\":\"n\\u00e4me \\\"x\\\"\","
                "\"labels\":{\"b\":\"2\",\"a\":\"\",\"\\ud83d\\ude00\":\"\\u0001\"},"
                "\"priority\":7,\"queue\":\"q\",\"ttl_seconds_after_finished\":3600,"
                "\"timeout_seconds\":30,\"grace_period_seconds\":1,"
                "\"env\":{\"X\":\"1\"},\"leftover\":\"wait\","
                "\"limits\":{\"open_files\":32},"
                "\"retry\":{\"max_attempts\":3}}");
    assert_ends(a, "succeeded",
                "{\"command\":[\"cat\",\"in/x\"],\"args\":{\"n\":[1,2.50,1e3,-0.0]},"
                "\"inputs\":[{\"path\":\"in/x\",\"content\":\"hello\"}]}");
    assert_ends(a, "succeeded",
                "{\"command\":[\"sh\",\"-c\",\"echo x > \\\"$JOBD_ARTIFACTS\\\"/f || true\"]}");
    assert_ends(a, "succeeded", "{\"command\":[\"true\"],\"delay_seconds\":0}");
    assert_ends(a, "succeeded", "{\"command\":[\"true\"],\"delay_seconds\":1}");
    assert_ends(
        a, "succeeded",
        "{\"command\":[\"true\"],\"unique\":{\"key\":\"k\",\"on_conflict\":\"use_existing\"}}");
}

static void with_a_trace_and_a_key(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply traced = { 0 };
    AUTO_FINI(api_reply) struct api_reply keyed = { 0 };
    AUTO_FINI(api_reply) struct api_reply again = { 0 };

    send_waiting(a, "{\"command\":[\"true\"]}",
                 "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                 &traced);
    assert_is_the_job(a, &traced);
    send_waiting(a, "{\"function\":\"warm\"}", "Idempotency-Key: waited", &keyed);
    assert_is_the_job(a, &keyed);
    send_waiting(a, "{\"function\":\"warm\"}", "Idempotency-Key: waited", &again);
    assert_string_equal(again.body, keyed.body);
    assert_is_the_job(a, &again);
}

/* One byte to each side of what is told, of what is kept in the row, and of what is shown. */
static void with_results_of_any_size(void **state)
{
    static const size_t sizes[] = { 2,     3,     1023,  1024,  1025,  4095,  4096,   4097,
                                    16383, 16384, 16385, 65535, 65536, 65537, 200000, 0 };
    const struct api *a = *state;

    for (size_t i = 0; sizes[i] > 0; i++) {
        AUTO(mem) char *result = mem_new0(sizes[i] + 1);
        AUTO(mem) char *body = NULL;
        AUTO_FINI(api_reply) struct api_reply waited = { 0 };

        memset(result, 'x', sizes[i]);
        body = mem_printf("{\"function\":\"given\",\"stdin\":\"\\\"%.*s\\\"\"}",
                          (int)sizes[i] - 2, result);
        send_waiting(a, body, NULL, &waited);
        assert_string_equal(api_text(&waited, "state"), "succeeded");
        assert_int_equal(api_number(&waited, "result_bytes"), sizes[i]);
        assert_is_the_job(a, &waited);
    }
}

static void with_results_of_any_kind(void **state)
{
    static const char *const results[] = {
        "null",
        "true",
        "0",
        "-0.0",
        "1e3",
        "[]",
        "{}",
        "[1.50, 2 ]",
        "9223372036854775807",
        "{\\\"b\\\":1,\\\"a\\\":{\\\"z\\\":[]}}",
        "\\\"\\\\u00e4\\\\n\\\\u0001\\\"",
        "\\\"\\u00e4\\\"",
    };
    static const char *const bad[] = { "", "nul", "01", "[1", "1e400", "\\\"\\\\u0000\\\"" };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(results) + COUNT_OF(bad); i++) {
        bool good = i < COUNT_OF(results);
        const char *result = good ? results[i] : bad[i - COUNT_OF(results)];
        AUTO(mem) char *body = mem_printf("{\"function\":\"given\",\"stdin\":\"%s\"}", result);
        AUTO_FINI(api_reply) struct api_reply waited = { 0 };

        send_waiting(a, body, NULL, &waited);
        if (good)
            assert_string_equal(api_text(&waited, "state"), "succeeded");
        assert_is_the_job(a, &waited);
    }
}

/* What is on its way to several at once is not mixed up. */
static void a_job_that_is_there_already_is_told_to_all_who_wait(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply first = { 0 };
    AUTO_FINI(api_reply) struct api_reply second = { 0 };
    AUTO_FINI(api_reply) struct api_reply cancel = { 0 };
    char path[80];

    api_post(a, "/v1/jobs",
             "{\"command\":[\"sh\",\"-c\",\"sleep 0.3\"],"
             "\"unique\":{\"key\":\"one\",\"on_conflict\":\"use_existing\"}}",
             &first);
    assert_status(&first, 202);
    send_waiting(a,
                 "{\"command\":[\"sh\",\"-c\",\"sleep 0.3\"],"
                 "\"unique\":{\"key\":\"one\",\"on_conflict\":\"use_existing\"}}",
                 NULL, &second);
    assert_string_equal(api_text(&second, "id"), api_text(&first, "id"));
    assert_is_the_job(a, &second);
    (void)snprintf(path, sizeof path, "%s", api_job_path(api_text(&second, "id"), ":cancel"));
    api_post(a, path, "{}", &cancel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_commands_and_functions_of_each_kind),
        cmocka_unit_test(of_jobs_with_all_that_a_submit_can_say),
        cmocka_unit_test(with_a_trace_and_a_key),
        cmocka_unit_test(with_results_of_any_size),
        cmocka_unit_test(with_results_of_any_kind),
        cmocka_unit_test(a_job_that_is_there_already_is_told_to_all_who_wait),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/waited_answer", tests, api_setup, api_teardown));
}
