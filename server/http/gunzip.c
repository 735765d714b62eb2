#include "server/http/gunzip.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/mem.h"

#define GZIP_ONLY  (MAX_WBITS + 16)
#define STEP_BYTES ((size_t)16 * 1024)
#define INPUT_MAX  ((size_t)1 << 30) /* of one call: zlib counts in unsigned int */

struct gunzip {
    z_stream z;
    bool started; /* z is to be ended */
    bool done;    /* at the end of a member: nothing is open */
    uint64_t in_bytes;
    uint64_t out_bytes;
};

static voidpf allocate(voidpf ctx, uInt count, uInt size)
{
    (void)ctx;
    return mem_array0(count, size);
}

static void release(voidpf ctx, voidpf block)
{
    (void)ctx;
    free(block);
}

struct gunzip *gunzip_new(void)
{
    struct gunzip *g = mem_new0(sizeof *g);

    g->z.zalloc = allocate;
    g->z.zfree = release;
    g->started = inflateInit2(&g->z, GZIP_ONLY) == Z_OK; /* fails only for another zlib */
    return g;
}

struct gunzip *gunzip_free(struct gunzip *g)
{
    if (!g)
        return NULL;
    if (g->started)
        (void)inflateEnd(&g->z);
    free(g);
    return NULL;
}

static int corrupt(struct errinfo *e)
{
    return err_set(e, ERR_MALFORMED_REQUEST, "the body is not what gzip makes");
}

static bool is_bomb(const struct gunzip *g)
{
    return g->out_bytes > GUNZIP_RATIO_FREE_BYTES &&
           g->out_bytes / GUNZIP_RATIO_MAX > g->in_bytes;
}

/* One call of zlib: into as much as may still come, and one byte that may not. */
static int step(struct gunzip *g, size_t max_bytes, struct buf *b, struct errinfo *e)
{
    size_t left = max_bytes + 1 - b->len;
    size_t room = left < STEP_BYTES ? left : STEP_BYTES;
    int z;

    if (g->done && inflateReset(&g->z) != Z_OK) /* another member follows (RFC 1952 2.2) */
        return corrupt(e);
    g->z.next_out = (Bytef *)buf_reserve(b, room);
    g->z.avail_out = (uInt)room;
    z = inflate(&g->z, Z_NO_FLUSH);
    g->out_bytes += room - g->z.avail_out;
    buf_commit(b, room - g->z.avail_out);
    g->done = z == Z_STREAM_END;
    if (z != Z_OK && z != Z_STREAM_END && z != Z_BUF_ERROR)
        return corrupt(e);
    if (b->len > max_bytes || is_bomb(g))
        return err_set(e, ERR_CONTENT_TOO_LARGE,
                       "at most %zu bytes are accepted, counted as they were before gzip, and "
                       "at most %d for each that was sent",
                       max_bytes, GUNZIP_RATIO_MAX);
    return 0;
}

int gunzip_add(struct gunzip *g, const char *part, size_t len, size_t max_bytes, struct buf *b,
               struct errinfo *e)
{
    if (!g->started || len > INPUT_MAX)
        return err_set(e, ERR_INTERNAL, "zlib does not start");
    g->in_bytes += len;
    g->z.next_in = (z_const Bytef *)(uintptr_t)part; /* which zlib only reads */
    g->z.avail_in = (uInt)len;
    do {
        int r = step(g, max_bytes, b, e);

        if (r < 0)
            return r;
    } while (g->z.avail_in > 0 || g->z.avail_out == 0);
    return 0;
}

int gunzip_end(const struct gunzip *g, struct errinfo *e)
{
    return g->done ? 0 : err_set(e, ERR_MALFORMED_REQUEST, "the gzip body ends in the middle");
}
