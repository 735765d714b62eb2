#include "tests/support/test.h"

#include "domain/idempotency.h"

#include <string.h>

#include "base/mem.h"
#include "domain/json_digest.h"
#include "domain/json_text.h"

/* -- the header -----------------------------------------------------------------------------
 */

static void a_key_is_taken_with_quotes_and_without(void **state)
{
    static const struct {
        const char *value;
        const char *key;
    } cases[] = {
        { "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", "8e03978e-40d5-43dd-bc93-6894a57f9324" },
        { "8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324" },
        { "\"a\\\"b\\\\c\"", "a\"b\\c" },
        { "\"a,b;c\"", "a,b;c" },
        { "!~", "!~" },
        { "x", "x" },
    };
    char key[IDEMPOTENCY_KEY_MAX + 1];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(idempotency_key_parse(cases[i].value, key, NULL), 0);
        assert_string_equal(key, cases[i].key);
    }
}

static void what_is_no_key_is_refused(void **state)
{
    static const char *const values[] = {
        "",        "\"\"",         "\"",   "\"a",  "\"a\"b",       "\"a\" ", "\"a\";p=1",
        "a b",     "\"a b\"",      "a\"b", "a\\b", "a, b",         "a;b",    "caf\xC3\xA9",
        "\"\\a\"", "\"\xC3\xA9\"", "\"\\", "a\tb", "\"a\", \"b\"",
    };
    char key[IDEMPOTENCY_KEY_MAX + 1] = "untouched";
    struct errinfo e;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        assert_int_equal(idempotency_key_parse(values[i], key, &e), ERR_IDEMPOTENCY_KEY);
        assert_string_equal(key, "untouched");
    }
}

static void a_key_has_at_most_255_characters(void **state)
{
    char value[IDEMPOTENCY_KEY_MAX + 4];
    char key[IDEMPOTENCY_KEY_MAX + 1];

    (void)state;
    for (size_t quotes = 0; quotes < 2; quotes++) {
        size_t end = IDEMPOTENCY_KEY_MAX + quotes;

        (void)memset(value, 'k', sizeof value);
        if (quotes)
            value[0] = value[end] = '"';
        value[end + quotes] = '\0';
        assert_int_equal(idempotency_key_parse(value, key, NULL), 0);
        assert_int_equal(strlen(key), IDEMPOTENCY_KEY_MAX);
        value[end] = 'k';
        value[end + 1] = quotes ? '"' : '\0';
        value[end + 2] = '\0';
        assert_int_equal(idempotency_key_parse(value, key, NULL), ERR_IDEMPOTENCY_KEY);
    }
}

/* -- the fingerprint ------------------------------------------------------------------------
 */

static void digest_of(const char *text, unsigned char digest[SHA256_BYTES])
{
    AUTO(json) json_t *json = NULL;
    struct sha256 h;

    sha256_init(&h);
    if (text)
        assert_int_equal(json_text_parse(text, strlen(text), &json, NULL), 0);
    json_digest_add(&h, json);
    sha256_end(&h, digest);
}

static void it_does_not_matter_how_json_is_written(void **state)
{
    unsigned char a[SHA256_BYTES];
    unsigned char b[SHA256_BYTES];

    (void)state;
    digest_of("{\"a\":[1,{\"x\":null,\"y\":\"\\u00e9\"}],\"b\":0.5}", a);
    digest_of(" { \"b\" : 5e-1,\n \"a\" : [1, {\"y\":\"\xC3\xA9\", \"x\":null}] } ", b);
    assert_memory_equal(a, b, SHA256_BYTES);
}

static void whatever_it_says_matters(void **state)
{
    static const char *const texts[] = { "{}",    "[]",        "null",      NULL,
                                         "\"\"",  "{\"a\":1}", "{\"a\":2}", "{\"a\":\"1\"}",
                                         "[1,2]", "[2,1]",     "[12]",      "{\"a\":1.0}" };
    unsigned char digests[COUNT_OF(texts)][SHA256_BYTES];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        digest_of(texts[i], digests[i]);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(digests[i], digests[j], SHA256_BYTES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_taken_with_quotes_and_without),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(a_key_has_at_most_255_characters),
        cmocka_unit_test(it_does_not_matter_how_json_is_written),
        cmocka_unit_test(whatever_it_says_matters),
    };

    return cmocka_run_group_tests_name("domain/idempotency", tests, NULL, NULL);
}
