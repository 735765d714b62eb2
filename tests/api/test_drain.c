/* What clients see while jobd stops: jobs that run may end, reads go on, and nothing new is
 * taken. */
#include "tests/support/api.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

static const char config[] =
    "allow_commands: true\n"
    "workers: 2\n"
    "drain_timeout: 10m\n"
    "functions:\n"
    "  - name: gate\n"
    "    command: [cat, '{path}']\n"
    "    result: stdout\n";

/* A job that runs until the FIFO's other end, ret_fd, is closed. */
static void start_gate(const struct api *a, char id[API_ID_SIZE], int *ret_fd)
{
    static int gates;
    AUTO(mem) char *fifo = mem_printf("%s%d", api_path(a, "gate"), gates++);
    AUTO(mem)
    char *body = mem_printf("{\"function\":\"gate\",\"args\":{\"path\":\"%s\"}}", fifo);

    assert_return_code(mkfifo(fifo, 0600), errno);
    (void)api_submit(a, body, id);
    *ret_fd = open(fifo, O_WRONLY | O_CLOEXEC); /* returns when the job reads */
    assert_return_code(*ret_fd, errno);
}

/* -- waiting requests
 * ----------------------------------------------------------------------------- */

struct call {
    const struct api *api;
    struct api_request request;
    struct api_reply reply;
    bool answered;
    usec_t took_us;
    pthread_t thread;
};

static void *call_main(void *ctx)
{
    struct call *c = ctx;
    usec_t begun_us = clock_mono_us();

    c->answered = api_try(c->api, &c->request, &c->reply);
    c->took_us = clock_mono_us() - begun_us;
    return NULL;
}

/* A request that arrives before the stop is released by it; one that arrives later does not
 * wait. As jobd serves until the job has ended, all are answered. */
static void all_who_wait_are_answered_when_jobd_stops(void **state)
{
    struct api *a = *state;
    struct call calls[4] = { 0 };
    AUTO_FINI(fd) int fd = -1;
    char gate[API_ID_SIZE];
    char id[API_ID_SIZE];
    char paths[2][64];

    start_gate(a, gate, &fd);
    (void)api_submit(a, "{\"command\":[\"true\"],\"delay_seconds\":999}", id);
    (void)snprintf(paths[0], sizeof paths[0], "%s", api_job_path(id, "?wait=50"));
    (void)snprintf(paths[1], sizeof paths[1], "%s", api_job_path(id, "/result?wait=50"));
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        calls[i] = (struct call){ .api = a, .request.path = paths[i == 1] };
    calls[2].request.headers[0] = "If-None-Match: \"v1\"";
    calls[3].request = (struct api_request){
        .path = "/v1/jobs",
        .body = "{\"command\":[\"true\"],\"delay_seconds\":999}",
        .headers = { "Prefer: wait=50" },
    };
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        assert_int_equal(pthread_create(&calls[i].thread, NULL, call_main, &calls[i]), 0);
    usleep(100000); /* so that most of them wait; the answers are the same if not */
    (void)kill(a->pid, SIGTERM);
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        assert_int_equal(pthread_join(calls[i].thread, NULL), 0);
        assert_true(calls[i].answered);
        assert_true(calls[i].took_us < 40 * USEC_PER_SEC);
    }
    assert_status(&calls[0].reply, 200);
    assert_string_equal(api_text(&calls[0].reply, "state"), "scheduled");
    assert_problem(&calls[1].reply, 404, "result-not-ready");
    assert_status(&calls[2].reply, 304);
    assert_true(calls[3].reply.status == 202 || calls[3].reply.status == 503);
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        api_reply_fini(&calls[i].reply);

    fd_fini(&fd);
    api_stop(a, 0); /* a second signal would mean: at once */
    assert_int_equal(a->exit_code, 0);
    api_start(a);
}

/* -- new requests
 * ---------------------------------------------------------------------------------- */

static void await_draining(const struct api *a)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    usec_t deadline_us = clock_mono_us() + PATIENCE_US;

    do {
        api_get(a, "/readyz", &r);
        assert_true(clock_mono_us() < deadline_us);
    } while (r.status == 200);
    assert_problem(&r, 503, "draining");
    assert_header(&r, "Retry-After", "1");
}

static void nothing_new_is_taken_while_jobd_stops(void **state)
{
    static const struct {
        const char *method;
        const char *rest; /* NULL: a submit */
    } changes[] = { { "POST", NULL }, { "POST", ":cancel" }, { "DELETE", "" } };
    struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(fd) int fd = -1;
    char id[API_ID_SIZE];

    start_gate(a, id, &fd);
    (void)kill(a->pid, SIGTERM);
    await_draining(a);
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        const struct api_request q = {
            .method = changes[i].method,
            .path = changes[i].rest ? api_job_path(id, changes[i].rest) : "/v1/jobs",
            .body = changes[i].rest ? NULL : "{\"command\":[\"true\"]}",
        };

        api_send(a, &q, &r);
        assert_problem(&r, 503, "draining");
        assert_header(&r, "Retry-After", "1");
    }
    api_get(a, "/livez", &r);
    assert_status(&r, 200);
    api_get(a, api_job_path(id, "?wait=50"), &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "state"), "running");

    assert_int_equal(write(fd, "finished\n", 9), 9);
    fd_fini(&fd);
    api_stop(a, 0); /* a second signal would mean: at once */
    assert_int_equal(a->exit_code, 0);
    api_start(a);
    api_get(a, api_job_path(id, ""), &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_int_equal(api_number(&r, "attempt"), 1);
    api_get(a, api_job_path(id, "/result"), &r);
    assert_string_equal(r.body, "finished\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_who_wait_are_answered_when_jobd_stops),
        cmocka_unit_test(nothing_new_is_taken_while_jobd_stops),
    };

    api_configure(config);
    return api_finish(cmocka_run_group_tests_name("api/drain", tests, api_setup, api_teardown));
}
