/* domain/api_key_json.h - a key as clients see it: never its secret, nor the hash of it. Pure.
 */
#ifndef JOBD_DOMAIN_API_KEY_JSON_H
#define JOBD_DOMAIN_API_KEY_JSON_H

#include <jansson.h>

#include "domain/api_key.h"
#include "domain/principal.h"

/* "active", "expired" or "revoked". */
const char *api_key_state(const struct api_key *key, usec_t now_us);
/* A new object. */
json_t *api_key_encode(const struct api_key *key, usec_t now_us);
/* For people and scripts: append the key, with its token unless that is NULL. */
void api_key_print_json(const struct api_key *key, const char *token, usec_t now_us,
                        struct buf *out);
void api_keys_print_json(const struct api_keys *keys, usec_t now_us, struct buf *out);
/* What GET /v1/whoami says: a new object. */
json_t *principal_encode(const struct principal *p);

#endif
