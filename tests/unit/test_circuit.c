#include "tests/support/test.h"

#include "base/clean.h"
#include "pool/circuit.h"

static void it_opens_after_some_failed_starts_in_a_row_and_closes_when_one_is_up(void **state)
{
    struct circuit c = { 0 };

    (void)state;
    for (int i = 1; i < CIRCUIT_OPEN_AFTER; i++) {
        circuit_ended(&c, CIRCUIT_FAILED_START);
        assert_false(circuit_is_open(&c));
    }
    circuit_ended(&c, CIRCUIT_FAILED_START);
    assert_true(circuit_is_open(&c));
    circuit_up(&c);
    assert_false(circuit_is_open(&c));
}

static void one_that_was_up_is_no_failed_start(void **state)
{
    struct circuit c = { 0 };

    (void)state;
    for (int i = 1; i < CIRCUIT_OPEN_AFTER; i++)
        circuit_ended(&c, CIRCUIT_FAILED_START);
    circuit_ended(&c, CIRCUIT_DIED);
    circuit_ended(&c, CIRCUIT_FAILED_START);
    assert_false(circuit_is_open(&c));
}

static void waits_double_up_to_the_longest_until_one_was_useful(void **state)
{
    struct circuit c = { 0 };
    usec_t want_us = CIRCUIT_WAIT_MIN_US;

    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(circuit_ended(&c, i % 2 ? CIRCUIT_DIED : CIRCUIT_FAILED_START),
                         want_us);
        want_us = want_us * 2 < CIRCUIT_WAIT_MAX_US ? want_us * 2 : CIRCUIT_WAIT_MAX_US;
    }
    assert_int_equal(want_us, CIRCUIT_WAIT_MAX_US);
    assert_int_equal(circuit_ended(&c, CIRCUIT_USEFUL), 0);
    assert_int_equal(circuit_ended(&c, CIRCUIT_DIED), CIRCUIT_WAIT_MIN_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_opens_after_some_failed_starts_in_a_row_and_closes_when_one_is_up),
        cmocka_unit_test(one_that_was_up_is_no_failed_start),
        cmocka_unit_test(waits_double_up_to_the_longest_until_one_was_useful),
    };

    return cmocka_run_group_tests_name("pool/circuit", tests, NULL, NULL);
}
