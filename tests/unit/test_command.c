#include "tests/support/test.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "pool/command.h"
#include "tests/support/lab.h"

#define TRAPPED_US USEC_PER_SEC /* by then a shell has set its trap */

static struct lab lab;

static int open_lab(void **state)
{
    (void)state;
    lab_open(&lab);
    return 0;
}

static int close_lab(void **state)
{
    (void)state;
    lab_close(&lab);
    return 0;
}

static struct command *start(struct order o)
{
    return command_start(&lab.host, &lab.reaper, &o);
}

static void run(struct order o)
{
    unsigned ended = lab.done_count;

    (void)start(o);
    lab_await(&lab, ended + 1);
}

static void assert_output(enum stream stream, const char *want)
{
    AUTO(mem) char *got = lab_output(&lab, stream);

    assert_string_equal(got, want);
}

/* ---- how it ends --------------------------------------------------------------------------
 */

static void a_command_that_exits_0_has_succeeded(void **state)
{
    (void)state;
    run(lab_order("true", NULL));
    assert_int_equal(lab.outcome.cause, CAUSE_NONE);
    assert_int_equal(lab.outcome.exit_code, 0);
    assert_int_equal(lab.outcome.signal, 0);
    assert_true(lab.outcome.pid > 0);
    assert_null(lab.outcome.message);
    assert_int_equal(lab.outcome.leftovers_killed, 0);
    assert_int_equal(lab.outcome.result_kind, RESULT_NONE);
    assert_true(lab.outcome.finished_at_us >= lab.outcome.started_at_us);
    assert_true(lab.outcome.max_rss_bytes > 0);
}

static void another_exit_code_is_reported(void **state)
{
    (void)state;
    run(lab_script("exit 127"));
    assert_int_equal(lab.outcome.cause, CAUSE_EXIT_CODE);
    assert_int_equal(lab.outcome.exit_code, 127);
    assert_string_equal(lab.outcome.message, "it exited with code 127");
}

static void a_signal_is_reported(void **state)
{
    (void)state;
    run(lab_script("kill -SEGV $$"));
    assert_int_equal(lab.outcome.cause, CAUSE_SIGNAL);
    assert_int_equal(lab.outcome.exit_code, -1);
    assert_int_equal(lab.outcome.signal, SIGSEGV);
    assert_string_equal(lab.outcome.message, "it was killed by signal 11 (SEGV)");
}

static void a_program_that_is_not_there_was_not_spawned(void **state)
{
    struct order o = lab_order("no-such-program-anywhere", "x", NULL);

    (void)state;
    free(o.env);
    o.env = mem_array0(2, sizeof *o.env);
    o.env[0] = mem_str("PATH=/usr/bin:/bin"); /* in ours may be what is not for us */
    assert_null(start(o));
    assert_int_equal(lab.done_count, 1);
    assert_int_equal(lab.outcome.cause, CAUSE_SPAWN_FAILED);
    assert_int_equal(lab.outcome.pid, 0);
    assert_string_equal(lab.outcome.spawn_stage, "exec");
    assert_int_equal(lab.outcome.spawn_errno, ENOENT);
    assert_string_equal(lab.outcome.message,
                        "exec no-such-program-anywhere: No such file or directory");
}

static void an_order_without_a_program_is_not_spawned(void **state)
{
    (void)state;
    assert_null(start(lab_order(NULL, NULL)));
    assert_int_equal(lab.outcome.cause, CAUSE_SPAWN_FAILED);
}

static void cpu_time_is_counted(void **state)
{
    (void)state;
    run(lab_script("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"));
    assert_int_equal(lab.outcome.cause, CAUSE_NONE);
    assert_true(lab.outcome.user_cpu_us > 1000);
}

/* ---- what it is given, and what it says ---------------------------------------------------
 */

static void stdout_and_stderr_are_kept_apart(void **state)
{
    (void)state;
    run(lab_script("echo out; echo err >&2; echo out2"));
    assert_output(STREAM_STDOUT, "out\nout2\n");
    assert_output(STREAM_STDERR, "err\n");
    assert_false(lab.outcome.captures[STREAM_STDOUT].spilled);
}

static void output_is_bytes(void **state)
{
    (void)state;
    run(lab_script("printf 'a\\000\\377b'"));
    assert_int_equal(lab.outcome.captures[STREAM_STDOUT].kept_bytes, 4);
    assert_memory_equal(lab.outcome.captures[STREAM_STDOUT].data,
                        "a\0\xff"
                        "b",
                        4);
}

static void stdin_is_the_input_and_then_ends(void **state)
{
    struct order o = lab_order("cat", NULL);

    (void)state;
    lab_input(&o, "hello\n");
    run(o);
    assert_output(STREAM_STDOUT, "hello\n");
    run(lab_order("cat", NULL));
    assert_output(STREAM_STDOUT, "");
}

/* More than the pipes hold, both ways at once: who writes without reading would wait for ever.
 */
static void a_megabyte_goes_through_cat(void **state)
{
    struct order o = lab_order("cat", NULL);
    AUTO(mem) char *got = NULL;
    size_t len = 1 << 20;

    (void)state;
    o.input = mem_array0(len + 1, 1);
    for (size_t i = 0; i < len; i++)
        o.input[i] = (char)('a' + i % 26);
    o.input_len = len;
    run(o);
    assert_int_equal(lab.outcome.cause, CAUSE_NONE);
    assert_int_equal(lab.outcome.captures[STREAM_STDOUT].total_bytes, len);
    assert_true(lab.outcome.captures[STREAM_STDOUT].spilled);
    got = lab_output(&lab, STREAM_STDOUT);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(got[i], 'a' + i % 26);
}

static void input_that_nobody_reads_is_no_failure(void **state)
{
    struct order o = lab_script("exec <&-; echo closed");

    (void)state;
    o.input = mem_array0(1 << 20, 1);
    o.input_len = 1 << 20;
    run(o);
    assert_int_equal(lab.outcome.cause, CAUSE_NONE);
    assert_output(STREAM_STDOUT, "closed\n");
}

static void output_over_the_cap_is_counted_and_its_beginning_kept(void **state)
{
    AUTO(mem) char *got = NULL;

    (void)state;
    lab.host.output_max_bytes = 100000;
    run(lab_script("echo first; head -c 3000000 /dev/zero"));
    assert_int_equal(lab.outcome.cause, CAUSE_NONE);
    assert_int_equal(lab.outcome.captures[STREAM_STDOUT].total_bytes, 3000006);
    assert_int_equal(lab.outcome.captures[STREAM_STDOUT].kept_bytes, 100000);
    got = lab_output(&lab, STREAM_STDOUT);
    assert_memory_equal(got, "first\n\0", 7);
}

static void the_environment_is_the_orders_on_top_of_ours_without_jobds_own(void **state)
{
    struct order o = lab_script("echo $A $B $C ${JOBD_SECRET-none} $JOBD_FD");

    (void)state;
    assert_int_equal(setenv("A", "ours", 1), 0);
    assert_int_equal(setenv("B", "ours", 1), 0);
    assert_int_equal(setenv("JOBD_SECRET", "x", 1), 0);
    free(o.env);
    o.env = mem_array0(4, sizeof *o.env);
    o.env[0] = mem_str("B=theirs");
    o.env[1] = mem_str("C=new");
    o.env[2] = mem_str("JOBD_FD=3");
    run(o);
    assert_output(STREAM_STDOUT, "ours theirs new none 3\n");
}

static void the_path_of_the_order_decides_where_a_program_is_looked_up(void **state)
{
    struct order o = lab_order("true", NULL);

    (void)state;
    free(o.env);
    o.env = mem_array0(2, sizeof *o.env);
    o.env[0] = mem_str("PATH=/nowhere:/etc");
    run(o);
    assert_int_equal(lab.outcome.cause, CAUSE_SPAWN_FAILED);
}

static void a_program_has_four_descriptors_and_leads_its_session(void **state)
{
    (void)state;
    /* ls itself opens the directory, which is the fifth */
    run(lab_script("ls /proc/self/fd | wc -l; cut -d' ' -f1,6 /proc/$$/stat"));
    {
        AUTO(mem) char *out = lab_output(&lab, STREAM_STDOUT);
        AUTO(mem) char *want = mem_printf("5\n%d %d\n", lab.outcome.pid, lab.outcome.pid);

        assert_string_equal(out, want);
    }
}

static void signals_are_at_their_defaults_and_unblocked(void **state)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    struct sigaction def = { .sa_handler = SIG_DFL };

    (void)state;
    assert_int_equal(sigaction(SIGHUP, &ignore, NULL), 0);
    run(lab_script("sed -n '/^Sig[BIC][lg][kgnt]/p' /proc/self/status"));
    assert_int_equal(sigaction(SIGHUP, &def, NULL), 0);
    assert_output(STREAM_STDOUT,
                  "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
                  "SigCgt:\t0000000000000000\n");
}

/* ---- the job channel ----------------------------------------------------------------------
 */

static void progress_and_a_result_come_through_descriptor_3(void **state)
{
    (void)state;
    run(
        lab_script("echo '{\"progress\":0.5,\"message\":\"half\"}' >&3;"
                   "echo garbage >&3; echo '{\"result\":{\"n\": 1}}' >&3"));
    assert_int_equal(lab.outcome.cause, CAUSE_NONE);
    assert_int_equal(lab.progress_count, 1);
    assert_true(lab.fraction == 0.5);
    assert_string_equal(lab.message, "half");
    assert_int_equal(lab.outcome.result_kind, RESULT_JSON);
    assert_string_equal(lab.outcome.result, "{\"n\":1}");
}

static void the_last_result_counts_even_without_a_line_end(void **state)
{
    (void)state;
    run(lab_script("echo '{\"result\":1}' >&3; printf '{\"result\":2}' >&3"));
    assert_string_equal(lab.outcome.result, "2");
}

static void a_failed_command_has_no_result(void **state)
{
    (void)state;
    run(lab_script("echo '{\"result\":1}' >&3; exit 1"));
    assert_int_equal(lab.outcome.cause, CAUSE_EXIT_CODE);
    assert_int_equal(lab.outcome.result_kind, RESULT_NONE);
    assert_null(lab.outcome.result);
}

static void stdout_is_the_result_when_the_order_says_so(void **state)
{
    struct order o = lab_script("echo 42");

    (void)state;
    o.result_from_stdout = true;
    run(o);
    assert_int_equal(lab.outcome.result_kind, RESULT_STDOUT);
    o = lab_script("echo 42; echo '{\"result\":7}' >&3");
    o.result_from_stdout = true;
    run(o);
    assert_int_equal(lab.outcome.result_kind, RESULT_JSON);
}

static void a_channel_line_without_end_stops_the_command(void **state)
{
    (void)state;
    run(lab_script("head -c 2000000 /dev/zero | tr '\\000' x >&3; sleep 1000"));
    assert_int_equal(lab.outcome.cause, CAUSE_OUTPUT_LIMIT_EXCEEDED);
}

/* ---- what it leaves behind ----------------------------------------------------------------
 */

static void a_grandchild_that_keeps_stdout_open_does_not_hold_the_attempt(void **state)
{
    usec_t before_us = clock_mono_us();

    (void)state;
    run(lab_script("echo before; sleep 1000 & exit 0"));
    assert_int_equal(lab.outcome.cause, CAUSE_NONE);
    assert_int_equal(lab.outcome.leftovers_killed, 1);
    assert_output(STREAM_STDOUT, "before\n");
    assert_true(clock_mono_us() - before_us < PATIENCE_US);
}

static void a_daemon_in_another_session_does_not_outlive_the_attempt(void **state)
{
    (void)state;
    run(lab_script("setsid setsid sleep 1000 >/dev/null 2>&1 3>&- </dev/null & exit 0"));
    assert_int_equal(lab.outcome.cause, CAUSE_NONE);
    assert_true(lab.outcome.leftovers_killed >= 1); /* setsid may be between two forks */
}

static void what_a_grandchild_says_just_after_the_end_is_kept(void **state)
{
    (void)state;
    run(lab_script("(read x </proc/sys/kernel/random/uuid; echo late) & exit 0"));
    assert_int_equal(lab.outcome.cause, CAUSE_NONE);
    assert_output(STREAM_STDOUT, "late\n");
}

/* ---- stopping it --------------------------------------------------------------------------
 */

static void a_timeout_ends_an_attempt(void **state)
{
    struct order o = lab_script("sleep 1000");

    (void)state;
    o.timeout_us = 50 * USEC_PER_MS;
    run(o);
    assert_int_equal(lab.outcome.cause, CAUSE_DEADLINE_EXCEEDED);
    assert_int_equal(lab.outcome.signal, SIGTERM);
    assert_non_null(strstr(lab.outcome.message, "0.05 s"));
}

static void a_timeout_counts_even_when_the_command_then_exits_0(void **state)
{
    struct order o = lab_script("trap 'exit 0' TERM; sleep 1000 & wait");

    (void)state;
    o.timeout_us = TRAPPED_US;
    run(o);
    assert_int_equal(lab.outcome.cause, CAUSE_DEADLINE_EXCEEDED);
    assert_int_equal(lab.outcome.exit_code, 0);
}

static void one_that_ignores_sigterm_is_killed_after_the_grace(void **state)
{
    struct order o = lab_script("trap '' TERM; echo '{\"progress\":0}' >&3; sleep 1000");
    usec_t before_us = clock_mono_us();

    (void)state;
    o.timeout_us = TRAPPED_US;
    o.grace_us = 100 * USEC_PER_MS;
    run(o);
    assert_int_equal(lab.outcome.cause, CAUSE_DEADLINE_EXCEEDED);
    assert_int_equal(lab.outcome.signal, SIGKILL);
    assert_true(clock_mono_us() - before_us >= TRAPPED_US + 100 * USEC_PER_MS);
}

static struct command *start_and_await_ready(const char *script)
{
    AUTO(mem)
    char *whole = mem_printf(
        "trap '%s' TERM; echo '{\"progress\":0}' >&3;"
        "sleep 1000 & wait",
        script);
    struct command *c = start(lab_script(whole));

    lab_await_progress(&lab, 1);
    return c;
}

static void a_canceled_command_that_cleans_up_and_fails_is_canceled(void **state)
{
    struct command *c = start_and_await_ready("echo cleaned; exit 3");

    (void)state;
    command_cancel(c, PROTO_CANCEL_GRACEFUL, -1);
    lab_await(&lab, 1);
    assert_int_equal(lab.outcome.cause, CAUSE_CANCELED);
    assert_int_equal(lab.outcome.exit_code, 3);
    assert_output(STREAM_STDOUT, "cleaned\n");
}

static void a_canceled_command_that_exits_0_has_succeeded(void **state)
{
    struct command *c = start_and_await_ready("exit 0");

    (void)state;
    command_cancel(c, PROTO_CANCEL_GRACEFUL, -1);
    lab_await(&lab, 1);
    assert_int_equal(lab.outcome.cause, CAUSE_NONE);
}

static void force_kills_at_once(void **state)
{
    struct command *c = start_and_await_ready("");

    (void)state;
    command_cancel(c, PROTO_CANCEL_FORCE, -1);
    lab_await(&lab, 1);
    assert_int_equal(lab.outcome.cause, CAUSE_CANCELED);
    assert_int_equal(lab.outcome.signal, SIGKILL);
}

static void force_overrides_a_graceful_cancellation(void **state)
{
    struct command *c = start_and_await_ready("");
    usec_t before_us = clock_mono_us();

    (void)state;
    command_cancel(c, PROTO_CANCEL_GRACEFUL, 1000 * USEC_PER_SEC);
    command_cancel(c, PROTO_CANCEL_FORCE, -1);
    lab_await(&lab, 1);
    assert_int_equal(lab.outcome.cause, CAUSE_CANCELED);
    assert_int_equal(lab.outcome.signal, SIGKILL);
    assert_true(clock_mono_us() - before_us < PATIENCE_US);
}

static void a_shutdown_releases_the_attempt_and_keeps_no_output(void **state)
{
    struct command *c = start_and_await_ready("echo bye; exit 1");

    (void)state;
    command_cancel(c, PROTO_CANCEL_SHUTDOWN, -1);
    lab_await(&lab, 1);
    assert_int_equal(lab.outcome.cause, CAUSE_SHUTDOWN);
    assert_true(outcome_is_release(&lab.outcome));
    assert_int_equal(lab.outcome.captures[STREAM_STDOUT].total_bytes, 0);
}

static void a_cancellation_is_more_than_a_shutdown(void **state)
{
    struct command *c = start_and_await_ready("");

    (void)state;
    command_cancel(c, PROTO_CANCEL_SHUTDOWN, -1);
    command_cancel(c, PROTO_CANCEL_GRACEFUL, 0);
    lab_await(&lab, 1);
    assert_int_equal(lab.outcome.cause, CAUSE_CANCELED);
}

static void a_stopped_command_hears_the_cancellation(void **state)
{
    struct command *c = start(lab_script("echo '{\"progress\":0}' >&3; kill -STOP $$; exit 1"));

    (void)state;
    lab_await_progress(&lab, 1);
    command_cancel(c, PROTO_CANCEL_GRACEFUL, -1);
    lab_await(&lab, 1);
    assert_int_equal(lab.outcome.cause, CAUSE_CANCELED);
}

static void a_long_attempts_output_can_be_read_while_it_runs(void **state)
{
    struct command *c =
        start(lab_script("echo early; sleep 0.4; echo '{\"progress\":1}' >&3;"
                         "echo late; sleep 1000"));

    (void)state;
    lab_await_progress(&lab, 1); /* after ATTEMPT_SPILL_US */
    command_cancel(c, PROTO_CANCEL_FORCE, -1);
    lab_await(&lab, 1);
    assert_true(lab.outcome.captures[STREAM_STDOUT].spilled);
    assert_false(lab.outcome.captures[STREAM_STDERR].spilled);
    {
        AUTO(mem) char *got = lab_output(&lab, STREAM_STDOUT);

        assert_memory_equal(got, "early\n", 6);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_lab, close_lab)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_command_that_exits_0_has_succeeded),
        TEST(another_exit_code_is_reported),
        TEST(a_signal_is_reported),
        TEST(a_program_that_is_not_there_was_not_spawned),
        TEST(an_order_without_a_program_is_not_spawned),
        TEST(cpu_time_is_counted),
        TEST(stdout_and_stderr_are_kept_apart),
        TEST(output_is_bytes),
        TEST(stdin_is_the_input_and_then_ends),
        TEST(a_megabyte_goes_through_cat),
        TEST(input_that_nobody_reads_is_no_failure),
        TEST(output_over_the_cap_is_counted_and_its_beginning_kept),
        TEST(the_environment_is_the_orders_on_top_of_ours_without_jobds_own),
        TEST(the_path_of_the_order_decides_where_a_program_is_looked_up),
        TEST(a_program_has_four_descriptors_and_leads_its_session),
        TEST(signals_are_at_their_defaults_and_unblocked),
        TEST(progress_and_a_result_come_through_descriptor_3),
        TEST(the_last_result_counts_even_without_a_line_end),
        TEST(a_failed_command_has_no_result),
        TEST(stdout_is_the_result_when_the_order_says_so),
        TEST(a_channel_line_without_end_stops_the_command),
        TEST(a_grandchild_that_keeps_stdout_open_does_not_hold_the_attempt),
        TEST(a_daemon_in_another_session_does_not_outlive_the_attempt),
        TEST(what_a_grandchild_says_just_after_the_end_is_kept),
        TEST(a_timeout_ends_an_attempt),
        TEST(a_timeout_counts_even_when_the_command_then_exits_0),
        TEST(one_that_ignores_sigterm_is_killed_after_the_grace),
        TEST(a_canceled_command_that_cleans_up_and_fails_is_canceled),
        TEST(a_canceled_command_that_exits_0_has_succeeded),
        TEST(force_kills_at_once),
        TEST(force_overrides_a_graceful_cancellation),
        TEST(a_shutdown_releases_the_attempt_and_keeps_no_output),
        TEST(a_cancellation_is_more_than_a_shutdown),
        TEST(a_stopped_command_hears_the_cancellation),
        TEST(a_long_attempts_output_can_be_read_while_it_runs),
    };

    (void)alarm(HANG_S); /* an attempt that never ends must not hang the run */
    return cmocka_run_group_tests_name("pool/command", tests, NULL, NULL);
}
