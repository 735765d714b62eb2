#include "tests/support/test.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "pool/program.h"
#include "pool/tree.h"
#include "tests/support/lab.h"

static struct lab lab;
static char *argv[4];
static struct function fn;

static int open_lab(void **state)
{
    (void)state;
    lab_open(&lab);
    fn = (struct function){
        .kind = FUNCTION_PROGRAM, .argv = argv, .argc = 3, .grace_us = 10 * USEC_PER_SEC
    };
    fn.name = mem_str("test");
    return 0;
}

static int close_lab(void **state)
{
    (void)state;
    lab_close(&lab);
    for (size_t i = 0; i < COUNT_OF(argv); i++) {
        free(argv[i]);
        argv[i] = NULL;
    }
    free(fn.name);
    return 0;
}

/* A program in the shell: body runs for each job, with its id in $id and its word in $word. */
static struct program *host(const char *before, const char *body)
{
    argv[0] = mem_str("/bin/sh");
    argv[1] = mem_str("-c");
    argv[2] = mem_printf(
        "answer() { echo \"{\\\"id\\\":\\\"$id\\\",\\\"result\\\":$1}\" >&3; };"
        "%s while read -r id word; do %s done",
        before, body);
    return program_new(&lab.host, &lab.reaper, &fn, NULL);
}

/* "<id> <word>\n" is the job's line here: a shell does not read JSON. */
static struct order job(const char *word)
{
    struct order o = lab_order(NULL, NULL);
    char id[UUID7_TEXT_SIZE];

    o.input = mem_printf("%s %s\n", uuid7_format(o.job_id, id), word);
    o.input_len = strlen(o.input);
    return o;
}

static void await_room(const struct program *p)
{
    while (!program_has_room(p))
        assert_int_equal(loop_turn(lab.loop, NULL), 0);
}

static void run_order(struct program *p, struct order o)
{
    unsigned ended = lab.done_count;

    await_room(p);
    program_run(p, &o);
    lab_await(&lab, ended + 1);
}

static void run(struct program *p, const char *word)
{
    run_order(p, job(word));
}

/* As the engine does it: one that was given back is tried again. */
static void run_to_end(struct program *p, const char *word)
{
    do
        run(p, word);
    while (lab.outcome.cause == CAUSE_NEVER_STARTED);
}

static void await_state(const struct program *p, enum proto_state state,
                        struct proto_status *ret_status)
{
    for (program_status(p, ret_status); ret_status->state != state;
         program_status(p, ret_status))
        assert_int_equal(loop_turn(lab.loop, NULL), 0);
}

static void assert_output(enum stream stream, const char *want)
{
    AUTO(mem) char *got = lab_output(&lab, stream);

    assert_string_equal(got, want);
}

#define ECHO "answer \"\\\"$word\\\"\";"

static void one_process_answers_several_jobs(void **state)
{
    AUTO(program) struct program *p = host("", ECHO);
    int pid;

    (void)state;
    run(p, "one");
    assert_int_equal(lab.outcome.cause, CAUSE_NONE);
    assert_int_equal(lab.outcome.result_kind, RESULT_JSON);
    assert_string_equal(lab.outcome.result, "\"one\"");
    pid = lab.outcome.pid;
    assert_true(pid > 0);
    for (int i = 0; i < 20; i++) {
        run(p, "more");
        assert_string_equal(lab.outcome.result, "\"more\"");
        assert_int_equal(lab.outcome.pid, pid);
    }
}

static void a_ready_line_is_no_answer(void **state)
{
    AUTO(program) struct program *p = host("echo '{\"ready\":true}' >&3;", ECHO);

    (void)state;
    run(p, "one");
    assert_string_equal(lab.outcome.result, "\"one\"");
}

static void what_it_prints_is_the_log_of_the_job_that_runs(void **state)
{
    AUTO(program)
    struct program *p = host("", "echo \"out $word\"; echo \"err $word\" >&2;" ECHO);

    (void)state;
    run(p, "a");
    assert_output(STREAM_STDOUT, "out a\n");
    assert_output(STREAM_STDERR, "err a\n");
    run(p, "b");
    assert_output(STREAM_STDOUT, "out b\n");
}

static void progress_is_passed_on(void **state)
{
    AUTO(program)
    struct program *p =
        host("",
             "echo \"{\\\"id\\\":\\\"$id\\\",\\\"progress\\\":0.5,\\\"message\\\":\\\"m\\\"}\" "
             ">&3;" ECHO);

    (void)state;
    run(p, "a");
    assert_int_equal(lab.progress_count, 1);
    assert_true(lab.fraction == 0.5);
    assert_string_equal(lab.message, "m");
}

static void an_error_answer_fails_the_job_and_not_the_program(void **state)
{
    AUTO(program)
    struct program *p = host(
        "",
        "if [ $word = bad ]; then"
        " echo \"{\\\"id\\\":\\\"$id\\\",\\\"error\\\":{\\\"message\\\":\\\"no\\\"}}\" >&3;"
        "else " ECHO " fi;");
    int pid;

    (void)state;
    run(p, "bad");
    assert_int_equal(lab.outcome.cause, CAUSE_ERROR);
    assert_string_equal(lab.outcome.message, "no");
    assert_int_equal(lab.outcome.result_kind, RESULT_NONE);
    pid = lab.outcome.pid;
    run(p, "good");
    assert_int_equal(lab.outcome.cause, CAUSE_NONE);
    assert_int_equal(lab.outcome.pid, pid);
}

static void garbage_and_answers_to_other_jobs_are_ignored(void **state)
{
    AUTO(program)
    struct program *p = host(
        "",
        "echo garbage >&3; echo '{\"result\":1}' >&3; echo '{\"id\":\"x\",\"result\":1}' >&3;"
        "echo '{\"id\":\"0190f0c2-a1b2-7123-8123-456789abcdef\",\"result\":1}' >&3;" ECHO);

    (void)state;
    run(p, "one");
    assert_string_equal(lab.outcome.result, "\"one\"");
    run(p, "two");
    assert_string_equal(lab.outcome.result, "\"two\"");
}

static void
a_death_without_an_answer_loses_the_job_and_a_new_process_takes_the_next(void **state)
{
    AUTO(program)
    struct program *p = host("", "if [ $word = die ]; then echo why >&2; exit 7; fi;" ECHO);
    int pid;

    (void)state;
    run(p, "fine");
    pid = lab.outcome.pid;
    run(p, "die");
    assert_int_equal(lab.outcome.cause, CAUSE_WORKER_LOST);
    assert_int_equal(lab.outcome.exit_code, 7);
    assert_string_equal(lab.outcome.message,
                        "the program exited with code 7 before it answered");
    assert_output(STREAM_STDERR, "why\n");
    run(p, "again");
    assert_int_equal(lab.outcome.cause, CAUSE_NONE);
    assert_int_not_equal(lab.outcome.pid, pid);
}

static void an_answer_that_was_written_before_the_death_counts(void **state)
{
    AUTO(program) struct program *p = host("", ECHO "kill -KILL $$;");

    (void)state;
    for (int i = 0; i < 10; i++) {
        run_to_end(p, "last");
        assert_int_equal(lab.outcome.cause, CAUSE_NONE);
        assert_string_equal(lab.outcome.result, "\"last\"");
    }
}

static void one_that_keeps_dying_is_started_again_after_growing_waits(void **state)
{
    AUTO(program) struct program *p = host("", "exit 1;");
    usec_t before_us = clock_mono_us();

    (void)state;
    for (int i = 0; i < 3; i++) {
        run(p, "x");
        assert_int_equal(lab.outcome.cause, CAUSE_WORKER_LOST);
    }
    assert_true(clock_mono_us() - before_us >= 300 * USEC_PER_MS); /* 100 + 200 */
}

static void a_program_that_cannot_be_started_opens_its_circuit_and_takes_no_jobs(void **state)
{
    AUTO(program) struct program *p = NULL;
    struct proto_status status;
    usec_t before_us = clock_mono_us();

    (void)state;
    argv[0] = mem_str("/no/such/program");
    log_set_fd(-1);
    p = program_new(&lab.host, &lab.reaper, &fn, NULL);
    assert_false(program_has_room(p));
    program_status(p, &status);
    assert_int_equal(status.state, PROTO_STATE_STARTING); /* once is no pattern */
    assert_int_equal(status.capacity, 0);
    await_state(p, PROTO_STATE_CIRCUIT_OPEN, &status);
    assert_true(clock_mono_us() - before_us >= 300 * USEC_PER_MS); /* 100 + 200 */
    assert_string_equal(status.reason, "exec /no/such/program: No such file or directory");
    assert_int_equal(status.program_pid, 0);
    log_set_fd(2);
}

static void an_order_that_there_is_no_room_for_was_never_started(void **state)
{
    struct order o = job("x");
    AUTO(program) struct program *p = NULL;

    (void)state;
    argv[0] = mem_str("/no/such/program");
    log_set_fd(-1);
    p = program_new(&lab.host, &lab.reaper, &fn, NULL);
    log_set_fd(2);
    program_run(p, &o);
    assert_int_equal(lab.done_count, 1);
    assert_int_equal(lab.outcome.cause, CAUSE_NEVER_STARTED);
    assert_int_equal(lab.outcome.pid, 0);
}

static void a_timeout_stops_the_program_and_the_next_job_has_a_new_one(void **state)
{
    AUTO(program)
    struct program *p = host("", "if [ $word = hang ]; then sleep 1000; fi;" ECHO);
    struct order o = job("hang");
    int pid;

    (void)state;
    o.timeout_us = 50 * USEC_PER_MS;
    run_order(p, o);
    assert_int_equal(lab.outcome.cause, CAUSE_DEADLINE_EXCEEDED);
    pid = lab.outcome.pid;
    run(p, "next");
    assert_int_equal(lab.outcome.cause, CAUSE_NONE);
    assert_int_not_equal(lab.outcome.pid, pid);
}

static void a_program_that_ignores_sigterm_is_killed_after_the_grace(void **state)
{
    AUTO(program)
    struct program *p =
        host("trap '' TERM;", "while [ $word = hang ]; do sleep 0.01; done;" ECHO);
    struct order o = job("hang");

    (void)state;
    o.timeout_us = 30 * USEC_PER_MS;
    o.grace_us = 30 * USEC_PER_MS;
    run_order(p, o);
    assert_int_equal(lab.outcome.cause, CAUSE_DEADLINE_EXCEEDED);
    assert_int_equal(lab.outcome.signal, SIGKILL);
}

static void a_job_is_canceled_while_it_runs(void **state)
{
    AUTO(program)
    struct program *p = host("",
                             "echo \"{\\\"id\\\":\\\"$id\\\",\\\"progress\\\":0}\" >&3;"
                             "if [ $word = hang ]; then sleep 1000; fi;" ECHO);
    struct order o = job("hang");
    struct uuid7 id = o.job_id;

    (void)state;
    program_run(p, &o);
    lab_await_progress(&lab, 1);
    program_cancel(p, id, 2, PROTO_CANCEL_FORCE, -1); /* not this attempt */
    program_cancel(p, id, 1, PROTO_CANCEL_GRACEFUL, -1);
    lab_await(&lab, 1);
    assert_int_equal(lab.outcome.cause, CAUSE_CANCELED);
    run(p, "next");
    assert_int_equal(lab.outcome.cause, CAUSE_NONE);
}

static void after_max_jobs_the_process_ends_by_itself_and_is_replaced(void **state)
{
    AUTO(program) struct program *p = NULL;

    (void)state;
    fn.max_jobs = 2;
    p = host("", ECHO);
    for (int i = 0; i < 3; i++) {
        int pid;

        run(p, "x");
        pid = lab.outcome.pid;
        run(p, "x");
        assert_int_equal(lab.outcome.cause, CAUSE_NONE);
        assert_int_equal(lab.outcome.pid, pid);
        while (kill(pid, 0) == 0) /* until it is reaped: there are never more than two */
            assert_int_equal(loop_turn(lab.loop, NULL), 0);
    }
}

static void one_that_does_not_end_after_max_jobs_is_killed(void **state)
{
    AUTO(program) struct program *p = NULL;

    (void)state;
    fn.max_jobs = 1;
    fn.grace_us = 20 * USEC_PER_MS;
    p = host("", ECHO "trap '' TERM; exec 0<&-; sleep 1000;");
    run(p, "a");
    run(p, "b");
    assert_int_equal(lab.outcome.cause, CAUSE_NONE);
}

static void an_answer_without_end_stops_the_program(void **state)
{
    AUTO(program)
    struct program *p = host(
        "", "if [ $word = big ]; then head -c 2000000 /dev/zero | tr '\\000' x >&3; fi;" ECHO);

    (void)state;
    run(p, "big");
    assert_int_equal(lab.outcome.cause, CAUSE_OUTPUT_LIMIT_EXCEEDED);
    assert_string_equal(lab.outcome.message,
                        "a line of the job channel is longer than 1048576 bytes");
    run(p, "small");
    assert_string_equal(lab.outcome.result, "\"small\"");
}

static void one_that_closes_its_channel_is_replaced(void **state)
{
    AUTO(program)
    struct program *p = host("", "if [ $word = deaf ]; then exec 3>&-; else " ECHO " fi;");

    (void)state;
    run(p, "deaf");
    assert_int_equal(lab.outcome.cause, CAUSE_WORKER_LOST);
    run(p, "fine");
    assert_int_equal(lab.outcome.cause, CAUSE_NONE);
}

static void what_a_dead_program_left_behind_is_killed_before_the_job_ends(void **state)
{
    AUTO(program) struct program *p = host("", "setsid sleep 1000 & exit 1;");

    (void)state;
    run(p, "x");
    assert_int_equal(lab.outcome.cause, CAUSE_WORKER_LOST);
    assert_int_equal(lab.outcome.leftovers_killed, 1);
}

static void a_shutdown_releases_the_job_and_starts_nothing_again(void **state)
{
    AUTO(program)
    struct program *p =
        host("", "echo \"{\\\"id\\\":\\\"$id\\\",\\\"progress\\\":0}\" >&3; sleep 1000;");
    struct order o = job("x");
    struct proto_attempt held[PROGRAM_CAPACITY];

    (void)state;
    program_run(p, &o);
    lab_await_progress(&lab, 1);
    assert_int_equal(program_held(p, held), 1);
    program_shut_down(p);
    lab_await(&lab, 1);
    assert_int_equal(lab.outcome.cause, CAUSE_SHUTDOWN);
    assert_int_equal(program_held(p, held), 0);
    assert_int_equal(tree_sweep(NULL, NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_lab, close_lab)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_process_answers_several_jobs),
        TEST(a_ready_line_is_no_answer),
        TEST(what_it_prints_is_the_log_of_the_job_that_runs),
        TEST(progress_is_passed_on),
        TEST(an_error_answer_fails_the_job_and_not_the_program),
        TEST(garbage_and_answers_to_other_jobs_are_ignored),
        TEST(a_death_without_an_answer_loses_the_job_and_a_new_process_takes_the_next),
        TEST(an_answer_that_was_written_before_the_death_counts),
        TEST(one_that_keeps_dying_is_started_again_after_growing_waits),
        TEST(a_program_that_cannot_be_started_opens_its_circuit_and_takes_no_jobs),
        TEST(an_order_that_there_is_no_room_for_was_never_started),
        TEST(a_timeout_stops_the_program_and_the_next_job_has_a_new_one),
        TEST(a_program_that_ignores_sigterm_is_killed_after_the_grace),
        TEST(a_job_is_canceled_while_it_runs),
        TEST(after_max_jobs_the_process_ends_by_itself_and_is_replaced),
        TEST(one_that_does_not_end_after_max_jobs_is_killed),
        TEST(an_answer_without_end_stops_the_program),
        TEST(one_that_closes_its_channel_is_replaced),
        TEST(what_a_dead_program_left_behind_is_killed_before_the_job_ends),
        TEST(a_shutdown_releases_the_job_and_starts_nothing_again),
    };

    (void)alarm(HANG_S); /* a job that never ends must not hang the run */
    return cmocka_run_group_tests_name("pool/program", tests, NULL, NULL);
}
