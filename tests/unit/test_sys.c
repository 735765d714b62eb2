#include "tests/support/test.h"

#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int put_back(void **state)
{
    (void)state;
    sys_reset();
    return 0;
}

static int no_sync(int fd)
{
    (void)fd;
    errno = ENOSPC;
    return -1;
}

static void a_reset_brings_every_real_call_back(void **state)
{
    const struct sys_calls real = sys;

    (void)state;
    memset(&sys, 0, sizeof sys);
    sys.fsync = no_sync;
    assert_int_equal(sys.fsync(1), -1);
    sys_reset();
    assert_memory_equal(&sys, &real, sizeof sys);
    assert_ptr_equal(sys.fsync, fsync);
    assert_ptr_equal(sys.write, write);
    assert_ptr_equal(sys.rename, rename);
    assert_ptr_equal(sys.pipe2, pipe2);
    assert_ptr_equal(sys.fork, fork);
}

static void the_real_calls_work_on_real_files(void **state)
{
    char dir[] = "/tmp/jobd-test-sys-XXXXXX";
    struct stat st;
    int dir_fd, fd;

    (void)state;
    assert_non_null(mkdtemp(dir));
    dir_fd = sys.open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    assert_true(dir_fd >= 0);
    fd = sys.openat(dir_fd, "a", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0400); /* the mode reached the kernel */
    assert_int_equal(sys.write(fd, "xyz", 3), 3);
    assert_int_equal(sys.fsync(fd), 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 3);
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlinkat(dir_fd, "a", 0), 0);
    assert_int_equal(close(dir_fd), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void the_real_pipe_and_fork_carry_a_byte(void **state)
{
    char byte = 0;
    int fds[2];
    int status;
    pid_t pid;

    (void)state;
    assert_int_equal(sys.pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
    pid = sys.fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(write(fds[1], "q", 1) != 1);
    assert_int_equal(read(fds[0], &byte, 1), 1);
    assert_int_equal(byte, 'q');
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(close(fds[0]) + close(fds[1]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_reset_brings_every_real_call_back, put_back),
        cmocka_unit_test(the_real_calls_work_on_real_files),
        cmocka_unit_test(the_real_pipe_and_fork_carry_a_byte),
    };

    return cmocka_run_group_tests_name("base/sys", tests, NULL, NULL);
}
