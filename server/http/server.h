/* server/http/server.h - listening sockets, connections and the chain that every request
 * passes: id, limits, Host and media type, route, handler, problem+json. The only user of
 * libmicrohttpd.
 */
#ifndef JOBD_SERVER_HTTP_SERVER_H
#define JOBD_SERVER_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clean.h"
#include "base/clock.h"
#include "base/err.h"
#include "domain/principal.h"
#include "server/http/http.h"
#include "server/http/rates.h"

enum http_body_kind {
    BODY_NONE,
    BODY_JSON, /* required, like all but the next */
    BODY_JSON_OPTIONAL,
    BODY_MERGE_PATCH, /* RFC 7396 */
    BODY_JSON_LINES,  /* JSON, or a JSON value on each line: may be as large as a batch */
};

enum http_method { HTTP_GET, HTTP_POST, HTTP_PATCH, HTTP_DELETE, HTTP_METHOD_MAX_ };

/* One operation: a line of handlers/routes.def. */
struct http_route {
    enum http_method method;
    const char *path;         /* template: "/v1/jobs/{id}:cancel" */
    const char *operation_id; /* "cancelJob" */
    http_handler handler;
    enum http_body_kind body;
    enum scope scope; /* what it asks of its caller */
};

/* Who asks. Its functions are called on HTTP threads. */
struct http_auth {
    /* Whether a request without a credential is refused. Cheap: asked for each request. */
    bool (*is_required)(void *ctx);
    /* Who has sent rq, by its headers and its connection (http_bearer() and so on); to be given
     * back by release(), but for principal_anybody. Expected: ERR_UNAUTHORIZED (there is no
     * credential), ERR_BAD_CREDENTIAL, ERR_INVALID_HEADER. */
    int (*recognize)(void *ctx, struct http_req *rq, const struct principal **ret_principal,
                     struct errinfo *e);
    void (*release)(void *ctx, const struct principal *p);
    void *ctx;
};
#define HTTP_URI_BYTES    ((size_t)8 * 1024) /* RFC 9110 4.1 asks for 8000 at least */
#define HTTP_HEADER_BYTES ((size_t)12 * 1024)

struct http_conf {
    const int *listen_fds; /* bound and listening; borrowed for the server's life */
    size_t listen_count;
    const bool *listen_tls;     /* of each, whether it is served over TLS; NULL: none is */
    const struct http_tls *tls; /* for those; borrowed */
    const struct http_route *routes;
    size_t route_count;
    const void *service;
    size_t max_body_bytes;
    size_t max_batch_body_bytes; /* the same where a route says BODY_JSON_LINES */
    size_t max_bodies_bytes;     /* all that are being read or worked on; 0: no bound */
    unsigned max_connections; /* of all listening sockets: shared out evenly to the threads */
    unsigned threads;         /* for each listening socket; 0 is 1 */
    usec_t idle_timeout_us;   /* keep-alive: longer than a gateway's, so that it is the one to
                                 close */
    size_t max_uri_bytes;     /* of the request target; 0: HTTP_URI_BYTES */
    size_t max_header_bytes;  /* all header lines together; 0: HTTP_HEADER_BYTES */
    usec_t header_timeout_us; /* server/http/connections.h */
    usec_t body_timeout_us;
    unsigned max_connections_per_address; /* the same */
    const char *const *cors_origins;      /* web pages that may call; "*": all */
    size_t cors_origin_count;
    const struct trusted_proxies *trusted_proxies; /* borrowed; NULL: none */
    struct rate key_rate;                          /* of each principal; limit 0: none */
    struct rate address_rate;                      /* of each address without a principal */
    /* Whether there is room for one more submit: 0, ERR_NOT_READY or ERR_QUEUE_FULL. Any
     * thread; cheap. NULL: always. */
    int (*room)(void *ctx, struct errinfo *e);
    void *room_ctx;
    const struct http_auth *auth; /* borrowed; NULL: everybody may do everything */
    bool loopback_only; /* refuse a Host that is not loopback, unless credentials are needed */
    /* Whether requests that change something are refused with ERR_DRAINING. Any thread. */
    bool (*draining)(void *ctx);
    void *draining_ctx;
};

struct http_server;
struct http_tls; /* server/http/tls.h */

int http_server_new(const struct http_conf *conf, struct http_server **ret_server,
                    struct errinfo *e);
/* No new connections; answers say `Connection: close`. The listening sockets stay as they are:
 * whom nobody accepts waits in their queue for the next server. Any thread, any number of
 * times. */
void http_server_quiesce(struct http_server *s);
/* Whether a request is between its last byte and the end of its answer, or is to be expected of
 * a connection that has just come. */
bool http_server_is_serving(const struct http_server *s);
/* All suspended requests must have been resumed. Waits for answers on their way, but no longer
 * than 5 s for slow readers, then closes. NULL is fine. */
struct http_server *http_server_free(struct http_server *s);
DEFINE_AUTO(http_server, struct http_server)

#endif
