/* listJobs: filters, pages, cursors. */
#include "tests/support/api.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

static const char config[] =
    "allow_commands: true\n"
    "workers: 1\n"
    "functions:\n"
    "  - name: ok\n"
    "    command: [echo, fine]\n"
    "    result: stdout\n"
    "  - name: bad\n"
    "    command: [sh, -c, 'exit 1']\n";

#define JOBS 7
static char ids[JOBS][API_ID_SIZE]; /* in the order of submission */

/* Seven jobs: two succeeded, two failed, a command, one canceled, one scheduled. */
static int submit_jobs(void **state)
{
    static const char *const bodies[JOBS] = {
        "{\"function\":\"ok\",\"labels\":{\"team\":\"maps\",\"run\":\"7\"}}",
        "{\"function\":\"bad\",\"queue\":\"night\",\"name\":\"nightly & more\","
        "\"labels\":{\"\u00fc\":\"a&b c\"}}",
        "{\"function\":\"ok\",\"queue\":\"night\",\"name\":\"nightly report\","
        "\"args\":{\"text\":\"words\"},\"labels\":{\"team\":\"maps\"}}",
        "{\"function\":\"bad\",\"priority\":9,\"labels\":{\"run\":\"\"}}",
        "{\"command\":[\"true\"],\"labels\":{\"team\":\"maps\"}}",
        "{\"function\":\"ok\",\"delay_seconds\":999}",
        "{\"function\":\"ok\",\"delay_seconds\":999,\"queue\":\"night\"}",
    };
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    (void)api_setup(state);
    for (size_t i = 0; i < JOBS; i++)
        (void)api_submit(*state, bodies[i], ids[i]);
    for (size_t i = 0; i < 5; i++)
        api_await(*state, ids[i], &r);
    api_post(*state, api_job_path(ids[5], ":cancel"), NULL, &r);
    assert_status(&r, 200);
    return 0;
}

/* The page has exactly these jobs: digits are indexes of ids. */
static void assert_items(const struct api_reply *r, const char *expected)
{
    char found[64] = "";

    for (size_t i = 0; i < json_array_size(api_at(r->json, "items")); i++) {
        const json_t *job = json_array_get(api_at(r->json, "items"), i);
        const char *id = json_string_value(json_object_get(job, "id"));

        for (size_t j = 0; j < JOBS; j++)
            if (strcmp(ids[j], id) == 0)
                (void)snprintf(found + strlen(found), 2, "%zu", j);
    }
    assert_string_equal(found, expected);
}

static void the_newest_comes_first(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_get(a, "/v1/jobs", &r);
    assert_status(&r, 200);
    assert_items(&r, "6543210");
    assert_string_equal(api_text(&r, "self"), "/v1/jobs");
    assert_null(api_at(r.json, "next"));
    assert_header(&r, "Link", NULL);
    assert_string_equal(api_text(&r, "items.0.state"), "scheduled");
    assert_string_equal(api_text(&r, "items.2.command.0"), "true");
    assert_string_equal(api_text(&r, "items.3.failure.reason"), "exit_code");
    assert_int_equal(api_number(&r, "items.6.result_bytes"), 5);
    assert_null(api_at(r.json, "items.6.result"));
}

struct listed {
    const char *query;
    const char *items;
    const char *self; /* NULL: as asked */
};

static void assert_lists(const struct api *a, const struct listed *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct listed *c = &cases[i];
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        AUTO(mem) char *path = mem_printf("/v1/jobs%s", c->query);
        AUTO(mem) char *self = mem_printf("/v1/jobs%s", c->self ? c->self : c->query);

        api_get(a, path, &r);
        assert_status(&r, 200);
        assert_items(&r, c->items);
        assert_string_equal(api_text(&r, "self"), self);
    }
}

static void filters_must_all_match(void **state)
{
    static const struct listed cases[] = {
        { "?state=succeeded", "420", NULL },
        { "?state=failed,canceled", "531", NULL },
        { "?state=canceled&state=failed", "531", "?state=failed,canceled" },
        { "?state=failed%2Ccanceled", "531", "?state=failed,canceled" },
        { "?state=running", "", NULL },
        { "?function=ok", "6520", NULL },
        { "?queue=night", "621", NULL },
        { "?queue=night&function=ok", "62", "?function=ok&queue=night" },
        { "?queue=night&function=ok&state=succeeded", "2",
          "?state=succeeded&function=ok&queue=night" },
        { "?function=none", "", NULL },
        { "?f%75nction=%6Fk&limit=2", "65", "?function=ok&limit=2" },
        { "?limit=1000", "6543210", NULL },
    };

    assert_lists(*state, cases, COUNT_OF(cases));
}

static void next_leads_through_all_pages(void **state)
{
    static const char *const pages[] = { "65", "43", "21", "0" };
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_get(a, "/v1/jobs?limit=2", &r);
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        AUTO(mem) char *next = mem_str(api_text(&r, "next"));
        AUTO(mem) char *link = mem_printf("<%s>; rel=\"next\"", next);

        assert_status(&r, 200);
        assert_items(&r, pages[i]);
        assert_header(&r, "Link", i < 3 ? link : NULL);
        if (i < 3) {
            assert_int_equal(strncmp(next, "/v1/jobs?limit=2&cursor=", 24), 0);
            api_get(a, next, &r);
            assert_string_equal(api_text(&r, "self"), next);
        } else {
            assert_string_equal(next, "");
        }
    }
}

static void new_jobs_do_not_disturb_the_pages(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(api_reply) struct api_reply second = { 0 };
    char id[API_ID_SIZE];

    api_get(a, "/v1/jobs?function=ok&limit=3", &r);
    assert_items(&r, "652");
    (void)api_submit(a, "{\"function\":\"ok\",\"delay_seconds\":999,\"queue\":\"new\"}", id);
    api_get(a, api_text(&r, "next"), &second);
    assert_items(&second, "0");
}

/* The cursor of the second page of these filters. */
static char *cursor_of(const struct api *a, const char *path)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    const char *at;

    api_get(a, path, &r);
    at = strstr(api_text(&r, "next"), "cursor=");
    assert_non_null(at);
    return mem_str(at + 7);
}

static void a_cursor_is_good_for_its_filters_only(void **state)
{
    const struct api *a = *state;
    AUTO(mem) char *cursor = cursor_of(a, "/v1/jobs?function=ok&limit=1");
    const struct {
        const char *query;
        long status;
    } cases[] = {
        { "function=ok&limit=1", 200 },
        { "function=ok&limit=900", 200 }, /* another size is no other list */
        { "function=ok", 200 },
        { "", 400 },
        { "function=bad", 400 },
        { "function=ok&queue=night", 400 },
        { "function=ok&state=succeeded", 400 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        AUTO(mem)
        char *path = mem_printf("/v1/jobs?%s%scursor=%s", cases[i].query,
                                *cases[i].query ? "&" : "", cursor);

        api_get(a, path, &r);
        if (cases[i].status == 200)
            assert_status(&r, 200);
        else
            assert_problem(&r, 400, "invalid-cursor");
    }
}

static void a_cursor_that_was_changed_is_refused(void **state)
{
    const struct api *a = *state;
    AUTO(mem) char *cursor = cursor_of(a, "/v1/jobs?limit=1");
    static const char *const made_up[] = { "", "x", "AAAA", "%20", "MDE5MzdmNmM", "1" };

    for (size_t i = 0; i < strlen(cursor); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        AUTO(mem) char *path = mem_printf("/v1/jobs?limit=1&cursor=%s", cursor);

        path[strlen(path) - 1 - i] ^= 1;
        api_get(a, path, &r);
        assert_true(r.status == 400);
    }
    for (size_t i = 0; i < COUNT_OF(made_up); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        AUTO(mem) char *path = mem_printf("/v1/jobs?cursor=%s", made_up[i]);

        api_get(a, path, &r);
        assert_problem(&r, 400, "invalid-cursor");
        assert_string_equal(api_text(&r, "errors.0.parameter"), "cursor");
    }
}

static void a_cursor_outlives_the_server(void **state)
{
    struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *cursor = cursor_of(a, "/v1/jobs?queue=night&limit=1");
    AUTO(mem) char *path = mem_printf("/v1/jobs?queue=night&cursor=%s", cursor);

    api_stop(a, SIGTERM);
    assert_int_equal(a->exit_code, 0);
    api_start(a);
    api_get(a, path, &r);
    assert_status(&r, 200);
    assert_items(&r, "21");
}

/* -- what differs between jobs ----------------------------------------------------------- */

static void labels_names_and_reasons_find_jobs(void **state)
{
    static const struct listed cases[] = {
        { "?label=team:maps", "420", NULL },
        { "?label=team:maps&label=run:7", "0", NULL },
        { "?label=team:maps&state=failed", "", "?state=failed&label=team:maps" },
        { "?label=run:", "3", NULL },
        { "?label=none:x", "", NULL },
        { "?label=%C3%BC:a%26b%20c", "1", "?label=%C3%BC:a%26b%20c" },
        { "?label=%c3%bc:a%26b+c", "1", "?label=%C3%BC:a%26b%20c" },
        { "?name=nightly%20report", "2", NULL },
        { "?name_prefix=nightly", "21", NULL },
        { "?q=REPORT", "2", NULL },
        { "?q=%26", "1", NULL },
        { "?failure_reason=exit_code", "31", NULL },
        { "?failure_reason=signal", "", NULL },
        { "?created_by=nobody", "", NULL },
        { "?batch_id=01937f6c-2b9a-7c31-8e5d-3f1a9b7c2d4e", "", NULL },
        { "?batch_id=00000000-0000-7000-8000-000000000000", "", NULL },
        { "?created_before=1970-01-01T00:00:00Z", "", NULL },
        { "?fingerprint=00c0ffee12345678", "", NULL },
        { "?created_after=2020-01-01T00:00:00Z", "6543210", NULL },
        { "?created_before=2020-01-01T00:00:00Z", "", NULL },
        { "?finished_after=2020-01-01T00:00:00%2B01:00", "543210", NULL },
        { "?finished_before=2020-01-01T00:00:00Z", "", NULL },
        { "?sort=created_at", "0123456", NULL },
        { "?sort=-created_at", "6543210", "" },
        { "?sort=-priority", "3654210", NULL },
        { "?sort=priority&limit=3", "012", NULL },
        { "?sort=finished_at&state=scheduled,canceled", "56",
          "?state=scheduled,canceled&sort=finished_at" },
    };

    assert_lists(*state, cases, COUNT_OF(cases));
}

static void every_order_can_be_paged_through(void **state)
{
    static const struct {
        const char *sort;
        const char *items;
    } cases[] = {
        { "created_at", "0123456" },
        { "-priority", "3654210" },
        { "priority", "0124563" },
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        AUTO(mem) char *path = mem_printf("/v1/jobs?sort=%s&limit=1", cases[i].sort);

        for (const char *c = cases[i].items; *c; c++) {
            const char one[] = { *c, '\0' };

            api_get(a, path, &r);
            assert_items(&r, one);
            free(path);
            path = mem_str(api_text(&r, "next"));
        }
        assert_string_equal(path, "");
    }
}

static void a_cursor_of_one_order_is_none_of_another(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *cursor = cursor_of(a, "/v1/jobs?sort=priority&limit=1");
    AUTO(mem) char *path = mem_printf("/v1/jobs?sort=-priority&cursor=%s", cursor);

    api_get(a, path, &r);
    assert_problem(&r, 400, "invalid-cursor");
}

/* -- how much of them ---------------------------------------------------------------------- */

static void fields_picks_members(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_get(a, "/v1/jobs?state=failed&fields=id,failure.reason&fields=labels.team,args", &r);
    assert_status(&r, 200);
    assert_items(&r, "31");
    assert_int_equal(json_object_size(api_at(r.json, "items.0")), 2);
    assert_string_equal(api_text(&r, "items.0.failure.reason"), "exit_code");
    assert_int_equal(json_object_size(api_at(r.json, "items.0.failure")), 1);
    assert_string_equal(api_text(&r, "self"),
                        "/v1/jobs?state=failed&fields=id,failure.reason,labels.team,args");
    api_get(a, "/v1/jobs?fields=args&q=report", &r);
    assert_string_equal(api_text(&r, "items.0.args.text"), "words");
    api_get(a, "/v1/jobs?fields=id,stat", &r);
    assert_problem(&r, 400, "invalid-parameter");
    assert_string_equal(api_text(&r, "errors.0.parameter"), "fields");
    assert_non_null(strstr(api_text(&r, "errors.0.detail"), "did you mean state?"));
}

static void view_says_how_much_of_a_job_there_is(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_get(a, "/v1/jobs?q=report", &r);
    assert_null(api_at(r.json, "items.0.args"));
    assert_string_equal(api_text(&r, "items.0.labels.team"), "maps");
    api_get(a, "/v1/jobs?q=report&view=full", &r);
    assert_string_equal(api_text(&r, "items.0.args.text"), "words");
    assert_string_equal(api_text(&r, "self"), "/v1/jobs?q=report&view=full");
    api_get(a, "/v1/jobs?q=report&view=minimal", &r);
    assert_int_equal(json_object_size(api_at(r.json, "items.0")), 3);
    assert_string_equal(api_text(&r, "items.0.state"), "succeeded");
}

static void the_total_is_told_when_it_is_asked_for(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    const struct api_request q = { .path = "/v1/jobs?function=ok&limit=1",
                                   .headers = { "Prefer: return=total-count" } };

    api_send(a, &q, &r);
    assert_status(&r, 200);
    assert_int_equal(api_number(&r, "total_count"), 4);
    assert_true(json_is_true(api_at(r.json, "total_count_exact")));
    assert_header(&r, "Preference-Applied", "return=total-count");
    api_get(a, q.path, &r);
    assert_null(api_at(r.json, "total_count"));
    assert_header(&r, "Preference-Applied", NULL);
}

static void a_list_that_has_not_changed_is_not_sent_again(void **state)
{
    static const char *const paths[] = { "/v1/jobs?state=failed", "/v1/functions",
                                         "/v1/functions/ok", "/v1/workers" };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        AUTO(mem) char *etag = NULL;
        AUTO(mem) char *header = NULL;
        struct api_request q = { .path = paths[i] };

        api_get(a, paths[i], &r);
        assert_status(&r, 200);
        etag = mem_str(api_header(&r, "ETag"));
        assert_int_equal(strncmp(etag, "W/\"", 3), 0);
        q.headers[0] = header = mem_printf("If-None-Match: \"v1\", %s", etag);
        api_send(a, &q, &r);
        assert_status(&r, 304);
        assert_header(&r, "ETag", etag);
        assert_header(&r, "Content-Type", NULL);
        q.headers[0] = "If-None-Match: W/\"0\"";
        api_send(a, &q, &r);
        assert_status(&r, 200);
    }
}

static void collections_in_memory_are_paged_too(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct api_request q = { .path = "/v1/functions?limit=1&fields=name",
                             .headers = { "Prefer: return=total-count" } };
    AUTO(mem) char *next = NULL;

    api_send(a, &q, &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "items.0.name"), "ok");
    assert_int_equal(json_object_size(api_at(r.json, "items.0")), 1);
    assert_int_equal(api_number(&r, "total_count"), 2);
    next = mem_str(api_text(&r, "next"));
    api_get(a, next, &r);
    assert_string_equal(api_text(&r, "items.0.name"), "bad");
    assert_null(api_at(r.json, "next"));
    api_get(a, "/v1/workers?cursor=x", &r);
    assert_problem(&r, 400, "invalid-cursor");
}

/* One in the header must fit into the memory of a connection. */
static void a_long_next_is_in_the_body_alone(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(buf) struct buf path = { 0 };

    buf_add_str(&path, "/v1/jobs?limit=1");
    while (path.len < 6000)
        buf_add_str(
            &path,
            "&fields=labels.\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
            "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
            "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc");
    api_get(a, path.data, &r);
    assert_status(&r, 200);
    assert_header(&r, "Link", NULL);
    assert_true(strlen(api_text(&r, "next")) > 6000);
}

static void bad_requests_for_lists_are_refused(void **state)
{
    static const struct {
        const char *query;
        const char *header;
        long status;
        const char *code;
        const char *parameter; /* NULL: not told */
    } cases[] = {
        { "?state=done", NULL, 400, "invalid-parameter", "state" },
        { "?state=", NULL, 400, "invalid-parameter", "state" },
        { "?state=queued,", NULL, 400, "invalid-parameter", "state" },
        { "?state=QUEUED", NULL, 400, "invalid-parameter", "state" },
        { "?limit=0", NULL, 400, "invalid-parameter", "limit" },
        { "?limit=1001", NULL, 400, "invalid-parameter", "limit" },
        { "?limit=-1", NULL, 400, "invalid-parameter", "limit" },
        { "?limit=ten", NULL, 400, "invalid-parameter", "limit" },
        { "?limit=", NULL, 400, "invalid-parameter", "limit" },
        { "?limit=1&limit=2", NULL, 400, "invalid-parameter", "limit" },
        { "?function=", NULL, 400, "invalid-parameter", "function" },
        { "?function=a%20b", NULL, 400, "invalid-parameter", "function" },
        { "?function=a&function=b", NULL, 400, "invalid-parameter", "function" },
        { "?queue=%C3%A9", NULL, 400, "invalid-parameter", "queue" },
        { "?limt=1", NULL, 400, "invalid-parameter", "limt" },
        { "?batch_id=x", NULL, 400, "invalid-parameter", "batch_id" },
        { "?fingerprint=12", NULL, 400, "invalid-parameter", "fingerprint" },
        { "?sort=size", NULL, 400, "invalid-parameter", "sort" },
        { "?sort=%2Bpriority", NULL, 400, "invalid-parameter", "sort" },
        { "?view=tiny", NULL, 400, "invalid-parameter", "view" },
        { "?label=team", NULL, 400, "invalid-parameter", "label" },
        { "?label=:x", NULL, 400, "invalid-parameter", "label" },
        { "?fields=", NULL, 400, "invalid-parameter", "fields" },
        { "?fields=id,", NULL, 400, "invalid-parameter", "fields" },
        { "?q=", NULL, 400, "invalid-parameter", "q" },
        { "?failure_reason=none", NULL, 400, "invalid-parameter", "failure_reason" },
        { "?created_after=today", NULL, 400, "invalid-parameter", "created_after" },
        { "?queue=%zz", NULL, 400, "invalid-parameter", NULL },
        { "?queue=%ff", NULL, 400, "invalid-parameter", NULL },
        { "", "Accept: text/html", 406, "not-acceptable", NULL },
        { "", "Host: jobs.example", 403, "forbidden-host", NULL },
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        AUTO(mem) char *path = mem_printf("/v1/jobs%s", cases[i].query);
        const struct api_request q = { .path = path, .headers = { cases[i].header } };

        api_send(a, &q, &r);
        assert_problem(&r, cases[i].status, cases[i].code);
        if (cases[i].parameter)
            assert_string_equal(api_text(&r, "errors.0.parameter"), cases[i].parameter);
    }
}

static void all_bad_parameters_are_told_at_once(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_get(a, "/v1/jobs?state=x&limit=y&queue=a%20b", &r);
    assert_problem(&r, 400, "invalid-parameter");
    assert_int_equal(json_array_size(api_at(r.json, "errors")), 3);
}

/* -- with a body
 * -------------------------------------------------------------------------------
 */

static void a_search_is_the_list_that_its_body_describes(void **state)
{
    static const struct {
        const char *body, *items, *self;
    } cases[] = {
        { "{}", "6543210", "" },
        { "{\"filter\":{\"state\":[\"canceled\",\"failed\"]}}", "531",
          "?state=failed,canceled" },
        { "{\"filter\":{\"queue\":\"night\",\"function\":\"ok\"}}", "62",
          "?function=ok&queue=night" },
        { "{\"filter\":{\"labels\":{\"team\":\"maps\",\"run\":\"7\"}}}", "0",
          "?label=team:maps&label=run:7" },
        { "{\"filter\":{\"labels\":{\"\u00fc\":\"a&b c\"}}}", "1", "?label=%C3%BC:a%26b%20c" },
        { "{\"sort\":\"created_at\",\"limit\":2}", "01", "?sort=created_at&limit=2" },
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        AUTO(mem) char *self = mem_printf("/v1/jobs%s", cases[i].self);

        api_post(a, "/v1/jobs:search", cases[i].body, &r);
        assert_status(&r, 200);
        assert_items(&r, cases[i].items);
        assert_string_equal(api_text(&r, "self"), self);
    }
}

#define ASKED "\"filter\":{\"function\":\"ok\"},\"limit\":2,\"fields\":[\"id\",\"name\"]"

static void a_search_has_pages_too(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(api_reply) struct api_reply next = { 0 };
    AUTO(mem) char *body = NULL;
    const char *cursor;

    api_post(a, "/v1/jobs:search", "{" ASKED "}", &r);
    assert_status(&r, 200);
    assert_int_equal(json_array_size(api_at(r.json, "items")), 2);
    assert_null(api_at(r.json, "items.0.state"));
    api_get(a, api_text(&r, "next"), &next);
    cursor = strstr(api_text(&r, "next"), "cursor=");
    assert_non_null(cursor);
    cursor += sizeof "cursor=" - 1;
    body = mem_printf("{" ASKED ",\"cursor\":\"%.*s\"}", (int)strcspn(cursor, "&"), cursor);
    api_post(a, "/v1/jobs:search", body, &r);
    assert_status(&r, 200);
    assert_true(json_equal(api_at(r.json, "items"), api_at(next.json, "items")));
}

static void a_bad_search_is_refused_with_its_faults(void **state)
{
    static const struct {
        const char *body;
        int status;
        const char *code;
        const char *place; /* of errors.0 */
    } cases[] = {
        { "[]", 422, "validation-failed", "#" },
        { "{\"filter\":1}", 422, "validation-failed", "#/filter" },
        { "{\"limit\":\"2\",\"sorted\":1}", 422, "validation-failed", "#/sorted" },
        { "{\"limit\":true}", 422, "validation-failed", "#/limit" },
        { "{\"filter\":{\"queu\":\"x\"}}", 422, "validation-failed", "#/filter/queu" },
        { "{\"filter\":{\"state\":[1]}}", 422, "validation-failed", "#/filter/state/0" },
        { "{\"filter\":{\"labels\":{\"a\":1}}}", 422, "validation-failed",
          "#/filter/labels/a" },
        { "{\"filter\":{\"state\":\"x\"}}", 400, "invalid-parameter", NULL },
        { "{\"limit\":0}", 400, "invalid-parameter", NULL },
        { "{\"cursor\":\"x\"}", 400, "invalid-cursor", NULL },
        { "{", 400, "malformed-json", NULL },
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        api_post(a, "/v1/jobs:search", cases[i].body, &r);
        assert_problem(&r, cases[i].status, cases[i].code);
        if (cases[i].place)
            assert_string_equal(api_text(&r, "errors.0.pointer"), cases[i].place);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_comes_first),
        cmocka_unit_test(filters_must_all_match),
        cmocka_unit_test(next_leads_through_all_pages),
        cmocka_unit_test(a_cursor_is_good_for_its_filters_only),
        cmocka_unit_test(a_cursor_that_was_changed_is_refused),
        cmocka_unit_test(a_cursor_outlives_the_server),
        cmocka_unit_test(labels_names_and_reasons_find_jobs),
        cmocka_unit_test(every_order_can_be_paged_through),
        cmocka_unit_test(a_cursor_of_one_order_is_none_of_another),
        cmocka_unit_test(fields_picks_members),
        cmocka_unit_test(view_says_how_much_of_a_job_there_is),
        cmocka_unit_test(the_total_is_told_when_it_is_asked_for),
        cmocka_unit_test(a_list_that_has_not_changed_is_not_sent_again),
        cmocka_unit_test(collections_in_memory_are_paged_too),
        cmocka_unit_test(a_long_next_is_in_the_body_alone),
        cmocka_unit_test(bad_requests_for_lists_are_refused),
        cmocka_unit_test(all_bad_parameters_are_told_at_once),
        cmocka_unit_test(new_jobs_do_not_disturb_the_pages),
        cmocka_unit_test(a_search_is_the_list_that_its_body_describes),
        cmocka_unit_test(a_search_has_pages_too),
        cmocka_unit_test(a_bad_search_is_refused_with_its_faults),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/list", tests, submit_jobs, api_teardown));
}
