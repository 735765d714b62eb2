/* Events and who may see them: tenants, scopes, and keys that are revoked while a stream is
 * open.
 */
#include "tests/support/api.h"

#include <stdio.h>
#include <string.h>

#include "domain/api_key.h"
#include "tests/support/keys.h"
#include "tests/support/sse.h"

static const char config[] =
    "workers: 1\n"
    "auth: required\n"
    "event_heartbeat: 0.2\n"
    "functions:\n"
    "  - name: ok\n"
    "    command: [\"true\"]\n";

static const char JOB[] = "{\"function\":\"ok\"}";

static void run_job(const struct api *a, const char *token, char id[API_ID_SIZE])
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    (void)keys_submit(a, token, JOB, id);
    keys_send(a, token, NULL, api_job_path(id, "?wait=50"), NULL, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
}

static void a_tenant_sees_its_own_events_only(void **state)
{
    const struct api *a = *state;
    char acme[KEYS_TOKEN_SIZE];
    char other[KEYS_TOKEN_SIZE];
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(sse) struct sse of_acme = { .token = acme };
    AUTO_FINI(sse) struct sse of_other = { .token = other };
    char foreign[API_ID_SIZE];
    char own[API_ID_SIZE];

    (void)keys_make(a, "--tenant acme --scope *", acme);
    (void)keys_make(a, "--tenant other --scope *", other);
    sse_start(&of_acme, a, "/v1/events");
    sse_start(&of_other, a, "/v1/events");
    sse_await_beats(&of_acme, 1);
    sse_await_beats(&of_other, 1);
    run_job(a, acme, foreign);
    run_job(a, other, own);
    sse_await_events(&of_acme, 3);
    sse_await_events(&of_other, 3);
    sse_await_beats(&of_other, sse_beats(&of_other) + 1); /* nothing more comes */
    sse_stop(&of_acme);
    sse_stop(&of_other);
    assert_int_equal(sse_count(&of_other), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_non_null(strstr(sse_event_at(&of_acme, i).data, foreign));
        assert_non_null(strstr(sse_event_at(&of_other, i).data, own));
    }
    keys_send(a, other, NULL, "/v1/events", NULL, &r);
    assert_status(&r, 200);
    assert_non_null(strstr(r.body, own));
    assert_null(strstr(r.body, foreign));
    api_reply_fini(&r);
    keys_send(a, other, NULL, api_job_path(foreign, "/events"), NULL, &r);
    assert_problem(&r, 404, "job-not-found");
}

static void events_have_a_scope_of_their_own(void **state)
{
    const struct api *a = *state;
    char reads_jobs[KEYS_TOKEN_SIZE];
    char reads_events[KEYS_TOKEN_SIZE];
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    (void)keys_make(a, "--scope jobs:read", reads_jobs);
    (void)keys_make(a, "--scope events:read", reads_events);
    keys_send(a, reads_jobs, NULL, "/v1/events", NULL, &r);
    assert_problem(&r, 403, "insufficient-scope");
    api_reply_fini(&r);
    keys_send(a, NULL, NULL, "/v1/events", NULL, &r);
    assert_problem(&r, 401, "unauthorized");
    api_reply_fini(&r);
    keys_send(a, reads_events, NULL, "/v1/events", NULL, &r);
    assert_status(&r, 200);
}

/* jobd_<id>_<secret>: `jobd key revoke <id>`. */
static void revoke(const struct api *a, const char *token)
{
    char words[64];
    char out[512];
    int id_len = (int)strcspn(token + strlen("jobd_"), "_");

    (void)snprintf(words, sizeof words, "revoke %.*s", id_len, token + strlen("jobd_"));
    assert_int_equal(keys_run(a, words, out, sizeof out), 0);
}

static size_t count_events(const struct api *a, const char *token, const char *id)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    keys_send(a, token, NULL, api_job_path(id, "/events"), NULL, &r);
    assert_status(&r, 200);
    return json_array_size(api_at(r.json, "items"));
}

static void the_stream_of_a_revoked_key_ends(void **state)
{
    const struct api *a = *state;
    char stays[KEYS_TOKEN_SIZE];
    char goes[KEYS_TOKEN_SIZE];
    AUTO_FINI(sse) struct sse first = { .token = stays, .comes_back = true };
    AUTO_FINI(sse) struct sse second = { .token = goes, .comes_back = true };
    size_t seen;
    char id[API_ID_SIZE];

    (void)keys_make(a, "--scope *", stays);
    (void)keys_make(a, "--scope *", goes);
    sse_start(&first, a, "/v1/events");
    sse_start(&second, a, "/v1/events");
    sse_await_beats(&first, 1);
    sse_await_beats(&second, 1);
    run_job(a, stays, id); /* so that it has an id to come back with */
    seen = count_events(a, stays, id);
    sse_await_events(&first, seen);
    revoke(a, goes);
    sse_await_end(&second); /* it came back, and was refused */
    assert_int_equal(second.status, 401);
    run_job(a, stays, id);
    seen += count_events(a, stays, id);
    sse_await_events(&first, seen); /* it came back, if it was ended, and goes on */
    sse_stop(&first);
}

/* The keys in memory may be those of a quarter of a second ago, and let it in once more. */
static void a_key_that_was_just_revoked_opens_no_stream_that_lasts(void **state)
{
    const struct api *a = *state;
    char goes[KEYS_TOKEN_SIZE];
    AUTO_FINI(sse) struct sse s = { .token = goes, .comes_back = true };
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    (void)keys_make(a, "--scope *", goes);
    keys_send(a, goes, NULL, "/v1/whoami", NULL, &r);
    assert_status(&r, 200);
    revoke(a, goes);
    sse_start(&s, a, "/v1/events");
    sse_await_end(&s);
    assert_int_equal(s.status, 401);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tenant_sees_its_own_events_only),
        cmocka_unit_test(events_have_a_scope_of_their_own),
        cmocka_unit_test(the_stream_of_a_revoked_key_ends),
        cmocka_unit_test(a_key_that_was_just_revoked_opens_no_stream_that_lasts),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/events_auth", tests, api_setup, api_teardown));
}
