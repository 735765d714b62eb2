#include "base/packed.h"

#include <string.h>

#define NUMBER_MAX_BYTES 10

void packed_add_number(struct buf *b, uint64_t n)
{
    char *to = buf_reserve(b, NUMBER_MAX_BYTES);
    size_t len = 0;

    for (; n > 0x7f; n >>= 7)
        to[len++] = (char)(n | 0x80);
    to[len++] = (char)n;
    buf_commit(b, len);
}

void packed_add_signed(struct buf *b, int64_t n)
{
    packed_add_number(b, ((uint64_t)n << 1) ^ (uint64_t)(n >> 63));
}

void packed_add_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text) + 1);
}

unsigned packed_byte(struct packed *p)
{
    if (p->at == p->end) {
        p->broken = true;
        return 0;
    }
    return *p->at++;
}

uint64_t packed_number(struct packed *p)
{
    uint64_t n = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        unsigned byte = packed_byte(p);

        n |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return p->broken ? 0 : n;
    }
    p->broken = true;
    return 0;
}

int64_t packed_signed(struct packed *p)
{
    uint64_t n = packed_number(p);

    return (int64_t)(n >> 1) ^ -(int64_t)(n & 1);
}

int64_t packed_small(struct packed *p, int64_t max)
{
    uint64_t n = packed_number(p);

    if (n > (uint64_t)max) {
        p->broken = true;
        return 0;
    }
    return (int64_t)n;
}

const char *packed_text(struct packed *p)
{
    const char *text = (const char *)p->at;
    const unsigned char *nul = memchr(p->at, 0, (size_t)(p->end - p->at));

    if (!nul) {
        p->broken = true;
        return "";
    }
    p->at = nul + 1;
    return text;
}
