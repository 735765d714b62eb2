#include "tests/support/test.h"

#include <string.h>

#include "base/base64.h"

static void the_vectors_of_rfc_4648_decode(void **state)
{
    static const struct {
        const char *text;
        const char *bytes;
    } rows[] = {
        { "", "" },
        { "Zg==", "f" },
        { "Zm8=", "fo" },
        { "Zm9v", "foo" },
        { "Zm9vYg==", "foob" },
        { "Zm9vYmE=", "fooba" },
        { "Zm9vYmFy", "foobar" },
        { "+/+/", "\xFB\xFF\xBF" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FINI(buf) struct buf b = { 0 };

        buf_add_str(&b, "> ");
        assert_true(base64_decode(rows[i].text, strlen(rows[i].text), &b));
        assert_int_equal(b.len, 2 + strlen(rows[i].bytes));
        assert_string_equal(b.data + 2, rows[i].bytes);
    }
}

static void every_byte_value_decodes(void **state)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    (void)state;
    for (unsigned value = 0; value < 256; value++) {
        AUTO_FINI(buf) struct buf b = { 0 };
        char text[4] = { digits[value >> 2], digits[(value & 3) << 4], '=', '=' };

        assert_true(base64_decode(text, sizeof text, &b));
        assert_int_equal(b.len, 1);
        assert_int_equal((unsigned char)b.data[0], value);
    }
}

static void all_other_text_is_refused_and_nothing_is_added(void **state)
{
    static const char *const texts[] = {
        "Z",        "Zg",       "Zg=",        "Zm8",
        "Zm9vYg", /* padding is missing */
        "Zg===",    "Zm9v====", "====",       "=",
        "Z===",                                                   /* or too much of it */
        "Zg==Zg==", "Zm=v",     "=Zg=",                           /* or in the wrong place */
        "Zh==",     "Zm9=",                                       /* unused bits are set */
        "Zm 9v",    "Zm9v\n",   "Zm9v\r\nZg", "Zm9v    ",         /* blanks */
        "-_-_",     "Zm9*",     "Zm\xC3\xA4", "\xFF\xFF\xFF\xFF", /* another alphabet */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        AUTO_FINI(buf) struct buf b = { 0 };

        buf_add_str(&b, "kept");
        if (base64_decode(texts[i], strlen(texts[i]), &b))
            fail_msg("row %zu was accepted", i);
        assert_int_equal(b.len, 4);
        assert_string_equal(b.data, "kept");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_rfc_4648_decode),
        cmocka_unit_test(every_byte_value_decodes),
        cmocka_unit_test(all_other_text_is_refused_and_nothing_is_added),
    };

    return cmocka_run_group_tests_name("base/base64", tests, NULL, NULL);
}
