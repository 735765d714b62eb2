/* server/http/response.h - an answer under construction, and how it becomes libmicrohttpd's.
 *
 * What struct http_resp.body points to; http.h has the functions that handlers call. One
 * thread.
 */
#ifndef JOBD_SERVER_HTTP_RESPONSE_H
#define JOBD_SERVER_HTTP_RESPONSE_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/http/http.h"

#define ANSWER_HEADERS_MAX 24
#define ANSWER_ROOM_SIZE   512

enum answer_kind {
    ANSWER_NONE,
    ANSWER_EMPTY,
    ANSWER_HEAP,
    ANSWER_STATIC,
    ANSWER_FILE,
    ANSWER_STREAM
};

struct answer_header {
    const char *name; /* borrowed: a constant */
    const char *value;
    char *owned; /* value, when it did not fit into the room; else NULL */
};

/* Plain data; zeroed, with fd -1, is no answer. */
struct http_body_ {
    enum answer_kind kind;
    const char *bytes; /* HEAP, STATIC */
    char *heap;        /* HEAP: bytes, to be freed */
    size_t len;
    int fd; /* FILE */
    uint64_t offset;
    uint64_t file_len;
    struct http_stream
        stream; /* STREAM: stays here, as it is read as long as the request lives */
    uint64_t stream_len;
    struct buf *written; /* the request's: http_reply_room() */
    size_t header_count;
    struct answer_header headers[ANSWER_HEADERS_MAX];
    size_t room_used;
    char room[ANSWER_ROOM_SIZE]; /* short values: no allocation for the common answer */
};

/* The value of a header set so far, or NULL. */
const char *answer_header(const struct http_body_ *a, const char *name);
/* As http_set_header() for a constant value, which is borrowed. */
void answer_set_static(struct http_body_ *a, const char *name, const char *value);
/* Let go of the body, keep the headers but for those that describe the body. */
void answer_drop_body(struct http_body_ *a);
/* The answer as a response that the caller destroys; the body goes into it, but a stream, which
 * MHD asks for by read_stream(cls, ...). */
struct MHD_Response *answer_to_mhd(struct http_body_ *a, MHD_ContentReaderCallback read_stream,
                                   void *cls);
void answer_fini(struct http_body_ *a);

#endif
