/* The service document, the contract, the health and the error codes; and what is true of every
 * answer. */
#include "tests/support/api.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/uuid7.h"

static const char config[] =
    "max_body_bytes: 64KiB\n"
    "functions:\n"
    "  - name: words\n"
    "    command: [wc, -w]\n";

static void the_root_leads_to_everything(void **state)
{
    static const char *const links[] = { "self",    "jobs",        "events",  "functions",
                                         "workers", "livez",       "readyz",  "openapi",
                                         "docs",    "api_catalog", "problems" };
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_get(a, "/", &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "name"), "jobd");
    assert_string_equal(api_text(&r, "version"), JOBD_VERSION);
    assert_header(
        &r, "Link",
        "</openapi.json>; rel=\"service-desc\", </docs>; rel=\"service-doc\","
        " </readyz>; rel=\"status\", </.well-known/api-catalog>; rel=\"api-catalog\"");
    for (size_t i = 0; i < COUNT_OF(links); i++) {
        AUTO_FINI(api_reply) struct api_reply linked = { 0 };
        char at[32];

        (void)snprintf(at, sizeof at, "links.%s", links[i]);
        api_get(a, api_text(&r, at), &linked);
        assert_status(&linked, 200);
    }
}

static void the_contract_is_served_as_it_is_in_the_tree(void **state)
{
    static const struct {
        const char *path;
        const char *file;
        const char *type;
    } cases[] = {
        { "/openapi.json", "openapi/openapi.json", "application/json" },
        { "/openapi.yaml", "openapi/openapi.yaml", "application/yaml" },
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        AUTO_FINI(buf) struct buf file = { 0 };
        struct errinfo e;

        assert_int_equal(fd_read_file(cases[i].file, (size_t)1 << 24, &file, &e), 0);
        api_get(a, cases[i].path, &r);
        assert_status(&r, 200);
        assert_header(&r, "Content-Type", cases[i].type);
        assert_int_equal(r.body_len, file.len);
        assert_memory_equal(r.body, file.data, file.len);
    }
}

static void the_server_is_alive_and_ready(void **state)
{
    static const char *const paths[] = { "/livez", "/readyz" };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        const struct api_request q = { .path = paths[i], .headers = { "Accept: text/html" } };

        api_send(a, &q, &r);
        assert_status(&r, 200);
        assert_string_equal(r.body, "ok\n");
        assert_header(&r, "Content-Type", "text/plain; charset=utf-8");
        assert_header(&r, "Cache-Control", "no-store");
    }
}

/* -- problems ---------------------------------------------------------------------------------
 */

static void every_problem_can_be_looked_up_where_its_type_leads(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply list = { 0 };
    size_t count;

    api_get(a, "/problems", &list);
    assert_status(&list, 200);
    count = json_array_size(api_at(list.json, "items"));
    assert_true(count > 20);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(api_at(list.json, "items"), i);
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        api_get(a, json_string_value(json_object_get(item, "type")), &r);
        assert_status(&r, 200);
        assert_true(json_equal(r.json, item));
        for (size_t j = 0; j < i; j++)
            assert_false(json_equal(json_array_get(api_at(list.json, "items"), j), item));
    }
}

static void the_page_for_people_needs_nothing_from_elsewhere(void **state)
{
    static const char *const outside[] = { "<script", "src=", "<link", "@import", "url(" };
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_get(a, "/docs", &r);
    assert_status(&r, 200);
    assert_header(&r, "Content-Type", "text/html; charset=utf-8");
    assert_non_null(strstr(api_header(&r, "Content-Security-Policy"), "default-src 'none'"));
    for (size_t i = 0; i < COUNT_OF(outside); i++)
        if (strstr(r.body, outside[i]))
            fail_msg("%s is in it", outside[i]);
    assert_non_null(strstr(r.body, "id=\"createJob\""));
    assert_non_null(strstr(r.body, "id=\"problem-job-not-found\""));
    assert_non_null(strstr(r.body, "id=\"schema-Job\""));
}

static void the_catalog_leads_to_the_descriptions(void **state)
{
    static const char *const relations[] = { "service-desc", "service-doc", "status" };
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(json) json_t *json = NULL;

    api_get(a, "/.well-known/api-catalog", &r);
    assert_status(&r, 200);
    assert_header(
        &r, "Content-Type",
        "application/linkset+json; profile=\"https://www.rfc-editor.org/info/rfc9727\"");
    assert_header(&r, "Link", "</.well-known/api-catalog>; rel=\"api-catalog\"");
    json = json_loads(r.body, 0, NULL);
    for (size_t i = 0; i < COUNT_OF(relations); i++) {
        AUTO_FINI(api_reply) struct api_reply linked = { 0 };
        char at[64];

        (void)snprintf(at, sizeof at, "linkset.0.%s.0.href", relations[i]);
        api_get(a, json_string_value(api_at(json, at)), &linked);
        assert_status(&linked, 200);
    }
}

static void a_browser_reads_problems_as_pages(void **state)
{
    static const char accept[] = "Accept: text/html,application/xhtml+xml,*/*;q=0.8";
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct api_request q = { .method = "GET",
                             .path = "/problems/queue-full",
                             .headers = { accept } };

    api_send(a, &q, &r);
    assert_status(&r, 200);
    assert_header(&r, "Content-Type", "text/html; charset=utf-8");
    assert_non_null(strstr(r.body, "href=\"/docs#problem-queue-full\""));
    q.path = "/problems";
    api_send(a, &q, &r);
    assert_status(&r, 303);
    assert_header(&r, "Location", "/docs#problems");
}

static void a_problem_says_what_it_means(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_get(a, "/problems/job-not-found", &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "type"), "/problems/job-not-found");
    assert_string_equal(api_text(&r, "code"), "job-not-found");
    assert_int_equal(api_number(&r, "status"), 404);
    assert_string_equal(api_text(&r, "title"), "There is no such job");
    api_get(a, "/problems/no-such-code", &r);
    assert_problem(&r, 404, "not-found");
}

/* -- what is true of every answer
 * --------------------------------------------------------------- */

static void a_request_keeps_its_id_or_gets_one(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct uuid7 id;

    api_send(
        a, &(struct api_request){ .path = "/livez", .headers = { "X-Request-Id: My.id_1-2" } },
        &r);
    assert_header(&r, "X-Request-Id", "My.id_1-2");
    api_send(a, &(struct api_request){ .path = "/livez", .headers = { "X-Request-Id: a b" } },
             &r);
    assert_true(uuid7_parse(api_header(&r, "X-Request-Id"), &id));
    api_send(a, &(struct api_request){ .path = "/no", .headers = { "X-Request-Id: error.1" } },
             &r);
    assert_string_equal(api_text(&r, "request_id"), "error.1");
}

static void every_get_has_a_head_and_options(void **state)
{
    static const char *const paths[] = { "/",        "/livez",        "/readyz",
                                         "/v1/jobs", "/openapi.json", "/problems" };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        api_send(a, &(struct api_request){ .method = "HEAD", .path = paths[i] }, &r);
        assert_status(&r, 200);
        assert_int_equal(r.body_len, 0);
        api_send(a, &(struct api_request){ .method = "OPTIONS", .path = paths[i] }, &r);
        assert_status(&r, 204);
        assert_non_null(strstr(api_header(&r, "Allow"), "GET, HEAD"));
    }
}

static void what_is_not_there_or_not_allowed_is_refused(void **state)
{
    static const struct {
        const char *method;
        const char *path;
        const char *header;
        long status;
        const char *code;
    } cases[] = {
        { "GET", "/no", NULL, 404, "not-found" },
        { "GET", "/v1", NULL, 404, "not-found" },
        { "GET", "/v1/jobs/", NULL, 404, "not-found" },
        { "GET", "//", NULL, 404, "not-found" },
        { "GET", "/v2/jobs", NULL, 404, "not-found" },
        { "PUT", "/v1/jobs", NULL, 405, "method-not-allowed" },
        { "PATCH", "/livez", NULL, 405, "method-not-allowed" },
        { "DELETE", "/v1/jobs", NULL, 405, "method-not-allowed" },
        { "BREW", "/", NULL, 405, "method-not-allowed" },
        { "GET", "/%", NULL, 400, "malformed-request" },
        { "GET", "/problems/%00", NULL, 400, "malformed-request" },
        { "GET", "/?x=1", NULL, 400, "invalid-parameter" },
        { "GET", "/livez?verbose", NULL, 400, "invalid-parameter" },
        { "GET", "/readyz?verbose=%zz", NULL, 400, "invalid-parameter" },
        { "GET", "/openapi.json?x=1", NULL, 400, "invalid-parameter" },
        { "GET", "/openapi.yaml?x=1", NULL, 400, "invalid-parameter" },
        { "GET", "/problems?x=1", NULL, 400, "invalid-parameter" },
        { "GET", "/problems/not-found?x=1", NULL, 400, "invalid-parameter" },
        { "GET", "/", "Accept: text/html", 406, "not-acceptable" },
        { "GET", "/problems", "Accept: image/*", 406, "not-acceptable" },
        { "GET", "/problems/not-found", "Accept: application/json;q=0", 406, "not-acceptable" },
        { "GET", "/", "Host: jobs.example", 403, "forbidden-host" },
        { "GET", "/livez", "Host: jobs.example:80", 403, "forbidden-host" },
        { "GET", "/readyz", "Host: 10.0.0.1", 403, "forbidden-host" },
        { "GET", "/openapi.json", "Host: localhost.example", 403, "forbidden-host" },
        { "GET", "/openapi.yaml", "Host: jobs.example", 403, "forbidden-host" },
        { "GET", "/problems", "Host: jobs.example", 403, "forbidden-host" },
        { "GET", "/problems/not-found", "Host: jobs.example", 403, "forbidden-host" },
        { "GET", "/docs", "Host: jobs.example", 403, "forbidden-host" },
        { "GET", "/.well-known/api-catalog", "Host: jobs.example", 403, "forbidden-host" },
        { "GET", "/v1/whoami", "Host: jobs.example", 403, "forbidden-host" },
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        const struct api_request q = { .method = cases[i].method,
                                       .path = cases[i].path,
                                       .headers = { cases[i].header } };

        api_send(a, &q, &r);
        assert_problem(&r, cases[i].status, cases[i].code);
        if (r.status == 405)
            assert_non_null(api_header(&r, "Allow"));
    }
}

static void the_loopback_has_several_names(void **state)
{
    static const char *const hosts[] = { "Host: localhost", "Host: LOCALHOST:9",
                                         "Host: 127.0.0.1", "Host: [::1]:8080" };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        api_send(a, &(struct api_request){ .path = "/livez", .headers = { hosts[i] } }, &r);
        assert_status(&r, 200);
    }
}

static void a_target_that_is_too_long_is_refused(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *path = mem_array0(9002, 1);

    memset(path, 'a', 9001);
    path[0] = '/';
    api_send(a, &(struct api_request){ .path = path }, &r);
    assert_problem(&r, 414, "uri-too-long");
}

static void a_web_page_of_another_site_cannot_submit(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct api_request q = { .path = "/v1/jobs", .body = "{\"function\":\"words\"}" };

    q.headers[0] = "Origin: http://evil.example";
    api_send(a, &q, &r);
    assert_problem(&r, 403, "forbidden-host");
    q.headers[0] = "Content-Type: text/plain";
    api_send(a, &q, &r);
    assert_problem(&r, 415, "unsupported-media-type");
    assert_header(&r, "Accept", "application/json");
    q.headers[0] = "Content-Type: application/x-www-form-urlencoded";
    api_send(a, &q, &r);
    assert_problem(&r, 415, "unsupported-media-type");
    api_get(a, "/v1/jobs", &r);
    assert_int_equal(json_array_size(api_at(r.json, "items")), 0);
}

/* Readers are opened when they are first needed: at this moment the database is not there. */
static void a_database_that_cannot_be_read_is_told(void **state)
{
    static const char id[] = "01937f6c-2b9a-7c31-8e5d-3f1a9b7c2d4e";
    static const char *const rests[] = { "",          "?wait=1",     "/result",
                                         "/attempts", "/attempts/1", "/logs/stdout",
                                         "/events",   "/artifacts",  "/artifacts/a.txt" };
    static const char *const others[] = {
        "/v1/jobs",
        "/v1/events",
        "/v1/errors",
        "/v1/batches",
        "/v1/batches/01937f6c-2b9a-7c31-8e5d-3f1a9b7c2d4e",
        "/v1/batches/01937f6c-2b9a-7c31-8e5d-3f1a9b7c2d4e/jobs",
        "/v1/batches/01937f6c-2b9a-7c31-8e5d-3f1a9b7c2d4e/errors",
        "/v1/batches/01937f6c-2b9a-7c31-8e5d-3f1a9b7c2d4e/events",
        "/v1/api-keys",
        "/v1/api-keys/AAAAAAAAAAAA",
        "/readyz",
    };
    struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *db = mem_str(api_path(a, "data/jobd.db"));
    AUTO(mem) char *aside = mem_str(api_path(a, "data/aside.db"));

    api_stop(a, SIGTERM);
    api_start(a);
    assert_int_equal(rename(db, aside), 0);
    for (size_t i = 0; i < COUNT_OF(rests); i++) {
        api_get(a, api_job_path(id, rests[i]), &r);
        assert_problem(&r, 503, "database-unavailable");
        assert_header(&r, "Retry-After", "1");
        assert_null(strstr(r.body, a->dir)); /* where it lies is nobody's business */
    }
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        api_get(a, others[i], &r);
        assert_problem(&r, 503, "database-unavailable");
    }
    api_get(a, "/livez", &r);
    assert_status(&r, 200);

    assert_int_equal(rename(aside, db), 0);
    api_get(a, "/readyz", &r);
    assert_status(&r, 200);
    api_get(a, "/v1/jobs", &r);
    assert_status(&r, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_root_leads_to_everything),
        cmocka_unit_test(the_contract_is_served_as_it_is_in_the_tree),
        cmocka_unit_test(the_server_is_alive_and_ready),
        cmocka_unit_test(every_problem_can_be_looked_up_where_its_type_leads),
        cmocka_unit_test(the_page_for_people_needs_nothing_from_elsewhere),
        cmocka_unit_test(the_catalog_leads_to_the_descriptions),
        cmocka_unit_test(a_browser_reads_problems_as_pages),
        cmocka_unit_test(a_problem_says_what_it_means),
        cmocka_unit_test(a_request_keeps_its_id_or_gets_one),
        cmocka_unit_test(every_get_has_a_head_and_options),
        cmocka_unit_test(what_is_not_there_or_not_allowed_is_refused),
        cmocka_unit_test(the_loopback_has_several_names),
        cmocka_unit_test(a_target_that_is_too_long_is_refused),
        cmocka_unit_test(a_web_page_of_another_site_cannot_submit),
        cmocka_unit_test(a_database_that_cannot_be_read_is_told),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/service", tests, api_setup, api_teardown));
}
