#include "domain/faults.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

/* Details quote what the client sent; a bound keeps the answer smaller than the request. */
#define DETAIL_SIZE 1024

/* Grown in steps: nearly every request has no fault, and a bad one has a few. */
static struct fault *next_item(struct faults *f)
{
    static const size_t STEP = 8;

    if (f->count % STEP == 0)
        f->items = mem_resize(f->items, f->count + STEP, sizeof *f->items);
    return &f->items[f->count++];
}

/* Cutting text at a byte limit must not leave half a UTF-8 sequence behind. */
static size_t utf8_floor(const char *text, size_t len)
{
    while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
        len--;
    return len;
}

/* Names in a pointer are the client's and may be as long as its request. No "/" is part of one.
 */
static size_t pointer_floor(const char *pointer)
{
    size_t len = strnlen(pointer, FAULTS_POINTER_MAX_BYTES + 1);

    if (len <= FAULTS_POINTER_MAX_BYTES)
        return len;
    len = FAULTS_POINTER_MAX_BYTES;
    while (len > 1 && pointer[len] != '/')
        len--;
    return len;
}

/* A copy of the pointer, seen from the body. */
static char *place_of(const struct faults *f, const char *pointer)
{
    AUTO(mem) char *whole = NULL;

    if (f->at && pointer[0] == '#') {
        whole = mem_printf("%s%s", f->at, pointer + 1);
        pointer = whole;
    }
    return mem_dup(pointer, pointer_floor(pointer));
}

void faults_add(struct faults *f, const char *pointer, const char *code, const char *format,
                ...)
{
    char detail[DETAIL_SIZE];
    size_t len;
    va_list args;
    int printed;

    f->total++;
    if (f->count >= FAULTS_MAX)
        return;
    va_start(args, format);
    printed = vsnprintf(detail, sizeof detail, format, args);
    va_end(args);

    len = printed < 0 ? 0 : (size_t)printed;
    if (len >= sizeof detail)
        len = utf8_floor(detail, sizeof detail - 4);
    *next_item(f) = (struct fault){
        .pointer = place_of(f, pointer),
        .code = code,
        .detail = mem_dup(detail, len),
    };
}

/* What RFC 3986 lets stand in a fragment: pchar, "/" and "?". */
static bool is_fragment_char(unsigned char c)
{
    static const char marks[] = "-._~!$&'()*+,;=:@?";

    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    for (size_t i = 0; i + 1 < sizeof marks; i++)
        if (c == (unsigned char)marks[i])
            return true;
    return false;
}

int faults_judge(const struct faults *f, size_t before, struct errinfo *e)
{
    size_t found = f->total - before;

    if (found == 0)
        return 0;
    if (found == 1)
        return err_set(e, ERR_VALIDATION, "there is 1 fault");
    return err_set(e, ERR_VALIDATION, "there are %zu faults", found);
}

char *faults_pointer(const char *pointer, const char *member)
{
    AUTO_FINI(buf) struct buf b = { 0 };

    buf_add_str(&b, pointer);
    buf_add_char(&b, '/');
    for (const char *p = member; *p; p++) {
        /* RFC 6901 first; "~" and the digits pass RFC 3986 as they are. */
        if (*p == '~')
            buf_add_str(&b, "~0");
        else if (*p == '/')
            buf_add_str(&b, "~1");
        else if (is_fragment_char((unsigned char)*p))
            buf_add_char(&b, *p);
        else
            buf_printf(&b, "%%%02X", (unsigned char)*p);
    }
    return buf_steal(&b);
}

void faults_fini(struct faults *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->items[i].pointer);
        free(f->items[i].detail);
    }
    free(f->items);
    *f = (struct faults){ 0 };
}
