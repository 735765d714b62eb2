#include "tests/support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "pool/begun.h"
#include "pool/paths.h"
#include "tests/support/tmp.h"

static char dir[TMP_SIZE];

static const struct uuid7 job_a = { .hi = 1, .lo = 2 };
static const struct uuid7 job_b = { .hi = 1, .lo = 3 };

static int open_dir(void **state)
{
    (void)state;
    (void)tmp_dir_make(dir);
    return paths_prepare(dir, NULL);
}

static int close_dir(void **state)
{
    (void)state;
    tmp_dir_remove(dir);
    return 0;
}

/* A worker that notes what it begins and is killed at once. */
static void killed_worker(void (*work)(struct begun *b))
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct begun b = { 0 };

        if (begun_open(dir, 7, &b, NULL) == 0)
            work(&b);
        (void)kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

static void begin_one(struct begun *b)
{
    (void)begun_add(b, job_a, 1);
}

static void begin_and_end(struct begun *b)
{
    (void)begun_add(b, job_a, 1);
    (void)begun_add(b, job_b, 4);
    begun_remove(b, job_a, 1);
}

static void what_was_begun_is_known_after_a_kill(void **state)
{
    (void)state;
    killed_worker(begin_one);
    assert_int_equal(begun_ask(dir, 7, job_a, 1), BEGUN_YES);
    assert_int_equal(begun_ask(dir, 7, job_a, 2), BEGUN_NO);
    assert_int_equal(begun_ask(dir, 7, job_b, 1), BEGUN_NO);
}

static void what_the_ledger_has_is_forgotten(void **state)
{
    (void)state;
    killed_worker(begin_and_end);
    assert_int_equal(begun_ask(dir, 7, job_a, 1), BEGUN_NO);
    assert_int_equal(begun_ask(dir, 7, job_b, 4), BEGUN_YES);
}

static void nothing_is_known_of_a_worker_without_a_table(void **state)
{
    struct begun none = { 0 };

    (void)state;
    assert_int_equal(begun_add(&none, job_a, 1), 0);
    begun_remove(&none, job_a, 1);
    begun_close(&none);
    assert_int_equal(begun_ask(dir, 8, job_a, 1), BEGUN_UNKNOWN);
    killed_worker(begin_one);
    begun_forget(dir, 7);
    assert_int_equal(begun_ask(dir, 7, job_a, 1), BEGUN_UNKNOWN);
}

static void a_table_of_another_boot_says_nothing(void **state)
{
    AUTO_FINI(fd) int fd = -1;
    char path[PATHS_SIZE];

    (void)state;
    killed_worker(begin_one);
    fd = open(paths_begun(dir, 7, path), O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "00000000", 8, 8), 8); /* behind the magic number */
    assert_int_equal(begun_ask(dir, 7, job_a, 1), BEGUN_UNKNOWN);
    assert_int_equal(ftruncate(fd, 100), 0);
    assert_int_equal(begun_ask(dir, 7, job_a, 1), BEGUN_UNKNOWN);
}

static void a_full_table_says_so(void **state)
{
    struct begun b = { 0 };

    (void)state;
    assert_int_equal(begun_open(dir, 9, &b, NULL), 0);
    for (int i = 1; i <= BEGUN_MAX; i++)
        assert_int_equal(begun_add(&b, job_a, i), 0);
    assert_int_equal(begun_add(&b, job_b, 1), ERR_AGAIN);
    begun_remove(&b, job_a, 17);
    assert_int_equal(begun_add(&b, job_b, 1), 0);
    begun_close(&b);
}

#define T(f) cmocka_unit_test_setup_teardown(f, open_dir, close_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_was_begun_is_known_after_a_kill),
        T(what_the_ledger_has_is_forgotten),
        T(nothing_is_known_of_a_worker_without_a_table),
        T(a_table_of_another_boot_says_nothing),
        T(a_full_table_says_so),
    };

    return cmocka_run_group_tests_name("pool/begun", tests, NULL, NULL);
}
