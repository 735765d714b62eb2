/* What clients see of limits, leftovers and what held an attempt. */
#include "tests/support/api.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* Burns CPU, for ever if the job says so, then answers. */
static const char config[] =
    "allow_commands: true\n"
    "workers: 2\n"
    "functions:\n"
    "  - name: burn\n"
    "    program:\n"
    "      - sh\n"
    "      - -c\n"
    "      - |\n"
    "        used() {\n"
    "            read -r _ _ _ _ _ _ _ _ _ _ _ _ _ user system _ </proc/self/stat\n"
    "            ticks=$((user + system))\n"
    "        }\n"
    "        while read -r l; do\n"
    "            id=${l#*'\"id\":\"'}; id=${id%%'\"'*}\n"
    "            case $l in *forever*) while :; do :; done;; esac\n"
    "            used; until=$((ticks + 20))\n" /* 0.2 s, however fast the machine is */
    "            while [ $ticks -lt $until ]; do used; done\n"
    "            echo '{\"id\":\"'$id'\",\"result\":1}' >&3\n"
    "        done\n"
    "    limits: { cpu_seconds: 1 }\n"
    "    retry: { max_attempts: 1 }\n";

static void run(const struct api *a, const char *body, struct api_reply *r)
{
    char id[API_ID_SIZE];

    api_await(a, api_submit(a, body, id), r);
}

/* The attempt instead of its job. */
static void get_attempt(const struct api *a, struct api_reply *r)
{
    AUTO(mem) char *id = mem_str(api_text(r, "id"));

    api_get(a, api_job_path(id, "/attempts/1"), r);
    assert_status(r, 200);
}

static void assert_contained(const struct api_reply *r)
{
    const char *containment = api_text(r, "containment");

    assert_true(strcmp(containment, "cgroup") == 0 || strcmp(containment, "subreaper") == 0);
}

static bool lists(const struct api_reply *r, const char *path, const char *name)
{
    const json_t *array = api_at(r->json, path);
    const json_t *item;
    size_t i;

    json_array_foreach (json_iterable(array), i, item)
        if (strcmp(json_string_value(item), name) == 0)
            return true;
    return false;
}

static void a_job_tells_what_held_it_and_what_it_cost(void **state)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    run(*state,
        "{\"command\":[\"sh\",\"-c\",\"sleep 300 >&- 2>&- & exit 0\"],"
        "\"limits\":{\"open_files\":100}}",
        &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    get_attempt(*state, &r);
    assert_contained(&r);
    assert_true(lists(&r, "limits_enforced", "open_files"));
    assert_int_equal(api_number(&r, "usage.leftovers_killed"), 1);
    assert_true(api_number(&r, "usage.max_rss_bytes") > 0);
    assert_true(api_number(&r, "usage.voluntary_switches") >= 0);
}

static void a_limit_that_ended_it_is_named(void **state)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    run(*state,
        "{\"command\":[\"cat\",\"/dev/zero\"],\"limits\":{\"output_bytes\":5000},"
        "\"retry\":{\"max_attempts\":1}}",
        &r);
    assert_string_equal(api_text(&r, "failure.reason"), "output_limit_exceeded");
    assert_true(lists(&r, "failure.limits", "output_bytes"));
    run(*state,
        "{\"command\":[\"sh\",\"-c\",\"while :; do :; done\"],"
        "\"limits\":{\"cpu_seconds\":1},\"retry\":{\"max_attempts\":1}}",
        &r);
    assert_string_equal(api_text(&r, "failure.reason"), "resource_limit_exceeded");
    assert_true(lists(&r, "failure.limits", "cpu_seconds"));
}

static void cpu_of_a_warm_program_is_limited_for_each_job(void **state)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    /* All together use more than one may. */
    for (int i = 0; i < 8; i++) {
        run(*state, "{\"function\":\"burn\",\"args\":{\"a\":1}}", &r);
        assert_string_equal(api_text(&r, "state"), "succeeded");
    }
    get_attempt(*state, &r);
    assert_contained(&r);
    if (!lists(&r, "limits_enforced", "cpu_seconds")) {
        api_reply_fini(&r);
        skip(); /* without control groups it cannot be known */
    }
    run(*state, "{\"function\":\"burn\",\"args\":{\"a\":\"forever\"}}", &r);
    assert_string_equal(api_text(&r, "failure.reason"), "resource_limit_exceeded");
}

static void who_was_let_go_outlives_the_job(void **state)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];
    pid_t pid;

    (void)api_submit(*state,
                     "{\"command\":[\"sh\",\"-c\",\"setsid sleep 300 >&- 2>&- & echo $!\"],"
                     "\"leftover\":\"detach\"}",
                     id);
    api_await(*state, id, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_int_equal(api_number(&r, "usage.leftovers_killed"), 0);
    api_get(*state, api_job_path(id, "/logs/stdout"), &r);
    pid = (pid_t)strtol(r.body, NULL, 10);
    assert_true(pid > 1);
    for (int i = 0; i < 4; i++) /* each worker has had another job */
        run(*state, "{\"command\":[\"true\"]}", &r);
    assert_return_code(kill(pid, 0), errno);
    api_stop(*state, SIGTERM);
    assert_return_code(kill(pid, 0), errno);
    api_start(*state);
    assert_return_code(kill(pid, SIGKILL), errno);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_tells_what_held_it_and_what_it_cost),
        cmocka_unit_test(a_limit_that_ended_it_is_named),
        cmocka_unit_test(cpu_of_a_warm_program_is_limited_for_each_job),
        cmocka_unit_test(who_was_let_go_outlives_the_job),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/containment", tests, api_setup, api_teardown));
}
