/* Waiting for a job to change or to finish: getJob and getJobResult with wait. */
#include "tests/support/api.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

static const char config[] =
    "allow_commands: true\n"
    "workers: 2\n"
    "http_threads: 1\n"
    "max_connections: 48\n" /* three quarters of them may wait */
    "functions:\n"
    "  - name: answer\n"
    "    command: [sh, -c, 'sleep \"$0\"; echo done', '{seconds}']\n"
    "    result: stdout\n";

static const char sleeper[] = "{\"command\":[\"sleep\",\"300\"]}";

static void cancel(const struct api *a, const char *id)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_post(a, api_job_path(id, ":cancel"), "{\"mode\":\"force\"}", &r);
    assert_true(r.status == 200 || r.status == 202);
    api_await(a, id, &r);
}

/* A request in a thread of its own. */
struct call {
    const struct api *api;
    struct api_request request;
    struct api_reply reply;
    bool answered;
    usec_t took_us;
    pthread_t thread;
    sem_t *done; /* told at the end, unless NULL */
};
static sem_t one_is_done;

static void *call_main(void *ctx)
{
    struct call *c = ctx;
    usec_t begun_us = clock_mono_us();

    c->answered = api_try(c->api, &c->request, &c->reply);
    c->took_us = clock_mono_us() - begun_us;
    if (c->done)
        (void)sem_post(c->done);
    return NULL;
}

static void call_start(struct call *c)
{
    assert_int_equal(pthread_create(&c->thread, NULL, call_main, c), 0);
}

static void call_join(struct call *c)
{
    assert_int_equal(pthread_join(c->thread, NULL), 0);
    assert_true(c->answered);
}

/* -- until the job is final -------------------------------------------------------------------
 */

static void a_wait_ends_when_the_job_does(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct api_request q = { .headers = { "Prefer: wait=30" } };
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"function\":\"answer\",\"args\":{\"seconds\":0.3}}", id);
    q.path = api_job_path(id, "");
    api_send(a, &q, &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_header(&r, "Preference-Applied", "wait=30");
    assert_header(&r, "Retry-After", NULL);
}

static void a_wait_in_the_query_does_the_same(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"function\":\"answer\",\"args\":{\"seconds\":0.3}}", id);
    api_get(a, api_job_path(id, "?wait=99999999999"), &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_header(&r, "Preference-Applied", NULL);
}

static void a_wait_that_is_over_shows_the_job_as_it_is(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct api_request q = { .headers = { "Prefer: wait=1" } };
    char id[API_ID_SIZE];
    usec_t begun_us;

    (void)api_submit(a, sleeper, id);
    api_await_state(a, id, "running", &r);
    begun_us = clock_mono_us();
    q.path = api_job_path(id, "");
    api_send(a, &q, &r);
    assert_true(clock_mono_us() - begun_us >= USEC_PER_SEC);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "state"), "running");
    assert_header(&r, "Retry-After", "1");
    assert_header(&r, "Preference-Applied", "wait=1");
    cancel(a, id);
}

static void a_job_that_is_final_is_shown_at_once(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];
    usec_t begun_us;

    api_await(a, api_submit(a, "{\"command\":[\"true\"]}", id), &r);
    begun_us = clock_mono_us();
    api_get(a, api_job_path(id, "?wait=50"), &r);
    assert_status(&r, 200);
    assert_true(clock_mono_us() - begun_us < 40 * USEC_PER_SEC);
    api_get(a, api_job_path(id, "?wait=0"), &r);
    assert_status(&r, 200);
}

/* -- until it differs -------------------------------------------------------------------------
 */

static void a_version_that_is_old_is_answered_at_once(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct api_request q = { .headers = { "If-None-Match: \"v1\"", "Prefer: wait=50" } };
    char id[API_ID_SIZE];
    usec_t begun_us;

    (void)api_submit(a, sleeper, id);
    api_await_state(a, id, "running", &r);
    begun_us = clock_mono_us();
    q.path = api_job_path(id, "");
    api_send(a, &q, &r);
    assert_status(&r, 200);
    assert_true(clock_mono_us() - begun_us < 40 * USEC_PER_SEC);
    assert_header(&r, "ETag", "\"v2\"");
    assert_header(&r, "Preference-Applied", "wait=50");
    cancel(a, id);
}

static void a_version_that_stays_is_answered_with_304_in_the_end(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct api_request q = { .headers = { "If-None-Match: \"v2\"", "Prefer: wait=1" } };
    char id[API_ID_SIZE];
    usec_t begun_us;

    (void)api_submit(a, sleeper, id);
    api_await_state(a, id, "running", &r);
    begun_us = clock_mono_us();
    q.path = api_job_path(id, "");
    api_send(a, &q, &r);
    assert_status(&r, 304);
    assert_true(clock_mono_us() - begun_us >= USEC_PER_SEC);
    assert_header(&r, "ETag", "\"v2\"");
    assert_header(&r, "Preference-Applied", "wait=1");
    assert_int_equal(r.body_len, 0);
    cancel(a, id);
}

/* Every change ends the wait: a client that follows the tags sees the whole life of the job. */
static void a_change_ends_the_wait(void **state)
{
    const struct api *a = *state;
    struct call c = { .api = a,
                      .request.headers = { "If-None-Match: \"v2\"", "Prefer: wait=50" } };
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *path = NULL;
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"command\":[\"sleep\",\"300\"],\"grace_period_seconds\":0}", id);
    api_await_state(a, id, "running", &r);
    path = mem_str(api_job_path(id, ""));
    c.request.path = path;
    call_start(&c);
    api_post(a, api_job_path(id, ":cancel"), NULL, &r);
    call_join(&c);
    assert_status(&c.reply, 200);
    assert_true(api_number(&c.reply, "version") >= 3);
    assert_true(*api_text(&c.reply, "cancel_requested_at"));
    api_reply_fini(&c.reply);
    api_await(a, id, &r);
}

/* Two tags are listed and the job goes from one to the other: the wait goes on. */
static void a_change_to_another_listed_version_does_not_end_the_wait(void **state)
{
    const struct api *a = *state;
    struct call c = {
        .api = a, .request.headers = { "If-None-Match: \"v1\", \"v2\"", "Prefer: wait=50" }
    };
    AUTO(mem) char *path = NULL;
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"command\":[\"sleep\",\"300\"],\"delay_seconds\":0.5}", id);
    path = mem_str(api_job_path(id, ""));
    c.request.path = path; /* v1 is scheduled, v2 queued, v3 running */
    call_start(&c);
    call_join(&c);
    assert_status(&c.reply, 200);
    assert_int_equal(api_number(&c.reply, "version"), 3);
    api_reply_fini(&c.reply);
    cancel(a, id);
}

/* -- the result
 * -------------------------------------------------------------------------------- */

static void a_result_is_sent_when_it_is_there(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct api_request q = { .headers = { "Prefer: wait=30" } };
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"function\":\"answer\",\"args\":{\"seconds\":0.3}}", id);
    q.path = api_job_path(id, "/result");
    api_send(a, &q, &r);
    assert_status(&r, 200);
    assert_string_equal(r.body, "done\n");
    assert_header(&r, "Preference-Applied", "wait=30");
}

static void a_result_that_does_not_come_is_not_ready(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];
    usec_t begun_us = clock_mono_us();

    (void)api_submit(a, sleeper, id);
    api_get(a, api_job_path(id, "/result?wait=1"), &r);
    assert_problem(&r, 404, "result-not-ready");
    assert_header(&r, "Retry-After", "1");
    assert_true(clock_mono_us() - begun_us >= USEC_PER_SEC);
    cancel(a, id);
}

/* -- many at once
 * ------------------------------------------------------------------------------ */

#define CALLS       30
#define WAITERS_MAX 36

static void all_who_wait_for_a_job_are_answered(void **state)
{
    const struct api *a = *state;
    static struct call calls[CALLS];
    char paths[3][64];
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"function\":\"answer\",\"args\":{\"seconds\":0.5}}", id);
    (void)snprintf(paths[0], sizeof paths[0], "%s", api_job_path(id, "?wait=50"));
    (void)snprintf(paths[1], sizeof paths[1], "%s", api_job_path(id, "/result?wait=50"));
    (void)snprintf(paths[2], sizeof paths[2], "%s", api_job_path(id, "?wait=50"));
    for (size_t i = 0; i < CALLS; i++) {
        calls[i] = (struct call){ .api = a, .request.path = paths[i % 3] };
        if (i % 3 == 2)
            calls[i].request.headers[0] = "If-None-Match: \"v2\"";
        call_start(&calls[i]);
    }
    for (size_t i = 0; i < CALLS; i++) {
        call_join(&calls[i]);
        assert_status(&calls[i].reply, 200);
        if (i % 3 == 0)
            assert_string_equal(api_text(&calls[i].reply, "state"), "succeeded");
        if (i % 3 == 1)
            assert_string_equal(calls[i].reply.body, "done\n");
        api_reply_fini(&calls[i].reply);
    }
}

/* The ends of short jobs race with the beginning of the waits for them. */
static void no_end_is_missed(void **state)
{
    const struct api *a = *state;
    static struct call calls[CALLS];

    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < CALLS; i++) {
            calls[i] = (struct call){ .api = a,
                                      .request = { .path = "/v1/jobs",
                                                   .body = "{\"command\":[\"true\"]}",
                                                   .headers = { "Prefer: wait=50" } } };
            call_start(&calls[i]);
        }
        for (size_t i = 0; i < CALLS; i++) {
            call_join(&calls[i]);
            assert_status(&calls[i].reply, 200);
            assert_string_equal(api_text(&calls[i].reply, "state"), "succeeded");
            assert_true(calls[i].took_us < 45 * USEC_PER_SEC);
            api_reply_fini(&calls[i].reply);
        }
    }
}

/* As many wait as may: the next is told so at once, and a submit is taken without the wait. */
static void no_more_requests_wait_than_may(void **state)
{
    const struct api *a = *state;
    static struct call calls[WAITERS_MAX + 1];
    const struct api_request submit = { .path = "/v1/jobs",
                                        .body = sleeper,
                                        .headers = { "Prefer: wait=50" } };
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char path[64];
    char ids[2][API_ID_SIZE];
    unsigned refused = 0;

    (void)api_submit(a, sleeper, ids[0]);
    (void)snprintf(path, sizeof path, "%s", api_job_path(ids[0], "?wait=50"));
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        calls[i] = (struct call){ .api = a, .request.path = path, .done = &one_is_done };
        call_start(&calls[i]);
    }
    assert_int_equal(sem_wait(&one_is_done), 0); /* one is refused: all others wait */

    api_get(a, path, &r);
    assert_problem(&r, 429, "too-many-long-polls");
    assert_header(&r, "Retry-After", "1");
    api_get(a, api_job_path(ids[0], "/result?wait=50"), &r);
    assert_problem(&r, 429, "too-many-long-polls");
    api_get(a, api_job_path(ids[0], ""), &r);
    assert_status(&r, 200);
    api_send(a, &submit, &r);
    assert_status(&r, 202);
    assert_header(&r, "Preference-Applied", NULL);
    (void)snprintf(ids[1], sizeof ids[1], "%s", api_text(&r, "id"));

    for (size_t i = 0; i < COUNT_OF(ids); i++)
        api_post(a, api_job_path(ids[i], ":cancel"), "{\"mode\":\"force\"}", &r);
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        call_join(&calls[i]);
        refused += calls[i].reply.status == 429;
        api_reply_fini(&calls[i].reply);
    }
    assert_int_equal(refused, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_ends_when_the_job_does),
        cmocka_unit_test(a_wait_in_the_query_does_the_same),
        cmocka_unit_test(a_wait_that_is_over_shows_the_job_as_it_is),
        cmocka_unit_test(a_job_that_is_final_is_shown_at_once),
        cmocka_unit_test(a_version_that_is_old_is_answered_at_once),
        cmocka_unit_test(a_version_that_stays_is_answered_with_304_in_the_end),
        cmocka_unit_test(a_change_ends_the_wait),
        cmocka_unit_test(a_change_to_another_listed_version_does_not_end_the_wait),
        cmocka_unit_test(a_result_is_sent_when_it_is_there),
        cmocka_unit_test(a_result_that_does_not_come_is_not_ready),
        cmocka_unit_test(all_who_wait_for_a_job_are_answered),
        cmocka_unit_test(no_end_is_missed),
        cmocka_unit_test(no_more_requests_wait_than_may),
    };

    (void)sem_init(&one_is_done, 0, 0);
    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/longpoll", tests, api_setup, api_teardown));
}
