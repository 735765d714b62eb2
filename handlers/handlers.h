/* handlers/handlers.h - the operations of openapi.yaml: one function each, named in
 * handlers/routes.def, which is generated from it.
 *
 * A handler decodes, makes one engine call or one read, and encodes; its contract is in
 * server/http/http.h. rq->service is a struct service. HTTP threads.
 */
#ifndef JOBD_HANDLERS_HANDLERS_H
#define JOBD_HANDLERS_HANDLERS_H

#include <stddef.h>

#include "server/http/http.h"
#include "server/http/server.h"

/* clang-format off */
#define ROUTE(method, path, operation_id, handler, body, scope) \
    int handler(struct http_req *rq, struct http_resp *rs);
#include "handlers/routes.def"
#undef ROUTE
/* clang-format on */

extern const struct http_route handlers_routes[];
extern const size_t handlers_route_count;

#endif
