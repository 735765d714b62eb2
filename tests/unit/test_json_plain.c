#include "tests/support/test.h"

#include <string.h>

#include "domain/json_plain.h"
#include "domain/json_text.h"

static json_t *by_jansson(const char *text, size_t len)
{
    return json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
}

static void plain_text_is_read_as_jansson_reads_it(void **state)
{
    static const char *const texts[] = {
        "null",
        " true ",
        "false",
        "0",
        "-1",
        "123456789012345678",
        "-999999999999999999",
        "\"\"",
        "\"1234567\"",
        "\"12345678\"",
        "\"123456789 \x7f\"",
        "[]",
        "{ }",
        "[ 1 , [ ] , { } ]",
        "{\"a\":[1,\"x\",null,true,false,{\"a\":-7}],\"\":{}}\r\n\t ",
        "{\"function\":\"true\",\"delay_seconds\":86400,\"args\":{\"path\":\"xxxxxxxxxxx\"}}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        AUTO(json) json_t *json = json_plain_parse(texts[i], strlen(texts[i]), 4);
        AUTO(json) json_t *same = by_jansson(texts[i], strlen(texts[i]));

        if (!json || !same || !json_equal(json, same))
            fail_msg("%s", texts[i]);
    }
}

static void what_is_not_plain_is_left_alone(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "nul",
        "nulll",
        "truefalse",
        "+1",
        "01",
        "-",
        "-01",
        "1.0",
        "1e3",
        "0x1",
        "1234567890123456789",
        "\"",
        "\"a",
        "\"a\\n\"",
        "\"12345678\\\"",
        "\"\n\"",
        "\"1234567\x1f\"",
        "\"\xC3\xA4\"",
        "\"1234567\xC3\xA4 890123456\"",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "{\"a\":1,\"a\":1}",
        "{\"a\":{\"b\":1,\"c\":2,\"b\":3}}",
        "[1]]",
        "1 2",
        "[[[[[]]]]]",
        "{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}",
    };
    char long_name[80];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (json_plain_parse(texts[i], strlen(texts[i]), 4))
            fail_msg("%s", texts[i]);
    assert_null(json_plain_parse("1\0", 2, 4));
    assert_null(json_plain_parse("\"a\0b\"", 5, 4));
    (void)snprintf(long_name, sizeof long_name, "{\"%065d\":1}", 0);
    assert_null(json_plain_parse(long_name, strlen(long_name), 4));
}

/* One byte after the other replaced by each that means something: where it says that it can
 * read what came of it, jansson reads the same. */
static void it_never_takes_what_jansson_refuses(void **state)
{
    static const char text[] =
        "{\"ab\":[1,-20,\"123456789\",{\"c\":null}], \"d\":true,\"e\":[]}";
    static const char bytes[] = "{}[]:,\"\\ \n\0019-.eEu0a\x7f\x80\xC3";
    size_t read = 0;

    (void)state;
    for (size_t i = 0; i < sizeof text - 1; i++) {
        for (size_t k = 0; k < sizeof bytes; k++) { /* with the NUL at its end */
            char other[sizeof text];

            memcpy(other, text, sizeof text);
            other[i] = bytes[k];
            for (size_t len = i + 1; len < sizeof text; len++) {
                AUTO(json) json_t *json = json_plain_parse(other, len, 32);
                AUTO(json) json_t *same = json ? by_jansson(other, len) : NULL;

                read += json != NULL;
                if (json && (!same || !json_equal(json, same)))
                    fail_msg("%.*s", (int)len, other);
            }
        }
    }
    assert_true(read > 50);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_is_read_as_jansson_reads_it),
        cmocka_unit_test(what_is_not_plain_is_left_alone),
        cmocka_unit_test(it_never_takes_what_jansson_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
