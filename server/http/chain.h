/* server/http/chain.h - what every request passes before its handler sees it.
 *
 * In this order: framing, request id, length of the target, Host and Origin, route and method,
 * the caller, draining, length of the body, media types. Nothing here blocks or allocates much:
 * it runs when the headers are there and before the body is, so that a refusal comes before 100
 * Continue.
 */
#ifndef JOBD_SERVER_HTTP_CHAIN_H
#define JOBD_SERVER_HTTP_CHAIN_H

#include <stdbool.h>

#include "server/http/request.h"

/* Judge r by its headers: sets its route, parameters, query and id, or r->refusal and rs.err.
 * True when the refusal must be answered now, unread body or not: MHD then closes the
 * connection. False: read the body first, whether to use it or to drop it. */
bool chain_admit(struct request *r, const char *method, const char *version);

#endif
