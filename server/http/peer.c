#include "server/http/peer.h"

#include <microhttpd.h>
#include <strings.h>

#include "base/text.h"
#include "server/http/forwarded.h"

int trusted_proxies_add(struct trusted_proxies *tp, const char *text, struct errinfo *e)
{
    if (text_equal(text, "unix")) {
        tp->unix_sockets = true;
        return 0;
    }
    return cidr_list_add(&tp->ranges, text, e);
}

void trusted_proxies_fini(struct trusted_proxies *tp)
{
    cidr_list_fini(&tp->ranges);
    tp->unix_sockets = false;
}

struct seen {
    struct forwarded standard; /* Forwarded */
    struct forwarded x;        /* X-Forwarded-For */
    bool x_proto;              /* X-Forwarded-Proto came */
    bool x_https;
};

static enum MHD_Result see(void *cls, enum MHD_ValueKind kind, const char *name,
                           const char *value)
{
    struct seen *seen = cls;

    (void)kind;
    if (!value)
        return MHD_YES;
    if (strcasecmp(name, "Forwarded") == 0)
        forwarded_feed(&seen->standard, value);
    else if (strcasecmp(name, "X-Forwarded-For") == 0)
        forwarded_feed_x(&seen->x, value);
    else if (strcasecmp(name, "X-Forwarded-Proto") == 0) {
        seen->x_proto = true;
        seen->x_https = forwarded_x_proto_is_https(value);
    }
    return MHD_YES;
}

/* What the trusted proxy in front of us says. */
static void ask_proxy(struct MHD_Connection *connection, const struct trusted_proxies *tp,
                      struct http_peer *peer)
{
    const struct ip_address *nearest = peer->has_direct ? &peer->direct : NULL;
    struct seen seen = { 0 };
    struct ip_address standard, x;
    bool has_standard, has_x;

    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, see, &seen);
    has_standard = seen.standard.present &&
                   forwarded_client(&seen.standard, nearest, &tp->ranges, &standard);
    has_x = seen.x.present && forwarded_client(&seen.x, nearest, &tp->ranges, &x);
    if (seen.standard.present && seen.x.present &&
        !(has_standard && has_x && ip_equal(&standard, &x)))
        return;
    if (has_standard || has_x) {
        peer->client = has_standard ? standard : x;
        peer->has_client = true;
    }
    if (seen.standard.present)
        peer->https = forwarded_is_https(&seen.standard);
    else if (seen.x_proto)
        peer->https = seen.x_https;
}

void peer_find(struct MHD_Connection *connection, const struct trusted_proxies *tp,
               struct http_peer *ret_peer)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct http_peer peer = { 0 };

    peer.has_direct = info && ip_from_socket(info->client_addr, &peer.direct);
    peer.has_client = peer.has_direct;
    peer.https = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_PROTOCOL) != NULL;
    peer.client = peer.direct;
    peer.is_proxy =
        tp && (peer.has_direct ? cidr_list_has(&tp->ranges, &peer.direct) : tp->unix_sockets);
    if (peer.is_proxy)
        ask_proxy(connection, tp, &peer);
    *ret_peer = peer;
}

char *peer_format(const struct http_peer *peer, char room[IP_TEXT_SIZE])
{
    return peer->has_client ? ip_format(&peer->client, room)
                            : text_copy(room, IP_TEXT_SIZE, "unix");
}
