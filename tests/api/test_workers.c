/* listWorkers, getReadyz and warm programs that do not start, as clients see them. */
#include "tests/support/api.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/support/tmp.h"

/* Both answer each job with 1; broken starts only once dir/repaired is there. */
#define ANSWER                                                                                 \
    "while read -r line; do id=${line#*'\"id\":\"'}; id=${id%%'\"'*}\n"                        \
    "echo '{\"id\":\"'$id'\",\"result\":1}' >&3; done\n"

static const char warm_text[] = ANSWER;
static const char broken_text[] =
    "[ -e \"$(dirname \"$0\")/repaired\" ] || { echo no such module >&2; exit 3; }\n"
    "echo '{\"ready\":true}' >&3\n" ANSWER;

static char dir[TMP_SIZE];
static char *config;

static char *make_config(void)
{
    return mem_printf(
        "workers: 2\n"
        "functions:\n"
        "  - name: ok\n"
        "    command: [\"true\"]\n"
        "  - name: wait\n"
        "    command: [cat, %s/gate]\n"
        "  - name: warm\n"
        "    program: [sh, %s/warm.sh]\n"
        "  - name: broken\n"
        "    ready: true\n"
        "    program: [sh, %s/broken.sh]\n",
        dir, dir, dir);
}

static char *path_of(const char *name)
{
    return mem_printf("%s/%s", dir, name);
}

static void write_file(const char *name, const char *text)
{
    AUTO(mem) char *path = path_of(name);

    assert_int_equal(fd_write_file_atomic(path, 0600, text, strlen(text), NULL), 0);
}

/* The worker of that pool in an answer of listWorkers. */
static const json_t *worker_of(const struct api_reply *r, const char *pool)
{
    const json_t *items = api_at(r->json, "items");
    size_t i;
    json_t *item;

    json_array_foreach ((json_t *)(uintptr_t)items, i, item) {
        const char *name = json_string_value(json_object_get(item, "pool"));

        if (name && strcmp(name, pool) == 0)
            return item;
    }
    return NULL;
}

static const char *text_of(const json_t *worker, const char *member)
{
    const char *text = json_string_value(json_object_get(worker, member));

    return text ? text : "";
}

static long long number_of(const json_t *worker, const char *member)
{
    const json_t *n = json_object_get(worker, member);

    return n ? json_integer_value(n) : -1;
}

/* The list once the worker of this pool is in this state: nobody tells when that is. */
static void await_worker(const struct api *a, const char *pool, const char *state,
                         struct api_reply *ret_reply)
{
    for (;;) {
        const json_t *w;

        api_get(a, "/v1/workers", ret_reply);
        assert_status(ret_reply, 200);
        w = worker_of(ret_reply, pool);
        if (w && strcmp(text_of(w, "state"), state) == 0)
            return;
        api_reply_fini(ret_reply);
        *ret_reply = (struct api_reply){ 0 };
        (void)usleep(20000);
    }
}

static void workers_are_listed_with_what_they_do(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    const json_t *warm;
    unsigned commands = 0;
    size_t i;
    json_t *item;

    await_worker(a, "warm", "idle", &r);
    assert_header(&r, "Content-Type", "application/json");
    assert_int_equal(json_array_size(api_at(r.json, "items")), 4);
    json_array_foreach ((json_t *)(uintptr_t)api_at(r.json, "items"), i, item) {
        assert_true(number_of(item, "worker_id") > 0);
        assert_int_equal(kill((pid_t)number_of(item, "pid"), 0), 0);
        assert_true(text_of(item, "started_at")[0] == '2');
        if (strcmp(text_of(item, "kind"), "command") == 0) {
            commands++;
            assert_null(json_object_get(item, "pool"));
            assert_null(json_object_get(item, "program_pid"));
            assert_int_equal(number_of(item, "capacity"), 1);
            assert_string_equal(text_of(item, "state"), "idle");
        }
    }
    assert_int_equal(commands, 2);
    warm = worker_of(&r, "warm");
    assert_string_equal(text_of(warm, "kind"), "program");
    assert_int_equal(kill((pid_t)number_of(warm, "program_pid"), 0), 0);
    assert_int_equal(number_of(warm, "held"), 0);
    assert_null(json_object_get(warm, "reason"));
}

static unsigned long long jobs_of(const struct api_reply *r)
{
    unsigned long long sum = 0;
    size_t i;
    json_t *item;

    json_array_foreach ((json_t *)(uintptr_t)api_at(r->json, "items"), i, item)
        sum += (unsigned long long)number_of(item, "jobs_total");
    return sum;
}

static unsigned count_busy(const struct api_reply *r)
{
    unsigned count = 0;
    size_t i;
    json_t *item;

    json_array_foreach ((json_t *)(uintptr_t)api_at(r->json, "items"), i, item) {
        if (strcmp(text_of(item, "state"), "busy") != 0)
            continue;
        count++;
        assert_int_equal(number_of(item, "held"), 1);
    }
    return count;
}

static void jobs_are_counted_and_those_in_hand_are_shown(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply before = { 0 };
    AUTO_FINI(api_reply) struct api_reply during = { 0 };
    AUTO_FINI(api_reply) struct api_reply after = { 0 };
    AUTO(mem) char *gate = path_of("gate");
    AUTO_FINI(fd) int fd = -1;
    char id[API_ID_SIZE];
    char warm_id[API_ID_SIZE];

    assert_int_equal(mkfifo(gate, 0600), 0);
    api_get(a, "/v1/workers", &before);
    api_submit(a, "{\"function\":\"wait\"}", id);
    {
        AUTO_FINI(api_reply) struct api_reply job = { 0 };

        api_await_state(a, id, "running", &job);
    }
    do /* the job may be seen to run before its worker is */
        api_get(a, "/v1/workers", &during);
    while (count_busy(&during) == 0);
    assert_int_equal(count_busy(&during), 1);
    fd = open(gate, O_WRONLY | O_CLOEXEC); /* waits for cat */
    fd_fini(&fd);
    api_submit(a, "{\"function\":\"warm\"}", warm_id);
    {
        AUTO_FINI(api_reply) struct api_reply job = { 0 };
        AUTO_FINI(api_reply) struct api_reply other = { 0 };

        api_await(a, id, &job);
        api_await(a, warm_id, &other);
        assert_string_equal(api_text(&other, "state"), "succeeded");
    }
    do { /* as they may be seen to have ended before their workers are */
        api_reply_fini(&after);
        after = (struct api_reply){ 0 };
        await_worker(a, "warm", "idle", &after);
    } while (jobs_of(&after) < jobs_of(&before) + 2);
    assert_int_equal(jobs_of(&after), jobs_of(&before) + 2);
    assert_int_equal(number_of(worker_of(&after, "warm"), "jobs_total"), 1);
    assert_true(number_of(worker_of(&after, "warm"), "rss_bytes") > 0);
}

static void a_program_that_does_not_start_stops_its_own_function_only(void **state)
{
    static const char why[] =
        "the program exited with code 3 before it was ready: no such module";
    const struct api *a = *state;
    AUTO(mem) char *repaired = path_of("repaired");
    AUTO_FINI(api_reply) struct api_reply workers = { 0 };
    AUTO_FINI(api_reply) struct api_reply ready = { 0 };
    AUTO_FINI(api_reply) struct api_reply waiting = { 0 };
    AUTO_FINI(api_reply) struct api_reply job = { 0 };
    char id[API_ID_SIZE];
    AUTO_FINI(fd) int fd = -1;
    const json_t *w;

    await_worker(a, "broken", "circuit_open", &workers);
    w = worker_of(&workers, "broken");
    assert_string_equal(text_of(w, "reason"), why);
    assert_int_equal(number_of(w, "capacity"), 0);
    assert_int_equal(number_of(w, "held"), 0);

    api_get(a, "/readyz", &ready);
    assert_status(&ready, 200);
    assert_non_null(strstr(ready.body, "ok\ndegraded: broken: 1 of 1 workers: "));
    assert_non_null(strstr(ready.body, why));

    api_submit(a, "{\"function\":\"broken\"}", id);
    for (int i = 0; i < 3; i++) { /* the others go on */
        AUTO_FINI(api_reply) struct api_reply other = { 0 };
        char other_id[API_ID_SIZE];

        api_submit(a, i == 0 ? "{\"function\":\"warm\"}" : "{\"function\":\"ok\"}", other_id);
        api_await(a, other_id, &other);
        assert_string_equal(api_text(&other, "state"), "succeeded");
    }
    api_get(a, api_job_path(id, ""), &waiting);
    assert_string_equal(api_text(&waiting, "state"), "queued");
    assert_true(api_number(&waiting, "attempt") <= 0); /* not one was claimed */

    fd = open(repaired, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    api_await(a, id, &job); /* the next trial succeeds */
    assert_string_equal(api_text(&job, "state"), "succeeded");
    api_reply_fini(&workers);
    await_worker(a, "broken", "idle", &workers);
    assert_null(json_object_get(worker_of(&workers, "broken"), "reason"));
    api_reply_fini(&ready);
    ready = (struct api_reply){ 0 };
    api_get(a, "/readyz", &ready);
    assert_string_equal(ready.body, "ok\n");
}

static void bad_requests_for_workers_are_refused(void **state)
{
    static const struct {
        const char *path;
        const char *header;
        long status;
        const char *code;
    } cases[] = {
        { "/v1/workers?state=idle", NULL, 400, "invalid-parameter" },
        { "/v1/workers", "Accept: text/html", 406, "not-acceptable" },
        { "/v1/workers", "Host: jobs.example", 403, "forbidden-host" },
        { "/v1/workers/1", NULL, 404, "not-found" },
    };
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply posted = { 0 };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        const struct api_request q = { .path = cases[i].path, .headers = { cases[i].header } };

        api_send(a, &q, &r);
        assert_problem(&r, cases[i].status, cases[i].code);
    }
    api_post(a, "/v1/workers", "{}", &posted);
    assert_problem(&posted, 405, "method-not-allowed");
    assert_header(&posted, "Allow", "GET, HEAD, OPTIONS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_are_listed_with_what_they_do),
        cmocka_unit_test(jobs_are_counted_and_those_in_hand_are_shown),
        cmocka_unit_test(a_program_that_does_not_start_stops_its_own_function_only),
        cmocka_unit_test(bad_requests_for_workers_are_refused),
    };
    int code;

    tmp_dir_make(dir);
    write_file("warm.sh", warm_text);
    write_file("broken.sh", broken_text);
    config = make_config();
    api_configure(config);
    code =
        api_finish(cmocka_run_group_tests_name("api/workers", tests, api_setup, api_teardown));
    tmp_dir_remove(dir);
    free(config);
    return code;
}
