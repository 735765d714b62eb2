#include "tests/support/test.h"

#include "domain/principal.h"

static void anybody_may_do_everything(void **state)
{
    (void)state;
    for (int scope = 0; scope < SCOPE_MAX_; scope++)
        assert_true(principal_may(&principal_anybody, (enum scope)scope));
    assert_string_equal(principal_anybody.tenant, "");
}

static void a_principal_may_do_what_its_scopes_name_and_no_more(void **state)
{
    const struct principal p = { .tenant = "", .scopes = 1u << SCOPE_JOBS_READ };

    (void)state;
    assert_true(principal_may(&p, SCOPE_JOBS_READ));
    assert_false(principal_may(&p, SCOPE_JOBS_WRITE));
    assert_false(principal_may(&p, SCOPE_ADMIN));
    assert_true(principal_may(&p, SCOPE_ANY));
    assert_true(principal_may(&p, SCOPE_PUBLIC));
}

static void the_name_of_a_scope_leads_back_to_it(void **state)
{
    (void)state;
    for (int scope = 0; scope < SCOPE_MAX_; scope++)
        assert_int_equal(scope_parse(scope_name((enum scope)scope)), scope);
    assert_true(scope_parse("jobs") < 0);
    assert_true(scope_parse("") < 0);
}

static void an_empty_set_of_names_has_all_another_one_its_own(void **state)
{
    char a[] = "a";
    char b[] = "b";
    char *items[] = { a, b };
    const struct name_set all = { 0 };
    const struct name_set some = { .items = items, .count = 2 };

    (void)state;
    assert_true(name_set_has(&all, "x"));
    assert_true(name_set_has(&some, "b"));
    assert_false(name_set_has(&some, "x"));
}

static void a_principal_is_good_until_it_expires_or_is_withdrawn(void **state)
{
    atomic_bool withdrawn = false;
    const struct principal p = { .tenant = "", .expires_at_us = 10, .withdrawn = &withdrawn };

    (void)state;
    assert_true(principal_is_good(&principal_anybody, INT64_MAX));
    assert_true(principal_is_good(&p, 9));
    assert_false(principal_is_good(&p, 10));
    atomic_store(&withdrawn, true);
    assert_false(principal_is_good(&p, 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anybody_may_do_everything),
        cmocka_unit_test(a_principal_may_do_what_its_scopes_name_and_no_more),
        cmocka_unit_test(the_name_of_a_scope_leads_back_to_it),
        cmocka_unit_test(a_principal_is_good_until_it_expires_or_is_withdrawn),
        cmocka_unit_test(an_empty_set_of_names_has_all_another_one_its_own),
    };

    return cmocka_run_group_tests_name("domain/principal", tests, NULL, NULL);
}
