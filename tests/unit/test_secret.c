#include "tests/support/test.h"

#include "base/secret.h"

#include <string.h>

static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static void a_secret_has_its_length_and_letters_only(void **state)
{
    char text[65] = "";
    char other[65] = "";

    (void)state;
    memset(text, '#', sizeof text);
    secret_draw(text, 43);
    assert_int_equal(strlen(text), 43);
    assert_int_equal(strspn(text, alphabet), 43);
    secret_draw(other, 43);
    assert_string_not_equal(text, other);
    secret_draw(text, 0);
    assert_string_equal(text, "");
}

/* 62,000 letters: each 1,000 times, with a deviation of 32. */
static void every_letter_is_as_likely_as_the_others(void **state)
{
    unsigned counts[256] = { 0 };
    char text[1001];

    (void)state;
    for (int i = 0; i < 62; i++) {
        secret_draw(text, 1000);
        for (size_t j = 0; j < 1000; j++)
            counts[(unsigned char)text[j]]++;
    }
    for (const char *c = alphabet; *c; c++)
        assert_in_range(counts[(unsigned char)*c], 750, 1250);
}

static void blocks_are_equal_when_all_their_bytes_are(void **state)
{
    char a[] = "0123456789", b[] = "0123456789";

    (void)state;
    assert_true(secret_equal(a, b, 10));
    b[9] = 'x';
    assert_false(secret_equal(a, b, 10));
    assert_true(secret_equal(a, b, 9));
    secret_wipe(a, sizeof a);
    for (size_t i = 0; i < sizeof a; i++)
        assert_int_equal(a[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_has_its_length_and_letters_only),
        cmocka_unit_test(every_letter_is_as_likely_as_the_others),
        cmocka_unit_test(blocks_are_equal_when_all_their_bytes_are),
    };

    return cmocka_run_group_tests_name("base/secret", tests, NULL, NULL);
}
