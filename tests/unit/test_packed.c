#include "tests/support/test.h"

#include "base/packed.h"

#include <string.h>

static struct packed reader_of(const struct buf *b, size_t len)
{
    return (struct packed){ .at = (const unsigned char *)b->data,
                            .end = (const unsigned char *)b->data + len };
}

static void numbers_come_back_from_few_bytes(void **state)
{
    static const uint64_t numbers[] = { 0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX };
    static const size_t bytes[] = { 1, 1, 1, 2, 2, 3, 5, 10 };
    AUTO_FINI(buf) struct buf b = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct packed p;

        buf_clear(&b);
        packed_add_number(&b, numbers[i]);
        assert_int_equal(b.len, bytes[i]);
        p = reader_of(&b, b.len);
        assert_true(packed_number(&p) == numbers[i]);
        assert_true(!p.broken && p.at == p.end);
    }
}

static void signed_numbers_too(void **state)
{
    static const int64_t numbers[] = { 0, -1, 1, -64, 63, 64, INT64_MIN, INT64_MAX };
    AUTO_FINI(buf) struct buf b = { 0 };
    struct packed p;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        packed_add_signed(&b, numbers[i]);
    packed_add_text(&b, "");
    packed_add_text(&b, "text");
    p = reader_of(&b, b.len);
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        assert_true(packed_signed(&p) == numbers[i]);
    assert_string_equal(packed_text(&p), "");
    assert_string_equal(packed_text(&p), "text");
    assert_true(!p.broken && p.at == p.end);
}

static void what_is_not_there_is_broken(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    struct packed p;

    (void)state;
    packed_add_number(&b, UINT64_MAX);
    for (size_t len = 0; len < b.len; len++) {
        p = reader_of(&b, len);
        assert_int_equal(packed_number(&p), 0);
        assert_true(p.broken);
    }
    p = reader_of(&b, b.len);
    assert_int_equal(packed_small(&p, INT64_MAX), 0);
    assert_true(p.broken);
    buf_clear(&b);
    buf_add(&b, "no end", 6);
    p = reader_of(&b, b.len);
    assert_string_equal(packed_text(&p), "");
    assert_true(p.broken);
    p = reader_of(&b, 0);
    assert_int_equal(packed_byte(&p), 0);
    assert_true(p.broken);
    buf_clear(&b);
    for (int i = 0; i < 11; i++)
        buf_add_char(&b, (char)0x80); /* longer than any number */
    p = reader_of(&b, b.len);
    assert_int_equal(packed_number(&p), 0);
    assert_true(p.broken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_come_back_from_few_bytes),
        cmocka_unit_test(signed_numbers_too),
        cmocka_unit_test(what_is_not_there_is_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
