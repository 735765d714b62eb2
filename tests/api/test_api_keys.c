/* /v1/api-keys: keys made, listed, rotated and revoked over HTTP. */
#include "tests/support/api.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/text.h"
#include "tests/support/keys.h"

static const char config[] =
    "workers: 1\n"
    "auth: required\n"
    "functions:\n"
    "  - name: ok\n"
    "    command: [echo, fine]\n";

static char admin[KEYS_TOKEN_SIZE]; /* of the tenant acme */

static int setup(void **state)
{
    (void)api_setup(state);
    (void)keys_make(*state, "--tenant acme --scope *", admin);
    return 0;
}

static const char *key_path(const char *token, const char *rest)
{
    static char room[64];

    (void)snprintf(room, sizeof room, "/v1/api-keys/%.12s%s", token + 5, rest);
    return room;
}

/* A new key of acme; its token goes to token. */
static void make(const struct api *a, const char *body, char token[KEYS_TOKEN_SIZE])
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    keys_send(a, admin, "POST", "/v1/api-keys", body, &r);
    assert_status(&r, 201);
    (void)snprintf(token, KEYS_TOKEN_SIZE, "%s", api_text(&r, "token"));
}

static void assert_whoami(const struct api *a, const char *token, long status)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    keys_send(a, token, NULL, "/v1/whoami", NULL, &r);
    assert_status(&r, status);
}

static void a_key_that_was_made_is_good_at_once(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char token[KEYS_TOKEN_SIZE];

    keys_send(a, admin, "POST", "/v1/api-keys",
              "{\"name\":\"ci\",\"scopes\":[\"jobs:read\"],\"functions\":[\"ok\"],"
              "\"rate\":{\"limit\":5,\"window_seconds\":60},"
              "\"expires_at\":\"2999-01-01T00:00:00Z\"}",
              &r);
    assert_status(&r, 201);
    assert_string_equal(api_text(&r, "tenant"), "acme");
    assert_string_equal(api_text(&r, "state"), "active");
    assert_string_equal(api_text(&r, "functions.0"), "ok");
    assert_int_equal(api_number(&r, "rate.limit"), 5);
    (void)snprintf(token, sizeof token, "%s", api_text(&r, "token"));
    assert_header(&r, "Location", key_path(token, ""));
    api_reply_fini(&r);
    assert_whoami(a, token, 200);
    keys_send(a, admin, NULL, key_path(token, ""), NULL, &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "name"), "ci");
    assert_null(api_at(r.json, "token"));
    assert_null(strstr(r.body, "hash"));
}

static void the_list_has_the_keys_of_the_tenant(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char other[KEYS_TOKEN_SIZE], token[KEYS_TOKEN_SIZE];

    (void)keys_make(a, "--tenant other --scope jobs:read --name of-another", other);
    make(a, "{\"scopes\":[\"jobs:read\"],\"name\":\"listed\"}", token);
    keys_send(a, admin, NULL, "/v1/api-keys", NULL, &r);
    assert_status(&r, 200);
    assert_non_null(strstr(r.body, "listed"));
    assert_null(strstr(r.body, "of-another"));
    assert_null(strstr(r.body, token + 18));
    api_reply_fini(&r);
    keys_send(a, admin, NULL, key_path(other, ""), NULL, &r);
    assert_problem(&r, 404, "key-not-found");
}

static void a_rotated_key_has_another_token(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char token[KEYS_TOKEN_SIZE];

    make(a, "{\"scopes\":[\"jobs:read\"]}", token);
    keys_send(a, admin, "POST", key_path(token, ":rotate"), NULL, &r);
    assert_status(&r, 200);
    assert_string_not_equal(api_text(&r, "token"), token);
    assert_whoami(a, api_text(&r, "token"), 200);
    assert_whoami(a, token, 401);
}

static void a_revoked_key_is_refused_and_still_listed(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char token[KEYS_TOKEN_SIZE];

    make(a, "{\"scopes\":[\"jobs:read\"]}", token);
    assert_whoami(a, token, 200);
    keys_send(a, admin, "DELETE", key_path(token, ""), NULL, &r);
    assert_status(&r, 204);
    api_reply_fini(&r);
    assert_whoami(a, token, 401);
    keys_send(a, admin, NULL, key_path(token, ""), NULL, &r);
    assert_string_equal(api_text(&r, "state"), "revoked");
    api_reply_fini(&r);
    keys_send(a, admin, "POST", key_path(token, ":rotate"), NULL, &r);
    assert_problem(&r, 404, "key-not-found");
}

static int connect_to(const struct api *a)
{
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval most = { .tv_sec = 60 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int64_t port;

    assert_true(text_to_i64(strrchr(a->base, ':') + 1, 1, 65535, &port));
    in.sin_port = htons((uint16_t)port);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&in, sizeof in), 0);
    return fd;
}

static void a_stream_ends_when_its_key_is_revoked(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(buf) struct buf out = { 0 };
    AUTO_FINI(fd) int fd = connect_to(a);
    AUTO(mem) char *request = NULL;
    char token[KEYS_TOKEN_SIZE], id[API_ID_SIZE], head[4096];

    make(a, "{\"scopes\":[\"events:read\"]}", token);
    request = mem_printf(
        "GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
        "%s\r\nAccept: text/event-stream\r\n\r\n",
        token);
    assert_int_equal(fd_write_all(fd, request, strlen(request), NULL), 0);
    assert_true(read(fd, head, sizeof head) > 0); /* it has begun */
    assert_memory_equal(head, "HTTP/1.1 200", 12);
    keys_send(a, admin, "DELETE", key_path(token, ""), NULL, &r);
    assert_status(&r, 204);
    (void)keys_submit(a, admin, "{\"function\":\"ok\"}", id); /* news */
    assert_int_equal(fd_read_to_end(fd, 1 << 20, &out, NULL), 0);
    assert_null(out.data ? strstr(out.data, id) : NULL);
}

static void nobody_gives_away_more_than_he_has(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char lesser[KEYS_TOKEN_SIZE];

    make(a,
         "{\"scopes\":[\"keys:admin\",\"jobs:read\"],\"functions\":[\"ok\"],"
         "\"expires_at\":\"2900-01-01T00:00:00Z\"}",
         lesser);
    keys_send(a, lesser, "POST", "/v1/api-keys",
              "{\"scopes\":[\"jobs:read\",\"jobs:write\"],\"functions\":[\"ok\",\"more\"]}",
              &r);
    assert_problem(&r, 422, "validation-failed");
    assert_string_equal(api_text(&r, "errors.0.pointer"), "#/scopes/1");
    assert_string_equal(api_text(&r, "errors.0.code"), "not-yours");
    assert_string_equal(api_text(&r, "errors.1.pointer"), "#/functions/1");
    api_reply_fini(&r);
    keys_send(a, lesser, "POST", "/v1/api-keys", "{\"scopes\":[\"jobs:read\"]}", &r);
    assert_status(&r, 201);
    assert_string_equal(api_text(&r, "functions.0"), "ok");
    assert_string_equal(api_text(&r, "expires_at"), "2900-01-01T00:00:00.000Z");
    api_reply_fini(&r);
    keys_send(a, lesser, "POST", key_path(admin, ":rotate"), NULL, &r);
    assert_problem(&r, 403, "insufficient-scope");
}

static void every_fault_of_a_request_is_told(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    keys_send(a, admin, "POST", "/v1/api-keys",
              "{\"nam\":\"x\",\"scopes\":[\"jobs:reed\",7],\"rate\":5,"
              "\"expires_at\":\"2001-01-01T00:00:00Z\"}",
              &r);
    assert_problem(&r, 422, "validation-failed");
    assert_int_equal(json_array_size(api_at(r.json, "errors")), 5);
    api_reply_fini(&r);
    keys_send(a, admin, "POST", "/v1/api-keys", "{}", &r);
    assert_problem(&r, 422, "validation-failed");
    assert_string_equal(api_text(&r, "errors.0.pointer"), "#/scopes");
}

static void it_needs_a_scope_of_its_own(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char token[KEYS_TOKEN_SIZE];

    (void)keys_make(a, "--tenant acme --scope jobs:read,jobs:write", token);
    keys_send(a, token, NULL, "/v1/api-keys", NULL, &r);
    assert_problem(&r, 403, "insufficient-scope");
    assert_string_equal(api_text(&r, "scope"), "keys:admin");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_that_was_made_is_good_at_once),
        cmocka_unit_test(the_list_has_the_keys_of_the_tenant),
        cmocka_unit_test(a_rotated_key_has_another_token),
        cmocka_unit_test(a_revoked_key_is_refused_and_still_listed),
        cmocka_unit_test(a_stream_ends_when_its_key_is_revoked),
        cmocka_unit_test(nobody_gives_away_more_than_he_has),
        cmocka_unit_test(every_fault_of_a_request_is_told),
        cmocka_unit_test(it_needs_a_scope_of_its_own),
    };

    api_configure(config);
    return api_finish(cmocka_run_group_tests_name("api/api_keys", tests, setup, api_teardown));
}
