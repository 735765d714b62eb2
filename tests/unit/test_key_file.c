#include "tests/support/test.h"

#include "server/key_file.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/tmp.h"

#define SECRET "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg"

static char dir[TMP_SIZE];
static char path[TMP_SIZE + 8];

static int read_text(const char *text, struct api_keys *ret_keys, struct errinfo *e)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return key_file_read(path, ret_keys, e);
}

static void each_line_is_a_key(void **state)
{
    AUTO_FINI(api_keys) struct api_keys keys = { 0 };

    (void)state;
    assert_int_equal(read_text("# keys\n\n  jobd_000000000001_" SECRET
                               "\r\njobd_000000000002_" SECRET " tenant=a scopes=jobs:read",
                               &keys, NULL),
                     0);
    assert_int_equal(keys.count, 2);
    assert_string_equal(keys.items[0].id, "000000000001");
    assert_int_equal(keys.items[0].grant.scopes, GRANT_ALL_SCOPES);
    assert_int_equal(keys.items[1].grant.scopes, GRANT_SCOPE(SCOPE_JOBS_READ));
    assert_string_equal(keys.items[1].grant.tenant, "a");
}

static void a_fault_names_its_line_and_nothing_that_is_secret(void **state)
{
    static const char *const bad[] = {
        "\njobd_000000000001_" SECRET "x\n",
        "\njobd_000000000001_" SECRET " tenant\n",
        "\n" SECRET "\n",
        "jobd_000000000001_" SECRET "\njobd_000000000001_" SECRET "\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_FINI(api_keys) struct api_keys keys = { 0 };
        struct errinfo e = { 0 };

        assert_int_equal(read_text(bad[i], &keys, &e), ERR_CONFIG);
        assert_non_null(strstr(e.text, ":2: "));
        assert_null(strstr(e.text, SECRET));
        assert_int_equal(keys.count, 0);
    }
}

static void a_missing_file_is_named(void **state)
{
    AUTO_FINI(api_keys) struct api_keys keys = { 0 };
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(key_file_read("/nonexistent/keys", &keys, &e), ERR_CONFIG);
    assert_non_null(strstr(e.text, "/nonexistent/keys"));
}

static int setup(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof path, "%s/keys", tmp_dir_make(dir));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tmp_dir_remove(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_is_a_key),
        cmocka_unit_test(a_fault_names_its_line_and_nothing_that_is_secret),
        cmocka_unit_test(a_missing_file_is_named),
    };

    return cmocka_run_group_tests_name("server/key_file", tests, setup, teardown);
}
