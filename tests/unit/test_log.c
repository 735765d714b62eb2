#include "tests/support/test.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/clock.h"
#include "base/text.h"

/* What is logged goes into a memory file, from where taken() reads it. */
static int capture_fd = -1;

static int start_capture(void **state)
{
    (void)state;
    capture_fd = memfd_create("log", MFD_CLOEXEC);
    if (capture_fd < 0)
        return -1;
    log_set_fd(capture_fd);
    log_set_level(LOG_DEBUG);
    return 0;
}

static int end_capture(void **state)
{
    (void)state;
    log_set_fd(STDERR_FILENO);
    log_set_level(LOG_INFO);
    return close(capture_fd);
}

/* All that was logged since the last call. */
static const char *taken(void)
{
    static char text[64 * LOG_LINE_MAX];
    ssize_t n = pread(capture_fd, text, sizeof text - 1, 0);

    assert_true(n >= 0);
    text[n] = '\0';
    assert_int_equal(ftruncate(capture_fd, 0), 0);
    assert_int_equal(lseek(capture_fd, 0, SEEK_SET), 0);
    return text;
}

/* The line must be the head for this event and then exactly `rest`. */
static void assert_line(const char *event, const char *rest)
{
    char want[2 * LOG_LINE_MAX];
    const char *line = taken();
    const char *after_ts = strchr(line, ',');

    assert_non_null(after_ts);
    (void)snprintf(want, sizeof want, ",\"level\":\"info\",\"event\":\"%s\",\"pid\":%d%s}\n",
                   event, (int)getpid(), rest);
    assert_string_equal(after_ts, want);
}

static void a_line_starts_with_the_time_of_the_call(void **state)
{
    usec_t before_us = clock_wall_us();
    char ts[CLOCK_TEXT_SIZE] = "";
    usec_t us = 0;
    const char *line;

    (void)state;
    log_info("now");
    line = taken();
    assert_true(text_starts(line, "{\"ts\":\"", &line));
    (void)text_copy(ts, sizeof "2026-11-23T09:12:33.120455Z", line);
    assert_true(clock_parse(ts, &us));
    assert_true(us >= before_us && us <= clock_wall_us());
}

static void an_event_needs_no_fields(void **state)
{
    (void)state;
    log_info("server.start");
    assert_line("server.start", "");
}

static void each_kind_of_field_has_its_json_form(void **state)
{
    (void)state;
    log_info("e", LSTR("s", "text"), LSTR("n", NULL), LSTR("empty", ""));
    assert_line("e", ",\"s\":\"text\",\"n\":null,\"empty\":\"\"");
    log_info("e", LI64("a", 0), LI64("b", INT64_MIN), LI64("c", INT64_MAX), LI64("d", 7U));
    assert_line("e", ",\"a\":0,\"b\":-9223372036854775808,\"c\":9223372036854775807,\"d\":7");
    log_info("e", LBOOL("t", 2 > 1), LBOOL("f", 1 > 2), LBOOL("many", 256));
    assert_line("e", ",\"t\":true,\"f\":false,\"many\":true");
    log_info("e", LF64("x", 0.1), LF64("y", -2), LF64("big", 1e300), LF64("z", 12345.678));
    assert_line("e", ",\"x\":0.1,\"y\":-2,\"big\":1e+300,\"z\":12345.678");
    log_info("e", LF64("nan", (double)NAN), LF64("inf", (double)-INFINITY));
    assert_line("e", ",\"nan\":null,\"inf\":null");
}

static void every_level_below_the_set_one_is_dropped(void **state)
{
    static const char *const names[] = { "debug", "info", "warn", "error" };

    (void)state;
    for (int min = LOG_DEBUG; min < LOG_LEVEL_MAX_; min++) {
        log_set_level((enum log_level)min);
        for (int level = LOG_DEBUG; level < LOG_LEVEL_MAX_; level++) {
            const struct log_field none[] = { { .name = NULL } };
            char want[32];
            const char *line;

            log_write((enum log_level)level, "x", none);
            line = taken();
            assert_int_equal(*line != '\0', level >= min);
            (void)snprintf(want, sizeof want, "\"level\":\"%s\"", names[level]);
            if (level >= min)
                assert_non_null(strstr(line, want));
        }
    }
}

static void each_macro_has_its_level(void **state)
{
    (void)state;
    log_debug("x");
    assert_non_null(strstr(taken(), "\"debug\""));
    log_info("x");
    assert_non_null(strstr(taken(), "\"info\""));
    log_warn("x");
    assert_non_null(strstr(taken(), "\"warn\""));
    log_error("x");
    assert_non_null(strstr(taken(), "\"error\""));
}

static void the_names_of_the_levels_are_read(void **state)
{
    static const char *const bad[] = { "", "INFO", "inf", "infos", "trace", "1" };

    (void)state;
    assert_int_equal(log_level_parse("debug"), LOG_DEBUG);
    assert_int_equal(log_level_parse("info"), LOG_INFO);
    assert_int_equal(log_level_parse("warn"), LOG_WARN);
    assert_int_equal(log_level_parse("error"), LOG_ERROR);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(log_level_parse(bad[i]), -1);
}

/* What RFC 8259 section 7 asks of one byte; a byte from 0x80 on is no UTF-8 by itself. */
static void escape_by_the_book(int c, char want[16])
{
    static const char shorts[][2] = { { '"', '"' },  { '\\', '\\' }, { '\b', 'b' },
                                      { '\f', 'f' }, { '\n', 'n' },  { '\r', 'r' },
                                      { '\t', 't' } };

    for (size_t i = 0; i < COUNT_OF(shorts); i++)
        if (shorts[i][0] == c) {
            (void)snprintf(want, 16, "\\%c", shorts[i][1]);
            return;
        }
    if (c < 0x20)
        (void)snprintf(want, 16, "\\u%04x", (unsigned)c);
    else if (c < 0x80)
        (void)snprintf(want, 16, "%c", c);
    else
        (void)snprintf(want, 16, "\\ufffd");
}

static void every_single_byte_is_escaped_right(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        const char value[] = { 'a', (char)c, 'b', '\0' };
        char piece[16], rest[64];

        escape_by_the_book(c, piece);
        log_info("e", LSTR("s", value));
        (void)snprintf(rest, sizeof rest, ",\"s\":\"a%sb\"", piece);
        assert_line("e", rest);
    }
}

static void valid_utf8_is_kept_and_each_other_byte_is_replaced(void **state)
{
    static const struct {
        const char *value, *want;
    } rows[] = {
        { "\xc3\xa9", "\xc3\xa9" },
        { "\xe2\x82\xac", "\xe2\x82\xac" },
        { "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
        { "\xc3", "\\ufffd" },
        { "\xe2\x82", "\\ufffd\\ufffd" },
        { "\xe2\x82x", "\\ufffd\\ufffdx" },
        { "\xc0\x80", "\\ufffd\\ufffd" },
        { "\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd" },
        { "\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd" },
        { "\xff\xc3\xa9", "\\ufffd\xc3\xa9" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char rest[128];

        log_info("e", LSTR("s", rows[i].value));
        (void)snprintf(rest, sizeof rest, ",\"s\":\"%s\"", rows[i].want);
        assert_line("e", rest);
    }
}

static void names_and_events_are_escaped_too(void **state)
{
    (void)state;
    log_info("a\"b", LSTR("n\n", "v"));
    assert_line("a\\\"b", ",\"n\\n\":\"v\"");
}

/* A strict reader of the flat objects that the log writes: returns what follows, or NULL. */
static const char *skip_string(const char *p)
{
    if (*p++ != '"')
        return NULL;
    while (*p != '"') {
        size_t len = text_utf8_len(p, strnlen(p, 4));

        if (len == 0 || (unsigned char)*p < 0x20)
            return NULL;
        if (*p == '\\') {
            if (p[1] == 'u' && strspn(p + 2, "0123456789abcdef") >= 4)
                len = 6;
            else if (p[1] != '\0' && strchr("\"\\/bfnrt", p[1]))
                len = 2;
            else
                return NULL;
        }
        p += len;
    }
    return p + 1;
}

static bool is_one_json_line(const char *line)
{
    const char *p = line;
    char want = '{';

    while (*p == want) {
        p = skip_string(p + 1);
        if (!p || *p++ != ':')
            return false;
        if (*p == '"')
            p = skip_string(p);
        else
            p += strspn(p, "-+.0123456789abcdefghijklmnopqrstuvwxyz");
        if (!p)
            return false;
        want = ',';
    }
    return strcmp(p, "}\n") == 0;
}

static void fill(char *text, size_t len, const char *piece)
{
    size_t width = strlen(piece);
    size_t at = 0;

    for (; at + width <= len; at += width)
        memcpy(text + at, piece, width);
    text[at] = '\0';
}

/* A long value, a full line: whatever is in it and wherever the cut falls. */
static void no_value_breaks_a_line_or_makes_it_too_long(void **state)
{
    static const char *const pieces[] = {
        "x", "\"", "\n", "\x01", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xff"
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pieces); i++)
        for (size_t len = 0; len < 2 * LOG_VALUE_MAX; len += len % 256 < 250 ? 25 : 1) {
            char value[2 * LOG_VALUE_MAX + 1];
            const char *line;

            fill(value, len, pieces[i]);
            log_info("e", LSTR("a", value), LSTR("b", value), LSTR("c", value),
                     LSTR("d", value), LSTR(value, "f"), LI64("g", 1));
            line = taken();
            assert_in_range(strlen(line), 1, LOG_LINE_MAX);
            assert_true(is_one_json_line(line));
        }
}

static void a_value_is_cut_with_a_mark_and_the_next_fields_stay(void **state)
{
    char value[LOG_VALUE_MAX + 2], rest[2 * LOG_LINE_MAX];

    (void)state;
    fill(value, LOG_VALUE_MAX, "x");
    log_info("e", LSTR("s", value), LI64("n", 1));
    (void)snprintf(rest, sizeof rest, ",\"s\":\"%s\",\"n\":1", value);
    assert_line("e", rest); /* exactly the most is whole */

    fill(value, LOG_VALUE_MAX + 1, "x");
    log_info("e", LSTR("s", value), LI64("n", 1));
    (void)snprintf(rest, sizeof rest, ",\"s\":\"%.*s...\",\"n\":1,\"truncated\":true",
                   LOG_VALUE_MAX, value);
    assert_line("e", rest);
}

static void a_field_that_does_not_fit_is_left_out_and_told(void **state)
{
    char value[LOG_VALUE_MAX + 1];
    const char *line;

    (void)state;
    fill(value, LOG_VALUE_MAX, "x");
    /* Four whole values fill the line up to the mark; what follows has no room. */
    log_info("e", LSTR("a", value), LSTR("b", value), LSTR("c", value), LSTR("d", value),
             LSTR("late", "v"));
    line = taken();
    assert_true(is_one_json_line(line));
    assert_null(strstr(line, "late"));
    assert_non_null(strstr(line, "\"d\":\"xxx")); /* as much of it as the line takes */
    assert_in_range(strlen(line), LOG_LINE_MAX - 2, LOG_LINE_MAX);
    assert_string_equal(line + strlen(line) - strlen(",\"truncated\":true}\n"),
                        ",\"truncated\":true}\n");
}

static void logging_keeps_errno_even_when_it_fails(void **state)
{
    (void)state;
    log_set_fd(-1);
    errno = ENOENT;
    log_info("lost");
    assert_int_equal(errno, ENOENT);
}

static void *log_many(void *arg)
{
    for (int i = 0; i < 100; i++)
        log_info("many", LSTR("who", arg), LI64("i", i));
    return NULL;
}

static void threads_never_tear_a_line(void **state)
{
    static char value[] = "a-somewhat-longer-value-so-that-tearing-would-show";
    pthread_t threads[4];
    char *line;
    int lines = 0;
    char text[64 * LOG_LINE_MAX];

    (void)state;
    assert_true(fcntl(capture_fd, F_SETFL, O_APPEND) == 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, value), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    (void)text_copy(text, sizeof text, taken());
    for (line = text; *line != '\0'; lines++) {
        char *end = strchr(line, '\n');
        char first;

        assert_non_null(end);
        first = end[1];
        end[1] = '\0';
        assert_true(is_one_json_line(line));
        end[1] = first;
        line = end + 1;
    }
    assert_int_equal(lines, 400);
}

#define CAPTURED(test) cmocka_unit_test_setup_teardown(test, start_capture, end_capture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CAPTURED(a_line_starts_with_the_time_of_the_call),
        CAPTURED(an_event_needs_no_fields),
        CAPTURED(each_kind_of_field_has_its_json_form),
        CAPTURED(every_level_below_the_set_one_is_dropped),
        CAPTURED(each_macro_has_its_level),
        CAPTURED(the_names_of_the_levels_are_read),
        CAPTURED(every_single_byte_is_escaped_right),
        CAPTURED(valid_utf8_is_kept_and_each_other_byte_is_replaced),
        CAPTURED(names_and_events_are_escaped_too),
        CAPTURED(no_value_breaks_a_line_or_makes_it_too_long),
        CAPTURED(a_value_is_cut_with_a_mark_and_the_next_fields_stay),
        CAPTURED(a_field_that_does_not_fit_is_left_out_and_told),
        CAPTURED(logging_keeps_errno_even_when_it_fails),
        CAPTURED(threads_never_tear_a_line),
    };

    return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
