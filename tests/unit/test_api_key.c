#include "tests/support/test.h"

#include "domain/api_key.h"

#include <stdio.h>
#include <string.h>

static void a_drawn_key_is_known_by_its_token(void **state)
{
    AUTO_FINI(api_key) struct api_key key = { 0 };
    char token[API_KEY_TOKEN_SIZE];
    char id[API_KEY_ID_SIZE];
    unsigned char hash[SHA256_BYTES];

    (void)state;
    api_key_draw(&key, token);
    assert_int_equal(strlen(token), API_KEY_TOKEN_LEN);
    assert_memory_equal(token, "jobd_", 5);
    assert_true(api_key_parse(token, id, hash));
    assert_string_equal(id, key.id);
    assert_true(api_key_is_id(id));
    assert_memory_equal(hash, key.secret_hash, sizeof hash);
}

static void another_secret_is_another_token_of_the_same_key(void **state)
{
    AUTO_FINI(api_key) struct api_key key = { 0 };
    char token[API_KEY_TOKEN_SIZE], second[API_KEY_TOKEN_SIZE];
    unsigned char before[SHA256_BYTES];

    (void)state;
    api_key_draw(&key, token);
    memcpy(before, key.secret_hash, sizeof before);
    api_key_draw_secret(&key, second);
    assert_memory_equal(token, second, 5 + API_KEY_ID_LEN + 1);
    assert_string_not_equal(token, second);
    assert_memory_not_equal(before, key.secret_hash, sizeof before);
}

/* printf %s 0..g | sha256sum */
static void the_hash_is_that_of_the_secret_alone(void **state)
{
    static const char token[] = "jobd_0123456789AB_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg";
    static const unsigned char want[] = {
        0x71, 0xd8, 0x4b, 0x18, 0x59, 0xba, 0xd1, 0x1a, 0xbc, 0xb3, 0xdf,
        0xd9, 0x35, 0x3c, 0x8d, 0x18, 0x73, 0xaa, 0xfd, 0x88, 0x3f, 0xfa,
        0xf6, 0xf2, 0xc9, 0xdf, 0x7c, 0xbc, 0xfc, 0x3e, 0x18, 0x50,
    };
    unsigned char hash[SHA256_BYTES];
    char id[API_KEY_ID_SIZE];

    (void)state;
    assert_true(api_key_parse(token, id, hash));
    assert_string_equal(id, "0123456789AB");
    assert_memory_equal(hash, want, sizeof want);
}

static void what_has_not_the_form_is_no_token(void **state)
{
    static const char *const bad[] = {
        "",
        "jobd_",
        "jobd",
        "jobd_0123456789AB",
        "jobd_0123456789AB_",
        "jobd_0123456789AB_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef",
        "jobd_0123456789AB_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefgh",
        "jobd_0123456789A_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg",
        "jobd_0123456789ABC_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg",
        "jobd_0123456789AB-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg",
        "jobd_0123456789A-_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg",
        "jobd_0123456789AB_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcde-g",
        "Jobd_0123456789AB_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg",
        " jobd_0123456789AB_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg",
        "jobd_0123456789AB_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg ",
    };
    unsigned char hash[SHA256_BYTES];
    char id[API_KEY_ID_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(api_key_parse(bad[i], id, hash));
    assert_false(api_key_is_id(""));
    assert_false(api_key_is_id("0123456789A"));
    assert_false(api_key_is_id("0123456789ABC"));
    assert_false(api_key_is_id("0123456789A_"));
}

static void a_key_is_good_until_it_expires_or_is_revoked(void **state)
{
    struct api_key key = { 0 };

    (void)state;
    assert_true(api_key_is_good(&key, 100));
    key.expires_at_us = 100;
    assert_true(api_key_is_good(&key, 99));
    assert_false(api_key_is_good(&key, 100));
    key.expires_at_us = 0;
    key.revoked_at_us = 1;
    assert_false(api_key_is_good(&key, 99));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drawn_key_is_known_by_its_token),
        cmocka_unit_test(another_secret_is_another_token_of_the_same_key),
        cmocka_unit_test(the_hash_is_that_of_the_secret_alone),
        cmocka_unit_test(what_has_not_the_form_is_no_token),
        cmocka_unit_test(a_key_is_good_until_it_expires_or_is_revoked),
    };

    return cmocka_run_group_tests_name("domain/api_key", tests, NULL, NULL);
}
