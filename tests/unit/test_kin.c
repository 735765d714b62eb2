#include "tests/support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "pool/kin.h"

/* A process with this mark (NULL: none) in its environment, once that is so. */
static pid_t start(char *mark)
{
    char name[] = "sleep", time[] = "1000";
    char *argv[] = { name, time, NULL };
    char *env[] = { mark, NULL };
    int ready[2];
    char c;
    pid_t pid;

    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)execvpe("sleep", argv, env);
        _exit(127);
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 0); /* it has exec'ed */
    (void)close(ready[0]);
    return pid;
}

static void stop(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void the_root_is_known_by_its_number(void **state)
{
    struct kin k;

    (void)state;
    kin_init(&k);
    assert_int_equal(k.pid, 0);
    k.pid = 4711;
    assert_true(kin_has(&k, 4711));
}

static void all_others_are_known_by_the_mark_in_their_environment(void **state)
{
    struct kin a;
    struct kin b;
    pid_t marked;
    pid_t plain;

    (void)state;
    kin_init(&a);
    kin_init(&b);
    assert_string_not_equal(a.mark, b.mark);
    assert_int_equal(strncmp(a.mark, KIN_NAME "=", strlen(KIN_NAME "=")), 0);
    marked = start(a.mark);
    plain = start(NULL);
    assert_true(kin_has(&a, marked));
    assert_false(kin_has(&b, marked));
    assert_false(kin_has(&a, plain));
    stop(marked);
    stop(plain);
    assert_false(kin_has(&a, marked)); /* there is no such process */
}

static void a_mark_that_only_begins_alike_is_another(void **state)
{
    struct kin a;
    char longer[KIN_SIZE + 1];
    pid_t pid;

    (void)state;
    kin_init(&a);
    (void)snprintf(longer, sizeof longer, "%s0", a.mark);
    pid = start(longer);
    assert_false(kin_has(&a, pid));
    stop(pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_root_is_known_by_its_number),
        cmocka_unit_test(all_others_are_known_by_the_mark_in_their_environment),
        cmocka_unit_test(a_mark_that_only_begins_alike_is_another),
    };

    return cmocka_run_group_tests_name("pool/kin", tests, NULL, NULL);
}
