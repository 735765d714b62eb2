/* Descriptors and processes that run out, in each part of jobd: what is refused, what goes on,
 * and that all of it passes without a restart. See docs/faults.md.
 *
 * Limits are set on the running processes with prlimit(2). Those on processes do not bind root,
 * so root runs jobd as a user that nobody else is. */
#include "tests/support/api.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/text.h"
#include "tests/support/proc.h"

#define NOBODY        ((uid_t)64123)
#define CLIENTS       200
#define LOW_LIMIT     256 /* of descriptors: for fewer connections than CLIENTS */
#define LOOK_US       (200 * USEC_PER_MS)
#define CPU_SHARE_MAX 0.4 /* spinning would be 1 */

static const char config[] =
    "workers: 2\n"
    "allow_commands: true\n"
    "http_threads: 8\n";

/* -- the setup ------------------------------------------------------------------------------
 */

static struct {
    char dir[64];
    char program[96];
    char starter[96];
} own;

static void copy_program(void)
{
    const char *given = getenv("JOBD_BIN"); // NOLINT(concurrency-mt-unsafe)
    AUTO_FINI(buf) struct buf b = { 0 };
    struct errinfo e;

    (void)snprintf(own.dir, sizeof own.dir, "/tmp/jobd-shortages-XXXXXX");
    assert_non_null(mkdtemp(own.dir));
    (void)snprintf(own.program, sizeof own.program, "%s/jobd", own.dir);
    (void)snprintf(own.starter, sizeof own.starter, "%s/start", own.dir);
    assert_int_equal(
        fd_read_file(given && *given ? given : "build/release/jobd", (size_t)1 << 30, &b, &e),
        0);
    assert_int_equal(fd_write_file_atomic(own.program, 0755, b.data, b.len, &e), 0);
    assert_int_equal(setenv("JOBD_BIN", own.starter, 1), 0); // NOLINT(concurrency-mt-unsafe)
}

/* The copy is for the new user, who may not be allowed to look where the program is. */
static void be_nobody(void)
{
    if (getuid() != 0)
        return;
    assert_return_code(chown(own.dir, NOBODY, NOBODY), errno);
    assert_return_code(setgroups(0, NULL), errno);
    assert_return_code(setresgid(NOBODY, NOBODY, NOBODY), errno);
    assert_return_code(setresuid(NOBODY, NOBODY, NOBODY), errno);
    (void)prctl(PR_SET_DUMPABLE, 1); /* else our own /proc is root's */
}

/* How jobd is started from now on. */
static void prepare_with(const char *preparation)
{
    AUTO_FINI(buf) struct buf script = { 0 };
    struct errinfo e;

    buf_printf(&script, "#!/bin/sh\n%s\nexec %s \"$@\"\n", preparation, own.program);
    assert_int_equal(fd_write_file_atomic(own.starter, 0755, script.data, script.len, &e), 0);
}

static int set_up(void **state)
{
    copy_program();
    be_nobody();
    prepare_with(":");
    return api_setup(state);
}

static int tear_down(void **state)
{
    int r = api_teardown(state);

    (void)unlink(own.program);
    (void)unlink(own.starter);
    (void)rmdir(own.dir);
    return r;
}

/* -- limits ---------------------------------------------------------------------------------
 */

static void limit(pid_t pid, __rlimit_resource_t resource, rlim_t value)
{
    struct rlimit l;

    assert_return_code(prlimit(pid, resource, NULL, &l), errno);
    l.rlim_cur = value == RLIM_INFINITY ? l.rlim_max : value;
    assert_return_code(prlimit(pid, resource, &l, NULL), errno);
}

static void limit_workers(const struct api *a, __rlimit_resource_t resource, rlim_t value)
{
    pid_t workers[8];
    size_t count = proc_children(a->pid, "jobd-worker", workers, COUNT_OF(workers));

    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++)
        limit(workers[i], resource, value);
}

/* What part of a CPU it uses, for a while. */
static double cpu_share(pid_t pid)
{
    usec_t before_us = proc_cpu_us(pid);
    usec_t start_us = clock_mono_us();

    (void)usleep(LOOK_US);
    return (double)(proc_cpu_us(pid) - before_us) / (double)(clock_mono_us() - start_us);
}

/* It waits, and does not spin, once it has done what there was to do. */
static void await_idle(pid_t pid)
{
    usec_t end_us = clock_mono_us() + PATIENCE_US;
    double share;

    while ((share = cpu_share(pid)) > CPU_SHARE_MAX)
        if (clock_mono_us() > end_us)
            fail_msg("process %d still uses %.0f %% of a CPU", (int)pid, share * 100);
}

/* -- clients --------------------------------------------------------------------------------
 */

static int dial(const struct api *a)
{
    struct sockaddr_in addr = { .sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int64_t port;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(text_to_i64(strrchr(a->base, ':') + 1, 1, 65535, &port));
    addr.sin_port = htons((uint16_t)port);
    assert_return_code(fd, errno);
    assert_return_code(connect(fd, (const struct sockaddr *)&addr, sizeof addr), errno);
    return fd;
}

static void dial_all(const struct api *a, int fds[CLIENTS])
{
    for (size_t i = 0; i < CLIENTS; i++)
        fds[i] = dial(a);
}

static void hang_up_all(int fds[CLIENTS])
{
    for (size_t i = 0; i < CLIENTS; i++)
        fd_fini(&fds[i]);
}

/* One request on a connection that stays; the whole answer in text. Fails without one. */
static void talk(int fd, const char *method, const char *path, const char *body,
                 char text[8192])
{
    AUTO(mem)
    char *request = mem_printf(
        "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Prefer: wait=30\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
        method, path, strlen(body), body);
    size_t len = 0;
    const char *end = NULL;
    size_t want = SIZE_MAX;

    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    while (len < want) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ssize_t n;

        if (poll(&p, 1, (int)(PATIENCE_US / USEC_PER_MS)) != 1)
            fail_msg("no answer to %s %s", method, path);
        n = read(fd, text + len, 8191 - len);
        assert_true(n > 0);
        len += (size_t)n;
        text[len] = '\0';
        end = strstr(text, "\r\n\r\n");
        if (end) {
            const char *length = strcasestr(text, "\r\nContent-Length:");

            assert_non_null(length);
            want = (size_t)(end + 4 - text) + strtoul(length + 17, NULL, 10);
        }
    }
}

static void expect_answer(int fd, const char *method, const char *path, const char *body,
                          const char *in_it)
{
    char text[8192];

    talk(fd, method, path, body, text);
    if (!strstr(text, in_it))
        fail_msg("%s %s: no %s in %s", method, path, in_it, text);
}

static void run_one_job(const struct api *a)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"command\":[\"true\"]}", id);
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
}

/* -- jobs that wait for the test ------------------------------------------------------------
 */

/* Returns when the job reads from its gate. */
static void start_waiting_job(const struct api *a, const char *name, char id[API_ID_SIZE],
                              int *ret_gate)
{
    AUTO(mem) char *fifo = mem_str(api_path(a, name));
    AUTO(mem)
    char *body =
        mem_printf("{\"command\":[\"sh\",\"-c\",\"read x <$0; echo passed\",\"%s\"]}", fifo);

    assert_return_code(mkfifo(fifo, 0600), errno);
    (void)api_submit(a, body, id);
    *ret_gate = open(fifo, O_WRONLY | O_CLOEXEC);
    assert_return_code(*ret_gate, errno);
}

static void open_gate(int *take_gate)
{
    assert_int_equal(write(*take_gate, "go\n", 3), 3);
    fd_fini(take_gate);
}

/* One of the two workers that does not run this job. */
static pid_t other_worker(const struct api *a, const char *id)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    pid_t workers[2];

    api_get(a, api_job_path(id, ""), &r);
    assert_string_equal(api_text(&r, "state"), "running");
    assert_int_equal(proc_children(a->pid, "jobd-worker", workers, 2), 2);
    return workers[0] == (pid_t)api_number(&r, "worker.pid") ? workers[1] : workers[0];
}

static void check_passed(const struct api *a, const char *id)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_int_equal(api_number(&r, "attempt"), 1);
    api_get(a, api_job_path(id, "/logs/stdout"), &r);
    assert_string_equal(r.body, "passed\n");
}

/* Wait until jobd has logged this event count times since the place `from` in its log. */
static size_t log_length(const struct api *a)
{
    struct stat st;

    assert_return_code(stat(api_path(a, "log"), &st), errno);
    return (size_t)st.st_size;
}

static void await_logged(const struct api *a, size_t from, const char *event, unsigned count)
{
    AUTO(mem) char *what = mem_printf("\"event\":\"%s\"", event);
    usec_t end_us = clock_mono_us() + PATIENCE_US;

    for (;;) {
        AUTO_FINI(buf) struct buf b = { 0 };
        unsigned seen = 0;
        struct errinfo e;

        (void)fd_read_file(api_path(a, "log"), (size_t)1 << 24, &b, &e);
        buf_add_char(&b, '\0');
        for (const char *p = b.data + from; (p = strstr(p, what)) != NULL; p++)
            seen++;
        if (seen >= count)
            return;
        if (clock_mono_us() > end_us)
            fail_msg("%s was logged %u times, not %u", event, seen, count);
        (void)usleep(10000);
    }
}

/* -- descriptors ----------------------------------------------------------------------------
 */

/* More clients than descriptors: the front takes as many as fit beside its own needs. */
static void idle_clients_do_not_keep_workers_out(void **state)
{
    struct api *a = *state;
    AUTO_FINI(fd) int first = -1;
    char prepare[64];
    int clients[CLIENTS];
    size_t from;
    pid_t worker;

    api_stop(a, SIGTERM);
    assert_int_equal(a->exit_code, 0);
    (void)snprintf(prepare, sizeof prepare, "ulimit -n %d", LOW_LIMIT);
    prepare_with(prepare);
    from = log_length(a);
    api_start(a);
    await_logged(a, from, "front.fewer_connections", 1);
    first = dial(a);
    expect_answer(first, "GET", "/livez", "", "HTTP/1.1 200");
    dial_all(a, clients);
    await_idle(proc_await_child(a->pid, "jobd-front"));
    expect_answer(first, "GET", "/readyz", "", "HTTP/1.1 200");

    worker = proc_await_child(a->pid, "jobd-worker");
    from = log_length(a);
    assert_return_code(kill(worker, SIGKILL), errno);
    await_logged(a, from, "worker.connected", 1);
    expect_answer(first, "POST", "/v1/jobs", "{\"command\":[\"true\"]}",
                  "\"state\":\"succeeded\"");
    hang_up_all(clients);
    run_one_job(a);

    api_stop(a, SIGTERM);
    prepare_with(":");
    api_start(a);
}

/* No descriptor at all is left, and not by our own doing. */
static void a_front_without_descriptors_serves_those_it_has(void **state)
{
    const struct api *a = *state;
    pid_t front = proc_await_child(a->pid, "jobd-front");
    AUTO_FINI(fd) int first = dial(a);
    int clients[CLIENTS];
    size_t from;

    run_one_job(a); /* whatever it opens once is open */
    expect_answer(first, "GET", "/v1/jobs?limit=1", "", "HTTP/1.1 200");
    from = log_length(a);
    limit(front, RLIMIT_NOFILE, proc_open_fds(front));
    dial_all(a, clients);
    assert_return_code(kill(proc_await_child(a->pid, "jobd-worker"), SIGKILL), errno);
    await_logged(a, from, "worker.exited", 2); /* the supervisor's word, and the front's */
    await_idle(front);
    expect_answer(first, "GET", "/v1/jobs?limit=1", "", "HTTP/1.1 200");

    limit(front, RLIMIT_NOFILE, RLIM_INFINITY);
    await_logged(a, from, "worker.connected", 1);
    hang_up_all(clients);
    expect_answer(first, "GET", "/readyz", "", "HTTP/1.1 200");
    run_one_job(a);
    assert_int_equal(proc_await_child(a->pid, "jobd-front"), front);
}

static void a_worker_without_descriptors_says_what_failed(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    limit_workers(a, RLIMIT_NOFILE, 4);
    (void)api_submit(a, "{\"command\":[\"true\"]}", id);
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "failed");
    assert_string_equal(api_text(&r, "failure.reason"), "spawn_failed");
    assert_string_equal(api_text(&r, "failure.kind"), "system");
    assert_non_null(strstr(api_text(&r, "failure.message"), "Too many open files"));
    limit_workers(a, RLIMIT_NOFILE, RLIM_INFINITY);
    run_one_job(a);
}

/* -- processes ------------------------------------------------------------------------------
 */

/* It is tried again, as the job's policy says, until it can be started. */
static void a_worker_that_may_not_fork_says_so_and_the_job_is_tried_again(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    limit_workers(a, RLIMIT_NPROC, 1);
    (void)api_submit(a, "{\"command\":[\"true\"]}", id);
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "failed");
    assert_string_equal(api_text(&r, "failure.reason"), "spawn_failed");
    assert_string_equal(api_text(&r, "failure.kind"), "system");
    assert_non_null(strstr(api_text(&r, "failure.message"), "fork"));
    assert_non_null(
        strstr(api_text(&r, "failure.message"), "Resource temporarily unavailable"));

    (void)api_submit(a,
                     "{\"command\":[\"true\"],\"retry\":{\"max_attempts\":100,"
                     "\"backoff\":\"constant\",\"initial_delay_seconds\":0.2}}",
                     id);
    api_await_state(a, id, "scheduled", &r);
    limit_workers(a, RLIMIT_NPROC, RLIM_INFINITY);
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_true(api_number(&r, "attempt") >= 2);
}

/* The front and a worker die, and nobody can take their place: for longer than a front that
 * crashes would be tried. Clients wait at the socket, and what runs goes on. */
static void a_supervisor_that_may_not_fork_goes_on_trying(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(fd) int waiting = -1;
    pid_t front = proc_await_child(a->pid, "jobd-front");
    AUTO_FINI(fd) int gate = -1;
    char id[API_ID_SIZE];
    size_t from = log_length(a);
    pid_t idle;

    start_waiting_job(a, "gate", id, &gate);
    idle = other_worker(a, id);
    limit(a->pid, RLIMIT_NPROC, 1);
    assert_return_code(kill(front, SIGKILL), errno);
    assert_return_code(kill(idle, SIGKILL), errno);
    await_logged(a, from, "front.exited", 1);
    waiting = dial(a); /* not refused */
    open_gate(&gate);
    await_logged(a, from, "front.start_failed", 11);
    await_idle(a->pid);

    limit(a->pid, RLIMIT_NPROC, RLIM_INFINITY);
    expect_answer(waiting, "GET", "/livez", "", "HTTP/1.1 200");
    check_passed(a, id);
    await_logged(a, from, "worker.started", 1);
    run_one_job(a);
}

/* -- room -----------------------------------------------------------------------------------
 */

static rlim_t size_of_log(const struct api *a)
{
    struct stat st;

    assert_return_code(stat(api_path(a, "data/jobd.db-wal"), &st), errno);
    return (rlim_t)st.st_size;
}

/* As a quota would be. The kernel's signal about it ends nobody. */
static void a_limit_on_file_sizes_is_a_full_disk(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    pid_t front = proc_await_child(a->pid, "jobd-front");
    AUTO_FINI(fd) int gate = -1;
    pid_t workers[2];
    char id[API_ID_SIZE];

    assert_int_equal(proc_children(a->pid, "jobd-worker", workers, 2), 2);
    start_waiting_job(a, "room", id, &gate);
    limit(front, RLIMIT_FSIZE, size_of_log(a));
    limit_workers(a, RLIMIT_FSIZE, 0);
    do {
        do
            api_post(a, "/v1/jobs", "{\"command\":[\"true\"]}", &r);
        while (r.status == 202); /* what is left of the last page */
        assert_problem(&r, 503, "storage-full");
        api_get(a, "/readyz", &r);
    } while (r.status == 200); /* a checkpoint has made room in the log */
    assert_problem(&r, 503, "temporary-reduced-capacity");
    open_gate(&gate);

    limit(front, RLIMIT_FSIZE, RLIM_INFINITY);
    check_passed(a, id);
    limit_workers(a, RLIMIT_FSIZE, RLIM_INFINITY);
    run_one_job(a);
    assert_int_equal(proc_await_child(a->pid, "jobd-front"), front);
    for (int i = 0; i < 2; i++)
        assert_return_code(kill(workers[i], 0), errno);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_front_without_descriptors_serves_those_it_has),
        cmocka_unit_test(a_worker_without_descriptors_says_what_failed),
        cmocka_unit_test(a_worker_that_may_not_fork_says_so_and_the_job_is_tried_again),
        cmocka_unit_test(a_supervisor_that_may_not_fork_goes_on_trying),
        cmocka_unit_test(a_limit_on_file_sizes_is_a_full_disk),
        cmocka_unit_test(idle_clients_do_not_keep_workers_out),
    };

    api_configure(config);
    return api_finish(cmocka_run_group_tests_name("api/shortages", tests, set_up, tear_down));
}
