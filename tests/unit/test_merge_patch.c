#include "tests/support/test.h"

#include "domain/merge_patch.h"

#include "base/clean.h"
#include "domain/json_text.h"

static json_t *parse(const char *text)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

    assert_non_null(json);
    return json;
}

/* RFC 7396, appendix A. */
static void the_examples_of_the_rfc_hold(void **state)
{
    static const struct {
        const char *target, *patch, *result;
    } cases[] = {
        { "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
        { "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
        { "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
        { "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
          "{\"a\":{\"b\":\"d\"}}" },
        { "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
        { "[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]" },
        { "{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]" },
        { "{\"a\":\"foo\"}", "null", "null" },
        { "{\"a\":\"foo\"}", "\"bar\"", "\"bar\"" },
        { "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
        { "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
        { "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(json) json_t *target = parse(cases[i].target);
        AUTO(json) json_t *before = parse(cases[i].target);
        AUTO(json) json_t *patch = parse(cases[i].patch);
        AUTO(json) json_t *want = parse(cases[i].result);
        AUTO(json) json_t *got = merge_patch(target, patch);

        if (!json_equal(got, want))
            fail_msg("case %zu", i);
        assert_true(json_equal(target, before));
    }
}

static void nothing_is_patched_like_an_empty_object(void **state)
{
    AUTO(json) json_t *patch = parse("{\"a\":null,\"b\":{\"c\":null,\"d\":1}}");
    AUTO(json) json_t *want = parse("{\"b\":{\"d\":1}}");
    AUTO(json) json_t *got = merge_patch(NULL, patch);

    (void)state;
    assert_true(json_equal(got, want));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_rfc_hold),
        cmocka_unit_test(nothing_is_patched_like_an_empty_object),
    };

    return cmocka_run_group_tests_name("domain/merge_patch", tests, NULL, NULL);
}
