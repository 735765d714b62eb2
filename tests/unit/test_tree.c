#include "tests/support/test.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool/tree.h"

/* Each child says one byte on this pipe once it is set up; its end of file says that all are
 * gone. */
static int said[2];

static int open_pipe(void **state)
{
    (void)state;
    return pipe(said);
}

static int close_pipe(void **state)
{
    (void)state;
    (void)close(said[0]);
    return said[1] >= 0 ? close(said[1]) : 0;
}

static void say_ready_and_stay(void)
{
    (void)!write(said[1], "r", 1);
    for (;;)
        (void)pause();
}

static void await_ready(int count)
{
    char c;

    for (int i = 0; i < count; i++)
        assert_int_equal(read(said[0], &c, 1), 1);
}

/* Nobody holds the writing end any more: all who inherited it are dead. */
static void assert_all_gone(void)
{
    struct pollfd p = { .fd = said[0], .events = POLLIN };
    char c;

    (void)close(said[1]);
    said[1] = -1;
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    assert_int_equal(read(said[0], &c, 1), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void nothing_to_sweep_is_nothing_killed(void **state)
{
    (void)state;
    assert_int_equal(tree_sweep(NULL, NULL), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void a_zombie_is_reaped_and_not_counted(void **state)
{
    pid_t pid = fork();
    siginfo_t info;

    (void)state;
    if (pid == 0)
        _exit(0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(tree_sweep(NULL, NULL), 0);
    assert_all_gone();
}

static void a_child_that_ignores_every_signal_dies(void **state)
{
    (void)state;
    if (fork() == 0) {
        for (int sig = 1; sig < NSIG; sig++) {
            struct sigaction ignore = { .sa_handler = SIG_IGN };

            (void)sigaction(sig, &ignore, NULL);
        }
        say_ready_and_stay();
    }
    await_ready(1);
    assert_int_equal(tree_sweep(NULL, NULL), 1);
    assert_all_gone();
}

static void a_daemon_that_forked_twice_and_left_its_session_dies(void **state)
{
    pid_t first = fork();

    (void)state;
    if (first == 0) {
        (void)setsid();
        if (fork() == 0) {
            (void)setsid();
            if (fork() == 0)
                say_ready_and_stay();
            _exit(0);
        }
        _exit(0);
    }
    await_ready(1);
    assert_in_range(tree_sweep(NULL, NULL), 1, 3); /* those before it may not have ended yet */
    assert_all_gone();
}

static void a_stopped_process_dies(void **state)
{
    pid_t pid = fork();
    siginfo_t info;

    (void)state;
    if (pid == 0) {
        (void)raise(SIGSTOP);
        say_ready_and_stay();
    }
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT), 0);
    assert_int_equal(tree_sweep(NULL, NULL), 1);
    assert_all_gone();
}

static void a_deep_and_wide_tree_dies_and_is_counted(void **state)
{
    (void)state;
    if (fork() == 0) {
        /* 2^5 processes: each goes on forking after each fork */
        for (int i = 0; i < 5; i++)
            (void)fork();
        say_ready_and_stay();
    }
    await_ready(32);
    assert_int_equal(tree_sweep(NULL, NULL), 32);
    assert_all_gone();
}

/* Each forks and ends at once: no member lives as long as one look at /proc takes. */
static void a_chain_that_forks_on_and_on_dies(void **state)
{
    (void)state;
    if (fork() == 0) {
        (void)setsid();
        (void)!write(said[1], "r", 1);
        while (fork() == 0)
            continue;
        _exit(0);
    }
    await_ready(1);
    (void)tree_sweep(NULL, NULL);
    assert_all_gone();
}

static void a_fork_bomb_dies(void **state)
{
    (void)state;
    if (fork() == 0) {
        (void)setsid();
        (void)!write(said[1], "r", 1);
        for (int i = 0; i < 9;
             i++) /* at most 512, so that a failure does not take the machine */
            (void)fork();
        for (;;)
            (void)pause();
    }
    await_ready(1);
    assert_true(tree_sweep(NULL, NULL) > 0);
    assert_all_gone();
}

static bool is_pid(void *ctx, pid_t pid)
{
    return *(const pid_t *)ctx == pid;
}

static void a_spared_child_lives_with_its_own_child_and_is_not_reaped(void **state)
{
    pid_t spared = fork();
    int status;

    (void)state;
    if (spared == 0) {
        pid_t below = fork();

        if (below == 0)
            say_ready_and_stay();
        (void)!write(said[1], "r", 1);
        (void)waitpid(below, &status, 0);
        _exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1 ? 7 : 1);
    }
    if (fork() == 0)
        say_ready_and_stay();
    await_ready(3);
    assert_int_equal(tree_sweep(is_pid, &spared), 1);
    /* Both are still there, so the signal reaches two; SIGUSR1 ends the parent too. */
    assert_int_equal(waitpid(spared, &status, WNOHANG), 0);
    assert_int_equal(tree_signal(SIGUSR1, NULL, NULL), 2);
    assert_int_equal(tree_sweep(NULL, NULL) >= 0, 1);
    assert_all_gone();
}

static void sigterm_reaches_everybody_and_wakes_the_stopped(void **state)
{
    pid_t stopped;
    siginfo_t info;

    (void)state;
    if (fork() == 0) {
        (void)setsid();
        if (fork() == 0)
            say_ready_and_stay();
        say_ready_and_stay();
    }
    stopped = fork();
    if (stopped == 0) {
        (void)raise(SIGSTOP);
        say_ready_and_stay();
    }
    await_ready(2);
    assert_int_equal(waitid(P_PID, (id_t)stopped, &info, WSTOPPED | WNOWAIT), 0);
    assert_int_equal(tree_signal(SIGTERM, NULL, NULL), 3);
    (void)close(said[1]);
    said[1] = -1;
    /* Nobody is killed by the sweep: they end by themselves, and this waits for that. */
    {
        char c;
        assert_int_equal(read(said[0], &c, 1), 0);
    }
    assert_int_equal(tree_sweep(NULL, NULL), 0);
}

static int adopt_orphans(void **state)
{
    (void)state;
    return tree_become_subreaper(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_pipe, close_pipe)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_to_sweep_is_nothing_killed),
        TEST(a_zombie_is_reaped_and_not_counted),
        TEST(a_child_that_ignores_every_signal_dies),
        TEST(a_daemon_that_forked_twice_and_left_its_session_dies),
        TEST(a_stopped_process_dies),
        TEST(a_deep_and_wide_tree_dies_and_is_counted),
        TEST(a_chain_that_forks_on_and_on_dies),
        TEST(a_fork_bomb_dies),
        TEST(a_spared_child_lives_with_its_own_child_and_is_not_reaped),
        TEST(sigterm_reaches_everybody_and_wakes_the_stopped),
    };

    (void)alarm(HANG_S); /* a process that got away must not hang the run */
    return cmocka_run_group_tests_name("pool/tree", tests, adopt_orphans, NULL);
}
