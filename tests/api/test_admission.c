/* How much somebody may ask for: rates of keys and of addresses, as gateways see them. */
#include "tests/support/api.h"

#include <signal.h>

#include "base/text.h"

#define SLOW_S 120 /* so long the requests of a test may take */

static const char config[] =
    "trusted_proxies: [127.0.0.1]\n"
    "auth: auto\n"
    "identity_header: X-User\n"
    "identities: ['header:alice scopes=jobs:write', 'header:bob scopes=jobs:write',"
    " 'header:carol scopes=jobs:write rate=1/60']\n"
    "rate_limit: 4\n"
    "rate_period: 1h\n"
    "rate_burst: 3\n"
    "functions:\n"
    "  - name: copy\n"
    "    command: [cat]\n";
static const char open_config[] =
    "trusted_proxies: [127.0.0.1]\n"
    "rate_limit_per_address: 2\n"
    "rate_period: 1h\n"
    "functions:\n"
    "  - name: copy\n"
    "    command: [cat]\n";

static void submit(const struct api *a, const char *header, struct api_reply *ret_reply)
{
    const struct api_request q = {
        .path = "/v1/jobs",
        .body = "{\"function\":\"copy\"}",
        .headers = { header },
    };

    api_send(a, &q, ret_reply);
}

/* "what is left" and the seconds until all of it is there again, or a few less by now. */
static void assert_left(const struct api_reply *r, const char *remaining, int64_t seconds)
{
    const char *value = api_header(r, "RateLimit");
    const char *rest = "";
    int64_t got;

    assert_non_null(value);
    assert_true(text_starts(value, remaining, &rest));
    assert_true(text_to_i64(rest, seconds - SLOW_S, seconds, &got));
}

static void a_key_has_its_rate_and_is_told_what_is_left(void **state)
{
    static const struct {
        const char *remaining;
        int64_t seconds;
    } left[] = { { "\"key\";r=2;t=", 900 },
                 { "\"key\";r=1;t=", 1800 },
                 { "\"key\";r=0;t=", 2700 } };
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply over = { 0 }, other = { 0 }, probe = { 0 };
    int64_t seconds;

    for (size_t i = 0; i < COUNT_OF(left); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        submit(a, "X-User: alice", &r);
        assert_status(&r, 202);
        assert_header(&r, "RateLimit-Policy", "\"key\";q=4;w=3600");
        assert_left(&r, left[i].remaining, left[i].seconds);
    }
    submit(a, "X-User: alice", &over);
    assert_problem(&over, 429, "quota-exceeded");
    assert_string_equal(api_text(&over, "violated-policies.0"), "key");
    assert_left(&over, left[2].remaining, left[2].seconds);
    assert_true(text_to_i64(api_header(&over, "Retry-After"), 900 - SLOW_S, 900, &seconds));
    submit(a, "X-User: bob", &other);
    assert_status(&other, 202);
    api_get(a, "/livez", &probe);
    assert_status(&probe, 200);
    assert_header(&probe, "RateLimit", NULL);
}

static void a_key_may_have_a_rate_of_its_own(void **state)
{
    AUTO_FINI(api_reply) struct api_reply first = { 0 }, over = { 0 };

    submit(*state, "X-User: carol", &first);
    assert_status(&first, 202);
    assert_header(&first, "RateLimit-Policy", "\"key\";q=1;w=60");
    submit(*state, "X-User: carol", &over);
    assert_problem(&over, 429, "quota-exceeded");
}

static int without_keys(void **state)
{
    struct api *a = *state;

    api_stop(a, SIGTERM);
    api_reconfigure(a, open_config);
    api_start(a);
    return 0;
}

static void an_address_without_a_key_has_its_rate(void **state)
{
    static const struct {
        const char *header;
        long status;
    } cases[] = {
        { "X-Forwarded-For: 192.0.2.1", 202 },
        { "X-Forwarded-For: 198.51.100.7, 192.0.2.1", 202 },
        { "Forwarded: for=192.0.2.1", 429 },
        { "X-Forwarded-For: 192.0.2.2", 202 },
        { "X-Forwarded-For: 2001:db8:1:2::1", 202 },
        { "X-Forwarded-For: 2001:db8:1:2:ffff::9", 202 }, /* of the same customer */
        { "X-Forwarded-For: 2001:db8:1:2::3", 429 },
        { "X-Forwarded-For: 2001:db8:1:3::3", 202 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        submit(*state, cases[i].header, &r);
        assert_status(&r, cases[i].status);
        assert_header(&r, "RateLimit-Policy", "\"address\";q=2;w=3600");
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_has_its_rate_and_is_told_what_is_left),
        cmocka_unit_test(a_key_may_have_a_rate_of_its_own),
        cmocka_unit_test_setup(an_address_without_a_key_has_its_rate, without_keys),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/admission", tests, api_setup, api_teardown));
}
