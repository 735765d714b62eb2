#include "tests/support/test.h"

#include "base/mem.h"
#include "base/text.h"
#include "server/http/router.h"

static const struct http_route ROUTES[] = {
    { HTTP_POST, "/v1/jobs", "createJob", NULL, BODY_JSON, SCOPE_PUBLIC },
    { HTTP_GET, "/v1/jobs", "listJobs", NULL, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_GET, "/v1/jobs/{id}", "getJob", NULL, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_DELETE, "/v1/jobs/{id}", "deleteJob", NULL, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_POST, "/v1/jobs/{id}:cancel", "cancelJob", NULL, BODY_JSON_OPTIONAL, SCOPE_PUBLIC },
    { HTTP_POST, "/v1/jobs:batchCreate", "batchCreateJobs", NULL, BODY_JSON, SCOPE_PUBLIC },
    { HTTP_GET, "/v1/jobs/{id}/logs/{stream}", "getJobLog", NULL, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_GET, "/v1/jobs/{id}/result", "getJobResult", NULL, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_GET, "/v1/jobs/{id}/artifacts", "listArtifacts", NULL, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_GET, "/v1/jobs/{id}/artifacts/{path*}", "getArtifact", NULL, BODY_NONE,
      SCOPE_PUBLIC },
    { HTTP_GET, "/v1/jobs/special", "getSpecial", NULL, BODY_NONE, SCOPE_PUBLIC },
    { HTTP_GET, "/", "getService", NULL, BODY_NONE, SCOPE_PUBLIC },
};

static struct router *rt;

static int make_router(void **state)
{
    struct errinfo e;

    (void)state;
    return router_new(ROUTES, COUNT_OF(ROUTES), &rt, &e);
}

static int free_router(void **state)
{
    (void)state;
    rt = router_free(rt);
    return 0;
}

/* The parameters of m point into *path_keep, which the next call frees. */
static int look_up(const char *path, struct route_match *m)
{
    static char *path_keep;
    struct errinfo e;

    free(path_keep);
    path_keep = path ? mem_str(path) : NULL;
    return path ? router_match(rt, path_keep, m, &e) : 0;
}

static void expect_resource(const char *path, const char *template)
{
    struct route_match m;

    assert_int_equal(look_up(path, &m), 0);
    assert_string_equal(resource_path(m.resource), template);
}

static void every_template_finds_its_resource(void **state)
{
    (void)state;
    expect_resource("/", "/");
    expect_resource("/v1/jobs", "/v1/jobs");
    expect_resource("/v1/jobs/abc", "/v1/jobs/{id}");
    expect_resource("/v1/jobs/abc:cancel", "/v1/jobs/{id}:cancel");
    expect_resource("/v1/jobs:batchCreate", "/v1/jobs:batchCreate");
    expect_resource("/v1/jobs/abc/logs/stdout", "/v1/jobs/{id}/logs/{stream}");
    expect_resource("/v1/jobs/abc/result", "/v1/jobs/{id}/result");
}

static void a_literal_segment_wins_over_a_parameter(void **state)
{
    (void)state;
    expect_resource("/v1/jobs/special", "/v1/jobs/special");
    expect_resource("/v1/jobs/specials", "/v1/jobs/{id}");
}

static void an_encoded_colon_is_a_colon(void **state)
{
    struct route_match m;

    (void)state;
    expect_resource("/v1/jobs/abc%3Acancel", "/v1/jobs/{id}:cancel");
    expect_resource("/v1/jobs/abc%3acancel", "/v1/jobs/{id}:cancel");
    expect_resource("/v1/jobs%3AbatchCreate", "/v1/jobs:batchCreate");
    assert_int_equal(look_up("/v1/jobs/abc%3Acancel", &m), 0);
    assert_string_equal(m.params[0].value, "abc");
}

static void an_encoded_slash_forges_no_segment(void **state)
{
    struct route_match m;

    (void)state;
    assert_int_equal(look_up("/v1/jobs/abc%2Fresult", &m), 0);
    assert_string_equal(resource_path(m.resource), "/v1/jobs/{id}");
    assert_string_equal(m.params[0].value, "abc/result");
    assert_int_equal(look_up("/v1%2Fjobs", &m), ERR_NOT_FOUND);
}

static void parameters_are_decoded_and_named(void **state)
{
    struct route_match m;

    (void)state;
    assert_int_equal(look_up("/v1/jobs/a%20b+c%C3%A9/logs/std%6Fut", &m), 0);
    assert_int_equal(m.param_count, 2);
    assert_string_equal(m.params[0].name, "id");
    assert_string_equal(m.params[0].value, "a b+c\xC3\xA9");
    assert_string_equal(m.params[1].name, "stream");
    assert_string_equal(m.params[1].value, "stdout");
}

static void what_no_template_has_is_not_found(void **state)
{
    static const char *const paths[] = {
        "/v1",
        "/v2/jobs",
        "/v1/jobs/",
        "//v1/jobs",
        "/v1//jobs",
        "/v1/jobs/abc/",
        "/v1/jobs/:cancel",
        "/v1/jobs/abc:frobnicate",
        "/v1/jobs/a:b:cancel",
        "/v1/jobs/abc/logs/",
        "/V1/jobs",
        "/v1/job",
        "/v1/jobsx",
        "/1/2/3/4/5/6/7/8/9/10",
    };
    struct route_match m;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        if (look_up(paths[i], &m) != ERR_NOT_FOUND)
            fail_msg("%s is found", paths[i]);
}

static void bad_percent_encoding_is_malformed(void **state)
{
    static const char *const paths[] = {
        "/v1/jobs/%",       "/v1/jobs/%4",   "/v1/jobs/%zz",    "/v1/jobs/a%00b",
        "/v1/jobs/a%0Ab",   "/v1/jobs/%FF",  "/v1/jobs/%C0%AF", "/v1/jobs/%ED%A0%80",
        "/v1/jobs/a%7Fb/x", "/v1/jobs/\xFF",
    };
    struct route_match m;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        if (look_up(paths[i], &m) != ERR_MALFORMED_REQUEST)
            fail_msg("%s is taken", paths[i]);
}

static void allow_lists_what_a_resource_has(void **state)
{
    struct route_match m;

    (void)state;
    assert_int_equal(look_up("/v1/jobs", &m), 0);
    assert_string_equal(resource_allow(m.resource), "GET, HEAD, POST, OPTIONS");
    assert_int_equal(look_up("/v1/jobs/x", &m), 0);
    assert_string_equal(resource_allow(m.resource), "GET, HEAD, DELETE, OPTIONS");
    assert_int_equal(look_up("/v1/jobs/x:cancel", &m), 0);
    assert_string_equal(resource_allow(m.resource), "POST, OPTIONS");
}

static void a_method_leads_to_its_operation(void **state)
{
    struct route_match m;

    (void)state;
    assert_int_equal(look_up("/v1/jobs/x", &m), 0);
    assert_string_equal(resource_route(m.resource, HTTP_GET)->operation_id, "getJob");
    assert_string_equal(resource_route(m.resource, HTTP_DELETE)->operation_id, "deleteJob");
    assert_null(resource_route(m.resource, HTTP_POST));
    (void)look_up(NULL, &m);
}

static void templates_that_cannot_be_compiled_are_refused(void **state)
{
    static const char *const paths[] = {
        "",
        "v1",
        "/{}",
        "/{id",
        "/id}",
        "/x{id}",
        "/{id}x",
        "/{a}/{b}/{c}/{d}/{e}",
        "/1/2/3/4/5/6/7/8/9",
        "/{*}",
        "/{a*}/b",
        "/{a*}:b",
    };
    struct errinfo e;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        const struct http_route route = { .method = HTTP_GET, .path = paths[i] };
        struct router *none = NULL;

        if (router_new(&route, 1, &none, &e) != ERR_INTERNAL)
            fail_msg("%s is compiled", paths[i]);
        assert_null(none);
    }
}

static void the_rest_of_a_path_can_be_a_parameter(void **state)
{
    static const struct {
        const char *path;
        const char *value;
    } cases[] = {
        { "a", "a" },
        { "a/b/c", "a/b/c" },
        { "a%2Fb", "a/b" },
        { "a%20b/%C3%A9:x", "a b/\xC3\xA9:x" },
        { "..%2f%2e%2e/x", "../../x" },
        { "%2Fetc/passwd", "/etc/passwd" },
        { "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17",
          "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17" },
    };
    struct route_match m;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(mem) char *path = mem_printf("/v1/jobs/abc/artifacts/%s", cases[i].path);

        assert_int_equal(look_up(path, &m), 0);
        assert_string_equal(resource_path(m.resource), "/v1/jobs/{id}/artifacts/{path*}");
        assert_int_equal(m.param_count, 2);
        assert_string_equal(m.params[0].value, "abc");
        assert_string_equal(m.params[1].name, "path");
        assert_string_equal(m.params[1].value, cases[i].value);
    }
    expect_resource("/v1/jobs/abc/artifacts", "/v1/jobs/{id}/artifacts");
    assert_int_equal(look_up("/v1/jobs/abc/artifacts/", &m), ERR_NOT_FOUND);
    assert_int_equal(look_up("/v1/jobs/abc/artifacts/a/", &m), ERR_NOT_FOUND);
    assert_int_equal(look_up("/v1/jobs/abc/artifacts/a//b", &m), ERR_NOT_FOUND);
    assert_int_equal(look_up("/v1/jobs/abc:x/artifacts/a", &m), ERR_NOT_FOUND);
    assert_int_equal(
        look_up("/v1/jobs/abc/artifacts/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/"
                "19/20/21/22/23/24/25/26/27/28/29",
                &m),
        ERR_NOT_FOUND);
    (void)look_up(NULL, &m);
}

static void the_same_operation_twice_is_refused(void **state)
{
    const struct http_route twice[] = { ROUTES[0], ROUTES[0] };
    struct router *none = NULL;
    struct errinfo e;

    (void)state;
    assert_int_equal(router_new(twice, 2, &none, &e), ERR_INTERNAL);
    assert_null(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_template_finds_its_resource),
        cmocka_unit_test(a_literal_segment_wins_over_a_parameter),
        cmocka_unit_test(an_encoded_colon_is_a_colon),
        cmocka_unit_test(an_encoded_slash_forges_no_segment),
        cmocka_unit_test(parameters_are_decoded_and_named),
        cmocka_unit_test(what_no_template_has_is_not_found),
        cmocka_unit_test(bad_percent_encoding_is_malformed),
        cmocka_unit_test(allow_lists_what_a_resource_has),
        cmocka_unit_test(a_method_leads_to_its_operation),
        cmocka_unit_test(templates_that_cannot_be_compiled_are_refused),
        cmocka_unit_test(the_rest_of_a_path_can_be_a_parameter),
        cmocka_unit_test(the_same_operation_twice_is_refused),
    };

    return cmocka_run_group_tests_name("server/http/router", tests, make_router, free_router);
}
