#include "tests/support/test.h"

#include "domain/json_put.h"

static const char *written(struct json_put *w)
{
    return w->out->data;
}

static void members_and_items_are_set_apart_by_commas(void **state)
{
    AUTO_FINI(buf) struct buf out = { 0 };
    struct json_put w = { .out = &out };

    (void)state;
    json_put_begin(&w, NULL);
    json_put_begin(&w, "none");
    json_put_end(&w);
    json_put_begin_array(&w, "items");
    json_put_text(&w, NULL, "a");
    json_put_begin(&w, NULL);
    json_put_end(&w);
    json_put_integer(&w, NULL, 2);
    json_put_end_array(&w);
    json_put_bool(&w, "yes", true);
    json_put_raw(&w, "raw", "[1]", 3);
    json_put_joined(&w, "path", "/a", "/b");
    json_put_end(&w);
    assert_string_equal(
        written(&w),
        "{\"none\":{},\"items\":[\"a\",{},2],\"yes\":true,\"raw\":[1],\"path\":\"/a/b\"}");
}

static void what_is_not_set_is_left_out(void **state)
{
    AUTO_FINI(buf) struct buf out = { 0 };
    struct json_put w = { .out = &out };

    (void)state;
    json_put_begin(&w, NULL);
    json_put_text(&w, "text", NULL);
    json_put_time(&w, "time", 0);
    json_put_tree(&w, "tree", NULL);
    json_put_end(&w);
    assert_string_equal(written(&w), "{}");
}

static void texts_are_escaped(void **state)
{
    AUTO_FINI(buf) struct buf out = { 0 };
    struct json_put w = { .out = &out };

    (void)state;
    json_put_text(&w, NULL, "a\"b\\c\n\x01\xC3\xA4");
    assert_string_equal(written(&w), "\"a\\\"b\\\\c\\n\\u0001\xC3\xA4\"");
}

static void numbers_are_exact(void **state)
{
    static const struct {
        usec_t us;
        const char *text;
    } seconds[] = {
        { 0, "0" },       { 1, "0.000001" },     { 500000, "0.5" },
        { 1000000, "1" }, { 1020300, "1.0203" }, { 90071992547409931, "90071992547.409931" },
        { -5, "0" },      { 257, "0.000257" },
    };
    AUTO_FINI(buf) struct buf out = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(seconds); i++) {
        struct json_put w = { .out = &out };

        buf_clear(&out);
        json_put_seconds(&w, NULL, seconds[i].us);
        assert_string_equal(out.data, seconds[i].text);
    }
    for (int i = 0; i < 2; i++) {
        struct json_put w = { .out = &out };

        buf_clear(&out);
        json_put_integer(&w, NULL, i ? INT64_MIN : INT64_MAX);
        assert_string_equal(out.data, i ? "-9223372036854775808" : "9223372036854775807");
    }
}

static void what_was_written_can_be_read_as_a_tree(void **state)
{
    AUTO_FINI(buf) struct buf out = { 0 };
    struct json_put w = { .out = &out };
    json_t *json;

    (void)state;
    json_put_begin(&w, NULL);
    json_put_time(&w, "at", 1000);
    json_put_end(&w);
    json = json_put_parse(&w);
    assert_string_equal(json_string_value(json_object_get(json, "at")),
                        "1970-01-01T00:00:00.001Z");
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_and_items_are_set_apart_by_commas),
        cmocka_unit_test(what_is_not_set_is_left_out),
        cmocka_unit_test(texts_are_escaped),
        cmocka_unit_test(numbers_are_exact),
        cmocka_unit_test(what_was_written_can_be_read_as_a_tree),
    };

    return cmocka_run_group_tests_name("domain/json_put", tests, NULL, NULL);
}
