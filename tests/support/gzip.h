/* tests/support/gzip.h - what gzip makes of a text. */
#ifndef JOBD_TESTS_SUPPORT_GZIP_H
#define JOBD_TESTS_SUPPORT_GZIP_H

#include <stddef.h>

#include "base/buf.h"

/* level 0..9 */
void gzip(const char *text, size_t len, int level, struct buf *to);

#endif
