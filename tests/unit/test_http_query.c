#include "tests/support/test.h"

#include <string.h>

#include "base/buf.h"
#include "server/http/query.h"

static const char *const KNOWN[] = { "state", "limit", "q", NULL };

static void names_and_values_are_decoded(void **state)
{
    AUTO_FINI(query) struct query q = { 0 };

    (void)state;
    query_parse("state=queued&q=a+b%20c%2Bd%26e&limi%74=5", &q);
    assert_string_equal(query_value(&q, "state", 0), "queued");
    assert_string_equal(query_value(&q, "q", 0), "a b c+d&e");
    assert_string_equal(query_value(&q, "limit", 0), "5");
    assert_null(query_value(&q, "cursor", 0));
    assert_int_equal(query_allow(&q, KNOWN, NULL), 0);
}

static void a_repeated_name_gives_its_values_in_order(void **state)
{
    AUTO_FINI(query) struct query q = { 0 };

    (void)state;
    query_parse("state=queued&limit=1&state=running&state=", &q);
    assert_string_equal(query_value(&q, "state", 0), "queued");
    assert_string_equal(query_value(&q, "state", 1), "running");
    assert_string_equal(query_value(&q, "state", 2), "");
    assert_null(query_value(&q, "state", 3));
}

static void empty_pieces_count_for_nothing(void **state)
{
    AUTO_FINI(query) struct query q = { 0 };

    (void)state;
    query_parse("&&state&&", &q);
    assert_int_equal(q.count, 1);
    assert_string_equal(query_value(&q, "state", 0), "");
    assert_int_equal(query_allow(&q, KNOWN, NULL), 0);
}

static void no_query_has_no_parameter(void **state)
{
    AUTO_FINI(query) struct query q = { 0 };

    (void)state;
    query_parse("", &q);
    assert_null(query_value(&q, "state", 0));
    assert_int_equal(query_allow(&q, KNOWN, NULL), 0);
}

static void only_the_first_equals_sign_divides(void **state)
{
    AUTO_FINI(query) struct query q = { 0 };

    (void)state;
    query_parse("q=a=b=c", &q);
    assert_string_equal(query_value(&q, "q", 0), "a=b=c");
}

static void an_unknown_name_is_refused_by_its_name(void **state)
{
    AUTO_FINI(query) struct query q = { 0 };
    struct errinfo e = { 0 };

    (void)state;
    query_parse("state=queued&stat=1", &q);
    assert_int_equal(query_allow(&q, KNOWN, &e), ERR_INVALID_PARAMETER);
    assert_non_null(strstr(e.text, "\"stat\""));
}

static void bad_encoding_is_refused_by_its_place(void **state)
{
    static const char *const bad[] = {
        "state=%", "state=%4", "state=%zz", "sta%te=1", "q=%FF", "q=%00", "q=%C3", "q=%0D%0A",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_FINI(query) struct query q = { 0 };
        struct errinfo e = { 0 };

        query_parse(bad[i], &q);
        if (query_allow(&q, KNOWN, &e) != ERR_INVALID_PARAMETER)
            fail_msg("%s is taken", bad[i]);
        assert_non_null(strstr(e.text, "parameter 1"));
    }
}

static void too_many_parameters_are_refused(void **state)
{
    AUTO_FINI(query) struct query q = { 0 };
    AUTO_FINI(buf) struct buf raw = { 0 };

    (void)state;
    for (size_t i = 0; i < QUERY_PARAMS_MAX + 1; i++)
        buf_add_str(&raw, i ? "&q=1" : "q=1");
    query_parse(raw.data, &q);
    assert_int_equal(query_allow(&q, KNOWN, NULL), ERR_INVALID_PARAMETER);
    query_fini(&q);
    buf_clear(&raw);
    for (size_t i = 0; i < QUERY_PARAMS_MAX; i++)
        buf_add_str(&raw, i ? "&q=1" : "q=1");
    query_parse(raw.data, &q);
    assert_int_equal(query_allow(&q, KNOWN, NULL), 0);
    assert_non_null(query_value(&q, "q", QUERY_PARAMS_MAX - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_values_are_decoded),
        cmocka_unit_test(a_repeated_name_gives_its_values_in_order),
        cmocka_unit_test(empty_pieces_count_for_nothing),
        cmocka_unit_test(no_query_has_no_parameter),
        cmocka_unit_test(only_the_first_equals_sign_divides),
        cmocka_unit_test(an_unknown_name_is_refused_by_its_name),
        cmocka_unit_test(bad_encoding_is_refused_by_its_place),
        cmocka_unit_test(too_many_parameters_are_refused),
    };

    return cmocka_run_group_tests_name("server/http/query", tests, NULL, NULL);
}
