/* handlers/listing.h - what all collections have in common: pages, cursors, `fields`, totals.
 *
 *     AUTO_FINI(listing) struct listing l = { .path = "/v1/jobs", .of = FIELDS_JOB };
 *
 *     r = common_allow(rq, rs, known);           known: the filters, and LISTING_PARAMETERS
 *     r = listing_decode(&l, rq, rs);
 *     listing_add(&l, "queue", queue);           each filter that was given, in a fixed order
 *     r = listing_cursor(&l, rq, rs, &position, sizeof position);  1: of a page before; 0: none
 *     read l.limit items behind the position
 *     listing_reply(&l, rq, rs, items, more ? &last : NULL, sizeof last);
 *
 * A collection that is in memory as a whole needs listing_reply_whole() only. The answer has
 * items, self, next where there is more (and Link: rel="next", unless that is very long),
 * total_count where it was asked
 * for, and a weak ETag. A cursor is good for the collection and the filters that it was given
 * out for; limit, fields and whatever listing_shape() added may change on the way.
 *
 * Plain data, ended by listing_fini(); one request.
 */
#ifndef JOBD_HANDLERS_LISTING_H
#define JOBD_HANDLERS_LISTING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clean.h"
#include "handlers/fields.h"
#include "server/http/http.h"

#define LISTING_LIMIT_DEFAULT 50
#define LISTING_LIMIT_MAX     1000
/* What every collection takes: for the list of known parameters. */
#define LISTING_PARAMETERS "limit", "cursor", "fields"

struct listing {
    const char *path;  /* of the collection; the caller's, with nothing to be encoded */
    enum fields_of of; /* its items */
    size_t limit;
    bool has_limit;
    bool has_total;
    bool exact;
    int64_t total;
    json_t *members; /* what else the answer says, an object; owned. NULL: nothing */
    struct fields fields;
    struct buf filters; /* "?queue=night": in one spelling, whatever the client's was */
    struct buf shape;   /* the same for what does not change which items there are */
};

/* limit and fields. Every fault is told; the code of the first is returned.
 * ERR_INVALID_PARAMETER. */
int listing_decode(struct listing *l, const struct http_req *rq, struct http_resp *rs);
/* A filter; value is percent-encoded here. */
void listing_add(struct listing *l, const char *name, const char *value);
void listing_shape(struct listing *l, const char *name, const char *value);
/* The position that the cursor holds, len <= TOKEN_BYTES_MAX bytes: 1; 0: there is no cursor.
 * All filters must have been added. ERR_INVALID_CURSOR. */
int listing_cursor(const struct listing *l, const struct http_req *rq, struct http_resp *rs,
                   void *ret_position, size_t len);
/* What total_count says; exact false: there are at least so many. Ask for it only where
 * rq->total_count. */
void listing_total(struct listing *l, int64_t count, bool exact);

/* items: of this page, an array, taken. last: the position that the next page starts behind;
 * NULL: there is no more. */
int listing_reply(struct listing *l, const struct http_req *rq, struct http_resp *rs,
                  json_t *take_items, const void *last, size_t len);
/* The same where nothing has to be picked (fields.count is 0): items are a whole JSON text. */
int listing_reply_text(struct listing *l, const struct http_req *rq, struct http_resp *rs,
                       const struct buf *items, const void *last, size_t len);
/* all: everything that passes, an array, taken; the page is cut out of it. */
int listing_reply_whole(struct listing *l, const struct http_req *rq, struct http_resp *rs,
                        json_t *take_all);
/* The whole of a handler for a collection in memory without filters: parameters, page, answer.
 */
int listing_simple(const char *path, enum fields_of of, const struct http_req *rq,
                   struct http_resp *rs, json_t *take_all);
void listing_fini(struct listing *l);
DEFINE_AUTO_FINI(listing, struct listing)

/* Append text with everything percent-encoded that may not stand in a query as it is. */
void listing_encode(struct buf *b, const char *text);

#endif
