#include "domain/api_key.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"

#define PREFIX_LEN (sizeof API_KEY_PREFIX - 1)

void api_key_draw_secret(struct api_key *key, char ret_token[API_KEY_TOKEN_SIZE])
{
    char *secret = ret_token + PREFIX_LEN + API_KEY_ID_LEN + 1;

    memcpy(ret_token, API_KEY_PREFIX, PREFIX_LEN);
    memcpy(ret_token + PREFIX_LEN, key->id, API_KEY_ID_LEN);
    secret[-1] = '_';
    secret_draw(secret, API_KEY_SECRET_LEN);
    sha256_block(secret, API_KEY_SECRET_LEN, key->secret_hash);
}

void api_key_draw(struct api_key *key, char ret_token[API_KEY_TOKEN_SIZE])
{
    secret_draw(key->id, API_KEY_ID_LEN);
    api_key_draw_secret(key, ret_token);
}

/* The number of characters out of [0-9A-Za-z] at the start of text, at most max. */
static size_t letters(const char *text, size_t max)
{
    size_t n = 0;

    while (n < max &&
           ((text[n] >= '0' && text[n] <= '9') || (text[n] >= 'A' && text[n] <= 'Z') ||
            (text[n] >= 'a' && text[n] <= 'z')))
        n++;
    return n;
}

bool api_key_is_id(const char *text)
{
    return letters(text, API_KEY_ID_SIZE) == API_KEY_ID_LEN && text[API_KEY_ID_LEN] == '\0';
}

bool api_key_parse(const char *text, char ret_id[API_KEY_ID_SIZE],
                   unsigned char ret_secret_hash[SHA256_BYTES])
{
    const char *id;
    const char *secret;

    if (!text_starts(text, API_KEY_PREFIX, &id) ||
        letters(id, API_KEY_ID_SIZE) != API_KEY_ID_LEN || id[API_KEY_ID_LEN] != '_')
        return false;
    secret = id + API_KEY_ID_LEN + 1;
    if (letters(secret, API_KEY_SECRET_LEN + 1) != API_KEY_SECRET_LEN ||
        secret[API_KEY_SECRET_LEN] != '\0')
        return false;
    memcpy(ret_id, id, API_KEY_ID_LEN);
    ret_id[API_KEY_ID_LEN] = '\0';
    sha256_block(secret, API_KEY_SECRET_LEN, ret_secret_hash);
    return true;
}

bool api_key_is_good(const struct api_key *key, usec_t now_us)
{
    return key->revoked_at_us == 0 && (key->expires_at_us == 0 || now_us < key->expires_at_us);
}

void api_key_fini(struct api_key *key)
{
    free(key->name);
    grant_fini(&key->grant);
    secret_wipe(key->secret_hash, sizeof key->secret_hash);
    *key = (struct api_key){ 0 };
}

void api_keys_fini(struct api_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        api_key_fini(&keys->items[i]);
    free(keys->items);
    *keys = (struct api_keys){ 0 };
}
