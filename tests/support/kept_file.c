#include "tests/support/test.h"

#include "tests/support/kept_file.h"

#include "pool/output_file.h"

static void read_positions(const struct output_file *f, int64_t pos, int64_t end, struct buf *b)
{
    while (pos < end) {
        ssize_t n = output_file_read(f, pos, buf_reserve(b, (size_t)(end - pos)),
                                     (size_t)(end - pos), NULL);

        assert_true(n > 0);
        buf_commit(b, (size_t)n);
        pos += n;
    }
}

void kept_file_read(const char *path, struct buf *b)
{
    AUTO_FINI(output_file) struct output_file f = { .fd = -1 };

    assert_int_equal(output_file_open(path, &f, NULL), 0);
    read_positions(&f, 0, kept_head_end(f.kept, f.written), b);
    read_positions(&f, f.tail_at, f.written, b);
}
