/* Every operation of the contract is asked for what belongs to another tenant: it is not there.
 */
#include "tests/support/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "domain/api_key.h"
#include "handlers/handlers.h"
#include "tests/support/keys.h"

static const char config[] =
    "allow_commands: true\n"
    "workers: 1\n"
    "auth: required\n"
    "functions:\n"
    "  - name: leave\n"
    "    command: [sh, -c, 'echo out; echo kept > $JOBD_ARTIFACTS/file; echo err >&2']\n"
    "    result: stdout\n";

#define MARK "mark-of-acme" /* in what belongs to the first tenant */
#define NONE "0192f0c1-2345-7abc-8def-0123456789ab"

static struct {
    char own[KEYS_TOKEN_SIZE];     /* of the tenant acme */
    char other[KEYS_TOKEN_SIZE];   /* of another tenant */
    char nobodys[KEYS_TOKEN_SIZE]; /* of the default tenant */
    char finished[API_ID_SIZE];
    char scheduled[API_ID_SIZE];
    char batch[API_ID_SIZE];
} acme;

static void make_batch(const struct api *a)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *path = NULL;

    keys_send(a, acme.own, "POST", "/v1/batches",
              "{\"name\":\"" MARK "\",\"jobs\":[{\"function\":\"leave\",\"name\":\"" MARK
              "\"}]}",
              &r);
    assert_status(&r, 202);
    (void)snprintf(acme.batch, sizeof acme.batch, "%s", api_text(&r, "id"));
    path = mem_printf("/v1/batches/%s?wait=50", acme.batch);
    api_reply_fini(&r);
    keys_send(a, acme.own, NULL, path, NULL, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
}

static int setup(void **state)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct api *a;

    (void)api_setup(state);
    a = *state;
    (void)keys_make(a, "--tenant acme --scope *", acme.own);
    (void)keys_make(a, "--tenant other --scope *", acme.other);
    (void)keys_make(a, "--scope *", acme.nobodys);
    (void)keys_submit(a, acme.own,
                      "{\"function\":\"leave\",\"name\":\"" MARK "\",\"labels\":{\"l\":\"" MARK
                      "\"}}",
                      acme.finished);
    (void)keys_submit(a, acme.own,
                      "{\"function\":\"leave\",\"name\":\"" MARK "\",\"delay_seconds\":9999}",
                      acme.scheduled);
    make_batch(a);
    keys_send(a, acme.own, NULL, api_job_path(acme.finished, "?wait=50"), NULL, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    return 0;
}

/* The template with its parameters filled in; heap. */
static char *fill(const char *template, const char *job)
{
    static const struct {
        const char *name, *value;
    } params[] = {
        { "{number}", "1" },   { "{stream}", "stdout" },      { "{path*}", "file" },
        { "{name}", "leave" }, { "{code}", "job-not-found" },
    };
    const char *id = text_starts(template, "/v1/batches", NULL) ? acme.batch : job;
    char key_id[API_KEY_ID_SIZE];
    struct buf out = { 0 };

    (void)text_copy(key_id, sizeof key_id, acme.own + strlen(API_KEY_PREFIX));
    if (text_starts(template, "/v1/api-keys", NULL))
        id = key_id;
    while (*template) {
        size_t i = 0, n = strcspn(template, "{");

        buf_add(&out, template, n);
        template += n;
        if (*template == '\0')
            break;
        if (text_starts(template, "{id}", &template)) {
            buf_add_str(&out, id);
            continue;
        }
        while (i < COUNT_OF(params) && !text_starts(template, params[i].name, &template))
            i++;
        if (i == COUNT_OF(params))
            fail_msg("a parameter that this test does not know: %s", template);
        buf_add_str(&out, params[i].value);
    }
    return buf_steal(&out);
}

static const char *const methods[HTTP_METHOD_MAX_] = {
    [HTTP_GET] = "GET",
    [HTTP_POST] = "POST",
    [HTTP_PATCH] = "PATCH",
    [HTTP_DELETE] = "DELETE",
};

static void ask(const struct api *a, const struct http_route *route, const char *token,
                const char *job, struct api_reply *ret_reply)
{
    AUTO(mem) char *path = fill(route->path, job);
    AUTO(mem) char *header = mem_printf("Authorization: Bearer %s", token);
    AUTO(mem) char *body = NULL;
    struct api_request q = { .method = methods[route->method], .path = path };

    q.headers[0] = header;
    q.headers[1] = "Accept: application/json, */*;q=0.5";
    if (route->body == BODY_MERGE_PATCH)
        q.headers[2] = "Content-Type: application/merge-patch+json";
    if (route->body == BODY_MERGE_PATCH)
        q.body = "{\"priority\":7}";
    else if (strstr(route->path, ":batch") && !strstr(route->path, ":batchCreate"))
        body = mem_printf("{\"ids\":[\"%s\"]}", job);
    else if (text_equal(route->operation_id, "addBatchJobs"))
        q.body = "{\"jobs\":[{\"function\":\"leave\"}]}";
    else if (route->body != BODY_NONE)
        q.body = "{}";
    if (body)
        q.body = body;
    api_send(a, &q, ret_reply);
}

/* Nothing in the answer is of acme. */
static void assert_silent(const struct http_route *route, const struct api_reply *r)
{
    if (strstr(r->body, MARK))
        fail_msg("%s %s tells another tenant of it: %s", route->operation_id, route->path,
                 r->body);
}

static void ask_for_foreign(const struct api *a, const struct http_route *route,
                            const char *token, const char *job)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    ask(a, route, token, job, &r);
    assert_silent(route, &r);
    if (strstr(route->path, "{id}") && r.status != 404)
        fail_msg("%s %s answers %ld to another tenant: %s", route->operation_id, route->path,
                 r.status, r.body);
    if (!strstr(route->path, "{id}") && route->method == HTTP_GET && strstr(r.body, job))
        fail_msg("%s names the job of another tenant: %s", route->operation_id, r.body);
}

static void what_belongs_to_another_tenant_is_not_there(void **state)
{
    const struct api *a = *state;
    const char *const tokens[] = { acme.other, acme.nobodys };
    const char *const jobs[] = { acme.finished, acme.scheduled };
    AUTO_FINI(api_reply) struct api_reply before = { 0 };
    AUTO_FINI(api_reply) struct api_reply after = { 0 };

    keys_send(a, acme.own, NULL, "/v1/jobs?view=full", NULL, &before);
    assert_status(&before, 200);
    assert_non_null(strstr(before.body, MARK));
    for (size_t i = 0; i < handlers_route_count; i++)
        for (size_t j = 0; j < 4; j++)
            if (handlers_routes[i].scope != SCOPE_PUBLIC)
                ask_for_foreign(a, &handlers_routes[i], tokens[j / 2], jobs[j % 2]);
    keys_send(a, acme.own, NULL, "/v1/jobs?view=full", NULL, &after);
    assert_string_equal(before.body, after.body); /* and nobody has changed anything */
}

/* The same requests, so that the paths above are known to be right. */
static void its_own_tenant_finds_all_of_it(void **state)
{
    const struct api *a = *state;

    for (size_t i = 0; i < handlers_route_count; i++) {
        const struct http_route *route = &handlers_routes[i];
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        if (route->method != HTTP_GET || !strstr(route->path, "{id}"))
            continue;
        ask(a, route, acme.own, acme.finished, &r);
        if (r.status != 200)
            fail_msg("%s answers %ld: %s", route->operation_id, r.status, r.body);
    }
}

/* Whether a job is foreign or has never been there cannot be told apart. */
static void a_foreign_job_looks_like_one_that_never_was(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply foreign = { 0 };
    AUTO_FINI(api_reply) struct api_reply never = { 0 };

    keys_send(a, acme.other, NULL, api_job_path(acme.finished, ""), NULL, &foreign);
    keys_send(a, acme.other, NULL, api_job_path(NONE, ""), NULL, &never);
    assert_problem(&foreign, 404, "job-not-found");
    assert_problem(&never, 404, "job-not-found");
    assert_int_equal(strspn(api_text(&foreign, "detail"), "there is no job "),
                     strspn(api_text(&never, "detail"), "there is no job "));
}

/* The same key of an idempotent submit is another one for another tenant. */
static void an_idempotency_key_is_its_callers(void **state)
{
    const struct api *a = *state;
    const char *const tokens[] = { acme.own, acme.other };
    char ids[2][API_ID_SIZE];

    for (size_t i = 0; i < 2; i++) {
        AUTO(mem) char *header = mem_printf("Authorization: Bearer %s", tokens[i]);
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        struct api_request q = { .path = "/v1/jobs", .body = "{\"function\":\"leave\"}" };

        q.headers[0] = header;
        q.headers[1] = "Idempotency-Key: the-same";
        api_send(a, &q, &r);
        assert_status(&r, 202);
        (void)snprintf(ids[i], sizeof ids[i], "%s", api_text(&r, "id"));
    }
    assert_string_not_equal(ids[0], ids[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_belongs_to_another_tenant_is_not_there),
        cmocka_unit_test(its_own_tenant_finds_all_of_it),
        cmocka_unit_test(a_foreign_job_looks_like_one_that_never_was),
        cmocka_unit_test(an_idempotency_key_is_its_callers),
    };

    api_configure(config);
    return api_finish(cmocka_run_group_tests_name("api/tenants", tests, setup, api_teardown));
}
