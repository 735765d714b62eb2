#include "tests/support/test.h"

#include <string.h>

#include "base/mem.h"
#include "domain/attempt_json.h"
#include "domain/json_text.h"

#define ID_TEXT "018bcfe5-6800-7001-8000-000000000001"
#define LINKS                                                                                  \
    "\"links\":{\"self\":\"/v1/jobs/" ID_TEXT                                                  \
    "/attempts/3\","                                                                           \
    "\"job\":\"/v1/jobs/" ID_TEXT                                                              \
    "\",\"logs\":{"                                                                            \
    "\"stdout\":\"/v1/jobs/" ID_TEXT                                                           \
    "/logs/stdout?attempt=3\","                                                                \
    "\"stderr\":\"/v1/jobs/" ID_TEXT "/logs/stderr?attempt=3\"}}"

static struct attempt attempt(bool has_ended, enum cause cause)
{
    struct attempt a = {
        .number = 3, .worker_id = 7, .worker_pid = 70, .has_ended = has_ended
    };

    a.outcome = (struct outcome){ .attempt = 3,
                                  .cause = cause,
                                  .exit_code = -1,
                                  .started_at_us = 1700000000 * USEC_PER_SEC };
    assert_true(uuid7_parse(ID_TEXT, &a.outcome.job_id));
    return a;
}

static void assert_encodes(const struct attempt *a, const char *want)
{
    AUTO(json) json_t *json = attempt_encode(a);
    size_t len;
    AUTO(mem) char *text = json_text_dump(json, &len);

    assert_string_equal(text, want);
}

static void a_running_attempt_says_who_runs_it_since_when(void **state)
{
    struct attempt a = attempt(false, CAUSE_NONE);

    (void)state;
    assert_encodes(&a,
                   "{\"number\":3,\"state\":\"running\","
                   "\"started_at\":\"2023-11-14T22:13:20.000Z\","
                   "\"worker\":{\"id\":7,\"pid\":70}," LINKS "}");
}

static void an_ended_attempt_says_how_and_what_it_cost(void **state)
{
    struct attempt a = attempt(true, CAUSE_OOM_KILLED);
    struct outcome *o = &a.outcome;

    (void)state;
    o->signal = 9;
    o->finished_at_us = o->started_at_us + 1500 * USEC_PER_MS;
    o->user_cpu_us = USEC_PER_SEC;
    o->max_rss_bytes = 4096;
    o->voluntary_switches = 5;
    o->containment = CONTAINMENT_CGROUP;
    o->limits_enforced = 1u << LIMIT_MEMORY | 1u << LIMIT_CPU;
    o->limits_by_cgroup = 1u << LIMIT_MEMORY;
    o->limits_exceeded = 1u << LIMIT_MEMORY;
    o->pid = 99;
    o->captures[STREAM_STDOUT] = (struct capture){ .total_bytes = 5, .kept_bytes = 5 };
    assert_encodes(
        &a,
        "{\"number\":3,\"state\":\"failed\",\"started_at\":\"2023-11-14T22:13:20.000Z\","
        "\"finished_at\":\"2023-11-14T22:13:21.500Z\",\"signal\":9,"
        "\"failure\":{\"reason\":\"oom_killed\",\"kind\":\"job\","
        "\"message\":\"the attempt used more memory than it may\",\"signal\":9,"
        "\"limits\":[\"memory_bytes\"],\"attempt\":3},"
        "\"logs\":{\"stdout_bytes\":5,\"stderr_bytes\":0,\"stdout_total_bytes\":5,"
        "\"stderr_total_bytes\":0,\"truncated\":false},"
        "\"usage\":{\"wall_seconds\":1.5,\"user_cpu_seconds\":1,\"system_cpu_seconds\":0,"
        "\"max_rss_bytes\":4096,\"voluntary_switches\":5,\"involuntary_switches\":0,"
        "\"leftovers_killed\":0},\"containment\":\"cgroup\","
        "\"limits_enforced\":[\"cpu_seconds\",\"memory_bytes\"],"
        "\"limits_by_cgroup\":[\"memory_bytes\"],\"pid\":99,"
        "\"worker\":{\"id\":7,\"pid\":70}," LINKS "}");
}

static void the_state_is_what_the_cause_says(void **state)
{
    (void)state;
    for (int cause = 0; cause < CAUSE_MAX_; cause++) {
        struct attempt a = attempt(true, (enum cause)cause);
        AUTO(json) json_t *json = attempt_encode(&a);
        const char *name = json_string_value(json_object_get(json, "state"));
        bool failed = strcmp(name, "failed") == 0;

        if (cause == CAUSE_NONE)
            assert_string_equal(name, "succeeded");
        else if (cause == CAUSE_CANCELED)
            assert_string_equal(name, "canceled");
        else
            assert_true(failed);
        assert_int_equal(json_object_get(json, "failure") != NULL, failed);
    }
}

static void an_attempt_of_an_older_ledger_has_less(void **state)
{
    struct attempt a = attempt(true, CAUSE_NONE);
    AUTO(json) json_t *json = NULL;

    (void)state;
    a.worker_id = 0;
    a.outcome.exit_code = 0;
    json = attempt_encode(&a);
    assert_null(json_object_get(json, "worker"));
    assert_null(json_object_get(json, "containment"));
    assert_null(json_object_get(json, "pid"));
    assert_int_equal(json_integer_value(json_object_get(json, "exit_code")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_running_attempt_says_who_runs_it_since_when),
        cmocka_unit_test(an_ended_attempt_says_how_and_what_it_cost),
        cmocka_unit_test(the_state_is_what_the_cause_says),
        cmocka_unit_test(an_attempt_of_an_older_ledger_has_less),
    };

    return cmocka_run_group_tests_name("domain/attempt_json", tests, NULL, NULL);
}
