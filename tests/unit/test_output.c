#include "tests/support/test.h"

#include "engine/output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "pool/paths.h"
#include "tests/support/tmp.h"

static const struct uuid7 id = { 0x01937f6c2b9a7c31, 0x8e5d3f1a9b7c2d4e };
static char dir[TMP_SIZE];

static int make_dir(void **state)
{
    struct errinfo e;

    (void)state;
    return paths_prepare(tmp_dir_make(dir), &e);
}

static int remove_dir(void **state)
{
    (void)state;
    sys_reset();
    tmp_dir_remove(dir);
    return 0;
}

static void write_file(int attempt, const char *text)
{
    char path[PATHS_SIZE];
    AUTO_FINI(output_file) struct output_file f = { .fd = -1 };

    (void)paths_output(dir, id, attempt, STREAM_STDERR, path);
    assert_int_equal(output_file_create(path, kept_of(8), &f, NULL), 0);
    assert_int_equal(output_file_append(&f, text, strlen(text), NULL), 0);
}

static void remove_file(int attempt)
{
    char path[PATHS_SIZE];

    assert_int_equal(unlink(paths_output(dir, id, attempt, STREAM_STDERR, path)), 0);
}

static void what_a_stream_holds_so_far_can_be_read(void **state)
{
    AUTO_FINI(output_file) struct output_file f = { .fd = -1 };
    char block[10];
    struct errinfo e;

    (void)state;
    write_file(2, "so far");
    assert_int_equal(output_open(dir, id, 2, STREAM_STDERR, &f, &e), 0);
    assert_int_equal(f.written, 6);
    assert_int_equal(output_file_read(&f, 0, block, sizeof block, &e), 4);
    assert_int_equal(output_file_read(&f, 4, block + 4, 6, &e), 2);
    assert_memory_equal(block, "so far", 6);
    remove_file(2);
}

static void another_attempt_or_stream_is_not_found(void **state)
{
    struct output_file f = { .fd = -1 };
    struct capture c = { .total_bytes = 7 };
    struct errinfo e;

    (void)state;
    write_file(2, "x");
    assert_int_equal(output_open(dir, id, 1, STREAM_STDERR, &f, &e), ERR_NOT_FOUND);
    assert_int_equal(output_open(dir, id, 2, STREAM_STDOUT, &f, &e), ERR_NOT_FOUND);
    assert_int_equal(f.fd, -1);
    assert_false(output_find(dir, id, 1, STREAM_STDERR, &c));
    assert_int_equal(c.total_bytes, 7);
    remove_file(2);
}

static void what_a_dead_worker_left_is_counted(void **state)
{
    struct capture c;

    (void)state;
    write_file(1, "abcdef");
    write_file(2, "abcdefghijkl");
    assert_true(output_find(dir, id, 1, STREAM_STDERR, &c));
    assert_int_equal(c.total_bytes, 6);
    assert_int_equal(c.kept_bytes, 6);
    assert_int_equal(c.head_bytes, 0);
    assert_true(c.spilled);
    assert_true(output_find(dir, id, 2, STREAM_STDERR, &c));
    assert_int_equal(c.total_bytes, 12);
    assert_int_equal(c.kept_bytes, 8);
    assert_int_equal(c.head_bytes, 4);
    remove_file(1);
    remove_file(2);
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
    struct output_file f = { .fd = -1 };
    struct errinfo e;

    (void)state;
    sys.open = open_emfile;
    assert_int_equal(output_open(dir, id, 1, STREAM_STDOUT, &f, &e), ERR_SYS);
    sys_reset();
    assert_int_equal(e.sys_errno, EMFILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_stream_holds_so_far_can_be_read),
        cmocka_unit_test(another_attempt_or_stream_is_not_found),
        cmocka_unit_test(what_a_dead_worker_left_is_counted),
        cmocka_unit_test(a_full_descriptor_table_is_not_taken_for_a_missing_file),
    };

    return cmocka_run_group_tests_name("engine/output", tests, make_dir, remove_dir);
}
