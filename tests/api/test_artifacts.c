/* Working directories, inputs and artifacts of attempts: listJobArtifacts, getJobArtifact, and
 * that neither a job nor a client gets out of them. */
#include "tests/support/api.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

static const char config[] =
    "allow_commands: true\n"
    "workers: 2\n"
    "artifacts_max_bytes: 2MiB\n"
    "artifacts_max_files: 20\n"
    "functions:\n"
    "  - name: tool\n"
    "    command: [./tool.sh, x]\n";

/* The finished job of sh -c script, with more members of the request. */
static void run_with(const struct api *a, const char *script, const char *more,
                     char id[API_ID_SIZE], struct api_reply *ret_reply)
{
    AUTO(mem) char *body = mem_printf("{\"command\":[\"sh\",\"-c\",\"%s\"]%s}", script, more);

    api_await(a, api_submit(a, body, id), ret_reply);
}

static void run_script(const struct api *a, const char *script, char id[API_ID_SIZE],
                       struct api_reply *ret_reply)
{
    run_with(a, script, "", id, ret_reply);
    assert_string_equal(api_text(ret_reply, "state"), "succeeded");
}

static void get_with(const struct api *a, const char *path, const char *header,
                     struct api_reply *ret_reply)
{
    api_send(a, &(struct api_request){ .path = path, .headers = { header } }, ret_reply);
}

/* -- where a job runs ------------------------------------------------------------------------
 */

static void each_attempt_runs_in_a_fresh_directory(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    for (int i = 0; i < 3; i++) {
        run_script(a,
                   "pwd; ls -A | wc -l; test \\\"$PWD\\\" = \\\"$(/bin/pwd)\\\" && echo same; "
                   "ls -A $JOBD_ARTIFACTS | wc -l; touch left behind",
                   id, &r);
        api_get(a, api_job_path(id, "/logs/stdout"), &r);
        assert_non_null(strstr(r.body, id));
        assert_non_null(strstr(r.body, "/cwd\n0\nsame\n0\n"));
    }
}

static void the_program_of_a_function_is_found_from_its_file(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    FILE *f = fopen(api_path(a, "tool.sh"), "we");
    char id[API_ID_SIZE];

    assert_non_null(f);
    (void)fputs("#!/bin/sh\necho tool $1\n", f);
    (void)fclose(f);
    assert_int_equal(chmod(api_path(a, "tool.sh"), 0700), 0);
    api_await(a, api_submit(a, "{\"function\":\"tool\"}", id), &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    api_get(a, api_job_path(id, "/logs/stdout"), &r);
    assert_string_equal(r.body, "tool x\n");
}

static void inputs_are_in_the_working_directory(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    run_with(a, "cat a.txt b/c.bin",
             ",\"inputs\":[{\"path\":\"a.txt\",\"content\":\"hello \"},"
             "{\"path\":\"b/c.bin\",\"base64\":\"d29ybGQ=\"}]",
             id, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    api_get(a, api_job_path(id, "/logs/stdout"), &r);
    assert_string_equal(r.body, "hello world");
}

/* Directories in data/work and data/trash, but for those that are ready for the next job. */
static int count_left(const struct api *a)
{
    static const char *const dirs[] = { "data/work", "data/trash" };
    int count = 0;

    for (size_t i = 0; i < COUNT_OF(dirs); i++) {
        DIR *stream = opendir(api_path(a, dirs[i]));
        const struct dirent *entry;

        assert_non_null(stream);
        while ((entry = readdir(stream)) != NULL)
            count += entry->d_name[0] != '.' && strncmp(entry->d_name, "spare.", 6) != 0;
        (void)closedir(stream);
    }
    return count;
}

static void nothing_is_left_of_working_directories(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    usec_t deadline_us = clock_mono_us() + PATIENCE_US;
    char id[API_ID_SIZE];

    run_script(
        a,
        "for d in 1 2 3 4 5 6 7 8; do mkdir -p $d/$d/$d; touch $d/$d/$d/f; ln -s /etc $d/l; "
        "chmod 0 $d/$d/$d; done",
        id, &r);
    while (count_left(a) > 0) { /* the workers remove it when they have time */
        if (clock_mono_us() > deadline_us)
            fail_msg("something is left");
        (void)usleep(5000);
    }
}

/* -- what it leaves ---------------------------------------------------------------------------
 */

static void files_can_be_listed_and_downloaded(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *etag = NULL;
    AUTO(mem) char *path = NULL;
    char id[API_ID_SIZE];

    run_script(a,
               "cd $JOBD_ARTIFACTS; printf abc > b.txt; mkdir -p sub/deep; printf x > "
               "'sub/deep/a b+?.html'",
               id, &r);
    path = mem_str(api_text(&r, "links.artifacts"));
    assert_string_equal(path, api_job_path(id, "/artifacts"));
    api_get(a, path, &r);
    assert_status(&r, 200);
    assert_int_equal(api_number(&r, "attempt"), 1);
    assert_int_equal(api_number(&r, "left_out"), 0);
    assert_int_equal(json_array_size(api_at(r.json, "items")), 2);
    assert_string_equal(api_text(&r, "items.0.path"), "b.txt");
    assert_int_equal(api_number(&r, "items.0.size_bytes"), 3);
    assert_null(api_at(r.json, "items.0.digest"));
    assert_string_equal(api_text(&r, "items.1.path"), "sub/deep/a b+?.html");
    free(path);
    path = mem_str(api_text(&r, "items.1.links.self"));
    api_get(a, path, &r); /* the link can be followed as it is */
    assert_status(&r, 200);
    assert_string_equal(r.body, "x");
    assert_header(&r, "Content-Type", "application/octet-stream");
    assert_header(&r, "X-Content-Type-Options", "nosniff");
    assert_header(&r, "Content-Disposition",
                  "attachment; filename=\"a b+?.html\"; filename*=UTF-8''a%20b%2B%3F.html");

    api_get(a, api_job_path(id, "/artifacts?digest=sha-256"), &r);
    assert_string_equal(api_text(&r, "items.0.digest"),
                        "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:");

    api_get(a, api_job_path(id, "/artifacts/b.txt"), &r);
    assert_status(&r, 200);
    assert_string_equal(r.body, "abc");
    assert_header(&r, "Repr-Digest", "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:");
    assert_header(&r, "Accept-Ranges", "bytes");
    etag = mem_printf("If-None-Match: %s", api_header(&r, "ETag"));
    get_with(a, api_job_path(id, "/artifacts/b.txt"), etag, &r);
    assert_status(&r, 304);
    get_with(a, api_job_path(id, "/artifacts/b.txt"), "Range: bytes=1-", &r);
    assert_status(&r, 206);
    assert_string_equal(r.body, "bc");
    assert_header(&r, "Content-Range", "bytes 1-2/3");
    get_with(a, api_job_path(id, "/artifacts/b.txt"), "Range: bytes=3-", &r);
    assert_problem(&r, 416, "range-not-satisfiable");
    assert_header(&r, "Content-Range", "bytes */3");
    api_get(a, api_job_path(id, "/artifacts/sub%2Fdeep/a%20b+%3F.html"), &r);
    assert_status(&r, 200);
}

static void a_large_file_is_digested_when_asked(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    run_script(a, "head -c 1500000 /dev/zero > $JOBD_ARTIFACTS/zeros", id, &r);
    api_get(a, api_job_path(id, "/artifacts/zeros"), &r);
    assert_status(&r, 200);
    assert_int_equal(r.body_len, 1500000);
    assert_header(&r, "Repr-Digest", NULL);
    get_with(a, api_job_path(id, "/artifacts/zeros"), "Want-Repr-Digest: sha-256=1", &r);
    assert_non_null(api_header(&r, "Repr-Digest"));
    get_with(a, api_job_path(id, "/artifacts/zeros"), "Range: bytes=-5", &r);
    assert_status(&r, 206);
    assert_int_equal(r.body_len, 5);
}

static void those_of_a_failed_attempt_are_kept_and_each_has_its_own(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    run_with(a, "printf $JOBD_ATTEMPT > $JOBD_ARTIFACTS/n; exit 1",
             ",\"retry\":{\"max_attempts\":2,\"initial_delay_seconds\":0}", id, &r);
    assert_string_equal(api_text(&r, "state"), "failed");
    api_get(a, api_job_path(id, "/artifacts/n"), &r);
    assert_string_equal(r.body, "2");
    api_get(a, api_job_path(id, "/artifacts/n?attempt=1"), &r);
    assert_string_equal(r.body, "1");
    api_get(a, api_job_path(id, "/artifacts?attempt=1"), &r);
    assert_int_equal(api_number(&r, "attempt"), 1);
    api_get(a, api_job_path(id, "/artifacts?attempt=3"), &r);
    assert_problem(&r, 404, "attempt-not-found");
    api_get(a, api_job_path(id, "/artifacts/n?attempt=3"), &r);
    assert_problem(&r, 404, "attempt-not-found");
}

static void a_job_without_any_has_an_empty_list(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    run_script(a, "true", id, &r);
    api_get(a, api_job_path(id, "/artifacts"), &r);
    assert_status(&r, 200);
    assert_int_equal(json_array_size(api_at(r.json, "items")), 0);
    (void)api_submit(a, "{\"command\":[\"true\"],\"delay_seconds\":999}", id);
    api_get(a, api_job_path(id, "/artifacts"), &r);
    assert_status(&r, 200);
    assert_int_equal(api_number(&r, "attempt"), 0);
    api_get(a, api_job_path(id, "/artifacts/x"), &r);
    assert_problem(&r, 404, "artifact-not-found");
    api_get(a, "/v1/jobs/01937f6c-2b9a-7c31-8e5d-3f1a9b7c2d4e/artifacts", &r);
    assert_problem(&r, 404, "job-not-found");
    api_get(a, api_job_path(id, "/artifacts?digest=md5"), &r);
    assert_problem(&r, 400, "invalid-parameter");
}

static void bounds_hold(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    run_script(a, "cd $JOBD_ARTIFACTS; seq 25 | xargs touch", id, &r);
    api_get(a, api_job_path(id, "/artifacts"), &r);
    assert_int_equal(json_array_size(api_at(r.json, "items")), 20);
    assert_int_equal(api_number(&r, "left_out"), 5);
    run_script(a, "truncate -s 1G $JOBD_ARTIFACTS/sparse", id, &r);
    api_get(a, api_job_path(id, "/artifacts"), &r);
    assert_int_equal(json_array_size(api_at(r.json, "items")), 0);
    assert_int_equal(api_number(&r, "left_out"), 1);
}

/* -- nobody gets out -------------------------------------------------------------------------
 */

static void links_are_not_kept(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    run_script(
        a,
        "cd $JOBD_ARTIFACTS; ln -s /etc/passwd passwd; ln -s /etc etc; ln -s .. up; mkfifo "
        "fifo; echo x > good",
        id, &r);
    api_get(a, api_job_path(id, "/artifacts"), &r);
    assert_int_equal(json_array_size(api_at(r.json, "items")), 1);
    assert_int_equal(api_number(&r, "left_out"), 4);
    api_get(a, api_job_path(id, "/artifacts/passwd"), &r);
    assert_problem(&r, 404, "artifact-not-found");
    api_get(a, api_job_path(id, "/artifacts/etc/passwd"), &r);
    assert_problem(&r, 404, "artifact-not-found");
    run_script(a, "rmdir $JOBD_ARTIFACTS; ln -s /etc $JOBD_ARTIFACTS", id, &r);
    api_get(a, api_job_path(id, "/artifacts/passwd"), &r);
    assert_problem(&r, 404, "artifact-not-found");
}

static void no_path_leads_out(void **state)
{
    static const char *const paths[] = {
        "/artifacts/../../jobd.db",
        "/artifacts/..%2f..%2fjobd.db",
        "/artifacts/%2e%2e/%2e%2e/jobd.db",
        "/artifacts/%2e%2e%2f%2e%2e%2fjobd.db",
        "/artifacts/%2Fetc%2Fpasswd",
        "/artifacts//etc/passwd",
        "/artifacts/sub/../../../token.key",
        "/artifacts/sub%2f..%2fgood",
        "/artifacts/./good",
        "/artifacts/sub/",
        "/artifacts/sub",
        "/artifacts/%2e",
        "/artifacts/..",
        "/artifacts/good%00",
        "/artifacts/good%2f",
    };
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    run_script(a, "cd $JOBD_ARTIFACTS; mkdir sub; echo x > sub/f; echo x > good", id, &r);
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        api_get(a, api_job_path(id, paths[i]), &r);
        if (r.status != 404 && r.status != 400)
            fail_msg("%s is answered with %ld", paths[i], r.status);
    }
    api_get(a, api_job_path(id, "/artifacts/good"), &r);
    assert_status(&r, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_attempt_runs_in_a_fresh_directory),
        cmocka_unit_test(the_program_of_a_function_is_found_from_its_file),
        cmocka_unit_test(inputs_are_in_the_working_directory),
        cmocka_unit_test(nothing_is_left_of_working_directories),
        cmocka_unit_test(files_can_be_listed_and_downloaded),
        cmocka_unit_test(a_large_file_is_digested_when_asked),
        cmocka_unit_test(those_of_a_failed_attempt_are_kept_and_each_has_its_own),
        cmocka_unit_test(a_job_without_any_has_an_empty_list),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(links_are_not_kept),
        cmocka_unit_test(no_path_leads_out),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/artifacts", tests, api_setup, api_teardown));
}
