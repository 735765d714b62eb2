/* domain/json_put.h - write JSON text, member by member, without a tree in between.
 *
 *     AUTO_FINI(buf) struct buf out = { 0 };
 *     struct json_put w = { .out = &out };
 *
 *     json_put_begin(&w, NULL);
 *     json_put_text(&w, "state", "queued");
 *     json_put_end(&w);
 *
 * Names are constants that need no escape; NULL within an array and for the outermost value.
 * What is not set (a NULL text, a time of 0) is left out. Texts are valid UTF-8. Any thread.
 */
#ifndef JOBD_DOMAIN_JSON_PUT_H
#define JOBD_DOMAIN_JSON_PUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"

/* Zeroed but for out. */
struct json_put {
    struct buf *out; /* borrowed */
    bool has_items;  /* a comma comes first */
};

void json_put_begin(struct json_put *w, const char *name);
void json_put_end(struct json_put *w);
void json_put_begin_array(struct json_put *w, const char *name);
void json_put_end_array(struct json_put *w);

void json_put_text(struct json_put *w, const char *name, const char *text);
void json_put_integer(struct json_put *w, const char *name, int64_t number);
void json_put_bool(struct json_put *w, const char *name, bool value);
/* Seconds, without a fraction when there is none; a negative time is 0. */
void json_put_seconds(struct json_put *w, const char *name, usec_t us);
void json_put_time(struct json_put *w, const char *name, usec_t wall_us);
/* prefix and rest as one text; nothing in them needs an escape. */
void json_put_joined(struct json_put *w, const char *name, const char *prefix,
                     const char *rest);
/* One JSON value as it is. */
void json_put_raw(struct json_put *w, const char *name, const char *json, size_t len);
void json_put_tree(struct json_put *w, const char *name, const json_t *json);

/* What was written, as a tree: for those who want to change it. The caller's. */
json_t *json_put_parse(const struct json_put *w);

#endif
