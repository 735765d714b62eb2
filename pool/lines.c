#include "pool/lines.h"

#include <string.h>

void lines_add(struct lines *l, const void *block, size_t len)
{
    if (l->overlong)
        return;
    if (l->start > 0) { /* once a block, not once a line */
        buf_consume(&l->bytes, l->start);
        l->scanned -= l->start;
        l->start = 0;
    }
    buf_add(&l->bytes, block, len);
}

static void trim_end(const char *line, size_t *len)
{
    if (*len > 0 && line[*len - 1] == '\r')
        (*len)--;
}

bool lines_next(struct lines *l, const char **ret_line, size_t *ret_len)
{
    const char *end = NULL;
    const char *line;
    size_t len;

    if (l->scanned < l->bytes.len)
        end = memchr(l->bytes.data + l->scanned, '\n', l->bytes.len - l->scanned);
    if (!end) {
        l->scanned = l->bytes.len;
        if (l->bytes.len - l->start > LINES_LENGTH_MAX)
            l->overlong = true;
        return false;
    }
    line = l->bytes.data + l->start;
    len = (size_t)(end - line);
    if (len > LINES_LENGTH_MAX) {
        l->overlong = true;
        return false;
    }
    l->start += len + 1;
    l->scanned = l->start;
    trim_end(line, &len);
    *ret_line = line;
    *ret_len = len;
    return true;
}

bool lines_rest(struct lines *l, const char **ret_line, size_t *ret_len)
{
    size_t len = l->bytes.len - l->start;

    if (len == 0 || l->overlong)
        return false;
    *ret_line = l->bytes.data + l->start;
    trim_end(*ret_line, &len);
    *ret_len = len;
    l->start = l->bytes.len;
    l->scanned = l->start;
    return true;
}

void lines_fini(struct lines *l)
{
    buf_fini(&l->bytes);
    *l = (struct lines){ 0 };
}
