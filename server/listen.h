/* server/listen.h - the addresses that jobd serves: parsed, bound, written down.
 *
 * The supervisor binds before it forks, so that a front that dies refuses no connection. One
 * thread, at the start of main().
 */
#ifndef JOBD_SERVER_LISTEN_H
#define JOBD_SERVER_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/clean.h"
#include "base/err.h"

#define LISTEN_MAX 16

struct address {
    struct sockaddr_storage sockaddr;
    socklen_t len;
    const char *path; /* of a unix socket: borrowed from the text; else NULL */
    bool tls;
};

/* Which addresses may be served: what is safe without a further word, or what the operator has
 * taken upon himself. */
enum listen_reach {
    LISTEN_LOCAL,    /* those that only this machine can reach */
    LISTEN_INSECURE, /* any */
    LISTEN_TLS,      /* others over TLS, too: whoever comes needs a credential */
};

/* "127.0.0.1:8080" "[::1]:8080" "localhost:8080" "unix:/run/jobd.sock", and "tls:" before an
 * address with a port. ERR_CONFIG: the text says what it must look like. */
int address_parse(const char *text, struct address *ret_address, struct errinfo *e);
/* Whether only this machine can reach it. */
bool address_is_local(const struct address *a);

/* Bound and listening sockets; zeroed is empty. */
struct listeners {
    int fds[LISTEN_MAX];
    char *addresses[LISTEN_MAX]; /* as asked for: "127.0.0.1:0" */
    char *names[LISTEN_MAX];     /* as bound: "tls:127.0.0.1:43211", "unix:/run/jobd.sock" */
    size_t count;
};

/* Bind all of them, but take those that are in `inherited` (may be NULL) already; what is left
 * there is not wanted any more. A unix socket that nobody serves any more is replaced; it gets
 * mode 0660. On failure inherited is as it was. ERR_CONFIG: an address that others can reach,
 * and reach does not allow that; or one that cannot be had. */
int listeners_open(char *const *addresses, size_t count, enum listen_reach reach,
                   struct listeners *inherited, struct listeners *ret_listeners,
                   struct errinfo *e);
/* Whether listeners_open() would succeed, found out by binding for a moment what is not in
 * `inherited`, of which the descriptors are not used. */
int listeners_try(char *const *addresses, size_t count, enum listen_reach reach,
                  const struct listeners *inherited, struct errinfo *e);
/* Add a socket that is bound already; fd is taken. */
void listeners_add(struct listeners *ls, int take_fd, const char *address, const char *name);
/* Only the address checks of listeners_open(). */
int listeners_check(char *const *addresses, size_t count, enum listen_reach reach,
                    struct errinfo *e);
/* Let go of the texts only. */
void listeners_forget(struct listeners *ls);
/* Close them; remove the unix sockets' files. */
void listeners_fini(struct listeners *ls);
DEFINE_AUTO_FINI(listeners, struct listeners)

/* Put the names into run/listen of the data directory, one a line, in one step. */
int listeners_publish(const struct listeners *ls, const char *data_dir, struct errinfo *e);
/* Remove run/listen. */
void listeners_unpublish(const char *data_dir);

#endif
