#include "tests/support/test.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "domain/json_text.h"

static void good_text_reads_and_writes_back_the_same(void **state)
{
    static const char *const texts[] = {
        "null",
        "true",
        "false",
        "0",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "0.1",
        "-0.0",
        "2.0",
        "1e+300",
        "1.7976931348623157e+308",
        "4.94065645841247e-324",
        "0.3333333333333333",
        "\"\"",
        "[]",
        "{}",
        "[1,[2,[3,{\"a\":[]}]]]",
        "{\"b\":1,\"a\":{\"c\":null}}",
        "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\"",
        "\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80 /\x7F\"",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        AUTO(json) json_t *json = NULL;
        AUTO(mem) char *dump = NULL;
        struct errinfo e = { 0 };
        size_t len;

        if (json_text_parse(texts[i], strlen(texts[i]), &json, &e) != 0)
            fail_msg("%s: %s", texts[i], e.text);
        dump = json_text_dump(json, &len);
        assert_string_equal(dump, texts[i]);
        assert_int_equal(len, strlen(texts[i]));
    }
}

static void reals_are_written_short_and_read_back_exactly(void **state)
{
    static const double numbers[] = { 0.1,     0.2 + 0.1,    1.0 / 3, 1e21,    123456.789012,
                                      DBL_MIN, DBL_TRUE_MIN, DBL_MAX, -1e-300, 5e-324 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        AUTO(json) json_t *json = json_real(numbers[i]);
        AUTO(mem) char *dump = NULL;
        size_t len;

        dump = json_text_dump(json, &len);
        assert_true(strtod(dump, NULL) == numbers[i]);
        assert_true(strpbrk(dump, ".e") != NULL);
    }
}

#define TEXT(literal) literal, sizeof literal - 1

static const struct bad {
    const char *text;
    size_t len;
    const char *says;
} bads[] = {
    { TEXT(""), "nothing" },
    { TEXT("  \n"), "line 2" },
    { TEXT("{"), "line 1, column 1" },
    { TEXT("[1,]"), "line 1, column 4" },
    { TEXT("{\n  \"a\": 1,\n  b: 2\n}"), "line 3, column 3" },
    { TEXT("NaN"), "invalid token" },
    { TEXT("[Infinity]"), "invalid token" },
    { TEXT("[-Infinity]"), "invalid token" },
    { TEXT("'a'"), "invalid token" },
    { TEXT("01"), "line 1" },
    { TEXT("+1"), "invalid token" },
    { TEXT(".5"), "invalid token" },
    { TEXT("1."), "line 1" },
    { TEXT("// c\n1"), "invalid token" },
    { TEXT("{} x"), "end of file expected" },
    { TEXT("1 2"), "end of file expected" },
    { TEXT("{\"a\":1,\"b\":2,\"a\":3}"), "duplicate object key" },
    { TEXT("{\"a\":1,\"\\u0061\":2}"), "duplicate object key" },
    { TEXT("[{\"x\":{\"k\":1,\"k\":1}}]"), "duplicate object key" },
    { TEXT("\xEF\xBB\xBF{}"), "line 1, column 1: a byte order mark" },
    { TEXT("[1]\0"), "line 1, column 4: a NUL byte" },
    { TEXT("[\"a\0b\"]"), "column 4: a NUL byte" },
    { TEXT("\"a\\u0000b\""), "\\u0000" },
    { TEXT("\"\xFF\""), "0xff" },
    { TEXT("\"\xC0\x80\""), "unable to decode" },         /* an overlong NUL */
    { TEXT("\"\xED\xA0\x80\""), "unable to decode" },     /* a surrogate */
    { TEXT("\"\xF4\x90\x80\x80\""), "unable to decode" }, /* beyond U+10FFFF */
    { TEXT("\"\xE2\x82"), "unable to decode" },           /* cut off */
    { TEXT("\"\\ud800\""), "line 1" },                    /* half a pair */
    { TEXT("\"a\tb\""), "line 1" },                       /* a control character */
    { TEXT("\"\\x\""), "invalid escape" },
    { TEXT("9223372036854775808"), "larger than a 64-bit integer" },
    { TEXT("-9223372036854775809"), "larger than a 64-bit integer" },
    { TEXT("[1e400]"), "larger than a 64-bit integer" },
};

static void bad_text_is_refused_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bads); i++) {
        /* A copy without a NUL behind it: reading too far is seen by the address sanitizer. */
        char *exact = malloc(bads[i].len + (bads[i].len == 0));
        json_t *json = NULL;
        struct errinfo e = { 0 };
        int r;

        assert_non_null(exact);
        memcpy(exact, bads[i].text, bads[i].len);
        r = json_text_parse(exact, bads[i].len, &json, &e);
        free(exact);
        assert_null(json);
        if (r != ERR_MALFORMED_JSON || !strstr(e.text, bads[i].says))
            fail_msg("row %zu: result %d, text \"%s\" without \"%s\"", i, r, e.text,
                     bads[i].says);
    }
}

/* `depth` brackets, alternately of arrays and objects, around a number. */
static char *nested(size_t depth, struct buf *b)
{
    for (size_t i = 0; i < depth; i++)
        buf_add_str(b, i % 2 ? "{\"a\":" : "[");
    buf_add_char(b, '1');
    for (size_t i = depth; i-- > 0;)
        buf_add_char(b, i % 2 ? '}' : ']');
    return b->data;
}

static void nesting_is_allowed_up_to_the_limit_and_not_beyond(void **state)
{
    static const size_t beyond[] = { JSON_DEPTH_MAX + 1, 2048, 100000 };
    AUTO(json) json_t *json = NULL;
    AUTO_FINI(buf) struct buf b = { 0 };
    struct errinfo e = { 0 };

    (void)state;
    nested(JSON_DEPTH_MAX, &b);
    assert_int_equal(json_text_parse(b.data, b.len, &json, &e), 0);
    for (size_t i = 0; i < COUNT_OF(beyond); i++) {
        json_t *none = NULL;

        buf_clear(&b);
        nested(beyond[i], &b);
        assert_int_equal(json_text_parse(b.data, b.len, &none, &e), ERR_MALFORMED_JSON);
        assert_non_null(strstr(e.text, "line 1, column 97: nested deeper than 32 levels"));
    }
}

static void the_place_of_deep_nesting_is_counted_in_lines_and_characters(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    json_t *json = NULL;
    struct errinfo e = { 0 };

    (void)state;
    buf_add_str(&b, "[\n\"\xC3\xA4\xC3\xB6\", ");
    nested(JSON_DEPTH_MAX, &b);
    assert_int_equal(json_text_parse(b.data, b.len, &json, &e), ERR_MALFORMED_JSON);
    /* 6 characters before, 16 pairs of "[" and {"a": but the last bracket is the one refused.
     */
    assert_non_null(strstr(e.text, "line 2, column 98"));
}

static void brackets_inside_strings_do_not_count(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    AUTO(json) json_t *json = NULL;
    struct errinfo e = { 0 };

    (void)state;
    buf_add_str(&b, "[\"");
    for (int i = 0; i < 100; i++)
        buf_add_str(&b, "[{\\\"\\\\[");
    buf_add_str(&b, "\\\\\",\"\\\\\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]");
    assert_int_equal(json_text_parse(b.data, b.len, &json, &e), 0);
    assert_int_equal(json_array_size(json), 2);
}

static void unfinished_strings_end_the_scan_at_the_end_of_the_text(void **state)
{
    static const char *const texts[] = { "\"", "\"\\", "\"\\\"", "[\"a\\\\\\", "{\"" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        size_t len = strlen(texts[i]);
        char *exact = malloc(len);
        json_t *json = NULL;

        assert_non_null(exact);
        memcpy(exact, texts[i], len);
        assert_int_equal(json_text_parse(exact, len, &json, NULL), ERR_MALFORMED_JSON);
        free(exact);
    }
}

static void text_is_appended_behind_what_is_there(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    AUTO(json) json_t *json = json_pack("{s:[i,b], s:s}", "a", 1, 1, "b", "x\"y");

    (void)state;
    buf_add_str(&b, "data: ");
    json_text_add(&b, json);
    assert_string_equal(b.data, "data: {\"a\":[1,true],\"b\":\"x\\\"y\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_text_reads_and_writes_back_the_same),
        cmocka_unit_test(reals_are_written_short_and_read_back_exactly),
        cmocka_unit_test(bad_text_is_refused_with_its_place),
        cmocka_unit_test(nesting_is_allowed_up_to_the_limit_and_not_beyond),
        cmocka_unit_test(the_place_of_deep_nesting_is_counted_in_lines_and_characters),
        cmocka_unit_test(brackets_inside_strings_do_not_count),
        cmocka_unit_test(unfinished_strings_end_the_scan_at_the_end_of_the_text),
        cmocka_unit_test(text_is_appended_behind_what_is_there),
    };

    return cmocka_run_group_tests_name("domain/json_text", tests, NULL, NULL);
}
