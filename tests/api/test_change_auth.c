/* What a key may do to jobs that are there already: by its scopes, its functions and queues,
 * and its tenant. */
#include "tests/support/api.h"

#include <string.h>

#include "base/mem.h"
#include "tests/support/keys.h"

static const char config[] =
    "allow_commands: true\n"
    "workers: 1\n"
    "auth: required\n"
    "functions:\n"
    "  - name: ok\n"
    "    command: [echo, fine]\n";

#define LATER ",\"delay_seconds\":999}"

struct keys {
    char admin[KEYS_TOKEN_SIZE];
    char writer[KEYS_TOKEN_SIZE]; /* jobs:write, of the function ok and the queue low */
    char canceler[KEYS_TOKEN_SIZE];
    char foreigner[KEYS_TOKEN_SIZE];
};

static void make_keys(const struct api *a, struct keys *k)
{
    (void)keys_make(a, "--scope admin", k->admin);
    (void)keys_make(a, "--scope jobs:read,jobs:write --function ok --queue low", k->writer);
    (void)keys_make(a, "--scope jobs:read,jobs:cancel", k->canceler);
    (void)keys_make(a, "--scope admin --tenant other", k->foreigner);
}

static void ask(const struct api *a, const char *token, const char *method, const char *path,
                const char *body, long status, const char *code)
{
    AUTO(mem) char *authorization = mem_printf("Authorization: Bearer %s", token);
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct api_request q = { .method = method, .path = path, .body = body };

    q.headers[0] = authorization;
    if (strcmp(method, "PATCH") == 0)
        q.headers[1] = "Content-Type: application/merge-patch+json";
    api_send(a, &q, &r);
    assert_answer(&r, status, code);
}

static void a_purge_needs_more_than_a_cancel(void **state)
{
    const struct api *a = *state;
    struct keys k;
    char id[API_ID_SIZE];

    make_keys(a, &k);
    (void)keys_submit(a, k.admin, "{\"function\":\"ok\"" LATER, id);
    ask(a, k.canceler, "DELETE", api_job_path(id, "?purge=true"), NULL, 403,
        "insufficient-scope");
    ask(a, k.canceler, "POST", api_job_path(id, ":retry"), "{}", 403, "insufficient-scope");
    ask(a, k.canceler, "PATCH", api_job_path(id, ""), "{}", 403, "insufficient-scope");
    ask(a, k.canceler, "DELETE", api_job_path(id, ""), NULL, 200, NULL);
    ask(a, k.writer, "DELETE", api_job_path(id, ""), NULL, 403, "insufficient-scope");
    ask(a, k.admin, "DELETE", api_job_path(id, "?purge=true"), NULL, 204, NULL);
}

static void a_job_is_changed_within_what_its_caller_may_submit(void **state)
{
    const struct api *a = *state;
    struct keys k;
    char id[API_ID_SIZE], command[API_ID_SIZE];

    make_keys(a, &k);
    (void)keys_submit(a, k.writer, "{\"function\":\"ok\",\"queue\":\"low\"" LATER, id);
    (void)keys_submit(a, k.admin, "{\"command\":[\"true\"],\"queue\":\"low\"" LATER, command);
    ask(a, k.writer, "PATCH", api_job_path(id, ""), "{\"queue\":\"high\"}", 403,
        "queue-forbidden");
    ask(a, k.writer, "PATCH", api_job_path(id, ""), "{\"priority\":2}", 200, NULL);
    ask(a, k.writer, "PATCH", api_job_path(command, ""), "{\"priority\":2}", 403,
        "insufficient-scope");
    ask(a, k.writer, "POST", api_job_path(command, ":clone"), "{}", 403, "insufficient-scope");
    ask(a, k.admin, "POST", api_job_path(command, ":cancel"), NULL, 200, NULL);
    ask(a, k.writer, "POST", api_job_path(command, ":retry"), "{}", 403, "insufficient-scope");
    ask(a, k.writer, "POST", api_job_path(id, ":clone"), "{}", 202, NULL);
}

static void many_jobs_are_tried_again_within_the_same_bounds(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *body = NULL;
    struct keys k;
    char command[API_ID_SIZE];

    make_keys(a, &k);
    (void)keys_submit(a, k.admin, "{\"command\":[\"true\"],\"queue\":\"low\"" LATER, command);
    ask(a, k.admin, "POST", api_job_path(command, ":cancel"), NULL, 200, NULL);
    body = mem_printf("{\"ids\":[\"%s\"]}", command);
    keys_send(a, k.writer, "POST", "/v1/jobs:batchRetry", body, &r);
    assert_status(&r, 200);
    assert_int_equal(api_number(&r, "changed"), 0);
    assert_string_equal(api_text(&r, "items.0.code"), "insufficient-scope");
}

static void nobody_else_learns_that_there_was_a_job(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *body = NULL;
    struct keys k;
    char id[API_ID_SIZE];

    make_keys(a, &k);
    (void)keys_submit(a, k.admin, "{\"function\":\"ok\"" LATER, id);
    for (int i = 0; i < 2; i++) { /* while it is there, and when it is not */
        ask(a, k.foreigner, "DELETE", api_job_path(id, "?purge=true"), NULL, 404,
            "job-not-found");
        ask(a, k.foreigner, "PATCH", api_job_path(id, ""), "{}", 404, "job-not-found");
        ask(a, k.foreigner, "POST", api_job_path(id, ":retry"), "{}", 404, "job-not-found");
        ask(a, k.foreigner, "POST", api_job_path(id, ":clone"), "{}", 404, "job-not-found");
        ask(a, k.foreigner, "POST", api_job_path(id, ":cancel"), "{}", 404, "job-not-found");
        ask(a, k.foreigner, "GET", api_job_path(id, ""), NULL, 404, "job-not-found");
        ask(a, k.admin, "DELETE", api_job_path(id, "?purge=true"), NULL, 204, NULL);
    }
    ask(a, k.admin, "GET", api_job_path(id, ""), NULL, 410, "job-expired");
    body = mem_printf("{\"ids\":[\"%s\"]}", id);
    keys_send(a, k.foreigner, "POST", "/v1/jobs:batchDelete", body, &r);
    assert_string_equal(api_text(&r, "items.0.code"), "job-not-found");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_purge_needs_more_than_a_cancel),
        cmocka_unit_test(a_job_is_changed_within_what_its_caller_may_submit),
        cmocka_unit_test(many_jobs_are_tried_again_within_the_same_bounds),
        cmocka_unit_test(nobody_else_learns_that_there_was_a_job),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/change_auth", tests, api_setup, api_teardown));
}
