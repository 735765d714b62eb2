/* The real program as a person or an init system runs it: what it prints, and its exit codes.
 */
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/text.h"
#include "domain/json_text.h"
#include "domain/limits.h"
#include "tests/support/tmp.h"

#define ARGS_MAX 12

static char dir[TMP_SIZE];   /* a new one for each test */
static const char *variable; /* "NAME=value" for the next program, or NULL */

struct program {
    pid_t pid;
    int exit_code;
    struct buf out; /* once it has ended */
    struct buf err;
};

static void program_fini(struct program *p)
{
    if (p->pid > 0) {
        (void)kill(p->pid, SIGKILL);
        (void)waitpid(p->pid, NULL, 0);
    }
    buf_fini(&p->out);
    buf_fini(&p->err);
}
DEFINE_AUTO_FINI(program, struct program)

/* "<dir>/<name>", in a buffer of the next call but three. */
static const char *in_dir(const char *name)
{
    static char rooms[4][256];
    static unsigned next;
    char *room = rooms[next++ % COUNT_OF(rooms)];

    (void)snprintf(room, sizeof rooms[0], "%s/%s", dir, name);
    return room;
}

static void redirect(const char *name, int fd)
{
    int to = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (to < 0 || dup2(to, fd) < 0)
        _exit(126);
}

/* Start jobd with these arguments, separated by blanks; "@" in front of one is the test's
 * directory. */
static void start(struct program *p, const char *words)
{
    const char *path = getenv("JOBD_BIN"); // NOLINT(concurrency-mt-unsafe)
    AUTO(mem) char *room = mem_str(words);
    char *argv[ARGS_MAX + 2] = { room };
    pid_t parent = getpid();
    size_t argc = 1;

    for (char *w = room; *w && argc <= ARGS_MAX; argc++) {
        char *end = w + strcspn(w, " ");

        if (*end)
            *end++ = '\0';
        argv[argc] = *w == '@' ? mem_str(in_dir(w + 1)) : mem_str(w);
        w = end;
    }
    p->pid = fork();
    assert_return_code(p->pid, errno);
    if (p->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            _exit(126);
        redirect("out", 1);
        redirect("err", 2);
        if (variable && putenv(mem_str(variable)) != 0)
            _exit(126);
        (void)execv(path && *path ? path : "build/release/jobd", argv);
        _exit(127);
    }
    for (size_t i = 1; i < argc; i++)
        free(argv[i]);
}

/* Wait for its end. */
static void finish(struct program *p)
{
    AUTO_FINI(fd) int fd = pidfd_open(p->pid, 0);
    struct pollfd end = { .fd = fd, .events = POLLIN };
    struct errinfo e = { 0 };
    int status = 0;

    assert_true(fd >= 0);
    if (poll(&end, 1, PATIENCE_MS) != 1)
        fail_msg("it did not end within %d ms", PATIENCE_MS);
    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    p->pid = 0;
    assert_true(WIFEXITED(status));
    p->exit_code = WEXITSTATUS(status);
    (void)fd_read_file(in_dir("out"), 1 << 20, &p->out, &e);
    (void)fd_read_file(in_dir("err"), 1 << 20, &p->err, &e);
    (void)buf_reserve(&p->out, 1); /* "" rather than NULL */
    (void)buf_reserve(&p->err, 1);
    p->out.data[p->out.len] = '\0';
    p->err.data[p->err.len] = '\0';
}

static void run(struct program *p, const char *words)
{
    start(p, words);
    finish(p);
}

static void assert_ended(const struct program *p, int exit_code, const char *says)
{
    if (p->exit_code != exit_code)
        fail_msg("exit code %d instead of %d:\n%s", p->exit_code, exit_code, p->err.data);
    if (says && !strstr(p->err.data, says))
        fail_msg("\"%s\" does not say \"%s\"", p->err.data, says);
}

static void write_file(const char *name, const char *text)
{
    struct errinfo e = { 0 };

    assert_int_equal(fd_write_file_atomic(in_dir(name), 0600, text, strlen(text), &e), 0);
}

/* Start one that serves, and wait until it is ready. */
static void serve(struct program *p, const char *words)
{
    usec_t deadline_us = clock_mono_us() + PATIENCE_US;
    struct stat st;

    start(p, words);
    while (stat(in_dir("data/run/listen"), &st) < 0) {
        if (waitpid(p->pid, NULL, WNOHANG) != 0) {
            p->pid = 0;
            fail_msg("it has ended before it was ready");
        }
        if (clock_mono_us() > deadline_us)
            fail_msg("it was not ready within %d ms", PATIENCE_MS);
        (void)poll(NULL, 0, 5);
    }
}

static void stop(struct program *p)
{
    assert_return_code(kill(p->pid, SIGTERM), errno);
    finish(p);
    assert_ended(p, 0, NULL);
}

static int set_up(void **state)
{
    (void)state;
    variable = NULL;
    (void)tmp_dir_make(dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tmp_dir_remove(dir);
    return 0;
}

#define SERVE "--listen 127.0.0.1:0 --workers 1 --data-dir @data"

/* -- words and exit codes ----------------------------------------------------------------- */

static void version_and_help_are_printed(void **state)
{
    AUTO_FINI(program) struct program version = { 0 }, help = { 0 };

    (void)state;
    run(&version, "--version");
    assert_ended(&version, 0, NULL);
    assert_string_equal(version.out.data, "jobd " JOBD_VERSION "\n");
    run(&help, "--help");
    assert_ended(&help, 0, NULL);
    assert_non_null(strstr(help.out.data, "--data-dir DIR"));
    assert_non_null(strstr(help.out.data, "JOBD_DATA_DIR"));
    assert_int_equal(help.err.len, 0);
}

static void wrong_usage_is_64(void **state)
{
    static const struct {
        const char *words, *says;
    } cases[] = {
        { "--lisen x", "jobd: there is no option --lisen; did you mean --listen?\n" },
        { "--workers", "jobd: --workers needs a value: --workers N\n" },
        { "--workers many", "jobd: --workers: \"many\" is not a whole number from 0 to 512\n" },
        { "start", "jobd: there is no command \"start\"" },
        { "healthcheck nonsense", "is not an address" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(program) struct program p = { 0 };

        run(&p, cases[i].words);
        assert_ended(&p, EX_USAGE, cases[i].says);
        assert_int_equal(p.out.len, 0);
    }
}

static void a_wrong_file_is_78_with_its_lines(void **state)
{
    AUTO_FINI(program) struct program p = { 0 }, served = { 0 };
    struct stat st;

    (void)state;
    write_file("c.yaml",
               "workers: 2\ndurabilty: full\nfunctions:\n  - name: f\n    command: [\"}\"]\n");
    run(&p, "--check-config --config @c.yaml");
    assert_ended(&p, EX_CONFIG,
                 "c.yaml:2: durabilty: there is no such key; did you mean durability?\n");
    assert_ended(&p, EX_CONFIG, "c.yaml:5: functions[0].command[0] (f): ");
    run(&served, "--config @c.yaml " SERVE);
    assert_ended(&served, EX_CONFIG, "c.yaml:2: durabilty");
    assert_int_equal(stat(in_dir("data"), &st), -1); /* nothing was made */
}

static void a_missing_file_is_78(void **state)
{
    AUTO_FINI(program) struct program p = { 0 };

    (void)state;
    run(&p, "--config @none.yaml");
    assert_ended(&p, EX_CONFIG, "none.yaml: there is no such file\n");
}

static void a_right_file_is_0_and_nothing_is_started(void **state)
{
    AUTO_FINI(program) struct program p = { 0 };
    struct stat st;

    (void)state;
    write_file("c.yaml", "functions: [{name: f, command: [wc]}]\n");
    run(&p, "--check-config --config @c.yaml --data-dir @data");
    assert_ended(&p, 0, NULL);
    assert_non_null(strstr(p.out.data, "The configuration is right: 1 function,"));
    assert_int_equal(stat(in_dir("data"), &st), -1);
}

static void a_wrong_variable_is_78(void **state)
{
    AUTO_FINI(program) struct program p = { 0 };

    (void)state;
    variable = "JOBD_DURABILITY=some";
    run(&p, "--check-config");
    assert_ended(&p, EX_CONFIG,
                 "the environment's JOBD_DURABILITY: \"some\" is not full or relaxed");
}

static void the_environment_counts_when_there_is_no_flag(void **state)
{
    AUTO_FINI(program) struct program p = { 0 };

    (void)state;
    variable = "JOBD_DATA_DIR=/somewhere";
    run(&p, "--check-config");
    assert_ended(&p, 0, NULL);
    assert_non_null(strstr(p.out.data, "data in /somewhere\n"));
}

static void other_addresses_than_the_loopback_are_refused(void **state)
{
    static const char *const words[] = { "--listen 0.0.0.0:0 --data-dir @data",
                                         "--listen [::]:0 --data-dir @data",
                                         "--check-config --listen 0.0.0.0:0" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        AUTO_FINI(program) struct program p = { 0 };

        run(&p, words[i]);
        assert_ended(&p, EX_CONFIG, "--insecure");
    }
}

static void an_address_in_use_is_78(void **state)
{
    AUTO_FINI(program) struct program first = { 0 }, second = { 0 };
    AUTO_FINI(buf) struct buf address = { 0 };
    AUTO(mem) char *words = NULL;
    struct errinfo e = { 0 };

    (void)state;
    serve(&first, SERVE);
    assert_int_equal(fd_read_file(in_dir("data/run/listen"), 200, &address, &e), 0);
    address.data[strcspn(address.data, "\n")] = '\0';
    words = mem_printf("--listen %s --data-dir @other", address.data);
    run(&second, words);
    assert_ended(&second, EX_CONFIG, "is in use by another process");
    stop(&first);
}

/* -- one data directory ------------------------------------------------------------------- */

static void a_second_jobd_on_a_data_directory_says_so_and_ends(void **state)
{
    AUTO_FINI(program) struct program first = { 0 }, second = { 0 }, after = { 0 };
    AUTO(mem) char *says = NULL;
    struct stat st;

    (void)state;
    serve(&first, SERVE);
    says = mem_printf("a jobd with pid %d runs in the data directory already", (int)first.pid);
    run(&second, SERVE);
    assert_ended(&second, EX_TEMPFAIL, says);
    assert_int_equal(stat(in_dir("data/run/listen"), &st), 0); /* the first one's stays */
    stop(&first);
    serve(&after, SERVE);
    stop(&after);
}

static void run_listen_is_there_while_it_serves(void **state)
{
    AUTO_FINI(program) struct program p = { 0 };
    struct stat st;

    (void)state;
    serve(&p, SERVE);
    stop(&p);
    assert_int_equal(stat(in_dir("data/run/listen"), &st), -1);
    assert_int_equal(stat(in_dir("data/run/jobd.pid"), &st), -1);
}

static void set_schema_version(int version)
{
    AUTO(mem) char *sql = mem_printf("PRAGMA user_version = %d", version);
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(in_dir("data/jobd.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void a_data_directory_of_a_newer_jobd_is_refused(void **state)
{
    AUTO_FINI(program) struct program first = { 0 }, newer = { 0 };

    (void)state;
    serve(&first, SERVE);
    stop(&first);
    set_schema_version(99);
    run(&newer, SERVE);
    assert_ended(&newer, EX_CONFIG, "has schema version 99, made by a newer jobd");
}

/* -- the health check --------------------------------------------------------------------- */

static void the_health_check_tells_a_running_jobd_from_a_stopped_one(void **state)
{
    AUTO_FINI(program) struct program p = { 0 }, up = { 0 }, named = { 0 }, down = { 0 };
    AUTO_FINI(buf) struct buf address = { 0 };
    AUTO(mem) char *words = NULL;
    struct errinfo e = { 0 };

    (void)state;
    serve(&p, SERVE);
    /* Each program's output goes to the same files: those of p are written anew at its end. */
    run(&up, "healthcheck --data-dir @data");
    assert_ended(&up, 0, NULL);
    assert_int_equal(fd_read_file(in_dir("data/run/listen"), 200, &address, &e), 0);
    address.data[strcspn(address.data, "\n")] = '\0';
    words = mem_printf("healthcheck http://%s/", address.data);
    run(&named, words);
    assert_ended(&named, 0, NULL);
    stop(&p);
    run(&down, "healthcheck --data-dir @data");
    assert_ended(&down, 1, "no jobd is ready");
}

/* What the host allows is not ours to choose; that the report says it is. */
static void the_doctor_reports_for_people_and_for_machines(void **state)
{
    AUTO_FINI(program) struct program people = { 0 }, machines = { 0 }, hopeless = { 0 };
    AUTO(json) json_t *json = NULL;
    const char *found;
    int wanted;

    (void)state;
    run(&machines, "doctor --json --data-dir @data");
    assert_int_equal(json_text_parse(machines.out.data, machines.out.len, &json, NULL), 0);
    found = json_string_value(json_object_get(json, "state"));
    assert_non_null(found);
    wanted = strcmp(found, "ok") == 0 ? 0 : 1;
    assert_ended(&machines, wanted, NULL);
    assert_non_null(json_string_value(json_object_get(json, "containment")));
    assert_int_equal(json_object_size(json_object_get(json, "limits")), LIMIT_MAX_);
    assert_true(json_array_size(json_object_get(json, "checks")) >= 8);
    run(&people, "doctor --data-dir @data");
    assert_ended(&people, wanted, NULL);
    assert_non_null(strstr(people.out.data, "fsync takes"));
    assert_non_null(strstr(people.out.data, "limit memory_bytes"));
    run(&hopeless, "doctor --data-dir /proc/none");
    assert_ended(&hopeless, 1, NULL);
    assert_non_null(strstr(hopeless.out.data, "failed    data_dir"));
}

static void a_unix_socket_is_served_and_removed(void **state)
{
    AUTO_FINI(program) struct program p = { 0 }, up = { 0 };
    struct stat st;

    (void)state;
    write_file("c.yaml", "workers: 1\n");
    variable = NULL;
    {
        AUTO(mem)
        char *words =
            mem_printf("--config @c.yaml --data-dir @data --listen unix:%s", in_dir("sock"));
        serve(&p, words);
    }
    assert_int_equal(stat(in_dir("sock"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    run(&up, "healthcheck --data-dir @data");
    assert_ended(&up, 0, NULL);
    stop(&p);
    assert_int_equal(stat(in_dir("sock"), &st), -1);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(version_and_help_are_printed),
        CASE(wrong_usage_is_64),
        CASE(a_wrong_file_is_78_with_its_lines),
        CASE(a_missing_file_is_78),
        CASE(a_right_file_is_0_and_nothing_is_started),
        CASE(a_wrong_variable_is_78),
        CASE(the_environment_counts_when_there_is_no_flag),
        CASE(other_addresses_than_the_loopback_are_refused),
        CASE(an_address_in_use_is_78),
        CASE(a_second_jobd_on_a_data_directory_says_so_and_ends),
        CASE(run_listen_is_there_while_it_serves),
        CASE(a_data_directory_of_a_newer_jobd_is_refused),
        CASE(the_doctor_reports_for_people_and_for_machines),
        CASE(the_health_check_tells_a_running_jobd_from_a_stopped_one),
        CASE(a_unix_socket_is_served_and_removed),
    };

    return cmocka_run_group_tests_name("api/cli", tests, NULL, NULL);
}
