/* Failures by their kind over HTTP. */
#include "tests/support/api.h"

#include <stdio.h>
#include <string.h>

static const char CONFIG[] = "workers: 2\nallow_commands: true\n";

static void run(const struct api *a, const char *body, char id[API_ID_SIZE])
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_post(a, "/v1/batches", body, &r);
    assert_status(&r, 202);
    (void)snprintf(id, API_ID_SIZE, "%s", api_text(&r, "id"));
    for (;;) {
        AUTO_FINI(api_reply) struct api_reply now = { 0 };
        char path[96];

        (void)snprintf(path, sizeof path, "/v1/batches/%s?wait=30", id);
        api_get(a, path, &now);
        if (!strstr("open running", api_text(&now, "state")))
            return;
    }
}

static void errors_of(const struct api *a, const char *id, const char *query,
                      struct api_reply *r)
{
    char path[160];

    (void)snprintf(path, sizeof path, "/v1/batches/%s/errors%s", id, query);
    api_get(a, path, r);
    assert_status(r, 200);
}

static void failures_of_one_kind_are_one_line(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(api_reply) struct api_reply jobs = { 0 };
    char path[160];
    char id[API_ID_SIZE];

    run(a,
        "{\"template\":{\"command\":[\"sh\",\"-c\",\"echo noise; echo row $JOBD_ARRAY_INDEX of "
        "/tmp/x$JOBD_ARRAY_INDEX is bad >&2; exit $((1 + JOBD_ARRAY_INDEX / 8))\"]},"
        "\"array\":{\"size\":10}}",
        id);
    errors_of(a, id, "", &r);
    assert_int_equal(json_array_size(api_at(r.json, "items")), 2);
    assert_int_equal(api_number(&r, "items.0.count"), 8);
    assert_int_equal(api_number(&r, "items.0.exit_code"), 1);
    assert_int_equal(api_number(&r, "items.1.count"), 2);
    assert_string_equal(api_text(&r, "items.0.reason"), "exit_code");
    assert_string_equal(api_text(&r, "items.0.message"), "row <num> of <path> is bad");
    assert_string_equal(api_text(&r, "items.0.queue"), "default");
    assert_int_equal(json_array_size(api_at(r.json, "items.0.sample_job_ids")), 5);
    (void)snprintf(path, sizeof path, "/v1/jobs?batch_id=%s&fingerprint=%s", id,
                   api_text(&r, "items.1.fingerprint"));
    api_get(a, path, &jobs);
    assert_int_equal(json_array_size(api_at(jobs.json, "items")), 2);
    assert_string_equal(api_text(&jobs, "items.0.fingerprint"),
                        api_text(&r, "items.1.fingerprint"));
}

static void a_long_stderr_is_read_from_its_end(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    run(a,
        "{\"jobs\":[{\"command\":[\"sh\",\"-c\",\"head -c 300000 /dev/zero | tr '\\\\\\\\0' x "
        ">&2; echo >&2; echo the end >&2; exit 1\"]}]}",
        id);
    errors_of(a, id, "", &r);
    assert_string_equal(api_text(&r, "items.0.message"), "the end");
}

static void jobs_without_a_batch_are_counted_too(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(api_reply) struct api_reply job = { 0 };
    AUTO_FINI(api_reply) struct api_reply none = { 0 };
    char id[API_ID_SIZE];

    api_submit(a, "{\"command\":[\"sh\",\"-c\",\"kill -9 $$\"],\"queue\":\"alone\"}", id);
    api_await(a, id, &job);
    api_get(a, "/v1/errors?queue=alone", &r);
    assert_status(&r, 200);
    assert_int_equal(api_number(&r, "items.0.count"), 1);
    assert_int_equal(api_number(&r, "items.0.signal"), 9);
    assert_string_equal(api_text(&r, "items.0.fingerprint"), api_text(&job, "fingerprint"));
    assert_string_equal(api_text(&r, "items.0.first_job_id"), id);
    api_get(a, "/v1/errors?queue=alone&since=2099-01-01T00:00:00Z", &none);
    assert_int_equal(json_array_size(api_at(none.json, "items")), 0);
}

static void bad_filters_are_refused(void **state)
{
    static const char *const paths[] = { "/v1/errors?queue=a%20b", "/v1/errors?since=today",
                                         "/v1/errors?limit=0", "/v1/errors?que=x" };
    const struct api *a = *state;

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        api_get(a, paths[i], &r);
        assert_problem(&r, 400, "invalid-parameter");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_of_one_kind_are_one_line),
        cmocka_unit_test(a_long_stderr_is_read_from_its_end),
        cmocka_unit_test(jobs_without_a_batch_are_counted_too),
        cmocka_unit_test(bad_filters_are_refused),
    };

    api_configure(CONFIG);
    return api_finish(
        cmocka_run_group_tests_name("api/batch_errors", tests, api_setup, api_teardown));
}
