/* base/token.h - opaque tokens that are given out and come back (page cursors): base64url of a
 * few bytes and of a MAC over them.
 *
 * A token opens only with the key and the context that it was made for, and only if no
 * character of it was changed. What it holds can be read by anyone. Any thread.
 */
#ifndef JOBD_BASE_TOKEN_H
#define JOBD_BASE_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define TOKEN_KEY_BYTES 32
#define TOKEN_BYTES_MAX 32 /* what one token can hold */
#define TOKEN_TEXT_SIZE 65 /* with the NUL */

struct token_key {
    unsigned char bytes[TOKEN_KEY_BYTES];
};

/* The key in this file, which is made (0600, random) when it is missing, so that tokens outlive
 * the process. One process at a time. ERR_SYS; ERR_CONFIG: the file is not a key. */
int token_key_load(const char *path, struct token_key *ret_key, struct errinfo *e);

/* len <= TOKEN_BYTES_MAX. context: what the token is good for. Returns text. */
char *token_make(const struct token_key *key, const char *context, const void *block,
                 size_t len, char text[TOKEN_TEXT_SIZE]);
/* False, with ret_block undefined, unless text is a token for this context that holds len
 * bytes. */
bool token_open(const struct token_key *key, const char *context, const char *text,
                void *ret_block, size_t len);

#endif
