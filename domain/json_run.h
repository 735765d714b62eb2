/* domain/json_run.h - eight bytes of a JSON string at a time. */
#ifndef JOBD_DOMAIN_JSON_RUN_H
#define JOBD_DOMAIN_JSON_RUN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define JSON_RUN_ONES  UINT64_C(0x0101010101010101)
#define JSON_RUN_HIGHS (JSON_RUN_ONES << 7)

/* Not zero when one of eight bytes is a quote, a backslash or a control character, which a
 * string cannot hold as they are. A subtraction borrows only from above a byte that is found
 * already. */
static inline uint64_t json_run_stops(uint64_t word)
{
    uint64_t quote = word ^ (JSON_RUN_ONES * '"'), slash = word ^ (JSON_RUN_ONES * '\\');

    return (((quote - JSON_RUN_ONES) & ~quote) | ((slash - JSON_RUN_ONES) & ~slash) |
            ((word - JSON_RUN_ONES * 0x20) & ~word)) &
           JSON_RUN_HIGHS;
}

/* Over whole words without such bytes: the next is within eight bytes, or the end is. */
static inline const char *json_run_skip(const char *at, const char *end)
{
    uint64_t word;

    for (; end - at >= (ptrdiff_t)sizeof word; at += sizeof word) {
        memcpy(&word, at, sizeof word);
        if (json_run_stops(word) != 0)
            break;
    }
    return at;
}

#endif
