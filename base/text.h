/* base/text.h - small questions about strings. NULL is never passed unless a function says so.
 */
#ifndef JOBD_BASE_TEXT_H
#define JOBD_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool text_equal(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}
/* Whether text starts with prefix; *ret_rest (may be NULL) is then what follows it. */
bool text_starts(const char *text, const char *prefix, const char **ret_rest);
/* A whole decimal number without sign or blanks, min..max; false for anything else. */
bool text_to_i64(const char *text, int64_t min, int64_t max, int64_t *ret_number);
/* Copy with truncation; room_bytes >= 1; always NUL-terminated. Returns to. */
char *text_copy(char *to, size_t room_bytes, const char *from);
/* 1..max_len characters out of [A-Za-z0-9._-]: the syntax of names and request ids. */
bool text_is_token(const char *text, size_t max_len);
/* The length (1..4) of the valid UTF-8 sequence at the start of these len bytes; 0 when there
 * is none (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). */
size_t text_utf8_len(const void *block, size_t len);
bool text_is_utf8(const char *text, size_t len);

#endif
