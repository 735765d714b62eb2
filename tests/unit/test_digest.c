#include "tests/support/test.h"

#include "base/digest.h"

#include <string.h>

static void equal_bytes_have_equal_digests_and_others_others(void **state)
{
    char a[DIGEST_TEXT_SIZE], b[DIGEST_TEXT_SIZE];

    (void)state;
    assert_ptr_equal(digest_text("abc", 3, a), a);
    assert_int_equal(strspn(a, "0123456789abcdef"), 2 * DIGEST_BYTES);
    assert_int_equal(strlen(a), 2 * DIGEST_BYTES);
    assert_string_equal(digest_text("abc", 3, b), a);
    assert_string_not_equal(digest_text("abd", 3, b), a);
    assert_string_not_equal(digest_text("ab", 2, b), a);
    assert_string_not_equal(digest_text("", 0, b), a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_bytes_have_equal_digests_and_others_others),
    };

    return cmocka_run_group_tests_name("base/digest", tests, NULL, NULL);
}
