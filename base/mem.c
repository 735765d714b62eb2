#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

__attribute__((noreturn)) static void out_of_memory(void)
{
    static const char line[] = "jobd: out of memory\n";

    (void)!write(STDERR_FILENO, line, sizeof line - 1); /* we abort anyway */
    abort();
}

/* calloc(3) and realloc(3) may answer NULL for 0 bytes, so nobody asks them for none. */
static size_t at_least_one(size_t size_bytes)
{
    return size_bytes > 0 ? size_bytes : 1;
}

void *mem_new0(size_t size_bytes)
{
    return mem_array0(1, size_bytes);
}

void *mem_array0(size_t count, size_t size_bytes)
{
    void *block = calloc(at_least_one(count), at_least_one(size_bytes));

    if (!block)
        out_of_memory();
    return block;
}

void *mem_resize(void *take_block, size_t count, size_t size_bytes)
{
    void *block = reallocarray(take_block, at_least_one(count), at_least_one(size_bytes));

    if (!block)
        out_of_memory();
    return block;
}

char *mem_dup(const void *block, size_t len)
{
    char *copy;

    if (len == SIZE_MAX)
        out_of_memory();
    copy = malloc(len + 1);
    if (!copy)
        out_of_memory();
    if (len > 0)
        memcpy(copy, block, len);
    copy[len] = '\0';
    return copy;
}

char *mem_str(const char *text)
{
    return mem_dup(text, strlen(text));
}

char *mem_str_or_null(const char *text)
{
    return text ? mem_str(text) : NULL;
}

char *mem_printf(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    int n;

    va_start(args, format);
    n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0)
        out_of_memory();
    assert(text);
    return text;
}
