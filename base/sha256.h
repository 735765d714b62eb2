/* base/sha256.h - SHA-256: of bytes as they come, of a block of memory, and of a file as HTTP
 * writes it (RFC 9530). Any thread; a struct sha256 is plain data of one, and owns nothing.
 */
#ifndef JOBD_BASE_SHA256_H
#define JOBD_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SHA256_BYTES      32
#define SHA256_FIELD_SIZE 56

/* Room for libsodium's state, which is checked to fit. */
struct sha256 {
    uint64_t state[13];
};
void sha256_init(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *block, size_t len);
/* The text and its NUL: so that texts in a row cannot be taken for others. NULL reads as "". */
void sha256_add_text(struct sha256 *h, const char *text);
void sha256_end(struct sha256 *h, unsigned char ret_digest[SHA256_BYTES]);

void sha256_block(const void *block, size_t len, unsigned char ret_digest[SHA256_BYTES]);

/* "sha-256=:<base64>:". Returns ret_field. */
char *sha256_format(const unsigned char digest[SHA256_BYTES],
                    char ret_field[SHA256_FIELD_SIZE]);
/* The same of all that fd holds. Its position does not matter and stays. */
int sha256_field(int fd, char ret_field[SHA256_FIELD_SIZE], struct errinfo *e);

#endif
