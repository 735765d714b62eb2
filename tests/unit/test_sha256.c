#include "tests/support/test.h"

#include "base/sha256.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"

static int file_with(const char *text, size_t times)
{
    FILE *f = tmpfile();
    int fd;

    assert_non_null(f);
    for (size_t i = 0; i < times; i++)
        (void)fputs(text, f);
    (void)fflush(f);
    fd = dup(fileno(f));
    (void)fclose(f);
    assert_true(fd >= 0);
    return fd;
}

/* The values are those of FIPS 180-4's examples. */
static void the_digest_is_that_of_all_bytes(void **state)
{
    AUTO_FINI(fd) int empty = file_with("", 0);
    AUTO_FINI(fd) int abc = file_with("abc", 1);
    AUTO_FINI(fd) int million = file_with("aaaaaaaaaa", 100000);
    char field[SHA256_FIELD_SIZE];

    (void)state;
    assert_int_equal(sha256_field(empty, field, NULL), 0);
    assert_string_equal(field, "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:");
    assert_int_equal(sha256_field(abc, field, NULL), 0);
    assert_string_equal(field, "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:");
    assert_int_equal(sha256_field(million, field, NULL), 0);
    assert_string_equal(field, "sha-256=:zcduXJkU+5KBocfihNc+Z/GAmkiklyAOBG05zMcRLNA=:");
}

static void a_descriptor_that_cannot_be_read_is_an_error(void **state)
{
    char field[SHA256_FIELD_SIZE];
    struct errinfo e;

    (void)state;
    assert_int_equal(sha256_field(-1, field, &e), ERR_SYS);
    assert_int_equal(e.sys_errno, EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_digest_is_that_of_all_bytes),
        cmocka_unit_test(a_descriptor_that_cannot_be_read_is_an_error),
    };

    return cmocka_run_group_tests_name("base/sha256", tests, NULL, NULL);
}
