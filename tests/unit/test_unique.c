/* What a job says of others like it: the rule, and which jobs are alike. */
#include "tests/support/test.h"

#include "domain/unique.h"

#include <string.h>

#include "base/mem.h"
#include "domain/job_spec.h"
#include "domain/json_text.h"

static char *argv[] = { (char[]){ "true" }, NULL };
static struct function items[] = {
    { .name = (char[]){ "a" }, .kind = FUNCTION_COMMAND, .argv = argv, .argc = 1 },
    { .name = (char[]){ "b" }, .kind = FUNCTION_PROGRAM, .argv = argv, .argc = 1 },
};
static const struct function_table functions = { .items = items, .count = COUNT_OF(items) };

static int decode(const char *body, struct job_spec *spec, struct faults *f)
{
    const struct job_spec_rules rules = { .functions = &functions, .allow_commands = true };
    AUTO(json) json_t *json = NULL;
    struct errinfo e = { 0 };

    if (json_text_parse(body, strlen(body), &json, &e) != 0)
        fail_msg("%s: %s", body, e.text);
    return job_spec_decode(json, &rules, spec, f, &e);
}

static void rule_of(const char *body, struct unique_rule *ret_rule)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };
    AUTO_FINI(faults) struct faults f = { 0 };
    AUTO_FINI(job) struct job job = { 0 };

    if (decode(body, &spec, &f) != 0)
        fail_msg("%s: %s at %s", body, f.items[0].detail, f.items[0].pointer);
    job_spec_to_job(&spec, 1, &job);
    assert_non_null(job.unique);
    assert_non_null(strstr(job.payload, "\"unique\":{"));
    *ret_rule = *job.unique;
}

static void what_is_not_said_has_a_default(void **state)
{
    struct unique_rule rule;

    (void)state;
    rule_of("{\"function\":\"a\",\"unique\":{}}", &rule);
    assert_int_equal(rule.states, UNIQUE_STATES_DEFAULT);
    assert_int_equal(rule.window_us, 0);
    assert_int_equal(rule.on_conflict, UNIQUE_REJECT);
}

static void what_is_said_holds(void **state)
{
    struct unique_rule rule;

    (void)state;
    rule_of(
        "{\"function\":\"a\",\"unique\":{\"key\":\"k\",\"window_seconds\":1.5,"
        "\"states\":[\"queued\",\"succeeded\"],\"on_conflict\":\"replace\"}}",
        &rule);
    assert_int_equal(rule.states, 1u << JOB_QUEUED | 1u << JOB_SUCCEEDED);
    assert_int_equal(rule.window_us, 1500000);
    assert_int_equal(rule.on_conflict, UNIQUE_REPLACE);
}

static void a_job_without_it_has_no_rule(void **state)
{
    AUTO_FINI(job_spec) struct job_spec spec = { 0 };
    AUTO_FINI(faults) struct faults f = { 0 };
    AUTO_FINI(job) struct job job = { 0 };

    (void)state;
    assert_int_equal(decode("{\"function\":\"a\"}", &spec, &f), 0);
    job_spec_to_job(&spec, 1, &job);
    assert_null(job.unique);
}

static bool alike(const char *one, const char *other)
{
    struct unique_rule a, b;

    rule_of(one, &a);
    rule_of(other, &b);
    return memcmp(a.digest, b.digest, SHA256_BYTES) == 0;
}

#define U(more) "\"unique\":{" more "}"

static void jobs_are_alike_by_key_and_scope(void **state)
{
    (void)state;
    /* Without a key: what they do. */
    assert_true(
        alike("{\"function\":\"a\",\"args\":{\"x\":1,\"y\":2}," U("") "}",
              "{\"args\":{\"y\":2,\"x\":1},\"queue\":\"q\",\"function\":\"a\"," U("") "}"));
    assert_false(alike("{\"function\":\"a\",\"args\":{\"x\":1}," U("") "}",
                       "{\"function\":\"a\",\"args\":{\"x\":2}," U("") "}"));
    assert_false(alike("{\"function\":\"a\"," U("") "}", "{\"function\":\"b\"," U("") "}"));
    assert_true(alike("{\"command\":[\"x\"]," U("") "}", "{\"command\":[\"x\"]," U("") "}"));
    assert_false(alike("{\"command\":[\"x\"]," U("") "}", "{\"command\":[\"y\"]," U("") "}"));
    assert_false(
        alike("{\"function\":\"a\"," U("") "}", "{\"function\":\"a\"," U("\"key\":\"a\"") "}"));
    /* With one, everywhere. */
    assert_true(
        alike("{\"function\":\"a\",\"queue\":\"q\"," U("\"key\":\"k\"") "}",
              "{\"function\":\"b\",\"queue\":\"p\",\"args\":1," U(
                  "\"key\":\"k\",\"scope\":[\"global\"],\"on_conflict\":\"replace\"") "}"));
    assert_false(alike("{\"function\":\"a\"," U("\"key\":\"k\"") "}",
                       "{\"function\":\"a\"," U("\"key\":\"l\"") "}"));
    /* In a queue, of a function, or both. */
    assert_false(alike(
        "{\"function\":\"a\",\"queue\":\"q\"," U("\"key\":\"k\",\"scope\":[\"queue\"]") "}",
        "{\"function\":\"a\",\"queue\":\"p\"," U("\"key\":\"k\",\"scope\":[\"queue\"]") "}"));
    assert_true(alike(
        "{\"function\":\"a\",\"queue\":\"q\"," U("\"key\":\"k\",\"scope\":[\"queue\"]") "}",
        "{\"function\":\"b\",\"queue\":\"q\"," U("\"key\":\"k\",\"scope\":[\"queue\"]") "}"));
    assert_false(alike("{\"function\":\"a\"," U("\"key\":\"k\",\"scope\":[\"function\"]") "}",
                       "{\"function\":\"b\"," U("\"key\":\"k\",\"scope\":[\"function\"]") "}"));
    assert_true(alike("{\"function\":\"a\",\"queue\":\"q\"," U(
                          "\"key\":\"k\",\"scope\":[\"function\",\"queue\"]") "}",
                      "{\"function\":\"a\",\"queue\":\"q\"," U(
                          "\"key\":\"k\",\"scope\":[\"queue\",\"function\"]") "}"));
}

static void every_fault_has_its_place(void **state)
{
    static const struct {
        const char *unique;
        const char *pointer;
        const char *code;
    } bads[] = {
        { "true", "#/unique", "wrong-type" },
        { "{\"kye\":\"k\"}", "#/unique/kye", "unknown-field" },
        { "{\"key\":1}", "#/unique/key", "wrong-type" },
        { "{\"key\":\"\"}", "#/unique/key", "too-short" },
        { "{\"scope\":\"queue\"}", "#/unique/scope", "wrong-type" },
        { "{\"scope\":[]}", "#/unique/scope", "invalid-value" },
        { "{\"scope\":[\"queue\",\"queue\"]}", "#/unique/scope/1", "invalid-value" },
        { "{\"scope\":[\"tenant\"]}", "#/unique/scope/0", "invalid-value" },
        { "{\"scope\":[\"global\",\"queue\"]}", "#/unique/scope", "invalid-value" },
        { "{\"window_seconds\":0}", "#/unique/window_seconds", "out-of-range" },
        { "{\"window_seconds\":\"1\"}", "#/unique/window_seconds", "wrong-type" },
        { "{\"states\":[]}", "#/unique/states", "too-short" },
        { "{\"states\":[\"queued\",\"waiting\"]}", "#/unique/states/1", "unknown-value" },
        { "{\"states\":[1]}", "#/unique/states/0", "unknown-value" },
        { "{\"on_conflict\":\"ignore\"}", "#/unique/on_conflict", "unknown-value" },
        { "{\"on_conflict\":1}", "#/unique/on_conflict", "wrong-type" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bads); i++) {
        AUTO(mem) char *body = mem_printf("{\"function\":\"a\",\"unique\":%s}", bads[i].unique);
        AUTO_FINI(job_spec) struct job_spec spec = { 0 };
        AUTO_FINI(faults) struct faults f = { 0 };

        assert_int_equal(decode(body, &spec, &f), ERR_VALIDATION);
        assert_int_equal(f.total, 1);
        assert_string_equal(f.items[0].pointer, bads[i].pointer);
        assert_string_equal(f.items[0].code, bads[i].code);
    }
}

static void others_count_by_their_state_and_age(void **state)
{
    struct unique_rule rule = { .states = 1u << JOB_QUEUED };

    (void)state;
    assert_true(unique_counts(&rule, JOB_QUEUED, 1, 1000));
    assert_false(unique_counts(&rule, JOB_RUNNING, 1, 1000));
    rule.window_us = 100;
    assert_true(unique_counts(&rule, JOB_QUEUED, 901, 1000));
    assert_false(unique_counts(&rule, JOB_QUEUED, 900, 1000));
}

static void every_conflict_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < UNIQUE_CONFLICT_MAX_; i++)
        assert_int_equal(unique_conflict_parse(unique_conflict_name((enum unique_conflict)i)),
                         i);
    assert_int_equal(unique_conflict_parse("refuse"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_said_has_a_default),
        cmocka_unit_test(what_is_said_holds),
        cmocka_unit_test(a_job_without_it_has_no_rule),
        cmocka_unit_test(jobs_are_alike_by_key_and_scope),
        cmocka_unit_test(every_fault_has_its_place),
        cmocka_unit_test(others_count_by_their_state_and_age),
        cmocka_unit_test(every_conflict_has_a_name),
    };

    return cmocka_run_group_tests_name("domain/unique", tests, NULL, NULL);
}
