/* server/http/auth.h - who asks, and whether he may: one link of the chain, before the body is
 * read. Private to server/http; struct http_auth in server/http/server.h is what decides.
 *
 *   401  no credential, or a bad one, where one is required
 *   403  the principal has not the scope of the operation
 *   400  a token in the query, where logs and histories would keep it
 *
 * What is not there for a principal (other tenants' jobs) is not found; that is for handlers
 * and the engine.
 */
#ifndef JOBD_SERVER_HTTP_AUTH_H
#define JOBD_SERVER_HTTP_AUTH_H

#include "server/http/request.h"

/* Whether a credential is needed now for what is not public. */
bool auth_is_required(const struct request *r);
/* Set r->rq.principal, and judge it by r->route. Returns 0 or the refusal. */
int auth_check(struct request *r);
/* Add WWW-Authenticate to an answer that wants one. */
void auth_challenge(struct request *r, int result);
/* Whether what was found by auth_check() still holds, long after: for streams. */
bool auth_holds(const struct request *r);
/* The same for an answer that had to be waited for: returns 0 or the refusal. */
int auth_check_again(struct request *r);
/* Let go of r->rq.principal. */
void auth_release(struct request *r);

#endif
