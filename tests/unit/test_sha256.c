#include "tests/support/test.h"

#include "base/sha256.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
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

static void bytes_may_come_in_pieces(void **state)
{
    static const unsigned char abc[] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                                         0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
                                         0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
                                         0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad };
    unsigned char digest[SHA256_BYTES];
    struct sha256 h;

    (void)state;
    sha256_init(&h);
    sha256_add(&h, "a", 1);
    sha256_add(&h, "", 0);
    sha256_add(&h, "bc", 2);
    sha256_end(&h, digest);
    assert_memory_equal(digest, abc, SHA256_BYTES);
}

static void texts_in_a_row_are_kept_apart(void **state)
{
    static const char *const rows[][2] = {
        { "ab", "c" }, { "a", "bc" }, { NULL, "abc" }, { "abc", NULL }
    };
    unsigned char digests[COUNT_OF(rows)][SHA256_BYTES];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sha256 h;

        sha256_init(&h);
        sha256_add_text(&h, rows[i][0]);
        sha256_add_text(&h, rows[i][1]);
        sha256_end(&h, digests[i]);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(digests[i], digests[j], SHA256_BYTES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_digest_is_that_of_all_bytes),
        cmocka_unit_test(bytes_may_come_in_pieces),
        cmocka_unit_test(texts_in_a_row_are_kept_apart),
        cmocka_unit_test(a_descriptor_that_cannot_be_read_is_an_error),
    };

    return cmocka_run_group_tests_name("base/sha256", tests, NULL, NULL);
}
