#include "tests/support/test.h"

#include <string.h>

#include "domain/batch.h"

#define ALL_SPECS                                                                              \
    (1U << BATCH_SPEC_COMPLETE | 1U << BATCH_SPEC_SUCCESS | 1U << BATCH_SPEC_FAILURE)

static const unsigned COMPLETE = 1U << BATCH_SPEC_COMPLETE;
static const unsigned SUCCESS = 1U << BATCH_SPEC_SUCCESS;
static const unsigned FAILURE = 1U << BATCH_SPEC_FAILURE;

static struct batch closed_batch(void)
{
    return (struct batch){ .closed = true, .specs = ALL_SPECS };
}

static void move(struct batch *b, enum job_state from, enum job_state to)
{
    batch_count(b, (int)from, to);
}

static void the_state_follows_from_the_counts(void **state)
{
    static const struct {
        bool closed;
        enum batch_stop stop;
        int64_t queued, running, succeeded, failed, canceled, pending;
        enum batch_state want;
    } rows[] = {
        { false, BATCH_GOES_ON, 0, 0, 0, 0, 0, 0, BATCH_OPEN },
        { false, BATCH_GOES_ON, 0, 0, 7, 1, 0, 0, BATCH_OPEN },
        { true, BATCH_GOES_ON, 1, 0, 0, 0, 0, 0, BATCH_RUNNING },
        { true, BATCH_GOES_ON, 0, 1, 5, 5, 5, 0, BATCH_RUNNING },
        { true, BATCH_GOES_ON, 0, 0, 5, 0, 0, 1, BATCH_RUNNING },
        { true, BATCH_GOES_ON, 0, 0, 0, 0, 0, 0, BATCH_SUCCEEDED },
        { true, BATCH_GOES_ON, 0, 0, 5, 0, 0, 0, BATCH_SUCCEEDED },
        { true, BATCH_GOES_ON, 0, 0, 5, 1, 0, 0, BATCH_FAILED },
        { true, BATCH_GOES_ON, 0, 0, 5, 1, 1, 0, BATCH_FAILED },
        { true, BATCH_GOES_ON, 0, 0, 5, 0, 1, 0, BATCH_CANCELED },
        { true, BATCH_STOP_FAIL_FAST, 0, 0, 5, 1, 1, 1, BATCH_FAILED },
        { true, BATCH_STOP_CANCEL, 0, 0, 5, 1, 1, 0, BATCH_CANCELED },
        { true, BATCH_STOP_CANCEL, 0, 0, 5, 1, 0, 1, BATCH_CANCELED },
        { true, BATCH_STOP_CANCEL, 0, 0, 5, 1, 0, 0, BATCH_FAILED },
        { true, BATCH_STOP_CANCEL, 0, 0, 5, 0, 0, 0, BATCH_SUCCEEDED },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct batch b = { .closed = rows[i].closed, .stop = rows[i].stop };

        b.array_size = rows[i].pending;
        b.counts[JOB_QUEUED] = rows[i].queued;
        b.counts[JOB_RUNNING] = rows[i].running;
        b.counts[JOB_SUCCEEDED] = rows[i].succeeded;
        b.counts[JOB_FAILED] = rows[i].failed;
        b.counts[JOB_CANCELED] = rows[i].canceled;
        (void)batch_settle(&b, 1);
        assert_int_equal(b.state, rows[i].want);
        assert_int_equal(b.finished_at_us, batch_state_is_final(rows[i].want));
    }
}

static void each_callback_is_due_once(void **state)
{
    struct batch b = closed_batch();

    (void)state;
    b.counts[JOB_RUNNING] = 2;
    assert_int_equal(batch_settle(&b, 1), 0);
    move(&b, JOB_RUNNING, JOB_FAILED);
    assert_int_equal(batch_settle(&b, 2), FAILURE);
    assert_int_equal(batch_settle(&b, 3), 0);
    move(&b, JOB_RUNNING, JOB_SUCCEEDED);
    assert_int_equal(batch_settle(&b, 4), COMPLETE);
    assert_int_equal(batch_settle(&b, 5), 0);
    assert_int_equal(b.finished_at_us, 4);
    /* The one that has failed is tried again, and succeeds. */
    move(&b, JOB_FAILED, JOB_QUEUED);
    assert_int_equal(batch_settle(&b, 6), 0);
    assert_int_equal(b.state, BATCH_RUNNING);
    assert_int_equal(b.finished_at_us, 0);
    move(&b, JOB_QUEUED, JOB_SUCCEEDED);
    assert_int_equal(batch_settle(&b, 7), SUCCESS);
    assert_int_equal(batch_settle(&b, 8), 0);
    assert_int_equal(b.finished_at_us, 7);
    assert_int_equal(b.started_at_us, 1);
}

static void only_callbacks_that_exist_are_due(void **state)
{
    struct batch b = { .closed = true };

    (void)state;
    b.counts[JOB_FAILED] = 1;
    assert_int_equal(batch_settle(&b, 1), 0);
}

static void an_empty_batch_succeeds_when_it_is_closed(void **state)
{
    struct batch b = { .specs = ALL_SPECS };

    (void)state;
    assert_int_equal(batch_settle(&b, 1), 0);
    b.closed = true;
    assert_int_equal(batch_settle(&b, 2), COMPLETE | SUCCESS);
    assert_int_equal(b.started_at_us, 0);
}

static void members_are_made_as_fast_as_the_limit_lets(void **state)
{
    struct batch b = { .closed = true, .array_size = 10, .max_concurrency = 4 };

    (void)state;
    assert_int_equal(batch_may_make(&b), 4);
    b.array_made = 4;
    b.counts[JOB_QUEUED] = 1;
    b.counts[JOB_SCHEDULED] = 1; /* one that waits for its next attempt holds its place */
    b.counts[JOB_RUNNING] = 1;
    b.counts[JOB_CANCELING] = 1;
    assert_int_equal(batch_may_make(&b), 0);
    assert_false(batch_has_work(&b));
    move(&b, JOB_RUNNING, JOB_SUCCEEDED);
    assert_int_equal(batch_may_make(&b), 1);
    assert_true(batch_has_work(&b));
    b.counts[JOB_SUCCEEDED] = 9;
    b.array_made = 9;
    b.counts[JOB_QUEUED] = b.counts[JOB_SCHEDULED] = b.counts[JOB_CANCELING] = 0;
    assert_int_equal(batch_may_make(&b), 1);
    b.max_concurrency = 0;
    b.array_made = 2;
    assert_int_equal(batch_may_make(&b), 8);
}

static void a_stop_skips_what_is_not_made_and_sweeps_the_rest(void **state)
{
    struct batch b = { .array_size = 10, .array_made = 4 };

    (void)state;
    b.counts[JOB_QUEUED] = 4;
    assert_int_equal(batch_total(&b), 10);
    assert_int_equal(batch_active(&b), 10);
    batch_stop(&b, BATCH_STOP_FAIL_FAST);
    assert_true(b.closed && b.sweeping && batch_has_work(&b));
    assert_int_equal(batch_pending(&b), 0);
    assert_int_equal(batch_skipped(&b), 6);
    assert_int_equal(batch_total(&b), 10);
    assert_int_equal(batch_active(&b), 4);
    assert_int_equal(batch_may_make(&b), 0);
    b.counts[JOB_CANCELED] = 4;
    b.counts[JOB_QUEUED] = 0;
    assert_int_equal(batch_settle(&b, 1), 0);
    assert_int_equal(b.state, BATCH_CANCELED);
}

static void names_and_values_belong_together(void **state)
{
    (void)state;
    for (int i = 0; i < BATCH_STATE_MAX_; i++)
        assert_int_equal(batch_state_parse(batch_state_name((enum batch_state)i)), i);
    for (int i = 0; i < FAILURE_POLICY_MAX_; i++)
        assert_int_equal(failure_policy_parse(failure_policy_name((enum failure_policy)i)), i);
    for (int i = 0; i < BATCH_SPEC_MAX_; i++)
        assert_true(strlen(batch_spec_name((enum batch_spec)i)) > 0);
    assert_int_equal(batch_state_parse("queued"), -1);
    assert_int_equal(failure_policy_parse(""), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_state_follows_from_the_counts),
        cmocka_unit_test(each_callback_is_due_once),
        cmocka_unit_test(only_callbacks_that_exist_are_due),
        cmocka_unit_test(an_empty_batch_succeeds_when_it_is_closed),
        cmocka_unit_test(members_are_made_as_fast_as_the_limit_lets),
        cmocka_unit_test(a_stop_skips_what_is_not_made_and_sweeps_the_rest),
        cmocka_unit_test(names_and_values_belong_together),
    };

    return cmocka_run_group_tests_name("domain/batch", tests, NULL, NULL);
}
