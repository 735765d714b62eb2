#include "tests/support/test.h"

#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/support/store_fixture.h"

/* clang-format off */
#define TEST(f) cmocka_unit_test_setup_teardown(f, store_fixture_setup, store_fixture_teardown)
/* clang-format on */

#define ALL_STATES ((1u << JOB_STATE_MAX_) - 1)

static struct store_reader *get_reader(struct store_fixture *f)
{
    struct store_reader *rd = NULL;

    if (store_reader_get(f->st, &rd, &f->e) < 0)
        fail_msg("store_reader_get: %s", f->e.text);
    return rd;
}

struct known {
    int64_t key;
    enum job_state state;
    const char *function; /* "" for a command job */
    const char *queue;
};

#define KNOWN 84

/* Jobs of all states, functions and queues, the oldest first. */
static void make_known(struct store_fixture *f, struct known known[KNOWN])
{
    static const char *const functions[] = { "", "score", "thumbnail" };
    static const char *const queues[] = { "default", "bulk" };

    for (int i = 0; i < KNOWN; i++) {
        struct job job = store_fixture_job(f);
        char pool[16];

        (void)snprintf(pool, sizeof pool, "p%d", i);
        known[i] = (struct known){ .key = uuid7_key(job.id),
                                   .state = (enum job_state)(i % JOB_STATE_MAX_),
                                   .function = functions[i % 3],
                                   .queue = queues[i / 7 % 2] };
        store_fixture_set(&job.pool, pool);
        store_fixture_set(&job.queue, known[i].queue);
        if (known[i].function[0])
            store_fixture_set(&job.function, known[i].function);
        (void)store_fixture_make(f, &job, known[i].state);
    }
}

static bool known_passes(const struct known *k, const struct store_filter *filter)
{
    if (filter->states && !(filter->states & 1u << k->state))
        return false;
    if (filter->function && strcmp(filter->function, k->function) != 0)
        return false;
    return !filter->queue || strcmp(filter->queue, k->queue) == 0;
}

static void read_page(struct store_fixture *f, struct store_reader *rd,
                      const struct store_filter *filter, struct store_page *page)
{
    if (store_read_jobs(rd, filter, page, &f->e) < 0)
        fail_msg("store_read_jobs: %s", f->e.text);
    assert_true(page->count <= filter->limit);
}

/* Page through to the end: exactly the jobs that pass, newest first, every page but the last
 * full. */
static void check_list(struct store_fixture *f, struct store_reader *rd,
                       struct store_filter filter, const struct known known[KNOWN])
{
    int at = KNOWN;

    do {
        AUTO_FINI(store_page) struct store_page page = { 0 };

        read_page(f, rd, &filter, &page);
        for (size_t i = 0; i < page.count; i++) {
            do
                at--;
            while (at >= 0 && !known_passes(&known[at], &filter));
            assert_true(at >= 0);
            assert_int_equal(uuid7_key(page.items[i].id), known[at].key);
            assert_int_equal(page.items[i].state, known[at].state);
        }
        if (page.next_before_key)
            assert_int_equal(page.count, filter.limit);
        filter.before_key = page.next_before_key;
    } while (filter.before_key);
    while (--at >= 0)
        assert_false(known_passes(&known[at], &filter));
}

static void every_filter_gives_exactly_its_jobs_whatever_the_page_size(void **state)
{
    static const char *const functions[] = { NULL, "", "score", "nothing" };
    static const char *const queues[] = { NULL, "bulk", "nothing" };
    static const size_t limits[] = { 1, 5, STORE_LIST_MAX };
    struct store_fixture *f = *state;
    struct known known[KNOWN];
    struct store_reader *rd;

    make_known(f, known);
    rd = get_reader(f);
    for (unsigned states = 0; states <= ALL_STATES; states++)
        for (size_t i = 0; i < COUNT_OF(functions) * COUNT_OF(queues) * COUNT_OF(limits); i++) {
            struct store_filter filter = {
                .states = states,
                .function = functions[i % COUNT_OF(functions)],
                .queue = queues[i / COUNT_OF(functions) % COUNT_OF(queues)],
                .limit = limits[i / COUNT_OF(functions) / COUNT_OF(queues)],
            };

            check_list(f, rd, filter, known);
        }
    store_reader_put(f->st, rd);
}

static void a_list_has_payloads_and_outcomes_without_results(void **state)
{
    struct store_fixture *f = *state;
    struct job plain = store_fixture_job(f);
    struct uuid7 id = store_fixture_make(f, &plain, JOB_RUNNING);
    struct outcome o = store_fixture_outcome(id, 1);
    struct store_reader *rd = get_reader(f);
    char result[] = "1234567890";
    AUTO_FINI(store_page) struct store_page page = { 0 };
    struct store_filter filter = { .limit = 10 };

    o.result_kind = RESULT_JSON;
    o.result = result;
    o.result_len = strlen(result);
    store_fixture_begin(f);
    assert_int_equal(store_job_finish(f->st, &o, JOB_SUCCEEDED, f->now_us, &f->e), 0);
    store_fixture_commit(f);
    read_page(f, rd, &filter, &page);
    assert_int_equal(page.count, 1);
    assert_true(uuid7_equal(page.items[0].id, id));
    assert_non_null(page.items[0].payload);
    assert_true(page.items[0].has_outcome);
    assert_int_equal(page.items[0].outcome.result_len, 10);
    assert_null(page.items[0].outcome.result);
    store_reader_put(f->st, rd);
}

static void an_empty_store_lists_nothing(void **state)
{
    struct store_fixture *f = *state;
    struct store_reader *rd = get_reader(f);
    struct store_filter filter = { .limit = 10 };
    AUTO_FINI(store_page) struct store_page page = { 0 };

    read_page(f, rd, &filter, &page);
    assert_int_equal(page.count, 0);
    assert_int_equal(page.next_before_key, 0);
    store_reader_put(f->st, rd);
}

/* Insert `count` queued jobs of the queue "bulk" behind one of the queue "rare"; returns its
 * id. */
static struct uuid7 make_haystack(struct store_fixture *f, int count)
{
    struct job rare = store_fixture_job(f);
    struct uuid7 id;

    store_fixture_set(&rare.queue, "rare");
    id = store_fixture_insert(f, &rare);
    store_fixture_begin(f);
    for (int i = 0; i < count; i++) {
        AUTO_FINI(job) struct job job = store_fixture_job(f);

        store_fixture_set(&job.queue, "bulk");
        assert_int_equal(store_job_insert(f->st, &job, &f->e), 0);
    }
    store_fixture_commit(f);
    return id;
}

static void one_page_looks_at_a_bounded_number_of_jobs(void **state)
{
    static const unsigned states[] = { 0, 1u << JOB_QUEUED };
    struct store_fixture *f = *state;
    struct uuid7 id = make_haystack(f, STORE_LIST_SCAN_MAX + 10);
    struct store_reader *rd = get_reader(f);

    for (size_t i = 0; i < COUNT_OF(states); i++) {
        struct store_filter filter = { .states = states[i], .queue = "rare", .limit = 10 };
        AUTO_FINI(store_page) struct store_page first = { 0 };
        AUTO_FINI(store_page) struct store_page second = { 0 };

        read_page(f, rd, &filter, &first);
        assert_int_equal(first.count, 0);
        assert_true(first.next_before_key > uuid7_key(id));
        filter.before_key = first.next_before_key;
        read_page(f, rd, &filter, &second);
        assert_int_equal(second.count, 1);
        assert_true(uuid7_equal(second.items[0].id, id));
        assert_int_equal(second.next_before_key, 0);
    }
    store_reader_put(f->st, rd);
}

/* More than a page looks at, with and without the state: no job twice, none left out. */
static void many_queued_jobs_are_paged_through_without_a_gap(void **state)
{
    static const unsigned states[] = { 0, 1u << JOB_QUEUED,
                                       1u << JOB_QUEUED | 1u << JOB_FAILED };
    struct store_fixture *f = *state;
    struct store_reader *rd;

    (void)make_haystack(f, STORE_LIST_SCAN_MAX + 1500);
    rd = get_reader(f);
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        struct store_filter filter = { .states = states[i], .limit = STORE_LIST_MAX };
        size_t count = 0;
        int64_t last_key = INT64_MAX;

        do {
            AUTO_FINI(store_page) struct store_page page = { 0 };

            read_page(f, rd, &filter, &page);
            for (size_t k = 0; k < page.count; k++) {
                assert_true(uuid7_key(page.items[k].id) < last_key);
                last_key = uuid7_key(page.items[k].id);
            }
            count += page.count;
            filter.before_key = page.next_before_key;
        } while (filter.before_key);
        assert_int_equal(count, STORE_LIST_SCAN_MAX + 1501);
    }
    store_reader_put(f->st, rd);
}

static void a_page_ends_when_its_payloads_are_large(void **state)
{
    enum { JOBS = 7 };
    static const size_t each = STORE_LIST_BYTES_MAX / 4;
    struct store_fixture *f = *state;
    struct store_reader *rd;
    struct store_filter filter = { .limit = 100 };
    size_t count = 0;

    for (int i = 0; i < JOBS; i++) {
        struct job job = store_fixture_job(f);

        free(job.payload);
        job.payload = mem_new0(each + 1);
        memset(job.payload, 'x', each);
        job.payload_len = each;
        (void)store_fixture_insert(f, &job);
    }
    rd = get_reader(f);
    do {
        AUTO_FINI(store_page) struct store_page page = { 0 };

        read_page(f, rd, &filter, &page);
        assert_true(page.count >= 1 && page.count <= 4);
        count += page.count;
        filter.before_key = page.next_before_key;
    } while (filter.before_key);
    assert_int_equal(count, JOBS);
    store_reader_put(f->st, rd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_filter_gives_exactly_its_jobs_whatever_the_page_size),
        TEST(a_list_has_payloads_and_outcomes_without_results),
        TEST(an_empty_store_lists_nothing),
        TEST(one_page_looks_at_a_bounded_number_of_jobs),
        TEST(many_queued_jobs_are_paged_through_without_a_gap),
        TEST(a_page_ends_when_its_payloads_are_large),
    };
    int failed = 0;

    for (size_t i = 0; i < store_fixture_backend_count; i++) {
        store_fixture_use(store_fixture_backends[i]);
        failed += cmocka_run_group_tests_name(store_fixture_backends[i], tests, NULL, NULL);
    }
    return failed;
}
