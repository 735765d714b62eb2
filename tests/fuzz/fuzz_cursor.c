/* A page cursor: nothing that was not given out opens. */
#include "tests/fuzz/fuzz.h"

#include "base/token.h"

static const struct token_key key = { "0123456789abcdef0123456789abcde" };

int fuzz_one(const uint8_t *data, size_t size)
{
    static const uint64_t position[2] = { 1, 2 };
    AUTO(mem) char *text = fuzz_text(data, size);
    char good[TOKEN_TEXT_SIZE];
    uint64_t opened[4];
    char sealed[TOKEN_TEXT_SIZE];
    size_t len = size < TOKEN_BYTES_MAX ? size : TOKEN_BYTES_MAX;

    (void)token_make(&key, "list", position, sizeof position, good);
    if (token_open(&key, "list", text, opened, sizeof position))
        assert(strcmp(text, good) == 0);
    assert(!token_open(&key, "other", text, opened, sizeof position));
    /* Whatever is sealed opens. */
    (void)token_make(&key, "list", data, len, sealed);
    assert(token_open(&key, "list", sealed, opened, len));
    assert(len == 0 || memcmp(opened, data, len) == 0);
    return 0;
}
