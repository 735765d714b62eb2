#include "handlers/event_pieces.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"

#define SLOTS 64

struct event_pieces {
    pthread_mutex_t mutex;            /* guards all below; a leaf */
    struct event_piece *slots[SLOTS]; /* by after_seq and filter; each holds a reference */
    size_t lent;
};

struct event_pieces *event_pieces_new(void)
{
    struct event_pieces *ps = mem_new0(sizeof *ps);

    (void)pthread_mutex_init(&ps->mutex, NULL); /* cannot fail for the default kind */
    return ps;
}

static void piece_free(struct event_piece *p)
{
    buf_fini(&p->text);
    buf_fini(&p->room);
    free(p);
}

/* Returns p when nobody holds it any more. */
static struct event_piece *let_go_locked(struct event_piece *p)
{
    return p && --p->references == 0 ? p : NULL;
}

struct event_pieces *event_pieces_free(struct event_pieces *ps)
{
    if (!ps)
        return NULL;
    assert(ps->lent == 0);
    for (size_t i = 0; i < SLOTS; i++)
        if (ps->slots[i])
            piece_free(ps->slots[i]);
    (void)pthread_mutex_destroy(&ps->mutex);
    free(ps);
    return NULL;
}

/* FNV-1a of the filter, mixed with the place (the multiplier is Knuth's). */
static size_t slot_of(int64_t after_seq, const char *filter)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *filter; filter++)
        h = (h ^ (unsigned char)*filter) * UINT64_C(0x100000001b3);
    h = (h ^ (uint64_t)after_seq) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(h >> 32) % SLOTS;
}

struct event_piece *event_pieces_get(struct event_pieces *ps, int64_t after_seq,
                                     const char *filter)
{
    struct event_piece *p;

    (void)pthread_mutex_lock(&ps->mutex);
    p = ps->slots[slot_of(after_seq, filter)];
    if (p && (p->after_seq != after_seq || !text_equal(p->filter, filter)))
        p = NULL;
    if (p) {
        p->references++;
        ps->lent++;
    }
    (void)pthread_mutex_unlock(&ps->mutex);
    return p;
}

struct event_piece *event_pieces_share(struct event_pieces *ps, int64_t after_seq,
                                       int64_t seen_seq, const char *filter,
                                       struct buf *take_text)
{
    struct event_piece *p = mem_new0(sizeof *p);
    struct event_piece **slot = &ps->slots[slot_of(after_seq, filter)];
    struct event_piece *old;

    p->after_seq = after_seq;
    p->seen_seq = seen_seq;
    buf_add_str(&p->room, filter);
    buf_add_char(&p->room, '\0');
    p->filter = p->room.data;
    p->text = *take_text;
    *take_text = (struct buf){ 0 };
    p->references = 2; /* the slot's, and the caller's */
    (void)pthread_mutex_lock(&ps->mutex);
    old = let_go_locked(*slot);
    *slot = p;
    ps->lent++;
    (void)pthread_mutex_unlock(&ps->mutex);
    if (old)
        piece_free(old);
    return p;
}

struct event_piece *event_pieces_put(struct event_pieces *ps, struct event_piece *p)
{
    if (!p)
        return NULL;
    (void)pthread_mutex_lock(&ps->mutex);
    p = let_go_locked(p);
    ps->lent--;
    (void)pthread_mutex_unlock(&ps->mutex);
    if (p)
        piece_free(p);
    return NULL;
}
