#include "handlers/handlers.h"

#include "base/clean.h"

/* clang-format off */
const struct http_route handlers_routes[] = {
#define ROUTE(method, path, operation_id, handler, body, scope) \
    { HTTP_##method, path, #operation_id, handler, body, scope },
#include "handlers/routes.def"
#undef ROUTE
};
/* clang-format on */

const size_t handlers_route_count = COUNT_OF(handlers_routes);
