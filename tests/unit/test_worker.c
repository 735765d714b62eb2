/* The worker is a real process here; the test plays the supervisor and the front. */
#include "tests/support/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sys.h"
#include "pool/backlog.h"
#include "pool/paths.h"
#include "pool/proto.h"
#include "pool/spool.h"
#include "pool/worker.h"
#include "tests/support/lab.h"
#include "tests/support/proc.h"

static char data_dir[TMP_SIZE];
static char *work_dir; /* data_dir, or a long path below it */
static int listen_fd;
static int life_fd; /* closing it retires the worker */
static int front_fd;
static struct buf in; /* from the worker */
static pid_t worker_pid;
static usec_t backlog_wait_us;

/* ---- the supervisor's part ----------------------------------------------------------------
 */

static int open_listener(const char *dir)
{
    AUTO_FINI(fd) int run_fd = -1;
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    char run[PATHS_SIZE];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(run, sizeof run, "%s/run", dir);
    run_fd = open(run, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0 && run_fd >= 0);
    (void)snprintf(addr.sun_path, sizeof addr.sun_path, "/proc/self/fd/%d/front.sock", run_fd);
    assert_int_equal(bind(fd, (const struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static void prepare(const char *dir)
{
    work_dir = mem_str(dir);
    assert_int_equal(paths_prepare(work_dir, NULL), 0);
    listen_fd = open_listener(work_dir);
    front_fd = -1;
    life_fd = -1;
}

static int open_all(void **state)
{
    (void)state;
    backlog_wait_us = BACKLOG_WAIT_US;
    tmp_dir_make(data_dir);
    prepare(data_dir);
    return 0;
}

static void start_worker(const struct function *program)
{
    int life[2];

    assert_int_equal(pipe2(life, O_CLOEXEC), 0);
    worker_pid = fork();
    assert_true(worker_pid >= 0);
    if (worker_pid == 0) {
        const struct worker_conf conf = {
            .worker_id = 77,
            .supervisor_pid = getppid(),
            .data_dir = work_dir,
            .program = program,
            .output_max_bytes = LAB_OUTPUT_MAX,
            .backlog_wait_us = backlog_wait_us,
            .life_fd = life[0],
        };

        (void)close(life[1]);
        (void)close(listen_fd);
        log_set_fd(-1);
        _exit(worker_main(&conf));
    }
    (void)close(life[0]);
    life_fd = life[1];
}

/* It goes with 0, and nothing that it started is left. */
static void await_end(void)
{
    int status;

    assert_int_equal(waitpid(worker_pid, &status, 0), worker_pid);
    worker_pid = 0;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG),
                     -1); /* we are a subreaper: nobody came to us */
    assert_int_equal(errno, ECHILD);
}

/* As the supervisor ends a worker. */
static void end_worker(void)
{
    if (worker_pid == 0)
        return;
    assert_int_equal(kill(worker_pid, SIGTERM), 0);
    fd_fini(&life_fd);
    await_end();
}

static int close_all(void **state)
{
    (void)state;
    end_worker();
    fd_fini(&front_fd);
    fd_fini(&listen_fd);
    buf_fini(&in);
    free(work_dir);
    tmp_dir_remove(data_dir);
    return 0;
}

static unsigned spooled_count(void)
{
    char path[PATHS_SIZE];
    DIR *dir = opendir(paths_outcome_dir(work_dir, path));
    const struct dirent *entry;
    unsigned count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            count++;
    (void)closedir(dir);
    return count;
}

/* ---- the front's part ---------------------------------------------------------------------
 */

static void await_readable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
}

/* The next frame; it stays at the start of `in` until any_frame() is called again. */
static enum proto_type any_frame(const char **ret_body, size_t *ret_len)
{
    static size_t last;
    enum proto_type type;
    int n;

    if (in.len == 0)
        last = 0;
    buf_consume(&in, last);
    last = 0;
    while ((n = proto_next(&in, &type, ret_body, ret_len, NULL)) == 0) {
        char *room = buf_reserve(&in, 65536);
        ssize_t got;

        await_readable(front_fd);
        got = read(front_fd, room, 65536);
        assert_true(got > 0);
        buf_commit(&in, (size_t)got);
    }
    assert_true(n > 0);
    last = (size_t)n;
    return type;
}

/* The same; what a program can take is not what these tests are about. */
static enum proto_type next_frame(const char **ret_body, size_t *ret_len)
{
    enum proto_type type;

    do
        type = any_frame(ret_body, ret_len);
    while (type == PROTO_STATUS);
    return type;
}

static void accept_worker(struct proto_hello *ret_hello)
{
    const char *body;
    size_t len;

    fd_fini(&front_fd);
    buf_clear(&in);
    await_readable(listen_fd);
    front_fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(front_fd >= 0);
    assert_int_equal(next_frame(&body, &len), PROTO_HELLO);
    assert_int_equal(proto_get_hello(body, len, ret_hello, NULL), 0);
    assert_int_equal(ret_hello->worker_id, 77);
    assert_int_equal(ret_hello->pid, worker_pid);
}

/* On the same connection: the worker retires. */
static void await_hello_again(struct proto_hello *ret_hello)
{
    const char *body;
    size_t len;

    assert_int_equal(next_frame(&body, &len), PROTO_HELLO);
    assert_int_equal(proto_get_hello(body, len, ret_hello, NULL), 0);
    assert_int_equal(ret_hello->worker_id, 77);
}

static void send_frame(struct buf *frame)
{
    assert_int_equal(fd_write_all(front_fd, frame->data, frame->len, NULL), 0);
}

static void send_run(const struct order *o)
{
    AUTO_FINI(buf) struct buf b = { 0 };

    proto_put_run(&b, o);
    send_frame(&b);
}

static void send_cancel(const struct order *o, enum proto_cancel_mode mode)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    const struct proto_cancel c = { o->job_id, o->attempt, mode, -1 };

    proto_put_cancel(&b, &c);
    send_frame(&b);
}

static void send_ack(const struct order *o)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    const struct proto_attempt ack = { o->job_id, o->attempt };

    proto_put_ack(&b, &ack);
    send_frame(&b);
}

static void await_outcome(const struct order *of, struct outcome *ret_outcome)
{
    const char *body;
    size_t len;

    assert_int_equal(next_frame(&body, &len), PROTO_OUTCOME);
    assert_int_equal(proto_get_outcome(body, len, ret_outcome, NULL), 0);
    assert_true(uuid7_equal(ret_outcome->job_id, of->job_id));
    assert_int_equal(ret_outcome->attempt, of->attempt);
}

static void await_progress(struct proto_progress *ret_progress)
{
    const char *body;
    size_t len;

    assert_int_equal(next_frame(&body, &len), PROTO_PROGRESS);
    assert_int_equal(proto_get_progress(body, len, ret_progress, NULL), 0);
}

static void await_any_progress(void)
{
    struct proto_progress p;

    await_progress(&p);
    free(p.message);
}

/* A script that says progress, then waits until the test opens (writing) its fifo, then runs
 * `then`. */
static struct order gated_script(const char *then)
{
    AUTO(mem)
    char *text =
        mem_printf("echo '{\"progress\":0}' >&3; read -r x <%s/gate; %s", data_dir, then);
    char gate[TMP_SIZE + 8];

    (void)snprintf(gate, sizeof gate, "%s/gate", data_dir);
    assert_int_equal(mkfifo(gate, 0600), 0);
    return lab_script(text);
}

static void open_gate(void)
{
    char gate[TMP_SIZE + 8];
    AUTO_FINI(fd) int fd = -1;

    (void)snprintf(gate, sizeof gate, "%s/gate", data_dir);
    fd = open(gate, O_WRONLY | O_CLOEXEC); /* waits for the reader */
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "go\n", 3), 3);
}

/* ---- tests --------------------------------------------------------------------------------
 */

static void a_worker_says_hello_runs_an_order_and_gives_the_outcome(void **state)
{
    AUTO_FINI(order) struct order o = lab_script("echo out");
    AUTO_FINI(outcome) struct outcome got = { 0 };
    AUTO_FINI(buf) struct buf comm = { 0 };
    struct proto_hello hello;
    char path[64];

    (void)state;
    start_worker(NULL);
    accept_worker(&hello);
    assert_string_equal(hello.pool, "");
    assert_int_equal(hello.capacity, 1);
    assert_int_equal(hello.held_count, 0);
    (void)snprintf(path, sizeof path, "/proc/%d/comm", (int)worker_pid);
    assert_int_equal(fd_read_file(path, 64, &comm, NULL), 0);
    assert_string_equal(comm.data, "jobd-worker\n");

    send_run(&o);
    await_outcome(&o, &got);
    assert_int_equal(got.cause, CAUSE_NONE);
    assert_memory_equal(got.captures[STREAM_STDOUT].data, "out\n", 4);
    send_ack(&o);
    end_worker();
    assert_int_equal(spooled_count(), 0);
}

static void many_orders_run_one_after_another(void **state)
{
    struct proto_hello hello;

    (void)state;
    start_worker(NULL);
    accept_worker(&hello);
    for (int i = 0; i < 100; i++) {
        AUTO_FINI(order) struct order o = lab_order("true", NULL);
        AUTO_FINI(outcome) struct outcome got = { 0 };

        send_run(&o);
        await_outcome(&o, &got);
        assert_int_equal(got.cause, CAUSE_NONE);
        send_ack(&o);
    }
}

/* To begin the next one takes as long as many an attempt: whoever dies meanwhile has told. */
static void an_outcome_has_left_when_the_next_order_is_begun(void **state)
{
    AUTO_FINI(order) struct order first = lab_script("exit 0");
    AUTO_FINI(order) struct order second = lab_script("exit 0");
    AUTO_FINI(outcome) struct outcome got = { 0 };
    struct proto_hello hello;
    int status;

    (void)state;
    assert_int_equal(setenv("JOBD_CRASH_POINT", "worker.before_spawn:2", 1), 0);
    crash_init();
    assert_int_equal(unsetenv("JOBD_CRASH_POINT"), 0);
    start_worker(NULL);
    accept_worker(&hello);
    send_run(&first);
    send_run(&second);
    assert_int_equal(waitpid(worker_pid, &status, 0), worker_pid);
    worker_pid = 0;
    assert_true(WIFSIGNALED(status));
    await_outcome(&first, &got);
    assert_int_equal(got.cause, CAUSE_NONE);
}

static void an_order_too_many_is_given_back(void **state)
{
    AUTO_FINI(order) struct order first = lab_script("echo '{\"progress\":0}' >&3; sleep 1000");
    AUTO_FINI(order) struct order second = lab_order("true", NULL);
    AUTO_FINI(outcome) struct outcome got = { 0 };
    struct proto_hello hello;

    (void)state;
    start_worker(NULL);
    accept_worker(&hello);
    send_run(&first);
    await_any_progress();
    send_run(&first); /* told twice: nothing happens */
    send_run(&second);
    await_outcome(&second, &got);
    assert_int_equal(got.cause, CAUSE_NEVER_STARTED);
    send_ack(&second);
    outcome_fini(&got);
    send_cancel(&first, PROTO_CANCEL_FORCE);
    await_outcome(&first, &got);
    assert_int_equal(got.cause, CAUSE_CANCELED);
    send_ack(&first);
}

static void await_death_of(pid_t pid)
{
    AUTO_FINI(fd) int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    assert_true(fd >= 0);
    await_readable(fd);
}

/* It learns of the end of one attempt and of further orders in the same turn of its loop, while
 * another order waits. */
static int fsync_at_the_gate(int fd)
{
    char path[TMP_SIZE + 16];
    AUTO_FINI(fd) int gate = -1;
    char byte;

    (void)fd;
    (void)snprintf(path, sizeof path, "%s/slow", data_dir);
    gate = open(path, O_RDONLY | O_CLOEXEC); /* waits for the test */
    (void)!read(gate, &byte, 1);
    return 0;
}

/* The worker hears nothing, and begins nothing, until they are there. */
static void what_waits_is_given_back_before_artifacts_are_brought_to_the_disk(void **state)
{
    AUTO_FINI(order) struct order first = gated_script("echo x >\"$JOBD_ARTIFACTS/f\"");
    AUTO_FINI(order) struct order second = lab_script("exit 0");
    AUTO_FINI(outcome) struct outcome returned = { 0 };
    AUTO_FINI(outcome) struct outcome got = { 0 };
    struct proto_hello hello;
    char path[TMP_SIZE + 16];
    static const char often[1000];
    AUTO_FINI(fd) int gate = -1;

    (void)state;
    (void)snprintf(path, sizeof path, "%s/slow", data_dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    backlog_wait_us = PATIENCE_US;
    sys.fsync = fsync_at_the_gate;
    start_worker(NULL);
    sys.fsync = fsync;
    accept_worker(&hello);
    send_run(&first);
    await_any_progress();
    send_run(&second);
    open_gate();
    await_outcome(&second, &returned);
    assert_int_equal(returned.cause, CAUSE_NEVER_STARTED);
    gate = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(write(gate, often, sizeof often), sizeof often);
    await_outcome(&first, &got);
    assert_int_equal(got.cause, CAUSE_NONE);
    end_worker(); /* which writes to the disk, too */
}

static void an_order_that_comes_as_an_attempt_ends_is_not_given_back(void **state)
{
    AUTO_FINI(order) struct order first = gated_script("exit 0");
    AUTO_FINI(order) struct order second = lab_order("true", NULL);
    AUTO_FINI(order) struct order third = lab_order("true", NULL);
    const struct order *want[] = { &first, &second, &third };
    AUTO_FINI(buf) struct buf two = { 0 };
    struct proto_hello hello;
    pid_t pid;

    (void)state;
    backlog_wait_us = 3600 * USEC_PER_SEC;
    start_worker(NULL);
    accept_worker(&hello);
    proto_put_run(&two, &first);
    proto_put_run(&two, &second); /* in one piece: it has both when it has begun the first */
    send_frame(&two);
    await_any_progress();
    pid = proc_await_child(worker_pid, "sh");
    assert_int_equal(kill(worker_pid, SIGSTOP), 0);
    assert_int_equal(waitpid(worker_pid, NULL, WUNTRACED), worker_pid);
    open_gate();
    await_death_of(pid);
    send_run(&third);
    assert_int_equal(kill(worker_pid, SIGCONT), 0);
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        AUTO_FINI(outcome) struct outcome got = { 0 };

        await_outcome(want[i], &got);
        assert_int_equal(got.cause, CAUSE_NONE);
        send_ack(want[i]);
    }
}

static void only_the_attempt_that_is_meant_is_canceled(void **state)
{
    AUTO_FINI(order) struct order o = lab_script("echo '{\"progress\":0}' >&3; sleep 1000");
    AUTO_FINI(order) struct order other = lab_order("true", NULL);
    AUTO_FINI(outcome) struct outcome got = { 0 };
    struct proto_hello hello;

    (void)state;
    start_worker(NULL);
    accept_worker(&hello);
    send_run(&o);
    await_any_progress();
    send_cancel(&other, PROTO_CANCEL_FORCE);
    send_cancel(&o, PROTO_CANCEL_GRACEFUL);
    await_outcome(&o, &got);
    assert_int_equal(got.cause, CAUSE_CANCELED);
    assert_int_equal(got.signal, SIGTERM);
    send_ack(&o);
}

static void a_worker_that_loses_the_front_comes_back_with_what_it_holds(void **state)
{
    AUTO_FINI(order) struct order o = gated_script("echo done");
    AUTO_FINI(outcome) struct outcome got = { 0 };
    struct proto_hello hello;

    (void)state;
    start_worker(NULL);
    accept_worker(&hello);
    send_run(&o);
    await_any_progress();
    accept_worker(&hello); /* drops the connection, and takes the next one */
    assert_int_equal(hello.held_count, 1);
    assert_true(uuid7_equal(hello.held[0].job_id, o.job_id));
    assert_int_equal(hello.held[0].attempt, 1);
    open_gate();
    await_outcome(&o, &got);
    assert_int_equal(got.cause, CAUSE_NONE);
    send_ack(&o);
    end_worker();
    assert_int_equal(spooled_count(), 0);
}

static void an_order_that_was_sent_before_the_front_died_is_run(void **state)
{
    AUTO_FINI(order) struct order o = lab_order("true", NULL);
    AUTO_FINI(outcome) struct outcome got = { 0 };
    struct proto_hello hello;

    (void)state;
    start_worker(NULL);
    accept_worker(&hello);
    send_run(&o);
    accept_worker(&hello);
    assert_int_equal(hello.held_count, 1);
    await_outcome(&o, &got);
    assert_int_equal(got.cause, CAUSE_NONE);
    send_ack(&o);
}

static void await_spooled(const struct order *o)
{
    AUTO_FINI(outcome) struct outcome got = { 0 };
    struct pollfd never = { .fd = -1 };
    usec_t until_us = clock_mono_us() + PATIENCE_US;

    while (spool_read(work_dir, o->job_id, o->attempt, &got, NULL) < 0) {
        assert_true(clock_mono_us() < until_us);
        (void)poll(&never, 1, 1); /* another process writes it, and tells nobody */
    }
}

static void an_outcome_found_without_a_front_is_spooled_until_it_is_acknowledged(void **state)
{
    AUTO_FINI(order) struct order o = gated_script("echo done");
    AUTO_FINI(outcome) struct outcome got = { 0 };
    struct proto_hello hello;
    char path[PATHS_SIZE];

    (void)state;
    start_worker(NULL);
    accept_worker(&hello);
    send_run(&o);
    await_any_progress();
    /* Nobody listens any more. */
    fd_fini(&listen_fd);
    assert_int_equal(unlink(paths_front_socket(work_dir, path)), 0);
    fd_fini(&front_fd);
    open_gate();
    await_spooled(&o);

    listen_fd = open_listener(work_dir);
    accept_worker(&hello);
    assert_int_equal(hello.held_count, 1);
    await_outcome(&o, &got);
    assert_int_equal(got.cause, CAUSE_NONE);
    assert_int_equal(spooled_count(), 1);
    send_ack(&o);
    end_worker();
    assert_int_equal(spooled_count(), 0);
}

static void an_outcome_that_was_not_acknowledged_comes_again(void **state)
{
    AUTO_FINI(order) struct order o = lab_script("exit 5");
    struct proto_hello hello;

    (void)state;
    start_worker(NULL);
    accept_worker(&hello);
    send_run(&o);
    for (int i = 0; i < 3; i++) {
        AUTO_FINI(outcome) struct outcome got = { 0 };

        await_outcome(&o, &got);
        assert_int_equal(got.exit_code, 5);
        if (i < 2)
            accept_worker(&hello);
    }
    assert_int_equal(spooled_count(), 1);
    send_ack(&o);
    end_worker();
    assert_int_equal(spooled_count(), 0);
}

static void a_worker_that_ends_kills_its_tree_and_hands_the_attempt_back(void **state)
{
    AUTO_FINI(order)
    struct order o =
        lab_script("setsid sleep 1000 & echo '{\"progress\":0}' >&3; trap '' TERM; sleep 1000");
    AUTO_FINI(outcome) struct outcome got = { 0 };
    struct proto_hello hello;

    (void)state;
    start_worker(NULL);
    accept_worker(&hello);
    send_run(&o);
    await_any_progress();
    assert_int_equal(kill(worker_pid, SIGTERM), 0);
    await_hello_again(&hello);
    assert_int_equal(hello.capacity, 0);
    await_outcome(&o, &got);
    assert_int_equal(got.cause, CAUSE_SHUTDOWN);
    send_ack(&o);
    await_end();
    assert_int_equal(spooled_count(), 0);
}

static void a_worker_that_ends_without_a_front_leaves_the_outcome_on_disk(void **state)
{
    AUTO_FINI(order) struct order o = lab_script("echo '{\"progress\":0}' >&3; sleep 1000");
    AUTO_FINI(outcome) struct outcome got = { 0 };
    struct proto_hello hello;

    (void)state;
    start_worker(NULL);
    accept_worker(&hello);
    send_run(&o);
    await_any_progress();
    fd_fini(&listen_fd);
    fd_fini(&front_fd);
    end_worker();
    assert_int_equal(spool_read(work_dir, o.job_id, 1, &got, NULL), 0);
    assert_int_equal(got.cause, CAUSE_SHUTDOWN);
}

static void a_retired_worker_takes_nothing_and_finishes_what_it_has(void **state)
{
    AUTO_FINI(order) struct order o = gated_script("echo done");
    AUTO_FINI(order) struct order late = lab_order("true", NULL);
    AUTO_FINI(outcome) struct outcome got = { 0 };
    struct proto_hello hello;

    (void)state;
    start_worker(NULL);
    accept_worker(&hello);
    send_run(&o);
    await_any_progress();
    fd_fini(&life_fd);
    await_hello_again(&hello);
    assert_int_equal(hello.capacity, 0);
    assert_int_equal(hello.held_count, 1);
    send_run(&late);
    await_outcome(&late, &got);
    assert_int_equal(got.cause, CAUSE_NEVER_STARTED);
    outcome_fini(&got);
    send_ack(&late);
    /* A new front hears the same. */
    accept_worker(&hello);
    assert_int_equal(hello.capacity, 0);
    assert_int_equal(hello.held_count, 1);
    open_gate();
    await_outcome(&o, &got);
    assert_int_equal(got.cause, CAUSE_NONE);
    assert_memory_equal(got.captures[STREAM_STDOUT].data, "done\n", 5);
    send_ack(&o);
    await_end();
    assert_int_equal(spooled_count(), 0);
}

static void an_idle_worker_retires_at_once(void **state)
{
    struct proto_hello hello;

    (void)state;
    start_worker(NULL);
    accept_worker(&hello);
    fd_fini(&life_fd);
    await_end();
}

/* What was on its way when the worker retires is run or given back, but never forgotten. */
static void an_order_on_its_way_to_a_retiring_worker_is_answered(void **state)
{
    AUTO_FINI(order) struct order o = lab_order("true", NULL);
    AUTO_FINI(outcome) struct outcome got = { 0 };
    struct proto_hello hello;
    enum proto_type type;
    const char *body;
    size_t len;

    (void)state;
    start_worker(NULL);
    accept_worker(&hello);
    assert_int_equal(kill(worker_pid, SIGSTOP), 0);
    fd_fini(&life_fd);
    send_run(&o);
    assert_int_equal(kill(worker_pid, SIGCONT), 0);
    do
        type = next_frame(&body, &len);
    while (type == PROTO_HELLO);
    assert_int_equal(type, PROTO_OUTCOME);
    assert_int_equal(proto_get_outcome(body, len, &got, NULL), 0);
    assert_true(got.cause == CAUSE_NONE || got.cause == CAUSE_NEVER_STARTED);
    send_ack(&o);
    await_end();
}

static void a_retired_worker_without_a_front_leaves_the_outcome_on_disk(void **state)
{
    AUTO_FINI(order) struct order o = gated_script("echo done");
    AUTO_FINI(outcome) struct outcome got = { 0 };
    struct proto_hello hello;

    (void)state;
    start_worker(NULL);
    accept_worker(&hello);
    send_run(&o);
    await_any_progress();
    fd_fini(&life_fd);
    fd_fini(&listen_fd);
    fd_fini(&front_fd);
    open_gate();
    await_end();
    assert_int_equal(spool_read(work_dir, o.job_id, 1, &got, NULL), 0);
    assert_int_equal(got.cause, CAUSE_NONE);
}

/* Our signals are the supervisor's. */
static void kill_from_elsewhere(int signal_number)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(kill(worker_pid, signal_number) == 0 ? 0 : 1);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void signals_of_the_terminal_do_not_end_a_worker(void **state)
{
    AUTO_FINI(order) struct order o = lab_order("true", NULL);
    AUTO_FINI(outcome) struct outcome got = { 0 };
    struct proto_hello hello;

    (void)state;
    start_worker(NULL);
    accept_worker(&hello);
    kill_from_elsewhere(SIGINT);
    kill_from_elsewhere(SIGTERM);
    send_run(&o);
    await_outcome(&o, &got);
    assert_int_equal(got.cause, CAUSE_NONE);
    send_ack(&o);
}

static void a_frame_that_is_no_frame_ends_the_connection_and_not_the_worker(void **state)
{
    AUTO_FINI(order) struct order o = lab_order("true", NULL);
    AUTO_FINI(outcome) struct outcome got = { 0 };
    struct proto_hello hello;

    (void)state;
    start_worker(NULL);
    accept_worker(&hello);
    assert_int_equal(write(front_fd, "\xff\xff\xff\xff\x07", 5), 5);
    await_readable(listen_fd);
    accept_worker(&hello);
    send_run(&o);
    await_outcome(&o, &got);
    send_ack(&o);
}

static void progress_is_told_often_enough_and_not_more(void **state)
{
    AUTO_FINI(order)
    struct order o = lab_script(
        "i=0; while [ $i -lt 2000 ]; do echo '{\"progress\":0.1}' >&3; i=$((i+1)); done;"
        "echo '{\"progress\":1,\"message\":\"all\"}' >&3");
    AUTO_FINI(outcome) struct outcome got = { 0 };
    struct proto_hello hello;
    struct proto_progress last = { .fraction = -1 };
    usec_t begun_us = clock_mono_us();
    unsigned count = 0;
    const char *body;
    size_t len;

    (void)state;
    start_worker(NULL);
    accept_worker(&hello);
    send_run(&o);
    while (next_frame(&body, &len) == PROTO_PROGRESS) {
        free(last.message);
        assert_int_equal(proto_get_progress(body, len, &last, NULL), 0);
        count++;
    }
    assert_int_equal(proto_get_outcome(body, len, &got, NULL), 0);
    assert_true(last.fraction == 1); /* the last one is never left out */
    assert_string_equal(last.message, "all");
    assert_true(count < 200 + (clock_mono_us() - begun_us) / (100 * USEC_PER_MS));
    free(last.message);
    send_ack(&o);
}

static void a_large_outcome_arrives_whole(void **state)
{
    AUTO_FINI(order)
    struct order o = lab_script(
        "head -c 65536 /dev/zero; head -c 65536 /dev/zero >&2;"
        "(printf '{\"result\":\"'; head -c 1000000 /dev/zero | tr '\\000' x; echo '\"}') >&3");
    AUTO_FINI(outcome) struct outcome got = { 0 };
    struct proto_hello hello;

    (void)state;
    start_worker(NULL);
    accept_worker(&hello);
    send_run(&o);
    await_outcome(&o, &got);
    assert_int_equal(got.cause, CAUSE_NONE);
    assert_int_equal(got.result_len, 1000002);
    send_ack(&o);
}

static void a_data_directory_with_a_long_name_works(void **state)
{
    AUTO(mem) char *dir = mem_printf("%s/%0200d", data_dir, 7);
    AUTO_FINI(order) struct order o = lab_order("true", NULL);
    AUTO_FINI(outcome) struct outcome got = { 0 };
    struct proto_hello hello;

    (void)state;
    fd_fini(&listen_fd);
    free(work_dir);
    assert_int_equal(fd_make_dirs(dir, 0700, NULL), 0);
    prepare(dir);
    start_worker(NULL);
    accept_worker(&hello);
    send_run(&o);
    await_outcome(&o, &got);
    send_ack(&o);
}

static void a_program_worker_names_its_pool_and_answers(void **state)
{
    char sh[] = "/bin/sh", c[] = "-c", name[] = "score";
    char script[] =
        "while read -r id; do echo \"{\\\"id\\\":\\\"$id\\\",\\\"result\\\":1}\" >&3; done";
    char *argv[] = { sh, c, script, NULL };
    const struct function fn = { .name = name,
                                 .kind = FUNCTION_PROGRAM,
                                 .argv = argv,
                                 .argc = 3,
                                 .grace_us = USEC_PER_SEC };
    struct proto_hello hello;
    int pid = 0;

    (void)state;
    start_worker(&fn);
    accept_worker(&hello);
    assert_string_equal(hello.pool, "score");
    for (int i = 0; i < 3; i++) {
        AUTO_FINI(order) struct order o = lab_order(NULL, NULL);
        AUTO_FINI(outcome) struct outcome got = { 0 };
        char id[UUID7_TEXT_SIZE];

        o.input = mem_printf("%s\n", uuid7_format(o.job_id, id));
        o.input_len = strlen(o.input);
        send_run(&o);
        await_outcome(&o, &got);
        assert_string_equal(got.result, "1");
        assert_true(i == 0 || got.pid == pid);
        pid = got.pid;
        send_ack(&o);
    }
}

static void await_status(struct proto_status *ret_status)
{
    const char *body;
    size_t len;

    assert_int_equal(any_frame(&body, &len), PROTO_STATUS);
    assert_int_equal(proto_get_status(body, len, ret_status, NULL), 0);
}

/* Both outcomes, whichever is first; each with progress of its own before it. */
static void await_two(const struct order *orders)
{
    bool progressed[2] = { false, false };
    unsigned ended = 0;

    while (ended < 2) {
        AUTO_FINI(outcome) struct outcome got = { 0 };
        struct proto_progress p = { 0 };
        const char *body;
        size_t len;

        if (next_frame(&body, &len) == PROTO_PROGRESS) {
            assert_int_equal(proto_get_progress(body, len, &p, NULL), 0);
            progressed[uuid7_equal(p.job_id, orders[1].job_id)] = true;
            free(p.message);
            continue;
        }
        assert_int_equal(proto_get_outcome(body, len, &got, NULL), 0);
        assert_int_equal(got.cause, CAUSE_NONE);
        assert_true(progressed[uuid7_equal(got.job_id, orders[1].job_id)]);
        send_ack(&orders[uuid7_equal(got.job_id, orders[1].job_id)]);
        ended++;
    }
}

static void a_worker_says_when_its_program_is_ready_and_for_how_many(void **state)
{
    AUTO(mem)
    char *script = mem_printf(
        "read -r x <%s/gate;"
        "echo '{\"ready\":true,\"concurrency\":2}' >&3;"
        "read -r a; read -r b;"
        "for id in $b $a; do"
        " echo \"{\\\"id\\\":\\\"$id\\\",\\\"progress\\\":1}\" >&3;"
        " echo \"{\\\"id\\\":\\\"$id\\\",\\\"result\\\":1}\" >&3; done; cat",
        data_dir);
    char sh[] = "/bin/sh", c[] = "-c", name[] = "score";
    char *argv[] = { sh, c, script, NULL };
    const struct function fn = { .name = name,
                                 .kind = FUNCTION_PROGRAM,
                                 .argv = argv,
                                 .argc = 3,
                                 .concurrency = 64,
                                 .ready_timeout_us = PATIENCE_US,
                                 .grace_us = USEC_PER_SEC };
    struct order orders[2];
    struct proto_hello hello;
    struct proto_status status;
    char path[TMP_SIZE + 8];

    (void)state;
    (void)snprintf(path, sizeof path, "%s/gate", data_dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    start_worker(&fn);
    accept_worker(&hello);
    assert_int_equal(hello.capacity, 0);
    await_status(&status);
    assert_int_equal(status.state, PROTO_STATE_STARTING);
    assert_int_equal(status.capacity, 0);
    open_gate();
    await_status(&status);
    assert_int_equal(status.state, PROTO_STATE_UP);
    assert_int_equal(status.capacity, 2);
    assert_true(status.program_pid > 0);

    for (int i = 0; i < 2; i++) {
        char id[UUID7_TEXT_SIZE];

        orders[i] = lab_order(NULL, NULL);
        orders[i].input = mem_printf("%s\n", uuid7_format(orders[i].job_id, id));
        orders[i].input_len = strlen(orders[i].input);
        send_run(&orders[i]);
    }
    await_two(orders);
    order_fini(&orders[0]);
    order_fini(&orders[1]);
}

/* Answers, and leaves a mark when its stdin is closed. */
static void a_retired_worker_lets_its_program_answer_and_end(void **state)
{
    AUTO(mem)
    char *script = mem_printf(
        "read -r id; echo '{\"ready\":true}' >&3; read -r x <%s/gate;"
        "echo \"{\\\"id\\\":\\\"$id\\\",\\\"result\\\":1}\" >&3;"
        "read -r id; echo bye >%s/bye",
        data_dir, data_dir);
    char sh[] = "/bin/sh", c[] = "-c", name[] = "score";
    char *argv[] = { sh, c, script, NULL };
    const struct function fn = {
        .name = name, .kind = FUNCTION_PROGRAM, .argv = argv, .argc = 3, .grace_us = PATIENCE_US
    };
    AUTO_FINI(order) struct order o = lab_order(NULL, NULL);
    AUTO_FINI(outcome) struct outcome got = { 0 };
    struct proto_hello hello;
    char id[UUID7_TEXT_SIZE], path[TMP_SIZE + 8];

    (void)state;
    (void)snprintf(path, sizeof path, "%s/gate", data_dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    o.input = mem_printf("%s\n", uuid7_format(o.job_id, id));
    o.input_len = strlen(o.input);
    start_worker(&fn);
    accept_worker(&hello);
    send_run(&o);
    accept_worker(&hello); /* it has read what came before */
    assert_int_equal(hello.held_count, 1);
    fd_fini(&life_fd);
    await_hello_again(&hello);
    open_gate();
    await_outcome(&o, &got);
    assert_string_equal(got.result, "1");
    send_ack(&o);
    await_end();
    (void)snprintf(path, sizeof path, "%s/bye", data_dir);
    assert_int_equal(access(path, F_OK), 0);
}

static int adopt_orphans(void **state)
{
    (void)state;
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_worker_says_hello_runs_an_order_and_gives_the_outcome),
        TEST(many_orders_run_one_after_another),
        TEST(an_outcome_has_left_when_the_next_order_is_begun),
        TEST(an_order_too_many_is_given_back),
        TEST(an_order_that_comes_as_an_attempt_ends_is_not_given_back),
        TEST(what_waits_is_given_back_before_artifacts_are_brought_to_the_disk),
        TEST(only_the_attempt_that_is_meant_is_canceled),
        TEST(a_worker_that_loses_the_front_comes_back_with_what_it_holds),
        TEST(an_order_that_was_sent_before_the_front_died_is_run),
        TEST(an_outcome_found_without_a_front_is_spooled_until_it_is_acknowledged),
        TEST(an_outcome_that_was_not_acknowledged_comes_again),
        TEST(a_worker_that_ends_kills_its_tree_and_hands_the_attempt_back),
        TEST(a_worker_that_ends_without_a_front_leaves_the_outcome_on_disk),
        TEST(a_retired_worker_takes_nothing_and_finishes_what_it_has),
        TEST(an_idle_worker_retires_at_once),
        TEST(an_order_on_its_way_to_a_retiring_worker_is_answered),
        TEST(a_retired_worker_without_a_front_leaves_the_outcome_on_disk),
        TEST(a_retired_worker_lets_its_program_answer_and_end),
        TEST(signals_of_the_terminal_do_not_end_a_worker),
        TEST(a_frame_that_is_no_frame_ends_the_connection_and_not_the_worker),
        TEST(progress_is_told_often_enough_and_not_more),
        TEST(a_large_outcome_arrives_whole),
        TEST(a_data_directory_with_a_long_name_works),
        TEST(a_program_worker_names_its_pool_and_answers),
        TEST(a_worker_says_when_its_program_is_ready_and_for_how_many),
    };

    (void)alarm(HANG_S); /* a worker that never answers must not hang the run */
    return cmocka_run_group_tests_name("pool/worker", tests, adopt_orphans, NULL);
}
