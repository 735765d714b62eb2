#include "tests/support/test.h"

#include "base/clean.h"
#include "pool/child.h"

#define NOW (100 * USEC_PER_SEC)

static void a_child_that_never_was_is_due(void **state)
{
    struct child c = { 0 };

    (void)state;
    assert_true(child_is_due(&c, NOW));
    child_started(&c, 7, NOW);
    assert_int_equal(c.pid, 7);
    assert_int_equal(c.started_us, NOW);
    assert_false(child_is_due(&c, NOW + USEC_PER_SEC));
}

static void a_child_that_was_of_use_is_started_again_at_once(void **state)
{
    struct child c = { .pid = 7, .early_ends = 5 };

    (void)state;
    child_ended(&c, false, NOW);
    assert_true(child_is_due(&c, NOW));
    assert_int_equal(c.early_ends, 0);
}

static void early_ends_in_a_row_are_followed_by_ever_longer_waits(void **state)
{
    static const usec_t waits_ms[] = { 0,   10,   20,   40,   80,   160, 320,
                                       640, 1280, 2560, 5000, 5000, 5000 };
    struct child c = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(waits_ms); i++) {
        usec_t due_us = NOW + waits_ms[i] * USEC_PER_MS;

        child_started(&c, 7, NOW);
        child_ended(&c, true, NOW);
        assert_int_equal(c.early_ends, i + 1);
        assert_false(child_is_due(&c, due_us - 1));
        assert_true(child_is_due(&c, due_us));
    }
    c.early_ends = 4000000000u; /* for ever is no special case */
    child_ended(&c, true, NOW);
    assert_true(child_is_due(&c, NOW + CHILD_WAIT_MAX_US));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_that_never_was_is_due),
        cmocka_unit_test(a_child_that_was_of_use_is_started_again_at_once),
        cmocka_unit_test(early_ends_in_a_row_are_followed_by_ever_longer_waits),
    };

    return cmocka_run_group_tests_name("pool/child", tests, NULL, NULL);
}
