#include "tests/support/test.h"

#include <string.h>

#include "base/clean.h"
#include "base/text.h"
#include "domain/failure_text.h"

struct row {
    const char *text;
    const char *want;
};

static void check(const struct row *rows, size_t count)
{
    char room[FAILURE_TEXT_SIZE];

    for (size_t i = 0; i < count; i++)
        assert_string_equal(failure_text_general(rows[i].text, strlen(rows[i].text), room),
                            rows[i].want);
}

static void numbers_dates_and_times_are_one_placeholder(void **state)
{
    static const struct row rows[] = {
        { "timeout after 31.5 s", "timeout after <num> s" },
        { "exit -1", "exit -<num>" },
        { "at 2026-11-23T09:12:33.120Z: no", "at <num>: no" },
        { "2026-11-23 09:12:33,5 E", "<num> <num> E" },
        { "10.0.0.7:8080 refused", "<num> refused" },
        { "1e-5 and 3E7", "<num> and <num>" },
        { "12ms, 3rd of 1,024", "<num>ms, <num>rd of <num>" },
        { "line 7.", "line <num>." },
        { "[12]", "[<num>]" },
        { "job-17 utf8 sha256sum", "job-<num> utf<num> sha<num>sum" },
    };

    (void)state;
    check(rows, COUNT_OF(rows));
}

static void addresses_hashes_and_ids_are_placeholders(void **state)
{
    static const struct row rows[] = {
        { "segfault at 0x7ffe12aB", "segfault at <hex>" },
        { "object 9f86d081 is lost", "object <hex> is lost" },
        { "deadbeef is a word", "deadbeef is a word" },
        { "0190f0c2-7a11-7c3e-8f43-9f86d0818844 gone", "<uuid> gone" },
        { "id=0190F0C2-7A11-7C3E-8F43-9F86D0818844", "id=<uuid>" },
        { "token i9Zk3QxT", "token <id>" },
        { "instance i-0abc123def", "instance i-<hex>" },
        { "Zk3QxTvB", "<id>" },
        { "abcdefghijklmnop1", "<id>" },
        { "x86_64", "x<num>_<num>" },
        { "1-2-3x", "<num>-<num>-<num>x" },
    };

    (void)state;
    check(rows, COUNT_OF(rows));
}

static void paths_and_urls_are_placeholders(void **state)
{
    static const struct row rows[] = {
        { "open /srv/in/4711.png: no such file", "open <path>: no such file" },
        { "/usr/bin/env: x", "<path>: x" },
        { "(./a.c:12:3)", "(<path>:<num>)" },
        { "../x ~/y", "<path> <path>" },
        { "C:\\temp\\a.txt is locked", "<path> is locked" },
        { "in src/main.c.", "in <path>." },
        { "a/b/c and/or I/O 24/7 / x", "<path> and/or I/O <num> / x" },
        { "GET https://example.org/a?b=1, then", "GET <url>, then" },
        { "see (http://x/y).", "see (<url>)." },
    };

    (void)state;
    check(rows, COUNT_OF(rows));
}

static void what_is_in_quotes_is_a_placeholder(void **state)
{
    static const struct row rows[] = {
        { "KeyError: 'user_17'", "KeyError: <str>" },
        { "no \"column\" in `t`", "no <str> in <str>" },
        { "can't open 'it's'", "can't open <str>" },
        { "a \"b", "a \"b" },
        { "{\"a\": 1, \"b\": \"c\"}", "{<str>: <num>, <str>: <str>}" },
        { "''", "<str>" },
    };

    (void)state;
    check(rows, COUNT_OF(rows));
}

static void the_text_is_one_line_of_utf8_without_controls(void **state)
{
    static const struct row rows[] = {
        { "", "" },
        { " \t\n ", "" },
        { "  a\t\tb\r\nc ", "a b c" },
        { "\x1b[31merror:\x1b[0m bad", "error: bad" },
        { "\x1b[31", "" },
        { "\xC3\xA4\xFF\xE2\x82", "\xC3\xA4???" },
        { "caf\xC3\xA9 7", "caf\xC3\xA9 <num>" },
    };

    (void)state;
    check(rows, COUNT_OF(rows));
}

static void a_long_text_is_cut_between_characters_and_placeholders(void **state)
{
    char text[FAILURE_TEXT_IN_MAX_BYTES + 64];
    char room[FAILURE_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "\xC3\xA4", 2);
    failure_text_general(text, sizeof text, room);
    assert_int_equal(strlen(room), FAILURE_TEXT_SIZE - 1);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 2 ? ' ' : '7';
    failure_text_general(text, sizeof text, room);
    assert_int_equal(strlen(room) % 6, 5);
    assert_string_equal(room + strlen(room) - 5, "<num>");
}

/* Texts on which a careless scanner looks at each byte again and again. */
static void awkward_texts_become_short_valid_ones(void **state)
{
    static const char *const units[] = { "a.",  "'a",  "a@",   "\"`'",   "1.",    "a:/", "0-",
                                         "~",   "a-a", "./",   "http:/", "\x1b[", "=/=", "%a",
                                         "0x0", "1e",  "\xC3", "_1",     "1-" };
    char text[FAILURE_TEXT_IN_MAX_BYTES];
    char room[FAILURE_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        size_t len = strlen(units[i]);

        for (size_t n = 0; n < sizeof text; n++)
            text[n] = units[i][n % len];
        text[sizeof text - 1] = 'x';
        for (int again = 0; again < 100; again++)
            failure_text_general(text, sizeof text, room);
        for (const char *p = room; *p; p += text_utf8_len(p, strlen(p)))
            assert_true(text_utf8_len(p, strlen(p)) > 0);
    }
}

static void the_last_line_that_is_not_blank_is_found(void **state)
{
    static const struct row rows[] = {
        { "", "" },
        { "\n \n", "" },
        { "one", "one" },
        { "one\ntwo\n", "two" },
        { "one\n  two \r\n\n\t\n", "  two" },
    };
    char block[3 * FAILURE_TEXT_IN_MAX_BYTES];
    size_t len;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *line = failure_text_last_line(rows[i].text, strlen(rows[i].text), &len);

        assert_int_equal(len, strlen(rows[i].want));
        assert_memory_equal(line, rows[i].want, len);
    }
    memset(block, 'x', sizeof block);
    assert_ptr_equal(failure_text_last_line(block, sizeof block, &len),
                     block + sizeof block - FAILURE_TEXT_IN_MAX_BYTES);
    assert_int_equal(len, FAILURE_TEXT_IN_MAX_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_dates_and_times_are_one_placeholder),
        cmocka_unit_test(addresses_hashes_and_ids_are_placeholders),
        cmocka_unit_test(paths_and_urls_are_placeholders),
        cmocka_unit_test(what_is_in_quotes_is_a_placeholder),
        cmocka_unit_test(the_text_is_one_line_of_utf8_without_controls),
        cmocka_unit_test(a_long_text_is_cut_between_characters_and_placeholders),
        cmocka_unit_test(awkward_texts_become_short_valid_ones),
        cmocka_unit_test(the_last_line_that_is_not_blank_is_found),
    };

    return cmocka_run_group_tests_name("domain/failure_text", tests, NULL, NULL);
}
