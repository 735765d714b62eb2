/* base/buf.h - a growable byte buffer, NUL-terminated behind its last byte.
 *
 * Plain data: zero-initialise it, read .data and .len freely, change it through these functions
 * only. Growth aborts when memory is out (base/mem.h). One thread at a time.
 */
#ifndef JOBD_BASE_BUF_H
#define JOBD_BASE_BUF_H

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "base/clean.h"

struct buf {
    char *data; /* NULL while nothing was ever added; else data[len] == 0 */
    size_t len;
    size_t capacity;
};

/* Room for `more` further bytes behind len; returns where they go. Then set with buf_commit().
 */
static inline char *buf_reserve(struct buf *b, size_t more);
/* Count `more` bytes, written into the room of the last buf_reserve(), as content. */
static inline void buf_commit(struct buf *b, size_t more);
static inline void buf_add(struct buf *b, const void *block, size_t len);
static inline void buf_add_str(struct buf *b, const char *text);
static inline void buf_add_char(struct buf *b, char c)
{
    if (b->len + 1 >= b->capacity)
        (void)buf_reserve(b, 1);
    b->data[b->len++] = c;
    b->data[b->len] = '\0';
}
__attribute__((format(printf, 2, 3))) void buf_printf(struct buf *b, const char *format, ...);
/* Drop the first n bytes (n <= len). */
void buf_consume(struct buf *b, size_t n);
/* Forget the content, keep the room. */
void buf_clear(struct buf *b);
/* The content as a heap string that the caller frees ("" when empty); b is empty afterwards. */
char *buf_steal(struct buf *b);
void buf_fini(struct buf *b);
DEFINE_AUTO_FINI(buf, struct buf)

/* Make room for at least `more` bytes and a NUL. */
void buf_grow_(struct buf *b, size_t more);

static inline char *buf_reserve(struct buf *b, size_t more)
{
    if (more >= b->capacity - b->len) /* the NUL must fit, too; both are 0 at first */
        buf_grow_(b, more);
    return b->data + b->len;
}

static inline void buf_commit(struct buf *b, size_t more)
{
    assert(more == 0 || more < b->capacity - b->len);
    b->len += more;
    if (b->data)
        b->data[b->len] = '\0';
}

static inline void buf_add(struct buf *b, const void *block, size_t len)
{
    char *to = buf_reserve(b, len);

    if (len > 0)
        memcpy(to, block, len);
    buf_commit(b, len);
}

static inline void buf_add_str(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

#endif
