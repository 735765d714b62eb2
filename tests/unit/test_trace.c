#include "tests/support/test.h"

#include <string.h>

#include "base/text.h"
#include "domain/json_text.h"
#include "domain/trace.h"

#define ID     "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN   "00f067aa0ba902b7"
#define PARENT "00-" ID "-" SPAN "-01"

static void a_valid_traceparent_is_taken(void **state)
{
    static const struct {
        const char *sent, *taken;
    } cases[] = {
        { PARENT, PARENT },
        { "00-" ID "-" SPAN "-00", "00-" ID "-" SPAN "-00" },
        { "00-" ID "-" SPAN "-ff", "00-" ID "-" SPAN "-ff" },
        { "01-" ID "-" SPAN "-03", "00-" ID "-" SPAN "-01" },
        { "cc-" ID "-" SPAN "-02-more", "00-" ID "-" SPAN "-00" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct trace t;

        assert_true(trace_parse(cases[i].sent, &t));
        assert_string_equal(t.parent, cases[i].taken);
        assert_string_equal(t.state, "");
    }
}

static void what_is_no_traceparent_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "00",
        "ff-" ID "-" SPAN "-01",
        "0-" ID "-" SPAN "-01",
        "00-00000000000000000000000000000000-" SPAN "-01",
        "00-" ID "-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01",
        "00-" ID "-" SPAN "-1",
        "00-" ID "-" SPAN "-0G",
        "00-" ID "-" SPAN "-01-",
        "00-" ID "-" SPAN "-01 ",
        " 00-" ID "-" SPAN "-01",
        "01-" ID "-" SPAN "-01more",
        "00_" ID "-" SPAN "-01",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct trace t = { .parent = "untouched" };

        assert_false(trace_parse(bad[i], &t));
        assert_string_equal(t.parent, "untouched");
    }
}

static void lines_of_tracestate_make_one_list(void **state)
{
    struct trace t = { 0 };

    (void)state;
    trace_add_state(&t, "congo=t61rcWkgMzE, rojo=00f0 67");
    trace_add_state(&t, "");
    trace_add_state(&t, " fw529a3039@dt=FfD~!, ,");
    assert_string_equal(t.state, "congo=t61rcWkgMzE, rojo=00f0 67,fw529a3039@dt=FfD~!, ,");
}

static void a_bad_tracestate_is_dropped_as_a_whole(void **state)
{
    static const char *const bad[] = {
        "a", "a=", "=b", "A=b", "a=b=c", "a=\xC3\xA4", "a b=c", "@a=b", "a=b\x01",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct trace t = { 0 };

        trace_add_state(&t, "good=1");
        trace_add_state(&t, bad[i]);
        trace_add_state(&t, "later=1");
        assert_string_equal(t.state, "");
    }
}

static void a_tracestate_has_a_bound(void **state)
{
    struct trace t = { 0 }, many = { 0 };
    char item[] = "k00=v";
    char long_item[TRACE_STATE_MAX_BYTES - 200];

    (void)state;
    memset(long_item, 'v', sizeof long_item);
    memcpy(long_item, "k=", 2);
    long_item[sizeof long_item - 1] = 0;
    long_item[257] = 0;
    trace_add_state(&t, long_item);
    assert_string_equal(t.state, long_item);
    trace_add_state(&t, long_item);
    assert_string_equal(t.state, "");
    for (int i = 0; i < TRACE_STATE_MAX_ITEMS; i++) {
        item[1] = (char)('0' + i / 10);
        item[2] = (char)('0' + i % 10);
        trace_add_state(&many, item);
    }
    assert_int_equal(strlen(many.state), TRACE_STATE_MAX_ITEMS * 6 - 1);
    trace_add_state(&many, "one=more");
    assert_string_equal(many.state, "");
}

static void a_job_is_a_span_of_its_own_in_the_same_trace(void **state)
{
    const struct uuid7 a = uuid7_from_parts(1, 2), b = uuid7_from_parts(1, 3);
    AUTO(json) json_t *payload = json_object();
    struct trace t, again;
    char of_a[TRACE_PARENT_SIZE], of_b[TRACE_PARENT_SIZE], room[TRACE_ID_SIZE];
    const char *tracestate;

    (void)state;
    trace_of_job(payload, a, of_a, &tracestate);
    assert_string_equal(of_a, "");
    assert_null(tracestate);
    assert_true(trace_parse(PARENT, &t));
    trace_add_state(&t, "congo=1");
    (void)json_object_set_new(payload, TRACE_MEMBER, trace_encode(&t));
    trace_of_job(payload, a, of_a, &tracestate);
    trace_of_job(payload, b, of_b, &tracestate);
    assert_string_equal(tracestate, "congo=1");
    assert_true(trace_parse(of_a, &again));
    assert_string_equal(trace_id(of_a, room), ID);
    assert_string_equal(of_a + 52, "-01");
    assert_string_not_equal(of_a, of_b);
    assert_string_not_equal(of_a, PARENT);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_valid_traceparent_is_taken),
        cmocka_unit_test(what_is_no_traceparent_is_refused),
        cmocka_unit_test(lines_of_tracestate_make_one_list),
        cmocka_unit_test(a_bad_tracestate_is_dropped_as_a_whole),
        cmocka_unit_test(a_tracestate_has_a_bound),
        cmocka_unit_test(a_job_is_a_span_of_its_own_in_the_same_trace),
    };

    return cmocka_run_group_tests_name("domain/trace", tests, NULL, NULL);
}
