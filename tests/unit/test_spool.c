#include "tests/support/test.h"

#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "pool/paths.h"
#include "pool/spool.h"
#include "tests/support/tmp.h"

static const struct uuid7 job_id = { 0x0190f0c2a1b27123, 0x8123456789abcdef };
static char data_dir[TMP_SIZE];

static int open_dir(void **state)
{
    (void)state;
    tmp_dir_make(data_dir);
    assert_int_equal(paths_prepare(data_dir, NULL), 0);
    return 0;
}

static int close_dir(void **state)
{
    (void)state;
    tmp_dir_remove(data_dir);
    return 0;
}

static void write_one(void)
{
    AUTO_FINI(outcome)
    struct outcome o = {
        .job_id = job_id, .attempt = 3, .cause = CAUSE_EXIT_CODE, .exit_code = 9
    };

    o.message = mem_str("it exited with code 9");
    assert_int_equal(spool_write(data_dir, &o, NULL), 0);
}

static void an_outcome_is_read_as_it_was_written(void **state)
{
    AUTO_FINI(outcome) struct outcome o = { 0 };

    (void)state;
    write_one();
    assert_int_equal(spool_read(data_dir, job_id, 3, &o, NULL), 0);
    assert_int_equal(o.exit_code, 9);
    assert_string_equal(o.message, "it exited with code 9");
}

static void what_was_removed_is_not_found(void **state)
{
    AUTO_FINI(outcome) struct outcome o = { 0 };

    (void)state;
    write_one();
    spool_remove(data_dir, job_id, 3);
    assert_int_equal(spool_read(data_dir, job_id, 3, &o, NULL), ERR_NOT_FOUND);
    spool_remove(data_dir, job_id, 3);
}

static void a_torn_file_is_refused_at_every_length(void **state)
{
    AUTO_FINI(buf) struct buf whole = { 0 };
    char path[PATHS_SIZE];

    (void)state;
    write_one();
    paths_outcome(data_dir, job_id, 3, path);
    assert_int_equal(fd_read_file(path, 4096, &whole, NULL), 0);
    for (size_t len = 0; len < whole.len; len++) {
        AUTO_FINI(outcome) struct outcome o = { 0 };

        assert_int_equal(truncate(path, (off_t)(whole.len - len - 1)), 0);
        assert_int_equal(spool_read(data_dir, job_id, 3, &o, NULL), ERR_PROTOCOL);
    }
}

static void an_outcome_under_another_name_is_refused(void **state)
{
    AUTO_FINI(outcome) struct outcome o = { 0 };
    char from[PATHS_SIZE];
    char to[PATHS_SIZE];

    (void)state;
    write_one();
    assert_int_equal(rename(paths_outcome(data_dir, job_id, 3, from),
                            paths_outcome(data_dir, job_id, 4, to)),
                     0);
    assert_int_equal(spool_read(data_dir, job_id, 4, &o, NULL), ERR_PROTOCOL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_dir, close_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_outcome_is_read_as_it_was_written),
        TEST(what_was_removed_is_not_found),
        TEST(a_torn_file_is_refused_at_every_length),
        TEST(an_outcome_under_another_name_is_refused),
    };

    return cmocka_run_group_tests_name("pool/spool", tests, NULL, NULL);
}
