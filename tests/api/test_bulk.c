/* batchCancelJobs, batchRetryJobs and batchDeleteJobs: the same for many jobs. */
#include "tests/support/api.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

static const char config[] =
    "allow_commands: true\n"
    "workers: 2\n";

static const char UNKNOWN[] = "01937f6c-2b9a-7c31-8e5d-3f1a9b7c2d4e";

static void assert_counts(const struct api_reply *r, long long matched, long long changed)
{
    assert_status(r, 200);
    assert_int_equal(api_number(r, "matched"), matched);
    assert_int_equal(api_number(r, "changed"), changed);
    assert_int_equal(api_number(r, "unchanged"), matched - changed);
}

static void assert_item(const struct api_reply *r, int i, const char *outcome,
                        const char *state, const char *code)
{
    AUTO(mem) char *at_outcome = mem_printf("items.%d.outcome", i);
    AUTO(mem) char *at_state = mem_printf("items.%d.state", i);
    AUTO(mem) char *at_code = mem_printf("items.%d.code", i);

    assert_string_equal(api_text(r, at_outcome), outcome);
    assert_string_equal(api_text(r, at_state), state);
    assert_string_equal(api_text(r, at_code), code);
}

static void submit_waiting(const struct api *a, const char *queue, char id[API_ID_SIZE])
{
    AUTO(mem)
    char *body =
        mem_printf("{\"command\":[\"true\"],\"delay_seconds\":999,\"queue\":\"%s\"}", queue);

    (void)api_submit(a, body, id);
}

static void submit_many(const struct api *a, const char *queue, int count)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(buf) struct buf b = { 0 };

    buf_add_str(&b, "{\"jobs\":[");
    for (int i = 0; i < count; i++)
        buf_printf(&b,
                   "%s{\"command\":[\"true\"],\"delay_seconds\":999,\"queue\":\"%s\","
                   "\"labels\":{\"n\":\"%d\"}}",
                   i ? "," : "", queue, i % 10);
    buf_add_str(&b, "]}");
    api_post(a, "/v1/jobs:batchCreate", b.data, &r);
    assert_status(&r, 202);
}

/* -- by ids ---------------------------------------------------------------------------------
 */

static void jobs_are_canceled_by_their_ids(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *body = NULL;
    char waits[API_ID_SIZE], runs[API_ID_SIZE], ended[API_ID_SIZE];

    submit_waiting(a, "ids", waits);
    (void)api_submit(a, "{\"command\":[\"sleep\",\"300\"]}", runs);
    (void)api_submit(a, "{\"command\":[\"true\"]}", ended);
    api_await(a, ended, &r);
    api_await_state(a, runs, "running", &r);
    body = mem_printf("{\"ids\":[\"%s\",\"%s\",\"%s\",\"%s\",\"%s\"],\"reason\":\"why\"}",
                      waits, runs, ended, UNKNOWN, waits);
    api_post(a, "/v1/jobs:batchCancel", body, &r);
    assert_counts(&r, 4, 2);
    assert_item(&r, 0, "changed", "canceled", "");
    assert_item(&r, 1, "changed", "canceling", "");
    assert_item(&r, 2, "unchanged", "succeeded", "job-already-finished");
    assert_item(&r, 3, "unchanged", "", "job-not-found");
    assert_item(&r, 4, "unchanged", "canceled", "");
    api_await(a, runs, &r);
    assert_string_equal(api_text(&r, "state"), "canceled");
    assert_string_equal(api_text(&r, "reason"), "why");
}

static void jobs_are_tried_again_by_their_ids(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *body = NULL;
    char failed[API_ID_SIZE], ended[API_ID_SIZE];

    (void)api_submit(a, "{\"command\":[\"false\"]}", failed);
    (void)api_submit(a, "{\"command\":[\"true\"]}", ended);
    api_await(a, ended, &r);
    api_await(a, failed, &r);
    body = mem_printf("{\"ids\":[\"%s\",\"%s\"]}", failed, ended);
    api_post(a, "/v1/jobs:batchRetry", body, &r);
    assert_counts(&r, 2, 1);
    assert_item(&r, 0, "changed", "queued", "");
    assert_item(&r, 1, "unchanged", "succeeded", "job-not-retryable");
    api_await(a, failed, &r);
    assert_int_equal(api_number(&r, "attempt"), 2);
}

static void jobs_are_removed_by_their_ids(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *body = NULL;
    char waits[API_ID_SIZE], ended[API_ID_SIZE];

    submit_waiting(a, "ids", waits);
    (void)api_submit(a, "{\"command\":[\"true\"]}", ended);
    api_await(a, ended, &r);
    body = mem_printf("{\"ids\":[\"%s\",\"%s\"],\"dry_run\":true}", waits, ended);
    api_post(a, "/v1/jobs:batchDelete", body, &r);
    assert_counts(&r, 2, 2);
    api_get(a, api_job_path(ended, ""), &r);
    assert_status(&r, 200);
    *strstr(body, ",\"dry_run\"") = '}';
    *(strstr(body, "]}") + 2) = '\0';
    for (int i = 0; i < 2; i++) {
        api_post(a, "/v1/jobs:batchDelete", body, &r);
        assert_counts(&r, i ? 0 : 2, i ? 0 : 2);
    }
    assert_item(&r, 0, "unchanged", "", "job-expired");
    api_get(a, api_job_path(waits, ""), &r);
    assert_problem(&r, 410, "job-expired");
}

/* -- by a filter ----------------------------------------------------------------------------
 */

static void a_filter_finds_all_of_them_over_many_pages_and_turns(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char other[API_ID_SIZE];

    submit_many(a, "many", 1300);
    submit_waiting(a, "other", other);
    api_post(a, "/v1/jobs:batchCancel",
             "{\"filter\":{\"queue\":\"many\",\"labels\":{\"n\":\"3\"}},\"dry_run\":true}", &r);
    assert_counts(&r, 130, 130);
    assert_null(api_at(r.json, "items"));
    api_post(a, "/v1/jobs:batchCancel",
             "{\"filter\":{\"queue\":\"many\",\"labels\":{\"n\":\"3\"}}}", &r);
    assert_counts(&r, 130, 130);
    api_post(a, "/v1/jobs:batchCancel", "{\"filter\":{\"queue\":\"many\"}}", &r);
    assert_counts(&r, 1300, 1170);
    api_post(a, "/v1/jobs:batchRetry",
             "{\"filter\":{\"queue\":\"many\",\"state\":\"succeeded\"}}", &r);
    assert_counts(&r, 0, 0);
    api_post(a, "/v1/jobs:batchDelete",
             "{\"filter\":{\"queue\":\"many\",\"state\":[\"canceled\",\"failed\"]}}", &r);
    assert_counts(&r, 1300, 1300);
    api_get(a, "/v1/jobs?queue=many", &r);
    assert_int_equal(json_array_size(api_at(r.json, "items")), 0);
    api_get(a, api_job_path(other, ""), &r);
    assert_string_equal(api_text(&r, "state"), "scheduled");
}

/* -- bodies ---------------------------------------------------------------------------------
 */

static void a_bad_body_is_refused_with_all_its_faults(void **state)
{
    static const struct {
        const char *path, *body, *pointers[4];
    } cases[] = {
        { "Cancel", "{}", { "#" } },
        { "Cancel", "{\"ids\":[],\"filter\":{\"queue\":\"q\"}}", { "#" } },
        { "Cancel", "[]", { "#" } },
        { "Cancel", "{\"ids\":\"x\"}", { "#/ids" } },
        { "Cancel", "{\"ids\":[\"x\",1],\"mode\":7}", { "#/ids/0", "#/ids/1", "#/mode" } },
        { "Delete", "{\"filter\":{}}", { "#/filter" } }, /* not: everything */
        { "Delete", "{\"filter\":{\"queue\":\"q\"},\"mode\":\"force\"}", { "#/mode" } },
        { "Delete",
          "{\"filter\":{\"quue\":\"q\",\"state\":[\"done\"]},\"dry_run\":1}",
          { "#/filter/quue", "#/filter/state/0", "#/dry_run" } },
        { "Retry",
          "{\"filter\":{\"created_after\":\"now\",\"labels\":{\"a\":1},\"batch_id\":\"b\"}}",
          { "#/filter/created_after", "#/filter/labels/a", "#/filter/batch_id" } },
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        AUTO(mem) char *path = mem_printf("/v1/jobs:batch%s", cases[i].path);

        api_post(a, path, cases[i].body, &r);
        assert_problem(&r, 422, "validation-failed");
        for (size_t k = 0; k < COUNT_OF(cases[i].pointers) && cases[i].pointers[k]; k++) {
            AUTO(mem) char *pointer = mem_printf("\"%s\"", cases[i].pointers[k]);

            if (!strstr(r.body, pointer))
                fail_msg("no %s in %s", pointer, r.body);
        }
    }
}

static void too_many_ids_are_refused(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(buf) struct buf b = { 0 };

    buf_add_str(&b, "{\"ids\":[");
    for (int i = 0; i < 10001; i++)
        buf_printf(&b, "%s\"%s\"", i ? "," : "", UNKNOWN);
    buf_add_str(&b, "]}");
    api_post(a, "/v1/jobs:batchRetry", b.data, &r);
    assert_problem(&r, 422, "validation-failed");
}

/* Values that are nothing in the store's filter must not stand for all jobs. */
static void the_first_moment_and_the_first_id_are_not_all_jobs(void **state)
{
    static const char *const filters[] = {
        "{\"filter\":{\"created_before\":\"1970-01-01T00:00:00Z\"},\"dry_run\":true}",
        "{\"filter\":{\"finished_before\":\"1970-01-01T00:00:00Z\"},\"dry_run\":true}",
        "{\"filter\":{\"batch_id\":\"00000000-0000-7000-8000-000000000000\"},\"dry_run\":true}",
    };
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    submit_waiting(a, "first", id);
    for (size_t i = 0; i < COUNT_OF(filters); i++) {
        api_post(a, "/v1/jobs:batchCancel", filters[i], &r);
        assert_status(&r, 200);
        assert_int_equal(api_number(&r, "matched"), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_are_canceled_by_their_ids),
        cmocka_unit_test(the_first_moment_and_the_first_id_are_not_all_jobs),
        cmocka_unit_test(jobs_are_tried_again_by_their_ids),
        cmocka_unit_test(jobs_are_removed_by_their_ids),
        cmocka_unit_test(a_filter_finds_all_of_them_over_many_pages_and_turns),
        cmocka_unit_test(a_bad_body_is_refused_with_all_its_faults),
        cmocka_unit_test(too_many_ids_are_refused),
    };

    api_configure(config);
    return api_finish(cmocka_run_group_tests_name("api/bulk", tests, api_setup, api_teardown));
}
