/* What holds, limits and measures a command: with control groups, where this host has them, and
 * without. */
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "pool/cage.h"
#include "pool/command.h"
#include "pool/tree.h"
#include "tests/support/lab.h"

static struct lab lab;
static struct cage_host cage_host;
static struct cgroup_base base;
static struct cgroup worker;
static struct command *running;

static void open_lab(void)
{
    lab_open(&lab);
    cgroup_none(&base.group);
    cgroup_none(&base.own);
    cgroup_none(&worker);
    cage_host = (struct cage_host){ 0 };
    assert_int_equal(detached_open(lab.data_dir, &cage_host.detached, NULL), 0);
    lab.host.cage = &cage_host;
}

static int without_groups(void **state)
{
    (void)state;
    open_lab();
    return 0;
}

static int with_groups(void **state)
{
    struct errinfo e = { 0 };

    (void)state;
    open_lab();
    if (cgroup_base_open(&base, &e) < 0 || !cgroup_holds(&base.group))
        return 0; /* needs_groups() skips */
    assert_int_equal(cgroup_worker_open(&base.group, 1, &worker, NULL), 0);
    cage_host.base = &base.group;
    cage_host.worker = &worker;
    return 0;
}

static int close_lab(void **state)
{
    (void)state;
    cage_host.detached = detached_free(cage_host.detached);
    cage_host_close(&cage_host);
    if (cgroup_exists(&worker))
        cgroup_leaf_remove(&base.group, &worker);
    if (cgroup_exists(&base.group))
        assert_int_equal(faccessat(base.group.dirs[CGROUP_V2], "w1", F_OK, 0), -1);
    cgroup_base_remove(&base);
    lab_close(&lab);
    return 0;
}

static bool has_groups(void)
{
    return cage_host.worker != NULL;
}

static void needs_groups(unsigned power)
{
    if (!has_groups() || (base.group.power & power) != power)
        skip();
}

static void run(struct order o)
{
    unsigned ended = lab.done_count;

    running = command_start(&lab.host, &lab.reaper, &o);
    lab_await(&lab, ended + 1);
}

static struct order limited(const char *script, enum limit limit, int64_t value)
{
    struct order o = lab_script(script);

    o.limits.values[limit] = value;
    return o;
}

static void assert_cause(enum cause want)
{
    if (lab.outcome.cause != want)
        fail_msg("the cause is %s, not %s: %s", cause_meta(lab.outcome.cause)->slug,
                 cause_meta(want)->slug, lab.outcome.message);
}

static void assert_output(const char *want)
{
    AUTO(mem) char *got = lab_output(&lab, STREAM_STDOUT);

    assert_string_equal(got, want);
}

static bool in(unsigned set, enum limit limit)
{
    return (set >> limit & 1) != 0;
}

/* ---- what held it -------------------------------------------------------------------------
 */

static void the_outcome_says_what_held_it(void **state)
{
    (void)state;
    run(lab_script("exit 0"));
    assert_cause(CAUSE_NONE);
    assert_int_equal(lab.outcome.containment,
                     has_groups() ? CONTAINMENT_CGROUP : CONTAINMENT_SUBREAPER);
    assert_int_equal(lab.outcome.limits_enforced, 0);
}

static void what_is_left_is_killed_and_counted(void **state)
{
    (void)state;
    run(lab_script("setsid sleep 300 >&- 2>&- & sleep 300 >&- 2>&- & sleep 0.1; exit 0"));
    assert_cause(CAUSE_NONE);
    assert_int_equal(lab.outcome.leftovers_killed, 2);
}

static void rights_are_not_gained_when_told_so(void **state)
{
    (void)state;
    cage_host.no_new_privs = true;
    run(lab_script("grep NoNewPrivs /proc/self/status | cut -f2"));
    assert_output("1\n");
    cage_host.no_new_privs = false;
    run(lab_script("grep NoNewPrivs /proc/self/status | cut -f2"));
    assert_output("0\n");
}

static void its_group_is_its_own(void **state)
{
    AUTO(mem) char *got = NULL;

    (void)state;
    needs_groups(0);
    run(lab_script("grep ^0:: /proc/self/cgroup"));
    got = lab_output(&lab, STREAM_STDOUT);
    assert_non_null(strstr(got, "/w1/a"));
}

/* Finds its group in $g, where jobs may write to it at all. */
#define IN_ITS_GROUP                                                                           \
    "g=$(sed -n 's/^0:://p' /proc/self/cgroup); for m in /sys/fs/cgroup/unified"               \
    " /sys/fs/cgroup; do [ -e $m$g/cgroup.kill ] && g=$m$g && break; done; "

static void assert_the_next_one_lives(void)
{
    struct order o = lab_script("echo alive");

    o.timeout_us = PATIENCE_US;
    run(o);
    assert_cause(CAUSE_NONE);
    assert_output("alive\n");
    assert_int_equal(lab.outcome.containment, CONTAINMENT_CGROUP);
}

/* Some kernels would kill all who are born there afterwards. */
static void a_group_that_somebody_has_killed_is_not_used_again(void **state)
{
    (void)state;
    needs_groups(CGROUP_KILL);
    run(lab_script("exit 0")); /* leaves its group to the next one */
    for (int i = 0; i < 5; i++) {
        run(lab_script(IN_ITS_GROUP "echo 1 >$g/cgroup.kill && exec sleep 300"));
        if (lab.outcome.cause == CAUSE_EXIT_CODE)
            skip(); /* there is none that it can write to */
        assert_cause(CAUSE_SIGNAL);
        assert_int_equal(lab.outcome.signal, SIGKILL);
        assert_the_next_one_lives();
    }
}

/* Whoever has left it can freeze it, and end well. */
static void a_group_that_was_frozen_is_not_used_again(void **state)
{
    (void)state;
    needs_groups(CGROUP_KILL);
    run(lab_script(IN_ITS_GROUP
                   "echo $$ >${g%/*/*/*}/cgroup.procs && echo 1 >$g/cgroup.freeze"));
    if (lab.outcome.cause == CAUSE_EXIT_CODE)
        skip();
    assert_the_next_one_lives();
}

static void a_group_that_somebody_has_removed_is_made_anew(void **state)
{
    (void)state;
    needs_groups(CGROUP_KILL);
    run(lab_script("exit 0"));
    if (!cage_host.has_spare)
        skip();
    assert_int_equal(unlinkat(worker.dirs[CGROUP_V2], cage_host.spare.group.name, AT_REMOVEDIR),
                     0);
    assert_the_next_one_lives();
    assert_true(cage_host.has_spare);
    assert_the_next_one_lives();
}

static bool write_to(int dir, const char *file, const char *text)
{
    AUTO_FINI(fd) int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* The same kernels do so when it was our own, before we came. */
static void a_group_that_was_killed_before_jobd_came_is_as_good(void **state)
{
    int own = base.own.dirs[CGROUP_V2];
    AUTO_FINI(fd) int killed = -1;
    bool moved;

    (void)state;
    needs_groups(CGROUP_KILL);
    if (base.moved || mkdirat(own, "killed-before", 0755) < 0)
        skip();
    killed = openat(own, "killed-before", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    moved = write_to(killed, "cgroup.kill", "1") && write_to(killed, "cgroup.procs", "0");
    for (int i = 0; i < 6 && moved; i++)
        assert_the_next_one_lives();
    assert_true(write_to(own, "cgroup.procs", "0"));
    assert_int_equal(unlinkat(own, "killed-before", AT_REMOVEDIR), 0);
}

/* ---- limits -------------------------------------------------------------------------------
 */

static void too_much_cpu_ends_it(void **state)
{
    (void)state;
    run(limited("while :; do :; done", LIMIT_CPU, USEC_PER_SEC / 5));
    assert_cause(CAUSE_RESOURCE_LIMIT_EXCEEDED);
    assert_true(in(lab.outcome.limits_enforced, LIMIT_CPU));
    assert_int_equal(in(lab.outcome.limits_by_cgroup, LIMIT_CPU), has_groups());
    assert_int_equal(lab.outcome.limits_exceeded, 1u << LIMIT_CPU);
    if (has_groups()) /* rlimits know whole seconds only */
        assert_in_range(lab.outcome.user_cpu_us + lab.outcome.system_cpu_us, USEC_PER_SEC / 5,
                        USEC_PER_SEC * 9 / 10);
}

static void cpu_of_many_is_added_up(void **state)
{
    (void)state;
    needs_groups(0);
    run(limited("for i in 1 2 3; do (while :; do :; done) & done; wait", LIMIT_CPU,
                USEC_PER_SEC / 5));
    assert_cause(CAUSE_RESOURCE_LIMIT_EXCEEDED);
    assert_int_equal(lab.outcome.limits_exceeded, 1u << LIMIT_CPU);
}

static void too_much_memory_ends_it(void **state)
{
    (void)state;
    needs_groups(CGROUP_MEMORY);
    run(limited("exec tail /dev/zero", LIMIT_MEMORY, 32 << 20));
    assert_cause(CAUSE_OOM_KILLED);
    assert_int_equal(lab.outcome.signal, SIGKILL);
    assert_true(in(lab.outcome.limits_by_cgroup, LIMIT_MEMORY));
    assert_int_equal(lab.outcome.limits_exceeded, 1u << LIMIT_MEMORY);
}

static void without_a_group_memory_is_the_address_space(void **state)
{
    (void)state;
    run(limited("ulimit -v", LIMIT_MEMORY, 64 << 20));
    assert_cause(CAUSE_NONE);
    assert_true(in(lab.outcome.limits_enforced, LIMIT_MEMORY));
    if (!in(lab.outcome.limits_by_cgroup, LIMIT_MEMORY))
        assert_output("65536\n");
}

static void too_many_processes_are_refused(void **state)
{
    (void)state;
    run(limited("for i in 1 2 3 4 5 6; do sleep 0.2 & done; wait", LIMIT_PROCESSES, 3));
    if (has_groups() && (base.group.power & CGROUP_PIDS)) {
        assert_cause(CAUSE_EXIT_CODE);
        assert_true(in(lab.outcome.limits_by_cgroup, LIMIT_PROCESSES));
        assert_int_equal(lab.outcome.limits_exceeded, 1u << LIMIT_PROCESSES);
    } else if (geteuid() == 0) {
        assert_cause(CAUSE_NONE); /* the kernel does not count root's, and we say so */
        assert_false(in(lab.outcome.limits_enforced, LIMIT_PROCESSES));
    } else {
        assert_true(in(lab.outcome.limits_enforced, LIMIT_PROCESSES));
    }
}

static void a_file_that_grows_too_large_ends_it(void **state)
{
    AUTO(mem) char *script = mem_printf("exec head -c 3000 /dev/zero > %s/big", lab.data_dir);

    (void)state;
    run(limited(script, LIMIT_FILE_SIZE, 1000));
    assert_cause(CAUSE_RESOURCE_LIMIT_EXCEEDED);
    assert_int_equal(lab.outcome.signal, SIGXFSZ);
    assert_int_equal(lab.outcome.limits_exceeded, 1u << LIMIT_FILE_SIZE);
    assert_non_null(strstr(lab.outcome.message, "file_size_bytes is 1000"));
}

static void open_files_are_limited(void **state)
{
    (void)state;
    run(limited("ulimit -n; ulimit -Hn", LIMIT_OPEN_FILES, 40));
    assert_output("40\n40\n");
    assert_int_equal(lab.outcome.limits_enforced, 1u << LIMIT_OPEN_FILES);
}

static void too_much_output_ends_it(void **state)
{
    (void)state;
    run(limited("exec cat /dev/zero", LIMIT_OUTPUT, 1000));
    assert_cause(CAUSE_OUTPUT_LIMIT_EXCEEDED);
    assert_int_equal(lab.outcome.limits_exceeded, 1u << LIMIT_OUTPUT);
    assert_non_null(strstr(lab.outcome.message, "output_bytes is 1000"));
    run(limited("printf 12345", LIMIT_OUTPUT, 5));
    assert_cause(CAUSE_NONE);
}

static void a_limit_that_is_not_reached_ends_nothing(void **state)
{
    struct order o = limited("exit 3", LIMIT_CPU, 100 * USEC_PER_SEC);

    (void)state;
    o.limits.values[LIMIT_MEMORY] = INT64_C(1) << 30;
    o.limits.values[LIMIT_FILE_SIZE] = 1 << 20;
    run(o);
    assert_cause(CAUSE_EXIT_CODE);
    assert_int_equal(lab.outcome.limits_exceeded, 0);
}

/* ---- cost ---------------------------------------------------------------------------------
 */

static void the_cost_of_orphans_counts(void **state)
{
    struct order o = lab_script("(i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done) & exit 0");

    (void)state;
    o.leftover = LEFTOVER_WAIT;
    run(o);
    assert_cause(CAUSE_NONE);
    assert_true(lab.outcome.user_cpu_us + lab.outcome.system_cpu_us > 10 * USEC_PER_MS);
    assert_true(lab.outcome.max_rss_bytes > 0);
    assert_true(lab.outcome.voluntary_switches + lab.outcome.involuntary_switches > 0);
}

static void the_cost_of_one_is_not_that_of_the_next(void **state)
{
    usec_t first_us;

    (void)state;
    run(lab_script("i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"));
    first_us = lab.outcome.user_cpu_us + lab.outcome.system_cpu_us;
    run(lab_script("exit 0"));
    assert_true(lab.outcome.user_cpu_us + lab.outcome.system_cpu_us < first_us);
}

/* ---- leftovers ----------------------------------------------------------------------------
 */

static void who_is_left_is_waited_for_when_told_so(void **state)
{
    struct order o = lab_script("(sleep 0.2; echo late) & echo early; exit 0");

    (void)state;
    o.leftover = LEFTOVER_WAIT;
    run(o);
    assert_cause(CAUSE_NONE);
    assert_output("early\nlate\n");
    assert_int_equal(lab.outcome.leftovers_killed, 0);
}

static void the_timeout_runs_while_waiting(void **state)
{
    struct order o = lab_script("setsid sleep 300 & exit 0");

    (void)state;
    o.leftover = LEFTOVER_WAIT;
    o.timeout_us = 200 * USEC_PER_MS;
    run(o);
    assert_cause(CAUSE_DEADLINE_EXCEEDED);
}

static void waiting_can_be_canceled(void **state)
{
    struct order o = lab_script("sleep 300 & exit 0");
    siginfo_t ended = { 0 };

    (void)state;
    o.leftover = LEFTOVER_WAIT;
    running = command_start(&lab.host, &lab.reaper, &o);
    assert_non_null(running);
    /* Until the main process has ended; the loop then learns of it. */
    assert_int_equal(waitid(P_ALL, 0, &ended, WEXITED | WNOWAIT), 0);
    assert_int_equal(loop_turn(lab.loop, NULL), 0);
    assert_int_equal(lab.done_count, 0);
    command_cancel(running, PROTO_CANCEL_GRACEFUL, -1);
    lab_await(&lab, 1);
    assert_cause(CAUSE_CANCELED);
}

static pid_t pid_of_output(void)
{
    AUTO(mem) char *text = lab_output(&lab, STREAM_STDOUT);
    pid_t pid = (pid_t)strtol(text, NULL, 10);

    assert_true(pid > 1);
    return pid;
}

static void who_is_let_go_lives_on(void **state)
{
    struct order o = lab_script("setsid sleep 300 >&- 2>&- & echo $!; exit 0");
    pid_t pid;

    (void)state;
    o.leftover = LEFTOVER_DETACH;
    run(o);
    assert_cause(CAUSE_NONE);
    assert_int_equal(lab.outcome.leftovers_killed, 0);
    pid = pid_of_output();
    assert_int_equal(kill(pid, 0), 0);
    run(lab_script("sleep 300 >&- 2>&- & exit 0"));
    assert_int_equal(lab.outcome.leftovers_killed, 1); /* the other one */
    assert_int_equal(kill(pid, 0), 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid); /* it was our child all the time */
}

static void what_it_forks_later_lives_too(void **state)
{
    struct order o =
        lab_script("(sleep 0.2; sleep 300 & echo $! > $P; exit 0) >&- 2>&- & exit 0");
    AUTO(mem) char *path = mem_printf("%s/pid", lab.data_dir);
    AUTO(mem) char *until = mem_printf("while ! [ -s %s ]; do sleep 0.01; done", path);
    FILE *f;
    int pid;

    (void)state;
    free(o.env[0]);
    free(o.env);
    o.env = mem_array0(2, sizeof *o.env);
    o.env[0] = mem_printf("P=%s", path);
    o.leftover = LEFTOVER_DETACH;
    run(o);
    run(lab_script(until));
    f = fopen(path, "re");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &pid), 1);
    (void)fclose(f);
    assert_int_equal(kill(pid, SIGKILL), 0); /* it was there */
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void who_is_stopped_is_not_let_go(void **state)
{
    struct order o = lab_script("sleep 300 & sleep 300");

    (void)state;
    o.leftover = LEFTOVER_DETACH;
    o.timeout_us = 200 * USEC_PER_MS;
    run(o);
    assert_cause(CAUSE_DEADLINE_EXCEEDED);
}

static void without_a_table_nobody_is_let_go(void **state)
{
    struct order o = lab_script("sleep 300 >&- 2>&- & exit 0");

    (void)state;
    cage_host.detached = detached_free(cage_host.detached);
    o.leftover = LEFTOVER_DETACH;
    run(o);
    assert_cause(CAUSE_NONE);
    assert_int_equal(lab.outcome.leftovers_killed, 1);
}

#define BOTH(f)                                                                                \
    cmocka_unit_test_setup_teardown(f, without_groups, close_lab),                             \
        cmocka_unit_test_setup_teardown(f, with_groups, close_lab)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(the_outcome_says_what_held_it),
        BOTH(what_is_left_is_killed_and_counted),
        BOTH(rights_are_not_gained_when_told_so),
        BOTH(its_group_is_its_own),
        BOTH(a_group_that_somebody_has_killed_is_not_used_again),
        BOTH(a_group_that_was_frozen_is_not_used_again),
        BOTH(a_group_that_somebody_has_removed_is_made_anew),
        BOTH(a_group_that_was_killed_before_jobd_came_is_as_good),
        BOTH(too_much_cpu_ends_it),
        BOTH(cpu_of_many_is_added_up),
        BOTH(too_much_memory_ends_it),
        BOTH(without_a_group_memory_is_the_address_space),
        BOTH(too_many_processes_are_refused),
        BOTH(a_file_that_grows_too_large_ends_it),
        BOTH(open_files_are_limited),
        BOTH(too_much_output_ends_it),
        BOTH(a_limit_that_is_not_reached_ends_nothing),
        BOTH(the_cost_of_orphans_counts),
        BOTH(the_cost_of_one_is_not_that_of_the_next),
        BOTH(who_is_left_is_waited_for_when_told_so),
        BOTH(the_timeout_runs_while_waiting),
        BOTH(waiting_can_be_canceled),
        BOTH(who_is_let_go_lives_on),
        BOTH(what_it_forks_later_lives_too),
        BOTH(who_is_stopped_is_not_let_go),
        BOTH(without_a_table_nobody_is_let_go),
    };

    return cmocka_run_group_tests_name("pool/cage", tests, NULL, NULL);
}
