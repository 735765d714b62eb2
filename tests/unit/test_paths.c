#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pool/paths.h"

#define ID_TEXT "0190f0c2-1a2b-7c3d-8e4f-0123456789ab"

static struct uuid7 some_id(void)
{
    struct uuid7 id;

    assert_true(uuid7_parse(ID_TEXT, &id));
    return id;
}

static void every_file_has_its_documented_name(void **state)
{
    char room[PATHS_SIZE];

    (void)state;
    assert_string_equal(paths_lock("d", room), "d/jobd.lock");
    assert_string_equal(paths_pid("d", room), "d/run/jobd.pid");
    assert_string_equal(paths_listen("d", room), "d/run/listen");
    assert_string_equal(paths_front_socket("d", room), "d/run/front.sock");
    assert_string_equal(paths_outcome_dir("d", room), "d/run/outcomes");
    assert_string_equal(paths_outcome("d", some_id(), 3, room), "d/run/outcomes/" ID_TEXT ".3");
    assert_string_equal(paths_output_dir("d", room), "d/output");
    assert_string_equal(paths_output("d", some_id(), 12, STREAM_STDERR, room),
                        "d/output/" ID_TEXT ".12.stderr");
}

static void the_name_of_an_output_file_is_read_back(void **state)
{
    char room[PATHS_SIZE];
    struct uuid7 id = { 0 };
    enum stream stream = STREAM_STDOUT;
    int attempt = 0;

    (void)state;
    (void)paths_output("d", some_id(), INT32_MAX, STREAM_STDERR, room);
    assert_int_equal(paths_output_parse(strrchr(room, '/') + 1, &id, &attempt, &stream), 0);
    assert_true(uuid7_equal(id, some_id()));
    assert_int_equal(attempt, INT32_MAX);
    assert_int_equal(stream, STREAM_STDERR);
}

static void foreign_names_are_no_output_files(void **state)
{
    static const char *const names[] = {
        "",
        ".",
        "..",
        "README",
        ID_TEXT,
        ID_TEXT ".",
        ID_TEXT ".1",
        ID_TEXT ".1.",
        ID_TEXT ".1.stdin",
        ID_TEXT ".1.stdout.tmp",
        ID_TEXT "..stdout",
        ID_TEXT ".0.stdout",
        ID_TEXT ".-1.stdout",
        ID_TEXT ".2147483648.stdout",
        ID_TEXT ".00000000000000000000000000000000000000000001.stdout",
        ID_TEXT "x.1.stdout",
        "0190f0c2-1a2b-4c3d-8e4f-0123456789ab.1.stdout",
        "longer-than-any-uuid-could-ever-possibly-be.1.stdout",
    };
    struct uuid7 id;
    enum stream stream;
    int attempt;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (paths_output_parse(names[i], &id, &attempt, &stream) != -1)
            fail_msg("taken for an output file: %s", names[i]);
}

static void preparing_makes_private_directories_and_may_be_repeated(void **state)
{
    char dir[] = "/tmp/jobd-paths-XXXXXX";
    char data_dir[64], room[PATHS_SIZE];
    struct errinfo e;
    struct stat st;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(data_dir, sizeof data_dir, "%s/new/data", dir);
    assert_int_equal(paths_prepare(data_dir, &e), 0);
    assert_int_equal(paths_prepare(data_dir, &e), 0);
    assert_int_equal(stat(paths_outcome_dir(data_dir, room), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(rmdir(room), 0);
    assert_int_equal(stat(paths_worker_dir(data_dir, room), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(rmdir(room), 0);
    assert_int_equal(rmdir(paths_begun_dir(data_dir, room)), 0);
    assert_int_equal(stat(paths_output_dir(data_dir, room), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(rmdir(room), 0);
    assert_int_equal(rmdir(paths_work_dir(data_dir, room)), 0);
    assert_int_equal(rmdir(paths_trash_dir(data_dir, room)), 0);
    assert_int_equal(rmdir(paths_artifacts_dir(data_dir, room)), 0);
    (void)snprintf(room, sizeof room, "%s/run", data_dir);
    assert_int_equal(rmdir(room), 0);
    assert_int_equal(rmdir(data_dir), 0);
    (void)snprintf(room, sizeof room, "%s/new", dir);
    assert_int_equal(rmdir(room), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void a_name_without_room_for_what_comes_below_it_is_refused(void **state)
{
    char name[PATHS_DIR_MAX + 2];
    char room[PATHS_SIZE];
    struct errinfo e;

    (void)state;
    memset(name, 'd', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(paths_prepare(name, &e), ERR_CONFIG);
    assert_int_equal(paths_prepare("", &e), ERR_CONFIG);
    name[PATHS_DIR_MAX] = '\0';
    assert_true(strlen(paths_output(name, some_id(), INT32_MAX, STREAM_STDOUT, room)) + 32 <
                PATHS_SIZE); /* and 32 bytes for the suffix of a temporary file */
}

static void a_file_in_the_place_of_the_directory_is_reported(void **state)
{
    char file[] = "/tmp/jobd-paths-XXXXXX";
    struct errinfo e;
    int fd = mkstemp(file);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(paths_prepare(file, &e), ERR_SYS);
    assert_non_null(strstr(e.text, file));
    assert_int_equal(unlink(file), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_has_its_documented_name),
        cmocka_unit_test(the_name_of_an_output_file_is_read_back),
        cmocka_unit_test(foreign_names_are_no_output_files),
        cmocka_unit_test(preparing_makes_private_directories_and_may_be_repeated),
        cmocka_unit_test(a_name_without_room_for_what_comes_below_it_is_refused),
        cmocka_unit_test(a_file_in_the_place_of_the_directory_is_reported),
    };

    return cmocka_run_group_tests_name("pool/paths", tests, NULL, NULL);
}
