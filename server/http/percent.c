#include "server/http/percent.h"

#include "base/text.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

static bool is_utf8(const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t n = text_utf8_len(text + at, len - at);

        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

bool percent_decode(const char *from, size_t len, bool plus_is_space, char *to, size_t *ret_len)
{
    unsigned char seen = 0; /* every byte or-ed: tells whether UTF-8 must be checked */
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)from[i];

        if (c == '%') {
            int high = len - i > 2 ? hex_digit(from[i + 1]) : -1;
            int low = len - i > 2 ? hex_digit(from[i + 2]) : -1;

            if (high < 0 || low < 0)
                return false;
            c = (unsigned char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (c < 0x20 || c == 0x7f)
            return false;
        seen |= c;
        to[n++] = (char)c;
    }
    to[n] = 0;
    if ((seen & 0x80) && !is_utf8(to, n))
        return false;
    *ret_len = n;
    return true;
}
