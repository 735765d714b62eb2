/* server/http/lingering.h - connections that have been answered while their client still sends.
 *
 * Closed at once, what is unread there would reset them, and the client or the gateway might
 * never see the answer (RFC 9112 9.6). So such a connection is only shut for writing, and what
 * still comes is dropped: until the client closes, too, or has had enough time or bytes. A
 * thread of its own sees to them, and sleeps while there are none. Private to server/http.
 */
#ifndef JOBD_SERVER_HTTP_LINGERING_H
#define JOBD_SERVER_HTTP_LINGERING_H

#include <stdint.h>

#include "base/clean.h"
#include "base/clock.h"
#include "base/err.h"

#define LINGERING_MAX 64 /* connections at once; one more is closed */

struct lingering_conf {
    usec_t silent_us; /* how long nothing may come; 0: 5 s */
    usec_t all_us;    /* in all; 0: 30 s */
    uint64_t bytes;   /* that are dropped; 0: 64 MiB */
};

struct lingering;

int lingering_new(const struct lingering_conf *conf, struct lingering **ret_lingering,
                  struct errinfo *e);
/* Closes those that are there. NULL is fine. */
struct lingering *lingering_free(struct lingering *l);
DEFINE_AUTO(lingering, struct lingering)

/* All that is to be sent has been written to this socket. Any thread. */
void lingering_take(struct lingering *l, int take_fd);

#endif
