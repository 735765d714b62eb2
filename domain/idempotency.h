/* domain/idempotency.h - requests that may be sent twice and happen once: the header
 * Idempotency-Key, and what is remembered of the answer
 * (draft-ietf-httpapi-idempotency-key-header-07). Pure, any thread.
 */
#ifndef JOBD_DOMAIN_IDEMPOTENCY_H
#define JOBD_DOMAIN_IDEMPOTENCY_H

#include <stddef.h>

#include "base/clean.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/sha256.h"

#define IDEMPOTENCY_KEY_MAX 255

/* A request and its answer. Plain data; every pointer is owned by the struct. */
struct idempotency_record {
    unsigned char scope[SHA256_BYTES];       /* of who asks, for what, with which key */
    unsigned char fingerprint[SHA256_BYTES]; /* of what is asked */
    usec_t created_at_us;
    int status;
    char *location; /* of the answer; NULL: none */
    char *etag;     /* the same */
    char *answer;   /* answer_len bytes: a JSON body, or what the operation makes it from */
    size_t answer_len;
};
void idempotency_record_fini(struct idempotency_record *r);
DEFINE_AUTO_FINI(idempotency_record, struct idempotency_record)

/* The key in the header's value: a quoted string, as the draft wants it, or bare, as many
 * clients send it. 1 to 255 visible ASCII characters. ERR_IDEMPOTENCY_KEY. */
int idempotency_key_parse(const char *value, char ret_key[IDEMPOTENCY_KEY_MAX + 1],
                          struct errinfo *e);

#endif
