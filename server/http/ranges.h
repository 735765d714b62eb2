/* server/http/ranges.h - Range, If-Range and entity-tags as text (RFC 9110 13.1 and 14). Any
 * thread. http.h has what handlers call. */
#ifndef JOBD_SERVER_HTTP_RANGES_H
#define JOBD_SERVER_HTTP_RANGES_H

#include <stdbool.h>

#include "server/http/http.h"

/* range and if_range may be NULL: not sent. Otherwise as http_range(). */
int range_parse(const char *range, const char *if_range, uint64_t total_bytes,
                const char *strong_etag, struct http_range *ret_range, struct errinfo *e);

/* Whether one line of If-None-Match lists this entity-tag, by weak comparison, or is "*". */
bool etag_listed(const char *list, const char *etag);
/* The same for If-Match, by strong comparison. */
bool etag_listed_strongly(const char *list, const char *etag);

#endif
