/* Real processes that have got away from everybody: whom the hunt finds, and whom it spares. */
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "pool/survivors.h"

#define OURS   "JOBD_INSTANCE=0123456789abcdef0123456789abcdef"
#define OTHERS "JOBD_INSTANCE=ffffffffffffffffffffffffffffffff"
#define DEAD   "JOBD_WORKER=7"
#define ALIVE  "JOBD_WORKER=8"

static bool worker_lives(void *ctx, int64_t worker_id)
{
    (void)ctx;
    return worker_id == 8;
}

static bool spares(void *ctx, pid_t pid)
{
    return pid == *(const pid_t *)ctx;
}

static struct survivors_conf conf_of_test(void)
{
    return (struct survivors_conf){
        .instance = "0123456789abcdef0123456789abcdef",
        .worker_lives = worker_lives,
        .timeout_us = PATIENCE_US,
    };
}

/* A shell in a session of its own, with these marks; it has run `script` up to its "echo". */
static pid_t start(const char *instance, const char *worker, const char *script)
{
    int said[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe2(said, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char *argv[] = { strdup("sh"), strdup("-c"), strdup(script), NULL };
        char *env[] = { strdup("PATH=/usr/bin:/bin"), strdup(instance), strdup(worker), NULL };

        (void)setsid();
        (void)dup2(said[1], 1);
        (void)execve("/bin/sh", argv, env);
        _exit(127);
    }
    (void)close(said[1]);
    assert_int_equal(read(said[0], &byte, 1), 1);
    (void)close(said[0]);
    return pid;
}

static bool is_running(pid_t pid)
{
    return waitpid(pid, NULL, WNOHANG) == 0;
}

static void end(pid_t pid)
{
    (void)kill(-pid, SIGKILL);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static void only_processes_of_dead_workers_of_this_instance_are_killed(void **state)
{
    pid_t dead = start(OURS, DEAD, "echo; exec sleep 1000");
    pid_t alive = start(OURS, ALIVE, "echo; exec sleep 1000");
    pid_t other = start(OTHERS, DEAD, "echo; exec sleep 1000");
    pid_t unmarked = start("A=1", DEAD, "echo; exec sleep 1000");
    pid_t spared = start(OURS, DEAD, "echo; exec sleep 1000");
    struct survivors_conf conf = conf_of_test();
    int status;
    bool left;

    (void)state;
    conf.spare = spares;
    conf.spare_ctx = &spared;
    assert_int_equal(survivors_kill(&conf, &left), 1);
    assert_false(left);
    assert_int_equal(waitpid(dead, &status, 0), dead);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_true(is_running(alive));
    assert_true(is_running(other));
    assert_true(is_running(unmarked));
    assert_true(is_running(spared));
    end(alive);
    end(other);
    end(unmarked);
    end(spared);
}

static void who_changes_its_session_its_parent_and_its_signals_is_found(void **state)
{
    struct survivors_conf conf = conf_of_test();
    bool left;

    (void)state;
    end(start(OURS, DEAD,
              "trap '' TERM INT HUP; (setsid sh -c 'trap \"\" TERM; echo; sleep 1000' &) &"));
    assert_true(survivors_kill(&conf, &left) >= 1);
    assert_false(left);
    while (waitpid(-1, NULL, 0) > 0) /* orphans come to us: all of them have ended */
        continue;
    assert_int_equal(errno, ECHILD);
}

/* It forks and lets its parent end, all the time: no look finds all of it. There are never more
 * than twenty at once. */
static void a_tree_that_forks_all_the_time_is_killed(void **state)
{
    struct survivors_conf conf = conf_of_test();
    pid_t pid = start(OURS, DEAD,
                      "f() { sleep 0.001; f & }; for i in 1 2 3 4 5 6 7 8 9 10; do f & done;"
                      "echo; wait");
    bool left;

    (void)state;
    (void)survivors_kill(&conf, &left);
    assert_false(left);
    while (waitpid(-1, NULL, 0) > 0)
        continue;
    assert_int_equal(errno, ECHILD);
    (void)pid;
}

static void nobody_is_killed_when_nobody_is_there(void **state)
{
    struct survivors_conf conf = conf_of_test();
    bool left;

    (void)state;
    conf.timeout_us = 0;
    assert_int_equal(survivors_kill(&conf, &left), 0);
    assert_false(left);
}

static void a_hunt_ends_when_its_time_is_over(void **state)
{
    struct survivors_conf conf = conf_of_test();
    pid_t pid = start(OURS, DEAD, "echo; exec sleep 1000");
    bool left;

    (void)state;
    conf.timeout_us = 0;
    assert_int_equal(survivors_kill(&conf, &left), 1); /* it was not looked at once more */
    assert_true(left);
    end(pid);
}

static int adopt_orphans(void **state)
{
    (void)state;
    (void)alarm(HANG_S);
    log_set_fd(-1);
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_processes_of_dead_workers_of_this_instance_are_killed),
        cmocka_unit_test(who_changes_its_session_its_parent_and_its_signals_is_found),
        cmocka_unit_test(a_tree_that_forks_all_the_time_is_killed),
        cmocka_unit_test(nobody_is_killed_when_nobody_is_there),
        cmocka_unit_test(a_hunt_ends_when_its_time_is_over),
    };

    return cmocka_run_group_tests_name("pool/survivors", tests, adopt_orphans, NULL);
}
