/* Programs that say when they are ready, that take several jobs at once, that are replaced, and
 * that do not start. */
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "pool/program.h"
#include "pool/tree.h"
#include "tests/support/lab.h"

#define ENDS_MAX 16

/* An attempt that has ended. */
struct end {
    struct uuid7 job_id;
    enum cause cause;
    int pid;
    char result[64];
    char message[128];
};

static struct lab lab;
static void (*lab_on_done)(void *ctx, struct outcome *take_outcome);
static struct end ends[ENDS_MAX];
static char *argv[4];
static struct function fn;

static void note_end(void *ctx, struct outcome *take_outcome)
{
    struct end *e = &ends[lab.done_count];
    const struct outcome *o = take_outcome;

    assert_true(lab.done_count < ENDS_MAX);
    *e = (struct end){ .job_id = o->job_id, .cause = o->cause, .pid = o->pid };
    (void)snprintf(e->result, sizeof e->result, "%s", o->result ? o->result : "");
    (void)snprintf(e->message, sizeof e->message, "%s", o->message ? o->message : "");
    lab_on_done(ctx, take_outcome);
}

static int open_lab(void **state)
{
    (void)state;
    lab_open(&lab);
    log_set_level(LOG_ERROR);
    lab_on_done = lab.host.on_done;
    lab.host.on_done = note_end;
    fn = (struct function){
        .kind = FUNCTION_PROGRAM,
        .argv = argv,
        .argc = 3,
        .grace_us = 10 * USEC_PER_SEC,
        .concurrency = 64,
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

/* The text runs in the data directory, with these at hand:
 *   ready N           say that it is ready for N jobs at once
 *   answer ID TEXT    answer a job
 *   fail ID           answer it with an error
 *   each BODY         run BODY for each line, which is "$id $word" */
static struct program *host(const char *text)
{
    argv[0] = mem_str("/bin/sh");
    argv[1] = mem_str("-c");
    argv[2] = mem_printf(
        "cd %s || exit 9;"
        "ready() { echo \"{\\\"ready\\\":true,\\\"concurrency\\\":$1}\" >&3; };"
        "answer() { echo \"{\\\"id\\\":\\\"$1\\\",\\\"result\\\":\\\"$2\\\"}\" >&3; };"
        "fail() { echo \"{\\\"id\\\":\\\"$1\\\",\\\"error\\\":\\\"no\\\"}\" >&3; };"
        "each() { while read -r id word; do eval \"$1\"; done; };"
        "%s",
        lab.data_dir, text);
    return program_new(&lab.host, &lab.reaper, &fn, NULL);
}

static struct order job(const char *word)
{
    struct order o = lab_order(NULL, NULL);
    char id[UUID7_TEXT_SIZE];

    o.input = mem_printf("%s %s\n", uuid7_format(o.job_id, id), word);
    o.input_len = strlen(o.input);
    return o;
}

/* Let the loop run until the condition holds. */
#define AWAIT(condition)                                                                       \
    while (!(condition))                                                                       \
    assert_int_equal(loop_turn(lab.loop, NULL), 0)

/* Give it a job as soon as it takes one; returns its id. */
static struct uuid7 give(struct program *p, const char *word)
{
    struct order o = job(word);
    struct uuid7 id = o.job_id;

    AWAIT(program_has_room(p));
    program_run(p, &o);
    return id;
}

static bool has_ended(struct uuid7 id)
{
    for (unsigned i = 0; i < lab.done_count; i++)
        if (uuid7_equal(ends[i].job_id, id))
            return true;
    return false;
}

static const struct end *end_of(struct uuid7 id)
{
    const struct end *e = ends;

    assert_true(has_ended(id));
    while (!uuid7_equal(e->job_id, id))
        e++;
    return e;
}

static const struct end *run(struct program *p, const char *word)
{
    struct uuid7 id = give(p, word);

    AWAIT(has_ended(id));
    return end_of(id);
}

static struct proto_status status_of(const struct program *p)
{
    struct proto_status s;

    program_status(p, &s);
    return s;
}

static char *path_of(const char *name)
{
    return mem_printf("%s/%s", lab.data_dir, name);
}

static void make_fifo(const char *name)
{
    AUTO(mem) char *path = path_of(name);

    assert_int_equal(mkfifo(path, 0600), 0);
}

/* Waits for whoever reads it. */
static void open_fifo(const char *name)
{
    AUTO(mem) char *path = path_of(name);
    AUTO_FINI(fd) int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "go\n", 3), 3);
}

static void make_file(const char *name)
{
    AUTO(mem) char *path = path_of(name);
    AUTO_FINI(fd) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
}

#define ECHO "each 'answer $id $word'"

/* ---- ready --------------------------------------------------------------------------------
 */

static void a_program_gets_no_job_before_it_says_that_it_is_ready(void **state)
{
    AUTO(program) struct program *p = NULL;

    (void)state;
    fn.ready_timeout_us = 60 * USEC_PER_SEC;
    make_fifo("gate");
    p = host("read -r x <gate; ready 1; " ECHO);
    assert_false(program_has_room(p));
    assert_int_equal(status_of(p).state, PROTO_STATE_STARTING);
    assert_int_equal(status_of(p).capacity, 0);
    assert_true(status_of(p).program_pid > 0);
    open_fifo("gate");
    assert_string_equal(run(p, "one")->result, "\"one\"");
    assert_int_equal(status_of(p).state, PROTO_STATE_UP);
    assert_int_equal(status_of(p).capacity, 1);
}

static void one_that_is_not_ready_in_time_is_killed_and_has_failed_to_start(void **state)
{
    AUTO(program) struct program *p = NULL;

    (void)state;
    fn.ready_timeout_us = 20 * USEC_PER_MS;
    p = host("trap '' TERM; while :; do sleep 1000; done");
    AWAIT(status_of(p).reason[0] != '\0');
    assert_string_equal(status_of(p).reason, "the program was not ready within 0.02 s");
    assert_int_equal(status_of(p).state, PROTO_STATE_STARTING);
    AWAIT(status_of(p).state == PROTO_STATE_CIRCUIT_OPEN);
    assert_false(program_has_room(p));
}

static void without_the_handshake_a_program_is_up_at_once(void **state)
{
    AUTO(program) struct program *p = host(ECHO);

    (void)state;
    assert_true(program_has_room(p));
    assert_int_equal(status_of(p).capacity, 1);
    assert_string_equal(run(p, "one")->result, "\"one\"");
}

/* ---- several at once ----------------------------------------------------------------------
 */

static void it_takes_as_many_as_it_says_and_the_function_allows(void **state)
{
    static const struct {
        unsigned configured;
        const char *text;
        unsigned capacity;
    } cases[] = {
        { 8, "ready 3; cat", 3 },
        { 2, "ready 100; cat", 2 },
        { 0, "ready 5; cat", 1 },
        { 8, "echo '{\"ready\":true}' >&3; cat", 1 },
    };

    (void)state;
    fn.ready_timeout_us = 60 * USEC_PER_SEC;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(program) struct program *p = NULL;

        fn.concurrency = cases[i].configured;
        p = host(cases[i].text);
        AWAIT(program_has_room(p));
        assert_int_equal(status_of(p).capacity, cases[i].capacity);
        p = program_free(p);
        for (size_t a = 0; a < 3; a++)
            free(argv[a]);
    }
    argv[0] = argv[1] = argv[2] = NULL;
}

static void jobs_that_run_together_may_be_answered_in_any_order(void **state)
{
    AUTO(program)
    struct program *p = host(
        "ready 3; read -r a x; read -r b x; read -r c x;"
        "answer $c third; answer $a first; answer $b second; cat");
    struct uuid7 ids[3];
    struct proto_attempt held[PROGRAM_CAPACITY];

    (void)state;
    AWAIT(status_of(p).capacity == 3);
    for (int i = 0; i < 3; i++)
        ids[i] = give(p, "x");
    assert_false(program_has_room(p));
    assert_int_equal(program_held(p, held), 3);
    AWAIT(lab.done_count == 3);
    assert_string_equal(end_of(ids[0])->result, "\"first\"");
    assert_string_equal(end_of(ids[1])->result, "\"second\"");
    assert_string_equal(end_of(ids[2])->result, "\"third\"");
    assert_int_equal(end_of(ids[0])->pid, end_of(ids[2])->pid);
}

/* The answer of the second job is read alone, and while that is settled the first one's comes.
 */
static void an_answer_that_comes_while_another_is_settled_is_not_missed(void **state)
{
    AUTO(program)
    struct program *p = host(
        "ready 2; while read -r a x && read -r b x; do"
        " answer $b second; answer $a first; done");

    (void)state;
    AWAIT(status_of(p).capacity == 2);
    for (int i = 0; i < 5000; i++) { /* it is a matter of microseconds */
        lab.done_count = 0;
        (void)give(p, "x");
        (void)give(p, "x");
        AWAIT(lab.done_count == 2);
    }
}

static void what_is_printed_goes_to_the_log_of_every_job_that_runs(void **state)
{
    AUTO(program)
    struct program *p = host(
        "ready 2; read -r a x; read -r b x;"
        "echo both; answer $b x; read -r c x;"
        "echo later; answer $a x; cat");
    AUTO(mem) char *log = NULL;
    struct uuid7 a;
    struct uuid7 b;

    (void)state;
    AWAIT(status_of(p).capacity == 2);
    a = give(p, "x");
    b = give(p, "x");
    AWAIT(has_ended(b));
    log = lab_output(&lab, STREAM_STDOUT);
    assert_string_equal(log, "both\n");
    (void)give(p, "x");
    AWAIT(has_ended(a));
    free(log);
    log = lab_output(&lab, STREAM_STDOUT);
    assert_string_equal(log, "both\nlater\n");
}

/* A line '{"cancel":"<id>"}' has all in $id. */
#define OBEDIENT                                                                               \
    "ready 4; each 'case $id in *cancel*) id=${id#*:?}; fail ${id%??};; esac;"                 \
    " case $word in echo) answer $id ok;; esac'"

static void one_of_several_is_canceled_and_the_others_go_on(void **state)
{
    AUTO(program) struct program *p = host(OBEDIENT);
    struct uuid7 victim;
    struct uuid7 other;

    (void)state;
    AWAIT(status_of(p).capacity == 4);
    victim = give(p, "hang");
    other = give(p, "hang");
    program_cancel(p, victim, 1, PROTO_CANCEL_GRACEFUL, -1);
    AWAIT(has_ended(victim));
    assert_int_equal(end_of(victim)->cause, CAUSE_CANCELED);
    assert_false(has_ended(other));
    assert_string_equal(run(p, "echo")->result, "\"ok\"");
    assert_int_equal(run(p, "echo")->pid, end_of(victim)->pid);
    program_cancel(p, other, 1, PROTO_CANCEL_SHUTDOWN, -1);
    AWAIT(has_ended(other));
    assert_int_equal(end_of(other)->cause, CAUSE_SHUTDOWN);
}

static void one_of_several_that_takes_too_long_is_asked_to_stop(void **state)
{
    AUTO(program) struct program *p = host(OBEDIENT);
    struct order o = job("hang");
    struct uuid7 id = o.job_id;

    (void)state;
    AWAIT(status_of(p).capacity == 4);
    o.timeout_us = 20 * USEC_PER_MS;
    program_run(p, &o);
    AWAIT(has_ended(id));
    assert_int_equal(end_of(id)->cause, CAUSE_DEADLINE_EXCEEDED);
    assert_string_equal(end_of(id)->message, "it ran longer than 0.02 s");
    assert_int_equal(run(p, "echo")->pid, end_of(id)->pid);
}

static void work_that_was_done_in_spite_of_the_cancel_counts(void **state)
{
    AUTO(program)
    struct program *p = host("ready 2; read -r a x; read -r line; answer $a done; cat");
    struct uuid7 id;

    (void)state;
    AWAIT(status_of(p).capacity == 2);
    id = give(p, "x");
    program_cancel(p, id, 1, PROTO_CANCEL_GRACEFUL, -1);
    AWAIT(has_ended(id));
    assert_int_equal(end_of(id)->cause, CAUSE_NONE);
    assert_string_equal(end_of(id)->result, "\"done\"");
}

static void one_that_is_deaf_to_the_cancel_is_killed_with_all_that_it_holds(void **state)
{
    AUTO(program)
    struct program *p = host(
        "ready 3; read -r a x; read -r b x; echo '{\"id\":\"'$b'\","
        "\"progress\":1}' >&3; exec sleep 1000");
    struct uuid7 victim;
    struct uuid7 other;
    struct uuid7 unread;

    (void)state;
    AWAIT(status_of(p).capacity == 3);
    victim = give(p, "x");
    other = give(p, "x");
    lab_await_progress(&lab, 1); /* it reads nothing any more */
    unread = give(p, "x");
    program_cancel(p, victim, 1, PROTO_CANCEL_GRACEFUL, 20 * USEC_PER_MS);
    AWAIT(lab.done_count == 3);
    assert_int_equal(end_of(victim)->cause, CAUSE_CANCELED);
    assert_int_equal(end_of(other)->cause, CAUSE_WORKER_LOST);
    assert_string_equal(end_of(other)->message,
                        "the program was killed to stop another job that it held");
    assert_int_equal(end_of(unread)->cause, CAUSE_NEVER_STARTED);
    AWAIT(status_of(p).state == PROTO_STATE_UP); /* the next one */
    assert_string_equal(status_of(p).reason, "");
}

static void a_death_under_several_jobs_loses_those_that_were_read_and_not_answered(void **state)
{
    AUTO(program)
    struct program *p =
        host("ready 3; read -r a x; read -r b x; read -r c x; answer $b x; exit 3");
    struct uuid7 a;
    struct uuid7 b;

    (void)state;
    AWAIT(status_of(p).capacity == 3);
    a = give(p, "x");
    b = give(p, "x");
    (void)give(p, "x");
    AWAIT(lab.done_count == 3);
    assert_int_equal(end_of(a)->cause, CAUSE_WORKER_LOST);
    assert_string_equal(end_of(a)->message,
                        "the program exited with code 3 before it answered");
    assert_int_equal(end_of(b)->cause, CAUSE_NONE);
}

/* ---- replacing ----------------------------------------------------------------------------
 */

/* The second process waits at the gate before it is ready. */
#define SECOND_AT_THE_GATE                                                                     \
    "if mkdir first 2>/dev/null; then :; else read -r x <gate; fi; ready 1; " ECHO

static void a_worn_one_serves_until_its_replacement_is_ready(void **state)
{
    AUTO(program) struct program *p = NULL;
    int old;

    (void)state;
    fn.max_jobs = 2;
    fn.ready_timeout_us = 60 * USEC_PER_SEC;
    make_fifo("gate");
    p = host(SECOND_AT_THE_GATE);
    old = run(p, "x")->pid;
    for (int i = 0; i < 5; i++) { /* beyond its time, as nobody else is there */
        assert_true(program_has_room(p) || i == 0);
        assert_int_equal(run(p, "x")->pid, old);
    }
    open_fifo("gate");
    AWAIT(status_of(p).program_pid != old);
    assert_true(program_has_room(p)); /* not for a moment was there none */
    assert_int_not_equal(run(p, "x")->pid, old);
    AWAIT(kill(old, 0) < 0);
    assert_int_equal(errno, ESRCH);
}

static void a_worn_one_finishes_what_it_holds(void **state)
{
    AUTO(program) struct program *p = NULL;
    struct uuid7 slow;
    int old;

    (void)state;
    fn.max_jobs = 2;
    fn.concurrency = 2;
    fn.ready_timeout_us = 60 * USEC_PER_SEC;
    make_fifo("gate");
    p = host(
        "ready 2; each 'case $word in slow) keep=$id; read -r x <gate; answer $keep $$;;"
        " *) answer $id $$;; esac'");
    old = run(p, "x")->pid;
    slow = give(p, "slow"); /* its second one: the next process is started and takes over */
    AWAIT(status_of(p).program_pid != old && status_of(p).state == PROTO_STATE_UP);
    assert_int_not_equal(run(p, "x")->pid, old);
    assert_false(has_ended(slow));
    open_fifo("gate");
    AWAIT(has_ended(slow));
    assert_int_equal(end_of(slow)->cause, CAUSE_NONE);
    assert_int_equal(end_of(slow)->pid, old);
}

static void one_that_has_grown_too_large_is_replaced(void **state)
{
    AUTO(program) struct program *p = NULL;
    int old;

    (void)state;
    fn.max_rss_bytes = 20 << 20;
    p = host(
        "each 'if [ $word = grow ]; then x=$(head -c 30000000 /dev/zero | tr \"\\\\0\" x);"
        " fi; answer $id ok'");
    old = run(p, "x")->pid;
    assert_int_equal(run(p, "x")->pid, old);
    assert_true(status_of(p).rss_bytes > 0 && status_of(p).rss_bytes < fn.max_rss_bytes);
    assert_int_equal(run(p, "grow")->pid, old);
    assert_int_not_equal(run(p, "x")->pid, old);
}

static void one_that_is_old_is_replaced_without_a_job(void **state)
{
    AUTO(program) struct program *p = NULL;
    int old;

    (void)state;
    fn.max_age_us = 20 * USEC_PER_MS;
    p = host(ECHO);
    old = status_of(p).program_pid;
    AWAIT(status_of(p).program_pid != old);
    assert_true(program_has_room(p));
    AWAIT(kill(old, 0) < 0);
}

static void a_replacement_that_does_not_start_leaves_the_old_one_at_work(void **state)
{
    AUTO(program) struct program *p = NULL;
    int old;

    (void)state;
    fn.max_jobs = 1;
    fn.ready_timeout_us = 60 * USEC_PER_SEC;
    p = host("mkdir first 2>/dev/null || { echo broken >&2; exit 4; }; ready 1; " ECHO);
    old = run(p, "x")->pid;
    AWAIT(status_of(p).reason[0] != '\0');
    assert_string_equal(status_of(p).reason,
                        "the program exited with code 4 before it was ready: broken");
    assert_int_equal(status_of(p).state, PROTO_STATE_UP);
    assert_int_equal(status_of(p).program_pid, old);
    assert_int_equal(run(p, "x")->pid, old);
}

/* The pid in a file that the process with that pid has written. */
static pid_t helper_of(int pid)
{
    AUTO(mem) char *name = mem_printf("helper.%d", pid);
    AUTO(mem) char *path = path_of(name);
    AUTO_FINI(buf) struct buf text = { 0 };

    assert_int_equal(fd_read_file(path, 64, &text, NULL), 0);
    return (pid_t)strtol(text.data, NULL, 10);
}

static void the_end_of_one_takes_its_orphans_along_and_not_those_of_its_successor(void **state)
{
    AUTO(program) struct program *p = NULL;
    int first;
    int second;

    (void)state;
    fn.max_jobs = 1;
    fn.ready_timeout_us = 60 * USEC_PER_SEC;
    p = host("(setsid sleep 1000 & echo $! >helper.$$); ready 1; " ECHO);
    first = run(p, "x")->pid;
    AWAIT(status_of(p).program_pid != first && status_of(p).state == PROTO_STATE_UP);
    second = status_of(p).program_pid;
    AWAIT(kill(first, 0) < 0);
    assert_int_equal(kill(helper_of(first), 0), -1);
    assert_int_equal(errno, ESRCH);
    assert_int_equal(kill(helper_of(second), 0), 0);
}

/* ---- not starting -------------------------------------------------------------------------
 */

static void the_circuit_closes_when_a_trial_succeeds(void **state)
{
    AUTO(program) struct program *p = NULL;

    (void)state;
    fn.ready_timeout_us = 60 * USEC_PER_SEC;
    p = host("[ -e repaired ] || { echo no module >&2; exit 1; }; ready 1; " ECHO);
    AWAIT(status_of(p).state == PROTO_STATE_CIRCUIT_OPEN);
    assert_string_equal(status_of(p).reason,
                        "the program exited with code 1 before it was ready: no module");
    assert_int_equal(status_of(p).capacity, 0);
    make_file("repaired");
    assert_string_equal(run(p, "x")->result, "\"x\"");
    assert_int_equal(status_of(p).state, PROTO_STATE_UP);
    assert_string_equal(status_of(p).reason, "");
}

static void a_job_that_a_dying_program_never_read_is_given_back(void **state)
{
    AUTO(program) struct program *p = NULL;
    struct uuid7 id;

    (void)state;
    make_fifo("gate");
    p = host("read -r x <gate; exit 1");
    id = give(p, "x");
    open_fifo("gate");
    AWAIT(has_ended(id));
    assert_int_equal(end_of(id)->cause, CAUSE_NEVER_STARTED);
}

static void on_trial_a_program_without_the_handshake_must_live_for_a_while(void **state)
{
    AUTO(program) struct program *p = NULL;
    usec_t before_us;

    (void)state;
    p = host("[ -e repaired ] || exit 1; " ECHO);
    AWAIT(status_of(p).state == PROTO_STATE_CIRCUIT_OPEN);
    before_us = clock_mono_us();
    make_file("repaired");
    AWAIT(program_has_room(p));
    assert_true(clock_mono_us() - before_us >= 900 * USEC_PER_MS);
    assert_string_equal(run(p, "x")->result, "\"x\"");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_lab, close_lab)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_program_gets_no_job_before_it_says_that_it_is_ready),
        TEST(one_that_is_not_ready_in_time_is_killed_and_has_failed_to_start),
        TEST(without_the_handshake_a_program_is_up_at_once),
        TEST(it_takes_as_many_as_it_says_and_the_function_allows),
        TEST(jobs_that_run_together_may_be_answered_in_any_order),
        TEST(an_answer_that_comes_while_another_is_settled_is_not_missed),
        TEST(what_is_printed_goes_to_the_log_of_every_job_that_runs),
        TEST(one_of_several_is_canceled_and_the_others_go_on),
        TEST(one_of_several_that_takes_too_long_is_asked_to_stop),
        TEST(work_that_was_done_in_spite_of_the_cancel_counts),
        TEST(one_that_is_deaf_to_the_cancel_is_killed_with_all_that_it_holds),
        TEST(a_death_under_several_jobs_loses_those_that_were_read_and_not_answered),
        TEST(a_worn_one_serves_until_its_replacement_is_ready),
        TEST(a_worn_one_finishes_what_it_holds),
        TEST(one_that_has_grown_too_large_is_replaced),
        TEST(one_that_is_old_is_replaced_without_a_job),
        TEST(a_replacement_that_does_not_start_leaves_the_old_one_at_work),
        TEST(the_end_of_one_takes_its_orphans_along_and_not_those_of_its_successor),
        TEST(the_circuit_closes_when_a_trial_succeeds),
        TEST(a_job_that_a_dying_program_never_read_is_given_back),
        TEST(on_trial_a_program_without_the_handshake_must_live_for_a_while),
    };

    (void)alarm(HANG_S); /* a job that never ends must not hang the run */
    return cmocka_run_group_tests_name("pool/program (pool)", tests, NULL, NULL);
}
