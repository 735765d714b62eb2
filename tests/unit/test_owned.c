#include "tests/support/test.h"

#include "engine/owned.h"

static const struct uuid7 A = { .hi = 0x0190f0c2000a7001, .lo = 0x8000000000000001 };
static const struct uuid7 B = { .hi = 0x0190f0c2000a7002, .lo = 0x8000000000000002 };

static void an_attempt_is_found_by_its_number_only(void **state)
{
    struct owned_table t = { 0 };

    (void)state;
    (void)owned_add(&t, A, 3, 7, 0);
    assert_non_null(owned_find_attempt(&t, A, 3));
    assert_null(owned_find_attempt(&t, A, 2));
    assert_null(owned_find_attempt(&t, A, 4));
    assert_null(owned_find_attempt(&t, B, 3));
    owned_table_fini(&t);
}

static void removing_a_stale_attempt_leaves_the_current_one(void **state)
{
    struct owned_table t = { 0 };

    (void)state;
    (void)owned_add(&t, A, 3, 7, 0);
    owned_remove(&t, A, 2);
    assert_int_equal(owned_count(&t), 1);
    owned_remove(&t, A, 3);
    assert_int_equal(owned_count(&t), 0);
    owned_table_fini(&t);
}

static void a_settled_attempt_no_longer_occupies_its_worker(void **state)
{
    struct owned_table t = { 0 };

    (void)state;
    (void)owned_add(&t, A, 1, 7, 0);
    owned_settle(&t, owned_add(&t, B, 1, 7, 0));
    assert_int_equal(owned_count(&t), 2);
    assert_int_equal(owned_count_of(&t, 7), 1);
    assert_int_equal(owned_count_of(&t, 8), 0);
    owned_table_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attempt_is_found_by_its_number_only),
        cmocka_unit_test(removing_a_stale_attempt_leaves_the_current_one),
        cmocka_unit_test(a_settled_attempt_no_longer_occupies_its_worker),
    };

    return cmocka_run_group_tests_name("engine/owned", tests, NULL, NULL);
}
