#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "server/http/rates.h"

#define START (1000 * USEC_PER_SEC)

static const struct rate ten = { .limit = 10, .period_us = USEC_PER_SEC };

static void a_full_bucket_gives_its_burst_and_then_one_by_one(void **state)
{
    static const struct rate rate = { .limit = 10, .period_us = USEC_PER_SEC, .burst = 3 };
    usec_t tat = 0;
    struct rate_state s;

    (void)state;
    for (int left = 2; left >= 0; left--) {
        s = rate_take(&rate, START, &tat);
        assert_true(s.allowed);
        assert_int_equal(s.remaining, left);
        assert_int_equal(s.retry_in_us, 0);
    }
    assert_int_equal(s.full_in_us, 300 * USEC_PER_MS);
    s = rate_take(&rate, START, &tat);
    assert_false(s.allowed);
    assert_int_equal(s.remaining, 0);
    assert_int_equal(s.retry_in_us, 100 * USEC_PER_MS);
    assert_false(rate_take(&rate, START + 100 * USEC_PER_MS - 1, &tat).allowed);
    assert_true(rate_take(&rate, START + 100 * USEC_PER_MS, &tat).allowed);
    assert_false(rate_take(&rate, START + 100 * USEC_PER_MS, &tat).allowed);
    s = rate_take(&rate, START + 10 * USEC_PER_SEC, &tat); /* full again, and not fuller */
    assert_int_equal(s.remaining, 2);
}

static void a_refusal_costs_nothing(void **state)
{
    usec_t tat = 0;

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_true(rate_take(&ten, START, &tat).allowed);
    for (int i = 0; i < 1000; i++)
        assert_false(rate_take(&ten, START, &tat).allowed);
    assert_true(rate_take(&ten, START + 100 * USEC_PER_MS, &tat).allowed);
}

static void in_the_long_run_it_is_the_limit(void **state)
{
    static const struct rate rate = { .limit = 7, .period_us = 3 * USEC_PER_SEC, .burst = 2 };
    usec_t tat = 0;
    int allowed = 0;

    (void)state;
    for (usec_t now = START; now < START + 300 * USEC_PER_SEC; now += 10 * USEC_PER_MS)
        allowed += rate_take(&rate, now, &tat).allowed;
    assert_in_range(allowed, 700, 702);
}

static void everybody_has_a_bucket_of_his_own(void **state)
{
    AUTO(rates) struct rates *rs = rates_new();

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_true(rates_take(rs, &ten, "a", 1, START).allowed);
    assert_false(rates_take(rs, &ten, "a", 1, START).allowed);
    assert_true(rates_take(rs, &ten, "b", 1, START).allowed);
    assert_true(rates_take(rs, &ten, "ab", 2, START).allowed);
}

static void a_crowd_shares_one_bucket_and_a_place_becomes_free(void **state)
{
    AUTO(rates) struct rates *rs = rates_new();
    char key[32];

    (void)state;
    for (int i = 0; i < RATES_MAX; i++) {
        (void)snprintf(key, sizeof key, "%d", i);
        assert_true(rates_take(rs, &ten, key, strlen(key), START).allowed);
    }
    for (int i = 0; i < 10; i++) { /* ten different ones */
        (void)snprintf(key, sizeof key, "x%d", i);
        assert_true(rates_take(rs, &ten, key, strlen(key), START).allowed);
    }
    assert_false(rates_take(rs, &ten, "y", 1, START).allowed);
    assert_true(rates_take(rs, &ten, "0", 1, START).allowed); /* who has his place keeps it */
    assert_int_equal(rates_take(rs, &ten, "y", 1, START + 5 * USEC_PER_SEC).remaining, 9);
}

static void the_headers_are_structured_fields(void **state)
{
    static const struct rate minute = { .limit = 100, .period_us = 60 * USEC_PER_SEC };
    const struct rate_state s = { .remaining = 42, .full_in_us = 34800001 };
    AUTO_FINI(buf) struct buf policy = { 0 }, limit = { 0 };

    (void)state;
    rate_add_policy(&policy, "key", &minute);
    rate_add_state(&limit, "key", &s);
    assert_string_equal(policy.data, "\"key\";q=100;w=60");
    assert_string_equal(limit.data, "\"key\";r=42;t=35");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_bucket_gives_its_burst_and_then_one_by_one),
        cmocka_unit_test(a_refusal_costs_nothing),
        cmocka_unit_test(in_the_long_run_it_is_the_limit),
        cmocka_unit_test(everybody_has_a_bucket_of_his_own),
        cmocka_unit_test(a_crowd_shares_one_bucket_and_a_place_becomes_free),
        cmocka_unit_test(the_headers_are_structured_fields),
    };

    return cmocka_run_group_tests_name("http/rates", tests, NULL, NULL);
}
