/* Range, If-Range, If-None-Match and Want-Repr-Digest, a line each. */
#include "tests/fuzz/fuzz.h"

#include "handlers/representation.h"
#include "server/http/ranges.h"

static void check(const char *range, const char *if_range, uint64_t total)
{
    struct http_range part;
    struct errinfo e;

    if (range_parse(range, if_range, total, "\"r1\"", &part, &e) < 0)
        return;
    assert(part.offset <= total && part.len <= total - part.offset);
    assert(part.partial ? part.len > 0 : part.offset == 0 && part.len == total);
}

int fuzz_one(const uint8_t *data, size_t size)
{
    static const uint64_t totals[] = { 0, 1, 12, UINT64_C(1) << 40, UINT64_MAX };
    AUTO(mem) char *text = fuzz_text(data, size);
    char *rest = text;
    const char *range = fuzz_line(&rest);
    const char *if_range = fuzz_line(&rest);
    const char *none_match = fuzz_line(&rest);

    for (size_t i = 0; i < COUNT_OF(totals); i++)
        check(range, if_range, totals[i]);
    if (none_match)
        (void)etag_listed(none_match, "\"v7\"");
    (void)representation_wants_sha256(rest);
    return 0;
}
