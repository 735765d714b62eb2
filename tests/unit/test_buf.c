#include "tests/support/test.h"

#include "base/buf.h"

#include <string.h>

#include "base/mem.h"

static void a_fresh_buffer_is_empty(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };

    (void)state;
    buf_clear(&b);
    buf_consume(&b, 0);
    buf_commit(&b, 0);
    assert_null(b.data);
    assert_int_equal(b.len, 0);
}

static void every_way_of_adding_appends(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };

    (void)state;
    buf_add(&b, "ab", 2);
    buf_add_str(&b, "cd");
    buf_add_char(&b, 'e');
    buf_printf(&b, "%d", 42);
    buf_add(&b, NULL, 0);
    memcpy(buf_reserve(&b, 3), "xyz", 3);
    buf_commit(&b, 2);
    assert_int_equal(b.len, 9);
    assert_string_equal(b.data, "abcde42xy");
}

static void adding_nothing_makes_an_empty_string(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };

    (void)state;
    buf_add_str(&b, "");
    assert_string_equal(b.data, "");
}

static void zero_bytes_are_content(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };

    (void)state;
    buf_add(&b, "\0\0", 2);
    buf_add_char(&b, '\0');
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "\0\0\0", 4);
}

/* Each length in turn, so that every edge of the capacity is met. */
static void it_grows_byte_by_byte_and_stays_terminated(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };

    (void)state;
    for (size_t len = 0; len < 1000; len++) {
        buf_add_char(&b, (char)('a' + len % 26));
        assert_int_equal(b.len, len + 1);
        assert_int_equal(b.data[len + 1], 0);
        assert_true(b.capacity > b.len);
    }
    for (size_t at = 0; at < 1000; at++)
        assert_int_equal(b.data[at], 'a' + at % 26);
}

static void printing_fits_at_every_fill_level(void **state)
{
    (void)state;
    for (int width = 1; width < 300; width++) {
        AUTO_FINI(buf) struct buf b = { 0 };

        for (size_t times = 1; times <= 4; times++) {
            buf_printf(&b, "%*d", width, 7);
            assert_int_equal(b.len, times * (size_t)width);
            assert_int_equal(strlen(b.data), b.len);
            assert_int_equal(b.data[b.len - 1], '7');
        }
    }
}

static void growth_is_by_doubling_so_that_appending_stays_cheap(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    size_t capacity = 0;
    int moves = 0;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        buf_add_char(&b, 'x');
        if (b.capacity != capacity)
            moves++;
        capacity = b.capacity;
    }
    assert_in_range(moves, 1, 20);
}

static void reserved_room_is_no_content_until_committed(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };

    (void)state;
    buf_add_str(&b, "a");
    memset(buf_reserve(&b, 5000), 'z', 5000);
    buf_commit(&b, 0);
    assert_string_equal(b.data, "a");
    assert_true(b.capacity > 5001);
}

static void consuming_drops_from_the_front(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 6; n++) {
        AUTO_FINI(buf) struct buf b = { 0 };

        buf_add_str(&b, "abcdef");
        buf_consume(&b, n);
        assert_int_equal(b.len, 6 - n);
        assert_string_equal(b.data, &"abcdef"[n]);
    }
}

static void clearing_keeps_the_room(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    size_t capacity;

    (void)state;
    buf_printf(&b, "%500d", 1);
    capacity = b.capacity;
    buf_clear(&b);
    assert_int_equal(b.capacity, capacity);
    assert_int_equal(b.len, 0);
    assert_string_equal(b.data, "");
}

static void stealing_empties_the_buffer(void **state)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    AUTO(mem) char *none = buf_steal(&b);
    AUTO(mem) char *text = NULL;

    (void)state;
    assert_string_equal(none, "");
    buf_add_str(&b, "mine");
    text = buf_steal(&b);
    assert_string_equal(text, "mine");
    assert_null(b.data);
    assert_int_equal(b.len + b.capacity, 0);
    buf_add_str(&b, "next");
    assert_string_equal(b.data, "next");
}

static void a_buffer_may_be_ended_twice(void **state)
{
    struct buf b = { 0 };

    (void)state;
    buf_add_str(&b, "x");
    buf_fini(&b);
    buf_fini(&b);
    assert_null(b.data);
    assert_int_equal(b.len + b.capacity, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_buffer_is_empty),
        cmocka_unit_test(every_way_of_adding_appends),
        cmocka_unit_test(adding_nothing_makes_an_empty_string),
        cmocka_unit_test(zero_bytes_are_content),
        cmocka_unit_test(it_grows_byte_by_byte_and_stays_terminated),
        cmocka_unit_test(printing_fits_at_every_fill_level),
        cmocka_unit_test(growth_is_by_doubling_so_that_appending_stays_cheap),
        cmocka_unit_test(reserved_room_is_no_content_until_committed),
        cmocka_unit_test(consuming_drops_from_the_front),
        cmocka_unit_test(clearing_keeps_the_room),
        cmocka_unit_test(stealing_empties_the_buffer),
        cmocka_unit_test(a_buffer_may_be_ended_twice),
    };

    return cmocka_run_group_tests_name("base/buf", tests, NULL, NULL);
}
