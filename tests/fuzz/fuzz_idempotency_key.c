#include "tests/fuzz/fuzz.h"

#include "domain/idempotency.h"

int fuzz_one(const uint8_t *data, size_t size)
{
    AUTO(mem) char *text = fuzz_text(data, size);
    char key[IDEMPOTENCY_KEY_MAX + 1];
    struct errinfo e;

    if (idempotency_key_parse(text, key, &e) < 0)
        return 0;
    assert(*key && strlen(key) <= IDEMPOTENCY_KEY_MAX && strlen(key) <= strlen(text));
    for (const char *c = key; *c; c++)
        assert(*c > 0x20 && *c < 0x7f);
    return 0;
}
