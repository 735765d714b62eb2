/* server/http/request.h - everything the server keeps of one request. Private to server/http.
 *
 * Made when the request line has been read, ended when the answer was sent or the connection
 * broke. One HTTP thread at a time, but for phase: see dispatch.c.
 */
#ifndef JOBD_SERVER_HTTP_REQUEST_H
#define JOBD_SERVER_HTTP_REQUEST_H

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/uuid7.h"
#include "server/http/bodies.h"
#include "server/http/connections.h"
#include "server/http/http.h"
#include "server/http/http_loop.h"
#include "server/http/peer.h"
#include "server/http/prefer.h"
#include "server/http/query.h"
#include "server/http/response.h"
#include "server/http/router.h"
#include "server/http/server.h"

#define REQUEST_URI_ROOM 400
/* A handler's state up to this size, and an answer's text, stay with a request that has ended.
 */
#define REQUEST_STATE_ROOM     1536
#define REQUEST_KEPT_TEXT_SIZE ((size_t)8 * 1024)
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define REQUEST_SPARES_MAX 0 /* so that a use after the end is seen */
#else
#define REQUEST_SPARES_MAX 64
#endif

/* What one server thread owns, and what it reads of the server. */
struct http_thread {
    const struct http_conf *conf;
    const struct router *router;
    struct http_loop *loop; /* whose thread it is */
    struct rates *rates;
    struct bodies *bodies;
    const atomic_bool *quiescing; /* answers say `Connection: close` */
    bool sees_torn_lines;         /* see request_scan_headers() */
    bool asks_certificates;       /* its connections may have one of the client */
    struct uuid7_gen ids;
    struct request *spares; /* ended requests, for the next ones */
    size_t spare_count;
};

/* The header lines that the chain looks at, gathered in one pass. Borrowed from MHD. */
struct seen_headers {
    const char *host;
    const char *authorization;
    const char *origin;
    const char *fetch_site;
    const char *request_id;
    const char *traceparent;
    bool traceparent_twice; /* then it says nothing */
    const char *content_type;
    const char *content_encoding;
    const char *content_length;
    const char *transfer_encoding;
    const char *idempotency_key;
    size_t bytes; /* of all of them, as sent */
    bool expects_continue;
    bool torn;            /* a line was folded, or holds a NUL */
    const char *line_end; /* of the last one: the NUL behind its value */
    bool bad_name;        /* a name with a blank: others may see another header there */
    bool conflicting;     /* a line that may come once came twice */
    struct prefer prefer;
    struct accept accept;
};

enum request_stage {
    REQUEST_NEW,     /* the request line is known */
    REQUEST_ARRIVED, /* the headers are known and were judged; the body may be on its way */
    REQUEST_RUNNING, /* a handler has been called */
    REQUEST_ANSWERED,
};

struct request {
    struct http_req rq; /* first: a handler's pointer is ours */
    struct http_resp rs;
    struct http_body_ answer; /* rs.body */

    struct http_thread *thread;
    const struct http_conf *conf; /* thread->conf */
    struct MHD_Connection *connection;
    struct connection *line; /* NULL: without deadlines */
    usec_t started_us;       /* monotonic */
    enum request_stage stage;
    atomic_int phase; /* enum phase in dispatch.c */
    struct http_loop_entry entry;

    bool stream_waited;             /* the last that its stream said is HTTP_STREAM_WAIT */
    bool head;                      /* HEAD: answered as GET, the body stays here */
    const char *method;             /* as sent; borrowed from MHD */
    const struct http_route *route; /* NULL while refused, and for OPTIONS */
    struct route_match match;
    struct seen_headers seen;
    struct query query;
    bool peer_known; /* found when first asked for */
    struct http_peer peer;

    int refusal; /* 0, or the ERR_* that is the answer; rs.err has the text */

    struct buf written;    /* the answer's text */
    void *state_room;      /* of REQUEST_STATE_ROOM; NULL: not needed yet */
    void *state_heap;      /* a larger state */
    struct gunzip *gunzip; /* for a body that comes compressed, else NULL */
    struct buf body;
    size_t held_bytes;        /* of the body, as bodies_hold() has counted them */
    uint64_t arrived_bytes;   /* of the body, as sent */
    uint64_t discarded_bytes; /* of a body that nobody reads */

    char id_text[UUID7_TEXT_SIZE];
    struct request *next_spare;
    const char *uri_at; /* MHD's own, only to see where it lies */
    bool uri_too_long;  /* then uri is "/" */
    char *uri;          /* as sent, cut at "?" */
    char *query_raw;    /* in uri, behind the "?"; "" */
    char *path_work;    /* the copy of the path that the router cuts up */
    char *uri_heap;     /* where these lie when uri_room is too small, else NULL */
    char uri_room[REQUEST_URI_ROOM];
};

/* uri is copied, as MHD writes over its own. NULL reads as "/". */
struct request *request_new(struct http_thread *thread, struct MHD_Connection *connection,
                            const char *uri);
struct request *request_free(struct request *r);
/* Release the spare requests of a thread that has ended. */
void request_free_spares(struct http_thread *thread);

/* Fill r->seen. (server/http/head.c) */
void request_scan_headers(struct request *r);

/* The largest body of its route. */
size_t request_body_max(const struct request *r);
/* Whether the value of Content-Type is this type, whatever its parameters. */
bool request_type_is(const char *content_type, const char *type);
/* ERR_CONTENT_TOO_LARGE, for a body of more than this. */
int request_refuse_size(struct request *r, size_t max_bytes);
/* Keep a part of the body, or drop it where it is not wanted. False when it can only be ended
 * by closing the connection; else a body beyond the bound sets r->refusal. */
bool request_add_body(struct request *r, const char *part, size_t len);
/* That was all of it; sets r->refusal when it was not. */
void request_end_body(struct request *r);

#endif
