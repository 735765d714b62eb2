#include "tests/support/test.h"

#include "domain/outcome_record.h"

#include <string.h>

#include "base/mem.h"

static struct outcome usual(void)
{
    return (struct outcome){ .cause = CAUSE_NONE,
                             .exit_code = -1,
                             .pid = 4711,
                             .started_at_us = (usec_t)1764000000 * USEC_PER_SEC,
                             .finished_at_us = (usec_t)1764000000 * USEC_PER_SEC + 350,
                             .user_cpu_us = 20,
                             .system_cpu_us = 30,
                             .max_rss_bytes = 1 << 20,
                             .containment = CONTAINMENT_CGROUP,
                             .result_kind = RESULT_JSON,
                             .result = mem_str("1"),
                             .result_len = 1 };
}

static void assert_text(const char *a, const char *b)
{
    if (!a || !b)
        assert_ptr_equal(a, b);
    else
        assert_string_equal(a, b);
}

/* Write it, read it back. Returns the size of the record. */
static size_t round_trip(const struct outcome *o)
{
    AUTO_FINI(outcome) struct outcome back = { 0 };
    AUTO_FINI(buf) struct buf record = { 0 };

    assert_true(outcome_record_suits(o));
    outcome_record_add(&record, o);
    assert_true(outcome_record_read(record.data, record.len, &back));
    assert_int_equal(back.cause, o->cause);
    assert_int_equal(back.exit_code, o->exit_code);
    assert_int_equal(back.signal, o->signal);
    assert_text(back.message, o->message);
    assert_text(back.spawn_stage, o->spawn_stage);
    assert_int_equal(back.spawn_errno, o->spawn_errno);
    assert_int_equal(back.started_at_us, o->started_at_us);
    assert_int_equal(back.finished_at_us, o->finished_at_us);
    assert_int_equal(back.user_cpu_us, o->user_cpu_us);
    assert_int_equal(back.system_cpu_us, o->system_cpu_us);
    assert_int_equal(back.max_rss_bytes, o->max_rss_bytes);
    assert_int_equal(back.voluntary_switches, o->voluntary_switches);
    assert_int_equal(back.involuntary_switches, o->involuntary_switches);
    assert_int_equal(back.containment, o->containment);
    assert_int_equal(back.limits_enforced, o->limits_enforced);
    assert_int_equal(back.limits_by_cgroup, o->limits_by_cgroup);
    assert_int_equal(back.limits_exceeded, o->limits_exceeded);
    assert_int_equal(back.leftovers_killed, o->leftovers_killed);
    assert_int_equal(back.pid, o->pid);
    assert_int_equal(back.result_kind, o->result_kind);
    assert_text(back.result, o->result);
    assert_int_equal(back.result_len, o->result_len);
    return record.len;
}

static void a_usual_one_takes_few_bytes(void **state)
{
    AUTO_FINI(outcome) struct outcome o = usual();

    (void)state;
    assert_in_range(round_trip(&o), 10, 50);
}

static void all_of_it_comes_back(void **state)
{
    AUTO_FINI(outcome)
    struct outcome o = {
        .exit_code = INT32_MIN,
        .signal = 64,
        .message = mem_str("what \xc3\xa4 was"),
        .spawn_stage = mem_str("execve"),
        .spawn_errno = 2,
        .started_at_us = 5,
        .finished_at_us = 3, /* the clock was set */
        .user_cpu_us = INT64_MAX,
        .system_cpu_us = INT64_MIN,
        .max_rss_bytes = INT64_MAX,
        .voluntary_switches = 6,
        .involuntary_switches = 7,
        .limits_enforced = UINT32_MAX,
        .limits_by_cgroup = 0x55,
        .limits_exceeded = 0xaa,
        .leftovers_killed = INT32_MAX,
        .pid = 8,
    };

    (void)state;
    for (int cause = 0; cause < CAUSE_MAX_; cause++) {
        o.cause = (enum cause)cause;
        for (int kind = 0; kind < RESULT_KIND_MAX_; kind++) {
            o.result_kind = (enum result_kind)kind;
            o.result = kind == RESULT_JSON ? mem_str("{\"a\":[]}") : NULL;
            o.result_len = kind == RESULT_JSON ? 8 : 0;
            (void)round_trip(&o);
            free(o.result);
        }
    }
    o.result = NULL;
}

static void one_with_output_does_not_suit(void **state)
{
    AUTO_FINI(outcome) struct outcome o = usual();

    (void)state;
    o.captures[STREAM_STDERR].total_bytes = 1; /* none of it kept */
    assert_false(outcome_record_suits(&o));
    o.captures[STREAM_STDERR] = (struct capture){ .spilled = true };
    assert_false(outcome_record_suits(&o));
    o.captures[STREAM_STDERR] = (struct capture){ 0 };
    assert_true(outcome_record_suits(&o));
    o.message = mem_str(""); /* it would come back as none */
    assert_false(outcome_record_suits(&o));
}

static void what_is_no_record_is_refused(void **state)
{
    AUTO_FINI(outcome) struct outcome o = usual();
    AUTO_FINI(buf) struct buf record = { 0 };

    (void)state;
    outcome_record_add(&record, &o);
    for (size_t len = 0; len < record.len - 1; len++) { /* the last byte is the result */
        AUTO_FINI(outcome) struct outcome back = { 0 };
        AUTO(mem) char *exact = mem_dup(record.data, len);

        assert_false(outcome_record_read(exact, len, &back));
    }
    for (size_t at = 0; at < 6; at++) { /* format and cause */
        AUTO_FINI(outcome) struct outcome back = { 0 };

        record.data[at] ^= 0x7f;
        assert_false(outcome_record_read(record.data, record.len, &back));
        record.data[at] ^= 0x7f;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_usual_one_takes_few_bytes),
        cmocka_unit_test(all_of_it_comes_back),
        cmocka_unit_test(one_with_output_does_not_suit),
        cmocka_unit_test(what_is_no_record_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
