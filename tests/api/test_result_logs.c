/* getJobResult and getJobLog: what a job hands back and what it writes, small and large, while
 * it runs and afterwards. */
#include "tests/support/api.h"

#include <errno.h>
#include <fcntl.h>
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
    "output_max_bytes: 300KiB\n"
    "functions:\n"
    "  - name: out\n"
    "    command: [sh, -c, '{script}']\n"
    "    result: stdout\n"
    "  - name: json\n"
    "    command: [sh, -c, 'printf \"{{\\\"result\\\": %s}}\" \"$(cat)\" >&3; echo log']\n";

/* The finished job of sh -c script as the function "out". */
static void run_script(const struct api *a, const char *script, char id[API_ID_SIZE],
                       struct api_reply *ret_reply)
{
    AUTO(mem)
    char *body = mem_printf("{\"function\":\"out\",\"args\":{\"script\":\"%s\"}}", script);

    api_await(a, api_submit(a, body, id), ret_reply);
}

static void get_range(const struct api *a, const char *path, const char *range,
                      struct api_reply *ret_reply)
{
    AUTO(mem) char *header = mem_printf("Range: %s", range);

    api_send(a, &(struct api_request){ .path = path, .headers = { header } }, ret_reply);
}

/* -- results
 * ------------------------------------------------------------------------------------ */

static void a_json_result_is_served_as_it_was_given(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    api_await(
        a,
        api_submit(a, "{\"function\":\"json\",\"args\":{\"n\":[1,0.1,\"\u00e9\",null]}}", id),
        &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_int_equal(json_array_size(api_at(r.json, "result.n")), 4);
    api_get(a, api_job_path(id, "/result"), &r);
    assert_status(&r, 200);
    assert_header(&r, "Content-Type", "application/json");
    assert_header(&r, "ETag", "\"r1\"");
    assert_header(&r, "Cache-Control", "private, no-cache");
    assert_string_equal(r.body, "{\"n\":[1,0.1,\"\u00e9\",null]}");
    api_get(a, api_job_path(id, "/logs/stdout"), &r);
    assert_string_equal(r.body, "log\n");
}

static void a_large_json_result_is_not_in_the_job(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *text = mem_array0(1, 80001);
    AUTO(mem) char *body = NULL;
    char id[API_ID_SIZE];

    memset(text, 'x', 80000);
    body = mem_printf("{\"function\":\"json\",\"stdin\":\"\\\"%s\\\"\"}", text);
    api_await(a, api_submit(a, body, id), &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_null(api_at(r.json, "result"));
    assert_int_equal(api_number(&r, "result_bytes"), 80002);
    api_get(a, api_job_path(id, "/result"), &r);
    assert_status(&r, 200);
    assert_int_equal(r.body_len, 80002);
    assert_string_equal(json_string_value(r.json), text);
}

static void the_type_of_a_stdout_result_is_told_by_its_bytes(void **state)
{
    static const struct {
        const char *script;
        const char *type;
        size_t len;
    } cases[] = {
        { "printf 'caf\\\\303\\\\251'", "text/plain; charset=utf-8", 5 },
        { "printf 'caf\\\\303'", "application/octet-stream", 4 },
        { "printf '\\\\377\\\\000'", "application/octet-stream", 2 },
        { "true", "text/plain; charset=utf-8", 0 },
        /* Beyond what is kept in the ledger; the two bytes of a letter are in two chunks. */
        { "printf x; yes '\u00e9' | tr -d '\\\\n' | head -c 200000",
          "text/plain; charset=utf-8", 200001 },
        { "printf x; yes '\u00e9' | tr -d '\\\\n' | head -c 200001", "application/octet-stream",
          200002 },
        { "head -c 100000 /dev/zero; printf '\\\\377'; head -c 100000 /dev/zero",
          "application/octet-stream", 200001 },
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        char id[API_ID_SIZE];

        run_script(a, cases[i].script, id, &r);
        assert_string_equal(api_text(&r, "state"), "succeeded");
        assert_int_equal(api_number(&r, "result_bytes"), cases[i].len);
        api_get(a, api_job_path(id, "/result"), &r);
        assert_status(&r, 200);
        assert_header(&r, "Content-Type", cases[i].type);
        assert_header(&r, "ETag", "\"r1\"");
        assert_int_equal(r.body_len, cases[i].len);
    }
}

static void a_result_that_is_known_is_not_sent_again(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct api_request q = { .headers = { "If-None-Match: \"r1\"" } };
    char id[API_ID_SIZE];

    run_script(a, "echo x", id, &r);
    q.path = api_job_path(id, "/result");
    api_send(a, &q, &r);
    assert_status(&r, 304);
    assert_header(&r, "ETag", "\"r1\"");
    assert_int_equal(r.body_len, 0);
    q.headers[0] = "If-None-Match: \"v3\"";
    q.path = api_job_path(id, "/result");
    api_send(a, &q, &r);
    assert_status(&r, 200);
}

static void head_tells_the_size_of_a_result(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    run_script(a, "head -c 100000 /dev/zero", id, &r);
    api_send(a, &(struct api_request){ .method = "HEAD", .path = api_job_path(id, "/result") },
             &r);
    assert_status(&r, 200);
    assert_header(&r, "Content-Length", "100000");
    assert_int_equal(r.body_len, 0);
}

static void a_job_without_a_result_says_so(void **state)
{
    static const char *const bodies[] = {
        "{\"command\":[\"echo\",\"only a log\"]}",
        "{\"function\":\"out\",\"args\":{\"script\":\"echo x; exit 3\"}}",
        "{\"function\":\"json\",\"stdin\":\"not json\"}",
    };
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        api_await(a, api_submit(a, bodies[i], id), &r);
        api_get(a, api_job_path(id, "/result"), &r);
        assert_problem(&r, 404, "no-result");
        assert_header(&r, "Retry-After", NULL);
        assert_header(&r, "ETag", NULL);
    }
    (void)api_submit(a, "{\"command\":[\"true\"],\"delay_seconds\":999}", id);
    api_get(a, api_job_path(id, "/result"), &r);
    assert_problem(&r, 404, "result-not-ready");
    assert_header(&r, "Retry-After", "1");
    assert_string_equal(api_text(&r, "detail"), "the job is scheduled");
    api_post(a, api_job_path(id, ":cancel"), NULL, &r);
    api_get(a, api_job_path(id, "/result"), &r);
    assert_problem(&r, 404, "no-result");
}

/* -- logs of finished jobs
 * ----------------------------------------------------------------------- */

static void both_streams_are_kept_apart(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    run_script(a, "echo to stdout; echo to stderr >&2; exit 1", id, &r);
    assert_int_equal(api_number(&r, "logs.stdout_bytes"), 10);
    assert_int_equal(api_number(&r, "logs.stderr_bytes"), 10);
    api_get(a, api_job_path(id, "/logs/stdout"), &r);
    assert_status(&r, 200);
    assert_string_equal(r.body, "to stdout\n");
    assert_header(&r, "Content-Type", "text/plain; charset=utf-8");
    assert_header(&r, "Accept-Ranges", "bytes");
    assert_header(&r, "X-Log-Truncated", NULL);
    api_get(a, api_job_path(id, "/logs/stderr"), &r);
    assert_string_equal(r.body, "to stderr\n");
}

static void a_log_that_was_never_written_is_empty(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"command\":[\"echo\"],\"delay_seconds\":999}", id);
    for (int canceled = 0; canceled < 2; canceled++) {
        api_get(a, api_job_path(id, "/logs/stdout"), &r);
        assert_status(&r, 200);
        assert_int_equal(r.body_len, 0);
        get_range(a, api_job_path(id, "/logs/stderr"), "bytes=0-", &r);
        assert_problem(&r, 416, "range-not-satisfiable");
        assert_header(&r, "Content-Range", "bytes */0");
        api_post(a, api_job_path(id, ":cancel"), NULL, &r);
    }
}

/* Kept in the ledger, and in a file: the same answers. */
static void a_part_of_a_log_can_be_had(void **state)
{
    static const struct {
        const char *range;
        long status;
        const char *content_range; /* of 10 bytes of digits in front of `more` zeros */
        const char *start;
        size_t len; /* without more */
        bool to_end;
    } cases[] = {
        { "bytes=0-4", 206, "bytes 0-4/", "01234", 5, false },
        { "bytes=3-3", 206, "bytes 3-3/", "3", 1, false },
        { "bytes=7-", 206, "bytes 7-", "789", 3, true },
        { "bytes=0-999999999999", 206, "bytes 0-", "0123456789", 10, true },
        { "BYTES=1-2", 206, "bytes 1-2/", "12", 2, false },
        { "lines=0-4", 200, NULL, "0123456789", 10, true },
        { "bytes=0-1,4-5", 200, NULL, "0123456789", 10, true },
        { "bytes=4-1", 200, NULL, "0123456789", 10, true },
        { "bytes=x", 200, NULL, "0123456789", 10, true },
    };
    static const struct {
        const char *script;
        size_t more;
    } logs[] = {
        { "printf 0123456789", 0 },
        { "printf 0123456789; head -c 200000 /dev/zero", 200000 },
    };
    const struct api *a = *state;

    for (size_t l = 0; l < COUNT_OF(logs); l++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        char id[API_ID_SIZE];
        char total[32];

        run_script(a, logs[l].script, id, &r);
        (void)snprintf(total, sizeof total, "/%zu", 10 + logs[l].more);
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
            get_range(a, api_job_path(id, "/logs/stdout"), cases[i].range, &r);
            assert_status(&r, cases[i].status);
            assert_int_equal(r.body_len, cases[i].len + (cases[i].to_end ? logs[l].more : 0));
            assert_memory_equal(r.body, cases[i].start, cases[i].len);
            if (!cases[i].content_range) {
                assert_header(&r, "Content-Range", NULL);
                continue;
            }
            assert_int_equal(strncmp(api_header(&r, "Content-Range"), cases[i].content_range,
                                     strlen(cases[i].content_range)),
                             0);
            assert_non_null(strstr(api_header(&r, "Content-Range"), total));
        }
        get_range(a, api_job_path(id, "/logs/stdout"), "bytes=-3", &r);
        assert_status(&r, 206);
        assert_int_equal(r.body_len, 3);
        assert_memory_equal(r.body, logs[l].more ? "\0\0\0" : "789", 3);
        get_range(a, api_job_path(id, "/logs/stdout"), "bytes=200010-", &r);
        assert_problem(&r, 416, "range-not-satisfiable");
        assert_string_equal(strchr(api_header(&r, "Content-Range"), '/'), total);
        get_range(a, api_job_path(id, "/logs/stdout"), "bytes=-0", &r);
        assert_problem(&r, 416, "range-not-satisfiable");
    }
}

static void a_part_is_only_sent_of_the_log_that_is_meant(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct api_request q = { .headers = { "Range: bytes=0-0" } };
    AUTO(mem) char *if_range = NULL;
    AUTO(mem) char *none_match = NULL;
    char id[API_ID_SIZE];

    run_script(a, "printf 0123456789", id, &r);
    api_get(a, api_job_path(id, "/logs/stdout"), &r);
    assert_non_null(api_header(&r, "ETag"));
    if_range = mem_printf("If-Range: %s", api_header(&r, "ETag"));
    none_match = mem_printf("If-None-Match: %s", api_header(&r, "ETag"));
    q.path = api_job_path(id, "/logs/stdout");
    q.headers[1] = if_range;
    api_send(a, &q, &r);
    assert_status(&r, 206);
    assert_int_equal(r.body_len, 1);
    q.path = api_job_path(id, "/logs/stdout");
    q.headers[1] = "If-Range: \"other\"";
    api_send(a, &q, &r);
    assert_status(&r, 200);
    assert_int_equal(r.body_len, 10);
    q.path = api_job_path(id, "/logs/stdout");
    q.headers[1] = none_match;
    api_send(a, &q, &r);
    assert_status(&r, 304);
}

/* The log of a job that wrote "start", zeros and "end", 500008 bytes, of which 300 KiB are
 * kept. */
static void check_truncated(const struct api *a, const char *id)
{
    static const char gap[] = "\n[jobd: 192808 bytes left out]\n";
    size_t half = (size_t)150 * 1024;
    size_t total = 2 * half + sizeof gap - 1;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char length[32];

    api_get(a, api_job_path(id, "/logs/stdout"), &r);
    assert_status(&r, 200);
    assert_header(&r, "X-Log-Truncated", "true");
    assert_int_equal(r.body_len, total);
    assert_memory_equal(r.body, "start\0", 6);
    assert_memory_equal(r.body + half - 1, "\0", 1);
    assert_memory_equal(r.body + half, gap, sizeof gap - 1);
    assert_memory_equal(r.body + half + sizeof gap - 1, "\0", 1);
    assert_memory_equal(r.body + total - 4, "\0end", 4);

    /* Offsets are of what is served. */
    (void)snprintf(length, sizeof length, "bytes=%zu-%zu", half - 1, half + 6);
    get_range(a, api_job_path(id, "/logs/stdout"), length, &r);
    assert_status(&r, 206);
    assert_int_equal(r.body_len, 8);
    assert_memory_equal(r.body, "\0\n[jobd:", 8);
    get_range(a, api_job_path(id, "/logs/stdout"), "bytes=-3", &r);
    assert_string_equal(r.body, "end");
    (void)snprintf(length, sizeof length, "bytes %zu-%zu/%zu", total - 3, total - 1, total);
    assert_header(&r, "Content-Range", length);
}

static void of_too_much_output_beginning_and_end_are_kept(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    api_await(a,
              api_submit(a,
                         "{\"command\":[\"sh\",\"-c\",\"printf start; head -c 500000 "
                         "/dev/zero; printf end\"]}",
                         id),
              &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_true(json_is_true(api_at(r.json, "logs.truncated")));
    assert_int_equal(api_number(&r, "logs.stdout_bytes"), 300 * 1024);
    assert_int_equal(api_number(&r, "logs.stdout_total_bytes"), 500008);
    assert_int_equal(api_number(&r, "logs.stderr_total_bytes"), 0);
    check_truncated(a, id);
    api_get(a, api_job_path(id, "/logs/stderr"), &r);
    assert_header(&r, "X-Log-Truncated", NULL);
}

/* -- logs of jobs that run
 * ----------------------------------------------------------------------- */

/* Ask until the log holds `len` bytes from `offset` on. */
static void await_log(const struct api *a, const char *path, const char *range, size_t len,
                      struct api_reply *ret_reply)
{
    usec_t deadline_us = clock_mono_us() + PATIENCE_US;

    for (;;) {
        get_range(a, path, range, ret_reply);
        if (ret_reply->status != 416 && ret_reply->body_len >= len)
            return;
        if (clock_mono_us() > deadline_us)
            fail_msg("the log did not grow");
        usleep(5000); /* how soon output is to be seen is nobody's promise */
    }
}

static void the_log_of_a_running_job_grows(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *fifo = mem_str(api_path(a, "gate"));
    AUTO(mem) char *body = NULL;
    AUTO(mem) char *path = NULL;
    AUTO_FINI(fd) int fd = -1;
    char id[API_ID_SIZE];

    assert_return_code(mkfifo(fifo, 0600), errno);
    body = mem_printf("{\"command\":[\"sh\",\"-c\",\"echo first; cat $0; echo last\",\"%s\"]}",
                      fifo);
    (void)api_submit(a, body, id);
    path = mem_str(api_job_path(id, "/logs/stdout"));
    fd = open(fifo, O_WRONLY | O_CLOEXEC); /* as soon as cat reads */
    assert_return_code(fd, errno);

    await_log(a, path, "bytes=0-", 6, &r);
    assert_status(&r, 206);
    assert_string_equal(r.body, "first\n");
    assert_header(&r, "Content-Range", "bytes 0-5/*");
    assert_header(&r, "ETag", NULL);
    api_get(a, path, &r);
    assert_status(&r, 200);
    assert_string_equal(r.body, "first\n");
    get_range(a, path, "bytes=6-", &r);
    assert_problem(&r, 416, "range-not-satisfiable");
    assert_header(&r, "Content-Range", "bytes */6");

    assert_int_equal(write(fd, "second\n", 7), 7);
    await_log(a, path, "bytes=6-", 7, &r);
    assert_status(&r, 206);
    assert_string_equal(r.body, "second\n");
    assert_header(&r, "Content-Range", "bytes 6-12/*");
    api_get(a, api_job_path(id, ""), &r);
    assert_string_equal(api_text(&r, "state"), "running");

    fd_fini(&fd);
    api_await(a, id, &r);
    get_range(a, path, "bytes=6-", &r);
    assert_status(&r, 206);
    assert_string_equal(r.body, "second\nlast\n");
    assert_header(&r, "Content-Range", "bytes 6-17/18");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_json_result_is_served_as_it_was_given),
        cmocka_unit_test(a_large_json_result_is_not_in_the_job),
        cmocka_unit_test(the_type_of_a_stdout_result_is_told_by_its_bytes),
        cmocka_unit_test(a_result_that_is_known_is_not_sent_again),
        cmocka_unit_test(head_tells_the_size_of_a_result),
        cmocka_unit_test(a_job_without_a_result_says_so),
        cmocka_unit_test(both_streams_are_kept_apart),
        cmocka_unit_test(a_log_that_was_never_written_is_empty),
        cmocka_unit_test(a_part_of_a_log_can_be_had),
        cmocka_unit_test(a_part_is_only_sent_of_the_log_that_is_meant),
        cmocka_unit_test(of_too_much_output_beginning_and_end_are_kept),
        cmocka_unit_test(the_log_of_a_running_job_grows),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/result_logs", tests, api_setup, api_teardown));
}
