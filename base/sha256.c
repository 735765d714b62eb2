#include "base/sha256.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define CHUNK_BYTES ((size_t)64 * 1024)
#define TEXT_SIZE                                                                              \
    sodium_base64_ENCODED_LEN(crypto_hash_sha256_BYTES, sodium_base64_VARIANT_ORIGINAL)

void sha256_block(const void *block, size_t len, unsigned char ret_digest[SHA256_BYTES])
{
    (void)crypto_hash_sha256(ret_digest, block, len); /* has no way to fail */
}

_Static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(struct sha256),
               "the room is too small");
_Static_assert(crypto_hash_sha256_BYTES == SHA256_BYTES, "a digest has 32 bytes");

/* None of libsodium's calls here can fail. */
void sha256_init(struct sha256 *h)
{
    (void)crypto_hash_sha256_init((crypto_hash_sha256_state *)(void *)h);
}

void sha256_add(struct sha256 *h, const void *block, size_t len)
{
    (void)crypto_hash_sha256_update((crypto_hash_sha256_state *)(void *)h, block, len);
}

void sha256_add_text(struct sha256 *h, const char *text)
{
    sha256_add(h, text ? text : "", text ? strlen(text) + 1 : 1);
}

void sha256_end(struct sha256 *h, unsigned char ret_digest[SHA256_BYTES])
{
    (void)crypto_hash_sha256_final((crypto_hash_sha256_state *)(void *)h, ret_digest);
}

char *sha256_format(const unsigned char digest[SHA256_BYTES], char ret_field[SHA256_FIELD_SIZE])
{
    char text[TEXT_SIZE];

    (void)sodium_bin2base64(text, sizeof text, digest, SHA256_BYTES,
                            sodium_base64_VARIANT_ORIGINAL);
    (void)snprintf(ret_field, SHA256_FIELD_SIZE, "sha-256=:%s:", text);
    return ret_field;
}

int sha256_field(int fd, char ret_field[SHA256_FIELD_SIZE], struct errinfo *e)
{
    AUTO(mem) unsigned char *chunk = mem_new0(CHUNK_BYTES);
    unsigned char digest[SHA256_BYTES];
    struct sha256 h;
    off_t at = 0;

    sha256_init(&h);
    for (;;) {
        ssize_t n = pread(fd, chunk, CHUNK_BYTES, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, "read for a digest");
        if (n == 0)
            break;
        sha256_add(&h, chunk, (size_t)n);
        at += n;
    }
    sha256_end(&h, digest);
    (void)sha256_format(digest, ret_field);
    return 0;
}
