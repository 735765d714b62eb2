/* cancelJob and deleteJob: what waits ends at once, what runs is stopped as a whole tree. */
#include "tests/support/api.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

static const char config[] =
    "allow_commands: true\n"
    "workers: 2\n"
    "functions:\n"
    "  - name: warm\n"
    "    program: [sh, -c, 'while read -r line; do sleep 300; done']\n";

/* -- programs that tell when they are ready, through a FIFO
 * -------------------------------------- */

static void make_fifo(const char *path)
{
    (void)unlink(path);
    assert_return_code(mkfifo(path, 0600), errno);
}

/* The line that the program writes; blocks until then. */
static void read_line(const char *path, char *line, size_t room)
{
    FILE *f = fopen(path, "re");

    assert_non_null(f);
    assert_non_null(fgets(line, (int)room, f));
    assert_int_equal(fclose(f), 0);
}

/* Submit `sh -c script` with the FIFO as $0 and wait for its line. */
static void start_script(const struct api *a, const char *script, const char *more,
                         char id[API_ID_SIZE], char *line, size_t room)
{
    AUTO(mem) char *fifo = mem_str(api_path(a, "fifo"));
    AUTO(mem)
    char *body =
        mem_printf("{\"command\":[\"sh\",\"-c\",\"%s\",\"%s\"]%s}", script, fifo, more);

    make_fifo(fifo);
    (void)api_submit(a, body, id);
    read_line(fifo, line, room);
}

/* -- what waits
 * --------------------------------------------------------------------------------- */

static void a_job_that_waits_is_canceled_at_once(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"command\":[\"true\"],\"delay_seconds\":999}", id);
    api_post(a, api_job_path(id, ":cancel"), NULL, &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "state"), "canceled");
    assert_string_equal(api_text(&r, "reason"), "user");
    assert_int_equal(api_number(&r, "attempt"), 0);
    assert_true(*api_text(&r, "finished_at"));
    assert_true(*api_text(&r, "cancel_requested_at"));
    assert_header(&r, "ETag", "\"v2\"");
    assert_header(&r, "Location", NULL);
    assert_header(&r, "Retry-After", NULL);
}

static void delete_cancels_and_keeps_the_record(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct api_request q = { .method = "DELETE" };
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"command\":[\"true\"],\"delay_seconds\":999}", id);
    q.path = api_job_path(id, "");
    for (int i = 0; i < 3; i++) { /* a retry does no harm */
        api_send(a, &q, &r);
        assert_status(&r, 200);
        assert_string_equal(api_text(&r, "state"), "canceled");
        assert_header(&r, "ETag", "\"v2\"");
    }
    api_get(a, api_job_path(id, ""), &r);
    assert_status(&r, 200);
}

static void the_reason_is_kept(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *body = NULL;
    char reason[2 * 256 + 1] = "";
    char id[API_ID_SIZE];

    for (int i = 0; i < 256; i++)
        memcpy(reason + strlen(reason), "\xc3\xa9", 3);
    body = mem_printf("{\"reason\":\"%s\"}", reason);
    (void)api_submit(a, "{\"command\":[\"true\"],\"delay_seconds\":999}", id);
    api_post(a, api_job_path(id, ":cancel"), body, &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "reason"), reason);
    api_post(a, api_job_path(id, ":cancel"), "{\"reason\":\"too late\"}", &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "reason"), reason);
}

static void the_colon_may_be_encoded(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"command\":[\"true\"],\"delay_seconds\":999}", id);
    api_post(a, api_job_path(id, "%3Acancel"), "{}", &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "state"), "canceled");
}

/* -- what runs
 * ---------------------------------------------------------------------------------- */

static void a_job_that_runs_is_asked_to_stop(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];
    char line[16];

    start_script(a, "echo up > $0; exec sleep 300", "", id, line, sizeof line);
    api_post(a, api_job_path(id, ":cancel"), "{\"reason\":\"wrong file\"}", &r);
    assert_true(r.status == 202 || r.status == 200); /* 200: it has died already */
    if (r.status == 202) {
        assert_string_equal(api_text(&r, "state"), "canceling");
        assert_header(&r, "Location", api_job_path(id, ""));
        assert_header(&r, "Retry-After", "1");
        assert_header(&r, "ETag", "\"v3\"");
    }
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "canceled");
    assert_string_equal(api_text(&r, "reason"), "wrong file");
    assert_int_equal(api_number(&r, "signal"), SIGTERM);
    assert_null(api_at(r.json, "failure"));
    assert_int_equal(api_number(&r, "version"), 4);
}

static void work_that_is_done_in_the_grace_period_counts(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];
    char line[16];

    start_script(a,
                 "trap 'echo saved; exit 0' TERM; echo up > $0; while :; do sleep 0.05; done",
                 "", id, line, sizeof line);
    api_post(a, api_job_path(id, ":cancel"), NULL, &r);
    assert_true(r.status == 202 || r.status == 200);
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_int_equal(api_number(&r, "exit_code"), 0);
    assert_true(*api_text(&r, "cancel_requested_at"));
    api_get(a, api_job_path(id, "/logs/stdout"), &r);
    assert_string_equal(r.body, "saved\n");
}

static void who_does_not_stop_is_killed_after_the_grace_period(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];
    char line[16];

    start_script(a, "trap '' TERM; echo up > $0; while :; do sleep 0.05; done",
                 ",\"grace_period_seconds\":3600", id, line, sizeof line);
    api_post(a, api_job_path(id, ":cancel"), "{\"grace_period_seconds\":0.2}", &r);
    assert_status(&r, 202);
    assert_string_equal(api_text(&r, "state"), "canceling");
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "canceled");
    assert_int_equal(api_number(&r, "signal"), SIGKILL);
}

static void force_kills_what_is_being_asked_already(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];
    char line[16];

    start_script(a, "trap '' TERM; echo up > $0; while :; do sleep 0.05; done",
                 ",\"grace_period_seconds\":3600", id, line, sizeof line);
    api_post(a, api_job_path(id, ":cancel"), "{\"mode\":\"graceful\"}", &r);
    assert_status(&r, 202);
    api_send(a, &(struct api_request){ .method = "DELETE", .path = api_job_path(id, "") }, &r);
    assert_status(&r, 202);
    assert_string_equal(api_text(&r, "state"), "canceling");
    assert_int_equal(api_number(&r, "version"), 3); /* nothing new */
    api_post(a, api_job_path(id, ":cancel"), "{\"mode\":\"force\"}", &r);
    assert_true(r.status == 202 || r.status == 200);
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "canceled");
    assert_int_equal(api_number(&r, "signal"), SIGKILL);
}

/* Also what has left the session and the group of its parent. */
static void nothing_of_a_canceled_job_is_left(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];
    char line[64];
    int child, escaped;

    start_script(a,
                 "trap '' TERM; sleep 300 & c=$!; "
                 "setsid sh -c 'trap \\\"\\\" TERM; echo $$ > $0.pid; exec sleep 300' $0 & "
                 "while [ ! -s $0.pid ]; do sleep 0.01; done; "
                 "echo $c $(cat $0.pid) > $0; wait; wait",
                 ",\"grace_period_seconds\":0", id, line, sizeof line);
    assert_int_equal(sscanf(line, "%d %d", &child, &escaped), 2); // NOLINT
    assert_return_code(kill(child, 0), errno);
    assert_return_code(kill(escaped, 0), errno);
    api_post(a, api_job_path(id, ":cancel"), NULL, &r);
    assert_true(r.status == 202 || r.status == 200);
    api_await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "canceled");
    assert_int_equal(kill(child, 0), -1);
    assert_int_equal(kill(escaped, 0), -1);
}

static void a_job_of_a_warm_program_is_canceled_and_the_next_one_runs(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char ids[2][API_ID_SIZE];

    for (size_t i = 0; i < 2; i++) {
        (void)api_submit(a, "{\"function\":\"warm\",\"grace_period_seconds\":0.1}", ids[i]);
        api_await_state(a, ids[i], "running", &r);
        api_post(a, api_job_path(ids[i], ":cancel"), NULL, &r);
        assert_true(r.status == 202 || r.status == 200);
        api_await(a, ids[i], &r);
        assert_string_equal(api_text(&r, "state"), "canceled");
    }
}

/* -- what is refused
 * ------------------------------------------------------------------------------ */

static void a_job_that_has_ended_otherwise_cannot_be_canceled(void **state)
{
    static const struct {
        const char *body;
        const char *state;
    } cases[] = {
        { "{\"command\":[\"true\"]}", "succeeded" },
        { "{\"command\":[\"false\"]}", "failed" },
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        char id[API_ID_SIZE];

        api_await(a, api_submit(a, cases[i].body, id), &r);
        api_post(a, api_job_path(id, ":cancel"), NULL, &r);
        assert_problem(&r, 409, "job-already-finished");
        assert_non_null(strstr(api_text(&r, "detail"), cases[i].state));
        assert_string_equal(api_text(&r, "state"), cases[i].state);
        api_send(a, &(struct api_request){ .method = "DELETE", .path = api_job_path(id, "") },
                 &r);
        assert_problem(&r, 409, "job-already-finished");
        api_get(a, api_job_path(id, ""), &r);
        assert_string_equal(api_text(&r, "state"), cases[i].state);
        assert_int_equal(api_number(&r, "version"), 3);
    }
}

static void a_bad_body_is_refused_with_the_place(void **state)
{
    static const struct {
        const char *body;
        const char *pointer; /* NULL: malformed-json */
        const char *code;
    } cases[] = {
        { "{", NULL, NULL },
        { "  ", NULL, NULL },
        { "{\"mode\":\"force\",\"mode\":\"force\"}", NULL, NULL },
        { "[]", "#", "wrong-type" },
        { "null", "#", "wrong-type" },
        { "{\"reason\":\"\"}", "#/reason", "too-short" },
        { "{\"reason\":null}", "#/reason", "wrong-type" },
        { "{\"mode\":\"kill\"}", "#/mode", "unknown-value" },
        { "{\"mode\":true}", "#/mode", "wrong-type" },
        { "{\"grace_period_seconds\":-0.1}", "#/grace_period_seconds", "out-of-range" },
        { "{\"grace_period_seconds\":3600.1}", "#/grace_period_seconds", "out-of-range" },
        { "{\"grace_period_seconds\":\"1\"}", "#/grace_period_seconds", "wrong-type" },
        { "{\"resaon\":\"x\"}", "#/resaon", "unknown-field" },
    };
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char long_reason[320];
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"command\":[\"true\"],\"delay_seconds\":999}", id);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        api_post(a, api_job_path(id, ":cancel"), cases[i].body, &r);
        if (!cases[i].pointer) {
            assert_problem(&r, 400, "malformed-json");
            continue;
        }
        assert_problem(&r, 422, "validation-failed");
        assert_int_equal(json_array_size(api_at(r.json, "errors")), 1);
        assert_string_equal(api_text(&r, "errors.0.pointer"), cases[i].pointer);
        assert_string_equal(api_text(&r, "errors.0.code"), cases[i].code);
    }
    (void)snprintf(long_reason, sizeof long_reason, "{\"reason\":\"%0257d\"}", 0);
    api_post(a, api_job_path(id, ":cancel"), long_reason, &r);
    assert_problem(&r, 422, "validation-failed");
    assert_string_equal(api_text(&r, "errors.0.code"), "too-long");

    api_post(a, api_job_path(id, ":cancel"), "{\"reason\":1,\"mode\":2,\"x\":3}", &r);
    assert_problem(&r, 422, "validation-failed");
    assert_int_equal(json_array_size(api_at(r.json, "errors")), 3);
    assert_string_equal(api_text(&r, "detail"), "there are 3 faults");

    api_get(a, api_job_path(id, ""), &r);
    assert_string_equal(api_text(&r, "state"), "scheduled");
}

static void a_body_of_another_type_or_size_is_refused(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *large = mem_array0(1, (2U << 20) + 1);
    AUTO(mem) char *path = NULL;
    char id[API_ID_SIZE];
    struct api_request q = { .body = "{\"mode\":\"force\"}",
                             .headers = { "Content-Type: text/plain" } };

    (void)api_submit(a, "{\"command\":[\"true\"],\"delay_seconds\":999}", id);
    path = mem_str(api_job_path(id, ":cancel"));
    q.path = path;
    api_send(a, &q, &r);
    assert_problem(&r, 415, "unsupported-media-type");
    memset(large, ' ', 2U << 20);
    q.body = large;
    q.headers[0] = NULL;
    api_send(a, &q, &r);
    assert_problem(&r, 413, "content-too-large");
    q.body = "{\"colour\":\"red\"}";
    q.headers[0] = "Prefer: handling=lenient";
    api_send(a, &q, &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "state"), "canceled");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_that_waits_is_canceled_at_once),
        cmocka_unit_test(delete_cancels_and_keeps_the_record),
        cmocka_unit_test(the_reason_is_kept),
        cmocka_unit_test(the_colon_may_be_encoded),
        cmocka_unit_test(a_job_that_runs_is_asked_to_stop),
        cmocka_unit_test(work_that_is_done_in_the_grace_period_counts),
        cmocka_unit_test(who_does_not_stop_is_killed_after_the_grace_period),
        cmocka_unit_test(force_kills_what_is_being_asked_already),
        cmocka_unit_test(nothing_of_a_canceled_job_is_left),
        cmocka_unit_test(a_job_of_a_warm_program_is_canceled_and_the_next_one_runs),
        cmocka_unit_test(a_job_that_has_ended_otherwise_cannot_be_canceled),
        cmocka_unit_test(a_bad_body_is_refused_with_the_place),
        cmocka_unit_test(a_body_of_another_type_or_size_is_refused),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/cancel", tests, api_setup, api_teardown));
}
