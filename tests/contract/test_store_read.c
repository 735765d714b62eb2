#include "tests/support/test.h"

#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/support/store_fixture.h"

/* clang-format off */
#define TEST(f) cmocka_unit_test_setup_teardown(f, store_fixture_setup, store_fixture_teardown)
/* clang-format on */

static struct uuid7 make(struct store_fixture *f, enum job_state state)
{
    struct job job = store_fixture_job(f);

    store_fixture_set(&job.pool, "p"); /* apart from other jobs that a test inserts */
    return store_fixture_make(f, &job, state);
}

static struct store_reader *get_reader(struct store_fixture *f)
{
    struct store_reader *rd = NULL;

    if (store_reader_get(f->st, &rd, &f->e) < 0)
        fail_msg("store_reader_get: %s", f->e.text);
    return rd;
}

/* Bytes of every value, so that none is special. */
static char *make_bytes(size_t len)
{
    char *bytes = mem_new0(len + 1);

    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(unsigned char)(i * 7 + i / 256);
    return bytes;
}

static void finish(struct store_fixture *f, const struct outcome *o, enum job_state to)
{
    store_fixture_begin(f);
    if (store_job_finish(f->st, o, to, f->now_us, &f->e) < 0)
        fail_msg("store_job_finish: %s", f->e.text);
    store_fixture_commit(f);
}

/* -- what readers see ------------------------------------------------------------- */

static void readers_see_what_is_committed_and_nothing_else(void **state)
{
    struct store_fixture *f = *state;
    AUTO_FINI(job) struct job job = store_fixture_job(f);
    AUTO_FINI(job) struct job seen = { 0 };
    struct store_reader *rd = get_reader(f);

    store_fixture_begin(f);
    assert_int_equal(store_job_insert(f->st, &job, &f->e), 0);
    assert_int_equal(store_read_job(rd, job.id, 0, &seen, &f->e), ERR_JOB_NOT_FOUND);
    store_fixture_commit(f);
    assert_int_equal(store_read_job(rd, job.id, 0, &seen, &f->e), 0);
    store_reader_put(f->st, rd);
}

static void a_missing_job_is_named_in_every_read(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 there = make(f, JOB_SUCCEEDED);
    struct uuid7 ids[] = { { there.hi, there.lo ^ 1 }, uuid7_new(&f->gen, f->now_us) };
    struct store_reader *rd = get_reader(f);

    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        char text[UUID7_TEXT_SIZE];
        struct capture c;
        enum result_kind kind;
        enum job_state job_state;
        int64_t version;
        struct job job;
        char *bytes;
        size_t len;

        (void)uuid7_format(ids[i], text);
        assert_int_equal(store_read_job(rd, ids[i], 0, &job, &f->e), ERR_JOB_NOT_FOUND);
        assert_non_null(strstr(f->e.text, text));
        assert_int_equal(store_read_version(rd, ids[i], &version, &job_state, &f->e),
                         ERR_JOB_NOT_FOUND);
        assert_int_equal(store_read_result(rd, ids[i], &kind, &bytes, &len, &f->e),
                         ERR_JOB_NOT_FOUND);
        assert_int_equal(store_read_capture(rd, ids[i], 1, STREAM_STDOUT, &c, &f->e),
                         ERR_JOB_NOT_FOUND);
    }
    store_reader_put(f->st, rd);
}

static void the_version_is_read_alone(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_CANCELING);
    struct store_reader *rd = get_reader(f);
    enum job_state job_state;
    int64_t version;

    assert_int_equal(store_read_version(rd, id, &version, &job_state, &f->e), 0);
    assert_int_equal(version, 3);
    assert_int_equal(job_state, JOB_CANCELING);
    assert_int_equal(store_read_ping(rd, &f->e), 0);
    store_reader_put(f->st, rd);
}

static void several_readers_are_lent_at_once_and_used_again(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_QUEUED);
    struct store_reader *rd[5];
    struct store_reader *again[5];

    for (size_t i = 0; i < COUNT_OF(rd); i++) {
        enum job_state job_state;
        int64_t version;

        rd[i] = get_reader(f);
        assert_int_equal(store_read_version(rd[i], id, &version, &job_state, &f->e), 0);
        for (size_t k = 0; k < i; k++)
            assert_ptr_not_equal(rd[k], rd[i]);
    }
    for (size_t i = 0; i < COUNT_OF(rd); i++)
        store_reader_put(f->st, rd[i]);
    for (size_t i = 0; i < COUNT_OF(rd); i++) {
        size_t k = 0;

        again[i] = get_reader(f);
        while (k < COUNT_OF(rd) && again[i] != rd[k])
            k++;
        assert_true(k < COUNT_OF(rd));
        rd[k] = NULL; /* lent once */
    }
    for (size_t i = 0; i < COUNT_OF(again); i++)
        store_reader_put(f->st, again[i]);
    store_reader_put(f->st, NULL); /* no-op */
}

/* -- outcomes --------------------------------------------------------------------- */

static void an_outcome_is_kept_as_it_was_given(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_RUNNING);
    AUTO_FINI(job) struct job job = { 0 };
    char message[] = "exit code 3";
    struct outcome o = {
        .job_id = id,
        .attempt = 1,
        .cause = CAUSE_DEADLINE_EXCEEDED,
        .exit_code = -1,
        .signal = 9,
        .message = message,
        .started_at_us = FIXTURE_NOW + 10,
        .finished_at_us = FIXTURE_NOW + 20,
        .user_cpu_us = 30,
        .system_cpu_us = 40,
        .max_rss_bytes = (int64_t)5 << 32,
        .leftovers_killed = 6,
        .pid = 7,
        .captures = { { .total_bytes = 1000, .kept_bytes = 900, .spilled = true },
                      { .total_bytes = (int64_t)1 << 40, .kept_bytes = 0 } },
        .result_kind = RESULT_STDOUT,
    };
    const struct outcome *kept = &job.outcome;

    finish(f, &o, JOB_FAILED);
    job = store_fixture_read(f, id);
    assert_true(job.has_outcome);
    assert_true(uuid7_equal(kept->job_id, id));
    assert_int_equal(kept->attempt, 1);
    assert_int_equal(kept->cause, o.cause);
    assert_int_equal(kept->exit_code, -1);
    assert_int_equal(kept->signal, 9);
    assert_string_equal(kept->message, message);
    assert_int_equal(kept->started_at_us, o.started_at_us);
    assert_int_equal(kept->finished_at_us, o.finished_at_us);
    assert_int_equal(kept->user_cpu_us, 30);
    assert_int_equal(kept->system_cpu_us, 40);
    assert_int_equal(kept->max_rss_bytes, o.max_rss_bytes);
    assert_int_equal(kept->leftovers_killed, 6);
    assert_int_equal(kept->pid, 7);
    assert_int_equal(kept->result_kind, RESULT_STDOUT);
    assert_null(kept->result);
    for (int i = 0; i < STREAM_MAX_; i++) {
        assert_int_equal(kept->captures[i].total_bytes, o.captures[i].total_bytes);
        assert_int_equal(kept->captures[i].kept_bytes, o.captures[i].kept_bytes);
        assert_int_equal(kept->captures[i].spilled, o.captures[i].spilled);
        assert_null(kept->captures[i].data);
    }
}

static void every_cause_is_kept(void **state)
{
    struct store_fixture *f = *state;

    for (int cause = 0; cause < CAUSE_MAX_; cause++) {
        struct uuid7 id = make(f, JOB_RUNNING);
        struct outcome o = store_fixture_outcome(id, 1);
        AUTO_FINI(job) struct job job = { 0 };

        o.cause = (enum cause)cause;
        finish(f, &o, JOB_FAILED);
        job = store_fixture_read(f, id);
        assert_int_equal(job.outcome.cause, cause);
    }
}

static void a_job_without_an_attempt_that_ended_has_no_outcome(void **state)
{
    static const enum job_state without[] = { JOB_SCHEDULED, JOB_QUEUED, JOB_RUNNING,
                                              JOB_CANCELING };
    struct store_fixture *f = *state;
    struct store_reader *rd = get_reader(f);

    for (size_t i = 0; i < COUNT_OF(without); i++) {
        struct job plain = store_fixture_job(f);
        struct uuid7 id;
        AUTO_FINI(job) struct job job = { 0 };
        enum result_kind kind = RESULT_JSON;
        struct capture c;
        char *bytes = NULL;
        size_t len;

        store_fixture_set(&plain.pool, job_state_name(without[i]));
        id = store_fixture_make(f, &plain, without[i]);
        job = store_fixture_read(f, id);
        assert_false(job.has_outcome);
        assert_int_equal(store_read_result(rd, id, &kind, &bytes, &len, &f->e), 0);
        assert_int_equal(kind, RESULT_NONE);
        assert_null(bytes);
        assert_int_equal(store_read_capture(rd, id, 1, STREAM_STDERR, &c, &f->e),
                         ERR_LOG_NOT_FOUND);
    }
    store_reader_put(f->st, rd);
}

/* -- results ---------------------------------------------------------------------- */

static struct uuid7 make_with_result(struct store_fixture *f, size_t len)
{
    struct uuid7 id = make(f, JOB_RUNNING);
    struct outcome o = store_fixture_outcome(id, 1);
    AUTO(mem) char *result = mem_new0(len + 1);

    memset(result, '7', len);
    o.result_kind = RESULT_JSON;
    o.result = result;
    o.result_len = len;
    finish(f, &o, JOB_SUCCEEDED);
    return id;
}

static void results_of_every_size_are_kept(void **state)
{
    static const size_t sizes[] = { 1, 511, 512, 513, 1024, 1025, 70000, 2000000 };
    struct store_fixture *f = *state;
    struct store_reader *rd = get_reader(f);

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct uuid7 id = make_with_result(f, sizes[i]);
        AUTO_FINI(job) struct job job = store_fixture_read(f, id);
        AUTO(mem) char *bytes = NULL;
        enum result_kind kind;
        size_t len;

        assert_int_equal(store_read_result(rd, id, &kind, &bytes, &len, &f->e), 0);
        assert_int_equal(kind, RESULT_JSON);
        assert_int_equal(len, sizes[i]);
        assert_int_equal(strspn(bytes, "7"), sizes[i]);
        assert_int_equal(job.outcome.result_len, sizes[i]);
        assert_memory_equal(job.outcome.result, bytes, len);
    }
    store_reader_put(f->st, rd);
}

static void a_result_that_is_too_large_for_the_caller_is_left_out(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 ids[] = { make_with_result(f, 100), make_with_result(f, 70000) };
    static const size_t sizes[] = { 100, 70000 };
    struct store_reader *rd = get_reader(f);

    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        AUTO_FINI(job) struct job with = { 0 };
        AUTO_FINI(job) struct job without = { 0 };

        assert_int_equal(store_read_job(rd, ids[i], sizes[i], &with, &f->e), 0);
        assert_non_null(with.outcome.result);
        assert_int_equal(store_read_job(rd, ids[i], sizes[i] - 1, &without, &f->e), 0);
        assert_null(without.outcome.result);
        assert_int_equal(without.outcome.result_kind, RESULT_JSON);
        assert_int_equal(without.outcome.result_len, sizes[i]);
    }
    store_reader_put(f->st, rd);
}

static void a_result_that_is_the_output_has_no_bytes_of_its_own(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_RUNNING);
    struct outcome o = store_fixture_outcome(id, 1);
    struct store_reader *rd = get_reader(f);
    enum result_kind kind;
    char *bytes = NULL;
    size_t len;

    o.result_kind = RESULT_STDOUT;
    finish(f, &o, JOB_SUCCEEDED);
    assert_int_equal(store_read_result(rd, id, &kind, &bytes, &len, &f->e), 0);
    assert_int_equal(kind, RESULT_STDOUT);
    assert_null(bytes);
    assert_int_equal(len, 0);
    store_reader_put(f->st, rd);
}

/* -- output ----------------------------------------------------------------------- */

static void output_is_kept_byte_for_byte(void **state)
{
    static const size_t sizes[] = { 1, 2, 1024, 65536 };
    struct store_fixture *f = *state;
    struct store_reader *rd = get_reader(f);

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct uuid7 id = make(f, JOB_RUNNING);
        AUTO_FINI(outcome) struct outcome o = store_fixture_outcome(id, 1);

        for (int k = 0; k < STREAM_MAX_; k++) {
            o.captures[k].data = make_bytes(sizes[i] + (size_t)k);
            o.captures[k].kept_bytes = (int64_t)sizes[i] + k;
            o.captures[k].total_bytes = o.captures[k].kept_bytes + 10;
        }
        finish(f, &o, JOB_SUCCEEDED);
        for (int k = 0; k < STREAM_MAX_; k++) {
            struct capture c = { 0 };

            assert_int_equal(store_read_capture(rd, id, 1, (enum stream)k, &c, &f->e), 0);
            assert_false(c.spilled);
            assert_int_equal(c.total_bytes, o.captures[k].total_bytes);
            assert_int_equal(c.kept_bytes, o.captures[k].kept_bytes);
            assert_memory_equal(c.data, o.captures[k].data, (size_t)c.kept_bytes);
            free(c.data);
        }
    }
    store_reader_put(f->st, rd);
}

static void output_in_a_file_and_no_output_have_no_bytes_here(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_RUNNING);
    struct outcome o = store_fixture_outcome(id, 1);
    struct store_reader *rd = get_reader(f);
    struct capture c;

    o.captures[STREAM_STDOUT] =
        (struct capture){ .total_bytes = 500, .kept_bytes = 400, .spilled = true };
    finish(f, &o, JOB_SUCCEEDED);
    assert_int_equal(store_read_capture(rd, id, 1, STREAM_STDOUT, &c, &f->e), 0);
    assert_true(c.spilled);
    assert_int_equal(c.kept_bytes, 400);
    assert_null(c.data);
    assert_int_equal(store_read_capture(rd, id, 1, STREAM_STDERR, &c, &f->e), 0);
    assert_false(c.spilled);
    assert_int_equal(c.total_bytes, 0);
    assert_null(c.data);
    assert_int_equal(store_read_capture(rd, id, 2, STREAM_STDERR, &c, &f->e),
                     ERR_LOG_NOT_FOUND);
    store_reader_put(f->st, rd);
}

/* -- threads ---------------------------------------------------------------------- */

struct watch {
    struct store_fixture *f;
    struct uuid7 id;
    const atomic_bool *done;
    const char *complaint; /* NULL: none */
};

/* Reads until the end: what it sees of one job only moves forward, and is whole. */
static const char *follow(const struct watch *w)
{
    int64_t last_version = 0;

    while (!atomic_load(w->done)) {
        struct store_reader *rd = NULL;
        AUTO_FINI(job) struct job job = { 0 };

        if (store_reader_get(w->f->st, &rd, NULL) < 0)
            return "no reader";
        if (store_read_job(rd, w->id, SIZE_MAX, &job, NULL) < 0)
            return "no job";
        store_reader_put(w->f->st, rd);
        if (job.version < last_version || job.has_outcome != job_state_is_final(job.state))
            return "torn";
        last_version = job.version;
    }
    return NULL;
}

static void *watch_job(void *arg)
{
    struct watch *w = arg;

    w->complaint = follow(w);
    return NULL;
}

static void readers_on_other_threads_follow_the_writer(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 id = make(f, JOB_RUNNING);
    struct outcome o = store_fixture_outcome(id, 1);
    atomic_bool done = false;
    struct watch watches[3];
    pthread_t threads[3];

    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        watches[i] = (struct watch){ .f = f, .id = id, .done = &done };
        assert_int_equal(pthread_create(&threads[i], NULL, watch_job, &watches[i]), 0);
    }
    for (int i = 0; i < 300; i++) {
        store_fixture_begin(f);
        assert_int_equal(store_job_progress(f->st, id, 1, i, "on", f->now_us, &f->e), 0);
        store_fixture_commit(f);
    }
    finish(f, &o, JOB_SUCCEEDED);
    atomic_store(&done, true);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        if (watches[i].complaint)
            fail_msg("%s", watches[i].complaint);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(readers_see_what_is_committed_and_nothing_else),
        TEST(a_missing_job_is_named_in_every_read),
        TEST(the_version_is_read_alone),
        TEST(several_readers_are_lent_at_once_and_used_again),
        TEST(an_outcome_is_kept_as_it_was_given),
        TEST(every_cause_is_kept),
        TEST(a_job_without_an_attempt_that_ended_has_no_outcome),
        TEST(results_of_every_size_are_kept),
        TEST(a_result_that_is_too_large_for_the_caller_is_left_out),
        TEST(a_result_that_is_the_output_has_no_bytes_of_its_own),
        TEST(output_is_kept_byte_for_byte),
        TEST(output_in_a_file_and_no_output_have_no_bytes_here),
        TEST(readers_on_other_threads_follow_the_writer),
    };
    int failed = 0;

    for (size_t i = 0; i < store_fixture_backend_count; i++) {
        store_fixture_use(store_fixture_backends[i]);
        failed += cmocka_run_group_tests_name(store_fixture_backends[i], tests, NULL, NULL);
    }
    return failed;
}
