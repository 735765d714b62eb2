#include "tests/support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "pool/proto.h"
#include "server/image.h"
#include "tests/support/tmp.h"

static char program[] = "/usr/bin/jobd", option[] = "--workers=2", bare[] = "jobd";
static char any_port[] = "127.0.0.1:0", name[] = "127.0.0.1:43211";
static char data_dir[TMP_SIZE];

/* As an image with this pid leaves it. */
static struct handover left_by(pid_t pid)
{
    struct stat st;

    assert_int_equal(stat(data_dir, &st), 0);
    return (struct handover){
        .pid = pid,
        .protocol = PROTO_VERSION,
        .data_device = (int64_t)st.st_dev,
        .data_inode = (int64_t)st.st_ino,
        .lock_fd = 100,
        .front_socket_fd = -1,
        .listeners = { { 101, any_port, name } },
        .listener_count = 1,
    };
}

static void init(struct image *im, const struct handover *h)
{
    static char *const argv[] = { program, option, NULL };
    AUTO_FINI(buf) struct buf b = { 0 };

    if (h) {
        assert_int_equal(handover_format(h, &b, NULL), 0);
        assert_int_equal(setenv(HANDOVER_VARIABLE, b.data, 1), 0);
    }
    image_init(im, 2, argv);
    assert_null(getenv(HANDOVER_VARIABLE)); /* nobody else is to take it for his */
}

static struct settings settings_of(char *dir, char *address)
{
    struct settings s;

    settings_init(&s);
    text_list_fini(&s.listen); /* the default */
    text_list_add(&s.listen, address);
    free(s.data_dir);
    s.data_dir = mem_str(dir);
    return s;
}

static void a_program_that_was_started_inherits_nothing(void **state)
{
    AUTO_FINI(settings) struct settings s = settings_of(data_dir, any_port);
    AUTO_FINI(image) struct image im;

    (void)state;
    init(&im, NULL);
    assert_false(im.inherits);
    assert_false(im.checks);
    assert_int_equal(image_check(&im, &s, NULL), 0);
}

static void it_finds_itself_again_and_adds_the_check(void **state)
{
    static char *const argv[] = { bare, NULL };
    AUTO_FINI(image) struct image im;
    char self[TMP_SIZE * 8] = "";

    (void)state;
    init(&im, NULL);
    assert_string_equal(im.path, "/usr/bin/jobd"); /* as it was called */
    assert_string_equal(im.check_argv[1], "--workers=2");
    assert_string_equal(im.check_argv[2], "--check-config");
    assert_null(im.check_argv[3]);
    image_fini(&im);

    image_init(&im, 1, argv); /* found in PATH */
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    assert_string_equal(im.path, self);
}

static void what_belongs_to_another_process_says_nothing(void **state)
{
    struct handover h = left_by(1 << 30);
    AUTO_FINI(image) struct image im;

    (void)state;
    init(&im, &h);
    assert_false(im.inherits);
    assert_false(im.checks);
    image_fini(&im);
    assert_int_equal(setenv(HANDOVER_VARIABLE, "nonsense\n", 1), 0);
    init(&im, NULL);
    assert_false(im.inherits);
    assert_false(im.checks);
}

static void an_image_takes_over_from_itself_only(void **state)
{
    struct handover h = left_by(getpid());
    AUTO_FINI(settings) struct settings s = settings_of(data_dir, any_port);
    AUTO_FINI(listeners) struct listeners ls = { 0 };
    AUTO_FINI(image) struct image im;
    int lock_fd = -1;

    (void)state;
    assert_int_equal(dup2(0, 100), 100);
    h.listeners[0].fd = fcntl(0, F_DUPFD, 101);
    init(&im, &h);
    assert_true(im.inherits);
    assert_false(im.checks);
    assert_int_equal(fcntl(100, F_GETFD), FD_CLOEXEC); /* not for jobs */
    assert_int_equal(image_lock(&im, &s, &lock_fd, NULL), 0);
    assert_int_equal(lock_fd, 100);
    assert_int_equal(image_listen(&im, &s, &ls, NULL), 0);
    assert_int_equal(ls.count, 1);
    assert_int_equal(ls.fds[0], h.listeners[0].fd);
    assert_string_equal(ls.names[0], "127.0.0.1:43211");
    (void)close(100);
}

/* When there is no way back, what there was is better than nothing. */
static void an_image_that_cannot_bind_goes_on_with_what_it_inherits(void **state)
{
    struct handover h = left_by(getpid());
    char bad[] = "unix:/nonexistent/sock";
    AUTO_FINI(settings) struct settings s = settings_of(data_dir, bad);
    AUTO_FINI(listeners) struct listeners ls = { 0 };
    AUTO_FINI(image) struct image im;
    struct errinfo e;

    (void)state;
    h.listeners[0].fd = fcntl(0, F_DUPFD, 101);
    init(&im, &h);
    assert_int_equal(image_listen(&im, &s, &ls, &e), 0);
    assert_int_equal(ls.count, 1);
    assert_string_equal(ls.names[0], "127.0.0.1:43211");
}

static void a_check_says_what_a_change_would_run_into(void **state)
{
    struct handover h = left_by(getppid());
    char tmp[] = "/tmp", bad[] = "unix:/nonexistent/sock";
    AUTO_FINI(settings) struct settings same = settings_of(data_dir, any_port);
    AUTO_FINI(settings) struct settings elsewhere = settings_of(tmp, any_port);
    AUTO_FINI(settings) struct settings unbound = settings_of(data_dir, bad);
    AUTO_FINI(image) struct image im;
    struct errinfo e;

    (void)state;
    init(&im, &h);
    assert_true(im.checks);
    assert_false(im.inherits);
    assert_int_equal(image_check(&im, &same, &e), 0);
    assert_int_equal(image_check(&im, &elsewhere, &e), ERR_CONFIG);
    assert_non_null(strstr(e.text, "data_dir"));
    assert_true(image_check(&im, &unbound, &e) < 0);
    assert_non_null(strstr(e.text, bad));
    im.handover.protocol++;
    assert_int_equal(image_check(&im, &same, &e), ERR_CONFIG);
    assert_non_null(strstr(e.text, "workers"));
}

static int make_dir(void **state)
{
    (void)state;
    log_set_fd(-1);
    tmp_dir_make(data_dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    tmp_dir_remove(data_dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_that_was_started_inherits_nothing),
        cmocka_unit_test(it_finds_itself_again_and_adds_the_check),
        cmocka_unit_test(what_belongs_to_another_process_says_nothing),
        cmocka_unit_test(an_image_takes_over_from_itself_only),
        cmocka_unit_test(an_image_that_cannot_bind_goes_on_with_what_it_inherits),
        cmocka_unit_test(a_check_says_what_a_change_would_run_into),
    };

    return cmocka_run_group_tests_name("server/image", tests, make_dir, remove_dir);
}
