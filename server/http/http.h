/* server/http/http.h - a request and its answer, as a handler sees them.
 *
 * A handler decodes, makes one engine call (writes) or one store read, and encodes. It returns
 *   0             rs is the answer
 *   HTTP_PENDING  it has arranged for http_resume(rq) to be called, once, from whatever thread,
 * and has set rq->next: the function that goes on then. The connection is suspended until then.
 *   < 0           an ERR_*: the dispatcher answers rs->err (and rs->faults) as problem+json
 * All calls for one request are on one HTTP thread at a time; http_resume() may come from any.
 * Strings are borrowed from the request and live as long as it.
 */
#ifndef JOBD_SERVER_HTTP_HTTP_H
#define JOBD_SERVER_HTTP_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "domain/faults.h"
#include "domain/principal.h"

#define HTTP_PENDING 1

struct http_peer;
struct trace;
struct http_req;
struct http_resp;
typedef int (*http_handler)(struct http_req *rq, struct http_resp *rs);

/* -- the request ----------------------------------------------------------------------------
 */

struct http_req {
    const void *service;    /* handlers/service.h, as given to http_server_new() */
    const char *path;       /* raw, as sent */
    const char *request_id; /* X-Request-Id: the client's if well-formed, else made */
    const struct principal *principal; /* who asks; never NULL */
    bool lenient;                      /* Prefer: handling=lenient */
    bool total_count;                  /* Prefer: return=total-count */
    http_handler next;                 /* set before HTTP_PENDING is returned */
    void *state; /* the handler's, across HTTP_PENDING; ended by state_free */
    void (*state_free)(void *state);
};

/* Set rq->state to so many zeroed bytes of the request's own, and return them; at the end of
 * the request `end` gets them, to end what is in them. Cheaper than an allocation. Once. */
void *http_state_new(struct http_req *rq, size_t size_bytes, void (*end)(void *state));

/* A decoded path parameter by its name in the route's template ("id"); never NULL for a
 * declared one. */
const char *http_param(const struct http_req *rq, const char *name);
/* "POST", as sent. */
const char *http_method(const struct http_req *rq);
/* The first header of that name, or NULL. */
const char *http_header(const struct http_req *rq, const char *name);
/* The decoded value of the n-th query parameter of that name (n from 0), or NULL. */
const char *http_query(const struct http_req *rq, const char *name, size_t n);
/* ERR_INVALID_PARAMETER when the query has a parameter that is not in this NULL-terminated
 * list, or a badly encoded one. */
int http_query_allow(const struct http_req *rq, const char *const *names, struct errinfo *e);
/* The name of the n-th query parameter (n from 0), or NULL. */
const char *http_query_name(const struct http_req *rq, size_t n);
/* Have all of these speak of another query, in the same form: for a handler that hands its
 * request on. Texts of the one before are gone. */
void http_query_replace(struct http_req *rq, const char *raw);
/* The raw query string without "?", as sent ("" when there is none). */
const char *http_query_raw(const struct http_req *rq);

/* The body. */
const char *http_body(const struct http_req *rq, size_t *ret_len);
/* Whether it is application/x-ndjson, where the route takes that. */
#define HTTP_NDJSON "application/x-ndjson"
bool http_body_is_lines(const struct http_req *rq);
/* Parse it; *ret_json is the caller's. ERR_MALFORMED_JSON. An empty body is NULL where the
 * route says BODY_JSON_OPTIONAL. */
int http_body_json(const struct http_req *rq, json_t **ret_json, struct errinfo *e);

/* `Prefer: wait=N` (RFC 7240) or ?wait=N in whole seconds. 0: not asked for.
 * ERR_INVALID_PARAMETER for a bad ?wait (a bad preference is ignored, as RFC 7240 asks).
 * *ret_from_header says whence. */
int http_wait_seconds(const struct http_req *rq, int64_t max_seconds, int64_t *ret_seconds,
                      bool *ret_from_header, struct errinfo *e);
/* The token of `Authorization: Bearer`, or NULL. */
const char *http_bearer(const struct http_req *rq);
/* The value of a header that may come once, or NULL. ERR_INVALID_HEADER: it came twice. */
int http_single_header(const struct http_req *rq, const char *name, const char **ret_value,
                       struct errinfo *e);
/* The uid of the process that has connected to a Unix socket; < 0 for other connections. */
int64_t http_peer_uid(const struct http_req *rq);
/* The names in a client certificate that was verified: alternative names (DNS, e-mail, URI),
 * then the common name. */
#define HTTP_CERT_NAMES_MAX 16
#define HTTP_CERT_NAME_SIZE 257
struct http_certificate {
    size_t count;
    char names[HTTP_CERT_NAMES_MAX][HTTP_CERT_NAME_SIZE];
};
/* Lives as long as the connection. NULL: there is none, none that tls_client_ca has signed, or
 * it has no name. */
const struct http_certificate *http_client_certificate(const struct http_req *rq);
/* Who has sent it (server/http/peer.h). On the HTTP thread. */
const struct http_peer *http_peer(struct http_req *rq);
/* The trace that it belongs to (domain/trace.h); false: none, or not a valid one. */
bool http_trace(const struct http_req *rq, struct trace *ret_trace);
/* Whether If-None-Match lists this entity-tag (weak comparison, RFC 9110 13.1.2) or is "*". */
bool http_none_match(const struct http_req *rq, const char *etag);
/* Whether If-Match lists it (strong comparison, 13.1.1) or is "*". */
bool http_match(const struct http_req *rq, const char *etag);

/* Whether Accept names text/html, and not application/json: a browser. */
bool http_wants_html(const struct http_req *rq);
/* Whether Accept names text/event-stream. */
bool http_wants_events(const struct http_req *rq);

/* Continue a suspended request: rq->next runs on an HTTP thread. Any thread; once per
 * HTTP_PENDING; may come before the handler has returned. */
void http_resume(struct http_req *rq);

/* -- the answer -----------------------------------------------------------------------------
 */

struct http_resp {
    struct errinfo err;   /* for a negative return */
    struct faults faults; /* the same: becomes errors[] */
    json_t *members;      /* the same: extension members; see http_problem_text() */
    struct http_body_ *body;
    int status;
};

/* Set a header; the same name again replaces it. name is a constant, which is borrowed. The
 * dispatcher adds X-Request-Id and the other common ones, and Cache-Control unless there is
 * one. Headers stay when the handler then returns an error (Content-Range with a 416), but for
 * those that describe the body which is not sent. At most 14. */
__attribute__((format(printf, 3, 4))) void
http_set_header(struct http_resp *rs, const char *name, const char *format, ...);
/* The same for two texts, one behind the other. */
void http_set_header_text(struct http_resp *rs, const char *name, const char *prefix,
                          const char *rest);
/* An extension member of the problem that a negative return becomes, such as the `state` that
 * is in the way (RFC 9457 3.2). name is a constant in snake_case; the same again replaces it.
 */
void http_problem_text(struct http_resp *rs, const char *name, const char *text);
void http_problem_number(struct http_resp *rs, const char *name, int64_t number);
/* Any other value; json is taken. */
void http_problem_json(struct http_resp *rs, const char *name, json_t *take_json);

/* An empty buffer of the request's own, to write the body of the answer into. */
struct buf *http_reply_room(struct http_resp *rs);
/* Replies: each returns 0. json is taken. */
/* What was written into http_reply_room(). */
int http_reply_written(struct http_resp *rs, int status, const char *content_type);
int http_reply_json(struct http_resp *rs, int status, json_t *take_json);
/* bytes is taken (heap). */
int http_reply_bytes(struct http_resp *rs, int status, const char *content_type,
                     char *take_bytes, size_t len);
/* Static bytes: never freed. */
int http_reply_static(struct http_resp *rs, int status, const char *content_type,
                      const char *bytes, size_t len);
/* 200 with a weak ETag made of the body, or 304 when If-None-Match lists it. json is taken. */
int http_reply_tagged(const struct http_req *rq, struct http_resp *rs, json_t *take_json);
/* The same for other bytes, which are taken (heap). */
int http_reply_tagged_bytes(const struct http_req *rq, struct http_resp *rs,
                            const char *content_type, char *take_bytes, size_t len);
/* The same for static bytes. */
int http_reply_tagged_static(const struct http_req *rq, struct http_resp *rs,
                             const char *content_type, const char *bytes, size_t len);
/* A part of a file: fd is taken. It must have these bytes, or the connection breaks. */
int http_reply_file(struct http_resp *rs, int status, const char *content_type, int take_fd,
                    uint64_t offset, uint64_t len);

/* A body that is made while it is sent, for what does not lie in one piece or is not there yet.
 */
struct http_stream {
    /* Put up to room (> 0) bytes into block. Returns how many, or one of HTTP_STREAM_*. Called
     * on HTTP threads, one call at a time, whenever the client can take more; a slow client
     * delays nobody else. Must not block. rq lives; its handler has returned. */
    ssize_t (*read)(void *ctx, struct http_req *rq, char *block, size_t room);
    /* Once, when nobody will read any more: it has ended, or the client has gone. */
    void (*free)(void *ctx);
    void *ctx;
};
/* Nothing yet: read() has arranged for http_resume(rq) to be called, once, from whatever
 * thread, and is then called again. To be done within seconds even if there is nothing new:
 * only then is a client noticed that has gone. */
#define HTTP_STREAM_WAIT 0
/* That was all. */
#define HTTP_STREAM_END (-1)
/* It cannot be completed: the connection breaks, so that nobody takes the part for the whole.
 */
#define HTTP_STREAM_BREAK   (-2)
#define HTTP_LENGTH_UNKNOWN UINT64_MAX
/* stream.ctx is taken. len: exactly as many bytes follow; HTTP_LENGTH_UNKNOWN: until its end
 * (chunked). */
int http_reply_stream(struct http_resp *rs, int status, const char *content_type,
                      const struct http_stream *take_stream, uint64_t len);
/* No body: 204, 304. */
int http_reply_empty(struct http_resp *rs, int status);

/* -- byte ranges (RFC 9110 section 14), for a representation of total_bytes ------------------
 */

struct http_range {
    bool partial; /* false: the whole */
    uint64_t offset;
    uint64_t len;
};
/* One range is honoured; several, or another unit, mean the whole. ERR_RANGE when it lies
 * outside. if_range_etag: an If-Range that is not this strong tag means the whole. */
int http_range(const struct http_req *rq, uint64_t total_bytes, const char *if_range_etag,
               struct http_range *ret_range, struct errinfo *e);

#endif
