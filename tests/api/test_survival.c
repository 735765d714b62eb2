/* What becomes of jobs when parts of jobd, or all of it, are killed, reloaded or replaced.
 *
 * Each job appends a line "<id>.<attempt>" to the file `begun` first, so that whatever ran
 * twice is seen; then it waits for a byte from the fifo `gate`. This process is a
 * subreaper: what loses everybody above it comes here.
 */
#include "tests/support/api.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/text.h"
#include "tests/support/tmp.h"

#define LOOK_MS     2 /* between looks at what nobody tells */
#define FRONT_KILLS 20
#define UPGRADES    6
#define PIDS_MAX    64

static char work_dir[TMP_SIZE];
static int gate_fd; /* for reading too, so that nobody ever reads end of file */

static const char begin_script[] = "echo $JOBD_JOB_ID.$JOBD_ATTEMPT >>begun\n";
static const char gated_script[] =
    "echo $JOBD_JOB_ID.$JOBD_ATTEMPT >>begun\n"
    "head -c1 <gate >/dev/null; echo '{\"n\":1}'\n";
/* It leaves a grandchild in a session of its own that hears no signal, and stays itself. */
static const char escaping_script[] =
    "(setsid sh -c 'trap \"\" TERM; sleep 3600' >/dev/null 2>&1 3>&- &) &\n"
    "echo $JOBD_JOB_ID.$JOBD_ATTEMPT >>begun; sleep 3600\n";
static const char warm_script[] =
    "echo '{\"ready\":true}' >&3\n"
    "while read -r line; do\n"
    "id=${line#*\\\"id\\\":\\\"}; id=${id%%\\\"*}\n"
    "echo \"$id.warm\" >>begun; head -c1 <gate >/dev/null\n"
    "echo \"{\\\"id\\\":\\\"$id\\\",\\\"result\\\":{\\\"n\\\":1}}\" >&3\n"
    "done\n";

/* ---- looking at processes ---------------------------------------------------------------- */

static void look_again(usec_t until_us, const char *what)
{
    if (clock_mono_us() > until_us)
        fail_msg("%s: it did not happen", what);
    (void)poll(NULL, 0, LOOK_MS);
}

/* The first two fields after the name in /proc/<pid>/stat. */
static bool look_at(pid_t pid, char ret_comm[32], char *ret_state, pid_t *ret_parent)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    const char *open, *close;
    char path[64];
    int parent;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (fd_read_file(path, 4096, &b, NULL) < 0 || !b.data)
        return false;
    open = strchr(b.data, '(');
    close = strrchr(b.data, ')');
    if (!open || !close || sscanf(close + 1, " %c %d", ret_state, &parent) != 2)
        return false;
    (void)snprintf(ret_comm, 32, "%.*s", (int)(close - open - 1), open + 1);
    *ret_parent = parent;
    return true;
}

/* The living children of parent whose name is comm (NULL: any). */
static unsigned children(pid_t parent, const char *comm, pid_t *ret_pids)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    unsigned count = 0;

    assert_non_null(proc);
    while ((entry = readdir(proc)) != NULL) {
        int64_t pid;
        pid_t its_parent;
        char its_comm[32], state;

        if (!text_to_i64(entry->d_name, 1, INT32_MAX, &pid) ||
            !look_at((pid_t)pid, its_comm, &state, &its_parent))
            continue;
        if (its_parent != parent || state == 'Z' || (comm && strcmp(its_comm, comm) != 0))
            continue;
        assert_true(count < PIDS_MAX);
        ret_pids[count++] = (pid_t)pid;
    }
    (void)closedir(proc);
    return count;
}

static pid_t front_of(const struct api *a)
{
    usec_t until_us = clock_mono_us() + PATIENCE_US;
    pid_t pids[PIDS_MAX];

    while (children(a->pid, "jobd-front", pids) != 1)
        look_again(until_us, "there is one front");
    return pids[0];
}

/* What has come to us is to end: reap it. Nothing but jobd itself may be left. */
static void await_orphans_end(const struct api *a)
{
    usec_t until_us = clock_mono_us() + PATIENCE_US;
    pid_t pids[PIDS_MAX];

    for (;;) {
        unsigned left = children(getpid(), NULL, pids);

        for (unsigned i = 0; i < left; i++)
            if (pids[i] == a->pid)
                pids[i] = pids[--left];
        if (left == 0)
            break;
        look_again(until_us, "orphans end");
    }
    for (;;) {
        siginfo_t info = { 0 };

        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
            return;
        assert_int_not_equal(info.si_pid, a->pid);
        (void)waitpid(info.si_pid, NULL, 0);
    }
}

/* SIGKILL jobd as its supervisor sees it; its front ends by itself, and is reaped. */
static void kill_supervisor(struct api *a)
{
    pid_t front = front_of(a);

    api_stop(a, SIGKILL);
    assert_int_equal(waitpid(front, NULL, 0), front);
}

/* ---- jobs -------------------------------------------------------------------------------- */

static const char *work_path(const char *name)
{
    static char path[TMP_SIZE + 32];

    (void)snprintf(path, sizeof path, "%s/%s", work_dir, name);
    return path;
}

/* Let this many of the jobs go on: each takes a byte. */
static void open_gate(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(write(gate_fd, "x", 1), 1);
}

static void read_begun(struct buf *b)
{
    buf_clear(b);
    (void)fd_read_file(work_path("begun"), (size_t)1 << 24, b, NULL);
}

/* How often this attempt (NULL: any) has begun. */
static unsigned count_begun(const char *id, const char *attempt)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    char line[64];
    unsigned count = 0;

    (void)snprintf(line, sizeof line, "%s.%s", id, attempt ? attempt : "");
    read_begun(&b);
    for (const char *p = b.data; p && (p = strstr(p, line)) != NULL; p += strlen(line))
        count++;
    return count;
}

static void await_begun(const char *id, const char *attempt)
{
    usec_t until_us = clock_mono_us() + PATIENCE_US;

    while (count_begun(id, attempt) == 0)
        look_again(until_us, "the job begins");
}

/* A job of `function` that is running, and waits for the gate. */
static void start_job(const struct api *a, const char *function, char id[API_ID_SIZE])
{
    AUTO(mem) char *body = mem_printf("{\"function\":\"%s\"}", function);

    api_submit(a, body, id);
    await_begun(id, strcmp(function, "warm") == 0 ? "warm" : "1");
}

static void assert_done_once(const struct api *a, const char *function, const char *id)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    const char *attempt = strcmp(function, "warm") == 0 ? "warm" : "1";

    api_await(a, id, &r);
    if (strcmp(api_text(&r, "state"), "succeeded") != 0)
        print_message("%s\n", r.body);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_int_equal(api_number(&r, "attempt"), 1);
    assert_int_equal(count_begun(id, attempt), 1);
    api_get(a, api_job_path(id, "/result"), &r);
    assert_status(&r, 200);
    assert_int_equal(api_number(&r, "n"), 1);
}

static void assert_it_works(const struct api *a)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    api_submit(a, "{\"function\":\"quick\"}", id);
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
}

/* ---- the supervisor ---------------------------------------------------------------------- */

static void
jobs_run_on_when_the_supervisor_is_killed_and_the_next_jobd_takes_them_over(void **state)
{
    static const char *const functions[] = { "gated", "gated", "warm" };
    struct api *a = *state;
    char ids[3][API_ID_SIZE];

    for (int i = 0; i < 3; i++)
        start_job(a, functions[i], ids[i]);
    kill_supervisor(a);
    api_start(a);
    for (int i = 0; i < 3; i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        api_get(a, api_job_path(ids[i], ""), &r);
        assert_string_equal(api_text(&r, "state"), "running");
    }
    open_gate(3);
    for (int i = 0; i < 3; i++)
        assert_done_once(a, functions[i], ids[i]);
    await_orphans_end(a);
    assert_it_works(a);
}

static void jobs_finish_while_there_is_no_jobd_at_all(void **state)
{
    static const char *const functions[] = { "gated", "gated", "warm" };
    struct api *a = *state;
    char ids[3][API_ID_SIZE];

    for (int i = 0; i < 3; i++)
        start_job(a, functions[i], ids[i]);
    kill_supervisor(a);
    open_gate(3);
    await_orphans_end(a);
    api_start(a);
    for (int i = 0; i < 3; i++)
        assert_done_once(a, functions[i], ids[i]);
    assert_it_works(a);
}

static void a_job_can_be_canceled_in_the_hand_of_an_adopted_worker(void **state)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct api *a = *state;
    char id[API_ID_SIZE];

    start_job(a, "gated", id);
    kill_supervisor(a);
    api_start(a);
    api_send(a, &(struct api_request){ .method = "POST", .path = api_job_path(id, ":cancel") },
             &r);
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "canceled");
    await_orphans_end(a);
}

static void a_job_is_lost_when_its_adopted_worker_is_killed(void **state)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct api *a = *state;
    pid_t pids[PIDS_MAX];
    char id[API_ID_SIZE];
    unsigned count;

    start_job(a, "escaping", id);
    kill_supervisor(a);
    api_start(a);
    count = children(getpid(), "jobd-worker", pids);
    assert_true(count >= 1);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(kill(pids[i], SIGKILL), 0);
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "failed");
    assert_string_equal(api_text(&r, "failure.reason"), "worker_lost");
    await_orphans_end(a);
}

/* ---- everything -------------------------------------------------------------------------- */

static void nothing_of_a_job_is_left_when_all_of_jobd_was_killed(void **state)
{
    static const char *const functions[] = { "gated", "escaping", "warm" };
    struct api *a = *state;
    pid_t pids[PIDS_MAX];
    char ids[3][API_ID_SIZE];
    unsigned count;

    for (int i = 0; i < 3; i++)
        start_job(a, functions[i], ids[i]);
    assert_int_equal(kill(a->pid, SIGSTOP), 0);
    count = children(a->pid, NULL, pids); /* the front, and workers */
    assert_true(count >= 4);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(kill(pids[i], SIGKILL), 0);
    api_stop(a, SIGKILL);
    api_start(a);
    await_orphans_end(a);
    for (int i = 0; i < 3; i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        api_await(a, ids[i], &r);
        assert_string_equal(api_text(&r, "state"), "failed");
        assert_string_equal(api_text(&r, "failure.reason"), "worker_lost");
    }
    assert_it_works(a);
}

/* ---- the front --------------------------------------------------------------------------- */

/* One client that submits quick jobs, each over a connection of its own. */
struct load {
    pthread_t thread;
    struct sockaddr_in address;
    atomic_bool stop;
    atomic_uint refused;  /* connections that were not accepted */
    atomic_uint broken;   /* connections that ended without an answer */
    atomic_uint answered; /* by anything */
    char (*ids)[API_ID_SIZE];
    unsigned accepted; /* 202: the job is in ids */
    unsigned room;
};

/* False: the connection ended first. Else the status and the body. */
static bool exchange(struct load *l, const char *request, long *ret_status, struct buf *ret)
{
    AUTO_FINI(fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ssize_t n;

    if (connect(fd, (const struct sockaddr *)&l->address, sizeof l->address) < 0) {
        atomic_fetch_add(&l->refused, 1);
        return false;
    }
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
        return false;
    buf_clear(ret);
    do {
        n = recv(fd, buf_reserve(ret, 4096), 4096, 0);
        if (n > 0)
            buf_commit(ret, (size_t)n);
    } while (n > 0);
    return n == 0 && ret->len > 0 && sscanf(ret->data, "HTTP/1.1 %ld", ret_status) == 1;
}

static void *submit_all_the_time(void *ctx)
{
    static const char request[] =
        "POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        "Content-Type: application/json\r\nContent-Length: 20\r\n\r\n"
        "{\"function\":\"quick\"}";
    struct load *l = ctx;
    AUTO_FINI(buf) struct buf b = { 0 };

    while (!atomic_load(&l->stop)) {
        const char *id;
        long status;

        if (!exchange(l, request, &status, &b)) {
            atomic_fetch_add(&l->broken, 1);
            continue;
        }
        atomic_fetch_add(&l->answered, 1);
        id = strstr(b.data, "\"id\":\"");
        if (status != 202 || !id)
            continue;
        if (l->accepted == l->room) {
            l->room = l->room ? l->room * 2 : 256;
            l->ids = mem_resize(l->ids, l->room, sizeof *l->ids);
        }
        memcpy(l->ids[l->accepted], id + 6, API_ID_SIZE - 1);
        l->ids[l->accepted++][API_ID_SIZE - 1] = '\0';
    }
    return NULL;
}

static void load_start(struct load *l, const struct api *a)
{
    int64_t port;

    *l = (struct load){ .address = { .sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) } };
    assert_true(text_to_i64(strrchr(a->base, ':') + 1, 1, UINT16_MAX, &port));
    l->address.sin_port = htons((uint16_t)port);
    assert_int_equal(pthread_create(&l->thread, NULL, submit_all_the_time, l), 0);
}

/* Every job that was accepted has been done, and once. */
static void load_stop(struct load *l, const struct api *a)
{
    atomic_store(&l->stop, true);
    assert_int_equal(pthread_join(l->thread, NULL), 0);
    assert_int_equal(atomic_load(&l->refused), 0);
    assert_true(l->accepted > 0);
    for (unsigned i = 0; i < l->accepted; i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        api_await(a, l->ids[i], &r);
        assert_string_equal(api_text(&r, "state"), "succeeded");
        /* A claim that never reached its worker has used up a number. */
        assert_int_equal(count_begun(l->ids[i], NULL), 1);
    }
    free(l->ids);
}

static int by_size(const void *a, const void *b)
{
    usec_t x = *(const usec_t *)a, y = *(const usec_t *)b;

    return (x > y) - (x < y);
}

static void a_killed_front_refuses_no_connection_and_is_back_in_no_time(void **state)
{
    static const char request[] =
        "GET /v1/jobs?limit=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    struct api *a = *state;
    AUTO_FINI(buf) struct buf b = { 0 };
    usec_t took_us[FRONT_KILLS];
    struct load l;

    load_start(&l, a);
    for (int i = 0; i < FRONT_KILLS; i++) {
        unsigned before = atomic_load(&l.answered);
        usec_t until_us = clock_mono_us() + PATIENCE_US, begin_us;
        pid_t front;
        long status = 0;

        while (atomic_load(&l.answered) < before + 5)
            look_again(until_us, "the load is answered");
        front = front_of(a);
        assert_int_equal(kill(front, SIGKILL), 0);
        begin_us = clock_mono_us();
        while (!exchange(&l, request, &status, &b) || status != 200)
            assert_true(clock_mono_us() < until_us);
        took_us[i] = clock_mono_us() - begin_us;
    }
    load_stop(&l, a);
    qsort(took_us, FRONT_KILLS, sizeof *took_us, by_size);
    print_message(
        "front killed %d times: first answer after p50 %.1f ms, p99 %.1f ms; %u"
        " connections refused, %u broken, %u jobs accepted and done once\n",
        FRONT_KILLS, (double)took_us[FRONT_KILLS / 2] / 1000,
        (double)took_us[FRONT_KILLS - 1] / 1000, atomic_load(&l.refused),
        atomic_load(&l.broken), l.accepted);
    assert_true(took_us[FRONT_KILLS - 1] < 30 * USEC_PER_SEC);
}

static char *config_of_test(void)
{
    return mem_printf(
        "workers: 3\nfunctions:\n"
        "  - name: quick\n    command: [/bin/sh, %s/quick]\n"
        "  - name: gated\n    command: [/bin/sh, %s/gated]\n"
        "    result: stdout\n"
        "  - name: escaping\n    command: [/bin/sh, %s/escaping]\n"
        "  - name: warm\n    program: [/bin/sh, %s/warm]\n",
        work_dir, work_dir, work_dir, work_dir);
}

/* ---- reload and upgrade ------------------------------------------------------------------ */

static unsigned count_logged(const struct api *a, const char *what)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    unsigned count = 0;

    (void)fd_read_file(api_path(a, "log"), (size_t)1 << 26, &b, NULL);
    for (const char *p = b.data; p && (p = strstr(p, what)) != NULL; p += strlen(what))
        count++;
    return count;
}

static void write_config(const struct api *a, const char *more_listen, const char *more)
{
    AUTO(mem) char *config = config_of_test();
    AUTO(mem)
    char *text = mem_printf("listen: [\"127.0.0.1:0\"%s]\ndata_dir: %s/data\n%s%s", more_listen,
                            a->dir, config, more);

    assert_int_equal(
        fd_write_file_atomic(api_path(a, "config.yaml"), 0600, text, strlen(text), NULL), 0);
}

/* Send the signal, and wait for the next image's front. */
static void succeed(const struct api *a, int signal_number)
{
    usec_t until_us = clock_mono_us() + PATIENCE_US;
    unsigned before = count_logged(a, "\"front.ready\"");

    assert_int_equal(kill(a->pid, signal_number), 0);
    while (count_logged(a, "\"front.ready\"") == before)
        look_again(until_us, "another image takes over");
}

/* Send the signal, and wait for its refusal: how often this was the reason so far. */
static unsigned be_refused(const struct api *a, int signal_number, const char *reason)
{
    usec_t until_us = clock_mono_us() + PATIENCE_US;
    unsigned before = count_logged(a, "\"supervisor.not_succeeded\"");
    pid_t front = front_of(a);

    assert_int_equal(kill(a->pid, signal_number), 0);
    while (count_logged(a, "\"supervisor.not_succeeded\"") == before)
        look_again(until_us, "the signal is refused");
    assert_int_equal(front_of(a), front);
    return count_logged(a, reason);
}

static void a_reload_adds_a_function_and_keeps_what_runs(void **state)
{
    static const char *const functions[] = { "gated", "gated", "warm" };
    AUTO(mem)
    char *more = mem_printf("  - name: added\n    command: [/bin/sh, %s/quick]\n", work_dir);
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct api *a = *state;
    char ids[3][API_ID_SIZE], id[API_ID_SIZE];

    for (int i = 0; i < 3; i++)
        start_job(a, functions[i], ids[i]);
    api_post(a, "/v1/jobs", "{\"function\":\"added\"}", &r);
    assert_true(r.status >= 400);
    write_config(a, "", more);
    succeed(a, SIGHUP);
    api_submit(a, "{\"function\":\"added\"}", id);
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    for (int i = 0; i < 3; i++) {
        api_get(a, api_job_path(ids[i], ""), &r);
        assert_string_equal(api_text(&r, "state"), "running");
    }
    open_gate(3);
    for (int i = 0; i < 3; i++)
        assert_done_once(a, functions[i], ids[i]);
    write_config(a, "", "");
    succeed(a, SIGHUP);
    assert_it_works(a);
}

static void a_reload_with_a_bad_file_changes_nothing_and_says_why(void **state)
{
    struct api *a = *state;
    char id[API_ID_SIZE];

    start_job(a, "gated", id);
    write_config(a, "", "  - name: bad\n    command: 5\n");
    assert_true(be_refused(a, SIGHUP, "config.yaml:") >= 1); /* with its line */
    write_config(a, ", \"127.0.0.1:99999\"", "");
    assert_int_equal(be_refused(a, SIGHUP, "127.0.0.1:99999"), 1);
    write_config(a, ", \"unix:/nonexistent/sock\"", ""); /* right, but not to be had */
    assert_int_equal(be_refused(a, SIGHUP, "listen on unix:/nonexistent/sock"), 1);
    write_config(a, "", "");
    open_gate(1);
    assert_done_once(a, "gated", id);
    assert_it_works(a);
}

static void a_reload_does_not_change_the_data_directory(void **state)
{
    struct api *a = *state;
    AUTO(mem) char *text = mem_printf("listen: [\"127.0.0.1:0\"]\ndata_dir: %s\n", work_dir);

    assert_int_equal(
        fd_write_file_atomic(api_path(a, "config.yaml"), 0600, text, strlen(text), NULL), 0);
    assert_true(be_refused(a, SIGHUP, "which it cannot change") >= 1);
    write_config(a, "", "");
    assert_it_works(a);
}

static bool can_connect(const char *path)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    AUTO_FINI(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)text_copy(un.sun_path, sizeof un.sun_path, path);
    return connect(fd, (const struct sockaddr *)&un, sizeof un) == 0;
}

static void a_reload_binds_new_addresses_keeps_old_ones_and_closes_the_rest(void **state)
{
    AUTO(mem) char *more = mem_printf(", \"unix:%s/sock\"", work_dir);
    struct api *a = *state;

    write_config(a, more, "");
    succeed(a, SIGHUP);
    assert_true(can_connect(work_path("sock")));
    assert_it_works(a); /* at the port that port 0 had become */
    succeed(a, SIGHUP);
    assert_true(can_connect(work_path("sock")));
    write_config(a, "", "");
    succeed(a, SIGHUP);
    assert_false(can_connect(work_path("sock")));
    assert_int_equal(access(work_path("sock"), F_OK), -1);
    assert_it_works(a);
}

static void an_upgrade_refuses_no_connection_drops_no_job_and_runs_none_twice(void **state)
{
    static const char *const functions[] = { "gated", "gated", "warm" };
    struct api *a = *state;
    char ids[3][API_ID_SIZE];
    struct load l;
    pid_t before = a->pid;

    for (int i = 0; i < 3; i++)
        start_job(a, functions[i], ids[i]);
    load_start(&l, a);
    for (int i = 0; i < UPGRADES; i++) {
        unsigned answered = atomic_load(&l.answered);
        usec_t until_us = clock_mono_us() + PATIENCE_US;

        succeed(a, i % 2 == 0 ? SIGUSR2 : SIGHUP);
        while (atomic_load(&l.answered) < answered + 5)
            look_again(until_us, "the load is answered");
    }
    print_message(
        "upgraded %d times: %u requests answered, %u connections refused, %u broken\n",
        UPGRADES, atomic_load(&l.answered), atomic_load(&l.refused), atomic_load(&l.broken));
    load_stop(&l, a);
    open_gate(3);
    for (int i = 0; i < 3; i++)
        assert_done_once(a, functions[i], ids[i]);
    assert_int_equal(waitpid(before, NULL, WNOHANG), 0); /* the same process */
    assert_it_works(a);
}

static void an_upgrade_to_a_program_that_does_not_start_changes_nothing(void **state)
{
    static const char script[] = "#!/bin/sh\necho this is no jobd; exit 1\n";
    AUTO_FINI(buf) struct buf program = { 0 };
    AUTO(mem) char *path = mem_str(work_path("jobd"));
    struct api *a = *state;
    char id[API_ID_SIZE];

    start_job(a, "gated", id);
    assert_int_equal(fd_read_file(path, (size_t)1 << 28, &program, NULL), 0);
    assert_int_equal(fd_write_file_atomic(path, 0700, script, strlen(script), NULL), 0);
    assert_true(be_refused(a, SIGUSR2, "this is no jobd") >= 1);
    assert_int_equal(unlink(path), 0);
    assert_true(be_refused(a, SIGUSR2, "No such file or directory") >= 1);
    assert_int_equal(fd_write_file_atomic(path, 0700, program.data, program.len, NULL), 0);
    succeed(a, SIGUSR2);
    open_gate(1);
    assert_done_once(a, "gated", id);
}

static void a_stop_right_after_an_upgrade_was_asked_for_is_a_stop(void **state)
{
    struct api *a = *state;

    assert_int_equal(kill(a->pid, SIGUSR2), 0);
    api_stop(a, SIGTERM);
    assert_int_equal(a->exit_code, 0);
    api_start(a);
    assert_it_works(a);
}

/* ---- the group --------------------------------------------------------------------------- */

static void write_script(const char *name, const char *text)
{
    AUTO(mem) char *whole = mem_printf("cd %s\n%s", work_dir, text);

    assert_int_equal(fd_write_file_atomic(work_path(name), 0600, whole, strlen(whole), NULL),
                     0);
}

/* A program of our own, to be replaced. */
static void copy_program(void)
{
    const char *from = getenv("JOBD_BIN"); /* NOLINT(concurrency-mt-unsafe) */
    AUTO_FINI(buf) struct buf b = { 0 };

    if (!from || !*from)
        from = "build/release/jobd";
    assert_int_equal(fd_read_file(from, (size_t)1 << 28, &b, NULL), 0);
    assert_int_equal(fd_write_file_atomic(work_path("jobd"), 0700, b.data, b.len, NULL), 0);
    assert_int_equal(setenv("JOBD_BIN", work_path("jobd"), 1), 0);
}

static int set_up(void **state)
{
    copy_program();
    (void)alarm(HANG_S);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    write_script("quick", begin_script);
    write_script("gated", gated_script);
    write_script("escaping", escaping_script);
    write_script("warm", warm_script);
    assert_return_code(mkfifo(work_path("gate"), 0600), errno);
    gate_fd = open(work_path("gate"), O_RDWR | O_CLOEXEC);
    assert_return_code(gate_fd, errno);
    return api_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            jobs_run_on_when_the_supervisor_is_killed_and_the_next_jobd_takes_them_over),
        cmocka_unit_test(jobs_finish_while_there_is_no_jobd_at_all),
        cmocka_unit_test(a_job_can_be_canceled_in_the_hand_of_an_adopted_worker),
        cmocka_unit_test(a_job_is_lost_when_its_adopted_worker_is_killed),
        cmocka_unit_test(nothing_of_a_job_is_left_when_all_of_jobd_was_killed),
        cmocka_unit_test(a_reload_adds_a_function_and_keeps_what_runs),
        cmocka_unit_test(a_reload_with_a_bad_file_changes_nothing_and_says_why),
        cmocka_unit_test(a_reload_does_not_change_the_data_directory),
        cmocka_unit_test(a_reload_binds_new_addresses_keeps_old_ones_and_closes_the_rest),
        cmocka_unit_test(an_upgrade_refuses_no_connection_drops_no_job_and_runs_none_twice),
        cmocka_unit_test(an_upgrade_to_a_program_that_does_not_start_changes_nothing),
        cmocka_unit_test(a_stop_right_after_an_upgrade_was_asked_for_is_a_stop),
        cmocka_unit_test(a_killed_front_refuses_no_connection_and_is_back_in_no_time),
    };
    char *config;
    int failed;

    tmp_dir_make(work_dir);
    config = config_of_test();
    api_configure(config);
    failed =
        api_finish(cmocka_run_group_tests_name("api/survival", tests, set_up, api_teardown));
    free(config);
    tmp_dir_remove(work_dir);
    return failed;
}
