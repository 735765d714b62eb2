/* tests/api/test_thousand.c - a thousand jobs of every kind from eight connections, and the end
 * of jobd with nothing left running. Also run under ASan, UBSan and TSan. */
#include "tests/support/api.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/text.h"

#define JOBS    1000
#define CLIENTS 8

/* The warm program is a loop in sh: it answers with twice the number it gets, or with an error.
 */

static const char CONFIG[] =
    "workers: 3\n"
    "allow_commands: true\n"
    "functions:\n"
    "  - name: wordcount\n"
    "    command: [wc, -w]\n"
    "    result: stdout\n"
    "  - name: say\n"
    "    command: [printf, '%s', '{text}']\n"
    "    result: stdout\n"
    "  - name: fail\n"
    "    command: [sh, -c, 'echo oh no >&2; exit {code}']\n"
    "  - name: double\n"
    "    workers: 2\n"
    "    program:\n"
    "      - sh\n"
    "      - -c\n"
    "      - |\n"
    "        while read -r line; do\n"
    "          id=${line#*'\"id\":\"'}; id=${id%%'\"'*}\n"
    "          n=${line#*'\"n\":'}; n=${n%%'}'*}\n"
    "          if [ \"$n\" -lt 0 ]; then\n"
    "            printf '{\"id\":\"%s\",\"error\":{\"message\":\"negative\"}}\\n' \"$id\" >&3\n"
    "          else\n"
    "            printf '{\"id\":\"%s\",\"result\":{\"twice\":%d}}\\n' \"$id\" $((n * 2)) >&3\n"
    "          fi\n"
    "        done\n";

/* One kind of job: how number n of it is asked for, and what must come of it. */
struct kind {
    const char *name;
    char *(*body)(int n);
    const char *state;
    void (*check)(const struct api *a, const struct api_reply *job, int n);
};

static char *body_wordcount(int n)
{
    struct buf words = { 0 };
    char *body;

    for (int i = 0; i < n % 50; i++)
        buf_add_str(&words, "word ");
    body = mem_printf("{\"function\":\"wordcount\",\"stdin\":\"%s\"}",
                      words.data ? words.data : "");
    buf_fini(&words);
    return body;
}

static void read_result(const struct api *a, const struct api_reply *job,
                        struct api_reply *result)
{
    api_get(a, api_job_path(api_text(job, "id"), "/result"), result);
    assert_status(result, 200);
}

static void check_wordcount(const struct api *a, const struct api_reply *job, int n)
{
    AUTO_FINI(api_reply) struct api_reply result = { 0 };

    read_result(a, job, &result);
    assert_int_equal(strtol(result.body, NULL, 10), n % 50);
}

static char *body_say(int n)
{
    return mem_printf(
        "{\"function\":\"say\",\"args\":{\"text\":\"number %d\"},\"priority\":%d}", n, n % 10);
}

static void check_say(const struct api *a, const struct api_reply *job, int n)
{
    AUTO_FINI(api_reply) struct api_reply result = { 0 };
    char want[32];

    read_result(a, job, &result);
    (void)snprintf(want, sizeof want, "number %d", n);
    assert_string_equal(result.body, want);
}

static char *body_double(int n)
{
    return mem_printf("{\"function\":\"double\",\"args\":{\"n\":%d}}", n);
}

static void check_double(const struct api *a, const struct api_reply *job, int n)
{
    (void)a;
    assert_int_equal(api_number(job, "result.twice"), 2 * n);
}

static char *body_negative(int n)
{
    return mem_printf("{\"function\":\"double\",\"args\":{\"n\":%d}}", -1 - n);
}

static void check_negative(const struct api *a, const struct api_reply *job, int n)
{
    (void)a;
    (void)n;
    assert_string_equal(api_text(job, "failure.reason"), "error");
    assert_string_equal(api_text(job, "failure.message"), "negative");
}

static char *body_fail(int n)
{
    return mem_printf("{\"function\":\"fail\",\"args\":{\"code\":%d}}", 1 + n % 100);
}

static void check_fail(const struct api *a, const struct api_reply *job, int n)
{
    AUTO_FINI(api_reply) struct api_reply log = { 0 };

    assert_string_equal(api_text(job, "failure.reason"), "exit_code");
    assert_int_equal(api_number(job, "exit_code"), 1 + n % 100);
    api_get(a, api_job_path(api_text(job, "id"), "/logs/stderr"), &log);
    assert_string_equal(log.body, "oh no\n");
}

static char *body_signal(int n)
{
    return mem_printf("{\"command\":[\"sh\",\"-c\",\"kill -%d $$\"]}", n % 2 ? 9 : 11);
}

static void check_signal(const struct api *a, const struct api_reply *job, int n)
{
    (void)a;
    assert_string_equal(api_text(job, "failure.reason"), "signal");
    assert_int_equal(api_number(job, "signal"), n % 2 ? 9 : 11);
}

static char *body_missing(int n)
{
    return mem_printf("{\"command\":[\"/does/not/exist/%d\"]}", n);
}

static void check_missing(const struct api *a, const struct api_reply *job, int n)
{
    (void)a;
    (void)n;
    assert_string_equal(api_text(job, "failure.reason"), "spawn_failed");
}

static char *body_delayed(int n)
{
    return mem_printf("{\"command\":[\"true\"],\"delay_seconds\":0.%d}", 1 + n % 9);
}

static void check_nothing(const struct api *a, const struct api_reply *job, int n)
{
    (void)a;
    (void)n;
    assert_int_equal(api_number(job, "exit_code"), 0);
}

static char *body_timeout(int n)
{
    (void)n;
    return mem_str("{\"command\":[\"sleep\",\"600\"],\"timeout_seconds\":0.05}");
}

static void check_timeout(const struct api *a, const struct api_reply *job, int n)
{
    (void)a;
    (void)n;
    assert_string_equal(api_text(job, "failure.reason"), "deadline_exceeded");
}

static const struct kind kinds[] = {
    { "wordcount", body_wordcount, "succeeded", check_wordcount },
    { "say", body_say, "succeeded", check_say },
    { "double", body_double, "succeeded", check_double },
    { "double again", body_double, "succeeded", check_double },
    { "negative", body_negative, "failed", check_negative },
    { "fail", body_fail, "failed", check_fail },
    { "signal", body_signal, "failed", check_signal },
    { "missing", body_missing, "failed", check_missing },
    { "delayed", body_delayed, "succeeded", check_nothing },
    { "timeout", body_timeout, "failed", check_timeout },
};

struct client {
    const struct api *api;
    int number; /* submits every CLIENTS-th job */
    char (*ids)[API_ID_SIZE];
    atomic_int *accepted;
};

static void *client_thread(void *arg)
{
    struct client *c = arg;

    for (int n = c->number; n < JOBS; n += CLIENTS) {
        AUTO_FINI(api_reply) struct api_reply reply = { 0 };
        char *body = kinds[(size_t)n % COUNT_OF(kinds)].body(n);
        struct api_request q = { .path = "/v1/jobs", .body = body };

        if (api_try(c->api, &q, &reply) && reply.status == 202) {
            (void)text_copy(c->ids[n], API_ID_SIZE, api_text(&reply, "id"));
            atomic_fetch_add(c->accepted, 1);
        }
        free(body);
    }
    return NULL;
}

static void submit_all(const struct api *a, char (*ids)[API_ID_SIZE])
{
    struct client clients[CLIENTS];
    pthread_t threads[CLIENTS];
    atomic_int accepted = 0;

    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){ a, i, ids, &accepted };
        assert_int_equal(pthread_create(&threads[i], NULL, client_thread, &clients[i]), 0);
    }
    for (int i = 0; i < CLIENTS; i++)
        (void)pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&accepted), JOBS);
}

/* A worker may give a job back that it could not begin soon (pool/backlog.h): that leaves a gap
 * in the numbers, and no attempt. */
static void assert_one_attempt(const struct api *a, const char *id, const struct api_reply *job)
{
    AUTO_FINI(api_reply) struct api_reply list = { 0 };

    api_get(a, api_job_path(id, "/attempts"), &list);
    assert_int_equal(json_array_size(api_at(list.json, "items")), 1);
    assert_int_equal(json_integer_value(json_object_get(
                         json_array_get(api_at(list.json, "items"), 0), "number")),
                     api_number(job, "attempt"));
}

static void a_thousand_jobs_reach_the_right_end_with_the_right_output(void **state)
{
    const struct api *a = *state;
    static char ids[JOBS][API_ID_SIZE];

    submit_all(a, ids);
    for (int n = 0; n < JOBS; n++) {
        const struct kind *kind = &kinds[(size_t)n % COUNT_OF(kinds)];
        AUTO_FINI(api_reply) struct api_reply job = { 0 };

        api_await(a, ids[n], &job);
        if (strcmp(api_text(&job, "state"), kind->state) != 0)
            fail_msg("job %d (%s): %s", n, kind->name, job.body);
        assert_one_attempt(a, ids[n], &job);
        kind->check(a, &job, n);
    }
}

/* This process is a subreaper: whatever survived jobd would now be its child. */
static void after_sigterm_nothing_is_left_running(void **state)
{
    struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply running = { 0 };
    AUTO_FINI(api_reply) struct api_reply job = { 0 };
    AUTO(mem) char *fifo = mem_str(api_path(a, "gate"));
    AUTO(mem)
    char *body = mem_printf(
        "{\"command\":[\"sh\",\"-c\",\"setsid sleep 600 & read x <$0; :\",\"%s\"]}", fifo);
    AUTO_FINI(fd) int gate = -1;
    char id[API_ID_SIZE];

    assert_int_equal(mkfifo(fifo, 0600), 0);
    (void)api_submit(a, body, id);
    gate = open(fifo, O_WRONLY | O_CLOEXEC); /* returns when the job reads */
    assert_true(gate >= 0);
    api_get(a, api_job_path(id, ""), &running);
    assert_string_equal(api_text(&running, "state"), "running");
    assert_int_equal(kill(a->pid, SIGTERM), 0);
    fd_fini(&gate);
    api_stop(a, 0);
    assert_int_equal(a->exit_code, 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    api_start(a); /* and what it promised is still there */
    api_get(a, api_job_path(id, ""), &job);
    assert_string_equal(api_text(&job, "state"), "succeeded");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_jobs_reach_the_right_end_with_the_right_output),
        cmocka_unit_test(after_sigterm_nothing_is_left_running),
    };

    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    api_configure(CONFIG);
    return api_finish(
        cmocka_run_group_tests_name("api/thousand", tests, api_setup, api_teardown));
}
