/* Paths from the files of many kinds of hosts, and real groups where this host has them. */
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "pool/cage.h"
#include "pool/cgroup.h"
#include "pool/cgroup_find.h"
#include "pool/cgroup_meter.h"
#include "tests/support/tmp.h"

/* ---- where it is ------------------------------------------------------------------------- */

static void assert_own(const char *mountinfo, const char *cgroups, enum cgroup_tree tree,
                       const char *want)
{
    char room[CGROUP_PATH_SIZE];

    assert_string_equal(cgroup_own_path(mountinfo, cgroups, tree, room), want);
}

static const char unified[] =
    "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
    "31 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
static const char hybrid[] =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
    "36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
static const char hybrid_groups[] = "8:cpu,cpuacct:/\n4:memory:/jail/7\n0::/init.scope\n";

static void on_a_unified_host_it_is_below_the_mount(void **state)
{
    (void)state;
    assert_own(unified, "0::/system.slice/jobd.service\n", CGROUP_V2,
               "/sys/fs/cgroup/system.slice/jobd.service");
    assert_own(unified, "0::/\n", CGROUP_V2, "/sys/fs/cgroup");
    assert_own(unified, "0::/\n", CGROUP_V1_MEMORY, "");
}

static void on_a_hybrid_host_each_tree_has_its_own(void **state)
{
    (void)state;
    assert_own(hybrid, hybrid_groups, CGROUP_V2, "/sys/fs/cgroup/unified/init.scope");
    assert_own(hybrid, hybrid_groups, CGROUP_V1_MEMORY, "/sys/fs/cgroup/memory/jail/7");
    assert_own(hybrid, hybrid_groups, CGROUP_V1_PIDS, "");
}

static void in_a_container_the_mounted_part_counts(void **state)
{
    static const char mounts[] =
        "31 22 0:26 /docker/ab /sys/fs/cgroup ro - cgroup2 cgroup rw\n";

    (void)state;
    assert_own(mounts, "0::/docker/ab\n", CGROUP_V2, "/sys/fs/cgroup");
    assert_own(mounts, "0::/docker/ab/x\n", CGROUP_V2, "/sys/fs/cgroup/x");
    assert_own(mounts, "0::/\n", CGROUP_V2, "/sys/fs/cgroup");
    assert_own(unified, "0::/../../other\n", CGROUP_V2, "/sys/fs/cgroup");
}

static void what_a_jobd_made_for_itself_is_not_nested(void **state)
{
    (void)state;
    assert_own(unified, "0::/x/jobd-12/main\n", CGROUP_V2, "/sys/fs/cgroup/x");
    assert_own(unified, "0::/jobd-12/main\n", CGROUP_V2, "/sys/fs/cgroup");
    assert_own(unified, "0::/x/main\n", CGROUP_V2, "/sys/fs/cgroup/x/main");
    assert_own(unified, "0::/jobd-12/w3\n", CGROUP_V2, "/sys/fs/cgroup/jobd-12/w3");
}

static void without_a_mount_there_is_none(void **state)
{
    (void)state;
    assert_own("", "0::/\n", CGROUP_V2, "");
    assert_own(unified, "", CGROUP_V2, "");
    assert_own("22 1 8:1 / / rw\n", "0::/\n", CGROUP_V2, "");
    assert_own("31 23 0:28 / /sys/fs/cgroup/x rw - cgroup cgroup rw,memory_not\n",
               "4:memory:/\n", CGROUP_V1_MEMORY, "");
}

/* ---- files, on a tree that only looks like one ------------------------------------------- */

static void write_file(int dir, const char *name, const char *text)
{
    AUTO_FINI(fd) int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void assert_content(int dir, const char *name, const char *want)
{
    AUTO_FINI(fd) int fd = openat(dir, name, O_RDONLY);
    char text[64] = "";

    assert_true(fd >= 0);
    assert_true(read(fd, text, sizeof text - 1) >= 0);
    assert_string_equal(text, want);
}

static void version_2_is_limited_and_read_by_its_files(void **state)
{
    char dir[TMP_SIZE];
    struct cgroup parent, leaf;
    struct limits limits = { 0 };
    struct cgroup_meter meter;
    struct cgroup_usage usage;
    unsigned set = 0;
    int at;

    (void)state;
    (void)tmp_dir_make(dir);
    cgroup_none(&parent);
    parent.power = CGROUP_KILL | CGROUP_EVENTS | CGROUP_MEMORY | CGROUP_PIDS;
    at = parent.dirs[CGROUP_V2] = open(dir, O_RDONLY | O_DIRECTORY);
    assert_true(at >= 0);
    assert_int_equal(mkdirat(at, "a1", 0700), 0); /* as if the kernel had filled it */
    at = openat(at, "a1", O_RDONLY | O_DIRECTORY);
    write_file(at, "memory.max", "");
    write_file(at, "memory.swap.max", "");
    write_file(at, "pids.max", "");
    write_file(at, "cpu.stat", "usage_usec 30\nuser_usec 10\nsystem_usec 20\n");
    write_file(at, "memory.events", "low 0\nmax 3\noom 1\noom_kill 2\noom_group_kill 0\n");
    write_file(at, "pids.events", "max 5\n");
    write_file(at, "cgroup.events", "populated 1\nfrozen 0\n");
    write_file(at, "cgroup.procs", "12\n13\n");

    limits.values[LIMIT_MEMORY] = 1048576;
    limits.values[LIMIT_PROCESSES] = 7;
    assert_int_equal(cgroup_leaf_make(&parent, 1, &limits, &leaf, &set, NULL), 0);
    assert_int_equal(set, 1u << LIMIT_MEMORY | 1u << LIMIT_PROCESSES);
    assert_content(at, "memory.max", "1048576");
    assert_content(at, "memory.swap.max", "0");
    assert_content(at, "pids.max", "7");
    cgroup_meter_open(&meter, &leaf);
    cgroup_meter_read(&meter, &usage);
    cgroup_meter_close(&meter);
    assert_int_equal(usage.user_us, 10);
    assert_int_equal(usage.system_us, 20);
    assert_int_equal(usage.oom_kills, 2);
    assert_int_equal(usage.pids_refused, 5);
    assert_false(cgroup_is_empty(&leaf));
    assert_int_equal(cgroup_count(&leaf), 2);
    write_file(at, "cgroup.events", "populated 0\nfrozen 0\n");
    assert_true(cgroup_is_empty(&leaf));
    cgroup_close(&leaf);
    cgroup_close(&parent);
    (void)close(at);
    tmp_dir_remove(dir);
}

/* ---- real ones --------------------------------------------------------------------------- */

static bool open_base(struct cgroup_base *b)
{
    struct errinfo e = { 0 };

    if (cgroup_base_open(b, &e) == 0 && cgroup_holds(&b->group))
        return true;
    print_message("skipped: no control groups here: %s\n", e.text);
    cgroup_base_remove(b);
    return false;
}

static pid_t start_in(const struct cgroup *g)
{
    int fds[CGROUP_TREES];
    pid_t parent = getpid();
    pid_t pid;
    int gate[2];
    char c;

    assert_int_equal(cgroup_open_procs(g, fds, NULL), 0);
    assert_int_equal(pipe(gate), 0);
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int t = 0; t < CGROUP_TREES; t++)
            if (fds[t] >= 0 && write(fds[t], "0", 1) != 1)
                _exit(1);
        (void)close_range(3, ~0U, 0); /* the lock of a worker is on one of them */
        while (getppid() == parent)
            (void)pause();
        _exit(0);
    }
    assert_true(pid > 0);
    (void)close(gate[1]);
    assert_int_equal(read(gate[0], &c, 1), 0); /* it is in */
    (void)close(gate[0]);
    for (int t = 0; t < CGROUP_TREES; t++)
        fd_fini(&fds[t]);
    return pid;
}

static void assert_killed(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void a_leaf_is_killed_as_a_whole(void **state)
{
    static const struct limits none;
    struct cgroup_base b;
    struct cgroup worker, leaf;
    unsigned set;
    pid_t pids[3];

    (void)state;
    if (!open_base(&b))
        skip();
    assert_int_equal(cgroup_worker_open(&b.group, 1, &worker, NULL), 0);
    assert_int_equal(cgroup_leaf_make(&worker, 1, &none, &leaf, &set, NULL), 0);
    assert_true(cgroup_is_empty(&leaf));
    for (int i = 0; i < 3; i++)
        pids[i] = start_in(&leaf);
    assert_int_equal(cgroup_count(&leaf), 3);
    assert_false(cgroup_await_empty(&leaf, 1));
    cgroup_kill(&leaf);
    assert_true(cgroup_await_empty(&leaf, PATIENCE_US));
    for (int i = 0; i < 3; i++)
        assert_killed(pids[i]);
    cgroup_leaf_remove(&worker, &leaf);
    assert_false(cgroup_exists(&leaf));
    cgroup_leaf_remove(&b.group, &worker);
    cgroup_base_remove(&b);
}

static void what_a_dead_worker_left_is_cleared(void **state)
{
    static const struct limits none;
    struct cgroup_base b;
    struct cgroup worker, leaf;
    unsigned set;
    pid_t pid;

    (void)state;
    if (!open_base(&b))
        skip();
    assert_int_equal(cgroup_worker_open(&b.group, 2, &worker, NULL), 0);
    assert_int_equal(cgroup_leaf_make(&worker, 1, &none, &leaf, &set, NULL), 0);
    pid = start_in(&leaf);
    cgroup_worker_clear(&b.group, 2); /* the lock says that it is alive */
    assert_false(cgroup_is_empty(&leaf));
    cgroup_close(&worker);
    cgroup_worker_clear(&b.group, 2);
    assert_killed(pid);
    assert_int_equal(faccessat(b.group.dirs[CGROUP_V2], "w2", F_OK, 0), -1);
    cgroup_close(&leaf);
    cgroup_base_remove(&b);
}

static void detached_processes_are_out_of_reach(void **state)
{
    static const struct limits none;
    struct cgroup_base b;
    struct cgroup worker, leaf;
    unsigned set;
    pid_t pid;

    (void)state;
    if (!open_base(&b))
        skip();
    assert_int_equal(cgroup_worker_open(&b.group, 3, &worker, NULL), 0);
    assert_int_equal(cgroup_leaf_make(&worker, 1, &none, &leaf, &set, NULL), 0);
    pid = start_in(&leaf);
    cgroup_detach(&leaf, &b.group);
    assert_true(cgroup_is_empty(&leaf));
    cgroup_kill(&leaf);
    cgroup_leaf_remove(&worker, &leaf);
    cgroup_close(&worker);
    cgroup_worker_clear(&b.group, 3);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0); /* it lives */
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_killed(pid);
    cgroup_base_remove(&b);
}

/* A base as a killed supervisor leaves it. */
static void what_a_dead_jobd_left_is_cleaned(void **state)
{
    struct cgroup_base b;
    struct stat st;
    char name[CGROUP_NAME_SIZE];
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        struct cgroup worker;

        if (cgroup_base_open(&b, NULL) == 0)
            (void)cgroup_worker_open(&b.group, 4, &worker, NULL);
        _exit(0);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    if (!open_base(&b))
        skip();
    (void)snprintf(name, sizeof name, "jobd-%d", (int)pid);
    assert_int_equal(fstatat(b.own.dirs[CGROUP_V2], name, &st, 0), 0);
    cgroup_base_clean(&b);
    assert_int_equal(fstatat(b.own.dirs[CGROUP_V2], name, &st, 0), -1);
    cgroup_base_remove(&b);
    (void)snprintf(name, sizeof name, "jobd-%d", (int)getpid());
    assert_int_equal(cgroup_find_own(b.own.dirs, NULL), 0);
    assert_int_equal(fstatat(b.own.dirs[CGROUP_V2], name, &st, 0), -1);
    cgroup_close(&b.own);
}

static void one_that_is_not_there_does_nothing(void **state)
{
    struct cgroup none;
    struct cgroup_meter meter;
    struct cgroup_usage usage;

    (void)state;
    cgroup_none(&none);
    assert_false(cgroup_exists(&none));
    assert_false(cgroup_holds(&none));
    assert_true(cgroup_is_empty(&none));
    assert_true(cgroup_await_empty(&none, 0));
    assert_int_equal(cgroup_count(&none), 0);
    cgroup_meter_open(&meter, &none);
    cgroup_meter_read(&meter, &usage);
    cgroup_meter_close(&meter);
    assert_int_equal(usage.user_us, -1);
    cgroup_kill(&none);
    cgroup_detach(&none, &none);
    cgroup_worker_clear(&none, 1);
    cgroup_leaf_remove(&none, &none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_a_unified_host_it_is_below_the_mount),
        cmocka_unit_test(on_a_hybrid_host_each_tree_has_its_own),
        cmocka_unit_test(in_a_container_the_mounted_part_counts),
        cmocka_unit_test(what_a_jobd_made_for_itself_is_not_nested),
        cmocka_unit_test(without_a_mount_there_is_none),
        cmocka_unit_test(version_2_is_limited_and_read_by_its_files),
        cmocka_unit_test(a_leaf_is_killed_as_a_whole),
        cmocka_unit_test(what_a_dead_worker_left_is_cleared),
        cmocka_unit_test(detached_processes_are_out_of_reach),
        cmocka_unit_test(what_a_dead_jobd_left_is_cleaned),
        cmocka_unit_test(one_that_is_not_there_does_nothing),
    };

    return cmocka_run_group_tests_name("pool/cgroup", tests, NULL, NULL);
}
