/* The wall clock is set ahead and back by hours while jobs wait and run: what is measured by it
 * follows, everything else does not notice. See docs/faults.md.
 *
 * The machine's clock is left alone: tests/preload/step_clock.c moves that of jobd. */
#include "tests/support/api.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "tests/support/proc.h"

#define HOUR_S 3600
#define LATER  "2" /* seconds: enough for the test to come first */

static const char config[] =
    "workers: 2\n"
    "allow_commands: true\n";

static _Atomic int64_t *ahead_seconds; /* in the file that jobd has in memory, too */
static char dir[64];

/* -- the setup ------------------------------------------------------------------------------
 */

static const char *in_dir(const char *name, char room[128])
{
    (void)snprintf(room, 128, "%s/%s", dir, name);
    return room;
}

static void make_clock_file(void)
{
    char path[128];
    AUTO_FINI(fd) int fd = open(in_dir("clock", path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    assert_return_code(fd, errno);
    assert_return_code(ftruncate(fd, sizeof *ahead_seconds), errno);
    ahead_seconds =
        mmap(NULL, sizeof *ahead_seconds, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(ahead_seconds != MAP_FAILED);
}

/* JOBD_BIN becomes a script that starts what it was with another clock. The libraries of the
 * sanitizers want to be the first that are loaded, but do not need to be. */
static void make_starter(void)
{
    const char *given = getenv("JOBD_BIN"); // NOLINT(concurrency-mt-unsafe)
    AUTO(mem) char *program = realpath(given && *given ? given : "build/release/jobd", NULL);
    AUTO_FINI(buf) struct buf b = { 0 };
    char path[128];
    struct errinfo e;

    assert_non_null(program);
    buf_printf(&b,
               "#!/bin/sh\n"
               "export STEP_CLOCK_FILE=%s/clock\n"
               "export ASAN_OPTIONS=\"$ASAN_OPTIONS:verify_asan_link_order=0\"\n"
               "export LD_PRELOAD=%.*s/tests/preload/step_clock.so\n"
               "exec %s \"$@\"\n",
               dir, (int)(strrchr(program, '/') - program), program, program);
    assert_int_equal(fd_write_file_atomic(in_dir("start", path), 0755, b.data, b.len, &e), 0);
    assert_int_equal(setenv("JOBD_BIN", path, 1), 0); // NOLINT(concurrency-mt-unsafe)
}

static int set_up(void **state)
{
    (void)snprintf(dir, sizeof dir, "/tmp/jobd-clock-XXXXXX");
    assert_non_null(mkdtemp(dir));
    make_clock_file();
    make_starter();
    return api_setup(state);
}

static int tear_down(void **state)
{
    char path[128];
    int r = api_teardown(state);

    (void)unlink(in_dir("clock", path));
    (void)unlink(in_dir("start", path));
    (void)rmdir(dir);
    return r;
}

static int set_clock_right(void **state)
{
    (void)state;
    *ahead_seconds = 0;
    return 0;
}

/* -- what is to be seen ---------------------------------------------------------------------
 */

static void check_state(const struct api *a, const char *id, const char *state)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_get(a, api_job_path(id, ""), &r);
    assert_string_equal(api_text(&r, "state"), state);
}

/* Only by looking: a long-poll would make the engine look at the clock. */
static void await_unasked(const struct api *a, const char *id)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    usec_t start_us = clock_mono_us();

    for (;;) {
        api_get(a, api_job_path(id, ""), &r);
        if (strcmp(api_text(&r, "state"), "succeeded") == 0)
            return;
        if (clock_mono_us() - start_us > PATIENCE_US)
            fail_msg("the job is %s", api_text(&r, "state"));
        (void)usleep(20000);
    }
}

static double wall_seconds(const struct api_reply *r)
{
    return json_number_value(api_at(r->json, "usage.wall_seconds"));
}

static void start_sleep(const struct api *a, const char *seconds, const char *more,
                        char id[API_ID_SIZE])
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *body = mem_printf("{\"command\":[\"sleep\",\"%s\"]%s}", seconds, more);

    (void)api_submit(a, body, id);
    api_await_state(a, id, "running", &r);
}

/* The clock that the tests are about is really that of jobd. */
static void the_clock_of_jobd_can_be_set(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char now[CLOCK_TEXT_SIZE];

    *ahead_seconds = 40L * 366 * 86400;
    api_post(a, "/v1/jobs", "{\"command\":[\"true\"],\"delay_seconds\":1}", &r);
    assert_status(&r, 202);
    (void)clock_format(clock_wall_us(), now);
    assert_true(strncmp(api_text(&r, "created_at"), "20", 2) == 0);
    assert_true(strtol(api_text(&r, "created_at"), NULL, 10) >= strtol(now, NULL, 10) + 40);
}

static void a_job_becomes_due_when_the_clock_is_set_ahead(void **state)
{
    const struct api *a = *state;
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"command\":[\"true\"],\"delay_seconds\":7000}", id);
    check_state(a, id, "scheduled");
    *ahead_seconds = 2L * HOUR_S;
    await_unasked(a, id);
}

static void a_job_waits_for_its_time_when_the_clock_is_set_back(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char later[API_ID_SIZE];
    char now[API_ID_SIZE];

    (void)api_submit(a, "{\"command\":[\"true\"],\"delay_seconds\":" LATER "}", later);
    *ahead_seconds = -3L * HOUR_S;
    (void)api_submit(a, "{\"command\":[\"sleep\",\"" LATER ".5\"]}", now);
    api_await(a, now, &r); /* work that needs no clock goes on */
    assert_string_equal(api_text(&r, "state"), "succeeded");
    check_state(a, later, "scheduled");
    *ahead_seconds = 0;
    await_unasked(a, later);
}

static void a_timeout_is_neither_early_nor_late(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char early[API_ID_SIZE];
    char late[API_ID_SIZE];

    start_sleep(a, LATER, ",\"timeout_seconds\":600", early);
    *ahead_seconds = 5L * HOUR_S;
    api_await(a, early, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_true(wall_seconds(&r) >= 1 && wall_seconds(&r) < PATIENCE_S);

    start_sleep(a, "600", ",\"timeout_seconds\":" LATER, late);
    *ahead_seconds = -5L * HOUR_S;
    api_await(a, late, &r);
    assert_string_equal(api_text(&r, "failure.reason"), "deadline_exceeded");
    assert_true(wall_seconds(&r) >= 1 && wall_seconds(&r) < PATIENCE_S);
}

static void check_long_poll(const struct api *a, const char *id, int64_t step_seconds)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    usec_t start_us = clock_mono_us();

    *ahead_seconds += step_seconds;
    api_get(a, api_job_path(id, "?wait=1"), &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "state"), "running");
    assert_true(clock_mono_us() - start_us >= USEC_PER_SEC * 9 / 10);
    assert_true(clock_mono_us() - start_us < 40 * USEC_PER_SEC);
}

static void a_long_poll_takes_as_long_as_it_was_asked_to(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    start_sleep(a, "600", "", id);
    check_long_poll(a, id, 4L * HOUR_S);
    check_long_poll(a, id, -9L * HOUR_S);
    api_post(a, api_job_path(id, ":cancel"), "{}", &r);
    api_await(a, id, &r);
}

/* Also over a front that has not seen the old time. */
static void ids_rise_whatever_the_clock_does(void **state)
{
    static const int64_t steps[] = { 0, 1 * HOUR_S, -4 * HOUR_S, -5 * HOUR_S, 2 * HOUR_S };
    const struct api *a = *state;
    char before[API_ID_SIZE] = "";
    char id[API_ID_SIZE];

    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        *ahead_seconds = steps[i];
        if (i == 2)
            (void)kill(proc_await_child(a->pid, "jobd-front"), SIGKILL);
        for (int n = 0; n < 3; n++) {
            AUTO_FINI(api_reply) struct api_reply r = { 0 };
            const struct api_request q = { .path = "/v1/jobs",
                                           .body = "{\"command\":[\"true\"]}" };

            while (!api_try(a, &q, &r) || r.status != 202) { /* the front is replaced */
                api_reply_fini(&r);
                (void)usleep(10000);
            }
            memcpy(id, api_text(&r, "id"), API_ID_SIZE);
            assert_true(strcmp(id, before) > 0);
            memcpy(before, id, API_ID_SIZE);
        }
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, set_clock_right)
    const struct CMUnitTest tests[] = {
        TEST(a_job_becomes_due_when_the_clock_is_set_ahead),
        TEST(a_job_waits_for_its_time_when_the_clock_is_set_back),
        TEST(a_timeout_is_neither_early_nor_late),
        TEST(a_long_poll_takes_as_long_as_it_was_asked_to),
        TEST(ids_rise_whatever_the_clock_does),
        TEST(the_clock_of_jobd_can_be_set),
    };

    api_configure(config);
    return api_finish(cmocka_run_group_tests_name("api/clock step", tests, set_up, tear_down));
}
