#include "tests/support/test.h"

#include "server/identities.h"

#include <string.h>

static void the_name_counts_more_than_the_star(void **state)
{
    AUTO_FINI(identities) struct identities list = { 0 };
    struct caller *c;

    (void)state;
    assert_int_equal(identities_add(&list, "cert:* tenant=* scopes=jobs:read", NULL), 0);
    assert_int_equal(identities_add(&list, "cert:a.example tenant=acme scopes=*", NULL), 0);
    c = identities_find(&list, IDENTITY_CERT, "a.example");
    assert_non_null(c);
    assert_string_equal(caller_principal(c)->tenant, "acme");
    assert_string_equal(caller_principal(c)->key_id, "cert:a.example");
    assert_int_equal(caller_principal(c)->via, PRINCIPAL_MTLS);
    (void)caller_unref(c);
    c = identities_find(&list, IDENTITY_CERT, "b.example");
    assert_string_equal(caller_principal(c)->tenant, "b.example");
    assert_int_equal(caller_principal(c)->scopes, GRANT_SCOPE(SCOPE_JOBS_READ));
    (void)caller_unref(c);
    assert_null(identities_find(&list, IDENTITY_CERT, "no tenant"));
    assert_null(identities_find(&list, IDENTITY_HEADER, "a.example"));
    assert_true(identities_have(&list, IDENTITY_CERT));
    assert_false(identities_have(&list, IDENTITY_UID));
}

static void a_uid_is_a_number(void **state)
{
    AUTO_FINI(identities) struct identities list = { 0 };
    struct caller *c;

    (void)state;
    assert_int_equal(identities_add(&list, "uid:1000\ttenant=x scopes=admin", NULL), 0);
    assert_null(identities_find(&list, IDENTITY_UID, "100"));
    c = identities_find(&list, IDENTITY_UID, "1000");
    assert_int_equal(caller_principal(c)->via, PRINCIPAL_UNIX);
    (void)caller_unref(c);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        { "", "does not begin with" },
        { "alice tenant=a", "does not begin with" },
        { "header: tenant=a", "1 to 256" },
        { "uid:root scopes=*", "not a number" },
        { "uid:4294967296", "not a number" },
        { "header:alice tenant=*", "with the name * only" },
        { "header:* scopes=jobs:reed", "did you mean jobs:read" },
        { "header:* tenant=*x", "a tenant is named" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(identities) struct identities list = { 0 };
        struct errinfo e = { 0 };

        assert_int_equal(identities_add(&list, cases[i].text, &e), ERR_CONFIG);
        if (!strstr(e.text, cases[i].says))
            fail_msg("%s: %s", cases[i].text, e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_counts_more_than_the_star),
        cmocka_unit_test(a_uid_is_a_number),
        cmocka_unit_test(what_is_wrong_is_named),
    };

    return cmocka_run_group_tests_name("server/identities", tests, NULL, NULL);
}
