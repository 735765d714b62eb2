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

static void put_number(struct buf *b, uint64_t n)
{
    unsigned char bytes[10];
    size_t len = 0;

    do {
        bytes[len] = (unsigned char)(n & 0x7f);
        n >>= 7;
        if (n)
            bytes[len] |= 0x80;
        len++;
    } while (n);
    buf_add(b, bytes, len);
}

static void put_signed(struct buf *b, int64_t n)
{
    put_number(b, ((uint64_t)n << 1) ^ (uint64_t)(n >> 63));
}

static void put_fixed(struct buf *b, uint64_t n)
{
    uint64_t le = htole64(n);

    buf_add(b, &le, sizeof le);
}

static void put_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text) + 1);
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

        put_text(&texts, ev->queue);
        function_at = texts.len;
        put_text(&texts, function ? function : "");
        tenant_at = texts.len;
        put_text(&texts, ev->tenant);
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
    put_number(&b->bytes, (uint64_t)(ev->seq - b->last.seq));
    put_signed(&b->bytes, ev->at_us - b->last_at_us);
    put_fixed(&b->bytes, (uint64_t)uuid7_key(ev->subject));
    put_fixed(&b->bytes, (uint64_t)uuid7_rand(ev->subject));
    put_number(&b->bytes, (uint64_t)ev->version);
    put_number(&b->bytes, (uint64_t)ev->attempt);
    put_number(&b->bytes, ev->prev_seq > 0 ? (uint64_t)(ev->seq - ev->prev_seq) : 0);
    if (flags & HAS_PROGRESS)
        put_number(&b->bytes, (uint64_t)ev->progress_ppm);
    if (flags & HAS_REASON)
        put_text(&b->bytes, ev->reason);
    if (flags & HAS_QUEUE)
        put_text(&b->bytes, ev->queue);
    if (flags & HAS_FUNCTION)
        put_text(&b->bytes, ev->function);
    if (flags & HAS_TENANT)
        put_text(&b->bytes, ev->tenant);
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

static unsigned get_byte(struct event_walk *w)
{
    if (w->at == w->end) {
        w->broken = true;
        return 0;
    }
    return *w->at++;
}

static uint64_t get_number(struct event_walk *w)
{
    uint64_t n = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        unsigned byte = get_byte(w);

        n |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return n;
    }
    w->broken = true;
    return 0;
}

static int64_t get_signed(struct event_walk *w)
{
    uint64_t n = get_number(w);

    return (int64_t)(n >> 1) ^ -(int64_t)(n & 1);
}

/* A number that is not negative and at most max. */
static int64_t get_small(struct event_walk *w, int64_t max)
{
    uint64_t n = get_number(w);

    if (n > (uint64_t)max) {
        w->broken = true;
        return 0;
    }
    return (int64_t)n;
}

static int64_t get_fixed(struct event_walk *w)
{
    uint64_t le;

    if ((size_t)(w->end - w->at) < sizeof le) {
        w->broken = true;
        return 0;
    }
    memcpy(&le, w->at, sizeof le);
    w->at += sizeof le;
    return (int64_t)(le64toh(le) & INT64_MAX);
}

static const char *get_text(struct event_walk *w)
{
    const char *text = (const char *)w->at;
    const unsigned char *nul = memchr(w->at, 0, (size_t)(w->end - w->at));

    if (!nul) {
        w->broken = true;
        return "";
    }
    w->at = nul + 1;
    return text;
}

void event_walk_init(struct event_walk *w, const void *block, size_t len)
{
    *w = (struct event_walk){ .at = block, .end = (const unsigned char *)block + len };
    w->broken = len == 0 || *w->at++ != FORMAT;
}

static void get_texts(struct event_walk *w, struct event *ev, unsigned flags)
{
    ev->progress_ppm = flags & HAS_PROGRESS ? (int)get_small(w, 1000000) : -1;
    ev->reason = flags & HAS_REASON ? get_text(w) : NULL;
    if (flags & HAS_QUEUE)
        w->last.queue = get_text(w);
    if (flags & HAS_FUNCTION)
        w->last.function = get_text(w);
    if (flags & HAS_TENANT)
        w->last.tenant = get_text(w);
    ev->queue = w->last.queue;
    ev->function = flags & NO_FUNCTION ? NULL : w->last.function;
    ev->tenant = w->last.tenant;
    if (!ev->queue || !ev->tenant)
        w->broken = true;
}

bool event_walk_next(struct event_walk *w, struct event *ret_event)
{
    struct event ev = { 0 };
    unsigned flags;
    int64_t back;
    int64_t key;

    if (w->broken || w->at == w->end)
        return false;
    ev.kind = (enum event_kind)get_byte(w);
    flags = get_byte(w);
    ev.state = (enum job_state)get_byte(w);
    ev.seq = w->last.seq + get_small(w, INT64_MAX - w->last.seq);
    if (__builtin_add_overflow(w->last.at_us, get_signed(w), &ev.at_us))
        w->broken = true;
    key = get_fixed(w) & UUID7_KEY_MAX;
    ev.subject = uuid7_from_parts(key, get_fixed(w) & (INT64_MAX >> 1));
    ev.version = get_small(w, INT64_MAX);
    ev.attempt = (int)get_small(w, INT32_MAX);
    back = get_small(w, ev.seq);
    ev.prev_seq = back > 0 ? ev.seq - back : 0;
    get_texts(w, &ev, flags);
    if (ev.kind >= EVENT_KIND_MAX_ || ev.state >= JOB_STATE_MAX_)
        w->broken = true;
    if (w->broken)
        return false;
    w->last.seq = ev.seq;
    w->last.at_us = ev.at_us;
    *ret_event = ev;
    return true;
}
