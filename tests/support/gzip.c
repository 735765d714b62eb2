#include "tests/support/gzip.h"

#include "tests/support/test.h"

#include <zlib.h>

void gzip(const char *text, size_t len, int level, struct buf *to)
{
    z_stream z = { 0 };
    size_t room;

    assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
    room = deflateBound(&z, (uLong)len);
    z.next_in = (z_const Bytef *)(uintptr_t)text;
    z.avail_in = (uInt)len;
    z.next_out = (Bytef *)buf_reserve(to, room);
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    buf_commit(to, room - z.avail_out);
    (void)deflateEnd(&z);
}
