#include "tests/support/test.h"

#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clean.h"

#define LAST_US ((usec_t)253402300799999999) /* 9999-12-31T23:59:59.999999Z */

static void both_clocks_run_forward_and_are_the_right_ones(void **state)
{
    usec_t mono_us = clock_mono_us();
    usec_t wall_us = clock_wall_us();
    time_t now = time(NULL);

    (void)state;
    assert_true(clock_mono_us() >= mono_us);
    assert_true(mono_us > 0);
    assert_true(mono_us < wall_us); /* nothing has been up since 1970 */
    assert_in_range(now - wall_us / USEC_PER_SEC, 0, 60);
}

/* Every day of eight thousand years against the C library, at a time of day that moves along.
 */
static void each_day_is_written_as_the_c_library_has_it(void **state)
{
    (void)state;
    for (int64_t day = 0; day < 2932897; day++) {
        int64_t of_day = day * 7919 % 86400;
        int64_t fraction_us = day * 104729 % 1000000;
        time_t seconds = day * 86400 + of_day;
        char want[64], text[CLOCK_TEXT_SIZE];
        struct tm tm;

        if (day > 60000 && day % 37 != 0)
            continue; /* two centuries in full, then every month of each year */
        assert_non_null(gmtime_r(&seconds, &tm));
        (void)snprintf(want, sizeof want, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
                       tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
                       tm.tm_sec, (int)fraction_us);
        assert_string_equal(clock_format_us(seconds * USEC_PER_SEC + fraction_us, text), want);
    }
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    for (usec_t us = 0; us <= LAST_US; us += 31556952 * USEC_PER_SEC / 5 + 1234567) {
        char text[CLOCK_TEXT_SIZE];
        usec_t back_us = -1;

        assert_true(clock_parse(clock_format_us(us, text), &back_us));
        assert_int_equal(back_us, us);
        assert_true(clock_parse(clock_format(us, text), &back_us));
        assert_int_equal(back_us, us / 1000 * 1000);
    }
}

static const struct format_row {
    usec_t wall_us;
    const char *millis;
    const char *micros;
} format_rows[] = {
    { 0, "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000000Z" },
    { 999999, "1970-01-01T00:00:00.999Z", "1970-01-01T00:00:00.999999Z" },
    { 951782399999999, "2000-02-28T23:59:59.999Z", "2000-02-28T23:59:59.999999Z" },
    { 951782400000000, "2000-02-29T00:00:00.000Z", "2000-02-29T00:00:00.000000Z" },
    { 1795425153120455, "2026-11-23T09:12:33.120Z", "2026-11-23T09:12:33.120455Z" },
    { LAST_US, "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999999Z" },
    { LAST_US + 1, "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999999Z" },
    { INT64_MAX, "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999999Z" },
    { -1, "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000000Z" },
    { INT64_MIN, "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000000Z" },
};

static void milliseconds_are_cut_and_years_are_kept_to_four_digits(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(format_rows); i++) {
        char text[CLOCK_TEXT_SIZE];

        assert_string_equal(clock_format(format_rows[i].wall_us, text), format_rows[i].millis);
        assert_string_equal(clock_format_us(format_rows[i].wall_us, text),
                            format_rows[i].micros);
    }
}

static const struct parse_row {
    const char *text;
    usec_t wall_us;
} good_texts[] = {
    { "1970-01-01T00:00:00Z", 0 },
    { "1970-01-01T00:00:01Z", 1000000 },
    { "1970-01-02T00:00:00z", 86400000000 },
    { "1970-01-01t00:00:00.5Z", 500000 },
    { "1970-01-01T00:00:00.000001Z", 1 },
    { "1970-01-01T00:00:00.0000019Z", 1 },
    { "1970-01-01T00:00:00.123456789Z", 123456 },
    { "1970-01-01T00:00:00-00:00", 0 },
    { "1970-01-01T01:00:00+01:00", 0 },
    { "1969-12-31T23:30:00-01:00", 1800000000 },
    { "1970-01-01T05:45:00.25+05:45", 250000 },
    { "1970-01-01T00:00:00-23:59", 86340000000 },
    { "2000-02-29T00:00:00Z", 951782400000000 },
    { "2026-11-23T09:12:33.120455Z", 1795425153120455 },
    { "2016-12-31T23:59:60Z", 1483228800000000 },
    { "2016-12-31T23:59:60.25Z", 1483228800250000 },
    { "2017-01-01T00:59:60+01:00", 1483228800000000 },
    { "2016-12-31T15:59:60-08:00", 1483228800000000 },
    { "9999-12-31T23:59:59.999999999Z", LAST_US },
};

static void every_form_of_rfc_3339_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good_texts); i++) {
        usec_t us = -1;

        if (!clock_parse(good_texts[i].text, &us))
            fail_msg("refused: %s", good_texts[i].text);
        assert_int_equal(us, good_texts[i].wall_us);
    }
}

static const char *const bad_texts[] = {
    "",
    "now",
    "0",
    "2026-11-23",
    "2026-11-23T09:12:33",
    "2026-11-23T09:12Z",
    "2026-11-23 09:12:33Z",
    "2026-11-23T09:12:33Z ",
    " 2026-11-23T09:12:33Z",
    "2026-11-23T09:12:33ZZ",
    "2026-11-23T09:12:33.Z",
    "2026-11-23T09:12:33,5Z",
    "2026-11-23T09:12:33.1234567890Z",
    "2026-11-23T09:12:33.-1Z",
    "2026-11-23T24:00:00Z",
    "2026-11-23T09:60:00Z",
    "2026-11-23T09:12:61Z",
    "2026-11-23T09:12:60Z",
    "2016-12-31T23:59:60+01:00",
    "2026-00-23T09:12:33Z",
    "2026-13-23T09:12:33Z",
    "2026-11-00T09:12:33Z",
    "2026-11-31T09:12:33Z",
    "2026-02-29T09:12:33Z",
    "2100-02-29T09:12:33Z",
    "2024-02-30T09:12:33Z",
    "2026-1-23T09:12:33Z",
    "+2026-11-23T09:12:33Z",
    "02026-11-23T09:12:33Z",
    "-026-11-23T09:12:33Z",
    "2026-11-23T09:12:33+0100",
    "2026-11-23T09:12:33+01",
    "2026-11-23T09:12:33+24:00",
    "2026-11-23T09:12:33+01:60",
    "2026-11-23T09:12:33*01:00",
    "1969-12-31T23:59:59.999999Z",
    "1970-01-01T00:00:00+00:01",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:60Z",
    "9999-12-31T23:59:59-00:01",
};

static void anything_else_is_refused_and_leaves_the_result_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_texts); i++) {
        usec_t us = -77;

        if (clock_parse(bad_texts[i], &us))
            fail_msg("taken: %s", bad_texts[i]);
        assert_int_equal(us, -77);
    }
}

/* Each in a block of its own, so that a sanitizer sees a read past the end. */
static void a_text_cut_short_is_refused_at_every_length(void **state)
{
    static const char whole[] = "2026-11-23T09:12:33.120455+01:30";

    (void)state;
    for (size_t len = 0; len < sizeof whole - 1; len++) {
        char *text = strndup(whole, len);
        usec_t us;

        assert_non_null(text);
        assert_false(clock_parse(text, &us));
        free(text);
    }
}

static const struct seconds_row {
    double seconds, max_seconds;
    bool ok;
    usec_t us;
} seconds_rows[] = {
    { 0, 10, true, 0 },
    { -0.0, 10, true, 0 },
    { 1, 10, true, 1000000 },
    { 10, 10, true, 10000000 },
    { 0.1, 10, true, 100000 },
    { 0.0000004, 10, true, 0 },
    { 0.0000006, 10, true, 1 },
    { 1.9999999, 10, true, 2000000 },
    { 31536000, 31536000, true, 31536000000000 },
    { 10.000001, 10, false, 0 },
    { -0.000001, 10, false, 0 },
    { -1, 10, false, 0 },
    { (double)NAN, 10, false, 0 },
    { 1, (double)NAN, false, 0 },
    { (double)INFINITY, 10, false, 0 },
    { (double)INFINITY, (double)INFINITY, false, 0 },
    { 1e300, 1e308, false, 0 },
};

static void seconds_become_microseconds_within_their_bounds(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(seconds_rows); i++) {
        const struct seconds_row *row = &seconds_rows[i];
        usec_t us = -77;

        assert_int_equal(clock_seconds_to_us(row->seconds, row->max_seconds, &us), row->ok);
        assert_int_equal(us, row->ok ? row->us : -77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_clocks_run_forward_and_are_the_right_ones),
        cmocka_unit_test(each_day_is_written_as_the_c_library_has_it),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(milliseconds_are_cut_and_years_are_kept_to_four_digits),
        cmocka_unit_test(every_form_of_rfc_3339_is_read),
        cmocka_unit_test(anything_else_is_refused_and_leaves_the_result_alone),
        cmocka_unit_test(a_text_cut_short_is_refused_at_every_length),
        cmocka_unit_test(seconds_become_microseconds_within_their_bounds),
    };

    return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
