/* base/packed.h - numbers and texts in few bytes, one behind the other.
 *
 * Numbers are LEB128 (seven bits a byte, the low ones first), signed ones in zigzag; texts end
 * with a NUL. Pure, any thread.
 */
#ifndef JOBD_BASE_PACKED_H
#define JOBD_BASE_PACKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

void packed_add_number(struct buf *b, uint64_t n);
void packed_add_signed(struct buf *b, int64_t n);
void packed_add_text(struct buf *b, const char *text);

/* Bytes that are being read. What they do not hold reads as 0 or "", and makes them broken. */
struct packed {
    const unsigned char *at, *end;
    bool broken;
};

unsigned packed_byte(struct packed *p);
uint64_t packed_number(struct packed *p);
int64_t packed_signed(struct packed *p);
/* A number that is not negative and at most max. */
int64_t packed_small(struct packed *p, int64_t max);
/* Borrowed from the bytes. */
const char *packed_text(struct packed *p);

#endif
