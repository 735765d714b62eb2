#include "tests/support/test.h"

#include <string.h>

#include "base/buf.h"
#include "base/clean.h"
#include "base/mem.h"
#include "domain/pattern.h"

#define STEPS 20000000

static struct pattern *compile(const char *text)
{
    struct pattern *p = NULL;
    struct errinfo e = { 0 };

    if (pattern_compile(text, &p, &e) < 0)
        fail_msg("%s", e.text);
    return p;
}

static void patterns_match_what_they_say(void **state)
{
    static const struct {
        const char *pattern;
        const char *yes[6];
        const char *no[6];
    } rows[] = {
        { "", { "", "x" }, { 0 } },
        { "abc", { "abc", "xabcx" }, { "", "ab", "aabbcc" } },
        { "^abc$", { "abc" }, { "xabc", "abcx", "abc\n" } },
        { "^a|b$", { "ax", "xb" }, { "xa", "bx" } },
        { "^(a|b|cd)$", { "a", "b", "cd" }, { "c", "d", "abcd", "" } },
        { "^(?:a|)$", { "a", "" }, { "b" } },
        { "^a*$", { "", "a", "aaaa" }, { "b", "aab" } },
        { "^a+$", { "a", "aaaa" }, { "", "ab" } },
        { "^a?b$", { "b", "ab" }, { "aab" } },
        { "^a*?b+?$", { "b", "aabb" }, { "a" } },
        { "^a{3}$", { "aaa" }, { "aa", "aaaa" } },
        { "^a{2,}$", { "aa", "aaaaa" }, { "a" } },
        { "^a{0,2}$", { "", "a", "aa" }, { "aaa" } },
        { "^(ab|c){1,2}$", { "ab", "c", "abc", "cc" }, { "", "abcc" } },
        { "^(a*)*$", { "", "aaa" }, { "b" } },
        { "^(a|b|)+c$", { "c", "abc", "bac" }, { "ab" } },
        { "^()*x$", { "x" }, { "" } },
        { "^(){3}x$", { "x" }, { "" } },
        { "^x{0}y$", { "y" }, { "xy" } },
        { "^.$", { "a", "\xC3\xA4", "\xF0\x9F\x98\x80" }, { "", "\n", "ab", "\xE2\x80\xA8" } },
        { "^[a-c]$", { "a", "c" }, { "d", "-", "" } },
        { "^[^a-c]$", { "d", "\n" }, { "a", "" } },
        { "^[a-]$", { "a", "-" }, { "b" } },
        { "^[\\]\\\\^]$", { "]", "\\", "^" }, { "a" } },
        { "^[\\d.]+$", { "1.5", "..." }, { "a" } },
        { "^\\d\\D$", { "1a" }, { "11", "aa" } },
        { "^\\w+$", { "a_Z9" }, { "-", "\xC3\xA4" } },
        { "^\\W$", { "-", "\xC3\xA4" }, { "a" } },
        { "^\\s\\S$", { " a", "\xC2\xA0x", "\ta" }, { "a ", "  " } },
        { "^[^\\W\\d]+$", { "abc_" }, { "a1", "-" } },
        { "^\\x41\\u00e4\\u{1F600}$", { "A\xC3\xA4\xF0\x9F\x98\x80" }, { "A" } },
        { "^[\xC3\xA4-\xC3\xB6]$", { "\xC3\xA5" }, { "a", "\xC3\xBC" } },
        { "^a\\.b\\/c\\-d$", { "a.b/c-d" }, { "axb/c-d" } },
        { "^\\t\\n\\r\\f\\v$", { "\t\n\r\f\v" }, { "tnrfv" } },
        { "]}", { "]}" }, { "]" } },
        { "^[a-z0-9]+(-[a-z0-9]+)*$", { "a", "a-b-c9" }, { "-a", "a-", "a--b" } },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(pattern) struct pattern *p = compile(rows[i].pattern);

        for (int want = 0; want <= 1; want++) {
            const char *const *texts = want ? rows[i].yes : rows[i].no;

            for (size_t k = 0; k < COUNT_OF(rows[i].yes) && texts[k]; k++) {
                uint64_t steps = STEPS;
                bool got = !want;

                assert_int_equal(pattern_matches(p, texts[k], strlen(texts[k]), &steps, &got),
                                 0);
                if (got != want)
                    fail_msg("%s: \"%s\" %s", rows[i].pattern, texts[k],
                             got ? "matches" : "does not match");
            }
        }
    }
}

static void what_is_no_pattern_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *pattern;
        const char *says;
    } rows[] = {
        { "(", "byte 2" },
        { "a)", "byte 2" },
        { "(?=a)", "look-around" },
        { "(?<n>a)", "named groups" },
        { "*", "nothing here to repeat" },
        { "a**", "nothing here to repeat" },
        { "a{2}{3}", "nothing here to repeat" },
        { "^*", "nothing here to repeat" },
        { "a{", "write \\{" },
        { "a{x}", "write \\{" },
        { "a{1", "} is missing" },
        { "a{2,1}", "upside down" },
        { "a{1001}", "1000 times" },
        { "a{99999999999999999999}", "1000 times" },
        { "[a", "] is missing" },
        { "[z-a]", "upside down" },
        { "[a-\\d]", "single character" },
        { "\\", "no such escape" },
        { "\\b", "no such escape" },
        { "(a)\\1", "no such escape" },
        { "\\p{L}", "no such escape" },
        { "\\q", "no such escape" },
        { "\\x4", "number of a character" },
        { "\\u{110000}", "number of a character" },
        { "\\u{41", "} is missing" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(pattern) struct pattern *p = NULL;
        struct errinfo e = { 0 };

        if (pattern_compile(rows[i].pattern, &p, &e) != ERR_CONFIG)
            fail_msg("%s is accepted", rows[i].pattern);
        if (!strstr(e.text, rows[i].says))
            fail_msg("%s: %s; it does not say \"%s\"", rows[i].pattern, e.text, rows[i].says);
    }
}

static void a_pattern_that_would_grow_too_large_is_refused(void **state)
{
    static const char *const patterns[] = {
        "(a{1000}){1000}",
        "((((a{0,1000}){0,1000}){0,1000}){0,1000}){0,1000}",
        "((a{1,100}){1,100}){1,100}",
        "(((a?){1000})*){1000}",
    };
    AUTO_FINI(buf) struct buf deep = { 0 };
    AUTO(pattern) struct pattern *p = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(patterns); i++)
        assert_int_equal(pattern_compile(patterns[i], &p, NULL), ERR_CONFIG);
    for (int i = 0; i < 100000; i++)
        buf_add_char(&deep, '(');
    assert_int_equal(pattern_compile(deep.data, &p, NULL), ERR_CONFIG);
    buf_clear(&deep);
    for (int i = 0; i < 100000; i++)
        buf_add_str(&deep, "a|");
    assert_int_equal(pattern_compile(deep.data, &p, NULL), ERR_CONFIG);
    assert_null(p);
}

/* Each of these takes a backtracking matcher longer than the universe has. */
static void no_pattern_and_text_make_it_slow(void **state)
{
    static const char *const patterns[] = {
        "^(a+)+$",  "^(a|a)*$",          "^(a|aa)+$",
        "^(a*)*b$", "^(.*a){20}$",       "^(([a-z])+.)+[A-Z]([a-z])+$",
        "(x+x+)+y", "^(a?){100}a{100}$",
    };
    char text[2001];

    (void)state;
    memset(text, 'a', sizeof text - 2);
    text[sizeof text - 2] = '!';
    text[sizeof text - 1] = '\0';
    for (size_t i = 0; i < COUNT_OF(patterns); i++) {
        AUTO(pattern) struct pattern *p = compile(patterns[i]);
        uint64_t steps = STEPS;
        bool matches = true;

        assert_int_equal(pattern_matches(p, text, strlen(text), &steps, &matches), 0);
        assert_false(matches);
        assert_true(steps > STEPS / 2);
    }
}

static void the_work_that_may_be_done_is_bounded(void **state)
{
    AUTO(pattern) struct pattern *p = compile("^(a?b?c?d?){400}x$");
    size_t len = 1 << 20;
    AUTO(mem) char *text = mem_array0(len + 1, 1);
    uint64_t steps = 100000;
    bool matches;

    (void)state;
    memset(text, 'a', len);
    assert_int_equal(pattern_matches(p, text, len, &steps, &matches), ERR_AGAIN);
    assert_int_equal(steps, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_what_they_say),
        cmocka_unit_test(what_is_no_pattern_is_refused_with_its_place),
        cmocka_unit_test(a_pattern_that_would_grow_too_large_is_refused),
        cmocka_unit_test(no_pattern_and_text_make_it_slow),
        cmocka_unit_test(the_work_that_may_be_done_is_bounded),
    };

    return cmocka_run_group_tests_name("domain/pattern", tests, NULL, NULL);
}
