/* The directories of attempts: what gets in, what is taken over, and that all else goes,
 * whatever a job has made of it. */
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "pool/tree_remove.h"
#include "pool/workdir.h"
#include "tests/support/tmp.h"

#define LATER (60 * USEC_PER_SEC)

static const struct uuid7 job_id = { 0x0190f0c2a1b27123, 0x8123456789abcdef };
static const struct artifacts_bounds bounds = { .max_bytes = 100, .max_files = 5 };
static const struct inputs no_inputs;

static char data_dir[TMP_SIZE];
static struct loop *loop;
static struct workdirs dirs;
static int attempt;

static int begin(void **state)
{
    (void)state;
    log_set_fd(-1);
    attempt = 0;
    tmp_dir_make(data_dir);
    assert_int_equal(paths_prepare(data_dir, NULL), 0);
    assert_int_equal(loop_new(&loop, NULL), 0);
    return workdirs_open(&dirs, loop, data_dir, &bounds, NULL);
}

static int end(void **state)
{
    (void)state;
    workdirs_close(&dirs);
    loop = loop_free(loop);
    log_set_fd(2);
    tmp_dir_remove(data_dir);
    return 0;
}

static struct workdir make_with(const struct inputs *inputs)
{
    struct workdir d = { 0 };
    const char *stage;

    assert_int_equal(workdir_make(&dirs, job_id, ++attempt, inputs, &d, &stage, NULL), 0);
    return d;
}

static struct workdir make(void)
{
    return make_with(&no_inputs);
}

/* dir/name with this content. */
static void put(const char *dir, const char *name, const char *text)
{
    AUTO(mem) char *path = mem_printf("%s/%s", dir, name);
    AUTO_FINI(fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_return_code(fd, errno);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void put_dir(const char *dir, const char *name)
{
    AUTO(mem) char *path = mem_printf("%s/%s", dir, name);

    assert_return_code(mkdir(path, 0700), errno);
}

/* What is kept of the last attempt under this name; NULL: nothing. */
static char *kept(const char *name)
{
    AUTO(mem)
    char *path = mem_printf("%s/artifacts/0190f0c2-a1b2-7123-8123-456789abcdef.%d%s", data_dir,
                            attempt, name);
    AUTO_FINI(buf) struct buf b = { 0 };

    if (fd_read_file(path, 1000, &b, NULL) < 0)
        return NULL;
    return buf_steal(&b);
}

static void assert_kept(const char *name, const char *text)
{
    AUTO(mem) char *is = kept(name);

    assert_non_null(is);
    assert_string_equal(is, text);
}

static void assert_not_kept(const char *name)
{
    AUTO(mem) char *is = kept(name);

    assert_null(is);
}

static bool exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static void assert_trash_goes(void)
{
    assert_int_equal(tree_remove_some(dirs.trash_fd, clock_mono_us() + LATER), REMOVAL_DONE);
    assert_int_equal(tree_remove_some(dirs.trash_fd, clock_mono_us() + LATER), REMOVAL_DONE);
}

/* -- directories -----------------------------------------------------------------------------
 */

static void an_attempt_has_fresh_directories_of_its_own(void **state)
{
    struct workdir d = make();
    struct stat st;

    (void)state;
    assert_int_equal(d.cwd[0], '/');
    assert_int_equal(stat(d.cwd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_true(exists(d.artifacts));
    workdir_finish(&d, true, false);
    assert_false(exists(d.cwd));
    assert_not_kept("");
}

/* As if it had been made long ago: from now on each change shows in the time of change. */
static void let_it_settle(void)
{
    const struct timespec *changed = dirs.set.changed;
    struct timespec now;

    do
        (void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
    while (now.tv_sec == changed[WORKDIR_ARTIFACTS].tv_sec &&
           now.tv_nsec <= changed[WORKDIR_ARTIFACTS].tv_nsec);
    assert_false(dirs.set.settled);
    dirs.set.settled = true;
}

static void one_that_was_left_empty_is_used_again(void **state)
{
    (void)state;
    for (int settled = 0; settled < 2; settled++) {
        struct workdir d = make();
        struct stat first, second;

        if (settled)
            let_it_settle();
        assert_int_equal(stat(d.cwd, &first), 0);
        workdir_finish(&d, true, false);
        d = make();
        assert_int_equal(stat(d.cwd, &second), 0);
        assert_int_equal(first.st_ino, second.st_ino);
        workdir_finish(&d, true, false);
    }
}

/* Whatever is not as it was: the next attempt must not find it. */
static void one_that_was_changed_is_not_used_again(void **state)
{
    (void)state;
    for (int round = 0; round < 16; round++) {
        int what = round / 2;
        struct workdir d = make();
        AUTO(mem) char *above = mem_printf("%s/..", d.cwd);
        AUTO(mem) char *moved = mem_printf("%s/elsewhere", data_dir);
        struct stat first, second;

        if (round % 2)
            let_it_settle();
        assert_int_equal(stat(d.cwd, &first), 0);
        if (what == 0)
            put(d.cwd, "left", "x");
        if (what == 1)
            assert_int_equal(chmod(d.cwd, 0755), 0);
        if (what == 2)
            put(above, "left", "x");
        if (what == 3)
            assert_int_equal(rmdir(d.artifacts), 0);
        if (what == 4)
            assert_true(rmdir(d.cwd) == 0 && symlink("/etc", d.cwd) == 0);
        if (what == 5)
            assert_int_equal(rename(d.cwd, moved), 0);
        if (what == 6) /* another one in its place */
            assert_true(rename(d.cwd, moved) == 0 && mkdir(d.cwd, 0700) == 0);
        if (what == 7)
            put_dir(d.artifacts, "left");
        workdir_finish(&d, true, false);
        d = make();
        assert_int_equal(stat(d.cwd, &second), 0);
        assert_true(first.st_ino != second.st_ino ||
                    (what >= 3 && what <= 6)); /* may come again */
        assert_int_equal(rmdir(d.cwd), 0);     /* it is empty, and no link */
        workdir_finish(&d, true, false);
        (void)rmdir(moved);
    }
    assert_trash_goes();
}

/* Who sets an attribute may set a list of who may do what with all files that come. */
static void one_with_another_attribute_is_not_used_again(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct workdir d = make();
        struct stat first, second;

        if (round)
            let_it_settle();
        assert_int_equal(stat(d.cwd, &first), 0);
        if (setxattr(d.cwd, "user.jobd_test", "x", 1, 0) < 0)
            skip(); /* this file system has none */
        workdir_finish(&d, true, false);
        d = make();
        assert_int_equal(stat(d.cwd, &second), 0);
        assert_int_not_equal(first.st_ino, second.st_ino);
        assert_true(getxattr(d.cwd, "user.jobd_test", NULL, 0) < 0);
        workdir_finish(&d, true, false);
    }
}

/* By somebody who cleans up what is empty, say. */
static void one_that_has_gone_meanwhile_is_made_anew(void **state)
{
    AUTO(mem) char *spare = mem_printf("%s/work/spare.%d", data_dir, getpid());
    AUTO(mem) char *cwd = mem_printf("%s/cwd", spare);
    AUTO(mem) char *artifacts = mem_printf("%s/artifacts", spare);
    AUTO(mem) char *moved = mem_printf("%s/elsewhere", data_dir);

    (void)state;
    for (int what = 0; what < 7; what++) {
        struct workdir d = make();

        workdir_finish(&d, true, false);
        assert_true(exists(cwd) && exists(artifacts));
        if (what < 4)
            assert_int_equal(rmdir(what % 2 ? artifacts : cwd), 0);
        if (what == 2 || what == 3)
            assert_int_equal(symlink("/etc", what % 2 ? artifacts : cwd), 0);
        if (what == 4 || what == 5)
            assert_true(rmdir(cwd) == 0 && rmdir(artifacts) == 0 && rmdir(spare) == 0);
        if (what == 5)
            assert_int_equal(symlink("/etc", spare), 0);
        if (what == 6) /* another one in its place */
            assert_true(rename(spare, moved) == 0 && mkdir(spare, 0700) == 0);
        d = make();
        put(d.cwd, "file", "x");
        put(d.artifacts, "file", "x");
        workdir_finish(&d, true, false);
        assert_kept("/file", "x");
        assert_trash_goes();
    }
}

static void one_where_somebody_lives_on_is_not_used_again(void **state)
{
    struct workdir d = make();
    struct stat first, second;

    (void)state;
    assert_int_equal(stat(d.cwd, &first), 0);
    workdir_finish(&d, true, true);
    d = make();
    assert_int_equal(stat(d.cwd, &second), 0);
    assert_int_not_equal(first.st_ino, second.st_ino);
    workdir_finish(&d, true, false);
}

static void that_of_a_dead_worker_goes_to_the_trash(void **state)
{
    struct workdir d = make();

    (void)state;
    put(d.artifacts, "a", "x");
    workdir_discard(data_dir, job_id, attempt);
    assert_false(exists(d.cwd));
    assert_not_kept("/a");
    workdir_discard(data_dir, job_id, attempt); /* that there is none is no error */
    assert_trash_goes();
}

/* -- inputs ---------------------------------------------------------------------------------
 */

static void inputs_are_there_when_it_starts(void **state)
{
    char plain[] = "plain", deep[] = "a/b/c.txt", other[] = "a/d";
    char text[] = "hello", bytes[] = "\0\xff";
    struct input items[] = { { plain, text, 5 }, { deep, bytes, 2 }, { other, text, 0 } };
    const struct inputs inputs = { items, COUNT_OF(items) };
    struct workdir d = make_with(&inputs);
    AUTO_FINI(buf) struct buf b = { 0 };
    char path[PATHS_SIZE + 32];
    struct stat st;

    (void)state;
    (void)snprintf(path, sizeof path, "%s/plain", d.cwd);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    (void)snprintf(path, sizeof path, "%s/a/b/c.txt", d.cwd);
    assert_int_equal(fd_read_file(path, 100, &b, NULL), 0);
    assert_int_equal(b.len, 2);
    assert_memory_equal(b.data, "\0\xff", 2);
    (void)snprintf(path, sizeof path, "%s/a/d", d.cwd);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 0);
    workdir_finish(&d, true, false);
    assert_trash_goes();
}

static void a_path_that_leads_out_is_not_written(void **state)
{
    static const char *const paths[] = { "../out", "a/../../out", "/tmp/jobd-out", ".",
                                         "a/.",    "..",          "a//b" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        AUTO(mem) char *path = mem_str(paths[i]);
        char text[] = "x";
        struct input item = { path, text, 1 };
        const struct inputs inputs = { &item, 1 };
        struct workdir d = { 0 };
        const char *stage = "";
        struct errinfo e;

        assert_true(workdir_make(&dirs, job_id, ++attempt, &inputs, &d, &stage, &e) < 0);
        assert_string_equal(stage, "inputs");
    }
    assert_false(exists("/tmp/jobd-out"));
    assert_trash_goes();
}

/* -- artifacts ------------------------------------------------------------------------------
 */

static void files_are_taken_over_with_their_directories(void **state)
{
    struct workdir d = make();

    (void)state;
    put(d.artifacts, "report.txt", "all well");
    put_dir(d.artifacts, "empty");
    put_dir(d.artifacts, "sub");
    put(d.artifacts, "sub/b", "bb");
    put(d.cwd, "scratch", "not for others");
    workdir_finish(&d, true, false);
    assert_kept("/report.txt", "all well");
    assert_kept("/sub/b", "bb");
    assert_not_kept("/scratch");
    assert_not_kept(".left_out");
    assert_false(exists(d.cwd));
    assert_trash_goes();
}

static void nothing_is_kept_of_an_attempt_that_does_not_count(void **state)
{
    struct workdir d = make();

    (void)state;
    put(d.artifacts, "a", "x");
    workdir_finish(&d, false, false);
    assert_not_kept("/a");
}

static void what_is_no_plain_file_is_left_out(void **state)
{
    struct workdir d = make();
    AUTO(mem) char *link_path = mem_printf("%s/passwd", d.artifacts);
    AUTO(mem) char *dir_link = mem_printf("%s/etc", d.artifacts);
    AUTO(mem) char *fifo = mem_printf("%s/fifo", d.artifacts);

    (void)state;
    put(d.artifacts, "good", "x");
    put(d.artifacts, "line\nbreak", "x");
    put(d.artifacts, "\xff\xfe", "x");
    assert_int_equal(symlink("/etc/passwd", link_path), 0);
    assert_int_equal(symlink("/etc", dir_link), 0);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    workdir_finish(&d, true, false);
    assert_kept("/good", "x");
    assert_not_kept("/passwd");
    assert_not_kept("/etc/passwd");
    assert_not_kept("/line\nbreak");
    assert_kept(".left_out", "5\n");
    assert_true(exists("/etc/passwd"));
    assert_trash_goes();
}

static void an_artifacts_directory_that_is_a_link_is_not_followed(void **state)
{
    struct workdir d = make();

    (void)state;
    assert_int_equal(rmdir(d.artifacts), 0);
    assert_int_equal(symlink("/etc", d.artifacts), 0);
    workdir_finish(&d, true, false);
    assert_not_kept("/passwd");
    assert_true(exists("/etc/passwd"));
    assert_trash_goes();
    assert_true(exists("/etc/passwd"));
}

static void there_are_bounds_of_number_and_size(void **state)
{
    AUTO(mem) char *large = mem_array0(1, 100);
    struct workdir d = make();

    (void)state;
    for (int i = 0; i < 8; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "%d", i);
        put(d.artifacts, name, "x");
    }
    workdir_finish(&d, true, false);
    assert_kept(".left_out", "3\n");

    d = make();
    memset(large, 'x', 99);
    put(d.artifacts, "a", large);
    put(d.artifacts, "b", large);
    workdir_finish(&d, true, false);
    assert_kept(".left_out", "1\n");
}

static void what_locks_itself_in_is_taken_all_the_same(void **state)
{
    struct workdir d = make();
    AUTO(mem) char *file = mem_printf("%s/sub/f", d.artifacts);
    AUTO(mem) char *sub = mem_printf("%s/sub", d.artifacts);

    (void)state;
    put_dir(d.artifacts, "sub");
    put(d.artifacts, "sub/f", "x");
    assert_int_equal(chmod(file, 0), 0);
    assert_int_equal(chmod(sub, 0), 0);
    workdir_finish(&d, true, false);
    assert_kept("/sub/f", "x");
    assert_trash_goes();
}

static void a_tree_too_deep_is_left_out_and_goes(void **state)
{
    struct workdir d = make();
    AUTO_FINI(fd) int at = open(d.artifacts, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    for (int i = 0; i < 3000; i++) { /* its path is far longer than PATH_MAX */
        int next;

        assert_return_code(mkdirat(at, "d", 0700), errno);
        next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_return_code(next, errno);
        if (i % 7 == 0)
            assert_int_equal(fchmod(at, 0500), 0);
        fd_fini(&at);
        at = next;
        if (i == ARTIFACTS_DEPTH_MAX - 1) {
            AUTO_FINI(fd) int fd = openat(at, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

            assert_return_code(fd, errno);
        }
    }
    workdir_finish(&d, true, false);
    assert_kept("/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/f", "");
    assert_kept(".left_out", "1\n");
    assert_trash_goes();
}

/* -- the trash ------------------------------------------------------------------------------
 */

static void removing_stops_when_its_time_is_over(void **state)
{
    struct workdir d = make();

    (void)state;
    for (int i = 0; i < 200; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "%d", i);
        put(d.cwd, name, "x");
    }
    workdir_finish(&d, true, false);
    assert_int_equal(tree_remove_some(dirs.trash_fd, clock_mono_us() - 1), REMOVAL_MORE);
    assert_trash_goes();
}

static enum removal empty_trash(void)
{
    enum removal r;

    while ((r = tree_remove_some(dirs.trash_fd, clock_mono_us() + 20 * USEC_PER_MS)) ==
           REMOVAL_MORE)
        continue;
    return r;
}

static void two_who_empty_the_trash_do_not_hold_each_other_up(void **state)
{
    pid_t other;
    int status;

    (void)state;
    for (int i = 0; i < 100; i++) {
        struct workdir d = make();

        put_dir(d.cwd, "a");
        put_dir(d.cwd, "a/b");
        put_dir(d.cwd, "a/b/c");
        workdir_finish(&d, true, false);
    }
    other = fork();
    if (other == 0)
        _exit(empty_trash() == REMOVAL_STUCK);
    assert_true(other > 0);
    assert_int_not_equal(empty_trash(), REMOVAL_STUCK);
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(status, 0);
    assert_trash_goes();
}

/* Turns of the loop until the trash has been looked at. */
static void await_sweep(void)
{
    usec_t due_us = dirs.sweep.at_us;

    while (dirs.sweep.at_us == due_us)
        assert_int_equal(loop_turn(loop, NULL), 0);
}

static void what_others_have_put_there_goes_when_that_is_told(void **state)
{
    usec_t far_us = clock_mono_us() + LATER;
    usec_t told_us;
    char path[PATHS_SIZE];
    char *left = NULL;

    (void)state;
    await_sweep(); /* the one at the start */
    assert_true(dirs.sweep.at_us > far_us);
    put(paths_trash_dir(data_dir, path), "left", "x");
    workdirs_tidy(&dirs);
    told_us = dirs.sweep.at_us;
    assert_true(told_us < far_us);
    workdirs_tidy(&dirs);
    assert_int_equal(dirs.sweep.at_us, told_us); /* whoever is told all the time gets to it */
    await_sweep();
    left = mem_printf("%s/left", path);
    assert_false(exists(left));
    assert_true(dirs.sweep.at_us > far_us);
    free(left);
}

static void links_in_the_trash_lead_nowhere(void **state)
{
    struct workdir d = make();
    AUTO(mem) char *target = mem_printf("%s/target", data_dir);
    AUTO(mem) char *link_path = mem_printf("%s/link", d.cwd);

    (void)state;
    put_dir(data_dir, "target");
    put(target, "precious", "x");
    assert_int_equal(symlink(target, link_path), 0);
    workdir_finish(&d, true, false);
    assert_trash_goes();
    assert_int_equal(chdir(target), 0);
    assert_true(exists("precious"));
    assert_int_equal(chdir("/"), 0);
}

/* -- opening below a directory
 * -----------------------------------------------------------------
 */

static void nothing_but_what_is_below_can_be_opened(void **state)
{
    static const char *const bad[] = { "/etc/passwd", "../../../../etc/passwd",
                                       "..",          "link",
                                       "etc/passwd",  "sub/../link",
                                       "missing" };
    AUTO_FINI(fd) int dir = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_FINI(fd) int good = -1;

    (void)state;
    put_dir(data_dir, "sub");
    put(data_dir, "sub/file", "x");
    assert_int_equal(symlinkat("/etc/passwd", dir, "link"), 0);
    assert_int_equal(symlinkat("/etc", dir, "etc"), 0);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(beneath_open(dir, bad[i], O_RDONLY, 0), -1);
    good = beneath_open(dir, "sub/file", O_RDONLY, 0);
    assert_true(good >= 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_attempt_has_fresh_directories_of_its_own),
        TEST(one_that_was_left_empty_is_used_again),
        TEST(one_that_was_changed_is_not_used_again),
        TEST(one_with_another_attribute_is_not_used_again),
        TEST(one_that_has_gone_meanwhile_is_made_anew),
        TEST(one_where_somebody_lives_on_is_not_used_again),
        TEST(that_of_a_dead_worker_goes_to_the_trash),
        TEST(inputs_are_there_when_it_starts),
        TEST(a_path_that_leads_out_is_not_written),
        TEST(files_are_taken_over_with_their_directories),
        TEST(nothing_is_kept_of_an_attempt_that_does_not_count),
        TEST(what_is_no_plain_file_is_left_out),
        TEST(an_artifacts_directory_that_is_a_link_is_not_followed),
        TEST(there_are_bounds_of_number_and_size),
        TEST(what_locks_itself_in_is_taken_all_the_same),
        TEST(a_tree_too_deep_is_left_out_and_goes),
        TEST(removing_stops_when_its_time_is_over),
        TEST(two_who_empty_the_trash_do_not_hold_each_other_up),
        TEST(what_others_have_put_there_goes_when_that_is_told),
        TEST(links_in_the_trash_lead_nowhere),
        TEST(nothing_but_what_is_below_can_be_opened),
    };

    return cmocka_run_group_tests_name("pool/workdir", tests, NULL, NULL);
}
