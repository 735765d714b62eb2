/* listEvents and listJobEvents: as lists and as streams; resumed without gap and repeat when
 * the front is killed under load; slow readers; heartbeats; the end. */
#include "tests/support/api.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "tests/support/proc.h"
#include "tests/support/sse.h"

static const char config[] =
    "allow_commands: true\n"
    "workers: 2\n"
    "max_connections: 64\n"
    "event_heartbeat: 0.2\n";

static const char SUCCEEDS[] = "{\"command\":[\"true\"]}";
static const char FAILS[] = "{\"command\":[\"false\"],\"queue\":\"slow\"}";

static int64_t last_id(const struct api *a)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char path[64] = "/v1/events?limit=1000";
    int64_t id = 0;
    bool more = true;

    while (more) {
        api_get(a, path, &r);
        assert_status(&r, 200);
        id = strtoll(api_text(&r, "last_id"), NULL, 10);
        more = api_at(r.json, "next") != NULL;
        (void)snprintf(path, sizeof path, "/v1/events?limit=1000&after=%lld", (long long)id);
        api_reply_fini(&r);
    }
    return id;
}

static void run_job(const struct api *a, const char *body, char id[API_ID_SIZE])
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_await(a, api_submit(a, body, id), &r);
}

/* -- lists ----------------------------------------------------------------------------------
 */

static void a_list_has_every_change_of_a_job(void **state)
{
    static const char *const types[] = { "dev.jobd.job.created", "dev.jobd.job.started",
                                         "dev.jobd.job.failed" };
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    run_job(a, FAILS, id);
    api_get(a, api_job_path(id, "/events"), &r);
    assert_status(&r, 200);
    for (int i = 0; i < 3; i++) {
        char at[64];

        (void)snprintf(at, sizeof at, "items.%d.type", i);
        assert_string_equal(api_text(&r, at), types[i]);
        (void)snprintf(at, sizeof at, "items.%d.subject", i);
        assert_string_equal(api_text(&r, at), id);
        (void)snprintf(at, sizeof at, "items.%d.data.version", i);
        assert_int_equal(api_number(&r, at), i + 1);
    }
    assert_null(api_at(r.json, "items.3"));
    assert_string_equal(api_text(&r, "items.0.specversion"), "1.0");
    assert_string_equal(api_text(&r, "items.2.data.reason"), "exit_code");
    assert_string_equal(api_text(&r, "items.2.data.state"), "failed");
    assert_string_equal(api_text(&r, "items.2.data.queue"), "slow");
    assert_int_equal(strlen(api_text(&r, "items.0.sequence")), 19);
    assert_string_equal(api_text(&r, "last_id"), api_text(&r, "items.2.id"));
}

static void lists_are_filtered_and_have_pages(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char path[160];
    char id[API_ID_SIZE];
    int64_t before = last_id(a);
    int count = 0;

    run_job(a, SUCCEEDS, id);
    run_job(a, FAILS, id);
    (void)snprintf(path, sizeof path, "/v1/events?after=%lld&type=job.created&limit=1",
                   (long long)before);
    for (;;) {
        const char *next;

        api_get(a, path, &r);
        assert_status(&r, 200);
        if (api_at(r.json, "items.0")) {
            assert_string_equal(api_text(&r, "items.0.type"), "dev.jobd.job.created");
            count++;
        }
        next = api_text(&r, "next");
        if (!*next)
            break;
        (void)snprintf(path, sizeof path, "%s", next);
        api_reply_fini(&r);
    }
    assert_int_equal(count, 2);
    api_reply_fini(&r);
    (void)snprintf(path, sizeof path, "/v1/events?after=%lld&queue=slow&state=failed,canceled",
                   (long long)before);
    api_get(a, path, &r);
    assert_string_equal(api_text(&r, "items.0.subject"), id);
    assert_null(api_at(r.json, "items.1"));
    api_reply_fini(&r);
    (void)snprintf(path, sizeof path, "/v1/events?job_id=%s&type=dev.jobd.job.started", id);
    api_get(a, path, &r);
    assert_string_equal(api_text(&r, "items.0.subject"), id);
    assert_null(api_at(r.json, "items.1"));
}

static void what_cannot_be_read_is_refused(void **state)
{
    static const struct {
        struct api_request request;
        int status;
        const char *code;
    } bad[] = {
        { { .path = "/v1/events?after=x" }, 400, "invalid-parameter" },
        { { .path = "/v1/events?after=-1" }, 400, "invalid-parameter" },
        { { .path = "/v1/events?type=job.done" }, 400, "invalid-parameter" },
        { { .path = "/v1/events?state=done" }, 400, "invalid-parameter" },
        { { .path = "/v1/events?job_id=7" }, 400, "invalid-parameter" },
        { { .path = "/v1/events?kind=job.started" }, 400, "invalid-parameter" },
        { { .path = "/v1/events?limit=1001" }, 400, "invalid-parameter" },
        { { .path = "/v1/events", .headers = { "Last-Event-ID: 1x" } }, 400, "invalid-header" },
        { { .path = "/v1/events",
            .headers = { "Last-Event-ID: -4", "Accept: text/event-stream" } },
          400,
          "invalid-header" },
        { { .path = "/v1/events", .headers = { "Accept: text/plain" } },
          406,
          "not-acceptable" },
        { { .path = "/v1/jobs/01a20a10-c90c-7000-b375-d19a131f73ee/events" },
          404,
          "job-not-found" },
        { { .path = "/v1/jobs/01a20a10-c90c-7000-b375-d19a131f73ee/events",
            .headers = { "Accept: text/event-stream" } },
          404,
          "job-not-found" },
        { { .path = "/v1/events?after=9000000000000000000" }, 410, "event-id-expired" },
    };
    const struct api *a = *state;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        api_send(a, &bad[i].request, &r);
        assert_problem(&r, bad[i].status, bad[i].code);
    }
}

/* -- streams --------------------------------------------------------------------------------
 */

static void a_job_s_stream_tells_all_and_ends(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(sse) struct sse s = { .comes_back = true };
    char id[API_ID_SIZE];
    char *go = mem_printf("%s/go", a->dir);
    char *body = mem_printf(
        "{\"command\":[\"sh\",\"-c\",\"while ! [ -e %s ]; do sleep 0.02; done\"]}", go);

    (void)api_submit(a, body, id);
    sse_start(&s, a, api_job_path(id, "/events"));
    sse_await_events(&s, 2); /* while it runs */
    assert_string_equal(sse_event_at(&s, 0).kind, "job.created");
    assert_string_equal(sse_event_at(&s, 1).kind, "job.started");
    sse_await_beats(&s, 2);
    assert_int_equal(fclose(fopen(go, "w")), 0);
    sse_await_end(&s); /* it came back, and was told with a 204 to stop */
    assert_int_equal(sse_count(&s), 3);
    assert_string_equal(sse_event_at(&s, 2).kind, "job.succeeded");
    assert_int_equal(s.status, 204);
    assert_int_equal(s.connections, 2);
    free(body);
    free(go);
}

static void a_stream_of_all_begins_now(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(sse) struct sse all = { 0 };
    AUTO_FINI(sse) struct sse slow = { 0 };
    char id[API_ID_SIZE];

    run_job(a, FAILS, id);
    sse_start(&all, a, "/v1/events");
    sse_start(&slow, a, "/v1/events?queue=slow&type=job.failed");
    sse_await_beats(&all, 1); /* so that it stands */
    sse_await_beats(&slow, 1);
    assert_int_equal(sse_count(&all), 0);
    run_job(a, SUCCEEDS, id);
    run_job(a, FAILS, id);
    sse_await_events(&all, 6);
    sse_await_events(&slow, 1);
    for (size_t i = 1; i < 6; i++)
        assert_int_equal(sse_event_at(&all, i).id, sse_event_at(&all, 0).id + (int64_t)i);
    assert_non_null(strstr(sse_event_at(&slow, 0).data, id));
    sse_stop(&all);
    sse_stop(&slow);
    assert_int_equal(sse_count(&slow), 1);
}

/* Submits until it is told to stop. A submit that the death of the front has met is not
 * repeated: whether it was done is what the events say. */
struct load {
    pthread_t thread;
    const struct api *a;
    atomic_bool stop;
};

static void *submit_on(void *arg)
{
    struct load *l = arg;

    while (!atomic_load(&l->stop)) {
        struct api_reply r = { 0 };

        if (api_try(l->a, &(struct api_request){ .path = "/v1/jobs", .body = SUCCEEDS }, &r))
            api_reply_fini(&r);
    }
    return NULL;
}

/* What the ledger says has happened after `before`: the ids, at most max. */
static size_t read_ids(const struct api *a, int64_t before, int64_t *ids, size_t max)
{
    size_t count = 0;
    bool more = true;

    while (more && count < max) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        char path[80];
        char at[32];

        (void)snprintf(path, sizeof path, "/v1/events?after=%lld", (long long)before);
        api_get(a, path, &r);
        assert_status(&r, 200);
        before = strtoll(api_text(&r, "last_id"), NULL, 10);
        more = api_at(r.json, "next") != NULL;
        for (size_t i = 0; i < 100 && count < max; i++) {
            (void)snprintf(at, sizeof at, "items.%zu.id", i);
            if (!api_at(r.json, at))
                break;
            ids[count++] = strtoll(api_text(&r, at), NULL, 10);
        }
    }
    return count;
}

static void assert_no_gap_and_no_repeat(struct sse *s, const int64_t *ids, size_t count)
{
    assert_true(sse_count(s) <= count);
    for (size_t i = 0; i < sse_count(s); i++)
        if (sse_event_at(s, i).id != ids[i])
            fail_msg("event %zu has the id %lld, not %lld", i, (long long)sse_event_at(s, i).id,
                     (long long)ids[i]);
}

static void streams_go_on_behind_the_death_of_the_front(void **state)
{
    struct api *a = *state;
    struct sse streams[3] = { 0 };
    struct load load = { .a = a };
    char start[24];
    int64_t before = last_id(a);
    int64_t *ids = mem_array0(100000, sizeof *ids);
    size_t count;

    (void)snprintf(start, sizeof start, "%lld", (long long)before);
    for (int i = 0; i < 3; i++) {
        streams[i].comes_back = true;
        streams[i].last_id = start;
        sse_start(&streams[i], a, "/v1/events");
    }
    assert_int_equal(pthread_create(&load.thread, NULL, submit_on, &load), 0);
    for (int round = 0; round < 5; round++) {
        sse_await_events(&streams[round % 3], (size_t)(round + 1) * 40);
        assert_int_equal(kill(proc_await_child(a->pid, "jobd-front"), SIGKILL), 0);
    }
    for (int i = 0; i < 3; i++)
        sse_await_events(&streams[i], 250);
    atomic_store(&load.stop, true);
    assert_int_equal(pthread_join(load.thread, NULL), 0);
    for (int i = 0; i < 3; i++) {
        sse_stop(&streams[i]);
        assert_true(streams[i].connections >= 2);
    }
    count = read_ids(a, before, ids, 100000);
    for (int i = 0; i < 3; i++) {
        assert_no_gap_and_no_repeat(&streams[i], ids, count);
        sse_fini(&streams[i]);
    }
    free(ids);
}

/* -- readers that do not read -----------------------------------------------------------------
 */

static int connect_to(const struct api *a, const char *request)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    int room = 4096; /* so that little is under way */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    to.sin_port = htons((uint16_t)strtol(strrchr(a->base, ':') + 1, NULL, 10));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    return fd;
}

static void a_reader_that_does_not_read_holds_up_nobody(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(sse) struct sse s = { 0 };
    char *request = mem_printf(
        "GET /v1/events?after=%lld HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: "
        "text/event-stream\r\n\r\n",
        (long long)last_id(a));
    static const char own[] = "{\"command\":[\"true\"],\"queue\":\"own\"}";
    char id[API_ID_SIZE];
    int fds[4];

    for (int i = 0; i < 4; i++)
        fds[i] = connect_to(a, request);
    sse_start(&s, a, "/v1/events?queue=own");
    sse_await_beats(&s, 1);
    for (size_t i = 0; i < 200; i++) {
        usec_t began_us = clock_mono_us();

        run_job(a, own, id);
        sse_await_events(&s, 3 * (i + 1));
        assert_in_range(clock_mono_us() - began_us, 0, 20 * USEC_PER_SEC);
    }
    assert_int_equal(sse_count(&s), 600);
    for (int i = 0; i < 4; i++)
        (void)close(fds[i]);
    sse_stop(&s);
    free(request);
}

/* -- the end ----------------------------------------------------------------------------------
 */

static void streams_end_when_jobd_does(void **state)
{
    struct api *a = *state;
    AUTO_FINI(sse) struct sse s = { 0 };
    usec_t began_us;

    sse_start(&s, a, "/v1/events");
    sse_await_beats(&s, 1);
    began_us = clock_mono_us();
    api_stop(a, SIGTERM);
    sse_await_end(&s);
    assert_int_equal(s.code, 0); /* and not broken off */
    assert_in_range(clock_mono_us() - began_us, 0, 20 * USEC_PER_SEC);
    api_start(a);
}

static void what_is_not_kept_is_told(void **state)
{
    struct api *a = *state;
    AUTO_FINI(sse) struct sse s = { .last_id = "1" };
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];
    int64_t oldest = 0;

    api_stop(a, SIGTERM);
    api_reconfigure(a, "allow_commands: true\nworkers: 2\nmax_events: 30\n");
    api_start(a);
    for (int i = 0; i < 20 || oldest == 0; i++) {
        run_job(a, SUCCEEDS, id);
        api_get(a, "/v1/events?after=1", &r);
        if (r.status == 410) {
            assert_problem(&r, 410, "event-id-expired");
            oldest = strtoll(api_text(&r, "oldest_id"), NULL, 10);
        }
        api_reply_fini(&r);
    }
    assert_true(oldest > 2);
    sse_start(&s, a, "/v1/events");
    sse_await_events(&s, 4);
    assert_string_equal(sse_event_at(&s, 0).kind, "stream.reset");
    assert_non_null(strstr(sse_event_at(&s, 0).data, "oldest_id"));
    assert_int_equal(sse_event_at(&s, 1).id, sse_event_at(&s, 0).id + 1);
    sse_stop(&s);
    api_get(a, "/v1/events", &r); /* without an id: what there is */
    assert_status(&r, 200);
}

/* Also while nobody asks for anything that changes something. */
static void old_events_go_by_themselves(void **state)
{
    struct api *a = *state;
    usec_t until_us;
    bool gone = false;
    char id[API_ID_SIZE];

    api_stop(a, SIGTERM);
    api_reconfigure(a, "allow_commands: true\nworkers: 2\nevent_retention: 1\n");
    api_start(a);
    run_job(a, SUCCEEDS, id);
    until_us = clock_mono_us() + 20 * USEC_PER_SEC;
    while (!gone && clock_mono_us() < until_us) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };

        api_get(a, "/v1/events", &r);
        gone = !api_at(r.json, "items.0");
        (void)usleep(50000);
    }
    assert_true(gone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_has_every_change_of_a_job),
        cmocka_unit_test(lists_are_filtered_and_have_pages),
        cmocka_unit_test(what_cannot_be_read_is_refused),
        cmocka_unit_test(a_job_s_stream_tells_all_and_ends),
        cmocka_unit_test(a_stream_of_all_begins_now),
        cmocka_unit_test(streams_go_on_behind_the_death_of_the_front),
        cmocka_unit_test(a_reader_that_does_not_read_holds_up_nobody),
        cmocka_unit_test(streams_end_when_jobd_does),
        cmocka_unit_test(what_is_not_kept_is_told),
        cmocka_unit_test(old_events_go_by_themselves),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/events", tests, api_setup, api_teardown));
}
