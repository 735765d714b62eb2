#include "base/token.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/buf.h"
#include "base/fd.h"

#define MAC_BYTES 16

#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

static_assert(sodium_base64_ENCODED_LEN(TOKEN_BYTES_MAX + MAC_BYTES, VARIANT) ==
                  TOKEN_TEXT_SIZE,
              "TOKEN_TEXT_SIZE");

static int key_make(const char *path, struct token_key *ret_key, struct errinfo *e)
{
    struct token_key key;
    int r;

    randombytes_buf(key.bytes, sizeof key.bytes);
    r = fd_write_file_atomic(path, 0600, key.bytes, sizeof key.bytes, e);
    if (r < 0)
        return r;
    *ret_key = key;
    return 0;
}

int token_key_load(const char *path, struct token_key *ret_key, struct errinfo *e)
{
    AUTO_FINI(buf) struct buf b = { 0 };
    int r;

    if (sodium_init() < 0)
        return err_set(e, ERR_INTERNAL, "libsodium cannot be initialised");
    r = fd_read_file(path, TOKEN_KEY_BYTES, &b, e);
    if (r == ERR_NOT_FOUND)
        return key_make(path, ret_key, e);
    if (r < 0 && r != ERR_CONTENT_TOO_LARGE)
        return r;
    if (r < 0 || b.len != TOKEN_KEY_BYTES)
        return err_set(e, ERR_CONFIG, "%s does not hold a key of %d bytes", path,
                       TOKEN_KEY_BYTES);
    memcpy(ret_key->bytes, b.data, TOKEN_KEY_BYTES);
    return 0;
}

/* Over the context with its NUL, then the bytes: no two pairs read the same. */
static void mac(const struct token_key *key, const char *context, const unsigned char *block,
                size_t len, unsigned char ret_mac[MAC_BYTES])
{
    crypto_generichash_state h;

    (void)crypto_generichash_init(&h, key->bytes, sizeof key->bytes, MAC_BYTES);
    (void)crypto_generichash_update(&h, (const unsigned char *)context, strlen(context) + 1);
    (void)crypto_generichash_update(&h, block, len);
    (void)crypto_generichash_final(&h, ret_mac, MAC_BYTES);
}

char *token_make(const struct token_key *key, const char *context, const void *block,
                 size_t len, char text[TOKEN_TEXT_SIZE])
{
    unsigned char sealed[TOKEN_BYTES_MAX + MAC_BYTES];

    assert(len <= TOKEN_BYTES_MAX);
    memcpy(sealed, block, len);
    mac(key, context, sealed, len, sealed + len);
    return sodium_bin2base64(text, TOKEN_TEXT_SIZE, sealed, len + MAC_BYTES, VARIANT);
}

bool token_open(const struct token_key *key, const char *context, const char *text,
                void *ret_block, size_t len)
{
    unsigned char sealed[TOKEN_BYTES_MAX + MAC_BYTES];
    unsigned char want[MAC_BYTES];
    size_t sealed_len;

    assert(len <= TOKEN_BYTES_MAX);
    /* Without a pointer for the end it is an error when something is left over. */
    if (sodium_base642bin(sealed, sizeof sealed, text, strlen(text), NULL, &sealed_len, NULL,
                          VARIANT) != 0)
        return false;
    if (sealed_len != len + MAC_BYTES)
        return false;
    mac(key, context, sealed, len, want);
    if (sodium_memcmp(want, sealed + len, MAC_BYTES) != 0)
        return false;
    memcpy(ret_block, sealed, len);
    return true;
}
