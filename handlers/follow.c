#include "handlers/follow.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "engine/waiters.h"
#include "handlers/common.h"

/* Between two looks: the second while there is nothing new. */
#define LOOK_MIN_US (100 * USEC_PER_MS)
#define LOOK_MAX_US (250 * USEC_PER_MS)

struct follow {
    const struct service *sv;
    struct uuid7 id;
    int attempt;
    enum stream stream;
    struct kept_output output;
    uint64_t pos;
    uint64_t until;
    bool wait;
    char line[GAP_LINE_SIZE]; /* to be sent before the byte at pos */
    size_t line_len;
    size_t line_at;
    int64_t version; /* of the job, when it was read last */
    usec_t pause_us; /* until the next look */
    struct waiter waiter;
};

/* -- what is there ---------------------------------------------------------------------------
 */

static ssize_t take_line(struct follow *f, char *block, size_t room)
{
    size_t left = f->line_len - f->line_at;
    size_t n = left < room ? left : room;

    memcpy(block, f->line + f->line_at, n);
    f->line_at += n;
    return (ssize_t)n;
}

/* Go on behind what is left out. */
static void skip_to(struct follow *f, uint64_t pos)
{
    if (pos > f->until)
        pos = f->until;
    f->line_len = kept_output_gap_line(pos - f->pos, f->line);
    f->line_at = 0;
    f->pos = pos;
}

static ssize_t take_bytes(struct follow *f, char *block, size_t room)
{
    struct kept_output *o = &f->output;
    struct errinfo e = { 0 };
    ssize_t n;

    if (f->until - f->pos < room)
        room = (size_t)(f->until - f->pos);
    n = kept_output_at(o, f->pos, block, room, &e);
    if (n == 0 && kept_output_refresh(o, &e) < 0) /* overwritten: then there is a gap */
        n = -1;
    if (n < 0) {
        log_error("log.unreadable", LSTR("reason", e.text));
        return HTTP_STREAM_BREAK;
    }
    f->pos += (uint64_t)n;
    return n;
}

/* The next bytes, HTTP_STREAM_END or _BREAK, or HTTP_STREAM_WAIT: none are there now. */
static ssize_t take(struct follow *f, char *block, size_t room)
{
    const struct kept_output *o = &f->output;

    for (;;) {
        ssize_t n = take_line(f, block, room);

        if (n > 0)
            return n;
        if (f->pos >= f->until)
            return HTTP_STREAM_END;
        if (f->pos >= o->head && f->pos < o->tail_at) {
            skip_to(f, o->tail_at);
        } else if (f->pos < o->written) {
            n = take_bytes(f, block, room);
            if (n != 0)
                return n;
        } else if (!o->complete) {
            return f->wait ? HTTP_STREAM_WAIT : HTTP_STREAM_END;
        } else if (f->pos < o->total) {
            skip_to(f, o->total);
        } else {
            return HTTP_STREAM_END;
        }
    }
}

/* -- what is new -----------------------------------------------------------------------------
 */

/* The job has changed: its attempt may have begun, or have ended. */
static int read_again(struct follow *f, struct store_reader *rd, struct errinfo *e)
{
    AUTO_FINI(job) struct job job = { 0 };
    int r;

    r = store_read_job(rd, f->id, 0, &job, e);
    if (r < 0)
        return r;
    if (f->attempt == 0)
        f->attempt = job.attempt;
    kept_output_fini(&f->output);
    f->version = job.version;
    return kept_output_read(f->sv, rd, &job, f->attempt, f->stream, &f->output, e);
}

static int look_into_ledger(struct follow *f, struct errinfo *e)
{
    AUTO_FINI(borrow) struct borrow b = { 0 };
    enum job_state state;
    int64_t version;
    int r;

    r = borrow_get(&b, f->sv, NULL, e);
    if (r < 0)
        return r;
    r = store_read_version(b.reader, f->id, &version, &state, e);
    if (r < 0 || version == f->version)
        return r;
    return read_again(f, b.reader, e);
}

/* 1: there is something to send, or the end; 0: there is not. */
static int look(struct follow *f, struct errinfo *e)
{
    struct kept_output *o = &f->output;
    int r;

    r = look_into_ledger(f, e);
    if (r == 0 && !o->complete)
        r = kept_output_follow(f->sv, f->id, f->attempt, f->stream, o, e);
    if (r < 0)
        return r;
    return o->complete || f->pos < o->written;
}

/* On the engine thread. */
static void wake(struct waiter *w)
{
    http_resume(w->ctx);
}

/* Registered first, so that no change is missed. 1: there is news; 0: rq will be resumed. */
static int wait_for_news(struct follow *f, struct http_req *rq)
{
    struct waiters *table = engine_waiters(f->sv->engine);
    struct errinfo e = { 0 };
    int r;

    f->waiter = (struct waiter){ .job_id = f->id,
                                 .any_change = true,
                                 .deadline_us = clock_mono_us() + f->pause_us,
                                 .wake = wake,
                                 .ctx = rq };
    r = waiters_add(table, &f->waiter, &e);
    if (r < 0)
        return r;
    r = look(f, &e);
    if (r < 0)
        log_error("log.unreadable", LSTR("reason", e.text));
    if (r == 0) {
        f->pause_us = f->pause_us * 2 < LOOK_MAX_US ? f->pause_us * 2 : LOOK_MAX_US;
        return 0;
    }
    f->pause_us = LOOK_MIN_US;
    /* Woken meanwhile: it is called again, and must not go on before. */
    return waiters_remove(table, &f->waiter) ? r : 0;
}

static ssize_t read_more(void *ctx, struct http_req *rq, char *block, size_t room)
{
    struct follow *f = ctx;

    for (;;) {
        ssize_t n = take(f, block, room);
        int r;

        if (n != HTTP_STREAM_WAIT)
            return n;
        r = wait_for_news(f, rq);
        if (r < 0)
            return HTTP_STREAM_BREAK;
        if (r == 0)
            return HTTP_STREAM_WAIT;
    }
}

/* -- begin and end --------------------------------------------------------------------------
 */

static void follow_free(void *ctx)
{
    struct follow *f = ctx;

    if (f->wait)
        (void)atomic_fetch_sub(&f->sv->followers->count, 1);
    kept_output_fini(&f->output);
    free(f);
}

int follow_reply(const struct service *sv, struct http_resp *rs, int status,
                 const char *content_type, struct kept_output *o,
                 const struct follow_start *start)
{
    struct followers *all = sv->followers;
    struct http_stream stream = { read_more, follow_free, NULL };
    struct follow *f;

    if (start->wait && atomic_fetch_add(&all->count, 1) >= all->max) {
        (void)atomic_fetch_sub(&all->count, 1);
        return err_set(&rs->err, ERR_LONG_POLLS, "%u logs are being followed already",
                       all->max);
    }
    f = mem_new0(sizeof *f);
    f->sv = sv;
    f->id = start->job->id;
    f->attempt = start->attempt;
    f->stream = start->stream;
    f->pos = start->from;
    f->until = start->until;
    f->wait = start->wait;
    f->version = start->job->version;
    f->pause_us = LOOK_MIN_US;
    f->output = *o;
    *o = (struct kept_output){ .file = { .fd = -1 } };
    stream.ctx = f;
    return http_reply_stream(rs, status, content_type, &stream, HTTP_LENGTH_UNKNOWN);
}
