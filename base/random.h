/* base/random.h - unguessable random bits from the kernel, without a system call each time.
 *
 * Bits are fetched in blocks, one block a thread. A forked child never sees bits that its
 * parent may hand out, however it was forked. Aborts when the kernel has no random source. Any
 * thread.
 */
#ifndef JOBD_BASE_RANDOM_H
#define JOBD_BASE_RANDOM_H

#include <stdint.h>

uint64_t random_u64(void);

#endif
