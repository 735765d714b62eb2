/* domain/json_text.h - JSON text from outside, with the limits that jobd sets (RFC 8259, RFC
 * 7493).
 *
 * Duplicate member names, invalid UTF-8, NUL characters, trailing bytes and nesting deeper than
 * JSON_DEPTH_MAX are refused with the line and column. Any thread.
 */
#ifndef JOBD_DOMAIN_JSON_TEXT_H
#define JOBD_DOMAIN_JSON_TEXT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clean.h"
#include "base/err.h"

#define JSON_DEPTH_MAX 32

/* AUTO(json) json_t *j: json_decref() at the end of the scope. */
static inline void json_autop_(json_t **j)
{
    json_decref(*j);
}

/* jansson iterates over non-const values only, though iterating changes nothing. */
static inline json_t *json_iterable(const json_t *json)
{
    return (json_t *)(uintptr_t)json;
}

/* Any JSON value; *ret_json is the caller's. ERR_MALFORMED_JSON. Integers beyond 64 bits and
 * reals beyond a double are refused too: passing them on would change them. */
int json_text_parse(const char *text, size_t len, json_t **ret_json, struct errinfo *e);

/* Append the compact UTF-8 text of a value that jobd made or parsed itself. Unlike json_dumps()
 * it writes a real with as few digits as read back the same: 0.1, not 0.10000000000000001. */
void json_text_add(struct buf *out, const json_t *json);
/* Append a string as JSON, with its quotes; text is valid UTF-8. */
void json_text_add_string(struct buf *out, const char *text);
void json_text_add_integer(struct buf *out, int64_t number);
/* A value as a string of its own; the caller frees it. */
char *json_text_dump(const json_t *json, size_t *ret_len);

#endif
