/* domain/json_run.h - eight bytes of a JSON string at a time. */
#ifndef JOBD_DOMAIN_JSON_RUN_H
#define JOBD_DOMAIN_JSON_RUN_H

#include <stdint.h>

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

#endif
