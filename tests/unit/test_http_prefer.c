#include "tests/support/test.h"

#include <string.h>

#include "base/clean.h"
#include "server/http/loopback.h"
#include "server/http/prefer.h"

static void wait_and_handling_are_read(void **state)
{
    struct prefer p = { 0 };

    (void)state;
    prefer_feed(&p, "respond-async, Wait = \"10\" ; x=y, handling=lenient");
    assert_true(p.has_wait);
    assert_int_equal(p.wait_seconds, 10);
    assert_true(p.lenient);
}

static void the_first_of_equal_preferences_counts(void **state)
{
    struct prefer p = { 0 };

    (void)state;
    prefer_feed(&p, "wait=1, wait=2, handling=strict");
    prefer_feed(&p, "wait=3, handling=lenient");
    assert_int_equal(p.wait_seconds, 1);
    assert_false(p.lenient);
}

static void several_lines_are_one_list(void **state)
{
    struct prefer p = { 0 };

    (void)state;
    prefer_feed(&p, "handling=lenient");
    prefer_feed(&p, "wait=7");
    assert_int_equal(p.wait_seconds, 7);
    assert_true(p.lenient);
}

static void a_bad_preference_is_ignored(void **state)
{
    static const char *const lines[] = {
        "",
        "wait",
        "wait=",
        "wait=-1",
        "wait=1x",
        "wait=1.5",
        "wait=\"",
        ",,,;;==\"\\",
        "waits=5",
        "x=\"wait=5\"",
        "x;wait=5",
        "wait=99999999999999999999",
        "=5",
        "handling=LENI",
        "x=\"a\\\",wait=5",
        "wait=00000000000000000000000000000000005",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct prefer p = { 0 };

        prefer_feed(&p, lines[i]);
        if (p.has_wait || p.lenient)
            fail_msg("%s is taken", lines[i]);
    }
}

static void a_bad_preference_hides_none_after_it(void **state)
{
    struct prefer p = { 0 };

    (void)state;
    prefer_feed(&p, "wait=soon, ;, =, x=\"a,b\", wait=4");
    assert_int_equal(p.wait_seconds, 4);
}

static bool allows(const char *line)
{
    struct accept a = { 0 };

    if (line)
        accept_feed_json(&a, line);
    return accept_allows(&a);
}

static void json_is_welcome_unless_it_is_excluded(void **state)
{
    static const char *const lines[] = {
        NULL,
        "*/*",
        "application/json",
        "Application/JSON",
        "application/*",
        "application/json;q=0.1",
        "text/html, application/json;q=0.5",
        "text/html, */*;q=0.001",
        "application/json; charset=utf-8; q=1",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "*/*;q=0, application/json",
        "application/*;q=0, application/json;q=0.2",
        "nonsense",
        "",
        ", ,",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (!allows(lines[i]))
            fail_msg("%s excludes it", lines[i]);
}

static void json_is_excluded_by_what_is_said_most_closely(void **state)
{
    static const char *const lines[] = {
        "text/html",
        "text/*",
        "application/xml",
        "application/json;q=0",
        "application/json;q=0.000",
        "application/json ; q=0.0, */*",
        "application/*;q=0, */*",
        "*/*;q=0",
        "text/html, application/json;q=0, application/*",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (allows(lines[i]))
            fail_msg("%s allows it", lines[i]);
}

static void a_browser_is_known_by_what_it_accepts(void **state)
{
    static const struct {
        const char *line;
        bool html;
    } rows[] = {
        { "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true },
        { "text/html", true },
        { "*/*", false },
        { "text/*", false },
        { "text/html;q=0", false },
        { "application/json, text/html;q=0.5", false },
        { "application/json", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct accept a = { 0 };

        accept_feed_json(&a, rows[i].line);
        if (accept_is_html(&a) != rows[i].html)
            fail_msg("%s", rows[i].line);
    }
}

static void lines_of_accept_add_up(void **state)
{
    struct accept a = { 0 };

    (void)state;
    accept_feed_json(&a, "text/html");
    assert_false(accept_allows(&a));
    accept_feed_json(&a, "application/json");
    assert_true(accept_allows(&a));
}

static void loopback_hosts_are_recognised(void **state)
{
    static const char *const hosts[] = {
        "localhost",      "LocalHost", "localhost:8080", "127.0.0.1",  "127.0.0.1:65535",
        "127.255.3.4:80", "[::1]",     "[::1]:8080",     "localhost:",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(hosts); i++)
        if (!loopback_authority(hosts[i], strlen(hosts[i])))
            fail_msg("%s is refused", hosts[i]);
}

static void other_hosts_are_not_loopback(void **state)
{
    static const char *const hosts[] = {
        "",
        "example.com",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "127.0.0.1@example.com",
        "localhost:80@example.com",
        "user@localhost",
        "10.0.0.1",
        "128.0.0.1",
        "0.0.0.0",
        "127.1",
        "[::2]",
        "[::1].example.com",
        "[::1",
        "::1",
        "localhost:123456",
        "localhost:8a",
        " localhost",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(hosts); i++)
        if (loopback_authority(hosts[i], strlen(hosts[i])))
            fail_msg("%s is taken", hosts[i]);
}

static void an_origin_is_judged_by_its_host(void **state)
{
    (void)state;
    assert_true(loopback_origin("http://localhost:3000"));
    assert_true(loopback_origin("https://127.0.0.1"));
    assert_true(loopback_origin("http://[::1]:1"));
    assert_false(loopback_origin("null"));
    assert_false(loopback_origin("https://example.com"));
    assert_false(loopback_origin("https://localhost.example.com"));
    assert_false(loopback_origin("file://"));
    assert_false(loopback_origin("localhost"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wait_and_handling_are_read),
        cmocka_unit_test(the_first_of_equal_preferences_counts),
        cmocka_unit_test(several_lines_are_one_list),
        cmocka_unit_test(a_bad_preference_is_ignored),
        cmocka_unit_test(a_bad_preference_hides_none_after_it),
        cmocka_unit_test(json_is_welcome_unless_it_is_excluded),
        cmocka_unit_test(json_is_excluded_by_what_is_said_most_closely),
        cmocka_unit_test(a_browser_is_known_by_what_it_accepts),
        cmocka_unit_test(lines_of_accept_add_up),
        cmocka_unit_test(loopback_hosts_are_recognised),
        cmocka_unit_test(other_hosts_are_not_loopback),
        cmocka_unit_test(an_origin_is_judged_by_its_host),
    };

    return cmocka_run_group_tests_name("server/http/prefer", tests, NULL, NULL);
}
