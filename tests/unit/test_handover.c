#include "tests/support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "pool/handover.h"

static char any_port[] = "127.0.0.1:0", bound[] = "127.0.0.1:43211";
static char unix_address[] = "unix:/tmp/with blank, and comma";

static struct handover example(void)
{
    return (struct handover){
        .pid = 4711,
        .protocol = 2,
        .data_device = 64769,
        .data_inode = (int64_t)1 << 40,
        .lock_fd = 5,
        .front_socket_fd = 7,
        .listeners = { { 8, any_port, bound }, { 9, unix_address, unix_address } },
        .listener_count = 2,
    };
}

static void what_is_written_is_read_again(void **state)
{
    struct handover h = example();
    AUTO_FINI(handover) struct handover got = { 0 };
    AUTO_FINI(buf) struct buf b = { 0 };

    (void)state;
    assert_int_equal(handover_format(&h, &b, NULL), 0);
    assert_int_equal(handover_parse(b.data, &got, NULL), 0);
    assert_int_equal(got.pid, 4711);
    assert_int_equal(got.protocol, 2);
    assert_int_equal(got.data_device, 64769);
    assert_true(got.data_inode == (int64_t)1 << 40);
    assert_int_equal(got.lock_fd, 5);
    assert_int_equal(got.front_socket_fd, 7);
    assert_int_equal(got.listener_count, 2);
    assert_int_equal(got.listeners[0].fd, 8);
    assert_string_equal(got.listeners[0].address, "127.0.0.1:0");
    assert_string_equal(got.listeners[0].name, "127.0.0.1:43211");
    assert_int_equal(got.listeners[1].fd, 9);
    assert_string_equal(got.listeners[1].address, unix_address);
}

static void an_address_that_would_break_a_line_is_refused(void **state)
{
    char tab[] = "unix:/tmp/a\tb";
    struct handover h = example();
    AUTO_FINI(buf) struct buf b = { 0 };

    (void)state;
    h.listeners[1].address = tab;
    assert_int_equal(handover_format(&h, &b, NULL), ERR_CONFIG);
}

static void lines_of_a_later_version_with_the_same_format_are_passed_over(void **state)
{
    AUTO_FINI(handover) struct handover got = { 0 };

    (void)state;
    assert_int_equal(
        handover_parse("jobd-handover 1\npid 1\nlock 3\nsomething 17\n", &got, NULL), 0);
    assert_int_equal(got.lock_fd, 3);
    assert_int_equal(got.front_socket_fd, -1);
}

static void anything_else_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "jobd-handover 2\npid 1\nlock 3\n",         /* another format */
        "jobd-handover 1\nlock 3\n",                /* whose? */
        "jobd-handover 1\npid 1\n",                 /* no lock */
        "jobd-handover 1\npid 1\nlock x\n",         /* no number */
        "jobd-handover 1\npid 1\nlock 3",           /* cut off */
        "jobd-handover 1\npid\nlock 3\n",           /* no value */
        "jobd-handover 1\npid 1\nlock 3\nlisten 8", /* cut off */
        "jobd-handover 1\npid 1\nlock 3\nlisten 8\n",
        "jobd-handover 1\npid 1\nlock 3\nlisten 8\ta\n",
        "jobd-handover 1\npid 1\nlock 3\nlisten -1\ta\tb\n",
    };
    struct handover got;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(handover_parse(wrong[i], &got, NULL), ERR_CONFIG);
}

static void more_sockets_than_there_is_room_for_are_refused(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    struct handover got;

    (void)state;
    buf_add_str(&b, "jobd-handover 1\npid 1\nlock 3\n");
    for (int i = 0; i <= HANDOVER_LISTENERS_MAX; i++)
        buf_add_str(&b, "listen 8\ta\tb\n");
    assert_int_equal(handover_parse(b.data, &got, NULL), ERR_CONFIG);
}

static void its_descriptors_outlive_an_exec_only_when_they_are_to(void **state)
{
    struct handover h = example();
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_true(fd >= 0);
    h.lock_fd = -1;
    h.front_socket_fd = -1;
    h.listener_count = 1;
    h.listeners[0].fd = fd;
    handover_keep(&h, true);
    assert_int_equal(fcntl(fd, F_GETFD), 0);
    handover_keep(&h, false);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(an_address_that_would_break_a_line_is_refused),
        cmocka_unit_test(lines_of_a_later_version_with_the_same_format_are_passed_over),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(more_sockets_than_there_is_room_for_are_refused),
        cmocka_unit_test(its_descriptors_outlive_an_exec_only_when_they_are_to),
    };

    return cmocka_run_group_tests_name("pool/handover", tests, NULL, NULL);
}
