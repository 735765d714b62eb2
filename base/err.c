#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clean.h"
#include "base/text.h"

/* clang-format off */
static const struct err_meta metas[ERR_INDEX_MAX_] = {
#define ERR(symbol, status, slug, title) [ERR_INDEX_##symbol] = { #symbol, status, slug, title },
#include "base/err.def"
#undef ERR
};
/* clang-format on */

/* Where to end text[0..len) so that no character is cut in two. */
static size_t whole_chars(const char *text, size_t len)
{
    size_t back = 1;

    while (back <= 3 && back < len && ((unsigned char)text[len - back] & 0xc0) == 0x80)
        back++;
    if ((unsigned char)text[len - back] < 0xc0 ||
        text_utf8_len(text + len - back, back) == back)
        return len; /* a whole character, or bytes that never were UTF-8 */
    return len - back;
}

/* The text is built aside, since an argument may point into e->text. */
__attribute__((format(printf, 1, 0))) static void format_text(const char *format, va_list args,
                                                              char text[ERR_TEXT_SIZE])
{
    int n = vsnprintf(text, ERR_TEXT_SIZE, format, args);

    if (n < 0)
        text[0] = '\0';
    else if (n >= ERR_TEXT_SIZE)
        text[whole_chars(text, ERR_TEXT_SIZE - 1)] = '\0';
}

static void record(struct errinfo *e, int code, int sys_errno, const char *text)
{
    e->code = code;
    e->sys_errno = sys_errno;
    e->fact_name = NULL;
    (void)text_copy(e->text, sizeof e->text, text);
}

int err_fact(struct errinfo *e, int code, const char *name, const char *value)
{
    if (!e)
        return code;
    e->fact_name = name;
    (void)text_copy(e->fact, sizeof e->fact, value);
    return code;
}

int err_set(struct errinfo *e, int code, const char *format, ...)
{
    char text[ERR_TEXT_SIZE];
    va_list args;

    if (!e)
        return code;
    va_start(args, format);
    format_text(format, args, text);
    va_end(args);
    record(e, code, 0, text);
    return code;
}

int err_sys(struct errinfo *e, const char *format, ...)
{
    int saved_errno = errno;
    const char *reason = strerrordesc_np(saved_errno); /* thread-safe, unlike strerror() */
    char text[ERR_TEXT_SIZE];
    char number[32];
    size_t len, room;
    va_list args;

    if (!e)
        return ERR_SYS;
    if (!reason) {
        (void)snprintf(number, sizeof number, "errno %d", saved_errno); /* always fits */
        reason = number;
    }
    va_start(args, format);
    format_text(format, args, text);
    va_end(args);

    /* A long `what` gives way: the reason is what the reader needs. */
    room = sizeof text - sizeof ": " - strlen(reason);
    len = strlen(text);
    if (len > room)
        len = whole_chars(text, room);
    (void)snprintf(text + len, sizeof text - len, ": %s", reason); /* room was made above */
    record(e, ERR_SYS, saved_errno, text);
    errno = saved_errno;
    return ERR_SYS;
}

bool err_is_shortage(const struct errinfo *e)
{
    static const int errors[] = { EAGAIN, EMFILE, ENFILE, ENOMEM, ENOBUFS, ENOSPC, EDQUOT };

    for (size_t i = 0; i < COUNT_OF(errors); i++)
        if (e->sys_errno == errors[i])
            return true;
    return e->code == ERR_STORAGE_FULL;
}

const struct err_meta *err_meta(int code)
{
    int index = code < 0 && code >= -ERR_INDEX_MAX_ ? -(code + 1) : ERR_INDEX_INTERNAL;

    return &metas[index];
}

const struct err_meta *err_meta_by_slug(const char *slug)
{
    for (size_t i = 0; i < ERR_INDEX_MAX_; i++)
        if (text_equal(metas[i].slug, slug))
            return &metas[i];
    return NULL;
}
