#include "tests/support/test.h"

#include <string.h>

#include "base/clean.h"
#include "domain/job_state.h"

/* The moves that docs/architecture.md allows, written down a second time on purpose: the table
 * in job_state.c must have these and no others. */
static const struct move {
    const char *from;
    const char *event;
    const char *to;
} moves[] = {
    { "scheduled", "due", "queued" },      { "scheduled", "cancel", "canceled" },
    { "queued", "claim", "running" },      { "queued", "cancel", "canceled" },
    { "running", "succeed", "succeeded" }, { "running", "fail", "failed" },
    { "running", "retry", "scheduled" },   { "running", "release", "queued" },
    { "running", "cancel", "canceling" },  { "canceling", "succeed", "succeeded" },
    { "canceling", "fail", "canceled" },   { "canceling", "release", "canceled" },
    { "canceling", "retry", "canceled" },  { "canceling", "cancel", "canceling" },
    { "scheduled", "delay", "scheduled" }, { "queued", "delay", "scheduled" },
    { "failed", "requeue", "queued" },     { "canceled", "requeue", "queued" },
    { "scheduled", "purge", "canceled" },  { "queued", "purge", "canceled" },
    { "running", "purge", "canceling" },   { "canceling", "purge", "canceling" },
    { "succeeded", "purge", "succeeded" }, { "failed", "purge", "failed" },
    { "canceled", "purge", "canceled" },
};

static int expected(const char *from, const char *event)
{
    for (size_t i = 0; i < COUNT_OF(moves); i++)
        if (strcmp(moves[i].from, from) == 0 && strcmp(moves[i].event, event) == 0)
            return job_state_parse(moves[i].to);
    return -1;
}

static void every_state_and_event_does_what_the_listing_says(void **state)
{
    size_t allowed = 0;

    (void)state;
    for (int s = 0; s < JOB_STATE_MAX_; s++)
        for (int ev = 0; ev < JOB_EVENT_MAX_; ev++) {
            const char *from = job_state_name((enum job_state)s);
            const char *event = job_event_name((enum job_event)ev);
            int to = job_next((enum job_state)s, (enum job_event)ev);

            if (to != expected(from, event))
                fail_msg("%s --%s--> %d, want %d", from, event, to, expected(from, event));
            allowed += to >= 0;
        }
    assert_int_equal(allowed, COUNT_OF(moves)); /* no row of the listing is misspelt */
}

static void only_a_request_for_another_attempt_leads_out_of_a_final_state(void **state)
{
    (void)state;
    for (int s = 0; s < JOB_STATE_MAX_; s++) {
        bool leads_out = false;

        for (int ev = 0; ev < JOB_EVENT_MAX_; ev++) {
            int to = job_next((enum job_state)s, (enum job_event)ev);

            leads_out |= to >= 0 && to != s && ev != JOB_EV_REQUEUE;
        }
        assert_int_equal(job_state_is_final((enum job_state)s), !leads_out);
    }
}

/* Asked again and again, a purge ends where only the record is left to be removed. */
static void a_purge_stops_what_is_not_final_first(void **state)
{
    (void)state;
    for (int s = 0; s < JOB_STATE_MAX_; s++) {
        int to = job_next((enum job_state)s, JOB_EV_PURGE);

        assert_true(to >= 0);
        assert_int_equal(to == s && to != JOB_CANCELING, job_state_is_final((enum job_state)s));
    }
}

static void every_state_can_be_reached_and_every_open_one_canceled(void **state)
{
    bool reached[JOB_STATE_MAX_] = { [JOB_SCHEDULED] = true };

    (void)state;
    for (int round = 0; round < JOB_STATE_MAX_; round++)
        for (int s = 0; s < JOB_STATE_MAX_; s++)
            for (int ev = 0; ev < JOB_EVENT_MAX_; ev++) {
                int to = job_next((enum job_state)s, (enum job_event)ev);

                if (reached[s] && to >= 0)
                    reached[to] = true;
            }
    for (int s = 0; s < JOB_STATE_MAX_; s++) {
        assert_true(reached[s]);
        if (!job_state_is_final((enum job_state)s))
            assert_true(job_next((enum job_state)s, JOB_EV_CANCEL) >= 0);
    }
}

static void a_worker_owns_exactly_running_and_canceling(void **state)
{
    (void)state;
    for (int s = 0; s < JOB_STATE_MAX_; s++)
        assert_int_equal(job_state_is_owned((enum job_state)s),
                         s == JOB_RUNNING || s == JOB_CANCELING);
}

static void names_round_trip_and_others_are_refused(void **state)
{
    static const char *const wrong[] = { "", "Queued", "queue", "queued ", "cancelled" };

    (void)state;
    for (int s = 0; s < JOB_STATE_MAX_; s++)
        assert_int_equal(job_state_parse(job_state_name((enum job_state)s)), s);
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(job_state_parse(wrong[i]), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_and_event_does_what_the_listing_says),
        cmocka_unit_test(only_a_request_for_another_attempt_leads_out_of_a_final_state),
        cmocka_unit_test(a_purge_stops_what_is_not_final_first),
        cmocka_unit_test(every_state_can_be_reached_and_every_open_one_canceled),
        cmocka_unit_test(a_worker_owns_exactly_running_and_canceling),
        cmocka_unit_test(names_round_trip_and_others_are_refused),
    };

    return cmocka_run_group_tests_name("domain/job_state", tests, NULL, NULL);
}
