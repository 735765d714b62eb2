#include "tests/support/test.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool/detached.h"
#include "pool/paths.h"
#include "tests/support/tmp.h"

static char data_dir[TMP_SIZE];
static struct detached *table;

static int set_up(void **state)
{
    (void)state;
    (void)tmp_dir_make(data_dir);
    assert_int_equal(paths_prepare(data_dir, NULL), 0);
    assert_int_equal(detached_open(data_dir, &table, NULL), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    table = detached_free(table);
    tmp_dir_remove(data_dir);
    return 0;
}

/* A child that waits to be killed, in a session of its own or in ours. */
static pid_t start(bool own_session)
{
    pid_t parent = getpid();
    pid_t pid;
    int gate[2];
    char c;

    assert_int_equal(pipe(gate), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (own_session)
            (void)setsid();
        (void)close(gate[0]);
        (void)close(gate[1]);
        while (getppid() == parent)
            (void)pause();
        _exit(0);
    }
    (void)close(gate[1]);
    assert_int_equal(read(gate[0], &c, 1), 0);
    (void)close(gate[0]);
    return pid;
}

static void end(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void add(pid_t pid)
{
    struct tree_process p;

    assert_true(tree_look(pid, &p));
    assert_true(detached_add(table, &p));
}

static void who_was_entered_is_spared_by_every_process(void **state)
{
    struct detached *again = NULL;
    pid_t pid = start(true);
    pid_t other = start(true);

    (void)state;
    assert_false(detached_any(table));
    assert_false(detached_spares(table, pid));
    add(pid);
    assert_true(detached_any(table));
    assert_true(detached_spares(table, pid));
    assert_false(detached_spares(table, other));
    assert_int_equal(detached_open(data_dir, &again, NULL), 0);
    assert_true(detached_spares(again, pid));
    again = detached_free(again);
    end(pid);
    end(other);
    assert_false(detached_spares(table, pid));
}

static void a_number_that_is_used_again_is_somebody_else(void **state)
{
    struct tree_process p;
    pid_t pid = start(true);

    (void)state;
    assert_true(tree_look(pid, &p));
    p.start--;     /* as if it had been entered before this one was started, */
    p.session = 1; /* in another session */
    assert_true(detached_add(table, &p));
    assert_false(detached_spares(table, pid));
    end(pid);
}

static void a_new_session_of_that_number_is_not_spared(void **state)
{
    pid_t pid = start(true);

    (void)state;
    add(pid);
    detached_forget(table, pid);
    assert_false(detached_spares(table, pid));
    assert_false(detached_any(table));
    end(pid);
}

static void those_that_have_ended_are_cleaned_away(void **state)
{
    pid_t living = start(true);
    pid_t dead = start(true);

    (void)state;
    add(living);
    add(dead);
    end(dead);
    detached_clean(table);
    assert_true(detached_spares(table, living));
    detached_forget(table, living);
    assert_false(detached_any(table));
    end(living);
}

static void a_full_table_takes_the_place_of_a_dead_one(void **state)
{
    struct tree_process self;
    pid_t dead = start(true);

    (void)state;
    add(dead);
    assert_true(tree_look(getpid(), &self));
    for (int i = 1; i < DETACHED_MAX; i++)
        assert_true(detached_add(table, &self));
    end(dead);
    assert_true(detached_add(table, &self));
    assert_false(detached_add(table, &self)); /* all are alive */
}

static void without_a_table_nobody_is_spared(void **state)
{
    struct tree_process self;

    (void)state;
    assert_true(tree_look(getpid(), &self));
    assert_false(detached_add(NULL, &self));
    assert_false(detached_any(NULL));
    assert_false(detached_spares(NULL, getpid()));
    detached_forget(NULL, getpid());
    detached_clean(NULL);
    assert_null(detached_free(NULL));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(who_was_entered_is_spared_by_every_process),
        CASE(a_number_that_is_used_again_is_somebody_else),
        CASE(a_new_session_of_that_number_is_not_spared),
        CASE(those_that_have_ended_are_cleaned_away),
        CASE(a_full_table_takes_the_place_of_a_dead_one),
        CASE(without_a_table_nobody_is_spared),
    };

    return cmocka_run_group_tests_name("pool/detached", tests, NULL, NULL);
}
