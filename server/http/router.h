/* server/http/router.h - from a path to a resource and from there to an operation.
 *
 * Templates are compiled once. A segment of a template is literal, or {name}, or {name}:verb;
 * the last one may be {name*}, which stands for one or more segments, none of them empty. A
 * request's path is split at "/" first and each segment is decoded after that, so that %2F
 * cannot forge a segment, while %3A is as good as ":". Any other parameter
 * never holds a ":": what follows one is a custom verb, and one that no template knows is not
 * found.
 *
 * Read-only after router_new(): any thread.
 */
#ifndef JOBD_SERVER_HTTP_ROUTER_H
#define JOBD_SERVER_HTTP_ROUTER_H

#include <stddef.h>

#include "base/clean.h"
#include "base/err.h"
#include "server/http/server.h"

#define ROUTE_SEGMENTS_MAX 8
#define ROUTE_PARAMS_MAX   4
#define PATH_SEGMENTS_MAX  32 /* of a request */

struct router;
struct resource; /* all operations of one template */

struct route_param {
    const char *name;
    const char *value; /* decoded, never empty */
};

struct route_match {
    const struct resource *resource;
    size_t param_count;
    struct route_param params[ROUTE_PARAMS_MAX];
};

/* routes are borrowed. ERR_INTERNAL for a template that cannot be compiled or a route twice. */
int router_new(const struct http_route *routes, size_t route_count, struct router **ret_router,
               struct errinfo *e);
struct router *router_free(struct router *rt);
DEFINE_AUTO(router, struct router)

/* Find the resource of a raw path that starts with "/". The path is cut up and decoded in
 * place, and the parameters point into it. ERR_NOT_FOUND, ERR_MALFORMED_REQUEST (bad encoding).
 */
int router_match(const struct router *rt, char *path, struct route_match *ret_match,
                 struct errinfo *e);

/* The operation, or NULL where the resource lacks this method. */
const struct http_route *resource_route(const struct resource *res, enum http_method method);
/* The value of Allow: "GET, HEAD, OPTIONS". */
const char *resource_allow(const struct resource *res);
const char *resource_path(const struct resource *res);

#endif
