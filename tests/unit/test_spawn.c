#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "pool/spawn.h"
#include "tests/support/tmp.h"

static char *no_env[] = { NULL };

/* Start argv with all four descriptors on /dev/null. */
static int start(char *const *argv, char *const *env, pid_t *ret_pid, struct errinfo *e)
{
    AUTO_FINI(fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct spawn_conf conf = { .argv = argv, .env = env, .fds = { null, null, null, null } };
    const char *stage = NULL;
    int r = spawn(&conf, ret_pid, &stage, e);

    if (r < 0)
        assert_string_equal(stage, "exec");
    return r;
}

static int exit_code_of(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void assert_refused(const char *program, char *const *env, int want_errno)
{
    char *argv[] = { mem_str(program), NULL };
    struct errinfo e;
    pid_t pid;

    assert_int_equal(start(argv, env, &pid, &e), ERR_SYS);
    assert_int_equal(e.sys_errno, want_errno);
    assert_int_equal(strncmp(e.text, "exec ", 5), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* not even a zombie */
    assert_int_equal(errno, ECHILD);
    free(argv[0]);
}

static void a_program_runs_with_its_arguments(void **state)
{
    char sh[] = "sh", c[] = "-c", script[] = "exit $1", zero[] = "x", code[] = "42";
    char *argv[] = { sh, c, script, zero, code, NULL };
    pid_t pid;

    (void)state;
    assert_int_equal(start(argv, no_env, &pid, NULL), 0);
    assert_int_equal(exit_code_of(pid), 42);
}

static void exit_code_127_is_an_exit_code(void **state)
{
    char sh[] = "/bin/sh", c[] = "-c", script[] = "no-such-command 2>&-";
    char *argv[] = { sh, c, script, NULL };
    pid_t pid;

    (void)state;
    assert_int_equal(start(argv, no_env, &pid, NULL), 0);
    assert_int_equal(exit_code_of(pid), 127);
}

static void what_is_not_there_is_refused_by_exec_with_its_reason(void **state)
{
    (void)state;
    assert_refused("no-such-program", no_env, ENOENT);
    assert_refused("/no/such/program", no_env, ENOENT);
    assert_refused("", no_env, ENOENT);
}

static void what_cannot_be_executed_is_refused_with_its_reason(void **state)
{
    char dir[TMP_SIZE];
    char path[TMP_SIZE + 16];
    char *env[] = { NULL, NULL };
    struct errinfo e;

    (void)state;
    tmp_dir_make(dir);
    (void)snprintf(path, sizeof path, "%s/tool", dir);
    assert_int_equal(fd_write_file_atomic(path, 0600, "not a program", 13, &e), 0);
    assert_refused(path, no_env, EACCES);
    /* as in execvp(3): "permission denied" is better to know than "not found" further on */
    env[0] = mem_printf("PATH=%s:/nowhere", dir);
    assert_refused("tool", env, EACCES);
    assert_int_equal(chmod(path, 0700), 0);
    assert_refused(path, no_env, ENOEXEC);
    free(env[0]);
    tmp_dir_remove(dir);
}

/* A pipe whose ends are out of the way of 0..3. */
static void open_high_pipe(int fds[2])
{
    int low[2];

    assert_int_equal(pipe2(low, O_CLOEXEC), 0);
    for (int i = 0; i < 2; i++) {
        fds[i] = fcntl(low[i], F_DUPFD_CLOEXEC, 50);
        assert_true(fds[i] >= 50);
        (void)close(low[i]);
    }
}

/* Run conf while 0..3 are these descriptors, then put them back. */
static int spawn_with(const struct spawn_conf *conf, const int fds[4], pid_t *ret_pid)
{
    const char *stage;
    int saved[4];
    int r;

    for (int i = 0; i < 4; i++) {
        saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 50); /* -1: there is none */
        (void)dup2(fds[i], i);
    }
    r = spawn(conf, ret_pid, &stage, NULL);
    for (int i = 0; i < 4; i++) {
        (void)close(i);
        if (saved[i] >= 0)
            (void)dup2(saved[i], i);
        fd_fini(&saved[i]);
    }
    return r;
}

/* Each is in the place of another one: 3 becomes 0, 0 becomes 1, 1 becomes 2, 2 becomes 3. */
static void descriptors_may_come_in_any_order(void **state)
{
    char sh[] = "/bin/sh", c[] = "-c";
    char script[] = "read -r a; echo \"out $a\"; echo \"err $a\" >&2; echo \"three $a\" >&3";
    char *argv[] = { sh, c, script, NULL };
    static const char *const want[] = { NULL, "out x\n", "err x\n", "three x\n" };
    const struct spawn_conf conf = { .argv = argv, .env = no_env, .fds = { 3, 0, 1, 2 } };
    int pipes[4][2];
    pid_t pid;

    (void)state;
    for (int i = 0; i < 4; i++)
        open_high_pipe(pipes[i]);
    assert_int_equal(write(pipes[0][1], "x\n", 2), 2);
    assert_int_equal(
        spawn_with(&conf, (int[]){ pipes[1][1], pipes[2][1], pipes[3][1], pipes[0][0] }, &pid),
        0);
    assert_int_equal(exit_code_of(pid), 0);
    for (int i = 1; i < 4; i++) {
        char text[16] = "";

        assert_true(read(pipes[i][0], text, sizeof text - 1) > 0);
        assert_string_equal(text, want[i]);
    }
    for (int i = 0; i < 4; i++) {
        (void)close(pipes[i][0]);
        (void)close(pipes[i][1]);
    }
}

static void the_environment_has_each_name_once_and_the_extra_one_wins(void **state)
{
    char extra_a[] = "SPAWN_A=new";
    char *extra[] = { extra_a, NULL };
    AUTO(mem) char **env = NULL;
    unsigned found = 0;

    (void)state;
    assert_int_equal(setenv("SPAWN_A", "old", 1), 0);
    assert_int_equal(setenv("SPAWN_AB", "kept", 1), 0);
    assert_int_equal(setenv("JOBD_TOKEN", "secret", 1), 0);
    env = spawn_environment(extra);
    for (size_t i = 0; env[i]; i++) {
        assert_int_not_equal(strncmp(env[i], "JOBD_", 5), 0);
        if (strncmp(env[i], "SPAWN_A=", 8) == 0) {
            assert_string_equal(env[i], "SPAWN_A=new");
            found++;
        }
        if (strcmp(env[i], "SPAWN_AB=kept") == 0)
            found += 10;
    }
    assert_int_equal(found, 11);
}

/* The stage that fails with this conf, whose argv and fds are set here. */
static void assert_fails_at(struct spawn_conf *conf, const char *want_stage, int want_errno)
{
    AUTO_FINI(fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    char program[] = "true";
    char *argv[] = { program, NULL };
    const char *stage = NULL;
    struct errinfo e;
    pid_t pid;

    conf->argv = argv;
    conf->env = no_env;
    for (int i = 0; i < SPAWN_FD_COUNT; i++)
        conf->fds[i] = null;
    assert_int_equal(spawn(conf, &pid, &stage, &e), ERR_SYS);
    assert_string_equal(stage, want_stage);
    assert_int_equal(e.sys_errno, want_errno);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void each_stage_fails_with_its_name(void **state)
{
    struct spawn_conf no_dir = { .dir = "/no/such/directory" };
    struct spawn_conf no_group = { .groups = { -1 }, .group_count = 1 };
    struct spawn_conf no_limit = { .rlimits = { { .resource = 1000 } }, .rlimit_count = 1 };

    (void)state;
    assert_fails_at(&no_dir, "directory", ENOENT);
    assert_fails_at(&no_group, "cgroup", EBADF);
    assert_fails_at(&no_limit, "limits", EINVAL);
}

static void directory_limits_and_privileges_are_set_before_the_program(void **state)
{
    AUTO_FINI(fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    char sh[] = "sh", c[] = "-c";
    char script[] =
        "test $(pwd) = / && test $(ulimit -n) = 33 &&"
        " grep -q 'NoNewPrivs:.1' /proc/self/status";
    char *argv[] = { sh, c, script, NULL };
    const struct spawn_conf conf = {
        .argv = argv,
        .env = no_env,
        .fds = { null, null, null, null },
        .dir = "/",
        .rlimits = { { .resource = RLIMIT_NOFILE, .limit = { 33, 33 } } },
        .rlimit_count = 1,
        .no_new_privs = true,
    };
    const char *stage;
    pid_t pid;

    (void)state;
    assert_int_equal(spawn(&conf, &pid, &stage, NULL), 0);
    assert_int_equal(exit_code_of(pid), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_runs_with_its_arguments),
        cmocka_unit_test(exit_code_127_is_an_exit_code),
        cmocka_unit_test(what_is_not_there_is_refused_by_exec_with_its_reason),
        cmocka_unit_test(what_cannot_be_executed_is_refused_with_its_reason),
        cmocka_unit_test(each_stage_fails_with_its_name),
        cmocka_unit_test(directory_limits_and_privileges_are_set_before_the_program),
        cmocka_unit_test(descriptors_may_come_in_any_order),
        cmocka_unit_test(the_environment_has_each_name_once_and_the_extra_one_wins),
    };

    return cmocka_run_group_tests_name("pool/spawn", tests, NULL, NULL);
}
