/* pool/lines.h - bytes as they come, lines as they are whole. One thread. */
#ifndef JOBD_POOL_LINES_H
#define JOBD_POOL_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define LINES_LENGTH_MAX ((size_t)1024 * 1024)

/* Zero-initialise it. */
struct lines {
    struct buf bytes;
    size_t start;   /* of the line that is next */
    size_t scanned; /* up to here there is no line end */
    bool overlong;  /* a line went beyond LINES_LENGTH_MAX: nothing more is taken */
};

void lines_add(struct lines *l, const void *block, size_t len);
/* The next whole line without its end ("\n", also "\r\n"); borrowed until the next call. */
bool lines_next(struct lines *l, const char **ret_line, size_t *ret_len);
/* At end of file: what is left is a line too, if there is anything. Borrowed. */
bool lines_rest(struct lines *l, const char **ret_line, size_t *ret_len);
void lines_fini(struct lines *l);

#endif
