#include "tests/support/test.h"

#include "server/keyring.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "tests/support/store_fixture.h"

/* clang-format off */
#define TEST(f) cmocka_unit_test_setup_teardown(f, store_fixture_setup, store_fixture_teardown)
/* clang-format on */

#define THREADS 4

static unsigned uses;

static void note_use(void *ctx, const char *id, usec_t at_us)
{
    (void)ctx;
    (void)id;
    assert_int_not_equal(at_us, 0);
    uses++;
}

static struct keyring *open_keyring(struct store_fixture *f)
{
    const struct keyring_conf conf = { .store = f->st, .note_use = note_use };
    struct keyring *k = NULL;

    uses = 0;
    assert_int_equal(keyring_new(&conf, &k, &f->e), 0);
    return k;
}

/* Make a key and write it to the ledger; its id goes to ret_id. */
static void make(struct store_fixture *f, usec_t expires_at_us, char ret_id[API_KEY_ID_SIZE],
                 char token[API_KEY_TOKEN_SIZE])
{
    AUTO_FINI(api_key)
    struct api_key key = { .name = mem_str("x"), .expires_at_us = expires_at_us };

    assert_int_equal(grant_parse(&key.grant, "tenant=acme scopes=jobs:read", NULL), 0);
    api_key_draw(&key, token);
    memcpy(ret_id, key.id, sizeof key.id);
    store_fixture_begin(f);
    assert_int_equal(store_api_key_insert(f->st, &key, &f->e), 0);
    store_fixture_commit(f);
}

static void a_key_that_was_made_meanwhile_is_known_at_once(void **state)
{
    struct store_fixture *f = *state;
    AUTO(keyring) struct keyring *k = open_keyring(f);
    char id[API_KEY_ID_SIZE], token[API_KEY_TOKEN_SIZE];
    struct caller *c;

    assert_false(keyring_has_keys(k));
    make(f, 0, id, token);
    c = keyring_find(k, token, 1);
    assert_non_null(c);
    assert_string_equal(caller_principal(c)->key_id, id);
    assert_string_equal(caller_principal(c)->tenant, "acme");
    assert_true(keyring_has_keys(k));
    (void)caller_unref(c);
}

static void a_wrong_secret_and_an_expired_key_are_nobody(void **state)
{
    struct store_fixture *f = *state;
    char id[API_KEY_ID_SIZE], token[API_KEY_TOKEN_SIZE];
    AUTO(keyring) struct keyring *k = NULL;
    struct caller *c;

    make(f, 1000, id, token);
    k = open_keyring(f);
    assert_true(keyring_has_keys(k));
    c = keyring_find(k, token, 999);
    assert_non_null(c);
    (void)caller_unref(c);
    assert_null(keyring_find(k, token, 1000));
    token[API_KEY_TOKEN_LEN - 1] = token[API_KEY_TOKEN_LEN - 1] == 'a' ? 'b' : 'a';
    assert_null(keyring_find(k, token, 1));
    assert_null(keyring_find(k, "", 1));
}

static void who_holds_a_caller_hears_of_the_revocation(void **state)
{
    struct store_fixture *f = *state;
    AUTO(keyring) struct keyring *k = open_keyring(f);
    char id[API_KEY_ID_SIZE], token[API_KEY_TOKEN_SIZE], other[API_KEY_TOKEN_SIZE];
    char other_id[API_KEY_ID_SIZE];
    struct caller *c, *stays;

    make(f, 0, id, token);
    make(f, 0, other_id, other);
    c = keyring_find(k, token, 1);
    stays = keyring_find(k, other, 1);
    store_fixture_begin(f);
    assert_int_equal(store_api_key_revoke(f->st, NULL, id, 5, &f->e), 0);
    store_fixture_commit(f);
    assert_null(keyring_find(k, "jobd_0123456789AB_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg",
                             1)); /* looks at the ledger */
    assert_null(keyring_find(k, token, 1));
    assert_false(principal_is_good(caller_principal(c), 1));
    assert_true(principal_is_good(caller_principal(stays), 1));
    assert_string_equal(caller_principal(c)->tenant, "acme"); /* lives as long as it is held */
    assert_true(keyring_has_keys(k));
    (void)caller_unref(c);
    (void)caller_unref(stays);
}

static void a_use_is_noted_once_in_a_while(void **state)
{
    struct store_fixture *f = *state;
    char id[API_KEY_ID_SIZE], token[API_KEY_TOKEN_SIZE];
    AUTO(keyring) struct keyring *k = NULL;
    usec_t at_us = KEYRING_USE_US * 10;

    make(f, 0, id, token);
    k = open_keyring(f);
    for (int i = 0; i < 100; i++)
        (void)caller_unref(keyring_find(k, token, at_us + i));
    assert_int_equal(uses, 1);
    (void)caller_unref(keyring_find(k, token, at_us + KEYRING_USE_US));
    assert_int_equal(uses, 2);
}

static void keys_of_a_file_are_there_as_well(void **state)
{
    struct store_fixture *f = *state;
    struct keyring_conf conf = { .store = f->st };
    struct api_key *key = mem_new0(sizeof *key);
    char token[API_KEY_TOKEN_SIZE];
    AUTO(keyring) struct keyring *k = NULL;
    struct caller *c;

    key->name = mem_str("");
    api_key_draw(key, token);
    conf.fixed = (struct api_keys){ key, 1 };
    assert_int_equal(keyring_new(&conf, &k, &f->e), 0);
    c = keyring_find(k, token, 1);
    assert_non_null(c);
    (void)caller_unref(c);
}

struct asking {
    struct keyring *k;
    const char *token;
    atomic_bool *stop;
};

static void *ask(void *arg)
{
    const struct asking *a = arg;

    while (!atomic_load(a->stop)) {
        struct caller *c = keyring_find(a->k, a->token, 1);

        if (c && strcmp(caller_principal(c)->tenant, "acme") != 0)
            return arg;
        (void)caller_unref(c);
    }
    return NULL;
}

/* For the thread sanitizer, too. */
static void threads_ask_while_the_set_changes(void **state)
{
    struct store_fixture *f = *state;
    AUTO(keyring) struct keyring *k = NULL;
    char id[API_KEY_ID_SIZE], token[API_KEY_TOKEN_SIZE], more[API_KEY_TOKEN_SIZE];
    const struct keyring_conf conf = { .store = f->st };
    atomic_bool stop = false;
    struct asking asking = { .token = token, .stop = &stop };
    pthread_t threads[THREADS];

    make(f, 0, id, token);
    assert_int_equal(keyring_new(&conf, &k, &f->e), 0);
    asking.k = k;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &asking), 0);
    for (int i = 0; i < 50; i++) {
        make(f, 0, id, more);
        (void)caller_unref(keyring_find(k, more, 1));
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < THREADS; i++) {
        void *bad;

        assert_int_equal(pthread_join(threads[i], &bad), 0);
        assert_null(bad);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_that_was_made_meanwhile_is_known_at_once),
        TEST(a_wrong_secret_and_an_expired_key_are_nobody),
        TEST(who_holds_a_caller_hears_of_the_revocation),
        TEST(a_use_is_noted_once_in_a_while),
        TEST(keys_of_a_file_are_there_as_well),
        TEST(threads_ask_while_the_set_changes),
    };

    store_fixture_use(store_fixture_backends[0]);
    return cmocka_run_group_tests_name("server/keyring", tests, NULL, NULL);
}
