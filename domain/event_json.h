/* domain/event_json.h - an event as its clients see it (openapi: Event): a CloudEvent 1.0.2.
 * Pure, any thread. */
#ifndef JOBD_DOMAIN_EVENT_JSON_H
#define JOBD_DOMAIN_EVENT_JSON_H

#include "base/buf.h"
#include "domain/event.h"

/* Append it as one line of JSON. traceparent: of the subject; NULL: none, or not known. */
void event_json_add(struct buf *out, const struct event *ev, const char *traceparent);

#endif
