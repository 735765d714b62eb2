/* Failures in the ledger: counted by their kind. */
#include "tests/support/test.h"

#include "store/store_batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/support/store_fixture.h"

/* clang-format off */
#define TEST(f) cmocka_unit_test_setup_teardown(f, store_fixture_setup, store_fixture_teardown)
/* clang-format on */

static struct failure_group new_group(struct store_fixture *f, int64_t fingerprint)
{
    struct uuid7 job = uuid7_new(&f->gen, f->now_us);

    return (struct failure_group){ .tenant = mem_str(""),
                                   .fingerprint = fingerprint,
                                   .cause = CAUSE_EXIT_CODE,
                                   .exit_code = 3,
                                   .count = 1,
                                   .first_seen_at_us = f->now_us,
                                   .last_seen_at_us = f->now_us,
                                   .last_job = job,
                                   .samples = { job },
                                   .sample_count = 1,
                                   .queue = mem_str("default"),
                                   .function = mem_str("score"),
                                   .message = mem_str("no row <num>") };
}

/* In a transaction of its own; ends g. */
static void store(struct store_fixture *f, struct failure_group *take_group)
{
    int r;

    store_fixture_begin(f);
    r = store_failure_add(f->st, take_group, &f->e);
    if (r == ERR_NOT_FOUND)
        r = store_failure_insert(f->st, take_group, &f->e);
    assert_int_equal(r, 0);
    store_fixture_commit(f);
    failure_group_fini(take_group);
}

static struct store_failures read_failures(struct store_fixture *f,
                                           const struct store_failure_filter *filter)
{
    struct store_failures failures = { 0 };
    struct store_reader *rd = NULL;

    assert_int_equal(store_reader_get(f->st, &rd, &f->e), 0);
    assert_int_equal(store_read_failures(rd, filter, &failures, &f->e), 0);
    store_reader_put(f->st, rd);
    return failures;
}

static const struct store_failure_filter ALL = { .tenant = "", .limit = 100 };

static void a_group_is_read_as_it_was_inserted(void **state)
{
    struct store_fixture *f = *state;
    struct failure_group g = new_group(f, 4711);
    struct uuid7 job = g.last_job;
    struct store_failures got;

    store(f, &g);
    got = read_failures(f, &ALL);
    assert_int_equal(got.count, 1);
    assert_int_equal(got.total, 1);
    g = got.items[0];
    assert_int_equal(g.fingerprint, 4711);
    assert_int_equal(g.cause, CAUSE_EXIT_CODE);
    assert_int_equal(g.exit_code, 3);
    assert_int_equal(g.count, 1);
    assert_true(uuid7_equal(g.last_job, job));
    assert_int_equal(g.sample_count, 1);
    assert_true(uuid7_equal(g.samples[0], job));
    assert_string_equal(g.queue, "default");
    assert_string_equal(g.function, "score");
    assert_string_equal(g.message, "no row <num>");
    store_failures_fini(&got);
}

static void the_same_kind_is_counted_and_keeps_its_first_samples(void **state)
{
    struct store_fixture *f = *state;
    struct store_failures got;
    struct uuid7 jobs[7];
    usec_t first = f->now_us;

    for (int i = 0; i < 7; i++) {
        struct failure_group g = new_group(f, 1234);

        g.count = i + 1;
        jobs[i] = g.last_job;
        store(f, &g);
    }
    got = read_failures(f, &ALL);
    assert_int_equal(got.count, 1);
    assert_int_equal(got.items[0].count, 28);
    assert_int_equal(got.items[0].first_seen_at_us, first);
    assert_int_equal(got.items[0].last_seen_at_us, f->now_us - USEC_PER_MS);
    assert_true(uuid7_equal(got.items[0].last_job, jobs[6]));
    assert_int_equal(got.items[0].sample_count, FAILURE_SAMPLES_MAX);
    for (int i = 0; i < FAILURE_SAMPLES_MAX; i++)
        assert_true(uuid7_equal(got.items[0].samples[i], jobs[i]));
    store_failures_fini(&got);
}

static void several_samples_at_once_fill_what_is_free(void **state)
{
    struct store_fixture *f = *state;
    struct failure_group g = new_group(f, 1234);
    struct store_failures got;

    for (g.sample_count = 0; g.sample_count < 3; g.sample_count++)
        g.samples[g.sample_count] = uuid7_new(&f->gen, f->now_us);
    store(f, &g);
    g = new_group(f, 1234);
    for (g.sample_count = 0; g.sample_count < 5; g.sample_count++)
        g.samples[g.sample_count] = uuid7_new(&f->gen, f->now_us);
    store(f, &g);
    got = read_failures(f, &ALL);
    assert_int_equal(got.items[0].sample_count, 5);
    store_failures_fini(&got);
}

static void the_largest_group_comes_first(void **state)
{
    static const int64_t counts[] = { 5, 90, 7, 7 };
    struct store_fixture *f = *state;
    struct store_failure_filter two = { .tenant = "", .limit = 2 };
    struct store_failures got;

    for (int i = 0; i < 4; i++) {
        struct failure_group g = new_group(f, 100 + i);

        g.count = counts[i];
        store(f, &g);
    }
    got = read_failures(f, &ALL);
    assert_int_equal(got.items[0].fingerprint, 101);
    assert_int_equal(got.items[1].fingerprint, 103); /* the later one of the two */
    assert_int_equal(got.items[2].fingerprint, 102);
    assert_int_equal(got.items[3].fingerprint, 100);
    store_failures_fini(&got);
    got = read_failures(f, &two);
    assert_int_equal(got.count, 2);
    assert_int_equal(got.total, 4);
    store_failures_fini(&got);
}

static void batches_and_tenants_have_groups_of_their_own(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 batch = uuid7_new(&f->gen, f->now_us);
    struct store_failure_filter filter = { .batch = batch, .tenant = "acme", .limit = 9 };
    struct failure_group g = new_group(f, 4711);
    struct store_failures got;

    store(f, &g);
    g = new_group(f, 4711);
    g.batch = batch;
    g.count = 2;
    free(g.tenant);
    g.tenant = mem_str("acme");
    store(f, &g);
    got = read_failures(f, &ALL);
    assert_int_equal(got.count, 1);
    assert_int_equal(got.items[0].count, 1);
    store_failures_fini(&got);
    got = read_failures(f, &filter);
    assert_int_equal(got.count, 1);
    assert_int_equal(got.items[0].count, 2);
    store_failures_fini(&got);
    filter.batch = (struct uuid7){ 0 };
    got = read_failures(f, &filter);
    assert_int_equal(got.count, 0);
    store_failures_fini(&got);
}

static void groups_are_filtered(void **state)
{
    struct store_fixture *f = *state;
    struct failure_group g = new_group(f, 1001);
    usec_t between;

    store(f, &g);
    between = f->now_us;
    g = new_group(f, 1002);
    free(g.function);
    g.function = NULL;
    store_fixture_set(&g.queue, "slow");
    store(f, &g);
    {
        const struct {
            struct store_failure_filter filter;
            int64_t want; /* 0: both */
        } rows[] = {
            { { .tenant = "", .limit = 9 }, 0 },
            { { .tenant = "", .limit = 9, .queue = "slow" }, 1002 },
            { { .tenant = "", .limit = 9, .queue = "default" }, 1001 },
            { { .tenant = "", .limit = 9, .function = "score" }, 1001 },
            { { .tenant = "", .limit = 9, .function = "" }, 1002 },
            { { .tenant = "", .limit = 9, .since_us = between }, 1002 },
        };

        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            struct store_failures got = read_failures(f, &rows[i].filter);

            assert_int_equal(got.count, rows[i].want ? 1 : 2);
            if (rows[i].want)
                assert_int_equal(got.items[0].fingerprint, rows[i].want);
            store_failures_fini(&got);
        }
    }
}

static void the_oldest_group_is_forgotten(void **state)
{
    struct store_fixture *f = *state;
    struct store_failures got;
    int64_t count;

    for (int i = 0; i < 3; i++) {
        struct failure_group g = new_group(f, 1000 + i);

        store(f, &g);
    }
    store_fixture_begin(f);
    assert_int_equal(store_failure_count(f->st, "", &count, &f->e), 0);
    assert_int_equal(count, 3);
    assert_int_equal(store_failure_forget_oldest(f->st, "", &f->e), 0);
    assert_int_equal(store_failure_count(f->st, "", &count, &f->e), 0);
    assert_int_equal(count, 2);
    assert_int_equal(store_failure_forget_oldest(f->st, "nobody", &f->e), 0);
    assert_int_equal(store_failure_count(f->st, "nobody", &count, &f->e), 0);
    assert_int_equal(count, 0);
    store_fixture_commit(f);
    got = read_failures(f, &ALL);
    assert_int_equal(got.count, 2);
    assert_int_equal(got.items[0].fingerprint, 1002);
    store_failures_fini(&got);
}

/* One of five faults, said in other words every time. */
static void say(int i, char *text, size_t room)
{
    switch (i % 5) {
    case 0:
        (void)snprintf(text, room, "ValueError: row %d is bad", i);
        break;
    case 1:
        (void)snprintf(text, room, "open /srv/in/%d.png: No such file or directory", i);
        break;
    case 2:
        (void)snprintf(text, room, "timeout after %d.5 s for https://example.org/%d", i, i);
        break;
    case 3:
        (void)snprintf(text, room, "KeyError: 'user_%d'", i);
        break;
    default:
        (void)snprintf(text, room, "segfault at 0x7ffe%08x, ip 10.0.0.7", (unsigned)i);
    }
}

static struct failure_kind fail_once(int i)
{
    struct outcome o = { .cause = CAUSE_EXIT_CODE, .exit_code = 1 };
    struct failure_kind kind;
    char text[128];

    say(i, text, sizeof text);
    o.captures[STREAM_STDERR].data = text;
    o.captures[STREAM_STDERR].kept_bytes = (int64_t)strlen(text);
    failure_kind_of(&o, "score", "default", &kind);
    return kind;
}

static void a_hundred_thousand_failures_read_as_five_lines(void **state)
{
    struct store_fixture *f = *state;
    struct store_failures got;

    store_fixture_begin(f);
    for (int i = 0; i < 100000; i++) {
        struct failure_kind kind = fail_once(i);
        AUTO_FINI(failure_group) struct failure_group g = new_group(f, kind.fingerprint);
        int r = store_failure_add(f->st, &g, &f->e);

        store_fixture_set(&g.message, kind.message);
        if (r == ERR_NOT_FOUND)
            r = store_failure_insert(f->st, &g, &f->e);
        assert_int_equal(r, 0);
    }
    store_fixture_commit(f);
    got = read_failures(f, &ALL);
    assert_int_equal(got.count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(got.items[i].count, 20000);
        assert_int_equal(got.items[i].sample_count, FAILURE_SAMPLES_MAX);
    }
    store_failures_fini(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_group_is_read_as_it_was_inserted),
        TEST(the_same_kind_is_counted_and_keeps_its_first_samples),
        TEST(several_samples_at_once_fill_what_is_free),
        TEST(the_largest_group_comes_first),
        TEST(batches_and_tenants_have_groups_of_their_own),
        TEST(groups_are_filtered),
        TEST(the_oldest_group_is_forgotten),
        TEST(a_hundred_thousand_failures_read_as_five_lines),
    };
    int failed = 0;

    for (size_t i = 0; i < store_fixture_backend_count; i++) {
        store_fixture_use(store_fixture_backends[i]);
        failed |= cmocka_run_group_tests_name(store_fixture_backends[i], tests, NULL, NULL);
    }
    return failed;
}
