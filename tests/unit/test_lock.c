#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "pool/lock.h"
#include "pool/paths.h"

/* A process that holds the lock (or lets a child of its own hold it) until `hold` is closed. */
struct holder {
    pid_t pid;
    int hold;
};

struct fixture {
    char dir[64];
    struct holder holder;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/jobd-lock-XXXXXX");
    f->holder.hold = -1;
    *state = f;
    return mkdtemp(f->dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char path[PATHS_SIZE];

    fd_fini(&f->holder.hold);
    (void)unlink(paths_lock(f->dir, path));
    (void)rmdir(f->dir);
    free(f);
    return 0;
}

/* In the child: take the lock, perhaps hand it to a child, say so, stay until told. */
static void be_holder(const char *dir, int said, int hold, bool leave_to_child)
{
    char byte = 'y';
    int fd;

    if (lock_take(dir, 0, &fd, NULL) < 0)
        _exit(1);
    if (leave_to_child && fork() > 0)
        _exit(0);
    if (write(said, &byte, 1) == 1)
        (void)!read(hold, &byte, 1); /* until the other end is closed */
    _exit(0);
}

static void start_holder(struct fixture *f, bool leave_to_child)
{
    int said[2], hold[2];
    char byte;

    assert_int_equal(pipe2(said, O_CLOEXEC), 0);
    assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
    f->holder.pid = fork();
    assert_true(f->holder.pid >= 0);
    if (f->holder.pid == 0) {
        (void)close(hold[1]);
        be_holder(f->dir, said[1], hold[0], leave_to_child);
    }
    assert_int_equal(close(said[1]), 0);
    assert_int_equal(close(hold[0]), 0);
    assert_int_equal(read(said[0], &byte, 1), 1);
    assert_int_equal(close(said[0]), 0);
    f->holder.hold = hold[1];
}

static void end_holder(struct fixture *f)
{
    int status;

    fd_fini(&f->holder.hold);
    assert_int_equal(waitpid(f->holder.pid, &status, 0), f->holder.pid);
    assert_int_equal(status, 0);
}

static void the_lock_of_a_free_directory_is_taken_and_names_its_holder(void **state)
{
    struct fixture *f = *state;
    AUTO_FINI(buf) struct buf content = { 0 };
    AUTO_FINI(fd) int fd = -1;
    char path[PATHS_SIZE], want[32];
    struct errinfo e;

    assert_int_equal(lock_take(f->dir, 0, &fd, &e), 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fd_read_file(paths_lock(f->dir, path), 100, &content, &e), 0);
    (void)snprintf(want, sizeof want, "%d\n", (int)getpid());
    assert_string_equal(content.data, want);
}

static void a_living_holder_is_named_at_once_and_its_end_frees_the_lock(void **state)
{
    struct fixture *f = *state;
    AUTO_FINI(fd) int fd = -1;
    usec_t before_us = clock_mono_us();
    char pid_text[32];
    struct errinfo e;

    start_holder(f, false);
    assert_int_equal(lock_take(f->dir, 60 * USEC_PER_SEC, &fd, &e), ERR_LOCKED);
    assert_true(clock_mono_us() - before_us < 60 * USEC_PER_SEC);
    (void)snprintf(pid_text, sizeof pid_text, "pid %d ", (int)f->holder.pid);
    assert_non_null(strstr(e.text, pid_text));
    assert_non_null(strstr(e.text, f->dir));
    assert_non_null(strstr(e.text, "stop"));
    assert_int_equal(fd, -1);

    end_holder(f);
    assert_int_equal(lock_take(f->dir, 0, &fd, &e), 0);
}

static void what_a_dead_holder_left_behind_keeps_the_lock(void **state)
{
    struct fixture *f = *state;
    AUTO_FINI(fd) int fd = -1;
    struct errinfo e;

    start_holder(f, true);
    assert_int_equal(waitpid(f->holder.pid, NULL, 0), f->holder.pid);
    assert_int_equal(lock_take(f->dir, 0, &fd, &e), ERR_LOCKED);
    assert_non_null(strstr(e.text, "that has ended"));
    assert_non_null(strstr(e.text, f->dir));

    fd_fini(&f->holder.hold); /* it ends while we wait */
    assert_int_equal(lock_take(f->dir, 60 * USEC_PER_SEC, &fd, &e), 0);
}

static void a_dead_holder_that_nobody_has_reaped_is_dead(void **state)
{
    struct fixture *f = *state;
    AUTO_FINI(fd) int fd = -1;
    siginfo_t info;
    struct errinfo e;

    start_holder(f, true);
    assert_int_equal(waitid(P_PID, (id_t)f->holder.pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(lock_take(f->dir, 0, &fd, &e), ERR_LOCKED);
    assert_non_null(strstr(e.text, "that has ended"));
    fd_fini(&f->holder.hold);
    assert_int_equal(lock_take(f->dir, 60 * USEC_PER_SEC, &fd, &e), 0);
    assert_int_equal(waitpid(f->holder.pid, NULL, 0), f->holder.pid);
}

static void our_own_pid_in_the_file_is_from_another_life(void **state)
{
    struct fixture *f = *state;
    AUTO_FINI(fd) int first = -1;
    AUTO_FINI(fd) int second = -1;
    struct errinfo e;

    assert_int_equal(lock_take(f->dir, 0, &first, &e), 0);
    assert_int_equal(lock_take(f->dir, 0, &second, &e), ERR_LOCKED);
    assert_non_null(strstr(e.text, "that has ended"));
}

static void an_unusable_directory_is_reported_with_its_path(void **state)
{
    int fd = -1;
    struct errinfo e;

    (void)state;
    assert_int_equal(lock_take("/nonexistent/dir", 0, &fd, &e), ERR_SYS);
    assert_int_equal(e.sys_errno, ENOENT);
    assert_non_null(strstr(e.text, "/nonexistent/dir/jobd.lock"));
}

#define LOCK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOCK_TEST(the_lock_of_a_free_directory_is_taken_and_names_its_holder),
        LOCK_TEST(a_living_holder_is_named_at_once_and_its_end_frees_the_lock),
        LOCK_TEST(what_a_dead_holder_left_behind_keeps_the_lock),
        LOCK_TEST(a_dead_holder_that_nobody_has_reaped_is_dead),
        LOCK_TEST(our_own_pid_in_the_file_is_from_another_life),
        LOCK_TEST(an_unusable_directory_is_reported_with_its_path),
    };

    return cmocka_run_group_tests_name("pool/lock", tests, NULL, NULL);
}
