/* The front dies while batches are made, run, stopped and called back: the counts are those of
 * the members, nothing is lost, and each callback is submitted once. */
#include "tests/support/api.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* It dies there again and again: the successor counts from the start. */
static void restart(struct api *a, const char *point)
{
    api_stop(a, SIGTERM);
    if (point)
        assert_int_equal(setenv("JOBD_CRASH_POINT", point, 1), 0);
    api_start(a);
    (void)unsetenv("JOBD_CRASH_POINT");
}

/* As curl --retry would, with a key, so that there is one batch. */
static void submit(const struct api *a, const char *body, const char *key, char id[API_ID_SIZE])
{
    usec_t deadline_us = clock_mono_us() + PATIENCE_US;
    AUTO(mem) char *header = mem_printf("Idempotency-Key: %s", key);

    for (;;) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        const struct api_request q = { .path = "/v1/batches",
                                       .body = body,
                                       .headers = { header, NULL } };

        assert_true(clock_mono_us() < deadline_us);
        if (!api_try(a, &q, &r) || r.status != 202)
            continue;
        (void)snprintf(id, API_ID_SIZE, "%s", api_text(&r, "id"));
        return;
    }
}

static void get(const struct api *a, const char *path, struct api_reply *ret_reply)
{
    usec_t deadline_us = clock_mono_us() + PATIENCE_US;
    const struct api_request q = { .path = path };

    for (;;) {
        assert_true(clock_mono_us() < deadline_us);
        if (api_try(a, &q, ret_reply) && ret_reply->status == 200)
            return;
        api_reply_fini(ret_reply);
        *ret_reply = (struct api_reply){ 0 };
    }
}

static void await(const struct api *a, const char *id, struct api_reply *ret_reply)
{
    usec_t deadline_us = clock_mono_us() + PATIENCE_US;
    AUTO(mem) char *path = mem_printf("/v1/batches/%s?wait=5", id);

    for (;;) {
        get(a, path, ret_reply);
        if (!strstr("open running", api_text(ret_reply, "state")))
            return;
        assert_true(clock_mono_us() < deadline_us);
        api_reply_fini(ret_reply);
        *ret_reply = (struct api_reply){ 0 };
    }
}

/* How many members the list of jobs finds in this state, whatever the batch says. */
static long long recount(const struct api *a, const char *id, const char *state)
{
    AUTO(mem)
    char *path = mem_printf("/v1/batches/%s/jobs?limit=1000&fields=id&state=%s", id, state);
    long long count = 0;

    while (path) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        const char *next;

        get(a, path, &r);
        count += (long long)json_array_size(api_at(r.json, "items"));
        next = api_text(&r, "next");
        free(path);
        path = *next ? mem_str(next) : NULL;
    }
    return count;
}

static void assert_counts_are_exact(const struct api *a, const char *id,
                                    const struct api_reply *batch)
{
    static const char *const states[] = { "scheduled", "queued",    "running",
                                          "canceling", "succeeded", "failed" };
    char path[48];

    for (size_t i = 0; i < COUNT_OF(states); i++) {
        (void)snprintf(path, sizeof path, "counts.%s", states[i]);
        assert_int_equal(api_number(batch, path), recount(a, id, states[i]));
    }
}

static size_t count_named(const struct api *a, const char *name)
{
    AUTO(mem) char *path = mem_printf("/v1/jobs?name=%s", name);
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    get(a, path, &r);
    return json_array_size(api_at(r.json, "items"));
}

static const char *const points[] = { "batch.piece:2", "turn.before_commit:25",
                                      "turn.after_commit:25", "turn.before_answers:15" };

static void a_batch_that_runs_survives_every_crash(void **state)
{
    struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(points); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        AUTO(mem) char *name = mem_printf("done-%zu", i);
        AUTO(mem)
        char *body = mem_printf(
            "{\"template\":{\"command\":[\"sh\",\"-c\",\"exit $((JOBD_ARRAY_INDEX %% 2))\"]},"
            "\"array\":{\"size\":60},\"max_concurrency\":8,\"callbacks\":{"
            "\"on_complete\":{\"name\":\"%s\",\"command\":[\"true\"]},"
            "\"on_failure\":{\"name\":\"%s-f\",\"command\":[\"true\"]}}}",
            name, name);
        AUTO(mem) char *failure = mem_printf("%s-f", name);
        char id[API_ID_SIZE];

        restart(a, points[i]);
        submit(a, body, name, id);
        await(a, id, &r);
        restart(a, NULL);
        assert_string_equal(api_text(&r, "state"), "failed");
        assert_int_equal(api_number(&r, "total"), 60);
        assert_int_equal(api_number(&r, "counts.succeeded"), 30);
        assert_int_equal(api_number(&r, "counts.failed"), 30);
        assert_counts_are_exact(a, id, &r);
        assert_int_equal(count_named(a, name), 1);
        assert_int_equal(count_named(a, failure), 1);
    }
}

/* While members are being made, and while they are being stopped. */
static void a_batch_that_is_canceled_survives_every_crash(void **state)
{
    struct api *a = *state;
    static const char body[] =
        "{\"template\":{\"command\":[\"sleep\",\"60\"]},\"array\":{\"size\":6000},"
        "\"callbacks\":{\"on_complete\":{\"name\":\"stopped\",\"command\":[\"true\"]}}}";

    for (size_t i = 0; i < COUNT_OF(points); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        AUTO_FINI(api_reply) struct api_reply canceled = { 0 };
        AUTO(mem) char *key = mem_printf("stopped-%zu", i);
        AUTO(mem) char *path = NULL;
        char id[API_ID_SIZE];

        restart(a, points[i]);
        submit(a, body, key, id);
        path = mem_printf("/v1/batches/%s:cancel", id);
        do {
            api_reply_fini(&canceled);
            canceled = (struct api_reply){ 0 };
        } while (
            !api_try(a, &(struct api_request){ .method = "POST", .path = path }, &canceled) ||
            (canceled.status != 200 && canceled.status != 202));
        await(a, id, &r);
        restart(a, NULL);
        assert_string_equal(api_text(&r, "state"), "canceled");
        assert_int_equal(api_number(&r, "total"), 6000);
        assert_int_equal(api_number(&r, "counts.canceled"), 6000);
        assert_counts_are_exact(a, id, &r);
        assert_int_equal(count_named(a, "stopped"), i + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_that_runs_survives_every_crash),
        cmocka_unit_test(a_batch_that_is_canceled_survives_every_crash),
    };

    api_configure("workers: 2\nallow_commands: true\n");
    return api_finish(
        cmocka_run_group_tests_name("api/batch_crash", tests, api_setup, api_teardown));
}
