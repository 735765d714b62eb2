#include "tests/support/test.h"

#include "base/embed.h"

#include <string.h>

#include "base/buf.h"
#include "base/clean.h"
#include "base/fd.h"

EMBED(embedded_text, "VERSION");

static void the_bytes_are_those_of_the_file(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    struct errinfo e;

    (void)state;
    assert_int_equal(fd_read_file("VERSION", 4096, &b, &e), 0); /* tests start in the root */
    assert_int_equal(EMBED_LEN(embedded_text), b.len);
    assert_memory_equal(embedded_text, b.data, b.len);
}

static void a_nul_follows_the_bytes(void **state)
{
    (void)state;
    assert_true(EMBED_LEN(embedded_text) > 0);
    assert_int_equal(*embedded_text_end, 0);
    assert_int_equal(strlen(embedded_text), EMBED_LEN(embedded_text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_those_of_the_file),
        cmocka_unit_test(a_nul_follows_the_bytes),
    };

    return cmocka_run_group_tests_name("base/embed", tests, NULL, NULL);
}
