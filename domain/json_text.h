/* domain/json_text.h - JSON text from outside, with the limits that jobd sets (RFC 8259, RFC 7493).
 *
 * Duplicate member names, invalid UTF-8, NUL characters, trailing bytes and nesting deeper than
 * JSON_DEPTH_MAX are refused with the line and column. Any thread.
 */
#ifndef JOBD_DOMAIN_JSON_TEXT_H
#define JOBD_DOMAIN_JSON_TEXT_H

#include <jansson.h>
#include <stddef.h>

#include "base/clean.h"
#include "base/err.h"

#define JSON_DEPTH_MAX 32

/* AUTO(json) json_t *j: json_decref() at the end of the scope. */
static inline void json_autop_(json_t **j)
{
    json_decref(*j);
}

/* Any JSON value; *ret_json is the caller's. ERR_MALFORMED_JSON. */
int json_text_parse(const char *text, size_t len, json_t **ret_json, struct errinfo *e);

/* Compact UTF-8 text of a value that jobd made or parsed itself; the caller frees it. */
char *json_text_dump(const json_t *json, size_t *ret_len);

#endif
