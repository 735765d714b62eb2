/* server/http/prefer.h - the request headers that state wishes: Prefer (RFC 7240) and Accept
 * (RFC 9110 12.5.1). Each is fed line by line, as the lines of one header make one list. */
#ifndef JOBD_SERVER_HTTP_PREFER_H
#define JOBD_SERVER_HTTP_PREFER_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: no preference. The first of several equal ones counts; bad ones are ignored. */
struct prefer {
    bool has_wait;
    int64_t wait_seconds;
    bool has_handling;
    bool lenient;
    bool has_return;
    bool total_count;
};

void prefer_feed(struct prefer *p, const char *line);

/* Zeroed: no Accept header. */
struct accept {
    int best;      /* how closely the best media range matched: 3 type/subtype, 2 type, 1 any */
    bool wanted;   /* its q is above 0 */
    bool readable; /* one media range at least was well-formed */
    bool events;   /* text/event-stream is named, and not with q=0 */
    bool html;     /* the same of text/html */
};

void accept_feed_json(struct accept *a, const char *line);
/* False when the client clearly excludes application/json. */
bool accept_allows(const struct accept *a);
/* Whether it is somebody who reads HTML and did not name JSON: a browser. */
bool accept_is_html(const struct accept *a);

#endif
