#include "base/uuid7.h"

#include <assert.h>
#include <string.h>

#include "base/random.h"

#define COUNTER_BITS 12
#define COUNTER_MASK ((uint64_t)0xfff)
#define MS_MAX       ((int64_t)0xffffffffffff)
#define RAND_MASK    ((uint64_t)0x3fffffffffffffff)
#define VERSION_BITS ((uint64_t)7 << 12)
#define VARIANT_BITS ((uint64_t)2 << 62)

int64_t uuid7_key_at(usec_t wall_us)
{
    int64_t ms = wall_us / USEC_PER_MS;

    if (ms < 0)
        ms = 0;
    if (ms > MS_MAX)
        ms = MS_MAX;
    return ms << COUNTER_BITS;
}

struct uuid7 uuid7_new(struct uuid7_gen *gen, usec_t wall_us)
{
    int64_t key = uuid7_key_at(wall_us);

    /* One step covers all of it: a later id of the same millisecond counts up, a full counter
     * carries into the millisecond, and a clock that was set back is waited for. */
    if (key <= gen->last_key)
        key = gen->last_key + 1;
    assert(key <= UUID7_KEY_MAX);
    gen->last_key = key;
    return uuid7_from_parts(key, (int64_t)(random_u64() & RAND_MASK));
}

int64_t uuid7_key(struct uuid7 id)
{
    return (int64_t)((id.hi >> 16 << COUNTER_BITS) | (id.hi & COUNTER_MASK));
}

int64_t uuid7_rand(struct uuid7 id)
{
    return (int64_t)(id.lo & RAND_MASK);
}

struct uuid7 uuid7_from_parts(int64_t key, int64_t rand)
{
    uint64_t bits = (uint64_t)key;
    struct uuid7 id = {
        .hi = (bits >> COUNTER_BITS << 16) | VERSION_BITS | (bits & COUNTER_MASK),
        .lo = VARIANT_BITS | ((uint64_t)rand & RAND_MASK),
    };

    assert(key >= 0 && key <= UUID7_KEY_MAX);
    return id;
}

bool uuid7_equal(struct uuid7 a, struct uuid7 b)
{
    return a.hi == b.hi && a.lo == b.lo;
}

/* Where the dashes are in 8-4-4-4-12. */
static bool is_dash(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

/* The digits of the lowest bytes of a number, the highest first. */
static char *put_hex(char *to, uint64_t number, int bytes)
{
    static const char hex[] = "0123456789abcdef";

    for (int shift = bytes * 8 - 4; shift >= 0; shift -= 4)
        *to++ = hex[number >> shift & 0xf];
    return to;
}

char *uuid7_format(struct uuid7 id, char text[UUID7_TEXT_SIZE])
{
    char *to = put_hex(text, id.hi >> 32, 4);

    *to++ = '-';
    to = put_hex(to, id.hi >> 16, 2);
    *to++ = '-';
    to = put_hex(to, id.hi, 2);
    *to++ = '-';
    to = put_hex(to, id.lo >> 48, 2);
    *to++ = '-';
    to = put_hex(to, id.lo, 6);
    *to = '\0';
    return text;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool uuid7_parse(const char *text, struct uuid7 *ret_id)
{
    struct uuid7 id = { 0 };
    unsigned digit = 0;

    for (size_t at = 0; at < UUID7_TEXT_SIZE - 1; at++) {
        uint64_t *half = digit < 16 ? &id.hi : &id.lo;
        int value;

        if (is_dash(at)) {
            if (text[at] != '-')
                return false;
            continue;
        }
        value = hex_value(text[at]); /* also stops at an early NUL */
        if (value < 0)
            return false;
        *half = *half << 4 | (uint64_t)value;
        digit++;
    }
    if (text[UUID7_TEXT_SIZE - 1] != '\0' || (id.hi & 0xf000) != VERSION_BITS ||
        id.lo >> 62 != VARIANT_BITS >> 62)
        return false;
    *ret_id = id;
    return true;
}
