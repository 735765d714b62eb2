#include "base/text.h"

#include <assert.h>

bool text_starts(const char *text, const char *prefix, const char **ret_rest)
{
    size_t len = strlen(prefix);

    if (strncmp(text, prefix, len) != 0)
        return false;
    if (ret_rest)
        *ret_rest = text + len;
    return true;
}

bool text_to_i64(const char *text, int64_t min, int64_t max, int64_t *ret_number)
{
    int64_t number = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, *text - '0', &number))
            return false;
    }
    if (number < min || number > max)
        return false;
    *ret_number = number;
    return true;
}

char *text_copy(char *to, size_t room_bytes, const char *from)
{
    size_t len;

    assert(room_bytes >= 1);
    len = strnlen(from, room_bytes - 1);
    memcpy(to, from, len);
    to[len] = '\0';
    return to;
}

static bool is_token_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           c == '.' || c == '_' || c == '-';
}

bool text_is_token(const char *text, size_t max_len)
{
    size_t len = 0;

    for (; text[len] != '\0'; len++)
        if (len == max_len || !is_token_char(text[len]))
            return false;
    return len > 0;
}

/* The table of RFC 3629 section 4: what may follow each first byte. */
static const struct utf8_row {
    unsigned char first_min, first_max;
    unsigned char second_min, second_max;
    size_t len;
} utf8_rows[] = {
    { 0x00, 0x7f, 0x00, 0x00, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
    { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
    { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

static bool utf8_row_fits(const struct utf8_row *row, const unsigned char *bytes, size_t len)
{
    if (bytes[0] < row->first_min || bytes[0] > row->first_max || len < row->len)
        return false;
    if (row->len > 1 && (bytes[1] < row->second_min || bytes[1] > row->second_max))
        return false;
    for (size_t i = 2; i < row->len; i++)
        if ((bytes[i] & 0xc0) != 0x80)
            return false;
    return true;
}

size_t text_utf8_len(const void *block, size_t len)
{
    if (len == 0)
        return 0;
    for (size_t i = 0; i < sizeof utf8_rows / sizeof *utf8_rows; i++)
        if (utf8_row_fits(&utf8_rows[i], block, len))
            return utf8_rows[i].len;
    return 0;
}

bool text_is_utf8(const char *text, size_t len)
{
    while (len > 0) {
        size_t n = text_utf8_len(text, len);

        if (n == 0)
            return false;
        text += n;
        len -= n;
    }
    return true;
}
