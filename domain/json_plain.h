/* domain/json_plain.h - read the plain JSON that nearly all requests are, at a fifth of the
 * cost of jansson's reader, which does well with a byte at a time.
 *
 * Plain is: no escapes, ASCII, no fractions or exponents, integers of up to 18 digits, names of
 * up to 64 bytes. Whatever else there is, right or wrong, is left to jansson, which also finds
 * the words for a fault.
 */
#ifndef JOBD_DOMAIN_JSON_PLAIN_H
#define JOBD_DOMAIN_JSON_PLAIN_H

#include <jansson.h>
#include <stddef.h>

/* The value that json_loadb() would give with JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, or
 * NULL: ask that. Nested no deeper than depth_max. */
json_t *json_plain_parse(const char *text, size_t len, int depth_max);

#endif
