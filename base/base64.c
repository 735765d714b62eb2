#include "base/base64.h"

#include <sodium.h>

/* sodium 1.0.18 takes bytes beyond ASCII for digits. */
static bool is_ascii(const char *text, size_t len)
{
    unsigned char all = 0;

    for (size_t i = 0; i < len; i++)
        all |= (unsigned char)text[i];
    return all < 0x80;
}

bool base64_decode(const char *text, size_t len, struct buf *out)
{
    size_t room_bytes = len / 4 * 3;
    size_t done = 0;
    char *to;

    if (len % 4 != 0 || !is_ascii(text, len))
        return false;
    to = buf_reserve(out, room_bytes);
    if (sodium_base642bin((unsigned char *)to, room_bytes, text, len, NULL, &done, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0) {
        *to = '\0'; /* whatever was written beyond the content is no content */
        return false;
    }
    buf_commit(out, done);
    return true;
}
