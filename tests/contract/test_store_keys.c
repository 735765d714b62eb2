#include "tests/support/test.h"

#include "store/store.h"

#include <string.h>

#include "base/mem.h"
#include "tests/support/store_fixture.h"

/* clang-format off */
#define TEST(f) cmocka_unit_test_setup_teardown(f, store_fixture_setup, store_fixture_teardown)
/* clang-format on */

/* A key that allows what the words say, inserted and committed; its id goes to ret_id. */
static void insert(struct store_fixture *f, const char *name, const char *words,
                   char ret_id[API_KEY_ID_SIZE])
{
    AUTO_FINI(api_key) struct api_key key = { .name = mem_str(name) };
    char token[API_KEY_TOKEN_SIZE];

    api_key_draw(&key, token);
    key.created_at_us = f->now_us++;
    key.expires_at_us = FIXTURE_NOW * 2;
    assert_int_equal(grant_parse(&key.grant, words, &f->e), 0);
    store_fixture_begin(f);
    assert_int_equal(store_api_key_insert(f->st, &key, &f->e), 0);
    store_fixture_commit(f);
    memcpy(ret_id, key.id, sizeof key.id);
}

static struct api_keys read_all(struct store_fixture *f, int64_t *ret_version)
{
    struct store_reader *rd = NULL;
    struct api_keys keys = { 0 };

    assert_int_equal(store_reader_get(f->st, &rd, &f->e), 0);
    assert_int_equal(store_read_api_keys(rd, &keys, ret_version, &f->e), 0);
    store_reader_put(f->st, rd);
    return keys;
}

static int64_t version(struct store_fixture *f)
{
    struct store_reader *rd = NULL;
    int64_t number = -1;

    assert_int_equal(store_reader_get(f->st, &rd, &f->e), 0);
    assert_int_equal(store_read_api_key_version(rd, &number, &f->e), 0);
    store_reader_put(f->st, rd);
    return number;
}

static void a_new_ledger_has_no_keys(void **state)
{
    struct store_fixture *f = *state;
    int64_t number;
    AUTO_FINI(api_keys) struct api_keys keys = read_all(f, &number);

    assert_int_equal(keys.count, 0);
    assert_int_equal(number, version(f));
}

static void a_key_is_read_as_it_was_inserted(void **state)
{
    struct store_fixture *f = *state;
    char id[API_KEY_ID_SIZE], other[API_KEY_ID_SIZE];
    int64_t number, before = version(f);
    struct api_keys keys;

    insert(f, "first",
           "tenant=acme scopes=jobs:read,logs:read functions=a,b queues=q rate=5/60", id);
    insert(f, "", "", other);
    store_fixture_reopen(f);
    keys = read_all(f, &number);
    assert_true(number > before);
    assert_int_equal(keys.count, 2);
    assert_string_equal(keys.items[0].id, id);
    assert_string_equal(keys.items[0].name, "first");
    assert_string_equal(keys.items[0].grant.tenant, "acme");
    assert_int_equal(keys.items[0].grant.scopes,
                     GRANT_SCOPE(SCOPE_JOBS_READ) | GRANT_SCOPE(SCOPE_LOGS_READ));
    assert_int_equal(keys.items[0].grant.functions.count, 2);
    assert_true(name_set_has(&keys.items[0].grant.functions, "b"));
    assert_false(name_set_has(&keys.items[0].grant.queues, "b"));
    assert_true(name_set_has(&keys.items[0].grant.queues, "q"));
    assert_int_equal(keys.items[0].grant.rate, 5);
    assert_int_equal(keys.items[0].grant.rate_seconds, 60);
    assert_int_equal(keys.items[0].expires_at_us, FIXTURE_NOW * 2);
    assert_int_equal(keys.items[0].revoked_at_us, 0);
    assert_string_equal(keys.items[1].id, other);
    assert_string_equal(keys.items[1].grant.tenant, "");
    assert_int_equal(keys.items[1].grant.scopes, 0);
    assert_int_equal(keys.items[1].grant.functions.count, 0);
    api_keys_fini(&keys);
}

static int revoke(struct store_fixture *f, const char *tenant, const char *id, usec_t at_us)
{
    int r;

    store_fixture_begin(f);
    r = store_api_key_revoke(f->st, tenant, id, at_us, &f->e);
    store_fixture_commit(f);
    return r;
}

static void a_key_is_revoked_once(void **state)
{
    struct store_fixture *f = *state;
    char id[API_KEY_ID_SIZE];
    int64_t number, before;
    struct api_keys keys;

    insert(f, "x", "tenant=acme", id);
    before = version(f);
    assert_int_equal(revoke(f, "acme", id, 7), 0);
    assert_true(version(f) > before);
    assert_int_equal(revoke(f, NULL, id, 9), 0);
    keys = read_all(f, &number);
    assert_int_equal(keys.items[0].revoked_at_us, 7);
    assert_false(api_key_is_good(&keys.items[0], 6));
    api_keys_fini(&keys);
}

static void a_key_that_is_not_there_or_another_tenants_cannot_be_changed(void **state)
{
    struct store_fixture *f = *state;
    struct api_key key = { 0 };
    char id[API_KEY_ID_SIZE];
    int64_t before;

    insert(f, "x", "tenant=acme", id);
    memcpy(key.id, id, sizeof id);
    before = version(f);
    assert_int_equal(revoke(f, NULL, "0123456789AB", 7), ERR_KEY_NOT_FOUND);
    assert_int_equal(revoke(f, "", id, 7), ERR_KEY_NOT_FOUND);
    store_fixture_begin(f);
    assert_int_equal(store_api_key_rotate(f->st, "other", &key, &f->e), ERR_KEY_NOT_FOUND);
    store_fixture_commit(f);
    assert_int_equal(version(f), before);
}

static void a_rotated_key_has_another_hash(void **state)
{
    struct store_fixture *f = *state;
    AUTO_FINI(api_key) struct api_key key = { 0 };
    char token[API_KEY_TOKEN_SIZE];
    int64_t number, before;
    struct api_keys keys;

    insert(f, "x", "", key.id);
    before = version(f);
    api_key_draw_secret(&key, token);
    store_fixture_begin(f);
    assert_int_equal(store_api_key_rotate(f->st, "", &key, &f->e), 0);
    store_fixture_commit(f);
    keys = read_all(f, &number);
    assert_true(number > before);
    assert_memory_equal(keys.items[0].secret_hash, key.secret_hash, SHA256_BYTES);
    api_keys_fini(&keys);
    assert_int_equal(revoke(f, NULL, key.id, 7), 0);
    store_fixture_begin(f);
    assert_int_equal(store_api_key_rotate(f->st, "", &key, &f->e), ERR_KEY_NOT_FOUND);
    store_fixture_commit(f);
}

static void a_use_is_kept_and_changes_no_version(void **state)
{
    struct store_fixture *f = *state;
    char id[API_KEY_ID_SIZE];
    int64_t number, before;
    struct api_keys keys;

    insert(f, "x", "", id);
    before = version(f);
    store_fixture_begin(f);
    assert_int_equal(store_api_key_used(f->st, id, 50, &f->e), 0);
    assert_int_equal(store_api_key_used(f->st, id, 40, &f->e), 0);
    assert_int_equal(store_api_key_used(f->st, "0123456789AB", 40, &f->e), 0);
    store_fixture_commit(f);
    keys = read_all(f, &number);
    assert_int_equal(keys.items[0].last_used_at_us, 50);
    assert_int_equal(number, before);
    api_keys_fini(&keys);
}

static void another_process_may_add_a_key_beside_the_writer(void **state)
{
    struct store_fixture *f = *state;
    struct store_conf conf = { .data_dir = f->dir, .beside_another = true };
    struct store *own = f->st;
    struct store *other = NULL;
    struct uuid7 id;
    char key[API_KEY_ID_SIZE];
    struct job job;
    int64_t before = version(f);

    assert_int_equal(store_open(f->backend, &conf, &other, &f->e), 0);
    f->st = other;
    insert(f, "from outside", "", key);
    f->st = own;
    assert_true(version(f) > before);
    job = store_fixture_job(f);
    id = store_fixture_make(f, &job, JOB_QUEUED);
    assert_int_equal(store_fixture_state(f, id), JOB_QUEUED);
    (void)store_free(other);
}

static void beside_nobody_there_is_no_schema_to_use(void **state)
{
    struct store_fixture *f = *state;
    struct store_conf conf = { .beside_another = true };
    char dir[] = "/tmp/jobd-keys-XXXXXX";
    AUTO(mem) char *path = NULL;
    struct store *st = NULL;

    assert_non_null(mkdtemp(dir));
    conf.data_dir = dir;
    assert_int_equal(store_open(f->backend, &conf, &st, &f->e), ERR_AGAIN);
    assert_null(st);
    path = mem_printf("%s/jobd.db", dir);
    (void)remove(path);
    (void)remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_ledger_has_no_keys),
        TEST(a_key_is_read_as_it_was_inserted),
        TEST(a_key_is_revoked_once),
        TEST(a_key_that_is_not_there_or_another_tenants_cannot_be_changed),
        TEST(a_rotated_key_has_another_hash),
        TEST(a_use_is_kept_and_changes_no_version),
        TEST(another_process_may_add_a_key_beside_the_writer),
        TEST(beside_nobody_there_is_no_schema_to_use),
    };
    int failed = 0;

    for (size_t i = 0; i < store_fixture_backend_count; i++) {
        store_fixture_use(store_fixture_backends[i]);
        failed += cmocka_run_group_tests_name(store_fixture_backends[i], tests, NULL, NULL);
    }
    return failed;
}
