/* server/http/connections.h - the open connections: how many one address may have, and how long
 * each may take to send what it has begun. Private to server/http.
 *
 * libmicrohttpd ends a connection that is silent, but not one that sends a byte now and then.
 * So every connection has a deadline while something is to come from it; a thread of its own
 * looks for those that have passed, answers 408 and shuts the socket, which libmicrohttpd then
 * takes for the end. A connection whose request is being worked on has no deadline.
 *
 * Threads: all of connection_*() on the HTTP thread of that connection; the rest on any.
 */
#ifndef JOBD_SERVER_HTTP_CONNECTIONS_H
#define JOBD_SERVER_HTTP_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clean.h"
#include "base/clock.h"
#include "base/err.h"

struct sockaddr;
struct trusted_proxies;

/* A body may take body_timeout_us, and longer as long as it comes at this rate. */
#define CONNECTION_MIN_BYTES_PER_SEC 1024

struct connections_conf {
    /* From the connect, and from the request line, to the end of the head; 0: 20 s. */
    usec_t header_timeout_us;
    usec_t body_timeout_us;   /* from the request line to the end of the body; 0: 60 s */
    usec_t idle_timeout_us;   /* between requests; libmicrohttpd's own */
    unsigned max;             /* in all; libmicrohttpd sees to that */
    unsigned max_per_address; /* 0: half of max, but for this machine's own */
    const struct trusted_proxies *exempt; /* from max_per_address; borrowed; may be NULL */
};

struct address;
struct connections;
struct connection;

int connections_new(const struct connections_conf *conf, struct connections **ret_connections,
                    struct errinfo *e);
/* All connections have been left. NULL is fine. */
struct connections *connections_free(struct connections *cs);
DEFINE_AUTO(connections, struct connections)

/* Whether one more of that address may come. *ret_place is kept for it until it has come or
 * connections_give_up() is called; NULL: that address is not counted. */
bool connections_admit(struct connections *cs, const struct sockaddr *address,
                       struct address **ret_place);
/* It will not come. NULL is fine. */
void connections_give_up(struct connections *cs, struct address *take_place);
/* It has come; fd stays open until connection_leave(). plain: answers may be written to it as
 * they are (no TLS). */
struct connection *connection_enter(struct connections *cs, int fd, bool plain,
                                    struct address *take_place);
void connection_leave(struct connections *cs, struct connection *c);
/* Whether one that came a moment ago (CONNECTION_FRESH_US) has not asked anything yet: whoever
 * leaves should wait for it. Any thread. */
#define CONNECTION_FRESH_US (200 * USEC_PER_MS)
bool connections_expect(const struct connections *cs, usec_t now_us);
/* Where something can be kept for its life that free() ends; NULL at first. */
void **connection_note(struct connection *c);

/* What is to come next. False: too late, the connection is being closed; answer nothing. c may
 * be NULL (then it has no deadlines). */
bool connection_awaits_head(struct connection *c, usec_t now_us);
bool connection_awaits_body(struct connection *c, usec_t began_us, size_t so_far_bytes);
/* whole: all of the request has come. */
bool connection_awaits_answer(struct connection *c, bool whole);
void connection_awaits_request(struct connection *c, usec_t now_us);
/* Whether something of the last request may still be on its way, or anything of a first one. */
bool connection_still_sends(const struct connection *c);

#endif
