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
};

/* "127.0.0.1:8080" "[::1]:8080" "localhost:8080" "unix:/run/jobd.sock". ERR_CONFIG: the text
 * says what it must look like. */
int address_parse(const char *text, struct address *ret_address, struct errinfo *e);
/* Whether only this machine can reach it. */
bool address_is_local(const struct address *a);

/* Bound and listening sockets; zeroed is empty. */
struct listeners {
    int fds[LISTEN_MAX];
    char *names[LISTEN_MAX]; /* as bound: "127.0.0.1:43211", "unix:/run/jobd.sock" */
    size_t count;
};

/* Bind all of them. A unix socket that nobody serves any more is replaced; it gets mode 0660.
 * ERR_CONFIG: an address that others can reach, without insecure; or one that cannot be had. */
int listeners_open(char *const *addresses, size_t count, bool insecure,
                   struct listeners *ret_listeners, struct errinfo *e);
/* Only the address checks of listeners_open(). */
int listeners_check(char *const *addresses, size_t count, bool insecure, struct errinfo *e);
/* Close them; remove the unix sockets' files. */
void listeners_fini(struct listeners *ls);
DEFINE_AUTO_FINI(listeners, struct listeners)

/* Put the names into run/listen of the data directory, one a line, in one step. */
int listeners_publish(const struct listeners *ls, const char *data_dir, struct errinfo *e);
/* Remove run/listen. */
void listeners_unpublish(const char *data_dir);

#endif
