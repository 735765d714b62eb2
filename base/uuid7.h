/* base/uuid7.h - time-ordered ids: UUID version 7 (RFC 9562 section 5.7).
 *
 * Layout: 48 bits of milliseconds, version, a 12-bit counter within the millisecond (RFC 9562
 * section 6.2, method 1; when it is used up the millisecond is moved ahead), variant, 62 random
 * bits. The first 60 payload bits, uuid7_key(), are therefore unique within one generator and
 * rise with every id: they serve as the primary key of a table. The random bits keep ids
 * unguessable.
 */
#ifndef JOBD_BASE_UUID7_H
#define JOBD_BASE_UUID7_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define UUID7_TEXT_SIZE 37 /* with the NUL */
#define UUID7_KEY_MAX   ((int64_t)0x0fffffffffffffff)

struct uuid7 {
    uint64_t hi; /* ms << 16 | 7 << 12 | counter */
    uint64_t lo; /* 2 << 62 | random */
};

/* Makes ids with strictly rising keys. Plain data, one thread. */
struct uuid7_gen {
    int64_t last_key; /* the next key is greater than this, whatever the clock does */
};

struct uuid7 uuid7_new(struct uuid7_gen *gen, usec_t wall_us);

/* ms << 12 | counter: 60 bits, never negative. */
int64_t uuid7_key(struct uuid7 id);
/* The 62 random bits, never negative. */
int64_t uuid7_rand(struct uuid7 id);
/* The id that has this key and these random bits. */
struct uuid7 uuid7_from_parts(int64_t key, int64_t rand);
/* The smallest key that an id made at wall_us can have: for time filters. */
int64_t uuid7_key_at(usec_t wall_us);

/* Whether there is one: a zeroed struct is none. */
static inline bool uuid7_is_set(struct uuid7 id)
{
    return id.hi != 0;
}
bool uuid7_equal(struct uuid7 a, struct uuid7 b);
/* "0190f0c2-...": lower case, 36 characters. Returns text. */
char *uuid7_format(struct uuid7 id, char text[UUID7_TEXT_SIZE]);
/* 36 characters, either case, version 7, variant 2; false, and *ret_id untouched, for all else.
 */
bool uuid7_parse(const char *text, struct uuid7 *ret_id);

#endif
