#include "tests/support/test.h"

#include <string.h>

#include "base/buf.h"
#include "base/clean.h"
#include "base/mem.h"
#include "domain/args_schema.h"
#include "domain/json_text.h"

static void note(void *ctx, const char *path, const char *text)
{
    buf_printf(ctx, "%s: %s\n", path, text);
}

static struct args_schema *compile(const char *text)
{
    struct args_schema *s = NULL;
    AUTO_FINI(buf) struct buf why = { 0 };

    if (args_schema_compile(text, strlen(text), note, &why, &s) < 0)
        fail_msg("%s: %s", text, why.data);
    return s;
}

/* The faults of args (NULL: not sent) as "pointer code" lines. */
static char *faults_of(const struct args_schema *s, const char *args)
{
    AUTO_FINI(faults) struct faults f = { 0 };
    AUTO_FINI(buf) struct buf out = { 0 };
    AUTO(json) json_t *json = NULL;
    struct errinfo e = { 0 };

    if (args && json_text_parse(args, strlen(args), &json, &e) < 0)
        fail_msg("%s: %s", args, e.text);
    args_schema_check(s, json, &f);
    for (size_t i = 0; i < f.count; i++)
        buf_printf(&out, "%s%s %s", i > 0 ? "\n" : "", f.items[i].pointer, f.items[i].code);
    return buf_steal(&out);
}

static void each_keyword_is_checked(void **state)
{
    static const struct {
        const char *schema;
        const char *right[8];
        const char *wrong[8];
        const char *code; /* of what is wrong, at #/args */
    } rows[] = {
        { "true", { "1", "null", "{}" }, { 0 }, "" },
        { "{}", { "1", "null", "{}" }, { 0 }, "" },
        { "false", { 0 }, { "1", "null", "{}" }, "invalid-value" },
        { "{\"type\":\"string\"}",
          { "\"\"" },
          { "1", "null", "[]", "{}", "true" },
          "wrong-type" },
        { "{\"type\":\"null\"}", { "null" }, { "0", "false", "\"\"" }, "wrong-type" },
        { "{\"type\":\"boolean\"}", { "true", "false" }, { "0", "null" }, "wrong-type" },
        { "{\"type\":\"number\"}", { "1", "1.5", "-0.0" }, { "\"1\"" }, "wrong-type" },
        { "{\"type\":\"integer\"}",
          { "1", "1.0", "-5", "1e3" },
          { "1.5", "\"1\"" },
          "wrong-type" },
        { "{\"type\":\"array\"}", { "[]", "[1]" }, { "{}" }, "wrong-type" },
        { "{\"type\":\"object\"}", { "{}" }, { "[]" }, "wrong-type" },
        { "{\"type\":[\"string\",\"null\"]}", { "\"x\"", "null" }, { "1" }, "wrong-type" },
        { "{\"enum\":[1,\"a\",null,{\"x\":[1],\"y\":2}]}",
          { "1", "1.0", "\"a\"", "null", "{\"y\":2,\"x\":[1.0]}" },
          { "2", "\"b\"", "{\"x\":[1]}", "false" },
          "invalid-value" },
        { "{\"const\":0}", { "0", "0.0", "-0.0" }, { "false", "null", "1" }, "invalid-value" },
        { "{\"minimum\":2}", { "2", "2.0", "3", "\"x\"" }, { "1", "1.99" }, "out-of-range" },
        { "{\"maximum\":2.5}", { "2.5", "2", "[]" }, { "3", "2.51" }, "out-of-range" },
        { "{\"exclusiveMinimum\":0}", { "0.1", "1" }, { "0", "-1" }, "out-of-range" },
        { "{\"exclusiveMaximum\":1}", { "0.9" }, { "1", "1.0" }, "out-of-range" },
        { "{\"minimum\":9007199254740993}",
          { "9007199254740993" },
          { "9007199254740992" },
          "out-of-range" },
        { "{\"multipleOf\":3}",
          { "0", "9", "-3", "6.0", "\"x\"" },
          { "1", "3.5" },
          "invalid-value" },
        { "{\"minLength\":2}",
          { "\"ab\"", "\"\xC3\xA4\xC3\xB6\"", "7" },
          { "\"a\"", "\"\xC3\xA4\"" },
          "too-short" },
        { "{\"maxLength\":1}", { "\"\"", "\"\xF0\x9F\x98\x80\"" }, { "\"ab\"" }, "too-long" },
        { "{\"pattern\":\"^[a-z]+$\"}",
          { "\"abc\"", "5" },
          { "\"\"", "\"A\"" },
          "pattern-mismatch" },
        { "{\"minItems\":1}", { "[0]", "{}" }, { "[]" }, "too-short" },
        { "{\"maxItems\":1}", { "[]", "[0]" }, { "[0,0]" }, "too-long" },
        { "{\"uniqueItems\":true}",
          { "[]", "[1]", "[1,\"1\",[1],{\"a\":1}]" },
          { "[1,2,1.0]", "[{\"a\":1,\"b\":2},{\"b\":2,\"a\":1}]" },
          "duplicate" },
        { "{\"uniqueItems\":false}", { "[1,1]" }, { 0 }, "" },
        { "{\"minProperties\":1}", { "{\"a\":1}", "[]" }, { "{}" }, "too-short" },
        { "{\"maxProperties\":1}", { "{}", "{\"a\":1}" }, { "{\"a\":1,\"b\":1}" }, "too-long" },
        { "{\"title\":\"t\",\"description\":\"d\",\"default\":5,\"examples\":[1],"
          "\"deprecated\":true,\"$comment\":\"c\",\"$schema\":\"s\"}",
          { "1", "{}" },
          { 0 },
          "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(args_schema) struct args_schema *s = compile(rows[i].schema);
        AUTO(mem) char *want = mem_printf("#/args %s", rows[i].code);

        for (size_t k = 0; k < COUNT_OF(rows[i].right) && rows[i].right[k]; k++) {
            AUTO(mem) char *got = faults_of(s, rows[i].right[k]);

            if (*got)
                fail_msg("%s: %s: %s", rows[i].schema, rows[i].right[k], got);
        }
        for (size_t k = 0; k < COUNT_OF(rows[i].wrong) && rows[i].wrong[k]; k++) {
            AUTO(mem) char *got = faults_of(s, rows[i].wrong[k]);

            if (strcmp(got, want) != 0)
                fail_msg("%s: %s: \"%s\", want \"%s\"", rows[i].schema, rows[i].wrong[k], got,
                         want);
        }
    }
}

#define ORDER                                                                                  \
    "{\"type\":\"object\",\"required\":[\"id\",\"lines\"],\"additionalProperties\":false,"     \
    "\"properties\":{\"id\":{\"type\":\"integer\",\"minimum\":1},\"note\":{\"maxLength\":3},"  \
    "\"lines\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"a/b\"],"     \
    "\"additionalProperties\":{\"type\":\"number\"}}}}}"

static void every_fault_is_told_with_its_place(void **state)
{
    static const struct {
        const char *args;
        const char *faults;
    } rows[] = {
        { "{\"id\":1,\"lines\":[]}", "" },
        { NULL, "#/args/id missing\n#/args/lines missing" },
        { "{}", "#/args/id missing\n#/args/lines missing" },
        { "[]", "#/args wrong-type" },
        { "{\"id\":0,\"note\":\"long\",\"lines\":[{\"a/b\":1},{\"a/"
          "b\":\"x\"},{},7],\"more\":1}",
          "#/args/id out-of-range\n#/args/note too-long\n#/args/lines/1/a~1b wrong-type\n"
          "#/args/lines/2/a~1b missing\n#/args/lines/3 wrong-type\n#/args/more unknown-field" },
    };
    AUTO(args_schema) struct args_schema *s = compile(ORDER);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(mem) char *got = faults_of(s, rows[i].args);

        assert_string_equal(got, rows[i].faults);
    }
}

static void a_schema_that_cannot_be_used_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *schema;
        const char *says;
    } rows[] = {
        { "", ": " },
        { "{\"type\":\"string\"", ": " },
        { "[]", ": must be a schema" },
        { "\"string\"", ": must be a schema" },
        { "{\"typ\":\"string\"}", "typ: there is no such keyword; did you mean type?" },
        { "{\"minLenght\":1}", "minLenght: there is no such keyword; did you mean minLength?" },
        { "{\"$ref\":\"https://example.org/\"}", "$ref: jobd does not check this keyword" },
        { "{\"properties\":{\"x\":{\"oneOf\":[]}}}",
          "properties.x.oneOf: jobd does not check" },
        { "{\"format\":\"email\"}", "format: jobd does not check this keyword" },
        { "{\"type\":\"text\"}", "type: must be null, boolean" },
        { "{\"type\":\"interger\"}", "did you mean integer?" },
        { "{\"type\":[]}", "type: must name at least one" },
        { "{\"type\":5}", "type: must be null, boolean" },
        { "{\"enum\":[]}", "enum: must be a list" },
        { "{\"enum\":1}", "enum: must be a list" },
        { "{\"enum\":[1],\"const\":1}", "enum: has no use beside const" },
        { "{\"minimum\":\"1\"}", "minimum: must be a number" },
        { "{\"multipleOf\":0}", "multipleOf: must be a whole number" },
        { "{\"multipleOf\":0.1}", "multipleOf: must be a whole number" },
        { "{\"minLength\":-1}", "minLength: must be a whole number" },
        { "{\"maxItems\":1.5}", "maxItems: must be a whole number" },
        { "{\"pattern\":\"(\"}", "pattern: byte 2 of the pattern" },
        { "{\"pattern\":1}", "pattern: must be a text" },
        { "{\"uniqueItems\":1}", "uniqueItems: must be true or false" },
        { "{\"required\":\"a\"}", "required: must be a list" },
        { "{\"required\":[1]}", "required[0]: must be the name" },
        { "{\"properties\":[]}", "properties: must be names" },
        { "{\"properties\":{\"a\":1}}", "properties.a: must be a schema" },
        { "{\"items\":[{}]}", "items: must be a schema" },
        { "{\"items\":{\"properties\":{\"b\":{\"additionalProperties\":{\"x\":1}}}}}",
          "items.properties.b.additionalProperties.x: there is no such keyword" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(args_schema) struct args_schema *s = NULL;
        AUTO_FINI(buf) struct buf why = { 0 };

        assert_int_equal(
            args_schema_compile(rows[i].schema, strlen(rows[i].schema), note, &why, &s),
            ERR_CONFIG);
        if (!why.data || !strstr(why.data, rows[i].says))
            fail_msg("%s: %s, want %s", rows[i].schema, why.data, rows[i].says);
    }
}

static void all_faults_of_a_schema_are_told(void **state)
{
    static const char schema[] =
        "{\"typ\":1,\"minimum\":\"x\",\"properties\":{\"a\":{\"$ref\":\"#\"}}}";
    AUTO(args_schema) struct args_schema *s = NULL;
    AUTO_FINI(buf) struct buf why = { 0 };

    (void)state;
    assert_int_equal(args_schema_compile(schema, strlen(schema), note, &why, &s), ERR_CONFIG);
    assert_non_null(strstr(why.data, "typ: "));
    assert_non_null(strstr(why.data, "minimum: "));
    assert_non_null(strstr(why.data, "properties.a.$ref: "));
}

/* -- hostile input --------------------------------------------------------------------------
 */

static void a_schema_beyond_the_bounds_is_refused(void **state)
{
    AUTO_FINI(buf) struct buf text = { 0 };
    AUTO_FINI(buf) struct buf why = { 0 };
    AUTO(args_schema) struct args_schema *s = NULL;

    (void)state;
    buf_add_str(&text, "{\"properties\":{");
    for (int i = 0; i <= ARGS_SCHEMA_NODES_MAX / 2; i++)
        buf_printf(&text, "%s\"p%d\":{\"items\":{}}", i > 0 ? "," : "", i);
    buf_add_str(&text, "}}");
    assert_int_equal(args_schema_compile(text.data, text.len, note, &why, &s), ERR_CONFIG);
    assert_non_null(strstr(why.data, "more than 2000 schemas"));

    buf_clear(&text);
    for (int i = 0; i < 1000; i++)
        buf_add_str(&text, "{\"items\":");
    assert_int_equal(args_schema_compile(text.data, text.len, note, &why, &s), ERR_CONFIG);

    buf_clear(&text);
    for (int i = 0; i <= ARGS_SCHEMA_MAX_BYTES; i++)
        buf_add_char(&text, ' ');
    assert_int_equal(args_schema_compile(text.data, text.len, note, &why, &s), ERR_CONFIG);
    assert_non_null(strstr(why.data, "more than 262144 bytes"));
    assert_null(s);
}

/* A body of a megabyte, each of whose items is wrong or slow to look at. */
static void large_args_are_checked_in_a_bounded_time(void **state)
{
    AUTO(args_schema)
    struct args_schema *s = compile(
        "{\"items\":{\"type\":\"string\",\"pattern\":\"^((a|b)*?c?){100}$\",\"maxLength\":1},"
        "\"uniqueItems\":true}");
    AUTO(args_schema) struct args_schema *numbers = compile("{\"items\":{\"enum\":[-1]}}");
    AUTO_FINI(faults) struct faults f = { 0 };
    AUTO(json) json_t *args = json_array();

    (void)state;
    for (int i = 0; i < 100000; i++)
        (void)json_array_append_new(args, json_string("abababababd"));
    args_schema_check(s, args, &f);
    assert_int_equal(f.count, FAULTS_MAX);
    assert_int_equal(f.total, 200001);
    faults_fini(&f);

    (void)json_array_clear(args);
    for (int i = 0; i < 300000; i++)
        (void)json_array_append_new(args, json_integer(i));
    args_schema_check(numbers, args, &f);
    assert_int_equal(f.total, 300000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_keyword_is_checked),
        cmocka_unit_test(every_fault_is_told_with_its_place),
        cmocka_unit_test(a_schema_that_cannot_be_used_is_refused_with_its_place),
        cmocka_unit_test(all_faults_of_a_schema_are_told),
        cmocka_unit_test(a_schema_beyond_the_bounds_is_refused),
        cmocka_unit_test(large_args_are_checked_in_a_bounded_time),
    };

    return cmocka_run_group_tests_name("domain/args_schema", tests, NULL, NULL);
}
