#include "tests/support/test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "engine/waiters.h"

struct probe {
    struct waiter waiter; /* first: wake() casts back */
    int woken;
};

static void on_wake(struct waiter *w)
{
    ((struct probe *)w)->woken++;
}

static void on_end(struct waiter *w, const struct job_end *end)
{
    ((struct probe *)w)->woken += 100 * (int)end->version;
}

static void on_earlier(void *ctx)
{
    (*(int *)ctx)++;
}

static struct uuid7 id_of(unsigned n)
{
    return uuid7_from_parts((int64_t)n + 1, 1);
}

static struct probe probe_for(unsigned n, bool any_change, usec_t deadline_us)
{
    return (struct probe){ .waiter = { .job_id = id_of(n),
                                       .any_change = any_change,
                                       .deadline_us = deadline_us,
                                       .wake = on_wake } };
}

static struct waiters *new_waiters(size_t max)
{
    struct waiters *ws = NULL;

    assert_int_equal(waiters_new(max, NULL, NULL, &ws, NULL), 0);
    return ws;
}

static void a_final_state_wakes_everybody_who_waits_for_that_job(void **state)
{
    AUTO(waiters) struct waiters *ws = new_waiters(10);
    struct probe end = probe_for(1, false, 100);
    struct probe change = probe_for(1, true, 100);
    struct probe other = probe_for(2, false, 100);

    (void)state;
    assert_int_equal(waiters_add(ws, &end.waiter, NULL), 0);
    assert_int_equal(waiters_add(ws, &change.waiter, NULL), 0);
    assert_int_equal(waiters_add(ws, &other.waiter, NULL), 0);

    (void)waiters_changed(ws, id_of(1), JOB_RUNNING);
    assert_int_equal(end.woken, 0);
    assert_int_equal(change.woken, 1);
    (void)waiters_changed(ws, id_of(1), JOB_FAILED);
    assert_int_equal(end.woken, 1);
    assert_int_equal(change.woken, 1);
    assert_int_equal(other.woken, 0);
    assert_true(waiters_remove(ws, &other.waiter));
    assert_int_equal(waiters_count(ws), 0);
}

static void deadlines_wake_in_their_order_and_the_next_is_told(void **state)
{
    AUTO(waiters) struct waiters *ws = new_waiters(200);
    struct probe probes[100];

    (void)state;
    for (unsigned i = 0; i < COUNT_OF(probes); i++) {
        probes[i] = probe_for(i % 7, i % 2, 1000 + (i * 37) % 100);
        assert_int_equal(waiters_add(ws, &probes[i].waiter, NULL), 0);
    }
    for (usec_t now = 1000; now < 1100; now++) {
        usec_t next = waiters_tick(ws, now);

        assert_int_equal(next, now == 1099 ? 0 : now + 1);
        for (unsigned i = 0; i < COUNT_OF(probes); i++)
            assert_int_equal(probes[i].woken, probes[i].waiter.deadline_us <= now);
    }
}

static void who_wants_to_know_how_the_job_has_ended_is_told(void **state)
{
    AUTO(waiters) struct waiters *ws = new_waiters(10);
    const struct job_end end = { .state = JOB_SUCCEEDED, .version = 3 };
    struct probe told = probe_for(1, false, 100);
    struct probe woken = probe_for(1, false, 100);
    struct probe late = probe_for(2, false, 100);

    (void)state;
    told.waiter.ended = late.waiter.ended = on_end;
    assert_int_equal(waiters_add(ws, &told.waiter, NULL), 0);
    assert_int_equal(waiters_add(ws, &woken.waiter, NULL), 0);
    assert_int_equal(waiters_add(ws, &late.waiter, NULL), 0);
    assert_int_equal(waiters_ended(ws, id_of(1), &end), 2);
    assert_int_equal(told.woken, 300);
    assert_int_equal(woken.woken, 1);
    (void)waiters_tick(ws, 100);
    assert_int_equal(late.woken, 1);
}

static void a_removed_waiter_is_not_woken(void **state)
{
    AUTO(waiters) struct waiters *ws = new_waiters(10);
    struct probe p = probe_for(1, false, 100);

    (void)state;
    assert_int_equal(waiters_add(ws, &p.waiter, NULL), 0);
    assert_true(waiters_remove(ws, &p.waiter));
    assert_false(waiters_remove(ws, &p.waiter));
    (void)waiters_changed(ws, id_of(1), JOB_SUCCEEDED);
    assert_int_equal(waiters_tick(ws, 1000), 0);
    assert_int_equal(p.woken, 0);
}

static void too_many_are_refused(void **state)
{
    AUTO(waiters) struct waiters *ws = new_waiters(1);
    struct probe a = probe_for(1, false, 100);
    struct probe b = probe_for(1, false, 100);
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(waiters_add(ws, &a.waiter, &e), 0);
    assert_int_equal(waiters_add(ws, &b.waiter, &e), ERR_LONG_POLLS);
    waiters_drain(ws);
    assert_int_equal(a.woken, 1);
    assert_int_equal(b.woken, 0);
}

static void draining_wakes_all_and_lets_nobody_in(void **state)
{
    AUTO(waiters) struct waiters *ws = new_waiters(10);
    struct probe a = probe_for(1, false, 100);
    struct probe b = probe_for(2, true, INT64_MAX);
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(waiters_add(ws, &a.waiter, &e), 0);
    assert_int_equal(waiters_add(ws, &b.waiter, &e), 0);
    waiters_drain(ws);
    assert_int_equal(a.woken + b.woken, 2);
    assert_int_equal(waiters_add(ws, &a.waiter, &e), ERR_DRAINING);
}

static void an_earlier_deadline_is_announced(void **state)
{
    AUTO(waiters) struct waiters *ws = NULL;
    struct probe a = probe_for(1, false, 100);
    struct probe b = probe_for(2, false, 200);
    struct probe c = probe_for(3, false, 50);
    int announced = 0;

    (void)state;
    assert_int_equal(waiters_new(10, on_earlier, &announced, &ws, NULL), 0);
    assert_int_equal(waiters_add(ws, &a.waiter, NULL), 0);
    assert_int_equal(announced, 1);
    assert_int_equal(waiters_add(ws, &b.waiter, NULL), 0);
    assert_int_equal(announced, 1);
    assert_int_equal(waiters_add(ws, &c.waiter, NULL), 0);
    assert_int_equal(announced, 2);
    waiters_drain(ws);
}

/* -- many threads ---------------------------------------------------------------------------
 */

#define RACERS 4
#define ROUNDS 2000

struct race {
    struct waiters *ws;
    atomic_int woken;
    atomic_int removed;
    atomic_int done;
};

struct racer {
    struct waiter waiter;
    struct race *race;
    atomic_bool free;
};

static void racer_woken(struct waiter *w)
{
    struct racer *r = w->ctx;

    atomic_fetch_add(&r->race->woken, 1);
    atomic_store(&r->free, true);
}

static void *race_thread(void *arg)
{
    struct race *race = arg;

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct racer *r = mem_new0(sizeof *r);

        r->race = race;
        r->waiter = (struct waiter){
            .job_id = id_of(i % 5), .deadline_us = INT64_MAX, .wake = racer_woken, .ctx = r
        };
        assert_int_equal(waiters_add(race->ws, &r->waiter, NULL), 0);
        if (waiters_remove(race->ws, &r->waiter))
            atomic_fetch_add(&race->removed, 1);
        else
            while (!atomic_load(&r->free))
                ; /* its wake() is on the way */
        free(r);
    }
    atomic_fetch_add(&race->done, 1);
    return NULL;
}

static void every_waiter_is_either_woken_or_removed_never_both(void **state)
{
    AUTO(waiters) struct waiters *ws = new_waiters(100);
    struct race race = { .ws = ws };
    pthread_t threads[RACERS];

    (void)state;
    for (int i = 0; i < RACERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race_thread, &race), 0);
    for (unsigned n = 0; atomic_load(&race.done) < RACERS; n++)
        (void)waiters_changed(ws, id_of(n % 5), JOB_SUCCEEDED);
    for (int i = 0; i < RACERS; i++)
        (void)pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&race.woken) + atomic_load(&race.removed), RACERS * ROUNDS);
    assert_int_equal(waiters_count(ws), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_final_state_wakes_everybody_who_waits_for_that_job),
        cmocka_unit_test(deadlines_wake_in_their_order_and_the_next_is_told),
        cmocka_unit_test(who_wants_to_know_how_the_job_has_ended_is_told),
        cmocka_unit_test(a_removed_waiter_is_not_woken),
        cmocka_unit_test(too_many_are_refused),
        cmocka_unit_test(draining_wakes_all_and_lets_nobody_in),
        cmocka_unit_test(an_earlier_deadline_is_announced),
        cmocka_unit_test(every_waiter_is_either_woken_or_removed_never_both),
    };

    return cmocka_run_group_tests_name("engine/waiters", tests, NULL, NULL);
}
