/* handlers/event_pieces.h - what many streams of events send at the same time, made once.
 *
 * Streams that keep up are all at the same place: what comes after it is read and written as
 * text for the first of them, and shared by the others with the same filter. A piece says
 * "after this number, up to that one, this has happened", which stays true for ever. Any
 * thread.
 */
#ifndef JOBD_HANDLERS_EVENT_PIECES_H
#define JOBD_HANDLERS_EVENT_PIECES_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clean.h"

struct event_pieces;

/* Read-only once it is shared. */
struct event_piece {
    int64_t after_seq;
    int64_t seen_seq;
    const char *filter; /* in one spelling; lies in room */
    struct buf text;    /* not empty */
    struct buf room;
    int references; /* guarded by event_pieces */
};

struct event_pieces *event_pieces_new(void);
/* All pieces have been put back. NULL is fine. */
struct event_pieces *event_pieces_free(struct event_pieces *ps);

/* The piece that begins there, or NULL; goes back with event_pieces_put(). */
struct event_piece *event_pieces_get(struct event_pieces *ps, int64_t after_seq,
                                     const char *filter);
/* Share a piece: text is taken. Returns it, as event_pieces_get() does. */
struct event_piece *event_pieces_share(struct event_pieces *ps, int64_t after_seq,
                                       int64_t seen_seq, const char *filter,
                                       struct buf *take_text);
/* NULL is fine. Returns NULL. */
struct event_piece *event_pieces_put(struct event_pieces *ps, struct event_piece *p);

#endif
