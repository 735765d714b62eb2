#include "tests/support/test.h"

#include "domain/json_items.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "domain/json_text.h"

static struct json_part part_of(const char *text)
{
    return (struct json_part){ .text = text, .len = strlen(text) };
}

/* The parts, each followed by "|"; then the result that ended the walk. */
static int join(struct json_items *items, struct buf *out)
{
    struct json_part part;
    int r;

    while ((r = json_items_next(items, &part, NULL)) > 0) {
        buf_add(out, part.text, part.len);
        buf_add_char(out, '|');
    }
    buf_add_str(out, "");
    return r;
}

static void lines_are_parts_but_for_blank_ones(void **state)
{
    static const struct {
        const char *text;
        const char *parts;
        size_t count;
    } cases[] = {
        { "", "", 0 },
        { "\n \r\n\t\n", "", 0 },
        { "{}", "{}|", 1 },
        { "{\"a\": 1}\r\n\n  [1, 2] \n3", "{\"a\": 1}|[1, 2]|3|", 3 },
        { "no json\n\"a\\nb\"\n", "no json|\"a\\nb\"|", 2 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json_items items = json_items_lines(cases[i].text, strlen(cases[i].text));
        AUTO_FINI(buf) struct buf out = { 0 };

        assert_int_equal(join(&items, &out), 0);
        assert_string_equal(out.data, cases[i].parts);
        assert_int_equal(items.count, cases[i].count);
    }
}

static void an_array_is_cut_at_its_own_commas(void **state)
{
    static const struct {
        const char *text;
        const char *parts;
    } cases[] = {
        { "[]", "" },
        { " [ ] ", "" },
        { "[1]", "1|" },
        { "[{\"a\":[1,2]},\"x,y\\\"]\",[],null , -1.5e3 ]\n",
          "{\"a\":[1,2]}|\"x,y\\\"]\"|[]|null|-1.5e3|" },
        { "[\"\\\\\",1]", "\"\\\\\"|1|" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FINI(buf) struct buf out = { 0 };
        struct json_items items;

        assert_int_equal(json_items_array(part_of(cases[i].text), &items, NULL), 0);
        assert_int_equal(join(&items, &out), 0);
        assert_string_equal(out.data, cases[i].parts);
    }
}

static void what_is_no_array_is_refused(void **state)
{
    static const char *const texts[] = {
        "",      "{}",           "1",      "[",    "[1",    "[1,",   "[,1]", "[1,]",
        "[1 2]", "[1}",          "[1]x",   "[1]]", "[1:2]", "[\"a]", "[{]",  "[1,,2]",
        "[}",    "[\"a\"\"b\"]", "[1[2]]",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        AUTO_FINI(buf) struct buf out = { 0 };
        struct json_items items;
        struct errinfo e = { 0 };
        int r = json_items_array(part_of(texts[i]), &items, &e);

        if (r == 0)
            r = join(&items, &out);
        if (r == 0) { /* then one of the parts is none */
            AUTO(json) json_t *json = NULL;

            r = json_text_parse(texts[i], strlen(texts[i]), &json, NULL);
            assert_non_null(strstr(texts[i], "[\"a]"));
        }
        assert_int_equal(r, ERR_MALFORMED_JSON);
    }
}

/* Whoever walks a text and parses its parts refuses what the parser refuses as a whole. */
static bool walk(const char *text)
{
    struct json_items items;
    struct json_part part;
    int r = json_items_array(part_of(text), &items, NULL);

    while (r == 0 && (r = json_items_next(&items, &part, NULL)) > 0) {
        AUTO(json) json_t *json = NULL;

        if (json_text_parse(part.text, part.len, &json, NULL) < 0)
            return false;
        r = 0;
    }
    return r == 0;
}

static void a_walk_and_the_parser_agree(void **state)
{
    static const char alphabet[] = "[]{},:\"\\1 a";
    char text[8] = "[";

    (void)state;
    for (unsigned n = 0; n < 11 * 11 * 11 * 11 * 11; n++) {
        AUTO(json) json_t *json = NULL;
        unsigned rest = n;

        for (size_t i = 1; i <= 5; i++, rest /= 11)
            text[i] = alphabet[rest % 11];
        text[6] = '\0';
        if (walk(text) != (json_text_parse(text, 6, &json, NULL) == 0))
            fail_msg("%s: %s", text, json ? "is an array" : "is none");
    }
}

static void an_object_is_walked_member_by_member(void **state)
{
    static const char text[] = " { \"jobs\" : [{\"a\":1}, 2], \"a\\\"b\":true ,\"\":{} } ";
    struct json_part name, value;
    struct json_items items;

    (void)state;
    assert_int_equal(json_items_object(part_of(text), &items, NULL), 0);
    assert_int_equal(json_items_member(&items, &name, &value, NULL), 1);
    assert_memory_equal(name.text, "\"jobs\"", name.len);
    assert_int_equal(value.len, strlen("[{\"a\":1}, 2]"));
    assert_int_equal(json_items_member(&items, &name, &value, NULL), 1);
    assert_memory_equal(name.text, "\"a\\\"b\"", name.len);
    assert_memory_equal(value.text, "true", value.len);
    assert_int_equal(json_items_member(&items, &name, &value, NULL), 1);
    assert_int_equal(name.len, 2);
    assert_memory_equal(value.text, "{}", value.len);
    assert_int_equal(json_items_member(&items, &name, &value, NULL), 0);
}

static void what_is_no_object_is_refused(void **state)
{
    static const char *const texts[] = { "",          "[]",         "{",        "{\"a\"",
                                         "{\"a\":",   "{\"a\":}",   "{\"a\":1", "{a:1}",
                                         "{\"a\" 1}", "{\"a\":1,}", "{,}",      "{\"a\":1}x",
                                         "{\"a\":1]" };
    struct json_part name, value;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct json_items items;
        int r = json_items_object(part_of(texts[i]), &items, NULL);

        if (r == 0)
            do
                r = json_items_member(&items, &name, &value, NULL);
            while (r > 0);
        assert_int_equal(r, ERR_MALFORMED_JSON);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_parts_but_for_blank_ones),
        cmocka_unit_test(an_array_is_cut_at_its_own_commas),
        cmocka_unit_test(what_is_no_array_is_refused),
        cmocka_unit_test(a_walk_and_the_parser_agree),
        cmocka_unit_test(an_object_is_walked_member_by_member),
        cmocka_unit_test(what_is_no_object_is_refused),
    };

    return cmocka_run_group_tests_name("domain/json_items", tests, NULL, NULL);
}
