#include "tests/support/test.h"

#include "base/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct token_key key = { "a key of up to thirty-one bytes" };
static const struct token_key other_key = { "another key of another wording" };

static void a_token_opens_with_its_key_and_context(void **state)
{
    char text[TOKEN_TEXT_SIZE];
    char block[8];

    (void)state;
    assert_ptr_equal(token_make(&key, "jobs", "12345678", 8, text), text);
    assert_true(token_open(&key, "jobs", text, block, 8));
    assert_memory_equal(block, "12345678", 8);
}

static void a_token_is_safe_in_a_query(void **state)
{
    char text[TOKEN_TEXT_SIZE];
    unsigned char block[TOKEN_BYTES_MAX];

    (void)state;
    memset(block, 0xff, sizeof block);
    (void)token_make(&key, "", block, sizeof block, text);
    assert_int_equal(strlen(text), TOKEN_TEXT_SIZE - 1);
    assert_int_equal(strspn(text,
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                            "0123456789-_"),
                     strlen(text));
}

static void another_key_context_or_length_does_not_open_it(void **state)
{
    char text[TOKEN_TEXT_SIZE];
    char block[9];

    (void)state;
    (void)token_make(&key, "jobs", "12345678", 8, text);
    assert_false(token_open(&other_key, "jobs", text, block, 8));
    assert_false(token_open(&key, "job", text, block, 8));
    assert_false(token_open(&key, "jobs1", text, block, 8));
    assert_false(token_open(&key, "jobs", text, block, 7));
    assert_false(token_open(&key, "jobs", text, block, 9));
}

static void no_character_may_be_changed_added_or_dropped(void **state)
{
    char text[TOKEN_TEXT_SIZE];
    char bad[TOKEN_TEXT_SIZE + 1];
    char block[8];
    size_t len;

    (void)state;
    (void)token_make(&key, "jobs", "12345678", 8, text);
    len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        memcpy(bad, text, len + 1);
        bad[i] = bad[i] == 'A' ? 'B' : 'A';
        assert_false(token_open(&key, "jobs", bad, block, 8));
        bad[i] = '\0';
        assert_false(token_open(&key, "jobs", bad, block, 8));
    }
    for (const char *add = "A=.+/ \n"; *add; add++) {
        (void)snprintf(bad, sizeof bad, "%s%c", text, *add);
        assert_false(token_open(&key, "jobs", bad, block, 8));
    }
    assert_false(token_open(&key, "jobs", "", block, 8));
}

static void a_key_is_made_once_and_then_found_again(void **state)
{
    char dir[] = "/tmp/jobd-token-XXXXXX";
    char path[64];
    struct token_key first;
    struct token_key second;
    struct errinfo e;
    struct stat st;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/token.key", dir);
    assert_int_equal(token_key_load(path, &first, &e), 0);
    assert_int_equal(token_key_load(path, &second, &e), 0);
    assert_memory_equal(first.bytes, second.bytes, TOKEN_KEY_BYTES);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(token_key_load(path, &second, &e), 0);
    assert_memory_not_equal(first.bytes, second.bytes, TOKEN_KEY_BYTES);

    assert_int_equal(truncate(path, TOKEN_KEY_BYTES - 1), 0);
    assert_int_equal(token_key_load(path, &second, &e), ERR_CONFIG);
    assert_int_equal(truncate(path, TOKEN_KEY_BYTES + 1), 0);
    assert_int_equal(token_key_load(path, &second, &e), ERR_CONFIG);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(token_key_load("/nowhere/at/all", &second, &e), ERR_SYS);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_opens_with_its_key_and_context),
        cmocka_unit_test(a_token_is_safe_in_a_query),
        cmocka_unit_test(another_key_context_or_length_does_not_open_it),
        cmocka_unit_test(no_character_may_be_changed_added_or_dropped),
        cmocka_unit_test(a_key_is_made_once_and_then_found_again),
    };

    return cmocka_run_group_tests_name("base/token", tests, NULL, NULL);
}
