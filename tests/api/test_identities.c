/* Callers without a key: by the word of a gateway, and as peers of a Unix socket. */
#include "tests/support/api.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/text.h"
#include "tests/support/keys.h"

#define GATEWAY(addresses)                                                                     \
    "workers: 1\n"                                                                             \
    "trusted_proxies: [" addresses                                                             \
    "]\n"                                                                                      \
    "identity_header: X-Authenticated-User\n"                                                  \
    "identities:\n"                                                                            \
    "  - 'header:alice@example.com tenant=acme scopes=jobs:read,jobs:write queues=low'\n"      \
    "  - 'header:* tenant=* scopes=jobs:read'\n"                                               \
    "functions:\n"                                                                             \
    "  - name: ok\n"                                                                           \
    "    command: ['true']\n"

/* One with a TCP and a Unix socket. */
static int setup(void **state)
{
    struct api *a = api_prepare();
    char listen[160]; /* not from the heap: a start that fails returns to nobody */

    (void)snprintf(listen, sizeof listen, "127.0.0.1:0,unix:%s", api_path(a, "s.sock"));
    assert_int_equal(setenv("JOBD_LISTEN", listen, 1), 0); /* NOLINT(concurrency-mt-unsafe) */
    api_start(a);
    *state = a;
    return 0;
}

static void restart(struct api *a, const char *config)
{
    api_stop(a, SIGTERM);
    api_reconfigure(a, config);
    api_start(a);
}

static void ask_as(const struct api *a, const char *user, struct api_reply *ret_reply)
{
    AUTO(mem) char *header = user ? mem_printf("X-Authenticated-User: %s", user) : NULL;
    struct api_request q = { .path = "/v1/whoami" };

    api_reply_fini(ret_reply);
    q.headers[0] = header;
    api_send(a, &q, ret_reply);
}

/* The answer to GET /v1/whoami over the Unix socket, as text. */
static void ask_unix(const struct api *a, const char *header, struct buf *out)
{
    AUTO_FINI(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    AUTO(mem)
    char *request = mem_printf(
        "GET /v1/whoami HTTP/1.1\r\nHost: localhost\r\n"
        "Connection: close\r\n%s\r\n",
        header);

    (void)text_copy(un.sun_path, sizeof un.sun_path, api_path(a, "s.sock"));
    assert_int_equal(connect(fd, (const struct sockaddr *)&un, sizeof un), 0);
    assert_int_equal(fd_write_all(fd, request, strlen(request), NULL), 0);
    buf_clear(out);
    assert_int_equal(fd_read_to_end(fd, 65536, out, NULL), 0);
}

#define assert_says(out, what)                                                                 \
    do {                                                                                       \
        if (!strstr((out)->data, what))                                                        \
            fail_msg("no %s in: %s", what, (out)->data);                                       \
    } while (0)

static void a_trusted_gateway_says_who_it_is(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    ask_as(a, "alice@example.com", &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "via"), "gateway");
    assert_string_equal(api_text(&r, "tenant"), "acme");
    assert_string_equal(api_text(&r, "name"), "alice@example.com");
    assert_string_equal(api_text(&r, "key_id"), "header:alice@example.com");
    assert_string_equal(api_text(&r, "queues.0"), "low");
    ask_as(a, "bob", &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "tenant"), "bob");
    assert_string_equal(api_text(&r, "scopes.0"), "jobs:read");
    assert_null(api_at(r.json, "scopes.1"));
}

static void without_a_word_or_with_one_that_is_nobody_there_is_no_caller(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct api_request twice = { .path = "/v1/whoami",
                                 .headers = { "X-Authenticated-User: alice@example.com",
                                              "X-Authenticated-User: bob" } };

    ask_as(a, NULL, &r);
    assert_problem(&r, 401, "unauthorized");
    ask_as(a, "no tenant / at all", &r);
    assert_problem(&r, 401, "unauthorized");
    api_reply_fini(&r);
    api_send(a, &twice, &r); /* one of them is the client's own */
    assert_problem(&r, 400, "invalid-header");
}

static void a_key_counts_more_than_the_word_of_a_gateway(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char token[KEYS_TOKEN_SIZE];
    AUTO(mem)
    char *header =
        mem_printf("Authorization: Bearer %s", keys_make(a, "--scope logs:read", token));
    struct api_request q = { .path = "/v1/whoami",
                             .headers = { "X-Authenticated-User: bob", header } };

    api_send(a, &q, &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "via"), "key");
}

static void a_header_from_elsewhere_is_no_word_at_all(void **state)
{
    struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    restart(a, GATEWAY("192.0.2.1"));
    ask_as(a, "alice@example.com", &r);
    assert_problem(&r, 401, "unauthorized");
}

static void at_a_unix_socket_the_owner_of_jobd_may_do_everything(void **state)
{
    struct api *a = *state;
    AUTO_FINI(buf) struct buf out = { 0 };

    restart(a, GATEWAY("192.0.2.1"));
    ask_unix(a, "X-Authenticated-User: alice@example.com\r\n", &out);
    assert_says(&out, "HTTP/1.1 200");
    assert_says(&out, "\"via\":\"unix\"");
    assert_says(&out, "\"key_id\":\"owner\"");
    assert_says(&out, "\"admin\"");
}

static void a_gateway_at_a_unix_socket_is_not_the_owner(void **state)
{
    struct api *a = *state;
    AUTO_FINI(buf) struct buf out = { 0 };

    restart(a, GATEWAY("unix"));
    ask_unix(a, "", &out);
    assert_says(&out, "HTTP/1.1 401");
    ask_unix(a, "X-Authenticated-User: alice@example.com\r\n", &out);
    assert_says(&out, "\"via\":\"gateway\"");
}

static void the_uid_of_a_peer_may_be_given_its_own_grant(void **state)
{
    struct api *a = *state;
    AUTO_FINI(buf) struct buf out = { 0 };
    static char config[256];

    (void)snprintf(config, sizeof config,
                   "workers: 1\nidentities: ['uid:%u tenant=local scopes=jobs:read']\n"
                   "functions: [{name: ok, command: ['true']}]\n",
                   geteuid());
    restart(a, config);
    ask_unix(a, "", &out);
    assert_says(&out, "\"via\":\"unix\"");
    assert_says(&out, "\"tenant\":\"local\"");
    assert_says(&out, "\"scopes\":[\"jobs:read\"]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trusted_gateway_says_who_it_is),
        cmocka_unit_test(without_a_word_or_with_one_that_is_nobody_there_is_no_caller),
        cmocka_unit_test(a_key_counts_more_than_the_word_of_a_gateway),
        cmocka_unit_test(a_header_from_elsewhere_is_no_word_at_all),
        cmocka_unit_test(at_a_unix_socket_the_owner_of_jobd_may_do_everything),
        cmocka_unit_test(a_gateway_at_a_unix_socket_is_not_the_owner),
        cmocka_unit_test(the_uid_of_a_peer_may_be_given_its_own_grant),
    };

    api_configure(GATEWAY("127.0.0.1"));
    return api_finish(
        cmocka_run_group_tests_name("api/identities", tests, setup, api_teardown));
}
