#include "handlers/event_stream.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "domain/event_json.h"
#include "engine/feed.h"
#include "engine/waiters.h"
#include "handlers/common.h"
#include "handlers/event_pieces.h"
#include "handlers/follow.h"

/* Events that are read at once: about as much as is sent at once. */
#define PIECE_MAX 64
/* When to come back, in milliseconds. */
#define RETRY "retry: 3000\n\n"
#define BEAT  ": hb\n\n"
/* Heartbeats are sent on the ticks of a coarse clock, many streams' at once: waking connections
 * together is a hundred times cheaper than one by one. */
#define BEATS_PER_TICK 8

struct event_stream {
    const struct service *sv;
    enum event_scope scope;
    bool resumed;
    bool looked; /* once at least: there may be a gap */
    bool ended;
    struct uuid7 id;
    struct event_filter filter; /* its texts are ours */
    struct buf filter_text;     /* the same in one spelling, for event_pieces */
    char *traceparent;
    int64_t after_seq;
    struct event_piece *piece; /* to be sent, from sent on; NULL: pending is */
    struct buf pending;        /* freed when all is sent */
    size_t sent;
    usec_t beat_us;                    /* monotonic: when the next heartbeat is due */
    bool by_key;                       /* the client has a bearer key: */
    const struct principal *principal; /* the request's, which lasts as long */
    int64_t key_version;               /* of the set of keys; -1: not known yet */
    usec_t check_us;                   /* monotonic: when to look at it again */
    struct waiter waiter;
};

/* -- what is sent ---------------------------------------------------------------------------
 */

static void set_beat(struct event_stream *s)
{
    usec_t pause_us = s->sv->event_heartbeat_us;
    usec_t tick_us = pause_us / BEATS_PER_TICK;

    s->beat_us = (clock_mono_us() + pause_us) / tick_us * tick_us;
}

static const struct buf *outgoing(const struct event_stream *s)
{
    return s->piece ? &s->piece->text : &s->pending;
}

static ssize_t take(struct event_stream *s, char *block, size_t room)
{
    const struct buf *out = outgoing(s);
    size_t left = out->len - s->sent;
    size_t n = left < room ? left : room;

    if (n == 0)
        return 0;
    memcpy(block, out->data + s->sent, n);
    s->sent += n;
    if (s->sent == out->len) {
        if (!s->piece)
            buf_fini(&s->pending);
        s->piece = event_pieces_put(s->sv->event_pieces, s->piece);
        s->sent = 0;
    }
    set_beat(s);
    return (ssize_t)n;
}

static void add_event(struct event_stream *s, const struct event *ev)
{
    buf_printf(&s->pending, "id: %" PRId64 "\nevent: %s\ndata: ", ev->seq,
               event_kind_name(ev->kind));
    event_json_add(&s->pending, ev, s->traceparent);
    buf_add_str(&s->pending, "\n\n");
}

/* Events are missing: what the client has put together may be wrong. With an id, so that it
 * does not come back to the same place. */
static void add_reset(struct event_stream *s, int64_t id, int64_t oldest)
{
    buf_printf(&s->pending,
               "id: %" PRId64 "\nevent: stream.reset\ndata: {\"oldest_id\":\"%" PRId64
               "\"}\n\n",
               id, oldest);
}

/* -- what is new ----------------------------------------------------------------------------
 */

static int read_own(const struct event_stream *s, struct store_reader *rd,
                    struct store_events *evs, struct errinfo *e)
{
    if (s->scope == EVENTS_OF_BATCH)
        return store_read_batch_events(rd, s->id, s->after_seq, PIECE_MAX, evs, e);
    return store_read_job_events(rd, s->id, s->after_seq, PIECE_MAX, evs, e);
}

/* At a job or a batch. */
static int look_at_one(struct event_stream *s, struct errinfo *e)
{
    AUTO_FINI(borrow) struct borrow b = { 0 };
    AUTO_FINI(store_events) struct store_events evs = { 0 };
    int r;

    r = borrow_get(&b, s->sv, NULL, e);
    if (r < 0)
        return r;
    r = read_own(s, b.reader, &evs, e);
    if (r == ERR_JOB_NOT_FOUND || r == ERR_JOB_EXPIRED || r == ERR_BATCH_NOT_FOUND) {
        s->ended = true; /* it was removed */
        return 0;
    }
    if (r < 0)
        return r;
    if (evs.gap && s->resumed) {
        int64_t oldest = evs.count > 0 ? evs.items[0].seq : evs.newest_seq + 1;

        add_reset(s, oldest - 1, oldest);
    }
    for (size_t i = 0; i < evs.count; i++)
        add_event(s, &evs.items[i]);
    s->resumed = true;
    s->after_seq = evs.gap && evs.count == 0 ? evs.newest_seq : evs.seen_seq;
    s->ended = evs.final && !evs.more;
    return 0;
}

static int read_events(struct event_stream *s, struct errinfo *e)
{
    const struct store_event_query query = { s->after_seq, s->filter, PIECE_MAX };
    AUTO_FINI(borrow) struct borrow b = { 0 };
    AUTO_FINI(store_events) struct store_events evs = { 0 };
    int r;

    r = borrow_get(&b, s->sv, NULL, e);
    if (r == 0)
        r = store_read_events(b.reader, &query, &evs, e);
    if (r < 0)
        return r;
    if (evs.gap) {
        s->after_seq = s->after_seq > evs.newest_seq ? evs.newest_seq : evs.gone_seq;
        add_reset(s, s->after_seq, evs.gone_seq + 1);
        return 0;
    }
    for (size_t i = 0; i < evs.count; i++)
        add_event(s, &evs.items[i]);
    if (s->pending.len > 0)
        s->piece = event_pieces_share(s->sv->event_pieces, s->after_seq, evs.seen_seq,
                                      s->filter_text.data, &s->pending);
    s->after_seq = evs.seen_seq;
    return 0;
}

static int look_at_all(struct event_stream *s, struct errinfo *e)
{
    if (s->looked && s->after_seq >= engine_change_seq(s->sv->engine))
        return 0;
    s->looked = true;
    s->piece = event_pieces_get(s->sv->event_pieces, s->after_seq, s->filter_text.data);
    if (!s->piece)
        return read_events(s, e);
    s->after_seq = s->piece->seen_seq;
    return 0;
}

static int read_key_version(const struct event_stream *s, int64_t *ret_version,
                            struct errinfo *e)
{
    AUTO_FINI(borrow) struct borrow b = { 0 };
    int r;

    r = borrow_get(&b, s->sv, NULL, e);
    return r < 0 ? r : store_read_api_key_version(b.reader, ret_version, e);
}

/* A key may have expired or been revoked, which changes the set of keys. The one of this stream
 * was found in the set in memory, which may be older than the one in the ledger: as long as it
 * is, a revoked key still opens streams, so that set is renewed before it is believed. */
static int check_key(struct event_stream *s, struct errinfo *e)
{
    usec_t now_us = clock_mono_us();
    int64_t version = 0;
    int r;

    if (!s->by_key || now_us < s->check_us)
        return 0;
    s->check_us = now_us + s->sv->event_heartbeat_us;
    r = read_key_version(s, &version, e);
    if (r < 0)
        return r;
    if (version != s->key_version && s->sv->keys_changed)
        s->sv->keys_changed(s->sv->keys_ctx);
    if (s->key_version >= 0 && version != s->key_version)
        s->ended = true;
    if (!principal_is_good(s->principal, clock_wall_us()))
        s->ended = true;
    s->key_version = version;
    return 0;
}

/* 1: there is something to send, or the end; 0: there is not. */
static int look(struct event_stream *s, struct errinfo *e)
{
    int r;

    r = check_key(s, e);
    if (r == 0 && !s->ended)
        r = s->scope == EVENTS_OF_ALL ? look_at_all(s, e) : look_at_one(s, e);
    if (r < 0)
        return r;
    if (outgoing(s)->len == 0 && !s->ended && clock_mono_us() >= s->beat_us)
        buf_add_str(&s->pending, BEAT);
    return outgoing(s)->len > 0 || s->ended;
}

/* On the engine thread. */
static void wake(struct waiter *w)
{
    http_resume(w->ctx);
}

/* Registered first, so that no event is missed. 1: there is something; 0: rq will be resumed.
 */
static int wait_for_news(struct event_stream *s, struct http_req *rq, struct errinfo *e)
{
    struct waiters *table = engine_waiters(s->sv->engine);
    int r;

    s->waiter = (struct waiter){ .job_id = s->scope == EVENTS_OF_ALL ? FEED_ALL : s->id,
                                 .any_change = true,
                                 .deadline_us = s->beat_us,
                                 .wake = wake,
                                 .ctx = rq };
    r = waiters_add(table, &s->waiter, e);
    if (r == ERR_DRAINING) {
        s->ended = true;
        return 1;
    }
    if (r < 0)
        return r;
    r = look(s, e);
    if (r == 0)
        return 0;
    /* Woken meanwhile: it is called again, and must not go on before. */
    return waiters_remove(table, &s->waiter) ? r : 0;
}

static ssize_t read_more(void *ctx, struct http_req *rq, char *block, size_t room)
{
    struct event_stream *s = ctx;
    struct errinfo e = { 0 };

    for (;;) {
        ssize_t n = take(s, block, room);
        int r;

        if (n > 0)
            return n;
        if (s->ended)
            return HTTP_STREAM_END;
        r = look(s, &e);
        if (r == 0)
            r = wait_for_news(s, rq, &e);
        if (r < 0) {
            if (r != ERR_LONG_POLLS) /* the client may come back when fewer wait */
                log_error("events.unreadable", LSTR("reason", e.text));
            return HTTP_STREAM_BREAK;
        }
        if (r == 0)
            return HTTP_STREAM_WAIT;
    }
}

/* -- begin and end --------------------------------------------------------------------------
 */

static void stream_free(void *ctx)
{
    struct event_stream *s = ctx;

    (void)atomic_fetch_sub(&s->sv->followers->count, 1);
    (void)event_pieces_put(s->sv->event_pieces, s->piece);
    buf_fini(&s->pending);
    buf_fini(&s->filter_text);
    free(s->traceparent);
    free((char *)(uintptr_t)s->filter.queue);
    free((char *)(uintptr_t)s->filter.function);
    free((char *)(uintptr_t)s->filter.tenant);
    free(s);
}

static void spell_filter(const struct event_filter *f, struct buf *text)
{
    char id[UUID7_TEXT_SIZE] = "";

    if (f->has_subject)
        (void)uuid7_format(f->subject, id);
    buf_printf(text, "%" PRIx64 " %x %s %s %s%s %s", f->kinds, f->states, id,
               f->queue ? f->queue : "*", f->function ? "=" : "*",
               f->function ? f->function : "", f->tenant ? f->tenant : "*");
}

int event_stream_reply(const struct service *sv, struct http_resp *rs,
                       const struct event_stream_start *start)
{
    struct http_stream stream = { read_more, stream_free, NULL };
    struct followers *all = sv->followers;
    struct event_stream *s;

    if (atomic_fetch_add(&all->count, 1) >= all->max) {
        (void)atomic_fetch_sub(&all->count, 1);
        return err_set(&rs->err, ERR_LONG_POLLS, "%u streams are open already", all->max);
    }
    s = mem_new0(sizeof *s);
    s->sv = sv;
    s->scope = start->scope;
    s->resumed = start->resumed;
    s->id = start->id;
    s->by_key = start->principal->via == PRINCIPAL_KEY;
    s->principal = start->principal;
    s->key_version = -1;
    s->traceparent = mem_str_or_null(start->traceparent);
    s->filter = start->filter;
    s->filter.queue = mem_str_or_null(start->filter.queue);
    s->filter.function = mem_str_or_null(start->filter.function);
    s->filter.tenant = mem_str_or_null(start->filter.tenant);
    spell_filter(&s->filter, &s->filter_text);
    s->after_seq = start->after_seq;
    buf_add_str(&s->pending, RETRY);
    set_beat(s);
    stream.ctx = s;
    /* Gateways must pass events on as they come (X-Accel-Buffering: nginx). */
    http_set_header(rs, "Cache-Control", "no-store");
    http_set_header(rs, "X-Accel-Buffering", "no");
    return http_reply_stream(rs, 200, "text/event-stream", &stream, HTTP_LENGTH_UNKNOWN);
}
