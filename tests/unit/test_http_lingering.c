/* Connections that are shut, but not yet closed: what they still take, and when they go. */
#include "tests/support/test.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "server/http/lingering.h"

/* The client's end of a connection of which the other one lingers. */
static int hand_over(struct lingering *l)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    lingering_take(l, ends[1]);
    return ends[0];
}

static struct lingering *open_one(usec_t silent_us, usec_t all_us, uint64_t bytes)
{
    const struct lingering_conf conf = { silent_us, all_us, bytes };
    struct lingering *l = NULL;

    assert_int_equal(lingering_new(&conf, &l, NULL), 0);
    return l;
}

static void assert_end_is_read(int fd)
{
    char byte;

    assert_int_equal(read(fd, &byte, 1), 0);
}

/* Hung up, not only shut. */
static void await_closed(int fd)
{
    struct pollfd p = { .fd = fd };

    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    assert_true(p.revents & POLLHUP);
}

static void what_still_comes_is_taken_and_the_end_is_seen_at_once(void **state)
{
    AUTO(lingering) struct lingering *l = open_one(PATIENCE_US, PATIENCE_US, 0);
    static const char block[1 << 20];
    AUTO_FINI(fd) int fd = hand_over(l);

    (void)state;
    assert_end_is_read(fd);
    for (int i = 0; i < 4; i++)
        assert_int_equal(fd_write_all(fd, block, sizeof block, NULL), 0);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    await_closed(fd);
}

static void one_that_is_silent_goes(void **state)
{
    AUTO(lingering) struct lingering *l = open_one(1, PATIENCE_US, 0);
    AUTO_FINI(fd) int fd = hand_over(l);

    (void)state;
    await_closed(fd);
}

static void one_that_goes_on_and_on_goes(void **state)
{
    static const char block[4096];
    AUTO(lingering) struct lingering *l = open_one(PATIENCE_US, PATIENCE_US, 1 << 20);
    AUTO_FINI(fd) int fd = hand_over(l);
    size_t sent = 0;
    ssize_t n;

    (void)state;
    while ((n = send(fd, block, sizeof block, MSG_NOSIGNAL)) > 0)
        sent += (size_t)n;
    assert_true(errno == EPIPE || errno == ECONNRESET);
    assert_true(sent >= 1 << 20);
}

static void one_that_trickles_goes_when_its_time_is_over(void **state)
{
    AUTO(lingering) struct lingering *l = open_one(PATIENCE_US, 1, 0);
    AUTO_FINI(fd) int fd = hand_over(l);

    (void)state;
    (void)send(fd, "x", 1, MSG_NOSIGNAL); /* it may have gone by now */
    await_closed(fd);
}

static void one_too_many_is_closed(void **state)
{
    AUTO(lingering) struct lingering *l = open_one(PATIENCE_US, PATIENCE_US, 0);
    int fds[LINGERING_MAX + 1];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        fds[i] = hand_over(l);
        assert_end_is_read(fds[i]); /* it has been looked at */
    }
    await_closed(fds[LINGERING_MAX]);
    for (size_t i = 0; i < LINGERING_MAX; i++) {
        assert_int_equal(send(fds[i], "x", 1, MSG_NOSIGNAL), 1);
        fd_fini(&fds[i]);
    }
    fd_fini(&fds[LINGERING_MAX]);
}

static void the_end_closes_all(void **state)
{
    struct lingering *l = open_one(PATIENCE_US, PATIENCE_US, 0);
    AUTO_FINI(fd) int first = hand_over(l);
    AUTO_FINI(fd) int second = hand_over(l);

    (void)state;
    l = lingering_free(l);
    assert_null(l);
    await_closed(first);
    await_closed(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_still_comes_is_taken_and_the_end_is_seen_at_once),
        cmocka_unit_test(one_that_is_silent_goes),
        cmocka_unit_test(one_that_goes_on_and_on_goes),
        cmocka_unit_test(one_that_trickles_goes_when_its_time_is_over),
        cmocka_unit_test(one_too_many_is_closed),
        cmocka_unit_test(the_end_closes_all),
    };

    return cmocka_run_group_tests_name("server/http/lingering", tests, NULL, NULL);
}
