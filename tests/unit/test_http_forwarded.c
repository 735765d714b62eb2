#include "tests/support/test.h"

#include <string.h>

#include "server/http/forwarded.h"

static struct ip_address ip(const char *text)
{
    struct ip_address got;

    assert_true(ip_parse(text, strlen(text), &got));
    return got;
}

/* What a gateway at 10.0.0.1 says, where 10.0.0.0/8 is trusted. */
static const char *client_of(const struct forwarded *f)
{
    static char room[IP_TEXT_SIZE];
    AUTO_FINI(cidr_list) struct cidr_list trusted = { 0 };
    struct ip_address nearest = ip("10.0.0.1"), client;

    assert_int_equal(cidr_list_add(&trusted, "10.0.0.0/8", NULL), 0);
    assert_true(forwarded_client(f, &nearest, &trusted, &client));
    return ip_format(&client, room);
}

static void the_last_untrusted_element_of_forwarded_is_the_client(void **state)
{
    static const struct {
        const char *line, *client;
    } cases[] = {
        { "for=192.0.2.1", "192.0.2.1" },
        { "For=\"192.0.2.1:8080\";proto=https;by=10.0.0.1", "192.0.2.1" },
        { "for=\"[2001:db8::7]\"", "2001:db8::7" },
        { "for=\"[2001:db8::7]:443\"", "2001:db8::7" },
        { "for=198.51.100.9, for=192.0.2.1", "192.0.2.1" }, /* the first may be a lie */
        { "for=198.51.100.9, for=10.2.3.4", "198.51.100.9" },
        { "for=10.2.3.4, for=10.2.3.5", "10.2.3.4" },
        { "for=198.51.100.9, for=unknown", "10.0.0.1" },
        { "for=198.51.100.9, for=_hidden", "10.0.0.1" },
        { "for=_hidden, for=10.2.3.4", "10.2.3.4" },
        { "for=\"_hidden:_port\", for=192.0.2.8", "192.0.2.8" },
        { "proto=https", "10.0.0.1" },
        { ", ,for=192.0.2.1 ; by=x , ", "192.0.2.1" },
        { "for=\"192.0.2.\\1\"", "192.0.2.1" },
        { "ext=\"a,b;for=192.0.2.2\";for=192.0.2.1", "192.0.2.1" },
        { "", "10.0.0.1" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct forwarded f = { 0 };

        forwarded_feed(&f, cases[i].line);
        assert_false(f.malformed);
        assert_string_equal(client_of(&f), cases[i].client);
    }
}

static void a_malformed_forwarded_says_nothing(void **state)
{
    static const char *const bad[] = {
        "for",
        "for=",
        "=192.0.2.1",
        "for=\"192.0.2.1",
        "for=[::1]",
        "for = 192.0.2.1",
        "for=1.1.1.1;for=2.2.2.2",
        "for=192.0.2.1 by=x",
        "\"for\"=1.1.1.1",
        "for=\"a\\",
        "for=2001:db8::1",
        "for=1.1.1.1, \"",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct forwarded f = { 0 };

        forwarded_feed(&f, bad[i]);
        assert_true(f.malformed);
        assert_string_equal(client_of(&f), "10.0.0.1");
        assert_false(forwarded_is_https(&f));
    }
}

static void the_last_untrusted_element_of_x_forwarded_for_is_the_client(void **state)
{
    static const struct {
        const char *line, *client;
    } cases[] = {
        { "192.0.2.1", "192.0.2.1" },
        { "198.51.100.9, 192.0.2.1", "192.0.2.1" },
        { "198.51.100.9,10.9.9.9", "198.51.100.9" },
        { "2001:db8::7", "2001:db8::7" },
        { "[2001:db8::7]:99", "2001:db8::7" },
        { "192.0.2.1:99", "192.0.2.1" },
        { "198.51.100.9, unknown", "10.0.0.1" },
        { "192.0.2.1, 1.2.3", "10.0.0.1" },
        { "192.0.2.1:x\"", "10.0.0.1" },
        { "[192.0.2.1]", "10.0.0.1" },
        { " , ,", "10.0.0.1" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct forwarded f = { 0 };

        forwarded_feed_x(&f, cases[i].line);
        assert_string_equal(client_of(&f), cases[i].client);
    }
}

static void lines_make_one_list(void **state)
{
    struct forwarded f = { 0 }, x = { 0 };

    (void)state;
    forwarded_feed(&f, "for=198.51.100.9");
    forwarded_feed(&f, "for=192.0.2.1, for=10.3.3.3");
    assert_string_equal(client_of(&f), "192.0.2.1");
    forwarded_feed_x(&x, "198.51.100.9");
    forwarded_feed_x(&x, "10.3.3.3");
    assert_string_equal(client_of(&x), "198.51.100.9");
}

static void of_a_long_list_the_end_counts(void **state)
{
    struct forwarded f = { 0 };

    (void)state;
    forwarded_feed_x(&f, "192.0.2.1");
    for (int i = 0; i < FORWARDED_HOPS_MAX - 1; i++)
        forwarded_feed_x(&f, "10.3.3.3");
    assert_string_equal(client_of(&f), "192.0.2.1");
    forwarded_feed_x(&f, "10.3.3.4");
    assert_int_equal(f.count, FORWARDED_HOPS_MAX);
    assert_string_equal(client_of(&f), "10.3.3.3");
}

static void behind_a_unix_socket_nobody_is_known_but_who_is_named(void **state)
{
    struct forwarded f = { 0 };
    struct cidr_list none = { 0 };
    struct ip_address got, wanted = ip("192.0.2.1");

    (void)state;
    assert_false(forwarded_client(&f, NULL, &none, &got));
    forwarded_feed_x(&f, "198.51.100.9, 192.0.2.1");
    assert_true(forwarded_client(&f, NULL, &none, &got));
    assert_true(ip_equal(&got, &wanted));
}

static void the_nearest_proxy_says_the_protocol(void **state)
{
    struct forwarded f = { 0 }, g = { 0 };

    (void)state;
    forwarded_feed(&f, "for=1.1.1.1;proto=http, for=10.0.0.3;proto=HTTPS");
    assert_true(forwarded_is_https(&f));
    forwarded_feed(&g, "for=1.1.1.1;proto=https, for=10.0.0.3");
    assert_false(forwarded_is_https(&g));
    assert_true(forwarded_x_proto_is_https("https"));
    assert_true(forwarded_x_proto_is_https("http , HTTPS "));
    assert_false(forwarded_x_proto_is_https("https, http"));
    assert_false(forwarded_x_proto_is_https("httpsx"));
    assert_false(forwarded_x_proto_is_https(""));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_untrusted_element_of_forwarded_is_the_client),
        cmocka_unit_test(a_malformed_forwarded_says_nothing),
        cmocka_unit_test(the_last_untrusted_element_of_x_forwarded_for_is_the_client),
        cmocka_unit_test(lines_make_one_list),
        cmocka_unit_test(of_a_long_list_the_end_counts),
        cmocka_unit_test(behind_a_unix_socket_nobody_is_known_but_who_is_named),
        cmocka_unit_test(the_nearest_proxy_says_the_protocol),
    };

    return cmocka_run_group_tests_name("http/forwarded", tests, NULL, NULL);
}
