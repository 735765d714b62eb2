#include "tests/support/test.h"

#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/support/store_fixture.h"

/* clang-format off */
#define TEST(f) cmocka_unit_test_setup_teardown(f, store_fixture_setup, store_fixture_teardown)
/* clang-format on */

static const char POOL[] = "resize"; /* of jobs that a test wants to itself */

/* A job in a pool of its own, in this state. */
static struct uuid7 make(struct store_fixture *f, enum job_state state)
{
    struct job job = store_fixture_job(f);

    store_fixture_set(&job.pool, POOL);
    store_fixture_set(&job.function, POOL);
    return store_fixture_make(f, &job, state);
}

/* The change sequence now: that of a job which is inserted for it. */
static int64_t probe_seq(struct store_fixture *f)
{
    struct job job = store_fixture_job(f);
    int64_t seq;

    store_fixture_begin(f);
    assert_int_equal(store_job_insert(f->st, &job, &f->e), 0);
    store_fixture_commit(f);
    seq = job.change_seq;
    job_fini(&job);
    return seq;
}

/* -- opening ---------------------------------------------------------------------- */

static void an_unknown_backend_is_refused(void **state)
{
    struct store_fixture *f = *state;
    struct store_conf conf = { .data_dir = f->dir };
    struct store *st = NULL;

    assert_int_equal(store_open("abacus", &conf, &st, &f->e), ERR_CONFIG);
    assert_non_null(strstr(f->e.text, "abacus"));
    assert_null(st);
}

static void a_missing_directory_is_a_database_error(void **state)
{
    struct store_fixture *f = *state;
    struct store_conf conf = { .data_dir = "/nonexistent/jobd" };
    struct store *st = NULL;

    assert_int_equal(store_open(f->backend, &conf, &st, &f->e), ERR_DATABASE);
    assert_null(st);
}

static void full_durability_opens_as_well(void **state)
{
    struct store_fixture *f = *state;
    struct store_conf conf = { .data_dir = f->dir, .durability = STORE_FULL };

    f->st = store_free(f->st);
    assert_int_equal(store_open(f->backend, &conf, &f->st, &f->e), 0);
    assert_true(store_schema_version(f->st) >= 1);
    assert_true(probe_seq(f) > 0);
}

/* -- inserting and finding -------------------------------------------------------- */

static void assert_text(const char *a, const char *b)
{
    if (!a || !b)
        assert_ptr_equal(a, b);
    else
        assert_string_equal(a, b);
}

/* All that a client has asked for; not what the ledger makes of it. */
static void assert_same_request(const struct job *a, const struct job *b)
{
    assert_true(uuid7_equal(a->id, b->id));
    assert_text(a->function, b->function);
    assert_text(a->pool, b->pool);
    assert_text(a->queue, b->queue);
    assert_text(a->name, b->name);
    assert_int_equal(a->priority, b->priority);
    assert_int_equal(a->timeout_us, b->timeout_us);
    assert_int_equal(a->grace_us, b->grace_us);
    assert_int_equal(a->payload_len, b->payload_len);
    assert_memory_equal(a->payload, b->payload, a->payload_len);
    assert_int_equal(a->created_at_us, b->created_at_us);
    assert_int_equal(a->scheduled_at_us, b->scheduled_at_us);
}

static void assert_same_job(const struct job *a, const struct job *b)
{
    assert_same_request(a, b);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->change_seq, b->change_seq);
    assert_int_equal(a->queued_at_us, b->queued_at_us);
    assert_int_equal(a->started_at_us, b->started_at_us);
    assert_int_equal(a->finished_at_us, b->finished_at_us);
    assert_int_equal(a->updated_at_us, b->updated_at_us);
    assert_int_equal(a->cancel_requested_at_us, b->cancel_requested_at_us);
    assert_text(a->reason, b->reason);
    assert_int_equal(a->attempt, b->attempt);
    assert_int_equal(a->releases, b->releases);
    assert_int_equal(a->progress_ppm, b->progress_ppm);
    assert_text(a->progress_message, b->progress_message);
    assert_int_equal(a->progress_at_us, b->progress_at_us);
    assert_int_equal(a->worker_id, b->worker_id);
    assert_int_equal(a->worker_pid, b->worker_pid);
}

static struct job full_job(struct store_fixture *f, size_t payload_len)
{
    struct job job = store_fixture_job(f);

    store_fixture_set(&job.function, POOL);
    store_fixture_set(&job.pool, POOL);
    store_fixture_set(&job.queue, "bulk");
    store_fixture_set(&job.name, "na\xc3\xafve");
    store_fixture_set(&job.reason, "because");
    job.priority = -7;
    job.timeout_us = 90 * USEC_PER_SEC;
    job.scheduled_at_us = f->now_us + 5;
    free(job.payload);
    job.payload = mem_new0(payload_len + 1);
    memset(job.payload, 'x', payload_len);
    job.payload_len = payload_len;
    return job;
}

static void insert_and_compare(struct store_fixture *f, size_t payload_len)
{
    AUTO_FINI(job) struct job job = full_job(f, payload_len);
    AUTO_FINI(job) struct job written = { 0 };
    AUTO_FINI(job) struct job seen = { 0 };

    store_fixture_begin(f);
    assert_int_equal(store_job_insert(f->st, &job, &f->e), 0);
    assert_true(job.change_seq > 0);
    assert_int_equal(store_job_get(f->st, job.id, &written, &f->e), 0);
    store_fixture_commit(f);
    assert_same_job(&job, &written);
    seen = store_fixture_read(f, job.id);
    assert_same_job(&job, &seen);
    assert_false(seen.has_outcome);
}

static void a_new_job_is_kept_as_it_was_given(void **state)
{
    insert_and_compare(*state, 60);
}

static void payloads_of_every_size_are_kept(void **state)
{
    static const size_t sizes[] = { 2, 2047, 2048, 2049, 4096, 70000, 3000000 };

    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        insert_and_compare(*state, sizes[i]);
}

static void the_same_id_twice_is_an_error_that_changes_nothing(void **state)
{
    struct store_fixture *f = *state;
    AUTO_FINI(job) struct job job = store_fixture_job(f);
    struct job read = { 0 };
    int64_t before = probe_seq(f);

    store_fixture_begin(f);
    assert_int_equal(store_job_insert(f->st, &job, &f->e), 0);
    if (store_job_insert(f->st, &job, &f->e) == 0)
        assert_int_equal(store_job_get(f->st, job.id, &read, &f->e), ERR_DATABASE);
    store_rollback(f->st);
    store_fixture_begin(f);
    assert_int_equal(store_job_get(f->st, job.id, &job, &f->e), ERR_JOB_NOT_FOUND);
    store_fixture_commit(f);
    assert_int_equal(probe_seq(f), before + 1);
}

static void after_an_error_nothing_of_the_transaction_is_committed(void **state)
{
    struct store_fixture *f = *state;
    AUTO_FINI(job) struct job first = store_fixture_job(f);
    AUTO_FINI(job) struct job second = store_fixture_job(f);
    struct job read = { 0 };

    store_fixture_begin(f);
    assert_int_equal(store_job_insert(f->st, &first, &f->e), 0);
    if (store_job_insert(f->st, &first, &f->e) == 0)
        assert_int_equal(store_job_get(f->st, first.id, &read, &f->e), ERR_DATABASE);
    assert_int_equal(store_job_insert(f->st, &second, &f->e), ERR_DATABASE);
    assert_int_equal(store_commit(f->st, &f->e), ERR_DATABASE);
    store_fixture_begin(f);
    assert_int_equal(store_job_get(f->st, first.id, &first, &f->e), ERR_JOB_NOT_FOUND);
    assert_int_equal(store_job_get(f->st, second.id, &second, &f->e), ERR_JOB_NOT_FOUND);
    store_fixture_commit(f);
}

/* Nor what was changed before it without moving the change sequence. */
static void an_error_undoes_a_change_that_bumped_nothing(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_QUEUED);
    AUTO_FINI(job) struct job job = store_fixture_read(f, id);
    AUTO_FINI(job) struct job after = { 0 };

    store_fixture_begin(f);
    assert_int_equal(store_jobs_repool(f->st, POOL, "", &f->e), 1);
    (void)store_job_insert(f->st, &job, &f->e); /* at the latest the commit fails */
    assert_int_equal(store_commit(f->st, &f->e), ERR_DATABASE);
    after = store_fixture_read(f, id);
    assert_string_equal(after.pool, POOL);
}

/* Both parts of an id count: the key alone can be guessed. */
static void a_job_is_found_by_its_whole_id_only(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_RUNNING);
    struct uuid7 forged = { id.hi, id.lo ^ 1 };
    struct outcome o = store_fixture_outcome(forged, 1);
    struct job job;

    store_fixture_begin(f);
    assert_int_equal(store_job_get(f->st, forged, &job, &f->e), ERR_JOB_NOT_FOUND);
    assert_int_equal(store_job_cancel_running(f->st, forged, NULL, 1, &f->e), ERR_NOT_FOUND);
    assert_int_equal(store_job_cancel_waiting(f->st, forged, NULL, 1, &f->e), ERR_NOT_FOUND);
    assert_int_equal(store_job_finish(f->st, &o, JOB_SUCCEEDED, 1, &f->e), ERR_NOT_FOUND);
    assert_int_equal(store_job_release(f->st, forged, 1, NULL, 1, &f->e), ERR_NOT_FOUND);
    assert_int_equal(store_job_progress(f->st, forged, 1, 5, NULL, 1, &f->e), ERR_NOT_FOUND);
    store_fixture_commit(f);
    assert_int_equal(store_fixture_state(f, id), JOB_RUNNING);
}

/* -- every state and every operation ---------------------------------------------- */

static int op_due(struct store_fixture *f, struct uuid7 id)
{
    struct uuid7 due[4];
    int n = store_jobs_due(f->st, f->now_us, due, COUNT_OF(due), &f->e);

    if (n <= 0)
        return n < 0 ? n : ERR_NOT_FOUND;
    assert_int_equal(n, 1);
    assert_true(uuid7_equal(due[0], id));
    return 0;
}

static int op_claim(struct store_fixture *f, struct uuid7 id)
{
    struct job job = { 0 };
    int r = store_job_claim(f->st, POOL, 2, 200, f->now_us, &job, &f->e);

    if (r < 0)
        return r;
    assert_true(uuid7_equal(job.id, id));
    job_fini(&job);
    return 0;
}

static int op_cancel_waiting(struct store_fixture *f, struct uuid7 id)
{
    return store_job_cancel_waiting(f->st, id, "test", f->now_us, &f->e);
}

static int op_cancel_running(struct store_fixture *f, struct uuid7 id)
{
    return store_job_cancel_running(f->st, id, "test", f->now_us, &f->e);
}

static int finish(struct store_fixture *f, struct uuid7 id, enum job_state to)
{
    struct outcome o = store_fixture_outcome(id, 1);

    return store_job_finish(f->st, &o, to, f->now_us, &f->e);
}

static int op_succeed(struct store_fixture *f, struct uuid7 id)
{
    return finish(f, id, JOB_SUCCEEDED);
}

static int op_fail(struct store_fixture *f, struct uuid7 id)
{
    return finish(f, id, JOB_FAILED);
}

static int op_end_canceled(struct store_fixture *f, struct uuid7 id)
{
    return finish(f, id, JOB_CANCELED);
}

static int op_release(struct store_fixture *f, struct uuid7 id)
{
    return store_job_release(f->st, id, 1, "test", f->now_us, &f->e);
}

static int op_retry(struct store_fixture *f, struct uuid7 id)
{
    struct outcome o = store_fixture_outcome(id, 1);

    return store_job_retry(f->st, &o, f->now_us + 1, f->now_us, &f->e);
}

/* At whatever version it is: the next test is about the version. */
static int rewrite(struct store_fixture *f, struct uuid7 id, enum job_state to,
                   int (*call)(struct store *st, const struct job *job, int64_t version,
                               usec_t now_us, struct errinfo *e))
{
    AUTO_FINI(job) struct job job = { 0 };
    int r = store_job_get(f->st, id, &job, &f->e);

    if (r < 0)
        return r;
    job.state = to;
    if (to == JOB_SCHEDULED)
        job.scheduled_at_us = f->now_us + 1;
    return call(f->st, &job, job.version, f->now_us, &f->e);
}

static int op_delay(struct store_fixture *f, struct uuid7 id)
{
    return rewrite(f, id, JOB_SCHEDULED, store_job_rewrite);
}

static int op_requeue(struct store_fixture *f, struct uuid7 id)
{
    return rewrite(f, id, JOB_QUEUED, store_job_requeue);
}

static const struct operation {
    const char *name;
    enum job_event event;
    enum job_state to;
    int (*run)(struct store_fixture *f, struct uuid7 id);
} operations[] = {
    { "due", JOB_EV_DUE, JOB_QUEUED, op_due },
    { "claim", JOB_EV_CLAIM, JOB_RUNNING, op_claim },
    { "cancel_waiting", JOB_EV_CANCEL, JOB_CANCELED, op_cancel_waiting },
    { "cancel_running", JOB_EV_CANCEL, JOB_CANCELING, op_cancel_running },
    { "finish succeeded", JOB_EV_SUCCEED, JOB_SUCCEEDED, op_succeed },
    { "finish failed", JOB_EV_FAIL, JOB_FAILED, op_fail },
    { "finish canceled", JOB_EV_FAIL, JOB_CANCELED, op_end_canceled },
    { "retry", JOB_EV_RETRY, JOB_SCHEDULED, op_retry },
    { "release", JOB_EV_RELEASE, JOB_QUEUED, op_release },
    { "rewrite", JOB_EV_DELAY, JOB_SCHEDULED, op_delay },
    { "requeue", JOB_EV_REQUEUE, JOB_QUEUED, op_requeue },
};

/* The operation from this state does what job_next() says, or nothing. */
static void try_operation(struct store_fixture *f, enum job_state from,
                          const struct operation *op)
{
    bool changes = from != op->to || op->event == JOB_EV_DELAY;
    bool allowed = changes && job_next(from, op->event) == (int)op->to;
    struct uuid7 id = make(f, from);
    AUTO_FINI(job) struct job before = store_fixture_read(f, id);
    AUTO_FINI(job) struct job after = { 0 };
    int64_t seq = probe_seq(f);
    int r;

    store_fixture_begin(f);
    r = op->run(f, id);
    if (r != (allowed ? 0 : ERR_NOT_FOUND))
        fail_msg("%s from %s: %d %s", op->name, job_state_name(from), r, f->e.text);
    store_fixture_commit(f);
    after = store_fixture_read(f, id);
    assert_int_equal(probe_seq(f), seq + 1 + allowed);
    if (!allowed) {
        assert_same_job(&before, &after);
        return;
    }
    if (op->to == JOB_SCHEDULED)
        before.scheduled_at_us = f->now_us - USEC_PER_MS + 1; /* when it is due again */
    assert_same_request(&before, &after);
    assert_int_equal(after.state, op->to);
    assert_int_equal(after.version, before.version + 1);
    assert_int_equal(after.change_seq, seq + 1);
    assert_int_equal(after.updated_at_us, f->now_us - USEC_PER_MS); /* the probe's was later */
}

static void every_operation_moves_the_states_that_the_table_allows_and_no_other(void **state)
{
    for (int from = 0; from < JOB_STATE_MAX_; from++)
        for (size_t i = 0; i < COUNT_OF(operations); i++) {
            (void)store_fixture_teardown(state);
            (void)store_fixture_setup(state);
            try_operation(*state, (enum job_state)from, &operations[i]);
        }
}

/* -- transactions ----------------------------------------------------------------- */

static void a_rollback_leaves_nothing_behind(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 queued = make(f, JOB_QUEUED);
    int64_t seq = probe_seq(f);
    AUTO_FINI(job) struct job job = store_fixture_job(f);
    AUTO_FINI(job) struct job before = store_fixture_read(f, queued);
    AUTO_FINI(job) struct job after = { 0 };
    int64_t key;

    store_fixture_begin(f);
    assert_int_equal(store_job_insert(f->st, &job, &f->e), 0);
    assert_int_equal(op_claim(f, queued), 0);
    store_rollback(f->st);
    store_rollback(f->st); /* harmless */

    after = store_fixture_read(f, queued);
    assert_same_job(&before, &after);
    store_fixture_begin(f);
    assert_int_equal(store_job_get(f->st, job.id, &job, &f->e), ERR_JOB_NOT_FOUND);
    assert_int_equal(store_last_key(f->st, &key, &f->e), 0);
    assert_true(key < uuid7_key(job.id));
    store_fixture_commit(f);
    assert_int_equal(probe_seq(f), seq + 1);
}

static void closing_rolls_back_what_is_open(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_QUEUED);

    store_fixture_begin(f);
    assert_int_equal(op_claim(f, id), 0);
    store_fixture_reopen(f);
    assert_int_equal(store_fixture_state(f, id), JOB_QUEUED);
}

static void an_empty_transaction_is_fine(void **state)
{
    struct store_fixture *f = *state;

    store_fixture_begin(f);
    store_fixture_commit(f);
}

static void reopening_keeps_everything(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 running = make(f, JOB_RUNNING);
    AUTO_FINI(job) struct job job = full_job(f, 5000);
    AUTO_FINI(job) struct job kept = { 0 };
    int64_t key;

    store_fixture_begin(f);
    assert_int_equal(store_job_insert(f->st, &job, &f->e), 0);
    store_fixture_commit(f);
    store_fixture_reopen(f);

    kept = store_fixture_read(f, job.id);
    assert_same_job(&job, &kept);
    assert_int_equal(store_fixture_state(f, running), JOB_RUNNING);
    store_fixture_begin(f);
    assert_int_equal(store_last_key(f->st, &key, &f->e), 0);
    assert_int_equal(key, uuid7_key(job.id));
    store_fixture_commit(f);
    assert_int_equal(probe_seq(f), job.change_seq + 1);
}

static void an_empty_store_has_no_key_and_nothing_waits(void **state)
{
    struct store_fixture *f = *state;
    struct store_owned *owned = NULL;
    int64_t number = -1;

    store_fixture_begin(f);
    assert_int_equal(store_last_key(f->st, &number, &f->e), 0);
    assert_int_equal(number, 0);
    assert_int_equal(store_count_waiting(f->st, &number, &f->e), 0);
    assert_int_equal(number, 0);
    assert_int_equal(store_next_due(f->st, &number, &f->e), 0);
    assert_int_equal(number, 0);
    assert_int_equal(store_jobs_owned(f->st, &owned, &f->e), 0);
    free(owned);
    store_fixture_commit(f);
}

/* -- claiming --------------------------------------------------------------------- */

static void the_highest_priority_is_claimed_first_and_then_the_oldest(void **state)
{
    static const struct {
        int priority;
        int rank; /* when it is claimed */
    } jobs[] = { { 0, 4 },    { 5, 2 }, { -1000, 7 }, { 0, 5 },
                 { 1000, 0 }, { 5, 3 }, { 1000, 1 },  { -1, 6 } };
    struct store_fixture *f = *state;
    struct uuid7 ids[COUNT_OF(jobs)];

    for (size_t i = 0; i < COUNT_OF(jobs); i++) {
        struct job job = store_fixture_job(f);

        job.priority = jobs[i].priority;
        ids[jobs[i].rank] = store_fixture_insert(f, &job);
    }
    store_fixture_begin(f);
    for (size_t i = 0; i < COUNT_OF(jobs); i++) {
        AUTO_FINI(job) struct job job = { 0 };

        assert_int_equal(store_job_claim(f->st, "", 1, 2, f->now_us, &job, &f->e), 0);
        assert_true(uuid7_equal(job.id, ids[i]));
    }
    store_fixture_commit(f);
}

static void a_pool_claims_its_own_jobs_only(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_QUEUED);
    struct job job;

    store_fixture_begin(f);
    assert_int_equal(store_job_claim(f->st, "", 1, 2, 3, &job, &f->e), ERR_NOT_FOUND);
    assert_int_equal(store_job_claim(f->st, "resiz", 1, 2, 3, &job, &f->e), ERR_NOT_FOUND);
    assert_int_equal(op_claim(f, id), 0);
    store_fixture_commit(f);
}

static void a_job_may_be_inserted_as_claimed(void **state)
{
    struct store_fixture *f = *state;
    AUTO_FINI(job) struct job one = store_fixture_job(f);
    AUTO_FINI(job) struct job other = store_fixture_job(f);
    AUTO_FINI(job) struct job claimed = { 0 };
    AUTO_FINI(job) struct job a = { 0 };
    AUTO_FINI(job) struct job b = { 0 };
    int64_t seq;

    store_fixture_begin(f);
    one.created_at_us = one.updated_at_us = one.queued_at_us = f->now_us;
    other.created_at_us = other.updated_at_us = other.queued_at_us = f->now_us;
    assert_int_equal(store_job_insert(f->st, &one, &f->e), 0);
    seq = one.change_seq;
    assert_int_equal(store_job_claim(f->st, one.pool, 77, 4242, f->now_us, &claimed, &f->e), 0);
    assert_int_equal(store_job_insert_claimed(f->st, &other, 77, 4242, &f->e), 0);
    assert_int_equal(other.state, JOB_QUEUED);
    store_fixture_commit(f);

    a = store_fixture_read(f, one.id);
    b = store_fixture_read(f, other.id);
    assert_int_equal(a.change_seq, seq + 1);
    assert_int_equal(b.change_seq, seq + 3); /* both count two changes */
    b.change_seq = a.change_seq;
    b.id = a.id;
    assert_same_job(&a, &b);
    assert_int_equal(b.state, JOB_RUNNING);
    assert_int_equal(b.attempt, 1);
    assert_int_equal(b.worker_id, 77);
    assert_int_equal(b.worker_pid, 4242);
}

static void a_claim_gives_the_job_as_it_is_then(void **state)
{
    static const size_t sizes[] = { 10, 100000 };
    struct store_fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        AUTO_FINI(job) struct job job = full_job(f, sizes[i]);
        AUTO_FINI(job) struct job claimed = { 0 };
        AUTO_FINI(job) struct job seen = { 0 };

        store_fixture_begin(f);
        assert_int_equal(store_job_insert(f->st, &job, &f->e), 0);
        assert_int_equal(store_job_claim(f->st, POOL, 77, 4242, f->now_us, &claimed, &f->e), 0);
        store_fixture_commit(f);
        assert_same_request(&job, &claimed);
        assert_int_equal(claimed.state, JOB_RUNNING);
        assert_int_equal(claimed.attempt, 1);
        assert_int_equal(claimed.worker_id, 77);
        assert_int_equal(claimed.worker_pid, 4242);
        assert_int_equal(claimed.started_at_us, f->now_us);
        assert_null(claimed.reason);
        seen = store_fixture_read(f, job.id);
        assert_same_job(&claimed, &seen);
    }
}

/* -- schedule --------------------------------------------------------------------- */

static struct uuid7 schedule(struct store_fixture *f, usec_t at_us)
{
    struct job job = store_fixture_job(f);

    job.state = JOB_SCHEDULED;
    job.queued_at_us = 0;
    job.scheduled_at_us = at_us;
    return store_fixture_insert(f, &job);
}

static void only_jobs_whose_time_has_come_are_due_the_earliest_first(void **state)
{
    struct store_fixture *f = *state;
    usec_t now = f->now_us;
    struct uuid7 third = schedule(f, now + 30);
    struct uuid7 first = schedule(f, now + 10);
    struct uuid7 second = schedule(f, now + 20);
    struct uuid7 due[4];
    usec_t next;

    store_fixture_begin(f);
    assert_int_equal(store_next_due(f->st, &next, &f->e), 0);
    assert_int_equal(next, now + 10);
    assert_int_equal(store_jobs_due(f->st, now + 9, due, 4, &f->e), 0);
    assert_int_equal(store_jobs_due(f->st, now + 20, due, 4, &f->e), 2);
    assert_true(uuid7_equal(due[0], first) && uuid7_equal(due[1], second));
    assert_int_equal(store_next_due(f->st, &next, &f->e), 0);
    assert_int_equal(next, now + 30);
    store_fixture_commit(f);
    assert_int_equal(store_fixture_state(f, first), JOB_QUEUED);
    assert_int_equal(store_fixture_state(f, third), JOB_SCHEDULED);
}

static void at_most_as_many_are_due_as_were_asked_for(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 due[3] = { 0 };

    for (int i = 0; i < 5; i++)
        (void)schedule(f, f->now_us + 1);
    store_fixture_begin(f);
    assert_int_equal(store_jobs_due(f->st, INT64_MAX, due, 2, &f->e), 2);
    assert_int_equal(due[2].hi, 0);
    assert_int_equal(store_jobs_due(f->st, INT64_MAX, due, 3, &f->e), 3);
    assert_int_equal(store_jobs_due(f->st, INT64_MAX, due, 3, &f->e), 0);
    store_fixture_commit(f);
}

static void a_due_job_is_queued_from_then_on(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = schedule(f, f->now_us + 1);
    struct uuid7 due[1];
    AUTO_FINI(job) struct job job = { 0 };

    store_fixture_begin(f);
    assert_int_equal(store_jobs_due(f->st, f->now_us + 1, due, 1, &f->e), 1);
    store_fixture_commit(f);
    job = store_fixture_read(f, id);
    assert_int_equal(job.queued_at_us, f->now_us + 1);
    assert_true(job.scheduled_at_us > 0);
}

/* -- ends ------------------------------------------------------------------------- */

static void a_canceled_job_says_why_and_when(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 named = make(f, JOB_QUEUED);
    struct uuid7 unnamed = make(f, JOB_SCHEDULED);
    AUTO_FINI(job) struct job a = { 0 };
    AUTO_FINI(job) struct job b = { 0 };

    store_fixture_begin(f);
    assert_int_equal(store_job_cancel_waiting(f->st, named, "replaced", f->now_us, &f->e), 0);
    assert_int_equal(store_job_cancel_waiting(f->st, unnamed, NULL, f->now_us, &f->e), 0);
    store_fixture_commit(f);
    a = store_fixture_read(f, named);
    b = store_fixture_read(f, unnamed);
    assert_string_equal(a.reason, "replaced");
    assert_string_equal(b.reason, "user");
    assert_int_equal(a.cancel_requested_at_us, f->now_us);
    assert_int_equal(a.finished_at_us, f->now_us);
}

static void a_running_job_that_is_canceled_keeps_its_reason_to_the_end(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_RUNNING);
    AUTO_FINI(job) struct job asked = { 0 };
    AUTO_FINI(job) struct job ended = { 0 };

    store_fixture_begin(f);
    assert_int_equal(op_cancel_running(f, id), 0);
    store_fixture_commit(f);
    asked = store_fixture_read(f, id);
    assert_int_equal(asked.cancel_requested_at_us, f->now_us);
    assert_int_equal(asked.finished_at_us, 0);
    assert_int_equal(asked.worker_id, 1);

    store_fixture_begin(f);
    assert_int_equal(op_end_canceled(f, id), 0);
    store_fixture_commit(f);
    ended = store_fixture_read(f, id);
    assert_string_equal(ended.reason, "test");
    assert_int_equal(ended.cancel_requested_at_us, asked.cancel_requested_at_us);
}

static void a_job_ends_when_its_attempt_did(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 known = make(f, JOB_RUNNING);
    struct uuid7 unknown = make(f, JOB_RUNNING);
    struct outcome o = store_fixture_outcome(known, 1);
    AUTO_FINI(job) struct job a = { 0 };
    AUTO_FINI(job) struct job b = { 0 };

    store_fixture_begin(f);
    assert_int_equal(store_job_finish(f->st, &o, JOB_SUCCEEDED, f->now_us, &f->e), 0);
    o.job_id = unknown;
    o.finished_at_us = 0;
    assert_int_equal(store_job_finish(f->st, &o, JOB_SUCCEEDED, f->now_us, &f->e), 0);
    store_fixture_commit(f);
    a = store_fixture_read(f, known);
    b = store_fixture_read(f, unknown);
    assert_int_equal(a.finished_at_us, FIXTURE_NOW + 2);
    assert_int_equal(a.updated_at_us, f->now_us);
    assert_int_equal(b.finished_at_us, f->now_us);
}

static void an_outcome_of_another_attempt_is_stale_and_changes_nothing(void **state)
{
    static const int stale[] = { 0, 1, 3 };
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_RUNNING);

    store_fixture_begin(f);
    assert_int_equal(op_release(f, id), 0);
    assert_int_equal(op_claim(f, id), 0); /* attempt 2 */
    for (size_t i = 0; i < COUNT_OF(stale); i++) {
        struct outcome o = store_fixture_outcome(id, stale[i]);

        assert_int_equal(store_job_finish(f->st, &o, JOB_SUCCEEDED, 9, &f->e), ERR_NOT_FOUND);
        assert_int_equal(store_job_release(f->st, id, stale[i], NULL, 9, &f->e), ERR_NOT_FOUND);
        assert_int_equal(store_job_progress(f->st, id, stale[i], 1, NULL, 9, &f->e),
                         ERR_NOT_FOUND);
    }
    store_fixture_commit(f);
    assert_int_equal(store_fixture_state(f, id), JOB_RUNNING);
}

static void a_second_outcome_is_refused_and_the_first_stays(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_FAILED);
    AUTO_FINI(job) struct job job = { 0 };

    store_fixture_begin(f);
    assert_int_equal(op_succeed(f, id), ERR_NOT_FOUND);
    store_fixture_commit(f);
    job = store_fixture_read(f, id);
    assert_int_equal(job.outcome.cause, CAUSE_EXIT_CODE);
}

static void a_released_job_waits_as_if_it_had_not_been_claimed(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_RUNNING);
    AUTO_FINI(job) struct job job = { 0 };
    AUTO_FINI(job) struct job again = { 0 };

    store_fixture_begin(f);
    assert_int_equal(store_job_release(f->st, id, 1, "shutdown", f->now_us, &f->e), 0);
    store_fixture_commit(f);
    job = store_fixture_read(f, id);
    assert_int_equal(job.state, JOB_QUEUED);
    assert_int_equal(job.queued_at_us, job.created_at_us);
    assert_int_equal(job.started_at_us, 0);
    assert_int_equal(job.worker_id, 0);
    assert_int_equal(job.worker_pid, 0);
    assert_string_equal(job.reason, "shutdown");
    assert_int_equal(job.attempt, 1); /* used: the next is 2 */
    assert_int_equal(job.releases, 1);
    assert_false(job.has_outcome);

    store_fixture_begin(f);
    assert_int_equal(store_job_claim(f->st, POOL, 5, 6, f->now_us, &again, &f->e), 0);
    store_fixture_commit(f);
    assert_int_equal(again.attempt, 2);
    assert_int_equal(again.releases, 1);
    assert_null(again.reason);
}

/* -- what else is known ----------------------------------------------------------- */

static void progress_changes_the_version_and_not_the_state(void **state)
{
    static const enum job_state live[] = { JOB_RUNNING, JOB_CANCELING };
    struct store_fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(live); i++) {
        struct uuid7 id = make(f, live[i]);
        AUTO_FINI(job) struct job before = store_fixture_read(f, id);
        AUTO_FINI(job) struct job after = { 0 };
        int64_t seq = probe_seq(f);

        store_fixture_begin(f);
        assert_int_equal(store_job_progress(f->st, id, 1, 400000, "page 4", f->now_us, &f->e),
                         0);
        store_fixture_commit(f);
        after = store_fixture_read(f, id);
        assert_int_equal(after.state, live[i]);
        assert_int_equal(after.version, before.version + 1);
        assert_int_equal(after.change_seq, seq + 1);
        assert_int_equal(after.progress_ppm, 400000);
        assert_string_equal(after.progress_message, "page 4");
        assert_int_equal(after.progress_at_us, f->now_us);
        assert_int_equal(probe_seq(f), seq + 2);
    }
}

static void progress_of_a_job_that_nobody_runs_is_refused(void **state)
{
    static const enum job_state unowned[] = { JOB_SCHEDULED, JOB_SUCCEEDED, JOB_FAILED,
                                              JOB_CANCELED, JOB_QUEUED };
    struct store_fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(unowned); i++) {
        struct uuid7 id = make(f, unowned[i]);
        AUTO_FINI(job) struct job job = store_fixture_read(f, id);

        store_fixture_begin(f);
        assert_int_equal(store_job_progress(f->st, id, job.attempt, 1, NULL, 1, &f->e),
                         ERR_NOT_FOUND);
        store_fixture_commit(f);
    }
}

static void a_new_attempt_has_made_no_progress(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_RUNNING);
    AUTO_FINI(job) struct job job = { 0 };

    store_fixture_begin(f);
    assert_int_equal(store_job_progress(f->st, id, 1, 7, "half", f->now_us, &f->e), 0);
    assert_int_equal(op_release(f, id), 0);
    assert_int_equal(op_claim(f, id), 0);
    store_fixture_commit(f);
    job = store_fixture_read(f, id);
    assert_int_equal(job.progress_ppm, -1);
    assert_null(job.progress_message);
    assert_int_equal(job.progress_at_us, 0);
}

static void waiting_jobs_follow_their_function_to_another_pool(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 running = make(f, JOB_RUNNING);
    struct uuid7 queued = make(f, JOB_QUEUED);
    struct uuid7 scheduled = make(f, JOB_SCHEDULED);
    AUTO_FINI(job) struct job before = store_fixture_read(f, queued);
    AUTO_FINI(job) struct job after = { 0 };
    AUTO_FINI(job) struct job later = { 0 };
    AUTO_FINI(job) struct job other = { 0 };
    int64_t seq = probe_seq(f); /* a command job: of no function */

    store_fixture_begin(f);
    assert_int_equal(store_jobs_repool(f->st, "another", "", &f->e), 0);
    assert_int_equal(store_jobs_repool(f->st, POOL, POOL, &f->e), 0);
    assert_int_equal(store_jobs_repool(f->st, POOL, "", &f->e), 2);
    assert_int_equal(store_jobs_repool(f->st, POOL, "", &f->e), 0);
    store_fixture_commit(f);
    after = store_fixture_read(f, queued);
    assert_string_equal(after.pool, "");
    assert_int_equal(after.version, before.version);
    assert_int_equal(after.change_seq, before.change_seq);
    later = store_fixture_read(f, scheduled);
    assert_string_equal(later.pool, "");
    other = store_fixture_read(f, running);
    assert_string_equal(other.pool, POOL);
    assert_int_equal(probe_seq(f), seq + 1);

    store_fixture_begin(f);
    assert_int_equal(store_jobs_repool(f->st, POOL, POOL, &f->e), 2);
    assert_int_equal(store_jobs_repool(f->st, NULL, "elsewhere", &f->e), 2); /* the probes */
    store_fixture_commit(f);
}

static int by_id(const void *a, const void *b)
{
    const struct store_owned *x = a;
    const struct store_owned *y = b;

    return (x->id.hi > y->id.hi) - (x->id.hi < y->id.hi);
}

static void every_attempt_in_hand_is_known(void **state)
{
    struct store_fixture *f = *state;
    struct store_owned *owned = NULL;
    struct uuid7 running;
    struct uuid7 canceling;

    for (int s = JOB_SUCCEEDED; s < JOB_STATE_MAX_; s++)
        (void)make(f, (enum job_state)s);
    running = make(f, JOB_RUNNING);
    canceling = make(f, JOB_CANCELING);
    (void)make(f, JOB_SCHEDULED);
    (void)make(f, JOB_QUEUED);

    store_fixture_begin(f);
    assert_int_equal(store_jobs_owned(f->st, &owned, &f->e), 2);
    store_fixture_commit(f);
    qsort(owned, 2, sizeof *owned, by_id);
    assert_true(uuid7_equal(owned[0].id, running));
    assert_int_equal(owned[0].state, JOB_RUNNING);
    assert_int_equal(owned[0].attempt, 1);
    assert_int_equal(owned[0].worker_id, 1);
    assert_true(uuid7_equal(owned[1].id, canceling));
    assert_int_equal(owned[1].state, JOB_CANCELING);
    free(owned);
}

static void waiting_jobs_are_counted(void **state)
{
    struct store_fixture *f = *state;
    int64_t count;

    (void)make(f, JOB_RUNNING);
    (void)make(f, JOB_SUCCEEDED);
    (void)make(f, JOB_SCHEDULED);
    (void)make(f, JOB_QUEUED);
    (void)probe_seq(f);
    store_fixture_begin(f);
    assert_int_equal(store_count_waiting(f->st, &count, &f->e), 0);
    assert_int_equal(count, 3);
    assert_int_equal(store_count_waiting_in(f->st, "default", &count, &f->e), 0);
    assert_int_equal(count, 3);
    assert_int_equal(store_count_waiting_in(f->st, "other", &count, &f->e), 0);
    assert_int_equal(count, 0);
    store_fixture_commit(f);
}

#define MANY 20000

/* Insert, claim and finish many in a few transactions: nothing is lost, none comes twice. */
static void twenty_thousand_jobs_are_claimed_once_each_and_all_end(void **state)
{
    struct store_fixture *f = *state;
    int64_t last_key = 0;
    int64_t count;
    struct job none;

    for (int i = 0; i < MANY; i += 1000) {
        store_fixture_begin(f);
        for (int k = 0; k < 1000; k++) {
            AUTO_FINI(job) struct job job = store_fixture_job(f);

            assert_int_equal(store_job_insert(f->st, &job, &f->e), 0);
        }
        store_fixture_commit(f);
    }
    for (int i = 0; i < MANY; i += 1000) {
        store_fixture_begin(f);
        for (int k = 0; k < 1000; k++) {
            AUTO_FINI(job) struct job job = { 0 };

            assert_int_equal(store_job_claim(f->st, "", 1, 2, f->now_us, &job, &f->e), 0);
            assert_true(uuid7_key(job.id) > last_key);
            last_key = uuid7_key(job.id);
            assert_int_equal(op_succeed(f, job.id), 0);
        }
        store_fixture_commit(f);
    }
    store_fixture_begin(f);
    assert_int_equal(store_job_claim(f->st, "", 1, 2, 3, &none, &f->e), ERR_NOT_FOUND);
    assert_int_equal(store_count_waiting(f->st, &count, &f->e), 0);
    assert_int_equal(count, 0);
    store_fixture_commit(f);
    assert_int_equal(probe_seq(f), 3 * MANY + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_unknown_backend_is_refused),
        TEST(a_missing_directory_is_a_database_error),
        TEST(full_durability_opens_as_well),
        TEST(a_new_job_is_kept_as_it_was_given),
        TEST(payloads_of_every_size_are_kept),
        TEST(the_same_id_twice_is_an_error_that_changes_nothing),
        TEST(after_an_error_nothing_of_the_transaction_is_committed),
        TEST(an_error_undoes_a_change_that_bumped_nothing),
        TEST(a_job_is_found_by_its_whole_id_only),
        TEST(every_operation_moves_the_states_that_the_table_allows_and_no_other),
        TEST(a_rollback_leaves_nothing_behind),
        TEST(closing_rolls_back_what_is_open),
        TEST(an_empty_transaction_is_fine),
        TEST(reopening_keeps_everything),
        TEST(an_empty_store_has_no_key_and_nothing_waits),
        TEST(the_highest_priority_is_claimed_first_and_then_the_oldest),
        TEST(a_pool_claims_its_own_jobs_only),
        TEST(a_job_may_be_inserted_as_claimed),
        TEST(a_claim_gives_the_job_as_it_is_then),
        TEST(only_jobs_whose_time_has_come_are_due_the_earliest_first),
        TEST(at_most_as_many_are_due_as_were_asked_for),
        TEST(a_due_job_is_queued_from_then_on),
        TEST(a_canceled_job_says_why_and_when),
        TEST(a_running_job_that_is_canceled_keeps_its_reason_to_the_end),
        TEST(a_job_ends_when_its_attempt_did),
        TEST(an_outcome_of_another_attempt_is_stale_and_changes_nothing),
        TEST(a_second_outcome_is_refused_and_the_first_stays),
        TEST(a_released_job_waits_as_if_it_had_not_been_claimed),
        TEST(progress_changes_the_version_and_not_the_state),
        TEST(progress_of_a_job_that_nobody_runs_is_refused),
        TEST(a_new_attempt_has_made_no_progress),
        TEST(waiting_jobs_follow_their_function_to_another_pool),
        TEST(every_attempt_in_hand_is_known),
        TEST(waiting_jobs_are_counted),
        TEST(twenty_thousand_jobs_are_claimed_once_each_and_all_end),
    };
    int failed = 0;

    for (size_t i = 0; i < store_fixture_backend_count; i++) {
        store_fixture_use(store_fixture_backends[i]);
        failed += cmocka_run_group_tests_name(store_fixture_backends[i], tests, NULL, NULL);
    }
    return failed;
}
