/* domain/api_key.h - bearer keys: `jobd_<id>_<secret>`.
 *
 * The id names the key and may be shown to anybody; of the secret, 256 random bits, jobd keeps
 * nothing but the SHA-256. A slow hash is for passwords, which can be guessed. Pure, any
 * thread.
 */
#ifndef JOBD_DOMAIN_API_KEY_H
#define JOBD_DOMAIN_API_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clean.h"
#include "base/clock.h"
#include "base/sha256.h"
#include "domain/grant.h"

#define API_KEY_PREFIX     "jobd_"
#define API_KEY_ID_LEN     12
#define API_KEY_ID_SIZE    (API_KEY_ID_LEN + 1)
#define API_KEY_SECRET_LEN 43
#define API_KEY_TOKEN_LEN  (sizeof API_KEY_PREFIX - 1 + API_KEY_ID_LEN + 1 + API_KEY_SECRET_LEN)
#define API_KEY_TOKEN_SIZE (API_KEY_TOKEN_LEN + 1)
#define API_KEY_NAME_MAX   128

struct api_key {
    char id[API_KEY_ID_SIZE];
    unsigned char secret_hash[SHA256_BYTES];
    char *name; /* for people */
    struct grant grant;
    usec_t created_at_us;
    usec_t expires_at_us;   /* 0: never */
    usec_t revoked_at_us;   /* 0: is good */
    usec_t last_used_at_us; /* 0: never; may be minutes behind */
};

/* Draw an id and a secret: sets key->id and key->secret_hash. The token in ret_token is the
 * only place that has the secret. */
void api_key_draw(struct api_key *key, char ret_token[API_KEY_TOKEN_SIZE]);
/* Draw another secret for the same id. */
void api_key_draw_secret(struct api_key *key, char ret_token[API_KEY_TOKEN_SIZE]);

/* Take a token apart. False, with the results undefined, unless text has exactly its form. */
bool api_key_parse(const char *text, char ret_id[API_KEY_ID_SIZE],
                   unsigned char ret_secret_hash[SHA256_BYTES]);
/* Whether text has the form of an id. */
bool api_key_is_id(const char *text);
/* Whether it may be used now. */
bool api_key_is_good(const struct api_key *key, usec_t now_us);

void api_key_fini(struct api_key *key);
DEFINE_AUTO_FINI(api_key, struct api_key)

struct api_keys {
    struct api_key *items;
    size_t count;
};
void api_keys_fini(struct api_keys *keys);
DEFINE_AUTO_FINI(api_keys, struct api_keys)

#endif
