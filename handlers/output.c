#include "handlers/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/text.h"

#define CHUNK_BYTES     ((size_t)64 * 1024)
#define TAIL_SCAN_MAX   ((uint64_t)16 << 20)
#define LEFT_OUT_FORMAT "\n[jobd: %" PRIu64 " bytes left out]\n"

/* -- what is served: pieces, one after another -----------------------------------------------
 */

enum piece_name { PIECE_HEAD, PIECE_GAP, PIECE_TAIL, PIECE_END_GAP, PIECE_MAX_ };

struct piece {
    uint64_t len; /* 0: it is not there */
    uint64_t pos; /* of HEAD and TAIL */
    char line[GAP_LINE_SIZE];
};

size_t kept_output_gap_line(uint64_t n, char room[GAP_LINE_SIZE])
{
    return (size_t)snprintf(room, GAP_LINE_SIZE, LEFT_OUT_FORMAT, n);
}

static void find_pieces(const struct kept_output *o, struct piece ret_pieces[PIECE_MAX_])
{
    struct piece *p = ret_pieces;

    p[PIECE_HEAD] = (struct piece){ .len = o->head };
    p[PIECE_GAP] = (struct piece){ 0 };
    if (o->tail_at > o->head)
        p[PIECE_GAP].len = kept_output_gap_line(o->tail_at - o->head, p[PIECE_GAP].line);
    p[PIECE_TAIL] = (struct piece){ .len = o->written - o->tail_at, .pos = o->tail_at };
    p[PIECE_END_GAP] = (struct piece){ 0 };
    if (o->total > o->written)
        p[PIECE_END_GAP].len =
            kept_output_gap_line(o->total - o->written, p[PIECE_END_GAP].line);
}

static void count_bytes(struct kept_output *o)
{
    struct piece pieces[PIECE_MAX_];

    find_pieces(o, pieces);
    o->bytes = 0;
    for (size_t i = 0; i < PIECE_MAX_; i++)
        o->bytes += pieces[i].len;
}

static size_t at_most(size_t room, uint64_t left)
{
    return left < room ? (size_t)left : room;
}

ssize_t kept_output_at(const struct kept_output *o, uint64_t pos, char *block, size_t room,
                       struct errinfo *e)
{
    uint64_t end = pos < o->head ? o->head : o->written;

    room = at_most(room, end - pos);
    if (o->file.fd >= 0)
        return output_file_read(&o->file, (int64_t)pos, block, room, e);
    memcpy(block, o->data + (pos < o->head ? pos : pos - o->tail_at + o->head), room);
    return (ssize_t)room;
}

/* Up to room bytes of what is served, from offset < o->bytes on. 0: overwritten. */
static ssize_t read_served(const struct kept_output *o, uint64_t offset, char *block,
                           size_t room, struct errinfo *e)
{
    struct piece pieces[PIECE_MAX_];
    const struct piece *p = pieces;

    find_pieces(o, pieces);
    for (; offset >= p->len; p++)
        offset -= p->len;
    room = at_most(room, p->len - offset);
    if (p == &pieces[PIECE_HEAD] || p == &pieces[PIECE_TAIL])
        return kept_output_at(o, p->pos + offset, block, room, e);
    memcpy(block, p->line + offset, room);
    return (ssize_t)room;
}

/* -- finding it -----------------------------------------------------------------------------
 */

static void take_positions(struct kept_output *o)
{
    o->written = (uint64_t)o->file.written;
    o->head = (uint64_t)kept_head_end(o->file.kept, o->file.written);
    o->tail_at = (uint64_t)o->file.tail_at;
    if (o->total < o->written || !o->complete)
        o->total = o->written;
    count_bytes(o);
}

int kept_output_refresh(struct kept_output *o, struct errinfo *e)
{
    int r;

    r = output_file_refresh(&o->file, e);
    if (r == 0)
        take_positions(o);
    return r;
}

static int open_file(const struct service *sv, struct uuid7 id, int attempt, enum stream stream,
                     struct kept_output *o, struct errinfo *e)
{
    int r;

    r = output_open(sv->data_dir, id, attempt, stream, &o->file, e);
    if (r == 0)
        take_positions(o);
    return r;
}

int kept_output_follow(const struct service *sv, struct uuid7 id, int attempt,
                       enum stream stream, struct kept_output *o, struct errinfo *e)
{
    int r;

    if (o->file.fd >= 0)
        return kept_output_refresh(o, e);
    if (attempt == 0)
        return 0;
    r = open_file(sv, id, attempt, stream, o, e);
    return r == ERR_NOT_FOUND ? 0 : r;
}

/* The attempt has a record: what it says is all there will ever be. */
static int from_record(const struct service *sv, const struct job *job, int attempt,
                       enum stream stream, struct capture *take_capture, struct kept_output *o,
                       struct errinfo *e)
{
    uint64_t kept = (uint64_t)take_capture->kept_bytes;
    bool has_tail = take_capture->head_bytes > 0;

    o->complete = true;
    o->total = (uint64_t)take_capture->total_bytes;
    if (take_capture->spilled)
        return open_file(sv, job->id, attempt, stream, o, e);
    o->data = TAKE(take_capture->data);
    if (!o->data)
        kept = 0;
    o->head = has_tail ? (uint64_t)take_capture->head_bytes : kept;
    o->written = has_tail ? o->total : kept;
    o->tail_at = o->written - (kept - o->head);
    count_bytes(o);
    return 0;
}

/* No record: it runs, or waits to run, or was given back. A short or quiet attempt has no file.
 */
static int from_running(const struct service *sv, const struct job *job, int attempt,
                        enum stream stream, struct kept_output *o, struct errinfo *e)
{
    o->complete = job_state_is_final(job->state) || attempt < job->attempt;
    return kept_output_follow(sv, job->id, attempt, stream, o, e);
}

int kept_output_read(const struct service *sv, struct store_reader *rd, const struct job *job,
                     int attempt, enum stream stream, struct kept_output *ret_output,
                     struct errinfo *e)
{
    struct capture capture = { 0 };
    int r;

    *ret_output = (struct kept_output){ .file = { .fd = -1 } };
    if (attempt == 0)
        return from_running(sv, job, attempt, stream, ret_output, e);
    r = store_read_capture(rd, job->id, attempt, stream, &capture, e);
    if (r == ERR_LOG_NOT_FOUND)
        return from_running(sv, job, attempt, stream, ret_output, e);
    if (r < 0)
        return r;
    return from_record(sv, job, attempt, stream, &capture, ret_output, e);
}

void kept_output_fini(struct kept_output *o)
{
    free(o->data);
    o->data = NULL;
    output_file_fini(&o->file);
}

/* -- its last lines -------------------------------------------------------------------------
 */

/* Read exactly these bytes. ERR_AGAIN: they are overwritten by now. */
static int read_exactly(const struct kept_output *o, uint64_t pos, char *block, size_t len,
                        struct errinfo *e)
{
    while (len > 0) {
        ssize_t n = kept_output_at(o, pos, block, len, e);

        if (n < 0)
            return (int)n;
        if (n == 0)
            return err_set(e, ERR_AGAIN, "the program writes faster than its log can be read");
        pos += (uint64_t)n;
        block += n;
        len -= (size_t)n;
    }
    return 0;
}

/* The line break before which nothing is wanted: the (lines + 1)-th from the end, where one at
 * the very end does not count. */
int kept_output_last_lines(const struct kept_output *o, uint64_t lines, uint64_t *ret_pos,
                           struct errinfo *e)
{
    AUTO(mem) char *chunk = mem_new0(CHUNK_BYTES);
    uint64_t lowest = o->tail_at > o->head ? o->tail_at : 0;
    uint64_t pos = o->written;

    if (o->written - lowest > TAIL_SCAN_MAX)
        lowest = o->written - TAIL_SCAN_MAX;
    while (pos > lowest) {
        size_t len = at_most(CHUNK_BYTES, pos - lowest);
        int r = read_exactly(o, pos - len, chunk, len, e);

        if (r < 0)
            return r;
        for (size_t i = len; i-- > 0;) {
            if (chunk[i] != '\n' || pos - len + i + 1 == o->written)
                continue;
            if (--lines == 0) {
                *ret_pos = pos - len + i + 1;
                return 0;
            }
        }
        pos -= len;
    }
    *ret_pos = lowest;
    return 0;
}

/* -- is it text? ----------------------------------------------------------------------------
 */

/* How many of these bytes are whole valid sequences. */
static size_t utf8_prefix(const char *data, size_t len)
{
    size_t at = 0;

    while (at < len) {
        size_t n = (unsigned char)data[at] < 0x80 ? 1 : text_utf8_len(data + at, len - at);

        if (n == 0)
            break;
        at += n;
    }
    return at;
}

/* A sequence may be cut by the end of a chunk: its beginning is carried over to the next. */
int kept_output_is_utf8(const struct kept_output *o, bool *ret_is, struct errinfo *e)
{
    AUTO(mem) char *chunk = mem_new0(CHUNK_BYTES);
    uint64_t offset = 0;
    size_t carried = 0;

    while (offset < o->bytes) {
        ssize_t n = read_served(o, offset, chunk + carried, CHUNK_BYTES - carried, e);
        size_t valid;

        if (n < 0)
            return (int)n;
        if (n == 0)
            break;
        offset += (uint64_t)n;
        carried += (size_t)n;
        valid = utf8_prefix(chunk, carried);
        carried -= valid;
        if (carried > 3) /* more than the beginning of a sequence */
            break;
        memmove(chunk, chunk + valid, carried);
    }
    *ret_is = carried == 0;
    return 0;
}

int kept_output_digest(const struct kept_output *o, char ret_field[SHA256_FIELD_SIZE],
                       struct errinfo *e)
{
    AUTO(mem) char *chunk = mem_new0(CHUNK_BYTES);
    unsigned char digest[SHA256_BYTES];
    uint64_t offset = 0;
    struct sha256 h;

    sha256_init(&h);
    while (offset < o->bytes) {
        ssize_t n = read_served(o, offset, chunk, CHUNK_BYTES, e);

        if (n < 0)
            return (int)n;
        if (n == 0)
            return err_set(e, ERR_INTERNAL, "a log that has ended is shorter than it was");
        sha256_add(&h, chunk, (size_t)n);
        offset += (uint64_t)n;
    }
    sha256_end(&h, digest);
    (void)sha256_format(digest, ret_field);
    return 0;
}

/* -- answering ------------------------------------------------------------------------------
 */

/* What is sent piece by piece. */
struct sending {
    struct kept_output output;
    uint64_t offset;
    uint64_t end;
};

static ssize_t send_more(void *ctx, struct http_req *rq, char *block, size_t room)
{
    struct sending *s = ctx;
    struct errinfo e = { 0 };
    ssize_t n;

    (void)rq;
    if (s->offset == s->end)
        return HTTP_STREAM_END;
    room = at_most(room, s->end - s->offset);
    if (s->output.complete)
        n = read_served(&s->output, s->offset, block, room, &e);
    else
        n = kept_output_at(&s->output, s->offset, block, room, &e);
    if (n <= 0) /* 0: the program was faster; the length that was promised cannot be kept */
        return HTTP_STREAM_BREAK;
    s->offset += (uint64_t)n;
    return n;
}

static void sending_free(void *ctx)
{
    struct sending *s = ctx;

    kept_output_fini(&s->output);
    free(s);
}

static int reply_pieces(struct kept_output *o, struct http_resp *rs, int status,
                        const char *content_type, uint64_t offset, uint64_t len)
{
    struct sending *s = mem_new0(sizeof *s);
    const struct http_stream stream = { send_more, sending_free, s };

    s->output = *o;
    s->offset = offset;
    s->end = offset + len;
    o->data = NULL;
    o->file.fd = -1;
    return http_reply_stream(rs, status, content_type, &stream, len);
}

/* Whether offsets are positions, and what they lead to lies in the file in one piece and stays
 * as it is. */
static bool is_plain_file(const struct kept_output *o, uint64_t end)
{
    if (o->file.fd < 0)
        return false;
    return end <= o->head ||
           (o->complete && end <= o->written && o->written <= (uint64_t)kept_max(o->file.kept));
}

int kept_output_reply(struct kept_output *o, struct http_resp *rs, int status,
                      const char *content_type, uint64_t offset, uint64_t len)
{
    if (len == 0)
        return http_reply_static(rs, status, content_type, "", 0);
    if (is_plain_file(o, offset + len))
        return http_reply_file(rs, status, content_type, fd_take(&o->file.fd),
                               OUTPUT_FILE_HEADER_BYTES + offset, len);
    if (!o->data || kept_output_truncated(o))
        return reply_pieces(o, rs, status, content_type, offset, len);
    if (offset > 0)
        return http_reply_bytes(rs, status, content_type,
                                mem_dup(o->data + offset, (size_t)len), (size_t)len);
    return http_reply_bytes(rs, status, content_type, TAKE(o->data), (size_t)len);
}
