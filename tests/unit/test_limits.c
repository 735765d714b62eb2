#include "tests/support/test.h"

#include <string.h>

#include "base/mem.h"
#include "domain/json_text.h"
#include "domain/leftover.h"
#include "domain/limits.h"

static void every_limit_has_a_name_of_its_own_and_a_range(void **state)
{
    (void)state;
    for (int i = 0; i < LIMIT_MAX_; i++) {
        const struct limit_meta *meta = limit_meta((enum limit)i);

        assert_int_equal(limit_parse(meta->name), i);
        assert_true(meta->unit >= 1 && meta->min >= 1 && meta->max > meta->min);
        assert_true(meta->max <= INT64_MAX / meta->unit);
    }
    assert_int_equal(limit_parse("memory"), -1);
    assert_int_equal(limit_parse(""), -1);
}

/* The ledger keeps sets of limits as bits. */
static void the_order_of_the_limits_never_changes(void **state)
{
    (void)state;
    assert_int_equal(LIMIT_CPU, 0);
    assert_int_equal(LIMIT_MEMORY, 1);
    assert_int_equal(LIMIT_PROCESSES, 2);
    assert_int_equal(LIMIT_OPEN_FILES, 3);
    assert_int_equal(LIMIT_FILE_SIZE, 4);
    assert_int_equal(LIMIT_OUTPUT, 5);
}

static void the_tighter_of_two_holds_and_none_is_no_limit(void **state)
{
    static const struct {
        int64_t a, b, lower;
    } cases[] = { { 0, 0, 0 }, { 5, 0, 5 }, { 0, 5, 5 }, { 5, 7, 5 }, { 7, 5, 5 } };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct limits a = { 0 };
        struct limits b = { 0 };
        struct limits lower;

        a.values[LIMIT_OUTPUT] = cases[i].a;
        b.values[LIMIT_OUTPUT] = cases[i].b;
        lower = limits_lower(&a, &b);
        assert_int_equal(lower.values[LIMIT_OUTPUT], cases[i].lower);
        assert_int_equal(limits_empty(&lower), cases[i].lower == 0);
    }
}

static void limits_survive_their_json(void **state)
{
    struct limits l = { .values = { 1500000, 64 << 20, 3, 8, 1, INT64_C(1) << 40 } };
    AUTO(json) json_t *json = limits_encode(&l);
    size_t len;
    AUTO(mem) char *text = json_text_dump(json, &len);
    struct limits again = limits_decode(json);

    (void)state;
    assert_string_equal(text,
                        "{\"cpu_seconds\":1.5,\"memory_bytes\":67108864,\"processes\":3,"
                        "\"open_files\":8,\"file_size_bytes\":1,"
                        "\"output_bytes\":1099511627776}");
    assert_memory_equal(&l, &again, sizeof l);
}

static void nothing_and_nonsense_are_no_limits(void **state)
{
    AUTO(json)
    json_t *json =
        json_pack("{s:s, s:i, s:n}", "memory_bytes", "x", "processes", -4, "cpu_seconds");
    struct limits none = limits_decode(NULL);
    struct limits nonsense = limits_decode(json);

    (void)state;
    assert_true(limits_empty(&none));
    assert_true(limits_empty(&nonsense));
}

static void leftovers_have_names(void **state)
{
    (void)state;
    for (int i = 0; i < LEFTOVER_MAX_; i++)
        assert_int_equal(leftover_parse(leftover_name((enum leftover)i)), i);
    assert_string_equal(leftover_name((enum leftover)0), "kill"); /* zeroed is the default */
    assert_int_equal(leftover_parse("KILL"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_limit_has_a_name_of_its_own_and_a_range),
        cmocka_unit_test(the_order_of_the_limits_never_changes),
        cmocka_unit_test(the_tighter_of_two_holds_and_none_is_no_limit),
        cmocka_unit_test(limits_survive_their_json),
        cmocka_unit_test(nothing_and_nonsense_are_no_limits),
        cmocka_unit_test(leftovers_have_names),
    };

    return cmocka_run_group_tests_name("domain/limits", tests, NULL, NULL);
}
