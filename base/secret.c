#include "base/secret.h"

#include <sodium.h>

#include "base/random.h"

static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
#define LETTERS   (sizeof alphabet - 1)
#define DRAW_BITS 6 /* 64 numbers, of which those that name no letter are drawn again */

void secret_draw(char *text, size_t len)
{
    uint64_t bits = 0;
    unsigned left = 0;

    for (size_t i = 0; i < len;) {
        size_t n;

        if (left < DRAW_BITS) {
            bits = random_u64();
            left = 64;
        }
        n = (size_t)(bits & ((1u << DRAW_BITS) - 1));
        bits >>= DRAW_BITS;
        left -= DRAW_BITS;
        if (n < LETTERS)
            text[i++] = alphabet[n];
    }
    text[len] = '\0';
    secret_wipe(&bits, sizeof bits);
}

bool secret_equal(const void *a, const void *b, size_t len)
{
    return sodium_memcmp(a, b, len) == 0;
}

void secret_wipe(void *block, size_t len)
{
    sodium_memzero(block, len);
}
