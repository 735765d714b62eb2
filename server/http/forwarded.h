/* server/http/forwarded.h - who a gateway says that it asks for: Forwarded (RFC 7239) and
 * X-Forwarded-For, fed line by line, as the lines of one header make one list.
 *
 * Every proxy adds one element at the end, so the list is read from there, and only as far as
 * those who wrote it are trusted: what lies before is whatever the client liked to send. Pure.
 */
#ifndef JOBD_SERVER_HTTP_FORWARDED_H
#define JOBD_SERVER_HTTP_FORWARDED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cidr.h"

#define FORWARDED_HOPS_MAX 16 /* the last ones */

struct forwarded_hop {
    bool known; /* false: "unknown", an obfuscated name, or no `for` at all */
    struct ip_address ip;
    bool https; /* proto=https */
};

/* Zeroed: no such header. */
struct forwarded {
    bool present;
    bool malformed; /* then it says nothing */
    size_t count;
    struct forwarded_hop hops[FORWARDED_HOPS_MAX];
};

void forwarded_feed(struct forwarded *f, const char *line);
void forwarded_feed_x(struct forwarded *f, const char *line);
/* Whether the last element of a line of X-Forwarded-Proto is https. */
bool forwarded_x_proto_is_https(const char *line);

/* The client of a request that came from the proxy at *nearest (NULL: over a Unix socket), who
 * is trusted: the last element that no trusted proxy has. False: nobody said. */
bool forwarded_client(const struct forwarded *f, const struct ip_address *nearest,
                      const struct cidr_list *trusted, struct ip_address *ret_client);
/* Whether the client spoke https to the nearest proxy. */
bool forwarded_is_https(const struct forwarded *f);

#endif
