/* base/sha256.h - the SHA-256 of a block of memory, or of a file as HTTP writes it (RFC 9530).
 * Any thread. */
#ifndef JOBD_BASE_SHA256_H
#define JOBD_BASE_SHA256_H

#include <stddef.h>

#include "base/err.h"

#define SHA256_BYTES      32
#define SHA256_FIELD_SIZE 56

void sha256_block(const void *block, size_t len, unsigned char ret_digest[SHA256_BYTES]);

/* "sha-256=:<base64>:" of all that fd holds. Its position does not matter and stays. */
int sha256_field(int fd, char ret_field[SHA256_FIELD_SIZE], struct errinfo *e);

#endif
