/* Batches over HTTP: members, counts, arrays, callbacks, failure policies. */
#include "tests/support/api.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "tests/support/sse.h"

static const char CONFIG[] =
    "workers: 2\n"
    "allow_commands: true\n"
    "functions:\n"
    "  - name: exit\n"
    "    command: [sh, -c, 'exit $0', '{array_index}']\n";

/* Submit: 202 is expected; the id goes to id, which is returned. */
static char *submit(const struct api *a, const char *body, char id[API_ID_SIZE])
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_post(a, "/v1/batches", body, &r);
    assert_status(&r, 202);
    (void)snprintf(id, API_ID_SIZE, "%s", api_text(&r, "id"));
    assert_non_null(strstr(api_header(&r, "Location"), id));
    return id;
}

static const char *path_of(const char *id, const char *rest)
{
    static char room[8][160];
    static int next;
    char *text = room[next++ % 8];

    (void)snprintf(text, sizeof room[0], "/v1/batches/%s%s", id, rest);
    return text;
}

/* The batch once it has ended. */
static void await(const struct api *a, const char *id, struct api_reply *r)
{
    for (;;) {
        api_get(a, path_of(id, "?wait=30"), r);
        assert_status(r, 200);
        if (!strstr("open running", api_text(r, "state")))
            return;
        api_reply_fini(r);
    }
}

static void assert_count(const struct api_reply *r, const char *name, long long want)
{
    char path[32];

    (void)snprintf(path, sizeof path, "counts.%s", name);
    assert_int_equal(api_number(r, path), want);
}

/* How many jobs of the batch a list gives with this filter. */
static long long listed(const struct api *a, const char *id, const char *filter)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char rest[96];

    (void)snprintf(rest, sizeof rest, "/jobs?limit=1000%s", filter);
    api_get(a, path_of(id, rest), &r);
    assert_status(&r, 200);
    return (long long)json_array_size(api_at(r.json, "items"));
}

/* -- members ------------------------------------------------------------------------------- */

static void a_batch_ends_when_all_its_members_have(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    submit(a,
           "{\"name\":\"two\",\"labels\":{\"a\":\"b\"},\"jobs\":["
           "{\"command\":[\"sh\",\"-c\",\"test -n \\\"$JOBD_BATCH_ID\\\"\"]},"
           "{\"command\":[\"true\"]}]}",
           id);
    await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_string_equal(api_text(&r, "name"), "two");
    assert_string_equal(api_text(&r, "labels.a"), "b");
    assert_int_equal(api_number(&r, "total"), 2);
    assert_count(&r, "succeeded", 2);
    assert_int_equal(api_number(&r, "progress.percent"), 100);
    assert_true(strlen(api_text(&r, "finished_at")) > 0);
    assert_null(api_header(&r, "Retry-After"));
    assert_int_equal(listed(a, id, ""), 2);
    assert_int_equal(listed(a, id, "&state=failed"), 0);
}

static void a_known_version_is_not_sent_again(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply first = { 0 };
    AUTO_FINI(api_reply) struct api_reply second = { 0 };
    char header[64];
    char id[API_ID_SIZE];

    submit(a, "{\"jobs\":[{\"command\":[\"true\"]}]}", id);
    await(a, id, &first);
    (void)snprintf(header, sizeof header, "If-None-Match: %s", api_header(&first, "ETag"));
    api_send(a, &(struct api_request){ .path = path_of(id, ""), .headers = { header, NULL } },
             &second);
    assert_status(&second, 304);
}

static void every_fault_is_told_with_its_place(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_post(a, "/v1/batches",
             "{\"jobs\":[{\"command\":[\"true\"]},{\"command\":[]}],\"array\":{\"size\":0},"
             "\"callbacks\":{\"on_succes\":{},\"on_success\":{\"priority\":\"x\"}},"
             "\"failure_policy\":\"stop\",\"nam\":\"x\"}",
             &r);
    assert_problem(&r, 422, "validation-failed");
    for (size_t i = 0; i < 6; i++) {
        static const char *const places[] = {
            "\"#/jobs/1/command\"",      "\"#/array/size\"",
            "\"#/callbacks/on_succes\"", "\"#/callbacks/on_success/priority\"",
            "\"#/failure_policy\"",      "\"#/nam\""
        };

        assert_non_null(strstr(r.body, places[i]));
    }
}

static void an_unknown_batch_is_not_found(void **state)
{
    static const char *const paths[] = { "",       "?wait=1", "/jobs", "/errors",
                                         ":close", ":cancel", "/jobs" };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        bool post = i >= 4;

        api_send(a,
                 &(struct api_request){
                     .method = post ? "POST" : NULL,
                     .path = path_of("01937f6c-2b9a-7c31-8e5d-3f1a9b7c2d00", paths[i]),
                     .body = post && i == 6 ? "{\"jobs\":[{\"command\":[\"true\"]}]}" : NULL },
                 &r);
        assert_problem(&r, 404, "batch-not-found");
    }
}

static void the_same_key_makes_one_batch(void **state)
{
    const struct api *a = *state;
    struct api_reply r[2] = { 0 };

    for (int i = 0; i < 2; i++) {
        api_send(a,
                 &(struct api_request){ .path = "/v1/batches",
                                        .body = "{\"jobs\":[{\"command\":[\"true\"],"
                                                "\"delay_seconds\":60}]}",
                                        .headers = { "Idempotency-Key: b1", NULL } },
                 &r[i]);
        assert_status(&r[i], 202);
    }
    assert_string_equal(r[0].body, r[1].body);
    api_reply_fini(&r[0]);
    api_reply_fini(&r[1]);
}

static void batches_are_listed(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(api_reply) struct api_reply next = { 0 };
    char id[2][API_ID_SIZE];

    for (int i = 0; i < 2; i++)
        submit(a, "{\"closed\":false}", id[i]);
    api_get(a, "/v1/batches?state=open&limit=1", &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "items.0.id"), id[1]);
    api_get(a, api_text(&r, "next"), &next);
    assert_string_equal(api_text(&next, "items.0.id"), id[0]);
}

/* -- open ones ----------------------------------------------------------------------------- */

static void an_open_batch_takes_jobs_until_it_is_closed(void **state)
{
    static const char more[] = "{\"jobs\":[{\"command\":[\"true\"]},{\"command\":[\"true\"]}]}";
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply added = { 0 };
    AUTO_FINI(api_reply) struct api_reply closed = { 0 };
    AUTO_FINI(api_reply) struct api_reply late = { 0 };
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    submit(a, "{\"closed\":false}", id);
    api_post(a, path_of(id, "/jobs"), more, &added);
    assert_status(&added, 202);
    assert_string_equal(api_text(&added, "state"), "open");
    assert_int_equal(api_number(&added, "total"), 2);
    api_send(a, &(struct api_request){ .method = "POST", .path = path_of(id, ":close") },
             &closed);
    assert_status(&closed, 200);
    api_post(a, path_of(id, "/jobs"), more, &late);
    assert_problem(&late, 409, "batch-closed");
    await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    assert_count(&r, "succeeded", 2);
}

/* -- arrays -------------------------------------------------------------------------------- */

static void members_of_an_array_know_their_index(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(api_reply) struct api_reply jobs = { 0 };
    char id[API_ID_SIZE];

    submit(a,
           "{\"template\":{\"command\":[\"sh\",\"-c\",\"exit $JOBD_ARRAY_INDEX\"]},"
           "\"array\":{\"size\":3},\"max_concurrency\":1}",
           id);
    await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "failed");
    assert_count(&r, "succeeded", 1);
    assert_count(&r, "failed", 2);
    api_get(a, path_of(id, "/jobs"), &jobs);
    for (int i = 0; i < 3; i++) { /* the newest first */
        char index[32];
        char code[32];

        (void)snprintf(index, sizeof index, "items.%d.array_index", i);
        (void)snprintf(code, sizeof code, "items.%d.exit_code", i);
        assert_int_equal(api_number(&jobs, index), 2 - i);
        assert_int_equal(api_number(&jobs, code), 2 - i);
    }
}

static void the_index_fills_a_placeholder(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    submit(a, "{\"template\":{\"function\":\"exit\"},\"array\":{\"size\":2}}", id);
    await(a, id, &r);
    assert_count(&r, "succeeded", 1);
    assert_count(&r, "failed", 1);
}

static void a_large_array_is_there_at_once_and_can_be_canceled(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(api_reply) struct api_reply canceled = { 0 };
    AUTO_FINI(api_reply) struct api_reply again = { 0 };
    char id[API_ID_SIZE];

    submit(a, "{\"template\":{\"command\":[\"sleep\",\"60\"]},\"array\":{\"size\":20000}}", id);
    api_post(a, path_of(id, ":cancel"), "{\"reason\":\"enough\"}", &canceled);
    assert_in_range(canceled.status, 200, 202);
    await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "canceled");
    assert_string_equal(api_text(&r, "reason"), "enough");
    assert_int_equal(api_number(&r, "total"), 20000);
    assert_count(&r, "canceled", 20000);
    api_send(a, &(struct api_request){ .method = "POST", .path = path_of(id, ":cancel") },
             &again);
    assert_status(&again, 200);
}

static void a_finished_batch_is_not_canceled(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(api_reply) struct api_reply canceled = { 0 };
    char id[API_ID_SIZE];

    submit(a, "{\"jobs\":[{\"command\":[\"true\"]}]}", id);
    await(a, id, &r);
    api_send(a, &(struct api_request){ .method = "POST", .path = path_of(id, ":cancel") },
             &canceled);
    assert_problem(&canceled, 409, "batch-already-finished");
    assert_string_equal(api_text(&canceled, "state"), "succeeded");
}

/* -- policies and callbacks ---------------------------------------------------------------- */

static void the_first_failure_cancels_what_remains(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(api_reply) struct api_reply jobs = { 0 };
    char id[API_ID_SIZE];

    submit(a,
           "{\"failure_policy\":\"cancel_remaining\",\"jobs\":["
           "{\"command\":[\"sleep\",\"60\"],\"priority\":1},"
           "{\"command\":[\"false\"]},{\"command\":[\"sleep\",\"60\"]},"
           "{\"command\":[\"sleep\",\"60\"],\"delay_seconds\":60}]}",
           id);
    await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "failed");
    assert_count(&r, "failed", 1);
    assert_count(&r, "canceled", 3);
    api_get(a, path_of(id, "/jobs?state=canceled"), &jobs);
    assert_string_equal(api_text(&jobs, "items.0.reason"), "batch_fail_fast");
}

/* Jobs of this name, and the standard output of the newest. */
static size_t count_named(const struct api *a, const char *name)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char path[96];

    (void)snprintf(path, sizeof path, "/v1/jobs?name=%s", name);
    api_get(a, path, &r);
    assert_status(&r, 200);
    return json_array_size(api_at(r.json, "items"));
}

static void callbacks_are_jobs_that_are_submitted_once(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO_FINI(api_reply) struct api_reply job = { 0 };
    AUTO_FINI(api_reply) struct api_reply list = { 0 };
    AUTO_FINI(api_reply) struct api_reply log = { 0 };
    char id[API_ID_SIZE];

    submit(a,
           "{\"jobs\":[{\"command\":[\"true\"]},{\"command\":[\"false\"]},"
           "{\"command\":[\"false\"]}],\"callbacks\":{"
           "\"on_complete\":{\"name\":\"cb-complete\",\"command\":[\"sh\",\"-c\","
           "\"echo $JOBD_BATCH_ID $JOBD_BATCH_EVENT $JOBD_BATCH_STATE $JOBD_BATCH_TOTAL "
           "$JOBD_BATCH_SUCCEEDED $JOBD_BATCH_FAILED\"]},"
           "\"on_success\":{\"name\":\"cb-success\",\"command\":[\"true\"]},"
           "\"on_failure\":{\"name\":\"cb-failure\",\"command\":[\"true\"]}}}",
           id);
    await(a, id, &r);
    assert_int_equal(api_number(&r, "total"), 3); /* callbacks are no members */
    assert_int_equal(count_named(a, "cb-complete"), 1);
    assert_int_equal(count_named(a, "cb-failure"), 1);
    assert_int_equal(count_named(a, "cb-success"), 0);
    api_get(a, "/v1/jobs?name=cb-complete", &list);
    api_await(a, api_text(&list, "items.0.id"), &job);
    assert_string_equal(api_text(&job, "callback.batch_id"), id);
    assert_string_equal(api_text(&job, "callback.event"), "on_complete");
    api_get(a, api_job_path(api_text(&job, "id"), "/logs/stdout"), &log);
    assert_non_null(strstr(log.body, id));
    assert_non_null(strstr(log.body, "on_complete failed 3 1 2\n"));
}

/* -- once more, and away --------------------------------------------------------------------
 */

static void send(const struct api *a, const char *method, const char *id, const char *rest,
                 struct api_reply *r)
{
    api_send(a, &(struct api_request){ .method = method, .path = path_of(id, rest) }, r);
}

static void those_that_have_failed_are_tried_again(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    AUTO(mem) char *flag = mem_str(api_path(a, "flag"));
    AUTO(mem)
    char *body = mem_printf(
        "{\"jobs\":[{\"command\":[\"test\",\"-e\",\"%s\"]},"
        "{\"command\":[\"false\"]},{\"command\":[\"true\"]}]}",
        flag);
    char id[API_ID_SIZE];

    submit(a, body, id);
    await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "failed");
    assert_count(&r, "failed", 2);
    assert_int_equal(mkdir(flag, 0700), 0);
    send(a, "POST", id, ":retry", &r);
    assert_status(&r, 202);
    assert_header(&r, "Location", path_of(id, ""));
    assert_string_equal(api_text(&r, "links.retry"), path_of(id, ":retry"));
    await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "failed");
    assert_count(&r, "succeeded", 2);
    assert_count(&r, "failed", 1);
    assert_int_equal(listed(a, id, "&state=failed"), 1);
}

static void without_a_failure_nothing_is_tried_again(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    submit(a, "{\"jobs\":[{\"command\":[\"true\"]}]}", id);
    await(a, id, &r);
    send(a, "POST", id, ":retry", &r);
    assert_status(&r, 200);
    assert_header(&r, "Location", NULL);
    assert_string_equal(api_text(&r, "state"), "succeeded");
    send(a, "POST", "01937f6c-2b9a-7c31-8e5d-3f1a9b7c2d4e", ":retry", &r);
    assert_problem(&r, 404, "batch-not-found");
}

static void a_batch_is_removed_once_it_has_ended(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char job[API_ID_SIZE];
    char id[API_ID_SIZE];

    submit(a, "{\"jobs\":[{\"command\":[\"sleep\",\"60\"]}]}", id);
    send(a, "GET", id, "/jobs", &r);
    (void)snprintf(job, sizeof job, "%s", api_text(&r, "items.0.id"));
    api_await_state(a, job, "running", &r);
    send(a, "DELETE", id, "?purge=true", &r);
    assert_status(&r, 202);
    assert_string_equal(api_text(&r, "state"), "running");
    await(a, id, &r);
    assert_string_equal(api_text(&r, "state"), "canceled");
    send(a, "DELETE", id, "", &r); /* only a cancel */
    assert_status(&r, 200);
    send(a, "DELETE", id, "?purge=true", &r);
    assert_status(&r, 204);
    send(a, "DELETE", id, "?purge=true", &r);
    assert_problem(&r, 404, "batch-not-found");
    send(a, "GET", id, "/errors", &r);
    assert_problem(&r, 404, "batch-not-found");
    api_get(a, api_job_path(job, ""), &r);
    assert_status(&r, 200); /* its members stay */
    assert_string_equal(api_text(&r, "state"), "canceled");
}

static void delete_of_one_that_has_ended_is_refused_as_a_cancel_is(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    submit(a, "{\"jobs\":[{\"command\":[\"true\"]}]}", id);
    await(a, id, &r);
    send(a, "DELETE", id, "", &r);
    assert_problem(&r, 409, "batch-already-finished");
    send(a, "DELETE", id, "?purge=maybe", &r);
    assert_problem(&r, 400, "invalid-parameter");
    send(a, "DELETE", id, "?purge=true", &r);
    assert_status(&r, 204);
}

/* -- events -------------------------------------------------------------------------------- */

static void a_stream_of_a_batch_ends_with_it(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(sse) struct sse s = { 0 };
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char last[48];
    char id[API_ID_SIZE];

    submit(a, "{\"closed\":false,\"jobs\":[{\"command\":[\"true\"]}]}", id);
    sse_start(&s, a, path_of(id, "/events"));
    sse_await_events(&s, 1);
    assert_string_equal(sse_event_at(&s, 0).kind, "batch.created");
    send(a, "POST", id, ":close", &r);
    sse_await_end(&s);
    assert_string_equal(sse_event_at(&s, sse_count(&s) - 1).kind, "batch.succeeded");
    send(a, "GET", id, "/events", &r);
    assert_status(&r, 200);
    assert_string_equal(api_text(&r, "items.0.type"), "dev.jobd.batch.created");
    assert_string_equal(api_text(&r, "items.0.data.batch_id"), id);
    assert_int_equal(json_array_size(api_at(r.json, "items")), sse_count(&s));
    (void)snprintf(last, sizeof last, "Last-Event-ID: %s", api_text(&r, "last_id"));
    api_send(a,
             &(struct api_request){ .path = path_of(id, "/events"),
                                    .headers = { "Accept: text/event-stream", last } },
             &r);
    assert_status(&r, 204);
    send(a, "GET", id, "/events?limit=1", &r);
    assert_int_equal(json_array_size(api_at(r.json, "items")), 1);
    assert_non_null(strstr(api_text(&r, "next"), "/events?after="));
}

static void a_canceled_batch_ends_its_stream(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(sse) struct sse s = { 0 };
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    submit(a, "{\"closed\":false,\"jobs\":[{\"command\":[\"sleep\",\"60\"]}]}", id);
    sse_start(&s, a, path_of(id, "/events"));
    sse_await_events(&s, 1);
    send(a, "DELETE", id, "", &r);
    await(a, id, &r);
    sse_await_end(&s);
    assert_string_equal(sse_event_at(&s, sse_count(&s) - 1).kind, "batch.canceled");
    send(a, "DELETE", id, "?purge=true", &r);
    send(a, "GET", id, "/events", &r);
    assert_problem(&r, 404, "batch-not-found");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_ends_when_all_its_members_have),
        cmocka_unit_test(a_known_version_is_not_sent_again),
        cmocka_unit_test(every_fault_is_told_with_its_place),
        cmocka_unit_test(an_unknown_batch_is_not_found),
        cmocka_unit_test(the_same_key_makes_one_batch),
        cmocka_unit_test(batches_are_listed),
        cmocka_unit_test(an_open_batch_takes_jobs_until_it_is_closed),
        cmocka_unit_test(members_of_an_array_know_their_index),
        cmocka_unit_test(the_index_fills_a_placeholder),
        cmocka_unit_test(a_large_array_is_there_at_once_and_can_be_canceled),
        cmocka_unit_test(a_finished_batch_is_not_canceled),
        cmocka_unit_test(the_first_failure_cancels_what_remains),
        cmocka_unit_test(callbacks_are_jobs_that_are_submitted_once),
        cmocka_unit_test(those_that_have_failed_are_tried_again),
        cmocka_unit_test(without_a_failure_nothing_is_tried_again),
        cmocka_unit_test(a_batch_is_removed_once_it_has_ended),
        cmocka_unit_test(delete_of_one_that_has_ended_is_refused_as_a_cancel_is),
        cmocka_unit_test(a_stream_of_a_batch_ends_with_it),
        cmocka_unit_test(a_canceled_batch_ends_its_stream),
    };

    api_configure(CONFIG);
    return api_finish(
        cmocka_run_group_tests_name("api/batches", tests, api_setup, api_teardown));
}
