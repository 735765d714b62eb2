/* domain/kept.h - which bytes of a long stream are kept, and where they lie: the first ones,
 * the head, and the last ones, the tail, in a ring behind the head. Pure.
 *
 * Positions count the bytes of the stream from 0. While no more than head_max + tail_max bytes
 * were written all of them are there, in order.
 */
#ifndef JOBD_DOMAIN_KEPT_H
#define JOBD_DOMAIN_KEPT_H

#include <stdint.h>

struct kept {
    int64_t head_max; /* > 0, or tail_max is 0, too */
    int64_t tail_max; /* >= 0 */
};

/* Half of it each; an odd byte is the head's. */
static inline struct kept kept_of(int64_t max_bytes)
{
    return (struct kept){ max_bytes - max_bytes / 2, max_bytes / 2 };
}

static inline int64_t kept_max(struct kept k)
{
    return k.head_max + k.tail_max;
}

/* The head is [0, kept_head_end()), the tail [kept_tail_start(), written), and what lies
 * between them is left out. */
static inline int64_t kept_head_end(struct kept k, int64_t written)
{
    return written < k.head_max ? written : k.head_max;
}

static inline int64_t kept_tail_start(struct kept k, int64_t written)
{
    int64_t start = written - k.tail_max;

    return start > kept_head_end(k, written) ? start : kept_head_end(k, written);
}

/* How many bytes of a stream are kept. */
static inline int64_t kept_bytes(struct kept k, int64_t written)
{
    return kept_head_end(k, written) + written - kept_tail_start(k, written);
}

/* Where the byte at pos lies. pos is in the head, or there is a tail. */
static inline int64_t kept_place(struct kept k, int64_t pos)
{
    return pos < k.head_max ? pos : k.head_max + (pos - k.head_max) % k.tail_max;
}

/* How many bytes from pos on lie in one piece. */
static inline int64_t kept_run(struct kept k, int64_t pos)
{
    return pos < k.head_max ? k.head_max - pos : kept_max(k) - kept_place(k, pos);
}

#endif
