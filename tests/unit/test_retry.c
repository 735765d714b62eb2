#include "tests/support/test.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "domain/json_text.h"
#include "domain/retry.h"

#define NO_CHANCE 0 /* a random number; with jitter 0 it does not matter */

/* Constant, one second, no jitter, as often as wanted. */
static struct retry_policy simple(void)
{
    struct retry_policy p = retry_default();

    p.max_attempts = RETRY_ATTEMPTS_MAX;
    p.backoff = RETRY_CONSTANT;
    p.jitter = 0;
    return p;
}

static struct outcome failed(enum cause cause)
{
    return (struct outcome){ .cause = cause, .exit_code = cause == CAUSE_EXIT_CODE ? 1 : -1 };
}

static void nothing_is_tried_again_by_default(void **state)
{
    struct retry_policy p = retry_default();
    usec_t delay_us;

    (void)state;
    for (int i = 0; i < CAUSE_MAX_; i++) {
        struct outcome o = failed((enum cause)i);

        assert_false(retry_decide(&p, &o, 1, NO_CHANCE, &delay_us));
    }
}

static void every_cause_that_may_pass_is_tried_again_when_attempts_are_left(void **state)
{
    static const enum cause never[] = {
        CAUSE_NONE,        CAUSE_CANCELED, CAUSE_REJECTED,
        CAUSE_QUARANTINED, CAUSE_SHUTDOWN, CAUSE_NEVER_STARTED
    };
    struct retry_policy p = simple();

    (void)state;
    for (int i = 0; i < CAUSE_MAX_; i++) {
        struct outcome o = failed((enum cause)i);
        bool may = true;
        usec_t delay_us = -1;

        for (size_t k = 0; k < COUNT_OF(never); k++)
            may = may && never[k] != (enum cause)i;
        assert_int_equal(retry_cause_allowed((enum cause)i), may);
        assert_int_equal(retry_decide(&p, &o, 1, NO_CHANCE, &delay_us), may);
        assert_int_equal(delay_us, may ? USEC_PER_SEC : -1);
    }
}

static void attempts_run_out(void **state)
{
    struct retry_policy p = simple();
    struct outcome o = failed(CAUSE_SIGNAL);
    usec_t delay_us;

    (void)state;
    p.max_attempts = 3;
    assert_true(retry_decide(&p, &o, 1, NO_CHANCE, &delay_us));
    assert_true(retry_decide(&p, &o, 2, NO_CHANCE, &delay_us));
    assert_false(retry_decide(&p, &o, 3, NO_CHANCE, &delay_us));
    assert_false(retry_decide(&p, &o, 4, NO_CHANCE, &delay_us));
}

static void only_the_causes_of_the_policy_are_tried_again(void **state)
{
    struct retry_policy p = simple();

    (void)state;
    p.on = 1u << CAUSE_WORKER_LOST | 1u << CAUSE_SIGNAL;
    for (int i = 0; i < CAUSE_MAX_; i++) {
        struct outcome o = failed((enum cause)i);
        usec_t delay_us;

        assert_int_equal(retry_decide(&p, &o, 1, NO_CHANCE, &delay_us),
                         i == CAUSE_WORKER_LOST || i == CAUSE_SIGNAL);
    }
}

static void fatal_exit_codes_end_it(void **state)
{
    static const int codes[] = { 1, 63, 64, 127, 128, 255 };
    usec_t delay_us;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        struct retry_policy p = simple();
        struct outcome o = failed(CAUSE_EXIT_CODE);

        retry_add_fatal_code(&p, codes[i]);
        for (int code = 0; code <= 255; code++) {
            o.exit_code = code;
            assert_int_equal(retry_decide(&p, &o, 1, NO_CHANCE, &delay_us), code != codes[i]);
        }
        o.exit_code = -1;
        assert_true(retry_decide(&p, &o, 1, NO_CHANCE, &delay_us));
    }
}

static void a_program_that_can_never_start_is_not_tried_again(void **state)
{
    struct retry_policy p = simple();
    struct outcome o = failed(CAUSE_SPAWN_FAILED);
    usec_t delay_us;

    (void)state;
    assert_true(retry_decide(&p, &o, 1, NO_CHANCE, &delay_us));
    o.spawn_errno = EAGAIN;
    assert_true(retry_decide(&p, &o, 1, NO_CHANCE, &delay_us));
    o.spawn_errno = ENOENT;
    assert_false(retry_decide(&p, &o, 1, NO_CHANCE, &delay_us));
    o.spawn_errno = EACCES;
    assert_false(retry_decide(&p, &o, 1, NO_CHANCE, &delay_us));
}

static usec_t delay_after(const struct retry_policy *p, int tried, uint64_t random)
{
    struct outcome o = failed(CAUSE_SIGNAL);
    usec_t delay_us = -1;

    assert_true(retry_decide(p, &o, tried, random, &delay_us));
    return delay_us;
}

static void delays_grow_as_the_backoff_says(void **state)
{
    static const struct {
        enum retry_backoff backoff;
        usec_t seconds[5];
    } cases[] = {
        { RETRY_CONSTANT, { 2, 2, 2, 2, 2 } },
        { RETRY_LINEAR, { 2, 4, 6, 8, 10 } },
        { RETRY_EXPONENTIAL, { 2, 6, 18, 54, 60 } },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct retry_policy p = simple();

        p.backoff = cases[i].backoff;
        p.initial_delay_us = 2 * USEC_PER_SEC;
        p.multiplier = 3;
        p.max_delay_us = 60 * USEC_PER_SEC;
        for (int tried = 1; tried <= 5; tried++)
            assert_int_equal(delay_after(&p, tried, NO_CHANCE),
                             cases[i].seconds[tried - 1] * USEC_PER_SEC);
    }
}

static void the_longest_growth_does_not_overflow(void **state)
{
    struct retry_policy p = simple();

    (void)state;
    p.backoff = RETRY_EXPONENTIAL;
    p.multiplier = RETRY_MULTIPLIER_MAX;
    p.initial_delay_us = RETRY_DELAY_MAX_SECONDS * USEC_PER_SEC;
    p.max_delay_us = RETRY_DELAY_MAX_SECONDS * USEC_PER_SEC;
    p.jitter = 1;
    for (int tried = 1; tried < RETRY_ATTEMPTS_MAX; tried++)
        assert_in_range(delay_after(&p, tried, UINT64_MAX), 0, p.max_delay_us);
}

static void no_delay_is_fine(void **state)
{
    struct retry_policy p = simple();

    (void)state;
    p.backoff = RETRY_EXPONENTIAL;
    p.initial_delay_us = 0;
    p.jitter = 1;
    assert_int_equal(delay_after(&p, 9, UINT64_MAX), 0);
}

static void jitter_spreads_a_delay_around_its_middle(void **state)
{
    struct retry_policy p = simple();

    (void)state;
    p.initial_delay_us = 1000;
    p.jitter = 0.25;
    assert_int_equal(delay_after(&p, 1, 0), 750);
    assert_int_equal(delay_after(&p, 1, UINT64_C(1) << 63), 1000);
    assert_in_range(delay_after(&p, 1, UINT64_MAX), 1249, 1250);
}

static void jitter_never_goes_beyond_the_longest_delay(void **state)
{
    struct retry_policy p = simple();

    (void)state;
    p.initial_delay_us = 5000;
    p.max_delay_us = 1000;
    p.jitter = 0.5;
    assert_int_equal(delay_after(&p, 1, 0), 500);
    assert_int_equal(delay_after(&p, 1, UINT64_C(1) << 63), 750);
    assert_in_range(delay_after(&p, 1, UINT64_MAX), 999, 1000);
}

static void a_policy_survives_its_json(void **state)
{
    struct retry_policy p = {
        .max_attempts = 7,
        .backoff = RETRY_LINEAR,
        .initial_delay_us = 1500 * USEC_PER_MS,
        .multiplier = 1.25,
        .max_delay_us = 90 * USEC_PER_SEC,
        .jitter = 0.1,
        .on = 1u << CAUSE_SIGNAL | 1u << CAUSE_OOM_KILLED,
        .fatal_exit_codes = { UINT64_C(1) << 2, 0, 0, UINT64_C(1) << 63 },
    };
    AUTO(json) json_t *json = retry_encode(&p);
    size_t len;
    AUTO(mem) char *text = json_text_dump(json, &len);
    struct retry_policy again = retry_decode(json);

    (void)state;
    assert_string_equal(text,
                        "{\"max_attempts\":7,\"backoff\":\"linear\","
                        "\"initial_delay_seconds\":1.5,\"multiplier\":1.25,"
                        "\"max_delay_seconds\":90,\"jitter\":0.1,"
                        "\"on\":[\"signal\",\"oom_killed\"],"
                        "\"fatal_exit_codes\":[2,255]}");
    assert_int_equal(again.max_attempts, 7);
    assert_int_equal(again.backoff, RETRY_LINEAR);
    assert_int_equal(again.initial_delay_us, p.initial_delay_us);
    assert_true(again.multiplier == 1.25 && again.jitter == 0.1);
    assert_int_equal(again.max_delay_us, p.max_delay_us);
    assert_int_equal(again.on, p.on);
    assert_memory_equal(again.fatal_exit_codes, p.fatal_exit_codes, sizeof p.fatal_exit_codes);
}

static void no_json_is_the_default(void **state)
{
    struct retry_policy none = retry_decode(NULL);
    struct retry_policy want = retry_default();

    (void)state;
    assert_int_equal(none.max_attempts, 1);
    assert_int_equal(none.on, want.on);
    assert_int_equal(none.max_delay_us, want.max_delay_us);
    assert_true(none.multiplier == want.multiplier && none.jitter == want.jitter);
}

static void backoffs_have_names(void **state)
{
    (void)state;
    for (int i = 0; i < RETRY_BACKOFF_MAX_; i++)
        assert_int_equal(retry_backoff_parse(retry_backoff_name((enum retry_backoff)i)), i);
    assert_int_equal(retry_backoff_parse("none"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_tried_again_by_default),
        cmocka_unit_test(every_cause_that_may_pass_is_tried_again_when_attempts_are_left),
        cmocka_unit_test(attempts_run_out),
        cmocka_unit_test(only_the_causes_of_the_policy_are_tried_again),
        cmocka_unit_test(fatal_exit_codes_end_it),
        cmocka_unit_test(a_program_that_can_never_start_is_not_tried_again),
        cmocka_unit_test(delays_grow_as_the_backoff_says),
        cmocka_unit_test(the_longest_growth_does_not_overflow),
        cmocka_unit_test(no_delay_is_fine),
        cmocka_unit_test(jitter_spreads_a_delay_around_its_middle),
        cmocka_unit_test(jitter_never_goes_beyond_the_longest_delay),
        cmocka_unit_test(a_policy_survives_its_json),
        cmocka_unit_test(no_json_is_the_default),
        cmocka_unit_test(backoffs_have_names),
    };

    return cmocka_run_group_tests_name("domain/retry", tests, NULL, NULL);
}
