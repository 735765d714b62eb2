/* server/http/gunzip.h - a body sent with Content-Encoding: gzip, taken apart while it comes.
 * One thread.
 */
#ifndef JOBD_SERVER_HTTP_GUNZIP_H
#define JOBD_SERVER_HTTP_GUNZIP_H

#include <stddef.h>

#include "base/buf.h"
#include "base/clean.h"
#include "base/err.h"

/* A body that becomes so many times as large, once it is larger than the first bytes, is
 * refused as a bomb: what people compress to send it does not. */
#define GUNZIP_RATIO_MAX        500
#define GUNZIP_RATIO_FREE_BYTES ((size_t)1 << 20)

struct gunzip;

struct gunzip *gunzip_new(void);
struct gunzip *gunzip_free(struct gunzip *g);
DEFINE_AUTO(gunzip, struct gunzip)

/* Add what the next len bytes stand for to b, which holds at most max_bytes in the end.
 * ERR_CONTENT_TOO_LARGE, ERR_MALFORMED_REQUEST: it is not gzip. */
int gunzip_add(struct gunzip *g, const char *part, size_t len, size_t max_bytes, struct buf *b,
               struct errinfo *e);
/* That was all. ERR_MALFORMED_REQUEST when it ends in the middle. */
int gunzip_end(const struct gunzip *g, struct errinfo *e);

#endif
