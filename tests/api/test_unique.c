/* Jobs of which there is to be one at a time. */
#include "tests/support/api.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

static const char config[] =
    "allow_commands: true\n"
    "workers: 2\n"
    "functions:\n"
    "  - name: words\n"
    "    command: [wc, -w]\n"
    "    result: stdout\n";

/* A job that waits, with this name and these members of `unique`. */
static const char *waiting(const char *name, const char *unique)
{
    static char text[4][1024];
    static unsigned next;
    char *to = text[next++ % 4];

    (void)snprintf(to, sizeof text[0],
                   "{\"command\":[\"true\"],\"delay_seconds\":3600,\"name\":\"%s\","
                   "\"unique\":{%s}}",
                   name, unique);
    return to;
}

static void copy_id(const struct api_reply *r, const char *path, char id[API_ID_SIZE])
{
    (void)snprintf(id, API_ID_SIZE, "%s", api_text(r, path));
}

/* -- one at a time --------------------------------------------------------------------------
 */

static void a_second_one_is_refused_while_the_first_has_not_ended(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char first[API_ID_SIZE];

    api_post(a, "/v1/jobs", waiting("one", "\"key\":\"refused\""), &r);
    assert_status(&r, 202);
    assert_string_equal(api_text(&r, "unique.key"), "refused");
    copy_id(&r, "id", first);
    api_post(a, "/v1/jobs", waiting("two", "\"key\":\"refused\""), &r);
    assert_problem(&r, 409, "duplicate-job");
    assert_string_equal(api_text(&r, "existing_job_id"), first);
    assert_string_equal(api_text(&r, "state"), "scheduled");
    assert_header(&r, "Retry-After", NULL);
    /* Another key, another scope, or none at all: nothing is in the way. */
    api_post(a, "/v1/jobs", waiting("three", "\"key\":\"other\""), &r);
    assert_status(&r, 202);
    api_post(a, "/v1/jobs", waiting("four", "\"key\":\"refused\",\"scope\":[\"queue\"]"), &r);
    assert_status(&r, 202);
    (void)api_submit(a, "{\"command\":[\"true\"],\"delay_seconds\":3600}", first);
    (void)api_submit(a, "{\"command\":[\"true\"],\"delay_seconds\":3600}", first);
}

static void when_the_first_has_ended_the_next_may_come(void **state)
{
    static const char body[] =
        "{\"function\":\"words\",\"stdin\":\"a\",\"unique\":{\"key\":\"ended\"}}";
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    api_await(a, api_submit(a, body, id), &r);
    api_await(a, api_submit(a, body, id), &r);
    /* Unless ended ones count, too, for some time. */
    api_post(a, "/v1/jobs",
             waiting("late",
                     "\"key\":\"ended\",\"states\":[\"succeeded\"],"
                     "\"window_seconds\":600"),
             &r);
    assert_problem(&r, 409, "duplicate-job");
    assert_string_equal(api_text(&r, "existing_job_id"), id);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    api_post(a, "/v1/jobs",
             waiting("late",
                     "\"key\":\"ended\",\"states\":[\"succeeded\"],"
                     "\"window_seconds\":0.000001"),
             &r);
    assert_status(&r, 202);
}

static void without_a_key_what_a_job_does_counts(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_post(a, "/v1/jobs",
             "{\"command\":[\"echo\",\"1\"],\"delay_seconds\":3600,\"unique\":{}}", &r);
    assert_status(&r, 202);
    api_post(a, "/v1/jobs",
             "{\"unique\":{},\"name\":\"x\",\"delay_seconds\":60,\"command\":[\"echo\",\"1\"]}",
             &r);
    assert_problem(&r, 409, "duplicate-job");
    api_post(a, "/v1/jobs",
             "{\"command\":[\"echo\",\"2\"],\"delay_seconds\":3600,\"unique\":{}}", &r);
    assert_status(&r, 202);
}

/* -- the other one as the answer --------------------------------------------------------------
 */

static void the_existing_job_may_be_the_answer(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    const char *use = "\"key\":\"used\",\"on_conflict\":\"use_existing\"";
    char first[API_ID_SIZE];

    api_post(a, "/v1/jobs", waiting("first", use), &r);
    assert_status(&r, 202);
    copy_id(&r, "id", first);
    api_post(a, "/v1/jobs", waiting("second", use), &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "id"), first);
    assert_string_equal(api_text(&r, "name"), "first");
    assert_header(&r, "Location", api_job_path(first, ""));
    assert_header(&r, "Content-Location", api_job_path(first, ""));
    assert_header(&r, "ETag", "\"v1\"");
}

static void the_existing_job_is_waited_for_and_shown_with_its_end(void **state)
{
    static const char body[] =
        "{\"function\":\"words\",\"stdin\":\"a b\",\"unique\":{\"key\":\"shared\","
        "\"states\":[\"queued\",\"running\",\"succeeded\"],\"on_conflict\":\"use_existing\"}}";
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    const struct api_request wait = { .path = "/v1/jobs",
                                      .body = body,
                                      .headers = { "Prefer: wait=30" } };
    char first[API_ID_SIZE];

    (void)api_submit(a, body, first);
    api_send(a, &wait, &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "id"), first);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    api_post(a, "/v1/jobs", body, &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "id"), first);
    assert_int_equal(api_number(&r, "exit_code"), 0);
}

static void an_existing_job_that_has_ended_is_not_waited_for(void **state)
{
    static const char rule[] =
        "\"unique\":{\"key\":\"over\",\"states\":[\"queued\",\"running\",\"succeeded\"],"
        "\"on_conflict\":\"use_existing\"}";
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem)
    char *body =
        mem_printf("{\"function\":\"words\",\"stdin\":\"a b\",\"name\":\"first\",%s}", rule);
    AUTO(mem)
    char *again = mem_printf("{\"function\":\"words\",\"stdin\":\"a b c\",%s}", rule);
    struct api_request wait = { .path = "/v1/jobs", .headers = { "Prefer: wait=30" } };
    char first[API_ID_SIZE];
    usec_t began_us;

    wait.body = body;
    api_send(a, &wait, &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    copy_id(&r, "id", first);
    wait.body = again;
    began_us = clock_mono_us();
    api_send(a, &wait, &r);
    assert_true(clock_mono_us() - began_us < 25 * USEC_PER_SEC); /* not the time it may wait */
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "id"), first);
    assert_string_equal(api_text(&r, "name"), "first");
}

static void a_key_remembers_that_the_existing_job_was_the_answer(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    const char *use = "\"key\":\"both\",\"on_conflict\":\"use_existing\"";
    struct api_request q = { .path = "/v1/jobs", .headers = { "Idempotency-Key: both" } };
    char first[API_ID_SIZE];

    api_post(a, "/v1/jobs", waiting("first", use), &r);
    copy_id(&r, "id", first);
    q.body = waiting("second", use);
    for (int i = 0; i < 2; i++) {
        api_send(a, &q, &r);
        assert_status(&r, 200);
        assert_string_equal(api_text(&r, "id"), first);
        assert_header(&r, "Idempotent-Replayed", i > 0 ? "true" : NULL);
    }
}

/* -- the new one instead of the other
 * ---------------------------------------------------------- */

static void a_job_that_waits_is_replaced(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    const char *replace = "\"key\":\"replaced\",\"on_conflict\":\"replace\"";
    char first[API_ID_SIZE];

    api_post(a, "/v1/jobs", waiting("first", replace), &r);
    copy_id(&r, "id", first);
    api_post(a, "/v1/jobs", waiting("second", replace), &r);
    assert_status(&r, 202);
    assert_string_equal(api_text(&r, "name"), "second");
    api_get(a, api_job_path(first, ""), &r);
    assert_string_equal(api_text(&r, "state"), "canceled");
    assert_string_equal(api_text(&r, "reason"), "replaced");
}

static void a_job_that_runs_is_told_to_stop(void **state)
{
    static const char body[] =
        "{\"command\":[\"sleep\",\"600\"],\"unique\":{\"key\":\"told\",\"on_conflict\":"
        "\"replace\"}}";
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char first[API_ID_SIZE];
    char second[API_ID_SIZE];

    api_await_state(a, api_submit(a, body, first), "running", &r);
    (void)api_submit(a, body, second);
    api_await(a, first, &r);
    assert_string_equal(api_text(&r, "state"), "canceled");
    assert_string_equal(api_text(&r, "reason"), "replaced");
    api_await_state(a, second, "running", &r);
    api_post(a, api_job_path(second, ":cancel"), "{\"mode\":\"force\"}", &r);
    api_await(a, second, &r);
}

static void a_job_is_not_tried_again_while_another_one_is_there(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    const char *again = "\"key\":\"again\",\"on_conflict\":\"replace\"";
    char first[API_ID_SIZE];
    char second[API_ID_SIZE];

    api_post(a, "/v1/jobs", waiting("first", again), &r);
    copy_id(&r, "id", first);
    api_post(a, "/v1/jobs", waiting("second", again), &r);
    copy_id(&r, "id", second);
    api_post(a, api_job_path(first, ":retry"), NULL, &r);
    assert_problem(&r, 409, "duplicate-job");
    assert_string_equal(api_text(&r, "existing_job_id"), second);
    api_post(a, api_job_path(second, ":cancel"), NULL, &r);
    api_post(a, api_job_path(first, ":retry"), NULL, &r);
    assert_status(&r, 202);
}

static void many_are_not_tried_again_while_others_are_there(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *both = NULL;
    char first[API_ID_SIZE];
    char second[API_ID_SIZE];

    /* Two that have ended: only one of them may wait again. */
    api_post(a, "/v1/jobs", waiting("first", "\"key\":\"many\""), &r);
    copy_id(&r, "id", first);
    api_post(a, api_job_path(first, ":cancel"), NULL, &r);
    api_post(a, "/v1/jobs", waiting("second", "\"key\":\"many\""), &r);
    copy_id(&r, "id", second);
    both = mem_printf("{\"ids\":[\"%s\",\"%s\"]}", first, second);
    api_post(a, "/v1/jobs:batchRetry", both, &r); /* the second has not ended */
    assert_int_equal(api_number(&r, "changed"), 0);
    assert_string_equal(api_text(&r, "items.0.code"), "duplicate-job");
    assert_string_equal(api_text(&r, "items.0.state"), "canceled");
    assert_string_equal(api_text(&r, "items.1.code"), "job-not-retryable");
    api_post(a, api_job_path(second, ":cancel"), NULL, &r);
    api_post(a, "/v1/jobs:batchRetry", both, &r);
    assert_int_equal(api_number(&r, "changed"), 1);
    assert_string_equal(api_text(&r, "items.0.outcome"), "changed");
    assert_string_equal(api_text(&r, "items.1.code"), "duplicate-job");
}

/* A clone is alone unless it asks for it. */
static void a_clone_may_meet_another_one(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    api_post(a, "/v1/jobs", waiting("cloned", "\"key\":\"cloned\""), &r);
    copy_id(&r, "id", id);
    api_post(a, api_job_path(id, ":clone"), "{\"delay_seconds\":3600}", &r);
    assert_status(&r, 202);
    api_post(a, api_job_path(id, ":clone"), "{\"unique\":{\"key\":\"cloned\"}}", &r);
    assert_problem(&r, 409, "duplicate-job");
    assert_string_equal(api_text(&r, "existing_job_id"), id);
    api_post(a, api_job_path(id, ":clone"),
             "{\"unique\":{\"key\":\"cloned\",\"on_conflict\":\"use_existing\"}}", &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "id"), id);
}

/* -- in a batch -------------------------------------------------------------------------------
 */

static void a_batch_is_refused_for_a_job_that_has_another_in_its_way(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *body = NULL;
    char first[API_ID_SIZE];

    api_post(a, "/v1/jobs", waiting("first", "\"key\":\"batch\""), &r);
    copy_id(&r, "id", first);
    body = mem_printf("{\"jobs\":[%s,%s]}", waiting("never", "\"key\":\"batch never\""),
                      waiting("second", "\"key\":\"batch\""));
    api_post(a, "/v1/jobs:batchCreate", body, &r);
    assert_problem(&r, 409, "duplicate-job");
    assert_string_equal(api_text(&r, "existing_job_id"), first);
    assert_string_equal(api_text(&r, "errors.0.pointer"), "#/jobs/1/unique");
    assert_null(api_at(r.json, "errors.1"));
    api_post(a, "/v1/jobs", waiting("free", "\"key\":\"batch never\""), &r);
    assert_status(&r, 202); /* nothing of it was taken */
}

static void a_batch_is_refused_for_two_that_are_alike(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem)
    char *body =
        mem_printf("{\"jobs\":[%s,%s,%s]}", waiting("a", "\"key\":\"twins\""),
                   waiting("b", "\"key\":\"no twin\""), waiting("c", "\"key\":\"twins\""));

    api_post(a, "/v1/jobs:batchCreate", body, &r);
    assert_problem(&r, 422, "validation-failed");
    assert_string_equal(api_text(&r, "errors.0.pointer"), "#/jobs/2/unique");
    assert_string_equal(api_text(&r, "errors.0.code"), "duplicate-job");
}

static void a_batch_says_which_were_there_already(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    const char *use = "\"key\":\"there\",\"on_conflict\":\"use_existing\"";
    AUTO(mem) char *body = NULL;
    char first[API_ID_SIZE];

    api_post(a, "/v1/jobs", waiting("first", use), &r);
    copy_id(&r, "id", first);
    body = mem_printf("{\"jobs\":[{\"command\":[\"true\"]},%s]}", waiting("second", use));
    api_post(a, "/v1/jobs:batchCreate", body, &r);
    assert_status(&r, 202);
    assert_int_equal(api_number(&r, "count"), 2);
    assert_string_equal(api_text(&r, "ids.1"), first);
    assert_int_equal(api_number(&r, "existing.0"), 1);
    assert_null(api_at(r.json, "existing.1"));
}

static void each_job_of_a_batch_may_meet_the_others(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(api_reply) struct api_reply again = { 0 };
    AUTO(mem)
    char *body = mem_printf("{\"atomic\":false,\"jobs\":[%s,%s,%s,%s]}",
                            waiting("a", "\"key\":\"met\""), waiting("b", "\"key\":\"met\""),
                            waiting("c", "\"key\":\"met\",\"on_conflict\":\"use_existing\""),
                            waiting("d", "\"key\":\"met\",\"on_conflict\":\"replace\""));
    const struct api_request q = { .path = "/v1/jobs:batchCreate",
                                   .body = body,
                                   .headers = { "Idempotency-Key: met", "X-Request-Id: met" } };
    char first[API_ID_SIZE];

    api_send(a, &q, &r);
    assert_status(&r, 207);
    copy_id(&r, "items.0.id", first);
    assert_int_equal(api_number(&r, "items.0.status"), 202);
    assert_int_equal(api_number(&r, "items.1.status"), 409);
    assert_string_equal(api_text(&r, "items.1.problem.code"), "duplicate-job");
    assert_string_equal(api_text(&r, "items.1.problem.existing_job_id"), first);
    assert_int_equal(api_number(&r, "items.2.status"), 200);
    assert_string_equal(api_text(&r, "items.2.id"), first);
    assert_int_equal(api_number(&r, "items.3.status"), 202);
    api_send(a, &q, &again);
    assert_header(&again, "Idempotent-Replayed", "true");
    assert_string_equal(again.body, r.body);
    api_get(a, api_job_path(first, ""), &r);
    assert_string_equal(api_text(&r, "reason"), "replaced");
}

/* -- many
 * -------------------------------------------------------------------------------------- */

static void a_key_may_be_used_more_often_than_is_looked_at(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    for (int i = 0; i < 120; i++) {
        api_post(a, "/v1/jobs", waiting("many", "\"key\":\"many\",\"on_conflict\":\"replace\""),
                 &r);
        assert_status(&r, 202);
    }
    api_post(a, "/v1/jobs", waiting("many", "\"key\":\"many\""), &r);
    assert_problem(&r, 409, "duplicate-job");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_one_is_refused_while_the_first_has_not_ended),
        cmocka_unit_test(when_the_first_has_ended_the_next_may_come),
        cmocka_unit_test(without_a_key_what_a_job_does_counts),
        cmocka_unit_test(the_existing_job_may_be_the_answer),
        cmocka_unit_test(the_existing_job_is_waited_for_and_shown_with_its_end),
        cmocka_unit_test(an_existing_job_that_has_ended_is_not_waited_for),
        cmocka_unit_test(a_key_remembers_that_the_existing_job_was_the_answer),
        cmocka_unit_test(a_job_that_waits_is_replaced),
        cmocka_unit_test(a_job_that_runs_is_told_to_stop),
        cmocka_unit_test(a_job_is_not_tried_again_while_another_one_is_there),
        cmocka_unit_test(a_clone_may_meet_another_one),
        cmocka_unit_test(many_are_not_tried_again_while_others_are_there),
        cmocka_unit_test(a_batch_is_refused_for_a_job_that_has_another_in_its_way),
        cmocka_unit_test(a_batch_is_refused_for_two_that_are_alike),
        cmocka_unit_test(a_batch_says_which_were_there_already),
        cmocka_unit_test(each_job_of_a_batch_may_meet_the_others),
        cmocka_unit_test(a_key_may_be_used_more_often_than_is_looked_at),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/unique", tests, api_setup, api_teardown));
}
