/* domain/json_items.h - many JSON values in one text, one at a time: the parts of a batch.
 *
 * The text is cut up without being parsed as a whole, so that what it takes in memory is
 * bounded by the largest part. Each part is given as text, for json_text_parse(), which judges
 * it; here only what lies between the parts is checked. Pure, any thread.
 *
 *     struct json_items items = json_items_lines(text, len);
 *     struct json_part part;
 *
 *     while ((r = json_items_next(&items, &part, e)) > 0)
 *         ...
 */
#ifndef JOBD_DOMAIN_JSON_ITEMS_H
#define JOBD_DOMAIN_JSON_ITEMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Borrowed from the text that is walked; without blanks around it. */
struct json_part {
    const char *text;
    size_t len;
};

/* Plain data. */
struct json_items {
    const char *text;
    const char *at;
    const char *end;
    char close;   /* the bracket at its end; 0: lines */
    size_t count; /* parts given so far */
};

/* The lines of NDJSON (blank ones are no parts); or the items of an array, whose text is that
 * with its brackets. */
struct json_items json_items_lines(const char *text, size_t len);
/* ERR_MALFORMED_JSON when it is none. */
int json_items_array(struct json_part array, struct json_items *ret_items, struct errinfo *e);
/* Returns 1 with the next one, 0 after the last. ERR_MALFORMED_JSON. */
int json_items_next(struct json_items *items, struct json_part *ret_part, struct errinfo *e);

/* The members of an object. */
int json_items_object(struct json_part object, struct json_items *ret_items, struct errinfo *e);
/* The same as json_items_next(): ret_name is the name as a string of JSON, with its quotes. */
int json_items_member(struct json_items *items, struct json_part *ret_name,
                      struct json_part *ret_value, struct errinfo *e);

#endif
