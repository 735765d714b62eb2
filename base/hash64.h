/* base/hash64.h - uthash for 64-bit integer keys: one multiplication instead of Jenkins' hash.
 *
 * Include this instead of <uthash.h>. Every key is exactly 8 bytes: HASH_ADD(hh, head, field,
 * 8, item). The multiplier is Knuth's (2^64 / golden ratio); the high half holds the well-mixed
 * bits.
 */
#ifndef JOBD_BASE_HASH64_H
#define JOBD_BASE_HASH64_H

#include <stdint.h>
#include <string.h>

/* clang-format off */
#define HASH_FUNCTION(keyptr, keylen, hashv)                              \
    do {                                                                  \
        uint64_t hash_key_;                                               \
        (void)(keylen);                                                   \
        (void)memcpy(&hash_key_, (keyptr), sizeof hash_key_);             \
        (hashv) = (unsigned)((hash_key_ * 0x9e3779b97f4a7c15u) >> 32);    \
    } while (0)
/* clang-format on */
#include <uthash.h>

#endif
