#include "tests/support/test.h"

#include "engine/output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sys.h"
#include "pool/paths.h"

static const struct uuid7 id = { 0x01937f6c2b9a7c31, 0x8e5d3f1a9b7c2d4e };
static char dir[64];

static int make_dir(void **state)
{
    struct errinfo e;

    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/jobd-output-XXXXXX");
    return mkdtemp(dir) ? paths_prepare(dir, &e) : -1;
}

static int remove_dir(void **state)
{
    static const char *const parts[] = { "run/outcomes", "run", "output", "." };
    char path[PATHS_SIZE];

    (void)state;
    sys_reset();
    for (size_t i = 0; i + 1 < COUNT_OF(parts); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, parts[i]);
        (void)rmdir(path);
    }
    return rmdir(dir);
}

static void what_a_stream_holds_so_far_can_be_read(void **state)
{
    char path[PATHS_SIZE];
    AUTO_FINI(fd) int fd = -1;
    AUTO_FINI(buf) struct buf b = { 0 };
    int64_t size = -1;
    struct errinfo e;

    (void)state;
    (void)paths_output(dir, id, 2, STREAM_STDERR, path);
    assert_int_equal(fd_write_file_atomic(path, 0600, "so far", 6, &e), 0);
    assert_int_equal(output_open(dir, id, 2, STREAM_STDERR, &fd, &size, &e), 0);
    assert_int_equal(size, 6);
    assert_int_equal(fd_read_to_end(fd, 100, &b, &e), 0);
    assert_string_equal(b.data, "so far");
    assert_int_equal(unlink(path), 0);
}

static void another_attempt_or_stream_is_not_found(void **state)
{
    char path[PATHS_SIZE];
    int fd = -1;
    int64_t size;
    struct errinfo e;

    (void)state;
    (void)paths_output(dir, id, 2, STREAM_STDERR, path);
    assert_int_equal(fd_write_file_atomic(path, 0600, "x", 1, &e), 0);
    assert_int_equal(output_open(dir, id, 1, STREAM_STDERR, &fd, &size, &e), ERR_NOT_FOUND);
    assert_int_equal(output_open(dir, id, 2, STREAM_STDOUT, &fd, &size, &e), ERR_NOT_FOUND);
    assert_int_equal(fd, -1);
    assert_int_equal(unlink(path), 0);
}

static int open_emfile(const char *path, int flags, mode_t mode)
{
    (void)path;
    (void)flags;
    (void)mode;
    errno = EMFILE;
    return -1;
}

static void a_full_descriptor_table_is_not_taken_for_a_missing_file(void **state)
{
    int fd = -1;
    int64_t size;
    struct errinfo e;

    (void)state;
    sys.open = open_emfile;
    assert_int_equal(output_open(dir, id, 1, STREAM_STDOUT, &fd, &size, &e), ERR_SYS);
    sys_reset();
    assert_int_equal(e.sys_errno, EMFILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_stream_holds_so_far_can_be_read),
        cmocka_unit_test(another_attempt_or_stream_is_not_found),
        cmocka_unit_test(a_full_descriptor_table_is_not_taken_for_a_missing_file),
    };

    return cmocka_run_group_tests_name("engine/output", tests, make_dir, remove_dir);
}
