/* base/hash_bytes.h - uthash for keys of any length.
 *
 * Include this instead of <uthash.h>: its default function falls through the cases of a switch
 * without saying so, which Clang warns of wherever it is used. For 64-bit integers there is
 * base/hash64.h.
 */
#ifndef JOBD_BASE_HASH_BYTES_H
#define JOBD_BASE_HASH_BYTES_H

#define HASH_FUNCTION HASH_FNV
#include <uthash.h>

#endif
