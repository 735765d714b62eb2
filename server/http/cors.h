/* server/http/cors.h - which web pages may read what is answered (Fetch standard, CORS).
 * Private to server/http.
 *
 * None, unless their origin is listed. Credentials (cookies, client certificates) are never
 * allowed: a page sends its key in Authorization, as everybody does.
 */
#ifndef JOBD_SERVER_HTTP_CORS_H
#define JOBD_SERVER_HTTP_CORS_H

#include <stdbool.h>

#include "server/http/request.h"

/* Whether the page that sent the request is listed, "*" being all. */
bool cors_allows(const struct request *r);
/* Add what a browser wants to see; nothing where no origin is listed. */
void cors_add_headers(struct request *r);

#endif
