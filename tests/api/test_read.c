/* What can be read in parts, in digests, in less than the whole, or not again: getJob,
 * getJobResult, getJobLog, and the documents of the service. */
#include "tests/support/api.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static const char config[] =
    "allow_commands: true\n"
    "workers: 1\n"
    "functions:\n"
    "  - name: hello\n"
    "    command: [sh, -c, 'echo hello world']\n"
    "    result: stdout\n"
    "  - name: digits\n"
    "    command: [sh, -c, 'echo \"{{\\\"result\\\": 12345}}\" >&3']\n";

/* printf 'hello world\n' | sha256sum | xxd -r -p | base64 */
#define HELLO_DIGEST "sha-256=:qUiQTy8PR5uPgZdpSzAYSw0u0cHNKh7A+4XSmaGSpEc=:"
/* the same of 12345 */
#define DIGITS_DIGEST "sha-256=:WZRHGrsBESr8wYFZ9sx0tPURuZgG2lmzyvWpwXPKz8U=:"

static char hello[API_ID_SIZE];
static char digits[API_ID_SIZE];

static int submit_jobs(void **state)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    (void)api_setup(state);
    (void)api_submit(*state, "{\"function\":\"hello\",\"args\":{\"a\":[1]}}", hello);
    (void)api_submit(*state, "{\"function\":\"digits\"}", digits);
    api_await(*state, hello, &r);
    api_await(*state, digits, &r);
    return 0;
}

static void get_with(const struct api *a, const char *path, const char *header,
                     const char *second, struct api_reply *ret_reply)
{
    const struct api_request q = { .path = path, .headers = { header, second } };

    api_send(a, &q, ret_reply);
}

/* -- parts of bytes -------------------------------------------------------------------------
 */

static void a_result_and_a_log_are_read_in_ranges(void **state)
{
    static const struct {
        const char *range;
        long status;
        const char *content_range;
        const char *body;
    } cases[] = {
        { "Range: bytes=0-4", 206, "bytes 0-4/12", "hello" },
        { "Range: bytes=6-", 206, "bytes 6-11/12", "world\n" },
        { "Range: bytes=-6", 206, "bytes 6-11/12", "world\n" },
        { "Range: bytes=0-1,3-4", 200, NULL, "hello world\n" },
        { "Range: lines=1-2", 200, NULL, "hello world\n" },
        { "Range: bytes=12-", 416, "bytes */12", NULL },
    };
    AUTO(mem) char *result = mem_str(api_job_path(hello, "/result"));
    AUTO(mem) char *log = mem_str(api_job_path(hello, "/logs/stdout"));
    const char *const paths[] = { result, log };
    const struct api *a = *state;

    for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        get_with(a, paths[i % 2], cases[i / 2].range, NULL, &r);
        assert_int_equal(r.status, cases[i / 2].status);
        assert_header(&r, "Content-Range", cases[i / 2].content_range);
        assert_header(&r, "Accept-Ranges", "bytes");
        if (!cases[i / 2].body)
            continue;
        assert_string_equal(r.body, cases[i / 2].body);
        assert_header(&r, "Repr-Digest", HELLO_DIGEST); /* of the whole, whatever is sent */
    }
}

static void a_json_result_is_read_in_ranges_too(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    get_with(a, api_job_path(digits, "/result"), "Range: bytes=1-2", NULL, &r);
    assert_status(&r, 206);
    assert_string_equal(r.body, "23");
    assert_header(&r, "Content-Range", "bytes 1-2/5");
    assert_header(&r, "Content-Type", "application/json");
    assert_header(&r, "Repr-Digest", DIGITS_DIGEST);
}

static void a_range_of_another_version_is_the_whole(void **state)
{
    static const struct {
        const char *if_range;
        long status;
    } cases[] = {
        { "If-Range: \"r1\"", 206 },
        { "If-Range: \"r2\"", 200 },
        { "If-Range: W/\"r1\"", 200 },                      /* weak: never equal */
        { "If-Range: Mon, 23 Nov 2026 09:12:33 GMT", 200 }, /* there is no Last-Modified */
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        get_with(a, api_job_path(hello, "/result"), "Range: bytes=0-4", cases[i].if_range, &r);
        assert_int_equal(r.status, cases[i].status);
        assert_header(&r, "ETag", "\"r1\"");
    }
}

static void a_digest_is_not_told_to_those_who_refuse_it(void **state)
{
    static const struct {
        const char *wanted;
        const char *digest;
    } cases[] = {
        { "Want-Repr-Digest: sha-256=10", HELLO_DIGEST },
        { "Want-Repr-Digest: sha-512=3, sha-256=1", HELLO_DIGEST },
        { "Want-Repr-Digest: sha-512=10", HELLO_DIGEST },
        { "Want-Repr-Digest: sha-256=0", NULL },
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        get_with(a, api_job_path(hello, "/logs/stdout"), cases[i].wanted, NULL, &r);
        assert_status(&r, 200);
        assert_header(&r, "Repr-Digest", cases[i].digest);
    }
}

static void a_long_result_has_its_digest_when_it_is_asked_for(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(
        a,
        "{\"command\":[\"sh\",\"-c\",\"head -c 1500000 /dev/zero | tr '\\\\0' x\"],"
        "\"limits\":{\"output_bytes\":2000000}}",
        id);
    api_await(a, id, &r);
    api_get(a, api_job_path(id, "/logs/stdout"), &r);
    assert_status(&r, 200);
    assert_header(&r, "Repr-Digest", NULL);
    get_with(a, api_job_path(id, "/logs/stdout"), "Want-Repr-Digest: sha-256=1",
             "Range: bytes=-1", &r);
    assert_status(&r, 206);
    assert_non_null(api_header(&r, "Repr-Digest"));
}

/* -- less than the whole job ----------------------------------------------------------------
 */

static void a_job_is_read_in_views_and_fields(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_get(a, api_job_path(hello, "?view=minimal"), &r);
    assert_status(&r, 200);
    assert_int_equal(json_object_size(r.json), 3);
    assert_string_equal(api_text(&r, "id"), hello);
    api_get(a, api_job_path(hello, "?view=basic"), &r);
    assert_null(api_at(r.json, "args"));
    assert_string_equal(api_text(&r, "function"), "hello");
    api_get(a, api_job_path(hello, "?fields=args.a,logs.stdout_bytes"), &r);
    assert_string_equal(r.body, "{\"args\":{\"a\":[1]},\"logs\":{\"stdout_bytes\":12}}");
    assert_header(&r, "ETag", "\"v3\"");
    api_get(a, api_job_path(hello, "?fields=nothing"), &r);
    assert_problem(&r, 400, "invalid-parameter");
    api_get(a, api_job_path(hello, "?view=all"), &r);
    assert_problem(&r, 400, "invalid-parameter");
}

static void a_job_that_has_ended_leads_to_its_result_when_it_is_asked_to(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    api_get(a, api_job_path(hello, "?on_complete=redirect"), &r);
    assert_status(&r, 303);
    assert_header(&r, "Location", api_job_path(hello, "/result"));
    get_with(a, api_job_path(hello, "?on_complete=redirect"), "If-None-Match: \"v3\"", NULL,
             &r);
    assert_status(&r, 303); /* a condition is one of the answer that would be 200 */
    api_get(a, api_job_path(hello, "?on_complete=tell"), &r);
    assert_problem(&r, 400, "invalid-parameter");

    (void)api_submit(a, "{\"function\":\"hello\",\"delay_seconds\":3600}", id);
    api_get(a, api_job_path(id, "?on_complete=redirect"), &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "state"), "scheduled");
}

static void a_wait_ends_in_the_redirect(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"command\":[\"sleep\",\"0.2\"]}", id);
    api_get(a, api_job_path(id, "?on_complete=redirect&wait=50"), &r);
    assert_status(&r, 303);
    assert_header(&r, "Location", api_job_path(id, "/result"));
}

static void a_wait_for_a_log_ends_with_the_attempt(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"command\":[\"sh\",\"-c\",\"sleep 0.2; echo done\"]}", id);
    get_with(a, api_job_path(id, "/logs/stdout"), "Prefer: wait=50", NULL, &r);
    assert_status(&r, 200);
    assert_string_equal(r.body, "done\n");
    assert_non_null(api_header(&r, "ETag"));
    assert_header(&r, "Preference-Applied", "wait=50");

    (void)api_submit(a, "{\"function\":\"hello\",\"delay_seconds\":3600}", id);
    api_get(a, api_job_path(id, "/logs/stdout?wait=0"), &r);
    assert_status(&r, 200);
    assert_string_equal(r.body, "");
    api_get(a, api_job_path(id, "/logs/stdout?wait=x"), &r);
    assert_problem(&r, 400, "invalid-parameter");
}

/* -- not again ------------------------------------------------------------------------------
 */

static void what_has_not_changed_is_not_sent_again(void **state)
{
    static const char *const paths[] = { "/",
                                         "/openapi.json",
                                         "/openapi.yaml",
                                         "/docs",
                                         "/problems",
                                         "/problems/not-found",
                                         "/.well-known/api-catalog",
                                         ":",
                                         ":/result",
                                         ":/logs/stdout",
                                         ":/logs/stderr",
                                         ":/attempts",
                                         ":/attempts/1",
                                         ":/artifacts" }; /* ":" is the job */
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        AUTO(mem) char *header = NULL;
        const char *of_job = *paths[i] == ':' ? paths[i] + 1 : NULL;
        AUTO(mem) char *path = mem_str(of_job ? api_job_path(hello, of_job) : paths[i]);

        api_get(a, path, &r);
        assert_status(&r, 200);
        assert_non_null(api_header(&r, "ETag"));
        assert_header(&r, "Cache-Control", "private, no-cache");
        header = mem_printf("If-None-Match: %s", api_header(&r, "ETag"));
        get_with(a, path, header, NULL, &r);
        assert_status(&r, 304);
        assert_int_equal(r.body_len, 0);
    }
}

/* -- not any more ---------------------------------------------------------------------------
 */

static void whatever_is_asked_of_a_removed_job_is_gone(void **state)
{
    static const char *const rest[] = { "",
                                        "?view=minimal",
                                        "?on_complete=redirect",
                                        "?wait=1",
                                        "/result",
                                        "/result?wait=1",
                                        "/logs/stdout",
                                        "/logs/stderr?follow=true",
                                        "/logs/stdout?tail_lines=2",
                                        "/attempts",
                                        "/attempts/1",
                                        "/artifacts",
                                        "/artifacts/file",
                                        "/events" };
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct api_request q = { .method = "DELETE" };
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"function\":\"hello\"}", id);
    api_await(a, id, &r);
    q.path = api_job_path(id, "?purge=true");
    api_send(a, &q, &r);
    assert_status(&r, 204);
    for (size_t i = 0; i < COUNT_OF(rest); i++) {
        AUTO(mem) char *path = mem_str(api_job_path(id, rest[i]));

        api_get(a, path, &r);
        assert_problem(&r, 410, "job-expired");
        assert_int_equal(strlen(api_text(&r, "expired_at")), 24);
        get_with(a, path, "If-None-Match: *", NULL, &r);
        assert_problem(&r, 410, "job-expired");
    }
    api_get(a, "/v1/jobs?view=minimal", &r);
    assert_null(strstr(r.body, id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_and_a_log_are_read_in_ranges),
        cmocka_unit_test(a_json_result_is_read_in_ranges_too),
        cmocka_unit_test(a_range_of_another_version_is_the_whole),
        cmocka_unit_test(a_digest_is_not_told_to_those_who_refuse_it),
        cmocka_unit_test(a_long_result_has_its_digest_when_it_is_asked_for),
        cmocka_unit_test(a_job_is_read_in_views_and_fields),
        cmocka_unit_test(a_job_that_has_ended_leads_to_its_result_when_it_is_asked_to),
        cmocka_unit_test(a_wait_ends_in_the_redirect),
        cmocka_unit_test(a_wait_for_a_log_ends_with_the_attempt),
        cmocka_unit_test(what_has_not_changed_is_not_sent_again),
        cmocka_unit_test(whatever_is_asked_of_a_removed_job_is_gone),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/read", tests, submit_jobs, api_teardown));
}
