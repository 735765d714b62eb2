/* Who may call: keys, scopes, what they are limited to, and what is answered otherwise. */
#include "tests/support/api.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tests/support/keys.h"
#include "tests/support/sse.h"

static const char config[] =
    "allow_commands: true\n"
    "workers: 1\n"
    "auth: required\n"
    "functions:\n"
    "  - name: ok\n"
    "    command: [echo, fine]\n"
    "    result: stdout\n"
    "  - name: env\n"
    "    command: [env]\n"
    "    result: stdout\n";

static const char OK[] = "{\"function\":\"ok\"}";

static void without_a_credential_only_public_operations_answer(void **state)
{
    static const char *const open[] = { "/livez", "/readyz", "/", "/openapi.json",
                                        "/problems" };
    static const char *const closed[] = {
        "/v1/jobs",
        "/v1/functions",
        "/v1/workers",
        "/v1/whoami",
        "/v1/jobs/0192f0c1-2345-7abc-8def-0123456789ab",
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(open); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        api_get(a, open[i], &r);
        assert_status(&r, 200);
    }
    for (size_t i = 0; i < COUNT_OF(closed); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        api_get(a, closed[i], &r);
        assert_problem(&r, 401, "unauthorized");
        assert_header(&r, "WWW-Authenticate", "Bearer realm=\"jobd\"");
    }
}

static void a_key_says_who_it_is(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char token[KEYS_TOKEN_SIZE];

    (void)keys_make(a,
                    "--name deploy --tenant acme --scope jobs:read,jobs:write --function ok"
                    " --queue low --queue high --rate 600/60 --expires 1h",
                    token);
    keys_send(a, token, NULL, "/v1/whoami", NULL, &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "via"), "key");
    assert_string_equal(api_text(&r, "tenant"), "acme");
    assert_string_equal(api_text(&r, "name"), "deploy");
    assert_int_equal(strncmp(api_text(&r, "key_id"), token + 5, 12), 0);
    assert_string_equal(api_text(&r, "scopes.1"), "jobs:write");
    assert_string_equal(api_text(&r, "functions.0"), "ok");
    assert_string_equal(api_text(&r, "queues.1"), "high");
    assert_int_equal(api_number(&r, "rate.limit"), 600);
    assert_int_equal(api_number(&r, "rate.window_seconds"), 60);
    assert_int_equal(strlen(api_text(&r, "expires_at")), 24);
}

static void assert_refused(const struct api *a, const char *token)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    keys_send(a, token, NULL, "/v1/whoami", NULL, &r);
    assert_problem(&r, 401, "unauthorized");
    assert_header(&r, "WWW-Authenticate", "Bearer realm=\"jobd\", error=\"invalid_token\"");
    assert_null(strstr(r.body, token)); /* not even echoed */
}

static void a_bad_token_is_refused(void **state)
{
    const struct api *a = *state;
    char token[KEYS_TOKEN_SIZE], other[KEYS_TOKEN_SIZE];
    char *last;

    (void)keys_make(a, "--scope jobs:read", token);
    (void)keys_make(a, "--scope jobs:read", other);
    assert_refused(a, "jobd_0123456789AB_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg");
    assert_refused(a, "eyJhbGciOiJIUzI1NiJ9.e30.c2ln");
    memcpy(other + 18, token + 18, 43); /* the secret of another key */
    assert_refused(a, other);
    last = token + strlen(token) - 1;
    *last = *last == 'a' ? 'b' : 'a';
    assert_refused(a, token);
}

static void a_token_in_the_query_is_refused(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char token[KEYS_TOKEN_SIZE];
    AUTO(mem)
    char *path =
        mem_printf("/v1/whoami?access_token=%s", keys_make(a, "--scope jobs:read", token));

    api_get(a, path, &r);
    assert_problem(&r, 400, "malformed-request");
}

static void two_credentials_are_none(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char token[KEYS_TOKEN_SIZE];
    AUTO(mem)
    char *header =
        mem_printf("Authorization: Bearer %s", keys_make(a, "--scope jobs:read", token));
    struct api_request q = { .path = "/v1/whoami", .headers = { header, header } };

    api_send(a, &q, &r);
    assert_status(&r, 400);
}

static void a_scope_that_is_missing_is_named(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char token[KEYS_TOKEN_SIZE];

    (void)keys_make(a, "--scope jobs:read", token);
    keys_send(a, token, NULL, "/v1/jobs", NULL, &r);
    assert_status(&r, 200);
    api_reply_fini(&r);
    keys_send(a, token, "POST", "/v1/jobs", OK, &r);
    assert_problem(&r, 403, "insufficient-scope");
    assert_header(&r, "WWW-Authenticate",
                  "Bearer realm=\"jobd\", error=\"insufficient_scope\", scope=\"jobs:write\"");
}

static void assert_post(const struct api *a, const char *token, const char *body, long status,
                        const char *code)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    keys_send(a, token, "POST", "/v1/jobs", body, &r);
    assert_answer(&r, status, code);
}

static void a_key_is_kept_to_its_functions_and_queues(void **state)
{
    const struct api *a = *state;
    char token[KEYS_TOKEN_SIZE];

    (void)keys_make(a, "--scope jobs:read,jobs:write --function ok --queue low", token);
    assert_post(a, token, "{\"function\":\"ok\",\"queue\":\"low\"}", 202, NULL);
    assert_post(a, token, "{\"function\":\"env\",\"queue\":\"low\"}", 403,
                "function-forbidden");
    assert_post(a, token, "{\"function\":\"ok\",\"queue\":\"high\"}", 403, "queue-forbidden");
    assert_post(a, token, "{\"function\":\"ok\"}", 403, "queue-forbidden");
}

static void a_job_says_with_which_key_it_was_submitted(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char token[KEYS_TOKEN_SIZE], id[API_ID_SIZE], key_id[13], path[64];

    (void)keys_make(a, "--scope jobs:read,jobs:write", token);
    (void)snprintf(key_id, sizeof key_id, "%.12s", token + 5);
    (void)keys_submit(a, token, OK, id);
    keys_send(a, token, NULL, api_job_path(id, ""), NULL, &r);
    assert_string_equal(api_text(&r, "created_by"), key_id);
    api_reply_fini(&r);
    (void)snprintf(path, sizeof path, "/v1/jobs?created_by=%s", key_id);
    keys_send(a, token, NULL, path, NULL, &r);
    assert_int_equal(json_array_size(api_at(r.json, "items")), 1);
    assert_string_equal(api_text(&r, "items.0.id"), id);
}

static void a_command_needs_its_own_scope(void **state)
{
    const struct api *a = *state;
    char token[KEYS_TOKEN_SIZE];

    assert_post(a, keys_make(a, "--scope jobs:write", token), "{\"command\":[\"true\"]}", 403,
                "insufficient-scope");
    assert_post(a, keys_make(a, "--scope jobs:write,jobs:command", token),
                "{\"command\":[\"true\"]}", 202, NULL);
    assert_post(a, keys_make(a, "--scope admin", token), "{\"command\":[\"true\"]}", 202, NULL);
}

/* Asks until the answer has this status. */
static void await_status(const struct api *a, const char *token, long status)
{
    for (int i = 0; i < 100000; i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        keys_send(a, token, NULL, "/v1/whoami", NULL, &r);
        if (r.status == status)
            return;
    }
    fail_msg("the answer never was %ld", status);
}

static void a_key_that_is_revoked_is_soon_refused(void **state)
{
    const struct api *a = *state;
    char token[KEYS_TOKEN_SIZE], words[64], out[256];

    (void)keys_make(a, "--scope jobs:read", token);
    await_status(a, token, 200);
    (void)snprintf(words, sizeof words, "revoke %.12s", token + 5);
    assert_int_equal(keys_run(a, words, out, sizeof out), 0);
    await_status(a, token, 401);
    assert_refused(a, token);
}

/* Nobody else calls meanwhile. */
static void who_follows_a_log_with_a_key_that_is_revoked_is_cut(void **state)
{
    static const char job[] = "{\"command\":[\"sh\",\"-c\",\"echo : hb; sleep 300\"]}";
    const struct api *a = *state;
    char stays[KEYS_TOKEN_SIZE], goes[KEYS_TOKEN_SIZE], id[API_ID_SIZE], words[64], out[256];
    AUTO_FINI(sse) struct sse log = { .token = goes };
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    (void)keys_make(a, "--scope *", stays);
    (void)keys_make(a, "--scope logs:read", goes);
    (void)keys_submit(a, stays, job, id);
    sse_start(&log, a, api_job_path(id, "/logs/stdout?follow=true"));
    sse_await_beats(&log, 1); /* what the job says looks like one */
    (void)snprintf(words, sizeof words, "revoke %.12s", goes + 5);
    assert_int_equal(keys_run(a, words, out, sizeof out), 0);
    sse_await_end(&log);
    assert_int_equal(log.status, 200);
    keys_send(a, stays, NULL, api_job_path(id, ":cancel"), "{\"mode\":\"force\"}", &r);
    assert_true(r.status == 200 || r.status == 202);
}

static void a_rotated_key_has_a_new_token_only(void **state)
{
    const struct api *a = *state;
    char token[KEYS_TOKEN_SIZE], words[64], second[KEYS_TOKEN_SIZE];

    (void)keys_make(a, "--scope jobs:read", token);
    (void)snprintf(words, sizeof words, "rotate %.12s", token + 5);
    assert_int_equal(keys_run(a, words, second, sizeof second), 0);
    second[strcspn(second, "\n")] = '\0';
    assert_memory_equal(token, second, 18);
    await_status(a, second, 200);
    assert_refused(a, token);
}

static void the_list_shows_no_secret(void **state)
{
    const struct api *a = *state;
    char token[KEYS_TOKEN_SIZE];
    static char out[65536];

    (void)keys_make(a, "--scope jobs:read --name shown", token);
    assert_int_equal(keys_run(a, "list", out, sizeof out), 0);
    assert_non_null(strstr(out, "shown"));
    assert_null(strstr(out, token + 18));
    assert_int_equal(keys_run(a, "list --json", out, sizeof out), 0);
    assert_null(strstr(out, token + 18));
    assert_null(strstr(out, "hash"));
}

static void keys_outlive_a_restart_and_secrets_stay_out_of_logs_and_jobs(void **state)
{
    struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char token[KEYS_TOKEN_SIZE], id[API_ID_SIZE];
    static char log[1 << 20];
    const char *path;
    size_t n;
    FILE *f;

    (void)keys_make(a, "--scope *", token);
    api_stop(a, 15);
    api_start(a);
    (void)keys_submit(a, token, "{\"function\":\"env\"}", id);
    path = api_job_path(id, "/result?wait=30");
    keys_send(a, token, NULL, path, NULL, &r);
    assert_status(&r, 200);
    assert_null(strstr(r.body, token + 18));
    assert_null(strstr(r.body, "JOBD_API_KEY"));
    f = fopen(api_path(a, "log"), "r");
    assert_non_null(f);
    n = fread(log, 1, sizeof log - 1, f);
    log[n] = '\0';
    (void)fclose(f);
    assert_null(strstr(log, token + 18));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_credential_only_public_operations_answer),
        cmocka_unit_test(a_key_says_who_it_is),
        cmocka_unit_test(a_bad_token_is_refused),
        cmocka_unit_test(a_token_in_the_query_is_refused),
        cmocka_unit_test(two_credentials_are_none),
        cmocka_unit_test(a_scope_that_is_missing_is_named),
        cmocka_unit_test(a_key_is_kept_to_its_functions_and_queues),
        cmocka_unit_test(a_job_says_with_which_key_it_was_submitted),
        cmocka_unit_test(a_command_needs_its_own_scope),
        cmocka_unit_test(a_key_that_is_revoked_is_soon_refused),
        cmocka_unit_test(who_follows_a_log_with_a_key_that_is_revoked_is_cut),
        cmocka_unit_test(a_rotated_key_has_a_new_token_only),
        cmocka_unit_test(the_list_shows_no_secret),
        cmocka_unit_test(keys_outlive_a_restart_and_secrets_stay_out_of_logs_and_jobs),
    };

    api_configure(config);
    return api_finish(cmocka_run_group_tests_name("api/auth", tests, api_setup, api_teardown));
}
