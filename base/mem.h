/* base/mem.h - allocation that never returns NULL.
 *
 * Out of memory aborts the process with one line on stderr: the front is crash-only and running
 * jobs survive it, so unwinding half-done work is worth nothing. Every size that a client
 * controls is bounded before it comes here. Everything returned is released with free().
 */
#ifndef JOBD_BASE_MEM_H
#define JOBD_BASE_MEM_H

#include <stddef.h>
#include <stdlib.h>

#include "base/clean.h"

__attribute__((malloc, returns_nonnull)) void *mem_new0(size_t size_bytes);
/* count * size_bytes zeroed; aborts on overflow. */
__attribute__((malloc, returns_nonnull)) void *mem_array0(size_t count, size_t size_bytes);
__attribute__((returns_nonnull)) void *mem_resize(void *take_block, size_t count,
                                                  size_t size_bytes);
/* A copy of `len` bytes with a NUL after them; block may be NULL when len is 0. */
__attribute__((malloc, returns_nonnull)) char *mem_dup(const void *block, size_t len);
__attribute__((malloc, returns_nonnull)) char *mem_str(const char *text);
/* As mem_str, but NULL stays NULL. */
char *mem_str_or_null(const char *text);
__attribute__((malloc, returns_nonnull, format(printf, 1, 2))) char *
mem_printf(const char *format, ...);

/* AUTO(mem) char *p: free() at the end of the scope. */
static inline void *mem_free(void *block)
{
    free(block);
    return NULL;
}
static inline void mem_autop_(void *p)
{
    free(*(void **)p);
}

#endif
