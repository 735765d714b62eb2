#include "tests/support/test.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crash.h"

/* How a child ends that passes the points a, b, a, b, ... `rounds` times. */
static int end_of_child(const char *armed, int rounds)
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        if (armed)
            (void)setenv("JOBD_CRASH_POINT", armed, 1);
        crash_init();
        for (int i = 0; i < rounds; i++) {
            crash_point("a");
            crash_point("b");
        }
        _exit(7);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void an_armed_point_kills_at_the_n_th_time(void **state)
{
    static const struct {
        const char *armed;
        int rounds;
        bool dies;
    } rows[] = {
        { NULL, 5, false },  { "a:1", 1, true }, { "b:3", 2, false }, { "b:3", 3, true },
        { "c:1", 5, false }, { "a", 5, false },  { "a:0", 5, false }, { "a:x", 5, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int status = end_of_child(rows[i].armed, rows[i].rounds);

        if (rows[i].dies)
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        else
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    }
}

static void the_count_is_one_for_all_processes(void **state)
{
    int killed = 0;

    (void)state;
    (void)setenv("JOBD_CRASH_POINT", "a:3", 1);
    crash_init();
    for (int i = 0; i < 6; i++) {
        int status = 0;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
            crash_point("a");
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        killed += WIFSIGNALED(status);
    }
    assert_int_equal(killed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_armed_point_kills_at_the_n_th_time),
        cmocka_unit_test(the_count_is_one_for_all_processes),
    };

    return cmocka_run_group_tests_name("base/crash", tests, NULL, NULL);
}
