#include "tests/support/test.h"

#include "server/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/text.h"
#include "server/healthcheck.h"
#include "tests/support/tmp.h"

/* -- addresses ---------------------------------------------------------------------------- */

static void addresses_of_three_kinds_are_understood(void **state)
{
    static const struct {
        const char *text;
        int family;
        bool local;
    } good[] = {
        { "127.0.0.1:8080", AF_INET, true },
        { "127.9.9.9:0", AF_INET, true },
        { "localhost:65535", AF_INET, true },
        { "0.0.0.0:80", AF_INET, false },
        { "192.168.1.2:80", AF_INET, false },
        { "[::1]:8080", AF_INET6, true },
        { "[::]:8080", AF_INET6, false },
        { "[2001:db8::1]:1", AF_INET6, false },
        { "[::ffff:127.0.0.1]:1", AF_INET6, false },
        { "unix:/run/x", AF_UNIX, true },
        { "unix:relative", AF_UNIX, true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct address a;
        struct errinfo e = { 0 };

        assert_int_equal(address_parse(good[i].text, &a, &e), 0);
        assert_int_equal(a.sockaddr.ss_family, good[i].family);
        assert_int_equal(address_is_local(&a), good[i].local);
    }
}

static void what_is_no_address_is_refused_with_what_one_looks_like(void **state)
{
    static const char *const bad[] = {
        "",
        "8080",
        ":8080",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "1.2.3:4",
        "*:8080",
        "::1:8080",
        "[::1]",
        "[]:1",
        "[::1:8080",
        "example.org:80",
        "tcp://127.0.0.1:80",
        "[127.0.0.1]:80",
    };
    char path[200];
    struct address a;
    struct errinfo e = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(address_parse(bad[i], &a, &e), ERR_CONFIG);
        assert_non_null(strstr(e.text, "127.0.0.1:8080"));
    }
    assert_int_equal(address_parse("unix:", &a, &e), ERR_CONFIG);
    (void)memset(path, 'x', sizeof path);
    (void)memcpy(path, "unix:/", 6);
    path[5 + 108] = '\0';
    assert_int_equal(address_parse(path, &a, &e), ERR_CONFIG);
    assert_non_null(strstr(e.text, "at most 107 bytes"));
    path[5 + 107] = '\0';
    assert_int_equal(address_parse(path, &a, &e), 0);
}

/* -- sockets ------------------------------------------------------------------------------ */

static int open_at(const char *address, enum listen_reach reach, struct listeners *ls,
                   struct errinfo *e)
{
    AUTO(mem) char *text = mem_str(address);
    char *list[] = { text };

    return listeners_open(list, 1, reach, NULL, ls, e);
}

static void port_0_becomes_a_real_port(void **state)
{
    char first[] = "127.0.0.1:0", second[] = "[::1]:0";
    char *both[] = { first, second };
    AUTO_FINI(listeners) struct listeners ls = { 0 };
    struct errinfo e = { 0 };
    struct address a;

    (void)state;
    assert_int_equal(listeners_open(both, 2, LISTEN_LOCAL, NULL, &ls, &e), 0);
    assert_int_equal(ls.count, 2);
    assert_true(text_starts(ls.names[0], "127.0.0.1:", NULL));
    assert_true(text_starts(ls.names[1], "[::1]:", NULL));
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(address_parse(ls.names[i], &a, &e), 0);
        assert_true(fcntl(ls.fds[i], F_GETFD) & FD_CLOEXEC);
        assert_true(fcntl(ls.fds[i], F_GETFL) & O_NONBLOCK);
        assert_null(strstr(ls.names[i] + strlen(ls.names[i]) - 2, ":0"));
    }
}

static void addresses_that_others_can_reach_need_insecure(void **state)
{
    struct errinfo e = { 0 };

    (void)state;
    for (int i = 0; i < 2; i++) {
        AUTO_FINI(listeners) struct listeners ls = { 0 };
        const char *address = i == 0 ? "0.0.0.0:0" : "[::]:0";

        assert_int_equal(open_at(address, LISTEN_LOCAL, &ls, &e), ERR_CONFIG);
        assert_non_null(strstr(e.text, "--insecure"));
        assert_int_equal(open_at(address, LISTEN_INSECURE, &ls, &e), 0);
    }
}

static void over_tls_others_may_come_with_a_credential(void **state)
{
    static const struct {
        const char *address;
        enum listen_reach reach;
        const char *remedy; /* NULL: it is allowed */
    } cases[] = {
        { "tls:0.0.0.0:0", LISTEN_TLS, NULL },
        { "tls:0.0.0.0:0", LISTEN_INSECURE, NULL },
        { "tls:127.0.0.1:0", LISTEN_LOCAL, NULL },
        { "tls:0.0.0.0:0", LISTEN_LOCAL, "--auth=required" },
        { "0.0.0.0:0", LISTEN_TLS, "tls:ADDRESS" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(listeners) struct listeners ls = { 0 };
        struct errinfo e = { 0 };
        int r = open_at(cases[i].address, cases[i].reach, &ls, &e);

        assert_int_equal(r, cases[i].remedy ? ERR_CONFIG : 0);
        if (cases[i].remedy)
            assert_non_null(strstr(e.text, cases[i].remedy));
        else
            assert_int_equal(strncmp(ls.names[0], cases[i].address, 8), 0);
    }
}

static void tls_goes_before_a_host_only(void **state)
{
    struct errinfo e = { 0 };
    struct address a = { 0 };

    (void)state;
    assert_int_equal(address_parse("tls:[::1]:8443", &a, &e), 0);
    assert_true(a.tls);
    assert_int_equal(address_parse("[::1]:8443", &a, &e), 0);
    assert_false(a.tls);
    assert_int_equal(address_parse("tls:unix:/run/jobd.sock", &a, &e), ERR_CONFIG);
    assert_int_equal(address_parse("tls:", &a, &e), ERR_CONFIG);
}

static void an_address_in_use_is_refused(void **state)
{
    AUTO_FINI(listeners) struct listeners one = { 0 }, two = { 0 };
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(open_at("127.0.0.1:0", false, &one, &e), 0);
    assert_int_equal(open_at(one.names[0], false, &two, &e), ERR_CONFIG);
    assert_non_null(strstr(e.text, "in use"));
}

static void a_list_has_1_to_16_addresses(void **state)
{
    char text[] = "127.0.0.1:0";
    char *many[LISTEN_MAX + 1];
    struct errinfo e = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = text;
    assert_int_equal(listeners_check(many, 0, false, &e), ERR_CONFIG);
    assert_int_equal(listeners_check(many, LISTEN_MAX, false, &e), 0);
    assert_int_equal(listeners_check(many, LISTEN_MAX + 1, false, &e), ERR_CONFIG);
}

static void a_unix_socket_is_for_owner_and_group_and_goes_with_its_listener(void **state)
{
    char dir[TMP_SIZE];
    AUTO(mem) char *address = mem_printf("unix:%s/s", tmp_dir_make(dir));
    AUTO_FINI(listeners) struct listeners ls = { 0 };
    struct errinfo e = { 0 };
    struct stat st;

    (void)state;
    assert_int_equal(open_at(address, LISTEN_LOCAL, &ls, &e), 0);
    assert_int_equal(stat(address + 5, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    assert_string_equal(ls.names[0], address);
    listeners_fini(&ls);
    assert_int_equal(stat(address + 5, &st), -1);
    tmp_dir_remove(dir);
}

static void a_stale_unix_socket_is_replaced_and_a_served_one_is_not(void **state)
{
    char dir[TMP_SIZE];
    AUTO(mem) char *address = mem_printf("unix:%s/s", tmp_dir_make(dir));
    AUTO_FINI(listeners) struct listeners ls = { 0 }, again = { 0 };
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(open_at(address, LISTEN_LOCAL, &ls, &e), 0);
    assert_int_equal(open_at(address, false, &again, &e), ERR_CONFIG);
    assert_non_null(strstr(e.text, "served by another process"));
    fd_fini(&ls.fds[0]); /* as if its process had been killed: the file stays */
    assert_int_equal(open_at(address, false, &again, &e), 0);
    tmp_dir_remove(dir);
}

static void a_file_that_is_no_socket_stays(void **state)
{
    char dir[TMP_SIZE];
    AUTO(mem) char *address = mem_printf("unix:%s/s", tmp_dir_make(dir));
    AUTO_FINI(listeners) struct listeners ls = { 0 };
    struct errinfo e = { 0 };
    struct stat st;

    (void)state;
    assert_int_equal(fd_write_file_atomic(address + 5, 0600, "x", 1, &e), 0);
    assert_int_equal(open_at(address, LISTEN_LOCAL, &ls, &e), ERR_CONFIG);
    assert_non_null(strstr(e.text, "not a socket"));
    assert_int_equal(stat(address + 5, &st), 0);
    tmp_dir_remove(dir);
}

static void the_names_are_published_one_a_line(void **state)
{
    char dir[TMP_SIZE];
    AUTO(mem) char *run = mem_printf("%s/run", tmp_dir_make(dir));
    AUTO(mem) char *file = mem_printf("%s/run/listen", dir);
    AUTO_FINI(buf) struct buf b = { 0 };
    char a[] = "127.0.0.1:43211", u[] = "unix:/x";
    struct listeners ls = { .fds = { -1, -1 }, .names = { a, u }, .count = 2 };
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(fd_make_dirs(run, 0700, &e), 0);
    assert_int_equal(listeners_publish(&ls, dir, &e), 0);
    assert_int_equal(fd_read_file(file, 100, &b, &e), 0);
    assert_string_equal(b.data, "127.0.0.1:43211\nunix:/x\n");
    listeners_unpublish(dir);
    assert_int_equal(fd_read_file(file, 100, &b, &e), ERR_NOT_FOUND);
    listeners_unpublish(dir);
    tmp_dir_remove(dir);
}

/* -- the health check --------------------------------------------------------------------- */

static void nobody_there_is_not_ready(void **state)
{
    char dir[TMP_SIZE];
    AUTO(mem) char *address = mem_printf("unix:%s/s", tmp_dir_make(dir));
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(healthcheck(address, dir, USEC_PER_SEC, &e), ERR_NOT_READY);
    assert_int_equal(healthcheck(NULL, dir, USEC_PER_SEC, &e), ERR_NOT_READY);
    assert_non_null(strstr(e.text, "there is no run/listen"));
    assert_int_equal(healthcheck("nonsense", dir, USEC_PER_SEC, &e), ERR_CONFIG);
    tmp_dir_remove(dir);
}

static void a_server_that_does_not_answer_is_given_up(void **state)
{
    AUTO_FINI(listeners) struct listeners ls = { 0 };
    struct errinfo e = { 0 };

    (void)state;
    assert_int_equal(open_at("127.0.0.1:0", false, &ls, &e), 0);
    assert_int_equal(healthcheck(ls.names[0], "", 20 * USEC_PER_MS, &e), ERR_NOT_READY);
    assert_string_equal(e.text, "no answer in time");
}

/* ---- from one image to the next --------------------------------------------------------- */

static void what_is_inherited_is_not_bound_again_and_the_rest_is_left(void **state)
{
    char any[] = "127.0.0.1:0", other[] = "[::1]:0";
    char *before[] = { any, other }, *after[] = { any };
    AUTO_FINI(listeners) struct listeners old = { 0 };
    AUTO_FINI(listeners) struct listeners ls = { 0 };
    AUTO(mem) char *name = NULL;
    struct errinfo e = { 0 };
    int fd;

    (void)state;
    assert_int_equal(listeners_open(before, 2, LISTEN_LOCAL, NULL, &old, &e), 0);
    name = mem_str(old.names[0]);
    fd = old.fds[0];
    assert_int_equal(listeners_open(after, 1, false, &old, &ls, &e), 0);
    assert_int_equal(ls.count, 1);
    assert_int_equal(ls.fds[0], fd);
    assert_string_equal(ls.names[0], name);
    assert_string_equal(ls.addresses[0], "127.0.0.1:0");
    assert_int_equal(old.fds[0], -1);
    assert_true(old.fds[1] >= 0); /* [::1] is not wanted any more: the caller's to close */
}

static void an_address_may_be_named_by_what_came_of_it(void **state)
{
    char any[] = "127.0.0.1:0";
    char *before[] = { any }, *after[] = { NULL };
    AUTO_FINI(listeners) struct listeners old = { 0 };
    AUTO_FINI(listeners) struct listeners ls = { 0 };
    AUTO(mem) char *name = NULL;
    struct errinfo e = { 0 };
    int fd;

    (void)state;
    assert_int_equal(listeners_open(before, 1, false, NULL, &old, &e), 0);
    fd = old.fds[0];
    after[0] = name = mem_str(old.names[0]);
    assert_int_equal(listeners_open(after, 1, false, &old, &ls, &e), 0);
    assert_int_equal(ls.fds[0], fd);
}

static void a_new_address_that_cannot_be_had_leaves_what_is_inherited(void **state)
{
    char any[] = "127.0.0.1:0", bad[] = "unix:/nonexistent/sock";
    char *before[] = { any }, *after[] = { any, bad };
    AUTO_FINI(listeners) struct listeners old = { 0 };
    AUTO_FINI(listeners) struct listeners ls = { 0 };
    struct errinfo e = { 0 };
    int fd;

    (void)state;
    assert_int_equal(listeners_open(before, 1, false, NULL, &old, &e), 0);
    fd = old.fds[0];
    assert_true(listeners_open(after, 2, false, &old, &ls, &e) < 0);
    assert_int_equal(old.count, 1);
    assert_int_equal(old.fds[0], fd);
    assert_int_equal(ls.count, 0);
    assert_true(listeners_try(after, 2, false, &old, &e) < 0);
    assert_int_equal(listeners_try(after, 1, false, &old, &e), 0); /* and nothing was bound */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_three_kinds_are_understood),
        cmocka_unit_test(what_is_no_address_is_refused_with_what_one_looks_like),
        cmocka_unit_test(port_0_becomes_a_real_port),
        cmocka_unit_test(addresses_that_others_can_reach_need_insecure),
        cmocka_unit_test(over_tls_others_may_come_with_a_credential),
        cmocka_unit_test(tls_goes_before_a_host_only),
        cmocka_unit_test(an_address_in_use_is_refused),
        cmocka_unit_test(a_list_has_1_to_16_addresses),
        cmocka_unit_test(a_unix_socket_is_for_owner_and_group_and_goes_with_its_listener),
        cmocka_unit_test(a_stale_unix_socket_is_replaced_and_a_served_one_is_not),
        cmocka_unit_test(a_file_that_is_no_socket_stays),
        cmocka_unit_test(the_names_are_published_one_a_line),
        cmocka_unit_test(nobody_there_is_not_ready),
        cmocka_unit_test(a_server_that_does_not_answer_is_given_up),
        cmocka_unit_test(what_is_inherited_is_not_bound_again_and_the_rest_is_left),
        cmocka_unit_test(an_address_may_be_named_by_what_came_of_it),
        cmocka_unit_test(a_new_address_that_cannot_be_had_leaves_what_is_inherited),
    };

    return cmocka_run_group_tests_name("server/listen", tests, NULL, NULL);
}
