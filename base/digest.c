#include "base/digest.h"

#include <sodium.h>

char *digest_text(const void *block, size_t len, char text[DIGEST_TEXT_SIZE])
{
    unsigned char hash[DIGEST_BYTES];

    (void)crypto_generichash(hash, sizeof hash, block, len, NULL, 0); /* sizes are right */
    return sodium_bin2hex(text, DIGEST_TEXT_SIZE, hash, sizeof hash);
}
