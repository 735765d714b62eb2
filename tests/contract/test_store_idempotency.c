/* Requests with an Idempotency-Key, as every backend must remember them. */
#include "tests/support/test.h"

#include "store/store.h"

#include <string.h>

#include "base/mem.h"
#include "tests/support/store_fixture.h"

/* clang-format off */
#define TEST(f) cmocka_unit_test_setup_teardown(f, store_fixture_setup, store_fixture_teardown)
/* clang-format on */

/* A record of the scope that consists of this character. */
static struct idempotency_record record_of(char scope, usec_t created_at_us)
{
    struct idempotency_record record = { .created_at_us = created_at_us,
                                         .status = 202,
                                         .location = mem_str("/v1/jobs/1"),
                                         .answer = mem_dup("a\0b", 3),
                                         .answer_len = 3 };

    (void)memset(record.scope, scope, sizeof record.scope);
    (void)memset(record.fingerprint, scope + 1, sizeof record.fingerprint);
    return record;
}

static void insert(struct store_fixture *f, char scope, usec_t created_at_us)
{
    AUTO_FINI(idempotency_record)
    struct idempotency_record record = record_of(scope, created_at_us);

    store_fixture_begin(f);
    assert_int_equal(store_idempotency_insert(f->st, &record, &f->e), 0);
    store_fixture_commit(f);
}

static int find(struct store_fixture *f, char scope, struct idempotency_record *ret_record)
{
    struct store_reader *rd = NULL;
    unsigned char digest[SHA256_BYTES];
    int r;

    (void)memset(digest, scope, sizeof digest);
    assert_int_equal(store_reader_get(f->st, &rd, &f->e), 0);
    r = store_read_idempotency(rd, digest, ret_record, &f->e);
    store_reader_put(f->st, rd);
    return r;
}

static bool is_there(struct store_fixture *f, char scope)
{
    AUTO_FINI(idempotency_record) struct idempotency_record record = { 0 };
    int r = find(f, scope, &record);

    assert_true(r == 0 || r == ERR_NOT_FOUND);
    return r == 0;
}

static int expire(struct store_fixture *f, usec_t until_us, size_t max, usec_t *ret_oldest_us)
{
    int removed;

    store_fixture_begin(f);
    removed = store_idempotency_expire(f->st, until_us, max, ret_oldest_us, &f->e);
    store_fixture_commit(f);
    return removed;
}

static void an_answer_is_found_by_its_scope(void **state)
{
    struct store_fixture *f = *state;
    AUTO_FINI(idempotency_record) struct idempotency_record found = { 0 };
    unsigned char fingerprint[SHA256_BYTES];

    insert(f, 'a', 5);
    insert(f, 'c', 6);
    assert_int_equal(find(f, 'b', &found), ERR_NOT_FOUND);
    store_fixture_reopen(f);
    assert_int_equal(find(f, 'a', &found), 0);
    (void)memset(fingerprint, 'b', sizeof fingerprint);
    assert_memory_equal(found.fingerprint, fingerprint, SHA256_BYTES);
    assert_int_equal(found.created_at_us, 5);
    assert_int_equal(found.status, 202);
    assert_string_equal(found.location, "/v1/jobs/1");
    assert_null(found.etag);
    assert_int_equal(found.answer_len, 3);
    assert_memory_equal(found.answer, "a\0b", 3);
}

static void an_empty_answer_is_kept_as_one(void **state)
{
    struct store_fixture *f = *state;
    AUTO_FINI(idempotency_record) struct idempotency_record record = { .status = 204 };
    AUTO_FINI(idempotency_record) struct idempotency_record found = { 0 };

    store_fixture_begin(f);
    assert_int_equal(store_idempotency_insert(f->st, &record, &f->e), 0);
    store_fixture_commit(f);
    assert_int_equal(find(f, '\0', &found), 0);
    assert_int_equal(found.status, 204);
    assert_int_equal(found.answer_len, 0);
}

static void it_goes_with_its_transaction(void **state)
{
    struct store_fixture *f = *state;
    AUTO_FINI(idempotency_record) struct idempotency_record record = record_of('a', 5);

    store_fixture_begin(f);
    assert_int_equal(store_idempotency_insert(f->st, &record, &f->e), 0);
    store_rollback(f->st);
    assert_false(is_there(f, 'a'));
}

static void a_second_answer_replaces_the_first_and_is_the_youngest(void **state)
{
    struct store_fixture *f = *state;
    AUTO_FINI(idempotency_record) struct idempotency_record found = { 0 };
    usec_t oldest_us;

    insert(f, 'a', 5);
    insert(f, 'b', 6);
    insert(f, 'a', 7);
    assert_int_equal(find(f, 'a', &found), 0);
    assert_int_equal(found.created_at_us, 7);
    assert_int_equal(expire(f, 6, 1, &oldest_us), 1);
    assert_int_equal(oldest_us, 7);
    assert_false(is_there(f, 'b'));
    assert_true(is_there(f, 'a'));
}

static void the_oldest_are_forgotten_a_few_at_a_time(void **state)
{
    struct store_fixture *f = *state;
    usec_t oldest_us = -1;

    assert_int_equal(expire(f, 100, 3, &oldest_us), 0);
    assert_int_equal(oldest_us, 0);
    for (int i = 0; i < 6; i++)
        insert(f, (char)('a' + i), 10 + i);
    assert_int_equal(expire(f, 9, 3, &oldest_us), 0);
    assert_int_equal(oldest_us, 10);
    assert_int_equal(expire(f, 14, 3, &oldest_us), 3);
    assert_int_equal(oldest_us, 13);
    assert_int_equal(expire(f, 14, 3, &oldest_us), 2);
    assert_int_equal(oldest_us, 15);
    assert_false(is_there(f, 'e'));
    assert_true(is_there(f, 'f'));
    assert_int_equal(expire(f, 15, 3, &oldest_us), 1);
    assert_int_equal(oldest_us, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_is_found_by_its_scope),
        TEST(an_empty_answer_is_kept_as_one),
        TEST(it_goes_with_its_transaction),
        TEST(a_second_answer_replaces_the_first_and_is_the_youngest),
        TEST(the_oldest_are_forgotten_a_few_at_a_time),
    };
    int failed = 0;

    for (size_t i = 0; i < store_fixture_backend_count; i++) {
        store_fixture_use(store_fixture_backends[i]);
        failed += cmocka_run_group_tests_name(store_fixture_backends[i], tests, NULL, NULL);
    }
    return failed;
}
