/* changeJob, retryJob and cloneJob: jobs that do not run are changed, wait again, and are made
 * once more. */
#include "tests/support/api.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static const char config[] =
    "allow_commands: true\n"
    "workers: 2\n"
    "functions:\n"
    "  - name: echo\n"
    "    command: [echo, '{text}']\n"
    "    timeout: 7s\n"
    "    limits: {open_files: 64}\n"
    "  - name: warm\n"
    "    program: [sh, -c, 'while read -r l; do echo \"{\\\"id\\\": "
    "\\\"x\\\"}\" >&3; done']\n"
    "    limits: {open_files: 64}\n";

static const char demanding_config[] =
    "allow_commands: true\n"
    "require_if_match: true\n";

#define WAITS "{\"command\":[\"true\"],\"delay_seconds\":999"

static void patch(const struct api *a, const char *id, const char *body, const char *if_match,
                  struct api_reply *r)
{
    AUTO(mem) char *condition = if_match ? mem_printf("If-Match: %s", if_match) : NULL;

    api_send(a,
             &(struct api_request){
                 .method = "PATCH",
                 .path = api_job_path(id, ""),
                 .body = body,
                 .headers = { "Content-Type: application/merge-patch+json", condition } },
             r);
}

static void assert_json(const struct api_reply *r, const char *path, const char *expected)
{
    AUTO(json) json_t *want = json_loads(expected, JSON_DECODE_ANY, NULL);
    const json_t *got = api_at(r->json, path);

    assert_non_null(want);
    if (!got || !json_equal(got, want))
        fail_msg("%s: not %s in %s", path, expected, r->body);
}

/* -- changing -------------------------------------------------------------------------------
 */

static void every_member_that_may_change_does(void **state)
{
    static const struct {
        const char *patch, *path, *json;
    } cases[] = {
        { "{\"priority\":7}", "priority", "7" },
        { "{\"priority\":null}", "priority", "0" },
        { "{\"name\":\"n\"}", "name", "\"n\"" },
        { "{\"queue\":\"bulk\"}", "queue", "\"bulk\"" },
        { "{\"queue\":null}", "queue", "\"default\"" },
        { "{\"timeout_seconds\":2.5}", "timeout_seconds", "2.5" },
        { "{\"grace_period_seconds\":3}", "grace_period_seconds", "3" },
        { "{\"grace_period_seconds\":null}", "grace_period_seconds", "10" },
        { "{\"ttl_seconds_after_finished\":60}", "ttl_seconds_after_finished", "60" },
        { "{\"retry\":{\"max_attempts\":4}}", "max_attempts", "4" },
        { "{\"retry\":{\"jitter\":0.5}}", "retry.jitter", "0.5" },
        { "{\"priority\":1}", "max_attempts", "4" }, /* what is not named stays */
        { "{\"retry\":null}", "max_attempts", "1" },
        { "{\"labels\":{\"c\":\"3\",\"a\":null}}", "labels", "{\"b\":\"2\",\"c\":\"3\"}" },
        { "{\"priority\":2}", "labels", "{\"b\":\"2\",\"c\":\"3\"}" },
        { "{\"run_at\":\"2099-01-02T03:04:05Z\"}", "scheduled_at",
          "\"2099-01-02T03:04:05.000Z\"" },
    };
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(a, WAITS ",\"labels\":{\"a\":\"1\",\"b\":\"2\"}}", id);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char etag[16];

        (void)snprintf(etag, sizeof etag, "\"v%zu\"", i + 2);
        patch(a, id, cases[i].patch, NULL, &r);
        assert_status(&r, 200);
        assert_json(&r, cases[i].path, cases[i].json);
        assert_string_equal(api_text(&r, "state"), "scheduled");
        assert_header(&r, "ETag", etag);
    }
    patch(a, id, "{\"name\":null,\"timeout_seconds\":null,\"labels\":null}", NULL, &r);
    assert_status(&r, 200);
    assert_null(api_at(r.json, "name"));
    assert_null(api_at(r.json, "timeout_seconds"));
    assert_null(api_at(r.json, "labels"));
    assert_json(&r, "command", "[\"true\"]");
}

static void a_job_is_made_to_run_now_and_later(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(a, WAITS "}", id);
    patch(a, id, "{\"delay_seconds\":888}", NULL, &r);
    assert_string_equal(api_text(&r, "state"), "scheduled");
    patch(a, id, "{\"run_at\":null}", NULL, &r);
    assert_status(&r, 200);
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
}

static void all_faults_are_told_at_once(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(a, WAITS "}", id);
    patch(a, id,
          "{\"priority\":5000,\"command\":[\"ls\"],\"nme\":1,\"labels\":{\"x\":1},"
          "\"run_at\":\"soon\",\"delay_seconds\":1}",
          NULL, &r);
    assert_problem(&r, 422, "validation-failed");
    assert_int_equal(json_array_size(api_at(r.json, "errors")), 6);
    assert_non_null(strstr(r.body, "\"#/priority\""));
    assert_non_null(strstr(r.body, "\"#/command\""));
    assert_non_null(strstr(r.body, "\"not-changeable\""));
    assert_non_null(strstr(r.body, "\"#/nme\""));
    assert_non_null(strstr(r.body, "did you mean name?"));
    assert_non_null(strstr(r.body, "\"#/labels/x\""));
    patch(a, id, "[]", NULL, &r);
    assert_problem(&r, 422, "validation-failed");
    patch(a, id, "{", NULL, &r);
    assert_problem(&r, 400, "malformed-json");
    api_get(a, api_job_path(id, ""), &r);
    assert_int_equal(api_number(&r, "version"), 1);
}

static void the_version_can_be_demanded(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(a, WAITS "}", id);
    patch(a, id, "{\"priority\":1}", "\"v2\"", &r);
    assert_problem(&r, 412, "precondition-failed");
    assert_int_equal(api_number(&r, "version"), 1);
    patch(a, id, "{\"priority\":1}", "W/\"v1\"", &r);
    assert_problem(&r, 412, "precondition-failed");
    patch(a, id, "{\"priority\":1}", "\"v1\"", &r);
    assert_status(&r, 200);
    assert_header(&r, "ETag", "\"v2\"");
    patch(a, id, "{\"priority\":2}", "\"v1\"", &r);
    assert_problem(&r, 412, "precondition-failed");
    patch(a, id, "{\"priority\":2}", "*", &r);
    assert_status(&r, 200);
}

#define PATCHERS 12

struct patcher {
    const struct api *a;
    const char *id;
    int number;
    pthread_t thread;
    bool done;
};

static void *set_a_label(void *ctx)
{
    struct patcher *p = ctx;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *path = mem_printf("/v1/jobs/%s", p->id);
    AUTO(mem) char *body = mem_printf("{\"labels\":{\"n%d\":\"x\"}}", p->number);
    const struct api_request q = {
        .method = "PATCH",
        .path = path,
        .body = body,
        .headers = { "Content-Type: application/merge-patch+json" },
    };

    p->done = api_try(p->a, &q, &r) && r.status == 200;
    return NULL;
}

static void changes_at_the_same_time_are_all_there(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct patcher patchers[PATCHERS];
    char id[API_ID_SIZE];

    (void)api_submit(a, WAITS "}", id);
    for (int i = 0; i < PATCHERS; i++) {
        patchers[i] = (struct patcher){ .a = a, .id = id, .number = i };
        assert_int_equal(pthread_create(&patchers[i].thread, NULL, set_a_label, &patchers[i]),
                         0);
    }
    for (int i = 0; i < PATCHERS; i++) {
        assert_int_equal(pthread_join(patchers[i].thread, NULL), 0);
        assert_true(patchers[i].done);
    }
    api_get(a, api_job_path(id, ""), &r);
    assert_int_equal(json_object_size(api_at(r.json, "labels")), PATCHERS);
    assert_int_equal(api_number(&r, "version"), 1 + PATCHERS);
}

static void a_patch_must_say_that_it_is_one(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(a, WAITS "}", id);
    api_send(a,
             &(struct api_request){
                 .method = "PATCH", .path = api_job_path(id, ""), .body = "{\"priority\":1}" },
             &r);
    assert_problem(&r, 415, "unsupported-media-type");
    assert_header(&r, "Accept-Patch", "application/merge-patch+json");
}

static void only_a_job_that_waits_can_be_changed(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"command\":[\"true\"]}", id);
    api_await(a, id, &r);
    patch(a, id, "{\"priority\":1}", NULL, &r);
    assert_problem(&r, 409, "invalid-state");
    assert_string_equal(api_text(&r, "state"), "succeeded");
    (void)api_submit(a, "{\"command\":[\"sleep\",\"300\"]}", id);
    api_await_state(a, id, "running", &r);
    patch(a, id, "{\"priority\":1}", NULL, &r);
    assert_problem(&r, 409, "invalid-state");
    assert_string_equal(api_text(&r, "state"), "running");
    api_post(a, api_job_path(id, ":cancel"), "{\"mode\":\"force\"}", &r);
    patch(a, "01937f6c-2b9a-7c31-8e5d-3f1a9b7c2d4e", "{}", NULL, &r);
    assert_problem(&r, 404, "job-not-found");
}

/* -- trying again ---------------------------------------------------------------------------
 */

static void a_failed_job_is_tried_again_with_its_history(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *flag = mem_str(api_path(a, "flag"));
    AUTO(mem)
    char *body = mem_printf(
        "{\"command\":[\"sh\",\"-c\",\"echo $JOBD_ATTEMPT; test -e %s || "
        "{ touch %s; exit 3; }\"]}",
        flag, flag);
    char id[API_ID_SIZE];

    (void)api_submit(a, body, id);
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "failed");
    api_post(a, api_job_path(id, ":retry"), NULL, &r);
    assert_status(&r, 202);
    assert_header(&r, "Location", api_job_path(id, ""));
    if (strcmp(api_text(&r, "state"), "succeeded") != 0) /* by now */
        assert_null(api_at(r.json, "finished_at"));
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_int_equal(api_number(&r, "attempt"), 2);
    api_get(a, api_job_path(id, "/attempts"), &r);
    assert_int_equal(json_array_size(api_at(r.json, "items")), 2);
    assert_int_equal(api_number(&r, "items.0.exit_code"), 3);
    assert_int_equal(api_number(&r, "items.1.exit_code"), 0);
    api_get(a, api_job_path(id, "/logs/stdout?attempt=1"), &r);
    assert_status(&r, 200);
    api_post(a, api_job_path(id, ":retry"), NULL, &r);
    assert_problem(&r, 409, "job-not-retryable");
    assert_string_equal(api_text(&r, "state"), "succeeded");
}

static void a_canceled_job_waits_again_as_it_is_told(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(a, WAITS "}", id);
    api_post(a, api_job_path(id, ":retry"), NULL, &r);
    assert_problem(&r, 409, "job-not-retryable");
    assert_string_equal(api_text(&r, "state"), "scheduled");
    api_post(a, api_job_path(id, ":cancel"), NULL, &r);
    api_post(a, api_job_path(id, ":retry"), "{\"priority\":\"high\"}", &r);
    assert_problem(&r, 422, "validation-failed");
    api_post(a, api_job_path(id, ":retry"),
             "{\"priority\":9,\"delay_seconds\":500,\"timeout_seconds\":4}", &r);
    assert_status(&r, 202);
    assert_string_equal(api_text(&r, "state"), "scheduled");
    assert_int_equal(api_number(&r, "priority"), 9);
    assert_int_equal(api_number(&r, "timeout_seconds"), 4);
    assert_null(api_at(r.json, "cancel_requested_at"));
    assert_null(api_at(r.json, "reason"));
    patch(a, id, "{\"delay_seconds\":0}", NULL, &r);
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_int_equal(api_number(&r, "attempt"), 1);
}

/* -- making one like it ---------------------------------------------------------------------
 */

static void a_clone_is_asked_to_be_what_the_job_was(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *path = NULL;
    char id[API_ID_SIZE];
    char clone[API_ID_SIZE];

    (void)api_submit(
        a,
        "{\"command\":[\"cat\"],\"stdin\":\"hello\",\"name\":\"n\",\"queue\":\"q\","
        "\"labels\":{\"a\":\"1\"},\"priority\":3,\"timeout_seconds\":9,"
        "\"retry\":{\"max_attempts\":2},\"limits\":{\"open_files\":50},"
        "\"ttl_seconds_after_finished\":1000}",
        id);
    api_await(a, id, &r);
    api_post(a, api_job_path(id, ":clone"), NULL, &r);
    assert_status(&r, 202);
    memcpy(clone, api_text(&r, "id"), API_ID_SIZE);
    assert_string_not_equal(clone, id);
    assert_header(&r, "Location", api_job_path(clone, ""));
    api_await(a, clone, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_json(&r, "labels", "{\"a\":\"1\"}");
    assert_json(&r, "limits", "{\"open_files\":50}");
    assert_int_equal(api_number(&r, "priority"), 3);
    assert_int_equal(api_number(&r, "max_attempts"), 2);
    assert_int_equal(api_number(&r, "timeout_seconds"), 9);
    assert_int_equal(api_number(&r, "attempt"), 1);
    assert_string_equal(api_text(&r, "name"), "n");
    assert_string_equal(api_text(&r, "queue"), "q");
    path = mem_str(api_job_path(clone, "/logs/stdout"));
    api_get(a, path, &r);
    assert_string_equal(r.body, "hello");
}

static void a_clone_may_be_different(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"function\":\"echo\",\"args\":{\"text\":\"one\"},\"name\":\"n\"}",
                     id);
    api_await(a, id, &r);
    api_post(a, api_job_path(id, ":clone"),
             "{\"args\":{\"text\":\"two\"},\"name\":null,\"delay_seconds\":99}", &r);
    assert_status(&r, 202);
    assert_string_equal(api_text(&r, "state"), "scheduled");
    assert_string_equal(api_text(&r, "args.text"), "two");
    assert_null(api_at(r.json, "name"));
    assert_int_equal(api_number(&r, "limits.open_files"), 64);
    assert_int_equal(api_number(&r, "timeout_seconds"), 7);
    api_post(a, api_job_path(id, ":clone"), "{\"function\":\"nothing\"}", &r);
    assert_problem(&r, 422, "validation-failed");
    api_post(a, api_job_path(id, ":clone"),
             "{\"function\":null,\"args\":null,\"command\":[\"true\"]}", &r);
    assert_status(&r, 202);
    assert_null(api_at(r.json, "function"));
    api_post(a, api_job_path("01937f6c-2b9a-7c31-8e5d-3f1a9b7c2d4e", ":clone"), NULL, &r);
    assert_problem(&r, 404, "job-not-found");
}

static void a_clone_that_is_asked_for_twice_is_made_once(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *path = NULL;
    char id[API_ID_SIZE], clone[API_ID_SIZE];
    struct api_request q = { .method = "POST", .headers = { "Idempotency-Key: once" } };

    (void)api_submit(a, WAITS "}", id);
    path = mem_str(api_job_path(id, ":clone"));
    q.path = path;
    api_send(a, &q, &r);
    assert_status(&r, 202);
    memcpy(clone, api_text(&r, "id"), API_ID_SIZE);
    api_send(a, &q, &r);
    assert_status(&r, 202);
    assert_string_equal(api_text(&r, "id"), clone);
    assert_header(&r, "Idempotent-Replayed", "true");
    q.body = "{\"priority\":1}";
    api_send(a, &q, &r);
    assert_problem(&r, 422, "idempotency-key-reused");
}

static void a_job_of_a_warm_program_can_be_cloned(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"function\":\"warm\",\"args\":1,\"delay_seconds\":99}", id);
    api_post(a, api_job_path(id, ":clone"), "{\"delay_seconds\":98}", &r);
    assert_status(&r, 202);
    assert_string_equal(api_text(&r, "function"), "warm");
}

/* -- a server that wants to know what is meant
 * -------------------------------------------------
 */

static int restart(struct api *a, const char *text)
{
    api_stop(a, SIGTERM);
    api_reconfigure(a, text);
    api_start(a);
    return 0;
}

static int demand_versions(void **state)
{
    return restart(*state, demanding_config);
}

static int demand_nothing(void **state)
{
    return restart(*state, config);
}

static void a_server_may_demand_the_version(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(a, WAITS "}", id);
    patch(a, id, "{\"priority\":5}", NULL, &r);
    assert_problem(&r, 428, "precondition-required");
    patch(a, id, "{\"priority\":5}", "\"v9\"", &r);
    assert_problem(&r, 412, "precondition-failed");
    patch(a, id, "{\"priority\":5}", "\"v1\"", &r);
    assert_status(&r, 200);
    assert_int_equal(api_number(&r, "priority"), 5);
    patch(a, id, "{\"priority\":6}", "*", &r);
    assert_status(&r, 200);
    api_post(a, api_job_path(id, ":cancel"), NULL, &r); /* says what it wants without one */
    assert_status(&r, 200);
    api_post(a, api_job_path(id, ":retry"), NULL, &r);
    assert_problem(&r, 428, "precondition-required");
    api_send(a,
             &(struct api_request){ .method = "POST",
                                    .path = api_job_path(id, ":retry"),
                                    .headers = { "If-Match: \"v1\"" } },
             &r);
    assert_problem(&r, 412, "precondition-failed");
    api_send(a,
             &(struct api_request){ .method = "POST",
                                    .path = api_job_path(id, ":retry"),
                                    .headers = { "If-Match: \"v4\"" } },
             &r);
    assert_status(&r, 202);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_that_may_change_does),
        cmocka_unit_test(a_job_is_made_to_run_now_and_later),
        cmocka_unit_test(all_faults_are_told_at_once),
        cmocka_unit_test(the_version_can_be_demanded),
        cmocka_unit_test(changes_at_the_same_time_are_all_there),
        cmocka_unit_test(a_patch_must_say_that_it_is_one),
        cmocka_unit_test(only_a_job_that_waits_can_be_changed),
        cmocka_unit_test(a_failed_job_is_tried_again_with_its_history),
        cmocka_unit_test(a_canceled_job_waits_again_as_it_is_told),
        cmocka_unit_test(a_clone_is_asked_to_be_what_the_job_was),
        cmocka_unit_test(a_clone_may_be_different),
        cmocka_unit_test(a_clone_that_is_asked_for_twice_is_made_once),
        cmocka_unit_test(a_job_of_a_warm_program_can_be_cloned),
        cmocka_unit_test_setup_teardown(a_server_may_demand_the_version, demand_versions,
                                        demand_nothing),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/change", tests, api_setup, api_teardown));
}
