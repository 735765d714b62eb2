/* What a job says of limits, leftovers, retries and inputs. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "domain/inputs.h"
#include "domain/job_spec.h"
#include "domain/json_text.h"

static char *argv[] = { (char[]){ "true" }, NULL };

/* limited: what it allows is set by set_up(). */
static struct function items[] = {
    { .name = (char[]){ "free" }, .kind = FUNCTION_COMMAND, .argv = argv, .argc = 1 },
    { .name = (char[]){ "limited" },
      .kind = FUNCTION_COMMAND,
      .argv = argv,
      .argc = 1,
      .limits.values = { [LIMIT_CPU] = 10 * USEC_PER_SEC, [LIMIT_MEMORY] = 64 << 20 },
      .leftover = LEFTOVER_WAIT },
    { .name = (char[]){ "warm" }, .kind = FUNCTION_PROGRAM, .argv = argv, .argc = 1 },
};
static struct function_table functions = {
    .items = items,
    .count = COUNT_OF(items),
    .command_limits.values = { [LIMIT_OPEN_FILES] = 100 },
};

static int set_up(void **state)
{
    struct retry_policy *p = &items[1].retry;

    (void)state;
    *p = retry_default();
    p->max_attempts = 4;
    p->backoff = RETRY_CONSTANT;
    p->initial_delay_us = 5 * USEC_PER_SEC;
    retry_add_fatal_code(p, 64);
    return 0;
}

static int decode(const char *body, bool lenient, struct job_spec *spec, struct faults *f)
{
    AUTO(json) json_t *json = NULL;
    struct job_spec_rules rules = { .functions = &functions,
                                    .allow_commands = true,
                                    .lenient = lenient };
    struct errinfo e = { 0 };

    if (json_text_parse(body, strlen(body), &json, &e) != 0)
        fail_msg("%s: %s", body, e.text);
    return job_spec_decode(json, &rules, spec, f, &e);
}

static void must_decode(const char *body, struct job_spec *spec)
{
    AUTO_FINI(faults) struct faults f = { 0 };

    if (decode(body, false, spec, &f) != 0)
        fail_msg("%s: %s at %s", body, f.items[0].detail, f.items[0].pointer);
}

/* -- every fault ------------------------------------------------------------------ */

/* The one fault of a request for `free`, or for what the member says itself. */
static const struct bad {
    const char *member;
    const char *pointer;
    const char *code;
    const char *says;
} bads[] = {
    /* clang-format off */
    { "\"limits\":[]", "#/limits", "wrong-type", "must be an object, not an array" },
    { "\"limits\":{\"memory_byts\":1}", "#/limits/memory_byts", "unknown-field", "did you mean memory_bytes?" },
    { "\"limits\":{\"memory_bytes\":\"64M\"}", "#/limits/memory_bytes", "wrong-type", "must be an integer, not a string" },
    { "\"limits\":{\"memory_bytes\":1048575}", "#/limits/memory_bytes", "out-of-range", "from 1048576 to" },
    { "\"limits\":{\"memory_bytes\":1e300}", "#/limits/memory_bytes", "out-of-range", "from 1048576 to" },
    { "\"limits\":{\"processes\":1.5}", "#/limits/processes", "wrong-type", "must be an integer" },
    { "\"limits\":{\"processes\":0}", "#/limits/processes", "out-of-range", "from 1 to" },
    { "\"limits\":{\"open_files\":-1}", "#/limits/open_files", "out-of-range", "from 8 to" },
    { "\"limits\":{\"cpu_seconds\":true}", "#/limits/cpu_seconds", "wrong-type", "must be a number" },
    { "\"limits\":{\"cpu_seconds\":0.5}", "#/limits/cpu_seconds", "out-of-range", "from 1 to 2678400" },
    { "\"limits\":{\"file_size_bytes\":null}", "#/limits/file_size_bytes", "wrong-type", "not null" },
    { "\"limits\":{\"output_bytes\":0}", "#/limits/output_bytes", "out-of-range", "from 1 to" },
    { "\"function\":\"limited\",\"limits\":{\"cpu_seconds\":11}", "#/limits/cpu_seconds", "above-function-limit", "the function allows at most 10; a job may lower it" },
    { "\"limits\":{\"memory_bytes\":67108865},\"function\":\"limited\"", "#/limits/memory_bytes", "above-function-limit", "at most 67108864" },
    { "\"command\":[\"true\"],\"limits\":{\"open_files\":101}", "#/limits/open_files", "above-function-limit", "command_limits of the server allow at most 100" },
    { "\"function\":\"warm\",\"limits\":{}", "#/limits", "not-applicable", "those of its configuration" },

    { "\"leftover\":1", "#/leftover", "wrong-type", "must be a string" },
    { "\"leftover\":\"Kill\"", "#/leftover", "invalid-value", "kill, wait or detach" },
    { "\"function\":\"warm\",\"leftover\":\"kill\"", "#/leftover", "not-applicable", "live on" },

    { "\"retry\":3", "#/retry", "wrong-type", "must be an object, not a number" },
    { "\"retry\":{\"attempts\":3}", "#/retry/attempts", "unknown-field", "no such field" },
    { "\"retry\":{\"max_attemps\":3}", "#/retry/max_attemps", "unknown-field", "did you mean max_attempts?" },
    { "\"retry\":{\"max_attempts\":0}", "#/retry/max_attempts", "out-of-range", "from 1 to 100" },
    { "\"retry\":{\"max_attempts\":101}", "#/retry/max_attempts", "out-of-range", "from 1 to 100" },
    { "\"retry\":{\"max_attempts\":1e99}", "#/retry/max_attempts", "out-of-range", "from 1 to 100" },
    { "\"retry\":{\"max_attempts\":2.5}", "#/retry/max_attempts", "wrong-type", "must be an integer" },
    { "\"retry\":{\"max_attempts\":\"2\"}", "#/retry/max_attempts", "wrong-type", "not a string" },
    { "\"retry\":{\"backoff\":\"cubic\"}", "#/retry/backoff", "invalid-value", "constant, linear or exponential" },
    { "\"retry\":{\"backoff\":2}", "#/retry/backoff", "wrong-type", "must be a string" },
    { "\"retry\":{\"initial_delay_seconds\":-1}", "#/retry/initial_delay_seconds", "out-of-range", "from 0 to 2678400" },
    { "\"retry\":{\"max_delay_seconds\":2678401}", "#/retry/max_delay_seconds", "out-of-range", "from 0 to 2678400" },
    { "\"retry\":{\"multiplier\":0.9}", "#/retry/multiplier", "out-of-range", "from 1 to 100" },
    { "\"retry\":{\"multiplier\":101}", "#/retry/multiplier", "out-of-range", "from 1 to 100" },
    { "\"retry\":{\"jitter\":1.01}", "#/retry/jitter", "out-of-range", "from 0 to 1" },
    { "\"retry\":{\"jitter\":-0.1}", "#/retry/jitter", "out-of-range", "from 0 to 1" },
    { "\"retry\":{\"on\":\"signal\"}", "#/retry/on", "wrong-type", "must be an array of strings" },
    { "\"retry\":{\"on\":[\"signal\",1]}", "#/retry/on/1", "wrong-type", "must be a string" },
    { "\"retry\":{\"on\":[\"exit_cod\"]}", "#/retry/on/0", "unknown-cause", "did you mean exit_code?" },
    { "\"retry\":{\"on\":[\"canceled\"]}", "#/retry/on/0", "unknown-cause", "no such cause" },
    { "\"retry\":{\"on\":[\"none\"]}", "#/retry/on/0", "unknown-cause", "no such cause" },
    { "\"retry\":{\"fatal_exit_codes\":2}", "#/retry/fatal_exit_codes", "wrong-type", "an array of integers" },
    { "\"retry\":{\"fatal_exit_codes\":[2,256]}", "#/retry/fatal_exit_codes/1", "out-of-range", "from 1 to 255" },
    { "\"retry\":{\"fatal_exit_codes\":[0]}", "#/retry/fatal_exit_codes/0", "out-of-range", "from 1 to 255" },

    { "\"inputs\":{}", "#/inputs", "wrong-type", "must be an array of objects" },
    { "\"inputs\":[\"a\"]", "#/inputs/0", "wrong-type", "must be an object" },
    { "\"inputs\":[{\"content\":\"\"}]", "#/inputs/0/path", "missing", "needs a path" },
    { "\"inputs\":[{\"path\":\"a\"}]", "#/inputs/0", "missing", "content and base64" },
    { "\"inputs\":[{\"path\":\"a\",\"content\":\"\",\"base64\":\"\"}]", "#/inputs/0/base64", "conflict", "only one" },
    { "\"inputs\":[{\"path\":\"a\",\"content\":1}]", "#/inputs/0/content", "wrong-type", "must be a string" },
    { "\"inputs\":[{\"path\":\"a\",\"base64\":\"Zg\"}]", "#/inputs/0/base64", "invalid-base64", "RFC 4648" },
    { "\"inputs\":[{\"path\":\"a\",\"contents\":\"\",\"content\":\"\"}]", "#/inputs/0/contents", "unknown-field", "did you mean content?" },
    { "\"inputs\":[{\"path\":7,\"content\":\"\"}]", "#/inputs/0/path", "wrong-type", "must be a string" },
    { "\"inputs\":[{\"path\":\"../a\",\"content\":\"\"}]", "#/inputs/0/path", "invalid-path", ". or .." },
    { "\"inputs\":[{\"path\":\"a\",\"content\":\"\"},{\"path\":\"a\",\"content\":\"\"}]", "#/inputs/1/path", "conflict", "already" },
    { "\"inputs\":[{\"path\":\"a\",\"content\":\"\"},{\"path\":\"a/b\",\"content\":\"\"}]", "#/inputs/1/path", "conflict", "a file, or a folder" },
    { "\"inputs\":[{\"path\":\"a/b/c\",\"content\":\"\"},{\"path\":\"a/b\",\"content\":\"\"}]", "#/inputs/1/path", "conflict", "a file, or a folder" },
    { "\"function\":\"warm\",\"inputs\":[]", "#/inputs", "not-applicable", "send the data as args" },
    /* clang-format on */
};

static void each_fault_is_named_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bads); i++) {
        const struct bad *b = &bads[i];
        bool whole = strstr(b->member, "\"function\"") || strstr(b->member, "\"command\"");
        AUTO(mem)
        char *body = mem_printf("{%s%s}", whole ? "" : "\"function\":\"free\",", b->member);
        AUTO_FINI(job_spec) struct job_spec spec = { 0 };
        AUTO_FINI(faults) struct faults f = { 0 };

        if (decode(body, false, &spec, &f) != ERR_VALIDATION || f.total != 1)
            fail_msg("%s: %zu faults, the second at %s", body, f.total,
                     f.count > 1 ? f.items[1].pointer : "-");
        if (strcmp(f.items[0].pointer, b->pointer) != 0 ||
            strcmp(f.items[0].code, b->code) != 0 || !strstr(f.items[0].detail, b->says))
            fail_msg("%s: got %s %s \"%s\"", body, f.items[0].pointer, f.items[0].code,
                     f.items[0].detail);
    }
}

static void lenient_requests_may_carry_unknown_members_inside(void **state)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };
    AUTO_FINI(faults) struct faults f = { 0 };

    (void)state;
    assert_int_equal(decode("{\"function\":\"free\",\"limits\":{\"x\":1},\"retry\":{\"x\":1},"
                            "\"inputs\":[{\"path\":\"a\",\"content\":\"\",\"mode\":7}]}",
                            true, &spec, &f),
                     0);
}

static void at_most_64_inputs_are_taken(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        AUTO_FINI(buf) struct buf body = { 0 };
        AUTO_FINI(job_spec) struct job_spec spec = { 0 };
        AUTO_FINI(faults) struct faults f = { 0 };

        buf_add_str(&body, "{\"function\":\"free\",\"inputs\":[");
        for (int i = 0; i < INPUTS_MAX + extra; i++)
            buf_printf(&body, "%s{\"path\":\"f%d\",\"content\":\"\"}", i > 0 ? "," : "", i);
        buf_add_str(&body, "]}");
        assert_int_equal(decode(body.data, false, &spec, &f), extra ? ERR_VALIDATION : 0);
        assert_int_equal(f.total, extra);
        if (extra)
            assert_string_equal(f.items[0].code, "too-long");
    }
}

/* -- what holds in the end -------------------------------------------------------- */

static void a_job_that_says_nothing_has_what_its_function_says(void **state)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };

    (void)state;
    must_decode("{\"function\":\"limited\"}", &spec);
    assert_int_equal(spec.limits.values[LIMIT_CPU], 10 * USEC_PER_SEC);
    assert_int_equal(spec.limits.values[LIMIT_MEMORY], 64 << 20);
    assert_int_equal(spec.limits.values[LIMIT_PROCESSES], 0);
    assert_int_equal(spec.leftover, LEFTOVER_WAIT);
    assert_int_equal(spec.retry.max_attempts, 4);
    assert_non_null(strstr(spec.payload,
                           "{\"limits\":{\"cpu_seconds\":10,\"memory_bytes\":67108864},"
                           "\"leftover\":\"wait\",\"retry\":{\"max_attempts\":4,"
                           "\"backoff\":\"constant\",\"initial_delay_seconds\":5,"));
}

static void a_job_may_lower_the_limits_of_its_function(void **state)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };

    (void)state;
    must_decode(
        "{\"function\":\"limited\",\"leftover\":\"kill\","
        "\"limits\":{\"cpu_seconds\":1.5,\"memory_bytes\":67108864,\"processes\":3}}",
        &spec);
    assert_int_equal(spec.limits.values[LIMIT_CPU], 1500 * USEC_PER_MS);
    assert_int_equal(spec.limits.values[LIMIT_MEMORY], 64 << 20);
    assert_int_equal(spec.limits.values[LIMIT_PROCESSES], 3);
    assert_int_equal(spec.leftover, LEFTOVER_KILL);
}

static void a_command_is_under_the_limits_of_the_server(void **state)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };
    AUTO_FINI(job_spec) struct job_spec lower = { 0 };

    (void)state;
    must_decode("{\"command\":[\"true\"]}", &spec);
    assert_string_equal(spec.payload,
                        "{\"command\":[\"true\"],\"limits\":{\"open_files\":100}}");
    must_decode("{\"command\":[\"true\"],\"limits\":{\"open_files\":10}}", &lower);
    assert_int_equal(lower.limits.values[LIMIT_OPEN_FILES], 10);
}

static void a_job_without_a_word_about_retries_is_tried_once(void **state)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };

    (void)state;
    must_decode("{\"function\":\"free\"}", &spec);
    assert_int_equal(spec.retry.max_attempts, 1);
    assert_string_equal(spec.payload, "{}");
}

static void members_of_retry_are_laid_over_those_of_the_function(void **state)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };

    (void)state;
    must_decode(
        "{\"retry\":{\"max_attempts\":2,\"on\":[\"signal\",\"worker_lost\"]},"
        "\"function\":\"limited\"}",
        &spec);
    assert_int_equal(spec.retry.max_attempts, 2);
    assert_int_equal(spec.retry.on, 1u << CAUSE_SIGNAL | 1u << CAUSE_WORKER_LOST);
    assert_int_equal(spec.retry.backoff, RETRY_CONSTANT);
    assert_int_equal(spec.retry.initial_delay_us, 5 * USEC_PER_SEC);
    assert_true(retry_is_fatal_code(&spec.retry, 64));
}

static void every_member_of_retry_is_taken(void **state)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };
    const struct retry_policy *p = &spec.retry;

    (void)state;
    must_decode(
        "{\"function\":\"limited\",\"retry\":{\"max_attempts\":100,"
        "\"backoff\":\"linear\",\"initial_delay_seconds\":0.25,\"multiplier\":1.5,"
        "\"max_delay_seconds\":7,\"jitter\":0,\"on\":[],"
        "\"fatal_exit_codes\":[1,255,1]}}",
        &spec);
    assert_int_equal(p->max_attempts, 100);
    assert_int_equal(p->backoff, RETRY_LINEAR);
    assert_int_equal(p->initial_delay_us, 250 * USEC_PER_MS);
    assert_true(p->multiplier == 1.5);
    assert_int_equal(p->max_delay_us, 7 * USEC_PER_SEC);
    assert_true(p->jitter == 0);
    assert_int_equal(p->on, 0);
    assert_true(retry_is_fatal_code(p, 1));
    assert_true(retry_is_fatal_code(p, 255));
    assert_false(retry_is_fatal_code(p, 64)); /* the function's list is replaced */
    assert_non_null(strstr(spec.payload,
                           "\"initial_delay_seconds\":0.25,\"multiplier\":1.5,"
                           "\"max_delay_seconds\":7,\"jitter\":0,\"on\":[],"
                           "\"fatal_exit_codes\":[1,255]"));
}

/* Whether a request with inputs for this function is taken. */
static int decode_inputs(bool takes_inputs, bool allow_commands)
{
    AUTO(json)
    json_t *json =
        json_pack("{s:s, s:[]}", "function", "free", "inputs"); /* even none at all */
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };
    AUTO_FINI(faults) struct faults f = { 0 };
    struct job_spec_rules rules = { .functions = &functions, .allow_commands = allow_commands };
    struct errinfo e = { 0 };
    int r;

    items[0].takes_inputs = takes_inputs;
    r = job_spec_decode(json, &rules, &spec, &f, &e);
    items[0].takes_inputs = false;
    if (r < 0)
        assert_string_equal(f.items[0].pointer, "#/inputs");
    return r;
}

static void files_are_for_functions_that_want_them_or_where_commands_are(void **state)
{
    (void)state;
    assert_int_equal(decode_inputs(false, false), ERR_VALIDATION);
    assert_int_equal(decode_inputs(true, false), 0);
    assert_int_equal(decode_inputs(false, true), 0);
}

static void inputs_are_kept_as_they_were_sent(void **state)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };

    (void)state;
    must_decode(
        "{\"function\":\"free\",\"inputs\":[{\"path\":\"b/x\",\"base64\":\"AP8=\"},"
        "{\"path\":\"b/y\",\"content\":\"\"}]}",
        &spec);
    assert_string_equal(spec.payload,
                        "{\"inputs\":[{\"path\":\"b/x\",\"base64\":\"AP8=\"},"
                        "{\"path\":\"b/y\",\"content\":\"\"}]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_is_named_with_its_place),
        cmocka_unit_test(lenient_requests_may_carry_unknown_members_inside),
        cmocka_unit_test(at_most_64_inputs_are_taken),
        cmocka_unit_test(a_job_that_says_nothing_has_what_its_function_says),
        cmocka_unit_test(a_job_may_lower_the_limits_of_its_function),
        cmocka_unit_test(a_command_is_under_the_limits_of_the_server),
        cmocka_unit_test(a_job_without_a_word_about_retries_is_tried_once),
        cmocka_unit_test(members_of_retry_are_laid_over_those_of_the_function),
        cmocka_unit_test(every_member_of_retry_is_taken),
        cmocka_unit_test(files_are_for_functions_that_want_them_or_where_commands_are),
        cmocka_unit_test(inputs_are_kept_as_they_were_sent),
    };

    return cmocka_run_group_tests_name("domain/job_spec policy", tests, set_up, NULL);
}
