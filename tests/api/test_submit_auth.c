/* Submitting with a key: what it may not submit alone it may not submit in a batch, and its
 * tenant has jobs of its own that are unique. */
#include "tests/support/api.h"

#include <stdio.h>

#include "base/mem.h"
#include "tests/support/keys.h"

static const char config[] =
    "allow_commands: true\n"
    "auth: required\n"
    "functions:\n"
    "  - name: mine\n"
    "    command: [true]\n"
    "  - name: other\n"
    "    command: [true]\n";

#define BATCH "/v1/jobs:batchCreate"

static void a_batch_is_kept_to_what_its_key_may(void **state)
{
    static const struct {
        const char *job;
        const char *code;
    } cases[] = {
        { "{\"function\":\"other\"}", "function-forbidden" },
        { "{\"function\":\"mine\",\"queue\":\"q\"}", "queue-forbidden" },
        { "{\"command\":[\"true\"]}", "insufficient-scope" },
    };
    const struct api *a = *state;
    char token[KEYS_TOKEN_SIZE];

    (void)keys_make(a, "--scope jobs:write --function mine --queue default", token);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        AUTO(mem)
        char *all = mem_printf("{\"jobs\":[{\"function\":\"mine\"},%s]}", cases[i].job);
        AUTO(mem)
        char *each = mem_printf("{\"jobs\":[{\"function\":\"mine\"},%s],\"atomic\":false}",
                                cases[i].job);

        keys_send(a, token, "POST", BATCH, all, &r);
        assert_problem(&r, 403, cases[i].code);
        keys_send(a, token, "POST", BATCH, each, &r);
        assert_status(&r, 207);
        assert_int_equal(api_number(&r, "items.0.status"), 202);
        assert_int_equal(api_number(&r, "items.1.status"), 403);
        assert_string_equal(api_text(&r, "items.1.problem.code"), cases[i].code);
    }
}

static void a_missing_scope_is_named_for_a_batch_too(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char token[KEYS_TOKEN_SIZE];

    (void)keys_make(a, "--scope jobs:write", token);
    keys_send(a, token, "POST", BATCH, "{\"jobs\":[{\"command\":[\"true\"]}]}", &r);
    assert_problem(&r, 403, "insufficient-scope");
    assert_string_equal(api_text(&r, "scope"), "jobs:command");
    assert_non_null(api_header(&r, "WWW-Authenticate"));
}

static void each_tenant_has_one_such_job(void **state)
{
    static const char body[] =
        "{\"function\":\"mine\",\"delay_seconds\":3600,\"unique\":{\"key\":\"k\"}}";
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char one[KEYS_TOKEN_SIZE];
    char other[KEYS_TOKEN_SIZE];
    char id[API_ID_SIZE];

    (void)keys_make(a, "--tenant one --scope jobs:write", one);
    (void)keys_make(a, "--tenant other --scope jobs:write", other);
    (void)keys_submit(a, one, body, id);
    (void)keys_submit(a, other, body, id);
    keys_send(a, other, "POST", "/v1/jobs", body, &r);
    assert_problem(&r, 409, "duplicate-job");
    assert_string_equal(api_text(&r, "existing_job_id"), id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_kept_to_what_its_key_may),
        cmocka_unit_test(a_missing_scope_is_named_for_a_batch_too),
        cmocka_unit_test(each_tenant_has_one_such_job),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/submit_auth", tests, api_setup, api_teardown));
}
