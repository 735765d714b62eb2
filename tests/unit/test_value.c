#include "tests/support/test.h"

#include "base/clean.h"
#include "server/value.h"

static void a_time_is_a_number_and_a_unit(void **state)
{
    static const struct {
        const char *text;
        usec_t us;
    } good[] = {
        { "0", 0 },
        { "30", 30 * USEC_PER_SEC },
        { "30s", 30 * USEC_PER_SEC },
        { "30 s", 30 * USEC_PER_SEC },
        { "1.5", 1500000 },
        { "0.000001", 1 },
        { "500ms", 500 * USEC_PER_MS },
        { "7us", 7 },
        { "5m", 300 * USEC_PER_SEC },
        { "1h", 3600 * USEC_PER_SEC },
        { "1.5h", 5400 * USEC_PER_SEC },
        { "2d", 172800 * USEC_PER_SEC },
        { "3155673600s", INT64_C(3155673600) * USEC_PER_SEC },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        usec_t us = -1;

        assert_true(value_duration(good[i].text, &us));
        assert_int_equal(us, good[i].us);
    }
}

static void what_is_not_a_time_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "s",
        "-1",
        "+1",
        "1x",
        "1S",
        "1 ",
        " 1",
        "1  s",
        "1.",
        ".5",
        "1.s",
        "1e3",
        "1.2.3",
        "0x10",
        "1h30m",
        "1,5",
        "30sec",
        "inf",
        "1.0000001",
        "99999999999999999999",
        "36525d",
        "9223372036854775807",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        usec_t us = -1;

        assert_false(value_duration(bad[i], &us));
        assert_int_equal(us, -1);
    }
}

static void a_time_is_written_with_its_largest_whole_unit(void **state)
{
    static const struct {
        usec_t us;
        const char *text;
    } cases[] = {
        { 0, "0s" },
        { 1, "1us" },
        { 1500, "1500us" },
        { 500 * USEC_PER_MS, "500ms" },
        { 30 * USEC_PER_SEC, "30s" },
        { 90 * USEC_PER_SEC, "90s" },
        { 300 * USEC_PER_SEC, "5m" },
        { 3600 * USEC_PER_SEC, "1h" },
        { 31 * 86400 * USEC_PER_SEC, "31d" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[VALUE_TEXT_SIZE];
        usec_t back = -1;

        assert_string_equal(value_duration_format(cases[i].us, text), cases[i].text);
        assert_true(value_duration(text, &back));
        assert_int_equal(back, cases[i].us);
    }
}

static void a_size_is_bytes_or_binary_units(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } good[] = { { "0", 0 },
                 { "65536", 65536 },
                 { "64KiB", 65536 },
                 { "1 MiB", 1048576 },
                 { "2GiB", 2147483648 } };
    static const char *const bad[] = { "",
                                       "KiB",
                                       "1kb",
                                       "1K",
                                       "1.5MiB",
                                       "-1",
                                       "1 ",
                                       "0x10",
                                       "1MB",
                                       " 1",
                                       "9999999999999999999",
                                       "900000000000000000GiB" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        int64_t bytes = -1;

        assert_true(value_bytes(good[i].text, &bytes));
        assert_int_equal(bytes, good[i].bytes);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t bytes = -1;

        assert_false(value_bytes(bad[i], &bytes));
    }
}

static void a_size_is_written_with_its_largest_whole_unit(void **state)
{
    char text[VALUE_TEXT_SIZE];

    (void)state;
    assert_string_equal(value_bytes_format(0, text), "0");
    assert_string_equal(value_bytes_format(1000, text), "1000");
    assert_string_equal(value_bytes_format(1024, text), "1KiB");
    assert_string_equal(value_bytes_format(10 << 20, text), "10MiB");
    assert_string_equal(value_bytes_format(INT64_C(1) << 40, text), "1024GiB");
}

static void yes_and_no_have_several_words(void **state)
{
    static const char *const yes[] = { "true", "yes", "on", "1" };
    static const char *const no[] = { "false", "no", "off", "0" };
    bool b = false;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        b = false;
        assert_true(value_bool(yes[i], &b) && b);
        assert_true(value_bool(no[i], &b) && !b);
    }
    assert_false(value_bool("", &b));
    assert_false(value_bool("maybe", &b));
    assert_false(value_bool("True", &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_is_a_number_and_a_unit),
        cmocka_unit_test(what_is_not_a_time_is_refused),
        cmocka_unit_test(a_time_is_written_with_its_largest_whole_unit),
        cmocka_unit_test(a_size_is_bytes_or_binary_units),
        cmocka_unit_test(a_size_is_written_with_its_largest_whole_unit),
        cmocka_unit_test(yes_and_no_have_several_words),
    };

    return cmocka_run_group_tests_name("server/value", tests, NULL, NULL);
}
