/* The worker's event loop: whom it calls in a turn, and what it does at the end of one. */
#include "tests/support/test.h"

#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "pool/loop.h"

static struct loop *loop;
static char calls[16]; /* who was called, by a letter each */

static void note(char who)
{
    calls[strlen(calls)] = who;
}

static int start(void **state)
{
    (void)state;
    memset(calls, 0, sizeof calls);
    return loop_new(&loop, NULL);
}

static int stop(void **state)
{
    (void)state;
    loop = loop_free(loop);
    return 0;
}

/* -- tasks ----------------------------------------------------------------------------------
 */

static void say_t(void *ctx)
{
    (void)ctx;
    note('t');
}

static void say_u(void *ctx)
{
    (void)ctx;
    note('u');
}

static struct task task_t = { .run = say_t }, task_u = { .run = say_u };

static void ask_for_t(void *ctx)
{
    note('a');
    loop_defer(loop, ctx);
}

/* A loop that has something to do at once waits for nothing. */
static void turn(void)
{
    struct timer now = { .on_due = say_u };

    loop_set_timer(loop, &now, 1);
    assert_int_equal(loop_turn(loop, NULL), 0);
}

static void the_one_that_was_asked_for_last_is_called_first_and_each_once(void **state)
{
    (void)state;
    loop_defer(loop, &task_t);
    loop_defer(loop, &task_u);
    loop_defer(loop, &task_t); /* twice is once */
    turn();
    assert_string_equal(calls, "utu"); /* and the timer behind them */
    turn();
    assert_string_equal(calls, "utuu");
}

static void a_task_that_is_not_wanted_any_more_is_not_called(void **state)
{
    (void)state;
    loop_defer(loop, &task_t);
    loop_defer(loop, &task_u);
    loop_cancel_task(loop, &task_t);
    loop_cancel_task(loop, &task_t); /* it is off already */
    turn();
    assert_string_equal(calls, "uu");
}

static void a_task_may_ask_for_another_one(void **state)
{
    struct task asks = { .run = ask_for_t, .ctx = &task_t };

    (void)state;
    loop_defer(loop, &asks);
    turn();
    assert_string_equal(calls, "atu");
}

/* -- descriptors ----------------------------------------------------------------------------
 */

struct source {
    struct watch watch;
    int ends[2];
    char name;
};

static void on_ready(void *ctx, uint32_t events)
{
    struct source *s = ctx;
    char byte;

    assert_true(events & EPOLLIN);
    assert_int_equal(read(s->ends[0], &byte, 1), 1);
    note(s->name);
    loop_defer(loop, &task_t);
}

static void source_open(struct source *s, char name)
{
    s->watch = (struct watch){ .fd = -1, .on_ready = on_ready, .ctx = s };
    s->name = name;
    assert_int_equal(pipe(s->ends), 0);
    assert_int_equal(loop_watch(loop, &s->watch, s->ends[0], EPOLLIN, NULL), 0);
    assert_int_equal(write(s->ends[1], "x", 1), 1);
}

static void source_close(struct source *s)
{
    loop_unwatch(loop, &s->watch);
    fd_fini(&s->ends[0]);
    fd_fini(&s->ends[1]);
}

/* So what has become known in one turn is written with one call. */
static void what_happens_in_a_turn_shares_a_task_behind_it(void **state)
{
    struct source a, b;

    (void)state;
    source_open(&a, 'a');
    source_open(&b, 'b');
    assert_int_equal(loop_turn(loop, NULL), 0);
    assert_true(strcmp(calls, "ab") == 0 || strcmp(calls, "ba") == 0);
    assert_int_equal(loop_turns(loop), 1);
    turn(); /* before it waits again */
    assert_string_equal(calls + 2, "tu");
    source_close(&a);
    source_close(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_one_that_was_asked_for_last_is_called_first_and_each_once),
        TEST(a_task_that_is_not_wanted_any_more_is_not_called),
        TEST(a_task_may_ask_for_another_one),
        TEST(what_happens_in_a_turn_shares_a_task_behind_it),
    };

    return cmocka_run_group_tests_name("pool/loop", tests, NULL, NULL);
}
