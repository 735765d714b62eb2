/* A disk without room: what is said, what is kept, and that it ends. */
#include "tests/support/test.h"

#include "store/sqlite/sq.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/sys.h"
#include "tests/support/store_fixture.h"

/* clang-format off */
#define TEST(f) cmocka_unit_test_setup_teardown(f, store_fixture_setup, store_fixture_teardown)
/* clang-format on */

#define PAYLOAD_BYTES 100000

static int insert(struct store_fixture *f, struct uuid7 *ret_id)
{
    AUTO_FINI(job) struct job job = store_fixture_job(f);
    AUTO(mem) char *text = mem_new0(PAYLOAD_BYTES + 1);

    memset(text, 'x', PAYLOAD_BYTES);
    store_fixture_set(&job.payload, text);
    job.payload_len = PAYLOAD_BYTES;
    *ret_id = job.id;
    return store_job_insert(f->st, &job, &f->e);
}

/* One job in a transaction of its own. */
static int submit(struct store_fixture *f, struct uuid7 *ret_id)
{
    int r;

    store_fixture_begin(f);
    r = insert(f, ret_id);
    if (r < 0) {
        store_rollback(f->st);
        return r;
    }
    return store_commit(f->st, &f->e);
}

static int64_t ask(struct store_fixture *f, const char *sql)
{
    int64_t number = -1;

    assert_int_equal(db_query_i64(sq_of(f->st)->db, sql, &number, &f->e), 0);
    return number;
}

/* Submit until there is no room: what was refused is not there, what was accepted is. */
static int fill_up(struct store_fixture *f)
{
    struct uuid7 last = { 0 };
    struct uuid7 id;
    struct job job;
    int accepted = 0;
    int r;

    while ((r = submit(f, &id)) == 0) {
        last = id;
        assert_in_range(++accepted, 1, 1000);
    }
    if (r != ERR_STORAGE_FULL)
        fail_msg("%d %s", r, f->e.text);
    assert_true(accepted > 0);
    store_fixture_begin(f);
    assert_int_equal(store_job_get(f->st, id, &job, &f->e), ERR_JOB_NOT_FOUND);
    store_fixture_commit(f);
    assert_int_equal(store_fixture_state(f, last), JOB_QUEUED);
    return accepted;
}

static void check_recovery(struct store_fixture *f, int accepted)
{
    struct uuid7 id;

    assert_int_equal(submit(f, &id), 0);
    assert_int_equal(store_fixture_state(f, id), JOB_QUEUED);
    assert_int_equal(ask(f, "SELECT count(*) FROM job"), accepted + 1);
    assert_int_equal(ask(f, "SELECT max(change_seq) FROM job"), accepted + 1);
    assert_int_equal(ask(f, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
    store_fixture_reopen(f);
    assert_int_equal(ask(f, "SELECT count(*) FROM job"), accepted + 1);
}

static void a_full_database_says_so_and_goes_on_when_there_is_room(void **state)
{
    struct store_fixture *f = *state;
    int accepted;

    assert_int_equal(ask(f, "PRAGMA max_page_count = 200"), 200);
    accepted = fill_up(f);
    (void)ask(f, "PRAGMA max_page_count = 1000000");
    check_recovery(f, accepted);
}

/* The log cannot grow: the error comes from the system, at the commit. */
static void a_full_disk_says_so_and_goes_on_when_there_is_room(void **state)
{
    struct store_fixture *f = *state;
    struct rlimit old;
    struct rlimit small;
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    struct sigaction before;
    int accepted;

    assert_int_equal(sigaction(SIGXFSZ, &ignore, &before), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 1000000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    accepted = fill_up(f);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(sigaction(SIGXFSZ, &before, NULL), 0);
    check_recovery(f, accepted);
}

static void a_transaction_that_met_a_full_disk_commits_nothing(void **state)
{
    struct store_fixture *f = *state;
    struct job job = { 0 };
    struct uuid7 first;
    struct uuid7 id;

    (void)ask(f, "PRAGMA max_page_count = 100");
    store_fixture_begin(f);
    assert_int_equal(insert(f, &first), 0);
    while (insert(f, &id) == 0)
        continue;
    (void)ask(f, "PRAGMA max_page_count = 1000000");
    assert_true(insert(f, &id) < 0); /* too late */
    assert_true(store_commit(f->st, &f->e) < 0);
    store_fixture_begin(f);
    assert_int_equal(store_job_get(f->st, first, &job, &f->e), ERR_JOB_NOT_FOUND);
    store_fixture_commit(f);
    check_recovery(f, 0);
}

static int open_errno;

static int open_fails(const char *path, int flags, mode_t mode)
{
    (void)path;
    (void)flags;
    (void)mode;
    errno = open_errno;
    return -1;
}

static void a_file_that_cannot_be_made_is_reported_with_its_reason(void **state)
{
    static const struct {
        int error;
        int code;
    } cases[] = { { ENOSPC, ERR_STORAGE_FULL },
                  { EDQUOT, ERR_STORAGE_FULL },
                  { EACCES, ERR_DATABASE } };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct store_conf conf = { .data_dir = "/nonexistent" };
        struct store *st = NULL;
        struct errinfo e;

        open_errno = cases[i].error;
        sys.open = open_fails;
        assert_int_equal(store_open("sqlite", &conf, &st, &e), cases[i].code);
        sys_reset();
        assert_non_null(strstr(e.text, strerror(cases[i].error)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_full_database_says_so_and_goes_on_when_there_is_room),
        TEST(a_full_disk_says_so_and_goes_on_when_there_is_room),
        TEST(a_transaction_that_met_a_full_disk_commits_nothing),
        cmocka_unit_test(a_file_that_cannot_be_made_is_reported_with_its_reason),
    };

    return cmocka_run_group_tests_name("store/sqlite on a full disk", tests, NULL, NULL);
}
