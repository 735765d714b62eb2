/* Whoever has waited is judged once more before he is answered, over a real socket. */
#include "tests/support/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/log.h"
#include "domain/principal.h"
#include "server/http/server.h"

static struct http_server *server;
static int listen_fd = -1;

static atomic_bool required; /* credentials */
static atomic_bool withdrawn;
static atomic_int released;
static struct principal caller = { .via = PRINCIPAL_KEY,
                                   .tenant = "",
                                   .withdrawn = &withdrawn };

/* -- who asks -------------------------------------------------------------------------------
 */

static bool is_required(void *ctx)
{
    (void)ctx;
    return atomic_load(&required);
}

static int recognize(void *ctx, struct http_req *rq, const struct principal **ret_principal,
                     struct errinfo *e)
{
    (void)rq;
    (void)e;
    *ret_principal = is_required(ctx) ? &caller : &principal_anybody;
    return 0;
}

static void release(void *ctx, const struct principal *p)
{
    (void)ctx;
    assert_ptr_equal(p, &caller);
    (void)atomic_fetch_add(&released, 1);
}

static const struct http_auth auth = { is_required, recognize, release, NULL };

/* -- handlers -------------------------------------------------------------------------------
 */

static sem_t waits;
static struct http_req *_Atomic waiting;

static int answer(struct http_req *rq, struct http_resp *rs)
{
    (void)rq;
    return http_reply_static(rs, 200, "text/plain", "the news", 8);
}

static int h_wait(struct http_req *rq, struct http_resp *rs)
{
    (void)rs;
    rq->next = answer;
    atomic_store(&waiting, rq);
    (void)sem_post(&waits);
    return HTTP_PENDING;
}

static const struct http_route ROUTES[] = {
    { HTTP_GET, "/wait", "getWait", h_wait, BODY_NONE, SCOPE_ANY },
    { HTTP_POST, "/wait", "postWait", h_wait, BODY_NONE, SCOPE_ANY },
    { HTTP_GET, "/open", "getOpen", h_wait, BODY_NONE, SCOPE_PUBLIC },
};

/* -- the server and its client --------------------------------------------------------------
 */

static struct sockaddr_in address(void)
{
    struct sockaddr_in at;
    socklen_t len = sizeof at;

    assert_int_equal(getsockname(listen_fd, (struct sockaddr *)&at, &len), 0);
    return at;
}

static int start(void **state)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct http_conf conf = { .listen_fds = &listen_fd,
                              .listen_count = 1,
                              .routes = ROUTES,
                              .route_count = COUNT_OF(ROUTES),
                              .max_body_bytes = 1000,
                              .max_connections = 8,
                              .idle_timeout_us = PATIENCE_US,
                              .auth = &auth };

    (void)state;
    log_set_level(LOG_ERROR);
    (void)sem_init(&waits, 0, 0);
    listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listen_fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listen_fd, 10), 0);
    return http_server_new(&conf, &server, NULL);
}

static int stop(void **state)
{
    (void)state;
    server = http_server_free(server);
    fd_fini(&listen_fd);
    return 0;
}

static int forget(void **state)
{
    (void)state;
    atomic_store(&required, true);
    atomic_store(&withdrawn, false);
    atomic_store(&released, 0);
    return 0;
}

/* Send it, and return when its handler waits. */
static int ask(const char *method_and_path)
{
    AUTO_FINI(buf) struct buf text = { 0 };
    struct sockaddr_in at = address();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    buf_printf(&text, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method_and_path);
    assert_int_equal(fd_write_all(fd, text.data, text.len, NULL), 0);
    (void)sem_wait(&waits);
    return fd;
}

/* Let it go on, and read the answer to its end. */
static void go_on(int take_fd, struct buf *answer)
{
    AUTO_FINI(fd) int fd = take_fd;

    http_resume(atomic_load(&waiting));
    assert_int_equal(fd_read_to_end(fd, 65536, answer, NULL), 0);
}

#define assert_says(answer, what)                                                              \
    do {                                                                                       \
        if (!strstr((answer)->data, what))                                                     \
            fail_msg("no %s in: %s", what, (answer)->data);                                    \
    } while (0)

/* -- tests ----------------------------------------------------------------------------------
 */

static void a_key_that_still_counts_gets_the_news(void **state)
{
    AUTO_FINI(buf) struct buf got = { 0 };

    (void)state;
    go_on(ask("GET /wait"), &got);
    assert_says(&got, "HTTP/1.1 200 ");
    assert_says(&got, "the news");
}

static void one_that_was_revoked_meanwhile_gets_none(void **state)
{
    AUTO_FINI(buf) struct buf got = { 0 };
    int fd;

    (void)state;
    fd = ask("GET /wait");
    atomic_store(&withdrawn, true);
    go_on(fd, &got);
    assert_says(&got, "HTTP/1.1 401 ");
    assert_says(&got, "error=\"invalid_token\"");
    assert_says(&got, "revoked");
    assert_null(strstr(got.data, "the news"));
}

static void nor_does_one_that_has_expired(void **state)
{
    AUTO_FINI(buf) struct buf got = { 0 };
    int fd;

    (void)state;
    fd = ask("HEAD /wait");
    caller.expires_at_us = 1; /* its request sleeps, and http_resume() tells of it */
    go_on(fd, &got);
    caller.expires_at_us = 0;
    assert_says(&got, "HTTP/1.1 401 ");
}

static void what_it_has_begun_it_is_told_the_end_of(void **state)
{
    AUTO_FINI(buf) struct buf got = { 0 };
    int fd;

    (void)state;
    fd = ask("POST /wait");
    atomic_store(&withdrawn, true);
    go_on(fd, &got);
    assert_says(&got, "HTTP/1.1 200 ");
    assert_says(&got, "the news");
}

static void who_came_when_none_was_needed_needs_one_now(void **state)
{
    AUTO_FINI(buf) struct buf got = { 0 };
    int fd;

    (void)state;
    atomic_store(&required, false);
    fd = ask("GET /wait");
    atomic_store(&required, true);
    go_on(fd, &got);
    assert_says(&got, "HTTP/1.1 401 ");
    assert_says(&got, "WWW-Authenticate: Bearer realm=\"jobd\"\r\n");
    assert_int_equal(atomic_load(&released), 0);
}

static void but_not_for_what_is_public(void **state)
{
    AUTO_FINI(buf) struct buf got = { 0 };
    int fd;

    (void)state;
    atomic_store(&required, false);
    fd = ask("GET /open");
    atomic_store(&required, true);
    go_on(fd, &got);
    assert_says(&got, "HTTP/1.1 200 ");
}

#define TEST(name) cmocka_unit_test_setup(name, forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_that_still_counts_gets_the_news),
        TEST(one_that_was_revoked_meanwhile_gets_none),
        TEST(nor_does_one_that_has_expired),
        TEST(what_it_has_begun_it_is_told_the_end_of),
        TEST(who_came_when_none_was_needed_needs_one_now),
        TEST(but_not_for_what_is_public),
    };

    return cmocka_run_group_tests_name("server/http/auth", tests, start, stop);
}
