/* server/auth.h - who asks: keys, gateways, certificates and processes of this machine, and
 * whether it has to be known at all. What server/http asks through struct http_auth.
 *
 * A credential is needed where `auth: required` is set, where an identity_header or identities
 * are configured, and as soon as there is a key. The first of these that a request has counts:
 *
 *   a bearer key              Authorization: Bearer jobd_...
 *   the word of a gateway     identity_header, from an address in trusted_proxies
 *   a client certificate      on a TLS socket with tls_client_ca
 *   the uid of a process      on a Unix socket: by configuration; without any, that of jobd and
 *                             root, who could read the database anyway
 */
#ifndef JOBD_SERVER_AUTH_H
#define JOBD_SERVER_AUTH_H

#include "base/clean.h"
#include "base/err.h"
#include "server/http/server.h"
#include "server/keyring.h"
#include "server/listen.h"
#include "server/options.h"

struct auth;

/* keys: see keyring_new(). settings are borrowed. On success *ret_auth is the caller's. */
int auth_new(const struct settings *s, const struct keyring_conf *keys, struct auth **ret_auth,
             struct errinfo *e);
struct auth *auth_free(struct auth *a);
DEFINE_AUTO(auth, struct auth)

/* Keys were changed in the ledger. Any thread. */
void auth_keys_changed(struct auth *a);
/* Borrowed. */
const struct http_auth *auth_for_http(const struct auth *a);

/* Whether the settings ask for credentials, whatever keys there are. */
bool auth_is_configured(const struct settings *s);
/* What may be listened on by these settings. */
enum listen_reach auth_reach(const struct settings *s);
/* What must hold between the settings of authentication. ERR_CONFIG. */
int auth_check_settings(const struct settings *s, struct errinfo *e);

#endif
