#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/clean.h"
#include "base/mem.h"
#include "pool/slots.h"

#define NOW (100 * USEC_PER_SEC)

static char wordcount[] = "wordcount", score[] = "score";
static struct function items[] = {
    { .name = wordcount, .kind = FUNCTION_COMMAND, .workers = 9 },
    { .name = score, .kind = FUNCTION_PROGRAM, .workers = 2 },
};
static const struct function_table functions = { .items = items, .count = COUNT_OF(items) };

static int set_up(void **state)
{
    struct slots *t = mem_new0(sizeof *t);

    *state = t;
    return slots_init(t, &functions, 3, NULL);
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void there_is_a_slot_for_each_worker_of_commands_and_of_programs(void **state)
{
    const struct slots *t = *state;

    assert_int_equal(t->count, 5);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(slot_pool(&t->items[i]), "");
    for (size_t i = 3; i < 5; i++)
        assert_string_equal(slot_pool(&t->items[i]), "score");
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(t->items[i].life_fd, -1); /* 0 would be somebody's stdin */
}

static void more_workers_than_there_are_slots_is_a_configuration_error(void **state)
{
    struct slots *t = *state;
    struct errinfo e;

    assert_int_equal(slots_init(t, &functions, SUPERVISOR_WORKERS_MAX - 2, &e), 0);
    assert_int_equal(t->count, SUPERVISOR_WORKERS_MAX);
    assert_int_equal(slots_init(t, &functions, SUPERVISOR_WORKERS_MAX - 1, &e), ERR_CONFIG);
    assert_int_equal(slots_init(t, &functions, SUPERVISOR_WORKERS_MAX + 1, &e), ERR_CONFIG);
    assert_non_null(strstr(e.text, "512"));
}

static void the_living_are_listed_and_found_by_pid(void **state)
{
    struct slots *t = *state;
    struct worker_info list[SUPERVISOR_WORKERS_MAX];

    assert_int_equal(slots_alive(t, NULL), 0);
    t->items[1].worker_id = 11;
    child_started(&t->items[1].process, 101, NOW);
    t->items[4].worker_id = 14;
    child_started(&t->items[4].process, 104, NOW);
    assert_int_equal(slots_alive(t, list), 2);
    assert_int_equal(list[0].worker_id, 11);
    assert_int_equal(list[0].pid, 101);
    assert_string_equal(list[0].pool, "");
    assert_int_equal(list[1].worker_id, 14);
    assert_string_equal(list[1].pool, "score");
    assert_ptr_equal(slots_find(t, 104), &t->items[4]);
    assert_null(slots_find(t, 105));
}

static void a_slot_is_not_filled_before_the_front_knows_of_the_last_end(void **state)
{
    struct slots *t = *state;
    struct slot *slot = &t->items[0];

    assert_true(slot_is_due(slot, NOW));
    child_started(&slot->process, 100, NOW);
    slot_ended(slot, 9, NOW + SLOT_EARLY_US);
    assert_null(slots_find(t, 100));
    assert_true(slot->exit_untold);
    assert_int_equal(slot->exit_pid, 100);
    assert_int_equal(slot->exit_status, 9);
    assert_false(slot_is_due(slot, NOW + 60 * USEC_PER_SEC));
    slots_forget_exits(t);
    assert_true(slot_is_due(slot, NOW + SLOT_EARLY_US));
}

static void a_worker_that_dies_young_again_and_again_is_started_less_often(void **state)
{
    struct slots *t = *state;
    struct slot *slot = &t->items[0];

    for (int i = 0; i < 2; i++) {
        child_started(&slot->process, 100, NOW);
        slot_ended(slot, 9, NOW + SLOT_EARLY_US - 1);
        slot->exit_untold = false;
    }
    assert_false(slot_is_due(slot, NOW + SLOT_EARLY_US));
    child_started(&slot->process, 100, NOW);
    slot_ended(slot, 9, NOW + SLOT_EARLY_US);
    slot->exit_untold = false;
    assert_true(slot_is_due(slot, NOW + SLOT_EARLY_US));
}

#define SLOTS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SLOTS_TEST(there_is_a_slot_for_each_worker_of_commands_and_of_programs),
        SLOTS_TEST(more_workers_than_there_are_slots_is_a_configuration_error),
        SLOTS_TEST(the_living_are_listed_and_found_by_pid),
        SLOTS_TEST(a_slot_is_not_filled_before_the_front_knows_of_the_last_end),
        SLOTS_TEST(a_worker_that_dies_young_again_and_again_is_started_less_often),
    };

    return cmocka_run_group_tests_name("pool/slots", tests, NULL, NULL);
}
