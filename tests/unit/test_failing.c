#include "tests/support/test.h"

#include "engine/failing.h"

#define START_US ((usec_t)3600 * USEC_PER_SEC)

static const struct errinfo full = { .code = ERR_STORAGE_FULL, .text = "no room" };

static void the_first_failure_is_to_be_logged_and_tried_again_soon(void **state)
{
    struct failing f = { 0 };

    (void)state;
    assert_true(failing_note(&f, &full, START_US));
    assert_true(f.now);
    assert_int_equal(f.why.code, ERR_STORAGE_FULL);
    assert_int_equal(f.retry_us, START_US + FAILING_WAIT_MIN_US);
    assert_false(failing_note(&f, &full, START_US + 1));
    assert_int_equal(f.retry_us, START_US + 1 + FAILING_WAIT_MIN_US);
}

static void a_failure_that_lasts_is_tried_as_often_as_at_first(void **state)
{
    struct failing f = { 0 };

    (void)state;
    for (int i = 0; i < 100; i++)
        (void)failing_note(&f, &full, START_US + i);
    assert_int_equal(f.wait_us, FAILING_WAIT_MIN_US);
}

static void one_that_comes_and_goes_is_tried_less_and_less_often(void **state)
{
    struct failing f = { 0 };
    usec_t before_us = 0;

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_true(failing_note(&f, &full, START_US + i));
        assert_true(f.wait_us > before_us || f.wait_us == FAILING_WAIT_MAX_US);
        before_us = f.wait_us;
        failing_end(&f, START_US + i);
        assert_false(f.now);
    }
    assert_int_equal(f.wait_us, FAILING_WAIT_MAX_US);
}

static void after_a_while_without_failures_it_begins_anew(void **state)
{
    struct failing f = { 0 };

    (void)state;
    (void)failing_note(&f, &full, START_US);
    failing_end(&f, START_US);
    (void)failing_note(&f, &full, START_US + 1);
    failing_end(&f, START_US + 1);
    assert_true(failing_note(&f, &full, START_US + 1 + FAILING_RECOVERED_US));
    assert_int_equal(f.wait_us, FAILING_WAIT_MIN_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_failure_is_to_be_logged_and_tried_again_soon),
        cmocka_unit_test(a_failure_that_lasts_is_tried_as_often_as_at_first),
        cmocka_unit_test(one_that_comes_and_goes_is_tried_less_and_less_often),
        cmocka_unit_test(after_a_while_without_failures_it_begins_anew),
    };

    return cmocka_run_group_tests_name("engine/failing", tests, NULL, NULL);
}
