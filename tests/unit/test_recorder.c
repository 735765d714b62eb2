#include "tests/support/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sys.h"
#include "pool/paths.h"
#include "pool/recorder.h"
#include "tests/support/tmp.h"

static const struct uuid7 job_id = { 0x0190f0c2a1b27123, 0x8123456789abcdef };
static char data_dir[TMP_SIZE];
static struct recorder recorder;

static int open_dir(void **state)
{
    (void)state;
    tmp_dir_make(data_dir);
    assert_int_equal(paths_prepare(data_dir, NULL), 0);
    recorder_init(&recorder, data_dir, job_id, 2, STREAM_STDERR, 1 << 20);
    return 0;
}

static int close_dir(void **state)
{
    (void)state;
    sys_reset();
    log_set_fd(2);
    recorder_fini(&recorder);
    tmp_dir_remove(data_dir);
    return 0;
}

static const char *path(void)
{
    static char room[PATHS_SIZE];

    return paths_output(data_dir, job_id, 2, STREAM_STDERR, room);
}

static void assert_file(const char *want, size_t len)
{
    AUTO_FINI(buf) struct buf b = { 0 };

    assert_int_equal(fd_read_file(path(), 1 << 21, &b, NULL), 0);
    assert_int_equal(b.len, len);
    assert_memory_equal(b.data, want, len);
}

static void nothing_recorded_is_nothing_kept(void **state)
{
    struct capture c;

    (void)state;
    recorder_spill(&recorder);
    recorder_finish(&recorder, &c);
    assert_int_equal(c.total_bytes, 0);
    assert_int_equal(c.kept_bytes, 0);
    assert_false(c.spilled);
    assert_null(c.data);
    assert_int_equal(access(path(), F_OK), -1);
}

static void little_stays_in_memory(void **state)
{
    struct capture c;

    (void)state;
    recorder_add(&recorder, "a\0b", 3);
    recorder_add(&recorder, "c", 1);
    recorder_finish(&recorder, &c);
    assert_int_equal(c.kept_bytes, 4);
    assert_memory_equal(c.data, "a\0bc", 4);
    assert_int_equal(access(path(), F_OK), -1);
    free(c.data);
}

static void what_is_larger_goes_to_a_file_whole(void **state)
{
    AUTO(mem) char *block = mem_array0(RECORDER_INLINE_MAX + 1, 1);
    struct capture c;

    (void)state;
    for (size_t i = 0; i <= RECORDER_INLINE_MAX; i++)
        block[i] = (char)(i * 7);
    recorder_add(&recorder, block, RECORDER_INLINE_MAX);
    assert_int_equal(access(path(), F_OK), -1);
    recorder_add(&recorder, block + RECORDER_INLINE_MAX, 1);
    recorder_finish(&recorder, &c);
    assert_true(c.spilled);
    assert_null(c.data);
    assert_int_equal(c.kept_bytes, RECORDER_INLINE_MAX + 1);
    assert_file(block, RECORDER_INLINE_MAX + 1);
}

static void on_request_even_little_is_in_a_file_at_once(void **state)
{
    struct capture c;

    (void)state;
    recorder_add(&recorder, "early ", 6);
    recorder_spill(&recorder);
    assert_file("early ", 6);
    recorder_add(&recorder, "late", 4);
    assert_file("early late", 10);
    recorder_finish(&recorder, &c);
    assert_true(c.spilled);
    assert_int_equal(c.kept_bytes, 10);
}

static void beyond_the_cap_bytes_are_only_counted(void **state)
{
    struct capture c;

    (void)state;
    recorder.max_bytes = 5;
    recorder_add(&recorder, "abc", 3);
    recorder_add(&recorder, "defgh", 5);
    recorder_add(&recorder, "i", 1);
    recorder_finish(&recorder, &c);
    assert_int_equal(c.total_bytes, 9);
    assert_int_equal(c.kept_bytes, 5);
    assert_memory_equal(c.data, "abcde", 5);
    free(c.data);
}

static void a_recorder_that_is_given_up_leaves_no_file(void **state)
{
    (void)state;
    recorder_add(&recorder, "x", 1);
    recorder_spill(&recorder);
    assert_int_equal(access(path(), F_OK), 0);
    recorder_fini(&recorder);
    assert_int_equal(access(path(), F_OK), -1);
}

static int room_bytes;

static ssize_t write_until_full(int fd, const void *block, size_t len)
{
    if (room_bytes == 0) {
        errno = ENOSPC;
        return -1;
    }
    if ((size_t)room_bytes < len)
        len = (size_t)room_bytes;
    room_bytes -= (int)len;
    return write(fd, block, len);
}

static void a_disk_that_gets_full_keeps_what_was_written_and_counts_the_rest(void **state)
{
    struct capture c;

    (void)state;
    log_set_fd(-1);
    recorder_add(&recorder, "abc", 3);
    recorder_spill(&recorder);
    sys.write = write_until_full;
    room_bytes = 2;
    recorder_add(&recorder, "defg", 4);
    recorder_add(&recorder, "h", 1);
    sys_reset();
    recorder_finish(&recorder, &c);
    assert_true(c.spilled);
    assert_int_equal(c.total_bytes, 8);
    assert_int_equal(c.kept_bytes, 5);
    assert_file("abcde", 5);
}

static void a_disk_that_is_full_from_the_start_keeps_the_head_in_memory(void **state)
{
    struct capture c;

    (void)state;
    log_set_fd(-1);
    recorder_add(&recorder, "abc", 3);
    sys.write = write_until_full;
    room_bytes = 1;
    recorder_spill(&recorder);
    recorder_add(&recorder, "def", 3);
    sys_reset();
    recorder_finish(&recorder, &c);
    assert_false(c.spilled);
    assert_int_equal(c.total_bytes, 6);
    assert_int_equal(c.kept_bytes, 3);
    assert_memory_equal(c.data, "abc", 3);
    assert_int_equal(access(path(), F_OK), -1);
    free(c.data);
}

static int synced;

static int count_fsync(int fd)
{
    synced++;
    return fsync(fd);
}

static void a_file_is_synced_before_it_is_told(void **state)
{
    struct capture c;

    (void)state;
    recorder_add(&recorder, "x", 1);
    recorder_spill(&recorder);
    synced = 0;
    sys.fsync = count_fsync;
    recorder_finish(&recorder, &c);
    assert_int_equal(synced, 2); /* the file, and the directory with its name */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_dir, close_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_recorded_is_nothing_kept),
        TEST(little_stays_in_memory),
        TEST(what_is_larger_goes_to_a_file_whole),
        TEST(on_request_even_little_is_in_a_file_at_once),
        TEST(beyond_the_cap_bytes_are_only_counted),
        TEST(a_recorder_that_is_given_up_leaves_no_file),
        TEST(a_disk_that_gets_full_keeps_what_was_written_and_counts_the_rest),
        TEST(a_disk_that_is_full_from_the_start_keeps_the_head_in_memory),
        TEST(a_file_is_synced_before_it_is_told),
    };

    return cmocka_run_group_tests_name("pool/recorder", tests, NULL, NULL);
}
