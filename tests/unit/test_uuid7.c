#include "tests/support/test.h"

#include "base/uuid7.h"

#include <ctype.h>
#include <string.h>

#include "base/clean.h"

#define NOW_US ((usec_t)1795425153120455)

static void an_id_has_the_layout_of_rfc_9562(void **state)
{
    struct uuid7_gen gen = { 0 };
    struct uuid7 id = uuid7_new(&gen, NOW_US);

    (void)state;
    assert_int_equal(id.hi >> 16, NOW_US / 1000);
    assert_int_equal(id.hi >> 12 & 0xf, 7);
    assert_int_equal(id.hi & 0xfff, 0);
    assert_int_equal(id.lo >> 62, 2);
    assert_int_equal(uuid7_key(id), NOW_US / 1000 << 12);
}

/* The clock stands still, is set back, jumps ahead, is before 1970 and beyond 48 bits. */
static void keys_rise_whatever_the_clock_does(void **state)
{
    static const usec_t moves_us[] = { 0,    0,           1, 999,  -1000,
                                       5000, -3600000000, 0, 1000, -NOW_US * 2 };
    struct uuid7_gen gen = { 0 };
    int64_t last_key = 0;

    (void)state;
    for (size_t i = 0; i < 20000; i++) {
        struct uuid7 id = uuid7_new(&gen, NOW_US + moves_us[i % COUNT_OF(moves_us)]);

        assert_true(uuid7_key(id) > last_key);
        assert_true(uuid7_key(id) <= UUID7_KEY_MAX);
        assert_int_equal(id.hi >> 12 & 0xf, 7);
        assert_int_equal(id.lo >> 62, 2);
        last_key = uuid7_key(id);
        assert_int_equal(gen.last_key, last_key);
    }
}

static void a_full_counter_moves_the_millisecond_ahead(void **state)
{
    struct uuid7_gen gen = { 0 };
    struct uuid7 id = { 0 };

    (void)state;
    for (int i = 0; i < 4096; i++)
        id = uuid7_new(&gen, NOW_US);
    assert_int_equal(id.hi >> 16, NOW_US / 1000);
    assert_int_equal(id.hi & 0xfff, 0xfff);
    id = uuid7_new(&gen, NOW_US);
    assert_int_equal(id.hi >> 16, NOW_US / 1000 + 1);
    assert_int_equal(id.hi & 0xfff, 0);
}

static void a_generator_goes_on_behind_the_last_key_it_was_given(void **state)
{
    struct uuid7_gen gen = { .last_key = uuid7_key_at(NOW_US) + 4095 };

    (void)state;
    assert_int_equal(uuid7_key(uuid7_new(&gen, NOW_US)), uuid7_key_at(NOW_US + 1000));
}

static void key_at_is_the_floor_of_the_ids_of_a_time(void **state)
{
    static const struct {
        usec_t wall_us;
        int64_t key;
    } rows[] = {
        { INT64_MIN, 0 },
        { -1, 0 },
        { 0, 0 },
        { 999, 0 },
        { 1000, 1 << 12 },
        { NOW_US, NOW_US / 1000 * 4096 },
        { 0xffffffffffff * 1000, UUID7_KEY_MAX - 4095 },
        { 0x1000000000000 * 1000, UUID7_KEY_MAX - 4095 },
        { INT64_MAX, UUID7_KEY_MAX - 4095 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(uuid7_key_at(rows[i].wall_us), rows[i].key);
}

static void parts_make_the_same_id_again(void **state)
{
    struct uuid7_gen gen = { 0 };

    (void)state;
    for (int i = 0; i < 5000; i++) {
        struct uuid7 id = uuid7_new(&gen, NOW_US);

        assert_true(uuid7_rand(id) >= 0);
        assert_true(uuid7_equal(uuid7_from_parts(uuid7_key(id), uuid7_rand(id)), id));
    }
    assert_int_equal(uuid7_key(uuid7_from_parts(UUID7_KEY_MAX, 5)), UUID7_KEY_MAX);
    assert_int_equal(uuid7_rand(uuid7_from_parts(0, 5)), 5);
    assert_int_equal(uuid7_rand(uuid7_from_parts(0, INT64_MAX >> 1)), INT64_MAX >> 1);
}

static void equality_looks_at_both_halves(void **state)
{
    struct uuid7 id = uuid7_from_parts(7, 8);

    (void)state;
    assert_true(uuid7_equal(id, uuid7_from_parts(7, 8)));
    assert_false(uuid7_equal(id, uuid7_from_parts(6, 8)));
    assert_false(uuid7_equal(id, uuid7_from_parts(7, 9)));
}

/* Each of the 62 bits is seen as 0 and as 1; by chance this fails once in 2^250 runs. */
static void all_random_bits_vary(void **state)
{
    struct uuid7_gen gen = { 0 };
    int64_t ever_set = 0;
    int64_t always_set = -1;

    (void)state;
    for (int i = 0; i < 256; i++) {
        int64_t bits = uuid7_rand(uuid7_new(&gen, NOW_US));

        ever_set |= bits;
        always_set &= bits;
    }
    assert_int_equal(ever_set, INT64_MAX >> 1);
    assert_int_equal(always_set, 0);
}

static void the_text_is_the_one_of_the_rfc(void **state)
{
    /* RFC 9562, appendix A.6. */
    const struct uuid7 id = { 0x017f22e279b07cc3, 0x98c4dc0c0c07398f };
    char text[UUID7_TEXT_SIZE];
    struct uuid7 back;

    (void)state;
    assert_string_equal(uuid7_format(id, text), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    assert_true(uuid7_parse("017F22E2-79B0-7CC3-98C4-DC0C0C07398F", &back));
    assert_true(uuid7_equal(back, id));
}

static void what_is_written_is_read_back(void **state)
{
    struct uuid7_gen gen = { 0 };

    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct uuid7 id = uuid7_new(&gen, NOW_US + i * (usec_t)12345678);
        struct uuid7 back = { 0 };
        char text[UUID7_TEXT_SIZE];

        assert_true(uuid7_parse(uuid7_format(id, text), &back));
        assert_true(uuid7_equal(back, id));
    }
}

static bool fits_at(size_t at, char c)
{
    if (at == 8 || at == 13 || at == 18 || at == 23)
        return c == '-';
    if (at == 14)
        return c == '7';
    if (at == 19)
        return c != '\0' && strchr("89abAB", c) != NULL;
    return isxdigit((unsigned char)c) != 0;
}

static void every_byte_at_every_place_is_judged(void **state)
{
    (void)state;
    for (size_t at = 0; at < UUID7_TEXT_SIZE - 1; at++)
        for (int c = 0; c < 256; c++) {
            char text[] = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
            struct uuid7 id = { 1, 2 };

            text[at] = (char)c;
            assert_int_equal(uuid7_parse(text, &id), fits_at(at, (char)c));
            if (!fits_at(at, (char)c))
                assert_true(id.hi == 1 && id.lo == 2);
        }
}

static void a_text_of_another_length_is_refused(void **state)
{
    static const char whole[] = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
    struct uuid7 id;

    (void)state;
    for (size_t len = 0; len < sizeof whole - 1; len++) {
        char text[sizeof whole] = "";

        memcpy(text, whole, len);
        assert_false(uuid7_parse(text, &id));
    }
    assert_false(uuid7_parse("017f22e2-79b0-7cc3-98c4-dc0c0c07398f0", &id));
    assert_false(uuid7_parse("{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}", &id));
    assert_false(uuid7_parse("017f22e279b07cc398c4dc0c0c07398f", &id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_has_the_layout_of_rfc_9562),
        cmocka_unit_test(keys_rise_whatever_the_clock_does),
        cmocka_unit_test(a_full_counter_moves_the_millisecond_ahead),
        cmocka_unit_test(a_generator_goes_on_behind_the_last_key_it_was_given),
        cmocka_unit_test(key_at_is_the_floor_of_the_ids_of_a_time),
        cmocka_unit_test(parts_make_the_same_id_again),
        cmocka_unit_test(equality_looks_at_both_halves),
        cmocka_unit_test(all_random_bits_vary),
        cmocka_unit_test(the_text_is_the_one_of_the_rfc),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(every_byte_at_every_place_is_judged),
        cmocka_unit_test(a_text_of_another_length_is_refused),
    };

    return cmocka_run_group_tests_name("base/uuid7", tests, NULL, NULL);
}
