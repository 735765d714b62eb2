/* server/http/percent.h - percent-encoding undone (RFC 3986 section 2.1). Any thread. */
#ifndef JOBD_SERVER_HTTP_PERCENT_H
#define JOBD_SERVER_HTTP_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

/* Decode len bytes into to, which has room for len + 1 and may be from itself; a NUL is added.
 * False when an escape is not % and two hexadecimal digits, or when the result holds a control
 * character or is not UTF-8; to is then undefined. plus_is_space: the query's reading of "+".
 */
bool percent_decode(const char *from, size_t len, bool plus_is_space, char *to,
                    size_t *ret_len);

#endif
