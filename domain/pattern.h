/* domain/pattern.h - regular expressions for texts from outside: no pattern and no text makes
 * them slow.
 *
 * What JSON Schema recommends of ECMA-262, by code points: . [a-z] [^a-z] \d \D \w \W \s \S
 * \t \n \r \f \v \xHH \uHHHH \u{H..}, ( ) (?: ) | ^ $ * + ? {n} {n,} {n,m}; a ? behind a
 * quantifier changes nothing, since only whether something matches is asked. Look-around, back
 * references, \b, \p and named groups are refused.
 *
 * A pattern becomes a program of at most PATTERN_SIZE_MAX instructions, of which all states are
 * followed at once: the time is at most their number times the length of the text, whatever the
 * pattern. Nothing is tried again. Compiled patterns are read-only: any thread.
 */
#ifndef JOBD_DOMAIN_PATTERN_H
#define JOBD_DOMAIN_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clean.h"
#include "base/err.h"

#define PATTERN_SIZE_MAX   4000 /* instructions */
#define PATTERN_REPEAT_MAX 1000 /* in {n,m} */
#define PATTERN_DEPTH_MAX  32   /* of groups */

struct pattern;

/* ERR_CONFIG, with the place in the text. */
int pattern_compile(const char *text, struct pattern **ret_pattern, struct errinfo *e);
struct pattern *pattern_free(struct pattern *p);
DEFINE_AUTO(pattern, struct pattern)

/* Whether it matches anywhere in these len bytes of UTF-8 (it is anchored by ^ and $ alone).
 * *steps is how much work may be done; it is counted down, and ERR_AGAIN when it is used up. */
int pattern_matches(const struct pattern *p, const char *text, size_t len, uint64_t *steps,
                    bool *ret_matches);

#endif
