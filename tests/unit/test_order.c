#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "domain/job_spec.h"
#include "domain/json_text.h"
#include "domain/order.h"

#define NOW_US      ((usec_t)1700000000 * USEC_PER_SEC)
#define ID_TEXT     "018bcfe5-6800-7001-8000-000000000001"
#define ID_VARIABLE "JOBD_JOB_ID=" ID_TEXT

static char *wc_argv[] = { (char[]){ "wc" }, (char[]){ "-w" }, NULL };
static char *convert_argv[] = { (char[]){ "convert" }, (char[]){ "in={input}" },
                                (char[]){ "{{{size}}}" }, NULL };
static char *score_argv[] = { (char[]){ "python3" }, NULL };

static struct function items[] = {
    { .name = (char[]){ "wc" },
      .kind = FUNCTION_COMMAND,
      .argv = wc_argv,
      .argc = 2,
      .timeout_us = 30 * USEC_PER_SEC,
      .grace_us = 5 * USEC_PER_SEC,
      .result_from_stdout = true },
    { .name = (char[]){ "convert" },
      .kind = FUNCTION_COMMAND,
      .argv = convert_argv,
      .argc = 3 },
    { .name = (char[]){ "score" }, .kind = FUNCTION_PROGRAM, .argv = score_argv, .argc = 1 },
};
static const struct function_table functions = { .items = items, .count = COUNT_OF(items) };
static const struct job_spec_rules rules = { .functions = &functions, .allow_commands = true };

/* From the request's text to the job as it is when it has been claimed for the second time. */
static void claimed(const char *body, struct job *ret_job)
{
    AUTO(json) json_t *json = NULL;
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };
    AUTO_FINI(faults) struct faults f = { 0 };
    struct errinfo e = { 0 };

    if (json_text_parse(body, strlen(body), &json, &e) != 0 ||
        job_spec_decode(json, &rules, &spec, &f, &e) != 0)
        fail_msg("%s: %s %s", body, e.text, f.count > 0 ? f.items[0].detail : "");
    job_spec_to_job(&spec, NOW_US, ret_job);
    assert_true(uuid7_parse(ID_TEXT, &ret_job->id));
    ret_job->state = JOB_RUNNING;
    ret_job->attempt = 2;
    ret_job->priority = 3;
}

static void build(const char *body, struct order *ret_order)
{
    AUTO_FINI(job) struct job job = { 0 };
    struct errinfo e = { 0 };
    const struct function *fn;

    claimed(body, &job);
    fn = job.function ? function_find(&functions, job.function) : NULL;
    if (order_build(&job, fn, function_ceiling(&functions, fn), ret_order, &e) != 0)
        fail_msg("%s: %s", body, e.text);
}

static void assert_list(char **list, const char *const *want, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_non_null(list[i]);
        assert_string_equal(list[i], want[i]);
    }
    assert_null(list[count]);
}

static void a_function_s_order_says_all_that_a_worker_must_know(void **state)
{
    static const char *const argv[] = { "wc", "-w" };
    static const char *const env[] = { ID_VARIABLE, "JOBD_ATTEMPT=2", "JOBD_FUNCTION=wc",
                                       "JOBD_FD=3", "LANG=C",         "EMPTY=" };
    AUTO_FINI(order) struct order o = { 0 };

    (void)state;
    build(
        "{\"function\":\"wc\",\"stdin\":\"to be \xC3\xA4\\n\","
        "\"env\":{\"LANG\":\"C\",\"EMPTY\":\"\"},\"timeout_seconds\":7}",
        &o);
    assert_list(o.argv, argv, COUNT_OF(argv));
    assert_list(o.env, env, COUNT_OF(env));
    assert_string_equal(o.function, "wc");
    assert_int_equal(o.attempt, 2);
    assert_int_equal(o.priority, 3);
    assert_string_equal(o.input, "to be \xC3\xA4\n");
    assert_int_equal(o.input_len, strlen(o.input));
    assert_int_equal(o.timeout_us, 7 * USEC_PER_SEC);
    assert_int_equal(o.grace_us, 5 * USEC_PER_SEC);
    assert_true(o.result_from_stdout);
}

static void placeholders_are_filled_from_args(void **state)
{
    static const char *const argv[] = { "convert", "in=a b;{size}", "{0.5}" };
    AUTO_FINI(order) struct order o = { 0 };

    (void)state;
    build("{\"function\":\"convert\",\"args\":{\"input\":\"a b;{size}\",\"size\":0.5}}", &o);
    assert_list(o.argv, argv, COUNT_OF(argv));
    assert_false(o.result_from_stdout);
}

static void a_command_is_taken_as_it_was_written(void **state)
{
    static const char *const argv[] = { "awk", "{print $1}", "", "{{x}}" };
    static const char *const env[] = { ID_VARIABLE, "JOBD_ATTEMPT=2", "JOBD_FD=3",
                                       "PATH=/bin" };
    AUTO_FINI(order) struct order o = { 0 };

    (void)state;
    build(
        "{\"command\":[\"awk\",\"{print $1}\",\"\",\"{{x}}\"],\"env\":{\"PATH\":\"/bin\"},"
        "\"args\":{\"x\":1}}",
        &o);
    assert_list(o.argv, argv, COUNT_OF(argv));
    assert_list(o.env, env, COUNT_OF(env));
    assert_null(o.function);
    assert_false(o.result_from_stdout);
}

static void the_input_of_a_command_is_its_stdin_else_its_args_else_nothing(void **state)
{
    static const struct {
        const char *members;
        const char *input;
        size_t len;
    } rows[] = {
        { "", "", 0 },
        { ",\"stdin\":\"\"", "", 0 },
        { ",\"stdin\":\"\",\"args\":1", "", 0 },
        { ",\"stdin\":\"text\",\"args\":1", "text", 4 },
        { ",\"stdin\":{\"base64\":\"\"}", "", 0 },
        { ",\"stdin\":{\"base64\":\"AP8KAA==\"}", "\0\xFF\n\0", 4 },
        { ",\"args\":{\"a\":[1,0.1,\"\\n\"]}", "{\"a\":[1,0.1,\"\\n\"]}\n", 19 },
        { ",\"args\":null", "null\n", 5 },
        { ",\"args\":\"text\"", "\"text\"\n", 7 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(mem) char *body = mem_printf("{\"function\":\"wc\"%s}", rows[i].members);
        AUTO_FINI(order) struct order o = { 0 };

        build(body, &o);
        assert_int_equal(o.input_len, rows[i].len);
        assert_memory_equal(o.input, rows[i].input, rows[i].len);
    }
}

static void the_input_of_a_program_is_one_line_of_json(void **state)
{
    static const struct {
        const char *members;
        const char *args;
    } rows[] = {
        { "", "null" },
        { ",\"args\":null", "null" },
        { ",\"args\":7", "7" },
        { ",\"args\":{ \"a\" : \"line\\nfeed\" }", "{\"a\":\"line\\nfeed\"}" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(mem) char *body = mem_printf("{\"function\":\"score\"%s}", rows[i].members);
        AUTO(mem)
        char *want =
            mem_printf("{\"id\":\"" ID_TEXT "\",\"attempt\":2,\"args\":%s}\n", rows[i].args);
        AUTO_FINI(order) struct order o = { 0 };

        build(body, &o);
        assert_string_equal(o.input, want);
        assert_int_equal(o.input_len, strlen(want));
        assert_ptr_equal(strchr(o.input, '\n'), o.input + o.input_len - 1);
        assert_string_equal(o.function, "score");
        assert_null(o.argv[0]);
        assert_null(o.env[0]);
    }
}

static void what_was_nested_as_deep_as_allowed_can_still_be_built(void **state)
{
    AUTO_FINI(buf) struct buf body = { 0 };
    AUTO_FINI(order) struct order o = { 0 };

    (void)state;
    buf_add_str(&body, "{\"function\":\"score\",\"args\":");
    for (int i = 0; i < JSON_DEPTH_MAX - 1; i++)
        buf_add_char(&body, '[');
    for (int i = 0; i < JSON_DEPTH_MAX - 1; i++)
        buf_add_char(&body, ']');
    buf_add_char(&body, '}');
    build(body.data, &o);
    assert_non_null(strstr(o.input, "[[[[]]]]"));
}

static const struct limits ceiling;

static void must_refuse(const struct job *job, const struct function *fn, const char *says)
{
    struct order o = { .attempt = -7 };
    struct errinfo e = { 0 };

    assert_int_equal(order_build(job, fn, &ceiling, &o, &e), ERR_VALIDATION);
    assert_int_equal(o.attempt, -7); /* untouched */
    if (!strstr(e.text, says))
        fail_msg("\"%s\" does not say \"%s\"", e.text, says);
}

static void a_job_that_no_longer_fits_its_function_is_refused(void **state)
{
    struct function changed = items[1];
    AUTO_FINI(job) struct job job = { 0 };

    (void)state;
    claimed("{\"function\":\"wc\",\"args\":{\"input\":1}}", &job);
    must_refuse(&job, NULL, "wc is not configured any more");
    must_refuse(&job, &items[1], "args has no usable member size");
    changed.kind = FUNCTION_PROGRAM;
    must_refuse(&job, &changed, "between command and program");
}

static void a_damaged_payload_is_refused(void **state)
{
    static const struct {
        const char *payload;
        const char *says;
    } rows[] = {
        { "{", "damaged" },
        { "{}", "neither a function nor a command" },
        { "{\"command\":[1]}", "not a string" },
        { "{\"command\":[\"a\"],\"env\":{\"A\":1}}", "not a string" },
        { "{\"command\":[\"a\"],\"stdin\":{\"base64\":\"?\"}}", "not base64" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FINI(job) struct job job = { .pool = mem_str("") };

        job.payload = mem_str(rows[i].payload);
        job.payload_len = strlen(rows[i].payload);
        must_refuse(&job, NULL, rows[i].says);
    }
}

static void arguments_that_grow_too_large_are_refused(void **state)
{
    char *argv[] = { (char[]){ "p" },
                     (char[]){ "{x}" },
                     (char[]){ "{x}" },
                     (char[]){ "{x}" },
                     (char[]){ "{x}" },
                     (char[]){ "{x}" },
                     NULL };
    struct function fn = {
        .name = (char[]){ "f" }, .kind = FUNCTION_COMMAND, .argv = argv, .argc = 6
    };
    AUTO(mem) char *x = mem_new0(110000 + 1);
    AUTO_FINI(job) struct job job = { .pool = mem_str(""), .function = mem_str("f") };

    (void)state;
    memset(x, 'x', 110000);
    job.payload = mem_printf("{\"args\":{\"x\":\"%s\"}}", x);
    job.payload_len = strlen(job.payload);
    must_refuse(&job, &fn, "the filled arguments have more than 524288 bytes");
}

static void fini_may_be_called_twice(void **state)
{
    struct order o = { 0 };

    (void)state;
    build("{\"function\":\"wc\"}", &o);
    order_fini(&o); /* what is left behind is reported by the address sanitizer */
    assert_null(o.argv);
    order_fini(&o);
}

static void limits_leftover_and_inputs_go_with_the_order(void **state)
{
    AUTO_FINI(order) struct order o = { 0 };
    AUTO_FINI(order) struct order none = { 0 };

    (void)state;
    build(
        "{\"function\":\"wc\",\"limits\":{\"cpu_seconds\":2.5,\"processes\":9},"
        "\"leftover\":\"detach\",\"inputs\":[{\"path\":\"a/b\",\"content\":\"x\"}]}",
        &o);
    assert_int_equal(o.limits.values[LIMIT_CPU], 2500 * USEC_PER_MS);
    assert_int_equal(o.limits.values[LIMIT_PROCESSES], 9);
    assert_int_equal(o.limits.values[LIMIT_MEMORY], 0);
    assert_int_equal(o.leftover, LEFTOVER_DETACH);
    assert_int_equal(o.inputs.count, 1);
    assert_string_equal(o.inputs.items[0].path, "a/b");
    assert_string_equal(o.inputs.items[0].data, "x");
    build("{\"function\":\"wc\"}", &none);
    assert_true(limits_empty(&none.limits));
    assert_int_equal(none.leftover, LEFTOVER_KILL);
    assert_int_equal(none.inputs.count, 0);
}

/* The configuration was changed while the job waited. */
static void a_limit_that_was_lowered_since_the_submit_holds(void **state)
{
    struct limits lowered = { 0 };
    AUTO_FINI(job) struct job job = { 0 };
    AUTO_FINI(order) struct order o = { 0 };
    struct errinfo e = { 0 };

    (void)state;
    lowered.values[LIMIT_CPU] = USEC_PER_SEC;
    lowered.values[LIMIT_OUTPUT] = 7;
    claimed("{\"function\":\"wc\",\"limits\":{\"cpu_seconds\":2,\"processes\":9}}", &job);
    assert_int_equal(order_build(&job, &items[0], &lowered, &o, &e), 0);
    assert_int_equal(o.limits.values[LIMIT_CPU], USEC_PER_SEC);
    assert_int_equal(o.limits.values[LIMIT_OUTPUT], 7);
    assert_int_equal(o.limits.values[LIMIT_PROCESSES], 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_function_s_order_says_all_that_a_worker_must_know),
        cmocka_unit_test(placeholders_are_filled_from_args),
        cmocka_unit_test(a_command_is_taken_as_it_was_written),
        cmocka_unit_test(the_input_of_a_command_is_its_stdin_else_its_args_else_nothing),
        cmocka_unit_test(the_input_of_a_program_is_one_line_of_json),
        cmocka_unit_test(what_was_nested_as_deep_as_allowed_can_still_be_built),
        cmocka_unit_test(a_job_that_no_longer_fits_its_function_is_refused),
        cmocka_unit_test(a_damaged_payload_is_refused),
        cmocka_unit_test(arguments_that_grow_too_large_are_refused),
        cmocka_unit_test(fini_may_be_called_twice),
        cmocka_unit_test(limits_leftover_and_inputs_go_with_the_order),
        cmocka_unit_test(a_limit_that_was_lowered_since_the_submit_holds),
    };

    return cmocka_run_group_tests_name("domain/order", tests, NULL, NULL);
}
