#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/http/gunzip.h"
#include "tests/support/gzip.h"

/* All of packed in pieces of this size. */
static int gunzip(const struct buf *packed, size_t piece, size_t max_bytes, struct buf *to)
{
    AUTO(gunzip) struct gunzip *g = gunzip_new();
    int r = 0;

    for (size_t at = 0; at < packed->len && r == 0; at += piece) {
        size_t len = packed->len - at < piece ? packed->len - at : piece;

        r = gunzip_add(g, packed->data + at, len, max_bytes, to, NULL);
    }
    return r < 0 ? r : gunzip_end(g, NULL);
}

static void a_body_comes_back_whatever_its_pieces(void **state)
{
    static const size_t pieces[] = { 1, 2, 7, 1000, 1000000 };
    AUTO_FINI(buf) struct buf packed = { 0 };
    AUTO(mem) char *text = mem_new0(100000);

    (void)state;
    for (size_t i = 0; i < 100000; i++)
        text[i] = (char)('a' + i * i / 7 % 26);
    gzip(text, 100000, 6, &packed);
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        AUTO_FINI(buf) struct buf out = { 0 };

        assert_int_equal(gunzip(&packed, pieces[i], 100000, &out), 0);
        assert_int_equal(out.len, 100000);
        assert_memory_equal(out.data, text, 100000);
    }
}

static void members_follow_each_other(void **state)
{
    AUTO_FINI(buf) struct buf packed = { 0 };

    (void)state;
    gzip("one", 3, 0, &packed);
    gzip("", 0, 9, &packed);
    gzip("two", 3, 9, &packed);
    for (size_t piece = 1; piece < packed.len; piece++) {
        AUTO_FINI(buf) struct buf out = { 0 };

        assert_int_equal(gunzip(&packed, piece, 6, &out), 0);
        assert_int_equal(out.len, 6);
        assert_memory_equal(out.data, "onetwo", 6);
    }
}

static void one_byte_too_many_is_too_large(void **state)
{
    AUTO_FINI(buf) struct buf packed = { 0 }, out = { 0 }, whole = { 0 };

    (void)state;
    gzip("12345678", 8, 6, &packed);
    assert_int_equal(gunzip(&packed, 3, 7, &out), ERR_CONTENT_TOO_LARGE);
    assert_int_equal(gunzip(&packed, 3, 8, &whole), 0);
}

static void a_bomb_is_too_large_before_it_goes_off(void **state)
{
    AUTO_FINI(buf) struct buf packed = { 0 }, out = { 0 };
    AUTO(mem) char *zeros = mem_new0((size_t)32 << 20);

    (void)state;
    gzip(zeros, (size_t)32 << 20, 9, &packed);
    assert_int_equal(gunzip(&packed, 1024, (size_t)64 << 20, &out), ERR_CONTENT_TOO_LARGE);
    assert_true(out.len < (size_t)4 << 20);
}

static void what_is_damaged_is_malformed(void **state)
{
    static const char text[] = "to be or not to be, that is the question";
    AUTO_FINI(buf) struct buf packed = { 0 };

    (void)state;
    gzip(text, sizeof text, 9, &packed);
    for (size_t len = 0; len < packed.len; len++) { /* cut off */
        AUTO_FINI(buf) struct buf out = { 0 };
        const struct buf part = { .data = packed.data, .len = len };

        assert_int_equal(gunzip(&part, 64, 1000, &out), ERR_MALFORMED_REQUEST);
    }
    for (size_t i = packed.len - 8; i < packed.len; i++) { /* checksum and length */
        AUTO_FINI(buf) struct buf out = { 0 };

        packed.data[i] ^= 0x10;
        assert_int_equal(gunzip(&packed, 64, 1000, &out), ERR_MALFORMED_REQUEST);
        packed.data[i] ^= 0x10;
    }
    for (size_t i = 0; i < 2; i++) {
        static const char *const others[] = { "{\"function\":\"f\"}", "\x78\x9c garbage" };
        AUTO_FINI(buf) struct buf out = { 0 }, plain = { 0 };

        buf_add_str(&plain, others[i]);
        assert_int_equal(gunzip(&plain, 64, 1000, &out), ERR_MALFORMED_REQUEST);
    }
    buf_add_str(&packed, "garbage");
    AUTO_FINI(buf) struct buf out = { 0 };
    assert_int_equal(gunzip(&packed, 64, 1000, &out), ERR_MALFORMED_REQUEST);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_comes_back_whatever_its_pieces),
        cmocka_unit_test(members_follow_each_other),
        cmocka_unit_test(one_byte_too_many_is_too_large),
        cmocka_unit_test(a_bomb_is_too_large_before_it_goes_off),
        cmocka_unit_test(what_is_damaged_is_malformed),
    };

    return cmocka_run_group_tests_name("http/gunzip", tests, NULL, NULL);
}
