/* base/digest.h - a digest that tells bytes apart, quickly: for entity-tags. Any thread. */
#ifndef JOBD_BASE_DIGEST_H
#define JOBD_BASE_DIGEST_H

#include <stddef.h>

#define DIGEST_BYTES     16
#define DIGEST_TEXT_SIZE (2 * DIGEST_BYTES + 1)

/* BLAKE2b of 128 bits, in hexadecimal digits. Returns text. */
char *digest_text(const void *block, size_t len, char text[DIGEST_TEXT_SIZE]);

#endif
