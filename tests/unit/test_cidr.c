#include "tests/support/test.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cidr.h"
#include "base/text.h"

static struct ip_address ip(const char *text)
{
    struct ip_address got;

    assert_true(ip_parse(text, strlen(text), &got));
    return got;
}

static void an_address_reads_and_prints(void **state)
{
    static const char *const same[] = { "192.0.2.1", "0.0.0.0", "::1", "2001:db8::5", "::" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        struct ip_address a = ip(same[i]);
        char room[IP_TEXT_SIZE];

        assert_string_equal(ip_format(&a, room), same[i]);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const bad[] = {
        "",          "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "[::1]", "1.2.3.4:5",
        "fe80::1%1", " ::1",  "::1 ",      "host.a",    ":::",      "1:2",   "1.2.3.4/8"
    };
    struct ip_address got;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(ip_parse(bad[i], strlen(bad[i]), &got));
    assert_false(ip_parse("1.2\0.3.4", 8, &got));
}

static void ipv4_within_ipv6_is_ipv4(void **state)
{
    struct ip_address a = ip("::ffff:192.0.2.1"), b = ip("192.0.2.1");
    char room[IP_TEXT_SIZE];

    (void)state;
    assert_true(ip_equal(&a, &b));
    assert_string_equal(ip_format(&a, room), "192.0.2.1");
}

static void a_socket_has_its_address(void **state)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(0xc0000201) } };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct ip_address got, v4 = ip("192.0.2.1"), v6 = ip("::1");

    (void)state;
    assert_true(ip_from_socket((const struct sockaddr *)&in, &got));
    assert_true(ip_equal(&got, &v4));
    assert_true(ip_from_socket((const struct sockaddr *)&in6, &got));
    assert_true(ip_equal(&got, &v6));
    assert_false(ip_from_socket((const struct sockaddr *)&un, &got));
}

static void a_range_has_what_its_prefix_says(void **state)
{
    static const struct {
        const char *range, *address;
        bool inside;
    } cases[] = {
        { "10.0.0.0/8", "10.255.255.255", true },
        { "10.0.0.0/8", "11.0.0.0", false },
        { "192.0.2.128/25", "192.0.2.128", true },
        { "192.0.2.128/25", "192.0.2.127", false },
        { "192.0.2.1", "192.0.2.1", true },
        { "192.0.2.1", "192.0.2.2", false },
        { "192.0.2.1/32", "192.0.2.1", true },
        { "0.0.0.0/0", "255.0.0.1", true },
        { "0.0.0.0/0", "::1", false }, /* IPv4 only */
        { "::/0", "::1", true },
        { "::/0", "1.2.3.4", true },
        { "2001:db8::/33", "2001:db8:7fff::1", true },
        { "2001:db8::/33", "2001:db8:8000::1", false },
        { "::ffff:10.0.0.0/104", "10.9.9.9", true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(cidr_list) struct cidr_list list = { 0 };
        struct ip_address a = ip(cases[i].address);

        assert_int_equal(cidr_list_add(&list, "203.0.113.77", NULL), 0);
        assert_int_equal(cidr_list_add(&list, cases[i].range, NULL), 0);
        assert_int_equal(cidr_list_has(&list, &a), cases[i].inside);
    }
}

static void a_bad_range_says_why(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "localhost", "is not an IP address" }, { "", "is not an IP address" },
        { "10.0.0.0/33", "from 0 to 32" },       { "::/129", "from 0 to 128" },
        { "10.0.0.0/", "from 0 to 32" },         { "10.0.0.0/8/8", "from 0 to 32" },
        { "10.0.0.1/8", "beyond its prefix" },   { "2001:db8::1/32", "beyond its prefix" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct cidr got;
        struct errinfo e = { 0 };

        assert_int_equal(cidr_parse(cases[i].text, &got, &e), ERR_CONFIG);
        assert_non_null(strstr(e.text, cases[i].why));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_reads_and_prints),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(ipv4_within_ipv6_is_ipv4),
        cmocka_unit_test(a_socket_has_its_address),
        cmocka_unit_test(a_range_has_what_its_prefix_says),
        cmocka_unit_test(a_bad_range_says_why),
    };

    return cmocka_run_group_tests_name("base/cidr", tests, NULL, NULL);
}
