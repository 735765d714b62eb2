/* A server that has all the connections it may have: who comes then waits, and nobody is turned
 * away, however many come and go. One that has all that an address may have turns away, but it
 * never has one more. */
#include "tests/support/test.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "server/http/server.h"

#define CLIENTS         8
#define REQUESTS        150 /* of each client, every one on a connection of its own */
#define MAX_CONNECTIONS 2
#define MAX_PER_ADDRESS 1

static struct http_server *server;
static int listen_fd = -1;
static struct sockaddr_in address;

static int h_text(struct http_req *rq, struct http_resp *rs)
{
    (void)rq;
    return http_reply_json(rs, 200, json_pack("{}"));
}

static const struct http_route ROUTES[] = {
    { HTTP_GET, "/text", "getText", h_text, BODY_NONE, SCOPE_PUBLIC },
};

static int start_with(unsigned max_connections, unsigned max_per_address)
{
    socklen_t len = sizeof address;
    struct http_conf conf = {
        .listen_fds = &listen_fd,
        .listen_count = 1,
        .routes = ROUTES,
        .route_count = COUNT_OF(ROUTES),
        .max_body_bytes = 1000,
        .max_connections = max_connections,
        .max_connections_per_address = max_per_address,
        .threads = 4,
        .idle_timeout_us = PATIENCE_US,
    };

    log_set_level(LOG_ERROR);
    address = (struct sockaddr_in){ .sin_family = AF_INET,
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listen_fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listen_fd, 64), 0);
    assert_int_equal(getsockname(listen_fd, (struct sockaddr *)&address, &len), 0);
    return http_server_new(&conf, &server, NULL);
}

static int start_full(void **state)
{
    (void)state;
    return start_with(MAX_CONNECTIONS, 0);
}

static int start_counting(void **state)
{
    (void)state;
    return start_with(100, MAX_PER_ADDRESS);
}

static int stop(void **state)
{
    (void)state;
    server = http_server_free(server);
    fd_fini(&listen_fd);
    return 0;
}

/* Whether there was an answer. */
static bool ask(void)
{
    static const char request[] =
        "GET /text HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    AUTO_FINI(fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char answer[1024];
    size_t len = 0;
    ssize_t n;

    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != sizeof request - 1)
        return false;
    while ((n = recv(fd, answer + len, sizeof answer - len, 0)) > 0)
        len += (size_t)n;
    return n == 0 && len > 12 && memcmp(answer, "HTTP/1.1 200", 12) == 0;
}

static void *come_and_go(void *arg)
{
    unsigned *unanswered = arg;

    for (int i = 0; i < REQUESTS; i++)
        *unanswered += !ask();
    return NULL;
}

static void nobody_is_turned_away(void **state)
{
    pthread_t threads[CLIENTS];
    unsigned unanswered[CLIENTS] = { 0 };

    (void)state;
    for (size_t i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &unanswered[i]), 0);
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(unanswered[i], 0);
    }
}

static atomic_int answered;       /* connections that have an answer and are still open */
static atomic_int most;           /* of them at once */
static atomic_uint answers, ends; /* and connections that were ended instead */

static void come_and_stay(int fd)
{
    static const char request[] = "GET /text HTTP/1.1\r\nHost: localhost\r\n\r\n";
    char answer[1024];
    int now, before;

    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != sizeof request - 1 ||
        recv(fd, answer, sizeof answer, 0) <= 0) {
        (void)atomic_fetch_add(&ends, 1);
        return;
    }
    (void)atomic_fetch_add(&answers, 1);
    now = atomic_fetch_add(&answered, 1) + 1;
    before = atomic_load(&most);
    while (before < now && !atomic_compare_exchange_weak(&most, &before, now))
        ;
    /* Until it is known that another one has come and was ended, or has been let in. */
    (void)send(fd, request, sizeof request - 1, MSG_NOSIGNAL);
    (void)recv(fd, answer, sizeof answer, 0);
    (void)atomic_fetch_sub(&answered, 1);
}

static void *insist(void *arg)
{
    (void)arg;
    for (int i = 0; i < REQUESTS; i++) {
        AUTO_FINI(fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
            come_and_stay(fd);
    }
    return NULL;
}

static void an_address_never_has_one_more(void **state)
{
    pthread_t threads[CLIENTS];

    (void)state;
    for (size_t i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, insist, NULL), 0);
    for (size_t i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&most), MAX_PER_ADDRESS);
    assert_true(atomic_load(&answers) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_is_turned_away, start_full, stop),
        cmocka_unit_test_setup_teardown(an_address_never_has_one_more, start_counting, stop),
    };

    return cmocka_run_group_tests_name("server/http/full", tests, NULL, NULL);
}
