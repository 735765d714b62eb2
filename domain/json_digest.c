#include "domain/json_digest.h"

#include <assert.h>

#include "base/buf.h"

static int add_chunk(const char *text, size_t len, void *to)
{
    buf_add(to, text, len);
    return 0;
}

/* Put together first: jansson writes each bracket by itself. */
void json_digest_add(struct sha256 *h, const json_t *json)
{
    AUTO_FINI(buf) struct buf text = { 0 };
    int failed;

    if (json) {
        failed = json_dump_callback(json, add_chunk, &text,
                                    JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
        assert(!failed); /* it was parsed: without loops, and UTF-8 */
        (void)failed;
    }
    buf_add_char(&text, '\0');
    sha256_add(h, text.data, text.len);
}
