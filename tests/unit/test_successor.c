/* A shell stands for the program that is to take our place. */
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/sys.h"
#include "pool/successor.h"

static char sh[] = "sh", dash_c[] = "-c";

static struct handover handover_of_test(void)
{
    return (struct handover){ .pid = getpid(), .lock_fd = -1, .front_socket_fd = -1 };
}

/* The status of a check that runs this script; its reason is in *c. */
static int run_check(const char *path, const char *script, struct successor_check *c)
{
    AUTO(mem) char *text = mem_str(script);
    char *argv[] = { sh, dash_c, text, NULL };
    const struct successor_conf conf = { .path = path, .argv = argv, .check_argv = argv };
    const struct handover h = handover_of_test();
    int status;

    assert_int_equal(successor_check_start(&conf, &h, c, NULL), 0);
    assert_true(c->pid > 0);
    while (c->fd >= 0) {
        struct pollfd p = { .fd = c->fd, .events = POLLIN };

        assert_int_equal(poll(&p, 1, 20000), 1);
        successor_check_read(c);
    }
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    successor_check_ended(c);
    assert_int_equal(c->pid, 0);
    assert_int_equal(c->fd, -1);
    assert_null(getenv(HANDOVER_VARIABLE)); /* it is of the child only */
    return status;
}

static void a_check_that_ends_with_0_is_a_yes(void **state)
{
    struct successor_check c;

    (void)state;
    assert_int_equal(run_check("/bin/sh", "exit 0", &c), 0);
}

static void what_a_check_prints_is_its_reason_in_one_line(void **state)
{
    struct successor_check c;
    int status;

    (void)state;
    status = run_check("/bin/sh", "echo line 3: no; echo and more >&2; exit 78", &c);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 78);
    assert_string_equal(c.reason, "line 3: no and more");
}

static void a_long_reason_is_cut_and_read_to_its_end(void **state)
{
    struct successor_check c;

    (void)state;
    (void)run_check("/bin/sh", "head -c 300000 /dev/zero | tr '\\000' x; exit 1", &c);
    assert_int_equal(strlen(c.reason), SUCCESSOR_REASON_SIZE - 1);
}

static void the_check_is_told_whose_place_it_is_about(void **state)
{
    AUTO(mem) char *want = mem_printf("pid %d", (int)getpid());
    struct successor_check c;

    (void)state;
    (void)run_check("/bin/sh", "echo \"$JOBD_HANDOVER\"; exit 1", &c);
    assert_non_null(strstr(c.reason, want));
}

/* As the supervisor has blocked what it reads from a descriptor. */
static void the_check_starts_with_signals_as_usual(void **state)
{
    struct successor_check c;
    sigset_t set, before;

    (void)state;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, &before);
    (void)run_check("/bin/sh", "grep SigBlk /proc/self/status; exit 1", &c);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    assert_non_null(strstr(c.reason, "0000000000000000"));
}

static void a_program_that_is_not_there_is_a_no_with_its_reason(void **state)
{
    struct successor_check c;

    (void)state;
    assert_int_not_equal(run_check("/nonexistent/jobd", "", &c), 0);
    assert_non_null(strstr(c.reason, "/nonexistent/jobd: No such file or directory"));
}

static pid_t no_fork(void)
{
    errno = EAGAIN;
    return -1;
}

static void a_full_process_table_is_an_error_and_leaves_nothing_open(void **state)
{
    char *argv[] = { sh, NULL };
    const struct successor_conf conf = { .path = "/bin/sh", .argv = argv, .check_argv = argv };
    const struct handover h = handover_of_test();
    struct successor_check c = { .fd = -1 };
    int next_before, next_after;

    (void)state;
    next_before = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)close(next_before);
    sys.fork = no_fork;
    assert_int_equal(successor_check_start(&conf, &h, &c, NULL), ERR_SYS);
    sys_reset();
    assert_int_equal(c.pid, 0);
    assert_int_equal(c.fd, -1);
    next_after = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)close(next_after);
    assert_int_equal(next_after, next_before);
    assert_null(getenv(HANDOVER_VARIABLE));
}

/* In a child, which becomes the successor: the descriptors are open there, and the text is in
 * its environment. */
static void a_successor_keeps_the_process_and_the_descriptors(void **state)
{
    char script[] =
        "test \"$1\" = $$ && echo \"$JOBD_HANDOVER\" | grep -q \"^pid $$\\$\" &&"
        " test -e /proc/self/fd/\"$2\" && exit 42";
    int status;
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        struct handover h = handover_of_test();
        int fd = fcntl(0, F_DUPFD_CLOEXEC, 100);
        char *argv[] = {
            sh, dash_c, script, sh, mem_printf("%d", (int)getpid()), mem_printf("%d", fd), NULL
        };
        const struct successor_conf conf = { .path = "/bin/sh", .argv = argv };

        h.lock_fd = fd;
        (void)successor_exec(&conf, &h, NULL);
        _exit(1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
}

static void a_change_that_fails_leaves_everything_as_it_was(void **state)
{
    char *argv[] = { sh, NULL };
    const struct successor_conf conf = { .path = "/nonexistent/jobd", .argv = argv };
    struct handover h = handover_of_test();
    AUTO_FINI(fd) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct errinfo e;

    (void)state;
    h.lock_fd = fd;
    assert_int_equal(successor_exec(&conf, &h, &e), ERR_SYS);
    assert_non_null(strstr(e.text, "/nonexistent/jobd"));
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_null(getenv(HANDOVER_VARIABLE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_check_that_ends_with_0_is_a_yes),
        cmocka_unit_test(what_a_check_prints_is_its_reason_in_one_line),
        cmocka_unit_test(a_long_reason_is_cut_and_read_to_its_end),
        cmocka_unit_test(the_check_is_told_whose_place_it_is_about),
        cmocka_unit_test(the_check_starts_with_signals_as_usual),
        cmocka_unit_test(a_program_that_is_not_there_is_a_no_with_its_reason),
        cmocka_unit_test(a_full_process_table_is_an_error_and_leaves_nothing_open),
        cmocka_unit_test(a_successor_keeps_the_process_and_the_descriptors),
        cmocka_unit_test(a_change_that_fails_leaves_everything_as_it_was),
    };

    (void)alarm(HANG_S);
    return cmocka_run_group_tests_name("pool/successor", tests, NULL, NULL);
}
