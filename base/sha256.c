#include "base/sha256.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"

#define CHUNK_BYTES ((size_t)64 * 1024)
#define TEXT_SIZE                                                                              \
    sodium_base64_ENCODED_LEN(crypto_hash_sha256_BYTES, sodium_base64_VARIANT_ORIGINAL)

void sha256_block(const void *block, size_t len, unsigned char ret_digest[SHA256_BYTES])
{
    (void)crypto_hash_sha256(ret_digest, block, len); /* has no way to fail */
}

int sha256_field(int fd, char ret_field[SHA256_FIELD_SIZE], struct errinfo *e)
{
    AUTO(mem) unsigned char *chunk = mem_new0(CHUNK_BYTES);
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    char text[TEXT_SIZE];
    off_t at = 0;

    (void)crypto_hash_sha256_init(&state);
    for (;;) {
        ssize_t n = pread(fd, chunk, CHUNK_BYTES, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, "read for a digest");
        if (n == 0)
            break;
        (void)crypto_hash_sha256_update(&state, chunk, (unsigned long long)n);
        at += n;
    }
    (void)crypto_hash_sha256_final(&state, digest);
    (void)sodium_bin2base64(text, sizeof text, digest, sizeof digest,
                            sodium_base64_VARIANT_ORIGINAL);
    (void)snprintf(ret_field, SHA256_FIELD_SIZE, "sha-256=:%s:", text);
    return 0;
}
