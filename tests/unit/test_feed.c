#include "tests/support/test.h"

#include "engine/feed.h"

struct listener {
    struct waiter waiter;
    unsigned woken;
};

static void on_wake(struct waiter *w)
{
    struct listener *l = w->ctx;

    l->woken++;
}

static void listen(struct waiters *ws, struct listener *l)
{
    l->waiter = (struct waiter){ .job_id = FEED_ALL,
                                 .any_change = true,
                                 .deadline_us = INT64_MAX,
                                 .wake = on_wake,
                                 .ctx = l };
    assert_int_equal(waiters_add(ws, &l->waiter, NULL), 0);
}

static void the_first_event_is_told_at_once_and_a_burst_together(void **state)
{
    struct feed feed = { 0 };
    struct waiters *ws = NULL;
    struct listener l = { .woken = 0 };
    usec_t now_us = 10 * USEC_PER_SEC;

    (void)state;
    assert_int_equal(waiters_new(10, NULL, NULL, &ws, NULL), 0);
    listen(ws, &l);
    feed_commit(&feed, ws, 0, now_us); /* nothing new */
    assert_int_equal(l.woken, 0);
    feed_commit(&feed, ws, 3, now_us);
    assert_int_equal(l.woken, 1);
    listen(ws, &l);
    for (int i = 1; i <= 10; i++)
        feed_commit(&feed, ws, 3 + i, now_us + i);
    assert_int_equal(l.woken, 1);
    assert_in_range(feed.due_us, now_us + FEED_PAUSE_US, now_us + 2 * FEED_PAUSE_US);
    feed_tick(&feed, ws, feed.due_us - 1);
    assert_int_equal(l.woken, 1);
    now_us = feed.due_us;
    feed_tick(&feed, ws, now_us);
    assert_int_equal(l.woken, 2);
    assert_int_equal(feed.due_us, 0);
    feed_tick(&feed, ws, now_us + USEC_PER_SEC); /* nothing new since */
    assert_int_equal(waiters_count(ws), 0);
    ws = waiters_free(ws);
}

static void many_are_told_less_often(void **state)
{
    static struct listener many[2000];
    struct feed feed = { 0 };
    struct waiters *ws = NULL;
    usec_t now_us = 10 * USEC_PER_SEC;

    (void)state;
    assert_int_equal(waiters_new(2000, NULL, NULL, &ws, NULL), 0);
    for (int i = 0; i < 2000; i++)
        listen(ws, &many[i]);
    feed_commit(&feed, ws, 1, now_us);
    assert_int_equal(many[1999].woken, 1);
    feed_commit(&feed, ws, 2, now_us);
    assert_in_range(feed.due_us, now_us + 3 * FEED_PAUSE_US, now_us + FEED_PAUSE_MAX_US);
    ws = waiters_free(ws);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_event_is_told_at_once_and_a_burst_together),
        cmocka_unit_test(many_are_told_less_often),
    };

    return cmocka_run_group_tests_name("engine/feed", tests, NULL, NULL);
}
