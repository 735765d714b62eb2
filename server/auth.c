#include "server/auth.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "server/http/peer.h"
#include "server/identities.h"
#include "server/key_file.h"

struct auth {
    struct http_auth http;
    bool never;                  /* auth: none */
    bool required;               /* whatever keys there are */
    const char *identity_header; /* NULL: none */
    struct identities identities;
    struct keyring *keyring;
    struct caller *owner; /* jobd's own uid and root */
    int64_t own_uid;
};

/* -- who it is ---------------------------------------------------------------------------- */

struct question {
    struct auth *auth;
    struct http_req *rq;
    int result; /* < 0: nobody, whatever the others would say */
    struct errinfo *e;
};

/* Each of the ways returns a caller, or NULL: the next one is asked, unless result says more.
 */
static struct caller *by_key(struct question *q)
{
    const char *token = http_bearer(q->rq);
    struct caller *c;

    if (!token || !text_starts(token, API_KEY_PREFIX, NULL))
        return NULL;
    c = keyring_find(q->auth->keyring, token, clock_wall_us());
    if (!c)
        q->result = err_set(q->e, ERR_BAD_CREDENTIAL,
                            "the key is not known, has expired or was revoked");
    return c;
}

static struct caller *by_gateway(struct question *q)
{
    const char *name = NULL;
    struct caller *c;

    if (!q->auth->identity_header || !http_peer(q->rq)->is_proxy)
        return NULL;
    q->result = http_single_header(q->rq, q->auth->identity_header, &name, q->e);
    if (q->result < 0 || !name || *name == '\0')
        return NULL;
    c = identities_find(&q->auth->identities, IDENTITY_HEADER, name);
    if (!c)
        q->result = err_set(q->e, ERR_BAD_CREDENTIAL, "nothing is granted to this identity");
    return c;
}

/* The name itself counts more than "*", and that for the first name. */
static struct caller *by_certificate(struct question *q)
{
    const struct identities *list = &q->auth->identities;
    const struct http_certificate *cert = http_client_certificate(q->rq);

    if (!cert)
        return NULL;
    for (size_t i = 0; i < cert->count; i++)
        if (identities_know(list, IDENTITY_CERT, cert->names[i]))
            return identities_find(list, IDENTITY_CERT, cert->names[i]);
    return identities_find(list, IDENTITY_CERT, cert->names[0]);
}

static struct caller *by_uid(struct question *q)
{
    char name[24];
    struct caller *c;
    int64_t uid;

    if (http_peer(q->rq)->has_direct)
        return NULL;
    uid = http_peer_uid(q->rq);
    if (uid < 0)
        return NULL;
    (void)snprintf(name, sizeof name, "%" PRId64, uid);
    c = identities_find(&q->auth->identities, IDENTITY_UID, name);
    /* A gateway speaks for others: what it does not vouch for is nobody's. */
    if (!c && (uid == 0 || uid == q->auth->own_uid) && !http_peer(q->rq)->is_proxy)
        return caller_ref(q->auth->owner);
    return c;
}

static bool is_required(void *ctx)
{
    struct auth *a = ctx;

    /* In this order: the keyring also looks for keys that were revoked. */
    return !a->never && (keyring_has_keys(a->keyring) || a->required);
}

static int recognize(void *ctx, struct http_req *rq, const struct principal **ret_principal,
                     struct errinfo *e)
{
    static struct caller *(*const ways[])(struct question *) = { by_key, by_gateway,
                                                                 by_certificate, by_uid };
    struct question q = { .auth = ctx, .rq = rq, .e = e };

    if (!is_required(ctx)) {
        *ret_principal = &principal_anybody;
        return 0;
    }
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        struct caller *c = ways[i](&q);

        if (q.result < 0)
            return q.result;
        if (c) {
            *ret_principal = caller_principal(c);
            return 0;
        }
    }
    if (http_bearer(rq))
        return err_set(e, ERR_BAD_CREDENTIAL, "this is not a key of jobd");
    return err_set(e, ERR_UNAUTHORIZED, "send a key as Authorization: Bearer jobd_...");
}

static void release(void *ctx, const struct principal *p)
{
    (void)ctx;
    (void)caller_unref(caller_of(p));
}

/* -- settings ----------------------------------------------------------------------------- */

bool auth_is_configured(const struct settings *s)
{
    if (s->auth == AUTH_AUTO)
        return s->identity_header || s->identities.count > 0 || s->api_keys_file;
    return s->auth == AUTH_REQUIRED;
}

enum listen_reach auth_reach(const struct settings *s)
{
    if (s->insecure)
        return LISTEN_INSECURE;
    return auth_is_configured(s) ? LISTEN_TLS : LISTEN_LOCAL;
}

static int read_identities(const struct settings *s, struct identities *ret_list,
                           struct errinfo *e)
{
    AUTO_FINI(identities) struct identities list = { 0 };
    struct errinfo why = { 0 };

    for (size_t i = 0; i < s->identities.count; i++)
        if (identities_add(&list, s->identities.items[i], &why) < 0)
            return err_set(e, ERR_CONFIG, "identities: %s", why.text);
    *ret_list = list;
    list = (struct identities){ 0 };
    return 0;
}

int auth_check_settings(const struct settings *s, struct errinfo *e)
{
    AUTO_FINI(identities) struct identities list = { 0 };
    int r = read_identities(s, &list, e);

    if (r < 0)
        return r;
    if (s->api_keys_file) {
        AUTO_FINI(api_keys) struct api_keys keys = { 0 };

        r = key_file_read(s->api_keys_file, &keys, e);
        if (r < 0)
            return r;
    }
    if (!s->tls_client_ca && identities_have(&list, IDENTITY_CERT))
        return err_set(e, ERR_CONFIG,
                       "identities: \"cert:\" needs tls_client_ca, who signs the certificates");
    if (s->identity_header && s->trusted_proxies.count == 0)
        return err_set(e, ERR_CONFIG,
                       "identity_header: name the gateways that it is believed from in"
                       " trusted_proxies");
    if (s->identity_header && !identities_have(&list, IDENTITY_HEADER))
        return err_set(e, ERR_CONFIG,
                       "identity_header: say in identities what is granted, as in"
                       " \"header:* tenant=* scopes=jobs:read,jobs:write\"");
    if (!s->identity_header && identities_have(&list, IDENTITY_HEADER))
        return err_set(e, ERR_CONFIG,
                       "identities: \"header:\" needs identity_header, the name of the header");
    return 0;
}

int auth_new(const struct settings *s, const struct keyring_conf *keys, struct auth **ret_auth,
             struct errinfo *e)
{
    AUTO(auth) struct auth *a = mem_new0(sizeof *a);
    const struct grant all = { .scopes = GRANT_ALL_SCOPES };
    int r;

    a->http = (struct http_auth){
        .is_required = is_required, .recognize = recognize, .release = release, .ctx = a
    };
    a->never = s->auth == AUTH_NONE;
    a->required = auth_is_configured(s);
    a->identity_header = s->identity_header;
    a->own_uid = geteuid();
    a->owner = caller_new(PRINCIPAL_UNIX, "owner", NULL, &all, 0);
    r = read_identities(s, &a->identities, e);
    if (r < 0)
        return r;
    r = keyring_new(keys, &a->keyring, e);
    if (r < 0)
        return r;
    *ret_auth = TAKE(a);
    return 0;
}

struct auth *auth_free(struct auth *a)
{
    if (!a)
        return NULL;
    a->keyring = keyring_free(a->keyring);
    a->owner = caller_unref(a->owner);
    identities_fini(&a->identities);
    free(a);
    return NULL;
}

const struct http_auth *auth_for_http(const struct auth *a)
{
    return &a->http;
}

void auth_keys_changed(struct auth *a)
{
    keyring_look(a->keyring);
}
