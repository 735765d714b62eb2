/* createJob with an Idempotency-Key: however often it is sent, there is one job. */
#include "tests/support/api.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/sqlite/db.h"

#define LATER "{\"command\":[\"true\"],\"delay_seconds\":3600,\"name\":\"a\"}"

static const char config[] = "allow_commands: true\nworkers: 2\n";

static void send_keyed(const struct api *a, const char *key, const char *body,
                       struct api_reply *r)
{
    struct api_request q = { .path = "/v1/jobs", .body = body };
    AUTO(mem) char *header = mem_printf("Idempotency-Key: %s", key);

    q.headers[0] = header;
    api_send(a, &q, r);
}

/* How many jobs have this name. */
static size_t count_named(const struct api *a, const char *name)
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    const json_t *items;
    size_t count = 0;

    api_get(a, "/v1/jobs?limit=1000", &r);
    assert_status(&r, 200);
    items = api_at(r.json, "items");
    for (size_t i = 0; i < json_array_size(items); i++) {
        const char *its = json_string_value(json_object_get(json_array_get(items, i), "name"));

        count += its && strcmp(its, name) == 0;
    }
    return count;
}

/* -- replays --------------------------------------------------------------------------------
 */

static void the_same_request_again_gets_the_same_answer(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply first = { 0 };
    AUTO_FINI(api_reply) struct api_reply again = { 0 };

    send_keyed(a, "\"same\"", LATER, &first);
    assert_status(&first, 202);
    assert_header(&first, "Idempotent-Replayed", NULL);
    /* The job changes, and its members come in another order, without the quotes. */
    api_post(a, api_job_path(api_text(&first, "id"), ":cancel"), NULL, &again);
    assert_status(&again, 200);
    send_keyed(a, "same", "{ \"name\":\"a\", \"delay_seconds\":3600,\"command\" : [\"true\"]}",
               &again);
    assert_status(&again, 202);
    assert_header(&again, "Idempotent-Replayed", "true");
    assert_header(&again, "Location", api_header(&first, "Location"));
    assert_header(&again, "ETag", "\"v1\"");
    assert_header(&again, "Retry-After", "1");
    assert_header(&again, "Content-Type", "application/json");
    assert_int_equal(again.body_len, first.body_len);
    assert_memory_equal(again.body, first.body, first.body_len);
    assert_int_equal(count_named(a, "a"), 1);
}

static void a_job_that_starts_at_once_has_the_same_answer_later(void **state)
{
    const struct api *a = *state;

    for (int i = 0; i < 8; i++) {
        AUTO_FINI(api_reply) struct api_reply first = { 0 };
        AUTO_FINI(api_reply) struct api_reply again = { 0 };
        AUTO(mem) char *key = mem_printf("at-once-%d", i);

        send_keyed(a, key, "{\"command\":[\"true\"]}", &first);
        assert_status(&first, 202);
        send_keyed(a, key, "{\"command\":[\"true\"]}", &again);
        assert_status(&again, 202);
        assert_header(&again, "ETag", api_header(&first, "ETag"));
        assert_string_equal(again.body, first.body);
    }
}

static void a_replay_that_waits_sees_the_end(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply first = { 0 };
    AUTO_FINI(api_reply) struct api_reply again = { 0 };
    const struct api_request q = { .path = "/v1/jobs",
                                   .body = "{\"command\":[\"true\"]}",
                                   .headers = { "Idempotency-Key: wait", "Prefer: wait=30" } };

    api_send(a, &q, &first);
    assert_status(&first, 200);
    assert_string_equal(api_text(&first, "state"), "succeeded");
    api_send(a, &q, &again);
    assert_status(&again, 200);
    assert_header(&again, "Idempotent-Replayed", "true");
    assert_header(&again, "Content-Location", api_header(&first, "Location"));
    assert_string_equal(api_text(&again, "id"), api_text(&first, "id"));
    assert_string_equal(api_text(&again, "state"), "succeeded");
    send_keyed(a, "wait", q.body, &again);
    assert_status(&again, 202);
    assert_string_equal(api_text(&again, "state"), "queued");
}

static void other_keys_make_other_jobs(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char id[API_ID_SIZE];

    send_keyed(a, "one", LATER, &r);
    (void)snprintf(id, sizeof id, "%s", api_text(&r, "id"));
    send_keyed(a, "two", LATER, &r);
    assert_status(&r, 202);
    assert_header(&r, "Idempotent-Replayed", NULL);
    assert_string_not_equal(api_text(&r, "id"), id);
}

static void a_colon_may_be_escaped_in_the_path(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    struct api_request q = { .path = "/v1/%6Aobs",
                             .body = LATER,
                             .headers = { "Idempotency-Key: escaped" } };

    send_keyed(a, "escaped", LATER, &r);
    assert_status(&r, 202);
    api_send(a, &q, &r);
    assert_header(&r, "Idempotent-Replayed", "true");
}

/* -- other operations that create ------------------------------------------------------------
 */

static void send_again(const struct api *a, const char *path, const char *body,
                       struct api_reply *first, struct api_reply *again)
{
    const struct api_request q = {
        .method = "POST", .path = path, .body = body, .headers = { "Idempotency-Key: other" }
    };

    api_send(a, &q, first);
    assert_status(first, 202);
    assert_header(first, "Idempotent-Replayed", NULL);
    api_send(a, &q, again);
    assert_status(again, 202);
    assert_header(again, "Idempotent-Replayed", "true");
    assert_header(again, "Location", api_header(first, "Location"));
    assert_header(again, "ETag", api_header(first, "ETag"));
    assert_string_equal(again->body, first->body);
}

static void a_job_is_cloned_once(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply first = { 0 };
    AUTO_FINI(api_reply) struct api_reply again = { 0 };
    char id[API_ID_SIZE];

    (void)api_submit(a, "{\"command\":[\"true\"],\"delay_seconds\":3600,\"name\":\"twin\"}",
                     id);
    send_again(a, api_job_path(id, ":clone"), NULL, &first, &again);
    assert_string_not_equal(api_text(&first, "id"), id);
    assert_int_equal(count_named(a, "twin"), 2);
}

static void a_job_is_tried_again_once(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply first = { 0 };
    AUTO_FINI(api_reply) struct api_reply again = { 0 };
    char id[API_ID_SIZE];

    api_await(a, api_submit(a, "{\"command\":[\"false\"]}", id), &first);
    send_again(a, api_job_path(id, ":retry"), "{\"priority\":3}", &first, &again);
    assert_string_equal(api_text(&first, "id"), id);
    assert_string_equal(api_text(&first, "state"), "queued");
    assert_int_equal(api_number(&first, "priority"), 3);
    assert_header(&first, "ETag", "\"v4\"");
    api_await(a, id, &again);
    assert_int_equal(api_number(&again, "attempt"), 2);
    send_again(a, api_job_path(id, ":clone"), NULL, &first, &again); /* another path */
    api_post(a, api_job_path(id, ":retry"), "{\"priority\":4}", &again);
    assert_status(&again, 202); /* without the key it is another request */
}

/* -- refusals -------------------------------------------------------------------------------
 */

static void a_key_is_good_for_one_request_only(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    send_keyed(a, "reused", LATER, &r);
    assert_status(&r, 202);
    send_keyed(a, "reused", "{\"command\":[\"false\"],\"delay_seconds\":3600}", &r);
    assert_problem(&r, 422, "idempotency-key-reused");
    assert_header(&r, "Idempotent-Replayed", NULL);
    send_keyed(a, "reused", LATER, &r);
    assert_status(&r, 202);
    assert_header(&r, "Idempotent-Replayed", "true");
}

static void what_is_refused_is_not_remembered(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    send_keyed(a, "later", "{\"command\":[]}", &r);
    assert_problem(&r, 422, "validation-failed");
    send_keyed(a, "later", "{\"command\":", &r);
    assert_problem(&r, 400, "malformed-json");
    send_keyed(a, "later", LATER, &r);
    assert_status(&r, 202);
    assert_header(&r, "Idempotent-Replayed", NULL);
}

static void a_bad_key_is_refused(void **state)
{
    static const char *const keys[] = { "\"\"", "a b", "\"a", "caf\xC3\xA9", "a;b=c" };
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    char longest[258];

    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        send_keyed(a, keys[i], LATER, &r);
        assert_problem(&r, 400, "invalid-idempotency-key");
    }
    (void)memset(longest, 'k', 256);
    longest[256] = '\0';
    send_keyed(a, longest, LATER, &r);
    assert_problem(&r, 400, "invalid-idempotency-key");
    longest[255] = '\0';
    send_keyed(a, longest, LATER, &r);
    assert_status(&r, 202);
}

static void two_keys_are_too_many(void **state)
{
    const struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    const struct api_request q = { .path = "/v1/jobs",
                                   .body = LATER,
                                   .headers = { "Idempotency-Key: a", "Idempotency-Key: b" } };

    api_send(a, &q, &r);
    assert_problem(&r, 400, "malformed-request");
}

/* -- at the same time -----------------------------------------------------------------------
 */

struct racer {
    const struct api *api;
    const struct api_request *request;
    struct api_reply reply;
    pthread_t thread;
    pthread_mutex_t *mutex;
    pthread_cond_t *changed;
    unsigned *answered;
};

static void *race(void *arg)
{
    struct racer *me = arg;

    (void)api_try(me->api, me->request, &me->reply);
    (void)pthread_mutex_lock(me->mutex);
    ++*me->answered;
    (void)pthread_cond_broadcast(me->changed);
    (void)pthread_mutex_unlock(me->mutex);
    return NULL;
}

/* The ledger is locked by somebody else, so that nothing is committed meanwhile. */
static struct db *lock_ledger(const struct api *a)
{
    AUTO(mem) char *path = mem_printf("%s/data/jobd.db", a->dir);
    struct db *db = NULL;

    assert_int_equal(db_open_writer(path, &db, NULL), 0);
    assert_int_equal(db_exec(db, "BEGIN IMMEDIATE", NULL), 0);
    return db;
}

/* Twice at once: one is accepted. */
static void assert_one_wins(const struct api *a, const struct api_request *q)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
    unsigned answered = 0;
    struct racer racers[2];
    struct db *ledger = lock_ledger(a);
    unsigned accepted;

    for (size_t i = 0; i < COUNT_OF(racers); i++) {
        racers[i] = (struct racer){
            .api = a, .request = q, .mutex = &mutex, .changed = &changed, .answered = &answered
        };
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    (void)pthread_mutex_lock(&mutex);
    while (answered == 0)
        (void)pthread_cond_wait(&changed, &mutex);
    assert_int_equal(answered, 1);
    (void)pthread_mutex_unlock(&mutex);
    assert_int_equal(db_exec(ledger, "ROLLBACK", NULL), 0);
    (void)db_free(ledger);
    for (size_t i = 0; i < COUNT_OF(racers); i++)
        (void)pthread_join(racers[i].thread, NULL);

    accepted = racers[0].reply.status == 202 ? 0 : 1;
    assert_status(&racers[accepted].reply, 202);
    assert_header(&racers[accepted].reply, "Idempotent-Replayed", NULL);
    assert_problem(&racers[1 - accepted].reply, 409, "idempotency-request-in-progress");
    assert_header(&racers[1 - accepted].reply, "Retry-After", "1");
    for (size_t i = 0; i < COUNT_OF(racers); i++)
        api_reply_fini(&racers[i].reply);
}

static void a_request_on_its_way_keeps_others_with_its_key_back(void **state)
{
    struct api_request q = { .path = "/v1/jobs",
                             .body =
                                 "{\"command\":[\"true\"],\"name\":\"raced\","
                                 "\"delay_seconds\":3600}",
                             .headers = { "Idempotency-Key: raced" } };

    assert_one_wins(*state, &q);
    assert_int_equal(count_named(*state, "raced"), 1);
    q.path = "/v1/batches";
    q.body =
        "{\"jobs\":[{\"command\":[\"true\"],\"name\":\"raced-batch\","
        "\"delay_seconds\":3600}]}";
    assert_one_wins(*state, &q);
    assert_int_equal(count_named(*state, "raced-batch"), 1);
}

/* -- lasting --------------------------------------------------------------------------------
 */

static void answers_are_remembered_after_a_restart(void **state)
{
    struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply first = { 0 };
    AUTO_FINI(api_reply) struct api_reply again = { 0 };

    send_keyed(a, "lasting", LATER, &first);
    assert_status(&first, 202);
    api_stop(a, SIGTERM);
    assert_int_equal(a->exit_code, 0);
    api_start(a);
    send_keyed(a, "lasting", LATER, &again);
    assert_header(&again, "Idempotent-Replayed", "true");
    assert_string_equal(api_text(&again, "id"), api_text(&first, "id"));
}

/* Send it until there is an answer. Returns how often it was sent. */
static unsigned insist(const struct api *a, const struct api_request *q, struct api_reply *r)
{
    usec_t until_us = clock_mono_us() + PATIENCE_US;
    unsigned tries = 1;

    while (!api_try(a, q, r)) {
        assert_true(clock_mono_us() < until_us);
        tries++;
    }
    return tries;
}

/* The front dies between a commit and its answers: somewhere among these requests, since
 * nothing else makes it commit so often. */
static void who_repeats_a_request_after_a_crash_gets_the_answer_of_its_job(void **state)
{
    struct api *a = *state;
    unsigned replays = 0;

    api_stop(a, SIGTERM);
    assert_int_equal(setenv("JOBD_CRASH_POINT", "turn.before_answers:8", 1), 0);
    api_start(a);
    assert_int_equal(unsetenv("JOBD_CRASH_POINT"), 0);
    for (int i = 0; i < 16; i++) {
        AUTO_FINI(api_reply) struct api_reply r = { 0 };
        AUTO(mem) char *key = mem_printf("Idempotency-Key: crash-%d", i);
        const struct api_request q = { .path = "/v1/jobs",
                                       .body =
                                           "{\"command\":[\"true\"],\"name\":\"crash\","
                                           "\"delay_seconds\":3600}",
                                       .headers = { key } };
        unsigned tries = insist(a, &q, &r);

        assert_status(&r, 202);
        assert_header(&r, "Idempotent-Replayed", tries > 1 ? "true" : NULL);
        replays += tries > 1;
    }
    assert_int_equal(replays, 1);
    assert_int_equal(count_named(a, "crash"), 16);
}

static int64_t count_remembered(const struct api *a)
{
    AUTO(mem) char *path = mem_printf("%s/data/jobd.db", a->dir);
    struct db *db = NULL;
    int64_t count = -1;

    assert_int_equal(db_open_reader(path, &db, NULL), 0);
    assert_int_equal(db_query_i64(db, "SELECT count(*) FROM idempotency", &count, NULL), 0);
    (void)db_free(db);
    return count;
}

/* The turn that remembers the last one forgets all that are older: they are fewer than a turn
 * removes. */
static void an_answer_is_forgotten_after_its_time(void **state)
{
    struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };
    usec_t until_us;

    api_stop(a, SIGTERM);
    assert_true(count_remembered(a) > 10);
    api_reconfigure(a, "allow_commands: true\nidempotency_ttl: 1s\n");
    api_start(a);
    send_keyed(a, "short", LATER, &r);
    assert_status(&r, 202);
    until_us = clock_mono_us() + PATIENCE_US;
    do {
        assert_true(clock_mono_us() < until_us);
        send_keyed(a, "short", LATER, &r);
        assert_status(&r, 202);
    } while (api_header(&r, "Idempotent-Replayed"));
    assert_int_equal(count_remembered(a), 1);
}

static void a_server_may_want_a_key(void **state)
{
    struct api *a = *state;
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    api_stop(a, SIGTERM);
    api_reconfigure(a, "allow_commands: true\nrequire_idempotency_key: true\n");
    api_start(a);
    api_post(a, "/v1/jobs", LATER, &r);
    assert_problem(&r, 400, "idempotency-key-required");
    api_post(a, "/v1/jobs:batchCreate", "{\"jobs\":[" LATER "]}", &r);
    assert_problem(&r, 400, "idempotency-key-required");
    api_post(a, "/v1/jobs?validate_only=true", LATER, &r);
    assert_status(&r, 200);
    send_keyed(a, "wanted", LATER, &r);
    assert_status(&r, 202);
    api_post(a, api_job_path(api_text(&r, "id"), ":cancel"), NULL, &r);
    assert_status(&r, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_request_again_gets_the_same_answer),
        cmocka_unit_test(a_job_that_starts_at_once_has_the_same_answer_later),
        cmocka_unit_test(a_replay_that_waits_sees_the_end),
        cmocka_unit_test(other_keys_make_other_jobs),
        cmocka_unit_test(a_colon_may_be_escaped_in_the_path),
        cmocka_unit_test(a_job_is_cloned_once),
        cmocka_unit_test(a_job_is_tried_again_once),
        cmocka_unit_test(a_key_is_good_for_one_request_only),
        cmocka_unit_test(what_is_refused_is_not_remembered),
        cmocka_unit_test(a_bad_key_is_refused),
        cmocka_unit_test(two_keys_are_too_many),
        cmocka_unit_test(a_request_on_its_way_keeps_others_with_its_key_back),
        cmocka_unit_test(answers_are_remembered_after_a_restart),
        cmocka_unit_test(who_repeats_a_request_after_a_crash_gets_the_answer_of_its_job),
        cmocka_unit_test(an_answer_is_forgotten_after_its_time),
        cmocka_unit_test(a_server_may_want_a_key),
    };

    api_configure(config);
    return api_finish(
        cmocka_run_group_tests_name("api/idempotency", tests, api_setup, api_teardown));
}
