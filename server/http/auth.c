#include "server/http/auth.h"

#include <string.h>

#include "base/text.h"

#define REALM "Bearer realm=\"jobd\""

/* Of public operations, where one would be needed for the others. */
static const struct principal nobody = { .via = PRINCIPAL_NONE, .tenant = "" };

bool auth_is_required(const struct request *r)
{
    const struct http_auth *auth = r->conf->auth;

    return auth && auth->is_required(auth->ctx);
}

/* A token in a query ends up in logs and histories (RFC 9700 4.3.2). */
static int refuse_query_token(struct request *r)
{
    if (!strstr(r->query_raw, "access_token="))
        return 0;
    return err_set(&r->rs.err, ERR_MALFORMED_REQUEST,
                   "a token does not belong into the query: send it as Authorization: Bearer");
}

static int check_scope(struct request *r)
{
    enum scope scope = r->route->scope;

    if (scope >= SCOPE_MAX_ || principal_may(r->rq.principal, scope))
        return 0;
    return err_fact(&r->rs.err,
                    err_set(&r->rs.err, ERR_INSUFFICIENT_SCOPE, "this needs the scope %s",
                            scope_name(scope)),
                    "scope", scope_name(scope));
}

/* RFC 6750 3.1: no error where there was no credential. */
void auth_challenge(struct request *r, int result)
{
    const struct errinfo *e = &r->rs.err;

    if (result == ERR_UNAUTHORIZED)
        answer_set_static(&r->answer, "WWW-Authenticate", REALM);
    else if (result == ERR_BAD_CREDENTIAL)
        answer_set_static(&r->answer, "WWW-Authenticate", REALM ", error=\"invalid_token\"");
    else if (result == ERR_INSUFFICIENT_SCOPE && e->fact_name)
        http_set_header(&r->rs, "WWW-Authenticate",
                        REALM ", error=\"insufficient_scope\", scope=\"%s\"", e->fact);
}

int auth_check(struct request *r)
{
    const struct http_auth *auth = r->conf->auth;
    int result;

    if (!auth || !r->route)
        return 0;
    result = refuse_query_token(r);
    if (result < 0)
        return result;
    if (r->route->scope == SCOPE_PUBLIC) {
        if (auth_is_required(r))
            r->rq.principal = &nobody;
        return 0;
    }
    result = auth->recognize(auth->ctx, &r->rq, &r->rq.principal, &r->rs.err);
    return result < 0 ? result : check_scope(r);
}

bool auth_holds(const struct request *r)
{
    const struct principal *p = r->rq.principal;
    bool required = auth_is_required(r); /* which also looks for keys that were revoked */

    if (p == &principal_anybody)
        return !required || r->route->scope == SCOPE_PUBLIC;
    return principal_is_good(p, clock_wall_us());
}

int auth_check_again(struct request *r)
{
    if (auth_holds(r))
        return 0;
    if (r->rq.principal == &principal_anybody)
        return err_set(&r->rs.err, ERR_UNAUTHORIZED,
                       "meanwhile a key is needed, as Authorization: Bearer jobd_...");
    return err_set(&r->rs.err, ERR_BAD_CREDENTIAL,
                   "meanwhile the key was revoked, or has expired");
}

void auth_release(struct request *r)
{
    const struct http_auth *auth = r->conf->auth;
    const struct principal *p = r->rq.principal;

    if (auth && p != &principal_anybody && p != &nobody)
        auth->release(auth->ctx, p);
}
