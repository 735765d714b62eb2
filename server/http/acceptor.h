/* server/http/acceptor.h - one thread that accepts connections and shares them out.
 *
 * If every server thread accepted for itself, each new connection would wake them all, and one
 * would get it; and some would get many more than others. Beyond the limit nobody is accepted:
 * clients wait in the backlog of the socket. Private to server/http.
 */
#ifndef JOBD_SERVER_HTTP_ACCEPTOR_H
#define JOBD_SERVER_HTTP_ACCEPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/clean.h"
#include "base/err.h"

struct acceptor_conf {
    const int *listen_fds; /* not blocking from now on; borrowed */
    size_t listen_count;
    unsigned max_connections;
    /* On the acceptor's thread; take_fd is taken. */
    void (*take)(void *ctx, size_t listener, int take_fd, const struct sockaddr *address,
                 socklen_t address_len);
    void *ctx;
};

struct acceptor;

int acceptor_new(const struct acceptor_conf *conf, struct acceptor **ret_acceptor,
                 struct errinfo *e);
/* Begin to accept. Once. */
int acceptor_start(struct acceptor *a, struct errinfo *e);
/* A connection that was taken has ended, or never was one. Any thread, also after
 * acceptor_stop(). */
void acceptor_ended(struct acceptor *a);
/* How many there are now, with the one that is just being taken. Any thread. */
unsigned acceptor_connections(const struct acceptor *a);
/* Accept nobody any more; the sockets stay as they are. Once; any thread but its own. */
void acceptor_stop(struct acceptor *a);
/* Stops it if need be. No other call may be under way. NULL is fine. */
struct acceptor *acceptor_free(struct acceptor *a);
DEFINE_AUTO(acceptor, struct acceptor)

#endif
