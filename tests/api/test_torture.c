/* tests/api/test_torture.c - the short form of `make torture`: some kills, and nothing may be
 * lost. It says its seed; TORTURE_SEED=N draws the same kills again. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLS "40"

static const char torture[] = "tests/torture/torture";

static void kills_under_load_lose_nothing_and_run_nothing_twice(void **state)
{
    int status = 0;
    pid_t pid;

    (void)state;
    if (access("/usr/bin/python3", X_OK) != 0) {
        print_message("skipped: there is no /usr/bin/python3\n");
        skip();
    }
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)execl(torture, torture, "--kills", KILLS, "--seconds", "60", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kills_under_load_lose_nothing_and_run_nothing_twice),
    };

    return cmocka_run_group_tests_name("api/torture", tests, NULL, NULL);
}
