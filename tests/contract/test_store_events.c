/* The event log: every change of a job is one event, found after its number and by its job. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "store/store.h"
#include "tests/support/store_fixture.h"

/* clang-format off */
#define TEST(f) cmocka_unit_test_setup_teardown(f, store_fixture_setup, store_fixture_teardown)
/* clang-format on */

static void read_events(struct store_fixture *f, const struct store_event_query *q,
                        struct store_events *ret_events)
{
    struct store_reader *rd = NULL;

    if (store_reader_get(f->st, &rd, &f->e) < 0 ||
        store_read_events(rd, q, ret_events, &f->e) < 0)
        fail_msg("store_read_events: %s", f->e.text);
    store_reader_put(f->st, rd);
}

static int read_of_job(struct store_fixture *f, struct uuid7 id, int64_t after, size_t limit,
                       struct store_events *ret_events)
{
    struct store_reader *rd = NULL;
    int r;

    assert_int_equal(store_reader_get(f->st, &rd, &f->e), 0);
    r = store_read_job_events(rd, id, after, limit, ret_events, &f->e);
    store_reader_put(f->st, rd);
    return r;
}

static struct store_events all_events(struct store_fixture *f)
{
    struct store_events evs = { 0 };

    read_events(f, &(struct store_event_query){ .limit = 1000 }, &evs);
    return evs;
}

static struct uuid7 make(struct store_fixture *f, enum job_state state)
{
    struct job job = store_fixture_job(f);

    store_fixture_set(&job.pool, "resize");
    store_fixture_set(&job.function, "resize");
    return store_fixture_make(f, &job, state);
}

static void assert_kinds(const struct store_events *evs, const enum event_kind *kinds,
                         size_t count)
{
    assert_int_equal(evs->count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(event_kind_name(evs->items[i].kind), event_kind_name(kinds[i]));
}

static void every_change_is_one_event_with_the_next_number(void **state)
{
    static const enum event_kind kinds[] = { EVENT_JOB_CREATED, EVENT_JOB_STARTED,
                                             EVENT_JOB_SUCCEEDED };
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_SUCCEEDED);
    struct job job = store_fixture_read(f, id);
    AUTO_FINI(store_events) struct store_events evs = all_events(f);

    assert_kinds(&evs, kinds, 3);
    for (int i = 0; i < 3; i++) {
        const struct event *ev = &evs.items[i];

        assert_int_equal(ev->seq, i + 1);
        assert_int_equal(ev->prev_seq, i);
        assert_int_equal(ev->version, i + 1);
        assert_int_equal(ev->attempt, i > 0);
        assert_true(uuid7_equal(ev->subject, id));
        assert_string_equal(ev->queue, "default");
        assert_string_equal(ev->function, "resize");
        assert_string_equal(ev->tenant, "");
        assert_null(ev->reason);
    }
    assert_int_equal(evs.items[0].state, JOB_QUEUED);
    assert_int_equal(evs.items[2].state, JOB_SUCCEEDED);
    assert_int_equal(evs.items[2].at_us, job.updated_at_us);
    assert_int_equal(job.change_seq, 3);
    assert_int_equal(evs.newest_seq, 3);
    assert_int_equal(evs.seen_seq, 3);
    assert_false(evs.more);
    assert_int_equal(evs.gone_seq, 0);
    job_fini(&job);
}

static void a_cancel_names_its_reason_twice(void **state)
{
    static const enum event_kind kinds[] = { EVENT_JOB_CREATED, EVENT_JOB_STARTED,
                                             EVENT_JOB_CANCEL_REQUESTED, EVENT_JOB_CANCELED };
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_CANCELED);
    AUTO_FINI(store_events) struct store_events evs = { 0 };

    assert_int_equal(read_of_job(f, id, 0, 100, &evs), 0);
    assert_kinds(&evs, kinds, 4);
    assert_string_equal(evs.items[2].reason, "user");
    assert_int_equal(evs.items[2].state, JOB_CANCELING);
    assert_string_equal(evs.items[3].reason, "user");
}

static void a_failure_names_its_cause(void **state)
{
    struct store_fixture *f = *state;
    AUTO_FINI(store_events) struct store_events evs = { 0 };

    assert_int_equal(read_of_job(f, make(f, JOB_FAILED), 0, 100, &evs), 0);
    assert_int_equal(evs.items[2].kind, EVENT_JOB_FAILED);
    assert_string_equal(evs.items[2].reason, "exit_code");
}

static void waiting_jobs_have_events_too(void **state)
{
    static const enum event_kind kinds[] = { EVENT_JOB_CREATED,         EVENT_JOB_QUEUED,
                                             EVENT_JOB_STARTED,         EVENT_JOB_PROGRESS,
                                             EVENT_JOB_RETRY_SCHEDULED, EVENT_JOB_CANCELED };
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_SCHEDULED);
    struct outcome o = store_fixture_outcome(id, 1);
    struct uuid7 ids[2];
    struct job job = { 0 };
    AUTO_FINI(store_events) struct store_events evs = { 0 };

    o.cause = CAUSE_SIGNAL;
    store_fixture_begin(f);
    assert_int_equal(store_jobs_due(f->st, f->now_us + USEC_PER_SEC, ids, 2, &f->e), 1);
    assert_int_equal(store_job_claim(f->st, "resize", 1, 100, f->now_us, &job, &f->e), 0);
    assert_int_equal(store_job_progress(f->st, id, 1, 250000, "a quarter", f->now_us, &f->e),
                     0);
    assert_int_equal(store_job_retry(f->st, &o, f->now_us + 5, f->now_us, &f->e), 0);
    assert_int_equal(store_job_cancel_waiting(f->st, id, "why not", f->now_us, &f->e), 0);
    store_fixture_commit(f);
    assert_int_equal(read_of_job(f, id, 0, 100, &evs), 0);
    assert_kinds(&evs, kinds, 6);
    assert_int_equal(evs.items[3].progress_ppm, 250000);
    assert_string_equal(evs.items[3].reason, "a quarter");
    assert_int_equal(evs.items[3].state, JOB_RUNNING);
    assert_string_equal(evs.items[4].reason, "signal");
    assert_string_equal(evs.items[5].reason, "why not");
    job_fini(&job);
}

static void what_was_rolled_back_leaves_no_event_and_no_number(void **state)
{
    struct store_fixture *f = *state;
    struct job lost = store_fixture_job(f);
    struct store_events evs;

    store_fixture_begin(f);
    assert_int_equal(store_job_insert(f->st, &lost, &f->e), 0);
    store_rollback(f->st);
    job_fini(&lost);
    (void)make(f, JOB_QUEUED);
    evs = all_events(f);
    assert_int_equal(evs.count, 1);
    assert_int_equal(evs.items[0].seq, 1);
    store_events_fini(&evs);
    store_fixture_reopen(f);
    (void)make(f, JOB_QUEUED);
    evs = all_events(f);
    assert_int_equal(evs.count, 2);
    assert_int_equal(evs.items[1].seq, 2);
    store_events_fini(&evs);
}

/* Many in one transaction, so that they fill several rows. */
static void make_many(struct store_fixture *f, int count)
{
    store_fixture_begin(f);
    for (int i = 0; i < count; i++) {
        struct job job = store_fixture_job(f);

        if (i % 3 == 0)
            store_fixture_set(&job.queue, "third");
        if (i % 5 == 0)
            store_fixture_set(&job.tenant, "acme");
        assert_int_equal(store_job_insert(f->st, &job, &f->e), 0);
        job_fini(&job);
    }
    store_fixture_commit(f);
}

/* Page by page, as a client does; returns how many. */
static size_t count_by_pages(struct store_fixture *f, struct store_event_query q, size_t limit)
{
    size_t count = 0;
    bool more = true;

    q.limit = limit;
    while (more) {
        AUTO_FINI(store_events) struct store_events evs = { 0 };

        read_events(f, &q, &evs);
        for (size_t i = 0; i < evs.count; i++)
            assert_true(evs.items[i].seq > q.after_seq &&
                        (i == 0 || evs.items[i].seq > evs.items[i - 1].seq));
        assert_true(evs.seen_seq >= q.after_seq);
        count += evs.count;
        q.after_seq = evs.seen_seq;
        more = evs.more;
    }
    return count;
}

static void pages_have_no_gap_and_no_repeat(void **state)
{
    struct store_fixture *f = *state;
    struct store_event_query q = { 0 };

    make_many(f, 300);
    for (size_t limit = 1; limit < 70; limit += 17)
        assert_int_equal(count_by_pages(f, q, limit), 300);
    q.filter.queue = "third";
    assert_int_equal(count_by_pages(f, q, 7), 100);
    q.filter.tenant = "acme";
    assert_int_equal(count_by_pages(f, q, 7), 20);
    q.filter.kinds = 1U << EVENT_JOB_FAILED;
    assert_int_equal(count_by_pages(f, q, 7), 0);
}

static void a_list_goes_on_where_another_ended(void **state)
{
    struct store_fixture *f = *state;
    AUTO_FINI(store_events) struct store_events evs = { 0 };
    AUTO_FINI(store_events) struct store_events rest = { 0 };

    make_many(f, 100);
    evs = all_events(f);
    make_many(f, 3);
    read_events(f, &(struct store_event_query){ .after_seq = evs.seen_seq, .limit = 50 },
                &rest);
    assert_int_equal(rest.count, 3);
    assert_int_equal(rest.items[0].seq, 101);
}

static void the_events_of_a_job_come_in_pieces(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_RUNNING);
    AUTO_FINI(store_events) struct store_events evs = { 0 };
    AUTO_FINI(store_events) struct store_events rest = { 0 };

    for (int i = 0; i < 60; i++) {
        make_many(f, 2);
        store_fixture_begin(f);
        assert_int_equal(store_job_progress(f->st, id, 1, i, NULL, f->now_us, &f->e), 0);
        store_fixture_commit(f);
    }
    assert_int_equal(read_of_job(f, id, 0, 40, &evs), 0);
    assert_int_equal(evs.count, 40);
    assert_true(evs.more);
    assert_int_equal(evs.items[2].progress_ppm, 0);
    assert_int_equal(evs.items[39].progress_ppm, 37);
    assert_int_equal(read_of_job(f, id, evs.seen_seq, 40, &rest), 0);
    assert_int_equal(rest.count, 22);
    assert_false(rest.more);
    assert_int_equal(rest.items[0].progress_ppm, 38);
    assert_int_equal(rest.seen_seq, rest.newest_seq);
}

static void an_unknown_job_has_no_events(void **state)
{
    struct store_fixture *f = *state;
    struct store_events evs = { 0 };

    assert_int_equal(read_of_job(f, uuid7_new(&f->gen, f->now_us), 0, 10, &evs),
                     ERR_JOB_NOT_FOUND);
}

/* -- what is not kept -----------------------------------------------------------------------
 */

static int expire(struct store_fixture *f, usec_t before_us, int64_t max_events, size_t blocks)
{
    usec_t oldest_us = -1;
    int r;

    store_fixture_begin(f);
    r = store_events_expire(f->st, before_us, max_events, blocks, &oldest_us, &f->e);
    assert_true(oldest_us == 0 || oldest_us >= before_us);
    store_fixture_commit(f);
    return r;
}

static void old_events_are_forgotten_in_pieces(void **state)
{
    struct store_fixture *f = *state;
    struct store_events evs;
    usec_t between_us;

    make_many(f, 200);
    between_us = f->now_us + 1;
    f->now_us += USEC_PER_SEC;
    make_many(f, 100);
    assert_int_equal(expire(f, FIXTURE_NOW, 0, 2), 0);
    assert_int_equal(expire(f, between_us, 0, 2), 2);
    evs = all_events(f);
    assert_in_range(evs.count, 101, 299);
    assert_int_equal(evs.gone_seq, 300 - evs.count);
    assert_int_equal(evs.items[0].seq, evs.gone_seq + 1);
    store_events_fini(&evs);
    while (expire(f, between_us, 0, 2) == 2)
        ;
    evs = all_events(f);
    assert_int_equal(evs.count, 100);
    assert_int_equal(evs.gone_seq, 200);
    store_events_fini(&evs);
    assert_int_equal(expire(f, between_us, 0, 100), 0);
}

static void no_more_than_so_many_are_kept(void **state)
{
    struct store_fixture *f = *state;
    struct store_events evs;

    make_many(f, 300);
    assert_true(expire(f, 0, 300, 100) == 0);
    assert_true(expire(f, 0, 100, 100) > 0);
    evs = all_events(f);
    assert_in_range(evs.count, 100, 140); /* a row goes as a whole */
    store_events_fini(&evs);
    store_fixture_reopen(f);
    evs = all_events(f);
    assert_in_range(evs.gone_seq, 160, 200);
    store_events_fini(&evs);
}

static void a_job_outlives_its_events(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 old = make(f, JOB_SUCCEEDED);
    struct uuid7 id = make(f, JOB_QUEUED);
    struct job job = { 0 };
    AUTO_FINI(store_events) struct store_events evs = { 0 };

    assert_true(expire(f, INT64_MAX, 0, 100) > 0);
    store_fixture_begin(f);
    assert_int_equal(store_job_claim(f->st, "resize", 1, 100, f->now_us, &job, &f->e), 0);
    store_fixture_commit(f);
    job_fini(&job);
    assert_int_equal(read_of_job(f, old, 0, 10, &evs), 0);
    assert_int_equal(evs.count, 0);
    assert_int_equal(evs.gone_seq, 4);
    store_events_fini(&evs);
    assert_int_equal(read_of_job(f, id, 0, 10, &evs), 0);
    assert_int_equal(evs.count, 1);
    assert_int_equal(evs.items[0].kind, EVENT_JOB_STARTED);
    assert_int_equal(evs.items[0].prev_seq, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_change_is_one_event_with_the_next_number),
        TEST(a_cancel_names_its_reason_twice),
        TEST(a_failure_names_its_cause),
        TEST(waiting_jobs_have_events_too),
        TEST(what_was_rolled_back_leaves_no_event_and_no_number),
        TEST(pages_have_no_gap_and_no_repeat),
        TEST(a_list_goes_on_where_another_ended),
        TEST(the_events_of_a_job_come_in_pieces),
        TEST(an_unknown_job_has_no_events),
        TEST(old_events_are_forgotten_in_pieces),
        TEST(no_more_than_so_many_are_kept),
        TEST(a_job_outlives_its_events),
    };
    int failed = 0;

    for (size_t i = 0; i < store_fixture_backend_count; i++) {
        store_fixture_use(store_fixture_backends[i]);
        failed += cmocka_run_group_tests_name(store_fixture_backends[i], tests, NULL, NULL);
    }
    return failed;
}
