/* base/base64.h - bytes as base64 (RFC 4648 section 4), strictly. Pure, any thread. */
#ifndef JOBD_BASE_BASE64_H
#define JOBD_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Append the bytes that text stands for. False, with out unchanged, unless text is canonical:
 * the standard alphabet, complete padding, no blanks or line breaks, unused bits zero. */
bool base64_decode(const char *text, size_t len, struct buf *out);

#endif
