#include "base/buf.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define CAPACITY_MIN 64

/* SIZE_MAX when it does not fit, which no allocation grants: mem_resize() then aborts. */
static size_t add_or_max(size_t a, size_t b)
{
    size_t sum;

    return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

void buf_grow_(struct buf *b, size_t more)
{
    size_t need = add_or_max(add_or_max(b->len, more), 1); /* and the NUL */
    size_t doubled = add_or_max(b->capacity, b->capacity);

    if (need < doubled)
        need = doubled;
    if (need < CAPACITY_MIN)
        need = CAPACITY_MIN;
    b->data = mem_resize(b->data, need, 1);
    b->capacity = need;
    b->data[b->len] = '\0';
}

__attribute__((format(printf, 3, 0))) static size_t print_into(char *to, size_t room_bytes,
                                                               const char *format, va_list args)
{
    int n = vsnprintf(to, room_bytes, format, args);

    assert(n >= 0); /* only a wrong format, or 2 GiB of text, fails */
    return (size_t)n;
}

void buf_printf(struct buf *b, const char *format, ...)
{
    char *to = buf_reserve(b, CAPACITY_MIN);
    size_t room_bytes = b->capacity - b->len;
    va_list args;
    size_t n;

    va_start(args, format);
    n = print_into(to, room_bytes, format, args);
    va_end(args);
    if (n >= room_bytes) {
        to = buf_reserve(b, n);
        va_start(args, format);
        n = print_into(to, n + 1, format, args);
        va_end(args);
    }
    buf_commit(b, n);
}

void buf_consume(struct buf *b, size_t n)
{
    assert(n <= b->len);
    if (n == 0)
        return;
    memmove(b->data, b->data + n, b->len - n + 1); /* the NUL moves along */
    b->len -= n;
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    if (b->data)
        b->data[0] = '\0';
}

char *buf_steal(struct buf *b)
{
    char *text = b->data ? b->data : mem_str("");

    *b = (struct buf){ 0 };
    return text;
}

void buf_fini(struct buf *b)
{
    free(b->data);
    *b = (struct buf){ 0 };
}
