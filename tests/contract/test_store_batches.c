/* Batches in the ledger: what their members' changes mean to them. */
#include "tests/support/test.h"

#include "store/store_batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/support/store_fixture.h"

/* clang-format off */
#define TEST(f) cmocka_unit_test_setup_teardown(f, store_fixture_setup, store_fixture_teardown)
/* clang-format on */

static struct uuid7 insert_member(struct store_fixture *f, struct uuid7 batch, int64_t index)
{
    struct job job = store_fixture_job(f);
    struct uuid7 id = job.id;

    job.batch = batch;
    job.array_place = index + 1;
    assert_int_equal(store_job_insert(f->st, &job, &f->e), 0);
    job_fini(&job);
    return id;
}

/* The moves of one batch, and of no other: how many more are queued, running and so on. */
static void expect_move(struct store_fixture *f, struct uuid7 batch, enum job_state state,
                        int64_t delta)
{
    AUTO(mem) struct store_batch_move *moves = NULL;
    int n = store_take_batch_moves(f->st, &moves);

    assert_int_equal(n, 1);
    assert_true(uuid7_equal(moves[0].batch, batch));
    assert_int_equal(moves[0].delta[state], delta);
}

static void expect_no_move(struct store_fixture *f)
{
    AUTO(mem) struct store_batch_move *moves = NULL;

    assert_int_equal(store_take_batch_moves(f->st, &moves), 0);
}

/* -- members ------------------------------------------------------------------------------- */

static void a_member_knows_its_batch_and_its_place(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 batch = uuid7_new(&f->gen, f->now_us);
    struct uuid7 id;
    struct job job;

    store_fixture_begin(f);
    id = insert_member(f, batch, 0);
    store_fixture_commit(f);
    store_fixture_reopen(f);
    job = store_fixture_read(f, id);
    assert_true(uuid7_equal(job.batch, batch));
    assert_int_equal(job.array_place, 1);
    assert_int_equal(job.fingerprint, 0);
    job_fini(&job);
}

static void a_plain_job_has_no_batch_and_moves_none(void **state)
{
    struct store_fixture *f = *state;
    struct job job = store_fixture_job(f);
    struct uuid7 id = job.id;

    store_fixture_begin(f);
    assert_int_equal(store_job_insert(f->st, &job, &f->e), 0);
    job_fini(&job);
    expect_no_move(f);
    store_fixture_commit(f);
    job = store_fixture_read(f, id);
    assert_false(uuid7_is_set(job.batch));
    assert_int_equal(job.array_place, 0);
    job_fini(&job);
}

static void every_change_of_a_member_is_a_move(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 batch = uuid7_new(&f->gen, f->now_us);
    struct uuid7 id;
    struct outcome o;
    struct job job = { 0 };

    store_fixture_begin(f);
    id = insert_member(f, batch, 0);
    expect_move(f, batch, JOB_QUEUED, 1);
    expect_no_move(f); /* they were taken */
    assert_int_equal(store_job_claim(f->st, "", 1, 2, f->now_us, &job, &f->e), 0);
    expect_move(f, batch, JOB_RUNNING, 1);
    job_fini(&job);
    assert_int_equal(store_job_progress(f->st, id, 1, 5, NULL, f->now_us, &f->e), 0);
    expect_no_move(f); /* its state is the same */
    assert_int_equal(store_job_release(f->st, id, 1, NULL, f->now_us, &f->e), 0);
    expect_move(f, batch, JOB_RUNNING, -1);
    assert_int_equal(store_job_claim(f->st, "", 1, 2, f->now_us, &job, &f->e), 0);
    job_fini(&job);
    o = store_fixture_outcome(id, 2);
    o.cause = CAUSE_EXIT_CODE;
    assert_int_equal(store_job_retry(f->st, &o, f->now_us, f->now_us, &f->e), 0);
    expect_move(f, batch, JOB_SCHEDULED, 1);
    assert_int_equal(store_job_cancel_waiting(f->st, id, NULL, f->now_us, &f->e), 0);
    expect_move(f, batch, JOB_CANCELED, 1);
    store_fixture_commit(f);
}

static void moves_are_summed_up_for_each_batch(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 a = uuid7_new(&f->gen, f->now_us);
    struct uuid7 b = uuid7_new(&f->gen, f->now_us);
    AUTO(mem) struct store_batch_move *moves = NULL;
    int first;

    store_fixture_begin(f);
    for (int i = 0; i < 10; i++)
        (void)insert_member(f, i < 7 ? a : b, i);
    assert_int_equal(store_take_batch_moves(f->st, &moves), 2);
    first = uuid7_equal(moves[0].batch, a) ? 0 : 1;
    assert_int_equal(moves[first].delta[JOB_QUEUED], 7);
    assert_int_equal(moves[1 - first].delta[JOB_QUEUED], 3);
    store_fixture_commit(f);
}

static void moves_end_with_their_transaction(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 batch = uuid7_new(&f->gen, f->now_us);

    store_fixture_begin(f);
    (void)insert_member(f, batch, 0);
    store_rollback(f->st);
    store_fixture_begin(f);
    expect_no_move(f);
    (void)insert_member(f, batch, 1);
    store_fixture_commit(f);
    store_fixture_begin(f);
    expect_no_move(f);
    store_fixture_commit(f);
}

static void a_failed_job_carries_the_fingerprint_of_its_failure(void **state)
{
    struct store_fixture *f = *state;
    struct job job = store_fixture_job(f);
    struct uuid7 id = store_fixture_make(f, &job, JOB_RUNNING);
    struct outcome o = store_fixture_outcome(id, 1);

    o.cause = CAUSE_EXIT_CODE;
    o.fingerprint = 4711;
    store_fixture_begin(f);
    assert_int_equal(store_job_finish(f->st, &o, JOB_FAILED, f->now_us, &f->e), 0);
    store_fixture_commit(f);
    job = store_fixture_read(f, id);
    assert_int_equal(job.fingerprint, 4711);
    job_fini(&job);
}

/* -- the row ------------------------------------------------------------------------------- */

static struct batch new_batch(struct store_fixture *f)
{
    return (struct batch){ .id = uuid7_new(&f->gen, f->now_us),
                           .state = BATCH_RUNNING,
                           .version = 1,
                           .closed = true,
                           .failure_policy = BATCH_CANCEL_REMAINING,
                           .max_concurrency = 4,
                           .array_size = 10,
                           .specs = 1U << BATCH_SPEC_MEMBER,
                           .tenant = mem_str("acme"),
                           .created_by = mem_str("k1"),
                           .name = mem_str("nightly"),
                           .labels = mem_str("{\"a\":\"b\"}"),
                           .created_at_us = f->now_us };
}

static struct uuid7 insert_batch(struct store_fixture *f, struct batch *take_batch)
{
    struct uuid7 id = take_batch->id;

    store_fixture_begin(f);
    assert_int_equal(store_batch_insert(f->st, take_batch, &f->e), 0);
    store_fixture_commit(f);
    batch_fini(take_batch);
    return id;
}

static struct batch read_batch(struct store_fixture *f, struct uuid7 id)
{
    struct store_reader *rd = NULL;
    struct batch b = { 0 };

    assert_int_equal(store_reader_get(f->st, &rd, &f->e), 0);
    if (store_read_batch(rd, id, &b, &f->e) < 0)
        fail_msg("store_read_batch: %s", f->e.text);
    store_reader_put(f->st, rd);
    return b;
}

/* One transaction that changes it. */
static void update(struct store_fixture *f, struct batch *b)
{
    b->version++;
    b->updated_at_us = f->now_us;
    store_fixture_begin(f);
    if (store_batch_update(f->st, b, &f->e) < 0)
        fail_msg("store_batch_update: %s", f->e.text);
    store_fixture_commit(f);
}

static void a_batch_is_read_as_it_was_inserted(void **state)
{
    struct store_fixture *f = *state;
    struct batch b = new_batch(f);
    struct uuid7 id = insert_batch(f, &b);

    store_fixture_reopen(f);
    b = read_batch(f, id);
    assert_true(uuid7_equal(b.id, id));
    assert_int_equal(b.state, BATCH_RUNNING);
    assert_int_equal(b.version, 1);
    assert_true(b.closed && !b.sweeping);
    assert_int_equal(b.failure_policy, BATCH_CANCEL_REMAINING);
    assert_int_equal(b.max_concurrency, 4);
    assert_int_equal(b.array_size, 10);
    assert_int_equal(b.array_made, 0);
    assert_int_equal(b.specs, 1U << BATCH_SPEC_MEMBER);
    assert_string_equal(b.tenant, "acme");
    assert_string_equal(b.created_by, "k1");
    assert_string_equal(b.name, "nightly");
    assert_string_equal(b.labels, "{\"a\":\"b\"}");
    assert_int_equal(b.created_at_us, b.updated_at_us);
    assert_int_equal(batch_total(&b), 10);
    batch_fini(&b);
}

static void all_that_can_change_is_written(void **state)
{
    struct store_fixture *f = *state;
    struct batch b = new_batch(f);
    struct uuid7 id = insert_batch(f, &b);

    b = read_batch(f, id);
    for (int s = 0; s < JOB_STATE_MAX_; s++)
        b.counts[s] = s + 1;
    b.array_made = 7;
    b.state = BATCH_FAILED;
    batch_stop(&b, BATCH_STOP_CANCEL);
    b.sweep_key = 4711;
    b.called = 6;
    b.error_groups = 3;
    b.started_at_us = 1;
    b.finished_at_us = 2;
    b.cancel_requested_at_us = 3;
    b.reason = mem_str("enough");
    update(f, &b);
    batch_fini(&b);
    b = read_batch(f, id);
    for (int s = 0; s < JOB_STATE_MAX_; s++)
        assert_int_equal(b.counts[s], s + 1);
    assert_int_equal(b.version, 2);
    assert_int_equal(b.array_made, 7);
    assert_int_equal(b.state, BATCH_FAILED);
    assert_int_equal(b.stop, BATCH_STOP_CANCEL);
    assert_true(b.sweeping);
    assert_int_equal(b.sweep_key, 4711);
    assert_int_equal(b.called, 6);
    assert_int_equal(b.error_groups, 3);
    assert_int_equal(b.started_at_us, 1);
    assert_int_equal(b.finished_at_us, 2);
    assert_int_equal(b.cancel_requested_at_us, 3);
    assert_string_equal(b.reason, "enough");
    assert_string_equal(b.name, "nightly");
    b.sweeping = false;
    update(f, &b);
    batch_fini(&b);
    b = read_batch(f, id);
    assert_false(b.sweeping);
    batch_fini(&b);
}

static void an_update_of_another_version_changes_nothing(void **state)
{
    struct store_fixture *f = *state;
    struct batch b = new_batch(f);
    struct uuid7 id = insert_batch(f, &b);

    b = read_batch(f, id);
    b.version += 2;
    store_fixture_begin(f);
    assert_int_equal(store_batch_update(f->st, &b, &f->e), ERR_NOT_FOUND);
    store_rollback(f->st);
    batch_fini(&b);
}

static void an_unknown_or_forged_id_is_not_found(void **state)
{
    struct store_fixture *f = *state;
    struct batch b = new_batch(f);
    struct uuid7 id = insert_batch(f, &b);
    struct uuid7 forged = { id.hi, id.lo ^ 1 };

    store_fixture_begin(f);
    assert_int_equal(store_batch_get(f->st, forged, &b, &f->e), ERR_BATCH_NOT_FOUND);
    assert_int_equal(store_batch_get(f->st, id, &b, &f->e), 0);
    store_fixture_commit(f);
    batch_fini(&b);
}

static size_t count_events(struct store_fixture *f, enum event_kind kind)
{
    struct store_event_query query = { .limit = 100, .filter.kinds = UINT64_C(1) << kind };
    struct store_events events = { 0 };
    struct store_reader *rd = NULL;
    size_t count;

    assert_int_equal(store_reader_get(f->st, &rd, &f->e), 0);
    assert_int_equal(store_read_events(rd, &query, &events, &f->e), 0);
    count = events.count;
    store_events_fini(&events);
    store_reader_put(f->st, rd);
    return count;
}

static void its_life_is_in_the_event_log(void **state)
{
    struct store_fixture *f = *state;
    struct batch b = new_batch(f);
    struct uuid7 id;

    b.closed = false;
    b.state = BATCH_OPEN;
    id = insert_batch(f, &b);
    b = read_batch(f, id);
    assert_int_equal(count_events(f, EVENT_BATCH_CREATED), 0);
    update(f, &b);
    update(f, &b);
    assert_int_equal(count_events(f, EVENT_BATCH_CREATED), 1);
    b.closed = true;
    b.state = BATCH_RUNNING;
    update(f, &b);
    assert_int_equal(count_events(f, EVENT_BATCH_CLOSED), 1);
    b.state = BATCH_SUCCEEDED;
    update(f, &b);
    update(f, &b);
    assert_int_equal(count_events(f, EVENT_BATCH_SUCCEEDED), 1);
    assert_int_equal(count_events(f, EVENT_BATCH_CLOSED), 1);
    batch_fini(&b);
}

static void what_it_submits_is_kept_with_it(void **state)
{
    struct store_fixture *f = *state;
    struct batch b = new_batch(f);
    struct uuid7 id = insert_batch(f, &b);
    AUTO_FINI(batch_job) struct batch_job bj = { .job = store_fixture_job(f), .delay_us = 7 };
    AUTO_FINI(batch_job) struct batch_job got = { 0 };

    bj.job.priority = -5;
    bj.job.timeout_us = 8;
    bj.job.ttl_us = 9;
    bj.job.scheduled_at_us = 10;
    store_fixture_set(&bj.job.function, "report");
    store_fixture_set(&bj.job.name, "the end");
    store_fixture_begin(f);
    assert_int_equal(store_batch_spec_put(f->st, id, BATCH_SPEC_SUCCESS, &bj, &f->e), 0);
    assert_int_equal(store_batch_spec_get(f->st, id, BATCH_SPEC_SUCCESS, &got, &f->e), 0);
    assert_int_equal(store_batch_spec_get(f->st, id, BATCH_SPEC_FAILURE, &got, &f->e),
                     ERR_DATABASE);
    store_rollback(f->st);
    assert_int_equal(got.delay_us, 7);
    assert_int_equal(got.job.priority, -5);
    assert_int_equal(got.job.timeout_us, 8);
    assert_int_equal(got.job.ttl_us, 9);
    assert_int_equal(got.job.scheduled_at_us, 10);
    assert_int_equal(got.job.grace_us, bj.job.grace_us);
    assert_string_equal(got.job.function, "report");
    assert_string_equal(got.job.name, "the end");
    assert_string_equal(got.job.queue, bj.job.queue);
    assert_string_equal(got.job.pool, bj.job.pool);
    assert_int_equal(got.job.payload_len, bj.job.payload_len);
    assert_string_equal(got.job.payload, bj.job.payload);
}

static void members_are_walked_in_pieces(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 batch = uuid7_new(&f->gen, f->now_us);
    struct uuid7 other = uuid7_new(&f->gen, f->now_us);
    struct store_member members[4];
    struct uuid7 ids[5];

    store_fixture_begin(f);
    for (int i = 0; i < 5; i++) {
        ids[i] = insert_member(f, batch, i);
        (void)insert_member(f, other, i);
    }
    assert_int_equal(store_batch_members(f->st, batch, 0, members, 4, &f->e), 4);
    for (int i = 0; i < 4; i++) {
        assert_true(uuid7_equal(members[i].id, ids[i]));
        assert_int_equal(members[i].state, JOB_QUEUED);
    }
    assert_int_equal(store_batch_members(f->st, batch, uuid7_key(ids[3]), members, 4, &f->e),
                     1);
    assert_true(uuid7_equal(members[0].id, ids[4]));
    store_fixture_commit(f);
}

static void those_with_work_left_are_found_at_a_start(void **state)
{
    struct store_fixture *f = *state;
    struct batch pending = new_batch(f);
    struct batch done = new_batch(f);
    struct batch stopped = new_batch(f);
    AUTO(mem) struct uuid7 *ids = NULL;
    struct uuid7 pending_id = insert_batch(f, &pending);
    struct uuid7 done_id = insert_batch(f, &done);
    struct uuid7 stopped_id = insert_batch(f, &stopped);
    int64_t members;

    pending = read_batch(f, pending_id);
    pending.array_made = 4;
    update(f, &pending);
    done = read_batch(f, done_id);
    done.array_made = 10;
    update(f, &done);
    stopped = read_batch(f, stopped_id);
    batch_stop(&stopped, BATCH_STOP_CANCEL);
    update(f, &stopped);
    store_fixture_begin(f);
    assert_int_equal(store_batches_busy(f->st, &ids, &members, &f->e), 2);
    store_fixture_commit(f);
    assert_true(uuid7_equal(ids[0], pending_id) && uuid7_equal(ids[1], stopped_id));
    assert_int_equal(members, 6);
    batch_fini(&pending);
    batch_fini(&done);
    batch_fini(&stopped);
}

static struct store_batches list(struct store_fixture *f,
                                 const struct store_batch_filter *filter)
{
    struct store_batches page = { 0 };
    struct store_reader *rd = NULL;

    assert_int_equal(store_reader_get(f->st, &rd, &f->e), 0);
    assert_int_equal(store_read_batches(rd, filter, &page, &f->e), 0);
    store_reader_put(f->st, rd);
    return page;
}

static void those_that_ended_long_ago_are_forgotten(void **state)
{
    static const usec_t ends[] = { 50, 10, 0, 20 };
    struct store_fixture *f = *state;
    struct uuid7 ids[COUNT_OF(ends)];
    struct batch b;
    usec_t oldest_us = 7;

    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        b = new_batch(f);
        ids[i] = insert_batch(f, &b);
        b = read_batch(f, ids[i]);
        b.finished_at_us = ends[i];
        update(f, &b);
        batch_fini(&b);
    }
    store_fixture_begin(f);
    assert_int_equal(store_batches_forget(f->st, 50, 1, &oldest_us, &f->e), 1);
    assert_int_equal(oldest_us, 20);
    assert_int_equal(store_batch_get(f->st, ids[1], &b, &f->e), ERR_BATCH_NOT_FOUND);
    assert_int_equal(store_batches_forget(f->st, 50, 9, &oldest_us, &f->e), 1);
    assert_int_equal(oldest_us, 50);
    assert_int_equal(store_batches_forget(f->st, 51, 9, &oldest_us, &f->e), 1);
    assert_int_equal(oldest_us, 0);
    assert_int_equal(store_batch_get(f->st, ids[2], &b, &f->e), 0); /* it has not ended */
    batch_fini(&b);
    store_fixture_commit(f);
}

static void one_is_removed_and_the_others_stay(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 ids[2];
    struct batch b;

    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        b = new_batch(f);
        ids[i] = insert_batch(f, &b);
    }
    store_fixture_begin(f);
    assert_int_equal(store_batch_remove(f->st, ids[0], &f->e), 0);
    assert_int_equal(store_batch_get(f->st, ids[0], &b, &f->e), ERR_BATCH_NOT_FOUND);
    assert_int_equal(store_batch_get(f->st, ids[1], &b, &f->e), 0);
    batch_fini(&b);
    store_fixture_commit(f);
}

static int read_events(struct store_fixture *f, struct uuid7 id, int64_t after_seq,
                       struct store_events *ret_events)
{
    struct store_reader *rd = NULL;
    int r;

    assert_int_equal(store_reader_get(f->st, &rd, &f->e), 0);
    r = store_read_batch_events(rd, id, after_seq, 10, ret_events, &f->e);
    store_reader_put(f->st, rd);
    return r;
}

static void a_batch_tells_what_has_happened_to_it(void **state)
{
    struct store_fixture *f = *state;
    struct batch b = new_batch(f);
    struct uuid7 id = insert_batch(f, &b);
    struct store_events events = { 0 };

    b = read_batch(f, id);
    update(f, &b);
    b.closed = true;
    b.state = BATCH_SUCCEEDED;
    update(f, &b);
    assert_int_equal(read_events(f, id, 0, &events), 0);
    assert_int_equal(events.count, 2);
    assert_int_equal(events.items[0].kind, EVENT_BATCH_CREATED);
    assert_int_equal(events.items[1].kind, EVENT_BATCH_SUCCEEDED);
    assert_int_equal(events.items[1].seq, b.change_seq);
    assert_true(events.final);
    store_events_fini(&events);
    assert_int_equal(read_events(f, id, b.change_seq, &events), 0);
    assert_int_equal(events.count, 0);
    store_events_fini(&events);
    batch_fini(&b);
    id.lo ^= 1;
    assert_int_equal(read_events(f, id, 0, &events), ERR_BATCH_NOT_FOUND);
}

static void batches_are_listed_newest_first_in_pages(void **state)
{
    struct store_fixture *f = *state;
    struct store_batch_filter filter = { .limit = 2, .tenant = "acme" };
    struct store_batches page;
    struct uuid7 ids[5];

    for (int i = 0; i < 5; i++) {
        struct batch b = new_batch(f);

        if (i == 2) {
            free(b.tenant);
            b.tenant = NULL;
        }
        if (i == 3)
            b.state = BATCH_OPEN;
        ids[i] = insert_batch(f, &b);
    }
    page = list(f, &filter);
    assert_int_equal(page.count, 2);
    assert_true(uuid7_equal(page.items[0].id, ids[4]));
    assert_true(uuid7_equal(page.items[1].id, ids[3]));
    filter.before_key = page.next_before_key;
    assert_true(filter.before_key > 0);
    store_batches_fini(&page);
    page = list(f, &filter);
    assert_int_equal(page.count, 2);
    assert_true(uuid7_equal(page.items[1].id, ids[0]));
    assert_int_equal(page.next_before_key, 0);
    store_batches_fini(&page);
    filter = (struct store_batch_filter){ .limit = 9, .states = 1U << BATCH_OPEN };
    page = list(f, &filter);
    assert_int_equal(page.count, 1);
    assert_true(uuid7_equal(page.items[0].id, ids[3]));
    store_batches_fini(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_member_knows_its_batch_and_its_place),
        TEST(a_plain_job_has_no_batch_and_moves_none),
        TEST(every_change_of_a_member_is_a_move),
        TEST(moves_are_summed_up_for_each_batch),
        TEST(moves_end_with_their_transaction),
        TEST(a_failed_job_carries_the_fingerprint_of_its_failure),
        TEST(a_batch_is_read_as_it_was_inserted),
        TEST(all_that_can_change_is_written),
        TEST(an_update_of_another_version_changes_nothing),
        TEST(an_unknown_or_forged_id_is_not_found),
        TEST(its_life_is_in_the_event_log),
        TEST(what_it_submits_is_kept_with_it),
        TEST(members_are_walked_in_pieces),
        TEST(those_with_work_left_are_found_at_a_start),
        TEST(those_that_ended_long_ago_are_forgotten),
        TEST(one_is_removed_and_the_others_stay),
        TEST(a_batch_tells_what_has_happened_to_it),
        TEST(batches_are_listed_newest_first_in_pages),
    };
    int failed = 0;

    for (size_t i = 0; i < store_fixture_backend_count; i++) {
        store_fixture_use(store_fixture_backends[i]);
        failed |= cmocka_run_group_tests_name(store_fixture_backends[i], tests, NULL, NULL);
    }
    return failed;
}
