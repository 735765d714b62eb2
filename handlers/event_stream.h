/* handlers/event_stream.h - events that are sent as they happen (server-sent events, WHATWG
 * HTML 9.2).
 *
 * A stream is a position in the event log. What comes after it is read from the store, a
 * bounded piece at a time, whenever the client can take more: nothing is kept for a client that
 * does not read, and it holds up nobody. A stream that has nothing to send waits without a
 * thread. It ends when its job or batch does, when jobd stops, and when the set of keys has
 * changed, as its own may have been revoked; the client comes back with the id it has seen
 * last, and is asked who it is.
 */
#ifndef JOBD_HANDLERS_EVENT_STREAM_H
#define JOBD_HANDLERS_EVENT_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid7.h"
#include "domain/event.h"
#include "domain/principal.h"
#include "handlers/service.h"
#include "server/http/http.h"

enum event_scope { EVENTS_OF_ALL, EVENTS_OF_JOB, EVENTS_OF_BATCH };

struct event_stream_start {
    enum event_scope scope;
    struct uuid7 id;                   /* of one: the job's or the batch's */
    const char *traceparent;           /* of the job; NULL: none. Copied */
    struct event_filter filter;        /* OF_ALL. Copied */
    const struct principal *principal; /* who asks */
    int64_t after_seq;
    bool resumed; /* the client has seen after_seq: it must learn of a gap behind it */
};

/* Answer with a stream. ERR_LONG_POLLS: there are too many already. */
int event_stream_reply(const struct service *sv, struct http_resp *rs,
                       const struct event_stream_start *start);

#endif
