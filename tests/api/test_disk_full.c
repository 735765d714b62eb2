/* A data directory without room, on a small file system of its own: what is refused, what goes
 * on, what is kept, and that all of it is made good without a restart. See docs/faults.md.
 *
 * The file system is mounted in a mount namespace of this program, which needs root, or a
 * kernel that lets anybody make namespaces. */
#include "tests/support/api.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/support/proc.h"

#define DISK_SIZE     "size=12m"
#define ACCEPTED_MAX  4000
#define SPILLED_BYTES 300000

/* Two gates: what a job waits for, and what it opens. A job gets their paths as $0 and $1. */
static const char config[] =
    "workers: 2\n"
    "allow_commands: true\n";

static const char *why_not; /* there is no small file system */

/* -- the small file system ------------------------------------------------------------------
 */

static bool write_text(const char *path, const char *text)
{
    AUTO_FINI(fd) int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool enter_namespace(void)
{
    char uids[32];
    char gids[32];

    if (unshare(CLONE_NEWNS) == 0)
        return true;
    (void)snprintf(uids, sizeof uids, "0 %d 1", (int)getuid());
    (void)snprintf(gids, sizeof gids, "0 %d 1", (int)getgid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
           write_text("/proc/self/uid_map", uids) &&
           write_text("/proc/self/setgroups", "deny") && write_text("/proc/self/gid_map", gids);
}

static int set_up(void **state)
{
    struct api *a;

    if (!enter_namespace() || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        why_not = "this user may not make a mount namespace";
    a = api_prepare();
    *state = a;
    assert_return_code(mkdir(api_path(a, "data"), 0700), errno);
    if (!why_not && mount("disk", api_path(a, "data"), "tmpfs", 0, DISK_SIZE) < 0)
        why_not = "this user may not mount a file system";
    if (why_not)
        print_message("skipped: %s\n", why_not);
    else
        api_start(a);
    return 0;
}

static int tear_down(void **state)
{
    const struct api *a = *state;

    if (why_not)
        return 0;
    (void)api_teardown(state);
    return umount2(api_path(a, "data"), MNT_DETACH);
}

/* Until not one byte goes in any more. */
static void fill_disk(const struct api *a)
{
    static const char block[65536];
    AUTO_FINI(fd)
    int fd = open(api_path(a, "data/filler"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    assert_return_code(fd, errno);
    for (size_t len = sizeof block; len > 0;)
        if (write(fd, block, len) <= 0) {
            assert_int_equal(errno, ENOSPC);
            len /= 2;
        }
}

static void make_room(const struct api *a)
{
    assert_return_code(unlink(api_path(a, "data/filler")), errno);
}

/* -- jobs that wait for the test ------------------------------------------------------------
 */

static void make_gate(const struct api *a, const char *name)
{
    assert_return_code(mkfifo(api_path(a, name), 0600), errno);
}

/* Returns when the job reads from this gate. */
static int await_reader(const struct api *a, const char *name)
{
    int fd = open(api_path(a, name), O_WRONLY | O_CLOEXEC);

    assert_return_code(fd, errno);
    return fd;
}

static void open_gate(int *take_gate)
{
    assert_int_equal(write(*take_gate, "go\n", 3), 3);
    fd_fini(take_gate);
}

static void wait_at_gate(const struct api *a, const char *name)
{
    AUTO_FINI(fd) int fd = open(api_path(a, name), O_RDONLY | O_CLOEXEC);
    char line[8];

    assert_true(read(fd, line, sizeof line) > 0);
}

/* sh -c script, which finds its gates as $0/<name>. */
static void submit_script(const struct api *a, const char *script, char id[API_ID_SIZE])
{
    AUTO(mem)
    char *body = mem_printf("{\"command\":[\"sh\",\"-c\",\"%s\",\"%s\"]}", script, a->dir);

    (void)api_submit(a, body, id);
}

/* -- what is refused, and what is not -------------------------------------------------------
 */

/* Submit until there is no room. What was accepted is to be there in the end. */
static size_t submit_until_full(const struct api *a, char (*ids)[API_ID_SIZE],
                                struct api_reply *ret_refusal)
{
    size_t count = 0;

    for (;;) {
        api_post(a, "/v1/jobs", "{\"command\":[\"true\"]}", ret_refusal);
        if (ret_refusal->status != 202)
            return count;
        assert_in_range(count, 0, ACCEPTED_MAX - 1);
        memcpy(ids[count++], api_text(ret_refusal, "id"), API_ID_SIZE);
    }
}

static void await_status(const struct api *a, const char *path, long status)
{
    usec_t end_us = clock_mono_us() + PATIENCE_US;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    for (api_get(a, path, &r); r.status != status; api_get(a, path, &r)) {
        if (clock_mono_us() > end_us)
            assert_status(&r, status);
        (void)usleep(10000);
    }
}

/* The disk is full: refused with the reason, while everything can be read. */
static void check_refusals(const struct api *a, const char *id)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_post(a, "/v1/jobs", "{\"command\":[\"true\"]}", &r);
    assert_problem(&r, 503, "storage-full");
    assert_header(&r, "Retry-After", "1");
    api_get(a, "/readyz", &r);
    assert_problem(&r, 503, "temporary-reduced-capacity");
    assert_non_null(strstr(api_text(&r, "detail"), "full"));
    assert_header(&r, "Retry-After", "1");
    api_get(a, "/livez", &r);
    assert_status(&r, 200);
    api_get(a, api_job_path(id, ""), &r);
    assert_status(&r, 200);
    api_get(a, "/v1/jobs?limit=5", &r);
    assert_status(&r, 200);
}

static void await_all(const struct api *a, char (*ids)[API_ID_SIZE], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        api_await(a, ids[i], &r);
        assert_string_equal(api_text(&r, "state"), "succeeded");
        assert_int_equal(api_number(&r, "attempt"), 1);
    }
}

static void new_work_is_refused_and_the_rest_goes_on(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(fd) int gate = -1;
    AUTO(mem) char(*ids)[API_ID_SIZE] = NULL;
    char running[API_ID_SIZE];
    size_t count;

    if (why_not)
        skip();
    ids = mem_array0(ACCEPTED_MAX, sizeof *ids);
    make_gate(a, "in");
    make_gate(a, "out");
    submit_script(a, "read x <$0/in; echo finished; echo >$0/out", running);
    gate = await_reader(a, "in");
    fill_disk(a);
    count = submit_until_full(a, ids, &r);
    fill_disk(a);
    assert_problem(&r, 503, "storage-full");
    check_refusals(a, running);

    open_gate(&gate);
    wait_at_gate(a, "out"); /* it ends all the same */
    check_refusals(a, running);
    api_get(a, api_job_path(running, ""), &r);
    assert_string_equal(api_text(&r, "state"), "running"); /* as far as the ledger knows */

    make_room(a);
    api_await(a, running, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_int_equal(api_number(&r, "attempt"), 1);
    api_get(a, api_job_path(running, "/logs/stdout"), &r);
    assert_string_equal(r.body, "finished\n");
    await_status(a, "/readyz", 200);
    await_all(a, ids, count);
    (void)api_submit(a, "{\"command\":[\"true\"]}", ids[0]);
    await_all(a, ids, 1);
}

/* -- processes that end while it is full ----------------------------------------------------
 */

static pid_t await_successor(pid_t supervisor, const char *name, pid_t old)
{
    pid_t pid;

    while ((pid = proc_await_child(supervisor, name)) == old)
        (void)usleep(1000);
    return pid;
}

static void outcomes_survive_the_front_on_a_full_disk(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(fd) int gate = -1;
    AUTO(mem) char(*ids)[API_ID_SIZE] = NULL;
    char running[API_ID_SIZE];
    pid_t front;
    size_t count;

    if (why_not)
        skip();
    ids = mem_array0(ACCEPTED_MAX, sizeof *ids);
    submit_script(a, "read x <$0/in; echo again; echo >$0/out", running);
    gate = await_reader(a, "in");
    fill_disk(a);
    count = submit_until_full(a, ids, &r);
    fill_disk(a);
    front = proc_await_child(a->pid, "jobd-front");
    assert_return_code(kill(front, SIGKILL), errno);
    open_gate(&gate);
    wait_at_gate(a, "out");
    (void)await_successor(a->pid, "jobd-front", front);
    await_status(a, api_job_path(running, ""), 200); /* reads come back at once */
    await_status(a, "/readyz", 503);

    make_room(a);
    api_await(a, running, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_int_equal(api_number(&r, "attempt"), 1);
    await_status(a, "/readyz", 200);
    await_all(a, ids, count);
}

static void a_worker_that_dies_on_a_full_disk_is_replaced_when_there_is_room(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(fd) int gate = -1;
    AUTO(mem) char(*ids)[API_ID_SIZE] = NULL;
    char running[API_ID_SIZE];
    pid_t workers[4];
    size_t count;

    if (why_not)
        skip();
    ids = mem_array0(ACCEPTED_MAX, sizeof *ids);
    submit_script(a, "read x <$0/in", running);
    gate = await_reader(a, "in");
    fill_disk(a);
    count = submit_until_full(a, ids, &r);
    fill_disk(a);
    assert_int_equal(proc_children(a->pid, "jobd-worker", workers, COUNT_OF(workers)), 2);
    for (int i = 0; i < 2; i++)
        assert_return_code(kill(workers[i], SIGKILL), errno);
    check_refusals(a, running);

    make_room(a);
    api_await(a, running, &r);
    assert_string_equal(api_text(&r, "state"), "failed");
    assert_string_equal(api_text(&r, "failure.reason"), "worker_lost");
    await_all(a, ids, count);
    await_status(a, "/readyz", 200);
}

/* -- output ---------------------------------------------------------------------------------
 */

/* Of output that goes to a file what was written before stays, and the rest is told to be
 * missing: that is no fault of the program's. */
static void output_without_room_is_cut_short_and_says_so(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(fd) int gate = -1;
    char id[API_ID_SIZE];
    long long kept;

    if (why_not)
        skip();
    submit_script(a,
                  "head -c 300000 /dev/zero; read x <$0/in; "
                  "head -c 300000 /dev/zero; echo >$0/out",
                  id);
    gate = await_reader(a, "in");
    do
        api_get(a, api_job_path(id, "/logs/stdout"), &r);
    while (r.status != 200 || r.body_len < SPILLED_BYTES);
    fill_disk(a);
    open_gate(&gate);
    wait_at_gate(a, "out");
    make_room(a);
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_int_equal(api_number(&r, "exit_code"), 0);
    kept = api_number(&r, "logs.stdout_bytes");
    assert_true(kept >= SPILLED_BYTES && kept < 2LL * SPILLED_BYTES);
    assert_true(json_is_true(api_at(r.json, "logs.truncated")));
    api_get(a, api_job_path(id, "/logs/stdout"), &r);
    assert_status(&r, 200);
    assert_true((long long)r.body_len > kept); /* by a line about what is missing */
    assert_memory_equal(r.body + kept, "\n[jobd: ", 8);
}

/* What fits into memory is not lost for want of a file. */
static void little_output_is_kept_whole(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(fd) int gate = -1;
    char id[API_ID_SIZE];

    if (why_not)
        skip();
    submit_script(a,
                  "read x <$0/in; echo one; sleep 0.6; echo two; sleep 0.6; echo three; "
                  "echo >$0/out",
                  id);
    gate = await_reader(a, "in");
    fill_disk(a);
    open_gate(&gate);
    wait_at_gate(a, "out");
    make_room(a);
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_true(json_is_false(api_at(r.json, "logs.truncated")));
    api_get(a, api_job_path(id, "/logs/stdout"), &r);
    assert_string_equal(r.body, "one\ntwo\nthree\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_work_is_refused_and_the_rest_goes_on),
        cmocka_unit_test(outcomes_survive_the_front_on_a_full_disk),
        cmocka_unit_test(a_worker_that_dies_on_a_full_disk_is_replaced_when_there_is_room),
        cmocka_unit_test(output_without_room_is_cut_short_and_says_so),
        cmocka_unit_test(little_output_is_kept_whole),
    };

    api_configure(config);
    return api_finish(cmocka_run_group_tests_name("api/disk full", tests, set_up, tear_down));
}
