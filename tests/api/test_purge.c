/* deleteJob with ?purge=true, and jobs whose time is over: all that they have left goes, and
 * for a day it is told that they were there. */
#include "tests/support/api.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "tests/support/proc.h"

static const char config[] =
    "allow_commands: true\n"
    "workers: 2\n";

/* Output in a file, and an artifact. */
#define LEAVES_FILES                                                                           \
    "{\"command\":[\"sh\",\"-c\",\"head -c 300000 /dev/zero; echo x >$JOBD_ARTIFACTS/a\"]"

static void purge(const struct api *a, const char *id, struct api_reply *r)
{
    api_send(
        a, &(struct api_request){ .method = "DELETE", .path = api_job_path(id, "?purge=true") },
        r);
}

/* How many names below the data directory begin with the id. */
static int files_of(const struct api *a, const char *id)
{
    static const char *const dirs[] = { "data/output", "data/artifacts" };
    int count = 0;

    for (size_t i = 0; i < COUNT_OF(dirs); i++) {
        DIR *dir = opendir(api_path(a, dirs[i]));
        const struct dirent *entry;

        assert_non_null(dir);
        while ((entry = readdir(dir)) != NULL) /* NOLINT(concurrency-mt-unsafe): own stream */
            count += strncmp(entry->d_name, id, strlen(id)) == 0;
        (void)closedir(dir);
    }
    return count;
}

static void assert_gone(const struct api *a, const char *id)
{
    static const char *const below[] = {
        "",           "/result",      "/logs/stdout", "/attempts", "/attempts/1",
        "/artifacts", "/artifacts/a", "/events"
    };
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    for (size_t i = 0; i < COUNT_OF(below); i++) {
        api_get(a, api_job_path(id, below[i]), &r);
        assert_problem(&r, 410, "job-expired");
        assert_true(*api_text(&r, "expired_at"));
    }
    api_post(a, api_job_path(id, ":cancel"), NULL, &r);
    assert_problem(&r, 410, "job-expired");
}

/* Until the job is gone; a long-poll is not told when that is, but that it has ended. */
static void await_gone(const struct api *a, const char *id)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    usec_t deadline_us = clock_mono_us() + PATIENCE_US;

    do {
        assert_true(clock_mono_us() < deadline_us);
        api_get(a, api_job_path(id, "?wait=1"), &r);
    } while (r.status == 200);
    assert_problem(&r, 410, "job-expired");
}

/* -- purge ----------------------------------------------------------------------------------
 */

static void a_job_that_has_ended_is_removed_with_its_files(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(a, LEAVES_FILES "}", id);
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_true(files_of(a, id) >= 2);
    for (int i = 0; i < 3; i++) { /* a retry does no harm */
        purge(a, id, &r);
        assert_status(&r, 204);
    }
    assert_int_equal(files_of(a, id), 0);
    assert_gone(a, id);
}

static int count_trash(const struct api *a)
{
    DIR *dir = opendir(api_path(a, "data/trash"));
    const struct dirent *entry;
    int count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) /* NOLINT(concurrency-mt-unsafe): own stream */
        count += entry->d_name[0] != '.';
    (void)closedir(dir);
    return count;
}

/* The front throws them away, a worker removes them; it sleeps until it is told. */
static void files_that_were_thrown_away_do_not_stay_in_the_trash(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    for (int i = 0; i < 3; i++) {
        usec_t deadline_us = clock_mono_us() + PATIENCE_US;

        (void)api_submit(a, LEAVES_FILES "}", id);
        api_await(a, id, &r);
        purge(a, id, &r);
        assert_status(&r, 204);
        while (count_trash(a) > 0) {
            assert_true(clock_mono_us() < deadline_us);
            (void)usleep(5000);
        }
    }
}

static void a_waiting_job_is_canceled_and_removed_at_once(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"command\":[\"true\"],\"delay_seconds\":999}", id);
    purge(a, id, &r);
    assert_status(&r, 204);
    assert_gone(a, id);
}

/* A job that runs, has written what does not stay in memory, and ignores SIGTERM. */
static void start_deaf(const struct api *a, int grace_seconds, char id[API_ID_SIZE])
{
    AUTO(mem) char *fifo = mem_str(api_path(a, "deaf"));
    AUTO(mem)
    char *body = mem_printf(
        "{\"command\":[\"sh\",\"-c\",\"trap '' TERM; head -c 300000 /dev/zero; echo up >$0; "
        "sleep 300\",\"%s\"],\"grace_period_seconds\":%d}",
        fifo, grace_seconds);
    AUTO_FINI(fd) int fd = -1;
    char up[3];

    (void)unlink(fifo);
    assert_return_code(mkfifo(fifo, 0600), errno);
    (void)api_submit(a, body, id);
    fd = open(fifo, O_RDONLY | O_CLOEXEC); /* returns when the job writes */
    assert_return_code(fd, errno);
    assert_int_equal(read(fd, up, sizeof up), sizeof up);
}

static void a_running_job_is_removed_once_it_has_ended(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    start_deaf(a, 3600, id);
    purge(a, id, &r);
    assert_status(&r, 202);
    assert_string_equal(api_text(&r, "state"), "canceling");
    assert_header(&r, "Location", api_job_path(id, ""));
    api_post(a, api_job_path(id, ":cancel"), "{\"mode\":\"force\"}", &r);
    await_gone(a, id);
    purge(a, id, &r);
    assert_status(&r, 204);
    assert_gone(a, id);
}

static void an_unknown_job_cannot_be_purged(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    purge(a, "01937f6c-2b9a-7c31-8e5d-3f1a9b7c2d4e", &r);
    assert_problem(&r, 404, "job-not-found");
    purge(a, "nonsense", &r);
    assert_problem(&r, 404, "job-not-found");
    api_send(a,
             &(struct api_request){
                 .method = "DELETE",
                 .path = api_job_path("01937f6c-2b9a-7c31-8e5d-3f1a9b7c2d4e", "?purge=1") },
             &r);
    assert_problem(&r, 400, "invalid-parameter");
}

/* The job ignores SIGTERM, so jobd is killed while it stops; the next one finishes the purge.
 */
static void a_purge_is_remembered_across_a_restart(void **state)
{
    struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    start_deaf(a, 2, id);
    purge(a, id, &r);
    assert_status(&r, 202);
    api_stop(a, SIGKILL);
    api_start(a);
    await_gone(a, id);
    assert_gone(a, id);
    assert_int_equal(files_of(a, id), 0);
}

/* -- crashes --------------------------------------------------------------------------------
 */

static void crash_at(const char *point)
{
    if (point)
        assert_int_equal(setenv("JOBD_CRASH_POINT", point, 1), 0);
    else
        (void)unsetenv("JOBD_CRASH_POINT");
}

/* The front dies at this point of the purge, and its successor goes on. Whatever the point: no
 * record without files, and in the end neither. */
static void purge_with_a_crash(struct api *a, const char *point)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct api_request q = { .method = "DELETE" };
    usec_t deadline_us;
    char id[API_ID_SIZE];
    pid_t front;

    api_stop(a, SIGTERM);
    crash_at(point);
    api_start(a);
    crash_at(NULL);
    front = proc_await_child(a->pid, "jobd-front");
    (void)api_submit(a, LEAVES_FILES "}", id);
    api_await(a, id, &r);
    q.path = api_job_path(id, "?purge=true");
    deadline_us = clock_mono_us() + PATIENCE_US;
    do { /* as curl --retry would */
        assert_true(clock_mono_us() < deadline_us);
        api_reply_fini(&r);
        r = (struct api_reply){ 0 };
    } while (!api_try(a, &q, &r) || r.status != 204);
    while (files_of(a, id) > 0)
        assert_true(clock_mono_us() < deadline_us);
    while (proc_await_child(a->pid, "jobd-front") == front) /* it may die after its answer */
        assert_true(clock_mono_us() < deadline_us);
    api_get(a, api_job_path(id, ""), &r);
    assert_problem(&r, 410, "job-expired");
}

static void a_crash_before_the_files_go_leaves_none(void **state)
{
    purge_with_a_crash(*state, "files.before_discard:1");
}

static void a_crash_before_their_end_is_noted_does_no_harm(void **state)
{
    purge_with_a_crash(*state, "files.before_cleared:1");
}

/* -- time to live ---------------------------------------------------------------------------
 */

static void a_job_of_its_own_time_is_removed_when_that_is_over(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE], later[API_ID_SIZE];

    (void)api_submit(a, LEAVES_FILES ",\"ttl_seconds_after_finished\":0.5}", id);
    (void)api_submit(a, LEAVES_FILES ",\"ttl_seconds_after_finished\":600.5}", later);
    await_gone(a, id);
    assert_gone(a, id);
    assert_int_equal(files_of(a, id), 0);
    api_await(a, later, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_true(json_real_value(api_at(r.json, "ttl_seconds_after_finished")) == 600.5);
    assert_true(*api_text(&r, "expires_at"));
    purge(a, later, &r);
    assert_status(&r, 204);
}

static void other_jobs_are_kept_as_long_as_the_server_says(void **state)
{
    struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char ids[20][API_ID_SIZE];
    char kept[API_ID_SIZE];
    char waiting[API_ID_SIZE];

    (void)api_submit(a, "{\"command\":[\"true\"],\"delay_seconds\":999}", waiting);
    (void)api_submit(a, "{\"command\":[\"true\"],\"ttl_seconds_after_finished\":9999}", kept);
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        (void)api_submit(a, i % 5 ? "{\"command\":[\"false\"]}" : LEAVES_FILES "}", ids[i]);
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        api_await(a, ids[i], &r);
        assert_true(*api_text(&r, "expires_at"));
    }
    api_get(a, "/v1/jobs?state=failed&limit=1", &r); /* a list says so, too */
    assert_true(*api_text(&r, "items.0.expires_at"));
    api_await(a, kept, &r);
    api_stop(a, SIGTERM);
    api_reconfigure(a, "allow_commands: true\nworkers: 2\nretention: 300ms\n");
    api_start(a);
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        await_gone(a, ids[i]);
        assert_int_equal(files_of(a, ids[i]), 0);
    }
    for (size_t i = 0; i < 5; i++) { /* those that come while it runs */
        (void)api_submit(a, i ? "{\"command\":[\"true\"]}" : "{\"command\":[\"sleep\",\"1\"]}",
                         ids[i]);
    }
    for (size_t i = 0; i < 5; i++)
        await_gone(a, ids[i]);
    api_get(a, api_job_path(kept, ""), &r);
    assert_status(&r, 200);
    api_get(a, api_job_path(waiting, ""), &r);
    assert_string_equal(api_text(&r, "state"), "scheduled");
    assert_null(api_at(r.json, "expires_at"));
    purge(a, kept, &r);
    purge(a, waiting, &r);
    assert_status(&r, 204);
}

/* Submit, though the front may die meanwhile. */
static void submit_somehow(const struct api *a, const char *body)
{
    const struct api_request q = { .path = "/v1/jobs", .body = body };
    usec_t deadline_us = clock_mono_us() + PATIENCE_US;
    bool accepted = false;

    while (!accepted) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        assert_true(clock_mono_us() < deadline_us);
        accepted = api_try(a, &q, &r) && r.status == 202;
    }
}

static bool is_empty(const struct api *a)
{
    const struct api_request q = { .path = "/v1/jobs?limit=1" };
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    return api_try(a, &q, &r) && r.status == 200 &&
           json_array_size(api_at(r.json, "items")) == 0;
}

/* Jobs come and go while the front dies at one point after the other: in the end there is no
 * record, and no file that was one's. */
static void whatever_the_front_dies_of_no_file_is_left(void **state)
{
    static const char *const points[] = { "files.before_discard:5", "files.before_cleared:1",
                                          "turn.before_commit:60",  "turn.after_commit:70",
                                          "files.before_discard:9", "turn.after_commit:45" };
    struct api *a = *state;

    api_reconfigure(a, "allow_commands: true\nworkers: 2\nretention: 200ms\n");
    for (size_t i = 0; i < COUNT_OF(points); i++) {
        usec_t deadline_us = clock_mono_us() + PATIENCE_US;

        api_stop(a, SIGTERM);
        crash_at(points[i]);
        api_start(a);
        crash_at(NULL);
        for (int k = 0; k < 25; k++)
            submit_somehow(a, k % 5 ? "{\"command\":[\"true\"]}" : LEAVES_FILES "}");
        while (!is_empty(a) || files_of(a, "") > 2 * 2) /* . and .. */
            assert_true(clock_mono_us() < deadline_us);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_that_has_ended_is_removed_with_its_files),
        cmocka_unit_test(files_that_were_thrown_away_do_not_stay_in_the_trash),
        cmocka_unit_test(a_waiting_job_is_canceled_and_removed_at_once),
        cmocka_unit_test(a_running_job_is_removed_once_it_has_ended),
        cmocka_unit_test(an_unknown_job_cannot_be_purged),
        cmocka_unit_test(a_purge_is_remembered_across_a_restart),
        cmocka_unit_test(a_crash_before_the_files_go_leaves_none),
        cmocka_unit_test(a_crash_before_their_end_is_noted_does_no_harm),
        cmocka_unit_test(a_job_of_its_own_time_is_removed_when_that_is_over),
        cmocka_unit_test(other_jobs_are_kept_as_long_as_the_server_says),
        cmocka_unit_test(whatever_the_front_dies_of_no_file_is_left),
    };

    api_configure(config);
    return api_finish(cmocka_run_group_tests_name("api/purge", tests, api_setup, api_teardown));
}
