/* The supervisor with real processes: a stub in the place of the front, and one in the place of
 * pool/worker.c, whose worker_main() is defined here. Both report what they see and do through
 * one pipe; the test waits for reports, never for time.
 */
#include "tests/support/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sys.h"
#include "pool/paths.h"
#include "pool/successor.h"
#include "pool/supervisor.h"
#include "pool/worker.h"

#define WANTING_STARTS 10  /* as many crashes would be too many */
#define MANY_WORKERS   400 /* their ends do not fit into a socket buffer */

enum report_kind {
    FRONT_STARTED = 1, /* workers, stopping */
    FRONT_HEARD,       /* msg, orphan_alive */
    FRONT_LOST,        /* end of file on its control socket */
    WORKER_STARTED,    /* worker_id, pool, orphan_pid, front_fd_open */
    WORKER_RETIRED,    /* end of file on its life pipe: it goes on until `gate` gives a byte */
    WORKER_ENDED,      /* end of file on its life pipe */
};

struct report {
    enum report_kind kind;
    pid_t pid;
    int64_t worker_id;
    char pool[16];
    pid_t orphan_pid;
    bool front_fd_open;
    bool stopping;
    bool orphan_alive;
    unsigned worker_count;
    struct worker_info workers[8]; /* the first ones */
    unsigned done_count;
    int64_t done[4]; /* the same */
    struct control_msg msg;
};

enum front_mode {
    FRONT_GOOD,         /* ready at once; exits 0 when it is told to stop */
    FRONT_EXITS,        /* with exit_code, before it is ready */
    FRONT_CRASHES,      /* before it is ready */
    FRONT_WANTS,        /* ready at first; then for WANTING_STARTS it exits with EX_TEMPFAIL */
    FRONT_DIES_ON_STOP, /* unless it was started in a stop: then it exits 0 */
    FRONT_STUBBORN,     /* stops only when told to stop now */
    FRONT_DEAF,         /* does not stop at all */
    FRONT_CANNOT_STOP,  /* dies whenever it is to stop */
    FRONT_SLOW,         /* reads its control socket only once `release` gives a byte */
};

/* What the processes below the supervisor share with the test. */
struct shared {
    unsigned front_starts;
    atomic_uint forks_to_refuse;
    atomic_uint orphan_count;
    struct {
        int64_t worker_id;
        pid_t pid;
    } orphans[8];
};

struct fixture {
    char dir[64];
    struct function program;
    struct function_table functions;
    struct supervisor_conf conf;
    enum front_mode mode;
    int exit_code;
    int front_fd; /* stands for the HTTP server's socket */
    int release[2];
    int report_fd;
    bool lock; /* the data directory, as main does */
    struct shared *shared;
    pid_t supervisor_pid; /* 0: it has been reaped */
};

/* What worker_main() knows of the test; set before anything is forked. */
static struct {
    int report_fd;
    int front_fd;
    bool make_orphans;
    bool stay;    /* does not end with its life pipe */
    bool outlive; /* does not end with the supervisor, only with the gate, or when it is told to
                   */
    int gate[2];
    struct shared *shared;
} stub;

static void say(const struct report *r)
{
    if (write(stub.report_fd, r, sizeof *r) != (ssize_t)sizeof *r)
        _exit(99);
}

/* ---- the stub worker --------------------------------------------------------------------- */

static void wait_for_eof(int fd)
{
    char byte;

    while (read(fd, &byte, 1) > 0 || errno == EINTR)
        continue;
}

/* A grandchild with a session of its own, as a job that tries to get away would leave. */
static pid_t make_orphan(int64_t worker_id)
{
    int said[2];
    pid_t child, orphan = 0;
    unsigned which;

    if (pipe2(said, O_CLOEXEC) < 0 || (child = fork()) < 0)
        _exit(98);
    if (child == 0) {
        (void)setsid();
        orphan = fork();
        if (orphan == 0)
            for (;;)
                (void)pause();
        if (write(said[1], &orphan, sizeof orphan) != (ssize_t)sizeof orphan)
            _exit(97);
        _exit(0);
    }
    if (read(said[0], &orphan, sizeof orphan) != (ssize_t)sizeof orphan ||
        waitpid(child, NULL, 0) != child)
        _exit(96);
    (void)close(said[0]);
    (void)close(said[1]);
    which = atomic_fetch_add(&stub.shared->orphan_count, 1);
    stub.shared->orphans[which].worker_id = worker_id;
    stub.shared->orphans[which].pid = orphan;
    return orphan;
}

int worker_main(const struct worker_conf *conf)
{
    struct report r = { .kind = WORKER_STARTED, .pid = getpid() };
    char byte;

    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    r.worker_id = conf->worker_id;
    (void)snprintf(r.pool, sizeof r.pool, "%s", conf->program ? conf->program->name : "");
    r.front_fd_open = fcntl(stub.front_fd, F_GETFD) >= 0;
    if (stub.make_orphans)
        r.orphan_pid = make_orphan(conf->worker_id);
    say(&r);
    wait_for_eof(conf->life_fd);
    if (stub.outlive) {
        struct sigaction usual = { .sa_handler = SIG_DFL };

        (void)sigaction(SIGTERM, &usual, NULL);
        r.kind = WORKER_RETIRED;
        say(&r);
        (void)!read(stub.gate[0], &byte, 1);
    }
    if (r.orphan_pid > 0) {
        (void)kill(r.orphan_pid, SIGKILL);
        (void)waitpid(r.orphan_pid, NULL, 0);
    }
    r.kind = WORKER_ENDED;
    say(&r);
    while (stub.stay)
        (void)pause();
    return 0;
}

/* ---- the stub front ---------------------------------------------------------------------- */

static bool exists(pid_t pid)
{
    return kill(pid, 0) == 0;
}

static bool orphan_lives(int64_t worker_id)
{
    for (unsigned i = 0; i < stub.shared->orphan_count; i++)
        if (stub.shared->orphans[i].worker_id == worker_id)
            return exists(stub.shared->orphans[i].pid);
    return false;
}

static void report_front_started(const struct front_start *start)
{
    struct report r = { .kind = FRONT_STARTED, .pid = getpid() };

    r.stopping = start->stopping;
    r.worker_count = (unsigned)start->worker_count;
    for (size_t i = 0; i < start->worker_count && i < COUNT_OF(r.workers); i++)
        r.workers[i] = start->workers[i];
    r.done_count = (unsigned)start->done_worker_count;
    for (size_t i = 0; i < start->done_worker_count && i < COUNT_OF(r.done); i++)
        r.done[i] = start->done_workers[i];
    say(&r);
}

/* Whether this front stops on this message, which it has reported. */
static bool front_stops(const struct fixture *f, const struct front_start *start,
                        const struct control_msg *msg)
{
    if (f->mode == FRONT_CANNOT_STOP || (f->mode == FRONT_DIES_ON_STOP && !start->stopping))
        (void)raise(SIGKILL);
    if (f->mode == FRONT_DEAF)
        return false;
    if (msg->type == CONTROL_LEAVE)
        return true;
    if (f->mode == FRONT_STUBBORN)
        return msg->type == CONTROL_STOP_NOW;
    return msg->type == CONTROL_STOP || msg->type == CONTROL_STOP_NOW;
}

static bool front_becomes_ready(const struct fixture *f, const struct front_start *start,
                                unsigned starts)
{
    switch (f->mode) {
    case FRONT_EXITS:
    case FRONT_CRASHES:
        return false;
    case FRONT_WANTS:
        return starts == 1 || starts > 1 + WANTING_STARTS;
    case FRONT_CANNOT_STOP:
        return !start->stopping;
    default:
        return true;
    }
}

static int front_main(void *ctx, const struct front_start *start)
{
    const struct fixture *f = ctx;
    const struct control_msg ready = { .type = CONTROL_READY };
    struct report r = { .kind = FRONT_HEARD, .pid = getpid() };
    char byte;

    if (front_becomes_ready(f, start, ++stub.shared->front_starts))
        (void)send(start->control_fd, &ready, sizeof ready, MSG_NOSIGNAL); /* recv() tells */
    report_front_started(start); /* whoever hears of it knows that it is ready */
    if (f->mode == FRONT_EXITS)
        return f->exit_code;
    if (!front_becomes_ready(f, start, stub.shared->front_starts)) {
        if (f->mode == FRONT_WANTS)
            return EX_TEMPFAIL;
        (void)raise(SIGKILL);
    }
    if (f->mode == FRONT_DIES_ON_STOP && start->stopping)
        return 0;
    (void)close(f->release[1]);
    if (f->mode == FRONT_SLOW)
        (void)!read(f->release[0], &byte, 1);
    while (recv(start->control_fd, &r.msg, sizeof r.msg, 0) == (ssize_t)sizeof r.msg) {
        r.orphan_alive = r.msg.type == CONTROL_WORKER_EXITED && orphan_lives(r.msg.worker_id);
        say(&r);
        if (front_stops(f, start, &r.msg))
            return 0;
    }
    r.kind = FRONT_LOST;
    say(&r);
    return 94;
}

/* ---- the test's side --------------------------------------------------------------------- */

static char program_name[] = "score";

static int set_up(void **state)
{
    struct fixture *f = mem_new0(sizeof *f);
    int report[2];

    *state = f;
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/jobd-super-XXXXXX");
    if (!mkdtemp(f->dir) || paths_prepare(f->dir, NULL) < 0 || pipe2(report, O_CLOEXEC) < 0 ||
        pipe2(f->release, O_CLOEXEC) < 0)
        return -1;
    f->shared = mmap(NULL, sizeof *f->shared, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (f->shared == MAP_FAILED)
        return -1;
    f->report_fd = report[0];
    f->front_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    f->program =
        (struct function){ .name = program_name, .kind = FUNCTION_PROGRAM, .workers = 1 };
    f->functions = (struct function_table){ .items = &f->program, .count = 1 };
    f->conf = (struct supervisor_conf){
        .data_dir = f->dir,
        .lock_fd = -1,
        .functions = &f->functions,
        .command_workers = 2,
        .stop_timeout_us = HANG_S * USEC_PER_SEC,
        .front_fds = &f->front_fd,
        .front_fd_count = 1,
        .front_main = front_main,
        .ctx = f,
    };
    stub.report_fd = report[1];
    stub.front_fd = f->front_fd;
    stub.make_orphans = stub.stay = stub.outlive = false;
    if (pipe2(stub.gate, O_CLOEXEC) < 0)
        return -1;
    stub.shared = f->shared;
    log_set_level(LOG_ERROR);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* so that nothing that gets away is overlooked */
    (void)alarm(HANG_S);
    return 0;
}

/* Only a test that has failed leaves some. */
static void remove_worker_files(const char *data_dir)
{
    char path[PATHS_SIZE];
    DIR *dir = opendir(paths_worker_dir(data_dir, path));
    const struct dirent *entry;

    while (dir && (entry = readdir(dir)) != NULL)
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        (void)closedir(dir);
    (void)rmdir(path);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char path[PATHS_SIZE];

    (void)alarm(0);
    sys_reset();
    if (f->supervisor_pid > 0) { /* the test has failed */
        (void)kill(f->supervisor_pid, SIGKILL);
        fd_fini(&f->release[1]);
        fd_fini(&stub.gate[1]);
        while (waitpid(-1, NULL, 0) > 0)
            continue;
    }
    fd_fini(&f->release[0]);
    fd_fini(&f->release[1]);
    fd_fini(&f->report_fd);
    fd_fini(&f->front_fd);
    fd_fini(&stub.report_fd);
    fd_fini(&stub.gate[0]);
    fd_fini(&stub.gate[1]);
    (void)munmap(f->shared, sizeof *f->shared);
    (void)unlink(paths_pid(f->dir, path));
    (void)unlink(paths_front_socket(f->dir, path));
    (void)unlink(paths_instance(f->dir, path));
    remove_worker_files(f->dir);
    (void)rmdir(paths_outcome_dir(f->dir, path));
    (void)rmdir(paths_output_dir(f->dir, path));
    (void)snprintf(path, sizeof path, "%s/run", f->dir);
    (void)rmdir(path);
    (void)rmdir(f->dir);
    free(f);
    return 0;
}

static void start(struct fixture *f)
{
    f->supervisor_pid = fork();
    assert_true(f->supervisor_pid >= 0);
    if (f->supervisor_pid == 0) {
        int lock_fd;

        (void)setpgid(0, 0); /* as a shell does */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        log_set_fd(-1); /* expected errors are not for the reader of the test's output */
        if (f->lock && supervisor_lock(f->dir, &lock_fd, NULL) < 0)
            _exit(93);
        if (f->lock)
            f->conf.lock_fd = lock_fd;
        _exit(supervisor_run(&f->conf));
    }
    (void)setpgid(f->supervisor_pid, f->supervisor_pid); /* whoever comes first */
}

static struct report next_report(const struct fixture *f)
{
    struct report r;

    assert_int_equal(read(f->report_fd, &r, sizeof r), sizeof r);
    return r;
}

/* The next report of this kind; those of other kinds before it are dropped. */
static struct report await_report(const struct fixture *f, enum report_kind kind)
{
    struct report r;

    do
        r = next_report(f);
    while (r.kind != kind);
    return r;
}

/* The next message of this type that the front hears. */
static struct report await_heard(const struct fixture *f, enum control_type type)
{
    struct report r;

    do
        r = await_report(f, FRONT_HEARD);
    while (r.msg.type != (int32_t)type);
    return r;
}

/* Wait until `count` workers and one front have started. */
static struct report await_start(const struct fixture *f, struct report *workers,
                                 unsigned count)
{
    struct report front = { 0 };
    unsigned seen = 0;

    while (seen < count || front.kind == 0) {
        struct report r = next_report(f);

        if (r.kind == FRONT_STARTED) {
            front = r;
        } else {
            assert_int_equal(r.kind, WORKER_STARTED);
            assert_true(seen < count);
            workers[seen++] = r;
        }
    }
    return front;
}

/* Wait for the supervisor's end: its exit code; nothing of it may be left. */
static int await_end(struct fixture *f)
{
    int status;

    assert_int_equal(waitpid(f->supervisor_pid, &status, 0), f->supervisor_pid);
    f->supervisor_pid = 0;
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void stop(struct fixture *f)
{
    assert_int_equal(kill(f->supervisor_pid, SIGTERM), 0);
    assert_int_equal(await_end(f), 0);
}

/* As stop(), with more reports on the way than the pipe has room for. */
static void stop_reading(struct fixture *f)
{
    struct report r;

    assert_int_equal(kill(f->supervisor_pid, SIGTERM), 0);
    fd_fini(&stub.report_fd); /* the last one to write is the last one to end */
    while (read(f->report_fd, &r, sizeof r) > 0)
        continue;
    assert_int_equal(await_end(f), 0);
}

/* A process that is not our child; afterwards it is a zombie or reaped. */
static void kill_and_wait(pid_t pid)
{
    AUTO_FINI(fd) int fd = pidfd_open(pid, 0);
    struct pollfd end = { .fd = fd, .events = POLLIN };

    assert_true(fd >= 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(poll(&end, 1, -1), 1);
}

static pid_t fork_fails_at_first(void)
{
    static unsigned calls;

    if (calls++ < 4) { /* three workers and the front */
        errno = EAGAIN;
        return -1;
    }
    return fork();
}

static bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static void assert_name(pid_t pid, const char *want)
{
    AUTO_FINI(buf) struct buf name = { 0 };
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    assert_int_equal(fd_read_file(path, 64, &name, NULL), 0);
    assert_int_equal(strncmp(name.data, want, strlen(want)), 0);
    assert_int_equal(name.data[strlen(want)], '\n');
}

/* ---- the tests --------------------------------------------------------------------------- */

static void it_starts_every_worker_and_a_front_that_knows_them(void **state)
{
    struct fixture *f = *state;
    struct report workers[3], front;
    unsigned found = 0;

    start(f);
    front = await_start(f, workers, 3);
    assert_int_equal(front.worker_count, 3);
    assert_false(front.stopping);
    for (unsigned i = 0; i < 3; i++)
        for (unsigned j = 0; j < 3; j++)
            if (front.workers[i].worker_id == workers[j].worker_id) {
                assert_int_equal(front.workers[i].pid, workers[j].pid);
                assert_string_equal(front.workers[i].pool, workers[j].pool);
                found++;
            }
    assert_int_equal(found, 3);
    for (unsigned i = 1; i < 3; i++)
        assert_true(front.workers[i].worker_id > front.workers[i - 1].worker_id);
    assert_string_equal(front.workers[0].pool, "");
    assert_string_equal(front.workers[1].pool, "");
    assert_string_equal(front.workers[2].pool, "score");
    assert_name(f->supervisor_pid, "jobd");
    assert_name(front.pid, "jobd-front");
    stop(f);
}

static void workers_do_not_hold_what_is_the_fronts(void **state)
{
    struct fixture *f = *state;
    struct report workers[3];

    start(f);
    (void)await_start(f, workers, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_false(workers[i].front_fd_open);
    stop(f);
}

static void its_pid_and_socket_are_there_while_it_runs_however_long_the_path(void **state)
{
    struct fixture *f = *state;
    AUTO_FINI(buf) struct buf content = { 0 };
    char long_dir[256], path[PATHS_SIZE], want[32], pid_path[PATHS_SIZE];
    struct report workers[3];
    struct stat st;

    (void)snprintf(long_dir, sizeof long_dir, "%s/%0150d", f->dir, 0);
    assert_int_equal(paths_prepare(long_dir, NULL), 0);
    f->conf.data_dir = long_dir;
    assert_int_equal(fd_write_file_atomic(paths_listen(long_dir, path), 0600, "x\n", 2, NULL),
                     0);
    start(f);
    (void)await_start(f, workers, 3);

    assert_false(file_exists(paths_listen(long_dir, path))); /* it was stale */
    assert_int_equal(stat(paths_front_socket(long_dir, path), &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0600);
    (void)snprintf(want, sizeof want, "%d\n", (int)f->supervisor_pid);
    assert_int_equal(fd_read_file(paths_pid(long_dir, pid_path), 100, &content, NULL), 0);
    assert_string_equal(content.data, want);

    stop(f);
    assert_false(file_exists(path));
    assert_false(file_exists(pid_path));
    assert_int_equal(rmdir(paths_worker_dir(long_dir, path)), 0);
    assert_int_equal(rmdir(paths_begun_dir(long_dir, path)), 0);
    assert_int_equal(rmdir(paths_outcome_dir(long_dir, path)), 0);
    assert_int_equal(unlink(paths_detached(long_dir, pid_path)), 0);
    *strrchr(path, '/') = '\0';
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(paths_output_dir(long_dir, path)), 0);
    assert_int_equal(rmdir(paths_work_dir(long_dir, path)), 0);
    assert_int_equal(rmdir(paths_trash_dir(long_dir, path)), 0);
    assert_int_equal(rmdir(paths_artifacts_dir(long_dir, path)), 0);
    assert_int_equal(unlink(paths_instance(long_dir, path)), 0);
    assert_int_equal(rmdir(long_dir), 0);
}

static void a_killed_front_is_replaced_and_the_next_one_sees_the_living(void **state)
{
    struct fixture *f = *state;
    struct report workers[3], first, second;

    start(f);
    first = await_start(f, workers, 3);
    assert_int_equal(kill(first.pid, SIGKILL), 0);
    second = await_report(f, FRONT_STARTED);
    assert_int_not_equal(second.pid, first.pid);
    assert_int_equal(second.worker_count, 3);
    assert_memory_equal(second.workers, first.workers, sizeof first.workers);
    assert_false(second.stopping);

    /* and it has a control socket of its own */
    assert_int_equal(kill(workers[0].pid, SIGKILL), 0);
    assert_int_equal(await_heard(f, CONTROL_WORKER_EXITED).pid, second.pid);
    stop(f);
}

static void a_dead_workers_tree_is_gone_before_the_front_hears_of_it(void **state)
{
    struct fixture *f = *state;
    struct report workers[1], heard = { 0 }, next = { 0 };

    f->conf.command_workers = 0;
    stub.make_orphans = true;
    start(f);
    (void)await_start(f, workers, 1);
    assert_true(exists(workers[0].orphan_pid));
    assert_int_equal(kill(workers[0].pid, SIGKILL), 0);

    while (heard.kind == 0 || next.kind == 0) {
        struct report r = next_report(f);

        *(r.kind == WORKER_STARTED ? &next : &heard) = r;
    }
    assert_int_equal(heard.msg.type, CONTROL_WORKER_EXITED);
    assert_int_equal(heard.msg.worker_id, workers[0].worker_id);
    assert_int_equal(heard.msg.pid, workers[0].pid);
    assert_true(WIFSIGNALED(heard.msg.wait_status));
    assert_int_equal(WTERMSIG(heard.msg.wait_status), SIGKILL);
    assert_false(heard.orphan_alive);
    assert_true(next.worker_id > workers[0].worker_id);
    assert_string_equal(next.pool, "score");
    stop(f);
}

static void the_death_of_one_worker_does_not_touch_the_tree_of_another(void **state)
{
    struct fixture *f = *state;
    struct report workers[2], heard;

    f->program.workers = 0;
    stub.make_orphans = true;
    start(f);
    (void)await_start(f, workers, 2);
    assert_int_equal(kill(workers[0].pid, SIGKILL), 0);
    heard = await_heard(f, CONTROL_WORKER_EXITED);
    assert_int_equal(heard.msg.worker_id, workers[0].worker_id);
    assert_false(exists(workers[0].orphan_pid));
    assert_true(exists(workers[1].orphan_pid));
    assert_true(exists(workers[1].pid));
    stop(f);
}

/* How many messages a control socket takes while nobody reads. */
static unsigned socket_room(void)
{
    const struct control_msg msg = { .type = CONTROL_WORKER_EXITED };
    unsigned room = 0;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    while (send(pair[0], &msg, sizeof msg, MSG_DONTWAIT) >= 0)
        room++;
    (void)close(pair[0]);
    (void)close(pair[1]);
    return room;
}

/* All the ends come in one turn of the loop, and more than the socket has room for. Who was
 * told of is replaced, and then nothing but the front's reading moves things on. */
static void no_end_of_a_worker_is_lost_when_the_front_does_not_listen(void **state)
{
    struct fixture *f = *state;
    struct report *workers = mem_array0(MANY_WORKERS, sizeof *workers);
    bool *heard = mem_array0(MANY_WORKERS, sizeof *heard);
    unsigned room = socket_room();
    struct report r;

    assert_in_range(room, 1, MANY_WORKERS - 1);
    f->mode = FRONT_SLOW;
    f->conf.command_workers = MANY_WORKERS;
    f->program.workers = 0;
    start(f);
    (void)await_start(f, workers, MANY_WORKERS);
    assert_int_equal(kill(f->supervisor_pid, SIGSTOP), 0);
    for (unsigned i = 0; i < MANY_WORKERS; i++)
        kill_and_wait(workers[i].pid);
    assert_int_equal(kill(f->supervisor_pid, SIGCONT), 0);
    for (unsigned i = 0; i < room; i++)
        (void)await_report(f, WORKER_STARTED);
    assert_int_equal(write(f->release[1], "x", 1), 1);

    for (unsigned count = 0; count < MANY_WORKERS; count++) {
        unsigned which = 0;

        r = await_heard(f, CONTROL_WORKER_EXITED);
        while (which < MANY_WORKERS && workers[which].worker_id != r.msg.worker_id)
            which++;
        assert_true(which < MANY_WORKERS);
        assert_false(heard[which]);
        heard[which] = true;
    }
    free(workers);
    free(heard);
    stop_reading(f);
}

static void a_signal_stops_the_front_and_then_the_workers(void **state)
{
    struct fixture *f = *state;
    struct report workers[3], r;

    start(f);
    (void)await_start(f, workers, 3);
    assert_int_equal(kill(f->supervisor_pid, SIGTERM), 0);
    r = next_report(f);
    assert_int_equal(r.kind, FRONT_HEARD);
    assert_int_equal(r.msg.type, CONTROL_STOP);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(next_report(f).kind, WORKER_ENDED);
    assert_int_equal(await_end(f), 0);
    assert_int_equal(f->shared->front_starts, 1);
}

static void a_terminal_that_signals_everybody_stops_in_the_same_order(void **state)
{
    struct fixture *f = *state;
    struct report workers[3], front, r;

    start(f);
    front = await_start(f, workers, 3);
    assert_int_equal(kill(-f->supervisor_pid, SIGHUP), 0);
    assert_int_equal(kill(front.pid, SIGTERM), 0);
    assert_int_equal(kill(workers[0].pid, SIGTERM), 0);
    assert_int_equal(kill(-f->supervisor_pid, SIGINT), 0);
    r = next_report(f);
    assert_int_equal(r.kind, FRONT_HEARD);
    assert_int_equal(r.msg.type, CONTROL_STOP);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(next_report(f).kind, WORKER_ENDED);
    assert_int_equal(await_end(f), 0);
}

static void a_second_signal_asks_the_front_to_stop_now(void **state)
{
    struct fixture *f = *state;
    struct report workers[3];

    f->mode = FRONT_STUBBORN;
    start(f);
    (void)await_start(f, workers, 3);
    assert_int_equal(kill(f->supervisor_pid, SIGTERM), 0);
    (void)await_heard(f, CONTROL_STOP);
    assert_int_equal(kill(f->supervisor_pid, SIGTERM), 0);
    (void)await_heard(f, CONTROL_STOP_NOW);
    assert_int_equal(await_end(f), 0);
}

static void a_front_that_does_not_stop_in_time_is_killed(void **state)
{
    struct fixture *f = *state;
    struct report workers[3], front;

    f->mode = FRONT_DEAF;
    f->conf.stop_timeout_us = 1;
    start(f);
    (void)await_start(f, workers, 3);
    assert_int_equal(kill(f->supervisor_pid, SIGTERM), 0);
    for (unsigned i = 0; i < 3; i++)
        (void)await_report(f, WORKER_ENDED);
    assert_int_equal(await_end(f), 0);
    assert_int_equal(f->shared->front_starts, 1);

    /* The next one knows that these workers have left nothing undone. */
    f->mode = FRONT_GOOD;
    f->conf.stop_timeout_us = HANG_S * USEC_PER_SEC;
    start(f);
    front = await_start(f, workers, 3);
    assert_int_equal(front.worker_count, 3);
    assert_int_equal(front.done_count, 3);
    stop(f);
}

static void workers_that_do_not_end_are_killed_on_a_further_signal(void **state)
{
    struct fixture *f = *state;
    struct report workers[3];

    stub.stay = true;
    start(f);
    (void)await_start(f, workers, 3);
    assert_int_equal(kill(f->supervisor_pid, SIGTERM), 0);
    for (unsigned i = 0; i < 3; i++)
        (void)await_report(f, WORKER_ENDED); /* so they say */
    assert_int_equal(kill(f->supervisor_pid, SIGTERM), 0);
    assert_int_equal(await_end(f), 0);
}

static void a_front_that_dies_while_stopping_is_replaced_to_take_in_outcomes(void **state)
{
    struct fixture *f = *state;
    struct report workers[3];

    f->mode = FRONT_DIES_ON_STOP;
    start(f);
    (void)await_start(f, workers, 3);
    assert_int_equal(kill(f->supervisor_pid, SIGTERM), 0);
    assert_true(await_report(f, FRONT_STARTED).stopping);
    assert_int_equal(await_end(f), 0);
    assert_int_equal(f->shared->front_starts, 2);
}

static void a_front_that_keeps_dying_while_stopping_is_given_up(void **state)
{
    struct fixture *f = *state;
    struct report workers[3];

    f->mode = FRONT_CANNOT_STOP;
    start(f);
    (void)await_start(f, workers, 3);
    assert_int_equal(kill(f->supervisor_pid, SIGTERM), 0);
    assert_int_equal(await_end(f), 1);
    assert_int_equal(f->shared->front_starts, 1 + 3);
}

static void a_front_that_cannot_start_ends_the_service_with_its_exit_code(void **state)
{
    struct fixture *f = *state;

    f->mode = FRONT_EXITS;
    f->exit_code = 78;
    start(f);
    for (unsigned i = 0; i < 3; i++)
        (void)await_report(f, WORKER_ENDED);
    assert_int_equal(await_end(f), 78);
    assert_int_equal(f->shared->front_starts, 1);
}

static void a_front_that_keeps_crashing_before_it_is_ready_is_given_up(void **state)
{
    struct fixture *f = *state;

    f->mode = FRONT_CRASHES;
    f->conf.command_workers = 1;
    start(f);
    assert_int_equal(await_end(f), 1);
    assert_int_equal(f->shared->front_starts, 10);
}

/* Start, and let the supervisor hear that the front is ready: what the front hears comes later.
 */
static struct report start_and_be_ready(struct fixture *f, struct report workers[3])
{
    struct report front;

    start(f);
    front = await_start(f, workers, 3);
    assert_int_equal(kill(workers[0].pid, SIGKILL), 0);
    (void)await_heard(f, CONTROL_WORKER_EXITED);
    return front;
}

static void a_front_that_wants_what_the_host_has_not_got_is_tried_until_it_has(void **state)
{
    struct fixture *f = *state;
    struct report workers[3];

    f->mode = FRONT_WANTS;
    assert_int_equal(kill(start_and_be_ready(f, workers).pid, SIGKILL), 0);
    for (unsigned i = 0; i < WANTING_STARTS; i++)
        (void)await_report(f, FRONT_STARTED);
    (void)await_report(f, FRONT_STARTED);
    assert_int_equal(kill(f->supervisor_pid, SIGTERM), 0);
    (void)await_heard(f, CONTROL_STOP);
    assert_int_equal(await_end(f), 0);
    assert_int_equal(f->shared->front_starts, 1 + WANTING_STARTS + 1);
}

static void a_service_whose_first_front_wants_something_ends(void **state)
{
    struct fixture *f = *state;

    f->mode = FRONT_EXITS;
    f->exit_code = EX_TEMPFAIL;
    start(f);
    assert_int_equal(await_end(f), EXIT_FAILURE);
    assert_int_equal(f->shared->front_starts, 1);
}

static atomic_uint *forks_to_refuse; /* shared with the supervisor */

static pid_t fork_or_refuse(void)
{
    if (atomic_load(forks_to_refuse) > 0) {
        atomic_fetch_sub(forks_to_refuse, 1);
        errno = EAGAIN;
        return -1;
    }
    return fork();
}

/* A worker and the front die while nothing can be forked. */
static void who_cannot_be_forked_is_forked_later(void **state)
{
    struct fixture *f = *state;
    struct report workers[3];
    struct report front;

    forks_to_refuse = &f->shared->forks_to_refuse;
    sys.fork = fork_or_refuse;
    front = start_and_be_ready(f, workers);
    atomic_store(forks_to_refuse, 6);
    assert_int_equal(kill(workers[1].pid, SIGKILL), 0);
    (void)await_heard(f, CONTROL_WORKER_EXITED);
    assert_int_equal(kill(front.pid, SIGKILL), 0);
    (void)await_report(f, FRONT_STARTED);
    assert_int_equal(atomic_load(forks_to_refuse), 0);
    assert_int_equal(f->shared->front_starts, 2);
    assert_int_equal(kill(f->supervisor_pid, SIGTERM), 0);
    assert_int_equal(await_end(f), 0);
}

static void front_and_workers_notice_the_death_of_the_supervisor(void **state)
{
    struct fixture *f = *state;
    struct report workers[3];
    unsigned lost = 0, ended = 0;

    start(f);
    (void)await_start(f, workers, 3);
    assert_int_equal(kill(f->supervisor_pid, SIGKILL), 0);
    while (lost < 1 || ended < 3) {
        struct report r = next_report(f);

        lost += r.kind == FRONT_LOST;
        ended += r.kind == WORKER_ENDED;
    }
    for (unsigned i = 0; i < 1 + 1 + 3; i++) /* they have become ours */
        assert_true(waitpid(-1, NULL, 0) > 0);
    assert_int_equal(waitpid(-1, NULL, 0), -1);
    f->supervisor_pid = 0;
}

/* Kill it under its workers, which live on and become our children. */
static void kill_supervisor(struct fixture *f, unsigned worker_count)
{
    unsigned retired = 0, lost = 0;
    pid_t front = 0;

    assert_int_equal(kill(f->supervisor_pid, SIGKILL), 0);
    assert_int_equal(waitpid(f->supervisor_pid, NULL, 0), f->supervisor_pid);
    f->supervisor_pid = 0;
    while (retired < worker_count || lost < 1) {
        struct report r = next_report(f);

        retired += r.kind == WORKER_RETIRED;
        lost += r.kind == FRONT_LOST;
        if (r.kind == FRONT_LOST)
            front = r.pid;
    }
    assert_int_equal(waitpid(front, NULL, 0), front);
}

static void open_gate(unsigned workers)
{
    for (unsigned i = 0; i < workers; i++)
        assert_int_equal(write(stub.gate[1], "x", 1), 1);
}

static bool knows(const struct report *front, const struct report *worker)
{
    for (unsigned i = 0; i < front->worker_count && i < COUNT_OF(front->workers); i++)
        if (front->workers[i].worker_id == worker->worker_id) {
            assert_int_equal(front->workers[i].pid, worker->pid);
            assert_string_equal(front->workers[i].pool, worker->pool);
            return true;
        }
    return false;
}

static void the_next_supervisor_adopts_the_workers_of_a_killed_one(void **state)
{
    struct fixture *f = *state;
    struct report old[3], workers[3], front;
    unsigned heard = 0;

    stub.outlive = true;
    start(f);
    (void)await_start(f, old, 3);
    kill_supervisor(f, 3);
    stub.outlive = false;
    start(f);
    front = await_start(f, workers, 3);
    assert_int_equal(front.worker_count, 6);
    assert_int_equal(front.done_count, 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(knows(&front, &old[i]));
        assert_true(knows(&front, &workers[i]));
        for (unsigned j = 0; j < 3; j++)
            assert_true(workers[i].worker_id > old[j].worker_id);
    }

    open_gate(3); /* they finish */
    while (heard < 3) {
        struct report r = await_heard(f, CONTROL_WORKER_EXITED);

        assert_int_equal(r.msg.wait_status, 0); /* they have signed off */
        heard++;
    }
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(waitpid(old[i].pid, NULL, 0), old[i].pid);

    /* A front that comes later still learns that they had left nothing undone. */
    assert_int_equal(kill(front.pid, SIGKILL), 0);
    front = await_report(f, FRONT_STARTED);
    assert_int_equal(front.worker_count, 3);
    assert_int_equal(front.done_count, 3);
    assert_int_equal(front.done[0] + front.done[1] + front.done[2],
                     old[0].worker_id + old[1].worker_id + old[2].worker_id);
    stop(f);
}

static void an_adopted_worker_that_is_killed_is_told_as_any_other(void **state)
{
    struct fixture *f = *state;
    struct report old[1], workers[1], heard;

    f->program.workers = 0;
    f->conf.command_workers = 1;
    stub.outlive = true;
    start(f);
    (void)await_start(f, old, 1);
    kill_supervisor(f, 1);
    stub.outlive = false;
    start(f);
    (void)await_start(f, workers, 1);
    assert_int_equal(kill(old[0].pid, SIGKILL), 0);
    heard = await_heard(f, CONTROL_WORKER_EXITED);
    assert_int_equal(heard.msg.worker_id, old[0].worker_id);
    assert_int_equal(heard.msg.pid, old[0].pid);
    assert_int_equal(heard.msg.wait_status, CONTROL_STATUS_UNKNOWN);
    assert_int_equal(waitpid(old[0].pid, NULL, 0), old[0].pid);
    stop(f);
}

static void adopted_workers_stop_with_the_service(void **state)
{
    struct fixture *f = *state;
    struct report old[3], workers[3];
    int status;

    stub.outlive = true;
    start(f);
    (void)await_start(f, old, 3);
    kill_supervisor(f, 3);
    stub.outlive = false;
    start(f);
    (void)await_start(f, workers, 3);
    assert_int_equal(kill(f->supervisor_pid, SIGTERM), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(waitpid(old[i].pid, &status, 0), old[i].pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGTERM);
    }
    assert_int_equal(await_end(f), 0);
}

static void of_the_dead_only_those_who_signed_off_are_known(void **state)
{
    struct fixture *f = *state;
    struct report old[2], workers[2], front;
    char path[PATHS_SIZE];

    f->program.workers = 0;
    stub.outlive = true;
    start(f);
    (void)await_start(f, old, 2);
    kill_supervisor(f, 2);
    assert_int_equal(kill(old[0].pid, SIGKILL), 0);
    assert_int_equal(waitpid(old[0].pid, NULL, 0), old[0].pid);
    open_gate(1);
    (void)await_report(f, WORKER_ENDED);
    assert_int_equal(waitpid(old[1].pid, NULL, 0), old[1].pid);
    assert_true(file_exists(paths_worker(f->dir, old[0].worker_id, path)));

    stub.outlive = false;
    start(f);
    front = await_start(f, workers, 2);
    assert_int_equal(front.worker_count, 2);
    assert_int_equal(front.done_count, 1);
    assert_true(front.done[0] == old[1].worker_id);
    assert_false(file_exists(paths_worker(f->dir, old[0].worker_id, path)));
    stop(f);
    assert_int_equal(rmdir(paths_worker_dir(f->dir, path)), 0); /* nothing is left there */
}

static char sh[] = "sh", dash_c[] = "-c";

static void a_successor_that_would_start_takes_the_place_of_the_supervisor(void **state)
{
    struct fixture *f = *state;
    char yes[] = "exit 0", successor[] = "test -n \"$JOBD_HANDOVER\" && exit 7";
    char *argv[] = { sh, dash_c, successor, NULL }, *check_argv[] = { sh, dash_c, yes, NULL };
    const struct successor_conf conf = { .path = "/bin/sh",
                                         .argv = argv,
                                         .check_argv = check_argv };
    struct report workers[3], front, heard;
    unsigned ended = 0;
    int status;

    f->conf.successor = &conf;
    start(f);
    front = await_start(f, workers, 3);
    assert_int_equal(kill(f->supervisor_pid, SIGUSR2), 0);
    heard = await_heard(f, CONTROL_LEAVE);
    assert_int_equal(heard.pid, front.pid);
    while (ended < 3) /* the change has closed their life pipes */
        ended += next_report(f).kind == WORKER_ENDED;
    assert_int_equal(waitpid(f->supervisor_pid, &status, 0), f->supervisor_pid);
    f->supervisor_pid = 0;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_int_equal(f->shared->front_starts, 1);
    while (waitpid(-1, NULL, 0) > 0) /* a shell is no init */
        continue;
}

static void a_successor_that_would_not_start_changes_nothing(void **state)
{
    struct fixture *f = *state;
    AUTO(mem) char *no = mem_printf("echo x >%s/run/asked; exit 1", f->dir);
    AUTO(mem) char *asked = mem_printf("%s/run/asked", f->dir);
    char *argv[] = { sh, dash_c, no, NULL };
    const struct successor_conf conf = { .path = "/bin/sh", .argv = argv, .check_argv = argv };
    struct report workers[3], front, heard;

    f->conf.successor = &conf;
    start(f);
    front = await_start(f, workers, 3);
    assert_int_equal(kill(f->supervisor_pid, SIGHUP), 0);
    while (!file_exists(asked))
        (void)poll(NULL, 0, 1); /* another process makes it, and tells nobody */
    assert_int_equal(kill(workers[0].pid, SIGKILL), 0);
    heard = await_report(f, FRONT_HEARD);
    assert_int_equal(heard.pid, front.pid);
    assert_int_equal(heard.msg.type, CONTROL_WORKER_EXITED);
    stop(f);
    assert_int_equal(unlink(asked), 0);
}

static void a_stop_does_not_wait_for_the_check_of_a_successor(void **state)
{
    struct fixture *f = *state;
    char forever[] = "sleep 1000";
    char *argv[] = { sh, dash_c, forever, NULL };
    const struct successor_conf conf = { .path = "/bin/sh", .argv = argv, .check_argv = argv };
    struct report workers[3];

    f->conf.successor = &conf;
    start(f);
    (void)await_start(f, workers, 3);
    assert_int_equal(kill(f->supervisor_pid, SIGHUP), 0);
    stop(f);
}

static void a_full_process_table_delays_the_start_only(void **state)
{
    struct fixture *f = *state;
    struct report workers[3];

    sys.fork = fork_fails_at_first;
    start(f);
    (void)await_start(f, workers, 3);
    stop(f);
}

static void too_many_workers_are_a_configuration_error(void **state)
{
    struct fixture *f = *state;

    f->conf.command_workers = SUPERVISOR_WORKERS_MAX;
    start(f);
    assert_int_equal(await_end(f), 78);
    assert_int_equal(f->shared->front_starts, 0);
}

static void the_lock_names_a_running_jobd(void **state)
{
    struct fixture *f = *state;
    struct report workers[3];
    int mine = -1, other = -1;
    struct errinfo e;
    char path[PATHS_SIZE], pid_text[32];

    f->lock = true;
    start(f);
    (void)await_start(f, workers, 3);
    assert_int_equal(supervisor_lock(f->dir, &other, &e), ERR_LOCKED);
    (void)snprintf(pid_text, sizeof pid_text, "pid %d ", (int)f->supervisor_pid);
    assert_non_null(strstr(e.text, pid_text));
    stop(f);
    assert_int_equal(supervisor_lock(f->dir, &mine, &e), 0);
    fd_fini(&mine);
    assert_int_equal(unlink(paths_lock(f->dir, path)), 0);
}

#define SUPERVISOR_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SUPERVISOR_TEST(it_starts_every_worker_and_a_front_that_knows_them),
        SUPERVISOR_TEST(workers_do_not_hold_what_is_the_fronts),
        SUPERVISOR_TEST(its_pid_and_socket_are_there_while_it_runs_however_long_the_path),
        SUPERVISOR_TEST(a_killed_front_is_replaced_and_the_next_one_sees_the_living),
        SUPERVISOR_TEST(a_dead_workers_tree_is_gone_before_the_front_hears_of_it),
        SUPERVISOR_TEST(the_death_of_one_worker_does_not_touch_the_tree_of_another),
        SUPERVISOR_TEST(no_end_of_a_worker_is_lost_when_the_front_does_not_listen),
        SUPERVISOR_TEST(a_signal_stops_the_front_and_then_the_workers),
        SUPERVISOR_TEST(a_terminal_that_signals_everybody_stops_in_the_same_order),
        SUPERVISOR_TEST(a_second_signal_asks_the_front_to_stop_now),
        SUPERVISOR_TEST(a_front_that_does_not_stop_in_time_is_killed),
        SUPERVISOR_TEST(workers_that_do_not_end_are_killed_on_a_further_signal),
        SUPERVISOR_TEST(a_front_that_dies_while_stopping_is_replaced_to_take_in_outcomes),
        SUPERVISOR_TEST(a_front_that_keeps_dying_while_stopping_is_given_up),
        SUPERVISOR_TEST(a_front_that_cannot_start_ends_the_service_with_its_exit_code),
        SUPERVISOR_TEST(a_front_that_keeps_crashing_before_it_is_ready_is_given_up),
        SUPERVISOR_TEST(a_front_that_wants_what_the_host_has_not_got_is_tried_until_it_has),
        SUPERVISOR_TEST(a_service_whose_first_front_wants_something_ends),
        SUPERVISOR_TEST(who_cannot_be_forked_is_forked_later),
        SUPERVISOR_TEST(front_and_workers_notice_the_death_of_the_supervisor),
        SUPERVISOR_TEST(the_next_supervisor_adopts_the_workers_of_a_killed_one),
        SUPERVISOR_TEST(an_adopted_worker_that_is_killed_is_told_as_any_other),
        SUPERVISOR_TEST(adopted_workers_stop_with_the_service),
        SUPERVISOR_TEST(of_the_dead_only_those_who_signed_off_are_known),
        SUPERVISOR_TEST(a_successor_that_would_start_takes_the_place_of_the_supervisor),
        SUPERVISOR_TEST(a_successor_that_would_not_start_changes_nothing),
        SUPERVISOR_TEST(a_stop_does_not_wait_for_the_check_of_a_successor),
        SUPERVISOR_TEST(a_full_process_table_delays_the_start_only),
        SUPERVISOR_TEST(too_many_workers_are_a_configuration_error),
        SUPERVISOR_TEST(the_lock_names_a_running_jobd),
    };

    return cmocka_run_group_tests_name("pool/supervisor", tests, NULL, NULL);
}
