/* pool/link.h - a worker's connection to the front, which may go away and come back.
 *
 * The listening socket belongs to the supervisor, so connecting succeeds while there is no
 * front: the connection waits in the backlog for the next one. When a connection ends, what the
 * front had sent is read first; then on_down, then a new connection and on_up. A connection
 * that fails, or ends at once, is tried again after a growing wait. One thread.
 */
#ifndef JOBD_POOL_LINK_H
#define JOBD_POOL_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "pool/loop.h"
#include "pool/proto.h"

struct link_conf {
    struct loop *loop;
    const char *data_dir;
    void (*on_up)(void *ctx);
    /* A negative result ends the connection: the frame was not understood. */
    int (*on_frame)(void *ctx, enum proto_type type, const char *body, size_t len,
                    struct errinfo *e);
    /* What was sent and not answered may never have arrived. */
    void (*on_down)(void *ctx);
    void *ctx;
};

struct link;

/* Connect as soon as the loop runs. *conf is copied. */
struct link *link_new(const struct link_conf *conf);
struct link *link_free(struct link *l);
DEFINE_AUTO(link, struct link)

bool link_is_up(const struct link *l);
/* Where to append frames; then link_flush(). Borrowed. Only while the link is up. */
struct buf *link_out(struct link *l);
void link_flush(struct link *l);
/* Take in what has come and was not looked at yet. */
void link_read_rest(struct link *l);

#endif
