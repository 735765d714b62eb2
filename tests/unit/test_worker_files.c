/* The files of workers, with real processes that hold their locks. */
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "pool/paths.h"
#include "pool/worker_files.h"
#include "tests/support/tmp.h"

static char data_dir[TMP_SIZE];

static int open_all(void **state)
{
    (void)state;
    tmp_dir_make(data_dir);
    return paths_prepare(data_dir, NULL);
}

static int close_all(void **state)
{
    (void)state;
    tmp_dir_remove(data_dir);
    return 0;
}

/* A process that holds the file of this worker until it is killed or, with sign_off, at once
 * ends as a worker should. */
static pid_t start_worker(int64_t worker_id, const char *pool, bool sign_off)
{
    int said[2], file_fd = -1;
    char byte;
    pid_t pid;

    assert_int_equal(pipe2(said, O_CLOEXEC), 0);
    assert_int_equal(worker_file_make(data_dir, worker_id, &file_fd, NULL), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (worker_file_sign(file_fd, pool, NULL) < 0)
            _exit(1);
        if (sign_off)
            worker_file_sign_off(file_fd);
        (void)!write(said[1], "x", 1);
        while (!sign_off)
            (void)pause();
        _exit(0);
    }
    (void)close(file_fd);
    (void)close(said[1]);
    assert_int_equal(read(said[0], &byte, 1), 1);
    (void)close(said[0]);
    return pid;
}

static void end_worker(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static bool has_file(int64_t worker_id)
{
    char path[PATHS_SIZE];

    return access(paths_worker(data_dir, worker_id, path), F_OK) == 0;
}

static void nobody_is_found_where_nobody_was(void **state)
{
    AUTO_FINI(worker_census) struct worker_census c = { 0 };

    (void)state;
    assert_int_equal(worker_files_scan(data_dir, &c, NULL), 0);
    assert_int_equal(c.count, 0);
    assert_int_equal(c.dead_count, 0);
    assert_int_equal(c.highest_worker_id, 0);
}

static void who_holds_the_lock_is_found_with_its_pool_and_can_be_killed(void **state)
{
    AUTO_FINI(worker_census) struct worker_census c = { 0 };
    pid_t pid = start_worker(4711, "score", false);
    int status;

    (void)state;
    assert_int_equal(worker_files_scan(data_dir, &c, NULL), 0);
    assert_int_equal(c.count, 1);
    assert_int_equal(c.items[0].info.worker_id, 4711);
    assert_int_equal(c.items[0].info.pid, pid);
    assert_string_equal(c.items[0].info.pool, "score");
    assert_int_equal(c.highest_worker_id, 4711);
    assert_int_equal(pidfd_send_signal(c.items[0].pid_fd, SIGTERM, NULL, 0), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

static void the_dead_are_forgotten_but_their_numbers_are_not_used_again(void **state)
{
    AUTO_FINI(worker_census) struct worker_census c = { 0 };
    pid_t low = start_worker(5, "", false), high = start_worker(9000, "", false);

    (void)state;
    end_worker(high);
    assert_int_equal(worker_files_scan(data_dir, &c, NULL), 0);
    assert_int_equal(c.count, 1);
    assert_int_equal(c.items[0].info.worker_id, 5);
    assert_string_equal(c.items[0].info.pool, "");
    assert_int_equal(c.dead_count, 1);
    assert_int_equal(c.highest_worker_id, 9000);
    assert_false(has_file(9000));
    assert_true(has_file(5));
    end_worker(low);
}

static void one_that_signed_off_is_told_from_one_that_was_killed(void **state)
{
    AUTO_FINI(worker_census) struct worker_census c = { 0 };
    pid_t pid = start_worker(5, "", true);

    (void)state;
    end_worker(pid);
    assert_true(worker_file_is_signed_off(data_dir, 5));
    assert_int_equal(worker_files_scan(data_dir, &c, NULL), 0);
    assert_int_equal(c.count, 1);
    assert_int_equal(c.dead_count, 0);
    assert_int_equal(c.items[0].info.worker_id, 5);
    assert_int_equal(c.items[0].pid_fd, -1);
    assert_true(has_file(5)); /* until somebody has made use of it */
    worker_file_remove(data_dir, 5);
    assert_false(has_file(5));
    assert_false(worker_file_is_signed_off(data_dir, 5));
}

/* The file is there before the process; one that was never born has left an empty file. */
static void an_empty_file_without_a_holder_is_of_a_dead_one(void **state)
{
    AUTO_FINI(worker_census) struct worker_census c = { 0 };
    int fd = -1;

    (void)state;
    assert_int_equal(worker_file_make(data_dir, 6, &fd, NULL), 0);
    (void)close(fd);
    assert_int_equal(worker_files_scan(data_dir, &c, NULL), 0);
    assert_int_equal(c.dead_count, 1);
    assert_false(has_file(6));
}

static void a_number_is_given_once(void **state)
{
    AUTO_FINI(fd) int first = -1;
    AUTO_FINI(fd) int second = -1;

    (void)state;
    assert_int_equal(worker_file_make(data_dir, 6, &first, NULL), 0);
    assert_int_equal(worker_file_make(data_dir, 6, &second, NULL), ERR_SYS);
}

/* The pid in the file is not that of the holder: as after a restart in another PID namespace,
 * where that number is somebody else's or nobody's. */
static void a_holder_that_cannot_be_seen_is_an_error_that_names_the_file(void **state)
{
    AUTO_FINI(worker_census) struct worker_census c = { 0 };
    AUTO_FINI(fd) int fd = -1;
    char path[PATHS_SIZE];
    struct errinfo e;
    pid_t gone = fork();

    (void)state;
    if (gone == 0)
        _exit(0);
    assert_int_equal(waitpid(gone, NULL, 0), gone);
    assert_int_equal(worker_file_make(data_dir, 8, &fd, NULL), 0);
    assert_true(dprintf(fd, "%d x\n", (int)gone) > 0);
    assert_int_equal(worker_files_scan(data_dir, &c, &e), ERR_LOCKED);
    assert_non_null(strstr(e.text, paths_worker(data_dir, 8, path)));
}

static void other_files_are_left_alone(void **state)
{
    AUTO_FINI(worker_census) struct worker_census c = { 0 };
    char path[PATHS_SIZE + 16];

    (void)state;
    (void)snprintf(path, sizeof path, "%s/run/workers/readme", data_dir);
    assert_int_equal(fd_write_file_atomic(path, 0600, "x", 1, NULL), 0);
    assert_int_equal(worker_files_scan(data_dir, &c, NULL), 0);
    assert_int_equal(c.dead_count, 0);
    assert_int_equal(access(path, F_OK), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_found_where_nobody_was),
        TEST(who_holds_the_lock_is_found_with_its_pool_and_can_be_killed),
        TEST(the_dead_are_forgotten_but_their_numbers_are_not_used_again),
        TEST(one_that_signed_off_is_told_from_one_that_was_killed),
        TEST(an_empty_file_without_a_holder_is_of_a_dead_one),
        TEST(a_number_is_given_once),
        TEST(a_holder_that_cannot_be_seen_is_an_error_that_names_the_file),
        TEST(other_files_are_left_alone),
    };

    return cmocka_run_group_tests_name("pool/worker_files", tests, NULL, NULL);
}
