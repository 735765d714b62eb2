#include "server/http/response.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"
#include "base/fd.h"
#include "base/mem.h"
#include "domain/json_text.h"

#define STREAM_BLOCK_BYTES ((size_t)32 * 1024)

/* -- headers --------------------------------------------------------------------------------
 */

static struct answer_header *find(struct http_body_ *a, const char *name)
{
    for (size_t i = 0; i < a->header_count; i++)
        if (strcasecmp(a->headers[i].name, name) == 0)
            return &a->headers[i];
    return NULL;
}

const char *answer_header(const struct http_body_ *a, const char *name)
{
    for (size_t i = 0; i < a->header_count; i++)
        if (strcasecmp(a->headers[i].name, name) == 0)
            return a->headers[i].value;
    return NULL;
}

/* The entry to fill for that name, without a value of its own. */
static struct answer_header *entry(struct http_body_ *a, const char *name)
{
    struct answer_header *h = find(a, name);

    if (!h) {
        assert(a->header_count < ANSWER_HEADERS_MAX);
        h = &a->headers[a->header_count++];
    }
    free(h->owned);
    *h = (struct answer_header){ .name = name };
    return h;
}

void answer_set_static(struct http_body_ *a, const char *name, const char *value)
{
    entry(a, name)->value = value;
}

void http_set_header_text(struct http_resp *rs, const char *name, const char *prefix,
                          const char *rest)
{
    struct http_body_ *a = rs->body;
    struct answer_header *h = entry(a, name);
    size_t prefix_len = strlen(prefix), rest_size = strlen(rest) + 1;
    char *to = a->room + a->room_used;

    if (prefix_len + rest_size <= sizeof a->room - a->room_used)
        a->room_used += prefix_len + rest_size;
    else
        to = h->owned = mem_new0(prefix_len + rest_size);
    memcpy(mempcpy(to, prefix, prefix_len), rest, rest_size);
    h->value = to;
}

void http_set_header(struct http_resp *rs, const char *name, const char *format, ...)
{
    struct http_body_ *a = rs->body;
    struct answer_header *h = entry(a, name);
    char *to = a->room + a->room_used;
    size_t room = sizeof a->room - a->room_used;
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(to, room, format, args);
    va_end(args);
    assert(len >= 0);
    if ((size_t)len < room) {
        h->value = to;
        a->room_used += (size_t)len + 1;
        return;
    }
    h->value = h->owned = mem_new0((size_t)len + 1);
    va_start(args, format);
    (void)vsnprintf(h->owned, (size_t)len + 1, format, args);
    va_end(args);
}

/* -- problems -------------------------------------------------------------------------------
 */

void http_problem_json(struct http_resp *rs, const char *name, json_t *take_json)
{
    if (!rs->members)
        rs->members = json_object();
    (void)json_object_set_new_nocheck(rs->members, name, take_json);
}

void http_problem_text(struct http_resp *rs, const char *name, const char *text)
{
    http_problem_json(rs, name, json_string(text));
}

void http_problem_number(struct http_resp *rs, const char *name, int64_t number)
{
    http_problem_json(rs, name, json_integer(number));
}

/* -- bodies ---------------------------------------------------------------------------------
 */

static void drop_bytes(struct http_body_ *a)
{
    free(a->heap);
    fd_fini(&a->fd);
    if (a->stream.free)
        a->stream.free(a->stream.ctx);
    a->stream = (struct http_stream){ 0 };
    a->heap = NULL;
    a->bytes = NULL;
    a->len = 0;
    a->kind = ANSWER_NONE;
}

/* A second reply replaces the first. */
static struct http_body_ *start(struct http_resp *rs, int status, enum answer_kind kind)
{
    drop_bytes(rs->body);
    rs->body->kind = kind;
    rs->status = status;
    return rs->body;
}

int http_reply_json(struct http_resp *rs, int status, json_t *take_json)
{
    struct http_body_ *a = start(rs, status, ANSWER_HEAP);

    a->bytes = a->heap = json_text_dump(take_json, &a->len);
    answer_set_static(a, "Content-Type", "application/json");
    json_decref(take_json);
    return 0;
}

int http_reply_bytes(struct http_resp *rs, int status, const char *content_type,
                     char *take_bytes, size_t len)
{
    struct http_body_ *a = start(rs, status, ANSWER_HEAP);

    a->bytes = a->heap = take_bytes;
    a->len = len;
    http_set_header_text(rs, "Content-Type", "", content_type);
    return 0;
}

struct buf *http_reply_room(struct http_resp *rs)
{
    buf_clear(rs->body->written);
    return rs->body->written;
}

/* MHD does not look at it any more when the request has ended. */
int http_reply_written(struct http_resp *rs, int status, const char *content_type)
{
    const struct buf *written = rs->body->written;

    return http_reply_static(rs, status, content_type, written->data ? written->data : "",
                             written->len);
}

int http_reply_static(struct http_resp *rs, int status, const char *content_type,
                      const char *bytes, size_t len)
{
    struct http_body_ *a = start(rs, status, ANSWER_STATIC);

    a->bytes = bytes;
    a->len = len;
    http_set_header_text(rs, "Content-Type", "", content_type);
    return 0;
}

/* Weak: the same things said in other words would do as well. */
static bool is_known(const struct http_req *rq, struct http_resp *rs, const void *bytes,
                     size_t len)
{
    char text[DIGEST_TEXT_SIZE];
    char tag[DIGEST_TEXT_SIZE + 8];

    (void)snprintf(tag, sizeof tag, "W/\"%s\"", digest_text(bytes, len, text));
    http_set_header(rs, "ETag", "%s", tag);
    return http_none_match(rq, tag);
}

int http_reply_tagged(const struct http_req *rq, struct http_resp *rs, json_t *take_json)
{
    size_t len;
    char *text = json_text_dump(take_json, &len);

    json_decref(take_json);
    return http_reply_tagged_bytes(rq, rs, "application/json", text, len);
}

int http_reply_tagged_bytes(const struct http_req *rq, struct http_resp *rs,
                            const char *content_type, char *take_bytes, size_t len)
{
    AUTO(mem) char *bytes = take_bytes;

    if (is_known(rq, rs, bytes, len))
        return http_reply_empty(rs, 304);
    return http_reply_bytes(rs, 200, content_type, TAKE(bytes), len);
}

int http_reply_tagged_static(const struct http_req *rq, struct http_resp *rs,
                             const char *content_type, const char *bytes, size_t len)
{
    if (is_known(rq, rs, bytes, len))
        return http_reply_empty(rs, 304);
    return http_reply_static(rs, 200, content_type, bytes, len);
}

int http_reply_file(struct http_resp *rs, int status, const char *content_type, int take_fd,
                    uint64_t offset, uint64_t len)
{
    struct http_body_ *a = start(rs, status, ANSWER_FILE);

    a->fd = take_fd;
    a->offset = offset;
    a->file_len = len;
    http_set_header_text(rs, "Content-Type", "", content_type);
    return 0;
}

int http_reply_stream(struct http_resp *rs, int status, const char *content_type,
                      const struct http_stream *take_stream, uint64_t len)
{
    struct http_body_ *a = start(rs, status, ANSWER_STREAM);

    a->stream = *take_stream;
    a->stream_len = len;
    http_set_header_text(rs, "Content-Type", "", content_type);
    return 0;
}

int http_reply_empty(struct http_resp *rs, int status)
{
    (void)start(rs, status, ANSWER_EMPTY);
    return 0;
}

void answer_drop_body(struct http_body_ *a)
{
    static const char *const describing[] = { "ETag", "Content-Location", "Cache-Control",
                                              "Last-Modified" };

    drop_bytes(a);
    for (size_t i = 0; i < COUNT_OF(describing); i++) {
        struct answer_header *h = find(a, describing[i]);

        if (!h)
            continue;
        free(h->owned);
        *h = a->headers[--a->header_count];
        a->headers[a->header_count] = (struct answer_header){ 0 };
    }
}

/* -- libmicrohttpd --------------------------------------------------------------------------
 */

/* MHD copies no byte of a body: HEAP blocks go to it with MUST_FREE, and PERSISTENT is only for
 * static data. Where it takes nothing (out of memory) it frees nothing. */
static struct MHD_Response *make_body(struct http_body_ *a,
                                      MHD_ContentReaderCallback read_stream, void *cls)
{
    static char nothing[1];
    struct MHD_Response *res;

    switch (a->kind) {
    case ANSWER_HEAP:
        res = MHD_create_response_from_buffer(a->len, a->heap, MHD_RESPMEM_MUST_FREE);
        if (res)
            a->heap = NULL;
        return res;
    case ANSWER_STATIC:
        /* MHD does not write to it; its parameter only lacks the const. */
        return MHD_create_response_from_buffer(a->len, (void *)(uintptr_t)a->bytes,
                                               MHD_RESPMEM_PERSISTENT);
    case ANSWER_FILE:
        if (a->file_len == 0)
            break;
        res = MHD_create_response_from_fd_at_offset64(a->file_len, a->fd, a->offset);
        if (res)
            a->fd = -1;
        return res;
    case ANSWER_STREAM:
        return MHD_create_response_from_callback(
            a->stream_len == HTTP_LENGTH_UNKNOWN ? MHD_SIZE_UNKNOWN : a->stream_len,
            STREAM_BLOCK_BYTES, read_stream, cls, NULL);
    case ANSWER_NONE:
    case ANSWER_EMPTY:
        break;
    }
    return MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT);
}

struct MHD_Response *answer_to_mhd(struct http_body_ *a, MHD_ContentReaderCallback read_stream,
                                   void *cls)
{
    struct MHD_Response *res = make_body(a, read_stream, cls);

    if (!res)
        return NULL;
    /* A value that MHD refuses (empty, or with a line break) is left out. */
    for (size_t i = 0; i < a->header_count; i++)
        (void)MHD_add_response_header(res, a->headers[i].name, a->headers[i].value);
    return res;
}

void answer_fini(struct http_body_ *a)
{
    drop_bytes(a);
    for (size_t i = 0; i < a->header_count; i++)
        free(a->headers[i].owned);
    a->header_count = 0;
}
