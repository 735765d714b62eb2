/* batchCreateJobs: many jobs in one request, all or each by itself. */
#include "tests/support/api.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/uuid7.h"

#define PATH "/v1/jobs:batchCreate"

static const char config[] =
    "allow_commands: true\n"
    "workers: 2\n"
    "max_waiting_jobs: 11000\n"
    "max_body_bytes: 64KiB\n"
    "max_batch_body_bytes: 4MiB\n"
    "functions:\n"
    "  - name: words\n"
    "    command: [wc, -w]\n"
    "    result: stdout\n";

static void post_lines(const struct api *a, const char *path, const char *body,
                       struct api_reply *r)
{
    const struct api_request q = { .path = path,
                                   .body = body,
                                   .headers = { "Content-Type: application/x-ndjson" } };

    api_send(a, &q, r);
}

/* {"jobs":[<count jobs that stay>], "atomic":...} */
static void build(struct buf *b, size_t count, const char *rest)
{
    buf_add_str(b, "{\"jobs\":[");
    for (size_t i = 0; i < count; i++)
        buf_printf(b, "%s{\"command\":[\"true\"],\"delay_seconds\":9000,\"name\":\"b%zu\"}",
                   i > 0 ? "," : "", i);
    buf_printf(b, "]%s}", rest);
}

static long long count_all(const struct api *a)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char path[512] = "/v1/jobs?limit=1000";
    long long count = 0;

    for (;;) {
        api_get(a, path, &r);
        assert_status(&r, 200);
        count += (long long)json_array_size(api_at(r.json, "items"));
        if (!*api_text(&r, "next"))
            return count;
        (void)snprintf(path, sizeof path, "%s", api_text(&r, "next"));
    }
}

/* -- all or none ----------------------------------------------------------------------------
 */

static void a_batch_is_taken_in_its_order(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(api_reply) struct api_reply job = { 0 };
    char first[API_ID_SIZE];
    char second[API_ID_SIZE];

    api_post(a, PATH,
             "{\"jobs\":[{\"function\":\"words\",\"stdin\":\"a b c\"},"
             "{\"command\":[\"true\"],\"name\":\"second\",\"delay_seconds\":60}]}",
             &r);
    assert_status(&r, 202);
    assert_header(&r, "Content-Type", "application/json");
    assert_header(&r, "Location", NULL);
    assert_int_equal(api_number(&r, "count"), 2);
    (void)snprintf(first, sizeof first, "%s", api_text(&r, "ids.0"));
    (void)snprintf(second, sizeof second, "%s", api_text(&r, "ids.1"));
    api_get(a, api_job_path(second, ""), &job);
    assert_status(&job, 200);
    assert_string_equal(api_text(&job, "name"), "second");
    assert_string_equal(api_text(&job, "state"), "scheduled");
    api_await(a, first, &job);
    assert_string_equal(api_text(&job, "state"), "succeeded");
    api_get(a, api_job_path(first, "/result"), &job);
    assert_string_equal(job.body, "3\n");
}

static void lines_are_as_good_as_an_array(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    post_lines(a, PATH,
               "{\"command\":[\"true\"]}\r\n\n  {\"command\":[\"true\"],\"queue\":\"night\"}",
               &r);
    assert_status(&r, 202);
    assert_int_equal(api_number(&r, "count"), 2);
    api_get(a, api_job_path(api_text(&r, "ids.1"), ""), &r);
    assert_string_equal(api_text(&r, "queue"), "night");
}

static void ten_thousand_jobs_go_into_one_request(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(buf) struct buf body = { 0 };
    struct uuid7 before = { 0 };

    build(&body, 10000, "");
    api_post(a, PATH, body.data, &r);
    assert_status(&r, 202);
    assert_int_equal(api_number(&r, "count"), 10000);
    assert_int_equal(json_array_size(api_at(r.json, "ids")), 10000);
    for (size_t i = 0; i < 10000; i++) {
        const char *text = json_string_value(json_array_get(api_at(r.json, "ids"), i));
        struct uuid7 id;

        assert_true(uuid7_parse(text, &id));
        assert_true(uuid7_key(id) > uuid7_key(before));
        before = id;
    }
    {
        char id[API_ID_SIZE];

        (void)snprintf(id, sizeof id, "%s",
                       json_string_value(json_array_get(api_at(r.json, "ids"), 9999)));
        api_get(a, api_job_path(id, ""), &r);
        assert_string_equal(api_text(&r, "name"), "b9999");
    }
    /* A full queue counts the batch as a whole: 2000 do not fit any more, a few do. */
    buf_clear(&body);
    build(&body, 2000, ",\"atomic\":false");
    api_post(a, PATH, body.data, &r);
    assert_problem(&r, 429, "queue-full");
    buf_clear(&body);
    build(&body, 20, "");
    api_post(a, PATH, body.data, &r);
    assert_status(&r, 202);
}

static void one_fault_refuses_all_and_every_fault_is_named(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    long long before = count_all(a);

    api_post(a, PATH,
             "{\"jobs\":[{\"command\":[\"true\"]},{\"function\":\"word\"},"
             "{\"command\":[\"true\"],\"piority\":1,\"env\":{\"A\":7}},3]}",
             &r);
    assert_problem(&r, 422, "validation-failed");
    assert_string_equal(api_text(&r, "errors.0.pointer"), "#/jobs/1/function");
    assert_string_equal(api_text(&r, "errors.0.code"), "unknown-function");
    assert_string_equal(api_text(&r, "errors.1.pointer"), "#/jobs/2/piority");
    assert_string_equal(api_text(&r, "errors.2.pointer"), "#/jobs/2/env/A");
    assert_string_equal(api_text(&r, "errors.3.pointer"), "#/jobs/3");
    assert_int_equal(json_array_size(api_at(r.json, "errors")), 4);
    post_lines(a, PATH, "{\"command\":[\"true\"]}\n{\"command\":[]}\n", &r);
    assert_problem(&r, 422, "validation-failed");
    assert_string_equal(api_text(&r, "errors.0.pointer"), "#/jobs/1/command");
    assert_int_equal(count_all(a), before);
}

static void faults_are_bounded(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(buf) struct buf body = { 0 };

    for (size_t i = 0; i < 300; i++)
        buf_add_str(&body, "{\"a\":1,\"command\":7}\n");
    post_lines(a, PATH, body.data, &r);
    assert_problem(&r, 422, "validation-failed");
    assert_int_equal(json_array_size(api_at(r.json, "errors")), 100);
    assert_int_equal(api_number(&r, "errors_total"), 600);
}

/* -- each by itself -------------------------------------------------------------------------
 */

static void each_job_may_be_judged_by_itself(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char path[128];

    api_post(a, PATH,
             "{\"atomic\":false,\"jobs\":[{\"function\":\"word\"},"
             "{\"command\":[\"true\"],\"name\":\"kept\",\"delay_seconds\":60},{\"a\":}]}",
             &r);
    assert_status(&r, 207);
    assert_int_equal(json_array_size(api_at(r.json, "items")), 3);
    assert_int_equal(api_number(&r, "items.0.index"), 0);
    assert_int_equal(api_number(&r, "items.0.status"), 422);
    assert_string_equal(api_text(&r, "items.0.problem.code"), "validation-failed");
    assert_string_equal(api_text(&r, "items.0.problem.errors.0.pointer"), "#/function");
    assert_string_equal(api_text(&r, "items.0.problem.request_id"),
                        api_header(&r, "X-Request-Id"));
    assert_int_equal(api_number(&r, "items.1.index"), 1);
    assert_int_equal(api_number(&r, "items.1.status"), 202);
    assert_int_equal(api_number(&r, "items.2.status"), 400);
    assert_string_equal(api_text(&r, "items.2.problem.code"), "malformed-json");
    assert_string_equal(api_text(&r, "items.1.location"),
                        api_job_path(api_text(&r, "items.1.id"), ""));
    (void)snprintf(path, sizeof path, "%s", api_text(&r, "items.1.location"));
    api_get(a, path, &r);
    assert_string_equal(api_text(&r, "name"), "kept");

    post_lines(a, PATH "?atomic=false", "{\"command\":[\"true\"]}\nno json\n", &r);
    assert_status(&r, 207);
    assert_int_equal(api_number(&r, "items.0.status"), 202);
    assert_int_equal(api_number(&r, "items.1.status"), 400);
    post_lines(a, PATH "?atomic=false", "{}\n", &r);
    assert_status(&r, 207);
    assert_int_equal(api_number(&r, "items.0.status"), 422);
}

/* -- bodies ---------------------------------------------------------------------------------
 */

static void a_body_that_is_none_is_refused(void **state)
{
    static const struct {
        const char *body;
        const char *code;
        const char *pointer;
    } cases[] = {
        { "", "malformed-json", NULL },
        { "[]", "malformed-json", NULL },
        { "{\"jobs\":[{\"command\":[\"true\"]}", "malformed-json", NULL },
        { "{\"jobs\":[{\"command\":[\"true\"]}]", "malformed-json", NULL },
        { "{\"jobs\":[{\"command\":[\"true\"]},]}", "malformed-json", NULL },
        { "{\"jobs\":[{\"command\":[true}]}", "malformed-json", NULL },
        { "{\"jobs\":[],\"jobs\":[]}", "malformed-json", NULL },
        { "{\"jobs\":[],\"\\u006aobs\":[]}", "malformed-json", NULL },
        { "{\"atomic\":true,\"jobs\":[],\"atomic\":true}", "malformed-json", NULL },
        { "{}", "validation-failed", "#/jobs" },
        { "{\"jobs\":[]}", "validation-failed", "#/jobs" },
        { "{\"jobs\":{}}", "validation-failed", "#/jobs" },
        { "{\"jobs\":[],\"atomic\":1}", "validation-failed", "#/atomic" },
        { "{\"job\":[],\"jobs\":[]}", "validation-failed", "#/job" },
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        api_post(a, PATH, cases[i].body, &r);
        assert_problem(&r, cases[i].pointer ? 422 : 400, cases[i].code);
        if (cases[i].pointer)
            assert_string_equal(api_text(&r, "errors.0.pointer"), cases[i].pointer);
    }
}

static void bounds_are_those_of_a_batch(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(buf) struct buf body = { 0 };
    AUTO(mem) char *large = mem_new0((64 << 10) + 1);

    (void)memset(large, 'x', 64 << 10);
    build(&body, 10001, "");
    api_post(a, PATH, body.data, &r);
    assert_problem(&r, 422, "validation-failed");
    assert_string_equal(api_text(&r, "errors.0.pointer"), "#/jobs");

    buf_clear(&body); /* each job may be as large as one alone */
    buf_printf(&body, "{\"command\":[\"true\"]}\n{\"command\":[\"cat\"],\"stdin\":\"%s\"}",
               large);
    post_lines(a, PATH "?atomic=false", body.data, &r);
    assert_status(&r, 207);
    assert_int_equal(api_number(&r, "items.0.status"), 202);
    assert_int_equal(api_number(&r, "items.1.status"), 422);
    assert_string_equal(api_text(&r, "items.1.problem.errors.0.code"), "too-long");

    buf_clear(&body);
    for (size_t i = 0; i < 65; i++)
        buf_add(&body, large, 64 << 10);
    api_post(a, PATH, body.data, &r);
    assert_problem(&r, 413, "content-too-large");
    assert_int_equal(api_number(&r, "max_bytes"), 4 << 20);
    api_post(a, "/v1/jobs", body.data, &r);
    assert_problem(&r, 413, "content-too-large");
    assert_int_equal(api_number(&r, "max_bytes"), 64 << 10);
}

static void the_query_is_for_lines(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_post(a, PATH "?atomic=false", "{\"jobs\":[]}", &r);
    assert_problem(&r, 400, "invalid-parameter");
    post_lines(a, PATH "?atomic=no", "{}", &r);
    assert_problem(&r, 400, "invalid-parameter");
    post_lines(a, PATH "?wait=1", "{}", &r);
    assert_problem(&r, 400, "invalid-parameter");
}

/* -- once only ------------------------------------------------------------------------------
 */

static void a_batch_that_is_sent_twice_is_submitted_once(void **state)
{
    static const char *const bodies[] = {
        "{\"jobs\":[{\"command\":[\"true\"]},{\"command\":[\"false\"]}]}",
        "{\"jobs\":[{\"command\":[\"true\"]},{\"command\":7},{no}],\"atomic\":false}",
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        AUTO_FINI(api_reply) struct api_reply first = { 0 };
        AUTO_FINI(api_reply) struct api_reply again = { 0 };
        AUTO(mem) char *key = mem_printf("Idempotency-Key: batch-%zu", i);
        struct api_request q = { .path = PATH,
                                 .body = bodies[i],
                                 .headers = { key, "X-Request-Id: same" } };
        long long count;

        api_send(a, &q, &first);
        assert_status(&first, i == 0 ? 202 : 207);
        assert_header(&first, "Idempotent-Replayed", NULL);
        count = count_all(a);
        api_send(a, &q, &again);
        assert_header(&again, "Idempotent-Replayed", "true");
        assert_int_equal(again.status, first.status);
        assert_string_equal(again.body, first.body);
        assert_int_equal(count_all(a), count);

        q.body = "{\"jobs\":[{\"command\":[\"true\"]}]}";
        api_send(a, &q, &again);
        assert_problem(&again, 422, "idempotency-key-reused");
        q.body = "{\"jobs\":[{\"command\":[\"true\"]},{\"command\":7},{on}],\"atomic\":false}";
        api_send(a, &q, &again);
        assert_problem(&again, 422, "idempotency-key-reused");
    }
}

/* The front dies between a commit and its answers, somewhere among these batches. */
static void a_batch_is_submitted_once_though_its_answer_was_lost(void **state)
{
    struct api *a = *state;
    long long before;
    unsigned replays = 0;

    api_stop(a, SIGTERM);
    assert_int_equal(setenv("JOBD_CRASH_POINT", "turn.before_answers:8", 1), 0);
    api_start(a);
    assert_int_equal(unsetenv("JOBD_CRASH_POINT"), 0);
    before = count_all(a);
    for (int i = 0; i < 16; i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        AUTO_FINI(buf) struct buf body = { 0 };
        AUTO(mem) char *key = mem_printf("Idempotency-Key: lost-%d", i);
        struct api_request q = { .path = PATH, .headers = { key } };
        usec_t until_us = clock_mono_us() + PATIENCE_US;
        unsigned tries = 1;

        build(&body, 3, "");
        q.body = body.data;
        for (; !api_try(a, &q, &r); tries++)
            assert_true(clock_mono_us() < until_us);
        assert_status(&r, 202);
        assert_int_equal(api_number(&r, "count"), 3);
        assert_header(&r, "Idempotent-Replayed", tries > 1 ? "true" : NULL);
        replays += tries > 1;
    }
    assert_int_equal(replays, 1);
    assert_int_equal(count_all(a), before + 48);
}

/* A function that was refused then would be taken now: the answer stays. */
static void a_replay_is_the_answer_of_then(void **state)
{
    struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    const struct api_request q = { .path = PATH,
                                   .body =
                                       "{\"jobs\":[{\"command\":[\"true\"]},{\"function\":"
                                       "\"new\"},{\"function\":\"words\"}],\"atomic\":false}",
                                   .headers = { "Idempotency-Key: then" } };
    char id[API_ID_SIZE];

    api_send(a, &q, &r);
    assert_status(&r, 207);
    assert_int_equal(api_number(&r, "items.1.status"), 422);
    (void)snprintf(id, sizeof id, "%s", api_text(&r, "items.2.id"));
    api_stop(a, SIGTERM);
    api_reconfigure(a,
                    "allow_commands: true\nfunctions:\n  - name: new\n    command: [true]\n");
    api_start(a);
    api_send(a, &q, &r);
    assert_status(&r, 207);
    assert_header(&r, "Idempotent-Replayed", "true");
    assert_int_equal(api_number(&r, "items.1.status"), 422);
    assert_string_equal(api_text(&r, "items.1.problem.code"), "validation-failed");
    assert_int_equal(api_number(&r, "items.2.status"), 202);
    assert_string_equal(api_text(&r, "items.2.id"), id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_taken_in_its_order),
        cmocka_unit_test(lines_are_as_good_as_an_array),
        cmocka_unit_test(one_fault_refuses_all_and_every_fault_is_named),
        cmocka_unit_test(faults_are_bounded),
        cmocka_unit_test(each_job_may_be_judged_by_itself),
        cmocka_unit_test(a_body_that_is_none_is_refused),
        cmocka_unit_test(bounds_are_those_of_a_batch),
        cmocka_unit_test(the_query_is_for_lines),
        cmocka_unit_test(a_batch_that_is_sent_twice_is_submitted_once),
        cmocka_unit_test(a_batch_is_submitted_once_though_its_answer_was_lost),
        cmocka_unit_test(ten_thousand_jobs_go_into_one_request),
        cmocka_unit_test(a_replay_is_the_answer_of_then),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/batch_create", tests, api_setup, api_teardown));
}
