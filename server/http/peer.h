/* server/http/peer.h - who has sent a request: the socket says it, and a gateway that is listed
 * in trusted_proxies may say for whom it asks.
 *
 * Where both Forwarded and X-Forwarded-For came and name different clients, neither counts: a
 * gateway that sets one of them hands on the other as the client has sent it.
 */
#ifndef JOBD_SERVER_HTTP_PEER_H
#define JOBD_SERVER_HTTP_PEER_H

#include <stdbool.h>

#include "base/cidr.h"
#include "base/clean.h"
#include "base/err.h"

/* From whom such headers are believed. Zeroed: from nobody. */
struct trusted_proxies {
    struct cidr_list ranges;
    bool unix_sockets; /* "unix": whoever may connect to one of ours */
};

/* An address, a range, or "unix". ERR_CONFIG. */
int trusted_proxies_add(struct trusted_proxies *tp, const char *text, struct errinfo *e);
void trusted_proxies_fini(struct trusted_proxies *tp);
DEFINE_AUTO_FINI(trusted_proxies, struct trusted_proxies)

struct MHD_Connection;

struct http_peer {
    bool has_direct; /* false: a Unix socket */
    struct ip_address direct;
    bool is_proxy;   /* direct is a trusted proxy: its word on others counts */
    bool has_client; /* false: over a Unix socket, and no gateway said more */
    struct ip_address client;
    bool https; /* between the client and the nearest trusted proxy */
};

/* tp may be NULL. On the thread of the connection. */
void peer_find(struct MHD_Connection *connection, const struct trusted_proxies *tp,
               struct http_peer *ret_peer);
/* The client's address, or "unix". Returns room. */
char *peer_format(const struct http_peer *peer, char room[IP_TEXT_SIZE]);

#endif
