/* tests/support/proxy.h - the plain requests of the API tests through `redocly proxy`, which
 * records them: for tests/conformance/drift.
 *
 * Does nothing unless $JOBD_API_PROXY names the program `redocly`; the recordings go to the
 * directory $JOBD_API_HARS, one for each time that a server is started.
 */
#ifndef JOBD_TESTS_SUPPORT_PROXY_H
#define JOBD_TESTS_SUPPORT_PROXY_H

#include "tests/support/api.h"

/* Before the server at `target` ("http://127.0.0.1:40123"), which is ready. */
void proxy_start(const char *target);
/* Where to send this request: the proxy's base, or NULL: to the server itself. The proxy takes
 * a request apart and makes another one of it, so what is meant for jobd's own parser must not
 * meet it. Any thread. */
const char *proxy_for(const struct api *a, const struct api_request *q);
/* Whether this came from the proxy, as the server has given no answer. */
bool proxy_had_none(const struct api_reply *r);
/* Have it write what it has recorded. */
void proxy_stop(void);
/* Print how many requests went which way. */
void proxy_report(void);

#endif
