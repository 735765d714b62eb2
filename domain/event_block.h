/* domain/event_block.h - several events in few bytes: what the ledger keeps of them.
 *
 * A block holds events in the order of their numbers. Most of an event is the same as in the
 * one before it, and is left out: about 30 bytes remain. Pure, any thread.
 *
 *     block   format (1 byte) event*
 *     event   kind, flags, state (a byte each)
 *             seq and at_us, as differences to the event before it (0 at first)
 *             subject (2 x 8 bytes, little endian), version, attempt, seq - prev_seq (0: none)
 *             what the flags name: progress_ppm, reason, queue, function, tenant
 *
 * Numbers and texts are as in base/packed.h.
 */
#ifndef JOBD_DOMAIN_EVENT_BLOCK_H
#define JOBD_DOMAIN_EVENT_BLOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/packed.h"
#include "domain/event.h"

/* A block under construction. Zeroed is empty. */
struct event_block {
    struct buf bytes;
    size_t count;
    struct event last; /* its texts are places in `texts` */
    struct buf texts;  /* queue, function, tenant of the last event, with their NULs */
    int64_t first_seq; /* of the first event */
    usec_t last_at_us;
};

/* Copies what it keeps. ev->seq must be larger than that of the last one. */
void event_block_add(struct event_block *b, const struct event *ev);
/* Empty it, keep the room. */
void event_block_clear(struct event_block *b);
void event_block_fini(struct event_block *b);

/* A block that is being read. The texts of an event are borrowed from its bytes. */
struct event_walk {
    struct packed in; /* broken: the bytes are no block */
    struct event last;
};

void event_walk_init(struct event_walk *w, const void *block, size_t len);
/* False at the end, and when the block is broken. */
bool event_walk_next(struct event_walk *w, struct event *ret_event);

#endif
