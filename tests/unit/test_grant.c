#include "tests/support/test.h"

#include "domain/grant.h"

#include <string.h>

#include "base/mem.h"

static void a_grant_is_read_from_words(void **state)
{
    AUTO_FINI(grant) struct grant g = { 0 };
    AUTO_FINI(buf) struct buf scopes = { 0 };

    (void)state;
    assert_int_equal(grant_parse(&g,
                                 "  tenant=acme scopes=jobs:read,jobs:write\tscopes=logs:read"
                                 " functions=a,b queues=low rate=100/60 ",
                                 NULL),
                     0);
    assert_string_equal(g.tenant, "acme");
    grant_format_scopes(g.scopes, ' ', &scopes);
    assert_string_equal(scopes.data, "jobs:read jobs:write logs:read");
    assert_int_equal(g.functions.count, 2);
    assert_string_equal(g.functions.items[1], "b");
    assert_string_equal(g.queues.items[0], "low");
    assert_int_equal(g.rate, 100);
    assert_int_equal(g.rate_seconds, 60);
}

static void a_star_stands_for_all(void **state)
{
    AUTO_FINI(grant) struct grant g = { 0 };

    (void)state;
    assert_int_equal(grant_parse(&g, "scopes=* functions=* queues=*", NULL), 0);
    assert_int_equal(g.scopes, GRANT_ALL_SCOPES);
    assert_int_equal(g.functions.count, 0);
    assert_int_equal(g.queues.count, 0);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        { "tenant", "no value" },
        { "tenent=a", "none of tenant" },
        { "tenant=a/b", "a tenant is named" },
        { "scopes=jobs:reed", "did you mean jobs:read" },
        { "scopes=zebra", "no scope \"zebra\"" },
        { "functions=a/b", "is not a name" },
        { "rate=", "a rate is" },
        { "rate=0", "a rate is" },
        { "rate=1/0", "a rate is" },
        { "rate=1/", "a rate is" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(grant) struct grant g = { 0 };
        struct errinfo e = { 0 };

        assert_int_equal(grant_parse(&g, cases[i].text, &e), ERR_VALIDATION);
        if (!strstr(e.text, cases[i].says))
            fail_msg("%s: %s", cases[i].text, e.text);
    }
}

static void names_are_bounded(void **state)
{
    AUTO_FINI(grant) struct grant g = { 0 };
    char name[GRANT_NAME_MAX + 2];

    (void)state;
    for (int i = 0; i < GRANT_NAMES_MAX; i++)
        assert_int_equal(grant_set(&g, "queues", "name", NULL), 0);
    assert_int_equal(grant_set(&g, "queues", "name", NULL), ERR_VALIDATION);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(grant_set(&g, "functions", name, NULL), ERR_VALIDATION);
}

static void a_copy_has_its_own_texts(void **state)
{
    AUTO_FINI(grant) struct grant a = { 0 };
    AUTO_FINI(grant) struct grant b = { 0 };

    (void)state;
    assert_int_equal(grant_parse(&a, "tenant=t scopes=admin functions=f", NULL), 0);
    grant_copy(&b, &a);
    grant_fini(&a);
    assert_string_equal(b.tenant, "t");
    assert_string_equal(b.functions.items[0], "f");
    assert_int_equal(b.queues.count, 0);
    assert_int_equal(b.scopes, GRANT_SCOPE(SCOPE_ADMIN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_grant_is_read_from_words), cmocka_unit_test(a_star_stands_for_all),
        cmocka_unit_test(what_is_wrong_is_named),     cmocka_unit_test(names_are_bounded),
        cmocka_unit_test(a_copy_has_its_own_texts),
    };

    return cmocka_run_group_tests_name("domain/grant", tests, NULL, NULL);
}
