#include "tests/support/test.h"

#include <fcntl.h>
#include <signal.h>

#include "pool/elders.h"

static void the_table_of_elders_tells_the_living_from_the_done(void **state)
{
    const struct worker_info a = { .worker_id = 1, .pid = 10 };
    const struct worker_info b = { .worker_id = 2, .pid = 20, .pool = "score" };
    const struct worker_info c = { .worker_id = 3, .pid = 30 };
    struct worker_info alive[3];
    struct elders t;
    struct elder *elder;
    int64_t done[3];

    (void)state;
    elders_init(&t, 3);
    elders_add(&t, &a, -1, false);
    elders_add(&t, &b, open("/dev/null", O_RDONLY | O_CLOEXEC), true);
    elders_add(&t, &c, open("/dev/null", O_RDONLY | O_CLOEXEC), false);
    assert_int_equal(elders_alive(&t, alive), 2);
    assert_int_equal(alive[0].worker_id, 2);
    assert_string_equal(alive[0].pool, "score");
    assert_int_equal(elders_done(&t, done), 1);
    assert_int_equal(done[0], 1);
    assert_null(elders_find_child(&t, 10));
    assert_null(elders_find_child(&t, 30)); /* alive, but not our child */

    elder = elders_find_child(&t, 20);
    assert_non_null(elder);
    elder_ended(elder, SIGKILL);
    assert_true(elder->exit_untold);
    assert_null(elders_find_child(&t, 20));
    assert_int_equal(elders_alive(&t, NULL), 1);
    assert_int_equal(elders_done(&t, done), 1); /* it was killed */
    elders_forget_exits(&t);
    assert_false(elder->exit_untold);
    elders_fini(&t);
    assert_int_equal(t.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_elders_tells_the_living_from_the_done),
    };

    return cmocka_run_group_tests_name("pool/elders", tests, NULL, NULL);
}
