#include "tests/support/test.h"

#include <unistd.h>

#include "base/mem.h"
#include "pool/wear.h"

static void without_limits_nothing_wears_out(void **state)
{
    const struct function fn = { 0 };
    struct wear w;

    (void)state;
    wear_init(&w, &fn, UINT64_MAX);
    w.jobs = UINT32_MAX;
    wear_look(&w, getpid(), USEC_PER_SEC);
    assert_true(w.rss_bytes > 0);
    assert_null(wear_due(&w));
}

static void limits_are_spread_by_a_tenth_and_no_further(void **state)
{
    const struct function fn = { .max_jobs = 1000, .max_age_us = 60 * USEC_PER_SEC };
    unsigned least = UINT32_MAX, most = 0;

    (void)state;
    for (uint64_t chance = 0; chance < 1000; chance++) {
        struct wear w;

        wear_init(&w, &fn, chance);
        least = w.max_jobs < least ? w.max_jobs : least;
        most = w.max_jobs > most ? w.max_jobs : most;
        assert_in_range(w.max_age_us, 54 * USEC_PER_SEC, 66 * USEC_PER_SEC);
    }
    assert_int_equal(least, 900);
    assert_int_equal(most, 1100);
}

static void a_small_number_of_jobs_is_kept_exactly(void **state)
{
    (void)state;
    for (unsigned jobs = 1; jobs < 10; jobs++) {
        const struct function fn = { .max_jobs = jobs };
        struct wear w;

        wear_init(&w, &fn, UINT64_MAX - jobs);
        w.jobs = jobs - 1;
        assert_null(wear_due(&w));
        w.jobs = jobs;
        assert_string_equal(wear_due(&w), "max_jobs");
    }
}

static void too_much_memory_is_seen(void **state)
{
    const struct function small = { .max_rss_bytes = 1 };
    const struct function large = { .max_rss_bytes = INT64_MAX };
    struct wear w;

    (void)state;
    wear_init(&w, &large, 1);
    wear_look(&w, getpid(), USEC_PER_SEC);
    assert_null(wear_due(&w));
    wear_init(&w, &small, 1);
    assert_null(wear_due(&w));
    wear_look(&w, getpid(), USEC_PER_SEC);
    assert_string_equal(wear_due(&w), "max_rss");
}

static void without_a_limit_memory_is_looked_at_once_a_second(void **state)
{
    const struct function fn = { 0 };
    struct wear w;

    (void)state;
    wear_init(&w, &fn, 1);
    wear_look(&w, getpid(), USEC_PER_SEC);
    w.rss_bytes = -1;
    wear_look(&w, getpid(), 2 * USEC_PER_SEC - 1);
    assert_int_equal(w.rss_bytes, -1);
    wear_look(&w, getpid(), 2 * USEC_PER_SEC);
    assert_true(w.rss_bytes > 0);
}

static void age_is_told_by_the_owner(void **state)
{
    const struct function fn = { .max_age_us = USEC_PER_SEC };
    struct wear w;

    (void)state;
    wear_init(&w, &fn, 1);
    assert_null(wear_due(&w));
    w.old = true;
    assert_string_equal(wear_due(&w), "max_age");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_limits_nothing_wears_out),
        cmocka_unit_test(limits_are_spread_by_a_tenth_and_no_further),
        cmocka_unit_test(a_small_number_of_jobs_is_kept_exactly),
        cmocka_unit_test(too_much_memory_is_seen),
        cmocka_unit_test(without_a_limit_memory_is_looked_at_once_a_second),
        cmocka_unit_test(age_is_told_by_the_owner),
    };

    return cmocka_run_group_tests_name("pool/wear", tests, NULL, NULL);
}
