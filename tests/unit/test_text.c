#include "tests/support/test.h"

#include "base/text.h"

#include "base/clean.h"

static void a_prefix_gives_the_rest(void **state)
{
    static const struct {
        const char *text, *prefix, *rest; /* no rest: it is no prefix */
    } rows[] = {
        { "/v1/jobs", "/v1/", "jobs" },
        { "abc", "abc", "" },
        { "abc", "", "abc" },
        { "", "", "" },
        { "ab", "abc", NULL },
        { "xbc", "a", NULL },
        { "", "a", NULL },
        { "ABC", "abc", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *rest = NULL;

        assert_int_equal(text_starts(rows[i].text, rows[i].prefix, &rest),
                         rows[i].rest != NULL);
        assert_int_equal(text_starts(rows[i].text, rows[i].prefix, NULL), rows[i].rest != NULL);
        if (rows[i].rest)
            assert_string_equal(rest, rows[i].rest);
        else
            assert_null(rest);
    }
}

static void a_number_is_taken_within_its_bounds(void **state)
{
    static const struct {
        const char *text;
        int64_t min, max;
        bool ok;
        int64_t number;
    } rows[] = {
        { "0", 0, 10, true, 0 },
        { "10", 0, 10, true, 10 },
        { "007", 0, 10, true, 7 },
        { "11", 0, 10, false, 0 },
        { "4", 5, 10, false, 0 },
        { "5", 5, 10, true, 5 },
        { "3", -5, 10, true, 3 },
        { "9223372036854775807", 0, INT64_MAX, true, INT64_MAX },
        { "9223372036854775808", 0, INT64_MAX, false, 0 },
        { "9223372036854775810", 0, INT64_MAX, false, 0 },
        { "99999999999999999999999", INT64_MIN, INT64_MAX, false, 0 },
        { "18446744073709551617", 0, 10, false, 0 },
        { "", 0, 10, false, 0 },
        { "-1", -10, 10, false, 0 },
        { "+1", 0, 10, false, 0 },
        { " 1", 0, 10, false, 0 },
        { "1 ", 0, 10, false, 0 },
        { "1.0", 0, 10, false, 0 },
        { "0x1", 0, 10, false, 0 },
        { "1e0", 0, 10, false, 0 },
        { "/", 0, 10, false, 0 },
        { ":", 0, 10, false, 0 },
        { "\xd9\xa1", 0, 10, false, 0 }, /* an Arabic 1 */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t number = -77;

        assert_int_equal(text_to_i64(rows[i].text, rows[i].min, rows[i].max, &number),
                         rows[i].ok);
        assert_int_equal(number, rows[i].ok ? rows[i].number : -77);
    }
}

static void a_copy_never_leaves_its_room(void **state)
{
    (void)state;
    for (size_t room_bytes = 1; room_bytes <= 8; room_bytes++) {
        char to[9];
        size_t want_len = room_bytes - 1 < 5 ? room_bytes - 1 : 5;

        memset(to, '#', sizeof to);
        assert_ptr_equal(text_copy(to, room_bytes, "hello"), to);
        assert_int_equal(strlen(to), want_len);
        assert_memory_equal(to, "hello", want_len);
        for (size_t at = want_len + 1; at < sizeof to; at++)
            assert_int_equal(to[at], '#');
    }
}

static void a_token_is_made_of_token_characters_only(void **state)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

    (void)state;
    for (int c = 1; c < 256; c++) {
        const char alone[] = { (char)c, '\0' };
        const char last[] = { 'a', (char)c, '\0' };
        bool want = strchr(allowed, (char)c) != NULL;

        assert_int_equal(text_is_token(alone, 8), want);
        assert_int_equal(text_is_token(last, 8), want);
    }
}

static void a_token_is_neither_empty_nor_too_long(void **state)
{
    (void)state;
    assert_false(text_is_token("", 8));
    assert_true(text_is_token("12345678", 8));
    assert_false(text_is_token("123456789", 8));
}

/* The bit layout of RFC 3629 section 3, which knows nothing of what is allowed. */
static size_t encode(uint32_t point, unsigned char bytes[4])
{
    if (point < 0x80) {
        bytes[0] = (unsigned char)point;
        return 1;
    }
    if (point < 0x800) {
        bytes[0] = (unsigned char)(0xc0 | point >> 6);
        bytes[1] = (unsigned char)(0x80 | (point & 0x3f));
        return 2;
    }
    if (point < 0x10000) {
        bytes[0] = (unsigned char)(0xe0 | point >> 12);
        bytes[1] = (unsigned char)(0x80 | (point >> 6 & 0x3f));
        bytes[2] = (unsigned char)(0x80 | (point & 0x3f));
        return 3;
    }
    bytes[0] = (unsigned char)(0xf0 | point >> 18);
    bytes[1] = (unsigned char)(0x80 | (point >> 12 & 0x3f));
    bytes[2] = (unsigned char)(0x80 | (point >> 6 & 0x3f));
    bytes[3] = (unsigned char)(0x80 | (point & 0x3f));
    return 4;
}

static void every_code_point_is_valid_utf8_but_the_surrogates(void **state)
{
    (void)state;
    for (uint32_t point = 0; point < 0x1fffff; point++) {
        unsigned char bytes[4];
        size_t len = encode(point, bytes);
        bool valid = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);

        assert_int_equal(text_utf8_len(bytes, len), valid ? len : 0);
        if (len > 1)
            assert_int_equal(text_utf8_len(bytes, len - 1), 0);
    }
}

static void broken_utf8_has_no_length(void **state)
{
    static const char *const rows[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xc3(",
        "\xe2\x82(",
        "\xe2(\xa1",
        "\xed\xa0\x80",
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf0\x9f\x98(",
        "\xf0\x9f(\x80",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "\xfe",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(text_utf8_len(rows[i], strlen(rows[i])), 0);
    assert_int_equal(text_utf8_len("", 0), 0);
    assert_int_equal(text_utf8_len("\xc3\xa9\xff", 3), 2); /* what follows does not matter */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prefix_gives_the_rest),
        cmocka_unit_test(a_number_is_taken_within_its_bounds),
        cmocka_unit_test(a_copy_never_leaves_its_room),
        cmocka_unit_test(a_token_is_made_of_token_characters_only),
        cmocka_unit_test(a_token_is_neither_empty_nor_too_long),
        cmocka_unit_test(every_code_point_is_valid_utf8_but_the_surrogates),
        cmocka_unit_test(broken_utf8_has_no_length),
    };

    return cmocka_run_group_tests_name("base/text", tests, NULL, NULL);
}
