#include "tests/support/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sys.h"
#include "pool/paths.h"
#include "pool/recorder.h"
#include "tests/support/kept_file.h"
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

    kept_file_read(path(), &b);
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

static void set_max(int64_t max_bytes)
{
    recorder.kept = kept_of(max_bytes);
}

/* The stream "abc...z" of so many bytes, in blocks of this length. */
static void add_letters(size_t count, size_t block_len)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

    for (size_t at = 0; at < count; at += block_len)
        recorder_add(&recorder, letters + at, at + block_len < count ? block_len : count - at);
}

static void assert_capture(int64_t total, int64_t head, const char *kept)
{
    struct capture c;

    recorder_finish(&recorder, &c);
    assert_int_equal(c.total_bytes, total);
    assert_int_equal(c.kept_bytes, strlen(kept));
    assert_int_equal(c.head_bytes, head);
    if (c.spilled)
        assert_file(kept, strlen(kept));
    else if (c.data)
        assert_memory_equal(c.data, kept, strlen(kept));
    free(c.data);
}

static void beyond_the_cap_head_and_tail_are_kept(void **state)
{
    static const struct {
        int64_t max;
        size_t count;
        int64_t head;
        const char *kept;
    } cases[] = {
        { 5, 5, 0, "abcde" },    { 5, 6, 3, "abcef" },
        { 5, 9, 3, "abchi" },    { 8, 26, 4, "abcdwxyz" },
        { 8, 9, 4, "abcdfghi" }, { 8, 12, 4, "abcdijkl" },
        { 2, 26, 1, "az" },      { 1, 26, 1, "a" },
        { 0, 26, 0, "" },        { 25, 26, 13, "abcdefghijklmopqrstuvwxyz" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t block = 1; block <= 26; block++)
            for (size_t spill_at = 0; spill_at <= 2;
                 spill_at++) { /* never, at once, half-way */
                size_t first = cases[i].count / 2;

                (void)close_dir(state);
                (void)open_dir(state);
                set_max(cases[i].max);
                if (spill_at == 1)
                    recorder_spill(&recorder);
                if (spill_at == 2) {
                    add_letters(first, block);
                    recorder_spill(&recorder);
                    recorder_add(&recorder, &"abcdefghijklmnopqrstuvwxyz"[first],
                                 cases[i].count - first);
                } else {
                    add_letters(cases[i].count, block);
                }
                assert_capture((int64_t)cases[i].count, cases[i].head, cases[i].kept);
            }
}

static void the_file_never_grows_beyond_the_cap(void **state)
{
    char block[1000];
    struct stat st;

    (void)state;
    set_max(10001);
    recorder_spill(&recorder);
    for (int i = 0; i < 100; i++) {
        memset(block, i, sizeof block);
        recorder_add(&recorder, block, sizeof block - (size_t)i);
        assert_int_equal(stat(path(), &st), 0);
        assert_true(st.st_size <= OUTPUT_FILE_HEADER_BYTES + 10001);
    }
}

static void a_file_whose_writer_was_killed_is_in_order(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };

    (void)state;
    set_max(10);
    recorder_spill(&recorder);
    add_letters(17, 3);
    kept_file_read(path(), &b); /* nothing was finished */
    assert_string_equal(b.data, "abcdemnopq");
}

/* As a live reader sees it: it knew of 12 bytes, and meanwhile the writer has come further. */
static void a_reader_is_told_that_bytes_were_overwritten(void **state)
{
    AUTO_FINI(output_file) struct output_file f = { .fd = -1 };
    char block[10];

    (void)state;
    set_max(10);
    recorder_spill(&recorder);
    add_letters(12, 12);
    assert_int_equal(output_file_open(path(), &f, NULL), 0);
    assert_int_equal(f.written, 12);
    assert_int_equal(f.tail_at, 7);
    recorder_add(&recorder, "mno", 3);
    assert_int_equal(output_file_read(&f, 7, block, sizeof block, NULL), 0);
    assert_int_equal(output_file_read(&f, 10, block, 2, NULL), 2);
    assert_memory_equal(block, "kl", 2);
    assert_int_equal(output_file_read(&f, 0, block, sizeof block, NULL), 5);
    assert_memory_equal(block, "abcde", 5);
    assert_int_equal(output_file_refresh(&f, NULL), 0);
    assert_int_equal(f.written, 15);
    assert_int_equal(f.tail_at, 10);
}

static void a_file_that_is_none_of_ours_is_refused(void **state)
{
    static const char zeros[64];
    struct output_file f;
    struct errinfo e;

    (void)state;
    assert_int_equal(output_file_open(path(), &f, &e), ERR_NOT_FOUND);
    assert_int_equal(fd_write_file_atomic(path(), 0600, "jobdout", 7, &e), 0);
    assert_int_equal(output_file_open(path(), &f, &e), ERR_NOT_FOUND); /* not there yet */
    assert_int_equal(fd_write_file_atomic(path(), 0600, zeros, 64, &e), 0);
    assert_int_equal(output_file_open(path(), &f, &e), ERR_INTERNAL);
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

static void expect_in_memory(const char *text)
{
    struct capture c;

    sys_reset();
    assert_int_equal(access(path(), F_OK), -1);
    recorder_finish(&recorder, &c);
    assert_false(c.spilled);
    assert_int_equal(c.total_bytes, strlen(text));
    assert_int_equal(c.kept_bytes, strlen(text));
    assert_memory_equal(c.data, text, strlen(text));
    free(c.data);
}

static void a_disk_that_is_full_from_the_start_keeps_little_in_memory(void **state)
{
    (void)state;
    recorder_add(&recorder, "abc", 3);
    sys.write = write_until_full;
    room_bytes = OUTPUT_FILE_HEADER_BYTES + 1;
    recorder_spill(&recorder);
    recorder_add(&recorder, "def", 3);
    expect_in_memory("abcdef");
}

static void a_file_that_nothing_gets_into_is_no_file(void **state)
{
    (void)state;
    recorder_spill(&recorder);
    sys.write = write_until_full;
    room_bytes = OUTPUT_FILE_HEADER_BYTES;
    recorder_add(&recorder, "abc", 3);
    recorder_add(&recorder, "def", 3);
    expect_in_memory("abcdef");
}

static void a_disk_that_has_room_again_takes_what_is_in_memory(void **state)
{
    AUTO(mem) char *much = mem_new0(RECORDER_INLINE_MAX + 1);
    struct capture c;

    (void)state;
    recorder_add(&recorder, "abc", 3);
    sys.write = write_until_full;
    room_bytes = 0;
    recorder_spill(&recorder);
    sys_reset();
    recorder_add(&recorder, much, RECORDER_INLINE_MAX);
    recorder_finish(&recorder, &c);
    assert_true(c.spilled);
    assert_int_equal(c.kept_bytes, RECORDER_INLINE_MAX + 3);
}

static void a_disk_that_stays_full_keeps_the_beginning_in_memory(void **state)
{
    AUTO(mem) char *much = mem_new0(RECORDER_INLINE_MAX + 1);
    struct capture c;

    (void)state;
    log_set_fd(-1);
    sys.write = write_until_full;
    room_bytes = 0;
    recorder_add(&recorder, "abc", 3);
    recorder_add(&recorder, much, RECORDER_INLINE_MAX);
    recorder_add(&recorder, "def", 3);
    sys_reset();
    recorder_finish(&recorder, &c);
    assert_false(c.spilled);
    assert_int_equal(c.kept_bytes, 3);
    assert_int_equal(c.total_bytes, RECORDER_INLINE_MAX + 6);
    assert_memory_equal(c.data, "abc", 3);
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
        TEST(beyond_the_cap_head_and_tail_are_kept),
        TEST(the_file_never_grows_beyond_the_cap),
        TEST(a_file_whose_writer_was_killed_is_in_order),
        TEST(a_reader_is_told_that_bytes_were_overwritten),
        TEST(a_file_that_is_none_of_ours_is_refused),
        TEST(a_recorder_that_is_given_up_leaves_no_file),
        TEST(a_disk_that_gets_full_keeps_what_was_written_and_counts_the_rest),
        TEST(a_disk_that_is_full_from_the_start_keeps_little_in_memory),
        TEST(a_file_that_nothing_gets_into_is_no_file),
        TEST(a_disk_that_has_room_again_takes_what_is_in_memory),
        TEST(a_disk_that_stays_full_keeps_the_beginning_in_memory),
        TEST(a_file_is_synced_before_it_is_told),
    };

    return cmocka_run_group_tests_name("pool/recorder", tests, NULL, NULL);
}
