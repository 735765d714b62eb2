/* server/http/http_loop.h - an HTTP thread: it waits for what its libmicrohttpd daemon has to
 * do, and for those who are to go on, and runs it.
 *
 * libmicrohttpd's own thread would be woken once for each request that is resumed. This one is
 * told of them by a list and woken when it sleeps, so all answers of a commit cost one wake-up,
 * and while it is busy none. Private to server/http.
 */
#ifndef JOBD_SERVER_HTTP_HTTP_LOOP_H
#define JOBD_SERVER_HTTP_HTTP_LOOP_H

#include <microhttpd.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/clean.h"
#include "base/err.h"

struct http_loop;

/* A suspended connection that is to go on. Lies with its owner until then. */
struct http_loop_entry {
    struct MHD_Connection *connection;
    struct http_loop_entry *next;
};

struct http_loop_conf {
    struct MHD_Daemon *mhd; /* polled by nobody else; borrowed */
    /* A socket that was added has become no connection: it is closed. On the loop's thread. */
    void (*on_refused)(void *ctx);
    void *ctx;
};

int http_loop_new(const struct http_loop_conf *conf, struct http_loop **ret_loop,
                  struct errinfo *e);
/* Begin to serve. Once. */
int http_loop_start(struct http_loop *l, struct errinfo *e);
/* Serve this socket; take_fd is taken in any case. Any thread, until http_loop_stop(). */
void http_loop_add(struct http_loop *l, int take_fd, const struct sockaddr *address,
                   socklen_t len);
/* Resume entry->connection, which has been suspended, on the loop's thread. The entry may be
 * gone when this returns. Any thread. */
void http_loop_resume(struct http_loop *l, struct http_loop_entry *entry);
/* Run libmicrohttpd once more before the loop waits. On the loop's thread. */
void http_loop_run_again(struct http_loop *l);
/* End the thread, when everything that was added or resumed has got to libmicrohttpd. Once;
 * any thread but its own. */
void http_loop_stop(struct http_loop *l);
/* Stops it if need be. NULL is fine. */
struct http_loop *http_loop_free(struct http_loop *l);
DEFINE_AUTO(http_loop, struct http_loop)

#endif
