#include "domain/event_block.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "base/text.h"

#define FORMAT 1

/* In flags: what follows the fixed part. Queue, function and tenant follow when they are not
 * those of the event before. */
#define HAS_PROGRESS 0x01
#define HAS_REASON   0x02
#define HAS_QUEUE    0x04
#define HAS_FUNCTION 0x08
#define NO_FUNCTION  0x10
#define HAS_TENANT   0x20

/* -- writing --------------------------------------------------------------------------------
 */

static void put_fixed(struct buf *b, uint64_t n)
{
    uint64_t le = htole64(n);

    buf_add(b, &le, sizeof le);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? text_equal(a, b) : a == b;
}

static unsigned flags_of(const struct event *ev, const struct event *last)
{
    unsigned flags = 0;

    if (ev->progress_ppm >= 0)
        flags |= HAS_PROGRESS;
    if (ev->reason)
        flags |= HAS_REASON;
    if (!same_text(ev->queue, last->queue))
        flags |= HAS_QUEUE;
    if (!ev->function)
        flags |= NO_FUNCTION;
    else if (!same_text(ev->function, last->function))
        flags |= HAS_FUNCTION;
    if (!same_text(ev->tenant, last->tenant))
        flags |= HAS_TENANT;
    return flags;
}

/* So that the next event can be compared with this one, whose texts are somebody else's. */
static void remember(struct event_block *b, const struct event *ev, unsigned flags)
{
    const char *function = ev->function ? ev->function : b->last.function;

    b->last.seq = ev->seq;
    b->last_at_us = ev->at_us;
    if (!(flags & (HAS_QUEUE | HAS_FUNCTION | HAS_TENANT)))
        return;
    {
        struct buf texts = { 0 };
        size_t function_at;
        size_t tenant_at;

        packed_add_text(&texts, ev->queue);
        function_at = texts.len;
        packed_add_text(&texts, function ? function : "");
        tenant_at = texts.len;
        packed_add_text(&texts, ev->tenant);
        buf_fini(&b->texts);
        b->texts = texts;
        b->last.queue = texts.data;
        b->last.function = function ? texts.data + function_at : NULL;
        b->last.tenant = texts.data + tenant_at;
    }
}

void event_block_add(struct event_block *b, const struct event *ev)
{
    unsigned flags = flags_of(ev, &b->last);

    assert(ev->seq > b->last.seq && ev->queue && ev->tenant);
    if (b->count == 0) {
        b->first_seq = ev->seq;
        buf_add_char(&b->bytes, FORMAT);
    }
    buf_add_char(&b->bytes, (char)ev->kind);
    buf_add_char(&b->bytes, (char)flags);
    buf_add_char(&b->bytes, (char)ev->state);
    packed_add_number(&b->bytes, (uint64_t)(ev->seq - b->last.seq));
    packed_add_signed(&b->bytes, ev->at_us - b->last_at_us);
    put_fixed(&b->bytes, (uint64_t)uuid7_key(ev->subject));
    put_fixed(&b->bytes, (uint64_t)uuid7_rand(ev->subject));
    packed_add_number(&b->bytes, (uint64_t)ev->version);
    packed_add_number(&b->bytes, (uint64_t)ev->attempt);
    packed_add_number(&b->bytes, ev->prev_seq > 0 ? (uint64_t)(ev->seq - ev->prev_seq) : 0);
    if (flags & HAS_PROGRESS)
        packed_add_number(&b->bytes, (uint64_t)ev->progress_ppm);
    if (flags & HAS_REASON)
        packed_add_text(&b->bytes, ev->reason);
    if (flags & HAS_QUEUE)
        packed_add_text(&b->bytes, ev->queue);
    if (flags & HAS_FUNCTION)
        packed_add_text(&b->bytes, ev->function);
    if (flags & HAS_TENANT)
        packed_add_text(&b->bytes, ev->tenant);
    b->count++;
    remember(b, ev, flags);
}

void event_block_clear(struct event_block *b)
{
    buf_clear(&b->bytes);
    buf_clear(&b->texts);
    b->count = 0;
    b->last = (struct event){ 0 };
    b->last_at_us = 0;
    b->first_seq = 0;
}

void event_block_fini(struct event_block *b)
{
    buf_fini(&b->bytes);
    buf_fini(&b->texts);
    *b = (struct event_block){ 0 };
}

/* -- reading --------------------------------------------------------------------------------
 */

static int64_t get_fixed(struct packed *p)
{
    uint64_t le;

    if ((size_t)(p->end - p->at) < sizeof le) {
        p->broken = true;
        return 0;
    }
    memcpy(&le, p->at, sizeof le);
    p->at += sizeof le;
    return (int64_t)(le64toh(le) & INT64_MAX);
}

void event_walk_init(struct event_walk *w, const void *block, size_t len)
{
    *w =
        (struct event_walk){ .in = { .at = block, .end = (const unsigned char *)block + len } };
    w->in.broken = len == 0 || *w->in.at++ != FORMAT;
}

static void get_texts(struct event_walk *w, struct event *ev, unsigned flags)
{
    ev->progress_ppm = flags & HAS_PROGRESS ? (int)packed_small(&w->in, 1000000) : -1;
    ev->reason = flags & HAS_REASON ? packed_text(&w->in) : NULL;
    if (flags & HAS_QUEUE)
        w->last.queue = packed_text(&w->in);
    if (flags & HAS_FUNCTION)
        w->last.function = packed_text(&w->in);
    if (flags & HAS_TENANT)
        w->last.tenant = packed_text(&w->in);
    ev->queue = w->last.queue;
    ev->function = flags & NO_FUNCTION ? NULL : w->last.function;
    ev->tenant = w->last.tenant;
    if (!ev->queue || !ev->tenant)
        w->in.broken = true;
}

bool event_walk_next(struct event_walk *w, struct event *ret_event)
{
    struct event ev = { 0 };
    unsigned flags;
    int64_t back;
    int64_t key;

    if (w->in.broken || w->in.at == w->in.end)
        return false;
    ev.kind = (enum event_kind)packed_byte(&w->in);
    flags = packed_byte(&w->in);
    ev.state = (enum job_state)packed_byte(&w->in);
    ev.seq = w->last.seq + packed_small(&w->in, INT64_MAX - w->last.seq);
    if (__builtin_add_overflow(w->last.at_us, packed_signed(&w->in), &ev.at_us))
        w->in.broken = true;
    key = get_fixed(&w->in) & UUID7_KEY_MAX;
    ev.subject = uuid7_from_parts(key, get_fixed(&w->in) & (INT64_MAX >> 1));
    ev.version = packed_small(&w->in, INT64_MAX);
    ev.attempt = (int)packed_small(&w->in, INT32_MAX);
    back = packed_small(&w->in, ev.seq);
    ev.prev_seq = back > 0 ? ev.seq - back : 0;
    get_texts(w, &ev, flags);
    if (ev.kind >= EVENT_KIND_MAX_ || ev.state >= JOB_STATE_MAX_)
        w->in.broken = true;
    if (w->in.broken)
        return false;
    w->last.seq = ev.seq;
    w->last.at_us = ev.at_us;
    *ret_event = ev;
    return true;
}
