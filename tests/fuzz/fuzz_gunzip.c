/* A gzip body, in two parts. */
#include "tests/fuzz/fuzz.h"

#include "server/http/gunzip.h"

#define BODY_MAX_BYTES 65536

int fuzz_one(const uint8_t *data, size_t size)
{
    AUTO(gunzip) struct gunzip *g = gunzip_new();
    AUTO_FINI(buf) struct buf b = { 0 };
    size_t first = size > 0 ? data[size - 1] % (size + 1) : 0;
    struct errinfo e;
    int r;

    r = gunzip_add(g, (const char *)data, first, BODY_MAX_BYTES, &b, &e);
    if (r == 0)
        r = gunzip_add(g, (const char *)data + first, size - first, BODY_MAX_BYTES, &b, &e);
    if (r == 0)
        (void)gunzip_end(g, &e);
    assert(b.len <= BODY_MAX_BYTES + (r < 0)); /* the byte that was too much */
    return 0;
}
