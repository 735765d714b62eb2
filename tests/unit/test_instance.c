#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "pool/instance.h"
#include "pool/paths.h"
#include "pool/spawn.h"
#include "tests/support/tmp.h"

static void a_directory_keeps_its_name_and_no_two_have_the_same(void **state)
{
    char one[TMP_SIZE], two[TMP_SIZE], path[PATHS_SIZE];
    char first[INSTANCE_SIZE], again[INSTANCE_SIZE], other[INSTANCE_SIZE];
    struct stat st;

    (void)state;
    tmp_dir_make(one);
    tmp_dir_make(two);
    assert_int_equal(instance_load(one, first, NULL), 0);
    assert_int_equal(strlen(first), INSTANCE_SIZE - 1);
    assert_int_equal(strspn(first, "0123456789abcdef"), INSTANCE_SIZE - 1);
    assert_int_equal(instance_load(one, again, NULL), 0);
    assert_string_equal(again, first);
    assert_int_equal(instance_load(two, other, NULL), 0);
    assert_string_not_equal(other, first);
    assert_int_equal(stat(paths_instance(one, path), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    tmp_dir_remove(one);
    tmp_dir_remove(two);
}

static void a_file_that_holds_something_else_is_named(void **state)
{
    static const char *const wrong[] = { "", "abc\n", "0123456789abcdef0123456789abcdeX\n",
                                         "0123456789abcdef0123456789abcdef0\n" };
    char dir[TMP_SIZE], path[PATHS_SIZE], id[INSTANCE_SIZE];
    struct errinfo e;

    (void)state;
    tmp_dir_make(dir);
    paths_instance(dir, path);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(fd_write_file_atomic(path, 0600, wrong[i], strlen(wrong[i]), NULL), 0);
        assert_int_equal(instance_load(dir, id, &e), ERR_CONFIG);
        assert_non_null(strstr(e.text, path));
    }
    tmp_dir_remove(dir);
}

static bool has(char *const *env, const char *entry)
{
    for (; *env; env++)
        if (strcmp(*env, entry) == 0)
            return true;
    return false;
}

static void the_marks_are_passed_to_jobs_and_no_other_setting_of_jobd_is(void **state)
{
    char **env;

    (void)state;
    assert_int_equal(setenv("JOBD_DATA_DIR", "x", 1), 0);
    instance_mark_environment("0123456789abcdef0123456789abcdef", 4711);
    env = spawn_environment(NULL);
    assert_true(has(env, "JOBD_INSTANCE=0123456789abcdef0123456789abcdef"));
    assert_true(has(env, "JOBD_WORKER=4711"));
    assert_false(has(env, "JOBD_DATA_DIR=x"));
    free(env);
    assert_int_equal(unsetenv("JOBD_INSTANCE"), 0);
    assert_int_equal(unsetenv("JOBD_WORKER"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_directory_keeps_its_name_and_no_two_have_the_same),
        cmocka_unit_test(a_file_that_holds_something_else_is_named),
        cmocka_unit_test(the_marks_are_passed_to_jobs_and_no_other_setting_of_jobd_is),
    };

    return cmocka_run_group_tests_name("pool/instance", tests, NULL, NULL);
}
