/* When a credential is needed: `auth`, the first key, and keys from a file. */
#include "tests/support/api.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/support/keys.h"

#define FUNCTIONS "workers: 1\nfunctions: [{name: ok, command: [echo, fine]}]\n"

static void restart(struct api *a, const char *config)
{
    api_stop(a, SIGTERM);
    api_reconfigure(a, config);
    api_start(a);
}

static long ask(const struct api *a, const char *token)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    keys_send(a, token, NULL, "/v1/whoami", NULL, &r);
    return r.status;
}

/* Asks until the answer has this status. A front that is replaced may close a connection that
 * it has accepted and that has not asked yet. */
static void await(const struct api *a, const char *token, long status)
{
    AUTO(mem) char *header = token ? mem_printf("Authorization: Bearer %s", token) : NULL;
    struct api_request q = { .path = "/v1/whoami" };

    q.headers[0] = header;
    for (int i = 0; i < 100000; i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        if (api_try(a, &q, &r) && r.status == status)
            return;
    }
    fail_msg("the answer never was %ld", status);
}

/* Its own ledger: whoever has had a key stays closed. */
static void the_first_key_closes_the_door_and_its_end_does_not_open_it(void **state)
{
    const struct api *a = *state;
    char token[KEYS_TOKEN_SIZE], words[32], out[64];

    assert_int_equal(ask(a, NULL), 200);
    assert_int_equal(ask(a, "a-token-of-somebody-else"), 200);
    (void)keys_make(a, "--scope jobs:read", token);
    await(a, NULL, 401);
    assert_int_equal(ask(a, token), 200);
    (void)snprintf(words, sizeof words, "revoke %.12s", token + 5);
    assert_int_equal(keys_run(a, words, out, sizeof out), 0);
    await(a, token, 401);
    assert_int_equal(ask(a, NULL), 401);
}

static void a_server_that_is_told_so_asks_nobody(void **state)
{
    struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char token[KEYS_TOKEN_SIZE];

    (void)keys_make(a, "--scope jobs:read --tenant acme", token);
    restart(a, FUNCTIONS "auth: none\n");
    keys_send(a, token, NULL, "/v1/whoami", NULL, &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "via"), "none");
    assert_string_equal(api_text(&r, "tenant"), "");
}

static void keys_of_a_file_are_good_and_the_file_is_read_again(void **state)
{
    static const char first[] = "jobd_000000000001_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg";
    static const char second[] =
        "jobd_000000000002_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg";
    struct api *a = *state;
    AUTO(mem) char *path = mem_str(api_path(a, "keys"));
    static char config[256];

    assert_int_equal(fd_write_file_atomic(path, 0600, first, sizeof first - 1, NULL), 0);
    (void)snprintf(config, sizeof config, FUNCTIONS "api_keys_file: %s\n", path);
    restart(a, config);
    assert_int_equal(ask(a, first), 200);
    assert_int_equal(ask(a, second), 401);
    assert_int_equal(fd_write_file_atomic(path, 0600, second, sizeof second - 1, NULL), 0);
    assert_int_equal(kill(a->pid, SIGHUP), 0);
    await(a, second, 200);
    assert_int_equal(ask(a, first), 401);
}

static void behind_a_required_credential_the_host_does_not_matter(void **state)
{
    struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply open = { 0 };
    AUTO_FINI(api_reply) struct api_reply closed = { 0 };
    const struct api_request q = { .path = "/v1/jobs", .headers = { "Host: jobs.example" } };

    restart(a, FUNCTIONS "auth: none\n");
    api_send(a, &q, &open);
    assert_problem(&open, 403, "forbidden-host");
    restart(a, FUNCTIONS "auth: required\n");
    api_send(a, &q, &closed);
    assert_problem(&closed, 401, "unauthorized");
}

static void who_is_not_let_in_cannot_try_without_end(void **state)
{
    struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char token[KEYS_TOKEN_SIZE];

    restart(a, FUNCTIONS "auth: required\nrate_limit_per_address: 3\nrate_period: 1h\n");
    (void)keys_make(a, "--scope jobs:read", token);
    assert_int_equal(ask(a, NULL), 401);
    assert_int_equal(ask(a, "jobd_000000000003_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg"),
                     401);
    assert_int_equal(ask(a, "x"), 401);
    keys_send(a, "x", NULL, "/v1/whoami", NULL, &r);
    assert_problem(&r, 429, "quota-exceeded");
    assert_int_equal(ask(a, token), 200); /* who is known is counted apart */
}

static void a_key_has_the_rate_that_it_was_made_with(void **state)
{
    struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char slow[KEYS_TOKEN_SIZE], other[KEYS_TOKEN_SIZE];

    restart(a, FUNCTIONS "auth: required\n");
    (void)keys_make(a, "--scope jobs:read --rate 2/3600", slow);
    (void)keys_make(a, "--scope jobs:read", other);
    assert_int_equal(ask(a, slow), 200);
    assert_int_equal(ask(a, slow), 200);
    keys_send(a, slow, NULL, "/v1/whoami", NULL, &r);
    assert_problem(&r, 429, "quota-exceeded");
    assert_int_equal(ask(a, other), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_key_closes_the_door_and_its_end_does_not_open_it),
        cmocka_unit_test(a_server_that_is_told_so_asks_nobody),
        cmocka_unit_test(keys_of_a_file_are_good_and_the_file_is_read_again),
        cmocka_unit_test(who_is_not_let_in_cannot_try_without_end),
        cmocka_unit_test(a_key_has_the_rate_that_it_was_made_with),
        cmocka_unit_test(behind_a_required_credential_the_host_does_not_matter),
    };

    api_configure(FUNCTIONS);
    return api_finish(
        cmocka_run_group_tests_name("api/auth_modes", tests, api_setup, api_teardown));
}
