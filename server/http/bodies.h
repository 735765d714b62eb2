/* server/http/bodies.h - what the bodies of all requests may take in memory together. Each is
 * bounded by its route; this bounds what many of the largest take. Private to server/http.
 *
 * Any thread; one HTTP thread at a time for one request.
 */
#ifndef JOBD_SERVER_HTTP_BODIES_H
#define JOBD_SERVER_HTTP_BODIES_H

#include <stdatomic.h>
#include <stddef.h>

struct request;

/* Of a server. */
struct bodies {
    atomic_size_t bytes; /* of those that are counted */
    size_t max;          /* 0: no bound */
};

/* r holds so many bytes of its body from now on. Small ones are not counted: connections are
 * bounded, too. ERR_NOT_READY: it may not, and holds what it held. */
int bodies_hold(struct request *r, size_t bytes);
/* It holds none. */
void bodies_release(struct request *r);

#endif
