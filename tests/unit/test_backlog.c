#include "tests/support/test.h"

#include "base/mem.h"
#include "engine/pace.h"
#include "pool/backlog.h"

static struct uuid7 id(uint64_t number)
{
    return (struct uuid7){ .hi = number, .lo = 1 };
}

static struct order order(uint64_t number, int attempt)
{
    return (struct order){ .job_id = id(number), .attempt = attempt, .input = mem_str("{}\n") };
}

static void put(struct backlog *b, uint64_t number, int attempt, usec_t now_us)
{
    struct order o = order(number, attempt);

    assert_true(backlog_put(b, &o, now_us));
    assert_null(o.input);
}

static void orders_leave_as_they_came(void **state)
{
    struct backlog b = { 0 };

    (void)state;
    assert_int_equal(backlog_since_us(&b), 0);
    put(&b, 1, 1, 100);
    put(&b, 2, 1, 200);
    assert_int_equal(backlog_since_us(&b), 100);
    for (uint64_t i = 1; i <= 2; i++) {
        AUTO_FINI(order) struct order o = { 0 };

        assert_true(backlog_take(&b, &o));
        assert_true(uuid7_equal(o.job_id, id(i)));
    }
    assert_int_equal(b.count, 0);
}

static void the_highest_priority_is_next_and_the_oldest_is_known(void **state)
{
    static const int priorities[] = { 0, 5, -1, 5, 0 };
    static const uint64_t want[] = { 1, 3, 0, 4, 2 };
    struct backlog b = { 0 };
    AUTO_FINI(order) struct order old = { 0 };

    (void)state;
    for (uint64_t i = 0; i < COUNT_OF(want); i++) {
        struct order o = order(i, 1);

        o.priority = priorities[i];
        assert_true(backlog_put(&b, &o, 100 + (usec_t)i));
    }
    assert_int_equal(backlog_since_us(&b), 100);
    for (size_t i = 0; i < 2; i++) {
        AUTO_FINI(order) struct order o = { 0 };

        assert_true(backlog_take(&b, &o));
        assert_true(uuid7_equal(o.job_id, id(want[i])));
    }
    assert_false(backlog_take_old(&b, 99, &old));
    assert_true(backlog_take_old(&b, 100, &old)); /* the first of them */
    assert_true(uuid7_equal(old.job_id, id(0)));
    assert_int_equal(backlog_since_us(&b), 102);
    for (size_t i = 3; i < COUNT_OF(want); i++) {
        AUTO_FINI(order) struct order o = { 0 };

        assert_true(backlog_take(&b, &o));
        assert_true(uuid7_equal(o.job_id, id(want[i])));
    }
}

static void one_can_be_taken_out_by_its_attempt(void **state)
{
    struct backlog b = { 0 };
    struct proto_attempt list[BACKLOG_MAX];
    AUTO_FINI(order) struct order o = { 0 };

    (void)state;
    put(&b, 1, 1, 100);
    put(&b, 2, 3, 200);
    put(&b, 3, 1, 300);
    assert_false(backlog_take_out(&b, id(2), 2, &o));
    assert_true(backlog_take_out(&b, id(2), 3, &o));
    assert_int_equal(backlog_list(&b, list), 2);
    assert_true(uuid7_equal(list[0].job_id, id(1)));
    assert_true(uuid7_equal(list[1].job_id, id(3)));
    backlog_fini(&b);
}

static void a_full_one_takes_no_more(void **state)
{
    struct backlog b = { 0 };
    AUTO_FINI(order) struct order more = order(99, 1);

    (void)state;
    for (uint64_t i = 0; i < BACKLOG_MAX; i++)
        put(&b, i, 1, 1);
    assert_false(backlog_put(&b, &more, 1));
    assert_non_null(more.input);
    backlog_fini(&b);
}

static void an_order_waits_longer_where_attempts_end_all_the_time(void **state)
{
    static const usec_t long_ago_us = 3600 * USEC_PER_SEC;
    struct backlog b = { 0 };

    (void)state;
    put(&b, 1, 1, 1000);
    put(&b, 2, 1, 2000);
    assert_int_equal(backlog_patience_us(BACKLOG_WAIT_US, long_ago_us), 20 * USEC_PER_MS);
    assert_int_equal(backlog_patience_us(BACKLOG_WAIT_US, 5 * USEC_PER_MS), 20 * USEC_PER_MS);
    assert_int_equal(backlog_patience_us(BACKLOG_WAIT_US, 5 * USEC_PER_MS - 1),
                     100 * USEC_PER_MS);
    /* It is looked at when the first has waited so long, and while they end again and again. */
    assert_int_equal(backlog_next_look_us(&b, BACKLOG_WAIT_US, 1500, long_ago_us),
                     1000 + 20 * USEC_PER_MS);
    assert_int_equal(backlog_next_look_us(&b, BACKLOG_WAIT_US, 1500, 100),
                     1500 + 5 * USEC_PER_MS);
    backlog_fini(&b);
}

/* -- how many are sent ahead ------------------------------------------------------------------
 */

static void nothing_is_sent_ahead_before_an_attempt_has_ended(void **state)
{
    struct pace p = { 0 };

    (void)state;
    assert_int_equal(pace_ahead(&p), 0);
}

static void short_attempts_are_sent_ahead_long_ones_are_not(void **state)
{
    struct pace quick = { 0 };
    struct pace slow = { 0 };

    (void)state;
    for (int i = 0; i < 10; i++) {
        pace_note(&quick, 50);
        pace_note(&slow, USEC_PER_SEC);
    }
    assert_int_equal(pace_ahead(&quick), BACKLOG_MAX);
    assert_int_equal(pace_ahead(&slow), 0);
}

static void one_long_attempt_among_short_ones_is_an_exception_several_are_not(void **state)
{
    struct pace p = { 0 };
    int slow = 0;

    (void)state;
    for (int i = 0; i < 10; i++)
        pace_note(&p, 50);
    pace_note(&p, 60 * USEC_PER_SEC);
    assert_int_equal(pace_ahead(&p), BACKLOG_MAX);
    while (pace_ahead(&p) > 0 && slow < 100) {
        pace_note(&p, 60 * USEC_PER_SEC);
        slow++;
    }
    assert_in_range(slow, 3, 10);
}

static void one_that_gave_back_has_to_prove_itself_again(void **state)
{
    struct pace p = { 0 };
    int needed = 0;

    (void)state;
    pace_note(&p, 50);
    pace_note_returned(&p);
    while (pace_ahead(&p) == 0 && needed < 100) {
        pace_note(&p, 50);
        needed++;
    }
    assert_in_range(needed, 5, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_leave_as_they_came),
        cmocka_unit_test(the_highest_priority_is_next_and_the_oldest_is_known),
        cmocka_unit_test(one_can_be_taken_out_by_its_attempt),
        cmocka_unit_test(a_full_one_takes_no_more),
        cmocka_unit_test(an_order_waits_longer_where_attempts_end_all_the_time),
        cmocka_unit_test(nothing_is_sent_ahead_before_an_attempt_has_ended),
        cmocka_unit_test(short_attempts_are_sent_ahead_long_ones_are_not),
        cmocka_unit_test(one_long_attempt_among_short_ones_is_an_exception_several_are_not),
        cmocka_unit_test(one_that_gave_back_has_to_prove_itself_again),
    };

    return cmocka_run_group_tests_name("pool/backlog, engine/pace", tests, NULL, NULL);
}
