#include "tests/support/test.h"

#include "domain/api_key_spec.h"

#include <string.h>

#include "base/mem.h"
#include "domain/json_text.h"

#define NOW ((usec_t)1764000000 * USEC_PER_SEC)

static char ok[] = "ok";
static char *ok_only[] = { ok };
/* Somebody with a part of everything. */
static const struct principal part = {
    .tenant = "acme",
    .scopes = GRANT_SCOPE(SCOPE_KEYS_ADMIN) | GRANT_SCOPE(SCOPE_JOBS_READ),
    .functions = { ok_only, 1 },
    .rate = 10,
    .rate_seconds = 60,
    .expires_at_us = NOW + 1000 * USEC_PER_SEC,
};

static void decode(const char *text, const struct principal *maker, struct api_key *key,
                   struct faults *f)
{
    AUTO(json) json_t *body = json_loads(text, JSON_DECODE_ANY, NULL);

    assert_non_null(body);
    api_key_spec_decode(body, maker, NOW, key, f);
}

static void what_is_not_said_is_what_the_maker_has(void **state)
{
    AUTO_FINI(api_key) struct api_key key = { 0 };
    AUTO_FINI(faults) struct faults f = { 0 };

    (void)state;
    decode("{\"scopes\":[\"jobs:read\"]}", &part, &key, &f);
    assert_int_equal(f.total, 0);
    assert_string_equal(key.grant.tenant, "acme");
    assert_string_equal(key.grant.functions.items[0], "ok");
    assert_int_equal(key.grant.queues.count, 0);
    assert_int_equal(key.grant.rate, 10);
    assert_int_equal(key.expires_at_us, part.expires_at_us);
    assert_string_equal(key.name, "");
    assert_true(api_key_is_within(&key.grant, &part));
}

static void everybody_may_give_away_everything_he_has(void **state)
{
    AUTO_FINI(api_key) struct api_key key = { 0 };
    AUTO_FINI(faults) struct faults f = { 0 };

    (void)state;
    decode(
        "{\"scopes\":[\"admin\"],\"functions\":[\"x\",\"y\"],\"queues\":null,"
        "\"rate\":{\"limit\":1,\"window_seconds\":1}}",
        &principal_anybody, &key, &f);
    assert_int_equal(f.total, 0);
    assert_int_equal(key.grant.functions.count, 2);
    assert_int_equal(key.grant.queues.count, 0);
    assert_int_equal(key.expires_at_us, 0);
    assert_true(api_key_is_within(&key.grant, &principal_anybody));
    assert_false(api_key_is_within(&key.grant, &part));
}

static void nobody_gives_away_more(void **state)
{
    static const struct {
        const char *text, *pointer, *code;
    } cases[] = {
        { "{\"scopes\":[\"jobs:write\"]}", "#/scopes/0", "not-yours" },
        { "{\"scopes\":[\"admin\"]}", "#/scopes/0", "not-yours" },
        { "{\"scopes\":[],\"functions\":[\"other\"]}", "#/functions/0", "not-yours" },
        { "{\"scopes\":[],\"rate\":{\"limit\":11,\"window_seconds\":60}}", "#/rate",
          "not-yours" },
        { "{\"scopes\":[\"*\"]}", "#/scopes/0", "unknown-scope" },
        { "{\"scopes\":[\"jobs:read,admin\"]}", "#/scopes/0", "unknown-scope" },
        { "{\"scopes\":[],\"functions\":[\"ok,other\"]}", "#/functions/0", "invalid" },
        { "{\"scopes\":\"*\"}", "#/scopes", "wrong-type" },
        { "{\"scopes\":[],\"queues\":[7]}", "#/queues/0", "wrong-type" },
        { "{\"scopes\":[],\"name\":7}", "#/name", "wrong-type" },
        { "{\"scopes\":[],\"rate\":{\"limit\":0,\"window_seconds\":60}}", "#/rate", "invalid" },
        { "{\"scopes\":[],\"expires_at\":\"soon\"}", "#/expires_at", "invalid" },
        { "{\"scopes\":[],\"expires_at\":\"2001-01-01T00:00:00Z\"}", "#/expires_at",
          "out-of-range" },
        { "{\"scopes\":[],\"tenant\":\"other\"}", "#/tenant", "unknown-field" },
        { "{}", "#/scopes", "missing" },
        { "[]", "#", "wrong-type" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_key) struct api_key key = { 0 };
        AUTO_FINI(faults) struct faults f = { 0 };

        decode(cases[i].text, &part, &key, &f);
        if (f.total != 1 || strcmp(f.items[0].pointer, cases[i].pointer) != 0 ||
            strcmp(f.items[0].code, cases[i].code) != 0)
            fail_msg("%s: %zu faults, %s %s", cases[i].text, f.total,
                     f.total ? f.items[0].pointer : "", f.total ? f.items[0].code : "");
        assert_true((key.grant.scopes & ~part.scopes) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_said_is_what_the_maker_has),
        cmocka_unit_test(everybody_may_give_away_everything_he_has),
        cmocka_unit_test(nobody_gives_away_more),
    };

    return cmocka_run_group_tests_name("domain/api_key_spec", tests, NULL, NULL);
}
