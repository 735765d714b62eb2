/* handlers/representation.h - bytes that do not change under their entity-tag: results, logs
 * that have ended, artifacts. Conditions, ranges and digests, the same for all of them
 * (RFC 9110 13 and 14, RFC 9530). HTTP threads.
 *
 *     if (representation_known(rq, rs, etag))
 *         return http_reply_empty(rs, 304);
 *     r = representation_part(rq, rs, &what, &part);
 *     if (r < 0)
 *         return r;
 *     reply with part.status and its bytes
 */
#ifndef JOBD_HANDLERS_REPRESENTATION_H
#define JOBD_HANDLERS_REPRESENTATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sha256.h"
#include "server/http/http.h"

/* A digest means reading it all, on a thread that others wait for. */
#define REPRESENTATION_DIGEST_MAX_BYTES     ((uint64_t)16 << 20) /* even if asked for */
#define REPRESENTATION_DIGEST_UNASKED_BYTES ((uint64_t)1 << 20)  /* nobody has to ask */

struct representation {
    const char *etag; /* strong */
    uint64_t bytes;
    /* The value of Repr-Digest: sha-256 of all of it. */
    int (*digest)(void *ctx, char ret_field[SHA256_FIELD_SIZE], struct errinfo *e);
    void *ctx;
};

struct representation_part {
    int status; /* 200 or 206 */
    uint64_t offset;
    uint64_t len;
};

/* Whether Want-Repr-Digest (NULL: not sent) asks for sha-256: 1; refuses it: -1; neither: 0. */
int representation_wants_sha256(const char *wanted);

/* Set ETag; true when If-None-Match lists it. */
bool representation_known(const struct http_req *rq, struct http_resp *rs, const char *etag);
/* Set Accept-Ranges, Content-Range and Repr-Digest. ERR_RANGE. */
int representation_part(const struct http_req *rq, struct http_resp *rs,
                        const struct representation *what,
                        struct representation_part *ret_part);

#endif
