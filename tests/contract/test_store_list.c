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
                      const struct store_query *query, struct store_page *page)
{
    if (store_read_jobs(rd, query, page, &f->e) < 0)
        fail_msg("store_read_jobs: %s", f->e.text);
    assert_true(page->count <= query->limit);
}

/* Page through to the end: exactly the jobs that pass, newest first (or oldest), every page but
 * the last full. */
static void check_list(struct store_fixture *f, struct store_reader *rd,
                       struct store_query query, const struct known known[KNOWN])
{
    int step = query.ascending ? 1 : -1;
    int end = query.ascending ? KNOWN : -1;
    int at = query.ascending ? -1 : KNOWN;

    do {
        AUTO_FINI(store_page) struct store_page page = { 0 };

        read_page(f, rd, &query, &page);
        for (size_t i = 0; i < page.count; i++) {
            do
                at += step;
            while (at != end && !known_passes(&known[at], &query.filter));
            assert_true(at != end);
            assert_int_equal(uuid7_key(page.items[i].id), known[at].key);
            assert_int_equal(page.items[i].state, known[at].state);
        }
        if (page.next.key)
            assert_int_equal(page.count, query.limit);
        query.from = page.next;
    } while (query.from.key);
    while ((at += step) != end)
        assert_false(known_passes(&known[at], &query.filter));
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
            struct store_query query = {
                .filter.states = states,
                .filter.function = functions[i % COUNT_OF(functions)],
                .filter.queue = queues[i / COUNT_OF(functions) % COUNT_OF(queues)],
                .limit = limits[i / COUNT_OF(functions) / COUNT_OF(queues)],
                .ascending = (states + i) % 2,
            };

            check_list(f, rd, query, known);
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
    struct store_query filter = { .limit = 10 };

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
    struct store_query filter = { .limit = 10 };
    AUTO_FINI(store_page) struct store_page page = { 0 };

    read_page(f, rd, &filter, &page);
    assert_int_equal(page.count, 0);
    assert_int_equal(page.next.key, 0);
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
        struct store_query filter = { .filter.states = states[i],
                                      .filter.queue = "rare",
                                      .limit = 10 };
        AUTO_FINI(store_page) struct store_page first = { 0 };
        AUTO_FINI(store_page) struct store_page second = { 0 };

        read_page(f, rd, &filter, &first);
        assert_int_equal(first.count, 0);
        assert_true(first.next.key > uuid7_key(id));
        filter.from = first.next;
        read_page(f, rd, &filter, &second);
        assert_int_equal(second.count, 1);
        assert_true(uuid7_equal(second.items[0].id, id));
        assert_int_equal(second.next.key, 0);
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
        struct store_query filter = { .filter.states = states[i], .limit = STORE_LIST_MAX };
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
            filter.from = page.next;
        } while (filter.from.key);
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
    struct store_query filter = { .limit = 100 };
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
        filter.from = page.next;
    } while (filter.from.key);
    assert_int_equal(count, JOBS);
    store_reader_put(f->st, rd);
}

/* -- filters and orders ----------------------------------------------------------------------
 */

enum { MADE = 6 };

/* Six jobs, the oldest first; what differs between them is in the tables of the tests. */
static void make_varied(struct store_fixture *f, struct uuid7 ids[MADE])
{
    static const struct {
        const char *name;
        const char *payload;
        int priority;
        enum job_state state;
    } jobs[MADE] = {
        { NULL, "{\"labels\":{\"a\":\"1\"}}", 0, JOB_SUCCEEDED },
        { "report-1", "{\"labels\":{\"a\":\"1\",\"b\":\"x:y\"}}", 5, JOB_FAILED },
        { "Report-2", "{\"args\":{\"labels\":\"a\"}}", 5, JOB_QUEUED },
        { "report-1", "{\"labels\":{\"a\":\"2\",\"b\":\"x:y\"}}", -7, JOB_CANCELED },
        { "other", "{}", 0, JOB_RUNNING },
        { "other", "{\"labels\":{}}", 0, JOB_SUCCEEDED },
    };

    for (int i = 0; i < MADE; i++) {
        struct job job = store_fixture_job(f);
        char pool[16];

        (void)snprintf(pool, sizeof pool, "p%d", i);
        store_fixture_set(&job.pool, pool);
        if (jobs[i].name)
            store_fixture_set(&job.name, jobs[i].name);
        store_fixture_set(&job.payload, jobs[i].payload);
        job.payload_len = strlen(job.payload);
        job.priority = jobs[i].priority;
        if (i == 2)
            store_fixture_set(&job.tenant, "t");
        if (i == 4)
            store_fixture_set(&job.created_by, "k1");
        if (i == 3 || i == 5)
            job.batch = ids[0];
        ids[i] = store_fixture_make(f, &job, jobs[i].state);
        f->now_us += 5 * USEC_PER_MS;
    }
}

/* Page through with this limit; the jobs that come are these, as digits. */
static void assert_lists(struct store_fixture *f, struct store_query query,
                         const struct uuid7 ids[MADE], const char *expected)
{
    struct store_reader *rd = get_reader(f);
    char found[64] = "";
    size_t count = 0;

    do {
        AUTO_FINI(store_page) struct store_page page = { 0 };

        read_page(f, rd, &query, &page);
        for (size_t i = 0; i < page.count; i++)
            for (int j = 0; j < MADE; j++)
                if (uuid7_equal(page.items[i].id, ids[j]))
                    found[count++] = (char)('0' + j);
        query.from = page.next;
    } while (query.from.key);
    store_reader_put(f->st, rd);
    assert_string_equal(found, expected);
}

static void every_filter_holds_alone_and_with_others(void **state)
{
    static const struct store_label a1 = { "a", "1" };
    static const struct store_label a2_and_b[] = { { "a", "2" }, { "b", "x:y" } };
    static const struct store_label b = { "b", "x:y" };
    struct store_fixture *f = *state;
    struct uuid7 ids[MADE];
    char id_text[UUID7_TEXT_SIZE];

    make_varied(f, ids);
    {
        const struct {
            struct store_filter filter;
            const char *expected;
        } cases[] = {
            { { .labels = &a1, .label_count = 1 }, "10" },
            { { .labels = &b, .label_count = 1 }, "31" },
            { { .labels = a2_and_b, .label_count = 2 }, "3" },
            { { .labels = &b, .label_count = 1, .states = 1u << JOB_FAILED }, "1" },
            { { .labels = &b, .label_count = 1, .name = "other" }, "" },
            { { .name = "report-1" }, "31" },
            { { .name = "report" }, "" },
            { { .name_prefix = "report" }, "31" },
            { { .text = "REPORT" }, "321" },
            { { .text = uuid7_format(ids[0], id_text) }, "0" },
            { { .created_by = "k1" }, "4" },
            { { .tenant = "t" }, "2" },
            { { .tenant = "" }, "54310" },
            { { .cause = CAUSE_EXIT_CODE }, "1" },
            { { .cause = CAUSE_SIGNAL }, "" },
            { { .cause = CAUSE_EXIT_CODE, .states = 1u << JOB_QUEUED }, "" },
            { { .batch = ids[0] }, "53" },
            { { .batch = ids[1] }, "" },
            { { .batch = uuid7_from_parts(uuid7_key(ids[0]), 1) }, "" },
            { { .batch = ids[0], .name = "other" }, "5" },
            { { .batch = uuid7_from_parts(0, 1) }, "" },
            { { .fingerprint = 7 }, "" },
            { { .created_after_us = 1 }, "543210" },
            { { .created_before_us = FIXTURE_NOW }, "" },
            { { .finished_after_us = 1 }, "5310" },
            { { .finished_before_us = FIXTURE_NOW }, "" },
        };

        for (size_t i = 0; i < COUNT_OF(cases) * 2; i++) {
            const struct store_query query = { .filter = cases[i / 2].filter,
                                               .limit = i % 2 ? 1 : 10 };
            struct store_reader *rd = get_reader(f);
            int64_t count = -1;
            bool exact = false;

            assert_lists(f, query, ids, cases[i / 2].expected);
            assert_int_equal(store_read_job_count(rd, &query.filter, &count, &exact, &f->e), 0);
            assert_int_equal(count, strlen(cases[i / 2].expected));
            assert_true(exact);
            store_reader_put(f->st, rd);
        }
    }
}

static void bounds_of_time_include_their_start_and_not_their_end(void **state)
{
    struct store_fixture *f = *state;
    struct uuid7 ids[MADE];
    struct job second;
    struct job third;

    make_varied(f, ids);
    second = store_fixture_read(f, ids[1]);
    third = store_fixture_read(f, ids[3]);
    {
        const struct store_query created = {
            .filter.created_after_us = second.created_at_us,
            .filter.created_before_us = third.created_at_us,
            .limit = 1,
        };
        struct store_query finished = { .limit = 1 };

        /* All at the same time: store_fixture_outcome(). */
        finished.filter.finished_before_us = second.finished_at_us;
        assert_lists(f, finished, ids, "");
        finished.filter.finished_before_us++;
        assert_lists(f, finished, ids, "5310");
        finished.filter.finished_after_us = second.finished_at_us;
        assert_lists(f, finished, ids, "5310");
        finished.filter.finished_after_us++;
        finished.filter.finished_before_us = 0;
        assert_lists(f, finished, ids, "");
        assert_lists(f, created, ids, "21");
    }
    job_fini(&second);
    job_fini(&third);
}

static void every_order_pages_without_a_gap_and_puts_what_has_not_happened_last(void **state)
{
    static const struct {
        enum store_sort sort;
        bool ascending;
        const char *expected;
    } cases[] = {
        { STORE_BY_CREATED, false, "543210" },  { STORE_BY_CREATED, true, "012345" },
        { STORE_BY_PRIORITY, false, "215403" }, { STORE_BY_PRIORITY, true, "304512" },
        { STORE_BY_FINISHED, false, "531042" }, { STORE_BY_FINISHED, true, "013524" },
        { STORE_BY_STARTED, false, "543102" },  { STORE_BY_STARTED, true, "013452" },
        { STORE_BY_UPDATED, false, "543210" },  { STORE_BY_QUEUED, true, "012345" },
    };
    struct store_fixture *f = *state;
    struct uuid7 ids[MADE];

    make_varied(f, ids);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t limit = 1; limit <= MADE; limit++)
            assert_lists(f,
                         (struct store_query){ .sort = cases[i].sort,
                                               .ascending = cases[i].ascending,
                                               .limit = limit },
                         ids, cases[i].expected);
}

static void more_than_can_be_sorted_is_refused_and_counted_in_part(void **state)
{
    struct store_fixture *f = *state;
    struct store_query query = { .sort = STORE_BY_PRIORITY, .limit = 1 };
    AUTO_FINI(store_page) struct store_page page = { 0 };
    struct store_reader *rd;

    (void)make_haystack(f, STORE_LIST_SCAN_MAX);
    rd = get_reader(f);
    assert_int_equal(store_read_jobs(rd, &query, &page, &f->e), ERR_SORT_TOO_LARGE);
    assert_int_equal(page.count, 0);
    query.filter.states = 1u << JOB_FAILED;
    assert_int_equal(store_read_jobs(rd, &query, &page, &f->e), 0);
    store_reader_put(f->st, rd);
}

static void labels_follow_the_job(void **state)
{
    static const struct store_label a1 = { "a", "1" };
    static const struct store_label a3 = { "a", "3" };
    struct store_fixture *f = *state;
    struct store_query old = { .filter.labels = &a1, .filter.label_count = 1, .limit = 9 };
    struct store_query new = { .filter.labels = &a3, .filter.label_count = 1, .limit = 9 };
    struct uuid7 ids[MADE] = { 0 };
    struct job job = store_fixture_job(f);
    int attempts;

    store_fixture_set(&job.payload, "{\"labels\":{\"a\":\"1\",\"b\":\"2\"}}");
    job.payload_len = strlen(job.payload);
    ids[0] = store_fixture_insert(f, &job);
    job = store_fixture_read(f, ids[0]);
    store_fixture_set(&job.payload, "{\"labels\":{\"a\":\"3\"}}");
    job.payload_len = strlen(job.payload);
    store_fixture_begin(f);
    assert_int_equal(store_job_rewrite(f->st, &job, job.version + 1, f->now_us, &f->e),
                     ERR_NOT_FOUND);
    store_fixture_commit(f);
    assert_lists(f, old, ids, "0");
    store_fixture_begin(f);
    assert_int_equal(store_job_rewrite(f->st, &job, job.version, f->now_us, &f->e), 0);
    store_fixture_commit(f);
    assert_lists(f, old, ids, "");
    assert_lists(f, new, ids, "0");
    store_fixture_begin(f);
    assert_int_equal(store_job_cancel_waiting(f->st, ids[0], NULL, f->now_us, &f->e), 0);
    assert_int_equal(store_job_remove(f->st, ids[0], false, f->now_us, &attempts, &f->e), 0);
    store_fixture_commit(f);
    assert_lists(f, new, ids, "");
    job_fini(&job);
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
        TEST(every_filter_holds_alone_and_with_others),
        TEST(bounds_of_time_include_their_start_and_not_their_end),
        TEST(every_order_pages_without_a_gap_and_puts_what_has_not_happened_last),
        TEST(more_than_can_be_sorted_is_refused_and_counted_in_part),
        TEST(labels_follow_the_job),
    };
    int failed = 0;

    for (size_t i = 0; i < store_fixture_backend_count; i++) {
        store_fixture_use(store_fixture_backends[i]);
        failed += cmocka_run_group_tests_name(store_fixture_backends[i], tests, NULL, NULL);
    }
    return failed;
}
