#include "tests/support/test.h"

#include "server/http/acceptor.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define TAKEN_MAX 64

struct bench {
    int listeners[2];
    struct sockaddr_in addresses[2];
    struct acceptor *acceptor;
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t changed;
    int taken[TAKEN_MAX];
    size_t of[TAKEN_MAX]; /* which listener */
    size_t count;
    bool refuse;
};

static void take(void *ctx, size_t listener, int take_fd, const struct sockaddr *address,
                 socklen_t address_len)
{
    struct bench *b = ctx;
    bool refused;

    assert_true(address_len == sizeof(struct sockaddr_in) && address->sa_family == AF_INET);
    (void)pthread_mutex_lock(&b->mutex);
    refused = b->refuse;
    if (refused) {
        (void)close(take_fd);
    } else {
        b->of[b->count] = listener;
        b->taken[b->count++] = take_fd;
    }
    (void)pthread_cond_broadcast(&b->changed);
    (void)pthread_mutex_unlock(&b->mutex);
    if (refused)
        acceptor_ended(b->acceptor);
}

static void open_bench(struct bench *b, unsigned max_connections)
{
    const struct acceptor_conf conf = { .listen_fds = b->listeners,
                                        .listen_count = 2,
                                        .max_connections = max_connections,
                                        .take = take,
                                        .ctx = b };

    *b = (struct bench){ .count = 0 };
    (void)pthread_mutex_init(&b->mutex, NULL);
    (void)pthread_cond_init(&b->changed, NULL);
    for (int i = 0; i < 2; i++) {
        socklen_t len = sizeof b->addresses[i];

        b->addresses[i] = (struct sockaddr_in){ .sin_family = AF_INET,
                                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        b->listeners[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(b->listeners[i], (struct sockaddr *)&b->addresses[i], len), 0);
        assert_int_equal(
            getsockname(b->listeners[i], (struct sockaddr *)&b->addresses[i], &len), 0);
        assert_int_equal(listen(b->listeners[i], 16), 0);
    }
    assert_int_equal(acceptor_new(&conf, &b->acceptor, NULL), 0);
    assert_int_equal(acceptor_start(b->acceptor, NULL), 0);
}

static void close_bench(struct bench *b)
{
    b->acceptor = acceptor_free(b->acceptor);
    for (size_t i = 0; i < b->count; i++)
        (void)close(b->taken[i]);
    for (int i = 0; i < 2; i++)
        (void)close(b->listeners[i]);
    (void)pthread_mutex_destroy(&b->mutex);
    (void)pthread_cond_destroy(&b->changed);
}

static int client(struct bench *b, int listener)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(
        connect(fd, (struct sockaddr *)&b->addresses[listener], sizeof b->addresses[listener]),
        0);
    return fd;
}

static void await_taken(struct bench *b, size_t count)
{
    (void)pthread_mutex_lock(&b->mutex);
    while (b->count < count)
        (void)pthread_cond_wait(&b->changed, &b->mutex);
    (void)pthread_mutex_unlock(&b->mutex);
}

static void set_refuse(struct bench *b, bool refuse)
{
    (void)pthread_mutex_lock(&b->mutex);
    b->refuse = refuse;
    (void)pthread_mutex_unlock(&b->mutex);
}

static void each_socket_s_clients_are_told_apart(void **state)
{
    struct bench b;
    int first;
    int second;

    (void)state;
    open_bench(&b, 10);
    first = client(&b, 0);
    await_taken(&b, 1);
    second = client(&b, 1);
    await_taken(&b, 2);
    assert_int_equal(b.of[0], 0);
    assert_int_equal(b.of[1], 1);
    (void)close(first);
    (void)close(second);
    close_bench(&b);
}

static void beyond_the_limit_clients_wait(void **state)
{
    struct bench b;
    int clients[4];

    (void)state;
    open_bench(&b, 2);
    for (int i = 0; i < 4; i++)
        clients[i] = client(&b, i % 2); /* all connect: two of them to the backlog */
    await_taken(&b, 2);
    acceptor_ended(b.acceptor);
    await_taken(&b, 3);
    acceptor_ended(b.acceptor);
    await_taken(&b, 4);
    assert_int_equal(b.count, 4);
    for (int i = 0; i < 4; i++)
        (void)close(clients[i]);
    close_bench(&b);
}

/* A refused one does not count: else the third would wait for ever. */
static void who_is_refused_makes_room(void **state)
{
    struct bench b;
    char byte;
    int fd;

    (void)state;
    open_bench(&b, 1);
    set_refuse(&b, true);
    for (int i = 0; i < 3; i++) {
        fd = client(&b, 0);
        assert_int_equal(read(fd, &byte, 1), 0); /* closed */
        (void)close(fd);
    }
    set_refuse(&b, false);
    fd = client(&b, 0);
    await_taken(&b, 1);
    (void)close(fd);
    close_bench(&b);
}

static void after_the_stop_nobody_is_taken(void **state)
{
    struct bench b;
    int fd;

    (void)state;
    open_bench(&b, 10);
    acceptor_stop(b.acceptor);
    acceptor_stop(b.acceptor);
    fd = client(&b, 0); /* into the backlog: for the next server */
    acceptor_ended(b.acceptor);
    assert_int_equal(b.count, 0);
    (void)close(fd);
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_socket_s_clients_are_told_apart),
        cmocka_unit_test(beyond_the_limit_clients_wait),
        cmocka_unit_test(who_is_refused_makes_room),
        cmocka_unit_test(after_the_stop_nobody_is_taken),
    };

    return cmocka_run_group_tests_name("server/http/acceptor", tests, NULL, NULL);
}
